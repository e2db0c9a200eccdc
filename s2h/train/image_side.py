"""The image side of the loss: the chosen answer must be likelier under the pair's images than under its rejected images.

This is the conditional preference of mDPO (Wang et al. 2024, arXiv 2406.11839, L_CoPO), with the images m, the rejected
images m', the prompt x and the chosen answer y:

    -log sigmoid(beta * ((log p(y | m, x) - log ref(y | m, x)) - (log p(y | m', x) - log ref(y | m', x))))

`s2h.train.collator` makes a further row [prompt with the rejected images | chosen answer] for each pair that has some.
`set_aside` hides these rows from TRL, whose loss reads two rows for each pair. `Rows` gives them back to the model, so that
one forward pass computes all rows, and every process makes the same number of passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from s2h.upstream import REFERENCE as REFERENCES

REFERENCE = "ref_image_side_logps"  # column: the reference's log-probability of the further row; 0 for a pair without one
PAIRS = "image_side_pairs"  # key of a batch: the position of each further row's pair, [K]
ASIDE = {
    "input_ids": "image_side_ids",
    "attention_mask": "image_side_mask",
    "completion_mask": "image_side_completions",
}


def set_aside(batch: dict[str, Any], pairs: list[int]) -> None:
    """Move the last rows of a batch, one for each of the pairs, to keys that TRL does not read."""
    import torch

    if pairs:
        batch[PAIRS] = torch.tensor(pairs)
        for name, aside in ASIDE.items():
            batch[name], batch[aside] = batch[name][: -len(pairs)], batch[name][-len(pairs) :]


def set_masks(batch: dict[str, Any], masks: Any) -> None:
    """Replace the attention masks of a batch, and of its rows that are set aside, by `masks` of all rows."""
    size = len(batch["input_ids"])
    batch["attention_mask"] = masks[:size]
    if PAIRS in batch:
        batch[ASIDE["attention_mask"]] = masks[size:]


def joined(batch: dict[str, Any]) -> dict[str, Any]:
    """Return the batch with the rows of `set_aside` behind its other rows again."""
    import torch

    if PAIRS not in batch:
        return batch
    rest = {name: value for name, value in batch.items() if name not in (PAIRS, *ASIDE.values())}
    return rest | {name: torch.cat([batch[name], batch[aside]]) for name, aside in ASIDE.items()}


@dataclass
class Rows:
    """A model for TRL, which gets no output for the rows that `set_aside` took. chosen, other: after a call, the
    log-probabilities (nats) of all chosen answers [B], and of the further rows [K]."""

    model: Any
    chosen: Any = None
    other: Any = None

    def __call__(self, *, labels: Any, **given: Any) -> Any:
        import torch

        given.pop(REFERENCE, None)
        if PAIRS not in given:
            return self.model(labels=labels, **given)
        ids, spoken = given[ASIDE["input_ids"]], given.pop(ASIDE["completion_mask"])
        labels = torch.cat([labels, ids.masked_fill(spoken == 0, -100)])
        for name in ("input_ids", "attention_mask"):
            given[name] = torch.cat([given[name], given.pop(ASIDE[name])])
        further = len(given.pop(PAIRS))
        out = self.model(labels=labels, **given)
        logps = out.log_probs.sum(1)
        self.chosen, self.other = logps[: (len(logps) - further) // 2], logps[-further:]
        return type(out)(
            **{
                name: value[:-further] if torch.is_tensor(value) and value.dim() == 2 else value
                for name, value in out.items()
            }
        )

    def reference(self, batch: dict[str, Any]) -> Any:
        """Return the column REFERENCE of a batch that the reference model has computed, [B]."""
        import torch

        ids = batch["input_ids"]
        if PAIRS not in batch:
            return torch.zeros(len(ids) // 2, device=ids.device)
        found = self.other.new_zeros(len(ids) // 2)
        found[batch[PAIRS]] = self.other
        return found

    def loss(self, batch: dict[str, Any], beta: float) -> Any:
        """Return the mean of the image side over the pairs of a batch; a pair without rejected images adds 0."""
        if PAIRS not in batch:
            return 0.0
        pairs, ref_chosen = batch[PAIRS], batch[REFERENCES[0]]
        won = self.chosen[pairs] - ref_chosen[pairs]
        lost = self.other - batch[REFERENCE][pairs]
        return losses(beta * (won - lost)).sum() / len(ref_chosen)


def losses(margins: Any) -> Any:
    """Return -log sigmoid of each margin, which is the difference of two rewards (beta times a log-ratio, nats)."""
    from torch.nn.functional import logsigmoid

    return -logsigmoid(margins)
