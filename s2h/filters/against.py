"""Leakage: pairs that show an image of a benchmark. Known are the benchmark's images by their bytes, by a perceptual hash (a
copy that was scaled or saved anew), where a CLIP is asked for by their embedding, and by name where only names are known
(POPE uses pictures of COCO's val2014).

    s2h-filter l3 --against blink/ --against coco-val2014.txt --rejects leaked.jsonl > clean.jsonl
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from s2h.filters import DIGITS, Judgement, add_score
from s2h.images.decoding import ImageError, decode, read_bytes
from s2h.images.store import digest
from s2h.record import Record, RecordError

NEAR = 4  # bits in which a copy's hash may differ
KEPT = 200_000  # images whose findings are kept
_HASH = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")


@dataclass
class Known:
    """A benchmark's images. exact: the digests of files; near: 64-bit perceptual hashes; names: base names of files."""

    exact: dict[str, str] = field(default_factory=dict)
    near: dict[int, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    embedded: list[tuple[str, Any]] = field(default_factory=list)
    unread: int = 0

    def __len__(self) -> int:
        return len(self.exact) + len(self.near) + len(self.names)


def perceptual_hash(image: Any) -> int:
    """The 64 bits of the DCT of a small grey copy (imagehash.phash)."""
    import imagehash

    bits = imagehash.phash(image).hash.ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def known_images(paths: tuple[str, ...], embed: Callable[[Any], Any] | None = None) -> Known:
    """The images of folders, parquet files and lists. A list has a hash a line (16 hexadecimal digits: perceptual, 32: of
    the file's bytes, as the image store names files) or a file's name. Raises RecordError."""
    known = Known()
    for path in paths:
        name = os.path.basename(os.path.normpath(path))
        if os.path.isdir(path) or path.endswith(".parquet"):
            for data in _images(path):
                _learn(known, data, name, embed)
        elif os.path.isfile(path):
            _read_list(known, path, name)
        else:
            raise RecordError(
                f"no such folder, parquet file or list: {path}", remedy="--against takes a benchmark's images"
            )
    if not len(known):
        raise RecordError(f"no images in {', '.join(paths)}", remedy="--against takes a benchmark's images")
    return known


def _images(path: str) -> Iterator[bytes | None]:
    """The files' bytes; None for one that can't be read."""
    from s2h.sources import picture_folders

    if os.path.isdir(path):
        for name in picture_folders.pictures(path):
            try:
                yield read_bytes(os.path.join(os.path.abspath(path), name))
            except ImageError:
                yield None
        found = [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(".parquet")]
    else:
        found = [path]
    for one in found:
        yield from _in_parquet(one)


def _in_parquet(path: str) -> Iterator[bytes]:
    """Every image in every column of a parquet file, as the Hub stores them: {bytes, path}, alone or in lists."""
    from pyarrow.parquet import ParquetFile

    def dig(value: Any) -> Iterator[bytes]:
        if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
            yield value["bytes"]
        elif isinstance(value, list):
            for one in value:
                yield from dig(one)

    try:
        with open(path, "rb") as raw, ParquetFile(raw) as table:  # Arrow opens no name that is not UTF-8
            columns = [field.name for field in table.schema_arrow if "bytes" in str(field.type)]
            for batch in table.iter_batches(batch_size=64, columns=columns):
                for row in batch.to_pylist():
                    for value in row.values():
                        yield from dig(value)
    except Exception as error:  # whatever a damaged file makes pyarrow stumble over
        raise RecordError(f"{path}: can't be read: {error}") from error


def _learn(known: Known, data: bytes | None, name: str, embed: Callable[[Any], Any] | None) -> None:
    if data is None:
        known.unread += 1
        return
    known.exact[digest(data)] = name
    try:
        image = decode(data, name)
    except ImageError:
        known.unread += 1
        return
    known.near[perceptual_hash(image)] = name
    if embed is not None:
        known.embedded.append((name, embed(image)))


def _read_list(known: Known, path: str, name: str) -> None:
    with open(path, encoding="utf-8-sig", errors="replace") as lines:
        for line in lines:
            word = line.split()[0] if line.strip() else ""
            if _HASH.fullmatch(word.lower()) and len(word) == 16:
                known.near[int(word, 16)] = name
            elif _HASH.fullmatch(word.lower()):
                known.exact[word.lower()] = name
            elif word:
                known.names[os.path.basename(word)] = name


def judgement(
    known: Known, *, embed: Callable[[Any], Any] | None = None, alike: float = 0.95, near: int = NEAR
) -> Judgement:
    """Drop pairs that show a known image: the same bytes or name, a perceptual hash within `near` bits, or, with `embed`, a
    cosine of at least `alike`. Written as scores.against: the least distance in bits, the largest cosine, and for a
    finding the benchmark and the image's position."""
    import numpy as np

    hashes = np.array(list(known.near), dtype=np.uint64)
    hashed = list(known.near.values())
    table = np.stack([row for _, row in known.embedded]) if known.embedded else None
    kept: dict[str, dict] = {}

    def find(reference: str, base: str) -> dict:
        data = read_bytes(reference, base)
        name = os.path.basename(reference.rpartition("!")[2])
        found: dict[str, Any] = {}
        bench = known.exact.get(digest(data)) or known.names.get(name)
        if len(hashes) or table is not None:
            image = decode(data, reference[:200])
            if len(hashes):
                apart = np.bitwise_count(hashes ^ np.uint64(perceptual_hash(image)))
                found["distance"] = int(apart.min())
                if bench is None and found["distance"] <= near:
                    bench = hashed[int(apart.argmin())]
            if table is not None and embed is not None:
                cosines = table @ embed(image)
                found["cosine"] = float(cosines.max())
                if bench is None and found["cosine"] >= alike:
                    bench = known.embedded[int(cosines.argmax())][0]
        return {**found, "bench": bench}

    def score(batch: list[Record]) -> dict[int, RecordError]:
        faults = {}
        for at, record in enumerate(batch):
            try:
                findings = []
                for i, reference in enumerate(record["images"]):
                    key = f"{record.base}\0{reference}"
                    if key not in kept:
                        if len(kept) >= KEPT:
                            kept.clear()
                        try:
                            kept[key] = find(reference, record.base)
                        except ImageError as error:
                            error.where, error.field = record.where, f"images[{i}]"
                            raise
                    findings.append(kept[key])
            except RecordError as error:
                faults[at] = error
                continue
            said: dict[str, Any] = {}
            for key, best in (("distance", min), ("cosine", max)):
                values = [finding[key] for finding in findings if key in finding]
                if values:
                    said[key] = round(best(values), DIGITS)
            hit = next((i for i, finding in enumerate(findings) if finding["bench"]), None)
            if hit is not None:
                said |= {"bench": findings[hit]["bench"], "image": hit}
            earlier = record.get("scores", {}).get("against")
            if earlier is None:
                add_score(record, "against", **said)
            elif earlier != said:
                faults[at] = RecordError(
                    "was measured against other images", "scores.against", record.where,
                    "name them all at once, or jq -c 'del(.scores.against)' forgets it",
                )  # fmt: skip
        return faults

    def decide(record: Record) -> str:
        bench = record["scores"]["against"].get("bench")
        return f"shows an image of {bench}" if bench else ""

    return Judgement("against", score, decide)
