"""Every kind of image reference that one stage writes, every stage opens, from any working directory."""

import base64
import json
import os
import tarfile

import pytest
from click.testing import CliRunner

from s2h.cli import eval as eval_
from s2h.cli import filter as filter_
from s2h.cli import gen, mix, train, view
from s2h.images import references
from s2h.images.decoding import read_bytes
from s2h.images.store import Store
from s2h.record import assistant
from s2h.streams import jsonl
from tests.support.records import pair, pixel

NAMES = (
    "plain.png",
    "tar:x.png",
    "data:x.png",
    "a!b.png",
    "50%.png",
    "#1.png",
    'a "b".png',
    "two\nlines.png",
    "é ü.png",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_on_the_disk_is_a_file_whatever_it_looks_like(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixel(tmp_path / "deep" / name)
    data = (tmp_path / "deep" / name).read_bytes()
    reference = references.of_file(name)
    assert read_bytes(reference, "deep") == data
    assert read_bytes(references.moved(reference, references.prefix("deep", ""))) == data
    assert read_bytes(references.moved(reference, references.prefix("deep", "elsewhere"))) == data
    assert read_bytes(references.anchored(reference, "deep")) == data
    assert os.path.isabs(references.spelled(reference, "deep"))


@pytest.mark.parametrize(
    "bad", ["../a.png", "x/../../a.png", "tar:../s.tar!a.png", "tar:s.tar", "tar:!a", "tar:s.tar!"]
)
def test_what_climbs_out_or_is_no_reference_is_refused(bad):
    with pytest.raises(references.ReferenceError):
        if bad.startswith("tar:"):
            references.located(references.member_of(bad)[0])
        else:
            references.anchored(bad, "base")


def test_only_real_urls_are_urls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert references.is_url("https://host/a.png") and references.is_url("s3+x://a")
    for path in ("a/b://c.png", "//server/a.png", "1://x.png"):
        assert not references.is_url(path)


def members(path, *names: str) -> None:
    with tarfile.open(path, "w") as archive:
        for name in names:
            archive.add(pixel(path.parent / "loose.png", "green"), arcname=name)


@pytest.fixture(scope="module")
def record_file(tmp_path_factory):
    """A file with a pair for each kind of reference, beside its images; the store is a link to another disk."""
    root = tmp_path_factory.mktemp("kinds") / "in!put"
    (root / "sub").mkdir(parents=True)
    elsewhere = tmp_path_factory.mktemp("disk")
    for name in NAMES:
        pixel(root / name)
    for name in ("s.tar", "o!d.tar"):
        members(root / name, "a.png", "b!c.png")
    (root / "store").symlink_to(elsewhere)
    (root / "photos").symlink_to(tmp_path_factory.mktemp("photos"))
    pixel(root / "photos" / "linked.png")
    stored = os.path.relpath(Store(root / "store").put((root / "plain.png").read_bytes()), root)
    data = base64.b64encode((root / "plain.png").read_bytes()).decode()
    kinds = [
        *map(references.of_file, NAMES), str(root / "plain.png"), f"data:image/png;base64,{data}", stored,
        "photos/linked.png",
        "tar:s.tar!a.png", "tar:s.tar!b!c.png", "tar:o!d.tar!b!c.png", f"tar:{root}/o!d.tar!a.png",
    ]  # fmt: skip
    with open(root / "in.jsonl", "wb") as out:
        for i, kind in enumerate(kinds):
            said = assistant(f"The digit is {i}.")
            out.write(jsonl.dump(pair(f"p{i}", images=[kind, "plain.png"], chosen=said)))
    return root / "in.jsonl"


def run(command, *arguments: str, read: bytes | None = None) -> str:
    done = CliRunner().invoke(command.main, [str(one) for one in arguments], input=read)
    assert done.exit_code == 0, done.stderr or done.exception
    return done.stdout


def opens(path: str, count: int) -> None:
    records = list(jsonl.read(path))
    assert len(records) == count
    for record in records:
        for reference in record["images"]:
            assert read_bytes(reference, record.base)[:4] == b"\x89PNG"


@pytest.mark.parametrize("where", ["beside", "above", "away"])
def test_every_stage_opens_every_kind(record_file, where, tmp_path, monkeypatch):
    """Filter, mix, exports and pack, each with its output in a third folder."""
    here = {"beside": record_file.parent, "above": record_file.parent.parent, "away": tmp_path}[where]
    monkeypatch.chdir(here)
    source = os.path.relpath(record_file) if where != "away" else str(record_file)
    count = len(record_file.read_text().splitlines())
    out = tmp_path / "out"
    out.mkdir()
    run(
        filter_,
        source,
        "--clip",
        "-1",
        "--clip-model",
        "mini-clip",
        "--dedup",
        "-o",
        out / "f.jsonl",
    )
    opens(out / "f.jsonl", count)
    run(mix, "--flat", source, "-o", out / "m.jsonl")
    opens(out / "m.jsonl", count)
    run(mix, "--flat", out / "m.jsonl", "--pack", out / "pack")
    opens(out / "pack" / "mix.jsonl", count)
    run(mix, "--flat", out / "m.jsonl", "--pack", out / "shards", "--shard-size", "1")
    opens(out / "shards" / "mix.jsonl", count)
    streamed = run(filter_, source, "--length-ratio", "0.01:100")
    for line in streamed.splitlines():
        for reference in json.loads(line)["images"]:
            assert read_bytes(reference)[:4] == b"\x89PNG"
    run(view, out / "m.jsonl", "-o", out / "g.html")
    run(
        mix,
        "--flat",
        out / "m.jsonl",
        "--to",
        "ms-swift",
        "-o",
        out / "swift.jsonl",
        "--image-dir",
        out / "store",
    )
    for line in (out / "swift.jsonl").read_bytes().split(b"\n")[:-1]:
        assert all(os.path.isfile(path) for path in json.loads(line)["images"])


def test_training_and_evaluation_open_every_kind(record_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    count = len(record_file.read_text().splitlines())
    run(train, "--model", "mini", record_file, "--max-steps", "1", "--step-pairs", "2", "--lora-rank", "4",
        "--reference-cache", "refc", "-o", "run")  # fmt: skip
    opens("run/data.jsonl", count)
    said = run(eval_, "--model", "mini", "--bench", record_file, "--max-new-tokens", "2")
    assert len(said.splitlines()) == count
    run(view, "-o", "predictions.html", read=said.encode())


def test_a_store_behind_a_link_serves_the_whole_road(tmp_path, monkeypatch):
    (tmp_path / "ws").mkdir()
    (tmp_path / "disk").mkdir()
    monkeypatch.chdir(tmp_path / "ws")
    os.symlink(tmp_path / "disk", "s2h-images")
    made = run(gen, "search", "-n", "2", "--size", "32")
    kept = run(filter_, "--clip", "-1", read=made.encode())
    assert len(kept.splitlines()) == 2 and os.listdir(tmp_path / "disk")
