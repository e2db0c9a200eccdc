"""Whether two pictures look the same though their bytes differ: saved again, scaled or slightly cropped. Each picture has
64 bits of a perceptual hash, which `s2h.filters.dedup` uses between pairs and an album uses between the pictures of one
prompt."""

from __future__ import annotations

import io

# Bits. Copies of photographs that were scaled, compressed again or cropped by 2% differ in at most 8; of pictures drawn at
# random, two in a thousand faces and fewer scenes do. A wrong alarm costs one more draw.
NEAR = 8
SIDE = 64  # a JPEG is decoded at the smallest scale that has this many pixels on each side
FLAT = 2  # grey levels between the darkest and the lightest pixel of a picture of one colour


def look_of(data: bytes, name: str = "bytes") -> int:
    """The perceptual hash of an image file's bytes, upright and on white; 0 where the picture has one colour, as there is
    nothing to compare in it. Raises ImageError."""
    from s2h.filters.against import perceptual_hash

    image = _small(data, name)
    darkest, lightest = image.convert("L").getextrema()
    return perceptual_hash(image) if lightest - darkest > FLAT else 0


def _small(data: bytes, name: str):
    import warnings

    from PIL import Image, ImageOps

    from s2h.images import ImageError, decode

    if not data.startswith(b"\xff\xd8\xff"):
        return decode(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=("JPEG", "MPO"))
            image.draft("RGB", (SIDE, SIDE))
            return ImageOps.exif_transpose(image).convert("RGB")
    except Exception as error:  # a decoder raises whatever its parser met in damaged data
        raise ImageError(f"damaged or truncated image: {name}: {error}") from None


def near(one: int, other: int) -> bool:
    """Whether two looks are those of one picture; 0 is like none."""
    return bool(one and other) and (one ^ other).bit_count() <= NEAR
