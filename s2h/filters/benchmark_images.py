"""Read the images of benchmarks that `against` compares pairs with: their bytes, perceptual hashes, names (if only names are
known: POPE uses pictures of COCO's val2014) and, if asked for, CLIP embeddings."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from s2h.images import references
from s2h.images.decoding import ImageError, decode, read_bytes
from s2h.images.perceptual import perceptual_hash
from s2h.images.store import digest
from s2h.record import RecordError

if TYPE_CHECKING:
    from s2h.filters.engine import Place

    # Returns the embeddings of images and the errors of those that can't be opened: `Engine.images` with a model.
    Embed = Callable[[Iterable[Place]], tuple[dict[Place, Any], dict[Place, ImageError]]]

AT_ONCE = 64  # images of a benchmark that are held in memory
_HASH = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")


@dataclass
class BenchmarkImages:
    """The known images of benchmarks, each with the name of its benchmark.

    exact: by the digest of the file. near: by the 64-bit perceptual hash. names: by the file's base name. embedded: a
    row, float32 [D] of length 1, for each image whose embedding was asked for. unread: how many images could not be
    opened.
    """

    exact: dict[str, str] = field(default_factory=dict)
    near: dict[int, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    embedded: list[tuple[str, Any]] = field(default_factory=list)
    unread: int = 0

    def __len__(self) -> int:
        return len(self.exact) + len(self.near) + len(self.names)


def read(paths: tuple[str, ...], embed: Embed | None = None) -> BenchmarkImages:
    """Read folders, parquet files and lists. A line of a list holds a hash (16 hexadecimal digits: perceptual, 32: of
    the file's bytes, as the image store names files) or the name of a file. Raises RecordError."""
    known = BenchmarkImages()
    for path in paths:
        name = os.path.basename(os.path.normpath(path))
        if os.path.isdir(path) or path.endswith(".parquet"):
            images = _images(path)
            while part := list(islice(images, AT_ONCE)):
                _learn(known, part, name, embed)
        elif os.path.isfile(path):
            _read_list(known, path, name)
        else:
            raise RecordError(
                f"no such folder, parquet file or list: {path}", remedy="--against takes a benchmark's images"
            )
    if not len(known):
        raise RecordError(f"no images in {', '.join(paths)}", remedy="--against takes a benchmark's images")
    return known


def _images(path: str) -> Iterator[tuple[str, bytes | None]]:
    """Yield the reference and the bytes of each image; None for a file that can't be read."""
    from s2h.sources import picture_folders

    if os.path.isdir(path):
        for name in picture_folders.pictures(path):
            reference = references.of_file(os.path.join(os.path.abspath(path), name))
            try:
                yield reference, read_bytes(reference)
            except ImageError:
                yield reference, None
        found = [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(".parquet")]
    else:
        found = [path]
    for one in found:
        for data in _in_parquet(one):
            yield f"data:image/any;base64,{base64.b64encode(data).decode()}", data


def _in_parquet(path: str) -> Iterator[bytes]:
    """Yield every image in every column of a parquet file, as the Hub stores them: {bytes, path}, alone or in lists."""
    from pyarrow.parquet import ParquetFile

    try:
        with open(path, "rb") as raw, ParquetFile(raw) as table:  # Arrow opens no name that is not UTF-8
            columns = [field.name for field in table.schema_arrow if "bytes" in str(field.type)]
            for batch in table.iter_batches(batch_size=64, columns=columns):
                for row in batch.to_pylist():
                    for value in row.values():
                        yield from _in_value(value)
    except Exception as error:  # a damaged file can raise anything in pyarrow
        raise RecordError(f"{path}: can't be read: {error}") from error


def _in_value(value: object) -> Iterator[bytes]:
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        yield value["bytes"]
    elif isinstance(value, list):
        for one in value:
            yield from _in_value(one)


def _learn(
    known: BenchmarkImages, part: list[tuple[str, bytes | None]], name: str, embed: Embed | None
) -> None:
    opened: list[Place] = []
    for reference, data in part:
        if data is None:
            known.unread += 1
            continue
        known.exact[digest(data)] = name
        try:
            known.near[perceptual_hash(decode(data, name))] = name
        except ImageError:
            known.unread += 1
        else:
            opened.append(("", reference))
    if embed is not None:
        known.embedded += [(name, row) for row in embed(opened)[0].values()]


def _read_list(known: BenchmarkImages, path: str, name: str) -> None:
    with open(path, encoding="utf-8-sig", errors="replace") as lines:
        for line in lines:
            word = line.split()[0] if line.strip() else ""
            if _HASH.fullmatch(word.lower()) and len(word) == 16:
                known.near[int(word, 16)] = name
            elif _HASH.fullmatch(word.lower()):
                known.exact[word.lower()] = name
            elif word:
                known.names[os.path.basename(word)] = name
