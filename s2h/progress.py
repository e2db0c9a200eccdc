"""Progress in lines, for a log where a terminal would have a bar: one line every EVERY seconds, and none for short work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from s2h.errors import plural

EVERY = 20.0  # seconds


class Lines:
    """Counts of finished items, told with `say`. total: the number of all items, if it is known, from which the time that is
    left follows. unit: the name of an item. label: the name of the work."""

    def __init__(
        self, say: Callable[[str], Any], *, total: int | None = None, unit: str = "pair", label: str = ""
    ) -> None:
        self.say, self.total, self.unit = say, total, unit
        self.head = f"{label}: " if label else ""
        self.count = 0
        self.started = self.told = time.monotonic()

    def update(self, n: int = 1) -> None:
        """Count n more items, and tell the count if the last line is old enough."""
        self.count += n
        now = time.monotonic()
        if now - self.told >= EVERY:
            self.told = now
            self.say(self.head + self._text(now - self.started))

    def of(self, items: Iterable) -> Iterator:
        """Yield some items, and count each when the next one is wanted."""
        for item in items:
            yield item
            self.update()

    def close(self) -> None:
        """Do nothing: a bar's end."""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _text(self, seconds: float) -> str:
        """Return the count after some seconds of work."""
        if not self.total or not self.count:
            return f"{self.count:,} {plural(self.count, self.unit)} so far, {self.count / max(seconds, 1e-9):.3g} a second"
        left = max(0.0, seconds * (self.total - self.count) / self.count)
        return f"{self.count:,} of {self.total:,} {plural(self.total, self.unit)}, about {spoken(left)} left"


def spoken(seconds: float) -> str:
    """Return a duration as a reader says it: "40 s", "3 min", "2 h 5 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
