"""The pairs of a run in a file: `store` checks and writes them once, `Pairs` reads each when the trainer needs it, so that
memory does not grow with the records. The order of the file is the order of training."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern
from typing import Any, BinaryIO

from s2h.errors import counted
from s2h.models import thinking
from s2h.models.tokens import ANSWERS, TokenCounter
from s2h.record import REJECTED_IMAGES, Record, RecordError, check, fail, references_of, text_of
from s2h.streams import jsonl, parse
from s2h.train import image_checks
from s2h.train.smaller_images import SmallerImages


@dataclass
class Stored:
    """The pairs that `store` wrote, and those that it dropped.

    count, digest: number of pairs written, and SHA-256 of their lines. dropped: number of pairs beyond the model's window.
    identical: number of pairs written whose answers are the same, so that no preference loss learns from them.
    rejected_images: number of pairs written that have some. thoughts: number of answers that have one. tokens:
    length of each pair written (`PairTokens.row`). stages, dropped_stages: number of pairs written, and dropped, by
    (stage, level). smaller: the dropped pairs with smaller images, None if nothing was counted.
    """

    count: int = 0
    digest: str = ""
    dropped: int = 0
    identical: int = 0
    rejected_images: int = 0
    thoughts: int = 0
    tokens: array = field(default_factory=lambda: array("q"))
    stages: Counter[tuple[int | None, int | None]] = field(default_factory=Counter)
    dropped_stages: Counter[tuple[int | None, int | None]] = field(default_factory=Counter)
    smaller: SmallerImages | None = None


def store(
    records: Iterable[Record],
    path: Path,
    *,
    counter: TokenCounter | None = None,
    opened: bool = True,
    image_side: bool = False,
    say: Callable[[str], None] = lambda message: None,
    on_error: Callable[[RecordError], None] = fail,
) -> Stored:
    """Copy the records to `path`, whole or not at all.

    Images are opened (if `opened`) and tokens counted here, so that a bad record goes to on_error before any forward pass. A
    pair with more tokens than the counter's window is dropped, and `say` gets a message with its id. image_side: whether
    rejected images are trained on.
    """
    digest, stored = hashlib.sha256(), Stored()
    smaller = stored.smaller = SmallerImages.of(counter) if counter is not None else None
    look: Any = image_checks.Looker(counter, image_side) if opened else image_checks.nothing
    path.parent.mkdir(parents=True, exist_ok=True)
    with jsonl.Writer(str(path), None) as writer:
        for record, looked in image_checks.ahead(records, look):
            try:
                _refuse_served(record)
                images, rejected = looked.result()
                known = counter.count(record, images, rejected) if counter is not None else None
            except RecordError as error:
                on_error(error)
                continue
            tokens = known.row if known is not None else 0
            if known is not None and smaller is not None and tokens > smaller.window:
                smaller.add(record, images, known, rejected)
                stored.dropped += 1
                stored.dropped_stages[record.get("stage"), record.get("level")] += 1
                say(
                    f"dropped {record['id']}: {tokens} tokens with {counted(len(images), 'image')}, and the "
                    f"window is {smaller.window}"
                )
                continue
            has_rejected = bool(record.get(REJECTED_IMAGES))
            stored.rejected_images += has_rejected
            teaches = image_side and has_rejected
            stored.identical += text_of(record["chosen"]) == text_of(record["rejected"]) and not teaches
            stored.thoughts += sum(thinking.split(text_of(record[a]))[0] is not None for a in ANSWERS)
            # The digest leaves folders out, so that moved data have the same digest.
            names: dict[str, list[str]] = {}
            for name, _, reference in references_of(record):
                names.setdefault(name, []).append(reference.rpartition("/")[2])
            digest.update(jsonl.dump({**record, **names}))
            writer.write(record)
            stored.tokens.append(tokens)
            stored.stages[record.get("stage"), record.get("level")] += 1
            stored.count += 1
    stored.digest = digest.hexdigest()
    return stored


def _refuse_served(record: Record) -> None:
    """Raise RecordError if the reference of a pair comes from a server, which does not compute as training does."""
    ref = (record.get("scores") or {}).get("ref")
    if isinstance(ref, dict) and ref.get("engine"):
        raise RecordError(
            f"is no reference for training: {ref['engine']} has measured it on a server",
            "scores.ref",
            record.where,
            "jq -c 'del(.scores.ref)' removes it; s2h-train then measures its own",
        )


def number_of(stage: int | None, level: int | None, by: str) -> int | None:
    """Return the stage in which a pair with these fields is trained; None if the run has no stages. by: one of
    arguments.STAGES."""
    if by == "off":
        return None
    return level if stage is None and by == "level" else stage


def emptied(stored: Stored, by: str) -> dict[int, int]:
    """Return the stages whose pairs all exceed the model's window, each with its number of pairs."""
    kept = {number_of(stage, level, by) for stage, level in stored.stages}
    lost: dict[int, int] = {}
    for (stage, level), count in stored.dropped_stages.items():
        number = number_of(stage, level, by)
        if number is not None and number not in kept:
            lost[number] = lost.get(number, 0) + count
    return lost


def _checked(line: bytes, where: str) -> Record:
    """Read a line of a run's own file. Raises RecordError if it was changed since it was written."""
    remedy = "the run's data were changed: another -o starts a new run"
    try:
        fields = parse.loads(line)
        if not isinstance(fields, dict):
            raise RecordError("holds no pair", remedy=remedy)
        found = Record(fields)
        check(found)
    except ValueError as error:
        message, field = (error.message, error.field) if isinstance(error, RecordError) else (str(error), "")
        raise RecordError(message, field, where, remedy) from None
    return found


class Pairs:
    """A file of pairs, one row a line, in the file's order. image_side: whether rejected images are trained on.

    kept: the rows to train on. columns: by name, a list with a number for each row (reference log-probabilities). levels,
    tasks, stages: of each row, None for a pair without one. further: of each row, the number of rows of a batch that it
    needs for rejected images. tokens: length of each row, None until it is counted.
    """

    def __init__(self, path: Path, image_side: bool = False) -> None:
        self.path, self.base, self.image_side = path, str(path.parent), image_side
        self.starts = array("q")
        self.levels: list[int | None] = []
        self.tasks: list[str | None] = []
        self.stages: list[int | None] = []
        self.further: list[int] = []
        with open(path, "rb") as lines:
            at = 0
            for number, line in enumerate(lines, 1):
                fields = _checked(line, f"{path}:{number}")
                self.starts.append(at)
                self.levels.append(fields.get("level"))
                self.tasks.append(intern(fields["task"]) if fields.get("task") else None)
                self.stages.append(fields.get("stage"))
                self.further.append(int(image_side and bool(fields.get(REJECTED_IMAGES))))
                at += len(line)
        self.kept = list(range(len(self.starts)))
        self.columns: dict[str, Any] = {}
        self.tokens: array | None = None
        self._file: BinaryIO | None = None
        self._reader = 0  # id of the process that opened the file: a fork shares the position with its parent

    def __len__(self) -> int:
        return len(self.kept)

    def record(self, row: int) -> Record:
        """Return the pair of a row, kept or not."""
        if self._file is None or self._reader != os.getpid():
            self._file = open(self.path, "rb")  # noqa: SIM115 - one handle for each process that reads
            self._reader = os.getpid()
        self._file.seek(self.starts[row])
        return Record(parse.loads(self._file.readline()), where=f"{self.path}:{row + 1}", base=self.base)

    def count_tokens(self, counter: TokenCounter) -> list[int]:
        """Return the tokens of each row, counted if they are not known yet. Raises RecordError."""
        if self.tokens is None:
            records = (self.record(row) for row in range(len(self.starts)))
            looked = image_checks.ahead(records, image_checks.Looker(counter, self.image_side))
            self.tokens = array("q", (counter.count(record, *found.result()).row for record, found in looked))
        return list(self.tokens)

    def bulk(self, row: int) -> tuple[int, int]:
        """Return a rough length of a pair, to sort by: its number of images, then the number of characters of its texts."""
        record = self.record(row)
        texts = (record["prompt"], record["chosen"], record["rejected"])
        images = len(record["images"]) * (1 + self.further[row])
        return images, sum(len(text_of(messages)) for messages in texts)

    def dataset(self, order: list[int] | None = None) -> Any:
        """Return the kept rows, or those of `order`, which may repeat a row, as the `datasets.Dataset` that TRL needs. It
        holds row numbers and reads a pair when it is indexed."""
        from datasets import Dataset

        return Dataset.from_dict({"row": self.kept if order is None else order}).with_transform(self._read)

    def _read(self, batch: dict) -> dict:
        records = [self.record(row) for row in batch["row"]]
        columns = {name: [values[row] for row in batch["row"]] for name, values in self.columns.items()}
        return {"row": batch["row"], "record": records, "images": [r["images"] for r in records], **columns}

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_file": None}  # a worker process opens the file for itself
