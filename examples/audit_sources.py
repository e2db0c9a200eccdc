"""Small data sets in the layouts of real ones, drawn by the built-in world, with answers as uneven as in real data: most
things occur once, a few kinds make most pictures, and each kind has a favourite colour. For audit.sh, which measures what
words alone give away; no network is needed.

    python examples/audit_sources.py OUT [PICTURES]      # OUT/coco, OUT/vqav2, OUT/llava.json, OUT/captions, OUT/classes
    python examples/audit_sources.py --easy-vqa PACKAGE FILE.json      # questions of an installed package
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from random import Random

from s2h.sources.builtin import scenes, words
from s2h.sources.builtin.world import World

SIDE = 64
SHAPES, COLOURS = scenes.SHAPES, scenes.COLOURS
SIZES = {"small": 8, "medium": 14, "large": 22}
FAVOURITE, ONCE = 0.55, 0.7  # shares of a shape's own colour, and of things that are alone
LETTER = "Answer with the option's letter from the given choices directly."
BRIEF = "Answer the question using a single word or phrase."


def pictures(out: Path, count: int) -> list[dict]:
    """Draw the pictures; their labels, each with its file."""
    world, found = World(seed=7), []
    weights = [1 / (rank + 1) for rank in range(len(SHAPES))]
    for number in range(count):
        rng = Random(number)
        shape = rng.choices(SHAPES, weights)[0]
        own = COLOURS[SHAPES.index(shape) % len(COLOURS)]
        colour = own if rng.random() < FAVOURITE else rng.choice(COLOURS)
        once = rng.random() < ONCE
        while True:
            item = world.scene(rng, shape=shape, colour=colour)
            if not once or all(group["count"] == 1 for group in item.labels["groups"]):
                break
        name = f"COCO_train2014_{number:012d}.jpg"
        item.draw(SIDE).save(out / name, quality=90)
        found.append({**item.labels, "file": name, "shape": shape, "colour": colour, "rng": rng})
    return found


def plural(shape: str) -> str:
    return words.PLURALS.get(shape, shape + "s")


def coco(root: Path, drawn: list[dict]) -> None:
    categories = {shape: number + 1 for number, shape in enumerate(SHAPES)}
    annotations = []
    for number, labels in enumerate(drawn):
        for group in labels["groups"]:
            side = SIZES.get(group["size"], 14)
            left = {"left": 2, "right": SIDE // 2 + 2}.get(group["place"], (SIDE - side) // 2)
            for _ in range(group["count"]):
                annotations.append(
                    {
                        "id": len(annotations), "image_id": number, "category_id": categories[group["shape"]],
                        "bbox": [left, 20, side, side], "area": side * side * 0.8, "iscrowd": 0,
                    }
                )  # fmt: skip
    images = [{"id": number, "file_name": labels["file"]} for number, labels in enumerate(drawn)]
    names = [{"id": number, "name": shape} for shape, number in categories.items()]
    content = {"images": images, "annotations": annotations, "categories": names}
    (root / "annotations").mkdir(parents=True)
    (root / "annotations" / "instances_train2014.json").write_text(json.dumps(content))


def asked(labels: dict) -> list[tuple[str, str, str]]:
    """(question, answer, type of question) as people ask them of a picture; of a yes-or-no question yes is the commoner
    answer, as in real data."""
    rng, shape = labels["rng"], labels["shape"]
    group = next(group for group in labels["groups"] if group["shape"] == shape)
    verb, thing = ("are", plural(shape)) if group["count"] > 1 else ("is", shape)
    there = {one["shape"] for one in labels["groups"]}
    other = rng.choice(SHAPES) if rng.random() < 0.4 else shape
    told = group["colour"] if rng.random() < 0.6 else rng.choice(COLOURS)
    return [
        (f"What color {verb} the {thing}?", group["colour"], f"what color {verb} the"),
        (f"How many {plural(shape)} are there?", str(group["count"]), "how many"),
        (f"Is there {words.with_article(other)}?", "yes" if other in there else "no", "is there a"),
        (
            f"{verb.capitalize()} the {thing} {told}?",
            "yes" if told == group["colour"] else "no",
            f"{verb} the",
        ),
        ("What color is the background?", labels["background"], "what color is the"),
        (f"What shape is the {group['colour']} thing?", shape, "what"),
    ]


def vqav2(root: Path, drawn: list[dict]) -> None:
    questions, annotations = [], []
    for number, labels in enumerate(drawn):
        for question, answer, kind in labels["rng"].sample(asked(labels), 4):
            minority = {"gray": "silver", "grey": "silver", "brown": "tan", "red": "orange"}.get(
                answer, answer
            )
            row = {"question_id": len(questions), "image_id": number}
            given = [answer] * 8 + [minority] * 2
            questions.append({**row, "question": question})
            annotations.append(
                {
                    **row, "multiple_choice_answer": answer, "question_type": kind,
                    "answers": [{"answer": one, "answer_id": at + 1} for at, one in enumerate(given)],
                }
            )  # fmt: skip
    root.mkdir()
    name = "v2_OpenEnded_mscoco_train2014_questions.json"
    (root / name).write_text(json.dumps({"questions": questions}))
    (root / "v2_mscoco_train2014_annotations.json").write_text(json.dumps({"annotations": annotations}))


def llava(path: Path, drawn: list[dict]) -> None:
    rows = []
    for number, labels in enumerate(drawn):
        rng, turns = labels["rng"], []
        for question, answer, _ in rng.sample(asked(labels), 2):
            turns.append((f"{question}\n{BRIEF}", answer.capitalize()))
        if rng.random() < 0.6:
            values = [
                labels["colour"],
                *rng.sample([c for c in COLOURS if c != labels["colour"]], rng.randint(1, 3)),
            ]
            rng.shuffle(values)
            lines = [f"{letter}. {value}" for letter, value in zip("ABCD", values, strict=False)]
            ask = "\n".join([f"What color is the {labels['shape']}?", *lines, LETTER])
            turns.append((ask, "ABCD"[values.index(labels["colour"])]))
        said = [
            {"from": speaker, "value": ("<image>\n" if speaker == "human" and not at else "") + text}
            for at, turn in enumerate(turns)
            for speaker, text in zip(("human", "gpt"), turn, strict=True)
        ]
        rows.append({"id": str(number), "image": labels["file"], "conversations": said})
    path.write_text(json.dumps(rows))


def easy_vqa(package: str, path: str) -> None:
    """The questions of the installed package easy-vqa as LLaVA has them; its pictures stay where they are."""
    folder = Path(package) / "data" / "train"
    rows = []
    for number, (question, answer, picture) in enumerate(json.loads((folder / "questions.json").read_text())):
        turns = [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]
        rows.append({"id": str(number), "image": f"easy-vqa/{picture}.png", "conversations": turns})
    Path(path).write_text(json.dumps(rows))
    (Path(path).parent / "images").mkdir(exist_ok=True)
    (Path(path).parent / "images" / "easy-vqa").symlink_to(folder / "images")


def main(out: str, count: str = "1200") -> None:
    root = Path(out)
    files = root / "images"
    files.mkdir(parents=True)
    drawn = pictures(files, int(count))
    coco(root / "coco", drawn)
    vqav2(root / "vqav2", drawn)
    llava(root / "llava.json", drawn)
    for name in ("coco", "vqav2"):
        (root / name / "train2014").symlink_to(files.resolve())
    folders: dict[str, list[dict]] = defaultdict(list)
    (root / "captions").mkdir()
    for labels in drawn:
        folders[labels["shape"]].append(labels)
        place = root / "captions" / labels["file"]
        place.symlink_to(files.resolve() / labels["file"])
        place.with_suffix(".txt").write_text(words.caption({**labels, "kind": "scene"}, labels["rng"]) + "\n")
    for shape, some in folders.items():
        (root / "classes" / shape).mkdir(parents=True)
        for labels in some:
            (root / "classes" / shape / labels["file"]).symlink_to(files.resolve() / labels["file"])


if __name__ == "__main__":
    if sys.argv[1] == "--easy-vqa":
        easy_vqa(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
