"""Tell what a noun names, by its first sense in the tables: a person, an animal, a vehicle, a place, a part of a body.

`noun_phrases.py` reads words behind these nouns differently: a person does what a verb says, a thing may be named by it.
"""

from __future__ import annotations

from functools import lru_cache

from s2h.language import word_tables
from s2h.language.nouns import MASS
from s2h.language.word_forms import singular
from s2h.language.word_tables import word_set

# What people do to animals, and with them where a thing for it follows ("Dog grooming table"). The animal may be missing in
# the picture.
_DONE_TO = word_set("watching spotting farming breeding milking shearing hunting")
_DONE_WITH = word_set(
    "racing riding walking grooming training feeding fighting herding boarding jumping sledding changing"
)
_DONE_WITH_VEHICLES = word_set("racing riding spotting parking washing building driving repairing sharing")
# What only people do: behind a thing it names a sport or a craft ("Ice skating in the park").
_DONE_BY_PEOPLE = word_set(
    """skating climbing tasting surfing diving hunting watching dancing lifting fishing riding gazing picking throwing
    carving making eating drinking tubing skiing racing hiking farming fighting shopping painting knitting weaving brewing
    boxing jumping walking collecting spotting"""
)

_KINDS_OF_PLACE = word_set("room building workplace road passageway farm arena depository") | {
    "business establishment", "building complex", "athletic facility", "health facility", "dry land",
}  # fmt: skip
_PLACES = word_set(
    """park garden yard beach hillside hill mountain lake river sea ocean pool harbor harbour port track station platform
    stage lane path trail sidewalk pasture market court playground"""
)


@lru_cache(maxsize=1 << 14)
def is_body_part(noun: str) -> bool:
    """Tell whether a noun in the singular names a part of a body, by its first sense."""
    return word_tables.things().first_file(noun) == "body"


@lru_cache(maxsize=1 << 14)
def moves(head: str) -> bool:
    """Tell whether a noun names a vehicle, which does what a participle behind it says: "Train crossing a bridge"."""
    noun, things = singular(head), word_tables.things()
    above = things.above(things.senses.get(noun, ())[:1])
    named = {name for number in above for name in things.names[number]}
    return "vehicle" in named or "vehicle" in word_tables.everyday().kinds.get(noun, ())


@lru_cache(maxsize=1 << 14)
def acts(head: str) -> bool:
    """Tell whether a noun names a person or an animal: a word behind it that can be a verb mostly is one."""
    noun, things = singular(head), word_tables.things()
    kinds = {things.files[number] for number in things.senses.get(noun, ())[:1]}
    alive = kinds & {"person", "animal"} or noun in ("person", "animal")  # WordNet's tops are in no such file
    unknown = not kinds and noun not in MASS and noun not in word_tables.everyday().things
    return bool(alive) or (noun.endswith("er") and unknown)


@lru_cache(maxsize=1 << 14)
def is_person(noun: str) -> bool:
    """Tell whether a noun in the singular names a person, by its first sense.

    For a noun that names an animal too ("kid", "whale") the everyday table must say so.
    """
    things, everyday = word_tables.things(), word_tables.everyday()
    files = [things.files[number] for number in things.senses.get(noun, ())]
    human = noun in everyday.kinds or noun in everyday.same
    return noun == "person" or (files[:1] == ["person"] and (human or "animal" not in files))


@lru_cache(maxsize=1 << 14)
def may_be_person(noun: str) -> bool:
    """Tell whether a noun in the singular may name a person. When in doubt ("racer", "builder"), return True."""
    things, everyday = word_tables.things(), word_tables.everyday()
    return any(
        "person" in everyday.kinds.get(name, ())
        or things.first_file(name) == "person"
        or (acts(name) and not is_animal(name))
        for name in (noun, *everyday.same.get(noun, ()))
    )


@lru_cache(maxsize=1 << 14)
def is_animal(head: str) -> bool:
    """Tell whether a noun names an animal, by its first sense, or by another one where the first names a person
    ("whale")."""
    things = word_tables.things()
    files = [things.files[number] for number in things.senses.get(singular(head), ())]
    return files[:1] == ["animal"] or (files[:1] == ["person"] and "animal" in files and "food" not in files)


@lru_cache(maxsize=1 << 14)
def is_place(noun: str) -> bool:
    """Tell whether a noun in the singular names somewhere to be, by its first sense: "kitchen", "beach", "street"."""
    things = word_tables.things()
    first = things.senses.get(noun, ())[:1]
    if noun.rpartition(" ")[2] in _PLACES or any(things.files[number] == "location" for number in first):
        return True
    return any(name in _KINDS_OF_PLACE for number in things.above(first) for name in things.names[number])


def may_name_an_act(head: str, gerund: str, after: str, goes_on: bool) -> bool:
    """Tell whether a noun and a gerund may name an activity: "Horse racing track" and "Whale watching", not "Horse
    racing past".

    after: the next word. goes_on: whether the phrase may go on to it.
    """
    if acts(head):
        done = is_animal(head) or head == "baby"
        return done and (gerund in _DONE_TO or (gerund in _DONE_WITH and goes_on and not acts(after)))
    if moves(head):
        return goes_on and gerund in _DONE_WITH_VEHICLES and not moves(after)
    return gerund in _DONE_BY_PEOPLE or goes_on
