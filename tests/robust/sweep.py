"""Every field of a sound record, in turn, with every odd value: one change a record, and nothing left to chance."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.robust import values
from tests.robust.cases import IMAGES
from tests.robust.layouts import LAYOUTS, Layout
from tests.robust.running import Case
from tests.robust.writing import Told, written

ODD = (*values.SHAPES, *values.NUMBERS, *values.TEXTS, *values.REFERENCES)


def changed(base: Any) -> Iterator[Any]:
    """The value with one of its fields or elements replaced by an odd value, or taken out."""
    for at, _ in enumerate(list(values.places(base))):
        for other in ODD:
            made = copy.deepcopy(base)
            container, key = list(values.places(made))[at]
            container[key] = other
            yield made
        made = copy.deepcopy(base)
        container, key = list(values.places(made))[at]
        del container[key]
        yield made


def case(line: str, bases: tuple[dict, ...], least: int = 0) -> Case:
    """One file with every change of each of the records, each record under an id of its own unless that was changed."""
    made = []
    for base in bases:
        for one in changed(dict(base)):
            if one.get("id") == base["id"]:
                one["id"] = f"r{len(made)}"
            made.append(values.spelled(one))
    return Case(f"{line} --on-error skip", {"in/a.jsonl": b"\n".join(made) + b"\n", **IMAGES}, len(made))


def sources() -> Iterator[Case]:
    """Every layout with one change in the first row or element of one of its files; thousands of runs."""
    for layout in LAYOUTS:
        for name, content in layout.files.items():
            if isinstance(content, Told):
                for task in layout.tasks:
                    yield from _source(layout, name, content, task)


def _source(layout: Layout, name: str, content: Told, task: str) -> Iterator[Case]:
    sound = {f"in/{other}": written(held) for other, held in layout.files.items()}
    line = f"gen {task} --source {layout.kind}:in -n 2 --image-dir out/store -o out/pairs.jsonl"
    for one in changed(_short(content.value)):
        whole = _grafted(content.value, one)
        yield Case(line, {**sound, f"in/{name}": written(Told(content.kind, whole))})


def _short(value: Any) -> Any:
    """The value with the first element of each list of rows alone."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict | list):
        return [_short(value[0])]
    return value


def _grafted(whole: Any, short: Any) -> Any:
    """The whole value with what `short` has in place of its first elements."""
    if isinstance(whole, dict) and isinstance(short, dict):
        return {key: _grafted(whole[key], item) if key in whole else item for key, item in short.items()}
    if isinstance(whole, list) and whole and isinstance(whole[0], dict | list) and isinstance(short, list):
        return [*short, *whole[1:]]
    return short
