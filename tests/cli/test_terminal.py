"""No value from the data brings a control character or a line break of its own to standard error."""

import json
import re

import pytest

from tests.support.records import pair

HOSTILE = "k\x1b]0;title\x07|\x9b31m\u202e\nz"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    lines = [
        json.dumps({**pair(f"p{i}{HOSTILE}"), "task": HOSTILE, "source": HOSTILE, "negative": HOSTILE})
        for i in range(12)
    ]
    lines += [json.dumps({"id": HOSTILE, HOSTILE: 1}), json.dumps({**pair(HOSTILE), "level": HOSTILE})]
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
    said = {
        "id": HOSTILE,
        "bench": HOSTILE,
        "category": HOSTILE,
        "answer": "A",
        "response": "A",
        "model": HOSTILE,
    }
    (folder / "said.jsonl").write_text(json.dumps({**said, "choices": {"A": HOSTILE, "B": "y"}}) + "\n")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "mix --flat in.jsonl --on-error skip",
        "mix --flat in.jsonl",
        "filter in.jsonl --length-ratio 0.1:10 --audit audit.json --audit-fail 0.1 --on-error skip",
        "filter in.jsonl --report report.json --length-ratio 5:10 --rejects no.jsonl --on-error skip",
        "view in.jsonl -o page.html --on-error skip",
        "eval --score said.jsonl --report said.md",
    ],
)
def test_standard_error_is_plain(light, folder, command, tmp_path):
    light.run(*command.split(), cwd=folder, err=str(tmp_path / "err"))
    told = (tmp_path / "err").read_bytes().decode()
    assert told and not CONTROL.search(told), repr(told)
    assert "unforeseen" not in told and "Traceback" not in told
