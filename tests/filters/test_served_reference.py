"""s2h-filter --ref with a model on a server: the numbers of the local model, named after their engine; nothing that was
answered is asked again; s2h-train does not take them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from s2h.cli.filter import main
from s2h.filters import log_probabilities
from s2h.models import server, vlm
from s2h.record import RecordError
from s2h.streams import jsonl
from s2h.train.dataset import store
from tests.support.architectures import make_pairs
from tests.support.servers import MODEL, LikeVLLM, Small, completion

SIDES = ("chosen", "rejected")


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = make_pairs("images", 6)
    with jsonl.Writer("pairs.jsonl") as writer:
        for pair in made:
            writer.write(pair)
    return made


def shown(pair: dict) -> str:
    """The prompt of a pair as `Request.asked`."""
    return "".join(part.get("text", "<image>") for part in pair["prompt"][0]["content"])


def judged(*options: str, status: int = 0, out: str = "out.jsonl") -> str:
    done = CliRunner().invoke(main, ["pairs.jsonl", "--ref", MODEL, "-o", out, *options])
    assert done.exit_code == status and "Traceback" not in done.output, done.output
    return done.output


def lines(path: str = "out.jsonl") -> list[dict]:
    with open(path) as file:
        return list(map(json.loads, file))


def test_scores_are_those_of_the_local_model_and_no_reference_for_training(pairs, qwen25vl, tmp_path):
    model = vlm.load(str(qwen25vl))
    with Small(LikeVLLM(model)) as small:
        judged("--base-url", small.url, "--blind-margin", "1e6", "--margin", ":1e6")
        assert len(small.questions) == 2 * 3 * len(pairs)  # a prompt and two answers, with images and without
        first = lines()
        (tmp_path / "pairs.jsonl").write_bytes((tmp_path / "out.jsonl").read_bytes())
        judged("--base-url", small.url, "--margin", ":1e6", out="again.jsonl")
        assert lines("again.jsonl") == first and len(small.questions) == 2 * 3 * len(pairs)
    (values,) = log_probabilities.Reference(model).values(
        [[log_probabilities._row(pair) for pair in pairs]], False
    )
    for line, value in zip(first, values, strict=True):
        ref, blind = line["scores"]["ref"], line["scores"]["blind"]
        assert [ref[side] for side in SIDES] == pytest.approx(value[:2].tolist(), abs=2e-3)
        assert [ref[f"{side}_tokens"] for side in SIDES] == value[2:].tolist()
        assert (ref["engine"], ref["model"]) == ("vLLM", MODEL) == (blind["engine"], blind["model"])
        assert ref["chosen"] != blind["chosen"]
    told: list[RecordError] = []
    assert store(jsonl.read("out.jsonl"), tmp_path / "data.jsonl", on_error=told.append).count == 0
    assert len(told) == len(pairs)
    assert "scores.ref: is no reference for training: vLLM has measured it on a server (jq -c 'del" in str(
        told[0]
    )


def test_a_server_without_log_probabilities_is_one_line(pairs):
    with Small(lambda request: completion("x")) as small:
        told = judged("--base-url", small.url, status=1)
        assert f"vLLM at {small.url}/v1 can't give the log-probabilities of whole answers (vLLM can" in told
        strict = 400, {}, {"error": {"message": "unknown argument: prompt_logprobs"}}
        small.answer = lambda request: strict if "prompt_logprobs" in request.body else completion("x")
        assert "can't give the log-probabilities of whole answers" in judged(
            "--base-url", small.url, status=1
        )


def test_a_run_that_failed_asks_for_nothing_again(pairs, monkeypatch):
    monkeypatch.setattr(server, "RETRIES", 0)

    def answer(request):
        asked = request.asked
        if asked == bad:
            return 500, {}, {}
        found = [None] + [
            {"1": {"logprob": -0.5, "decoded_token": part}} for part in (" x", answer_of(request))
        ]
        return completion("x", tokens=2, prompt_logprobs=found)

    def answer_of(request) -> str:
        last = request.body["messages"][-1]
        return last["content"][0]["text"] if last["role"] == "assistant" else ""

    def prompts(small: Small) -> list[str]:
        return [
            request.asked for request in small.questions if request.body["messages"][-1]["role"] == "user"
        ]

    bad = "\0"
    with Small(answer) as small:
        judged("--base-url", small.url, out="whole.jsonl")
        assert len(set(prompts(small))) == len(pairs)
        bad = next(one for one in prompts(small) if one == shown(pairs[1]))
        small.requests.clear()
        told = judged("--base-url", small.url, "--concurrency", "1", status=1)
        assert "pairs.jsonl:2: the server failed: 1 tries, status 500" in told
        bad = "\0"
        small.requests.clear()
        with Small(answer) as other:
            judged("--base-url", other.url, "--resume")
            assert prompts(other) == [shown(pairs[1])]
    assert lines() == lines("whole.jsonl")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--base-url", "http://h", "--clip", "0.2"], "and --base-url are for --ref"),
        (["--base-url", "http://h", "--margin", "1:"], "--base-url is for --ref MODEL"),
        (["--ref", "mini", "--concurrency", "4"], "--concurrency goes with --base-url"),
        (["--base-url", "h:1", "--ref", "m"], "--base-url: 'h:1' is no address of a server"),
        (["--base-url", "http://me:key@h", "--ref", "m"], "must not contain a user, a key"),
    ],
)
def test_wrong_usage_is_one_line(options, message, pairs):
    done = CliRunner().invoke(main, ["pairs.jsonl", *options])
    assert done.exit_code == 2 and message in " ".join(done.output.split())
