"""The memory of a training process, estimated from the model's sizes and the longest pairs; and the decision to recompute
activations (gradient checkpointing) where they would not fit the device."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2h import accel
from s2h.models import names
from s2h.models.tokens import PairTokens
from s2h.train import sharding, weights
from s2h.train.arguments import Arguments
from s2h.train.dataset import Pairs

if TYPE_CHECKING:
    from s2h.train.trainer import PairTrainer

SPARE = 1.1  # the allocator's gaps, and libraries' own memory
SWITCHED_ON = (
    "gradient checkpointing is on: without it, the longest pairs would not fit this GPU's memory "
    "(--no-gradient-checkpointing switches it off)"
)


@dataclass(frozen=True)
class Sizes:
    """Sizes that decide memory and time of a run: numbers of weights (all, the language model's, the trained ones), and the
    language model's layers and widths. key_values: width of the keys. itemsize: bytes of a weight."""

    parameters: float
    language: float
    trained: float
    layers: int
    hidden: int
    inner: int
    key_values: float
    vocabulary: int
    itemsize: int


def sizes_of_model(model: Any, arguments: Arguments) -> Sizes:
    """Return the sizes of a loaded model."""
    text = model.config.get_text_config()
    inner = getattr(text, "intermediate_size", 0)
    if experts := getattr(text, "moe_intermediate_size", 0):  # a token passes a few of them
        inner = experts * text.num_experts_per_tok
    language = sum(p.numel() for name, p in model.named_parameters() if weights.LANGUAGE.search(name))
    lora = sum(
        arguments.rank * sum(module.weight.shape)
        for name, module in model.named_modules()
        if re.fullmatch(arguments.targets, name)
    )
    return Sizes(
        parameters=sum(p.numel() for p in model.parameters()),
        language=language,
        trained=language if arguments.full else lora,
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        inner=inner,
        key_values=text.hidden_size * text.num_key_value_heads / text.num_attention_heads,
        vocabulary=text.vocab_size,
        itemsize=model.dtype.itemsize,
    )


def sizes_of_shape(shape: names.Shape, arguments: Arguments) -> Sizes:
    """Return the sizes that follow from a shape: q and o are square, k and v lead to key_values, gate, up and down to and
    from the inner width."""
    h, k, i = shape.hidden, shape.key_values, shape.intermediate
    lora = arguments.rank * shape.layers * (4 * h + 2 * (h + k) + 3 * (h + i))
    return Sizes(
        parameters=shape.parameters, language=shape.language, trained=shape.language if arguments.full else lora,
        layers=shape.layers, hidden=h, inner=i, key_values=k, vocabulary=shape.vocabulary,
        itemsize=4 if arguments.dtype == "float32" or arguments.full else 2,
    )  # fmt: skip


@dataclass(frozen=True)
class Longest:
    """The longest batch of a run. tokens: of its rows, as the engine forms them. scored: tokens of its answers that the head
    scores."""

    tokens: int
    scored: int

    @classmethod
    def of(cls, arguments: Arguments, pairs: list[PairTokens]) -> Longest:
        tokens = max(one.prompt + sum(one.answers) + one.image_side for one in pairs)
        if arguments.engine == "stock":
            tokens = max((2 + (one.image_side > 0)) * one.row for one in pairs)
        scored = 2 * max(sum(one.answers) for one in pairs)
        if arguments.image_side:
            scored += max(one.answers[0] for one in pairs)
        return cls(arguments.batch_size * tokens, arguments.batch_size * scored)


def estimate(sizes: Sizes, arguments: Arguments, longest: Longest) -> dict[str, float]:
    """Return GiB of a process that holds the whole model, by part.

    Activations are the tensors that layers keep for the backward pass of the longest batch: the inputs of norms, projections
    and products, 6 h + 2 kv + 4 i numbers a token in float32 (h: hidden width, kv: width of the keys, i: inner width). In 16
    bits the norms keep copies in float32, and an H200 took 9.4 h + 2 kv + 4.5 i for the shapes of LLaVA-1.5-7B and
    Qwen2.5-VL-7B (examples/results/gpu-check.json). With checkpointing, one layer keeps its activations, and all keep their
    inputs.
    """
    # A GPU computes in bfloat16 even if weights are kept in float32.
    whole = accel.device().type == "cpu" and sizes.itemsize == 4
    hidden, inner, width = (6, 4, 4) if whole else (9.5, 4.5, 2)
    layer = longest.tokens * width * (hidden * sizes.hidden + 2 * sizes.key_values + inner * sizes.inner)
    if arguments.gradient_checkpointing:
        kept = layer + sizes.layers * longest.tokens * sizes.hidden * sizes.itemsize
    else:
        kept = layer * sizes.layers
    held = sizes.parameters * sizes.itemsize
    if arguments.quantize:
        held = sizes.language * 0.55 + (sizes.parameters - sizes.language) * sizes.itemsize
    # Gradient and Adam's two moments; with LoRA also the trained weights.
    training = sizes.trained * (12 if arguments.full else 16)
    parts = {
        "weights": held,
        "training": training,
        "activations": kept + longest.scored * sizes.vocabulary * 4,
    }
    gib = {name: round(value / 2**30, 3) for name, value in parts.items()}
    return {**gib, "estimate": round(sum(parts.values()) / 2**30, 3)}


def needs_checkpointing(
    sizes: Sizes, arguments: Arguments, longest: Longest, room: float | None, shards: int = 1
) -> bool:
    """Return whether the user left gradient checkpointing open and the run would not fit the memory without it. room: GiB
    that this process can have of its GPU; None on a CPU, where checkpointing stays off. shards: processes that share the
    weights, their gradients and their moments."""
    if arguments.gradient_checkpointing is not None or room is None:
        return False
    parts = estimate(sizes, arguments, longest)
    return SPARE * (parts["activations"] + (parts["weights"] + parts["training"]) / shards) > room


def decide_checkpointing(
    trainer: PairTrainer, arguments: Arguments, pairs: Pairs, lengths: list[int], room: float | None = None
) -> bool:
    """Switch gradient checkpointing on if `needs_checkpointing`, as the first process finds, and return whether it did.
    lengths: tokens of each row with its longer answer. room: GiB, by default the GPU's."""
    room = accel.room() if room is None else room
    if arguments.gradient_checkpointing is not None or room is None:
        return False
    row = max(range(len(lengths)), key=lengths.__getitem__)
    answers = trainer.counter.count_answers(pairs.record(row))
    prompt = lengths[row] - max(answers)
    image_side = prompt + answers[0] if pairs.further[row] else 0
    longest = Longest.of(arguments, [PairTokens(prompt, 0, answers, image_side)])
    sizes = sizes_of_model(trainer.base, arguments)
    shards = accel.state().num_processes if sharding.is_split(trainer.model) else 1
    if needs := accel.share(needs_checkpointing(sizes, arguments, longest, room, shards)):
        trainer.args.gradient_checkpointing = True
        weights.exclude_vision_from_checkpointing(trainer)
    return needs
