"""Pairs of level 1 become questions about their target image alone."""

from __future__ import annotations

import pytest

from s2h import record, tasks
from s2h.eval.questions.single_image import alone, questions
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.record import text_of
from tests.support.records import pair, pixel


def vqa(ask: str, facts: dict, **more) -> record.Record:
    parts = ["Image 1: ", record.IMAGE, "\nImage 2: ", record.IMAGE, f"\n{ask}"]
    fields = {"level": 1, "task": "vqa", "target": [1], "prompt": record.interleave(parts), "facts": facts}
    return pair(**{**fields, **more})


def test_made_pairs_are_asked_as_pairs_of_one_image_are(tmp_path):
    made = list(tasks.generate("vqa", n=40, size=48, images=Store(tmp_path)))
    found = list(questions(made))
    assert len(found) == len({(line["images"][0], line["question"]) for line, _ in found}) > 30
    by_id = {f"vqa/{one['id']}": one for one in made}
    for line, messages in found:
        source = by_id[line["id"]]
        assert line["images"] == [source["images"][source["target"][0]]]
        assert messages == record.interleave([record.IMAGE, f"\n{source['facts']['question']}"])
        assert line["answer"] == source["facts"]["answer"] and line["level"] == "single"
        assert len(open_images(line["_pair"])) == 1
    assert [one for one, _ in questions([*made, *made])] == [one for one, _ in found]


@pytest.mark.parametrize(
    "asked", ["In Image 2, what colour is it?", "What colour is it? Look at Image 2 only."]
)
def test_options_and_the_closing_sentence_are_kept(tmp_path, asked):
    images = [pixel(tmp_path / f"{colour}.png", colour) for colour in ("red", "blue")]
    facts = {
        "question": "What colour is it?", "answer": "B", "answer_type": "choice", "choices": {"A": "red", "B": "blue"},
    }  # fmt: skip
    ask = f"{asked}\nA. red\nB. blue\nAnswer with the letter."
    [(line, messages)] = questions([vqa(ask, facts, images=images)])
    assert text_of(messages) == "\nWhat colour is it?\nA. red\nB. blue\nAnswer with the letter."
    assert line["images"] == images[1:] and line["answer"] == "B" and line["choices"] == facts["choices"]
    word = {"question": "What colour is it?", "answer": "blue", "answer_type": "word"}
    [(_, messages)] = questions([vqa(f"{asked}\nUse one word.", word, images=images)])
    assert text_of(messages) == "\nWhat colour is it?\nUse one word."


def test_other_pairs_give_no_question(tmp_path):
    word = {"question": "What colour is it?", "answer": "blue", "answer_type": "word"}
    ask = "In Image 2, what colour is it?"
    assert alone(vqa(ask, word)) is not None
    for other in (
        {"level": 2}, {"task": "compare"}, {"target": [0, 1]}, {"facts": {**word, "answer_type": "caption"}},
        {"facts": {**word, "answer_type": "image", "answer": "none"}}, {"facts": {**word, "layout": {"kind": "grid"}}},
        {"facts": {"answer": "blue", "answer_type": "word"}}, {"facts": {**word, "question": "Where is it?"}},
        {"facts": {**word, "choices": ["red", "blue"]}}, {"facts": {"question": "What?", "answer_type": "word"}},
    ):  # fmt: skip
        assert alone(vqa(ask, **{"facts": word, **other})) is None, other
    assert not list(questions([vqa(ask, {**word, "answer_type": "number"})])), "blue is no number"
    for layout in ("grid", "pip"):
        made = tasks.generate("vqa", n=4, layout=layout, size=48, images=Store(tmp_path))
        assert not list(questions(made))
    assert not list(questions(tasks.generate("compare", n=4, size=48, images=Store(tmp_path))))
