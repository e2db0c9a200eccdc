"""A pack is moved, and every reference still holds; images are there once; it is whole or not there."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import load_dataset

from s2h.formats.pack import Pack
from s2h.images.decoding import open_images
from s2h.record import RecordError, assistant
from s2h.streams import jsonl
from tests.support.architectures import make_pairs
from tests.support.commands import BIN
from tests.support.mixing import run
from tests.support.records import pair, pixel


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pairs(count: int = 12) -> dict[str, list[bytes]]:
    """The pixels of each pair's images; the last two pairs have the same pictures in two places."""
    made = make_pairs("in/pictures", count)
    shutil.copytree("in/pictures", "in/copy")
    made[-1]["images"] = [
        path.replace("/pictures/", "/copy/") for path in made[-2]["images"][: len(made[-1]["images"])]
    ]
    made[-1] = {**pair("last", made[-1]["images"])}
    made[0]["rejected_images"] = [pixel(Path("in/pictures/other.png").absolute()), made[1]["images"][0]]
    with jsonl.Writer("in/pairs.jsonl") as out:
        for one in made:
            out.write(dict(one))
    return {one["id"]: pixels_of(one) for one in jsonl.read("in/pairs")}


def pixels_of(one) -> list[bytes]:
    fields = ("images", "rejected_images") if "rejected_images" in one else ("images",)
    return [picture.tobytes() for field in fields for picture in open_images(one, field=field)]


@pytest.mark.parametrize("shards", [False, True])
def test_a_pack_can_be_carried_away(shards, tmp_path):
    pixels = pairs()
    size = [] if not shards else ["--shard-size", "1"]
    if shards:  # so much that there must be two
        pictures = [pixel(Path(f"in/noise{i}.bmp"), size=(700, 700)) for i in range(2)]
        Path(pictures[1]).write_bytes(Path(pictures[0]).read_bytes()[:-1] + b"\x07")
        with jsonl.Writer("in/big.jsonl") as out:
            out.write(dict(pair("big", [os.path.abspath(path) for path in pictures])))
    run("--flat", "in/pairs", *(["in/big"] if shards else []), "--pack", "out/pack", "--val", "0.25", *size)
    shutil.rmtree("in")
    os.rename("out/pack", "moved")
    there = {name for name in os.listdir("moved") if not name.startswith("images")}
    assert there == {"README.md", "mix.jsonl", "mix.val.jsonl", "pack.json"} and os.listdir("out") == []
    told = json.loads(Path("moved/pack.json").read_text())
    loaded = load_dataset("moved", cache_dir="cache")
    found, references = {}, set()
    for name in ("mix.jsonl", "mix.val.jsonl"):
        records = list(jsonl.read(f"moved/{name}"))
        rows = loaded["validation" if "val" in name else "train"]
        assert [(row["id"], row["images"]) for row in rows] == [(one["id"], one["images"]) for one in records]
        assert told["records"][name] == len(records) > 0
        for one in records:
            named = [*one["images"], *one.get("rejected_images", ())]
            assert not any(reference.startswith("/") or ".." in reference for reference in named)
            references |= set(named)
            found[one["id"]] = pixels_of(one)
    found.pop("big", None)
    assert found == pixels
    assert (told["images"] == len(references) and told["shards"] == (3 if shards else 0)) or shards
    if shards:
        assert told["shards"] >= 2 and all(reference.startswith("tar:images-0") for reference in references)
    else:
        files = [path for path in Path("moved/images").rglob("*") if path.is_file()]
        assert len(files) == told["images"]
        assert sum(path.stat().st_size for path in files) == told["bytes"]


def test_the_same_records_give_the_same_pack_and_replace_the_old_one():
    pairs()

    def all_bytes() -> dict:
        return {str(path): path.read_bytes() for path in sorted(Path("pack").rglob("*")) if path.is_file()}

    run("--flat", "in/pairs", "--pack", "pack")
    first = all_bytes()
    Path("pack/mix.jsonl").write_text("older")
    run("--flat", "in/pairs", "--pack", "pack")
    assert all_bytes() == first
    # A pack is an input like any other, and is not replaced while it is one.
    run("--flat", "pack/mix", "--per-level", "1", "--pack", "pack", status=2)
    assert all_bytes() == first
    assert [name for name in os.listdir() if "part" in name] == []


def test_a_folder_that_holds_something_else_is_left_alone():
    pairs()
    Path("pack").mkdir()
    Path("pack/thesis.txt").write_text("x")
    said = run("--flat", "in/pairs", "--pack", "pack", status=1).stderr
    assert "pack: contains a file that is not part of a pack: thesis.txt (name a new folder)" in said
    assert os.listdir("pack") == ["thesis.txt"]
    run("--flat", "in/pairs", "--pack", "other")
    Path("other/notes.md").write_text("x")
    assert "notes.md" in run("--flat", "in/pairs", "--pack", "other", status=1).stderr
    Path("file").write_text("x")
    assert "exists and is not a folder" in run("--flat", "in/pairs", "--pack", "file", status=1).stderr
    Path("empty").mkdir()
    run("--flat", "in/pairs", "--pack", "empty/")
    assert "pack.json" in os.listdir("empty")


def test_a_missing_image_leaves_the_old_pack():
    pairs()
    run("--flat", "in/pairs", "--pack", "pack")
    old = Path("pack/mix.jsonl").read_bytes()
    gone = next(jsonl.read("in/pairs"))["images"][0]
    os.remove(gone)
    said = run("--flat", "in/pairs", "--pack", "pack", status=1).stderr
    assert f"in/pairs.jsonl:1: images[0]: no such file: {gone}" in said
    assert Path("pack/mix.jsonl").read_bytes() == old
    said = run("--flat", "in/pairs", "--pack", "pack", "--on-error", "skip", status=3).stderr
    assert "11 pairs" in said and len(list(jsonl.read("pack/mix"))) == 11
    assert sorted(os.listdir()) == ["in", "pack"]


def test_a_pack_of_which_the_work_failed_is_gone():
    with pytest.raises(RecordError), Pack("p") as pack:
        pack.part("mix.jsonl").write(pair("a", ["gone.png"]))
    assert os.listdir() == []


FULL = """
mount -t tmpfs -o size=600k tmpfs full || exit 99
{command}
status=$?; ls -A full >&2; exit $status
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("big.jsonl -o full/mix.jsonl", "full/mix.jsonl: No space left on device"),
        ("big.jsonl --to parquet -o full/mix.parquet", "full/mix.parquet: No space left on device"),
        ("big.jsonl --pack full/pack", "full/pack"),
        ("< big.jsonl > out.jsonl", "full (free some space, or set TMPDIR to a folder that has more)"),
    ],
)
def test_a_full_disk_is_told_and_leaves_nothing(arguments, said, tmp_path):
    picture = os.path.abspath(pixel(Path("1.bmp"), size=(500, 400)))
    with jsonl.Writer("big.jsonl") as out:
        for i in range(300):
            noise = random.Random(i).randbytes(2000).hex()
            out.write({**pair(f"r{i}", [picture]), "chosen": assistant(noise)})
    Path("full").mkdir()
    command = f"{sys.executable} {BIN / 's2h-mix'} --flat {arguments}"
    spool = "full" if arguments.startswith("<") else str(tmp_path)
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", FULL.format(command=command)],
        capture_output=True, text=True, env={**os.environ, "TMPDIR": spool},
    )  # fmt: skip
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("this system lets nobody mount a small disk")
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1  # one line, and nothing is left on the disk
