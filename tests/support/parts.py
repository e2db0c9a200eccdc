"""A copy of the package to which a test adds a file, as someone does who adds a part."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def with_file(folder: Path, name: str, text: str) -> dict[str, str]:
    """Make a package s2h in a folder out of links to this one, with the file s2h/NAME in addition. Return the environment in
    which Python imports it."""
    room = Path(name).parent
    package, part = folder / "s2h", ROOT / "s2h"
    package.mkdir()
    for step in room.parts:
        _link_all(part, package, but=step)
        package, part = package / step, part / step
        package.mkdir()
    _link_all(part, package)
    (package / Path(name).name).write_text(text, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def _link_all(source: Path, target: Path, but: str = "") -> None:
    for one in source.iterdir():
        if one.name not in (but, "__pycache__"):
            (target / one.name).symlink_to(one)


def recipe(name: str) -> str:
    """Return the file that s2h/README.md shows in full after naming it."""
    page = (ROOT / "s2h" / "README.md").read_text(encoding="utf-8")
    return re.search(rf"`{re.escape(name)}`:\n\n```python\n(.*?)```", page, re.S)[1]
