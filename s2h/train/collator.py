"""Pairs to tensors: the template, the tokens and the images of a prompt are prepared once and serve both answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from s2h.images.decoding import open_images
from s2h.images.resizing import WHOLE, Pixels
from s2h.models import encode
from s2h.record import Record, RecordError
from s2h.train import prefix_sharing
from s2h.upstream import REFERENCE

FAILED = "failed"  # key of the error that a worker returns in place of a batch
LENGTH = "tokens"  # column of reference.json: a pair's prompt plus its longer answer


@dataclass
class Collator:
    """Makes the batch of TRL's DPOTrainer from rows of `Pairs`: rows 0 to B-1 chosen, B to 2B-1 rejected.

    Nothing is cut: `dataset.store` has dropped the pairs that don't fit the model. packed: both answers share a row with
    the prompt and the images (`prefix_sharing.pack_answers`). pack: with packed, all pairs of one prompt share a row. shown:
    the bounds within which images are opened.
    """

    processor: Any
    packed: bool = False
    pack: bool = False
    shown: Pixels = WHOLE

    def __call__(self, rows: list[dict]) -> dict[str, Any]:
        from torch.utils.data import get_worker_info

        try:
            return self._batch(rows)
        except RecordError as error:
            if get_worker_info() is None:
                raise
            return {FAILED: error}  # an error raised in a worker arrives as the text of a traceback

    def _batch(self, rows: list[dict]) -> dict[str, Any]:
        import torch

        records = [row["record"] for row in rows]
        texts = [encode.prompt_text(self.processor, record["prompt"]) for record in records]
        answers = [
            [
                encode.answer_text(self.processor, record["prompt"], record[which], text)
                for record, text in zip(records, texts, strict=True)
            ]
            for which in ("chosen", "rejected")
        ]
        firsts, places = list(range(len(rows))), list(range(len(rows)))  # a row's first pair; each pair's row
        if self.packed and self.pack:
            firsts, places = _together([prompt_of(record) for record in records])
        prompts = encode.encode_prompts(
            self.processor,
            [texts[i] for i in firsts],
            [open_images(records[i], self.shown) for i in firsts],
        )
        if self.packed:
            batch = prefix_sharing.pack_answers(self.processor.tokenizer, prompts, answers, places)
            batch["row_images"] = [_images_of(records[i]) for i in firsts]
        else:
            batch = encode.join_answers(self.processor, prompts, answers)
        for name in REFERENCE:
            if name in rows[0]:
                batch[name] = torch.tensor([row[name] for row in rows], dtype=torch.float32)
                # For measurements by level and task.
                batch["row"] = torch.tensor([row["row"] for row in rows])
        return batch


def prompt_of(record: Record) -> tuple:
    """Return a key that is equal for pairs that may share a row: folder and names of the images, and the prompt."""
    return record.base, tuple(record["images"]), json.dumps(record["prompt"])


def _images_of(record: Record) -> tuple[str, int]:
    """Return a name for a record's list of images, and their number."""
    named = hashlib.blake2b(json.dumps([record.base, record["images"]]).encode(), digest_size=16)
    return named.hexdigest(), len(record["images"])


def _together(keys: list) -> tuple[list[int], list[int]]:
    """Return the index of the first occurrence of each distinct key; and for each key, which of these it equals."""
    rows: dict[Any, int] = {}
    places = [rows.setdefault(key, len(rows)) for key in keys]
    return [places.index(row) for row in range(len(rows))], places
