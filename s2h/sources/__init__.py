"""Where images and facts come from. A source is an object that hands out items at random from a generator of its caller;
`open_source` finds the right one for a spec (`builtin`, a path, or `KIND:PATH`).

What a source can do is what it has: `target/without/another` serve level 3, `subject/companion/questions` level 1
(with `asked`, a model's mistakes are balanced),
`digit` arithmetic, `related/stranger/portrait` kinship, `trait/showing` compare. `require` turns a missing ability into
one clear line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from s2h import seeds
from s2h.record import RecordError

# Kind -> module and, where a folder's layout tells the kind, in the order in which they are asked; `read(path, spec=,
# split=)` of the module gives the source and `looks_like(folder)` says whether it is one.
KINDS = {
    "vqav2": "vqav2",
    "coco": "coco",
    "fashion": "fashion",
    "digits": "digits",
    "kinfacew": "kinfacew",
    "tskinface": "tskinface",
    "fiw": "fiw",
    "webdataset": "webdataset",
    "datasets": "hub",
    "captions": "captions",
    "llava": "llava",
    "classes": "classes",
}
ALIASES = {
    "imagenet": "classes",
    "mnist": "digits",
    "emnist": "digits",
    "tar": "webdataset",
    "parquet": "datasets",
}
# What a picture's name ends with.
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
DOUBLED = 3  # folders in folders with nothing else in them that are looked into
HELD_OUT = 10  # one picture in ten of a folder, by the hash of its name, belongs to the held-out split


class SourceError(RecordError):
    """A source that can't be read or can't do what a task needs; the message is one line with the remedy."""


class NoPair(Exception):
    """This draw gives no pair; the message is the reason, which is counted, and the slot is drawn anew."""


@dataclass(frozen=True)
class Item:
    """One picture and what is known of it: a `reference` to a file that exists, or `data()`, the bytes of an image file, or
    `draw(size)`, which makes the picture (a PIL image of size x size pixels)."""

    key: str
    labels: dict
    reference: str = ""
    draw: Callable[[int], Any] | None = field(default=None, compare=False)
    data: Callable[[], bytes] | None = field(default=None, compare=False)
    print: int = 0  # hash of the file's bytes, where it was read; a copy has the same
    look: int = (
        0  # its perceptual hash (likeness.py), where it was read; a near-duplicate differs in few bits
    )


class Concept(str):
    """What a prompt looks for, in words ("a dog"), and where its photo set finds the pictures that show it."""

    page: int
    number: int

    def __new__(cls, text: str, page: int = 0, number: int = -1) -> Concept:
        made = super().__new__(cls, text)
        made.page, made.number = page, number
        return made


@dataclass(frozen=True)
class Question:
    """One question about one image: `ask` has no image index in it; `wrong` are other values that surely are wrong here;
    `statement(value)` puts question and answer into a claim about the image.

    accepted: answers that are right as well, as other annotators gave them; none of them is ever rejected. options: the
    texts of a question with lettered options, whose `answer` is one of them. closing: how to answer, in words that follow
    the question. odds: how often each answer is right in this source, with `draw(rng)`, `share(value)` and `known`;
    without, all values are equally likely. claims: statements of single values."""

    about: str
    ask: str
    answer: str
    wrong: tuple[str, ...]
    claim: str | Callable[[str], str]  # a text with {} for the answer, or a function of the answer
    row: int = -1  # of a source that keeps its questions in rows or pages
    accepted: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    closing: str = ""
    odds: Any = field(default=None, compare=False)
    claims: dict[str, str] | None = field(default=None, compare=False)

    def statement(self, value: str) -> str:
        if callable(self.claim):
            return self.claim(value)
        return (self.claims or {}).get(value) or (self.claim or self.ask + " {}").replace("{}", value)


@dataclass(frozen=True)
class Trait:
    """One respect in which pictures can be compared: `what` it is called ('kind of object', 'number of stars'), the values
    that it takes (of a number of `things`: numbers), what a picture with a value shows, as `phrase(value)`, and the caption
    that claims it of a picture, as `claim(value)`. page, number: where its photo set finds the pictures."""

    what: str
    values: tuple
    phrase: Callable[[Any], str] = field(compare=False)
    things: str = ""
    caption: str = field(default="a picture of {}", kw_only=True)  # holds one {} for the phrase
    page: int = field(default=0, kw_only=True)
    number: int = field(default=-1, kw_only=True)

    def claim(self, value: Any) -> str:
        return self.caption.replace("{}", self.phrase(value))


def split_spec(spec: str) -> tuple[str, str]:
    """(kind, path) of a source's spec; ("", spec) where it is a path itself, though it may be called tar:x."""
    import os

    kind, colon, path = spec.partition(":")
    return (kind, path) if colon and not os.path.exists(spec) else ("", spec)


def folder_of(spec: str) -> str:
    """The folder in which a source's files lie, or "" where it has none: the path of a spec, or the folder of its file."""
    import os

    kind, path = split_spec(spec)
    if kind and ALIASES.get(kind, kind) not in KINDS:
        return ""
    if path and not os.path.isdir(path):
        path = os.path.dirname(path) or os.curdir
    return path if path and os.path.isdir(path) else ""


def open_source(spec: str = "builtin", *, seed: int = 0, split: str = "train", follow: bool = True) -> Any:
    """The source that `spec` names: `builtin`, a path whose layout tells what it is, or KIND:PATH. `split` is `train` or
    `heldout`: the two never share an image, a person or a family. follow: whether links that lead out of the source's
    folder are followed; else they are refused and counted. Raises SourceError."""
    import os
    from importlib import import_module

    def module(kind: str) -> Any:
        return import_module(f"s2h.sources.{KINDS[ALIASES.get(kind, kind)]}")

    if not _is_text(os.path.abspath(spec)):
        name = os.fsencode(spec).decode("ascii", "backslashreplace")
        raise SourceError(
            f"source {name}: the path is not UTF-8, which no record can hold (rename the folder)"
        )
    if not follow and (folder := folder_of(spec)):
        from s2h.sources import links

        links.fence(folder)
    if spec == "builtin":
        from s2h.sources.builtin import World

        return World(seed=seed, split=split)
    kind, path = split_spec(spec)
    if kind == "hub" and path:
        return module("datasets").read(path, spec=spec, split=split, kind="hub")
    if ALIASES.get(kind, kind) in KINDS and path:
        reader = module(kind)
        if os.path.isdir(path):
            path = next((found for found in _unpacked(path) if reader.looks_like(found)), path)
        return reader.read(path, spec=spec, split=split)
    if kind == "builtin":
        raise SourceError(f"source {spec!r}: the built-in world takes no path (use --source builtin)")
    if os.path.isdir(spec):
        found, path = next(
            ((kind, path) for path in _unpacked(spec) for kind in KINDS if module(kind).looks_like(path)),
            ("captions", spec),
        )
        return module(found).read(path, spec=spec, split=split)
    if os.path.isfile(spec):
        endings = {".tar": "webdataset", ".parquet": "datasets", ".json": "llava", ".jsonl": "llava"}
        kind = endings.get(os.path.splitext(spec)[1].lower(), "")
        if kind == "llava" and os.path.basename(spec).startswith(("captions_", "instances_")):
            kind = "coco"
        if kind:
            return module(kind).read(spec, spec=spec, split=split)
    raise SourceError(
        f"source {spec!r}: no such folder, and not one of the kinds {', '.join((*KINDS, *ALIASES, 'hub'))} "
        "(give builtin, a folder, or KIND:PATH)"
    )


def _is_text(path: str) -> bool:
    from s2h.sources import files

    return files.is_text(path)


def _unpacked(root: str) -> Iterator[str]:
    """A folder, and those inside it that are all that it holds: unpacking often makes `photos/photos/`."""
    from s2h.sources import files

    for _ in range(DOUBLED + 1):
        yield root
        root = files.only_folder(root)
        if not root:
            return


def belongs(kind: str, name: str, split: str) -> bool:
    """Whether a folder's picture is in the split."""
    return (seeds.seed_of(f"{kind} split", name) % HELD_OUT == 0) == (split == "heldout")


def in_split(kind: str, name: str, split: str | None, unused: Counter, what: str = "") -> bool:
    """Whether something belongs to the split, counted in `unused` where not; without a split everything does, as where a
    dataset has a part of its own for each."""
    here = split is None or belongs(kind, name, split)
    if not here:
        unused[f"{what}not in the {split} split"] += 1
    return here
