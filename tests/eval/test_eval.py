"""Read answers, score them, compare two models, and ask a real one."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from s2h import tasks
from s2h.cli.eval import main
from s2h.eval import ask, reading
from s2h.eval.benches import builtin
from s2h.eval.chance import chance
from s2h.eval.questions import pairs
from s2h.eval.statistics import wilson
from s2h.images.store import Store
from s2h.parsers import robust
from s2h.parsers.images import image
from s2h.parsers.numbers import number
from tests.support.undrawn import undrawn


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("The sum is 12.", 12),
        ("Image 1 shows 3, Image 3 shows 4. The sum is 7.", 7),
        ("seven", 7),
        ("It is -2", -2),
        ("There are none", None),
        ("", None),
        ("3.5", 3.5),
        ("v2 of it", None),
    ],
)
def test_numbers(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes, the person in Image 1 is.", "yes"),
        ("No.", "no"),
        ("no, yes would be wrong", "no"),
        ("No, yes there is one.", None),
        ("There are no cats, but there is a dog.", None),
        ("There is no dog, but I am not sure about cats.", None),
        ("There is no cat here.", "no"),
        ("There is no dog, although it is dark.", "no"),
        ("There is no dog in the image, but the man is walking.", "no"),
        ("No cats are visible but I can see a dog", None),
        ("Yes, no image is empty.", "yes"),
        ("I think yes", "yes"),
        ("yesterday", None),
        ("Either yes or no", None),
        ("Image 1 shows a man. No, they are not related.", "no"),
        ("", None),
    ],
)
def test_yes_and_no(text, value):
    assert robust.yes_no(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Image 2 shows the parent.", 2),
        ("Image 1 shows 3, Image 4 shows 9. Image 4 shows the larger digit.", 4),
        ("the third picture", 3),
        ("image three", 3),
        ("2", 2),
        ("Second", 2),
        ("There are 2 of them", None),
        ("imagery 5", None),
    ],
)
def test_images(text, value):
    assert image(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(B)", "B"),
        ("b", "B"),
        ("B. a dog", "B"),
        ("The answer is C", "C"),
        ("First I thought (A), but the answer is (C).", "C"),
        ("a dog", "B"),
        ("a dog or a cat", None),
        ("(E)", None),
        ("A cat sits there", "A"),
        ("Because", None),
    ],
)
def test_choices(text, value):
    assert robust.choice(text, {"A": "a cat", "B": "a dog", "C": "None"}) == value


def test_captions_are_judged_by_their_truth():
    labels = {
        "kind": "scene",
        "background": "sand",
        "groups": [{"shape": "star", "colour": "red", "size": "small", "count": 2, "place": "middle"}],
    }
    line = {"answer": "Two small red stars.", "answer_type": "caption", "target_labels": labels}
    for text, right in (
        ("Two red stars.", True),
        ("A picture of two small red stars on a sand background.", True),
        ("Two large red stars.", False),
        ("Three red stars.", False),
        ("Two red stars and a fish.", False),
        ("Some shapes.", False),
        ("", False),
        # Of the working only the conclusion counts.
        ("Image 1 shows a red fish. Image 2 shows two small red stars.\nTwo small red stars.", True),
        ("Image 1 shows a red fish. Image 2 shows two small red stars. Two small red stars.", True),
        ("Image 1 shows no star. Image 2 shows a star.\nTwo small red stars.", True),
        ("Image 1: a red fish\nImage 2: two small red stars\nTwo small red stars.", True),
        ("Image 1 shows two red stars. Image 2 shows a red fish.\nA red fish.", False),
        ("Image 1 shows a red fish. Image 2 shows two small red stars.", False),
        ("Image 2 shows two small red stars.", True),
    ):
        assert reading.read({**line, "response": text})[1] is right, text


def test_a_hidden_answer_is_not_scored():
    assert reading.read({"answer": None, "response": "yes", "answer_type": "yes/no"}) == ("yes", None)


def lines(right: list[bool], **more) -> list[dict]:
    return [
        {"id": str(i), "bench": "b", "answer": "yes", "response": "yes" if r else "no", "correct": r, **more}
        for i, r in enumerate(right)
    ]


def test_wilson_interval():
    low, high = wilson(8, 10)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-3), pytest.approx(0.9433, abs=1e-3))
    assert wilson(0, 10)[0] == 0.0


def test_chance_is_the_best_blind_guess():
    yes_no = [
        {"category": "k", "answer_type": "yes/no", "answer": a, "images": [1, 2], "correct": True}
        for a in ["yes"] * 30 + ["no"] * 10
    ]
    assert chance(yes_no) == pytest.approx(0.75)
    assert chance([{"answer_type": "caption", "answer": "x"}]) is None


def test_every_chosen_answer_reads_as_right_and_every_rejected_as_wrong(tmp_path):
    """The reader against what the generator says: 100 pairs of each kind."""
    for category, task, level, per_prompt in builtin.PARTS:
        with undrawn():
            made = list(
                tasks.generate(task, n=100, split="heldout", per_prompt=per_prompt, images=Store(tmp_path))
            )
        for pair in made:
            line, _ = pairs.question(pair, bench="builtin", category=category, level=level)
            for which, right in (("chosen", True), ("rejected", False)):
                text = pair[which][0]["content"][0]["text"]
                assert reading.read({**line, "response": text})[1] is right, (
                    task,
                    which,
                    text,
                    line["answer"],
                )


def test_a_real_model_answers_the_same_at_every_batch_size(llava, tmp_path):
    from s2h.models import vlm

    model = vlm.load(str(llava))
    made = []
    for size in (1, 8):
        questions = builtin.questions(3, 1, Store(tmp_path))
        made.append(list(ask.predict(questions, model, batch_size=size, max_new_tokens=8)))
    assert [p["response"] for p in made[0]] == [p["response"] for p in made[1]]
    for p in made[0]:
        assert {"id", "bench", "category", "images", "question", "answer"} <= p.keys()
        assert {"response", "parsed", "correct", "model", "scoring"} <= p.keys()


def test_likelihood_scoring_compares_both_answers(qwen25vl, tmp_path):
    from s2h.models import vlm

    model = vlm.load(str(qwen25vl))
    questions = builtin.questions(2, 1, Store(tmp_path))
    for p in ask.predict(questions, model, scoring="likelihood", batch_size=4):
        assert p["correct"] == (p["logp"]["chosen"] > p["logp"]["rejected"]) and p["scoring"] == "likelihood"


def test_the_command_scores_and_compares(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, right in (("a", [True, False, False, True]), ("b", [True, True, True, True])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines(right)))
    run = CliRunner().invoke(
        main, ["--compare", "a.jsonl", "b.jsonl", "--report", "r.json", "--plot", "p.png"]
    )
    assert run.exit_code == 0, run.output
    assert json.loads((tmp_path / "r.json").read_text())["rows"][0]["gained"] == 2
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    again = CliRunner().invoke(main, ["--score", "a.jsonl", "-o", "again.jsonl"])
    assert again.exit_code == 0
    again = (tmp_path / "again.jsonl").read_text().splitlines()
    assert [json.loads(line)["correct"] for line in again] == [True, False, False, True]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "--model"),
        (["--compare", "a.jsonl"], 2, "two files"),
        (["--model", "no/such/model/anywhere"], 1, "can't be loaded"),
        (["--score", "missing.jsonl"], 1, "missing.jsonl"),
        (["--model", "mini", "--bench", "blimp"], 2, "blimp"),
    ],
)
def test_bad_input_is_one_line(arguments, status, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == status and message in run.output and "Traceback" not in run.output
