"""Pictures that look the same though their bytes differ: saved again, scaled or slightly cropped. Their perceptual hashes,
of 64 bits, differ in few bits. A photo set never puts two of them into one prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from PIL.Image import Image

# Bits. Copies of photographs that were scaled, compressed again or cropped by 2% differ in at most 8; of pictures drawn at
# random, two in a thousand faces and fewer scenes do. A false alarm costs one more draw.
NEAR = 8
FLAT = 2  # grey levels between the darkest and the lightest pixel of a picture of one colour


def perceptual_hash_of(image: Image) -> int:
    """Return the perceptual hash of an image that `s2h.images.decoding.reduced` made; 0 for an image of one colour,
    which has nothing to compare."""
    from s2h.images.perceptual import perceptual_hash

    darkest, lightest = cast("tuple[int, int]", image.convert("L").getextrema())
    return perceptual_hash(image) if lightest - darkest > FLAT else 0


def near(one: int, other: int) -> bool:
    """Tell whether two perceptual hashes are those of one picture; 0 is near none."""
    return bool(one and other) and (one ^ other).bit_count() <= NEAR
