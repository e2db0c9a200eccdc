"""Reference log-probabilities: those of both answers of each pair under the untrained model. All processes measure them
together, once for all epochs. They are cached by a fingerprint of everything that they depend on (model, processor,
template, pairs, and the way in which pairs form batches), so that a cached value equals a measured one to the last digit.
Pairs that `s2h-filter --ref` has scored with the same model have their values in the record."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from s2h import __version__, accel
from s2h.errors import counted
from s2h.models import ModelError, fingerprint
from s2h.progress import Lines
from s2h.record import REJECTED_IMAGES
from s2h.streams.files import Whole
from s2h.train import folder as _folder
from s2h.train import image_checks, sharding
from s2h.train.collator import LENGTH
from s2h.train.dataset import Pairs

if TYPE_CHECKING:
    from s2h.train.trainer import PairTrainer, Values

MEASURE_AGAIN = "remove it: the reference is then measured again"


def cache_folder(named: str | None) -> Path:
    """Return the folder that keeps values from run to run: `named`, else s2h/reference in the user's cache."""
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "s2h" / "reference"


@dataclass(frozen=True)
class Reference:
    """The reference of a run. model_print: `fingerprint.of_model` of the untrained model. attention: one of
    arguments.ATTENTION. cache: see `cache_folder`."""

    trainer: PairTrainer
    model_print: str
    attention: str
    cache: Path
    say: Callable[[str], None]

    def attach(self, sets: dict[str, Pairs], folder: Path) -> dict[str, dict[str, list]]:
        """Give the pairs of each set ("train", "val") their reference, and return it by set as columns. A run that was
        started before has it in reference.json. Raises ModelError for a value that is not finite, RunError for a file that
        was changed."""
        kept = folder / _folder.REFERENCE
        known = _folder.read_object(kept, MEASURE_AGAIN) if kept.is_file() else {}
        for name, pairs in sets.items():
            if name in known and not is_whole(known[name], self._names, len(pairs.starts)):
                raise _folder.RunError(
                    f"{kept} was changed: {name} is not as it was written", remedy=MEASURE_AGAIN
                )
            if name not in known:
                known[name] = self._measure(pairs, name)
            self.trainer.add_reference(pairs, known[name])
            _check_finite(pairs, known[name], self.trainer.references)
        if accel.is_main() and not kept.is_file():
            with Whole(kept) as out:
                out.write((json.dumps(known) + "\n").encode())
        accel.wait()
        return known

    def _measure(self, pairs: Pairs, name: str) -> dict[str, list]:
        """Return the columns of a set, from scores.ref, from the cache, or measured now."""
        is_main, say = accel.is_main(), self.say
        given, key = accel.share(self._known(pairs) if is_main else None)
        if given:
            say(f"reference log-probabilities of {counted(len(given), 'pair')} ({name}): from scores.ref")
        rows = [row for row in range(len(pairs.starts)) if row not in given]
        place = accel.share(_writable(self.cache, key, say) if is_main else None)
        width = len(self.trainer.references)
        done = accel.share(_read(place, set(rows), width) if place and is_main else {})
        if done:
            say(f"reference log-probabilities of {counted(len(done), 'pair')} ({name}): from {place}")
        if left := len(rows) - len(done):
            say(f"reference log-probabilities of {counted(left, 'pair')} ({name}): measured now")
        mine = -(-left // accel.state().num_processes)  # this process's share
        lines = Lines(say, total=mine, label=f"reference ({name})")
        with _Keeper(place, say) as keeper:
            found = self.trainer.measure_reference(pairs, rows, done, keeper.keep, lines.update) | given
        columns: dict[str, list] = {
            column: [found[row][i] for row in range(len(pairs.starts))]
            for i, column in enumerate(self.trainer.references)
        }
        columns[LENGTH] = accel.share(pairs.count_tokens(self.trainer.counter) if is_main else None)
        return columns

    def _known(self, pairs: Pairs) -> tuple[dict[int, Values], str]:
        """Return the values of rows that have some from the same model, and the cache's name for all other rows together."""
        images: dict[str, str] = {}
        args, collator = self.trainer.args, self.trainer.data_collator
        how = [*_made_with(self.trainer), self.model_print, args.per_device_eval_batch_size, args.world_size]
        how += [collator.packed, collator.pack, self.attention]
        how += ["image_side"] if collator.image_side else []
        whole, given = blake2b(json.dumps(how).encode(), digest_size=16), {}
        records = (pairs.record(row) for row in range(len(pairs.starts)))
        hashed = image_checks.ahead(records, lambda record: fingerprint.of_record(record, images))
        for row, (record, found) in enumerate(hashed):
            digest = found.result()
            ref = (record.get("scores") or {}).get("ref")
            keys = ("chosen", "rejected", *(REJECTED_IMAGES,) * pairs.further[row])
            if isinstance(ref, dict) and ref.get("fingerprint") == f"{self.model_print}-{digest}":
                values = tuple(ref[key] for key in keys)
                given[row] = (*values, 0.0)[: len(self.trainer.references)]
            else:
                whole.update(digest.encode())
        return given, whole.hexdigest()

    @property
    def _names(self) -> tuple[str, ...]:
        """The columns of reference.json."""
        return (*self.trainer.references, LENGTH)


def is_whole(values: Any, names: Iterable[str], count: int) -> bool:
    """Return whether columns of reference.json have a number for each of `count` rows."""
    return isinstance(values, dict) and all(
        isinstance(column := values.get(name), list)
        and len(column) == count
        and all(type(value) in (int, float) for value in column)
        for name in names
    )


def _check_finite(pairs: Pairs, values: dict[str, list], names: Iterable[str]) -> None:
    """Raise ModelError if a reference value is not finite."""
    for row in pairs.kept:
        for which in names:
            if not math.isfinite(values[which][row]):
                raise ModelError(
                    f"the reference log-probability of {pairs.record(row)['id']} is {values[which][row]}: the model can't "
                    "be trained as it is (use --dtype float32, or another --model)"
                )


def _made_with(trainer: PairTrainer) -> list[str]:
    """Return the versions, the device and the dtype on which the last digits of a log-probability depend."""
    import torch
    import transformers

    device = trainer.accelerator.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    dtype = str(trainer.accelerator.unwrap_model(trainer.model).dtype)
    split = ["FSDP2"] if sharding.is_split(trainer.model) else []
    return [__version__, torch.__version__, transformers.__version__, name, dtype, *split]


def _writable(cache: Path, key: str, say: Callable[[str], None]) -> Path | None:
    """Return the folder of these values in the cache; None, after a warning, if nothing can be written there."""
    place = cache / key
    reason: str | None = "not writable"
    try:
        place.mkdir(parents=True, exist_ok=True)
        if os.access(place, os.W_OK):
            return place
    except OSError as error:
        reason = error.strerror
    say(_not_kept(cache, reason))
    return None


def _not_kept(place: Path, reason: str | None) -> str:
    """Return the warning that the cache can't be written."""
    return (
        f"warning: {place}: {reason}: reference log-probabilities are not kept for the next run (--reference-cache names "
        "another folder)"
    )


def _read(place: Path, rows: set[int], width: int) -> dict[int, Values]:
    """Return the values in a folder of the cache, `width` for each row. Lines that a kill has cut, or that s2h did not
    write, are skipped."""
    found: dict[int, Values] = {}
    for file in sorted(place.glob("*.jsonl")):
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            continue
        for line in lines:
            try:
                row, *values = json.loads(line)
            except (ValueError, TypeError, RecursionError):
                continue
            numbers = len(values) == width and all(type(value) in (int, float) for value in values)
            if type(row) is int and row in rows and numbers:
                found[row] = tuple(values)
    return found


class _Keeper:
    """Writes values to the cache as they are measured, each process to its own file. If that fails, it warns once and the
    run goes on without the cache."""

    def __init__(self, place: Path | None, say: Callable[[str], None]) -> None:
        self.path = place and place / f"{accel.state().process_index}.jsonl"
        self.file: IO[str] | None = None
        self.say = say

    def keep(self, found: list[tuple[int, Values]]) -> None:
        """Write the values of a batch."""
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
            with contextlib.suppress(OSError):  # a full disk, which the warning has named
                self.file.close()
