"""Runs that are killed before any call that renames, syncs, shortens or removes a file go on with --resume to the bytes of
an undisturbed run, outputs and rejects, and leave nothing else behind."""

from __future__ import annotations

import json

import pytest

from tests.support.forks import Server
from tests.support.records import pair

SAID = ("two red kites", "a cat", "a long and winding road through the hills")


@pytest.fixture(scope="module")
def server():
    with Server("s2h.models.vlm", "transformers.models.llava.modeling_llava", "transformers.models.auto.modeling_auto",
                "transformers.models.llava.processing_llava", "transformers.models.llama.modeling_llama",
                "transformers.models.clip.modeling_clip", "s2h.eval.ask") as found:  # fmt: skip
        yield found


def files(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def write_pairs(path) -> None:
    made = [
        pair(f"p{n}", rejected=[{"role": "assistant", "content": [{"type": "text", "text": SAID[n % 3]}]}])
        for n in range(30)
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in made))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("filter", ("in.jsonl", "--length-ratio", "0.3:3", "--rejects", "no.jsonl", "-o", "out.jsonl")),
        ("gen", ("kinship", "-n", "3", "--size", "32", "-o", "out.jsonl")),
        ("eval", ("--model", "mini", "--bench", "in.jsonl", "--limit", "2", "--max-new-tokens", "2", "-o", "out.jsonl")),
    ],
)  # fmt: skip
def test_a_kill_at_any_call_that_changes_a_file(server, name, arguments, tmp_path):
    def folder(title: str):
        place = tmp_path / title
        place.mkdir()
        if name != "gen":
            write_pairs(place / "in.jsonl")
        if name == "eval":
            from PIL import Image

            for image in ("one.png", "two.png"):
                Image.new("RGB", (16, 16), "red").save(place / image)
        return place

    whole = folder("whole")
    assert server.run(name, *arguments, "--quiet", cwd=whole, err="err.txt") == 0, (
        whole / "err.txt"
    ).read_text()
    (whole / "err.txt").unlink()
    at, status = 0, -9
    while status == -9:
        at += 1
        place = folder(f"killed-{at}")
        status = server.run(name, *arguments, "--quiet", cwd=place, dies_at=at)
        if status == -9:
            again = server.run(name, *arguments, "--quiet", "--resume", cwd=place, err="err.txt")
            assert again == 0, (at, (place / "err.txt").read_text())
            (place / "err.txt").unlink()
        assert files(place) == files(whole), (at, status)
    assert status == 0 and at > 3, "some calls were there to be killed at"
