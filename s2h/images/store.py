"""The image store: a folder of image files with the hash of their bytes as names."""

from __future__ import annotations

import contextlib
import io
import os
from hashlib import blake2b
from typing import TYPE_CHECKING

from s2h.images import references
from s2h.images.decoding import ImageError, formats
from s2h.streams import files

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
)


def digest(data: bytes) -> str:
    """Return the name of some bytes: 32 hexadecimal digits of BLAKE2b-128."""
    return blake2b(data, digest_size=16).hexdigest()


def stored_name(data: bytes) -> str:
    """Return the file name of an image in a store, from the bytes of its file. Raises ImageError for bytes of no image."""
    return digest(data) + _suffix(data)


class Store:
    """A folder of images named by the hash of their bytes, so that several processes write the same image only
    once. The folder is created with the first image."""

    def __init__(self, folder: str | os.PathLike = files.IMAGES) -> None:
        folder = os.path.normpath(os.fspath(folder))
        # A relative reference can't leave the working directory, so a folder elsewhere gets its full path.
        self.folder = os.path.abspath(folder) if folder.split(os.sep)[0] == os.pardir else folder

    def put(self, image: Image | bytes) -> str:
        """Store a PIL image (as PNG) or the bytes of an image file, unchanged. Return its reference.

        Raises ImageError for bytes that are no image file, OSError if the folder can't be written.
        """
        if isinstance(image, bytes | bytearray | memoryview):
            data = bytes(image)
        else:
            buffer = io.BytesIO()
            image.save(buffer, "PNG")
            data = buffer.getvalue()
        name = stored_name(data)
        path = os.path.join(self.folder, name[:2], name)
        with contextlib.suppress(OSError):
            # A power failure may have left a shorter file.
            if os.stat(path).st_size == len(data):
                return references.of_file(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # A random name, because machines and containers that share a store may have equal process ids.
        beside = f"{path}.{os.urandom(8).hex()}.part"
        try:
            with open(beside, "xb") as file:
                file.write(data)
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
        return references.of_file(path)


def _suffix(data: bytes) -> str:
    for magic, suffix in SUFFIXES:
        if data.startswith(magic):
            return suffix
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=formats()) as image:
            return f".{image.format.lower()}"
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ImageError("not an image: these bytes cannot be stored") from None
