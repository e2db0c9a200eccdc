"""The models that s2h-gen loads: a model that answers the questions of level 1, whose wrong replies become the rejected
answers; CLIP, which chooses distractors; a text model, which compares long answers; and a model that writes captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from s2h.cli.gen_options import Options
from s2h.errors import RecordError, counted
from s2h.models.replies import Local, Refused, Replier

if TYPE_CHECKING:
    from PIL.Image import Image

    from s2h.cli.common import Session
    from s2h.models.text import TextModel
    from s2h.models.vlm import VLM
    from s2h.sources.shapes import Dataset
    from s2h.streams.journal import Journal
    from s2h.tasks.hallucinations import Answerer
    from s2h.tasks.similar import Similar

Say = Callable[[str], None]


def answerer(given: Options, source: Dataset, work: Session, journal: Journal) -> Answerer | None:
    """Load the model whose wrong replies become the rejected answers, or connect to its server. Return None if no model
    gives them. journal: keeps the replies of a server until their pairs are written."""
    name = given.answering_model
    if name is None:
        return None
    from s2h.tasks.hallucinations import Answerer
    from s2h.tasks.least_attention import LeastAttention

    model = replier(name, given, work)
    work.say(f"rejected answers are the wrong generations of {model.name}")
    temperature = given.temperature or 1.0
    choose = None
    if given.select and isinstance(model, Local):
        choose = LeastAttention(partial(_attention, model.model))
    return Answerer(
        Replies(model, given, temperature, work.on_error, journal if given.base_url else None).answer,
        f"{name} {given.samples} {temperature:g} {given.max_new_tokens} {given.select or ''}{model.pixels}"
        f"{given.thinking or ''}",
        # Built-in answers are single values, for which no text model is needed.
        None if source.spec == "builtin" else Paraphrase(given, work.say).holds,
        choose,
    )


def replier(name: str, given: Options, work: Session) -> Replier:
    """Load a model by its name, or connect to the server that has it."""
    from s2h.models import image_size

    pixels = image_size.wanted(name, given.pixels)
    if given.base_url:
        from s2h.models import server

        address = server.Address(given.base_url, given.concurrency)
        served = server.connect(name, address, pixels, work.tell, given.thinking)
        work.say(f"{name} is asked on a server: {served.place}")
        return served
    from s2h.models import vlm

    return Local(vlm.load(name, pixels=pixels, thinking=given.thinking), given.batch_size)


def _attention(model: VLM, messages: list[dict], images: list[Image], reply: str, target: int) -> float:
    """Return the share of a reply's attention that goes to the target image."""
    from s2h.models.image_attention import share

    return share(model, messages, [model.shown.fit(one) for one in images], reply, target)


@dataclass(frozen=True)
class Replies:
    """Generates a model's replies to prompts. on_error: receives the error of a prompt that a server has not answered.
    journal: keeps the replies of blocks that are not finished, for a resumed run; None if they are not kept."""

    model: Replier
    given: Options
    temperature: float
    on_error: Callable[[RecordError], None]
    journal: Journal | None = None

    def answer(self, rows: list[tuple[list, list]], key: str) -> list[list[str] | None]:
        """Return the model's replies to each prompt, None for a prompt that it can't process. rows: (messages, images).
        key: names the prompts, in a run, and seeds the sampling."""
        from s2h import seeds
        from s2h.models.replies import Sampling

        given = self.given
        seed = seeds.seed_of(given.seed, key) % 2**31
        how = Sampling(given.max_new_tokens, given.samples, self.temperature, seed)
        kept = self.journal.since if self.journal else ()
        found: dict[int, list[str]] = {at: texts for known, at, texts in kept if known == key}
        asked = {at: (row[0], self.model.fit(row[1])) for at, row in enumerate(rows) if at not in found}
        asked = {at: row for at, row in asked.items() if self.model.takes(*row)}
        for at, outcome in self.model.replies(asked, how):
            if isinstance(outcome, RecordError):
                if not isinstance(outcome, Refused):
                    self.on_error(outcome)
                continue
            found[at] = [reply.text for reply in outcome]
            if self.journal:
                self.journal.add([key, at, found[at]])
        return [found.get(at) for at in range(len(rows))]


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
    work: Session
    model: Replier | None = None

    def write(self, pictures: list[Image]) -> Iterator[tuple[int, str | RecordError]]:
        """Yield (position of a picture, its caption or an error) as they are ready; "" if the model gave none that can be
        used."""
        from s2h import record
        from s2h.models.replies import Sampling
        from s2h.sources.captioner import PROMPT, whole

        if self.model is None:
            self.model = replier(self.name, self.given, self.work)
            self.work.say(f"captions are written by {self.model.name} and kept in {self.path}")
        ask = record.interleave([record.IMAGE, "\n" + PROMPT])
        rows = {at: (ask, self.model.fit([picture])) for at, picture in enumerate(pictures)}
        for at, outcome in self.model.replies(rows, Sampling(self.given.max_new_tokens)):
            yield at, outcome if isinstance(outcome, RecordError) else whole(outcome[0].text, outcome[0].cut)


def with_captions(
    given: Options, source: Dataset, work: Session, progress: Callable[[Iterable], Iterable]
) -> Dataset:
    """Return the source; with --captioner, one with captions that the model has written. Raises SourceError if its pictures
    can't be captioned."""
    if given.captioner is None or given.captions_file is None:
        return source
    from s2h.models import image_size
    from s2h.sources import SourceError
    from s2h.sources.captioner import Sidecar, captioned
    from s2h.sources.photo_set import Photos

    if not isinstance(source, Photos):
        raise SourceError(
            f"source {source.spec!r}: --captioner needs pictures in files, such as classes:PATH or captions:PATH"
        )
    pixels = image_size.wanted(given.captioner, given.pixels)
    how = " ".join(filter(None, (str(pixels), given.thinking)))
    sidecar = Sidecar(given.captions_file, given.captioner, pixels=how)
    before = len(sidecar.captions)
    writer = CaptionWriter(given.captioner, given, sidecar.path, work)
    at_once = given.concurrency if given.base_url else given.batch_size
    found = captioned(source, sidecar, writer.write, at_once, progress, work.on_error)
    written = len(sidecar.captions) - before
    work.say(f"{counted(written, 'caption')} written, {counted(before, 'was', 'were')} in {sidecar.path}")
    return found
