"""Repeats: pairs that show the same images and say the same as one before them, in the stream or in another file. Exactly:
the images by their bytes, in their order, and prompt and answers by their text. Nearly: images whose perceptual hashes
differ in few bits (a copy that was scaled or saved anew), texts whose runs of words have a large Jaccard index, as MinHash
estimates it. What is judged is the whole pair, as templates make the same text for many images on purpose.

    cat l3.jsonl l3.jsonl | s2h-filter --dedup > once.jsonl

Memory: a pair has keys, of 24 to 48 bytes each: one where repeats are exact, 8 where texts may be near, one more than the
bits for near images, and the product of the two for both (with 4 bits 40 keys: at most 2 kB). Near repeats take 12 bytes
more, 512 for a near text and 8 for each image.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import pairwise, product
from typing import Any

from s2h.filters import Judgement, add_score
from s2h.filters.against import perceptual_hash
from s2h.images.decoding import ImageError, decode, read_bytes
from s2h.images.store import digest
from s2h.record import Record, RecordError

PERMUTATIONS = 128  # an index of 0.8 is estimated to within 0.035
BANDS, ROWS = (
    8,
    4,
)  # texts alike to 0.8 share one of 8 keys of 4 values with a chance of 0.985, to 0.9 of 0.9997
RUN = 3  # words
LOOKS = 64  # pairs under one key that are looked at, the oldest ones
KEPT = 200_000  # images whose hashes are kept
_MASK = (1 << 64) - 1
_WORD = re.compile(r"\w+")


def words_of(record: Record) -> list[str]:
    """The texts that a pair is made of: those of the prompt, the chosen and the rejected answer."""
    said = [
        "\0image" if part["type"] == "image" else part["text"]
        for message in record["prompt"]
        for part in message["content"]
    ]
    return ["\n".join(said), *(_answer(record, side) for side in ("chosen", "rejected"))]


def _answer(record: Record, side: str) -> str:
    return "".join(part["text"] for message in record[side] for part in message["content"])


class Repeats:
    """What was seen, and whether a pair is like something of it.

    bits: how many bits of their perceptual hashes near images may differ in; None takes the same bytes only. alike: the
    least estimated Jaccard index of near texts; None takes the same texts only.
    """

    def __init__(self, bits: int | None = None, alike: float | None = None) -> None:
        self.bits, self.alike = bits, alike
        self.first: list[str] = []  # the files that were compared with, and what stands for the stream
        self.owners = array("I")  # of each pair: which of them it is from
        self._table = _Table()
        self._signs, self._texts = array("I"), array("Q")
        self._prints, self._starts = array("Q"), array("Q", [0])
        self._known: dict[str, int] = {}
        self._empty: Any = None  # a MinHash of nothing, with its permutations

    def see(self, record: Record, origin: str | None) -> str | None:
        """The origin of a pair that this one repeats, or None; then it is remembered, where it has an origin itself. Raises
        ImageError."""
        prints = self._images(record)
        said = words_of(record)
        text = _hash("\0".join(said).encode("utf-8", "surrogatepass"))
        sign = self._sign(said) if self.alike is not None else None
        both = product(self._text_keys(text, sign), self._image_keys(prints))
        keys = [_hash(b"%d %d %d" % (one, other, len(prints))) for one, other in both]
        near = self.bits is not None or self.alike is not None
        for key in keys:
            for number in self._table.find(key):
                if not near or self._like(number, text, sign, prints):
                    return self.first[self.owners[number]]
        if origin is None:
            return None
        if origin not in self.first:
            self.first.append(origin)
        number = len(self.owners)
        self.owners.append(self.first.index(origin))
        for key in keys:
            self._table.add(key, number)
        if near:
            self._texts.append(text)
            self._signs.extend(sign if sign is not None else ())
            self._prints.extend(prints)
            self._starts.append(len(self._prints))
        return None

    def _images(self, record: Record) -> list[int]:
        """For each image 64 bits of its bytes' hash or, where near images count, its perceptual hash."""
        found = []
        for i, reference in enumerate(record["images"]):
            key = f"{record.base}\0{reference}"
            if key not in self._known:
                if len(self._known) >= KEPT:
                    self._known.clear()
                try:
                    data = read_bytes(reference, record.base)
                    if self.bits is None:
                        seen = int(digest(data)[:16], 16)
                    else:
                        seen = perceptual_hash(decode(data, reference[:200]))
                except ImageError as error:
                    error.where, error.field = record.where, f"images[{i}]"
                    raise
                self._known[key] = seen
            found.append(self._known[key])
        return found

    def _image_keys(self, prints: list[int]) -> list[int]:
        """Exactly: one key. Nearly: a key for each part of the first image's hash; of hashes that differ in b bits at least
        one of b + 1 parts is the same."""
        if self.bits is None:
            return [_hash(b" ".join(b"%d" % one for one in prints))]
        parts = self.bits + 1
        cuts = [64 * i // parts for i in range(parts + 1)]
        return [
            i << 59 ^ (prints[0] >> low & (1 << high - low) - 1)
            for i, (low, high) in enumerate(pairwise(cuts))
        ]

    def _text_keys(self, text: int, sign: Any) -> list[int]:
        if sign is None:
            return [text]
        return [_hash(b"%d " % i + sign[i * ROWS : (i + 1) * ROWS].tobytes()) for i in range(BANDS)]

    def _sign(self, said: list[str]) -> Any:
        """MinHash of the runs of words, each marked with whether it is of the prompt or of which answer."""
        import numpy as np
        from datasketch import MinHash

        runs = set()
        for place, text in enumerate(said):
            words = _WORD.findall(text.lower())
            runs |= {(place, *words[i : i + RUN]) for i in range(max(1, len(words) - RUN + 1))}
        if self._empty is None:
            self._empty = MinHash(PERMUTATIONS, seed=1)
        made = self._empty.copy()
        made.update_batch([repr(run).encode("utf-8", "surrogatepass") for run in sorted(runs)])
        return array("I", made.hashvalues.astype(np.uint32).tobytes())

    def _like(self, number: int, text: int, sign: Any, prints: list[int]) -> bool:
        start, stop = self._starts[number], self._starts[number + 1]
        if stop - start != len(prints):
            return False
        if self.bits is None:
            if self._prints[start:stop].tolist() != prints:
                return False
        elif any((self._prints[start + i] ^ one).bit_count() > self.bits for i, one in enumerate(prints)):
            return False
        if self.alike is None:
            return self._texts[number] == text
        other = self._signs[number * PERMUTATIONS : (number + 1) * PERMUTATIONS]
        return sum(map(int.__eq__, sign, other)) >= self.alike * PERMUTATIONS


def judgement(repeats: Repeats, *, within: bool = True, stream: str = "the stream") -> Judgement:
    """Drop pairs that repeat one before them; written as scores.repeats.of, the file or stream that has the first. within:
    whether the stream's own pairs are remembered, or only those that were learnt."""

    def score(batch: list[Record]) -> dict[int, RecordError]:
        faults: dict[int, RecordError] = {}
        for at, record in enumerate(batch):
            try:
                origin = repeats.see(record, stream if within else None)
            except ImageError as error:
                faults[at] = error
                continue
            record.repeats = origin or ""
            if origin is not None and "repeats" not in record.get("scores", {}):
                add_score(record, "repeats", of=origin)
        return faults

    def decide(record: Record) -> str:
        origin = getattr(record, "repeats", "")
        return f"repeats a pair of {origin}" if origin else ""

    return Judgement("repeats", score, decide, remembers=within)


def learn(repeats: Repeats, records: Iterable[Record], origin: str) -> int:
    """Remember the pairs of another file; how many there are. Raises RecordError."""
    count = 0
    for record in records:
        repeats.see(record, origin)
        count += 1
    return count


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


class _Table:
    """Numbers under 64-bit keys, several under one, in two flat tables at most half full."""

    def __init__(self) -> None:
        self.count, self.mask = 0, 1023
        self.keys, self.numbers = array("Q", bytes(8 * 1024)), array("I", bytes(4 * 1024))

    def find(self, key: int) -> Iterator[int]:
        """The numbers under a key, the oldest first, LOOKS at most."""
        key, mask, found = key or 1, self.mask, 0
        slot = key & mask
        while self.keys[slot] and found < LOOKS:
            if self.keys[slot] == key:
                found += 1
                yield self.numbers[slot]
            slot = (slot + 1) & mask

    def add(self, key: int, number: int) -> None:
        if 2 * self.count > self.mask:
            self._grow()
        self._place(key or 1, number)
        self.count += 1

    def _place(self, key: int, number: int) -> None:
        slot = key & self.mask
        while self.keys[slot]:
            slot = (slot + 1) & self.mask
        self.keys[slot], self.numbers[slot] = key, number

    def _grow(self) -> None:
        keys, numbers = self.keys, self.numbers
        self.mask = 2 * self.mask + 1
        self.keys, self.numbers = (
            array("Q", bytes(8 * (self.mask + 1))),
            array("I", bytes(4 * (self.mask + 1))),
        )
        # From an empty slot on, so that numbers under one key keep their order.
        size = len(keys)
        start = next(i for i in range(size) if not keys[i])
        for i in range(start, start + size):
            if keys[i % size]:
                self._place(keys[i % size], numbers[i % size])
