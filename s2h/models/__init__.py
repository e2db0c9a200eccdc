"""Models: vision-language models, CLIP and text models, by name. How they are loaded and guarded, batched generation and
scoring, token counts, and the bundled miniatures."""

from __future__ import annotations

from s2h.errors import WrongUsage


class ModelError(RuntimeError):
    """A model that can't be loaded or can't do what is asked. The message is one line with the remedy."""


class UnknownModel(ModelError, WrongUsage):
    """A name that is probably a mistyped short name."""
