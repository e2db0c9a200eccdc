"""Check that packed rows (`s2h.models.prefix_sharing`) give the numbers of the stock step, up to rounding.

Two ways of computing a log-probability differ by rounding, in bfloat16 by hundredths of a nat a token. No fixed tolerance
fits short and long answers, and small and large models. So the check measures the effect of rounding on this model:
the stock step with its pairs in one batch against one by one, and the stock step with one more rounding after each layer.
Packed rows agree if they differ from the stock step by no more than TIMES that, as the root mean square over the tokens of
the chosen answers, and of the rejected ones. A wrong mask or position differs by far more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from s2h.train import image_side, sharding

if TYPE_CHECKING:
    from s2h.train.trainer import PairTrainer

TIMES = 2.0  # correct rows differed by up to 1.4 times the noise, wrong ones in a trained model by at least 10 times
LEAST = 1e-5  # nat a token: the difference between float32 sums in another order
# Standard deviation of the random adapter's B. It moves a layer's output by several percent.
ADAPTER = 0.02
SEED = 7


@dataclass
class Found:
    """Root mean square differences of log-probabilities, in nat a token.

    off, on: packed rows against the stock step, over (chosen, rejected) answers and, if there are some, chosen answers under
    rejected images, with the adapter off and with a random adapter on (None without an adapter). noise: the effect of
    rounding.
    """

    off: tuple[float, ...]
    on: tuple[float, ...] | None
    noise: float

    def reason(self) -> str | None:
        """Return the reason why packed rows can't be used, or None if they agree."""
        most = max(LEAST, TIMES * self.noise)
        for how, sides in (("", self.off), (" with an adapter", self.on)):
            if sides and not all(value <= most for value in sides):  # also true for NaN
                return (
                    f"the first pairs' log-probabilities{how} differ from the stock step's by {max(sides):.2g} nat a token, "
                    f"and rounding makes {self.noise:.2g}"
                )
        return None


def measure(
    trainer: PairTrainer,
    collated: Callable[[list[int], bool], dict],
    rows: list[int],
    install: Callable[[], None],
) -> Found:
    """Measure the differences on `rows`. The model's weights are the same afterwards.

    collated: makes the batch of some rows, packed or not. install: makes the trainer's model take packed rows; it is called
    after the stock step was measured.
    """
    stock, packed = (trainer.prepare_batch(image_side.joined(collated(rows, how))) for how in (False, True))
    singles = [trainer.prepare_batch(image_side.joined(collated([row], False))) for row in rows]
    model, was_training = trainer.model, trainer.model.training
    model.eval()
    try:
        with _adapter_off(model):
            plain = trainer.answer_log_probs(stock)
            apart = [trainer.answer_log_probs(single) for single in singles]
        noise = _rms(plain, [one for answers in zip_longest(*apart) for one in answers if one is not None])
        with random_adapter(model) as adapted:
            moved = trainer.answer_log_probs(stock) if adapted else plain
            noise = max(noise, _rms(_rounded_more(trainer, stock), moved))
            install()
            on = _sides(trainer.answer_log_probs(packed), moved, len(rows))
        with _adapter_off(model):
            off = _sides(trainer.answer_log_probs(packed), plain, len(rows)) if adapted else on
    finally:
        model.train(was_training)
    return Found(off, on if adapted else None, noise)


def _sides(ours: list[Any], stock: list[Any], pairs: int) -> tuple[float, ...]:
    """Return the root mean square difference over the tokens of the chosen answers, of the rejected ones, and of the chosen
    ones under rejected images."""
    starts = [start for start in (0, pairs, 2 * pairs) if start < len(stock)]
    ends = [*starts[1:], len(stock)]
    return tuple(_rms(ours[a:b], stock[a:b]) for a, b in zip(starts, ends, strict=True))


def _rms(ours: list[Any], stock: list[Any]) -> float:
    """Return the root mean square difference over all tokens."""
    import torch

    return torch.cat([a - b for a, b in zip(ours, stock, strict=True)]).pow(2).mean().sqrt().item()


def _rounded_more(trainer: PairTrainer, batch: dict) -> list[Any]:
    """Return `answer_log_probs` with the output of each language-model layer changed by up to one unit in the last place."""
    import torch

    random = torch.Generator(trainer.accelerator.device).manual_seed(SEED)

    def move(module: Any, given: Any, out: Any) -> Any:
        states = out[0] if isinstance(out, tuple) else out
        share = 2 * torch.rand(states.shape, generator=random, device=states.device) - 1
        moved = (states * (1 + torch.finfo(states.dtype).eps * share)).to(states.dtype)
        return (moved, *out[1:]) if isinstance(out, tuple) else moved

    hooks = [layer.register_forward_hook(move) for layer in trainer.base.base_model.get_decoder().layers]
    try:
        return trainer.answer_log_probs(batch)
    finally:
        for hook in hooks:
            hook.remove()


def _adapter_off(model: Any) -> Any:
    """Return a context in which the model computes without its adapter, if it has one."""
    from contextlib import nullcontext

    return model.disable_adapter() if hasattr(model, "disable_adapter") else nullcontext()


@contextmanager
def random_adapter(model: Any) -> Iterator[bool]:
    """Replace the adapter's B, which is zero at the start, by random numbers. Yield whether the model has an adapter and
    this process has all its weights."""
    import torch

    sharding.reshard(model)
    weights = [weight for name, weight in model.named_parameters() if "lora_B" in name]
    weights = [] if any(hasattr(weight, "ds_id") for weight in weights) else weights  # sharded by DeepSpeed
    random, kept = torch.Generator().manual_seed(SEED), [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight in weights:
            sharding.fill(weight, ADAPTER * torch.randn(weight.shape, generator=random))
    try:
        yield bool(weights)
    finally:
        sharding.reshard(model)
        with torch.no_grad():
            for weight, before in zip(weights, kept, strict=True):
                weight.copy_(before)
