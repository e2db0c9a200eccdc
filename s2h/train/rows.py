"""The pairs of a run, kept on disk: checked once, then read one by one as the trainer asks, so that memory does not grow
with the records. The order of the file is the order of training."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from sys import intern
from typing import Any

from s2h import jsonl
from s2h.images import open_image
from s2h.record import Record, RecordError, fail, text_of


def store(
    records: Iterable[Record], path: Path, *, on_error: Callable[[Exception], None] = fail
) -> tuple[int, str]:
    """Copy the records to `path`, whole or not at all, and return their number and the SHA-256 of their lines. Each record's
    images are opened once here, so that a bad one is met before training and not in its middle."""
    digest, count = hashlib.sha256(), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with jsonl.Writer(str(path)) as writer:
        for record in records:
            try:
                for i, reference in enumerate(record["images"]):
                    _probe(record, i, reference)
            except RecordError as error:
                on_error(error)
                continue
            # Folders are where a record was found, not what it says: moved data are the same data.
            names = [reference.rpartition("/")[2] for reference in record["images"]]
            digest.update(jsonl.dump({**record, "images": names}))
            writer.write(record)
            count += 1
    return count, digest.hexdigest()


def _probe(record: Record, i: int, reference: str) -> None:
    try:
        open_image(reference, record.base)
    except RecordError as error:
        raise type(error)(
            error.message, field=f"images[{i}]", where=record.where, remedy=error.remedy
        ) from error


class Pairs:
    """A file of pairs, one row a line, in the file's order.

    `drop` takes rows out before training; `columns` adds a number to each row (reference log-probabilities). A row's level,
    task and stage (None where it has none) are known without reading it again."""

    def __init__(self, path: Path) -> None:
        import orjson

        self.path, self.base = path, str(path.parent)
        self.starts = array("q")
        self.levels = array("b")
        self.tasks: list[str] = []
        self.stages: list[int | None] = []
        with open(path, "rb") as lines:
            at = 0
            for line in lines:
                fields = orjson.loads(line)
                self.starts.append(at)
                self.levels.append(fields["level"])
                self.tasks.append(intern(fields["task"]))
                self.stages.append(fields.get("stage"))
                at += len(line)
        self.kept = list(range(len(self.starts)))
        self.columns: dict[str, Any] = {}
        self._file, self._reader = None, 0

    def __len__(self) -> int:
        return len(self.kept)

    def record(self, row: int) -> Record:
        """The pair of a line of the file, whether kept or not."""
        import orjson

        if self._file is None or self._reader != os.getpid():  # a forked worker would move its parent's place
            self._file = open(self.path, "rb")  # noqa: SIM115 - one handle for each process that reads
            self._reader = os.getpid()
        self._file.seek(self.starts[row])
        return Record(orjson.loads(self._file.readline()), where=f"{self.path}:{row + 1}", base=self.base)

    def bulk(self, row: int) -> tuple[int, int]:
        """How long a pair is, roughly: its images, then the characters of its texts."""
        record = self.record(row)
        texts = (record["prompt"], record["chosen"], record["rejected"])
        return len(record["images"]), sum(len(text_of(messages)) for messages in texts)

    def dataset(self, order: list[int] | None = None) -> Any:
        """The kept rows, or those of `order`, which may name a row several times, as a `datasets.Dataset`, which TRL asks
        for; it holds row numbers and reads a pair when asked."""
        from datasets import Dataset

        return Dataset.from_dict({"row": self.kept if order is None else order}).with_transform(self._read)

    def _read(self, batch: dict) -> dict:
        records = [self.record(row) for row in batch["row"]]
        columns = {name: [values[row] for row in batch["row"]] for name, values in self.columns.items()}
        return {"row": batch["row"], "record": records, "images": [r["images"] for r in records], **columns}

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_file": None}  # a worker process opens its own

    def drop(self, rows: Iterable[int]) -> None:
        gone = set(rows)
        self.kept = [row for row in self.kept if row not in gone]
