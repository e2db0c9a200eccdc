"""The folder of a run. The arguments and the data are written at the start. `--resume` continues from the last complete
checkpoint (`s2h.train.checkpoints`) only if both are unchanged.

    RUN/args.json data.jsonl val.jsonl reference.json probe.json metrics.jsonl checkpoints/ best/ adapter/ processor/
        merged/ README.md training.png result.json
"""

from __future__ import annotations

import filecmp
import json
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s2h import __version__, accel
from s2h.errors import counted, plural
from s2h.models import adapter, thinking
from s2h.models.tokens import TokenCounter
from s2h.record import Record, RecordError
from s2h.streams.files import Whole, below
from s2h.train.arguments import ADDED, Arguments
from s2h.train.dataset import Pairs, Stored, emptied, store

RESULT = "result.json"
METRICS = "metrics.jsonl"
REFERENCE = "reference.json"
PROBE = "probe.json"
# Files that a run writes after its arguments. In a folder without arguments, files with these names are not from a run.
WRITTEN = (
    METRICS, REFERENCE, PROBE, RESULT, "README.md", "training.png", "checkpoints", "processor", "best", adapter.ADAPTER,
    adapter.MERGED,
)  # fmt: skip


class RunError(RecordError):
    """A run folder that can't be used as the user asks. The message is one line with the remedy."""


def refuse_used(folder: Path, resume: bool) -> None:
    """Raise RunError if a new run would overwrite another run, or files that no run wrote. The folder of a run
    that failed before its first step is used again, since it has nothing to resume."""
    if not (folder / adapter.ARGUMENTS).exists():
        foreign = [name for name in WRITTEN if _holds_something(folder / name)]
        if foreign and accel.launched()[0] == 0:
            raise _name_is_taken(folder / foreign[0])
        return
    if resume:
        return
    if "pairs" not in read_arguments(folder):
        raise _name_is_taken(folder / adapter.ARGUMENTS)
    if any(
        (folder / name).exists() for name in (METRICS, RESULT, "checkpoints", adapter.ADAPTER, adapter.MERGED)
    ):
        raise RunError(
            f"{folder} holds a run already", remedy="--resume continues it, another -o starts a new one"
        )
    with accel.main_first():
        if accel.is_main():
            for name in (adapter.ARGUMENTS, "data.jsonl", "val.jsonl", REFERENCE, PROBE):
                (folder / name).unlink(missing_ok=True)


def _holds_something(path: Path) -> bool:
    """Return whether a path is a file, or a folder with a file in it."""
    if not path.is_dir():
        return os.path.lexists(path)
    return any(map(os.path.isfile, below(str(path))))


def _name_is_taken(path: Path) -> RunError:
    return RunError(
        f"{path}: a run needs this name, and no run wrote this file", remedy="name a new folder with -o"
    )


def read_arguments(folder: Path) -> dict[str, Any]:
    """Return the contents of a run's args.json, empty if there is none yet. Raises RunError."""
    path = folder / adapter.ARGUMENTS
    return read_object(path) if path.is_file() else {}


def read_object(path: Path, remedy: str = "another -o starts a new run") -> dict[str, Any]:
    """Return the object in a JSON file of a run. Raises RunError if the file can't be read or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}", remedy=remedy) from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is no JSON: {error}", remedy=remedy) from None
    if not isinstance(found, dict):
        raise RunError(f"{path} holds no JSON object: it was changed", remedy=remedy)
    return found


@dataclass(frozen=True)
class Start:
    """The inputs of a run that is started or resumed. base: `adapter.sketch` of the model. counter: counts the tokens of
    pairs, so that those which don't fit the model are dropped."""

    records: Iterable[Record]
    held_out: Iterable[Record] | None
    arguments: Arguments
    base: str | None
    counter: TokenCounter
    say: Callable[[str], None]
    on_error: Callable[[RecordError], None]

    def store(self, records: Iterable[Record], path: Path) -> Stored:
        return store(
            records,
            path,
            counter=self.counter,
            image_side=self.image_side,
            say=self.say,
            on_error=self.on_error,
        )

    @property
    def image_side(self) -> bool:
        """Whether the run trains on rejected images."""
        return self.arguments.image_side > 0


def prepare(folder: Path, start: Start) -> tuple[Pairs, Pairs | None, dict[str, Any]]:
    """Write data and arguments into the folder of a new run, or check that those of a resumed run are unchanged. Return the
    training pairs, the held-out pairs, and the contents of args.json. Raises RunError."""
    measured: dict[str, array] = {}
    with accel.main_first():
        if accel.is_main():
            measured = _fix(folder, start)
    pairs = Pairs(folder / "data.jsonl", start.image_side)
    val = Pairs(folder / "val.jsonl", start.image_side) if (folder / "val.jsonl").exists() else None
    for name, made in (("data", pairs), ("val", val)):
        if made is not None and len(measured.get(name, ())) == len(made.starts):
            made.tokens = measured[name]
    recorded = read_arguments(folder)
    if len(pairs) != recorded.get("pairs", len(pairs)):
        raise RunError(
            f"{folder / 'data.jsonl'} was changed: it has {counted(len(pairs), 'pair')}, and the run "
            f"was started with {recorded['pairs']}",
            remedy="another -o starts a new run",
        )
    return pairs, val or None, recorded


def _fix(folder: Path, start: Start) -> dict[str, array]:
    """Write the data and the arguments, or compare them. Return the lengths (tokens) of the given pairs, by file."""
    before = read_arguments(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder, ignore_cleanup_errors=True) as beside:
        new = Path(beside)
        given, held = start.store(start.records, new / "data.jsonl"), Stored()
        if start.held_out is not None:
            held = start.store(start.held_out, new / "val.jsonl")
        _report(given, held, start, resumed=bool(before))
        now = {
            **asdict(start.arguments),
            "base": start.base,
            "processes": accel.state().num_processes,
            "data": given.digest,
            "val": held.digest,
            "pairs": given.count,
            "dropped": given.dropped,
            "s2h": __version__,
        }
        if before:
            _check_same(
                folder, before, now, data_given=bool(given.count), val_given=start.held_out is not None
            )
        else:
            _move(new, folder)
            write_json(folder / adapter.ARGUMENTS, now)
    return {"data": given.tokens, "val": held.tokens}


def _report(given: Stored, held: Stored, start: Start, *, resumed: bool) -> None:
    """Warn about stages without pairs and pairs with equal answers. Raises RunError if a new run has no pairs."""
    window = start.counter.window
    for name, stored in (("", given), ("held out: ", held)):
        if stored.smaller is not None and (line := stored.smaller.line(stored.count)):
            start.say(name + line)
    if not given.count and not resumed:
        if given.dropped:
            raise RunError(
                f"no pair fits the window of {window} tokens", remedy="fewer or smaller images: --max-pixels"
            )
        raise RunError("no pairs to train on", remedy="the input is empty")
    if given.count:
        tell_image_side(start.arguments.image_side, given.rejected_images, given.count, start.say)
    if given.count and (
        line := thinking.of_answers(start.arguments.thinking, given.thoughts, 2 * given.count)
    ):
        start.say(line)
    for stage, count in sorted(emptied(given, start.arguments.stages).items()):
        start.say(
            f"warning: stage {stage} is not trained: none of its {counted(count, 'pair')} fits the window of "
            f"{window} tokens"
        )
    if identical := given.identical + held.identical:
        start.say(
            f"{counted(identical, 'pair has', 'pairs have')} the same answer as chosen and rejected: nothing is "
            f"learned from {plural(identical, 'it', 'them')}"
        )


def tell_image_side(weight: float, some: int, count: int, say: Callable[[str], None]) -> None:
    """Say how many of the pairs have rejected images. Raises RunError if none has any and the loss is to use them."""
    if weight and not some:
        raise RunError(
            "--image-side needs rejected_images, and no pair has them",
            remedy="s2h-gen --twins --image-side makes such pairs",
        )
    having = f"{some} of {counted(count, 'pair')} {plural(some, 'has', 'have')} rejected_images"
    if weight and some < count:
        say(f"{having}: the others add 0 to the image side of the loss")
    elif some and not weight:
        say(f"{having}, which are not used (--image-side W trains on them)")


def _move(new: Path, folder: Path) -> None:
    """Move the data files into the run folder. They may be there already, from a run that was killed before it
    wrote its arguments. Raises RunError for other files with these names."""
    names = ("data.jsonl", "val.jsonl")
    for name in names:
        if os.path.lexists(folder / name) and not _same_bytes(new / name, folder / name):
            raise _name_is_taken(folder / name)
    for name in names:
        if (new / name).exists():
            (new / name).replace(folder / name)


def _check_same(folder: Path, before: dict, now: dict, *, data_given: bool, val_given: bool) -> None:
    """Raise RunError if a resumed run has other arguments or data than at its start."""
    skipped = {"s2h", "probe"}  # they change no weights
    if not data_given:
        skipped |= {"data", "pairs", "dropped"}
    if not val_given:
        skipped.add("val")
    before = {**ADDED, **before}
    differ = [
        f"{key} was {_shown(before[key])} and is {_shown(now[key])}"
        for key in now
        if key not in skipped and key in before and before[key] != now[key]
    ]
    if differ:
        raise RunError(
            f"{folder} was started with different arguments: {'; '.join(differ)}",
            remedy="use the same, or another -o",
        )


def _same_bytes(new: Path, old: Path) -> bool:
    return new.is_file() and old.is_file() and filecmp.cmp(new, old, shallow=False)


def _shown(value: Any) -> Any:
    return value[:12] if isinstance(value, str) and len(value) == 64 else value


def cut_metrics(folder: Path, step: int) -> None:
    """Delete the lines of metrics.jsonl after a step: these steps will be trained again."""
    path = folder / METRICS
    if path.is_file() and accel.is_main():
        kept = [line for line in read_metrics(folder) if line["step"] <= step]
        with Whole(path) as out:
            out.write("".join(json.dumps(line) + "\n" for line in kept).encode())


def read_metrics(folder: Path) -> list[dict]:
    """Return the lines of a run's metrics.jsonl; none if nothing was logged."""
    path, lines = folder / METRICS, []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else ():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the last line of a killed run may be half a line
        if isinstance(found, dict) and type(found.get("step")) is int:
            lines.append(found)
    return lines


def read_result(folder: Path) -> dict | None:
    """Return the result of a finished run, None for any other. Raises RunError."""
    path = folder / RESULT
    remedy = "remove it: --resume makes it again from the last checkpoint"
    return read_object(path, remedy) if path.is_file() else None


def write_json(path: Path, value: Any) -> None:
    """Write a value as a JSON file, whole or not at all."""
    with Whole(path) as out:
        out.write((json.dumps(value) + "\n").encode())
