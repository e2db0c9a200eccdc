"""TRL's DPOTrainer over our rows: its losses, its metrics and its loop, with the reference log-probabilities computed once
for all epochs and the order of the file kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from trl import DPOTrainer

from s2h import accel
from s2h.models import ModelError
from s2h.record import text_of
from s2h.train import agreement, batches, prefix_sharing
from s2h.train.collator import FAILED, LENGTH, REFERENCE, prompt_of
from s2h.train.features import Store
from s2h.train.packed_attention import why_not_varlen


class PairTrainer(DPOTrainer):
    """DPO (Rafailov et al. 2023, equation 7) on `Pairs`.

    TRL refuses to precompute the reference for vision data; `add_reference` does it and sets what TRL's loss looks at. The
    order of the file is the order of the optimizer's steps: only s2h-mix shuffles. The pairs of one step are computed in
    the order of their lengths, so that batches hold little padding; `token_budget` forms batches by their tokens and not
    by their pairs. However a step is cut, its loss is the mean over its pairs.
    """

    lengths: list[int]  # tokens of a row of the training file, once the reference is known
    # Of a batch, where a pair counts its prompt and its longer answer; per_device_train_batch_size then only says how many
    # pairs a step has.
    token_budget: int | None = None

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._accumulated = self.args.gradient_accumulation_steps  # as asked for: batches are planned anew
        self.unshare = lambda: None  # undoes share_prompts

    @property
    def base(self) -> Any:
        """The model without its adapter."""
        model = self.accelerator.unwrap_model(self.model)
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    def get_train_dataloader(self) -> Any:
        args = self.args
        rows = self.train_dataset.with_format(None)["row"]
        groups = more = None
        if self.data_collator.packed and self.data_collator.pack:
            records = [self.train_dataset[i]["record"] for i in range(len(rows))]
            groups = [prompt_of(record) for record in records]
            more = {i: self._answer_tokens(record) for i, record in enumerate(records)}
        units = batches.steps(
            [self.lengths[row] for row in rows],
            self._train_batch_size * self._accumulated * args.world_size,
            groups,
            more,
        )
        planned, each = batches.plan(
            units, size=self._train_batch_size, processes=args.world_size, budget=self.token_budget
        )
        args.gradient_accumulation_steps = each
        collator = self.data_collator
        self.data_collator = partial(batches.collate, collator)
        try:
            return self._get_dataloader(
                batches.Planned(self.train_dataset, planned), "Training", batch_size=1, is_training=True
            )
        finally:
            self.data_collator = collator

    def _answer_tokens(self, record: Any) -> int:
        tokenizer = self.processing_class.tokenizer
        return sum(len(tokenizer(text_of(record[which]))["input_ids"]) for which in ("chosen", "rejected"))

    def training_step(self, model: Any, inputs: dict, *args: Any, **more: Any) -> Any:
        with fits(f"step {self.state.global_step + 1}"):
            return super().training_step(model, inputs, *args, **more)

    def compute_loss(self, model: Any, inputs: dict, *args: Any, **more: Any) -> Any:
        weight = inputs.pop(batches.WEIGHT, None)
        metrics = self._metrics["train" if self.model.training else "eval"]
        before = {name: len(values) for name, values in metrics.items()}
        loss = super().compute_loss(model, inputs, *args, **more)
        # TRL logs the mean over batches; it is to be the mean over pairs.
        for name, values in metrics.items():
            if name != "num_tokens" and len(values) > before.get(name, 0):
                if weight is None:
                    values += values[-1:] * (len(inputs["input_ids"]) // 2 - 1)
                else:
                    values[-1] *= weight
        return loss if weight is None else loss * weight

    def share_prompts(
        self, pairs: Any, attention: str = "auto", pack: bool = False, store: Store | None = None
    ) -> str | None:
        """Let both answers of a pair share its prompt and images from here on (with `pack`, all pairs of one prompt that
        meet in a step), once the first pairs have shown that the numbers are the stock step's. attention: one of
        `prefix_sharing.ATTENTION`; store: where a frozen vision tower's features are kept. Returns the reason why not."""
        self._unshare()
        reason, varlen = prefix_sharing.why_not(self.base.config), why_not_varlen(self.base)
        if not reason and attention == "varlen":
            reason = varlen
        if reason:
            return reason
        # One call on CUDA takes as long as two of flash attention, or of cuDNN's once that has planned for the shape, which
        # nearly every pair has for itself (examples/results/gpu-check.json).
        ways = ("varlen", "split") if attention == "auto" and not varlen else (attention,)
        for how in ways:
            reason = self._share(self.base.base_model, pairs, how, pack, store)
            if reason is None:
                return None
        return reason

    def _unshare(self) -> None:
        self.unshare()
        self.unshare = lambda: None
        self.data_collator.packed = False

    def _share(self, core: Any, pairs: Any, how: str, pack: bool, store: Store | None) -> str | None:
        """Try one way of attention, and return the reason where it can't be used."""
        self._unshare()
        # Where the tower's weights are parted, each process must call it as often as the others.
        parted = self.is_fsdp_enabled or self.is_deepspeed_enabled

        def install() -> None:
            self.unshare = prefix_sharing.install(core, how, None if parted else store)

        self.data_collator.pack = pack
        try:
            rows = self._first(pairs, pack)
            reason = agreement.measure(self, partial(self._batch_of, pairs), rows, install).reason()
        except RuntimeError as error:  # of a kernel that this card or this model's shape has no version of
            if how != "varlen" or "out of memory" in str(error):
                raise
            reason = f"variable-length attention can't run here: {str(error).strip().splitlines()[0]}"
        reason = accel.share(reason)  # the first process decides for all
        if reason:
            self._unshare()
        else:
            self.data_collator.packed = True
        return reason

    def _batch_of(self, pairs: Any, rows: list[int], packed: bool) -> dict:
        self.data_collator.packed = packed
        return _collated(self.data_collator, pairs, rows)

    def _first(self, pairs: Any, pack: bool) -> list[int]:
        """Rows for the check: at least two, so that one of them is padded; with `pack`, of the first prompt that has
        several pairs, and another."""
        size = max(2, min(self.args.per_device_train_batch_size, 4))
        looked = range(min(len(pairs.starts), 64 if pack else size))
        if pack:
            keys = {row: prompt_of(pairs.record(row)) for row in looked}
            looked = sorted(looked, key=lambda row: list(keys.values()).count(keys[row]) == 1)
            same = [row for row in looked if keys[row] == keys[looked[0]]][: size - 1]
            return [*same, *(row for row in looked if keys[row] != keys[looked[0]])][:size]
        return list(looked)

    def add_reference(self, pairs: Any, known: dict | None = None) -> dict[str, list]:
        """Give each pair its log-probabilities (nats, summed over the answer's tokens) under the model without adapter,
        and return them with each pair's tokens. known: values from an earlier start of the run."""
        values = known
        if values is None:
            rows = list(range(len(pairs.starts)))
            found = self.measure_reference(pairs, rows)
            values = {name: [found[row][i] for row in rows] for i, name in enumerate((*REFERENCE, LENGTH))}
        for name in REFERENCE:
            pairs.columns[name] = values[name]
        self.precompute_ref_logps = True
        return values

    def measure_reference(
        self, pairs: Any, rows: list[int], done: dict | None = None, keep: Any = None
    ) -> dict[int, list]:
        """The chosen and the rejected answer's log-probability and the tokens of each of the rows, by row, on every process.
        done: rows measured before, in whose batches nothing is computed where they know all of it, so that a run that goes
        on has the same batches, and numbers, as one that was never broken. keep is told each batch's values as they come."""
        import torch

        done, state = done or {}, accel.state()
        mine = rows[state.process_index :: state.num_processes]
        # Pairs of like length go together: less padding, the same sums. The longest come first: where memory does not hold
        # them, the run ends at its start.
        mine.sort(key=pairs.bulk, reverse=True)
        size, found = self.args.per_device_eval_batch_size, []
        parts = [mine[start : start + size] for start in range(0, len(mine), size)]
        parts = [part for part in parts if not all(row in done for row in part)]
        if parts:
            # Not through accelerate's prepare: what it has seen once it would not make parallel for training any more.
            model = self.model.to(self.accelerator.device)
            was_training = self.model.training
            self.model.eval()
            for part, batch in self._prepared(pairs, parts):
                with fits(f"the reference of {pairs.record(part[0])['id']}"):
                    values = self._reference(model, part, batch)
                found += values
                if keep is not None:
                    keep(values)
            self.model.train(was_training)
            torch.cuda.empty_cache() if torch.cuda.is_available() else None
        return {**{row: done[row] for row in rows if row in done}, **dict(accel.gather(found))}

    def _prepared(self, pairs: Any, parts: list[list[int]]) -> Any:
        """(rows, batch) of the parts in turn, prepared by the loader's worker processes where there are any."""
        from torch.utils.data import DataLoader

        loader = DataLoader(
            parts,
            batch_size=None,
            collate_fn=partial(_collated, self.data_collator, pairs),
            num_workers=self.args.dataloader_num_workers,
        )
        return zip(parts, loader, strict=True)

    def _reference(self, model: Any, rows: list[int], batch: dict) -> list[tuple[int, Any]]:
        inputs, lengths = self._prepare_inputs(batch), _lengths(batch)
        chosen, rejected = self.compute_ref_log_probs(model, inputs)
        return [
            (row, known)
            for row, *known in zip(rows, chosen.tolist(), rejected.tolist(), lengths, strict=True)
        ]

    def _prepare_inputs(self, inputs: dict) -> dict:
        if FAILED in inputs:
            raise inputs[FAILED]
        return super()._prepare_inputs(inputs)

    def log(self, logs: dict[str, float], *args: Any, **more: Any) -> None:
        loss = logs.get("loss", logs.get("eval_loss"))
        if loss is not None and not math.isfinite(loss):
            raise ModelError(
                f"the loss is {loss} at step {self.state.global_step}: training stopped (lower --lr, or use --dtype float32)"
            )
        super().log(logs, *args, **more)


@contextmanager
def fits(what: str) -> Iterator[None]:
    """Say what to do where the device's memory does not hold it."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        said = " ".join(str(error).split())[:160]
        raise ModelError(
            f"{what} does not fit the device's memory: {said} (--gradient-checkpointing, a smaller --batch-size, or a "
            "smaller --window, which drops the longest pairs; --plan tells what a run takes)"
        ) from error


def _collated(collator: Any, pairs: Any, rows: list[int]) -> dict:
    return collator([{"row": row, "record": pairs.record(row)} for row in rows])


def _lengths(batch: dict) -> list[int]:
    """Tokens of each pair's longer row, prompt and answer."""
    if "row_segments" not in batch:
        return batch["attention_mask"].sum(1).view(2, -1).amax(0).tolist()
    prompts = (batch["row_segments"] == prefix_sharing.PROMPT).sum(1)
    rows = batch["row_index"][:, 0].div(batch["row_segments"].shape[1], rounding_mode="floor").view(2, -1)[0]
    return (prompts[rows] + batch["completion_mask"].sum(1).view(2, -1).amax(0)).tolist()
