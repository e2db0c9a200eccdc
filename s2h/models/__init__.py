"""Models: names to real ones, how they are loaded, batched generation and scoring, and the bundled miniatures."""

from __future__ import annotations


class ModelError(RuntimeError):
    """A model that can't be had or can't do what is asked; the message is one line with the remedy."""
