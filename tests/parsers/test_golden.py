"""The parsers that bear an evaluator's name give the labels that the evaluator's own functions gave (golden/README.md)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2h.parsers import lmms, official, vlmevalkit

GOLDEN = Path(__file__).parent / "golden"
CHOICES = {
    "vlmevalkit_can_infer": vlmevalkit.choice,
    "lmms_0_7_3_blink": lmms.short_line,
    "lmms_0_7_3_mmstar": lmms.ranked,
    "lmms_muirbench": lmms.choice,
}
YES_NO = {"vlmevalkit_yorn": vlmevalkit.yes_no, "lmms_pope": lmms.yes_no, "pope_official": official.yes_no}


def lines(name: str) -> list[dict]:
    return [
        json.loads(line)
        for part in (f"{name}.jsonl", f"{name}-recorded.jsonl")
        for line in (GOLDEN / part).read_bytes().splitlines()
    ]


@pytest.mark.parametrize("label", CHOICES)
def test_choices_agree_with_the_evaluators(label):
    found = {
        (line["id"], line["response"]): CHOICES[label](line["response"], line["choices"])
        for line in lines("mcq")
    }
    assert found == {(line["id"], line["response"]): line[label] for line in lines("mcq")}


@pytest.mark.parametrize("label", YES_NO)
def test_yes_and_no_agree_with_the_evaluators(label):
    told = {None: None, "Unknown": None, "Yes": "yes", "No": "no", "yes": "yes", "no": "no"}
    found = {(line["id"], line["response"]): YES_NO[label](line["response"]) for line in lines("yesno")}
    assert found == {(line["id"], line["response"]): told[line[label]] for line in lines("yesno")}
