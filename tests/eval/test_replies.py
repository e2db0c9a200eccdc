"""Replies of many kinds, with the reading of a careful person; null if a person would ask again. They come from untrained
models, base models that go on with another question, loops, Markdown, LaTeX, chains of thought and other scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2h.eval import reading

REPLIES = [
    json.loads(line)
    for line in (Path(__file__).parent / "golden" / "replies.jsonl").read_bytes().splitlines()
]


def named(reply: dict) -> str:
    return f"{reply.get('answer_type', 'choice')}: {reply['response'][:40]!r}"


@pytest.mark.parametrize("reply", REPLIES, ids=named)
def test_a_reply_is_read_as_it_is_meant_or_not_at_all(reply):
    line = {"bench": "m", "answer": None, **reply}
    assert reading.read(line)[0] == reply["parsed"]


@pytest.mark.parametrize("kind", ["number", "image", "order", "yes/no", "word", "caption", "choice"])
@pytest.mark.parametrize(
    "text", ["9" * 5000, "(" * 3000, "A " * 3000, "image 1 " * 2000, "=" * 3000, "\0", "\ud800", "**" * 2000]
)
def test_no_reply_breaks_a_reader_or_takes_it_long(kind, text):
    line = {
        "bench": "m",
        "answer": None,
        "answer_type": kind,
        "response": text,
        "choices": {"A": "x", "B": "y"},
    }
    reading.read(line)


@pytest.mark.parametrize(
    ("kind", "text", "parsed"),
    [
        ("number", "The answer is 6. Wait, let me recount: 7.", 7),
        ("number", "The answer is 6. Hold on, I missed one. The answer is 7.", 7),
        ("number", "The total is 6. Correction: 7", 7),
        ("number", "6. I made a mistake, it is 7.", 7),
        ("number", "6, sorry, 7", None),
        ("number", "The people wait for the bus. The answer is 3.", 3),
        ("number", "Let me recount. 1, 2, 3. So 3.", 3),
        ("image", "Image 1. Wait, no. Image 3.", 3),
        ("image", "Image 2? No, Image 1.", 1),
        ("image", "Image 2? Not quite. Image 4.", 4),
        ("image", "At first glance Image 1, but on second thought Image 2.", 2),
        ("yes/no", "Yes. Wait, no.", "no"),
        ("yes/no", "Yes... hold on, let me check again. No, they differ.", "no"),
        ("choice", "A, no wait, B", "B"),
        ("choice", "A? No, B.", "B"),
        ("choice", "Is it red? No. It is blue.", "B"),
        ("choice", "The answer is A. Oops, I misread: the answer is C.", "C"),
        ("choice", "I'd say A... scratch that, C", "C"),
    ],
)
def test_what_a_reply_takes_back_does_not_count(kind, text, parsed):
    asked = (
        {"choices": {"A": "red", "B": "blue", "C": "green"}} if kind == "choice" else {"answer_type": kind}
    )
    assert reading.read({"bench": "m", "answer": None, "response": text, **asked})[0] == parsed


@pytest.mark.parametrize(
    ("answer", "text", "parsed"), [("A", "A", "A"), ("The", "the.", "The"), (["it", "A"], "**A**", "A"), ("A", "B", "B")]
)  # fmt: skip
def test_a_reply_that_is_the_answer_word_for_word_is_right(answer, text, parsed):
    read = reading.read({"bench": "m", "answer": answer, "answer_type": "word", "response": text})
    assert read == (parsed, text != "B")
