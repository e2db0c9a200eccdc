"""The settings of a run of s2h-gen, and the loop that makes its records. Slot k is drawn from (seed, task, k) alone, so a
shard is a range of slots, and all shards in order are the whole run.

    Recipe("kinship", n=8, per_prompt=(2, 3)).records()

`records` goes through the slots, `draw` tries to make a pair, and `record` draws its pictures. The tasks make the pairs
(vqa.py, kinship.py, …), slots.py keeps the run in balance, hallucinations.py takes rejected answers from a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from s2h import registry, seeds
from s2h.record import REJECTED_IMAGES
from s2h.sources import NoPair, SourceError, open_source
from s2h.sources.shapes import Dataset
from s2h.tasks import BY_MODEL, WORKING, Task, Wanted, by_level, data_for
from s2h.tasks.slots import Run

if TYPE_CHECKING:
    from s2h.images.store import Store
    from s2h.record import Record
    from s2h.tasks.hallucinations import Answerer
    from s2h.tasks.item_pair import Pair, Size
    from s2h.tasks.similar import Similar

TRIES = 90  # draws of one slot before it is given up and counted
TRIES_BY_MODEL = 20  # the same if each draw asks a model
DEALT = 3  # the first 1/DEALT of the draws keep the choices that were dealt to the slot; later draws choose freely
BLOCK = 32  # level-1 slots that a model answers in one batch; shards end at whole blocks, so batches stay the same
PER_PROMPT = {"sequence": (2, 5), "grid": (2, 9), "pip": (2, 2)}  # default images in a prompt, by layout


@dataclass
class Recipe:
    """The settings of a run. Raises SourceError if the source lacks the data that the task needs.

    n: slots of the whole run. source: an opened source, or its spec. per_prompt: the smallest and largest number of images
    in a prompt; each number is equally frequent. layout: `sequence`; `grid`, all images as tiles of one; or (vqa) `pip`,
    one image in the middle of another. negatives: kind -> weight, by default the task's own. working: the share of prompts
    that ask for the working, if the task has such prompts. options: values of the task's own options. similar: chooses
    distractors by CLIP. twins: each pair is followed by its counterfactual twin, the same prompt over images for which the
    rejected answer is right; `facts.twin` has the pair's id. image_side: with twins, only the pair is made, and the twin's
    images are its `rejected_images`.

    answerer: a model whose wrong replies become the rejected answers. shard: (i, N), the part of the slots to make. first:
    the first slot to make, after an interrupted run. workers: processes that share the work. images: the store of drawn
    pictures. size: their side in pixels, or the smallest and largest width and height. tally: counts the reasons why draws
    gave no pair."""

    task: str
    n: int = 1000
    seed: int = 0
    source: str | Dataset = "builtin"
    split: str = "train"
    per_prompt: tuple[int, int] = PER_PROMPT["sequence"]
    layout: str = "sequence"
    negatives: dict[str, float] | None = None
    working: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    similar: Similar | None = None
    twins: bool = False
    image_side: bool = False
    answerer: Answerer | None = None
    shard: tuple[int, int] = (1, 1)
    first: int = 0
    workers: int = 1
    images: Store | None = None
    size: Size = 224
    tally: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.maker: Task = _task(self.task)
        source = self.source
        if isinstance(source, str):
            source = open_source(source, seed=self.seed, split=self.split)
        self.dataset, self.data = source, data_for(self.task, source)
        self.run = Run(
            (source.spec, self.seed, self.split, self.task),
            _sizes(self.task, self.maker, self.layout, self.per_prompt),
        )
        wanted = Wanted(
            _weights(self.maker, self.data, self.negatives, self.answerer is not None),
            self.working,
            self.layout,
            self.similar,
            _own(self.task, self.maker, self.options),
        )
        self.maker.check(self.data, wanted)
        # Ids are the same whether the default is given or not.
        self.wanted = replace(wanted, working=None) if self.working == WORKING else wanted
        from s2h.images.store import Store

        self.store = self.images or Store()

    def records(self) -> Iterator[Record]:
        """Yield the records of the run in order. A slot that gives no pair is left out and counted."""
        slots = shard_range(self.n, self.shard, BLOCK if self.answerer else 1)
        slots = range(max(self.first, slots.start), max(self.first, slots.stop))
        if self.workers > 1:
            from s2h.tasks.workers import spread

            return spread(self.made, slots, self.workers, self.dataset, self.tally)
        return self.made(slots, self.tally)

    def made(self, slots: range, tally: Counter) -> Iterator[Record]:
        """Yield the records of some slots, each followed by its twin, or with its images, if twins were asked for."""
        answerer = self.answerer
        for k, pair in self._by_model(answerer, slots, tally) if answerer else self._by_design(slots, tally):
            record = self.record(pair, k)
            if self.twins and pair.twin is not None:
                twin = self.record(pair.mirrored(pair.twin), k)
                if self.image_side:
                    record[REJECTED_IMAGES] = twin["images"]
                    yield record
                    continue
                twin["id"] += "-twin"
                record["facts"]["twin"] = twin["facts"]["twin"] = record["id"]
                yield record
                yield twin
            else:
                yield record

    def _by_design(self, slots: range, tally: Counter) -> Iterator[tuple[int, Pair]]:
        """Yield (slot, pair). A slot is drawn again until it gives a pair, at most TRIES times."""
        for k in slots:
            for attempt in range(TRIES):
                pair = self.draw(k, attempt, TRIES, tally)
                if pair is not None:
                    yield k, pair
                    break
            else:
                tally["slots given up"] += 1

    def _by_model(self, answerer: Answerer, slots: range, tally: Counter) -> Iterator[tuple[int, Pair]]:
        """Yield (slot, pair) with rejected answers from a model, which answers a block of slots at a time."""
        from s2h.tasks.hallucinations import hallucinated

        for start in range(slots.start, slots.stop, BLOCK):
            block = range(start, min(start + BLOCK, slots.stop))
            draw = partial(self.draw, tries=TRIES_BY_MODEL, tally=tally)
            yield from hallucinated(block, draw, TRIES_BY_MODEL, answerer, self.data, self.size, tally)

    def draw(self, k: int, attempt: int, tries: int, tally: Counter) -> Pair | None:
        """Draw the pair of slot k; return None, and count why, if the draw gives none. The first third of the tries keep the
        choices that were dealt to the slot."""
        slot = self.run.slot(k, attempt, free=attempt >= tries // DEALT)
        try:
            pair = self.maker.make(slot, self.data, self.wanted)
            if self.twins and pair.twin is None:
                raise NoPair("no twin of this kind of negative")
        except NoPair as reason:
            tally[str(reason)] += 1
            return None
        pair.layout = self.layout
        return pair

    def record(self, pair: Pair, k: int) -> Record:
        """Draw and store the pictures of a pair, and return it as the record of slot k."""
        name = f"{self.task}-{self.name}-{k:06d}"
        return pair.record(name, self.maker.level, self.task, self.dataset.spec, self.store, self.size)

    @cached_property
    def name(self) -> str:
        """The part of the pairs' ids that depends on the settings: a hash of all that changes the pairs."""
        weights, shares, photos = [], [], self.dataset.photos
        for option in self.maker.options:
            if option.name in self.wanted.options:
                value = self.wanted.options[option.name]
                if option.type == "weights":
                    weights.append(sorted(value.items()))
                elif value:
                    shares.append(value)
        settings = [
            self.dataset.spec,
            self.seed,
            self.split,
            self.per_prompt,
            sorted(self.wanted.negatives.items()),
        ]
        settings += [self.wanted.working, self.answerer is not None, *weights]
        settings += [self.answerer.name] if self.answerer and self.answerer.name else []
        settings += [captioner] if (captioner := photos.captioner if photos else "") else []
        settings += [self.layout] if self.layout != "sequence" else []
        settings += [*shares, *(["similar"] if self.similar else [])]
        return f"{seeds.seed_of(*settings) >> 40:06x}"


def shard_range(n: int, shard: tuple[int, int], block: int = 1) -> range:
    """Return the slots of shard (i, N), 1-based, as a contiguous range; all N in order are range(n)."""
    i, parts = shard
    blocks = -(-n // block)
    start, stop = (i - 1) * blocks // parts * block, i * blocks // parts * block
    return range(min(start, n), min(stop, n))


def block_of(name: str) -> int:
    """Return the first slot of the block of the pair with this id. A killed run resumes there, so that a model gets the same
    batches."""
    return int(name.removesuffix("-twin").rpartition("-")[2]) // BLOCK * BLOCK


def _task(name: str) -> Task:
    try:
        return registry.load("task", name)
    except KeyError:
        raise SourceError(f"unknown task {name!r} (choose from {', '.join(by_level())})") from None


def _sizes(name: str, task: Task, layout: str, per_prompt: tuple[int, int]) -> tuple[int, ...]:
    """Return the numbers of images that a prompt may have. Raises SourceError if the layout allows none."""
    if layout not in task.layouts:
        others = " and ".join(other for other, one in by_level().items() if layout in one.layouts)
        raise SourceError(f"the layout {layout} is for {others}: {name} needs {' or '.join(task.layouts)}")
    least, most = per_prompt
    if layout == "sequence":
        return tuple(range(least, most + 1))
    if layout == "pip":
        return (2,)
    from s2h.images.layouts import COLUMNS

    sizes = tuple(n for n in COLUMNS if least <= n <= most)
    if not sizes:
        raise SourceError(f"no grid of {least} to {most} images (grids have {', '.join(map(str, COLUMNS))})")
    return sizes


def _weights(task: Task, data: Any, negatives: dict[str, float] | None, by_model: bool) -> dict[str, float]:
    """Return the kinds of rejected answers with their weights. Raises SourceError for a kind that the data does not
    allow."""
    if by_model:
        return {BY_MODEL: 1.0}
    possible = task.negatives_from(data)
    if negatives is None:
        return possible
    if unknown := sorted(set(negatives) - set(possible)):
        raise SourceError(f"no negatives of kind {unknown[0]!r} here (choose from {', '.join(possible)})")
    return dict(negatives)


def _own(name: str, task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the task's own options that were given. Raises SourceError for an option of another task."""
    given = {option: value for option, value in options.items() if value is not None}
    if foreign := sorted(set(given) - {option.name for option in task.options}):
        raise SourceError(f"{name} has no option {foreign[0]}")
    return given
