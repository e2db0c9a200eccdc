"""Comparisons of the answers that a source of questions has for several pictures."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from s2h import record, tasks
from s2h.eval import reading
from s2h.images.store import Store
from s2h.sources import SourceError, open_source
from s2h.sources.shapes import Dataset
from s2h.sources.shared_questions import _OPEN, _stem
from tests.support.photos import save

KNOWN = {
    "What color is the car?": ("red", "blue", "gray", "grey"),
    "Is there a dog?": ("yes", "no"),
    "How many people are there?": ("2", "two", "5"),
    "What animal is this?": ("collie", "dog"),  # which can't be decided
}
SAME = {"grey": "gray", "two": "2"}


@pytest.fixture()
def vqav2(tmp_path):
    root, name = tmp_path / "vqav2", "v2_mscoco_train2014"
    questions, annotations = [], []
    for i in range(60):
        save(root / "train2014" / f"COCO_train2014_{i:012d}.jpg", i)
        for j, (question, known) in enumerate(KNOWN.items()):
            number, answer = 10 * i + j, known[(i + i // 7) % len(known)]
            questions.append({"question_id": number, "image_id": i, "question": question})
            said = [answer] * 10 if i % 10 else [answer] * 5 + ["pony"] * 5  # some are disputed
            annotations.append(
                {
                    "question_id": number,
                    "image_id": i,
                    "multiple_choice_answer": answer,
                    "question_type": "",
                    "answers": [{"answer": one} for one in said],
                }
            )
    (root / "v2_OpenEnded_mscoco_train2014_questions.json").write_text(json.dumps({"questions": questions}))
    (root / f"{name}_annotations.json").write_text(json.dumps({"annotations": annotations}))
    return root


def test_comparisons_are_right_by_the_annotations(vqav2, tmp_path):
    rows = json.loads((vqav2 / "v2_mscoco_train2014_annotations.json").read_text())["annotations"]
    known = {
        (row["image_id"], list(KNOWN)[row["question_id"] % 10]): row["multiple_choice_answer"] for row in rows
    }
    made = list(
        tasks.generate(
            "compare",
            n=160,
            source=open_source(str(vqav2)),
            images=Store(tmp_path),
            twins=True,
            per_prompt=(2, 4),
        )
    )
    assert len(made) == 320
    forms, said = Counter(), (Counter(), Counter())
    for pair in made:
        record.check(pair)
        facts = pair["facts"]
        numbers = [int(re.search(r"_(\d+)\.jpg", name)[1]) for name in pair["images"]]
        assert all(number % 10 for number in numbers), "disputed"
        assert len(set(numbers)) == len(numbers) and facts["question"] != "What animal is this?"
        right = [known[number, facts["question"]] for number in numbers]
        values = [SAME.get(value, value) for value in right]
        forms[facts["form"]] += 1
        chosen = record.text_of(pair["chosen"])
        parsed, correct = reading.read({**facts, "response": chosen})
        assert correct, chosen
        assert reading.read({**facts, "response": record.text_of(pair["rejected"])})[1] is False
        if facts["answer_type"] == "yes/no":
            a, b = facts["operands"]
            assert (parsed == "yes") == ((values[a] == values[b]) == (facts["form"] == "same"))
        elif facts["form"] == "which":
            assert values[parsed - 1] == facts["value"] and values.count(facts["value"]) == 1
        else:
            assert values.count(values[parsed - 1]) == 1
        for side, count in zip(("chosen", "rejected"), said, strict=True):
            count[record.text_of(pair[side])] += 1
    assert set(forms) == {"same", "different", "which", "odd"} and said[0] == said[1]
    asked = " ".join(record.text_of(pair["prompt"]) for pair in made)
    assert "the same colour as the one in Image" in asked
    sought = {
        (facts["question"], facts["value"])
        for facts in (pair["facts"] for pair in made)
        if facts["form"] == "which"
    }
    assert ("Is there a dog?", "yes") in sought and "Is there a dog?” " in asked


def test_a_source_without_anything_to_compare_says_what_would_do(tmp_path):
    class Bare(Dataset):
        spec = "bare"

    with pytest.raises(
        SourceError, match=r"compare needs a source such as .*classes:PATH, coco:.*vqav2:PATH"
    ):
        next(tasks.generate("compare", n=1, source=Bare(), images=Store(tmp_path)))


@pytest.mark.parametrize(
    ("question", "several"),
    [
        ("What is on the table?", True),
        ("What's sitting on the couch?", True),
        ("What can you see behind the man?", True),
        ("Why is the dog wet?", True),
        ("What is the man wearing?", True),
        ("What is the man wearing on his head?", False),
        ("What is the color of the car in front of the house?", False),
        ("What is the woman in the picture doing?", False),
        ("Is there a dog in the yard?", False),
    ],
)
def test_a_question_with_several_right_answers_is_not_compared(question, several):
    assert bool(_OPEN.match(question)) is several


@pytest.mark.parametrize(
    ("asked", "compared"),
    [
        ("Is there a dog?\nAnswer the question using a single word or phrase.", "Is there a dog?"),
        ("Is there a dog?", "Is there a dog?"),
        (
            "Which colour?\nA. red\nB. blue\nAnswer with the option's letter from the given choices directly.",
            "",
        ),
    ],
)
def test_a_question_is_compared_without_how_to_answer_it_and_never_with_options(asked, compared):
    assert _stem(asked) == compared
