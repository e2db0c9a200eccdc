"""Replies of a vision-language model to prompts. `Replier` is the door through which s2h-gen asks a model: one in this
process (`Local`) or one on a server (`s2h.models.server.Server`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from s2h.errors import RecordError
from s2h.models.thinking import answer_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from s2h.images.resizing import Pixels
    from s2h.models.vlm import VLM

Row = tuple[list[dict], "list[Image]"]  # messages of a prompt, and its images in order


@dataclass(frozen=True)
class Reply:
    """A reply. text: without a thought and white space around it. cut: whether the token limit ended it."""

    text: str
    cut: bool = False


@dataclass(frozen=True)
class Sampling:
    """How a model replies: greedily with samples=1, else `samples` times at a temperature."""

    max_new_tokens: int = 64
    samples: int = 1
    temperature: float = 1.0
    seed: int = 0


class Refused(RecordError):
    """A prompt that a model does not take, as it is too long or has too many images. Another try would be refused too."""


class Replier(Protocol):
    """A model that replies to prompts."""

    @property
    def name(self) -> str:
        """The user's name for the model."""

    @property
    def pixels(self) -> Pixels:
        """The bounds of an image that the user or the preset has set."""

    def fit(self, images: list[Image]) -> list[Image]:
        """Return the images within these bounds, unless the model's processor applies the bounds itself."""

    def takes(self, messages: list[dict], images: list[Image]) -> bool:
        """Tell whether the model can process a prompt, as far as that is known before it is asked."""

    def replies(
        self, rows: Mapping[int, Row], how: Sampling
    ) -> Iterator[tuple[int, list[Reply] | RecordError]]:
        """Yield (key of the row, its replies) as they are ready, or (key, error) for a prompt without an answer. Raises
        ModelError if the model answers no prompt."""


@dataclass(frozen=True)
class Local:
    """A model in this process. batch_size: prompts that it answers at a time."""

    model: VLM
    batch_size: int

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def pixels(self) -> Pixels:
        return self.model.pixels

    def fit(self, images: list[Image]) -> list[Image]:
        return [self.model.shown.fit(image) for image in images]

    def takes(self, messages: list[dict], images: list[Image]) -> bool:
        """Tell whether the model can process a prompt. An image token in the text, an image that the processor refuses, or a
        prompt longer than the context window would end the whole batch."""
        from s2h.models import prompts, tokens

        try:
            with tokens.refusals(self.name):
                pictures = prompts.prepare_images(self.model, list(images))
                prompt = prompts.prepare(self.model, messages, pictures)
        except RecordError:
            return False
        return len(prompt.ids) < tokens.positions(self.model.model.config)

    def replies(
        self, rows: Mapping[int, Row], how: Sampling
    ) -> Iterator[tuple[int, list[Reply] | RecordError]]:
        from s2h.models import vlm

        most, asked = how.max_new_tokens, rows.values()
        if how.samples == 1:
            greedy = vlm.generate(self.model, asked, batch_size=self.batch_size, max_new_tokens=most)
            texts: Iterator[list[str]] = ([text] for text in greedy)
        else:
            texts = vlm.sample(
                self.model, asked, samples=how.samples, temperature=how.temperature, seed=how.seed,
                batch_size=self.batch_size, max_new_tokens=most,
            )  # fmt: skip
        for at, some in zip(rows, texts, strict=True):
            ids = self.model.processor.tokenizer(some, add_special_tokens=False)["input_ids"]
            yield at, [Reply(answer_of(text), len(own) >= most) for text, own in zip(some, ids, strict=True)]
