"""s2h-eval with a model on a server: the answers of the local model, likelihoods, and a server that fails or stops."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from click.testing import CliRunner
from PIL import Image

from s2h import registry
from s2h.cli.eval import main
from s2h.eval import ask
from s2h.eval.questions.pairs import question_of
from s2h.eval.served import Served
from s2h.images.store import Store
from s2h.models import ModelError, server, vlm
from s2h.record import Record, RecordError
from tests.support.architectures import make_pairs
from tests.support.servers import CUT, LOST, MODEL, LikeVLLM, Small

COUNT = 300


@pytest.fixture(scope="module")
def mini():
    return vlm.load("mini")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs"), 6)


def lines_of(questions, found: server.Server, scoring: str = "generate", **how) -> list[dict]:
    return list(ask.collect(questions, Served(found, scoring, 24), **how))


def test_a_real_server_gives_the_answers_of_the_local_model(served, mini, tmp_path):
    drawn = list(registry.load("bench", "builtin").draw(4, 0, Store(str(tmp_path / "images"))))
    here = list(ask.predict(drawn, mini, max_new_tokens=24))
    there = lines_of(drawn, server.connect(served.name, server.Address(served.url, 4)))
    assert [line | {"model": "mini"} for line in there] == here
    assert len({line["response"] for line in here}) > len(here) // 2 >= 8


def test_what_a_real_server_can_not_give_is_one_line(served, pairs):
    found = server.connect(served.name, server.Address(served.url))
    with pytest.raises(ModelError, match=r"can't give the log-probabilities of whole answers \(vLLM can"):
        lines_of(map(question_of, pairs), found, "likelihood")
    with pytest.raises(
        ModelError, match=r"can't give the log-probabilities of tokens \(use --scoring generate\)"
    ):
        lines_of([letters(pairs[0], 0)], found, "likelihood")


def letters(pair: dict, n: int) -> tuple[dict, list[dict]]:
    """A question with options about a pair's images."""
    line = {"id": f"q/{n}", "bench": "q", "category": "", "images": pair["images"], "question": "?"}
    line |= {"choices": {"A": "red", "B": "blue", "C": "green"}, "answer": "B"}
    return line | {"_pair": Record({"images": pair["images"]}, where=f"q:{n}")}, pair["prompt"]


def test_letters_are_compared_as_by_the_local_model(qwen25vl, pairs, monkeypatch):
    model = vlm.load(str(qwen25vl))
    rows = [letters(pair, n) for n, pair in enumerate(pairs)]
    here = list(ask.predict(rows, model, scoring="likelihood"))
    with Small(LikeVLLM(model)) as small:
        found = server.connect(MODEL, server.Address(small.url))
        told: list[RecordError] = []
        monkeypatch.setattr(server, "LIKELIEST", 1)
        made = lines_of(rows, found, "likelihood", on_error=told.append)
        assert told and len(made) + len(told) == len(rows)
        assert all("not among the 1 likeliest first tokens: A, B, C" in str(error) for error in told)
        monkeypatch.setattr(server, "LIKELIEST", len(model.processor.tokenizer))
        there = lines_of(rows, found, "likelihood")
    assert all(request.body["max_tokens"] == 1 for request in small.questions)
    for one, other in zip(there, here, strict=True):
        assert one["logp"] == pytest.approx(other["logp"], abs=2e-4)
        assert one | {"model": "", "logp": 0} == other | {"model": "", "logp": 0}


@pytest.mark.parametrize("name", ["qwen2.5-vl", "qwen3-vl"])
def test_pairs_are_compared_as_by_the_local_model(name, architectures, pairs):
    model = vlm.load(str(architectures[name]))
    here = list(ask.predict(map(question_of, pairs), model, scoring="likelihood"))
    with Small(LikeVLLM(model)) as small:
        there = lines_of(
            map(question_of, pairs), server.connect(MODEL, server.Address(small.url)), "likelihood"
        )
    for one, other in zip(there, here, strict=True):
        assert one["logp"] == pytest.approx(other["logp"], abs=2e-3)
        assert one | {"model": "", "logp": 0} == other | {"model": "", "logp": 0}


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A file of 300 questions about one image, and a function that asks them at an address."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8), "red").save("a.png")
    lines = [
        {"id": f"{n}", "images": ["a.png"], "question": f"Q{n}?", "answer": f"A{n}"} for n in range(COUNT)
    ]
    (tmp_path / "ask.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def run(url: str, *more: str, status: int = 0, out: str = "out.jsonl") -> str:
        arguments = ["ask.jsonl", "--model", MODEL, "--base-url", url, "-o", out]
        done = CliRunner().invoke(main, [*arguments, *more])
        assert done.exit_code == status and "Traceback" not in done.output, done.output
        return done.output

    return run


def name_of(request) -> str:
    """The number of a question, from the prompt."""
    return request.asked.partition("Q")[2].partition("?")[0]


def test_a_server_that_fails_at_random_answers_every_question_once_in_order(asked, tmp_path):
    rng, given = random.Random(0), Counter()
    soon = {"retry-after-ms": "1"}
    faults = [LOST, CUT, (500, soon, {}), (503, soon, {}), (429, soon, {"error": {"message": "busy"}})]

    def answer(request):
        if rng.random() < 0.2:
            return rng.choice(faults)
        given[name_of(request)] += 1
        return f"A{name_of(request)}"

    with Small(answer) as small:
        told = asked(small.url, "--report", "report.json")
        assert f"{MODEL} is asked on a server: vLLM at {small.url}/v1" in told
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["response"] for line in lines] == [f"A{n}" for n in range(COUNT)]
    assert set(given) == {str(n) for n in range(COUNT)} and set(given.values()) == {1}
    assert len(small.questions) > COUNT * 1.1 and small.most_open <= 32
    assert all(line["correct"] and line["model"] == MODEL for line in lines)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["engine"] == f"vLLM at {small.url}/v1" and report["model"] == MODEL


def test_a_run_goes_on_at_another_address_when_its_server_has_ended(asked, tmp_path):
    given: list[str] = []
    few = "--limit", "90"

    def answer(request):
        if len(given) >= 40:
            return 401, {}, {}
        given.append(name_of(request))
        return f"A{name_of(request)}"

    with Small(answer) as small:
        told = asked(small.url, *few, "--concurrency", "8", status=1)
        assert "refuses the key" in told
        first = list(given)
        given.clear()
        with Small(lambda request: f"A{name_of(request)}") as other:
            assert "was started with different arguments: model" in asked(
                other.url, *few, "--resume", "--model", "x", status=1
            )
            told = asked(other.url, *few, "--resume", "--concurrency", "3")
            again = [name_of(request) for request in other.questions]
            asked(other.url, *few, out="whole.jsonl")
    assert "replies to the next ones are kept" in told
    assert not set(first) & set(again) and len(first) + len(again) == 90
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_question_that_the_server_refuses_is_skipped_and_counted(asked, tmp_path):
    def answer(request):
        if name_of(request) in ("7", "70"):
            return 400, {}, {"error": {"message": "too long"}}
        return "A"

    with Small(answer) as small:
        told = asked(small.url, "--on-error", "skip", "--limit", "90", status=3)
        assert "ask.jsonl:8: the server refuses the request: status 400, too long" in told
        assert "skipped 2 records: 2 the server refuses the request" in told
        assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 88
        told = asked(small.url, "--limit", "10", status=1, out="fail.jsonl")
    assert told.count("ask.jsonl:8: the server refuses the request") == 1
    assert len((tmp_path / "fail.jsonl.partial").read_text().splitlines()) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "m", "--base-url", "localhost:1"], "'localhost:1' is no address of a server"),
        (
            ["--model", "m", "--base-url", "http://h", "--processes", "2"],
            "--processes is for a model in this process",
        ),
        (["--base-url", "http://h"], "Missing option '--model'"),
        (["--score", "x", "--base-url", "http://h"], "--base-url goes with --model"),
        (["--model", "m", "--concurrency", "4"], "--concurrency goes with --base-url"),
        (["--model", "m", "--base-url", "http://h", "--concurrency", "0"], "0 is not in the range"),
    ],
)
def test_wrong_usage_is_one_line(arguments, message):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2 and message in " ".join(done.output.split())
