"""Whether a record fits a model: its chat template, its processor and its window. s2h-train, s2h-filter --ref and s2h-eval
ask this of each record before any forward pass, so that a record that the model cannot take is named, or skipped, and never
ends a batch. The lengths that come of it are those of the tensors that `encode` makes.

    fit = TokenCounter(processor, "qwen2_5_vl", window=32768)
    fit.count(record, images)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from s2h.models import ModelError, encode
from s2h.models.prompts import PLAIN
from s2h.record import Record, RecordError, text_of

ANSWERS = ("chosen", "rejected")
SMALL = 32  # pixels: processors treat smaller sides in ways of their own, so such images are prepared to be counted
PROBES = (
    (64, 64),
    (333, 250),
    (97, 450),
)  # sizes at which a processor's own reckoning is compared with its tensors


@dataclass(frozen=True)
class PairTokens:
    """Numbers of tokens: of a prompt with its images, of the images alone, and of each answer."""

    prompt: int
    images: int
    answers: tuple[int, int]

    @property
    def row(self) -> int:
        """The prompt and the longer answer."""
        return self.prompt + max(self.answers)


@dataclass
class TokenCounter:
    """What one model takes. model_type: of its configuration. window: the most tokens of a prompt and one answer."""

    processor: Any
    model_type: str
    window: int
    name: str = "the model"

    @classmethod
    def of(cls, model: Any, processor: Any, name: str, window: int = 0) -> TokenCounter:
        """The TokenCounter of a loaded model; window: fewer tokens than the model takes, 0 for as many as it takes."""
        own = positions(model.config)
        return cls(processor, model.config.model_type, min(own, window or own), name)

    @cached_property
    def control(self) -> tuple[str, ...]:
        """The texts that the tokenizer reads as control tokens: ends of turns, images' marks, padding."""
        tokenizer = self.processor.tokenizer
        added = getattr(tokenizer, "added_tokens_decoder", {}).values()
        found = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
        found |= {getattr(self.processor, f"{kind}_token", None) for kind in ("image", "video")}
        return tuple(sorted(token for token in found if token))

    def check(self, record: Record) -> None:
        """Raises RecordError where a text of the record holds a control token: an image's mark would stand for an image that
        is not there, and an end of turn would cut an answer."""
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

    def count(self, record: Record, images: list[Any]) -> PairTokens:
        """The lengths of a pair whose PIL images are open, without preparing the images where the processor can say how
        many tokens they take. Raises RecordError where the model can't take the record."""
        self.check(record)
        with refusals(self.name, record.where):
            text = encode.prompt_text(self.processor, record["prompt"])
            said = [encode.answer_text(self.processor, record["prompt"], record[a], text) for a in ANSWERS]
            # verbose: or a long text draws a warning of the tokenizer's own, beside what is said of it here.
            how = {"add_special_tokens": False, "verbose": False}
            answers = self.processor.tokenizer(said, **how)["input_ids"]
            bare = len(self.processor.tokenizer(text, **how)["input_ids"])
            counted = self._count(images)
            if counted is None:
                ids = encode.encode_prompts(self.processor, [text], [images])["input_ids"]
                counted = ids.shape[1] - bare + len(images)  # each image is one token of the text
            return PairTokens(bare - len(images) + counted, counted, tuple(map(len, answers)))

    def _count(self, images: list[Any]) -> int | None:
        """How many tokens the images take in a prompt; None where they must go through the processor together."""
        return sum(self._tokens(image.size) for image in images) if self.model_type in PLAIN else None

    def planned(self, size: tuple[int, int]) -> int:
        """How many tokens an image of this size takes, to plan batches by: 1 where nobody can say without the image."""
        try:
            return self._tokens(size)
        except Exception:  # what is wrong with the size is told when the image is prepared
            return 1

    def _tokens(self, size: tuple[int, int]) -> int:
        """How many tokens an image of this size takes. A plain image of the size is prepared to be counted, once for all
        images of the size, unless the processor's own reckoning is known to be right."""
        if size not in self._known:
            trusted = self._trusted and min(size) >= SMALL
            self._known[size] = self._reckoned(size) if trusted else self._measured(size)
        return self._known[size]

    @cached_property
    def _known(self) -> dict[tuple[int, int], int]:
        return {}

    @cached_property
    def _trusted(self) -> bool:
        """Whether the processor reckons some sizes right: LLaVA's goes by settings that it may not use."""
        try:
            return all(self._reckoned(size) == self._measured(size) for size in PROBES)
        except Exception:  # without this ability, or with another form of it
            return False

    def _reckoned(self, size: tuple[int, int]) -> int:
        width, height = size
        made = self.processor._get_num_multimodal_tokens(image_sizes=[(height, width)])
        return int(made["num_image_tokens"][0])

    def _measured(self, size: tuple[int, int]) -> int:
        from PIL import Image

        processor = self.processor
        made = encode.encode_prompts(processor, [processor.image_token], [[Image.new("RGB", size)]])
        mark = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
        return int((made["input_ids"] == mark).sum())


def positions(config: Any) -> int:
    """How many tokens a model has positions for."""
    return getattr(config.get_text_config(), "max_position_embeddings", None) or 10**9


@contextlib.contextmanager
def refusals(name: str, where: str = "") -> Iterator[None]:
    """Turn what a template, a tokenizer or a processor raises about one record into a RecordError."""
    try:
        yield
    except RecordError as error:
        error.where = error.where or where
        raise
    except ModelError as error:
        raise RecordError(str(error), where=where) from error
    except MemoryError:
        raise
    except Exception as error:  # the libraries raise whatever their code happens to run into
        said = " ".join(str(error).split())[:200]
        raise RecordError(
            f"can't be prepared for {name}: {type(error).__name__}: {said}", where=where
        ) from error


def no_place_for_images(processor: Any) -> bool:
    """Whether the chat template leaves images out of the prompt. False where that can't be told."""
    mark = getattr(processor, "image_token", None)
    if not mark:
        return False
    content = [{"type": "image"}, {"type": "text", "text": "s2h"}]
    try:
        text = processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
    except Exception:  # a template that wants more than this says what when it is given a record
        return False
    return mark not in text
