import base64
import io
import os
import tarfile
import zlib
from pathlib import Path

import numpy
import pytest
from PIL import Image

from s2h.images import decoding, tars
from s2h.images.decoding import ImageError, decode, open_image, open_images
from s2h.images.store import Store, digest
from s2h.record import Record
from tests.support.records import pair, pixel


def packed(image, kind="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def colour(image) -> tuple[int, int, int]:
    assert image.mode == "RGB"
    return image.getpixel((1, 1))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    pixel(tmp_path / "data" / "red.png")
    return tmp_path


def test_paths(folder):
    assert colour(open_image("data/red.png")) == (255, 0, 0)
    assert colour(open_image("red.png", "data")) == (255, 0, 0)
    assert colour(open_image(str(folder / "data" / "red.png"), "/nowhere")) == (255, 0, 0)


def test_data_uri():
    data = base64.b64encode(packed(Image.new("RGB", (4, 4), "blue"))).decode()
    assert colour(open_image("data:image/png;base64," + data)) == (0, 0, 255)
    for bad in (
        "data:image/png;base64",
        "data:text/plain;base64,AAAA",
        "data:image/png,AAAA",
        "data:image/png;base64,A*",
    ):
        with pytest.raises(ImageError):
            open_image(bad)


def shard(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if data is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


def test_tar_members(folder):
    red, blue = packed(Image.new("RGB", (4, 4), "red")), packed(Image.new("RGB", (4, 4), "blue"))
    shard(
        "data/s.tar",
        [("./a.png", red), ("deep/b.png", red), ("link.png", None), ("../up.png", red), ("a!b.png", red)],
    )
    for member in ("a.png", "./a.png", "deep/b.png", "a!b.png"):
        assert colour(open_image(f"tar:s.tar!{member}", "data")) == (255, 0, 0)
    for member, word in (
        ("c.png", "no such member"),
        ("link.png", "no such member"),
        ("../up.png", "leaves"),
        ("/a.png", "leaves"),
    ):
        with pytest.raises(ImageError, match=word):
            open_image(f"tar:s.tar!{member}", "data")
    shard(
        "data/s.tar", [("a.png", blue), ("more.png", blue)]
    )  # a rewritten shard is not mistaken for the old one
    os.utime("data/s.tar", ns=(1, 1))
    assert colour(open_image("tar:data/s.tar!a.png")) == (0, 0, 255)
    with open("data/s.tar", "r+b") as file:
        file.truncate(520)
    with pytest.raises(ImageError, match=r"truncated|tar"):
        open_image("tar:data/s.tar!a.png")
    for bad in (
        "tar:data/s.tar",
        "tar:!a",
        "tar:data/none.tar!a",
        "tar:data!a",
        "tar:data/red.png!a",
        "tar:../s.tar!a",
    ):
        with pytest.raises(ImageError):
            open_image(bad)


def test_members_are_found_without_walking_again(folder, monkeypatch):
    shard("s.tar", [(f"{i}.png", packed(Image.new("RGB", (4, 4), "red"))) for i in range(50)])
    walks = []
    monkeypatch.setattr(tars, "members", lambda path, _walk=tars.members: walks.append(path) or _walk(path))
    for i in range(50):
        open_image(f"tar:s.tar!{i}.png")
    assert len(walks) == 1


def test_nothing_leaves_its_folder(folder):
    pixel(folder / "secret.png")
    (folder / "data" / "link.png").symlink_to(folder / "secret.png")
    (folder / "data" / "inner.png").symlink_to("red.png")
    for bad in ("../secret.png", "deep/../../secret.png", "link.png/../../secret.png"):
        with pytest.raises(ImageError, match="leaves the folder"):
            open_image(bad, "data")
    with pytest.raises(ImageError, match="is a folder"):
        open_image(".", "data")
    # Links are the user's own: a record can't make one.
    for link in ("inner.png", "link.png"):
        assert colour(open_image(link, "data")) == (255, 0, 0)


@pytest.mark.parametrize(
    "reference", ["http://host/a.png", "https://host/a.png", "s3://bucket/a.png", "file:///a.png"]
)
def test_nothing_is_fetched(reference):
    with pytest.raises(ImageError, match="never fetched"):
        open_image(reference)


def test_what_is_no_image(folder):
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("hello")
    (folder / "page.eps").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    )
    whole = packed(
        Image.fromarray(numpy.random.default_rng(0).integers(0, 255, (64, 64, 3), "uint8")), "JPEG"
    )
    (folder / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "torn.png").write_bytes(packed(Image.radial_gradient("L"))[:300])
    os.mkfifo(folder / "pipe.png")
    wrong = {
        "none.png": "no such file", "empty.png": "empty file", "text.png": "not an image", "page.eps": "not an image",
        "torn.jpg": "truncated", "torn.png": "truncated", "data": "is a folder", "pipe.png": "no regular file",
        "/dev/zero": "no regular file", "a\0b": "no image reference", "text.png/a": "cannot be read",
    }  # fmt: skip
    for name, word in wrong.items():
        with pytest.raises(ImageError, match=word):
            open_image(name)


def test_too_many_pixels_are_refused_before_they_are_decoded(folder, monkeypatch):
    import struct

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (9_000, 60_000):
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        bomb = (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(bytes(100)))
            + chunk(b"IEND", b"")
        )
        (folder / "bomb.png").write_bytes(bomb)
        with pytest.raises(ImageError, match="larger than 64,000,000 pixels"):
            open_image("bomb.png")
    monkeypatch.setattr(decoding, "MAX_BYTES", 50)
    with pytest.raises(ImageError, match="larger than"):
        open_image("data/red.png")


def test_every_mode_becomes_rgb(folder):
    def opened(image, kind="PNG", **options):
        (folder / "x").write_bytes(packed(image, kind, **options))
        return colour(open_image("x"))

    assert opened(Image.new("RGBA", (4, 4), (255, 0, 0, 0))) == (255, 255, 255)
    assert opened(Image.new("RGBA", (4, 4), (255, 0, 0, 255))) == (255, 0, 0)
    assert opened(Image.new("LA", (4, 4), (0, 0))) == (255, 255, 255)
    assert opened(Image.new("L", (4, 4), 100)) == (100, 100, 100)
    assert opened(Image.new("1", (4, 4), 1)) == (255, 255, 255)
    palette = Image.new("RGB", (4, 4), "red").quantize(4)
    assert opened(palette) == (255, 0, 0)
    assert opened(palette, transparency=palette.getpixel((1, 1))) == (255, 255, 255)
    assert opened(palette, "GIF") == (255, 0, 0)
    assert opened(Image.new("RGB", (4, 4), (9, 8, 7)), transparency=(9, 8, 7)) == (255, 255, 255)
    red = opened(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG", quality=100)
    assert red[0] > 230 and max(red[1:]) < 40
    assert opened(Image.fromarray(numpy.full((4, 4), 32768, "uint16"))) == (128, 128, 128)
    assert opened(Image.fromarray(numpy.full((4, 4), 200, "uint16"))) == (1, 1, 1)
    assert opened(Image.fromarray(numpy.full((4, 4), 0.5, "float32")), "TIFF") == (128, 128, 128)
    assert opened(Image.fromarray(numpy.full((4, 4), 200, "int32")), "TIFF") == (200, 200, 200)
    assert opened(Image.new("RGB", (4, 4), "lime"), "WEBP", lossless=True) == (0, 255, 0)


def test_a_photograph_stands_upright(folder):
    image = Image.new("RGB", (8, 4), "white")
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "turned.jpg").write_bytes(packed(image, "JPEG", exif=exif.tobytes()))
    assert open_image("turned.jpg").size == (4, 8)


def test_errors_of_a_record_say_where(folder):
    record = Record(pair("a", ["red.png", "none.png"]), where="data/l2.jsonl:17", base="data")
    with pytest.raises(ImageError, match=r"^data/l2\.jsonl:17: images\[1\]: no such file: .*none\.png$"):
        open_images(record)
    record["images"] = ["red.png", "./red.png"]
    assert [colour(image) for image in open_images(record)] == [(255, 0, 0)] * 2


def test_store(folder):
    store = Store()
    image = Image.new("RGB", (4, 4), "red")
    first = store.put(image)
    assert first.startswith("s2h-images" + os.sep) and first.endswith(".png")
    assert digest(Path(first).read_bytes()) in first
    os.utime(first, (1, 1))
    assert store.put(image) == first
    assert os.stat(first).st_mtime == 1  # nothing was written again
    assert colour(open_image(first)) == (255, 0, 0)
    assert store.put(packed(image, "JPEG")).endswith(".jpg")
    assert store.put(packed(image, "WEBP")).endswith(".webp")
    with pytest.raises(ImageError, match="not an image"):
        store.put(b"hello")
    Path(first).write_bytes(b"")  # as a machine may leave it that lost its power
    assert store.put(image) == first
    assert colour(open_image(first)) == (255, 0, 0)
    assert not [name for _, _, files in os.walk("s2h-images") for name in files if name.endswith(".part")]


def test_a_store_elsewhere_is_named_in_full(folder, monkeypatch):
    monkeypatch.chdir(folder / "data")
    reference = Store("../pictures").put(Image.new("RGB", (4, 4), "red"))
    assert os.path.isabs(reference)
    assert colour(open_image(reference)) == (255, 0, 0)


def test_every_kind_of_tar_gives_the_members_that_tarfile_finds(tmp_path):
    """Plain headers are read without tarfile; what comes after the first other one is its work."""
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        for odd in ("é🙂.png", "deep/" * 30 + "x.png", "long" * 40 + ".png", None):
            path = tmp_path / f"{kind}.tar"
            with tarfile.open(path, "w", format=kind) as archive:
                for name in ("a.png", "folder/", odd, "b/" * 20 + "c.png", "empty.png", "a.png"):
                    if name is None or (kind == tarfile.USTAR_FORMAT and name.startswith("long")):
                        continue
                    info = tarfile.TarInfo(name)
                    info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
                    info.mtime = 1.5 if kind == tarfile.PAX_FORMAT else 1
                    info.size = 0 if name in ("empty.png", "folder/") else 700
                    archive.addfile(info, io.BytesIO(bytes(700)))
            with tarfile.open(path) as archive:
                wanted = [(m.name, m.offset_data, m.size) for m in archive.getmembers() if m.isreg()]
            assert list(tars.members(str(path))) == wanted and len(wanted) >= 4
            data = path.read_bytes()
            path.write_bytes(data[: wanted[-1][1] + 100])
            with pytest.raises(tarfile.ReadError):
                list(tars.members(str(path)))


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("LA", "PNG"), ("I;16", "PNG"), ("I", "TIFF"), ("F", "TIFF")]
)
def test_strips_give_the_same_pixels_as_the_whole(mode, kind, monkeypatch):
    from s2h.images import pixels

    shape = (40, 30, 4) if mode == "RGBA" else (40, 30, 2) if mode == "LA" else (40, 30)
    of = {"I;16": numpy.uint16, "I": numpy.int32, "F": numpy.float32}.get(mode, numpy.uint8)
    data = io.BytesIO()
    values = numpy.random.default_rng(3).integers(0, 256, shape).astype(of)
    values.flat[-4:] *= 200 if of == numpy.uint16 else 1
    Image.fromarray(values).save(data, kind)
    whole = decode(data.getvalue(), "x").tobytes()
    monkeypatch.setattr(pixels, "STRIP", 100)
    assert decode(data.getvalue(), "x").tobytes() == whole
