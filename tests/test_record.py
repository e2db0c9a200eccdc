import math

import pytest

from s2h import record
from s2h.errors import plural
from s2h.record import IMAGE, Record, RecordError
from tests.support.records import pair

WRONG = [
    # field to set, value, field named by the error, a word of its message
    ("id", "", "id", "empty"),
    ("id", 7, "id", "string"),
    ("level", 0, "level", "1, 2 or 3"),
    ("level", 4, "level", "1, 2 or 3"),
    ("level", True, "level", "1, 2 or 3"),
    ("level", "2", "level", "1, 2 or 3"),
    ("task", 3, "task", "string"),
    ("images", [], "images", "empty"),
    ("images", "one.png", "images", "list"),
    ("images", ["one.png", 2], "images[1]", "reference"),
    ("images", ["one.png", ""], "images[1]", "empty"),
    ("images", ["one.png"], "prompt", "2 in the prompt, 1 in images"),
    ("prompt", "What?", "prompt", "list of messages"),
    ("prompt", [], "prompt", "empty"),
    ("prompt", [{"role": "user", "content": "What?"}], "prompt[0].content", "list of parts"),
    ("prompt", [{"role": "robot", "content": []}], "prompt[0]", "role"),
    ("prompt", [{"role": "system", "content": [{"type": "image"}]}], "prompt[0].content[0]", "user"),
    ("prompt", [{"role": "user", "content": [{"type": "video"}]}], "prompt[0].content[0]", "image or text"),
    ("prompt", [{"role": "user", "content": [{"type": "text"}]}], "prompt[0].content[0]", "image or text"),
    ("prompt", ["What?"], "prompt[0]", "message"),
    ("chosen", "Yes.", "chosen", "one assistant message"),
    ("chosen", record.assistant("Yes.") * 2, "chosen", "one assistant message"),
    ("chosen", [{"role": "user", "content": [{"type": "text", "text": "Yes."}]}], "chosen[0]", "assistant"),
    (
        "rejected",
        [{"role": "assistant", "content": [{"type": "image"}]}],
        "rejected[0].content[0]",
        "text part",
    ),
    ("rejected", [{"role": "assistant", "content": []}], "rejected", "nothing"),
    ("rejected", record.assistant("  "), "rejected", "nothing"),
    ("target", [2], "target[0]", "out of range"),
    ("target", [-1], "target[0]", "0-based image position"),
    ("target", [True], "target[0]", "position"),
    ("target", [0, 0], "target", "twice"),
    ("target", [], "target", "empty"),
    ("target", 0, "target", "list"),
    ("facts", [], "facts", "object"),
    ("grounding", [], "grounding", "object"),
    ("grounding", {"chosen": []}, "grounding.rejected", "missing"),
    ("grounding", {"chosen": [[0]], "rejected": []}, "grounding.chosen[0]", "a claim"),
    ("grounding", {"chosen": [[0, ""]], "rejected": []}, "grounding.chosen[0]", "a claim with a text"),
    ("grounding", {"chosen": [{"image": 0}], "rejected": []}, "grounding.chosen[0]", "a claim"),
    (
        "grounding",
        {"chosen": [{"image": 0, "text": 3}], "rejected": []},
        "grounding.chosen[0]",
        "a claim with a text",
    ),
    (
        "grounding",
        {"chosen": [], "rejected": [{"image": 5, "text": "a dog"}]},
        "grounding.rejected[0]",
        "out of range",
    ),
    ("grounding", {"chosen": [], "rejected": [[5, "a dog"]]}, "grounding.rejected[0]", "out of range"),
    ("negative", ["swap"], "negative", "string"),
    ("source", "", "source", "empty"),
    ("scores", [], "scores", "object"),
    ("stage", "1", "stage", "integer"),
    ("stage", 1.5, "stage", "integer"),
]


@pytest.mark.parametrize(("field", "value", "named", "word"), WRONG)
def test_check_names_the_field(field, value, named, word):
    bad = pair()
    bad[field] = value
    bad.where = "l2.jsonl:17"
    with pytest.raises(RecordError) as caught:
        record.check(bad)
    assert caught.value.field == named
    assert word in caught.value.message
    assert str(caught.value).startswith(f"l2.jsonl:17: {named}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["id", *record.NEEDED])
def test_every_required_field_is_missed(field):
    bad = pair()
    del bad[field]
    with pytest.raises(RecordError, match=f"{field}: is missing"):
        record.check(bad)


def test_what_may_be_absent_or_more():
    good = pair(scores={"clip": {"chosen": 0.3}}, stage=2, note=[math.pi, None])
    del good["grounding"]
    record.check(good)
    for field in record.FIELDS:
        if field not in ("id", *record.NEEDED):
            record.check(good | {field: None})
            record.check({name: value for name, value in good.items() if name != field})
    system = [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}]
    record.check(pair(prompt=system + good["prompt"]))
    # What Arrow makes of parts with different keys.
    record.check(pair(prompt=[{"role": "user", "content": [{"type": "image", "text": None}] * 2}]))


def test_make_keeps_the_order_of_the_contract():
    assert tuple(pair(extra=1)) == (*record.FIELDS, "extra")
    with pytest.raises(RecordError, match="prompt: image parts do not match images"):
        pair(prompt=None, images=["a"]) and record.check(pair() | {"images": ["a"]})


def test_messages():
    messages = record.interleave(["Image 1:", IMAGE, "What colour?"])
    assert [part["type"] for part in messages[0]["content"]] == ["text", "image", "text"]
    assert record.text_of(messages) == "Image 1:What colour?"
    assert record.text_of(record.assistant("Red.")) == "Red."


def test_errors_are_one_line_with_a_reason():
    error = RecordError("no such file: a.png", "images[2]", "f.jsonl:17", "give an\nabsolute path")
    assert str(error) == "f.jsonl:17: images[2]: no such file: a.png (give an absolute path)"
    assert error.reason == "images[]: no such file"
    with pytest.raises(RecordError):
        record.fail(error)


def test_a_record_is_a_dict_that_knows_its_place():
    found = Record({"id": "a"}, where="f:1", base="folder")
    assert found == {"id": "a"}
    copy = found.copy()
    assert (copy.where, copy.base, copy is found) == ("f:1", "folder", False)


def test_every_fault_of_a_record_is_told_at_once():
    bad = pair(level=9, target=[5], stage="1")
    del bad["rejected"]
    bad.where = "l1.jsonl:3"
    with pytest.raises(RecordError) as caught:
        record.check(bad)
    assert str(caught.value) == (
        "l1.jsonl:3: level: must be 1, 2 or 3: it is 9; rejected: is missing (a pair has images, prompt, chosen and "
        "rejected); stage: must be an integer: it is a text; target[0]: is out of range: 5 with 2 image(s), counted from 0"
    )
    assert caught.value.reason == "level: must be 1, 2 or 3"
    with pytest.raises(RecordError) as caught:
        record.check(pair() | {"images": [3, "b.png", ""] + [4] * 9})
    assert str(caught.value).count("images[") == 6 and str(caught.value).endswith("; and 5 more")


def test_junk_at_any_place_is_a_fault_with_a_field_or_no_fault_at_all():
    """Every value of a pair, at any depth, replaced by junk or left out."""
    junk = (None, True, 0, -1, 9, 1.5, "", " ", "x", [], [[]], ["x"], {}, {"role": "user"}, [0, 0], [0, "a"])

    def spoilt(value):
        yield from junk
        if isinstance(value, dict):
            for key in value:
                yield {k: v for k, v in value.items() if k != key}
                yield from ({**value, key: other} for other in spoilt(value[key]))
        elif isinstance(value, list):
            for i in range(len(value)):
                yield value[:i] + value[i + 1 :]
                yield from ([*value[:i], other, *value[i + 1 :]] for other in spoilt(value[i]))

    whole = dict(pair(scores={}, stage=1))
    assert not record.faults(whole)
    tried = 0
    for field in whole:
        for value in spoilt(whole[field]):
            other = {**whole, field: value}
            tried += 1
            faults = record.faults(other)
            typed = record.typed(other)
            assert bool(faults) == (typed is None or any(record.unfit(typed)))
            assert all(error.field and error.message for error in faults)
    assert tried > 500


def test_a_word_after_a_count():
    assert [plural(n, "pair") for n in (0, 1, 2)] == ["pairs", "pair", "pairs"]
    assert [plural(n, "reply is", "replies are") for n in (1, 3)] == ["reply is", "replies are"]
