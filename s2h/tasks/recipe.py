"""The pairs that a run makes: their task and source, the form of their prompts and rejected answers, their number. A slot
is the place of one pair in a run. Slot k is drawn from (seed, task, k) alone, so that a shard is a range of slots and
shards put end to end are the whole.

    Recipe("kinship", n=8, per_prompt=(2, 3)).records()
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from s2h import seeds
from s2h.record import Record
from s2h.sources import NoPair, SourceError, open_source
from s2h.sources.shapes import Dataset, shape_of
from s2h.tasks import search
from s2h.tasks.draft import WORKING, Draft
from s2h.tasks.mistakes import Asker, hallucinated
from s2h.tasks.names import LEVELS, MAKERS, maker_of

TRIES = 90  # redraws of one slot before it is given up and counted
ASKED = 20  # the same where each draw asks a model
BLOCK = 32  # level-1 slots that go through the model together; shards are cut at whole blocks, so batches stay the same


@dataclass
class Recipe:
    """What a run makes. Raises SourceError where the source lacks what the task needs.

    source: an opened one, or its spec. per_prompt: the least and the most images in a prompt, each number equally often.
    layout: `sequence`, or all images in one as a `grid` or (vqa) one in the middle of the other, `pip`. negatives: kind ->
    weight, the task's own mixture by default. working: the share of prompts (levels 2 and 3) that ask the answer to say
    first what it sees; half by default. forms: of search, with their weights. relations: of kinship, with theirs.
    nonexistent: see vqa.make. similar: see similar.Similar. twins: each pair is followed by its counterfactual twin, the
    same prompt with images that turn the answers round, and `facts.twin` in both is the pair's id.

    n: slots of the whole run. shard: (i, N), the part of them to make. first: slots before this one were made by an earlier
    run. workers: processes that share the work. images: the Store that drawn pictures go to. size: their side in pixels, or
    the least and the greatest of their widths and heights. tally: counts what was discarded and why.

    answer (level 1): a model, as a function from [(messages, images)] and a text that seeds its sampling to each prompt's
    generated texts. Wrong ones become the rejected answers. answerer: its name and settings, which go into the pairs' names.
    alike, choose: see mistakes.Asker.
    """

    task: str
    n: int = 1000
    seed: int = 0
    source: str | Dataset = "builtin"
    split: str = "train"
    per_prompt: tuple[int, int] = (2, 5)
    layout: str = "sequence"
    negatives: dict[str, float] | None = None
    working: float | None = None
    forms: dict[str, float] | None = None
    relations: dict[str, float] | None = None
    nonexistent: float = 0
    similar: Callable | None = None
    twins: bool = False
    shard: tuple[int, int] = (1, 1)
    first: int = 0
    workers: int = 1
    images: Any = None
    size: int | tuple[int, int] = 224
    answer: Callable[[list[tuple[list, list]], str], list[list[str] | None]] | None = None
    answerer: str = ""
    alike: Callable[[str, str], bool] | None = None
    choose: Callable[[Draft, list, list[str]], str | None] | None = None
    tally: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.task not in MAKERS:
            raise SourceError(f"unknown task {self.task!r} (choose from {', '.join(MAKERS)})")
        if isinstance(self.source, str):
            self.source = open_source(self.source, seed=self.seed, split=self.split)
        self._maker = maker_of(self.task, self.source)
        self._data = shape_of(self.source, self._maker.NEEDS, task=self.task)
        self._sizes = _sizes(self.task, self.layout, self.per_prompt)
        if self.working and self.task == "kinship" and not self._data.describes_faces:
            raise SourceError(
                f"source {self.source.spec!r}: nothing is known of how its people look (leave out the working)"
            )
        if self.working == WORKING:
            self.working = None  # the default said aloud gives the same names
        self._wishes = self._wished()
        self._weights = _weights(self._maker, self._data, self.negatives, self.answer is not None)
        if self.images is None:
            from s2h.images.store import Store

            self.images = Store()

    def records(self) -> Iterator[Record]:
        """The pairs of the run, a slot that gives none left out and counted."""
        slots = shard_range(self.n, self.shard, BLOCK if self.answer is not None else 1)
        slots = range(max(self.first, slots.start), max(self.first, slots.stop))
        if self.answer is not None:
            asker = Asker(self.answer, self.size, ASKED, self.alike, self.choose)
            for start in range(slots.start, slots.stop, BLOCK):
                block = range(start, min(start + BLOCK, slots.stop))
                yield from hallucinated(block, self._data, self.draft, self.record, asker, self.tally)
        elif self.workers > 1:
            from s2h.tasks.workers import spread

            yield from spread(self.made, slots, self.workers, self.source, self.tally)
        else:
            yield from self.made(slots, self.tally)

    def made(self, slots: range, tally: Counter) -> Iterator[Record]:
        """The pairs of some slots, without a model."""
        for k in slots:
            for attempt in range(TRIES):
                draft = self.draft(k, attempt, tally)
                if draft is not None:
                    yield from self._with_twin(draft, k)
                    break
            else:
                tally["slots given up"] += 1

    def draft(self, k: int, attempt: int, tally: Counter | None = None) -> Draft | None:
        """An attempt at the pair of slot k; None, counted, where it gives none. A redraw keeps the slot's turn; where that
        gives no pair at all, the slot takes what can be had."""
        tally = self.tally if tally is None else tally
        run = (self.source.spec, self.seed, self.split, self.task)
        tries = TRIES if self.answer is None else ASKED
        rng = seeds.slot_rng(run, k, attempt, self._sizes, free=attempt >= tries // 3)
        number = self._sizes[rng.whole.take("images", (1,) * len(self._sizes))]
        try:
            made = self._maker.make(rng, self._data, number, self._weights, **self._wishes)
            if self.twins and made.twin is None:
                raise NoPair("no twin of this kind of negative")
        except NoPair as reason:
            tally[str(reason)] += 1
            return None
        made.layout = self.layout
        return made

    def record(self, draft: Draft, k: int) -> Record:
        """The draft as the record of slot k, its pictures drawn and stored."""
        name = f"{self.task}-{self.name}-{k:06d}"
        return draft.record(name, LEVELS[self.task], self.task, self.images, self.size, self.source.spec)

    def _with_twin(self, draft: Draft, k: int) -> Iterator[Record]:
        pair = self.record(draft, k)
        if not self.twins:
            yield pair
            return
        twin = self.record(draft.turned(), k)
        twin["id"] += "-twin"
        pair["facts"]["twin"] = twin["facts"]["twin"] = pair["id"]
        yield pair
        yield twin

    @cached_property
    def name(self) -> str:
        """A name of all that the pairs depend on, which stands in their ids."""
        settings = [self.source.spec, self.seed, self.split, self.per_prompt, sorted(self._weights.items())]
        settings += [self.working, self.answer is not None]
        settings += [sorted(wish.items()) for wish in (self.forms, self.relations) if wish is not None]
        settings += [self.answerer] * bool(self.answerer)
        if captioner := self.source.photos.captioner if self.source.photos else "":
            settings.append(captioner)
        settings += [self.layout] * (self.layout != "sequence")
        settings += [self.nonexistent] * bool(self.nonexistent) + ["similar"] * bool(self.similar)
        return f"{seeds.seed_of(*settings) >> 40:06x}"

    def _wished(self) -> dict[str, Any]:
        """What the task's own `make` is told beside the weights of its negatives."""
        wishes: dict[str, Any] = {} if self.working is None else {"working": self.working}
        if self.forms is not None:
            wishes["forms"] = _known(self.forms, search.FORMS, "form of question")
        if self.relations is not None:
            wishes["relations"] = _known(
                self.relations, self.source.people.relations if self.source.people else (), "relation"
            )
        if self.task == "vqa":
            wishes |= {"layout": self.layout, "nonexistent": self.nonexistent}
        if self.task in ("vqa", "search"):
            wishes["similar"] = self.similar
        return wishes


def shard_range(n: int, shard: tuple[int, int], block: int = 1) -> range:
    """The slots of shard (i, N), 1-based, as a contiguous range; all N in order are range(n)."""
    i, parts = shard
    blocks = -(-n // block)
    start, stop = (i - 1) * blocks // parts * block, i * blocks // parts * block
    return range(min(start, n), min(stop, n))


def block_of(name: str) -> int:
    """The first slot of the block that the pair of this id is of: where a run that was killed goes on, so that a model is
    asked the same batches."""
    return int(name.removesuffix("-twin").rpartition("-")[2]) // BLOCK * BLOCK


def _sizes(task: str, layout: str, per_prompt: tuple[int, int]) -> list[int]:
    """The numbers of images that a prompt may have. Raises SourceError where the layout allows none."""
    least, most = per_prompt
    if layout == "sequence":
        return list(range(least, most + 1))
    if layout == "pip":
        if task != "vqa":
            raise SourceError(f"the layout pip is for vqa: {task} looks at several images (use grid)")
        return [2]
    from s2h.images.layouts import COLUMNS

    sizes = [n for n in COLUMNS if least <= n <= most]
    if not sizes:
        raise SourceError(f"no grid of {least} to {most} images (grids have {', '.join(map(str, COLUMNS))})")
    return sizes


def _known(wanted: dict[str, float], known: Any, what: str) -> dict[str, float]:
    if unknown := sorted(set(wanted) - set(known)):
        raise SourceError(f"no {what} {unknown[0]!r} here (choose from {', '.join(known) or 'none'})")
    if not sum(wanted.values()) > 0:
        raise SourceError(f"the weights of every {what} add up to nothing")
    return wanted


def _weights(maker: Any, data: Any, negatives: dict[str, float] | None, by_model: bool) -> dict[str, float]:
    """The kinds of rejected answers with their weights. Raises SourceError for a kind that the source can't give."""
    if by_model:
        return {"hallucination": 1.0}
    possible = maker.possible_negatives(data)
    if negatives is None:
        return {kind: weight for kind, weight in maker.NEGATIVES.items() if kind in possible}
    if unknown := sorted(set(negatives) - set(possible)):
        raise SourceError(f"no negatives of kind {unknown[0]!r} here (choose from {', '.join(possible)})")
    return dict(negatives)
