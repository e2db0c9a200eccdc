"""Pairs to tensors: the template, the tokens and the images of a prompt are prepared once and serve both answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from s2h.images.decoding import open_images
from s2h.images.resizing import WHOLE, Pixels
from s2h.models import encode, prefix_sharing
from s2h.record import REJECTED_IMAGES, Record, RecordError
from s2h.train import image_side
from s2h.upstream import REFERENCE

FAILED = "failed"  # key of the error that a worker returns in place of a batch
LENGTH = "tokens"  # column of reference.json: the length of a pair (`PairTokens.row`)


@dataclass
class Collator:
    """Makes the batch of TRL's DPOTrainer from rows of `Pairs`: rows 0 to B-1 chosen, B to 2B-1 rejected.

    Nothing is cut: `dataset.store` has dropped the pairs that don't fit the model. packed: both answers share a row with
    the prompt and the images (`prefix_sharing.pack_answers`). pack: with packed, all pairs of one prompt share a row. shown:
    the bounds within which images are opened. image_side: add the further rows of `s2h.train.image_side`.
    """

    processor: Any
    packed: bool = False
    pack: bool = False
    shown: Pixels = WHOLE
    image_side: bool = False

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
        chosen, rejected = (
            [
                encode.answer_text(self.processor, record["prompt"], record[which], text)
                for record, text in zip(records, texts, strict=True)
            ]
            for which in ("chosen", "rejected")
        )
        further = [i for i, record in enumerate(records) if self.image_side and record.get(REJECTED_IMAGES)]
        # The prompts are those of the pairs, then those of the further rows.
        texts += [texts[i] for i in further]
        views = [(record, "images") for record in records] + [(records[i], REJECTED_IMAGES) for i in further]
        answers = [*chosen, *rejected, *(chosen[i] for i in further)]
        of = [*range(len(rows)), *range(len(views))]  # the prompt of each answer
        if self.packed:
            firsts = places = list(range(len(views)))  # a row's first prompt; each prompt's row
            if self.pack:
                firsts, places = _together([prompt_of(*view) for view in views])
            prompts = self._encoded([texts[i] for i in firsts], [self._open(*views[i]) for i in firsts])
            batch = prefix_sharing.pack_answers(
                self.processor.tokenizer, prompts, answers, [places[i] for i in of]
            )
            batch["row_images"] = [_images_of(*views[i]) for i in firsts]
        else:
            images = [self._open(*view) for view in views]
            if further:  # an image's tensors can't be repeated apart from their batch
                prompts = self._encoded([texts[i] for i in of], [images[i] for i in of])
                batch = encode.join_answers(self.processor, prompts, [answers])
            else:
                prompts = self._encoded(texts, images)
                batch = encode.join_answers(self.processor, prompts, [chosen, rejected])
        image_side.set_aside(batch, further)
        for name in (*REFERENCE, image_side.REFERENCE):
            if name in rows[0]:
                batch[name] = torch.tensor([row[name] for row in rows], dtype=torch.float32)
                # For measurements by level and task.
                batch["row"] = torch.tensor([row["row"] for row in rows])
        return batch

    def _open(self, record: Record, field: str) -> list[Any]:
        return open_images(record, self.shown, field)

    def _encoded(self, texts: list[str], images: list[list[Any]]) -> dict[str, Any]:
        return encode.encode_prompts(self.processor, texts, images)


def prompt_of(record: Record, field: str = "images") -> tuple:
    """Return a key that is equal for pairs that may share a row: folder and names of the images, and the prompt. field: of
    the images."""
    return record.base, tuple(record[field]), json.dumps(record["prompt"])


def _images_of(record: Record, field: str) -> tuple[str, int]:
    """Return a name for a record's list of images, and their number."""
    named = hashlib.blake2b(json.dumps([record.base, record[field]]).encode(), digest_size=16)
    return named.hexdigest(), len(record[field])


def _together(keys: list) -> tuple[list[int], list[int]]:
    """Return the index of the first occurrence of each distinct key; and for each key, which of these it equals."""
    rows: dict[Any, int] = {}
    places = [rows.setdefault(key, len(rows)) for key in keys]
    return [places.index(row) for row in range(len(rows))], places
