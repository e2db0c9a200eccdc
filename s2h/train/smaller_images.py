"""How many pairs would fit the model's window with smaller images: the pairs that a run drops are counted again at a few
values of `--max-pixels`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from s2h.errors import counted, plural
from s2h.models import image_size
from s2h.models.tokens import PairTokens, TokenCounter
from s2h.record import Record, RecordError

SIDES = (1024, 768, 512, 384, 256, 192, 128, 96, 64)  # of squares, in pixels
STEPS = 4  # most values that are tried


def steps(most: int) -> list[int]:
    """Return the values of `--max-pixels` to try, below `most` (0 for no bound), the largest first."""
    return [side * side for side in SIDES if not most or side * side < most][:STEPS]


@dataclass
class SmallerImages:
    """The pairs that do not fit, and how many of them would at each value of `--max-pixels`."""

    window: int
    counters: dict[int, TokenCounter]  # by the value of --max-pixels
    pairs: int = 0
    fitting: dict[int, int] = field(default_factory=dict)
    is_shorter: bool = False  # whether smaller images have fewer tokens at all

    @classmethod
    def of(cls, counter: TokenCounter) -> SmallerImages:
        """Return an empty count for the model of a counter."""
        own = image_size.own_pixels(counter.processor) or counter.shown
        return cls(counter.window, {most: counter.with_most(most) for most in steps(own.most)})

    def add(self, record: Record, images: list[Any], known: PairTokens, rejected: Sequence[Any] = ()) -> None:
        """Count a pair that does not fit. images, rejected: as they were opened. known: its tokens with them."""
        self.pairs += 1
        for most, counter in self.counters.items():
            with contextlib.suppress(RecordError):  # processors may refuse thin images
                fitted = ([counter.shown.fit(image) for image in some] for some in (images, rejected))
                row = counter.count(record, *fitted).row
                self.is_shorter |= row < known.row
                self.fitting[most] = self.fitting.get(most, 0) + (row <= self.window)

    def line(self, fit: int) -> str:
        """Return a sentence about all pairs, "" if all fit. fit: the number of those that fit now."""
        if not self.pairs:
            return ""
        said = (
            f"{self.pairs} of {counted(fit + self.pairs, 'pair')} {plural(self.pairs, 'does', 'do')} not fit the window "
            f"of {self.window} tokens"
        )
        if not self.is_shorter:
            return f"{said}, and smaller images would not help"
        tried = [f"{fit + self.fitting.get(most, 0)} with --max-pixels {most}" for most in self.counters]
        return f"{said}; with smaller images more would: {', '.join(tried)}"
