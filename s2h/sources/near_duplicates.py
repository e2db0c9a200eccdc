"""Recognise near-duplicates: pictures that were saved again, scaled or slightly cropped. Their 64-bit perceptual hashes
differ in few bits. A photo set never puts two of them into one prompt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from PIL.Image import Image

    from s2h.sources.items import Item

# Bits in which near-duplicates differ at most. Measured: scaled, recompressed or 2% cropped copies of photographs differ in
# up to 8, as do 2 in 1,000 pairs of unrelated faces and fewer pairs of scenes. A false alarm costs one more draw.
NEAR = 8
FLAT = 2  # grey levels between the darkest and the lightest pixel of a picture of one colour


def perceptual_hash_of(image: Image) -> int:
    """Return the perceptual hash of an image from `s2h.images.decoding.reduced`; 0 for an image of one colour, which has no
    features to compare."""
    from s2h.images.perceptual import perceptual_hash

    darkest, lightest = cast("tuple[int, int]", image.convert("L").getextrema())
    return perceptual_hash(image) if lightest - darkest > FLAT else 0


def near(one: int, other: int) -> bool:
    """Tell whether two perceptual hashes belong to near-duplicates. A hash of 0 never does."""
    return bool(one and other) and (one ^ other).bit_count() <= NEAR


def repeats(item: Item, together: Iterable[Item]) -> bool:
    """Tell whether a picture is a copy or a near-duplicate of one in `together`."""
    content, look = item.content_hash, item.perceptual_hash
    if content in [other.content_hash for other in together]:
        return True
    return bool(look) and any(near(look, other.perceptual_hash) for other in together)
