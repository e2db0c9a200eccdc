"""Pairs to tensors: template, tokens and images of a prompt are prepared once and serve both answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from s2h.images import open_images
from s2h.models import encode
from s2h.train import shared

REFERENCE = ("ref_chosen_logps", "ref_rejected_logps")
LENGTH = "tokens"  # of a pair's longer row; known with the reference, and kept beside it


@dataclass
class Collator:
    """Rows of `Pairs` to the batch that TRL's DPOTrainer computes with: rows 0 to B-1 chosen, B to 2B-1 rejected. Nothing
    is cut: a pair that does not fit the model was dropped before (`PairTrainer.add_reference`). With `packed`, both answers
    share one row of prompt and images (`shared.pack_answers`)."""

    processor: Any
    packed: bool = False

    def __call__(self, rows: list[dict]) -> dict[str, Any]:
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
        prompts = encode.encode_prompts(self.processor, texts, [open_images(record) for record in records])
        if self.packed:
            batch = shared.pack_answers(self.processor.tokenizer, prompts, answers)
        else:
            batch = encode.join_answers(self.processor, prompts, answers)
        for name in REFERENCE:
            if name in rows[0]:
                batch[name] = torch.tensor([row[name] for row in rows], dtype=torch.float32)
                batch["row"] = torch.tensor(
                    [row["row"] for row in rows]
                )  # by which measures find their pairs
        return batch
