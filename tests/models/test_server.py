"""A model on a server: its address, its key, the prompts that it gets, and the failures of servers."""

from __future__ import annotations

import math
import threading

import pytest
from PIL import Image

from s2h import record
from s2h.models import ModelError, completions, server
from s2h.models.replies import Refused, Reply, Sampling
from s2h.record import RecordError
from tests.support.servers import CUT, GARBLED, LOST, MODEL, Small, completion, opened

KEY = "sk-very-secret"
SOON = {"retry-after-ms": "1"}
RED, BLUE = Image.new("RGB", (9, 5), "red"), Image.new("RGB", (4, 6), "blue")
PROMPT = record.interleave(["First: ", record.IMAGE, "Then: ", record.IMAGE, "Same?"])


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch):
    monkeypatch.setattr(server, "RETRIES", 1)
    monkeypatch.delenv(server.KEY, raising=False)


def rows(count: int) -> dict[int, tuple[list, list]]:
    return {at: (record.interleave([f"question {at}"]), []) for at in range(count)}


def asked(small: Small, count: int = 1, how: Sampling | None = None, **address) -> dict:
    found = server.connect(MODEL, server.Address(small.url, **address))
    return dict(found.replies(rows(count), how or Sampling()))


def fails(status: int, message: str = "why", **headers: str):
    return status, {**SOON, **headers}, {"error": {"message": message}}


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (fails(429), RecordError, "takes no more requests: 2 tries, status 429, why (a smaller --concurrency)"),
        (fails(500, f"no {KEY}"), RecordError, "the server failed: 2 tries, status 500, no … (its log says why)"),
        (fails(503), RecordError, "the server failed: 2 tries, status 503"),
        (fails(400, "65 images"), Refused, "refuses the request: status 400, 65 images (fewer or smaller images"),
        (fails(422), Refused, "refuses the request: status 422, why"),
        (LOST, RecordError, "the connection to the server was lost: 2 tries"),
        (CUT, RecordError, "the connection to the server was lost: 2 tries"),
        (GARBLED, RecordError, "the server's reply can't be read: JSON is malformed"),
        ({"model": MODEL, "choices": []}, RecordError, "the server's reply is no completion"),
        ({"object": "error"}, RecordError, "the server's reply can't be read: Object missing required field `choices`"),
    ],
)  # fmt: skip
def test_a_prompt_without_an_answer_is_an_error_of_its_record(answer, kind, message, monkeypatch):
    monkeypatch.setenv(server.KEY, KEY)
    with Small(lambda request: "fine" if request.asked == "question 1" else answer) as small:
        found = asked(small, 2)
    assert type(found[0]) is kind and message in str(found[0]) and KEY not in str(found[0])
    assert found[1] == [Reply("fine")]
    assert {request.key for request in small.requests} == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (fails(401, KEY), "refuses the key: status 401 (OPENAI_API_KEY must hold the right one)"),
        (fails(403, KEY), "refuses the key: status 403"),
        (fails(404), "has no such page or model: status 404, why"),
    ],
)
def test_an_error_of_all_prompts_ends_the_run(answer, message, monkeypatch):
    monkeypatch.setenv(server.KEY, KEY)
    with Small(lambda request: answer) as small, pytest.raises(ModelError) as error:
        asked(small, 2)
    assert message in str(error.value) and KEY not in str(error.value) and small.url in str(error.value)


def test_a_request_that_fails_for_a_while_is_repeated():
    def answer(request):
        return (fails(429, **{"Retry-After": "0.4"}), "fine")[request.number > 2]

    with Small(answer) as small:
        SOON.clear()
        try:
            assert asked(small) == {0: [Reply("fine")]}
        finally:
            SOON.update({"retry-after-ms": "1"})
    first, again = small.questions
    assert again.at - first.at >= 0.4 and again.body == first.body


def test_answers_before_an_error_of_all_prompts_are_yielded():
    ends = threading.Event()

    def answer(request):
        if request.asked == "question 0":
            return "fine"
        assert ends.wait(60)
        return fails(401)

    with Small(answer) as small:
        found = server.connect(MODEL, server.Address(small.url)).replies(rows(3), Sampling())
        assert next(found) == (0, [Reply("fine")])
        ends.set()
        with pytest.raises(ModelError):
            next(found)


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("", "/v1"),
        ("/", "/v1"),
        ("/v1", "/v1"),
        ("/v1/", "/v1"),
        ("/proxy", "/proxy/v1"),
        ("/openai", "/openai"),
    ],
)
def test_the_address_may_lack_v1(path, prefix):
    with Small(lambda request: "fine", prefix=prefix) as small:
        found = server.connect(MODEL, server.Address(small.url + path))
        assert dict(found.replies(rows(1), Sampling())) == {0: [Reply("fine")]}
    assert found.place == f"vLLM at {small.url}{prefix}"
    assert small.requests[-1].key == "Bearer none"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "is no address of a server (for example http://localhost:8000)"),
        ("http://", "is no address of a server"),
        (f"http://me:{KEY}@host", "must not contain a user, a key or a query (OPENAI_API_KEY holds the key)"),
        (f"http://host/v1?key={KEY}", "must not contain a user, a key or a query"),
        ("http://host:port", "is no address of a server"),
        ("http://host:99999", "is no address of a server"),
        ("http://[::1", "is no address of a server"),
    ],
)
def test_an_address_that_can_not_be_used(url, message):
    with pytest.raises(ValueError) as error:
        server.checked(url)
    assert message in str(error.value) and KEY not in str(error.value)


def test_a_server_that_is_not_there_or_has_another_model():
    with Small(lambda request: "fine") as small:
        with pytest.raises(ModelError, match=r"has no model 'other' \(it has: org/model\)"):
            server.connect("other", server.Address(small.url))
        small.models = [{"name": "no id"}]
        with pytest.raises(ModelError, match=r"no OpenAI-compatible server at .*can't be read"):
            server.connect(MODEL, server.Address(small.url))
        small.prefix = "/elsewhere"
        with pytest.raises(ModelError, match="it has no list of models"):
            server.connect(MODEL, server.Address(small.url))
    with pytest.raises(
        ModelError, match=r"no server answers at http://.*/v1: .*\(start it, or correct --base-url\)"
    ):
        server.connect(MODEL, server.Address(small.url))


def test_a_server_that_lists_no_models_is_asked_unchecked():
    missing = (404, {}, {"error": {"message": "no such model"}})
    with Small(lambda request: "fine" if request.body["model"] == MODEL else missing) as small:
        small.models, told = [], []
        found = server.connect(MODEL, server.Address(small.url), tell=told.append)
        assert dict(found.replies(rows(1), Sampling())) == {0: [Reply("fine")]}
        assert told == [
            f"warning: the server at {small.url}/v1 lists no models: s2h can't check that it has {MODEL}"
        ]
        with pytest.raises(ModelError, match="no such model"):
            dict(server.connect("other", server.Address(small.url)).replies(rows(1), Sampling()))


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (405, r"no OpenAI-compatible server at .*/v1: .*status 405 \(correct --base-url\)"),
        (302, r"no OpenAI-compatible server at .*/v1: .*status 302 \(correct --base-url\)"),
        (500, r"/v1/models: the server failed: 2 tries, status 500 \(its log says why\)"),
    ],
)
def test_a_list_of_models_that_is_refused(status, message):
    with (
        Small(lambda request: "fine", models=(status, SOON, {})) as small,
        pytest.raises(ModelError, match=message),
    ):
        server.connect(MODEL, server.Address(small.url))


@pytest.mark.parametrize("key", [f"{KEY}\n{KEY}", f"{KEY}ü"])
def test_a_key_that_no_header_can_hold_is_not_printed(key, monkeypatch):
    monkeypatch.setenv(server.KEY, key)
    with pytest.raises(ModelError, match="OPENAI_API_KEY holds a character that no key has") as error:
        server.connect(MODEL, server.Address("http://127.0.0.1:1"))
    assert KEY not in str(error.value)


def test_white_space_around_a_key_does_not_count(monkeypatch):
    monkeypatch.setenv(server.KEY, f" {KEY}\r\n")
    with Small(lambda request: "fine") as small:
        assert asked(small) == {0: [Reply("fine")]}
    assert {request.key for request in small.requests} == {f"Bearer {KEY}"}


def test_a_server_that_answers_as_another_model_is_one_warning():
    told = []
    for model, words in ((MODEL, 0), ("org/model-2026-11-26", 0), ("model@main", 0), ("other/one", 1)):
        with Small(lambda request, model=model: completion("x", model=model)) as small:
            found = server.connect(MODEL, server.Address(small.url), tell=told.append)
            assert len(list(found.replies(rows(3), Sampling()))) == 3
        assert len(told) == words
    assert "answers as other/one, not as org/model (check --model and the server)" in told[0]


def test_concurrency_is_the_number_of_requests_in_flight():
    together = threading.Barrier(4)

    def answer(request):
        together.wait(60)  # breaks if fewer than four requests come at a time
        return request.asked

    with Small(answer) as small:
        found = asked(small, 12, concurrency=4)
    assert found == {at: [Reply(f"question {at}")] for at in range(12)}
    assert small.most_open == 4


def test_parts_stay_in_their_order_and_images_keep_their_pixels():
    with Small(lambda request: "fine") as small:
        found = server.connect(MODEL, server.Address(small.url))
        prompt = [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, *PROMPT]
        list(found.replies({7: (prompt, [RED, BLUE])}, Sampling(max_new_tokens=5)))
    (request,) = small.questions
    system, user = request.body["messages"]
    assert system == prompt[0]
    kinds = [part.get("text") or opened(part["image_url"]["url"]) for part in user["content"]]
    assert [one for one in kinds if isinstance(one, str)] == ["First: ", "Then: ", "Same?"]
    for one, image in ((kinds[1], RED), (kinds[3], BLUE)):
        assert one.mode == "RGB" and one.size == image.size and one.tobytes() == image.tobytes()
    assert request.body["max_tokens"] == 5 and request.body["temperature"] == 0
    assert request.body["repetition_penalty"] == 1.0


@pytest.mark.parametrize(
    ("given", "sent"), [(None, None), ("off", {"enable_thinking": False}), ("on", {"enable_thinking": True})]
)
def test_a_server_thinks_as_it_is_asked_and_thoughts_are_no_replies(given, sent):
    with Small(lambda request: "<think>Both are red.</think> Yes.") as small:
        found = server.connect(MODEL, server.Address(small.url), thinking=given)
        assert list(found.replies(rows(1), Sampling())) == [(0, [Reply("Yes.")])]
    assert [request.body.get("chat_template_kwargs") for request in small.questions] == [sent]


def test_samples_differ_by_their_seeds_which_a_resumed_run_repeats():
    how = Sampling(samples=3, temperature=0.7, seed=5)

    def seeds(keys) -> list:
        with Small(lambda request: str(request.body["seed"]), models=[{"id": MODEL}]) as small:
            found = server.connect(MODEL, server.Address(small.url))
            replies = dict(found.replies({at: rows(4)[at] for at in keys}, how))
        assert all(request.body["temperature"] == 0.7 for request in small.questions)
        assert not any(
            "repetition_penalty" in request.body for request in small.questions
        )  # not every server has it
        return replies

    whole = seeds(range(4))
    assert len({reply.text for replies in whole.values() for reply in replies}) == 12
    assert seeds([2, 3]) == {at: whole[at] for at in (2, 3)}


def test_a_reply_that_was_cut_is_marked():
    with Small(lambda request: completion(" A dog. A c", cut=True)) as small:
        assert asked(small) == {0: [Reply("A dog. A c", cut=True)]}


@pytest.mark.parametrize("start", [2, 3])
def test_the_tokens_of_an_answer_are_found_after_its_prompt(start):
    prompt = [("", 0.0), ("ASSISTANT:", -9.0), (" Red", -1.0), (" car", -0.5), (".</s>", -0.25)]
    assert completions.answer_logp(prompt, start, "Red car.") == (-1.75, 3)
    assert completions.answer_logp([*prompt[:4], ("\ufffd", -1.0)], 2, "Red car — no") == (-2.5, 3)
    with pytest.raises(RecordError, match="writes the prompt differently once an answer follows"):
        completions.answer_logp(prompt, start, "Blue car.")


def test_probabilities_of_words_are_added_for_any_white_space_and_case():
    first = [("Yes", -1.0), (" yes", -2.0), ("▁No", -3.0), ("Yesterday", -0.1), ("maybe", -4.0)]
    found = completions.label_logps(first, {"yes": {"yes", "Yes", "YES"}, "no": {"no", "No"}, "A": {"A"}})
    assert found["yes"] == pytest.approx(math.log(math.exp(-1) + math.exp(-2)))
    assert found["no"] == pytest.approx(-3) and found["A"] is None
