"""Where images and facts come from. A source is an object that hands out items at random from a generator of its caller;
`open_source` finds the right one for a spec (`builtin`, a path, or `KIND:PATH`).

What a source can do is what it has: `target/without/another` serve level 3, `subject/companion/questions` level 1,
`digit` arithmetic, `related/stranger/portrait` kinship, `trait/showing` compare. `require` turns a missing ability into
one clear line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from s2h import seeds
from s2h.record import RecordError

KINDS = ("builtin", "captions", "digits")
# What a picture's name ends with.
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
HELD_OUT = 10  # one picture in ten of a folder, by the hash of its name, belongs to the held-out split


class SourceError(RecordError):
    """A source that can't be read or can't do what a task needs; the message is one line with the remedy."""


class NoPair(Exception):
    """This draw gives no pair; the message is the reason, which is counted, and the slot is drawn anew."""


@dataclass(frozen=True)
class Item:
    """One picture and what is known of it: either a `reference` to a file that exists or `draw(size)`, which makes the
    picture (a PIL image of size x size pixels)."""

    key: str
    labels: dict
    reference: str = ""
    draw: Callable[[int], Any] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Trait:
    """One respect in which pictures can be compared: `what` it is called ('kind of object', 'number of stars'), the values
    that it takes (of a number of `things`: numbers), and what a picture with a value shows, as `phrase(value)`."""

    what: str
    values: tuple
    phrase: Callable[[Any], str] = field(compare=False)
    things: str = ""


def open_source(spec: str = "builtin", *, seed: int = 0, split: str = "train") -> Any:
    """The source that `spec` names. `split` is `train` or `heldout`: the two never share an image, a person or a family."""
    import os

    if spec == "builtin":
        from s2h.sources.builtin import World

        return World(seed=seed, split=split)
    kind, _, path = spec.partition(":")
    if os.path.isdir(spec):
        from s2h.sources import digits

        kind, path = "digits" if digits.looks_like(spec) else "captions", spec
    if kind == "captions" and path:
        from s2h.sources.captions import read_captions

        return read_captions(path, spec=spec, split=split)
    if kind == "digits" and path:
        from s2h.sources.digits import read_digits

        return read_digits(path, spec=spec, split=split)
    if kind == "builtin":
        raise SourceError(f"source {spec!r}: the built-in world takes no path (use --source builtin)")
    raise SourceError(
        f"source {spec!r}: no such folder, and not one of the kinds {', '.join(KINDS)} "
        "(give builtin, a folder, or KIND:FOLDER)"
    )


def belongs(kind: str, name: str, split: str) -> bool:
    """Whether a folder's picture is in the split."""
    return (seeds.seed_of(f"{kind} split", name) % HELD_OUT == 0) == (split == "heldout")


def require(source: Any, task: str, *abilities: str) -> None:
    """Say in one line that this source can't serve this task."""
    missing = [name for name in abilities if not hasattr(source, name)]
    if missing:
        raise SourceError(
            f"source {source.spec!r} has no {' and no '.join(missing)} for the task {task} (use --source builtin)"
        )
