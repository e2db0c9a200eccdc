"""Open the image of a reference (a file, a data URI or a member of a tar shard) safely, as RGB.

Records are data, so a reference is never trusted: nothing is downloaded, a relative path or tar member can't leave its root,
only regular files are read, only raster formats are decoded, and sizes are checked before memory is allocated.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from s2h.images import kinds, references
from s2h.images.pixels import rgb
from s2h.images.resizing import MAX_PIXELS, WHOLE, Pixels
from s2h.images.tars import Members, plain_name
from s2h.record import Record, RecordError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_BYTES = 256 << 20  # of one image's file
DAMAGED = "copy or download it again"
SMALL = 64  # pixels on each side, enough for a perceptual hash
ORIENTATION = 0x0112  # EXIF's tag; values from 5 to 8 exchange width and height
OPEN_TARS = 1024  # shards whose lists of members are kept, 24 bytes a member

# Formats that are decoded in the process. Others that Pillow knows start a program (EPS) or hold no picture.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA", "ICO", "MPO")


class ImageError(RecordError):
    """An image that can't be opened: missing, refused, damaged, too large or not an image."""


def open_image(reference: str, base: str = "", pixels: Pixels = WHOLE) -> Image:
    """Return the image as RGB: upright (EXIF), on white where it is transparent, with 8 bits a channel, and the first frame
    of several.

    base: the folder of relative references, "" for the working directory. pixels: the bounds to which the image is resized
    for a model. Raises ImageError.
    """
    return pixels.fit(decode(read_bytes(reference, base), _name(reference)))


def seen_size(reference: str, base: str = "", pixels: Pixels = WHOLE) -> tuple[int, int]:
    """Return the size (width, height) of the image that `open_image` returns. All of a file is decoded, so that the same
    damage is found, but a JPEG to an eighth of its size, in a third of the time. Raises ImageError."""
    with _opened(read_bytes(reference, base), _name(reference)) as image:
        if image.format not in ("JPEG", "MPO"):
            return pixels.size(_upright(image).size)
        width, height = image.size
        image.draft("RGB", (1, 1))
        _upright(image)
        is_turned = image.getexif().get(ORIENTATION) in (5, 6, 7, 8)
        return pixels.size((height, width) if is_turned else (width, height))


def open_images(record: Record, pixels: Pixels = WHOLE, field: str = "images") -> list[Image]:
    """Return a record's images in order, as `open_image` does. field: the list of references. Raises ImageError with the
    record's place and the field images[i]."""
    opened = []
    for i, reference in enumerate(record[field]):
        try:
            opened.append(open_image(reference, getattr(record, "base", ""), pixels))
        except ImageError as error:
            error.where, error.field = getattr(record, "where", ""), f"{field}[{i}]"
            raise
    return opened


def glance(data: bytes, name: str = "bytes") -> None:
    """Raise ImageError if the bytes of a file can't be opened as an image: empty, of no known format, too large, or damaged.
    For speed, a JPEG is only checked for its end marker and a PNG for its checksums; other formats are decoded."""
    with _opened(data, name) as image:
        if image.format not in ("PNG", "JPEG", "MPO"):
            image.load()
        elif image.format != "PNG" and not kinds.jpeg_is_whole(data):
            raise _damaged(name, "its end is missing")


def reduced(data: bytes, name: str = "bytes") -> Image:
    """Return the image in a file's bytes as `decode` does. A JPEG is decoded at its smallest scale with at least SMALL
    pixels on each side, in a third of the time. Raises ImageError."""
    with _opened(data, name) as image:
        if image.format in ("JPEG", "MPO"):
            image.draft("RGB", (SMALL, SMALL))
        return _upright(image)


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Return width and height (pixels) of the image in a file's bytes, from its header; None if it has no valid one."""
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=formats()) as image:
                return image.size
    except Exception:  # opening the image reports the fault
        return None


def read_bytes(reference: str, base: str = "") -> bytes:
    """Return the bytes of the image file of a reference. Raises ImageError."""
    if not isinstance(reference, str):
        raise ImageError(f"no image reference: {str(reference)[:60]}", remedy="name a file")
    if "\0" in reference:
        raise ImageError(f"no image reference: {_name(reference)}", remedy="it holds a NUL")
    if reference.startswith(references.DATA):
        return _data(reference)
    if reference.startswith(references.TAR):
        return _member(reference, base)
    if references.is_url(reference):
        raise ImageError(
            f"is a URL, which is never fetched: {_name(reference)}", remedy="download it and name the file"
        )
    return _file(_located(reference, base))


def file_of(reference: str, base: str = "") -> str | None:
    """Return the full path of the file that a reference names; None for a data URI and a tar member. Raises
    ImageError, also if there is no such file."""
    if reference.startswith((references.DATA, references.TAR)):
        return None
    odd = "\0" in reference or references.is_url(reference)
    if odd or not os.path.isfile(_located(reference, base)):
        read_bytes(reference, base)  # raises the error
    return _located(reference, base)


def decode(data: bytes, name: str) -> Image:
    """Return the image in a file's bytes, as `open_image` does. name: for errors. Raises ImageError."""
    with _opened(data, name) as image:
        return _upright(image)


def _upright(image: Image) -> Image:
    from PIL import ImageOps

    image.load()
    return rgb(ImageOps.exif_transpose(image))


@contextlib.contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image]:
    """Yield a lazily opened image. An error in the block becomes an ImageError that names the kind of the bytes."""
    import warnings

    from PIL import Image, UnidentifiedImageError

    if not data:
        raise ImageError(f"is an empty file: {name}")
    if data.startswith(kinds.PNG) and (fault := kinds.png_fault(data)):
        if "checksum" in fault:
            raise ImageError(f"a PNG with a wrong checksum ({DAMAGED}): {name}: {fault}")
        raise _damaged(name, fault)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged metadata; and sizes, which are checked below
            image = Image.open(io.BytesIO(data), formats=formats())
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise _too_large(name, f"{width} x {height}")
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError:
        what, remedy = kinds.known(data) or ("", "")
        if what:
            raise ImageError(f"not an image that can be read but {what} ({remedy}): {name}") from None
        raise ImageError(f"not an image: {name}", remedy=f"readable are {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise _too_large(name, "far more") from None
    except Exception as error:  # damaged data raise many kinds of error in decoders
        raise _damaged(name, error) from None


def _damaged(name: str, why: object) -> ImageError:
    return ImageError(f"damaged or truncated image: {name}: {why}", remedy=DAMAGED)


@lru_cache(maxsize=1)
def formats() -> tuple[str, ...]:
    """Return those of FORMATS that this Pillow has."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _too_large(name: str, size: str) -> ImageError:
    return ImageError(f"is larger than {MAX_PIXELS:,} pixels: {name} has {size}", remedy="scale it down")


def _data(reference: str) -> bytes:
    import base64
    import binascii

    head, comma, body = reference.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise ImageError(f"no image data URI: {_name(reference)}", remedy="data:image/png;base64,...")
    if len(body) > MAX_BYTES * 4 // 3 + 4:
        raise ImageError(f"is larger than {MAX_BYTES >> 20} MiB: {_name(reference)}")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"damaged base64 in a data URI: {error}") from None


def _located(path: str, base: str) -> str:
    """Return `references.located`, with its errors as ImageErrors."""
    try:
        return references.located(path, base)
    except references.ReferenceError as error:
        raise ImageError(error.message, remedy=error.remedy) from None


def _file(path: str) -> bytes:
    try:
        # Without blocking, because a named pipe would wait for a writer; it is refused below.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise ImageError(f"no such file: {path}") from None
    except OSError as error:
        raise ImageError(f"cannot be read: {path}: {error.strerror}") from None
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(
                f"is {'a folder' if stat.S_ISDIR(status.st_mode) else 'no regular file'}: {path}"
            )
        if status.st_size > MAX_BYTES:
            raise ImageError(f"is larger than {MAX_BYTES >> 20} MiB: {path}")
        with open(number, "rb", closefd=False) as file:
            # As much as asked for is allocated first. A few file systems give no size.
            return file.read(status.st_size + 1 if status.st_size else MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"cannot be read: {path}: {error.strerror}") from None
    finally:
        os.close(number)


def _member(reference: str, base: str) -> bytes:
    try:
        path, member = references.member_of(reference, base)
    except references.ReferenceError as error:
        raise ImageError(error.message, remedy=error.remedy) from None
    member = plain_name(member)
    if member.startswith("/") or ".." in member.split("/"):
        raise ImageError(f"tar member leaves its archive: {reference}")
    full = _located(path, base)
    try:
        status = os.stat(full)
    except FileNotFoundError:
        raise ImageError(f"no such file: {path}") from None
    except OSError as error:
        raise ImageError(f"cannot be read: {path}: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"is no tar file: {path}")
    members = _members(full, status.st_mtime_ns, status.st_size)
    place = members.place(member)
    if place is None and members.fault:
        raise ImageError(
            f"the tar file is cut short or damaged before this member: {reference}: {members.fault}"
        )
    if place is None:
        raise ImageError(f"no such member: {reference}", remedy="links and folders do not count")
    offset, size = place
    if size > MAX_BYTES:
        raise ImageError(f"is larger than {MAX_BYTES >> 20} MiB: {reference}")
    with open(full, "rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) < size:
        raise ImageError(f"truncated tar file: {path}")
    return data


@lru_cache(maxsize=OPEN_TARS)
def _members(path: str, changed: int, size: int) -> Members:
    """Return the places of the regular members of a tar file, so that the archive is scanned once and each member is one
    seek. changed (ns), size: of the file, so that a rewritten archive is scanned again."""
    import tarfile

    try:
        return Members(path)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise ImageError(
            f"cannot be read as a tar file: {path}: {error}", remedy="a compressed one must be unpacked first"
        ) from None


def _name(reference: str) -> str:
    """Return a reference, shortened if it is long (a data URI), for a message."""
    return reference if len(reference) <= 200 else reference[:40] + "..."
