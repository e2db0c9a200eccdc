"""Kinds of files that can't be opened as an image, in words and with the remedy: a Git LFS pointer, a web page, HEIC, a PNG
with a wrong checksum. `s2h.images.decoding` calls it for bytes that Pillow refuses."""

from __future__ import annotations

import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"
# The beginning of a file, its kind, and the remedy.
BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer", "run git lfs pull"),
    (b"%PDF", "a PDF document", "export its pages as PNG or JPEG"),
    (b"%!PS", "a PostScript document", "convert it to PNG or JPEG"),
    (b"8BPS", "a Photoshop document", "export it as PNG or JPEG"),
    (b"\xff\x0a", "a JPEG XL image", "convert it to PNG or JPEG"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image", "convert it to PNG or JPEG"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it"),
    (b"\x1f\x8b", "a gzip file", "unpack it"),
    (b"\x1aE\xdf\xa3", "a video", "save a frame of it as PNG or JPEG"),
)
# Brands of files in MP4's container (ISO/IEC 14496-12), which HEIF (23008-12) uses too.
HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AVIF = (b"avif", b"avis")
PAGE = (b"<!doctype html", b"<html", b"<head", b"<body")
BLANK = b" \t\r\n\xef\xbb\xbf\0"


def known(data: bytes) -> tuple[str, str] | None:
    """Return (kind of the bytes, remedy) if they are of a known kind that can't be read as an image; else None."""
    for beginning, what, remedy in BEGINNINGS:
        if data.startswith(beginning):
            return what, remedy
    if data[4:8] == b"ftyp":
        return _box(data)
    text = data[:1024].lstrip(BLANK).lower()
    if text.startswith(PAGE):
        return "an HTML page", "download the image again: the server sent a page in its place"
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        return "an SVG drawing", "convert it to PNG"
    if text.startswith(b"<?xml"):
        return "an XML document", "download the image again: the server sent an error in its place"
    if text.startswith((b'{"', b"{\n", b"[{")):
        return "JSON text", "download the image again: the server sent an error in its place"
    return None


def _box(data: bytes) -> tuple[str, str]:
    size = int.from_bytes(data[:4], "big")
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(size, 256), 4))}
    if brands & set(AVIF):
        return "an AVIF image, which this Pillow cannot read", "convert it to PNG or JPEG"
    if brands & set(HEIF):
        return "a HEIC image", "convert it to JPEG"
    return "a video", "save a frame of it as PNG or JPEG"


def png_fault(data: bytes) -> str:
    """Return the fault in the chunks of a PNG (W3C PNG, section 5), a chunk that is cut short or has a wrong checksum, or ""
    if there is none. The pixels are not decoded."""
    at, view = len(PNG), memoryview(data)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        name = kind.decode("latin-1") if kind.isalpha() else "of an unknown kind"
        if end + 4 > len(data):
            return f"its chunk {name} is cut short"
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return f"the checksum of its chunk {name} is wrong"
        if kind == b"IEND":
            return ""
        at = end + 4
    return "its end is missing"


def jpeg_is_whole(data: bytes) -> bool:
    """Return whether a JPEG has its end marker (ITU T.81, B.1.1.3) after its first scan, so that a thumbnail's marker
    doesn't count. Bytes after it, as the video of a phone's motion photo, are not part of the image."""
    at = 2
    while data[at : at + 1] == b"\xff":
        marker = data[at + 1 : at + 2]
        if marker == b"\xff":  # a fill byte
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == b"\xda":
            return data.find(b"\xff\xd9", at) >= 0
    return False
