"""A copy of the package to which a test adds a file, as someone does who adds a part."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def commands(folder: Path, name: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Add the file that s2h/README.md shows as NAME to a package in a folder, and return `run(command, *arguments, input="",
    status=0)`, which runs s2h-COMMAND with it in that folder and checks its exit status."""
    environment = with_file(folder, name, recipe(name)) | {"OMP_NUM_THREADS": "1"}

    def run(
        command: str, *arguments: str, input: str = "", status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", f"from s2h.cli.{command} import main; main()", *arguments],
            input=input, cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status and "Traceback" not in done.stderr, done.stderr
        return done

    return run


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
