"""Whether two pictures look the same though their bytes differ: saved again, scaled or slightly cropped. Each picture has
64 bits of a perceptual hash, which `s2h.filters.dedup` uses between pairs and an album uses between the pictures of one
prompt."""

from __future__ import annotations

from typing import Any

# Bits. Copies of photographs that were scaled, compressed again or cropped by 2% differ in at most 8; of pictures drawn at
# random, two in a thousand faces and fewer scenes do. A wrong alarm costs one more draw.
NEAR = 8
FLAT = 2  # grey levels between the darkest and the lightest pixel of a picture of one colour


def look_at(image: Any) -> int:
    """Return the perceptual hash of an image that `s2h.images.decoding.reduced` made; 0 for an image of one colour,
    which has nothing to compare."""
    from s2h.images.perceptual import perceptual_hash

    darkest, lightest = image.convert("L").getextrema()
    return perceptual_hash(image) if lightest - darkest > FLAT else 0


def near(one: int, other: int) -> bool:
    """Whether two looks are those of one picture; 0 is like none."""
    return bool(one and other) and (one ^ other).bit_count() <= NEAR
