"""Every level on the built-in world: what the answers say is derived again here, from `facts` alone."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from s2h import record, tasks
from s2h.images.store import Store
from s2h.sources import SourceError
from s2h.sources.builtin import words
from s2h.tasks import arithmetic, compare, hallucinations, kinship, search, search_words, vqa
from s2h.tasks.hallucinations import Answerer
from s2h.tasks.item_pair import Pair, Posed
from tests.support.undrawn import undrawn

TASKS = tuple(tasks.by_level())
SHOW = {
    "kinship": kinship.SHOW,
    "arithmetic": arithmetic.SHOW,
    "compare": compare.SHOW,
    "search": search_words.SHOW,
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> dict[str, list[dict]]:
    store = Store(tmp_path_factory.mktemp("images"))
    with undrawn():
        return {task: list(tasks.generate(task, n=400, seed=11, images=store)) for task in TASKS}


def text(answer: list[dict]) -> str:
    return record.text_of(answer)


def test_records_meet_the_contract(pairs):
    for task, made in pairs.items():
        assert len(made) == 400 and len({pair["id"] for pair in made}) == 400
        for pair in made:
            record.check(pair)
            assert (
                pair["task"] == task
                and pair["level"] == tasks.by_level()[task].level
                and pair["source"] == "builtin"
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


@pytest.mark.parametrize("task", TASKS)
def test_places_take_turns(task, tmp_path):
    """Of a run's slots each number of images and each place of a target has its share by construction."""
    forms = {"forms": {"caption": 1}} if task == "search" else {}
    with undrawn():
        made = list(tasks.generate(task, n=1200, images=Store(tmp_path), **forms))
    sizes = Counter(len(pair["images"]) for pair in made)
    assert set(sizes) == {2, 3, 4, 5} and max(sizes.values()) - min(sizes.values()) <= 2
    if task in ("vqa", "kinship", "search"):
        for n in (3, 4, 5):
            places = Counter(p for pair in made if len(pair["images"]) == n for p in pair["target"])
            assert max(places.values()) - min(places.values()) <= 12, (n, places)


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
    assert operation in (("larger", "smaller") if len(read) == 2 else ("largest", "smallest"))
    best = max(read) if operation.startswith("large") else min(read)
    assert read.count(best) == 1
    return names[read.index(best)]


def final_number(said: str) -> int:
    return int(re.findall(r"\d+", said.split(". ")[-1])[0])


def is_elder(relation: str, x: dict, y: dict) -> bool:
    """Whether x is the parent, grandparent or sibling of y, from what the facts tell of both."""
    if relation == "parent":
        return x["person"] in y["parents"]
    if relation == "grandparent":
        elder = x["role"].startswith(("mother's", "father's"))
        return x["family"] == y["family"] and elder and y["role"] in ("son", "daughter")
    return x is not y and bool(x["parents"]) and x["parents"] == y["parents"]


def test_kinship_is_right_when_derived_from_the_family(pairs):
    forms, truths = Counter(), Counter()
    for pair in pairs["kinship"]:
        facts, chosen, rejected = pair["facts"], text(pair["chosen"]), text(pair["rejected"])
        people, a, b, relation = facts["people"], facts["a"], facts["b"], facts["relation"]
        elder, younger, *_ = kinship.RELATIONS[relation]
        forms[facts["form"]] += 1
        short = record.text_of(pair["prompt"]).endswith(("Answer briefly.", "Give a short answer."))

        def holds(x: int, y: int, people=people, relation=relation) -> bool:
            return is_elder(relation, people[x], people[y])

        if facts["answer_type"] == "yes/no":
            truth = holds(a, b) or (facts["form"] == "are-kin" and holds(b, a))
            truths[truth] += 1
            assert facts["answer"] == ("yes" if truth else "no")
            right, wrong = ("Yes", "No") if truth else ("No", "Yes")
            assert "parent and child" not in chosen
            if short:
                assert (chosen, rejected) == (f"{right}.", f"{wrong}.")
                continue
            assert (
                f"{right}, the person in Image {a + 1}" in chosen
                and f"{wrong}, the person in Image {a + 1}" in rejected
            )
            if "the child of" in chosen or "the grandchild of" in chosen:
                assert holds(b, a)
            if "the parent of" in chosen or "the grandparent of" in chosen:
                assert holds(a, b)
            if "not related" in chosen:
                assert people[a]["family"] != people[b]["family"]
        else:
            pattern = r"Image (\d+)\.$" if short else rf"Image (\d+) shows the (?:{elder}|{younger})\.$"
            named, other = (int(re.findall(pattern, said)[0]) - 1 for said in (chosen, rejected))
            assert facts["answer"] == named + 1 != other + 1
            if facts["form"].startswith("which"):
                assert holds(named, other)
            else:
                related = [i for i in range(len(people)) if holds(a, i) or holds(i, a)]
                assert related == [named]
                assert (
                    holds(a, named)
                    if facts["form"] == f"find-{younger}" and elder != younger
                    else holds(named, a)
                )
        # Only the two who are asked about may be kin: everybody else is of a family of his own.
        families = Counter(person["family"] for person in people)
        shared = [p["family"] for p in people if families[p["family"]] > 1]
        assert len(shared) in (0, 2) and all(
            families[p["family"]] == 1 for i, p in enumerate(people) if i not in (a, b)
        )
    assert {"is-parent", "are-kin", "which-grandparent", "find-child", "find-sibling"} <= set(forms)
    assert abs(truths[True] - truths[False]) < 0.35 * sum(truths.values())


LOOKS = re.compile(r"Image (\d+) shows an? [a-z ]+ with (\w+) (\w+) hair, (\w+) skin and (\w+) eyes\.")
LIKENESS = re.compile(r"Images (\d+) and (\d+) (?:both have ([a-z, ]+)|have none of this in common)\.")


def test_the_working_of_kinship_compares_the_looks_and_decides_the_question(pairs):
    """Who has at least two of form and colour of the hair, skin and eyes in common with somebody is related."""
    compared = Counter()
    for pair in pairs["kinship"]:
        facts = pair["facts"]
        for side in ("chosen", "rejected"):
            said = text(pair[side])
            looks = {int(at): told for at, *told in LOOKS.findall(said)}
            likeness = LIKENESS.findall(said)
            if not facts["working"] or facts["form"].startswith("which"):
                assert not likeness
                continue
            if side == "chosen":
                for at, told in looks.items():
                    label = facts["labels"][at - 1]
                    assert told == [label[t] for t in ("texture", "hair", "skin", "eyes")]
            known, kin = facts["a"] + 1, set()
            assert [int(one) + int(other) - known for one, other, _ in likeness] == [
                i for i in looks if i != known
            ]
            for one, other, told in likeness:
                assert int(one) < int(other) and known in (int(one), int(other))
                same = [x if x == y else "" for x, y in zip(looks[int(one)], looks[int(other)], strict=True)]
                hair = " ".join(filter(None, same[:2]))
                parts = (
                    [f"{hair} hair"] * bool(hair)
                    + [f"{same[2]} skin"] * bool(same[2])
                    + [f"{same[3]} eyes"] * bool(same[3])
                )
                assert told == ", ".join(parts[:-1]) + " and " * (len(parts) > 1) + "".join(parts[-1:])
                compared[len(list(filter(None, same)))] += 1
                if len(list(filter(None, same))) >= 2:
                    kin.add(int(one) + int(other) - known)
            if facts["answer_type"] == "yes/no":
                assert bool(kin) == ("not related" not in said)
            else:
                assert len(looks) == len(facts["labels"]) and kin == {
                    int(re.findall(r"Image (\d+)", said)[-1])
                }
    assert set(compared) >= {0, 1, 2, 3}


def test_kinship_strangers_resemble_less_than_kin(pairs):
    for pair in pairs["kinship"]:
        facts = pair["facts"]
        labels, people = facts["labels"], facts["people"]
        for x in range(len(labels)):
            for y in range(x):
                if {x, y} != {facts["a"], facts["b"]}:
                    continue
                same = {t for t in labels[x] if labels[x][t] == labels[y][t]} - {"kind", "sex", "age"}
                told = same & {"hair", "texture", "skin", "eyes"}
                kin = people[x]["family"] == people[y]["family"]
                assert (len(same) >= 4 and len(told) >= 2) if kin else (len(same) <= 2 and len(told) <= 1)


def test_search_names_no_index_and_only_the_target_shows_the_concept(pairs):
    negatives, forms = Counter(), Counter()
    for pair in pairs["search"]:
        facts, target = pair["facts"], pair["target"]
        labels, form = facts["labels"], facts["form"]
        negatives[pair["negative"]] += 1
        forms[form] += 1
        asked = record.text_of(pair["prompt"])
        assert facts["concept"] in asked and not re.search(r"\d|first|second|third", asked, re.IGNORECASE)
        reading = [shows(label, facts["concept"]) for label in labels]
        there = [i for i, yes in enumerate(reading) if yes]
        assert facts["shown_by"] == there
        *told, said = text(pair["chosen"]).splitlines()
        *mistold, wrong = text(pair["rejected"]).splitlines()
        assert len(told) == len(mistold) == facts["working"]
        if told:
            last = len(labels) if form == "count" or not there else there[0] + 1
            assert told == [scan(facts["concept"], reading[:last])]
        if form == "count":
            assert facts["answer"] == len(there) and said.endswith(f" is {len(there)}.")
            assert abs(int(wrong.rstrip(".").split()[-1]) - len(there)) == 1
            continue
        assert len(there) <= 1 and target == (there or list(range(len(labels))))
        if not there:
            assert facts["answer"] == "none" and said == search_words.none_shows(facts["concept"])
            assert wrong != said
        elif form == "locate":
            assert facts["answer"] == there[0] + 1
            assert f"Image {there[0] + 1}" in said and f"Image {there[0] + 1}" not in wrong
        else:
            assert words.holds(said, labels[there[0]])
            assert wrong.startswith("None of") or not words.holds(wrong, labels[there[0]])
            if told and pair["negative"] == "other-image":
                ends = [i for i in range(len(labels)) if words.holds(wrong, labels[i])]
                scans = [scan(facts["concept"], [p == end for p in range(end + 1)]) for end in ends]
                assert mistold[0] in scans
    assert set(negatives) == set(search.NEGATIVES) and set(forms) == set(search.FORMS)


def scan(concept: str, reading: list[bool]) -> str:
    none = f"no {concept.split(' ', 1)[1]}"
    return " ".join(f"Image {i + 1} shows {concept if yes else none}." for i, yes in enumerate(reading))


def test_compare_is_right_when_done_again(pairs):
    forms = Counter()
    for pair in pairs["compare"]:
        facts = pair["facts"]
        values, operands = facts["values"], facts["operands"]
        read = [values[p] for p in operands]
        forms[facts["form"]] += 1
        for label, value in zip(facts["labels"], values, strict=True):
            assert value_in(label, facts["trait"], value)
        final = text(pair["chosen"]).split(". ")[-1]
        named = [int(n) - 1 for n in re.findall(r"Image (\d+)", final)]
        if facts["form"] in ("same", "different"):
            yes = (read[0] == read[1]) == (facts["form"] == "same")
            assert facts["answer"] == ("yes" if yes else "no") and final.startswith("Yes" if yes else "No")
        elif facts["form"] == "odd":
            assert values.count(values[named[0]]) == 1 and len(set(values)) == 2
        elif facts["form"] == "order":
            assert [values[p] for p in named] == sorted(values, reverse=facts["descending"])
        else:
            assert values[named[0]] == (max if facts["form"] == "more" else min)(read)
        assert text(pair["rejected"]).split(". ")[-1] != final
    assert set(forms) == set(compare.ASKS)


def value_in(label: dict, trait: str, value: object) -> bool:
    if trait.startswith("number of "):
        shape = words.SINGULAR[trait.removeprefix("number of ")]
        return [g["count"] for g in label["groups"] if g["shape"] == shape] == [value]
    return {
        "digit": lambda: label["value"] == value,
        "kind of person": lambda: words.noun_of(label) == value,
        "kind of object": lambda: [g["shape"] for g in label["groups"]] == [value],
        "colour of the background": lambda: label["background"] == value,
    }[trait]()


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
def test_twins_turn_the_answers_round(task, tmp_path):
    made = list(tasks.generate(task, n=60, twins=True, images=Store(tmp_path), size=32))
    assert len(made) == 120
    for pair, twin in zip(made[::2], made[1::2], strict=True):
        record.check(twin)
        assert pair["facts"]["twin"] == twin["facts"]["twin"] == pair["id"] != twin["id"]
        assert pair["prompt"] == twin["prompt"] and pair["images"] != twin["images"]
        assert (pair["chosen"], pair["rejected"]) == (twin["rejected"], twin["chosen"])
        assert pair["grounding"]["chosen"] == twin["grounding"]["rejected"]
        if task == "arithmetic":
            assert [label["value"] for label in twin["facts"]["labels"]] == twin["facts"]["values"]
        if task == "search" and twin["facts"]["answer_type"] == "caption" and twin["facts"]["shown_by"]:
            (at,) = twin["target"]
            assert words.holds(text(twin["chosen"]).splitlines()[-1], twin["facts"]["labels"][at])
        if task == "kinship" and twin["facts"]["answer_type"] == "image":
            facts = twin["facts"]
            assert str(facts["answer"]) in text(twin["chosen"]).split(". ")[-1]


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
@pytest.mark.parametrize("layout", ["sequence", "grid"])
def test_an_image_side_has_the_images_of_the_twin(task, layout, tmp_path):
    settings = {"n": 8, "twins": True, "layout": layout, "images": Store(tmp_path), "size": 32}
    couples = list(tasks.generate(task, **settings))
    made = list(tasks.generate(task, **settings, image_side=True, workers=1))
    assert len(couples) == 16 and len(made) == 8
    for pair, twin, one in zip(couples[::2], couples[1::2], made, strict=True):
        record.check(one)
        pair["facts"].pop("twin")
        assert one == {**pair, "rejected_images": twin["images"]}


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
def test_what_is_chosen_is_rejected_as_often(task, tmp_path):
    """The conclusions of right and wrong answers come from one distribution, so that no answer is wrong by its words."""
    from scipy.stats import chi2_contingency

    forms = {"forms": {"locate": 1, "count": 1, "absent": 1}} if task == "search" else {}
    sides = [Counter(), Counter()]
    with undrawn():
        made = list(tasks.generate(task, n=3000, images=Store(tmp_path), **forms))
    for pair in made:
        kind = pair["facts"].get("operation") or pair["facts"]["form"]
        for side, which in zip(sides, ("chosen", "rejected"), strict=True):
            final = text(pair[which]).splitlines()[-1].split(". ")[-1]
            concluded = re.sub(r"an? [a-z ]+\.$|(?<=with )an? .*(?= is )", "it", final)
            side[
                kind, concluded if len(concluded) < 80 and not concluded.endswith("background.") else "text"
            ] += 1
    common = [key for key in sides[0] | sides[1] if sides[0][key] + sides[1][key] >= 20]
    table = [[side[key] for key in common] for side in sides]
    assert len(common) > 10 and chi2_contingency(table).pvalue > 1e-3


def test_what_is_not_there_is_named_without_its_article():
    for concept, said in (
        ("a fish", "no fish"),
        ("an old man", "no old man"),
        ("dogs", "no dogs"),
        ("apple pies", "no apple pies"),
    ):
        assert search_words.absent(concept) == said


@pytest.mark.parametrize("task", ["kinship", "arithmetic", "compare", "search"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_prompts_that_ask_for_the_working(task, share, tmp_path):
    with undrawn():
        made = list(tasks.generate(task, n=120, working=share, images=Store(tmp_path)))
    asked = [pair["facts"]["working"] for pair in made]
    assert abs(sum(asked) / len(asked) - share) < (0.15 if share == 0.5 else 1e-9)
    for pair in made:
        if task == "search":
            told = text(pair["chosen"]).count("\n") == 1
        else:  # a conclusion that names an image says 'shows' once as well
            told = len(re.findall(r"Image \d+ shows", text(pair["chosen"]))) >= 2
        assert told == pair["facts"]["working"], text(pair["chosen"])
        if share == 0.5 and not pair["facts"]["working"]:
            assert not any(record.text_of(pair["prompt"]).endswith(ask) for ask in SHOW[task])


def test_the_default_said_aloud_gives_the_same_records(tmp_path):
    store = Store(tmp_path)
    silent, aloud = (
        list(tasks.generate("search", n=6, working=working, images=store, size=32)) for working in (None, 0.5)
    )
    assert silent == aloud


def shows(labels: dict, concept: str) -> bool:
    if labels["kind"] == "face":
        return concept.split(" ", 1)[1] == words.noun_of(labels)
    names = {g["shape"] for g in labels["groups"]} | {f"{g['colour']} {g['shape']}" for g in labels["groups"]}
    return concept.split(" ", 1)[1] in names


def test_vqa_asks_about_the_image_that_it_names(pairs):
    assert {pair["negative"] for pair in pairs["vqa"]} == {"wrong-attribute", "other-image"}
    for pair in pairs["vqa"]:
        facts, (at,) = pair["facts"], pair["target"]
        asked = record.text_of(pair["prompt"]).rsplit("\n", 1)[-1]
        assert re.findall(r"Image (\d)", asked) == [str(at + 1)]
        questions = {q.ask: q for q in words.questions(facts["labels"][at])}
        assert questions[facts["question"]].answer == facts["answer"]
        assert text(pair["chosen"]).lower().strip(".") == facts["answer"]
        assert text(pair["rejected"]).lower().strip(".") != facts["answer"]


def test_at_least_ten_phrasings():
    assert len(set(vqa.FRAMES)) >= 10
    for maker in (arithmetic, kinship, compare, search_words):
        for asks in maker.ASKS.values():
            assert len(set(asks)) >= 10


def test_phrasings_of_kinship_keep_the_direction():
    """Both directions are asked; in every phrasing of is-parent {a} is the parent."""
    for ask in kinship.ASKS["is-elder"]:
        first = ask.index("{a}") < ask.index("{b}")
        assert first or "{younger}" in ask, ask


@pytest.mark.parametrize("task", TASKS)
def test_same_seed_same_bytes_and_shards_make_the_whole(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def made(**more) -> list[str]:
        return [json.dumps(pair) for pair in tasks.generate(task, n=10, size=32, images=Store("i"), **more)]

    whole = made(seed=5)
    assert whole == made(seed=5)
    assert whole == [line for i in (1, 2, 3, 4) for line in made(seed=5, shard=(i, 4))]
    assert not set(whole) & set(made(seed=6))


def test_held_out_shares_no_image_and_no_family_with_train(tmp_path):
    store = Store(tmp_path)
    for task in TASKS:
        train, held = (
            [pair for pair in tasks.generate(task, n=20, images=store, size=32, split=split)]
            for split in ("train", "heldout")
        )
        assert not {i for p in train for i in p["images"]} & {i for p in held for i in p["images"]}
        assert not {i for p in train for i in p["facts"].get("families", ())} & {
            i for p in held for i in p["facts"].get("families", ())
        }


def test_negatives_can_be_chosen_and_unknown_ones_are_refused(tmp_path):
    made = tasks.generate("search", n=12, negatives={"generic": 1.0}, images=Store(tmp_path), size=32)
    assert {pair["negative"] for pair in made} == {"generic"}
    with pytest.raises(SourceError, match="no negatives of kind 'rude'"):
        next(tasks.generate("search", n=1, negatives={"rude": 1.0}, images=Store(tmp_path)))


def test_of_several_samples_the_most_frequent_wrong_one_is_taken(tmp_path):
    def answer(rows, key):
        return [["", "Purple.", "It is red.", "Red!"] for _ in rows]

    made = list(
        tasks.generate(
            "vqa", n=12, images=Store(tmp_path), size=32, answerer=Answerer(answer), per_prompt=(2, 3)
        )
    )
    assert len(made) > 8
    for pair in made:  # what the model said is rejected, or right on a picture that it would take for another
        where = "rejected" if pair["negative"] == "hallucination" else "chosen"
        assert (
            text(pair[where]) == "Red."
            or "Red." == text(pair["chosen"]) != text(pair["rejected"]) == "Purple."
        )


def test_a_models_right_answers_are_no_negatives(tmp_path):
    """The answering function is a stranger's: right on every second question, silent on some."""
    asked: list[str] = []

    def answer(rows, key):
        assert key
        replies = []
        for messages, pictures in rows:
            assert all(picture.size == (32, 32) for picture in pictures)
            asked.append(record.text_of(messages))
            replies.append(
                [("", "That would be purple.", "Two", "a small one", "I'm not sure.")[len(asked) % 5]]
            )
        return replies

    tally: Counter = Counter()
    made = list(
        tasks.generate(
            "vqa",
            n=40,
            images=Store(tmp_path),
            size=32,
            answerer=Answerer(answer),
            tally=tally,
            per_prompt=(2, 3),
        )
    )
    assert len(made) > 30 and {pair["negative"] for pair in made} == {"hallucination", "confusion"}
    assert tally["the model said nothing"] > 5 and tally["the model refused"] > 5
    assert tally["no value of this kind of question"] > 5
    for pair in made:
        record.check(pair)
        assert text(pair["rejected"]).lower() != text(pair["chosen"]).lower()
        assert pair["grounding"]["rejected"]


def test_questions_about_images_that_are_not_there(tmp_path):
    with undrawn():
        made = list(tasks.generate("vqa", n=200, nonexistent=1.0, images=Store(tmp_path)))
    kinds = Counter(pair["negative"] for pair in made)
    assert set(kinds) == {"nonexistent", "false-denial"} and abs(kinds["nonexistent"] - 100) < 35
    for pair in made:
        record.check(pair)
        named = int(re.findall(r"Image (\d+)", record.text_of(pair["prompt"]).rsplit("\n", 1)[-1])[0])
        denial, other = (
            ("chosen", "rejected") if pair["negative"] == "nonexistent" else ("rejected", "chosen")
        )
        assert text(pair[denial]) == f"There is no Image {named}." != text(pair[other])
        assert (named > len(pair["images"])) == (pair["negative"] == "nonexistent")


def test_a_model_that_denies_what_is_not_there_is_right(tmp_path):
    said = iter(["There are only three images.", "Red.", "A star."] * 1000)

    def answer(rows, key):
        return [[next(said)] for _ in rows]

    made = list(
        tasks.generate(
            "vqa", n=40, nonexistent=1.0, images=Store(tmp_path), size=32, answerer=Answerer(answer)
        )
    )
    wrong = {text(pair["rejected"]) for pair in made if pair["negative"] == "nonexistent"}
    assert wrong and wrong <= {"Red.", "Star."}


def test_an_answer_of_many_words_is_judged_by_its_sense():
    from s2h.sources import Question

    right = "The man in the red jacket rides a brown horse."
    question = Question("q", "?", right, (), "{}")
    pair = Pair([], "", "", "", "hallucination", [0], {}, posed=Posed(question))

    def kind(reply: str, alike=None) -> str:
        return hallucinations.judged(pair, reply, alike).kind

    assert kind("I see the man in the red jacket; he rides a brown horse.") == "right"
    assert kind("A woman in a long blue dress walks a dog.") == "wrong"
    assert kind("A rider on horseback wears a red jacket.", lambda one, other: True) == "right"
    assert kind("A rider on horseback wears a red jacket.", lambda one, other: False) == "wrong"
    assert kind("A woman.") == "undecided", "its length would tell"


def test_similar_distractors(tmp_path):
    import numpy as np

    from s2h.tasks.similar import Similar

    def embed(picture):
        vector = np.asarray(picture.resize((4, 4)), dtype=float).ravel() - 128
        return vector / np.linalg.norm(vector)

    def cosines(**more) -> list[float]:
        found = []
        for pair in tasks.generate("vqa", n=40, images=Store(tmp_path), size=32, **more):
            from s2h.images.decoding import open_images

            vectors = [embed(picture) for picture in open_images(pair)]
            (at,) = pair["target"]
            found += [float(vectors[at] @ v) for i, v in enumerate(vectors) if i != at]
        return found

    near = cosines(similar=Similar(embed, 32, (0.6, 0.95)))
    assert all(0.55 < value < 0.96 for value in near) and min(cosines()) < 0.5
