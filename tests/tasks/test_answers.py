"""What the answers of every level say is derived again here, from `facts` alone."""

from __future__ import annotations

import re
from collections import Counter

from s2h.record import text_of
from s2h.sources.builtin import words
from s2h.tasks import arithmetic, compare, kinship, search, search_words


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
        said, wrong = final_number(text_of(pair["chosen"])), final_number(text_of(pair["rejected"]))
        assert said == right and wrong != right
        possible = {
            "sum": range(9 * len(read) + 1),
            "difference": range(10),
            "count-equal": range(len(values) + 1),
        }
        assert wrong in possible.get(facts["operation"], names), (wrong, pair)
        asked = text_of(pair["prompt"])
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
        facts, chosen, rejected = pair["facts"], text_of(pair["chosen"]), text_of(pair["rejected"])
        people, a, b, relation = facts["people"], facts["a"], facts["b"], facts["relation"]
        elder, younger, *_ = kinship.RELATIONS[relation]
        forms[facts["form"]] += 1
        short = text_of(pair["prompt"]).endswith(("Answer briefly.", "Give a short answer."))

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
            said = text_of(pair[side])
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
        asked = text_of(pair["prompt"])
        assert facts["concept"] in asked and not re.search(r"\d|first|second|third", asked, re.IGNORECASE)
        reading = [shows(label, facts["concept"]) for label in labels]
        there = [i for i, yes in enumerate(reading) if yes]
        assert facts["shown_by"] == there
        *told, said = text_of(pair["chosen"]).splitlines()
        *mistold, wrong = text_of(pair["rejected"]).splitlines()
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
        final = text_of(pair["chosen"]).split(". ")[-1]
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
        assert text_of(pair["rejected"]).split(". ")[-1] != final
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


def shows(labels: dict, concept: str) -> bool:
    if labels["kind"] == "face":
        return concept.split(" ", 1)[1] == words.noun_of(labels)
    names = {g["shape"] for g in labels["groups"]} | {f"{g['colour']} {g['shape']}" for g in labels["groups"]}
    return concept.split(" ", 1)[1] in names


def test_vqa_asks_about_the_image_that_it_names(pairs):
    assert {pair["negative"] for pair in pairs["vqa"]} == {"wrong-attribute", "other-image"}
    for pair in pairs["vqa"]:
        facts, (at,) = pair["facts"], pair["target"]
        asked = text_of(pair["prompt"]).rsplit("\n", 1)[-1]
        assert re.findall(r"Image (\d)", asked) == [str(at + 1)]
        questions = {q.ask: q for q in words.questions(facts["labels"][at])}
        assert questions[facts["question"]].answer == facts["answer"]
        assert text_of(pair["chosen"]).lower().strip(".") == facts["answer"]
        assert text_of(pair["rejected"]).lower().strip(".") != facts["answer"]
