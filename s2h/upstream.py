"""Every private or undocumented part of TRL, transformers, PEFT and accelerate that s2h relies on, and nothing else.

`PARTS` names each part, the reason, and the upstream issue, if there is one. `check` looks for all of them at the start of
s2h-train, so that a new release that moved one gives an error with a remedy, and no wrong number later. The rest of the
module is the code that uses them: `TrainerSeams` gives the private methods of the trainers public names, the functions do
the same for models, adapters and processes. The names of a model's modules (`language_model`, `self_attn`, `get_rope_index`,
…) are not listed here: `s2h.train.agreement` compares the numbers of each run's model with those of TRL's own step.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2h.record import RecordError

if TYPE_CHECKING:
    from trl import DPOTrainer as _Trainer
else:
    _Trainer = object

# The oldest and the newest release of each library with which the tests passed.
SEEN = {
    "accelerate": ("1.10.1", "1.15.0"),
    "peft": ("0.18.0", "0.21.2"),
    "transformers": ("5.18.0", "5.24.0"),
    "trl": ("1.16.0", "1.16.0"),
}
# Names of transformers' files in a checkpoint: the state is written last, and each process writes its random numbers' state.
STATE_FILE, OPTIMIZER_FILE, SCHEDULER_FILE = "trainer_state.json", "optimizer.pt", "scheduler.pt"
RANDOM_STATES, WEIGHT_FILES = "rng_state*.pth", ("*model*.bin", "*.safetensors")
# The function that transformers hooks to each embedding so that its output asks for gradients.
GRADIENT_HOOK = "make_inputs_require_grads"
# TRL's names for what its loss measures, and the columns in which its loss looks for the reference.
MEASURES = (
    "rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected",
)  # fmt: skip
REFERENCE = ("ref_chosen_logps", "ref_rejected_logps")


@dataclass(frozen=True)
class Part:
    """A private part. where: "module:Object.attribute". to: what s2h-train needs it for. issue: upstream's.

    takes: parameters that the function must have. says: names and strings that its code must hold, for attributes that a
    constructor sets and for columns of a batch. value: what a constant must be equal to.
    """

    where: str
    to: str
    issue: str = ""
    takes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    value: Any = None


PARTS = (
    # TRL. It prepares no images before training, so it also refuses to compute their reference before training.
    Part("trl:DPOTrainer._prepare_dataset", "leave rows to its own collator"),
    Part("trl:DPOTrainer._precompute_ref_logps", "compute the reference of images once", "huggingface/trl#5867"),
    Part("trl:DPOTrainer.__init__", "take the reference from the batches", "huggingface/trl#3985",
         says=("precompute_ref_logps", "loss_types", "loss_weights", "beta")),
    Part("trl:DPOTrainer.__init__", "log means over pairs", says=("_metrics", "_total_train_tokens")),
    Part("trl:DPOTrainer._compute_loss", "train on its own batches", takes=("model", "inputs", "return_outputs"),
         says=(*REFERENCE, "completion_mask", "log_probs", "entropy", "mean_logits", "is_top1")),
    Part("trl:DPOTrainer._compute_loss", "log means over pairs", says=MEASURES),
    Part("trl:DPOTrainer.compute_ref_log_probs", "compute the reference once", takes=("model", "inputs")),
    Part("trl.trainer.utils:add_fused_lm_head", "read the log-probability of each token",
         says=("log_probs", "last_hidden_state", "base_model")),
    # transformers' trainer.
    Part("transformers:Trainer._get_dataloader", "load batches that it has formed itself",
         takes=("dataset", "description", "batch_size", "is_training")),
    Part("transformers:Trainer._prepare_inputs", "move a batch to the device", takes=("inputs",)),
    Part("transformers:Trainer._save_checkpoint", "keep the last whole checkpoint", takes=("model", "trial")),
    Part("transformers:Trainer._load_from_checkpoint", "name a damaged file", takes=("resume_from_checkpoint",)),
    Part("transformers:Trainer._load_optimizer_and_scheduler", "name a damaged file", takes=("checkpoint",)),
    Part("transformers:Trainer._load_rng_state", "name a damaged file", takes=("checkpoint",)),
    Part("transformers.trainer:TRAINER_STATE_NAME", "find whole checkpoints", value=STATE_FILE),
    Part("transformers.trainer:OPTIMIZER_NAME", "name a damaged file", value=OPTIMIZER_FILE),
    Part("transformers.trainer:SCHEDULER_NAME", "name a damaged file", value=SCHEDULER_FILE),
    # transformers' models.
    Part("transformers:PreTrainedConfig._attn_implementation", "restore the attention that a model was loaded with"),
    Part("transformers.integrations.sdpa_attention:sdpa_attention_forward", "compute rows that are not packed",
         takes=("module", "query", "key", "value", "attention_mask", "dropout", "scaling")),
    Part("transformers.masking_utils:sdpa_mask", "compute rows that are not packed"),
    Part("transformers:PreTrainedModel.enable_input_require_grads", "keep the frozen vision tower out of checkpointing",
         "huggingface/transformers#41993", says=(GRADIENT_HOOK,)),
    # Not every processor has this one: others prepare an image to count its tokens.
    Part("transformers.models.llava.processing_llava:LlavaProcessor._get_num_multimodal_tokens",
         "count the tokens of an image without preparing it", "huggingface/transformers#37915"),
    Part("transformers.dynamic_module_utils:TIME_OUT_REMOTE_CODE", "refuse a model's code without asking"),
    # PEFT: what its LoRA layers hold, for the fused product, and the names of their weights.
    Part("peft.tuners.lora.layer:LoraLayer.__init__", "compute LoRA in fewer passes",
         says=("scaling", "lora_dropout", "lora_A", "lora_B", "lora_bias", "lora_variant")),
    # accelerate.
    Part("accelerate:PartialState._shared_state", "give processes a day to wait for each other",
         "huggingface/accelerate#2587"),
    Part("accelerate.commands.launch:launch_command", "start several processes", takes=("args",)),
    Part("accelerate.commands.launch:launch_command_parser", "start several processes"),
    Part("accelerate:Accelerator.gather", "let processes have batches of different sizes",
         "huggingface/accelerate#1674", takes=("tensor",)),
)  # fmt: skip


def check(parts: tuple[Part, ...] = PARTS) -> None:
    """Raise RecordError, with versions to install, if a part is missing. It imports only what s2h-train imports anyway."""
    from importlib.metadata import version

    for part in parts:
        if missing := lack(part):
            library = part.where.partition(":")[0].partition(".")[0]
            pins = " ".join(f"{name}=={newest}" for name, (_, newest) in SEEN.items())
            raise RecordError(
                f"{library} {version(library)} {missing}, which s2h-train needs to {part.to}",
                remedy=f"pip install {pins}",
            )


def lack(part: Part) -> str:
    """Return a clause for a part that is missing or differs, "has no …"; "" if it is there."""
    module, _, path = part.where.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError):
        return f"has no {module}.{path}"
    if part.value is not None and found != part.value:
        return f"has {found!r} for {module}.{path} in place of {part.value!r}"
    for name in part.takes:
        if name not in inspect.signature(found).parameters:
            return f"has no parameter {name} of {module}.{path}"
    known = _words(inspect.unwrap(found).__code__) if part.says else set()
    missing = [name for name in part.says if name not in known]
    return f"has no {missing[0]} in {module}.{path}" if missing else ""


def _words(code: Any) -> set[str]:
    """Return names and strings in a function's code and in the functions that it defines."""
    found = {*code.co_names, *code.co_varnames, *code.co_cellvars}
    for value in code.co_consts:
        if inspect.iscode(value):
            found |= _words(value)
        else:
            found |= set(value if isinstance(value, tuple | frozenset) else (value,))
    return found


def attention_of(config: Any) -> str:
    """Return the name of the attention that a model, or a part of it, computes with: sdpa, eager, …"""
    return config._attn_implementation


def set_attention(config: Any, name: str) -> Callable[[], None]:
    """Let a model's part compute with an attention that transformers' method refuses. Return a function that undoes it."""
    before, config._attn_implementation = attention_of(config), name
    return lambda: setattr(config, "_attn_implementation", before)


def register_attention(name: str, function: Callable) -> None:
    """Make an attention function known to transformers, with the masks of SDPA for rows that are not packed."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, sdpa_mask)


def sdpa(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **more: Any) -> tuple[Any, None]:
    """Return transformers' own attention by SDPA: query [B, H, S, D], key and value [B, K, S, D] to [B, S, H, D]."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    return sdpa_attention_forward(module, query, key, value, attention_mask, **more)


def replace(owner: Any, name: str, function: Callable) -> Callable[[], None]:
    """Replace a method of one object of a library. Return a function that puts the former one back."""
    own, former = name in vars(owner), getattr(owner, name)

    def restore() -> None:
        setattr(owner, name, former) if own else delattr(owner, name)

    setattr(owner, name, function)
    return restore


def image_tokens(processor: Any, size: tuple[int, int]) -> int:
    """Return the number of tokens that the processor computes for an image of (width, height) pixels, without preparing it.
    Raises any error if the processor has no such method, or one of another kind."""
    width, height = size
    made = processor._get_num_multimodal_tokens(image_sizes=[(height, width)])
    return int(made["num_image_tokens"][0])


def name_model(model: Any, processor: Any, place: str) -> None:
    """Set the name that PEFT writes into an adapter as its base: the Hub id or the user's folder, not a folder of the
    cache."""
    model.name_or_path = model.config._name_or_path = processor.tokenizer.name_or_path = place


@contextlib.contextmanager
def no_questions() -> Iterator[None]:
    """Keep transformers from asking on standard input whether code of a model may be run; it is refused instead.

    `TIME_OUT_REMOTE_CODE` is no documented setting, but transformers' own tests set it to 0 for the same purpose.
    """
    from transformers import dynamic_module_utils

    before = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
    try:
        yield
    finally:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = before


def keep_from_checkpointing(model: Any, frozen: list[Any]) -> None:
    """Keep frozen modules out of gradient checkpointing, however often a library switches it on for the model.

    transformers makes the output of every embedding require gradients, also in a frozen vision tower, whose layers would
    then be recomputed and run backward in vain.
    """
    switch_on = model.gradient_checkpointing_enable

    def enable(*args: Any, **kwargs: Any) -> None:
        switch_on(*args, **kwargs)
        for module in frozen:
            if hasattr(module, "gradient_checkpointing"):
                module.gradient_checkpointing = False
            for key, hook in list(module._forward_hooks.items()):
                if hook.__name__ == GRADIENT_HOOK:
                    del module._forward_hooks[key]

    replace(model, "gradient_checkpointing_enable", enable)


def plain_adapter(layer: Any) -> str | None:
    """Return the active adapter of a LoRA layer that adds nothing but a scaled low-rank product to a frozen linear layer.
    None for dropout, DoRA, biases, several adapters, quantized weights, and weights that FSDP or ZeRO fetch when called."""
    from torch import nn

    if layer.disable_adapters or layer.merged or len(layer.active_adapters) != 1:
        return None
    (name,) = layer.active_adapters
    if name not in layer.lora_A or name in layer.lora_variant or layer.lora_bias[name]:
        return None
    if layer.training and not isinstance(layer.lora_dropout[name], nn.Identity):
        return None
    parts = layer.base_layer, layer.lora_A[name], layer.lora_B[name]
    if type(parts[0]) is not nn.Linear or any(p.requires_grad for p in parts[0].parameters()):
        return None
    return None if any(part._forward_pre_hooks for part in parts) else name


def has_process_state() -> bool:
    """Return whether accelerate has initialized its state. Creating a PartialState to ask would initialize it."""
    from accelerate import PartialState

    return bool(PartialState._shared_state)


def launch(arguments: list[str]) -> None:
    """Run `accelerate launch` in this process, with the arguments of its command line."""
    from accelerate.commands.launch import launch_command, launch_command_parser

    launch_command(launch_command_parser().parse_args(arguments))


def rows_only(dataset: Any) -> Any:
    """Return the dataset without images. TRL refuses `precompute_ref_log_probs` for vision data, and without it TRL loads a
    second model as the reference of a full fine-tuning."""
    from datasets import Dataset

    return Dataset.from_dict({"row": dataset.with_format(None)["row"]})


class _HeadOutput(dict):
    """The output of TRL's fused head, made of known log-probabilities."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class TrainerSeams(_Trainer):
    """Public names for the private methods of TRL's and transformers' trainers. A trainer inherits from this class first and
    from DPOTrainer second, calls `prepare_batch`, `save_checkpoint`, … and overrides them."""

    model: Any
    args: Any
    _total_train_tokens: Any

    def _prepare_dataset(self, dataset: Any, *args: Any) -> Any:
        return dataset  # TRL would tokenize the rows of a full fine-tuning, without their images

    def _precompute_ref_logps(self, dataset: Any, *args: Any) -> Any:
        return dataset  # `PairTrainer.measure_reference` does it, with the images

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write no card beside a checkpoint: a run has its own (`s2h.train.card`)."""

    def prepare_batch(self, batch: dict) -> dict:
        """Move a batch to the device."""
        return super()._prepare_inputs(batch)

    def _prepare_inputs(self, inputs: dict) -> dict:
        return self.prepare_batch(inputs)

    def save_checkpoint(self, model: Any, trial: Any = None) -> None:
        """Write a checkpoint of the current step."""
        super()._save_checkpoint(model, trial)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self.save_checkpoint(model, trial)

    def load_weights(self, checkpoint: str, model: Any = None) -> None:
        """Read a checkpoint's weights into the model."""
        super()._load_from_checkpoint(checkpoint, model)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.load_weights(resume_from_checkpoint, model)

    def load_optimizer(self, checkpoint: str | None) -> None:
        """Read a checkpoint's optimizer and learning-rate schedule."""
        super()._load_optimizer_and_scheduler(checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        self.load_optimizer(checkpoint)

    def load_random_state(self, checkpoint: str | None) -> None:
        """Read the state of this process's random numbers."""
        super()._load_rng_state(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        self.load_random_state(checkpoint)

    def loader_of(self, batches: Any) -> Any:
        """Return a training loader that gives the items of `batches` one at a time, in order, dealt out among processes."""
        return self._get_dataloader(batches, "Training", batch_size=1, is_training=True)

    @property
    def mode(self) -> str:
        """The name under which TRL keeps its current measures: "train" or "eval"."""
        return "train" if self.model.training else "eval"

    def measures(self, mode: str) -> dict[str, list[float]]:
        """Return TRL's measures since the last log line, by name, one value for each batch. mode: "train" or "eval"."""
        return self._metrics[mode]

    @contextlib.contextmanager
    def measures_aside(self, mode: str) -> Iterator[None]:
        """Keep the computations of the block out of TRL's measures. mode: "train" or "eval"."""
        kept = self._metrics[mode], self._total_train_tokens
        self._metrics[mode] = defaultdict(list)
        try:
            yield
        finally:
            self._metrics[mode], self._total_train_tokens = kept

    @contextlib.contextmanager
    def without_gathering(self) -> Iterator[None]:
        """Switch off accelerate's `gather` in the block. TRL gathers the rewards of every batch, for which all processes
        would need batches of the same size."""
        if self.accelerator.num_processes < 2:
            yield
            return
        restore = replace(self.accelerator, "gather", lambda value: value)
        try:
            yield
        finally:
            restore()

    def loss_of(self, inputs: dict[str, Any], log_probs: Any) -> float:
        """Return TRL's loss of B pairs from their log-probabilities [2B, L - 1], without a forward pass."""
        import torch

        device = self.accelerator.device
        zeros = torch.zeros_like(log_probs, device=device)
        rest = {"entropy": zeros, "mean_logits": zeros, "is_top1": zeros.bool(), "aux_loss": zeros.sum()}
        output = _HeadOutput(log_probs=log_probs.to(device), **rest)
        inputs = {key: value.to(device) for key, value in inputs.items()}
        with self.measures_aside(self.mode), self.without_gathering(), torch.no_grad():
            return super().compute_loss(lambda **_: output, inputs).item()
