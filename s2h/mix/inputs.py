"""Read the inputs of a mix into an index: files in spans, which several processes scan, and streams as they come."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import stat
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import BinaryIO

from s2h.mix.index import Index, Input
from s2h.mix.scan import Found, Wanted, scan
from s2h.processes import follow_parent
from s2h.record import RecordError, fail
from s2h.streams import containers, files, jsonl

CHUNK = 1 << 21  # bytes of a span, except that of a longer line
TAIL = 1 << 16  # bytes that are searched at a time for the end of a line
OPEN = 200  # plain files that are kept open; more are copied to the spool, as the system bounds their number
AHEAD = 3  # scanned spans of each process that may wait


def load(
    inputs: Sequence[str | BinaryIO],
    spool: BinaryIO,
    *,
    wanted: Wanted = Wanted(),  # noqa: B008 - a tuple, nobody changes it
    links: BinaryIO | None = None,
    workers: int = 1,
    on_error: Callable[[RecordError], None] = fail,
    on_layout: Callable[[str, str], object] | None = None,
    progress: Callable[[int], object] = bool,
) -> Index:
    """Read the inputs (names as `jsonl.find` takes them, or binary streams) into an index, which the caller closes.

    spool: an empty binary file to read and write, for lines from streams and compressed files. links: another such file, for
    what the records share (with wanted.links, for `split`). workers: processes that read spans; the result is the same. A
    line that is not a record goes to on_error as a RecordError, and so does a duplicate id, with both places; the later
    record is dropped if on_error returns. on_layout: as in `jsonl.read`. progress gets the number of records read.
    Raises OSError, and RecordError where the disk of the temporary files is full.
    """
    names = [jsonl.find(name) if isinstance(name, str) else name for name in inputs]
    index = Index(wanted, spool, links)
    lines = 0  # of the input that is being read
    try:
        with temporary():
            for one, found in _results(_spans(index, names), wanted, workers):
                if one.first < 0:
                    one.first, lines = len(index), 0
                if isinstance(found, RecordError):
                    lines += 1
                    found.where = f"{one.name}:{lines}"
                    on_error(found)
                    continue
                for line, error in found.faults:
                    error.where = f"{one.name}:{lines + line}"
                    on_error(error)
                lines += found.lines
                index.add(found)
                for kind in found.kinds:
                    if kind.layout and on_layout is not None:
                        on_layout(one.name, kind.layout)
                progress(len(found.offset))
            if links is not None:
                links.flush()
        after = len(index)
        for one in reversed(index.inputs):  # an input without lines starts where the next one does
            after = one.first = one.first if one.first >= 0 else after
        drop_twice(index, on_error)
    except BaseException:
        index.__exit__()
        raise
    return index


@contextlib.contextmanager
def temporary() -> Iterator[None]:
    """Raise RecordError with a remedy if the disk with the temporary files is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or error.filename:
            raise
        raise RecordError(
            f"{error.strerror}: the temporary files of the mix in {tempfile.gettempdir()}",
            remedy="free some space, or set TMPDIR to a folder that has more",
        ) from None


def _spans(index: Index, names: list) -> Iterator[tuple[Input, tuple[int, int] | RecordError]]:
    """Yield the whole lines of each input as spans (begin, end) of its file, and a RecordError where an input ends early."""
    plain = 0
    for name in names:  # all are open before the first process is forked, so that it shares them
        stream = not isinstance(name, str) or name == "-"
        label, base = ("<stdin>", "") if stream else (name, os.path.dirname(name))
        whole = not stream and not name.endswith((".gz", ".zst")) and stat.S_ISREG(os.stat(name).st_mode)
        whole = whole and not containers.is_container(name)
        plain += whole
        index.open(label, base, name if whole and plain <= OPEN else None)
    for one, name in zip(index.inputs, names, strict=True):
        if one.state is not None:
            place, end = 0, one.state[0]
            while place < end:
                begin, place = place, _line_end(one.file, place, end)
                yield one, (begin, place)
            continue
        one.begin = index.spooled
        with files.opened(name) if isinstance(name, str) else contextlib.nullcontext(name) as lines:
            for span in _copied(index, lines):
                yield one, span


def _line_end(file: int, begin: int, end: int) -> int:
    """Return the end of the last line that ends within CHUNK bytes, or of the first line if that is longer."""
    if end - begin <= CHUNK:
        return end
    low = begin + CHUNK
    while low > begin:
        high, low = low, max(begin, low - TAIL)
        if (at := os.pread(file, high - low, low).rfind(b"\n")) >= 0:
            return low + at + 1
    high = begin + CHUNK
    while high < end:
        data = os.pread(file, min(TAIL, end - high), high)
        if not data or (at := data.find(b"\n")) >= 0:
            return high + at + 1 if data else end
        high += len(data)
    return end


def _copied(index: Index, stream: BinaryIO) -> Iterator[tuple[int, int] | RecordError]:
    """Copy a stream to the spool and yield spans of whole lines as they arrive, and a RecordError where it is damaged; the
    lines before are good."""
    import zlib

    begin = ended = index.spooled  # of the lines that were not yielded yet
    since, damage, data = time.monotonic(), None, b"-"
    skipping = False  # the rest of a line that is too long
    is_first = True
    while data:
        try:
            data = stream.read1(TAIL)  # type: ignore[attr-defined]  # typing.BinaryIO does not declare it
            if is_first:
                is_first = False
                if (rows := containers.unpacked(data, stream)) is not None:
                    stream = rows
                    continue
        except RecordError as error:  # of a container
            data, damage = b"", error
        except (EOFError, zlib.error, files.Damaged, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            data, damage = b"", RecordError(f"compressed data is truncated or damaged: {error}")
        kept = data
        if skipping and data:
            _, newline, kept = data.partition(b"\n")
            skipping = not newline
        index.spool.write(kept)
        if (at := kept.rfind(b"\n")) >= 0:
            ended = index.spooled + at + 1
        index.spooled += len(kept)
        if not data and damage is None:
            ended = index.spooled  # the last line may lack its newline
        # The faults of a slow stream are reported soon.
        is_long = index.spooled - ended > jsonl.MAX_LINE
        if not data or is_long or index.spooled - begin >= CHUNK or time.monotonic() - since > 1:
            if ended > begin:
                index.spool.flush()
                yield begin, ended
            begin, since = ended, time.monotonic()
        if is_long:
            index.spool.seek(ended)
            index.spool.truncate()
            index.spooled, skipping = ended, True
            yield jsonl.too_long()
    if damage is not None:
        yield damage


def _results(tasks: Iterator, wanted: Wanted, workers: int) -> Iterator[tuple[Input, Found | RecordError]]:
    """Scan the spans and yield their columns in the order of the spans. Large spans go to processes, which are forked
    and so share the open files."""
    waiting: deque[tuple[Input, Future | Found | RecordError]] = deque()
    alone = workers == 1 or "fork" not in multiprocessing.get_all_start_methods()
    with contextlib.ExitStack() as stack:
        pool = None
        try:
            for one, span in tasks:
                outcome = span
                if not isinstance(span, RecordError):
                    given = (one.file, *span, one.base, wanted)
                    if alone or 2 * (span[1] - span[0]) < CHUNK:
                        outcome = scan(*given)
                    else:
                        pool = pool or stack.enter_context(_pool(workers))
                        outcome = pool.submit(scan, *given)
                waiting.append((one, outcome))
                while waiting and (len(waiting) > AHEAD * workers or _is_done(waiting[0][1])):
                    yield _taken(*waiting.popleft())
            while waiting:
                yield _taken(*waiting.popleft())
        finally:
            for _, outcome in waiting:
                if isinstance(outcome, Future):
                    outcome.cancel()


def _pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=follow_parent)


def _is_done(outcome: object) -> bool:
    return not isinstance(outcome, Future) or outcome.done()


def _taken(one: Input, outcome: Future | Found | RecordError) -> tuple[Input, Found | RecordError]:
    try:
        return one, outcome.result() if isinstance(outcome, Future) else outcome
    except BrokenProcessPool as error:
        raise RecordError(
            "a worker died, perhaps because memory ran out", where=one.name, remedy="use fewer --workers"
        ) from error


def drop_twice(index: Index, on_error: Callable[[RecordError], None]) -> None:
    """Drop the later of two records with one id. Only rows with equal keys are read again."""
    import numpy as np

    keys = np.sort(index.column("order"))
    twice = np.unique(keys[1:][keys[1:] == keys[:-1]])
    del keys
    if not len(twice):
        return
    known: dict[str, int] = {}
    # By sorting: the table that isin would make of 64-bit keys overflows in numpy 2.0.
    same = np.isin(index.column("order"), twice, kind="sort")
    for row in np.flatnonzero(same).tolist():  # as they were read
        if row in index.dropped:
            continue
        name = index.record(row)["id"]
        if name not in known:
            known[name] = row
            continue
        index.dropped.add(row)
        on_error(
            RecordError(f"duplicate: {name}, first in {index.where(known[name])}", "id", index.where(row))
        )
