"""Reference log-probabilities: what the untrained model thinks of both answers of each pair. They are measured once for
all epochs, by all processes together, and kept by a fingerprint of all that they depend on (model, processor, template,
pairs, and how pairs were put into batches, so that a value is the same to its last digit whether it was measured now or
before). Pairs that `s2h-filter --ref` has scored with this very model bring their own."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from s2h import accel
from s2h.files import Whole
from s2h.models import ModelError, encode, fingerprint
from s2h.train import folder as _folder
from s2h.train.collate import LENGTH, REFERENCE
from s2h.train.folder import RunError
from s2h.train.rows import Pairs

NAMES = (*REFERENCE, LENGTH)


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
    window: int,
    attention: str,
    cache: Path,
    say: Callable[[str], None],
) -> dict[str, dict[str, list]]:
    """Give the pairs of each set ("train", "val") their columns, drop by name what has more tokens than `window`, and return
    the values by set: of reference.json where the run has begun before."""
    kept = folder / _folder.REFERENCE
    known = json.loads(kept.read_text()) if kept.is_file() else {}
    for name, pairs in sets.items():
        if name not in known:
            known[name] = _measure(trainer, pairs, name, model_print, window, attention, cache, say)
        trainer.add_reference(pairs, window, known[name])
        _drop(pairs, known[name], window, say)
        if not pairs.kept and name == "train":
            raise RunError(f"no pair fits the window of {window} tokens", remedy="fewer or smaller images")
    if accel.is_main() and not kept.is_file():
        with Whole(kept) as out:
            out.write((json.dumps(known) + "\n").encode())
    accel.wait()
    return known


def _drop(pairs: Pairs, values: dict[str, list], window: int, say: Callable[[str], None]) -> None:
    over = [row for row, value in enumerate(values[REFERENCE[0]]) if value is None]
    for row in over:
        record = pairs.record(row)
        say(
            f"dropped {record['id']}: {values[LENGTH][row]} tokens with {len(record['images'])} images, and the window is "
            f"{window}"
        )
    pairs.drop(over)
    for row in pairs.kept:
        for which in REFERENCE:
            if not math.isfinite(values[which][row]):
                raise ModelError(
                    f"the reference log-probability of {pairs.record(row)['id']} is {values[which][row]}: the model can't "
                    "be trained as it is (use --dtype float32, or another --model)"
                )


def _measure(
    trainer: Any, pairs: Pairs, name: str, model_print: str, window: int, attention: str, cache: Path, say
) -> dict[str, list]:
    given, key = accel.share(
        _known(trainer, pairs, model_print, window, attention) if accel.is_main() else None
    )
    if given:
        say(f"reference log-probabilities of {len(given)} pairs ({name}): from scores.ref")
    rows = [row for row in range(len(pairs.starts)) if row not in given]
    place = _writable(cache) / key
    done = accel.share(_read(place, set(rows)) if accel.is_main() else None)
    if done:
        say(f"reference log-probabilities of {len(done)} pairs ({name}): from {place}")
    if len(done) < len(rows):
        say(f"reference log-probabilities of {len(rows) - len(done)} pairs ({name}): measured now")
    with _Keeper(place) as keeper:
        values = trainer.measure_reference(pairs, rows, window, done, keeper.keep)
    found = {**values, **given}
    return {column: [found[row][i] for row in range(len(pairs.starts))] for i, column in enumerate(NAMES)}


def _known(
    trainer: Any, pairs: Pairs, model_print: str, window: int, attention: str
) -> tuple[dict[int, list], str]:
    """The rows that bring values of this very model; and the name of all the others together."""
    images: dict[str, str] = {}
    args, collator = trainer.args, trainer.data_collator
    how = [model_print, args.per_device_eval_batch_size, args.world_size, window]
    how += [collator.packed, collator.pack, attention]
    whole, given = blake2b(json.dumps(how).encode(), digest_size=16), {}
    for row in range(len(pairs.starts)):
        record = pairs.record(row)
        said = fingerprint.of_record(record, images)
        scores = record.get("scores") or {}
        ref = scores.get("ref") if isinstance(scores.get("ref"), dict) else {}
        if ref.get("fingerprint") == f"{model_print}-{said}":
            tokens = tokens_of(trainer.processing_class, record)
            logps = [ref["chosen"], ref["rejected"]] if tokens <= window else [None, None]
            given[row] = [*logps, tokens]
        else:
            whole.update(said.encode())
    return given, whole.hexdigest()


def tokens_of(processor: Any, record: Any) -> int:
    """The tokens of a pair's longer row, prompt with its images and answer."""
    from s2h.images import open_images

    text = encode.prompt_text(processor, record["prompt"])
    prompt = encode.encode_prompts(processor, [text], [open_images(record)])["input_ids"].shape[1]
    answers = [
        encode.answer_text(processor, record["prompt"], record[which], text)
        for which in ("chosen", "rejected")
    ]
    return prompt + max(
        len(ids) for ids in processor.tokenizer(answers, add_special_tokens=False)["input_ids"]
    )


def _writable(cache: Path) -> Path:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if os.access(cache, os.W_OK):
            return cache
        reason = "not writable"
    except OSError as error:
        reason = error.strerror
    raise RunError(f"{cache}: {reason}", remedy="--reference-cache names another folder")


def _read(place: Path, rows: set[int]) -> dict[int, list]:
    """The values that lie there. A line that a kill has cut, or that is none of ours, counts for nothing."""
    found: dict[int, list] = {}
    for file in sorted(place.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                row, chosen, rejected, tokens = json.loads(line)
            except (ValueError, TypeError):
                continue
            if row in rows and type(tokens) is int:
                found[row] = [chosen, rejected, tokens]
    return found


class _Keeper:
    """Writes values down as they are measured, each process into a file of its own."""

    def __init__(self, place: Path) -> None:
        self.path, self.file = place / f"{accel.state().process_index}.jsonl", None

    def keep(self, found: list[tuple[int, Any]]) -> None:
        if self.file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115
            self.file.write("\n")  # ends a line that a kill has cut
        self.file.write("".join(json.dumps([row, *values]) + "\n" for row, values in found))
        self.file.flush()

    def __enter__(self) -> _Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()
