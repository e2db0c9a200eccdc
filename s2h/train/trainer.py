"""TRL's DPOTrainer over our rows: its losses, its metrics and its loop, with the reference log-probabilities computed once
for all epochs and the order of the file kept."""

from __future__ import annotations

import math
from typing import Any

from trl import DPOTrainer

from s2h import accel
from s2h.models import ModelError
from s2h.train import shared
from s2h.train.collate import LENGTH, REFERENCE


class PairTrainer(DPOTrainer):
    """DPO (Rafailov et al. 2023, equation 7) on `Pairs`.

    TRL refuses to precompute the reference for vision data; `add_reference` does it and sets what TRL's loss looks at. The
    order of the file is the order of the optimizer's steps: only s2h-mix shuffles. The pairs of one step are computed in
    the order of their lengths, so that batches hold little padding.
    """

    lengths: list[int]  # tokens of a row of the training file, once the reference is known

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows = self.train_dataset.with_format(None)["row"]
        args = self.args
        step = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        return [
            place
            for start in range(0, len(rows), step)
            for place in sorted(
                range(start, min(start + step, len(rows))), key=lambda i: self.lengths[rows[i]]
            )
        ]

    def share_prompts(self, pairs: Any) -> str | None:
        """Let both answers of a pair share its prompt and images from here on, once the first pairs have shown that the
        numbers are the stock step's. Returns the reason where they can't."""
        import torch

        base = self.accelerator.unwrap_model(self.model)
        base = base.get_base_model() if hasattr(base, "get_base_model") else base
        reason = shared.why_not(base.config)
        if reason:
            return reason
        shared.install(base.base_model)
        rows = list(range(min(len(pairs.starts), self.args.per_device_train_batch_size, 4)))
        was_training = self.model.training
        self.model.eval()
        found = {}
        for packed in (False, True):
            self.data_collator.packed = packed
            batch = self.data_collator([{"row": row, "record": pairs.record(row)} for row in rows])
            pair = self.compute_ref_log_probs(self.model, self._prepare_inputs(batch))
            found[packed] = torch.cat(pair).tolist()
        self.model.train(was_training)
        if shared.agree(found[True], found[False], float32=base.dtype == torch.float32):
            return None
        self.data_collator.packed = False
        return "the first pairs' log-probabilities differ from the stock step's"

    def add_reference(self, pairs: Any, window: int, known: dict | None = None) -> dict[str, list]:
        """Give each pair its log-probabilities (nats, summed over the answer's tokens) under the model without adapter,
        and return them with each pair's tokens; pairs of more than `window` get None for the caller to drop. known: values
        from an earlier start of the run."""
        values = known
        if values is None:
            rows = list(range(len(pairs.starts)))
            found = self.measure_reference(pairs, rows, window)
            values = {name: [found[row][i] for row in rows] for i, name in enumerate((*REFERENCE, LENGTH))}
        for name in REFERENCE:
            pairs.columns[name] = values[name]
        self.precompute_ref_logps = True
        return values

    def measure_reference(
        self, pairs: Any, rows: list[int], window: int, done: dict | None = None, keep: Any = None
    ) -> dict[int, list]:
        """The chosen and the rejected answer's log-probability and the tokens of each of the rows, by row, on every process.
        done: rows measured before, in whose batches nothing is computed where they know all of it, so that a run that goes
        on has the same batches, and numbers, as one that was never broken. keep is told each batch's values as they come."""
        import torch

        done, state = done or {}, accel.state()
        mine = rows[state.process_index :: state.num_processes]
        # Pairs of like length go together: less padding, the same sums.
        mine.sort(key=pairs.bulk)
        size, found = self.args.per_device_eval_batch_size, []
        batches = [mine[start : start + size] for start in range(0, len(mine), size)]
        batches = [batch for batch in batches if not all(row in done for row in batch)]
        if batches:
            # Not through accelerate's prepare: what it has seen once it would not make parallel for training any more.
            model = self.model.to(self.accelerator.device)
            was_training = self.model.training
            self.model.eval()
            for batch in batches:
                values = self._reference(model, pairs, batch, window)
                found += values
                if keep is not None:
                    keep(values)
            self.model.train(was_training)
            torch.cuda.empty_cache() if torch.cuda.is_available() else None
        return {**{row: done[row] for row in rows if row in done}, **dict(accel.gather(found))}

    def _reference(self, model: Any, pairs: Any, rows: list[int], window: int) -> list[tuple[int, Any]]:
        batch = self.data_collator([{"row": row, "record": pairs.record(row)} for row in rows])
        lengths = _lengths(batch)
        too_long = [row for row, length in zip(rows, lengths, strict=True) if length > window]
        if too_long:
            rest = [row for row in rows if row not in too_long]
            over = [(row, (None, None, n)) for row, n in zip(rows, lengths, strict=True) if row in too_long]
            return over + (self._reference(model, pairs, rest, window) if rest else [])
        chosen, rejected = self.compute_ref_log_probs(model, self._prepare_inputs(batch))
        return [
            (row, known)
            for row, *known in zip(rows, chosen.tolist(), rejected.tolist(), lengths, strict=True)
        ]

    def log(self, logs: dict[str, float], *args: Any, **more: Any) -> None:
        loss = logs.get("loss", logs.get("eval_loss"))
        if loss is not None and not math.isfinite(loss):
            raise ModelError(
                f"the loss is {loss} at step {self.state.global_step}: training stopped (lower --lr, or use --dtype float32)"
            )
        super().log(logs, *args, **more)


def _lengths(batch: dict) -> list[int]:
    """Tokens of each pair's longer row, prompt and answer."""
    if "row_segments" not in batch:
        return batch["attention_mask"].sum(1).view(2, -1).amax(0).tolist()
    prompts = (batch["row_segments"] == shared.PROMPT).sum(1)
    return (prompts + batch["completion_mask"].sum(1).view(2, -1).amax(0)).tolist()
