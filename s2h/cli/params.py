"""The types of options that several commands have, or that need some words to check."""

from __future__ import annotations

import math
import re

import click

MOST_IMAGES = 12
LEAST_SIDE, MOST_SIDE = 32, 448  # of drawn images


class Span(click.ParamType):
    """'2-5' or '3': the least and the most."""

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
    """'224': the side of square images; '160-320': the least and the greatest width and height."""

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
    """'2/4': the second of four parts."""

    name = "I/N"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d+)/(\d+)", value.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(f"{value!r} is no shard (for example 1/4 to 4/4)", param, ctx)
        return int(found[1]), int(found[2])


class Weight(click.ParamType):
    """'same-concept=0.5' or 'generic': a kind and its weight."""

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
    """'1,0.5,2': numbers that are not negative, one at least above 0; or 'l1=0.5,l3=2': the same by FILE, 1 for the others.
    Gives pairs of a name ("" for none) and a number."""

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
    """0.05: a part below the whole."""

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
    """'1000': so many; '0.5': that part."""

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


class Cosine(click.ParamType):
    """A threshold on a cosine, or on the difference of two."""

    def __init__(self, name: str, bound: float) -> None:
        self.name, self.bound = name, bound

    def convert(self, value, param, ctx):
        number = _number(value)
        if number is None or not abs(number) <= self.bound:
            self.fail(f"{value!r} is no number from {-self.bound:g} to {self.bound:g}", param, ctx)
        return number


class Band(click.ParamType):
    """'0.3:0.9': the least and the most; one of them may be left out."""

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
