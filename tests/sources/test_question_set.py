"""Readers of questions: LLaVA-instruct and VQAv2."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from s2h import record, seeds, tasks
from s2h.filters import blind
from s2h.images.store import Store
from s2h.sources import SourceError, lettered_options, open_source
from s2h.sources.question_set import QuestionTable
from s2h.tasks.hallucinations import Answerer
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
    assert source.excluded["no image"] == 1 and source.excluded["file missing"] == 1
    assert source.excluded["a turn that leans on an earlier one"] > 20
    for pair in tasks.generate("vqa", n=50, source=source, images=Store(tmp_path)):
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
    excluded = open_source(str(llava)).excluded
    assert excluded["turns that aren't a human's and then gpt's"] == excluded["no conversations"] == 1
    assert excluded["no question or no answer"] == 1
    lines = llava / "mix.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert open_source(f"llava:{lines}").excluded == excluded


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
    for pair in tasks.generate("vqa", n=90, source=open_source(str(tmp_path)), images=Store(tmp_path)):
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
    assert source.has_counterparts
    questions = vqav2 / "v2_OpenEnded_mscoco_train2014_questions.json"
    rows = json.loads(questions.read_text())["questions"]
    odd = [{**rows[0], "question": None}, {**rows[1], "question": " "}, *rows[2:], rows[3]]
    questions.write_text(json.dumps({"questions": odd}))
    assert open_source(str(vqav2)).excluded["no question or no answer"] == 2
    assert open_source(str(vqav2)).excluded["listed twice"] == 1
    questions.write_text(json.dumps({"questions": rows}))
    settings = {"n": 30, "source": source, "images": Store(tmp_path), "twins": True}
    made = list(tasks.generate("vqa", **settings))
    sides = list(tasks.generate("vqa", **settings, image_side=True))
    assert [one["rejected_images"] for one in sides] == [twin["images"] for twin in made[1::2]]
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


LETTER = "Answer with the option's letter from the given choices directly."
COLOURS = ("red", "blue", "green", "white", "black")


@pytest.fixture()
def lettered(tmp_path) -> Path:
    """Questions with two to four options, the right one most often A, as in real sets."""
    rows = []
    for i in range(60):
        save(tmp_path / "data" / f"{i}.jpg", i)
        options = [COLOURS[(i + at) % 5] for at in range(2 + i % 3)]
        lines = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=False))
        turns = [
            {"from": "human", "value": f"<image>\nWhat color is the boat?\n{lines}\n{LETTER}"},
            {"from": "gpt", "value": "AAAB"[i % 4]},
            {"from": "human", "value": "What is in the second image?"},
            {"from": "gpt", "value": "a car"},
            {"from": "human", "value": f"Which one?\nA. red\nB. Both A and C\nC. blue\n{LETTER}"},
            {"from": "gpt", "value": "A"},
            {"from": "human", "value": f"What color is the <image> sky?\nA. grey\nB. gray\n{LETTER}"},
            {"from": "gpt", "value": "A"},
            {"from": "human", "value": f"Which color?\nA. grey\nB. red\n{LETTER}"},
            {"from": "gpt", "value": "C"},
        ]
        rows.append({"id": i, "image": f"{i}.jpg", "conversations": turns})
    (tmp_path / "data" / "mix.json").write_text(json.dumps(rows))
    return tmp_path / "data"


def options_of(pair) -> dict[str, str]:
    lines = record.text_of(pair["prompt"]).splitlines()
    return {line[0]: line[3:] for line in lines if line[1:3] == ". "}


def check_letters(pairs) -> tuple[Counter, Counter]:
    """Each pair's options stand on their lines, its answers are two of their letters, and the right one is right."""
    sides = Counter(), Counter()
    for pair in pairs:
        record.check(pair)
        options, facts = options_of(pair), pair["facts"]
        right, wrong = (record.text_of(pair[side]).rstrip(".") for side in ("chosen", "rejected"))
        assert {right, wrong} <= set(options) and right != wrong
        assert facts["answer"] == right and facts["choices"] == options
        assert record.text_of(pair["prompt"]).rstrip().endswith(LETTER)
        number = int(Path(pair["images"][pair["target"][0]]).stem)
        assert options[right] == COLOURS[(number + "AAAB"[number % 4].count("B")) % 5]
        assert pair["grounding"]["chosen"][0]["text"].endswith(options[right])
        sides[0][len(options), right] += 1
        sides[1][len(options), wrong] += 1
    return sides


def test_letters_are_dealt_anew_so_that_none_is_the_usual_one(lettered, tmp_path):
    source = open_source(str(lettered))
    assert (
        source.excluded["a question that numbers images"] == source.excluded["options that say the same"] > 40
    )
    assert (
        source.excluded["options that name one another"]
        == source.excluded["an answer that is none of the options"]
    )
    made = list(tasks.generate("vqa", n=1000, source=source, images=Store(tmp_path)))
    chosen, rejected = check_letters(made)
    for side in (chosen, rejected):
        for size in (2, 3, 4):
            total = sum(count for (n, _), count in side.items() if n == size)
            assert all(abs(side[size, letter] / total - 1 / size) < 0.13 for letter in "ABCD"[:size])


@pytest.mark.parametrize("form", ["{}", "{}.", "({})", "{}. {text}", "{text}", "The answer is {}."])
def test_a_models_letter_is_read_and_the_right_one_never_rejected(lettered, tmp_path, form):
    """A model that always takes the first option, said in many ways."""

    def answer(rows, key):
        said = [options_of({"prompt": messages})["A"] for messages, _ in rows]
        return [[form.format("A", text=text)] for text in said]

    tally: Counter = Counter()
    made = list(
        tasks.generate(
            "vqa",
            n=90,
            source=open_source(str(lettered)),
            images=Store(tmp_path),
            answerer=Answerer(answer),
            tally=tally,
        )
    )
    assert len(made) == 90 and tally["the model was right"] > 20
    check_letters(made)
    assert max(Counter(record.text_of(pair["rejected"]) for pair in made).values()) < 60


def test_options_in_one_line_are_found():
    asked = lettered_options.parse(f"What color is the boat? A. dark green B. red C. brown {LETTER}")
    assert asked == lettered_options.ParsedQuestion(
        "What color is the boat?", ("dark green", "red", "brown"), LETTER
    )
    assert (
        asked.index_of("B")
        == asked.index_of("(b)")
        == asked.index_of("B. red")
        == asked.index_of("Red.")
        == 1
    )
    assert asked.index_of("D") is asked.index_of("B. brown") is asked.index_of("yellow") is None
    plain = lettered_options.parse("Is it A. or B?\nAnswer the question using a single word or phrase.")
    assert not plain.options and plain.closing.startswith("Answer") and plain.stem == "Is it A. or B?"


def test_no_annotators_answer_is_rejected(vqav2, tmp_path):
    """Neither one drawn, nor a counterpart's, nor a model's reply."""
    path = vqav2 / "v2_mscoco_train2014_annotations.json"
    rows = json.loads(path.read_text())["annotations"]
    for row in rows:
        other = {"red": "blue", "blue": "green", "green": "Red"}.get(row["multiple_choice_answer"])
        given = [row["multiple_choice_answer"]] * 7 + [other or "unsure"] * 3
        row["answers"] = [{"answer": one, "answer_id": at} for at, one in enumerate(given)]
    path.write_text(json.dumps({"annotations": rows}))
    source = open_source(str(vqav2))
    said = iter(["Red", "blue.", "It is green", "a dog", "two"] * 2000)

    def answer(asked, key):
        return [[next(said)] for _ in asked]

    made = [
        *tasks.generate("vqa", n=150, source=source, images=Store(tmp_path)),
        *tasks.generate("vqa", n=60, source=source, images=Store(tmp_path), answerer=Answerer(answer)),
    ]
    assert {"counterpart", "hallucination", "confusion"} <= {pair["negative"] for pair in made} and len(
        made
    ) > 190
    for pair in made:
        rejected = record.text_of(pair["rejected"]).lower().rstrip(".")
        assert pair["facts"]["answers"] and rejected not in {one.lower() for one in pair["facts"]["answers"]}


def favourites(rows, key):
    """A model with favourite answers, which ends without a period."""
    said = []
    for at, (messages, _) in enumerate(rows):
        asked = record.text_of(messages).lower()
        often, rare = ("2", "3") if "how many" in asked else ("Red", "blue")
        said.append([often if seeds.rng(key, at).random() < 0.8 else rare])
    return said


@pytest.mark.parametrize("model", [None, favourites])
def test_neither_words_nor_form_tell_right_from_wrong(tmp_path, model):
    """Answers as uneven as in real data, per question: most things occur once, and each has its usual colour."""
    rng, rows = Random(3), []
    for i in range(300):
        save(tmp_path / "q" / f"{i}.jpg", i)
        thing = rng.choice(("bus", "car", "boat", "sign"))
        usual = {"bus": "Yellow", "car": "Black", "boat": "White", "sign": "Red"}[thing]
        colour = (
            usual if rng.random() < 0.6 else rng.choice(("Red", "Blue", "Green", "White", "Black", "Yellow"))
        )
        turns = [
            {"from": "human", "value": f"<image>\nWhat color is the {thing}?"}, {"from": "gpt", "value": colour},
            {"from": "human", "value": f"How many {thing}s are there?"},
            {"from": "gpt", "value": rng.choices("123456", (70, 14, 7, 4, 3, 2))[0]},
        ]  # fmt: skip
        rows.append({"id": i, "image": f"{i}.jpg", "conversations": turns})
    (tmp_path / "q" / "q.json").write_text(json.dumps(rows))
    source = open_source(str(tmp_path / "q"))
    made = list(
        tasks.generate(
            "vqa",
            n=700,
            source=source,
            images=Store(tmp_path),
            answerer=Answerer(model) if model else None,
            per_prompt=(2, 2),
        )
    )
    texts = [blind.texts_of(pair) for pair in made]
    assert len(made) > 650
    assert blind.test(texts).auc < 0.58 and blind.test(texts, 0, blind.form_of).auc < 0.55
    assert all(record.text_of(pair[side])[-1] == "." for pair in made for side in ("chosen", "rejected"))


@pytest.mark.parametrize("shard", [(1, 1), (2, 3)])
def test_yes_and_no_are_in_balance_in_every_stretch_though_most_answers_are_yes(tmp_path, shard):
    rows, rng = [], Random(3)
    for i in range(80):
        save(tmp_path / f"{i}.png", i)
        asked = ("Is there a dog?", "yes" if rng.random() < 0.75 else "no"), ("What is it?", ANSWERS[i % 5])
        said = [(f"<image>\n{ask}", answer) for ask, answer in asked]
        turns = [
            {"from": who, "value": text}
            for pair in said
            for who, text in zip(("human", "gpt"), pair, strict=True)
        ]
        rows.append({"id": str(i), "image": f"{i}.png", "conversations": turns})
    (tmp_path / "data.json").write_text(json.dumps(rows))
    source = open_source(f"llava:{tmp_path / 'data.json'}")
    made = list(tasks.generate("vqa", n=300, source=source, shard=shard, images=Store(tmp_path / "i")))
    asked = [pair["facts"]["answer"] == "yes" for pair in made if pair["facts"]["answer"] in ("yes", "no")]
    assert len(asked) > len(made) / 4
    assert all(7 <= sum(asked[at : at + 20]) <= 13 for at in range(len(asked) - 19))


def test_an_answer_that_tells_no_value_is_counted():
    sheet = QuestionTable()
    said = ["unreadable", "Can't tell.", "not sure", "stop", "nothing", "no"]
    why = [sheet.add(str(n), f"{n}.jpg", "What does the sign say?", one) for n, one in enumerate(said)]
    assert why == ["an answer that tells no value"] * 3 + [""] * 3 and len(sheet) == 3
