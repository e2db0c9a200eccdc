"""The models that s2h-gen loads: a model that answers the questions of level 1, whose wrong replies become the rejected
answers; CLIP, which chooses distractors; a text model, which compares long answers; and a model that writes captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from s2h.cli.gen_options import Options
from s2h.errors import counted

if TYPE_CHECKING:
    from PIL.Image import Image

    from s2h.models.text import TextModel
    from s2h.models.vlm import VLM
    from s2h.sources.shapes import Dataset
    from s2h.tasks.hallucinations import Answerer
    from s2h.tasks.similar import Similar

Say = Callable[[str], None]


def answerer(given: Options, source: Dataset, say: Say) -> Answerer | None:
    """Load the model whose wrong replies become the rejected answers. Return None if no model gives them."""
    name = given.answering_model
    if name is None:
        return None
    from s2h.models import vlm
    from s2h.tasks.hallucinations import Answerer
    from s2h.tasks.least_attention import LeastAttention

    loaded = vlm.load(name)
    say(f"rejected answers are the wrong generations of {loaded.name}")
    temperature = given.temperature or 1.0
    choose = None
    if given.select:
        from s2h.models.image_attention import share

        choose = LeastAttention(partial(share, loaded))
    return Answerer(
        Replies(loaded, given, temperature).answer,
        f"{name} {given.samples} {temperature:g} {given.max_new_tokens} {given.select or ''}",
        # Built-in answers are single values, for which no text model is needed.
        None if source.spec == "builtin" else Paraphrase(given, say).holds,
        choose,
    )


@dataclass(frozen=True)
class Replies:
    """Generates a model's replies to prompts."""

    model: VLM
    given: Options
    temperature: float

    def answer(self, rows: list[tuple[list, list]], key: str) -> list[list[str] | None]:
        """Return the model's replies to each prompt, None for a prompt that it can't process. rows: (messages, images).
        key: seeds the sampling."""
        from s2h import seeds
        from s2h.models import vlm

        given = self.given
        how = {"batch_size": given.batch_size, "max_new_tokens": given.max_new_tokens}
        usable = [at for at, row in enumerate(rows) if self.takes(*row)]
        asked = [rows[at] for at in usable]
        if given.samples == 1:
            texts = [[text] for text in vlm.generate(self.model, asked, **how)]
        else:
            seed = seeds.seed_of(given.seed, key) % 2**31
            texts = list(
                vlm.sample(
                    self.model, asked, samples=given.samples, temperature=self.temperature, seed=seed, **how
                )
            )
        replies = dict(zip(usable, texts, strict=True))
        return [replies.get(at) for at in range(len(rows))]

    def takes(self, messages: list[dict], images: list[Image]) -> bool:
        """Tell whether the model can process a prompt. An image token in the text, an image that the processor refuses, or a
        prompt longer than the context window would end the whole batch."""
        from s2h.models import prompts, tokens
        from s2h.record import RecordError

        try:
            with tokens.refusals(self.model.name):
                pictures = prompts.prepare_images(self.model, list(images))
                prompt = prompts.prepare(self.model, messages, pictures)
        except RecordError:
            return False
        return len(prompt.ids) < tokens.positions(self.model.model.config)


@dataclass
class Paraphrase:
    """Compares long answers by meaning. The text model is loaded when the first two are compared."""

    given: Options
    say: Say
    model: TextModel | None = None

    def holds(self, one: str, other: str) -> bool:
        """Tell whether two answers mean the same: whether their cosine is at least --alike."""
        if self.model is None:
            from s2h.models import text

            self.model = text.load(self.given.text_model or text.DEFAULT)
            self.say(f"answers of many words are compared by {self.model.name}")
        a, b = self.model.encode([one, other])
        return float(a @ b) >= self.given.alike


def similar_distractors(given: Options, source: Dataset, say: Say) -> Similar | None:
    """Load CLIP to choose distractors: those that resemble the target (--distractors similar), and for search over captions
    none that seem to show the concept. Return None if CLIP was not asked for."""
    near = given.distractors == "similar"
    if not near and not given.clip_model:
        return None
    from s2h.models import clip
    from s2h.tasks.similar import BAND, Similar

    name = given.clip_model or (clip.BUNDLED if source.spec == "builtin" else clip.DEFAULT)
    model = clip.load(name)
    if near:
        say(f"distractors are like the target by {model.name}")
    if "clip_model" in given.maker.takes and source.photos and not source.photos.exhaustive:
        say(f"distractors don't show what is searched for by {model.name} and the captions")
    return Similar(
        lambda image: model.images([model.prepare(image)])[0],
        given.size,
        (given.similar or BAND) if near else None,
        lambda text: model.texts([text])[0],
    )


@dataclass
class CaptionWriter:
    """Writes captions with the model of --captioner, which is loaded for the first picture without a caption."""

    name: str
    given: Options
    path: str
    say: Say
    model: VLM | None = None

    def write(self, pictures: list[Image]) -> list[str]:
        """Return a caption for each picture, "" if the model gave none that can be used."""
        from s2h import record
        from s2h.models import vlm
        from s2h.sources.captioner import PROMPT, whole

        most = self.given.max_new_tokens
        if self.model is None:
            self.model = vlm.load(self.name)
            self.say(f"captions are written by {self.model.name} and kept in {self.path}")
        ask = record.interleave([record.IMAGE, "\n" + PROMPT])
        rows = [(ask, [picture]) for picture in pictures]
        texts = list(vlm.generate(self.model, rows, batch_size=self.given.batch_size, max_new_tokens=most))
        tokens = self.model.processor.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [whole(text, len(ids) >= most) for text, ids in zip(texts, tokens, strict=True)]


def with_captions(
    given: Options, source: Dataset, say: Say, progress: Callable[[Iterable], Iterable]
) -> Dataset:
    """Return the source; with --captioner, one with captions that the model has written. Raises SourceError if its pictures
    can't be captioned."""
    if given.captioner is None or given.captions_file is None:
        return source
    from s2h.sources import SourceError
    from s2h.sources.captioner import Sidecar, captioned
    from s2h.sources.photo_set import Photos

    if not isinstance(source, Photos):
        raise SourceError(
            f"source {source.spec!r}: --captioner needs pictures in files, such as classes:PATH or captions:PATH"
        )
    sidecar = Sidecar(given.captions_file, given.captioner)
    before = len(sidecar.captions)
    writer = CaptionWriter(given.captioner, given, sidecar.path, say)
    found = captioned(source, sidecar, writer.write, given.batch_size, progress)
    written = len(sidecar.captions) - before
    say(f"{counted(written, 'caption')} written, {counted(before, 'was', 'were')} in {sidecar.path}")
    return found
