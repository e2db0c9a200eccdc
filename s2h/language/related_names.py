"""Tell which names may mean one thing: synonyms, broader terms, and words that captions use for each other.

A name is a noun phrase, in singular or plural, with or without an article. Its head counts, with the words that make another
thing of it: a hot dog is no dog, a toy truck no truck.
"""

from __future__ import annotations

import re
from functools import lru_cache

from s2h.language import word_tables
from s2h.language.noun_categories import is_animal, may_be_person
from s2h.language.word_forms import shares, singular
from s2h.language.word_tables import word_set

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SKIPPED = word_set(
    """a an the some any this that these those his her their its my our your one two three four five six seven eight nine
    ten several many few couple both all no another each every of"""
)
# Words that make another thing of the noun behind them, and what that thing is. Before animals, people and vehicles all do
# so (a paper plane, a sea lion); before other nouns only the words for toys do: a paper bag is a bag.
_TOYS = word_set("toy stuffed plush teddy lego rocking inflatable miniature model gingerbread doll")
OTHER_THING = {
    **dict.fromkeys(_TOYS, "toy"),
    **dict.fromkeys(word_set("gummy chocolate candy marzipan"), "sweet"),
    **dict.fromkeys(
        word_set("paper snow ice sand rubber cardboard fake plastic wax clay origami ceramic"), ""
    ),
    **dict.fromkeys(word_set("sea guinea corn prairie flying computer chess piggy water paw"), ""),
}
_ALIVE = word_set("animal person vehicle")
# Adjectives that mean the same, and spellings.
_SPELLINGS = {
    "grey": "gray", "elderly": "old", "aged": "old", "big": "large", "huge": "large", "little": "small", "tiny": "small",
    "blonde": "blond", "coloured": "colored", "colourful": "colorful", "wood": "wooden", "colour": "color",
}  # fmt: skip
_SPELLED = {"grey": "gray", "colour": "color", "tyre": "tire", "moustache": "mustache"}
# Synsets whose words are too wide to name anything in a picture.
_WIDE = word_set(
    """entity object whole organism artifact instrumentality matter substance unit thing part article covering surface
    product creation group collection area region location being soul mortal somebody artefact cause commodity facility
    hominid homo primate mammalian"""
)
SEVERAL = 3  # kinds that a noun must have for other names to mean one of them
_GROWS = word_set("tree plant vine bush girl")
# Names of people that exclude each other.
_MALE, _FEMALE = (
    frozenset(("man", "boy", "male", "male child")),
    frozenset(("woman", "girl", "female", "lady")),
)
# Names of animals by their family or their group: a zebra may be "a mother", and elephants "a herd".
_RELATIVES = word_set(
    """mother mom mama father dad parent baby family child kid youngster adult male female infant herd flock pack pod litter
    pride colony swarm school couple pair"""
)
_COLORS = word_set("black white gray red blue green yellow brown orange purple pink golden silver")
# Kinds whose members captions confuse: a collie may be called a poodle, and a sedan a coupe.
_BASIC = word_set(
    """dog cat horse bird fish cow sheep bear snake lizard monkey insect butterfly spider frog flower tree plant car truck
    bus van train boat airplane bicycle motorcycle chair sofa table bed lamp cup glass bottle bowl plate bag hat shirt
    jacket dress shoe boot phone computer clock guitar drum ball bread cake cookie sandwich pizza salad soup cheese
    berry bean house church bridge tower fence sign hammer knife gun sword helmet glove sock sweater coat skirt stove
    television mushroom"""
)


@lru_cache(maxsize=1 << 16)
def parse(phrase: str) -> tuple[str, frozenset[str]]:
    """Return (head, modifiers) of a noun phrase: the head in the singular, with the words that make another thing of it.

    >>> parse("Two brown teddy bears"), parse("a toy truck")
    (('teddy bear', frozenset({'brown'})), ('toy truck', frozenset()))
    """
    *before, last = _WORD.findall(phrase.casefold()) or [""]
    words = [word for word in before if word not in _SKIPPED] + [last]
    if not last:
        return "", frozenset()
    head = _SPELLED.get(words[-1]) or singular(words[-1])
    before = [_SPELLINGS.get(word, word) for word in words[:-1]]
    known, everyday = word_tables.things().senses, word_tables.everyday()
    one = "glass" if head == "glasses" else head  # wine glasses are no spectacles
    for size in (2, 1):
        compound = " ".join((*before[-size:], one))
        if len(before) >= size and _known(compound, known, everyday) and not _only_colored(before[-1], one):
            return compound, frozenset(before[:-size])
    if before and _known(before[-1] + head, known, everyday) and _is_noun(before[-1]):
        return before[-1] + head, frozenset(before[:-1])  # a light house
    mark = before[-1] if before else ""
    if mark in ("letter", "number") and len(head) == 1:
        return f"{mark} {head}", frozenset(before[:-1])
    kinds = _names(head) if mark in OTHER_THING else frozenset()
    if kinds & _ALIVE or (mark in _TOYS and kinds and "food" not in kinds):
        return f"{mark} {head}", frozenset(before[:-1])
    return head, frozenset(before)


def _only_colored(color: str, noun: str) -> bool:
    """Tell whether a color only describes a noun, though the tables have both as the name of something else: a black cat is
    a cat in captions, and a marten in the tables."""
    things, compound = word_tables.things(), f"{color} {noun}"
    if color not in _COLORS or noun not in things.senses or compound in word_tables.everyday().kinds:
        return False
    return things.senses[noun][0] not in things.above(things.senses.get(compound, ()))


def _is_noun(word: str) -> bool:
    share = shares(word)
    return share.get("n", 0) > max(share.get("a", 0), share.get("v", 0))


def _known(noun: str, senses: dict, everyday: word_tables.Everyday) -> bool:
    return noun in senses or noun in everyday.same or noun in everyday.kinds


def head(phrase: str) -> str:
    """Return the head of a noun phrase: "two brown teddy bears" gives "teddy bear"."""
    return parse(phrase)[0]


@lru_cache(maxsize=1 << 14)
def nouns_of(phrase: str) -> frozenset[str]:
    """Return the words of a phrase that are mostly nouns, in the singular: "a red fire truck" gives {"fire", "truck"}."""
    return frozenset(singular(word) for word in _WORD.findall(phrase.casefold()) if _is_noun(singular(word)))


def same(one: str, other: str) -> bool:
    """Tell whether two names are synonyms or spellings of one name: "sofa" and "couch", "grey wall" and "gray wall"."""
    (a, before_a), (b, before_b) = parse(one), parse(other)
    return bool(a) and before_a == before_b and (a == b or b in _synonyms(a))


@lru_cache(maxsize=1 << 18)
def may_be(one: str, other: str) -> bool:
    """Tell whether one name may also describe what the other names: "guy" and "person". When in doubt, return True."""
    a, b = head(one), head(other)
    if not a or not b:
        return False
    if a == b or b in _names(a) or a in _names(b) or b in _near(a) or a in _near(b):
        return True
    if a.endswith(f" {b}") or b.endswith(f" {a}"):  # a mountain goat may be called a goat
        return is_animal(max(a, b, key=len)) and not OTHER_THING.keys() & {*a.split()[:1], *b.split()[:1]}
    if (a in _RELATIVES and is_animal(b)) or (b in _RELATIVES and is_animal(a)):
        return True
    if may_be_person(a) and may_be_person(b):
        return {_sex(a), _sex(b)} != {"male", "female"}
    return not _kinds_of(a).isdisjoint(_kinds_of(b))


@lru_cache(maxsize=1 << 14)
def _kinds_of(noun: str) -> frozenset[str]:
    """Return the kinds in `_BASIC` that a noun names or belongs to."""
    return (_names(noun) | {noun}) & _BASIC


@lru_cache(maxsize=1 << 14)
def _sex(noun: str) -> str:
    """Return "male" or "female" for a person whose first sense, or the everyday table, says so; "" for others.

    A soldier is no man, though WordNet calls him "man" too, in another sense of that word.
    """
    things, named = word_tables.things(), {noun, *word_tables.everyday().above(noun)}
    above = things.above(number for name in named for number in things.senses.get(name, ())[:1])
    for sex, words in (("male", _MALE), ("female", _FEMALE)):
        if named & words or any(things.senses.get(word, (-1,))[0] in above for word in words):
            return sex
    return ""


@lru_cache(maxsize=1 << 14)
def has_kinds(noun: str) -> bool:
    """Tell whether the tables know several kinds of a noun: of a monument, but not of a chessboard."""
    things = word_tables.things()
    return any(things.narrower[sense] >= SEVERAL for sense in things.senses.get(noun, ())[:1])


def is_unknown(noun: str) -> bool:
    """Tell whether no table of visible things has a noun that is nothing but a noun, as is true of most names of places,
    species and makers."""
    return (
        bool(noun)
        and not _known(noun, word_tables.things().senses, word_tables.everyday())
        and shares(noun).keys() <= {"n"}
    )


@lru_cache(maxsize=1 << 14)
def _synonyms(noun: str) -> frozenset[str]:
    """Return the words for the same thing, by the noun's first sense and by the everyday table."""
    found = set(word_tables.everyday().same.get(noun, ()))
    things = word_tables.things()
    for sense in things.senses.get(noun, ())[:1]:
        # a synonym whose own first sense is another one seldom means the same
        firsts = (name for name in things.names[sense] if things.senses.get(name, [-1])[0] == sense)
        found |= {name for name in firsts if not _is_kind(name, noun) and not _is_kind(noun, name)}
    return frozenset(found - word_tables.everyday().unlike.get(noun, set()) - {noun})


def _is_kind(one: str, other: str) -> bool:
    """Tell whether a name is another one with a word more, and so a kind or a part of it: "baseball glove" and
    "glove", "banana tree" and "banana"."""
    return one.endswith(f" {other}") or (one.startswith(f"{other} ") and one.split()[-1] in _GROWS)


@lru_cache(maxsize=1 << 14)
def _names(noun: str) -> frozenset[str]:
    """Return synonyms and broader terms of a head: in all its senses, and in the first one of the everyday table's names."""
    everyday, things = word_tables.everyday(), word_tables.things()
    found = everyday.above(noun) | _synonyms(noun)
    above = set(things.above(things.senses.get(noun, ())))
    for name in tuple(found):
        above |= things.above(things.senses.get(name, ())[:1])
    for kind in everyday.kinds.get(noun, ()):
        found |= everyday.same.get(kind, set())
    mark, _, rest = noun.partition(" ")
    if rest and mark in OTHER_THING and noun not in things.senses:
        found |= _names(OTHER_THING[mark]) | {OTHER_THING[mark]} if OTHER_THING[mark] else set()
    for number in above:
        found |= {word for word in things.names[number] if word not in _WIDE}
    return frozenset(found - {noun, ""})


@lru_cache(maxsize=1 << 14)
def _near(noun: str) -> frozenset[str]:
    """Return the names that captions confuse with a noun, or with the wider noun that it ends in ("table lamp"), from the
    everyday table."""
    near, last = word_tables.everyday().near, noun.rpartition(" ")[2]
    wider = (last,) if last in _names(noun) else ()
    return frozenset().union(*(near.get(name, ()) for name in (noun, *_synonyms(noun), *wider)))
