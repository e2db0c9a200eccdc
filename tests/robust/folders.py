"""Mutations of a source folder: of the rows in its files, of their bytes, of its archives, of names, links and pipes."""

from __future__ import annotations

import copy
from collections.abc import Callable

from hypothesis import strategies as st

from tests.robust import values
from tests.robust.layouts import Layout
from tests.robust.running import Link, Pipe
from tests.robust.writing import Told, picture, written


@st.composite
def trees(draw: Callable, layout: Layout) -> dict[str, object]:
    """The files of a layout, below in/, with some changes."""
    files = dict(layout.files)
    for _ in range(draw(st.integers(1, 3))):
        names = sorted(files, key=lambda name: not isinstance(files[name], Told))
        if not names:
            break
        told = sum(isinstance(files[name], Told) for name in names)
        name = names[draw(st.integers(0, max(0, (told or len(names)) - 1)) | st.integers(0, len(names) - 1))]
        draw(st.sampled_from(FILE_CHANGES))(draw, files, name)
    return {f"in/{name}": written(content) for name, content in files.items()}


def _inside(draw: Callable, files: dict, name: str) -> None:
    content = files[name]
    if isinstance(content, Told):
        files[name] = Told(content.kind, draw(values.mutated(content.value, 1, 6)))
    else:
        _damage(draw, files, name)


def _damage(draw: Callable, files: dict, name: str) -> None:
    content = written(files[name])
    if isinstance(content, bytes):
        files[name] = draw(values.damaged(content))


def _remove(draw: Callable, files: dict, name: str) -> None:
    del files[name]


def _rename(draw: Callable, files: dict, name: str) -> None:
    folder, slash, base = name.rpartition("/")
    stem, dot, end = base.partition(".")
    odd = (
        "caf\udce9",
        "tar:x!y",
        "data:a",
        "-",
        "a\nb",
        "\x1b[31m",
        "n" * 200,
        " ",
        "{0..3}",
        "[ab]*",
        "\u202e",
        stem.upper(),
    )
    files[f"{folder}{slash}{draw(st.sampled_from(odd))}{dot}{end}"] = files.pop(name)


def _exchange(draw: Callable, files: dict, name: str) -> None:
    names = sorted(files)
    files[name] = copy.deepcopy(files[names[draw(st.integers(0, len(names) - 1))]])


def _link(draw: Callable, files: dict, name: str) -> None:
    target = draw(
        st.sampled_from(("nowhere", ".", "..", name.rpartition("/")[2], "/dev/zero", "/elsewhere.jpg"))
    )
    files[name] = Link("../" * name.count("/") + ".." + target if target == "/elsewhere.jpg" else target)


def _pipe(draw: Callable, files: dict, name: str) -> None:
    files[name] = Pipe()


STRAY = (
    "metadata.csv", "metadata.jsonl", "x.tar", "x.json", "x.parquet", "a.png", "dataset_info.json", "state.json",
    "train-images-idx3-ubyte", "mid.csv", "LOC_val_solution.csv", "val/0.jpg",
)  # fmt: skip


def _stray(draw: Callable, files: dict, name: str) -> None:
    folder = name.rpartition("/")[0]
    stray = draw(st.sampled_from(STRAY))
    content = draw(
        st.sampled_from((b"", b"{}", b"[]", b"\x00" * 600, b"PAR1", picture(0), values.nested(500).encode()))
    )
    files.setdefault(f"{folder}/{stray}" if folder else stray, content)


FILE_CHANGES = (
    _inside,
    _inside,
    _inside,
    _inside,
    _damage,
    _damage,
    _remove,
    _rename,
    _exchange,
    _link,
    _pipe,
    _stray,
)
