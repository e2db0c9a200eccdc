"""Tokens of a record in a model, and whether its chat template, its processor and its window can take the record. s2h-train,
s2h-filter --ref and s2h-eval ask before any forward pass, so that a record that the model can't take is named or skipped,
and never ends a batch. The counts are those of the tensors that `s2h.models.encode` makes.

    counter = TokenCounter(processor, "qwen2_5_vl", window=32768)
    counter.count(record, images).row
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from s2h import upstream
from s2h.errors import one_line
from s2h.images.resizing import WHOLE, Pixels
from s2h.models import ModelError, encode, image_size
from s2h.models.prompts import is_plain
from s2h.record import Record, RecordError, text_of

ANSWERS = ("chosen", "rejected")
SMALL = 32  # pixels: processors differ on smaller sides, so such images are prepared to be counted
# Sizes at which the number that a processor computes is compared with its tensors.
PROBES = ((64, 64), (333, 250), (97, 450))


@dataclass(frozen=True)
class PairTokens:
    """Numbers of tokens: of a prompt with its images, of the images alone, and of each answer. image_side: of a further row,
    the prompt with the rejected images and the chosen answer; 0 if there is none."""

    prompt: int
    images: int
    answers: tuple[int, int]
    image_side: int = 0

    @property
    def row(self) -> int:
        """The length of a pair: its prompt plus its longer answer, or its further row if that is longer."""
        return max(self.prompt + max(self.answers), self.image_side)


@dataclass
class TokenCounter:
    """Counts tokens for one model. model_type: as in its configuration. window: the most tokens of a prompt
    with one answer. shown: the bounds within which images are opened for the model."""

    processor: Any
    model_type: str
    window: int
    name: str = "the model"
    shown: Pixels = WHOLE

    @classmethod
    def of(
        cls, model: Any, processor: Any, name: str, window: int = 0, shown: Pixels = WHOLE
    ) -> TokenCounter:
        """Return the counter of a loaded model. window: fewer tokens than the model takes; 0 for as many as it takes."""
        own = positions(model.config)
        return cls(processor, model.config.model_type, min(own, window or own), name, shown)

    def with_most(self, most: int) -> TokenCounter:
        """Return the counter of the same model with `--max-pixels` of `most`."""
        processor, shown = image_size.smaller(self.processor, self.shown, most)
        return TokenCounter(processor, self.model_type, self.window, self.name, shown)

    @cached_property
    def control(self) -> tuple[str, ...]:
        """Texts that the tokenizer reads as control tokens: ends of turns, image marks, padding."""
        tokenizer = self.processor.tokenizer
        added = getattr(tokenizer, "added_tokens_decoder", {}).values()
        found = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
        found |= {getattr(self.processor, f"{kind}_token", None) for kind in ("image", "video")}
        return tuple(sorted(token for token in found if token))

    def check(self, record: Record) -> None:
        """Raise RecordError if a text of the record holds a control token: an image mark would stand for an image that does
        not exist, and an end of turn would cut an answer."""
        for field in ("prompt", *ANSWERS):
            text = text_of(record[field])
            found = next((token for token in self.control if token in text), None)
            if found is not None:
                raise RecordError(
                    f"holds a control token of the model: {found!r}",
                    field,
                    record.where,
                    "take it out of the text",
                )

    @property
    def needs_only_sizes(self) -> bool:
        """Whether `count` reads nothing of an image but its `size`."""
        return is_plain(self.model_type, self.processor)

    def count(self, record: Record, images: list[Any], rejected: Sequence[Any] = ()) -> PairTokens:
        """Count the tokens of a pair whose PIL images are open within the bounds `shown`. rejected: its rejected images, if
        they are computed too. Where `needs_only_sizes`, other objects with a size may stand for the images. Images are
        prepared only if the processor can't say how many tokens they take. Raises RecordError if the model can't take the
        record."""
        self.check(record)
        with refusals(self.name, record.where):
            text = encode.prompt_text(self.processor, record["prompt"])
            answers = self._answers(record, text)
            bare = len(self._ids(text)) - len(images)  # each image is one token of the text
            counted = self._shown(text, bare, images)
            other = bare + self._shown(text, bare, list(rejected)) + answers[0] if rejected else 0
            return PairTokens(bare + counted, counted, answers, other)

    def _shown(self, text: str, bare: int, images: list[Any]) -> int:
        """Return the tokens of the images in a prompt of `bare` other tokens."""
        if (counted := self._count(images)) is not None:
            return counted
        return encode.encode_prompts(self.processor, [text], [images])["input_ids"].shape[1] - bare

    def count_answers(self, record: Record) -> tuple[int, int]:
        """Count the tokens of the chosen and of the rejected answer, as the chat template writes and ends them."""
        with refusals(self.name, record.where):
            return self._answers(record, encode.prompt_text(self.processor, record["prompt"]))

    def _answers(self, record: Record, text: str) -> tuple[int, int]:
        answers = [encode.answer_text(self.processor, record["prompt"], record[a], text) for a in ANSWERS]
        chosen, rejected = self._ids(answers)
        return len(chosen), len(rejected)

    def _ids(self, text: Any) -> Any:
        # verbose=False: the tokenizer would warn about a long text, and the caller says more about it.
        return self.processor.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def _count(self, images: list[Any]) -> int | None:
        """Return the tokens of the images in a prompt; None if they must go through the processor together."""
        return sum(self._tokens(image.size) for image in images) if self.needs_only_sizes else None

    def planned(self, size: tuple[int, int]) -> int:
        """Estimate the tokens of an image whose file has this size, to plan batches; 1 if only the image itself can tell."""
        try:
            return self._tokens(self.shown.size(size))
        except Exception:  # reported when the image is prepared
            return 1

    def _tokens(self, size: tuple[int, int]) -> int:
        """Return the tokens of an image of this size (width, height in pixels), counted once for all images of the size: by
        the processor's formula if that is right for the PROBES, else on a black image of the size."""
        if size not in self._known:
            trusted = self._trusted and min(size) >= SMALL
            self._known[size] = self._computed(size) if trusted else self._measured(size)
        return self._known[size]

    @cached_property
    def _known(self) -> dict[tuple[int, int], int]:
        return {}

    @cached_property
    def _trusted(self) -> bool:
        """Whether the processor's formula is right for the PROBES. LLaVA's uses settings that its image processor may
        ignore."""
        try:
            return all(self._computed(size) == self._measured(size) for size in PROBES)
        except Exception:  # it has no formula, or one with other parameters
            return False

    def _computed(self, size: tuple[int, int]) -> int:
        return upstream.image_tokens(self.processor, size)

    def _measured(self, size: tuple[int, int]) -> int:
        from PIL import Image

        processor = self.processor
        made = encode.encode_prompts(processor, [processor.image_token], [[Image.new("RGB", size)]])
        mark = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
        tokens = [token for token in getattr(processor, "image_token_ids", ()) if token is not None]
        # In Gemma 3's text, the mark is none of the image's tokens.
        marks = [mark] if mark in tokens or not tokens else tokens
        return sum(int((made["input_ids"] == one).sum()) for one in marks)


def positions(config: Any) -> int:
    """Return the number of tokens that a model has positions for."""
    return getattr(config.get_text_config(), "max_position_embeddings", None) or 10**9


@contextlib.contextmanager
def refusals(name: str, where: str = "") -> Iterator[None]:
    """Turn an error of a template, a tokenizer or a processor about one record into a RecordError."""
    try:
        yield
    except RecordError as error:
        error.where = error.where or where
        raise
    except ModelError as error:
        raise RecordError(str(error), where=where) from error
    except MemoryError:
        raise
    except Exception as error:  # the libraries have no error in common
        raise RecordError(
            f"can't be prepared for {name}: {type(error).__name__}: {one_line(error)}", where=where
        ) from error


def no_place_for_images(processor: Any) -> bool:
    """Return whether the chat template leaves images out of the prompt. False if it is unknown."""
    mark = getattr(processor, "image_token", None)
    if not mark:
        return False
    content = [{"type": "image"}, {"type": "text", "text": "s2h"}]
    try:
        text = processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
    except Exception:  # the template needs a real record, and reports any error then
        return False
    return mark not in text
