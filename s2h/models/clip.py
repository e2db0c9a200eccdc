"""Image-text models through open_clip: a name with its pretrained weights, a Hub id, or a local folder; the bundled small
one for the built-in world's images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2h.models import ModelError, names

DEFAULT = "ViT-B-32:openai"


@dataclass
class Clip:
    """An image-text model ready to embed; `name` goes into the records' scores."""

    name: str
    model: Any
    transform: Any
    tokenizer: Any

    def prepare(self, image: Any) -> Any:
        """A PIL image as the model's input tensor [3, H, W]; may run in another thread."""
        return self.transform(image)

    def images(self, tensors: list[Any]) -> Any:
        """Unit-length embeddings of prepared images, float32 [N, D]."""
        import torch

        batch = torch.stack(tensors)
        return self._embed(self.model.encode_image, batch)

    def texts(self, texts: list[str]) -> Any:
        """Unit-length embeddings of texts, float32 [N, D]."""
        return self._embed(self.model.encode_text, self.tokenizer(texts))

    def _embed(self, encode: Any, batch: Any) -> Any:
        import torch

        from s2h import accel

        with torch.inference_mode():
            return encode(batch.to(accel.device()), normalize=True).float().cpu().numpy()


def load(name: str = DEFAULT) -> Clip:
    """Load `NAME:PRETRAINED`, `NAME` (its first listed weights), `hf-hub:…`, a local folder in open_clip's layout, or
    `mini-clip`. Raises ModelError where the weights can't be had."""
    import logging

    import open_clip

    from s2h import accel

    logging.getLogger().setLevel(max(logging.getLogger().level, logging.WARNING))
    model_name, pretrained = _resolve(name)
    try:
        model, _, transform = open_clip.create_model_and_transforms(
            model_name, pretrained=pretrained, device=accel.device(), weights_only=True
        )
        tokenizer = open_clip.get_tokenizer(model_name)
    except Exception as error:  # open_clip and the hub client have no common base
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            f"--clip-model {name}: the weights can't be had: {reason} (check the name and the network, or give a local "
            "folder in open_clip's layout)"
        ) from error
    return Clip(name, model.eval(), transform, tokenizer)


def _resolve(name: str) -> tuple[str, str | None]:
    if name == "mini-clip":
        return f"local-dir:{names.bundled(name)}", None
    if name.startswith(("hf-hub:", "local-dir:")):
        return name, None
    if Path(name).is_dir():
        return f"local-dir:{name}", None
    import open_clip

    model_name, _, pretrained = name.partition(":")
    listed = open_clip.list_pretrained_tags_by_model(model_name)
    if not listed:
        raise ModelError(
            f"--clip-model {name}: open_clip knows no {model_name!r} (see open_clip.list_pretrained())"
        )
    if pretrained and pretrained not in listed:
        raise ModelError(f"--clip-model {name}: no weights {pretrained!r} (choose from {', '.join(listed)})")
    return model_name, pretrained or listed[0]
