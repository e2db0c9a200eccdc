"""Every level on the built-in world: what the answers say is derived again here, from `facts` alone."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from s2h import levels, record
from s2h.images import Store
from s2h.levels import arithmetic, kinship, search, vqa
from s2h.sources import SourceError
from s2h.sources.builtin import words

TASKS = ("vqa", "kinship", "arithmetic", "search")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> dict[str, list[dict]]:
    store = Store(tmp_path_factory.mktemp("images"))
    return {task: list(levels.generate(task, n=400, seed=11, images=store, size=32)) for task in TASKS}


def text(answer: list[dict]) -> str:
    return record.text_of(answer)


def test_records_meet_the_contract(pairs):
    for task, made in pairs.items():
        assert len(made) == 400 and len({pair["id"] for pair in made}) == 400
        for pair in made:
            record.check(pair)
            assert (
                pair["task"] == task and pair["level"] == levels.LEVELS[task] and pair["source"] == "builtin"
            )
            assert text(pair["chosen"]) != text(pair["rejected"])
            assert 2 <= len(pair["images"]) <= 5 and len(pair["facts"]["labels"]) == len(pair["images"])
            json.dumps(pair, allow_nan=False)


def test_every_number_of_images_and_every_position_occurs_equally(pairs):
    from scipy.stats import chisquare

    for task, made in pairs.items():
        for n in (2, 3, 4, 5):
            some = [pair for pair in made if len(pair["images"]) == n]
            assert len(some) > 60, (task, n)
            at = Counter(position for pair in some for position in pair["target"])
            assert chisquare([at[p] for p in range(n)]).pvalue > 1e-4, (task, n, at)


def test_arithmetic_is_right_when_done_again(pairs):
    negatives = Counter(pair["negative"] for pair in pairs["arithmetic"])
    assert set(negatives) == set(arithmetic.NEGATIVES)
    for pair in pairs["arithmetic"]:
        facts = pair["facts"]
        values = [label["value"] for label in facts["labels"]]
        assert values == facts["values"]
        read = [values[p] for p in facts["operands"]]
        names = [p + 1 for p in facts["operands"]]
        right = redo(facts["operation"], read, names, values, facts.get("digit"))
        assert facts["answer"] == right
        said, wrong = final_number(text(pair["chosen"])), final_number(text(pair["rejected"]))
        assert said == right and wrong != right
        possible = {
            "sum": range(9 * len(read) + 1),
            "difference": range(10),
            "count-equal": range(len(values) + 1),
        }
        assert wrong in possible.get(facts["operation"], names), (wrong, pair)
        asked = record.text_of(pair["prompt"])
        if facts["operation"] != "count-equal":
            assert [int(n) for n in re.findall(r"\d+", asked.rsplit("\n", 1)[-1])] == names


def redo(operation: str, read: list[int], names: list[int], values: list[int], digit: int | None) -> int:
    if operation == "sum":
        return sum(read)
    if operation == "difference":
        return max(read) - min(read)
    if operation == "count-equal":
        return values.count(digit)
    best = max(read) if operation == "larger" else min(read)
    assert read.count(best) == 1
    return names[read.index(best)]


def final_number(said: str) -> int:
    return int(re.findall(r"\d+", said.split(". ")[-1])[0])


def test_kinship_is_right_when_derived_from_the_parents(pairs):
    forms, truths = Counter(), Counter()
    for pair in pairs["kinship"]:
        facts, chosen, rejected = pair["facts"], text(pair["chosen"]), text(pair["rejected"])
        people, a, b = facts["people"], facts["a"], facts["b"]
        forms[facts["form"]] += 1

        def is_parent(x: int, y: int, people=people) -> bool:
            return people[x]["person"] in people[y]["parents"]

        if facts["answer_type"] == "yes/no":
            truth = is_parent(a, b) or (facts["form"] == "are-kin" and is_parent(b, a))
            truths[facts["form"], truth] += 1
            assert facts["answer"] == ("yes" if truth else "no")
            right, wrong = ("Yes", "No") if truth else ("No", "Yes")
            assert (
                f"{right}, the person in Image {a + 1}" in chosen
                and f"{wrong}, the person in Image {a + 1}" in rejected
            )
            if "child of" in chosen:
                assert is_parent(b, a)
            if "not related" in chosen:
                assert not is_parent(a, b) and not is_parent(b, a)
        else:
            named = int(re.findall(r"Image (\d+) shows the (?:parent|child)\.$", chosen)[0]) - 1
            other = int(re.findall(r"Image (\d+) shows the (?:parent|child)\.$", rejected)[0]) - 1
            assert facts["answer"] == named + 1 != other + 1
            if facts["form"] == "which-parent":
                assert is_parent(named, other)
            else:
                anchor = a
                related = [i for i in range(len(people)) if is_parent(anchor, i) or is_parent(i, anchor)]
                assert related == [named]
                role = "child" if facts["form"] == "find-child" else "parent"
                assert is_parent(anchor, named) if role == "child" else is_parent(named, anchor)
        # Only the two who are asked about may be kin: nobody else in the prompt is related to anybody.
        related = [(x, y) for x in range(len(people)) for y in range(len(people)) if is_parent(x, y)]
        assert len(related) <= 1 and all({x, y} == {a, b} for x, y in related)
    assert set(forms) == set(kinship.ASKS)
    for form in ("is-parent", "are-kin"):
        assert abs(truths[form, True] - truths[form, False]) < 0.35 * forms[form]


def test_kinship_strangers_resemble_less_than_kin(pairs):
    for pair in pairs["kinship"]:
        facts = pair["facts"]
        labels, people = facts["labels"], facts["people"]
        for x in range(len(labels)):
            for y in range(x):
                if {x, y} != {facts["a"], facts["b"]}:
                    continue
                same = sum(labels[x][t] == labels[y][t] for t in labels[x] if t not in ("kind", "sex", "age"))
                kin = (
                    people[x]["person"] in people[y]["parents"] or people[y]["person"] in people[x]["parents"]
                )
                assert same >= 4 if kin else same <= 2


def test_search_names_no_index_and_only_the_target_shows_the_concept(pairs):
    assert {pair["negative"] for pair in pairs["search"]} == set(search.NEGATIVES)
    for pair in pairs["search"]:
        facts, (at,) = pair["facts"], pair["target"]
        asked = record.text_of(pair["prompt"])
        assert facts["concept"] in asked and not re.search(r"\d|first|second|third", asked, re.IGNORECASE)
        for i, labels in enumerate(facts["labels"]):
            assert shows(labels, facts["concept"]) == (i == at)
        chosen, rejected = (text(pair[which]).splitlines() for which in ("chosen", "rejected"))
        assert words.holds(chosen[-1], facts["labels"][at])
        assert not words.holds(rejected[-1], facts["labels"][at])
        assert len(chosen) == len(rejected) == 1 + facts["working"]
        if facts["working"]:
            ends = [at]
            if pair["negative"] == "other-image":
                ends = [
                    i for i in range(len(facts["labels"])) if words.holds(rejected[-1], facts["labels"][i])
                ]
            assert chosen[0] == scan(facts["concept"], at)
            assert rejected[0] in [scan(facts["concept"], end) for end in ends]


def scan(concept: str, at: int) -> str:
    """A search that ends at the image at place `at`."""
    passed = [f"Image {i + 1} shows no {concept.split(' ', 1)[1]}." for i in range(at)]
    return " ".join([*passed, f"Image {at + 1} shows {concept}."])


def test_what_is_not_there_is_named_without_its_article():
    for concept, said in (
        ("a fish", "no fish"),
        ("an old man", "no old man"),
        ("dogs", "no dogs"),
        ("apple pies", "no apple pies"),
    ):
        assert search.absent(concept) == said


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "search"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_prompts_that_ask_for_the_working(task, share, tmp_path):
    made = list(levels.generate(task, n=120, working=share, images=Store(tmp_path), size=32))
    asked = [pair["facts"]["working"] for pair in made]
    assert abs(sum(asked) / len(asked) - share) < (0.15 if share == 0.5 else 1e-9)
    for pair in made:
        told = len(re.findall(r"Image \d+ shows", text(pair["chosen"])))
        # A conclusion that names an image says 'shows' once as well.
        if task == "search":
            assert (told >= 1) == pair["facts"]["working"], text(pair["chosen"])
        else:
            assert (told >= 2) == pair["facts"]["working"], text(pair["chosen"])
        if share == 0.5 and not pair["facts"]["working"]:
            assert not any(record.text_of(pair["prompt"]).endswith(ask) for ask in levels.MAKERS[task].SHOW)


def test_the_default_said_aloud_gives_the_same_records(tmp_path):
    store = Store(tmp_path)
    silent, aloud = (
        list(levels.generate("search", n=6, working=working, images=store, size=32))
        for working in (None, 0.5)
    )
    assert silent == aloud


def shows(labels: dict, concept: str) -> bool:
    if labels["kind"] == "face":
        return concept.split(" ", 1)[1] == words.noun_of(labels)
    names = {g["shape"] for g in labels["groups"]} | {f"{g['colour']} {g['shape']}" for g in labels["groups"]}
    return concept.split(" ", 1)[1] in names


def test_vqa_asks_about_the_image_that_it_names(pairs):
    assert {pair["negative"] for pair in pairs["vqa"]} == set(vqa.NEGATIVES)
    for pair in pairs["vqa"]:
        facts, (at,) = pair["facts"], pair["target"]
        asked = record.text_of(pair["prompt"]).rsplit("\n", 1)[-1]
        assert re.findall(r"Image (\d)", asked) == [str(at + 1)]
        questions = {q.ask: q for q in words.questions(facts["labels"][at])}
        assert questions[facts["question"]].answer == facts["answer"]
        assert text(pair["chosen"]).lower().strip(".") == facts["answer"]
        assert text(pair["rejected"]).lower().strip(".") != facts["answer"]


def test_at_least_ten_phrasings():
    assert len(set(search.ASKS)) >= 10 and len(set(vqa.FRAMES)) >= 10
    for asks in (*arithmetic.ASKS.values(), *kinship.ASKS.values()):
        assert len(set(asks)) >= 10


def test_phrasings_of_kinship_keep_the_direction():
    """Both directions are asked; in every phrasing of is-parent {a} is the parent."""
    for ask in kinship.ASKS["is-parent"]:
        first = ask.index("{a}") < ask.index("{b}")
        assert first or "child" in ask, ask


@pytest.mark.parametrize("task", TASKS)
def test_same_seed_same_bytes_and_shards_make_the_whole(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def made(**more) -> list[str]:
        return [json.dumps(pair) for pair in levels.generate(task, n=10, size=32, images=Store("i"), **more)]

    whole = made(seed=5)
    assert whole == made(seed=5)
    assert whole == [line for i in (1, 2, 3, 4) for line in made(seed=5, shard=(i, 4))]
    assert not set(whole) & set(made(seed=6))


def test_held_out_shares_no_image_and_no_family_with_train(tmp_path):
    store = Store(tmp_path)
    for task in TASKS:
        train, held = (
            [pair for pair in levels.generate(task, n=60, images=store, size=64, split=split)]
            for split in ("train", "heldout")
        )
        assert not {i for p in train for i in p["images"]} & {i for p in held for i in p["images"]}
        assert not {i for p in train for i in p["facts"].get("families", ())} & {
            i for p in held for i in p["facts"].get("families", ())
        }


def test_negatives_can_be_chosen_and_unknown_ones_are_refused(tmp_path):
    made = levels.generate("search", n=12, negatives={"generic": 1.0}, images=Store(tmp_path), size=32)
    assert {pair["negative"] for pair in made} == {"generic"}
    with pytest.raises(SourceError, match="no negatives of kind 'rude'"):
        next(levels.generate("search", n=1, negatives={"rude": 1.0}, images=Store(tmp_path)))


def test_of_several_samples_the_most_frequent_wrong_one_is_taken(tmp_path):
    def answer(rows, key):
        return [["", "Purple elephants.", "Red mice.", "Red mice."] for _ in rows]

    made = list(
        levels.generate("vqa", n=5, images=Store(tmp_path), size=32, answer=answer, per_prompt=(2, 3))
    )
    assert [text(pair["rejected"]) for pair in made] == ["Red mice."] * 5


def test_a_models_right_answers_are_no_negatives(tmp_path):
    """The answering function is a stranger's: right on every second question, silent on some."""
    asked: list[str] = []

    def answer(rows, key):
        assert key
        replies = []
        for messages, pictures in rows:
            assert all(picture.size == (32, 32) for picture in pictures)
            asked.append(record.text_of(messages))
            replies.append([("", "Purple elephants.", "Two. Red. Large. Star.")[len(asked) % 3]])
        return replies

    tally: Counter = Counter()
    made = list(
        levels.generate(
            "vqa", n=40, images=Store(tmp_path), size=32, answer=answer, tally=tally, per_prompt=(2, 3)
        )
    )
    assert len(made) == 40 and {pair["negative"] for pair in made} == {"hallucination"}
    assert tally["the model said nothing"] > 5
    for pair in made:
        record.check(pair)
        assert text(pair["rejected"]).lower() != text(pair["chosen"]).lower()
        assert pair["grounding"]["rejected"]
