"""Facts to pairs: `generate` yields the records of one task from one source. Record k is drawn from (seed, task, k) alone,
so a shard is a range of k and shards put end to end are the whole.

    s2h-gen kinship -n 8 --images-per-prompt 2-3 | s2h-filter --quiet
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from s2h import seeds
from s2h.levels import arithmetic, compare, compare_answers, kinship, search, vqa
from s2h.levels.draft import WORKING, Draft
from s2h.levels.mistakes import Asker, hallucinated
from s2h.record import Record
from s2h.sources import NoPair, SourceError, open_source, require

MAKERS = {"vqa": vqa, "kinship": kinship, "arithmetic": arithmetic, "compare": compare, "search": search}
LEVELS = {"vqa": 1, "kinship": 2, "arithmetic": 2, "compare": 2, "search": 3}
TRIES = 90  # redraws of one slot before it is given up and counted
ASKED = 20  # the same where each draw asks a model
BLOCK = 32  # level-1 slots that go through the model together; shards are cut at whole blocks, so batches stay the same


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


def generate(
    task: str,
    *,
    n: int = 1000,
    seed: int = 0,
    source: Any = "builtin",
    split: str = "train",
    per_prompt: tuple[int, int] = (2, 5),
    layout: str = "sequence",
    negatives: dict[str, float] | None = None,
    working: float | None = None,
    forms: dict[str, float] | None = None,
    relations: dict[str, float] | None = None,
    nonexistent: float = 0,
    similar: Callable | None = None,
    twins: bool = False,
    shard: tuple[int, int] = (1, 1),
    first: int = 0,
    workers: int = 1,
    images: Any = None,
    size: int | tuple[int, int] = 224,
    answer: Callable[[list[tuple[list, list]], str], list[list[str] | None]] | None = None,
    answerer: str = "",
    alike: Callable[[str, str], bool] | None = None,
    choose: Callable[[Draft, list, list[str]], str | None] | None = None,
    tally: Counter | None = None,
) -> Iterator[Record]:
    """Yield up to n records of a task.

    per_prompt: the least and the most images in a prompt, each number equally often. layout: `sequence`, or all images in
    one as a `grid` or (vqa) one in the middle of the other, `pip`. negatives: kind -> weight (the task's own mixture by
    default). working: the share of prompts (levels 2 and 3) that ask the answer to say first what it sees; half by default.
    forms: of search, caption, locate, count and absent with their weights; relations: of kinship, parent, grandparent and
    sibling with theirs. nonexistent: see vqa.make; similar: see similar.Similar. twins: each pair is followed by its
    counterfactual twin, the same prompt with images that turn the answers round, and `facts.twin` in both is the pair's id.
    first: slots before this one were made by an earlier run. workers: processes that share the work. images: the Store that
    drawn pictures go to.
    size: their side in pixels, or the least and the greatest of their widths and heights. answer (level 1 only): a model,
    as a function from [(messages, images)] and a text that seeds its sampling to each prompt's generated texts; wrong ones
    become the rejected answers; answerer: its name and settings, which go into the pairs' names; alike, choose: see
    mistakes.Asker. tally: counts what was discarded and
    why. Raises SourceError where the source lacks what the task needs.
    """
    if task not in MAKERS:
        raise SourceError(f"unknown task {task!r} (choose from {', '.join(MAKERS)})")
    if isinstance(source, str):
        source = open_source(source, seed=seed, split=split)
    maker = maker_of(task, source)
    require(source, task, *maker.NEEDS)
    sizes = _sizes(task, layout, per_prompt)
    if working and task == "kinship" and not hasattr(source, "look"):
        raise SourceError(
            f"source {source.spec!r}: nothing is known of how its people look (leave out the working)"
        )
    working = None if working == WORKING else working  # the default said aloud gives the same names
    wishes: dict[str, Any] = {} if working is None else {"working": working}
    if forms is not None:
        wishes["forms"] = _known(forms, search.FORMS, "form of question")
    if relations is not None:
        wishes["relations"] = _known(relations, getattr(source, "relations", ()), "relation")
    if task == "vqa":
        wishes |= {"layout": layout, "nonexistent": nonexistent, "similar": similar}
    elif task == "search":
        wishes["similar"] = similar
    weights = _weights(maker, source, negatives, answer is not None)
    if images is None:
        from s2h.images import Store

        images = Store()
    tally = Counter() if tally is None else tally
    settings = [source.spec, seed, split, per_prompt, sorted(weights.items()), working, answer is not None]
    settings += [sorted(wish.items()) for wish in (forms, relations) if wish is not None]
    settings += [answerer] * bool(answerer)
    if captioner := getattr(source, "captioner", ""):
        settings.append(captioner)
    settings += (
        [layout] * (layout != "sequence") + [nonexistent] * bool(nonexistent) + ["similar"] * bool(similar)
    )
    name = f"{seeds.seed_of(*settings) >> 40:06x}"

    tries = TRIES if answer is None else ASKED

    def draft(k: int, attempt: int, tally: Counter) -> Draft | None:
        # A redraw keeps its turn; where that gives no pair at all, the slot takes what can be had.
        run = (source.spec, seed, split, task)
        rng = seeds.slot_rng(run, k, attempt, sizes, free=attempt >= tries // 3)
        number = sizes[rng.whole.take("images", (1,) * len(sizes))]
        try:
            made = maker.make(rng, source, number, weights, **wishes)
            if twins and made.twin is None:
                raise NoPair("no twin of this kind of negative")
        except NoPair as reason:
            tally[str(reason)] += 1
            return None
        made.layout = layout
        return made

    def record(draft: Draft, k: int) -> Record:
        return draft.record(f"{task}-{name}-{k:06d}", LEVELS[task], task, images, size, source.spec)

    def records_of(draft: Draft, k: int) -> Iterator[Record]:
        pair = record(draft, k)
        if not twins:
            yield pair
            return
        twin = record(draft.turned(), k)
        twin["id"] += "-twin"
        pair["facts"]["twin"] = twin["facts"]["twin"] = pair["id"]
        yield pair
        yield twin

    def made(slots: range, tally: Counter) -> Iterator[Record]:
        for k in slots:
            for attempt in range(TRIES):
                pair = draft(k, attempt, tally)
                if pair is not None:
                    yield from records_of(pair, k)
                    break
            else:
                tally["slots given up"] += 1

    slots = shard_range(n, shard, BLOCK if answer is not None else 1)
    slots = range(max(first, slots.start), max(first, slots.stop))
    if answer is not None:
        asker = Asker(answer, size, ASKED, alike, choose)
        for start in range(slots.start, slots.stop, BLOCK):
            block = range(start, min(start + BLOCK, slots.stop))
            yield from hallucinated(
                block, source, lambda k, attempt: draft(k, attempt, tally), record, asker, tally
            )
    elif workers > 1:
        from s2h.levels.workers import spread

        yield from spread(made, slots, workers, source, tally)
    else:
        yield from made(slots, tally)


def _sizes(task: str, layout: str, per_prompt: tuple[int, int]) -> list[int]:
    """The numbers of images that a prompt may have. Raises SourceError where the layout allows none."""
    least, most = per_prompt
    if layout == "sequence":
        return list(range(least, most + 1))
    if layout == "pip":
        if task != "vqa":
            raise SourceError(f"the layout pip is for vqa: {task} looks at several images (use grid)")
        return [2]
    from s2h.layouts import COLUMNS

    sizes = [n for n in COLUMNS if least <= n <= most]
    if not sizes:
        raise SourceError(f"no grid of {least} to {most} images (grids have {', '.join(map(str, COLUMNS))})")
    return sizes


def possible_negatives(task: str, source: Any) -> list[str]:
    """The kinds of rejected answers that a task can make from this source without a model."""
    return maker_of(task, source).possible_negatives(source)


def maker_of(task: str, source: Any) -> Any:
    """The module that makes a task's pairs from this source."""
    if task != "compare" or hasattr(source, "trait"):
        return MAKERS[task]
    if hasattr(source, "shared"):
        return compare_answers
    raise SourceError(
        f"source {source.spec!r}: nothing is known in which its pictures can be compared (give classes:PATH, coco:PATH, or "
        "questions with answers: vqav2:PATH, llava:PATH)"
    )


def _known(wanted: dict[str, float], known: Any, what: str) -> dict[str, float]:
    if unknown := sorted(set(wanted) - set(known)):
        raise SourceError(f"no {what} {unknown[0]!r} here (choose from {', '.join(known) or 'none'})")
    if not sum(wanted.values()) > 0:
        raise SourceError(f"the weights of every {what} add up to nothing")
    return wanted


def _weights(maker: Any, source: Any, negatives: dict[str, float] | None, by_model: bool) -> dict[str, float]:
    if by_model:
        return {"hallucination": 1.0}
    possible = maker.possible_negatives(source)
    weights = (
        {kind: w for kind, w in maker.NEGATIVES.items() if kind in possible}
        if negatives is None
        else negatives
    )
    if unknown := sorted(set(weights) - set(possible)):
        raise SourceError(f"no negatives of kind {unknown[0]!r} here (choose from {', '.join(possible)})")
    return dict(weights)
