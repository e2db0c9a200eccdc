"""Types of options that several commands share, or that need more than a line to check."""

from __future__ import annotations

import math
import re

import click

from s2h.errors import suggestion

MOST_IMAGES = 12
LEAST_SIDE, MOST_SIDE = 32, 448  # of drawn images


class Choice(click.Choice):
    """A choice whose errors are one line, and suggest the name that was meant. `headings.command` puts it in place of every
    click.Choice."""

    def get_missing_message(self, param, ctx=None):
        return f"Choose from {', '.join(map(str, self.choices))}."

    def get_invalid_choice_message(self, value, ctx):
        return super().get_invalid_choice_message(value, ctx) + suggestion(str(value), map(str, self.choices))


class Span(click.ParamType):
    """A range of numbers of images, '2-5' or '3': converted to (least, most)."""

    name = "A-B"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", value.strip())
        least = int(found[1]) if found else 0
        most = int(found[2] or found[1]) if found else 0
        if not 1 <= least <= most <= MOST_IMAGES:
            self.fail(
                f"{value!r} is no range of 1 to {MOST_IMAGES} images (for example 2-5, or 3)", param, ctx
            )
        return least, most


class Number(click.FloatRange):
    """A number within bounds; neither "nan" nor "inf" is one."""

    def convert(self, value, param, ctx):
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a number", param, ctx)
        return found


class Regex(click.ParamType):
    """A regular expression, kept as its text."""

    name = "REGEX"

    def convert(self, value, param, ctx):
        try:
            re.compile(value)
        except re.error as error:
            self.fail(f"{value!r} is no regular expression: {error}", param, ctx)
        return value


class Sides(click.ParamType):
    """Sides of images in pixels: '224', the side of squares, is converted to 224; '160-320', the least and the largest width
    and height, to (160, 320)."""

    name = "PIXELS"

    def convert(self, value, param, ctx):
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", value.strip())
        least = int(found[1]) if found else 0
        most = int(found[2] or found[1]) if found else 0
        if not LEAST_SIDE <= least <= most <= MOST_SIDE:
            self.fail(
                f"{value!r} is neither a side nor a range of {LEAST_SIDE} to {MOST_SIDE} pixels (for example 224, or "
                "160-320)",
                param,
                ctx,
            )
        return (least, most) if found[2] else least


class Shard(click.ParamType):
    """One of several parts: '2/4', the second of four, is converted to (2, 4)."""

    name = "I/N"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d+)/(\d+)", value.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(f"{value!r} is no shard (for example 1/4 to 4/4)", param, ctx)
        return int(found[1]), int(found[2])


class Weight(click.ParamType):
    """A kind and its weight: 'same-concept=0.5' is converted to ("same-concept", 0.5), 'generic' to ("generic", 1.0)."""

    name = "KIND=WEIGHT"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        kind, sign, weight = value.partition("=")
        try:
            number = float(weight) if sign else 1.0
        except ValueError:
            number = -1.0
        if not kind or not 0 <= number < float("inf"):
            self.fail(f"{value!r} is no kind with a weight (for example other-image=2)", param, ctx)
        return kind, number


class Weights(click.ParamType):
    """Weights of the FILEs: '1,0.5,2', at least one above 0; or 'l1=0.5,l3=2' by name, 1 for the others. They are converted
    to pairs of a name ("" for none) and a number."""

    name = "W,..."

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        pairs = [part.strip().rpartition("=") for part in value.split(",")]
        try:
            weights = tuple((name, float(number)) for name, _, number in pairs)
        except ValueError:
            weights = ()
        if not weights or not all(0 <= weight < math.inf for _, weight in weights):
            self.fail(f"{value!r} are no weights (for example 1,0.5,2 or l1=0.5)", param, ctx)
        named = [name for name, sign, _ in pairs if sign]
        if named and (len(named) < len(pairs) or not all(named) or len(set(named)) < len(named)):
            self.fail(f"{value!r}: name each FILE once, or none (for example l1=0.5,l3=2)", param, ctx)
        if not named and not any(weight for _, weight in weights):
            self.fail(f"{value!r} leaves nothing", param, ctx)
        return weights


class Fraction(click.ParamType):
    """A number of at least 0 and below 1, such as 0.05."""

    name = "FRACTION"

    def convert(self, value, param, ctx):
        try:
            fraction = float(value)
        except ValueError:
            fraction = math.nan
        if not 0 <= fraction < 1:
            self.fail(f"{value!r} is no fraction (at least 0 and below 1, for example 0.05)", param, ctx)
        return fraction


class Amount(click.ParamType):
    """A number of records or a part of them: '1000' is converted to an int, '0.5' to a float."""

    name = "N|FRACTION"

    def convert(self, value, param, ctx):
        if isinstance(value, int | float):
            return value
        try:
            amount = int(value) if value.strip().isdigit() else float(value)
        except ValueError:
            amount = math.nan
        if not (amount >= 1 if isinstance(amount, int) else 0 < amount <= 1):
            self.fail(f"{value!r} is neither a number nor a part (for example 1000, or 0.5)", param, ctx)
        return amount


class Bounded(click.ParamType):
    """A finite number from `least` to `most`, either of which may be infinite; a whole one if `whole`."""

    name = "number"

    def __init__(self, least: float = -math.inf, most: float = math.inf, whole: bool = False) -> None:
        self.least, self.most, self.whole = least, most, whole

    @property
    def bounds(self) -> str:
        """The bounds in words: "from 0 to 8", "" if there is none."""
        ends = (("from", self.least), ("to", self.most))
        return " ".join(f"{word} {end:g}" for word, end in ends if math.isfinite(end))

    def convert(self, value, param, ctx):
        number = _number(value)
        if number is None or not self.least <= number <= self.most or (self.whole and number % 1):
            kind = "whole number" if self.whole else "number"
            self.fail(f"{value!r} is no {kind} {self.bounds}".rstrip(), param, ctx)
        return int(number) if self.whole else number


class Band(click.ParamType):
    """A range '0.3:0.9', of which one end may be left out: converted to (least, most)."""

    name = "LO:HI"

    def __init__(self, least: float, most: float = math.inf) -> None:
        self.least, self.most = least, most

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        low, colon, high = (part.strip() for part in value.partition(":"))
        if not colon or not (low or high):
            self.fail(f"{value!r} is no band LO:HI (for example 0.3:0.9, 0.3: or :0.9)", param, ctx)
        ends = [_number(low) if low else self.least, _number(high) if high else self.most]
        if None in ends:
            self.fail(f"{value!r}: {low if ends[0] is None else high!r} is no number", param, ctx)
        if not ends[0] <= ends[1]:
            self.fail(f"{value!r}: LO is more than HI", param, ctx)
        if ends[0] > self.most or ends[1] < self.least:
            span = f"from {self.least:g} " + (f"to {self.most:g}" if self.most < math.inf else "up")
            self.fail(f"{value!r} keeps nothing: the values go {span}", param, ctx)
        return tuple(ends)


def _number(text: str | float) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
