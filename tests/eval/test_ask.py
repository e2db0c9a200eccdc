"""Ask a model: the order of its predictions, errors in the middle, likelihoods, and runs that were killed."""

from __future__ import annotations

import base64
import json
import tarfile
from itertools import chain

import pytest

from s2h.eval import ask, likelihood
from s2h.eval.questions.pairs import question_of
from s2h.images import decoding
from s2h.models import encode, prompts, vlm
from s2h.models.tokens import TokenCounter
from s2h.record import Record, RecordError
from s2h.streams import jsonl
from s2h.streams.journal import Journal
from tests.support.architectures import make_pairs

FIELDS = {
    "id",
    "bench",
    "category",
    "images",
    "question",
    "answer",
    "response",
    "parsed",
    "correct",
    "model",
    "scoring",
}


@pytest.fixture(scope="module")
def model(llava):
    return vlm.load(str(llava))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs"), 22)


def questions(pairs):
    return (question_of(Record(pair, where=f"pairs:{n}")) for n, pair in enumerate(pairs, 1))


def asked(kind: str, n: int, pairs, **more) -> tuple[dict, list[dict]]:
    """A question as a benchmark gives it: no pair, but a record of its images."""
    line = {"id": f"{kind}/{n}", "bench": kind, "category": "", "images": pairs[n]["images"], "question": "?"}
    line |= more | {"_pair": Record({"images": pairs[n]["images"]}, where=f"{kind}.tsv:{n}")}
    return line, pairs[n]["prompt"]


def test_lines_come_in_order_and_the_same_at_every_batch_size(model, pairs):
    made = {
        size: list(ask.predict(questions(pairs), model, batch_size=size, max_new_tokens=6))
        for size in (1, 3, 32)
    }
    assert [line["id"] for line in made[1]] == [f"{pair['task']}/{pair['id']}" for pair in pairs]
    assert made[1] == made[3] == made[32]
    assert made[1][0].keys() >= FIELDS
    assert all(line["response"] for line in made[1])


def test_each_distinct_image_is_prepared_once(model, pairs):
    seen, takes = prompts.Images(model), TokenCounter.of(model.model, model.processor, model.name)
    again = [Record(pair, images=pair["images"][:1] * len(pair["images"])) for pair in pairs]
    batch = [
        (at, *question, ask._images_of(question[0], takes)) for at, question in enumerate(questions(again))
    ]
    ready, errors = ask._prepare(model, seen, "generate", batch)
    assert len(ready) == len(pairs) and not errors
    assert seen.made == len({image for pair in again for image in pair["images"]})


def test_images_may_be_data_and_members_of_a_tar(model, pairs, tmp_path):
    first = pairs[0]
    shown = [decoding.read_bytes(reference) for reference in first["images"]]
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        for k, reference in enumerate(first["images"]):
            shard.add(reference, f"{k}.png")
    told = [
        first["images"],
        ["data:image/png;base64," + base64.b64encode(data).decode() for data in shown],
        [f"tar:shard.tar!{k}.png" for k in range(len(shown))],
    ]
    made = [Record(first, id=str(n), images=references) for n, references in enumerate(told)]
    made[2].base = str(tmp_path)
    lines = list(ask.predict(map(question_of, made), model, max_new_tokens=6))
    assert lines[0]["response"] == lines[1]["response"] == lines[2]["response"]
    assert lines[2].base == str(tmp_path)


def test_a_bad_question_in_the_middle_is_told_in_its_place(model, pairs, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    made = [Record(pair) for pair in pairs]
    made[4]["images"] = [*made[4]["images"][:-1], str(tmp_path / "broken.png")]
    made[9]["images"] = [str(tmp_path / "missing.png"), *made[9]["images"][1:]]
    content = [*made[12]["prompt"][0]["content"], {"type": "text", "text": "What does <image> mean?"}]
    made[12]["prompt"] = [{"role": "user", "content": content}]
    told: list[RecordError] = []
    lines = list(ask.predict(questions(made), model, batch_size=4, max_new_tokens=2, on_error=told.append))
    assert len(lines) == len(pairs) - 3
    assert [error.where for error in told] == ["pairs:5", "pairs:10", "pairs:13"]
    assert f"images[{len(made[4]['images']) - 1}]" in str(told[0]) and "no such file" in str(told[1])
    assert "image mark" in str(told[2])
    before = []
    with pytest.raises(RecordError, match="pairs:5"):
        before.extend(ask.predict(questions(made), model, batch_size=4, max_new_tokens=2))
    assert before == lines[:4]


def test_an_error_between_questions_waits_for_the_answers_before_it(model, pairs):
    def broken():
        yield from list(questions(pairs))[:3]
        raise RecordError("not JSON", where="pairs:4")

    lines = []
    with pytest.raises(RecordError, match="pairs:4"):
        lines.extend(ask.predict(broken(), model, max_new_tokens=2))
    assert len(lines) == 3


def test_a_prompt_beyond_the_window_is_told_before_anything_is_said(llava, pairs):
    model = vlm.load(str(llava))
    lengths = []
    for line, messages in questions(pairs):
        shown = prompts.prepare_images(model, decoding.open_images(line["_pair"]))
        lengths.append(len(prompts.prepare(model, messages, shown).ids))
    limit = sorted(lengths)[len(lengths) // 2]
    model.model.config.text_config.max_position_embeddings = limit
    told: list[RecordError] = []
    lines = list(ask.predict(questions(pairs), model, max_new_tokens=6, on_error=told.append))
    assert len(lines) == sum(length < limit for length in lengths)
    assert len(told) == sum(length >= limit for length in lengths) and "window" in str(told[0])
    assert [e.where for e in told] == [f"pairs:{n}" for n, length in enumerate(lengths, 1) if length >= limit]


def test_letters_are_scored_by_one_pass_over_the_prompt(model, pairs):
    import torch

    choices = {"A": "red", "B": "blue", "C": "green"}
    rows = [asked("blink", n, pairs, choices=choices, answer="AB C"[n % 4].strip() or None) for n in range(6)]
    lines = list(ask.predict(rows, model, scoring="likelihood", batch_size=6))
    assert lines == list(ask.predict(rows, model, scoring="likelihood", batch_size=6))
    for n, line in enumerate(lines):
        text = encode.prompt_text(model.processor, pairs[n]["prompt"])
        inputs = encode.encode_prompts(model.processor, [text], [decoding.open_images(pairs[n])])
        with torch.inference_mode():
            logits = torch.log_softmax(model.model(**inputs).logits[0, -1], -1)
        tokens = model.processor.tokenizer.convert_tokens_to_ids(list(choices))
        assert list(line["logp"].values()) == pytest.approx(logits[tokens].tolist(), abs=2e-4)
        best = max(line["logp"], key=line["logp"].__getitem__)
        assert line["response"] == line["parsed"] == best and line["scoring"] == "likelihood"
        assert line["correct"] == (None if rows[n][0]["answer"] is None else best == rows[n][0]["answer"])


def test_questions_with_one_option_are_scored_together(model, pairs):
    rows = [asked("blink", n, pairs, choices={"B": "blue"}, answer="B") for n in range(2)]
    assert [line["response"] for line in ask.predict(rows, model, scoring="likelihood")] == ["B", "B"]


def test_letters_that_are_several_tokens_are_refused(model, pairs):
    rows = [
        asked("blink", 0, pairs, choices={"A": "red", "é": "blue"}, answer="A"),
        asked("blink", 1, pairs, choices={"A": "red", "B": "blue"}, answer="A"),
    ]
    told: list[RecordError] = []
    lines = list(ask.predict(rows, model, scoring="likelihood", on_error=told.append))
    assert len(lines) == 1 and "one token" in str(told[0]) and "blink.tsv:0" in str(told[0])


def test_yes_and_no_are_compared_in_all_their_forms(pairs):
    model = vlm.load("mini")
    rows = [asked("pope", n, pairs, answer="yes", answer_type="yes/no") for n in range(3)]
    text = encode.prompt_text(model.processor, rows[0][1])
    options = likelihood.options(model, *rows[0], text)
    said = {
        word: model.processor.tokenizer.convert_ids_to_tokens(ids) for word, ids in options.tokens.items()
    }
    assert len(said["yes"]) == len(said["no"]) >= 1
    assert all("yes" in token.lower() for token in said["yes"]) and all("no" in t.lower() for t in said["no"])
    for line in ask.predict(rows, model, scoring="likelihood"):
        assert line["response"] == line["parsed"] in ("yes", "no") and line["logp"].keys() == {"yes", "no"}
        assert line["correct"] == (line["logp"]["yes"] > line["logp"]["no"])


def test_a_free_answer_can_not_be_scored_by_likelihood(model, pairs):
    with pytest.raises(RecordError, match="neither choices nor"):
        list(ask.predict([asked("mirb", 0, pairs, answer="a lawn")], model, scoring="likelihood"))


def test_pairs_are_compared_by_the_whole_answers(model, pairs):
    lines = list(ask.predict(questions(pairs[:5]), model, scoring="likelihood", batch_size=3))
    rows = [
        (pair["prompt"], pair[which], decoding.open_images(pair))
        for pair in pairs[:5]
        for which in likelihood.PAIR
    ]
    sums = list(vlm.score(model, rows, batch_size=1))
    for n, line in enumerate(lines):
        assert [line["logp"][which] for which in likelihood.PAIR] == pytest.approx(
            sums[2 * n : 2 * n + 2], abs=3e-4
        )
        assert line["correct"] == (sums[2 * n] > sums[2 * n + 1]) == (line["parsed"] == "chosen")


def test_limit_and_shards():
    whole = list(range(23))
    assert list(ask.part(iter(whole), 5)) == whole[:5]
    for of in (1, 2, 4, 30):
        parts = [list(ask.part(iter(whole), None, (number, of))) for number in range(1, of + 1)]
        assert list(chain.from_iterable(parts)) == whole and max(map(len, parts)) - min(map(len, parts)) <= 1
    assert list(ask.part(iter(whole), 10, (2, 2))) == whole[5:10]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("scoring", ["generate", "likelihood"])
@pytest.mark.parametrize("stop", [0, 1, 4, 9, 20])
def test_a_run_goes_on_where_it_was_stopped(model, pairs, tmp_path, stop, scoring):
    """Stopped after any line, with a bad question among them; the file is that of a run that was never stopped."""
    made = [Record(pair) for pair in pairs]
    made[2]["images"] = [str(tmp_path / "missing.png"), *made[2]["images"][1:]]
    out, asked_again = str(tmp_path / "out.jsonl"), []

    def run(resume: bool, stop: int | None = None, batch_size: int = 2) -> int:
        journal = Journal([out], {"model": "llava", "batch_size": batch_size}, resume=resume)
        told: list[RecordError] = []
        with journal.open() as writer:
            written = len(list(writer.kept()))
            assert written == writer.count
            lines = ask.predict(
                questions(made),
                model,
                scoring=scoring,
                batch_size=batch_size,
                max_new_tokens=4,
                on_error=told.append,
                journal=journal,
            )
            for line in lines:
                if written == stop:
                    raise Killed
                writer.write(line)
                written += 1
        asked_again.append(told)
        return written

    assert run(False) == len(pairs) - 1
    whole = (tmp_path / "out.jsonl").read_bytes()
    (tmp_path / "out.jsonl").unlink()
    with pytest.raises(Killed):
        run(False, stop)
    assert not (tmp_path / "out.jsonl").exists()
    with pytest.raises(RecordError, match="batch_size was 2 and is 3"):
        run(True, batch_size=3)
    assert run(True) == len(pairs) - 1
    assert (tmp_path / "out.jsonl").read_bytes() == whole
    assert [len(told) for told in asked_again] == [1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_run_does_not_go_on_with_other_questions(model, pairs, tmp_path):
    out = str(tmp_path / "out.jsonl")
    journal = Journal([out])
    with pytest.raises(Killed), journal.open() as writer:
        lines = ask.predict(questions(pairs), model, batch_size=1, max_new_tokens=2, journal=journal)
        for n, line in enumerate(lines):
            if n == 6:
                raise Killed
            writer.write(line)
    kept = [json.loads(line) for line in (tmp_path / "out.jsonl.partial").read_bytes().splitlines()]
    assert len(kept) == 6
    again = Journal([out], resume=True)
    again.read()
    assert again.position == 4  # one window of one-question batches is through
    with pytest.raises(RecordError, match="different questions"):
        list(ask.predict(questions(pairs[1:]), model, journal=again))


def test_predictions_name_their_images_from_where_they_lie(model, pairs, tmp_path):
    inside = tmp_path / "set"
    inside.mkdir()
    (inside / "a.png").write_bytes(decoding.read_bytes(pairs[0]["images"][0]))
    pair = Record(pairs[0], base=str(inside))
    pair["images"] = ["a.png"] * len(pair["images"])
    with jsonl.Writer(str(tmp_path / "out.jsonl")) as writer:
        for line in ask.predict(map(question_of, [pair]), model, max_new_tokens=2):
            writer.write(line)
    (line,) = jsonl.read(str(tmp_path / "out.jsonl"), check=None)
    assert set(line["images"]) == {"set/a.png"}
    assert decoding.read_bytes(line["images"][0], str(tmp_path)) == (inside / "a.png").read_bytes()
