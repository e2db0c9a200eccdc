"""Find the noun phrases of a caption, by agreement and by the tables of parts of speech.

Most words of a caption can be noun or verb ("A dog walks", "dog walks in the city"). The beginning of a phrase mostly
decides: after "a" the head is a singular, so a following word in -s is the verb; after "two" the head is a plural, and the
verb follows at once. Where agreement decides nothing, the word counts as the verb: a name too short is better than one with
a verb in it.
`examples/benchmarks/concepts.py` compares these rules with part-of-speech taggers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from s2h.language import word_tables
from s2h.language.noun_categories import acts, is_body_part, may_name_an_act, moves
from s2h.language.nouns import MASS
from s2h.language.phrase_words import (
    ANY_NUMBER,
    BEGINNINGS,
    CLOSED,
    COLLECTIVE,
    DETERMINERS,
    ENDS,
    MADE,
    MATERIALS,
    MOTIONS,
    NEGATIONS,
    NO_START,
    PARTLY,
    PAST_IS_NOUN,
    PLURAL,
    PLURAL_MODIFIERS,
    SINGULAR,
    STATES,
    THINGS_IN_ING,
    VIEWS,
)  # fmt: skip
from s2h.language.word_forms import ONLY_PLURAL, SAME_FORM, only_participle, shares, singular, verb_of

_TOKEN = re.compile(r"“[^”]+”|\"[^\"]+\"|[^\W_]+(?:['’.-][^\W_]+)*|[^\w\s]")
_OPENING_QUOTES = '“"'
Role = Literal["noun", "modifier", "stop"]
Begins = Literal["one", "many", "open", "bare", "no"]


class Token(NamedTuple):
    """A word or a sign of a text, the same in lower case, and its place in the text."""

    text: str
    low: str
    start: int


class Phrase(NamedTuple):
    """A noun phrase of a caption.

    words: its words without determiners, the head last. start, stop: its tokens. begins: with "one" thing ("a"), "many"
    ("two"), either ("open", as "the"), "no" thing, or without a determiner ("bare"). unsure: whether it may go on behind a
    participle ("Fire breathing dragon").
    """

    words: tuple[str, ...]
    start: int
    stop: int
    begins: Begins
    unsure: bool = False

    @property
    def text(self) -> str:
        return " ".join(self.words)


def tokens_of(text: str) -> list[Token]:
    """Split a text into words, quoted parts and signs."""
    return [Token(word := found[0], word.casefold(), found.start()) for found in _TOKEN.finditer(text)]


def phrase_at(tokens: list[Token], at: int) -> Phrase | None:
    """Return the noun phrase that begins at a token, None where none does.

    >>> phrase_at(tokens_of("A stop sign stands here"), 0).words
    ('stop', 'sign')
    """
    return _Reader(tokens).read(at)


def phrases_of(tokens: list[Token]) -> Iterator[Phrase]:
    """Yield all noun phrases of a caption, from left to right."""
    reader, at, last = _Reader(tokens), 0, -1
    while at < len(tokens):
        if tokens[at].low in NO_START:
            at, last = at + 1, -1
            continue
        found = reader.read(at)
        follows = at == last or (at and tokens[at - 1].low == "to")
        if found and follows and found.begins == "bare" and verb_of(tokens[at].low)[0]:
            found = None  # the verb that follows a phrase
        if found:
            yield found
        at = found.stop if found else at + 1
        last = at if found else -1


class _Reader:
    """Reads the noun phrases of one caption, token by token."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens

    def read(self, start: int) -> Phrase | None:
        """Return the noun phrase that begins at a token, None where none does."""
        at, begins = self._determiners(start)
        words: list[str] = []
        nouns = 0  # how many of the last words are nouns
        while at < len(self.tokens):
            token = self.tokens[at]
            low = token.low
            if not nouns and self._joins_adjectives(at):
                words += [token.text, self.tokens[at + 1].text, self.tokens[at + 2].text]
                at += 3
                continue
            if low in ENDS or low.isdigit() or (not low[0].isalnum() and low[0] not in _OPENING_QUOTES):
                break
            role = self._role(at, words[-1] if nouns else "", begins)
            if (
                words
                and words[-1].casefold() in ("letter", "number")
                and len(low) == 1
                and token.text.isupper()
            ):
                role = "noun"  # 'the letter X'
            if role == "stop":
                break
            words.append(token.text)
            nouns = nouns + 1 if role == "noun" else 0
            at += 1
        if not nouns:  # 'a big red', with no noun behind
            return None
        return Phrase(tuple(words), start, at, begins, self._may_go_on(at, words, begins))

    def _may_go_on(self, at: int, words: list[str], begins: str) -> bool:
        """Whether a participle follows that may belong to a noun behind it: 'Fire breathing dragon', but not 'Dog chasing
        ball' and 'A fire burning in a stove'."""
        low, after = self._low(at), self._low(at + 1)
        head = words[-1].casefold()
        if begins not in ("bare", "one") or verb_of(low)[1] != "ing" or after in BEGINNINGS:
            return False
        if _is_plural(head) or head in COLLECTIVE:
            return False
        named = seen(after) or (acts(head) and "n" in shares(after))  # 'Puppy training class'
        goes_on = named and after not in CLOSED
        return may_name_an_act(head, low, after, goes_on)

    def _low(self, at: int) -> str:
        return self.tokens[at].low if at < len(self.tokens) else ""

    def _determiners(self, at: int) -> tuple[int, Begins]:
        """Return the token behind the determiners, and the kind of beginning that they make."""
        begins: Begins = "bare"
        tokens = self.tokens
        while at < len(tokens):
            low = tokens[at].low
            if low == "of" and begins == "many" and self._low(at + 1) in ANY_NUMBER:
                at += 1  # 'two of the dogs'
                continue
            if low not in DETERMINERS and not low.isdigit():
                break
            if low in NEGATIONS:
                begins = "no"
            elif low in PLURAL or (low.isdigit() and low != "1"):
                begins = "no" if begins == "no" else "many"
            elif low in SINGULAR or low == "1":
                begins = "one" if begins == "bare" else begins
            elif low in ANY_NUMBER:
                begins = "open" if begins == "bare" else begins
            elif low in PARTLY and verb_of(self._low(at + 1))[1] == "past":
                break  # what is half eaten is not eaten
            at += 1
        return at, begins

    def _role(self, at: int, head: str, begins: str) -> Role:
        """Return the role of a word in the phrase. head: the noun before it, '' where there is none yet."""
        token = self.tokens[at]
        low = token.low
        if head and low in VIEWS and self._low(at + 1) == "view":
            return "stop"  # 'Stadium aerial view'
        if low.endswith(("'s", "’s", "s'", "s’")) or low[0] in '“"':
            return "modifier"
        share = shares(low)
        noun = share.get("n", 0) > 0 or singular(low) in word_tables.things().senses
        form = verb_of(low)[1]
        after = self._low(at + 1)
        if not head:
            return self._first(low, share, noun, form, after, begins)
        alone = begins == "one" and head.casefold() not in PLURAL_MODIFIERS | ONLY_PLURAL
        if form == "s" and alone and (share.get("v") or not noun):
            return "stop"
        if begins == "one" and alone and not form and low[-1] == "s" and singular(low) != low:
            return "stop"  # 'A teenager texts': a verb that the table doesn't have
        several = _is_plural(head) and head.casefold() not in SAME_FORM
        if self._compound(head, low) or (self._compound(low, after) and noun and not several):
            return "noun"
        if "-" in low and not noun:
            return "modifier" if self._noun_like(after) else "stop"
        if form == "ing":
            a_thing = low in THINGS_IN_ING and not acts(head) and after not in BEGINNINGS
            crosses = low == "crossing" and moves(head) and after not in ("sign", "signs", "gate", "gates")
            return "noun" if a_thing and not crosses else "stop"
        if form == "past":
            if low.endswith("ed") and seen(after) and begins != "many":
                return "modifier"  # 'orange handled scissors'
            if seen(after) and begins != "many" and not _is_plural(head):
                made = low in MADE and (not acts(head) or (head.casefold(), low) == ("man", "made"))
                if only_participle(low) or made:
                    return "modifier"  # 'hand drawn flowers', but 'Dog caught ball'
            return "noun" if share.get("n", 0) >= PAST_IS_NOUN and seen(low) else "stop"
        if not noun:
            unknown = not share and low.isalpha() and not low.endswith(("ing", "ed", "ly"))
            agrees = not _is_plural(head) and not (begins == "one" and low[-1] == "s")
            return "noun" if unknown and agrees else "stop"
        if not share.get("v") and share.get("a", 0) <= 4:
            modifies = head.casefold() in PLURAL_MODIFIERS or self._must_go_on(head, begins)
            modifies = modifies or (head.casefold() in SAME_FORM and begins != "many")  # 'Deer feeder'
            return "noun" if modifies or not _is_plural(head) else "stop"
        return self._agreed(at, low, head.casefold(), begins, after)

    def _first(self, low: str, share: dict, noun: bool, form: str, after: str, begins: str) -> Role:
        """Return the role of a word before which there is no noun yet."""
        adjective = share.get("a", 0)
        if low.endswith("ly") and not noun:
            return "modifier" if after and after not in CLOSED else "stop"
        if form == "ing" and not noun and self._compound(low, after):
            return "modifier"  # 'a wooden rocking chair'
        if form == "ing" and begins == "bare" and low not in STATES and not self._compound(low, after):
            return "noun" if low in THINGS_IN_ING else "stop"  # 'Eating pizza' names no thing
        if form == "ing" and low not in THINGS_IN_ING and not self._compound(low, after):
            return "modifier" if self._noun_like(after) else "stop"
        if form == "past" and not (noun and share.get("n", 0) >= PAST_IS_NOUN):
            return "modifier" if self._noun_like(after) else "stop"
        if adjective and (adjective >= share.get("n", 0) or not seen(low)) and self._noun_like(after):
            a_verb = verb_of(after)[1] == "s" and shares(after).get("v", 0) > shares(after).get("n", 0)
            return "noun" if a_verb and seen(low) else "modifier"
        if noun and adjective and verb_of(after)[0] == "" and shares(after).get("a", 0) > 5:
            return "modifier"  # 'light wooden table'
        if noun:
            return "noun"
        if adjective or "-" in low or share.get("r"):
            return "modifier" if self._noun_like(after) else "stop"
        if share:  # a verb
            return "stop"
        return "noun" if low.isalpha() else "modifier"

    def _agreed(self, at: int, low: str, head: str, begins: str, after: str) -> Role:
        """Return the role of a word behind a noun that can be noun or verb."""
        plural = singular(low) != low or verb_of(low)[1] == "s"
        share = shares(low)
        if _is_plural(head) and not (begins == "one" and head in SAME_FORM):
            # a sports car, but 'Two girls braid' and 'Clothes dry'
            modifies = (head in PLURAL_MODIFIERS and not acts(head)) or self._must_go_on(head, begins)
            modifies = modifies and share.get("n", 0) > share.get("v", 0)
            if plural and share.get("v", 0) > share.get("n", 0):
                return "stop"  # 'A rack of clothes stands by the door'
            if head in SAME_FORM and begins == "bare" and not plural:  # 'Salmon fillet', but 'Sheep graze'
                modifies = share.get("n", 0) >= max(4, share.get("v", 0)) and after not in BEGINNINGS
            return "noun" if modifies and seen(low) else "stop"
        if head in COLLECTIVE and not plural:
            return "stop"
        if begins == "many":
            return "noun" if plural or self._plural_ahead(at) else "stop"
        if not plural:  # after a singular a verb would end in s
            if share.get("a", 0) > share.get("n", 0) and not seen(low):
                return "stop"
            return "noun" if seen(low) or self._noun_like(after) or share.get("n", 0) >= 4 else "stop"
        if head in MATERIALS and seen(low) and after not in BEGINNINGS:
            return "noun"  # 'stone steps'
        streams = head in MASS and share.get("v", 0) and after in MOTIONS  # 'sunlight streams through'
        if begins == "one" or not seen(low) or after in BEGINNINGS or streams:
            return "stop"
        acting = share.get("v", 0) and acts(head)
        base = verb_of(after)[1] == "base"
        if base and not acting and share.get("n", 0) >= share.get("v", 0) and self._verb_at(at + 1):
            return "noun"  # 'Street lights glow at dusk'
        if acting and (
            share.get("n", 0) <= 7 or (not base and self._noun_like(after)) or is_body_part(singular(low))
        ):
            return "stop"
        if share.get("v", 0) <= 2:
            return "noun"
        if share.get("n", 0) <= 1:
            return "stop"
        if verb_of(after)[1] == "ing" and not acting and not moves(head):
            return "noun"  # 'Autumn leaves floating'
        # 'train tracks run' and 'neon signs light a street', but 'train stops at'
        return "noun" if base and (not seen(after) or self._low(at + 2) in BEGINNINGS) else "stop"

    def _must_go_on(self, head: str, begins: str) -> bool:
        """Whether a plural cannot be the head of its phrase: 'a sales clerk'."""
        return begins == "one" and singular(head) != head.casefold()

    def _verb_at(self, at: int) -> bool:
        """Whether a word that may be a verb's base is one rather than a noun: a little word follows, or nothing."""
        share, after = shares(self._low(at)), self._low(at + 1) or "."
        closes = after in CLOSED or after in BEGINNINGS or not after[0].isalnum()
        return share.get("v", 0) >= share.get("n", 0) and closes

    def _joins_adjectives(self, at: int) -> bool:
        """Whether two adjectives joined by 'and' begin here, before a noun: 'black and white cat'."""
        if self._low(at + 1) != "and":
            return False
        ahead = [token.low for token in self.tokens[at : at + 4]]
        return (
            len(ahead) == 4
            and all("a" in shares(word) and verb_of(word)[1] != "ing" for word in (ahead[0], ahead[2]))
            and self._noun_like(ahead[3])
        )

    def _plural_ahead(self, at: int) -> bool:
        """Whether a plural noun ends the row of nouns that begins at a word: 'two stop signs'."""
        for token in self.tokens[at + 1 : at + 4]:
            if token.low in CLOSED or not token.low.isalpha():
                return False
            if singular(token.low) != token.low and seen(token.low):
                return True
        return False

    def _compound(self, one: str, other: str) -> bool:
        """Whether two words are one noun in the tables: 'stop sign'."""
        pair = f"{one.casefold()} {singular(other)}"
        if (
            pair in word_tables.things().senses
            or pair in word_tables.everyday().kinds
            or pair in word_tables.everyday().same
        ):
            return True
        share = shares(other)  # 'street lights': a streetlight; but 'the sun sets'
        joined = pair.replace(" ", "") in word_tables.things().senses and not acts(one)
        return joined and share.get("n", 0) > share.get("v", 0)

    def _noun_like(self, low: str) -> bool:
        """Whether a word may be the head of a noun phrase or stand before it."""
        if not low or low in ENDS or not low[0].isalpha():
            return bool(low) and low[0] in _OPENING_QUOTES
        share = shares(low)
        return not share or "n" in share or "a" in share or verb_of(low)[1] in ("ing", "past")


@lru_cache(maxsize=1 << 15)
def seen(word: str) -> bool:
    """Whether a word names something that can be seen: 'dogs', but not 'happiness'."""
    noun = singular(word)
    return (
        noun in word_tables.things().senses
        or noun in word_tables.everyday().kinds
        or noun in word_tables.everyday().same
        or word in MASS
    )


def _is_plural(head: str) -> bool:
    """Whether a verb behind a noun may be in the plural: 'dogs', 'sheep', 'police'."""
    low = head.casefold()
    return singular(low) != low or low in SAME_FORM or low in ONLY_PLURAL
