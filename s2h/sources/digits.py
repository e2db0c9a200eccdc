"""Digits from files, for arithmetic and comparisons: MNIST and EMNIST (idx files, gzipped or not) and folders named 0 to 9.

    s2h-gen arithmetic --source mnist/ -n 1000
    s2h-gen arithmetic --source digits:scans/ -n 1000

MNIST's `t10k` and EMNIST's `test` are the held-out split where the rest is there too, and so is `test/` (`val/`, `testing/`)
beside `train/`.

idx layout: `{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`, big-endian, magic 2051 (count, rows, columns) and 2049
(count). EMNIST has the same container with pixels transposed, known by its name. Its sets hold the same pictures, so that of
several in a folder one is read; which label is a digit says `emnist-SET-mapping.txt` (label and code point on each line).
"""

from __future__ import annotations

import contextlib
import gzip
import math
import mmap
import os
import re
import struct
import tempfile
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from s2h.sources import Item, NoPair, SourceError, Trait, files, in_split
from s2h.sources.packed import Texts
from s2h.sources.shapes import Dataset
from s2h.sources.unused import Unused

IMAGES, LABELS = 2051, 2049
REDRAWS = 8
_IDX = re.compile(r"^(.*)-images[-.]idx3-ubyte(\.gz)?$")
_TEST = re.compile(r"^t10k\b|\btest\b")
_EMNIST = re.compile(r"^emnist-([a-z]+)-", re.IGNORECASE)
SETS = ("digits", "mnist", "balanced", "bymerge", "byclass", "letters")  # EMNIST's, in the order of their use
NO_DIGIT = 10
TRAIT = Trait("digit", tuple(range(10)), lambda value: f"the digit {value}")


def looks_like_idx(folder: str) -> bool:
    return any(_IDX.match(name) and os.path.isfile(os.path.join(folder, name)) for name in os.listdir(folder))


def looks_like(folder: str) -> bool:
    """Whether a folder holds idx files, or folders that are all named by a digit."""
    names = files.folders(files.split_folder(folder, "train")[0])
    return looks_like_idx(folder) or (len(names) > 1 and all(re.fullmatch(r"\d", name) for name in names))


def read(folder: str, *, spec: str, split: str = "train") -> Digits:
    """Read the labels below a folder; raises SourceError where nothing can be used."""
    if not os.path.isdir(folder):
        raise SourceError(f"source {spec!r}: no such folder")
    if looks_like_idx(folder):
        from s2h.sources import idx

        listed: Counter = Counter()
        pairs = idx_pairs(folder, listed)
        if (kind := idx.kind_of(folder)) not in (idx.DIGITS, idx.FASHION):
            raise SourceError(
                f"source {spec!r}: its pictures show {kind} and no digits (give MNIST or EMNIST)"
            )
        chosen = _one_set(pairs)
        parts, apart = of_split(chosen, split)
        found = Digits(os.path.abspath(folder), spec)
        found.unused.listed.update(listed)
        if others := len(pairs) - len(chosen):
            found.unused.listed["files of other sets of EMNIST"] = others
        rows = found.read_idx(sound_pairs(parts, found.unused.listed))
    else:
        folder, apart = files.split_folder(folder, split)
        found = Digits(os.path.abspath(folder), spec)
        rows = found.read_folders()
    for value, name in rows:
        if value == NO_DIGIT:
            found.unused.listed["not a digit"] += 1
        elif in_split("digits", name, None if apart else split, found.unused.listed):
            found.by_value[value].append(found.count)
        found.count += 1
    if missing := [str(value) for value, places in enumerate(found.by_value) if not places]:
        raise SourceError(
            f"source {spec!r}: no picture of the digit {missing[0]} (give idx files as MNIST has them, or folders 0 to 9)"
        )
    return found


def idx_pairs(folder: str, unused: Counter | None = None) -> list[tuple[str, str]]:
    """(pictures, labels) of the idx files in a folder, sorted; a packed file beside itself unpacked is left out. Pictures
    without labels are counted. Raises SourceError where there are none but those."""
    unused, lacking = Counter() if unused is None else unused, []
    pairs, names = (
        [],
        sorted(
            name
            for name in os.listdir(folder)
            if _IDX.match(name) and os.path.isfile(os.path.join(folder, name))
        ),
    )
    for name in names:
        if name.endswith(".gz") and name.removesuffix(".gz") in names:
            continue
        plain = re.sub(r"images([-.])idx3", r"labels\1idx1", name).removesuffix(".gz")
        labels = next((p for p in (plain, plain + ".gz") if os.path.isfile(os.path.join(folder, p))), None)
        if labels is None:
            lacking.append(f"{os.path.join(folder, name)}: its labels are missing (put {plain} beside it)")
            unused[f"pictures without labels (put {plain} beside {name})"] += 1
        else:
            pairs.append((os.path.join(folder, name), os.path.join(folder, labels)))
    if lacking and not pairs:
        raise SourceError(lacking[0])
    return pairs


def of_split(pairs: list[tuple[str, str]], split: str) -> tuple[list[tuple[str, str]], bool]:
    """The pairs of a split, and whether the dataset has parts of its own for each."""
    test = [pair for pair in pairs if _TEST.search(os.path.basename(pair[0]))]
    apart = 0 < len(test) < len(pairs)
    return [pair for pair in pairs if not apart or (pair in test) == (split == "heldout")], apart


def _one_set(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs without those of EMNIST's sets but one."""
    sets = [_EMNIST.match(os.path.basename(path)) for path, _ in pairs]
    there = [match[1].lower() for match in sets if match]
    taken = next((name for name in SETS if name in there), None)
    return [pair for pair, match in zip(pairs, sets, strict=True) if not match or match[1].lower() == taken]


def _values_of(path: str) -> dict[int, int]:
    """label -> digit, by the mapping of an EMNIST set; without one the labels up to 9 are digits, but of the set of letters
    none is. Raises SourceError."""
    match = _EMNIST.match(os.path.basename(path))
    mapping = os.path.join(os.path.dirname(path), f"{match[0]}mapping.txt") if match else ""
    if not os.path.isfile(mapping):
        letters = match is not None and match[1].lower() == "letters"
        return {} if letters else {value: value for value in range(10)}
    rows = [line.split() for line in files.lines(mapping)]
    if not all(len(row) >= 2 and row[0].isdigit() and row[1].isdigit() for row in rows if row):
        raise SourceError(f"{mapping}: not EMNIST's mapping (each line: the label and its code point)")
    codes = {int(row[0]): int(row[1]) for row in rows if row}
    return {label: code - ord("0") for label, code in codes.items() if 0 <= code - ord("0") <= 9}


def sound_pairs(
    parts: list[tuple[str, str]], unused: Counter
) -> Iterator[tuple[tuple[str, str], tuple[Any, Any]]]:
    """Each part with its pictures and labels. A part that can't be read is counted, and so are the pictures that a part cut
    short lacks. Raises SourceError where no part can be read."""
    faults: list[SourceError] = []
    for part in parts:
        try:
            found = read_pair(*part, unused)
        except SourceError as fault:
            faults.append(fault)
            unused[f"a pair of idx files that can't be read ({fault.message})"] += 1
        else:
            yield part, found
    if faults and len(faults) == len(parts):
        raise faults[0]


def read_pair(pictures: str, labels: str, unused: Counter | None = None) -> tuple[Any, Any]:
    """Pictures [count, rows, columns] and labels [count] of two idx files. Of files that are cut short the whole pictures
    that have a label are given, and the others are counted in `unused`. Raises SourceError."""
    (found, count), (values, labelled) = _idx(pictures, IMAGES), _idx(labels, LABELS)
    if count != labelled:
        raise SourceError(f"{pictures}: {count} pictures but {labelled} labels in {os.path.basename(labels)}")
    whole = min(len(found), len(values))
    if whole < count and (unused is None or not whole):
        raise SourceError(f"{pictures}: cut short: {whole} of {count} pictures are whole (copy it anew)")
    if whole < count:
        unused[f"pictures that an idx file cut short lacks ({os.path.basename(pictures)})"] += count - whole
    return found[:whole], values[:whole]


def read_idx(path: str | Path, magic: int) -> Any:
    """An idx file of unsigned bytes as an array: [count, rows, columns] for pictures, [count] for labels. It is mapped, not
    held in memory. Raises SourceError, also where the file is cut short."""
    found, count = _idx(path, magic)
    if len(found) < count:
        raise SourceError(f"{path}: says {count} but holds {len(found)} (copy it anew)")
    return found


def _idx(path: str | Path, magic: int) -> tuple[Any, int]:
    """The whole pictures or labels of an idx file, and how many it says that it has."""
    import zlib

    import numpy as np

    rank = 3 if magic == IMAGES else 1
    try:
        if str(path).endswith(".gz"):
            with files.opened(path) as raw, gzip.open(raw, "rb") as packed, tempfile.TemporaryFile() as plain:
                with contextlib.suppress(EOFError):  # cut short: what came before the cut is whole
                    while piece := packed.read1(1 << 20):
                        plain.write(piece)
                plain.flush()
                content = mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ) if plain.tell() else b""
        else:
            with files.opened(path) as plain:
                content = (
                    mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ) if os.stat(path).st_size else b""
                )
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: can't be read: {error} (copy it anew)") from error
    if len(content) < 4 + 4 * rank or struct.unpack(">I", content[:4])[0] != magic:
        raise SourceError(
            f"{path}: not an idx file of {'pictures' if rank == 3 else 'labels'} (magic {magic})"
        )
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    found = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank)
    each = math.prod(shape[1:])
    if not each or len(found) > shape[0] * each:
        raise SourceError(f"{path}: says {shape} but holds {len(found)} bytes (copy it anew)")
    whole = len(found) // each
    return found[: whole * each].reshape(whole, *shape[1:]), shape[0]


class Digits(Dataset):
    """Pictures of digits by value; a place is a number, in the order in which files and folders were read."""

    count_share = 0.0

    def __init__(self, root: str, spec: str) -> None:
        self.root, self.spec, self.unused, self.count = root, spec, Unused(), 0
        self.digits = self
        self.by_value = [array("I") for _ in range(10)]
        self.names = Texts()  # of pictures in folders
        self.arrays: list[tuple[Any, bool]] = []  # of idx files: pictures, and whether they are transposed
        self.starts: list[int] = []  # the place of each array's first picture

    @property
    def size(self) -> int:
        return sum(map(len, self.by_value))

    def read_idx(self, parts: Iterable[tuple]) -> Iterator[tuple[int, str]]:
        """(value, name) of each picture of the parts that `sound_pairs` gives; NO_DIGIT for EMNIST's letters."""
        for (path, _), (pictures, values) in parts:
            self.starts.append(self.count)
            name = os.path.basename(path)
            self.arrays.append((pictures, "emnist" in name.lower()))
            digit_of = _values_of(path)
            for index, label in enumerate(values.tolist()):
                yield digit_of.get(label, NO_DIGIT), f"{_IDX.match(name)[1]} {index}"

    def read_folders(self) -> Iterator[tuple[int, str]]:
        for folder in files.folders(self.root, self.unused.listed):
            if re.fullmatch(r"\d", folder):
                for name in files.pictures(os.path.join(self.root, folder), self.unused.listed):
                    name = os.path.join(folder, name)
                    self.names.append(name)
                    yield int(folder), name

    def draw_digit(self, rng: Random, value: int | None = None, together: Sequence[Item] = ()) -> Item:
        """A picture of a digit, any or that of a value, which isn't there yet."""
        value = rng.randrange(10) if value is None else value
        for _ in range(REDRAWS):
            item = self._item(rng.choice(self.by_value[value]), value)
            if all(item.key != other.key and not 0 < item.print == other.print for other in together):
                return item
        raise NoPair("too few pictures of a digit")

    def _item(self, place: int, value: int) -> Item:
        labels = {"kind": "digit", "value": value, "hand": "written"}
        if not len(self.names):
            return Item(str(place), labels, draw=lambda size: self.draw(place, size))
        path = os.path.join(self.root, self.names[place])
        seen = self.unused.check(0, place, len(self.names), lambda: path)
        return Item(self.names[place], labels, reference=path, print=seen)

    def draw_trait(self, rng: Random) -> Trait:
        return TRAIT

    def draw_showing(self, rng: Random, trait: Trait, value: int, together: list[Item]) -> Item:
        return self.draw_digit(rng, value, together)

    def draw(self, place: int, size: int) -> Any:
        """A picture of an idx file, enlarged to size x size pixels, RGB."""
        from PIL import Image

        at = bisect_right(self.starts, place) - 1
        pictures, transposed = self.arrays[at]
        pixels = pictures[place - self.starts[at]]
        picture = Image.fromarray((pixels.T if transposed else pixels).copy())
        return picture.resize((size, size), Image.Resampling.BICUBIC).convert("RGB")
