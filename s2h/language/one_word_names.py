"""Find the one word for a thing: "race car" gives "car", so that pictures of different cars share a concept.

The last word says what a thing is only where the words before it describe it. A bus stop is no stop and a license plate no
plate, so the tables must say that the compound is a kind of what its last word first means.
"""

from __future__ import annotations

from functools import lru_cache

from s2h.language import related_names, word_tables
from s2h.language.concepts import EMPTY
from s2h.language.noun_categories import is_body_part, moves
from s2h.language.word_forms import shares, singular, verb_of
from s2h.language.word_tables import word_set

# With these before it a noun names another thing: a sea lion is no lion, a toy truck no truck.
_OTHER_THING = word_set(
    """sea guinea hot corn prairie flying toy rubber teddy gummy gingerbread chocolate candy marzipan stuffed plastic fake
    rocking computer chess piggy paper snow cardboard model horse water paw"""
)
# Words that need the word before them to say what a thing is, though they have few other meanings.
_NEEDS_MORE = word_set(
    """artist bag bar barrel bed block board booth bulb cab car carriage carrier coach collector control court
    crossing cutter dog end engine face float gear guard hall hand head jam keeper light line lot machine maker meter
    operator patch plate post rack seller sheet stall stand station stick stop system sweeper team tree trunk web
    worker"""
)
_ALIVE = ("person", "animal")


@lru_cache(maxsize=1 << 14)
def general_of(concept: str) -> str:
    """Return the one word for a thing, "" where its last word alone would name another thing ("sea lion") or nothing.

    >>> general_of("race car"), general_of("bus stop"), general_of("letter J")
    ('car', '', '')
    """
    *before, last = concept.split()
    if (
        len(last) < 3
        or not last.isalpha()
        or singular(last) in EMPTY
        or any(word.casefold() in _OTHER_THING for word in before)
    ):
        return ""
    if "of" in before:
        return ""  # a slice of pizza is not a pizza
    return last if not before or _describe(concept, before[-1].casefold(), last) else ""


def _describe(concept: str, before: str, last: str) -> bool:
    """Tell whether the words before the last one only describe it."""
    head, noun = related_names.parse(concept)[0], singular(last)
    senses = word_tables.things().senses
    if head != noun:
        return _is_kind(head, noun)
    share = shares(before)
    named = before.endswith(("'s", "’s")) or share.get("n", 0) >= max(1, share.get("a", 0))
    if not named or verb_of(before)[1] == "past":
        return True  # 'old boat', 'hand drawn flowers'; but 'door handle' has another noun
    plain = len(senses.get(noun, ())) == 1 or word_tables.things().first_file(noun) in _ALIVE or moves(noun)
    return plain and noun not in _NEEDS_MORE and not is_body_part(noun)


def _is_kind(compound: str, noun: str) -> bool:
    """Tell whether a compound of the tables is a kind of what its last word first means."""
    things, everyday = word_tables.things(), word_tables.everyday()
    gerund = any(verb_of(word)[1] == "ing" for word in compound.split()[:-1])
    if gerund and noun in _NEEDS_MORE:
        return False  # a sewing machine is a machine, but nobody calls it so
    if noun in everyday.kinds.get(compound, ()):
        return True
    first = things.senses.get(noun, ())[:1]
    if set(first) & things.above(things.senses.get(compound, ())[:1]):
        return True
    file = things.first_file(noun)
    return file in _ALIVE and file == things.first_file(compound) and noun not in _NEEDS_MORE
