"""Runs commands in a Python that has only the packages of `pip install s2h`, or of `pip install "s2h[EXTRA,...]"`: all
others that are installed here can't be found.

    python -m tests.support.lean "" < commands.json      # [["s2h-gen", "kinship", "-n", "2"], ...] in the working directory

Standard output has [status, standard error] of each command, as JSON.
"""

from __future__ import annotations

import importlib.metadata as metadata
import json
import os
import sys
import tempfile
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path

import tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# What several commands import late: once in the parent.
SHARED = ("s2h.cli.gen", "s2h.cli.mix", "s2h.cli.eval", "s2h.cli.filter", "PIL.Image", "scipy.stats", "sklearn.datasets",
          "datasets", "matplotlib.figure", "matplotlib.backends.backend_agg")  # fmt: skip
PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def wanted(extras: list[str]) -> set[str]:
    """The distributions that pip would install for s2h with these extras, by their normalised names."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    groups = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    waiting = [Requirement(line) for group in groups for line in group]
    found: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name == "s2h":  # one extra takes another one in
            groups = [project["optional-dependencies"][extra] for extra in one.extras]
            waiting += [Requirement(line) for group in groups for line in group]
            continue
        for extra in {"", *one.extras}:
            if (name, extra) in found:
                continue
            found.add((name, extra))
            for line in metadata.requires(name) or ():
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    return {name for name, _ in found}


def hide(extras: list[str]) -> None:
    """Let the import system find no module of another distribution."""
    there = wanted(extras)
    hidden = {
        module
        for module, owners in metadata.packages_distributions().items()
        if not any(canonicalize_name(owner) in there for owner in owners) and module not in ("s2h", "tests")
    }

    class Finder(PathFinder):
        @classmethod
        def find_spec(cls, fullname, path=None, target=None):
            if fullname.partition(".")[0] in hidden:
                return None
            return super().find_spec(fullname, path, target)

    sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
    for module in [name for name in sys.modules if name.partition(".")[0] in hidden]:
        del sys.modules[module]


def run(command: list[str]) -> tuple[int, str]:
    """Run one command in a child. Return its status and what it wrote to standard error."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.dup2(said.fileno(), 2)
            sys.argv = command
            status = 99
            try:
                import_module(command[0].replace("s2h-", "s2h.cli.")).main(prog_name=command[0])
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            finally:
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return status, said.read().decode()


if __name__ == "__main__":
    hide([extra for extra in sys.argv[1].split(",") if extra])
    for module in SHARED:
        import_module(module)
    print(json.dumps([run(command) for command in json.load(sys.stdin)]))
