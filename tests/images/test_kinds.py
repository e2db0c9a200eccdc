"""What a file is that cannot be opened is said in words, the same in every stage; what can be opened is not refused."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin
from sklearn.datasets import load_sample_image

from s2h.images import kinds
from s2h.images.decoding import ImageError, decode, glance, reduced

PHOTOGRAPH = load_sample_image("china.jpg")
STAGES = {"glance": glance, "decode": decode, "reduced": reduced}


def saved(kind: str, **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PHOTOGRAPH).resize((160, 120)).save(out, kind, **options)
    return out.getvalue()


def ftyp(brand: bytes, *more: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(more)
    return struct.pack(">I", len(body) + 4) + body + bytes(90)


def wrong_sum(chunk: bytes) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a photograph")
    data = bytearray(saved("PNG", pnginfo=info))
    at = data.index(chunk)
    length = int.from_bytes(data[at - 4 : at], "big")
    data[at + 4 + length] ^= 255
    return bytes(data)


OTHERS = {
    "heic": (ftyp(b"heic", b"mif1"), r"but a HEIC image \(convert it to JPEG\)"),
    "heic by its list of brands": (ftyp(b"XXXX", b"mif1", b"hevc"), "a HEIC image"),
    "mp4": (ftyp(b"isom", b"mp42"), "a video"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", r"LFS pointer \(run git lfs pull\)"),
    "page": (b"<!doctype html><html><body>404 Not Found", "an HTML page"),
    "page with a mark": (b"\xef\xbb\xbf \n<HTML><head></head>", "an HTML page"),
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="x"></svg>', "an SVG drawing"),
    "denied": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
    "json": (b'{"error": "not found"}', "JSON text"),
    "pdf": (b"%PDF-1.7\n", "a PDF document"),
    "text": (b"hello", "not an image: bytes"),
    "sum of a text": (wrong_sum(b"tEXt"), r"a PNG with a wrong checksum \(copy or download it again\).*tEXt"),
    "sum of the pixels": (wrong_sum(b"IDAT"), "a PNG with a wrong checksum.*IDAT"),
    "cut PNG": (saved("PNG")[:900], "damaged or truncated image"),
    "cut JPEG": (saved("JPEG")[:900], "damaged or truncated image"),
}  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_told_apart(name, stage):
    data, said = OTHERS[name]
    with pytest.raises(ImageError, match=said):
        STAGES[stage](data, "bytes")


def with_a_thumbnail() -> bytes:
    """A JPEG whose EXIF has a JPEG in it, with an end marker of its own."""
    thumb = saved("JPEG")
    return saved("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + thumb)


@pytest.mark.parametrize("stage", STAGES)
def test_what_follows_the_end_of_a_jpeg_is_no_part_of_it(stage):
    video = ftyp(b"mp42") + bytes(range(256)) * 400
    for whole in (saved("JPEG"), saved("JPEG", progressive=True), with_a_thumbnail(), saved("PNG")):
        for tail in (video, saved("JPEG") + bytes(9000), b"\0" * 20_000, b"\xff\xd8\xff" * 3000):
            STAGES[stage](whole + tail, "bytes")
    with pytest.raises(ImageError, match="damaged or truncated"):
        STAGES[stage](with_a_thumbnail()[:-2000], "bytes")


def test_a_jpeg_is_reduced_and_others_are_whole():
    big = Image.fromarray(PHOTOGRAPH).resize((512, 512))
    for kind, size in (("JPEG", (64, 64)), ("PNG", (512, 512))):
        out = io.BytesIO()
        big.save(out, kind)
        assert reduced(out.getvalue()).size == size
    out = io.BytesIO()
    big.convert("CMYK").save(out, "JPEG")
    assert reduced(out.getvalue()).mode == "RGB"


def test_what_the_chunks_of_a_png_say():
    whole = saved("PNG")
    assert kinds.png_fault(whole) == "" and kinds.png_fault(whole + b"more") == ""
    assert kinds.png_fault(whole[:-12]) == "its end is missing"
    assert "cut short" in kinds.png_fault(whole[:-20])
    huge = kinds.PNG + struct.pack(">I4s", 0xFFFFFFFF, b"IDAT") + bytes(50)
    assert "cut short" in kinds.png_fault(huge)
    odd = b"\xff\x00\x1b["
    bad = kinds.PNG + struct.pack(">I", 0) + odd + struct.pack(">I", zlib.crc32(odd) ^ 1)
    assert kinds.png_fault(bad) == "the checksum of its chunk of an unknown kind is wrong"
