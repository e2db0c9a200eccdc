"""Replies of every kind with the reading that a careful person gives them; null where a person would ask again. Untrained
models, base models that go on with another question, loops, Markdown, LaTeX, chains of thought, other scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2h.eval import answers

REPLIES = [
    json.loads(line)
    for line in (Path(__file__).parent / "golden" / "replies.jsonl").read_bytes().splitlines()
]


def named(reply: dict) -> str:
    return f"{reply.get('answer_type', 'choice')}: {reply['response'][:40]!r}"


@pytest.mark.parametrize("reply", REPLIES, ids=named)
def test_a_reply_is_read_as_it_is_meant_or_not_at_all(reply):
    line = {"bench": "m", "answer": None, **reply}
    assert answers.read(line)[0] == reply["parsed"]


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
    answers.read(line)
