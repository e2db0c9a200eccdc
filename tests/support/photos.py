"""Trees of pictures in the layouts of real datasets, made small."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw

from s2h import seeds


def photo(seed: object, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """A picture unlike every other: a few coloured blocks."""
    rng = seeds.rng("photo", seed)
    picture = Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        draw.rectangle((x, y, x + 12, y + 12), fill=tuple(rng.randrange(256) for _ in range(3)))
    return picture


def encoded(seed: object, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    photo(seed).save(buffer, kind)
    return buffer.getvalue()


def save(path: Path, seed: object = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    photo(path.name if seed is None else seed).save(path)
    return path
