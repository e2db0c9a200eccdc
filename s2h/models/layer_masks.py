"""Masks of packed rows for language models whose layers differ: in some a window slides over the tokens before, and in some
the tokens of an image attend to each other. Both happen within the prompt, except that the window of an answer reaches into
it. `s2h.models.prefix_sharing` gives the masks to the model, which takes them by the name of a layer's type."""

from __future__ import annotations

from typing import Any

from s2h.models import packed_attention
from s2h.models.packed_attention import PROMPT

FULL, SLIDING = "full_attention", "sliding_attention"
# By type of language model: the layers in which the tokens of an image attend to each other.
BLOCKS = {"gemma3_text": (FULL, SLIDING), "gemma4_text": (SLIDING,)}


def needed(text: Any) -> bool:
    """Return whether a language model takes masks by type of layer. text: its configuration."""
    return text.model_type in BLOCKS


def why_not(text: Any) -> str | None:
    """Return the reason why the masks can't be those of the model, or None if they can."""
    if getattr(text, "use_bidirectional_attention", None) in (True, "all"):
        return "tokens of text attend to later ones"
    unknown = sorted(set(text.layer_types) - {FULL, SLIDING})
    return f"layers of type {unknown[0]}" if unknown else None


def by_layer(text: Any, segments: Any, positions: Any, types: Any) -> dict[str, Any]:
    """Return the masks of packed rows with segments [B, S], bool [B, 1, S, S] each, by type of layer.

    positions: [B, S]. The window counts them: in a row, the second answer is farther from its prompt than it is for the
    model. types: of the tokens [B, S], 1 for those of an image; None if the rows have no images.
    """
    whole = packed_attention.mask(segments)
    near = (positions.unsqueeze(2) - positions.unsqueeze(1) < text.sliding_window).unsqueeze(1)
    blocks = () if types is None else _blocks_in(text)
    seen = {
        kind: whole | _same_image(segments, types) if kind in blocks else whole for kind in (FULL, SLIDING)
    }
    seen[SLIDING] = seen[SLIDING] & near
    return seen


def _blocks_in(text: Any) -> tuple[str, ...]:
    # Gemma 4 has a setting for it, which is off in its smaller models.
    if getattr(text, "use_bidirectional_attention", None) != "vision" and text.model_type == "gemma4_text":
        return ()
    return BLOCKS[text.model_type]


def _same_image(segments: Any, types: Any) -> Any:
    """Return whether query and key belong to the same image, bool [B, 1, S, S]. An image is a run of tokens of type 1."""
    from torch.nn.functional import pad

    is_image = (types == 1) & (segments == PROMPT)
    number = (is_image & ~pad(is_image, (1, 0))[:, :-1]).cumsum(1)
    both = is_image.unsqueeze(2) & is_image.unsqueeze(1)
    return (both & (number.unsqueeze(2) == number.unsqueeze(1))).unsqueeze(1)
