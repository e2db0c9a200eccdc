"""Make the records of a run in several processes. Each process has the source and gets pieces of the slots; the records come
back in order, with the same bytes as from one process."""

from __future__ import annotations

import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from s2h.processes import follow_parent
from s2h.record import Record
from s2h.sources import SourceError
from s2h.sources.shapes import Dataset

PIECE = 64  # slots that a process gets at a time
AHEAD = 4  # unread pieces for each process, a limit that keeps memory from growing with the run

# Set in a worker process: the function that makes the records, and the source.
_work: tuple[Callable[..., Iterator[Record]], Dataset] | None = None


def spread(
    make: Callable[[range, Counter], Iterator[Record]],
    slots: range,
    workers: int,
    source: Dataset,
    tally: Counter,
) -> Iterator[Record]:
    """Yield the records of `make(slots, tally)`, made by `workers` processes. Raises SourceError on systems that can't fork:
    the processes share the open source, which is not copied."""
    if "fork" not in multiprocessing.get_all_start_methods():
        raise SourceError("--workers needs a system that can fork (use --shard on this one)")
    pieces = (slots[at : at + PIECE] for at in range(0, len(slots), PIECE))
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(make, source)
    ) as pool:
        waiting: deque[Future] = deque()
        try:
            for piece in pieces:
                waiting.append(pool.submit(_piece, piece))
                if len(waiting) > AHEAD * workers:
                    yield from _taken(waiting.popleft(), source, tally)
            while waiting:
                yield from _taken(waiting.popleft(), source, tally)
        finally:
            for future in waiting:
                future.cancel()


def _begin(make: Callable[[range, Counter], Iterator[Record]], source: Dataset) -> None:
    global _work
    _work = make, source
    follow_parent()


def _piece(slots: range) -> tuple[list[Record], Counter, dict, dict]:
    if _work is None:
        raise RuntimeError("a worker process that _begin has not initialised")
    make, source = _work
    tally: Counter = Counter()
    made = list(make(slots, tally))
    pages, bad = source.excluded.hand_over()
    return made, tally, pages, bad


def _taken(future: Future, source: Dataset, tally: Counter) -> Iterator[Record]:
    try:
        made, counted, pages, bad = future.result()
    except BrokenProcessPool as error:
        raise SourceError("a worker process died, perhaps out of memory (use fewer --workers)") from error
    tally.update(counted)
    if pages or bad:
        source.excluded.learn(pages, bad)
    yield from made
