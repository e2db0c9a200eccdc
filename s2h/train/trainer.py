"""TRL's DPOTrainer over the pairs of a run: TRL's losses, metrics and loop, with reference log-probabilities that are
computed once for all epochs, steps in the order of the file, and prompts that both answers share.

`s2h.train.run_trainer` adds what a run needs around it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from trl import DPOTrainer

from s2h import accel
from s2h.errors import one_line
from s2h.models import ModelError, prefix_sharing
from s2h.models.features import Store
from s2h.models.packed_attention import why_not_varlen
from s2h.models.tokens import TokenCounter
from s2h.train import agreement, batches, image_side, sharding
from s2h.train.collator import FAILED, LENGTH, REFERENCE, Collator, prompt_of
from s2h.train.dataset import Pairs
from s2h.upstream import TrainerSeams

# Of a pair: log-probability of its chosen and of its rejected answer, and with an image side of `image_side.REFERENCE`.
Values = tuple[float, ...]


class PairTrainer(TrainerSeams, DPOTrainer):
    """DPO (Rafailov et al. 2023, arXiv 2305.18290, equation 7) on `Pairs`.

    The order of the file is the order of the optimizer's steps: only s2h-mix shuffles. The pairs of a step are computed in
    the order of their lengths, so that batches have little padding. The loss of a step is the mean over its pairs, whichever
    batches it has.

    token_budget: most tokens of a batch, where a pair's length is its prompt plus its longer answer;
    per_device_train_batch_size then only decides the number of pairs of a step. image_side: the weight of that term of the
    loss (`s2h.train.image_side`). lengths: tokens of each row of the training file, set once the reference is known.
    further: of each row, the rows of a batch that it needs for rejected images.
    """

    lengths: list[int]
    further: list[int]
    model: Any  # transformers declares these four as unions with None
    data_collator: Any
    train_dataset: Any
    processing_class: Any

    def __init__(
        self, *args: Any, token_budget: int | None = None, image_side: float = 0.0, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self.token_budget, self.image_side = token_budget, image_side
        self.accumulated = self.args.gradient_accumulation_steps  # the user's: the loader sets another number
        shown = self.data_collator.shown
        self.counter = TokenCounter.of(self.base, self.processing_class, "the model", shown=shown)
        self.unshare: Callable[[], None] = lambda: None  # undoes share_prompts

    @property
    def base(self) -> Any:
        """The model without its adapter."""
        model = self.accelerator.unwrap_model(self.model)
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    @property
    def references(self) -> tuple[str, ...]:
        """The columns of the reference."""
        return (*REFERENCE, image_side.REFERENCE) if self.image_side else REFERENCE

    @property
    def is_sharded(self) -> bool:
        """Whether the weights are sharded over processes (FSDP, DeepSpeed)."""
        return self.is_fsdp_enabled or self.is_deepspeed_enabled

    def autocast(self) -> Any:
        """Return a context that computes in the number formats of the training, for which the model is not prepared yet.
        FSDP2 converts the weights itself."""
        return nullcontext() if sharding.is_split(self.model) else self.accelerator.autocast()

    def create_optimizer(self, *given: Any, **more: Any) -> Any:
        sharding.reshard(self.model)
        return super().create_optimizer(*given, **more)

    def get_train_dataloader(self) -> Any:
        args, collator, size = self.args, self.data_collator, self.args.train_batch_size
        rows = self.train_dataset.with_format(None)["row"]
        groups = more = None
        if collator.packed and collator.pack:
            records = [self.train_dataset[i]["record"] for i in range(len(rows))]
            groups = [prompt_of(record) for record in records]
            more = {i: sum(self.counter.count_answers(record)) for i, record in enumerate(records)}
        units = batches.steps(
            [self.lengths[row] for row in rows],
            size * self.accumulated * args.world_size,
            groups,
            more,
            [self.further[row] for row in rows],
        )
        formed, args.gradient_accumulation_steps = batches.form_batches(
            units, size=size, processes=args.world_size, budget=self.token_budget
        )
        self.data_collator = partial(batches.collate, collator)
        try:
            return self.loader_of(batches.BatchList(self.train_dataset, formed))
        finally:
            self.data_collator = collator

    def training_step(self, model: Any, inputs: dict, *args: Any, **more: Any) -> Any:
        with within_memory(f"step {self.state.global_step + 1}"):
            return super().training_step(model, inputs, *args, **more)

    def compute_loss(self, model: Any, inputs: dict, *args: Any, **more: Any) -> Any:
        weight = inputs.pop(batches.WEIGHT, None)
        if self.aux_loss_enabled and "row_ids" in inputs:
            own = prefix_sharing.own_tokens(inputs["row_segments"], inputs["row_index"])
            image_side.set_masks(inputs, own)
        measures = self.measures(self.mode)
        before = {name: len(values) for name, values in measures.items()}
        known = image_side.Rows(model)
        loss = super().compute_loss(known, inputs, *args, **more)
        if self.image_side:
            loss = loss + self.image_side * known.loss(inputs, self.beta)
        # TRL logs the mean over batches; make it the mean over pairs.
        for name, values in measures.items():
            if name != "num_tokens" and len(values) > before.get(name, 0):
                if weight is None:
                    values += values[-1:] * (len(inputs["input_ids"]) // 2 - 1)
                else:
                    values[-1] *= weight
        return loss if weight is None else loss * weight

    def share_prompts(
        self, pairs: Pairs, attention: str = "auto", pack: bool = False, store: Store | None = None
    ) -> str | None:
        """Compute the prompt and the images of a pair once for both answers (with `pack`, once for all pairs of a prompt in
        a step), if the first pairs then have the numbers of the stock step. Return the reason if it can't be done, else
        None.

        attention: one of arguments.ATTENTION. store: keeps the features of a frozen vision tower.
        """
        self.stop_sharing()
        config = self.base.config
        reason = prefix_sharing.why_not(config, attention)
        no_varlen = prefix_sharing.why_not(config, "varlen") or why_not_varlen(self.base)
        if not reason and attention == "varlen":
            reason = no_varlen
        if reason:
            return reason
        # One call on CUDA takes as long as two of flash attention (examples/results/gpu-check.json).
        kinds = ("varlen", "split") if attention == "auto" and not no_varlen else (attention,)
        for how in kinds:
            reason = self._share(self.base.base_model, pairs, how, pack, store)
            if reason is None:
                return None
        return reason

    def stop_sharing(self) -> None:
        """Give each answer a row of its own, as TRL does."""
        self.unshare()
        self.unshare = lambda: None
        self.data_collator.packed = False

    def _share(self, core: Any, pairs: Pairs, how: str, pack: bool, store: Store | None) -> str | None:
        """Try one kind of attention. Return the reason if it can't be used, else None."""
        self.stop_sharing()

        def install() -> None:
            # Processes that share the tower's weights must call it equally often, so no features are kept.
            self.unshare = prefix_sharing.install(core, how, None if self.is_sharded else store)

        self.data_collator.pack = pack
        try:
            rows = self._first_rows(pairs, pack)
            reason = agreement.measure(self, partial(self.batch_of, pairs), rows, install).reason()
        except RuntimeError as error:  # the kernel does not run on this card, or for the shape of this model
            if how != "varlen" or "out of memory" in str(error):
                raise
            reason = f"variable-length attention can't run here: {str(error).strip().splitlines()[0]}"
        reason = accel.share(reason)  # the first process decides for all
        if reason:
            self.stop_sharing()
        else:
            self.data_collator.packed = True
        return reason

    def batch_of(self, pairs: Pairs, rows: list[int], packed: bool) -> dict:
        """Return the batch of some rows, packed or not."""
        self.data_collator.packed = packed
        return _collated(self.data_collator, pairs, rows)

    def _first_rows(self, pairs: Pairs, pack: bool) -> list[int]:
        """Return rows for the check: at least two, so that one of them is padded. With `pack`, rows of the first prompt that
        has several pairs, and another row."""
        size = max(2, min(self.args.per_device_train_batch_size, 4))
        looked = list(range(min(len(pairs.starts), 64 if pack else size)))
        if pack:
            keys = {row: prompt_of(pairs.record(row)) for row in looked}
            looked = sorted(looked, key=lambda row: list(keys.values()).count(keys[row]) == 1)
            same = [row for row in looked if keys[row] == keys[looked[0]]][: size - 1]
            return [*same, *(row for row in looked if keys[row] != keys[looked[0]])][:size]
        return looked

    def add_reference(self, pairs: Pairs, known: dict[str, list] | None = None) -> dict[str, list]:
        """Set the reference log-probabilities of the pairs (nats, summed over the tokens of an answer, from the model
        without adapter), which the loss then reads from the batches. Return them with the lengths of the pairs, as columns.
        known: these columns if they are known; else they are measured."""
        columns = known
        if columns is None:
            rows = list(range(len(pairs.starts)))
            found = self.measure_reference(pairs, rows)
            columns = {name: [found[row][i] for row in rows] for i, name in enumerate(self.references)}
            columns[LENGTH] = pairs.count_tokens(self.counter)
        for name in self.references:
            pairs.columns[name] = columns[name]
        self.precompute_ref_logps = True
        return columns

    def measure_reference(
        self,
        pairs: Pairs,
        rows: list[int],
        done: dict[int, Values] | None = None,
        keep: Callable[[list[tuple[int, Values]]], None] | None = None,
        progress: Callable[[int], object] = lambda count: None,
    ) -> dict[int, Values]:
        """Measure the reference log-probabilities of some rows, on all processes together. Return them on each.

        done: rows that were measured before. A batch is skipped if all its rows are done, so that a resumed run has the
        same batches and numbers as an uninterrupted one. keep: called with the values of each batch. progress: called
        with the number of rows of each batch.
        """
        import torch

        done, state = done or {}, accel.state()
        mine = rows[state.process_index :: state.num_processes]
        # Pairs of similar length make a batch, for less padding. The longest come first, so that a run whose pairs don't
        # fit the memory fails at its start.
        mine.sort(key=pairs.bulk, reverse=True)
        size = self.args.per_device_eval_batch_size
        parts = [mine[start : start + size] for start in range(0, len(mine), size)]
        parts = [part for part in parts if not all(row in done for row in part)]
        found: list[tuple[int, Values]] = []
        count, is_split = len(parts), sharding.is_split(self.model)
        if is_split:
            # Every process computes as many batches as the one that has most. The shortest one is repeated, without effect.
            parts += (parts[-1:] or [rows[:1]]) * (max(accel.gather([count])) - count)
        if parts:
            # No accelerator.prepare here: it would not wrap the model a second time, for training.
            model = self.model if is_split else self.model.to(self.accelerator.device)
            was_training = model.training
            model.eval()
            for at, (part, batch) in enumerate(self._prepared(pairs, parts)):
                with within_memory(f"the reference of {pairs.record(part[0])['id']}"):
                    batch, known = self.prepare_batch(batch), image_side.Rows(model)
                    with self.autocast():
                        columns = list(self.compute_ref_log_probs(known, batch))
                        columns += [known.reference(batch)] if self.image_side else []
                    values = list(
                        zip(part, zip(*(column.tolist() for column in columns), strict=True), strict=True)
                    )
                if at >= count:
                    continue
                found += values
                if keep is not None:
                    keep(values)
                progress(len(part))
            model.train(was_training)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return {**{row: done[row] for row in rows if row in done}, **dict(accel.gather(found))}

    def _prepared(self, pairs: Pairs, parts: list[list[int]]) -> Iterator[tuple[list[int], dict]]:
        """Yield the parts in order, each with its batch. The loader's worker processes, if there are any, prepare the
        batches."""
        from torch.utils.data import DataLoader

        items: Any = parts  # torch takes any object with a length and items
        loader: Any = DataLoader(
            items,
            batch_size=None,
            collate_fn=partial(_collated, self.data_collator, pairs),
            num_workers=self.args.dataloader_num_workers,
        )
        return zip(parts, loader, strict=True)

    def answer_log_probs(self, batch: dict) -> list[Any]:
        """Return the log-probabilities (nat) of the tokens of each answer under the current model: one float64 tensor
        [tokens] for each row of the batch."""
        import torch

        given = {key: value for key, value in batch.items() if key not in ("completion_mask", "row")}
        spoken = batch["completion_mask"]
        labels = batch["input_ids"].masked_fill(spoken == 0, -100)
        with torch.no_grad(), self.autocast():
            found = self.model(**given, labels=labels, use_cache=False, fused_lm_head=True).log_probs
        return [each[kept].double() for each, kept in zip(found, spoken[:, 1:].bool(), strict=True)]

    def prepare_batch(self, batch: dict) -> dict:
        if FAILED in batch:
            raise batch[FAILED]
        return super().prepare_batch(batch)

    def log(self, logs: dict[str, float], *args: Any, **more: Any) -> None:
        loss = logs.get("loss", logs.get("eval_loss"))
        if loss is not None and not math.isfinite(loss):
            raise ModelError(
                f"the loss is {loss} at step {self.state.global_step}: training stopped (lower --lr, or use --dtype float32)"
            )
        super().log(logs, *args, **more)


@contextmanager
def within_memory(what: str) -> Iterator[None]:
    """Turn an out-of-memory error of the device into a ModelError with the remedies. what: the work in the block."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{what} does not fit the device's memory: {one_line(error, 160)} (--gradient-checkpointing, a smaller "
            "--batch-size, or a smaller --window, which drops the longest pairs; --plan estimates the memory of a run)"
        ) from error


def _collated(collator: Collator, pairs: Pairs, rows: list[int]) -> dict:
    return collator([{"row": row, "record": pairs.record(row)} for row in rows])
