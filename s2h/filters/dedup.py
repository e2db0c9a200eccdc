"""Drop pairs that repeat an earlier one, of the stream or of another file. `repeats` defines when two pairs are the same.

cat l3.jsonl l3.jsonl | s2h-filter --dedup > once.jsonl
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from s2h.errors import plural
from s2h.filters import Judge, add_score
from s2h.filters.judgement import REPEATS, Flag, Given, Judgement, Number, Option, Text, Tools
from s2h.record import Record, RecordError

if TYPE_CHECKING:
    from s2h.filters.repeats import Repeats


def build(repeats: Repeats, *, within: bool = True, stream: str = "the stream") -> Judge:
    """Drop pairs that repeat an earlier one. scores.repeats.of names the file or stream that has the first one. within:
    whether the stream's own pairs are remembered, in addition to those of other files. stream: its name."""

    finder = _Finder(repeats, stream if within else None)
    return Judge("repeats", finder.score, finder.decide, remembers=within)


@dataclass
class _Finder:
    """Finds repeats, and keeps the results until the next batch: these decide, and not a score of an earlier run.

    stream: the name under which the stream's own pairs are remembered. origins: by the id() of the batch's records, which
    are alive until the next batch.
    """

    repeats: Repeats
    stream: str | None
    origins: dict[int, str] = field(default_factory=dict)

    def score(self, batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        self.origins.clear()
        for at, record in enumerate(batch):
            try:
                origin = self.repeats.see(record, self.stream)
            except RecordError as error:
                faults[at] = error
                continue
            if origin is not None:
                self.origins[id(record)] = origin
                if "repeats" not in record.get("scores", {}):
                    add_score(record, "repeats", of=origin)
        return faults

    def decide(self, record: Record) -> str:
        origin = self.origins.get(id(record))
        return f"repeats a pair of {origin}" if origin is not None else ""


def _from_options(given: Given, tools: Tools) -> Judge:
    from s2h.filters.repeats import Repeats, learn

    repeats = Repeats(given["near_images"], given["near_text"])
    for path in given["dedup_against"]:
        count = learn(repeats, tools.read(path), path)
        tools.say(f"{count:,} {plural(count, 'pair')} of {path} {plural(count, 'is', 'are')} not repeated")
    return build(repeats, within=given["dedup"])


JUDGEMENT = Judgement(
    about="Does the pair repeat an earlier one, or one of another file?",
    options=(
        Option(
            "--dedup",
            Flag(),
            "Drop pairs that repeat an earlier one: the same images, by their bytes, and the same texts.",
        ),
        Option(
            "--dedup-against",
            Text("FILE", is_read=True),
            "Drop pairs that repeat one of FILE, for example held-out pairs. May be repeated.",
            repeated=True,
        ),
        Option(
            "--near-images",
            Number("BITS", 0, 8, whole=True),
            "For --dedup and --dedup-against: take images as the same if their perceptual hashes (64 bits) differ "
            "in at most BITS; 4 finds a picture that was scaled or saved again.",
            asks=False,
        ),
        Option(
            "--near-text",
            Number("J", 0.5, 1),
            "For --dedup and --dedup-against: take texts as the same if the estimated Jaccard index of their word "
            "runs is at least J, for example 0.8.",
            asks=False,
        ),
    ),
    build=_from_options,
    heading=REPEATS,
    order=20,
    score="repeats",
    alone=False,
)
