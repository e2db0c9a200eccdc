"""Families: every label is one of the known ones, and children take after their own parents."""

from __future__ import annotations

import itertools
from collections import Counter
from statistics import mean

import pytest

from s2h.seeds import rng
from s2h.sources.builtin import families

MANY = [families.family(rng(1, "family", i), f"family {i}") for i in range(400)]


def by_role(family: families.Family) -> dict[str, families.Person]:
    return {someone.role: someone for someone in family.people}


def test_three_generations():
    for family in MANY:
        ages = Counter(someone.age for someone in family.people)
        assert (ages["old"], ages["adult"]) == (4, 2)
        assert ages["child"] in (2, 3)
        assert len({someone.key for someone in family.people}) == len(family.people)
        assert all(someone.family == family.key for someone in family.people)
    assert {Counter(p.age for p in family.people)["child"] for family in MANY} == {2, 3}


def test_every_person_has_one_known_value_of_each_trait():
    for family in MANY:
        for someone in family.people:
            assert [name for name, _ in someone.traits] == list(families.TRAITS)
            assert all(value in families.TRAITS[name] for name, value in someone.traits)
            assert someone.trait == dict(someone.traits)
            assert someone.sex in families.SEXES


def test_roles_have_the_sex_and_the_parents_they_name():
    for family in MANY:
        role = by_role(family)
        for whose in ("mother", "father"):
            elders = (role[f"{whose}'s mother"], role[f"{whose}'s father"])
            assert role[whose].parents == tuple(elder.key for elder in elders)
            assert [elder.sex for elder in elders] == ["female", "male"]
            assert all(elder.parents == () for elder in elders)
        assert (role["mother"].sex, role["father"].sex) == ("female", "male")
        for child in family.people[6:]:
            assert child.parents == (role["mother"].key, role["father"].key)
            assert child.role == ("daughter" if child.sex == "female" else "son")


def test_a_child_has_at_least_half_of_each_parents_traits_and_nothing_of_its_own():
    for family in MANY:
        known = {someone.key: someone for someone in family.people}
        for child in family.people:
            if not child.parents:
                continue
            mother, father = (known[key] for key in child.parents)
            for name, value in child.traits:
                assert value in (mother.trait[name], father.trait[name])
            # Four are given by each; a trait that both have counts for both, so never fewer.
            assert families.shared(mother, child) >= 4
            assert families.shared(father, child) >= 4


def test_which_traits_come_from_whom_is_left_to_chance():
    from_mother = Counter()
    children = 0
    for family in MANY:
        role = by_role(family)
        for child in family.people[6:]:
            children += 1
            for name, value in child.traits:
                from_mother[name] += value == role["mother"].trait[name]
    expected = {name: 0.5 + 0.5 / len(values) for name, values in families.TRAITS.items()}
    for name, share in expected.items():
        # Half are hers by assignment, and of the rest the father often has the same value; grandparents are uniform.
        assert from_mother[name] / children == pytest.approx(share, abs=0.07), name


def test_parents_and_children_are_more_alike_than_strangers():
    pairs = [pair for family in MANY for pair in families.parent_pairs(family)]
    kin = mean(families.shared(*pair) for pair in pairs)
    strangers = mean(
        families.shared(one, other)
        for this, that in itertools.pairwise(MANY)
        for one, other in zip(this.people, that.people, strict=False)
    )
    assert kin > 5
    assert strangers < 3.2
    assert kin - strangers > 2


def test_parent_pairs_are_all_of_them_parent_first():
    for family in MANY[:50]:
        pairs = families.parent_pairs(family)
        assert len(pairs) == 4 + 2 * (len(family.people) - 6)
        assert all(parent.key in child.parents for parent, child in pairs)
        older = {"child": 0, "adult": 1, "old": 2}
        assert all(older[parent.age] == older[child.age] + 1 for parent, child in pairs)


def test_shared_counts_equal_traits():
    someone, other = MANY[0].people[0], MANY[1].people[0]
    assert families.shared(someone, someone) == len(families.TRAITS)
    assert families.shared(someone, other) == families.shared(other, someone)
    assert families.shared(someone, other) == sum(
        someone.trait[name] == other.trait[name] for name in families.TRAITS
    )


def test_the_same_seed_gives_the_same_family_and_another_another():
    again = families.family(rng(1, "family", 7), "family 7")
    assert again == MANY[7]
    assert families.family(rng(2, "family", 7), "family 7").people != MANY[7].people


def test_a_stranger_is_of_the_sex_and_age_asked_for_and_of_no_family():
    for sex in families.SEXES:
        for age in families.AGES:
            someone = families.person(rng("stranger"), "stranger 1", sex=sex, age=age)
            assert (someone.sex, someone.age, someone.parents) == (sex, age, ())
            assert someone.family == "stranger 1"


def test_traits_of_strangers_are_about_uniform():
    n = 3000
    people = [families.person(rng("one", i), f"{i}", sex="male", age="adult") for i in range(n)]
    for name, values in families.TRAITS.items():
        counts = Counter(someone.trait[name] for someone in people)
        for value in values:
            assert counts[value] / n == pytest.approx(1 / len(values), abs=0.04), (name, value)
