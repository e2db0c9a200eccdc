"""The images of pairs before training: each is decoded, so that a damaged one is found before any forward pass, and its size
is kept for the count of tokens. Threads look at the images of the next pairs while the caller works on a pair."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from s2h.images.decoding import ImageError, open_images, seen_size
from s2h.images.resizing import WHOLE, Pixels
from s2h.models.tokens import TokenCounter
from s2h.record import REJECTED_IMAGES, Record, RecordError

AHEAD = 64  # pairs whose images are looked at before the caller asks for them
THREADS = min(8, max(2, os.cpu_count() or 1))  # decoding and hashing release the interpreter's lock
KNOWN = 200_000  # images whose sizes are kept
LONGEST = 1000  # characters of a reference that is kept; a data URI is longer


@dataclass(frozen=True)
class Seen:
    """An image that was decoded, and of which only the size (width, height in pixels) is kept."""

    size: tuple[int, int]

    def resize(self, size: tuple[int, int], resample: Any = None) -> Seen:
        return Seen(size)


@dataclass
class Looker:
    """Decodes the images of pairs. counter: of the model, if tokens are counted. image_side: whether rejected images are
    trained on."""

    counter: TokenCounter | None = None
    image_side: bool = False
    known: dict[tuple[str, str], Seen] = field(default_factory=dict)

    @property
    def shown(self) -> Pixels:
        """The bounds within which images are opened for the model."""
        return self.counter.shown if self.counter is not None else WHOLE

    def __call__(self, record: Record) -> tuple[list[Any], list[Any]]:
        """Return the images of a pair and its rejected images, if they are used: what `TokenCounter.count` needs of them.
        Raises RecordError."""
        if self.image_side and record.get(REJECTED_IMAGES):
            return self._with_rejected(record)
        if self.counter is not None and not self.counter.needs_only_sizes:
            return open_images(record, self.shown), []
        return [self._seen(record, i, reference) for i, reference in enumerate(record["images"])], []

    def _seen(self, record: Record, at: int, reference: str) -> Seen:
        base = getattr(record, "base", "")
        key = (base, reference)
        if (found := self.known.get(key)) is not None:
            return found
        try:
            found = Seen(seen_size(reference, base, self.shown))
        except ImageError as error:
            error.where, error.field = getattr(record, "where", ""), f"images[{at}]"
            raise
        if len(reference) <= LONGEST:
            if len(self.known) >= KNOWN:
                self.known.clear()
            self.known[key] = found
        return found

    def _with_rejected(self, record: Record) -> tuple[list[Any], list[Any]]:
        """Open both lists of images. Raises RecordError if they look the same."""
        images, rejected = (open_images(record, self.shown, name) for name in ("images", REJECTED_IMAGES))
        if all(one.tobytes() == other.tobytes() for one, other in zip(images, rejected, strict=True)):
            raise RecordError(
                "have the same pixels as images",
                REJECTED_IMAGES,
                getattr(record, "where", ""),
                "leave the field out of this pair",
            )
        return images, rejected


def nothing(record: Record) -> tuple[list[Any], list[Any]]:
    """Return no images, for pairs whose images are not opened."""
    return [], []


def ahead(records: Iterable[Record], look: Callable[[Record], Any]) -> Iterator[tuple[Record, Future]]:
    """Yield each record, in order, with the future of look(record), which a thread has begun before. An error in reading the
    records is raised after the records that were read before it."""
    waiting: deque[tuple[Record, Future]] = deque()
    source, failure = iter(records), None
    pool = ThreadPoolExecutor(THREADS)
    try:
        while True:
            try:
                record = next(source)
            except StopIteration:
                break
            except Exception as error:
                failure = error
                break
            waiting.append((record, pool.submit(look, record)))
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
        if failure is not None:
            raise failure
    finally:
        pool.shutdown(cancel_futures=True)
