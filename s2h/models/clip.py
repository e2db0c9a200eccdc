"""Image-text models through open_clip: by a name with its pretrained weights, a Hub id or a local folder; and the bundled
small model for images of the built-in world. Only safetensors are loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from s2h import upstream
from s2h.errors import one_line
from s2h.models import ModelError, guard, hub_files, names
from s2h.processes import uncollected

DEFAULT, BUNDLED = "ViT-B-32:openai", "mini-clip"
CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
TEXTS_AT_ONCE = 256
PROBE = ("A photo of two dogs, a cat & 3 birds.", "naïve “quotes” 日本 -- <end>", "word " * 100)


@dataclass(frozen=True)
class Clip:
    """An image-text model ready to embed. name: in full, as in scores. files: those that it was read from. whole: fill
    batches up to `images_at_once`, since a compiled model is compiled again for each new size."""

    name: str
    model: Any
    transform: Any
    tokenizer: Any
    files: tuple[str, ...] = ()
    whole: bool = False

    @property
    def images_at_once(self) -> int:
        """The number of images that the model computes fastest in one call."""
        return 256 if next(self.model.parameters()).is_cuda else 32

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits: a hash of everything that embeddings depend on."""
        from s2h.models import fingerprint

        return fingerprint.of_embedder(self.model, self.transform, self.tokenizer(list(PROBE)).tolist())

    def prepare(self, image: Any) -> Any:
        """Return a PIL image as the model's input, float32 [3, H, W]. Safe to call from several threads."""
        return self.transform(image)

    def images(self, pictures: list[Any]) -> Any:
        """Return unit-length embeddings of PIL images, prepared or not: a NumPy array, float32 [N, D]."""
        import torch

        tensors = [picture if torch.is_tensor(picture) else self.prepare(picture) for picture in pictures]
        batch = torch.stack(tensors)
        if self.whole and len(batch) < self.images_at_once:
            batch = torch.cat([batch, batch.new_zeros(self.images_at_once - len(batch), *batch.shape[1:])])
        weights = next(self.model.parameters())
        if weights.is_cuda:
            batch = batch.contiguous(memory_format=torch.channels_last)
        return self._embed(self.model.encode_image, batch.to(weights.dtype))[: len(tensors)]

    def texts(self, texts: list[str]) -> Any:
        """Return unit-length embeddings of texts, each cut at the model's context: a NumPy array, float32 [N, D]."""
        import numpy

        parts = [texts[i : i + TEXTS_AT_ONCE] for i in range(0, len(texts), TEXTS_AT_ONCE)]
        return numpy.concatenate(
            [self._embed(self.model.encode_text, self.tokenizer(part)) for part in parts]
        )

    def cut(self, texts: list[str]) -> int:
        """Return the number of texts that are longer than the model's context, which ignores their ends."""
        length = self.tokenizer.context_length
        # A token has at least one byte, and two tokens mark the start and the end.
        long = [text for text in texts if len(text.encode()) > length - 2]
        if not long:
            return 0
        # With room for one more token, only a text that was cut gets other tokens.
        kept, more = (self.tokenizer(long, context_length=n)[:, :length] for n in (length, length + 1))
        return int((kept != more).any(-1).sum())

    def _embed(self, encode: Any, batch: Any) -> Any:
        import torch

        from s2h import accel

        with torch.inference_mode():
            return encode(batch.to(accel.device()), normalize=True).float().cpu().numpy()


def identify(name: str) -> str:
    """Return the name in full, as in scores: `ViT-B-32` is `ViT-B-32:openai`, its first weights in open_clip's list,
    and so is `ViT-B-32/openai`.

    Raises ModelError for a name that is neither open_clip's, nor `hf-hub:ID`, nor a folder in open_clip's layout.
    """
    if name in (BUNDLED, DEFAULT) or name.startswith("hf-hub:"):
        return name
    folder = os.path.normpath(name.removeprefix("local-dir:"))
    if os.path.isfile(os.path.join(folder, CONFIG)):
        return folder
    if name.startswith("local-dir:") or os.path.isdir(folder):
        raise ModelError(
            f"--clip-model {name}: no model in open_clip's layout there (a folder with {CONFIG} and {WEIGHTS})"
        )
    import open_clip

    model, _, weights = name.partition(":")
    if "/" in model:
        model, _, weights = name.partition("/")
    if model not in open_clip.list_models():
        raise ModelError(
            f"--clip-model {name}: no such model and no such folder (a name of open_clip such as ViT-B-32:openai, "
            "hf-hub:ID, or a folder)"
        )
    listed = open_clip.list_pretrained_tags_by_model(model)
    if (
        weights
        and weights not in listed
        and not (weights.endswith(".safetensors") and os.path.isfile(weights))
    ):
        raise ModelError(
            f"--clip-model {name}: no such weights ({', '.join(listed[:6])} ... are in open_clip.list_pretrained(); or "
            "name a .safetensors file)"
        )
    if not weights and not listed:
        raise ModelError(
            f"--clip-model {name}: open_clip has no weights for it (name a file: {name}:FILE.safetensors)"
        )
    return f"{model}:{weights or listed[0]}"


def load(name: str = DEFAULT, *, dtype: str = "float32", compile: bool = False) -> Clip:
    """Load a model by any name that `identify` takes. It is downloaded only if it is not on this machine. Raises
    ModelError if it can't be loaded.

    Model, image transform and tokenizer are open_clip's own, as the folder's or the Hub's configuration describes them.
    dtype: float32, bfloat16 or float16. compile: use torch.compile, which takes a minute and is faster after it.
    """
    from s2h import accel

    with uncollected():
        import open_clip
        import torch
        from open_clip.transform import PreprocessCfg, image_transform_v2

    name = identify(name)
    with hub_files.quiet(), upstream.no_questions():
        try:
            place, options, files = _locate(name)
            model = open_clip.create_model(place, pretrained_text=False, require_pretrained=True, **options)
            _check_shapes(name, model, files)
            transform = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
            tokenizer = open_clip.get_tokenizer(place)
        except ModelError:
            raise
        except Exception as error:  # open_clip, torch and the Hub's client have no error in common
            if refusal := guard.refused(error, f"--clip-model {name}"):
                raise ModelError(refusal) from error
            if "state_dict" in str(error):  # torch lists every tensor
                raise ModelError(
                    f"--clip-model {name}: the checkpoint has other shapes than the model: {one_line(error, 160)}"
                ) from error
            raise ModelError(
                f"the CLIP model {name} can't be loaded: {one_line(error, 160)} (download it first, or name another: "
                f"--clip-model NAME, hf-hub:ID or a folder; {BUNDLED} is for built-in images)"
            ) from error
    model = model.to(accel.device(), accel.dtype(dtype)).eval()
    if accel.device().type == "cuda":
        model = model.to(memory_format=torch.channels_last)
    if compile:
        model.encode_image = torch.compile(model.encode_image)
    return Clip(name, model, transform, tokenizer, files, compile)


def _check_shapes(name: str, model: Any, files: tuple[str, ...]) -> None:
    """Raise ModelError for a user's checkpoint with a tensor of another shape than the model's. open_clip would resize
    positions silently, which changes the cosines."""
    from safetensors import safe_open

    local = [file for file in files if os.path.basename(file) == WEIGHTS or len(files) == 1]
    if "/snapshots/" in (local[0] if local else "/snapshots/"):
        return
    wanted = {key: list(tensor.shape) for key, tensor in model.state_dict().items()}
    with safe_open(local[0], "pt") as checkpoint:
        for key in checkpoint.keys():  # noqa: SIM118 - it is no dict
            shape = list(checkpoint.get_slice(key).get_shape())
            if shape != wanted.get(key, shape):
                raise ModelError(
                    f"--clip-model {name}: the checkpoint has other shapes than the model: {key} is {shape} and "
                    f"should be {wanted[key]}"
                )


def _locate(name: str) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """Return the name of a model for open_clip, the options to make it with, and the files that it is read from.

    Weights are fetched here, as safetensors, because open_clip would fall back to pickles. OpenAI's weights were trained
    with QuickGELU, which open_clip's `ViT-B-32` lacks: it would only warn and give other cosines.
    """
    from open_clip.pretrained import get_pretrained_cfg

    if name == BUNDLED or os.path.isdir(name):
        folder = str(names.bundled(name)) if name == BUNDLED else name
        if not os.path.isfile(os.path.join(folder, WEIGHTS)):
            raise ModelError(f"--clip-model {name}: {WEIGHTS} is missing (only safetensors are loaded)")
        used = guard.check_parts(os.path.join(folder, CONFIG), f"--clip-model {name}")
        guard.check(folder, f"--clip-model {name}", auto_map=used)
        return f"local-dir:{folder}", {}, hub_files.listed(folder)
    if name.startswith("hf-hub:"):
        repository = name.removeprefix("hf-hub:")
        files = [hub_files.fetch(repository, file) for file in (CONFIG, WEIGHTS)]
        used = guard.check_parts(files[0], f"--clip-model {name}", repository)
        folder = hub_files.settings(repository) if used else os.path.dirname(files[0])
        guard.check(folder, f"--clip-model {name}", auto_map=used)
        # The checked folder is loaded, and not the repository, whose files could be others.
        return f"local-dir:{os.path.dirname(files[0])}", {}, hub_files.snapshot(files[0])
    model, _, weights = name.partition(":")
    listed = get_pretrained_cfg(model, weights)
    if not listed:
        return model, {"pretrained": weights}, (os.path.abspath(weights),)
    repository, _, file = listed.get("hf_hub", "").rpartition("/")
    if file in ("", "open_clip_pytorch_model.bin"):
        file = WEIGHTS
    elif file.endswith((".bin", ".pth")):
        file = file[:-4] + ".safetensors"
    if not repository or not file.endswith(".safetensors"):
        raise ModelError(
            f"--clip-model {name}: these weights are not published as safetensors (choose others)"
        )
    looks = {key: listed[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in listed}
    path = hub_files.fetch(repository, file)
    options = {
        "pretrained": path,
        "force_preprocess_cfg": looks,
        "force_quick_gelu": bool(listed.get("quick_gelu")),
    }
    return model, options, hub_files.snapshot(path)
