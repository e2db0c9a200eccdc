"""Captions that a model writes for the pictures of a folder of classes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from s2h import record, seeds
from s2h.cli.gen import main
from s2h.sources import open_source
from s2h.sources.captioner import whole


def scenes(root, each: int = 7) -> None:
    """A folder of drawn scenes, sorted by a shape that they show."""
    world = open_source()
    for shape in ("circle", "star", "heart"):
        (root / shape).mkdir(parents=True)
        for i in range(each):
            world.scene(seeds.rng("captioner", shape, i), shape=shape).draw(96).save(
                root / shape / f"{i}.png"
            )


def gen(*options: str, status: int = 0) -> tuple[list[dict], str]:
    """Pairs and messages of one run of s2h-gen, in this process, which has torch loaded."""
    arguments = [
        "search",
        "--source",
        "shapes",
        "--form",
        "caption=1",
        "--captioner",
        "mini",
        "-o",
        "out.jsonl",
    ]
    done = CliRunner().invoke(main, [*arguments, *options])
    assert done.exit_code == status and "Traceback" not in done.output, done.output
    lines = Path("out.jsonl").read_text().splitlines() if status == 0 else []
    return [json.loads(line) for line in lines], done.output


def test_a_model_captions_a_folder_of_classes_once(tmp_path):
    scenes(tmp_path / "shapes")
    first, told = gen("-n", "12")
    kept = tmp_path / "s2h-images" / "captions.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()]
    assert len({row["image"] for row in rows}) == len(rows) > 15
    assert all(row["model"] == "mini" and row["prompt"] for row in rows)
    assert f"{len(rows)} captions written, 0 were in s2h-images/captions.jsonl" in told
    assert "carry no more than the name" not in told
    written = {row["caption"].rstrip(".") for row in rows}
    for pair in first:
        assert pair["facts"]["captioner"] == "mini"
        for side in (
            ("chosen", "rejected") if pair["negative"] in ("same-concept", "other-image") else ("chosen",)
        ):
            assert record.text_of(pair[side]).split("\n")[-1].rstrip(".") in written
    # What a kill has left is completed, and the lines of other models stay.
    lines = kept.read_bytes().splitlines(keepends=True)
    other = json.dumps({**rows[0], "model": "other", "caption": "Nothing."}).encode() + b"\n"
    kept.write_bytes(other + b"".join(lines[:15]) + lines[15][:30])
    resumed, told = gen("-n", "12")
    assert resumed == first and f"{len(rows) - 15} captions written, 15 were in" in told
    assert kept.read_bytes().startswith(other)
    # Nothing is written again, so no model is loaded.
    again, told = gen("-n", "12")
    assert again == first and "0 captions written" in told and "written by" not in told


def test_captions_go_where_they_are_told(tmp_path):
    scenes(tmp_path / "shapes", each=2)
    gen("-n", "2", "--captions", "kept/by-mini.jsonl")
    assert (tmp_path / "kept" / "by-mini.jsonl").stat().st_size
    shutil.rmtree(tmp_path / "kept")
    (tmp_path / "kept").write_text("no folder")
    assert "--captions kept/by-mini.jsonl" in gen("-n", "2", "--captions", "kept/by-mini.jsonl", status=1)[1]
    assert "--captioner needs pictures in files" in gen("-n", "2", "--source", "builtin", status=1)[1]


def test_a_caption_is_whole():
    said = "A dog on a lawn. It is looking at"
    assert whole(said, cut=False) == said and whole(said, cut=True) == "A dog on a lawn."
    assert whole("A dog that", cut=True) == ""
    assert whole("Image 1 shows a dog\non a lawn.", cut=False) == "a dog on a lawn."
