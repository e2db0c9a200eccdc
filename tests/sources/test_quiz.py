"""Readers of questions: LLaVA-instruct and VQAv2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2h import levels, record
from s2h.images import Store
from s2h.sources import SourceError, open_source
from tests.support.photos import save

ANSWERS = ("red", "blue", "green", "two", "a dog", "yes", "no")


@pytest.fixture()
def llava(tmp_path) -> Path:
    rows = []
    for i in range(40):
        save(tmp_path / "data" / "images" / "coco" / f"{i}.jpg", i)
        rows.append(
            {
                "id": f"{i // 2}",
                "image": f"coco/{i}.jpg",
                "conversations": [
                    {
                        "from": "human",
                        "value": "<image>\nWhat colour is the car?" if i % 2 else "What is seen?\n<image>",
                    },
                    {"from": "gpt", "value": ANSWERS[i % 3]},
                    {"from": "human", "value": "How old is it?"},
                    {"from": "gpt", "value": "Nobody knows."},
                    {"from": "human", "value": "Is there a person?"},
                    {"from": "gpt", "value": "Yes" if i % 3 else "No"},
                ],
            }
        )
    rows.append(
        {"id": "text", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hi"}]}
    )
    rows.append({**rows[0], "image": "coco/gone.jpg"})
    (tmp_path / "data" / "mix.json").write_text(json.dumps(rows))
    return tmp_path / "data"


def test_llava_conversations(llava, tmp_path):
    source = open_source(str(llava))
    assert source.unused["no image"] == 1 and source.unused["file missing"] == 1
    assert source.unused["a turn that leans on an earlier one"] > 20
    for pair in levels.generate("vqa", n=50, source=source, images=Store(tmp_path)):
        record.check(pair)
        facts = pair["facts"]
        assert (
            "<image>" not in record.text_of(pair["prompt"])
            and facts["question"].lower() in record.text_of(pair["prompt"]).lower()
        )
        assert facts["answer"].lower() == record.text_of(pair["chosen"]).lower().strip(".")
        if facts["answer"] in ("Yes", "No"):
            assert record.text_of(pair["rejected"]) == {"Yes": "No.", "No": "Yes."}[facts["answer"]]
    rows = json.loads((llava / "mix.json").read_text())
    rows[3]["conversations"][1]["from"] = "human"
    (llava / "mix.json").write_text(json.dumps(rows))
    rows[4].pop("conversations")
    rows[5]["conversations"][0]["value"] = None
    rows[6]["conversations"].insert(0, {"from": "system", "value": "Be brief."})
    (llava / "mix.json").write_text(json.dumps(rows))
    unused = open_source(str(llava)).unused
    assert unused["turns that aren't a human's and then gpt's"] == unused["no conversations"] == 1
    assert unused["no question or no answer"] == 1
    lines = llava / "mix.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert open_source(f"llava:{lines}").unused == unused


def test_wrong_answers_are_of_the_kind_that_is_asked_for(tmp_path):
    """A colour is not taken for a shape, though both questions begin with 'What is', nor a number for a word."""
    asked = (
        ("What is the colour of the shape?", ("red", "blue", "teal")),
        ("What is the large shape?", ("circle", "square", "star")),
        ("What is the number?", ("2", "three", "4")),
    )
    rows = []
    for i in range(45):
        save(tmp_path / f"{i}.png", i % 40)  # the last ones are copies
        question, answers = asked[i % 3]
        turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answers[i // 3 % 3]}]
        rows.append({"id": i, "image": f"{i}.png", "conversations": turns})
    (tmp_path / "shapes.json").write_text(json.dumps(rows))
    kinds = dict(asked)
    for pair in levels.generate("vqa", n=90, source=open_source(str(tmp_path)), images=Store(tmp_path)):
        wrong = record.text_of(pair["rejected"]).lower().strip(".")
        assert wrong in kinds[pair["facts"]["question"]]
        pictures = [Path(reference).read_bytes() for reference in pair["images"]]
        assert len(set(pictures)) == len(pictures)


@pytest.fixture()
def vqav2(tmp_path) -> Path:
    root = tmp_path / "vqav2"
    questions, annotations, pairs = [], [], []
    for i in range(60):
        save(root / "train2014" / f"COCO_train2014_{i:012d}.jpg", i)
        questions.append({"question_id": i, "image_id": i, "question": f"What colour is thing {i // 2}?"})
        annotations.append(
            {
                "question_id": i,
                "image_id": i,
                "multiple_choice_answer": ANSWERS[i % 5],
                "question_type": "what colour is",
                "answers": [],
            }
        )
        if i % 2:
            pairs.append([i - 1, i])
    name = "v2_mscoco_train2014"
    (root / "v2_OpenEnded_mscoco_train2014_questions.json").write_text(json.dumps({"questions": questions}))
    (root / f"{name}_annotations.json").write_text(json.dumps({"annotations": annotations}))
    (root / f"{name}_complementary_pairs.json").write_text(json.dumps(pairs))
    return root


def test_complementary_pairs_of_vqav2_are_twins(vqav2, tmp_path):
    source = open_source(str(vqav2))
    assert source.twins
    questions = vqav2 / "v2_OpenEnded_mscoco_train2014_questions.json"
    rows = json.loads(questions.read_text())["questions"]
    odd = [{**rows[0], "question": None}, {**rows[1], "question": " "}, *rows[2:], rows[3]]
    questions.write_text(json.dumps({"questions": odd}))
    assert open_source(str(vqav2)).unused["no question or no answer"] == 2
    assert open_source(str(vqav2)).unused["listed twice"] == 1
    questions.write_text(json.dumps({"questions": rows}))
    made = list(levels.generate("vqa", n=30, source=source, images=Store(tmp_path), twins=True))
    assert len(made) == 60
    for pair, twin in zip(made[::2], made[1::2], strict=True):
        assert pair["negative"] == "counterpart" and pair["prompt"] == twin["prompt"]
        (at,) = pair["target"]
        number = {int(p["images"][at].split("_")[-1].split(".")[0]) // 2 for p in (pair, twin)}
        assert len(number) == 1 and pair["images"][at] != twin["images"][at]
        assert pair["images"][:at] == twin["images"][:at]
        assert record.text_of(pair["chosen"]) == record.text_of(twin["rejected"])
        for one in (pair, twin):
            index = int(one["images"][at].split("_")[-1].split(".")[0])
            assert one["facts"]["answer"] == ANSWERS[index % 5] == one["facts"]["candidates"][0]
    (vqav2 / "v2_mscoco_train2014_annotations.json").unlink()
    with pytest.raises(SourceError, match="its answers are missing"):
        open_source(str(vqav2))
