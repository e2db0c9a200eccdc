"""The perceptual hash of an image. Hashes of copies that were scaled or saved again differ in few of the 64 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def perceptual_hash(image: Image) -> int:
    """Return 64 bits of the DCT of a small grey copy (imagehash.phash)."""
    import imagehash

    bits = imagehash.phash(image).hash.ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)
