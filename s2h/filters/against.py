"""Find leakage: pairs that show an image of a benchmark. A copy is found by its bytes, its name, a perceptual hash (for
copies that were scaled or saved again) or, with --against-clip, a CLIP embedding.

    s2h-filter l3 --against blink/ --against coco-val2014.txt --rejects leaked.jsonl > clean.jsonl
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from s2h.errors import plural
from s2h.filters import DIGITS, Judge, add_score
from s2h.filters.judgement import REPEATS, Given, Judgement, Number, Option, Text, Tools
from s2h.filters.scorers import CLIP
from s2h.record import Record, RecordError, references_of

if TYPE_CHECKING:
    from s2h.filters.benchmark_images import BenchmarkImages, Embed
    from s2h.filters.engine import Place

NEAR = 4  # bits in which a copy's hash may differ
KEPT = 200_000  # images whose findings are kept


def build(
    known: BenchmarkImages, *, embed: Embed | None = None, alike: float = 0.95, near: int = NEAR
) -> Judge:
    """Drop pairs that show a known image: the same bytes or name, a perceptual hash within `near` bits, or, with
    `embed`, a cosine of at least `alike`. scores.against has the least distance in bits, the largest cosine and, if
    an image was found, its benchmark and its position in the pair. Rejected images count as the pair's, after its others."""
    comparison = _Comparison(known, near, alike, embed if known.embedded else None)

    def decide(record: Record) -> str:
        bench = record["scores"]["against"].get("bench")
        return f"shows an image of {bench}" if bench else ""

    return Judge("against", comparison.score, decide, heavy=comparison.embed is not None)


@dataclass
class _Finding:
    """The result for one image: the benchmark that has it, and the distance and cosine of the nearest known image."""

    bench: str | None = None
    distance: int | None = None
    cosine: float | None = None


@dataclass
class _Comparison:
    """Compares the images of records with those of benchmarks."""

    known: BenchmarkImages
    near: int
    alike: float
    embed: Embed | None
    kept: dict[Place, _Finding] = field(default_factory=dict)  # by base and reference

    def __post_init__(self) -> None:
        import numpy as np

        self.hashes = np.array(list(self.known.near), dtype=np.uint64)
        self.hashed = list(self.known.near.values())
        self.rows = np.stack([row for _, row in self.known.embedded]) if self.embed else None

    def score(self, batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        findings: dict[int, list[_Finding]] = {}
        if len(self.kept) >= KEPT:
            self.kept.clear()
        for at, record in enumerate(batch):
            try:
                findings[at] = [self._finding(record, *place) for place in references_of(record)]
            except RecordError as error:
                faults[at] = error
        if self.embed is not None:
            places = [(batch[at].base, image) for at in findings for _, _, image in references_of(batch[at])]
            self._add_cosines(self.embed, places)
        for at, found in findings.items():
            if fault := _write(batch[at], found):
                faults[at] = fault
        return faults

    def _finding(self, record: Record, field: str, at: int, reference: str) -> _Finding:
        """Return the result for one image, without its cosine. Raises ImageError."""
        from s2h.images.decoding import ImageError

        place = (record.base, reference)
        if place not in self.kept:
            try:
                self.kept[place] = self._find(*place)
            except ImageError as error:
                error.where, error.field = record.where, f"{field}[{at}]"
                raise
        return self.kept[place]

    def _find(self, base: str, reference: str) -> _Finding:
        import numpy as np

        from s2h.images.decoding import decode, read_bytes
        from s2h.images.perceptual import perceptual_hash
        from s2h.images.store import digest

        data = read_bytes(reference, base)
        name = os.path.basename(reference.rpartition("!")[2])
        found = _Finding(self.known.exact.get(digest(data)) or self.known.names.get(name))
        if len(self.hashes):
            hashed = np.uint64(perceptual_hash(decode(data, reference[:200])))
            apart = np.bitwise_count(self.hashes ^ hashed)
            found.distance = int(apart.min())
            if found.bench is None and found.distance <= self.near:
                found.bench = self.hashed[int(apart.argmin())]
        return found

    def _add_cosines(self, embed: Embed, places: list[Place]) -> None:
        """Add the cosines to the findings of images that have none yet."""
        new = [place for place in dict.fromkeys(places) if self.kept[place].cosine is None]
        for place, row in embed(new)[0].items() if new else ():
            cosines, found = self.rows @ row, self.kept[place]
            found.cosine = round(float(cosines.max()), DIGITS)
            if found.bench is None and found.cosine >= self.alike:
                found.bench = self.known.embedded[int(cosines.argmax())][0]


def _write(record: Record, findings: list[_Finding]) -> RecordError | None:
    """Write the score, or return why the record's own score contradicts it."""
    score: dict[str, Any] = {}
    if distances := [one.distance for one in findings if one.distance is not None]:
        score["distance"] = min(distances)
    if cosines := [one.cosine for one in findings if one.cosine is not None]:
        score["cosine"] = max(cosines)
    hit = next((i for i, one in enumerate(findings) if one.bench), None)
    if hit is not None:
        score |= {"bench": findings[hit].bench, "image": hit}
    earlier = record.get("scores", {}).get("against")
    if earlier is None:
        add_score(record, "against", **score)
    elif earlier != score:
        return RecordError(
            "was measured against other images",
            "scores.against",
            record.where,
            "name them all at once, or jq -c 'del(.scores.against)' removes it",
        )
    return None


def _from_options(given: Given, tools: Tools) -> Judge:
    from s2h.filters import benchmark_images

    embed, alike = None, given["against_clip"]
    if alike is not None:
        from s2h.models.clip import DEFAULT

        model = given.model(CLIP) or DEFAULT
        embed = partial(tools.engine.images, model)
        tools.say(f"images of benchmarks are also compared by {model}")
    known = benchmark_images.read(given["against"], embed)
    images, hashes, names = len(known.exact), len(known.near), len(known.names)
    unread = f"; {known.unread} could not be opened" if known.unread else ""
    tools.say(
        f"against {images:,} {plural(images, 'image')}, {hashes:,} {plural(hashes, 'hash', 'hashes')} and {names:,} "
        f"{plural(names, 'name')}{unread}"
    )
    return build(known, embed=embed, alike=1.0 if alike is None else alike)


JUDGEMENT = Judgement(
    about="Does the pair show an image of a benchmark?",
    options=(
        Option(
            "--against",
            Text("PATH", is_read=True),
            "Drop pairs that show an image of a benchmark, by its bytes or a perceptual hash: a folder of its "
            "images, a parquet file, or a list of hashes or file names. May be repeated.",
            repeated=True,
        ),
        Option(
            "--against-clip",
            Number("T", -1, 1),
            "With --against, also drop pairs with an image whose CLIP cosine to one of the benchmark's images is at "
            "least T, for example 0.95.",
            asks=False,
            model=CLIP,
        ),
    ),
    build=_from_options,
    heading=REPEATS,
    order=60,
    alone=False,
)
