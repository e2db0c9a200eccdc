"""What s2h-filter was asked for, as judgements: a choice of thresholds and models to the list that `judge` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from s2h.errors import plural
from s2h.filters import Judgement

Band = tuple[float, float]
SCORES = (
    "length",
    "edit",
    "repetition",
    "refusal",
    "clip",
    "clip-images",
    "mpnet",
    "ref",
    "blind",
)  # what can be written without a threshold


@dataclass
class Asked:
    """Thresholds (None: not asked for) and models; `scores` are written whether they have a threshold or not."""

    clip: float | None = None
    clip_margin: float | None = None
    clip_rank: bool = False
    mpnet: Band | None = None
    mpnet_distractors: Band | None = None
    length_ratio: Band | None = None
    edit_distance: Band | None = None
    repetition: float | None = None
    refusal: bool = False
    ref: str | None = None
    margin: Band | None = None
    perplexity: Band | None = None
    blind_margin: float | None = None
    dedup: bool = False
    near_images: int | None = None
    near_text: float | None = None
    dedup_against: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    against_clip: float | None = None
    scores: tuple[str, ...] = ()
    annotate: bool = False
    clip_model: str | None = None
    text_model: str | None = None
    batch_size: int = 64
    ref_batch_size: int = 16

    def __post_init__(self) -> None:
        # What needs no model is written where nothing else is asked for.
        if self.annotate and not self.scores and not self._thresholds():
            self.scores = ("length", "edit")

    def _thresholds(self) -> bool:
        return any(
            (
                self.by_clip,
                self.by_rank,
                self.by_text,
                self.by_form,
                self.by_ref,
                self.by_blind,
                self.by_repeats,
            )
        )

    @property
    def by_clip(self) -> bool:
        asked = self.clip is not None or self.clip_margin is not None
        return asked or "clip" in self.scores or (self.annotate and bool(self.clip_model))

    @property
    def by_rank(self) -> bool:
        return self.clip_rank or "clip-images" in self.scores

    @property
    def by_text(self) -> bool:
        asked = self.mpnet is not None or self.mpnet_distractors is not None
        return asked or "mpnet" in self.scores or (self.annotate and bool(self.text_model))

    @property
    def by_ref(self) -> bool:
        asked = self.margin is not None or self.perplexity is not None
        return asked or "ref" in self.scores or self.ref is not None

    @property
    def by_blind(self) -> bool:
        return self.blind_margin is not None or "blind" in self.scores

    @property
    def by_repeats(self) -> bool:
        return self.dedup or bool(self.dedup_against)

    @property
    def by_form(self) -> dict[str, Band | None]:
        """The measures of form with their bands."""
        bands: dict[str, tuple[str, Band | None]] = {
            "length_ratio": ("length", self.length_ratio),
            "edit_distance": ("edit", self.edit_distance),
            "repetition": ("repetition", None if self.repetition is None else (0.0, self.repetition)),
            "refusal": ("refusal", (0.0, 0.0) if self.refusal else None),
        }
        return {name: band for name, (word, band) in bands.items() if band is not None or word in self.scores}


def judgements(asked: Asked, engine: Any, read: Callable, say: Callable[[str], None]) -> list[Judgement]:
    """The judgements, the cheap ones first. engine: an Engine, where models are asked for. read: gives a file's records.
    Raises RecordError, ModelError."""
    made: list[Judgement] = []
    if asked.by_form:
        from s2h.filters import form

        made += form.judgements(asked.by_form)
    if asked.by_repeats:
        made.append(_repeats(asked, read, say))
    if asked.by_clip or asked.by_rank:
        from s2h.filters import clip
        from s2h.models.clip import identify

        model = identify(asked.clip_model) if asked.clip_model else None
        if asked.by_clip:
            made.append(clip.judgement(engine, least=asked.clip, margin=asked.clip_margin, model=model))
        if asked.by_rank:
            made.append(clip.judge_rank(engine, first=asked.clip_rank, model=model))
    if asked.by_text:
        from s2h.filters import similarity
        from s2h.models.text import identify as identify_text

        model = identify_text(asked.text_model) if asked.text_model else None
        made.append(
            similarity.judgement(engine, band=asked.mpnet, others=asked.mpnet_distractors, model=model)
        )
    if asked.by_ref or asked.by_blind:
        from s2h.filters import ref

        size = asked.ref_batch_size
        if asked.by_ref:
            bands = {"margin": asked.margin, "perplexity": asked.perplexity}
            made.append(ref.judgement(engine, asked.ref, batch_size=size, **bands))
        if asked.by_blind:
            made.append(ref.judge_blind(engine, asked.ref, most=asked.blind_margin, batch_size=size))
    if asked.against:
        made.append(_against(asked, engine, say))
    return made


def _repeats(asked: Asked, read: Callable, say: Callable[[str], None]) -> Judgement:
    from s2h.filters import dedup

    repeats = dedup.Repeats(asked.near_images, asked.near_text)
    for path in asked.dedup_against:
        count = dedup.learn(repeats, read(path), path)
        say(f"{count:,} {plural(count, 'pair')} of {path} {plural(count, 'is', 'are')} not repeated")
    return dedup.judgement(repeats, within=asked.dedup)


def _against(asked: Asked, engine: Any, say: Callable[[str], None]) -> Judgement:
    from s2h.filters import against

    embed = None
    if asked.against_clip is not None:
        from s2h.models import clip

        model = engine.model("clip", clip.identify(asked.clip_model) if asked.clip_model else clip.DEFAULT)
        say(f"images of benchmarks are also compared by {model.name}")

        def embed(image):
            return model.images([model.prepare(image)])[0]

    known = against.known_images(asked.against, embed)
    unread = f"; {known.unread} could not be opened" if known.unread else ""
    images, hashes, names = len(known.exact), len(known.near), len(known.names)
    say(
        f"against {images:,} {plural(images, 'image')}, {hashes:,} {plural(hashes, 'hash', 'hashes')} and {names:,} "
        f"{plural(names, 'name')}{unread}"
    )
    return against.judgement(known, embed=embed, alike=asked.against_clip or 1.0)


def loaders(say: Callable[[str], None], dtype: str | None, compile: bool) -> dict[str, Callable[[str], Any]]:
    """What an Engine loads models by; each is named when it is loaded."""

    def clip(name: str) -> Any:
        from s2h.models import clip

        say(f"CLIP scores by {name}")
        return clip.load(name, dtype=dtype or "float32", compile=compile)

    def text(name: str) -> Any:
        from s2h.models import text

        say(f"text similarity by {name}")
        return text.load(name, dtype=dtype or "float32")

    def ref(name: str) -> Any:
        from s2h.filters import ref

        say(f"log-probabilities by {name}")
        return ref.load(name, dtype or "auto")

    return {"clip": clip, "text": text, "ref": ref}
