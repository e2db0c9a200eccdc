"""Find pairs that repeat an earlier one: the same images and the same texts. Images are the same by their bytes or, with
--near-images, by perceptual hashes that differ in few bits (a copy that was scaled or saved again). Texts are the
same letter by letter or, with --near-text, by the Jaccard index of their word runs, which datasketch estimates by MinHash
and an LSH index.

The whole pair is compared, because templates make the same text for many images on purpose. `dedup` is the judgement.

Memory: 24 to 48 bytes a pair if repeats are exact, up to 300 bytes with near images, 5 kB with near texts, and 16 kB
with both (at 4 bits).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING

from s2h.images.decoding import ImageError, decode, read_bytes
from s2h.images.perceptual import perceptual_hash
from s2h.images.store import digest
from s2h.record import Record, references_of

if TYPE_CHECKING:
    from datasketch import MinHash

PERMUTATIONS = 128  # an index of 0.8 is estimated to within 0.035
# Texts alike to 0.8 share one of 8 bands of 4 values with a chance of 0.985, texts alike to 0.9 with one of 0.9997.
BANDS, ROWS = 8, 4
RUN = 3  # words
LOOKS = 64  # pairs under one key that are looked at, the oldest ones
KEPT = 200_000  # images whose hashes are kept
_WORD = re.compile(r"\w+")


def words_of(record: Record) -> list[str]:
    """Return the texts of a pair: those of the prompt, of the chosen and of the rejected answer."""
    prompt = [
        "\0image" if part["type"] == "image" else part["text"]
        for message in record["prompt"]
        for part in message["content"]
    ]
    return ["\n".join(prompt), *(_answer(record, side) for side in ("chosen", "rejected"))]


def _answer(record: Record, side: str) -> str:
    return "".join(part["text"] for message in record[side] for part in message["content"])


class Repeats:
    """The pairs that were seen.

    bits: how many bits of their perceptual hashes near images may differ in; None requires the same bytes. alike: the
    least estimated Jaccard index of near texts; None requires the same texts.
    """

    def __init__(self, bits: int | None = None, alike: float | None = None) -> None:
        self.bits = bits
        self.origins: list[str] = []  # the files that pairs are compared with, and the name of the stream
        self.owners = array("I")  # of each pair: the position of its origin
        self.keys = KeyTable()
        self.near_texts = NearTexts(alike) if alike is not None else None
        self.texts, self.prints, self.starts = array("Q"), array("Q"), array("Q", [0])
        self._known: dict[str, int] = {}  # hashes of images by their places

    def see(self, record: Record, origin: str | None) -> str | None:
        """Return the origin of the oldest pair that this one repeats, or None. A pair that repeats none is remembered
        if it has an origin itself. Raises ImageError."""
        prints, texts = self._images(record), words_of(record)
        text = _hash("\0".join(texts).encode("utf-8", "surrogatepass"))
        image_keys = [_hash(b"%d %d" % (key, len(prints))) for key in self._image_keys(prints)]
        keys = [_hash(b"%d %d" % (text, key)) for key in image_keys]
        sign = self.near_texts.sign(texts) if self.near_texts is not None else None
        for number in self._candidates(keys, image_keys, sign):
            if self._repeats(number, text, sign, prints):
                return self.origins[self.owners[number]]
        if origin is not None:
            self._remember(origin, text, prints)
            if self.near_texts is not None and sign is not None:
                self.near_texts.add(sign, image_keys)
            else:
                self.keys.extend(keys, len(self.owners) - 1)
        return None

    def _candidates(self, keys: list[int], image_keys: list[int], sign: MinHash | None) -> Iterable[int]:
        if self.near_texts is not None and sign is not None:
            return self.near_texts.find(sign, image_keys)
        return (number for key in keys for number in self.keys.find(key))

    def _remember(self, origin: str, text: int, prints: list[int]) -> None:
        if origin not in self.origins:
            self.origins.append(origin)
        self.owners.append(self.origins.index(origin))
        if self.bits is not None or self.near_texts is not None:
            self.texts.append(text)
            self.prints.extend(prints)
            self.starts.append(len(self.prints))

    def _images(self, record: Record) -> list[int]:
        """Return for each image, rejected images included, 64 bits of its bytes' hash or, if near images count, its
        perceptual hash."""
        found = []
        for field, i, reference in references_of(record):
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
                    error.where, error.field = record.where, f"{field}[{i}]"
                    raise
                self._known[key] = seen
            found.append(self._known[key])
        return found

    def _image_keys(self, prints: list[int]) -> list[int]:
        """Return one key if images must have the same bytes. Otherwise a key for each of b + 1 parts of the first image's
        hash: of two hashes that differ in b bits at least one part is the same."""
        if self.bits is None:
            return [_hash(b" ".join(b"%d" % one for one in prints))]
        parts = self.bits + 1
        cuts = [64 * i // parts for i in range(parts + 1)]
        return [
            i << 59 ^ (prints[0] >> low & (1 << high - low) - 1)
            for i, (low, high) in enumerate(pairwise(cuts))
        ]

    def _repeats(self, number: int, text: int, sign: MinHash | None, prints: list[int]) -> bool:
        """Return whether a candidate is the same pair: its key alone says so if neither near images nor near texts count."""
        if self.bits is None and self.near_texts is None:
            return True
        seen = self.prints[self.starts[number] : self.starts[number + 1]]
        if len(seen) != len(prints):
            return False
        most = self.bits or 0
        if any((one ^ other).bit_count() > most for one, other in zip(seen, prints, strict=True)):
            return False
        if self.near_texts is not None and sign is not None:
            return self.near_texts.are_alike(number, sign)
        return self.texts[number] == text


class NearTexts:
    """The MinHashes of the texts of pairs that were seen, numbered from 0. alike: the least estimated Jaccard index."""

    def __init__(self, alike: float) -> None:
        from datasketch import MinHash, MinHashLSH

        self.alike = alike
        self.empty = MinHash(PERMUTATIONS, seed=1)
        self.index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
        self.signs: list[MinHash] = []

    def sign(self, texts: list[str]) -> MinHash:
        """Return the MinHash of the word runs, each marked with whether it is of the prompt or of which answer."""
        runs = set()
        for place, text in enumerate(texts):
            words = _WORD.findall(text.lower())
            runs |= {(place, *words[i : i + RUN]) for i in range(max(1, len(words) - RUN + 1))}
        made = self.empty.copy()
        made.update_batch([repr(run).encode("utf-8", "surrogatepass") for run in sorted(runs)])
        return made

    def find(self, sign: MinHash, image_keys: list[int]) -> list[int]:
        """Return the numbers of pairs that share a band and an image key with a text, the oldest first."""
        found = {number for key in image_keys for _, number in self.index.query(_of_image(sign, key))}
        return sorted(found)[: LOOKS * BANDS]

    def add(self, sign: MinHash, image_keys: list[int]) -> None:
        from datasketch import LeanMinHash

        number = len(self.signs)
        self.signs.append(LeanMinHash(sign))
        for part, key in enumerate(image_keys):
            self.index.insert((part, number), _of_image(sign, key), check_duplication=False)

    def are_alike(self, number: int, sign: MinHash) -> bool:
        return self.signs[number].jaccard(sign) >= self.alike


def _of_image(sign: MinHash, key: int) -> MinHash:
    """Mix an image key into a MinHash, so that in the index only texts about the same image share bands. Without it
    every text of one template would be a candidate."""
    mixed = sign.copy()
    mixed.hashvalues = mixed.hashvalues ^ mixed.hashvalues.dtype.type(key & 0xFFFFFFFF)
    return mixed


def learn(repeats: Repeats, records: Iterable[Record], origin: str) -> int:
    """Remember the pairs of another file and return how many there are. Raises RecordError."""
    count = 0
    for record in records:
        repeats.see(record, origin)
        count += 1
    return count


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


class KeyTable:
    """Numbers under 64-bit keys, several under one, in two flat tables at most half full: 24 to 48 bytes an entry."""

    def __init__(self) -> None:
        self.count, self.mask = 0, 1023
        self.keys, self.numbers = array("Q", bytes(8 * 1024)), array("I", bytes(4 * 1024))

    def find(self, key: int) -> Iterator[int]:
        """Yield the numbers under a key, the oldest first, LOOKS at most."""
        key, mask, found = key or 1, self.mask, 0
        slot = key & mask
        while self.keys[slot] and found < LOOKS:
            if self.keys[slot] == key:
                found += 1
                yield self.numbers[slot]
            slot = (slot + 1) & mask

    def extend(self, keys: Iterable[int], number: int) -> None:
        """Add a number under several keys."""
        for key in keys:
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
        size = len(keys)
        self.mask = 2 * size - 1
        self.keys, self.numbers = array("Q", bytes(16 * size)), array("I", bytes(8 * size))
        # From an empty slot on, so that numbers under one key keep their order.
        start = next(i for i in range(size) if not keys[i])
        for i in range(start, start + size):
            if keys[i % size]:
                self._place(keys[i % size], numbers[i % size])
