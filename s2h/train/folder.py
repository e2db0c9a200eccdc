"""The folder of a run: arguments and data are fixed in it at the start, and `--resume` goes on from its last whole
checkpoint only where both are what they were.

    RUN/args.json data.jsonl val.jsonl reference.json metrics.jsonl checkpoints/ adapter/ processor/ merged/ README.md
        training.png result.json
"""

from __future__ import annotations

import filecmp
import json
import os
import re
import tempfile
from array import array
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s2h import __version__, accel
from s2h.errors import counted, plural
from s2h.models import adapter
from s2h.models.tokens import TokenCounter
from s2h.record import Record, RecordError
from s2h.streams.files import Whole, below
from s2h.train.arguments import Arguments
from s2h.train.dataset import Pairs, Stored, emptied, store

RESULT = "result.json"
METRICS = "metrics.jsonl"
REFERENCE = "reference.json"
# What a run writes after its arguments: without these, whatever has such a name is somebody else's.
WRITTEN = (
    METRICS, REFERENCE, RESULT, "README.md", "training.png", "checkpoints", "processor", adapter.ADAPTER, adapter.MERGED,
)  # fmt: skip


class RunError(RecordError):
    """A run folder that can't be used as asked; one line with the remedy."""


def refuse_used(folder: Path, resume: bool) -> None:
    """Raises RunError where a new run would be put over another, or over files that no run wrote. A run that failed before
    its first step leaves nothing to go on with: its folder is used again."""
    if not (folder / adapter.ARGUMENTS).exists():
        foreign = [name for name in WRITTEN if _holds_something(folder / name)]
        if foreign and accel.launched()[0] == 0:
            raise _in_the_way(folder / foreign[0])
        return
    if resume:
        return
    if "pairs" not in begun(folder):
        raise _in_the_way(folder / adapter.ARGUMENTS)
    if any(
        (folder / name).exists() for name in (METRICS, RESULT, "checkpoints", adapter.ADAPTER, adapter.MERGED)
    ):
        raise RunError(
            f"{folder} holds a run already", remedy="--resume goes on with it, another -o starts a new one"
        )
    with accel.main_first():
        if accel.is_main():
            for name in (adapter.ARGUMENTS, "data.jsonl", "val.jsonl", REFERENCE):
                (folder / name).unlink(missing_ok=True)


def _holds_something(path: Path) -> bool:
    """Whether a file is there, or a folder with a file in it."""
    if not path.is_dir():
        return os.path.lexists(path)
    return any(map(os.path.isfile, below(str(path))))


def _in_the_way(path: Path) -> RunError:
    return RunError(
        f"{path}: a run needs this name, and no run wrote this", remedy="name a new folder with -o"
    )


def begun(folder: Path) -> dict[str, Any]:
    """The args.json of a run, or nothing where there is none yet. Raises RunError."""
    told = folder / adapter.ARGUMENTS
    return read_object(told) if told.is_file() else {}


def read_object(path: Path, remedy: str = "another -o starts a new run") -> dict[str, Any]:
    """The object in a JSON file of a run. Raises RunError where it can't be read or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}", remedy=remedy) from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is no JSON: {error}", remedy=remedy) from None
    if not isinstance(found, dict):
        raise RunError(f"{path} holds no JSON object: it was changed", remedy=remedy)
    return found


def prepare(
    records: Iterable[Record],
    held_out: Iterable[Record] | None,
    arguments: Arguments,
    folder: Path,
    on_error: Callable[[Exception], None],
    base: str | None,
    fit: TokenCounter,
    say: Callable[[str], None],
) -> tuple[Pairs, Pairs | None, dict[str, Any]]:
    """Fix data and arguments in the folder, or check that they are what they were: training pairs, held-out pairs, and
    what args.json says. base: the model's `adapter.sketch`; fit: what the model takes. Raises RunError."""
    measured = {}
    with accel.main_first():
        if accel.is_main():
            measured = _fix(records, held_out, arguments, folder, on_error, base, fit, say)
    pairs = Pairs(folder / "data.jsonl")
    val = Pairs(folder / "val.jsonl") if (folder / "val.jsonl").exists() else None
    for name, made in (("data", pairs), ("val", val)):
        if made is not None and len(measured.get(name, ())) == len(made.starts):
            made.tokens = measured[name]
    said = begun(folder)
    if len(pairs) != said.get("pairs", len(pairs)):
        raise RunError(
            f"{folder / 'data.jsonl'} was changed: it has {counted(len(pairs), 'pair')}, and the run "
            f"began with {said['pairs']}",
            remedy="another -o starts a new run",
        )
    return pairs, val or None, said


def _fix(
    records, held_out, arguments: Arguments, folder: Path, on_error, base: str | None, fit: TokenCounter, say
) -> dict[str, array]:
    """Write the data or compare them; returns the tokens of the pairs that were given now."""
    before = begun(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder, ignore_cleanup_errors=True) as new:
        return _fix_from(Path(new), before, records, held_out, arguments, folder, on_error, base, fit, say)


def _fix_from(
    new: Path, before: dict, records, held_out, arguments: Arguments, folder: Path, on_error, base, fit, say
) -> dict[str, array]:
    """The same, by way of a temporary folder."""
    given = store(records, new / "data.jsonl", fit=fit, say=say, on_error=on_error)
    held = Stored()
    if held_out is not None:
        held = store(held_out, new / "val.jsonl", fit=fit, say=say, on_error=on_error)
    if not given.count and not before:
        if given.dropped:
            raise RunError(
                f"no pair fits the window of {fit.window} tokens", remedy="fewer or smaller images"
            )
        raise RunError("no pairs to train on", remedy="the input is empty")
    for stage, count in sorted(emptied(given, arguments.stages).items()):
        say(
            f"warning: stage {stage} is not trained: none of its {counted(count, 'pair')} fits the window of "
            f"{fit.window} tokens"
        )
    if identical := given.identical + held.identical:
        say(
            f"{counted(identical, 'pair has', 'pairs have')} the same answer as chosen and rejected: nothing is "
            f"learned from {plural(identical, 'it', 'them')}"
        )
    wanted = {
        **asdict(arguments),
        "base": base,
        "processes": accel.state().num_processes,
        "data": given.digest,
        "val": held.digest,
        "pairs": given.count,
        "dropped": given.dropped,
        "s2h": __version__,
    }
    if before:
        _same(folder, before, wanted, data_given=bool(given.count), val_given=held_out is not None)
    else:
        for name in ("data.jsonl", "val.jsonl"):
            # A run that a kill ended before it wrote its arguments has left the same data.
            if os.path.lexists(folder / name) and not _same_bytes(new / name, folder / name):
                raise _in_the_way(folder / name)
        for name in ("data.jsonl", "val.jsonl"):
            if (new / name).exists():
                (new / name).replace(folder / name)
        write_json(folder / adapter.ARGUMENTS, wanted)
    return {"data": given.tokens, "val": held.tokens}


def _same(folder: Path, before: dict, now: dict, *, data_given: bool, val_given: bool) -> None:
    """Raise RunError where a resumed run has other arguments or data than it began with."""
    skipped = {"s2h"}
    if not data_given:
        skipped |= {"data", "pairs", "dropped"}
    if not val_given:
        skipped.add("val")
    differ = [
        f"{key} was {_shown(before[key])} and is {_shown(now[key])}"
        for key in now
        if key not in skipped and key in before and before[key] != now[key]
    ]
    if differ:
        raise RunError(
            f"{folder} was begun differently: {'; '.join(differ)}", remedy="use the same, or another -o"
        )


def _same_bytes(new: Path, old: Path) -> bool:
    return new.is_file() and old.is_file() and filecmp.cmp(new, old, shallow=False)


def _shown(value: Any) -> Any:
    return value[:12] if isinstance(value, str) and len(value) == 64 else value


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run that were written to their end, the newest first. A state file comes last, and each process
    keeps the state of its own random numbers."""
    processes = accel.state().num_processes
    from transformers import TrainerState

    whole = []
    found = [
        one for one in folder.glob("checkpoints/checkpoint-*") if re.fullmatch(r"checkpoint-\d+", one.name)
    ]
    for checkpoint in sorted(found, key=step_of, reverse=True):
        try:
            state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        states = len(list(checkpoint.glob("rng_state*.pth")))
        if state.global_step == step_of(checkpoint) and states == processes:
            whole.append(checkpoint)
    return whole


def cut_metrics(folder: Path, step: int) -> None:
    """Forget what was logged after the checkpoint: it is going to be done again."""
    path = folder / METRICS
    if path.is_file() and accel.is_main():
        kept = [line for line in read_metrics(folder) if line["step"] <= step]
        with Whole(path) as out:
            out.write("".join(json.dumps(line) + "\n" for line in kept).encode())


def read_metrics(folder: Path) -> list[dict]:
    """The lines of metrics.jsonl; none where nothing was logged."""
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
    """The result of a run that is finished."""
    path = folder / RESULT
    remedy = "remove it: --resume makes it anew from the last checkpoint"
    return read_object(path, remedy) if path.is_file() else None


def write_json(path: Path, value: Any) -> None:
    with Whole(path) as out:
        out.write((json.dumps(value) + "\n").encode())
