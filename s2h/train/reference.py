"""Reference log-probabilities: what the untrained model thinks of both answers of each pair. They are measured once for
all epochs, by all processes together, and kept by a fingerprint of all that they depend on (model, processor, template,
pairs, and how pairs were put into batches, so that a value is the same to its last digit whether it was measured now or
before). Pairs that `s2h-filter --ref` has scored with this very model bring their own."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from s2h import __version__, accel
from s2h.errors import counted
from s2h.images.decoding import open_images
from s2h.models import ModelError, fingerprint
from s2h.models.tokens import TokenCounter
from s2h.streams.files import Whole
from s2h.train import folder as _folder
from s2h.train.collator import LENGTH, REFERENCE
from s2h.train.dataset import Pairs

NAMES = (*REFERENCE, LENGTH)
AGAIN = "remove it: the reference is then measured again"


def cache_folder(named: str | None) -> Path:
    """Where values are kept from run to run: as named, else s2h/reference in the user's cache."""
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "s2h" / "reference"


def attach(
    trainer: Any,
    sets: dict[str, Pairs],
    folder: Path,
    model_print: str,
    fit: TokenCounter,
    attention: str,
    cache: Path,
    say: Callable[[str], None],
) -> dict[str, dict[str, list]]:
    """Give the pairs of each set ("train", "val") their columns and return the values by set: those of reference.json where
    the run was started before. Raises ModelError where a value is not finite."""
    kept = folder / _folder.REFERENCE
    known = _folder.read_object(kept, AGAIN) if kept.is_file() else {}
    for name, pairs in sets.items():
        if name in known and not is_whole(known[name], len(pairs.starts)):
            raise _folder.RunError(f"{kept} was changed: {name} is not as it was written", remedy=AGAIN)
        if name not in known:
            known[name] = _measure(trainer, pairs, name, model_print, fit, attention, cache, say)
        trainer.add_reference(pairs, known[name])
        _check_finite(pairs, known[name])
    if accel.is_main() and not kept.is_file():
        with Whole(kept) as out:
            out.write((json.dumps(known) + "\n").encode())
    accel.wait()
    return known


def is_whole(values: Any, count: int) -> bool:
    """Whether reference.json has a number for each of so many rows in each column."""
    return isinstance(values, dict) and all(
        isinstance(column := values.get(name), list)
        and len(column) == count
        and all(type(value) in (int, float) for value in column)
        for name in NAMES
    )


def _check_finite(pairs: Pairs, values: dict[str, list]) -> None:
    for row in pairs.kept:
        for which in REFERENCE:
            if not math.isfinite(values[which][row]):
                raise ModelError(
                    f"the reference log-probability of {pairs.record(row)['id']} is {values[which][row]}: the model can't "
                    "be trained as it is (use --dtype float32, or another --model)"
                )


def _measure(
    trainer: Any,
    pairs: Pairs,
    name: str,
    model_print: str,
    fit: TokenCounter,
    attention: str,
    cache: Path,
    say,
) -> dict[str, list]:
    given, key = accel.share(_known(trainer, pairs, model_print, fit, attention) if accel.is_main() else None)
    if given:
        say(f"reference log-probabilities of {counted(len(given), 'pair')} ({name}): from scores.ref")
    rows = [row for row in range(len(pairs.starts)) if row not in given]
    place = accel.share(_writable(cache, key, say) if accel.is_main() else None)
    done = accel.share(_read(place, set(rows)) if place and accel.is_main() else {})
    if done:
        say(f"reference log-probabilities of {counted(len(done), 'pair')} ({name}): from {place}")
    if left := len(rows) - len(done):
        say(f"reference log-probabilities of {counted(left, 'pair')} ({name}): measured now")
    with _Keeper(place, say) as keeper:
        values = trainer.measure_reference(pairs, rows, done, keeper.keep)
    found = {**values, **given}
    return {column: [found[row][i] for row in range(len(pairs.starts))] for i, column in enumerate(NAMES)}


def _known(
    trainer: Any, pairs: Pairs, model_print: str, fit: TokenCounter, attention: str
) -> tuple[dict[int, list], str]:
    """The rows that bring values of this very model; and the name of all the others together."""
    images: dict[str, str] = {}
    args, collator = trainer.args, trainer.data_collator
    how = [*_made_with(trainer), model_print, args.per_device_eval_batch_size, args.world_size]
    how += [collator.packed, collator.pack, attention]
    whole, given = blake2b(json.dumps(how).encode(), digest_size=16), {}
    for row in range(len(pairs.starts)):
        record = pairs.record(row)
        said = fingerprint.of_record(record, images)
        scores = record.get("scores") or {}
        ref = scores.get("ref") if isinstance(scores.get("ref"), dict) else {}
        if ref.get("fingerprint") == f"{model_print}-{said}":
            # A run that goes on without its files has no tokens at hand.
            tokens = fit.count(record, open_images(record)).row if pairs.tokens is None else pairs.tokens[row]
            given[row] = [ref["chosen"], ref["rejected"], tokens]
        else:
            whole.update(said.encode())
    return given, whole.hexdigest()


def _made_with(trainer: Any) -> list[str]:
    """The software, the device and the number format that a log-probability's last digits depend on."""
    import torch
    import transformers

    device = trainer.accelerator.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    dtype = str(trainer.accelerator.unwrap_model(trainer.model).dtype)
    return [__version__, torch.__version__, transformers.__version__, name, dtype]


def _writable(cache: Path, key: str, say: Callable[[str], None]) -> Path | None:
    """The folder of these values in the cache; None, after a warning, where nothing can be written there."""
    place = cache / key
    try:
        place.mkdir(parents=True, exist_ok=True)
        if os.access(place, os.W_OK):
            return place
        reason = "not writable"
    except OSError as error:
        reason = error.strerror
    say(_not_kept(cache, reason))
    return None


def _not_kept(place: Path, reason: str | None) -> str:
    return (
        f"warning: {place}: {reason}: reference log-probabilities are not kept for the next run (--reference-cache names "
        "another folder)"
    )


def _read(place: Path, rows: set[int]) -> dict[int, list]:
    """The values that lie there. A line that a kill has cut, or that is none of ours, counts for nothing."""
    found: dict[int, list] = {}
    for file in sorted(place.glob("*.jsonl")):
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            continue
        for line in lines:
            try:
                row, chosen, rejected, tokens = json.loads(line)
            except (ValueError, TypeError, RecursionError):
                continue
            numbers = type(chosen) in (int, float) and type(rejected) in (int, float)
            if type(row) is int and row in rows and numbers and type(tokens) is int:
                found[row] = [chosen, rejected, tokens]
    return found


class _Keeper:
    """Writes values down as they are measured, each process into a file of its own. Where that fails, a warning says so
    and the run goes on without it."""

    def __init__(self, place: Path | None, say: Callable[[str], None]) -> None:
        self.path = place and place / f"{accel.state().process_index}.jsonl"
        self.file, self.say = None, say

    def keep(self, found: list[tuple[int, Any]]) -> None:
        if self.path is None:
            return
        try:
            if self.file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115
                self.file.write("\n")  # ends a line that a kill has cut
            self.file.write("".join(json.dumps([row, *values]) + "\n" for row, values in found))
            self.file.flush()
        except OSError as error:
            self.say(_not_kept(self.path, error.strerror))
            self.path = None

    def __enter__(self) -> _Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            with contextlib.suppress(OSError):  # of a full disk, which was told
                self.file.close()
