"""What is asked about COCO's pictures: every answer follows from the boxes and counts, and none is the usual one."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from s2h import record, tasks
from s2h.filters import blind
from s2h.images.store import Store
from s2h.sources import open_source
from tests.support.photos import save

NAMES = ("dog", "car", "bench", "kite", "person")


@pytest.fixture(scope="module")
def coco(tmp_path_factory) -> Path:
    """200 pictures; a person in most of them, most things alone, and the car mostly the largest."""
    root, rng = tmp_path_factory.mktemp("coco"), Random(5)
    images, annotations = [], []
    for number in range(200):
        name = f"{number:012d}.jpg"
        save(root / "train2017" / name, number)
        images.append({"id": number, "file_name": name})
        for category, (_, chance) in enumerate(zip(NAMES, (0.6, 0.6, 0.5, 0.5, 0.8), strict=True)):
            if rng.random() > chance:
                continue
            for _ in range(rng.choices((1, 2, 3), (80, 14, 6))[0]):
                side = rng.choice((6, 20, 45, 90)) + (10 if NAMES[category] == "car" else 0)
                box = [rng.choice((0, 100, 200)), 0, side, side]
                one = {"image_id": number, "category_id": category, "bbox": box, "area": side * side}
                annotations.append(
                    {"id": len(annotations), **one, "iscrowd": int(number == 7 and category == 0)}
                )
    content = {
        "images": images, "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES)],
    }  # fmt: skip
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def pairs(coco, tmp_path_factory):
    source = open_source(str(coco))
    source.spec = "coco"  # it seeds the draws, and the folder's name differs from run to run
    return list(tasks.generate("vqa", n=400, source=source, images=Store(tmp_path_factory.mktemp("i"))))


def boxes_of(coco: Path) -> dict[str, dict[str, list]]:
    found: dict = {}
    content = json.loads((coco / "annotations" / "instances_train2017.json").read_text())
    for one in content["annotations"]:
        there = found.setdefault(f"{one['image_id']:012d}.jpg", {})
        there.setdefault(NAMES[one["category_id"]], []).append((one["area"], one["bbox"]))
    return found


def holds(about: str, question: str, answer: str, there: dict[str, list]) -> bool:
    """Whether an answer follows from the annotations."""
    named = [
        name
        for name in NAMES
        if re.search(rf"\b{name}s?\b|\bbenches\b|\bpeople\b", question) and name in question
    ]
    if about == "count":
        (name,) = [
            name for name in NAMES if name[:4] in question or (name == "person" and "people" in question)
        ]
        return len(there[name]) == int(answer)
    if about == "presence":
        return (named[0] in there) == (answer == "yes")
    one = answer.removeprefix("the ")
    others = [name for name in named if name != one]
    assert all(len(there[name]) == 1 for name in named)
    area, (left, _, width, _) = there[one][0]
    if about == "left":
        return all(left + width <= there[name][0][1][0] for name in others)
    return all(area >= 2 * there[name][0][0] for name in others)


def test_every_answer_follows_from_the_annotations(coco, pairs):
    boxes, seen = boxes_of(coco), Counter()
    for pair in pairs:
        record.check(pair)
        facts, (at,) = pair["facts"], pair["target"]
        there = boxes[Path(pair["images"][at]).name]
        wrong = record.text_of(pair["rejected"]).rstrip(".").lower()
        assert record.text_of(pair["chosen"]).rstrip(".").lower() == facts["answer"].lower()
        assert holds(facts["about"], facts["question"], facts["answer"], there), facts
        assert not holds(facts["about"], facts["question"], wrong, there), (facts, wrong)
        seen[facts["about"]] += 1
    assert set(seen) == {"count", "presence", "larger", "left", "largest"}


def test_no_answer_is_the_usual_one(pairs):
    texts = [blind.texts_of(pair) for pair in pairs]
    assert blind.test(texts).auc < 0.58 and blind.test(texts, 0, blind.form_of).auc < 0.55
    for about in ("count", "presence", "larger", "left"):
        sides = Counter(), Counter()
        for pair in pairs:
            if pair["facts"]["about"] == about:
                for side, which in zip(sides, ("chosen", "rejected"), strict=True):
                    side[record.text_of(pair[which])] += 1
        for answer, count in (sides[0] + sides[1]).items():
            assert abs(sides[0][answer] - sides[1][answer]) < 4 * count**0.5 + 2, (about, answer, sides)


def test_yes_and_no_are_in_balance_in_every_stretch(pairs):
    asked = [pair["facts"]["answer"] == "yes" for pair in pairs if pair["facts"]["answer"] in ("yes", "no")]
    assert len(asked) > 100
    assert all(7 <= sum(asked[at : at + 20]) <= 13 for at in range(len(asked) - 19))
