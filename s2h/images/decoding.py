"""Image references and what they stand for: files, data URIs and members of tar shards, opened safely as RGB.

Records are data, so a reference is never trusted: nothing is fetched, a relative path or tar member cannot climb out of its
root, only regular files are read, only raster formats are decoded, and sizes are bounded before the memory is taken.
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
from s2h.images.tars import Members, plain_name
from s2h.record import Record, RecordError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 64_000_000  # 8000 x 8000: 256 MB in every mode, as Pillow holds at most four bytes a pixel
MAX_BYTES = 256 << 20  # of one image's file
DAMAGED = "copy or download it again"
SMALL = 64  # pixels; what a perceptual hash needs
OPEN_TARS = 1024  # shards whose lists of members are kept, 24 bytes a member

# Formats that are decoded in the process. Others that Pillow knows start a program (EPS) or hold no picture.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA", "ICO", "MPO")


class ImageError(RecordError):
    """An image that cannot be had: missing, refused, damaged, too large or no image."""


def open_image(reference: str, base: str = "") -> Image:
    """Return the image as RGB, upright (EXIF), transparency composed on white, 16 bits brought to 8; the first frame of
    several.

    base is the folder that relative references start at, "" for the working directory. Raises ImageError.
    """
    return decode(read_bytes(reference, base), _name(reference))


def open_images(record: Record) -> list[Image]:
    """Return all of a record's images in their order. Raises ImageError with the record's place and the field images[i]."""
    opened = []
    for i, reference in enumerate(record["images"]):
        try:
            opened.append(open_image(reference, getattr(record, "base", "")))
        except ImageError as error:
            error.where, error.field = getattr(record, "where", ""), f"images[{i}]"
            raise
    return opened


def glance(data: bytes, name: str = "bytes") -> None:
    """Raise ImageError where the bytes of a file are plainly no image that can be opened: empty, of no known format, too
    large, or damaged, as far as that can be told quickly: of a JPEG whether its end is there, of a PNG its checksums; other
    formats are decoded."""
    with _opened(data, name) as image:
        if image.format not in ("PNG", "JPEG", "MPO"):
            image.load()
        elif image.format != "PNG" and not kinds.jpeg_is_whole(data):
            raise _damaged(name, "its end is missing")


def reduced(data: bytes, name: str = "bytes") -> Image:
    """Return the image in a file's bytes as `decode` gives it, decoded to its end, but a JPEG at the smallest of its scales
    that has SMALL pixels on each side, in a third of the time. Raises ImageError."""
    with _opened(data, name) as image:
        if image.format in ("JPEG", "MPO"):
            image.draft("RGB", (SMALL, SMALL))
        return _upright(image)


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Return width and height of the image in a file's bytes, as its header says; None where it is plainly none."""
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=formats()) as image:
                return image.size
    except Exception:  # what is wrong with it is said where it is opened
        return None


def read_bytes(reference: str, base: str = "") -> bytes:
    """Return the bytes of the image file that a reference stands for. Raises ImageError."""
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
    """Return the full path of the file that a reference names; None for what lies inside another thing (a data URI, a tar
    member). Raises ImageError, also where there is no such file."""
    if reference.startswith((references.DATA, references.TAR)):
        return None
    odd = "\0" in reference or references.is_url(reference)
    if odd or not os.path.isfile(_located(reference, base)):
        read_bytes(reference, base)  # says what is wrong
    return _located(reference, base)


def decode(data: bytes, name: str) -> Image:
    """Return the image in a file's bytes, as `open_image` gives it; `name` stands in errors. Raises ImageError."""
    with _opened(data, name) as image:
        return _upright(image)


def _upright(image: Image) -> Image:
    from PIL import ImageOps

    image.load()
    return rgb(ImageOps.exif_transpose(image))


@contextlib.contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image]:
    """Yield a lazily opened image; what the block raises becomes an ImageError that says what the bytes are."""
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
            warnings.simplefilter("ignore")  # about damaged metadata and about sizes, which are judged below
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
    except Exception as error:  # a decoder that meets damaged data raises whatever its parser tripped over
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
    """Return `references.located`, with its refusals as ImageErrors."""
    try:
        return references.located(path, base)
    except references.ReferenceError as error:
        raise ImageError(error.message, remedy=error.remedy) from None


def _file(path: str) -> bytes:
    try:
        # Not to wait at a named pipe: opened without blocking, then refused.
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
            return file.read(MAX_BYTES + 1)
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
    """Return where the regular members of a tar file lie, so that reading a member is one seek and the archive is walked
    once, not once a record. `changed` (ns) and `size` tell a rewritten archive from the old one."""
    import tarfile

    try:
        return Members(path)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise ImageError(
            f"cannot be read as a tar file: {path}: {error}", remedy="a compressed one must be unpacked first"
        ) from None


def _name(reference: str) -> str:
    """Return a reference short enough for one line; a data URI is long."""
    return reference if len(reference) <= 200 else reference[:40] + "..."
