"""The kinds of models that judgements share: CLIP, a text model and a reference vision-language model. Each defines
the option that names the model, how a name is completed, and how the model is loaded when `s2h.filters.engine.Engine` first
needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s2h.filters.judgement import Loading, ModelKind, Option, Text

if TYPE_CHECKING:
    from s2h.filters.engine import Engine
    from s2h.filters.log_probabilities import ReferenceModel


def _load_clip(name: str, how: Loading) -> Any:
    from s2h.models import clip

    return clip.load(name, dtype=how.dtype or "float32", compile=how.compile)


def _load_text(name: str, how: Loading) -> Any:
    from s2h.models import text

    return text.load(name, dtype=how.dtype or "float32")


def _load_reference(name: str, how: Loading) -> Any:
    if how.server is not None:
        from s2h.filters.served_reference import ServedReference
        from s2h.models import image_size, server

        pixels = image_size.wanted(name, how.pixels)
        found = server.connect(name, how.server, pixels, thinking=how.thinking)
        return ServedReference(found, how.notes)
    from s2h.filters import log_probabilities

    return log_probabilities.load(name, how.dtype or "auto", how.pixels, how.thinking)


def _remark_reference(model: ReferenceModel) -> str:
    return f"each prompt is computed twice, once for each answer: {model.doubled}" if model.doubled else ""


def _attach_reference(engine: Engine) -> None:
    from s2h.filters import log_probabilities

    log_probabilities.attach(engine)


def _identify_clip(name: str) -> str:
    from s2h.models import clip

    return clip.identify(name)


def _identify_text(name: str) -> str:
    from s2h.models import text

    return text.identify(name)


CLIP = ModelKind(
    "clip", "CLIP scores by", _load_clip, identify=_identify_clip,
    option=Option(
        "--clip-model", Text("NAME", is_read=True),
        "CLIP model for all pairs: NAME or NAME:PRETRAINED of open_clip, hf-hub:ID, or a local folder.  [default: "
        "mini-clip for built-in pairs, ViT-B-32:openai for all others]",
        asks=False,
    ),
)  # fmt: skip
TEXT = ModelKind(
    "text", "text similarity by", _load_text, identify=_identify_text,
    option=Option(
        "--text-model", Text("NAME", is_read=True),
        "Text model for all answers: a Hub id or a local folder of sentence-transformers.  [default: mini-text for "
        "built-in pairs, sentence-transformers/all-mpnet-base-v2 for all others]",
        asks=False,
    ),
)  # fmt: skip
REFERENCE = ModelKind(
    "ref", "log-probabilities by", _load_reference, remark=_remark_reference, attach=_attach_reference
)

KINDS = (CLIP, TEXT, REFERENCE)
