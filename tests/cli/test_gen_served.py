"""s2h-gen with a model on a server: the pairs and the captions of the local model, and what a failing server leaves."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from s2h.cli.gen import main
from s2h.models import server
from tests.sources.test_captioner import scenes
from tests.support.servers import MODEL, Small, completion

SKIPS = "--on-error", "skip"

pytestmark = pytest.mark.slow  # `transformers serve` starts


def gen(*arguments: str, status: int = 0, out: str = "out.jsonl") -> str:
    done = CliRunner().invoke(main, [*arguments, "-o", out])
    assert done.exit_code == status and "Traceback" not in done.output, done.output
    return done.output


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "RETRIES", 0)


def test_pairs_are_those_of_the_local_model(served):
    asks = "vqa", "-n", "3", "--size", "64", "--max-new-tokens", "8", "--model", served.name
    told = gen(*asks, "--base-url", served.url, "--concurrency", "4")
    assert f"{served.name} is asked on a server: OpenAI-compatible server at {served.url}/v1" in told
    gen(*asks, out="here.jsonl")
    assert Path("out.jsonl").read_bytes() == Path("here.jsonl").read_bytes()
    assert len(Path("out.jsonl").read_text().splitlines()) == 3


def test_captions_are_those_of_the_local_model(served):
    scenes(Path("shapes"), each=2)
    asks = "search", "-n", "2", "--source", "shapes", "--form", "caption=1", "--captioner", served.name
    gen(*asks, "--base-url", served.url, "--captions", "there.jsonl")
    gen(*asks, "--captions", "here.jsonl", out="here.out.jsonl")
    assert Path("out.jsonl").read_bytes() == Path("here.out.jsonl").read_bytes()
    there, here = (sorted(Path(name).read_text().splitlines()) for name in ("there.jsonl", "here.jsonl"))
    assert there == here and len(here) == 6


def test_a_caption_that_was_cut_keeps_its_whole_sentences():
    scenes(Path("shapes"), each=1)
    asks = "search", "-n", "1", "--source", "shapes", "--captioner", MODEL
    with Small(lambda request: completion("A red star. There is al", cut=True)) as small:
        gen(*asks, "--base-url", small.url, status=1)  # captions that are all the same give no pair
    rows = [json.loads(line) for line in Path("s2h-images/captions.jsonl").read_text().splitlines()]
    assert [row["caption"] for row in rows] == ["A red star."] * 3


def test_captions_that_were_given_are_not_asked_for_again():
    scenes(Path("shapes"), each=4)
    asks = "search", "-n", "1", "--source", "shapes", "--form", "caption=1", "--captioner", MODEL
    given, broken = Counter(), True

    def answer(request):
        image = request.body["messages"][0]["content"][0]["image_url"]["url"]
        if broken and len(given) >= 5:
            return 500, {}, {}
        given[image] += 1
        return f"A scene with {len(given)} stars on a lawn and a red balloon."

    with Small(answer) as small:
        one = "--base-url", small.url, "--concurrency", "1"
        assert "the server failed: 1 tries, status 500" in gen(*asks, *one, status=1)
        told = CliRunner().invoke(main, [*asks, *one, *SKIPS, "-o", "out.jsonl"]).output
        assert "skipped 7 records: 7 the server failed" in told and "/shapes/" in told
        broken = False
        told = gen(*asks, "--base-url", small.url)
    assert "7 captions written, 5 were in" in told
    assert len(given) == 12 and set(given.values()) == {1}


REPLIES = {
    "colour": "Purple.",
    "shape": "A heart.",
    "digit is": "7",
    "many": "Four.",
    "Where": "On the left.",
    "Who": "A woman.",
}


def reply(request) -> str:
    """A value of the kind that the question asks for, which is mostly a wrong one."""
    return next((text for word, text in REPLIES.items() if word in request.asked), "No.")


def test_replies_that_were_given_are_not_asked_for_again(monkeypatch):
    """The server ends in the second block of 32 pairs; another one, elsewhere, answers only what is left."""
    monkeypatch.setattr(server, "RETRIES", 1)  # an idle connection may be lost
    asks = "vqa", "-n", "34", "--size", "32", "--model", MODEL
    given: list[str] = []
    ended = "the server has ended"

    def answer(request):
        if ended in given:
            return 500, {}, {}
        given.append(json.dumps(request.body["messages"]))
        if len(given) == most:
            given.append(ended)
        return reply(request)

    with Small(reply) as whole:
        gen(*asks, "--base-url", whole.url, out="whole.jsonl")
        most = len(whole.questions) - 4
    with Small(answer) as small:
        told = gen(*asks, "--base-url", small.url, "--concurrency", "3", status=1)
        assert "the server failed: 2 tries, status 500" in told
    with Small(reply) as other:
        gen(*asks, "--base-url", other.url, "--resume")
        asked = [json.dumps(request.body["messages"]) for request in other.questions]
    assert len(asked) == 4 and not set(given) & set(asked)
    assert Path("out.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_a_prompt_that_fails_is_counted_and_drawn_again():
    def answer(request):
        return {0: (400, {}, {}), 1: (500, {}, {})}.get(request.number % 4) or reply(request)

    with Small(answer) as small:
        told = gen(
            "vqa", "-n", "8", "--size", "32", "--model", MODEL, "--base-url", small.url, *SKIPS, status=3
        )
    assert "pairs of level 1" in told and "a prompt that the model can't take" in told
    assert "the server failed" in told.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vqa", "--base-url", "http://h"], "--base-url goes with --model (vqa) or --captioner (search)."),
        (
            ["vqa", "--model", "m", "--base-url", "http://h", "--select", "attention"],
            "no server gives its attention",
        ),
        (["vqa", "--model", "m", "--concurrency", "4"], "--concurrency goes with --base-url"),
        (["vqa", "--model", "m", "--base-url", "h:1"], "'h:1' is no address of a server"),
        (["kinship", "--model", "m", "--base-url", "http://h"], "--model is for vqa, not for kinship."),
    ],
)
def test_wrong_usage_is_one_line(arguments, message):
    assert message in " ".join(gen(*arguments, status=2).split())
