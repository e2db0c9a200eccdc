"""Options of s2h-gen that would do nothing are refused."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from s2h.cli.gen import main
from tests.support.photos import save


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["kinship", "--samples", "4"], "--samples needs vqa and a --model"),
        (["vqa", "--negative", "other-image", "--samples", "4"], "--samples needs vqa and a --model"),
        (["vqa", "--temperature", "0.7"], "--temperature needs --samples 2 or more"),
        (
            ["vqa", "--working", "0.5"],
            "--working is for arithmetic, compare, kinship and search, not for vqa",
        ),
        (["kinship", "--model", "mini"], "--model is for vqa"),
        (["search", "--nonexistent", "0.2"], "--nonexistent is for vqa"),
        (["vqa", "--form", "locate"], "--form is for search"),
        (["search", "--relation", "parent"], "--relation is for kinship"),
        (["vqa", "--similar", "0.5:0.9"], "--similar and --clip-model are for --distractors similar"),
        (["vqa", "--twins", "--model", "mini"], "--twins and --model exclude each other"),
        (["kinship", "--image-side"], "--image-side needs --twins"),
        (
            ["vqa", "--select", "attention", "--layout", "grid"],
            "--select attention needs the images one by one",
        ),
        (["vqa", "--workers", "2"], "--workers is for pairs without a --model"),
        (["search", "--captions", "x.jsonl"], "--captions is for --captioner"),
        (["vqa", "--captioner", "mini"], "--captioner is for search"),
        (["kinship", "--distractors", "similar"], "--distractors similar is for vqa and search"),
        (["search", "--clip-model", "mini-clip"], "--clip-model is for --distractors similar here"),
        (["search", "--distractors", "similar", "--workers", "2"], "--workers is for pairs without a CLIP"),
        (["compare", "--resume"], "--resume needs -o FILE"),
        (["compare", "--resume", "-o", "x.jsonl.gz"], "--resume needs -o FILE"),
    ],
)
def test_an_option_without_effect_is_wrong_usage(options, said):
    result = CliRunner().invoke(main, [*options, "-n", "1"])
    assert result.exit_code == 2 and said in result.output and "Traceback" not in result.output


def test_what_a_source_lacks_is_one_line(light, tmp_path):
    for thing in ("owl", "truck", "tulip"):
        for i in range(6):
            save(tmp_path / "t" / thing / f"{i}.png", (thing, i))
    for arguments, said in (
        (
            ["kinship", "--source", "t"],
            "source 't' has no people whose kinship is known; kinship needs a source such as builtin, fiw:PATH",
        ),
        (
            ["search", "--source", "t", "--form", "rhyme"],
            "no form of question 'rhyme' here (choose from caption, locate",
        ),
        (
            ["kinship", "--relation", "aunt"],
            "no relation 'aunt' here (choose from parent, grandparent, sibling)",
        ),
        (["search", "--source", "imagenet:nowhere"], "source 'imagenet:nowhere': no such folder"),
        (["search", "--source", "llava:gone.json"], "gone.json: can't be read"),
        (["compare", "--layout", "pip"], "the layout pip is for vqa"),
    ):
        done = light.told("s2h-gen", *arguments, "-n", "3", cwd=tmp_path, status=1)
        assert said in done.stderr and done.stdout == "" and len(done.stderr.splitlines()) <= 3
    done = light.told("s2h-gen", "search", "--source", "t", "-n", "30", cwd=tmp_path)
    assert "the captions say no more than what is searched for: locate and count questions" in done.stderr
    assert {json.loads(line)["facts"]["form"] for line in done.stdout.splitlines()} == {"locate", "count"}


SMALL = ["--size", "64", "--images-per-prompt", "2-3"]
ASKED = ["--max-new-tokens", "8"]  # of the bundled model


def made(arguments: list[str], folder, monkeypatch) -> tuple[list[dict], str]:
    """The pairs of a run and its messages."""
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.stderr or done.exception
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_attention_chooses_among_the_bundled_models_wrong_answers(tmp_path, monkeypatch):
    """MIA-DPO's choice."""
    asked = ["vqa", "-n", "6", *SMALL, *ASKED, "--samples", "4", "--select", "attention"]
    assert any(pair["negative"] == "hallucination" for pair in made(asked, tmp_path, monkeypatch)[0])


@pytest.mark.parametrize(
    "task", [["vqa", "--negative", "wrong-attribute"], ["search"]], ids=lambda task: task[0]
)
def test_distractors_are_like_the_target_by_the_bundled_clip(task, tmp_path, monkeypatch):
    asked = [*task, "-n", "6", *SMALL, "--distractors", "similar", "--similar", "0.3:0.99"]
    pairs, said = made(asked, tmp_path, monkeypatch)
    assert "distractors are like the target by mini-clip" in said and len(pairs) == 6


def test_pictures_in_a_picture_are_asked_about(tmp_path, monkeypatch):
    pairs, _ = made(["vqa", "-n", "4", "--layout", "pip", "--size", "64", *ASKED], tmp_path, monkeypatch)
    assert pairs and all(pair["facts"]["layout"]["kind"] == "pip" for pair in pairs)
