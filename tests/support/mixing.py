"""Files to mix, mixes of them, and what came out."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from s2h import mix
from s2h.cli.mix import main
from s2h.streams import jsonl
from tests.support.records import pair


def write(path: str, names, **fields) -> None:
    """Pairs of these names; each has two pictures of its own, which need not exist."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with jsonl.Writer(path) as out:
        for name in names:
            images = [f"{name}-1.png", f"{name}-2.png"]
            out.write(
                dict(pair(name, **{"images": images, **fields}))
            )  # no base: references stay as they are


def run(*arguments, status: int = 0, data: bytes = b""):
    """s2h-mix in this process."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], input=data)
    assert done.exit_code == status, done.output
    return done


def names(path: str) -> list[str]:
    return [record["id"] for record in jsonl.read(path)]


def three_levels(count: int = 40) -> None:
    for level in (1, 2, 3):
        write(f"l{level}.jsonl", [f"{level}-{i}" for i in range(count)], level=level, task=f"task{level}")


@contextlib.contextmanager
def loaded(*streams, **options) -> Iterator[mix.Index]:
    """The index of some streams of records, with all that is wanted of them."""
    wanted = mix.Wanted(seed=options.pop("seed", 0), sources=True, links=True, margins=True)
    made = [io.BytesIO(b"".join(map(jsonl.dump, stream))) for stream in streams]
    with (
        tempfile.TemporaryFile() as spool,
        tempfile.TemporaryFile() as links,
        mix.load(made, spool, wanted=wanted, links=links, **options) as index,
    ):
        yield index
