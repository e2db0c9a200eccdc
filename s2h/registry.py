"""Find the parts of rooms: sources, tasks, judgements, formats, benchmarks, and layouts of replies.

Each room is a package. A module in it that holds a part (or a package, in its `__init__.py`) defines one value in capitals
(`SOURCE`, `TASK`, `JUDGEMENT`, `FORMAT`, `BENCH`, `REPLIES`), and the file's name, with `-` for `_`, is the part's name.
So a new part is a new file: command-line choices, help texts and tables come from here. `names` reads files but imports
none, since `--help` must not load torch.

    names("bench")            # ('blink', 'mantis', …)
    load("bench", "blink")    # s2h.eval.benches.blink.BENCH
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from typing import Any

# Kind of part: the package that holds its modules, and the name of the value in each.
ROOMS = {
    "source": ("s2h.sources", "SOURCE"),
    "task": ("s2h.tasks", "TASK"),
    "judgement": ("s2h.filters", "JUDGEMENT"),
    "format": ("s2h.formats", "FORMAT"),
    "bench": ("s2h.eval.benches", "BENCH"),
    "replies": ("s2h.eval.replies", "REPLIES"),
}


@functools.cache
def names(kind: str) -> tuple[str, ...]:
    """Return the names of all parts of a kind, in alphabetical order, without importing their modules."""
    package, value = ROOMS[kind]
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = set()
    for folder in folders:
        for file in os.listdir(folder):
            stem, ending = os.path.splitext(file)
            path = os.path.join(folder, file) if ending else os.path.join(folder, file, "__init__.py")
            if ending in ("", ".py") and os.path.isfile(path) and _defines(path, value):
                found.add(stem.replace("_", "-"))
    return tuple(sorted(found))


@functools.cache
def load(kind: str, name: str) -> Any:
    """Import the module of a part and return its value. Raises KeyError for a name that no module has."""
    if name not in names(kind):
        raise KeyError(name)
    package, value = ROOMS[kind]
    return getattr(importlib.import_module(f"{package}.{name.replace('-', '_')}"), value)


def values(kind: str) -> dict[str, Any]:
    """Import all modules of a kind and return their values by name, in alphabetical order."""
    return {name: load(kind, name) for name in names(kind)}


def _defines(path: str, value: str) -> bool:
    """Return whether a line of the file begins with the value's name and assigns to it. A search for the bytes takes a tenth
    of the time of a pattern, and every `--help` does it for all files of a room."""
    with open(path, "rb") as file:
        text = b"\n" + file.read()
    start = f"\n{value}".encode()
    at = text.find(start)
    while at >= 0:
        name, equals, _ = text[at + 1 : text.find(b"\n", at + 1)].partition(b"=")
        if equals and name.partition(b":")[0].strip() == value.encode():
            return True
        at = text.find(start, at + 1)
    return False
