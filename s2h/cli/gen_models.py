"""The models that s2h-gen loads: one that answers the questions of level 1, so that its wrong replies become the rejected
answers; CLIP, which chooses distractors; a text model, which compares long answers; and one that writes captions."""

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
    """Return the model whose wrong replies become the rejected answers, None where no model gives them."""
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
        None
        if source.spec == "builtin"
        else Paraphrase(given, say).holds,  # built-in answers are single values
        choose,
    )


@dataclass(frozen=True)
class Replies:
    """What a model replies to prompts."""

    model: VLM
    given: Options
    temperature: float

    def answer(self, rows: list[tuple[list, list]], key: str) -> list[list[str] | None]:
        """Return the texts that the model generates for each prompt, None for one that it can't take. key: seeds the
        sampling."""
        from s2h import seeds
        from s2h.models import vlm

        given = self.given
        how = {"batch_size": given.batch_size, "max_new_tokens": given.max_new_tokens}
        usable = [at for at, row in enumerate(rows) if self.takes(*row)]
        asked = [rows[at] for at in usable]
        if given.samples == 1:
            said = [[text] for text in vlm.generate(self.model, asked, **how)]
        else:
            seed = seeds.seed_of(given.seed, key) % 2**31
            said = list(
                vlm.sample(
                    self.model, asked, samples=given.samples, temperature=self.temperature, seed=seed, **how
                )
            )
        told = dict(zip(usable, said, strict=True))
        return [told.get(at) for at in range(len(rows))]

    def takes(self, messages: list[dict], images: list[Image]) -> bool:
        """Tell whether the model can be asked this: an image's mark in a question, an image that the processor refuses or a
        prompt beyond the window would end the batch."""
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
    """Whether two long answers say the same. The text model is loaded when there are two to compare."""

    given: Options
    say: Say
    model: TextModel | None = None

    def holds(self, one: str, other: str) -> bool:
        if self.model is None:
            from s2h.models import text

            self.model = text.load(self.given.text_model or text.DEFAULT)
            self.say(f"answers of many words are compared by {self.model.name}")
        a, b = self.model.encode([one, other])
        return float(a @ b) >= self.given.alike


def similar_distractors(given: Options, source: Dataset, say: Say) -> Similar | None:
    """Return what chooses distractors by CLIP, if that is asked for: those that resemble the target, and for search none
    that seems to show the concept."""
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
    """Writes captions with the model of --captioner, which is loaded when the first picture lacks one."""

    name: str
    given: Options
    path: str
    say: Say
    model: VLM | None = None

    def write(self, pictures: list[Image]) -> list[str]:
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
    """Return the source, with captions that a model has written for its pictures where --captioner asks for them."""
    if given.captioner is None or given.captions_file is None:
        return source
    from s2h.sources import SourceError
    from s2h.sources.captioner import Sidecar, captioned
    from s2h.sources.photo_set import Photos

    if not isinstance(source, Photos):
        raise SourceError(
            f"source {source.spec!r}: --captioner captions pictures in files, as of classes:PATH or captions:PATH"
        )
    sidecar = Sidecar(given.captions_file, given.captioner)
    before = len(sidecar.captions)
    writer = CaptionWriter(given.captioner, given, sidecar.path, say)
    found = captioned(source, sidecar, writer.write, given.batch_size, progress)
    written = len(sidecar.captions) - before
    say(f"{counted(written, 'caption')} written, {counted(before, 'was', 'were')} in {sidecar.path}")
    return found
