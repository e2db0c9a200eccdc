"""Check that packed rows give the stock step's numbers, but for rounding.

Two ways of computing the same log-probability differ by rounding, in bfloat16 by hundredths of a nat a token, and no fixed
tolerance fits a short answer and a long one, a small model and a large one. So the check measures what rounding does to this
model: the stock step with its pairs together against one by one, and the stock step with one more rounding after each
layer. Packed rows agree if they differ from the stock step by no more than TIMES that (root mean square over the tokens of
the chosen, and of the rejected answers). A wrong mask or position differs by far more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

TIMES = 2.0  # right rows made up to 1.4 times the noise; wrong ones 10 and more in a model that was trained
LEAST = 1e-5  # nat a token: what float32 sums in another order differ by
ADAPTER = 0.02  # standard deviation of the random adapter's B: it moves a layer's output by several percent
SEED = 7


@dataclass
class Found:
    """Differences of log-probabilities in nat a token, as root mean squares: of packed rows from the stock step, over chosen
    and over rejected answers, with the adapter off and with a random one on (None without an adapter); and what rounding
    makes."""

    off: tuple[float, float]
    on: tuple[float, float] | None
    noise: float

    def reason(self) -> str | None:
        """Why packed rows can't be used, or None where they agree."""
        most = max(LEAST, TIMES * self.noise)
        for how, sides in (("", self.off), (" with an adapter", self.on)):
            if sides and not all(value <= most for value in sides):  # nor where one is no number
                return (
                    f"the first pairs' log-probabilities{how} differ from the stock step's by {max(sides):.2g} nat a token, "
                    f"and rounding makes {self.noise:.2g}"
                )
        return None


def measure(
    trainer: Any, collated: Callable[[list[int], bool], dict], rows: list[int], install: Callable[[], None]
) -> Found:
    """What packed rows differ by on `rows`. The model's weights are afterwards what they were. collated: makes the batch of
    some rows, packed or not. install: lets the trainer's model, which so far knows nothing of them, take packed rows."""
    stock, packed = (trainer._prepare_inputs(collated(rows, how)) for how in (False, True))
    singles = [trainer._prepare_inputs(collated([row], False)) for row in rows]
    model, was_training = trainer.model, trainer.model.training
    model.eval()
    try:
        with _adapter_off(model):
            plain = _logps(trainer, stock)
            apart = [_logps(trainer, single) for single in singles]
        noise = _rms(plain, [answers[side] for side in (0, 1) for answers in apart])
        with _random_adapter(model) as adapted:
            moved = _logps(trainer, stock) if adapted else plain
            noise = max(noise, _rms(_rounded_more(trainer, stock), moved))
            install()
            on = _sides(_logps(trainer, packed), moved)
        with _adapter_off(model):
            off = _sides(_logps(trainer, packed), plain) if adapted else on
    finally:
        model.train(was_training)
    return Found(off, on if adapted else None, noise)


def _logps(trainer: Any, batch: dict) -> list[Any]:
    """The log-probability (nat) of each token of each answer, float64 [tokens], chosen answers first, under the model as it
    is."""
    import torch

    given = {key: value for key, value in batch.items() if key not in ("completion_mask", "row")}
    spoken = batch["completion_mask"]
    labels = batch["input_ids"].masked_fill(spoken == 0, -100)
    with torch.no_grad(), trainer.accelerator.autocast():
        found = trainer.model(**given, labels=labels, use_cache=False, fused_lm_head=True).log_probs
    return [each[kept].double() for each, kept in zip(found, spoken[:, 1:].bool(), strict=True)]


def _sides(ours: list[Any], stock: list[Any]) -> tuple[float, float]:
    """The root mean square difference over the tokens of the chosen, and of the rejected answers."""
    half = len(stock) // 2
    return _rms(ours[:half], stock[:half]), _rms(ours[half:], stock[half:])


def _rms(ours: list[Any], stock: list[Any]) -> float:
    import torch

    return torch.cat([a - b for a, b in zip(ours, stock, strict=True)]).pow(2).mean().sqrt().item()


def _rounded_more(trainer: Any, batch: dict) -> list[Any]:
    """As `_logps`, with the output of each layer of the language model moved by up to one unit in its last place."""
    import torch

    random = torch.Generator(trainer.accelerator.device).manual_seed(SEED)

    def move(module: Any, given: Any, out: Any) -> Any:
        states = out[0] if isinstance(out, tuple) else out
        share = 2 * torch.rand(states.shape, generator=random, device=states.device) - 1
        moved = (states * (1 + torch.finfo(states.dtype).eps * share)).to(states.dtype)
        return (moved, *out[1:]) if isinstance(out, tuple) else moved

    hooks = [layer.register_forward_hook(move) for layer in trainer.base.base_model.language_model.layers]
    try:
        return _logps(trainer, batch)
    finally:
        for hook in hooks:
            hook.remove()


def _adapter_off(model: Any) -> Any:
    from contextlib import nullcontext

    return model.disable_adapter() if hasattr(model, "disable_adapter") else nullcontext()


@contextmanager
def _random_adapter(model: Any) -> Iterator[bool]:
    """Random numbers in place of the adapter's B, which starts at zero; gives whether the model has an adapter whose weights
    this process holds whole."""
    import torch

    weights = [weight for name, weight in model.named_parameters() if "lora_B" in name]
    weights = [] if any(hasattr(weight, "ds_id") for weight in weights) else weights
    random, kept = torch.Generator().manual_seed(SEED), [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight in weights:
            weight.copy_(ADAPTER * torch.randn(weight.shape, generator=random))
    try:
        yield bool(weights)
    finally:
        with torch.no_grad():
            for weight, before in zip(weights, kept, strict=True):
                weight.copy_(before)
