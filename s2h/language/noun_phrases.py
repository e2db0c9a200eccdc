"""The noun phrases of a caption, by agreement and by the tables of parts of speech.

A caption's words are mostly either noun or verb ("A dog walks", "dog walks in the city"). What an English phrase begins with
mostly decides: after "a" the head is a singular, so that a following word in -s is the verb; after "two" it is a plural, and
the verb comes right behind it. What agreement leaves open is taken for the verb: a name too short is better than one
with a verb in it. Taggers were tried in place of this and beside it, see `examples/benchmarks/concepts.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from s2h.language import word_tables
from s2h.language.noun_categories import acts, is_body_part, may_name_an_act, moves
from s2h.language.nouns import MASS
from s2h.language.word_forms import ONLY_PLURAL, SAME_FORM, only_participle, shares, singular, verb_of
from s2h.language.word_tables import word_set

_TOKEN = re.compile(r"“[^”]+”|\"[^\"]+\"|[^\W_]+(?:['’.-][^\W_]+)*|[^\w\s]")
_ONE = word_set("a an one another each every this that")
_MANY = word_set(
    """two three four five six seven eight nine ten eleven twelve dozen twenty several many few both these those various
    multiple numerous assorted different"""
)
_OPEN = word_set("the some his her their its my our your all any no other more most such")
_NOT = word_set("no without")
# Words that end a noun phrase.
CLOSED = word_set(
    """of with in on at that which who whose where when and or but nor to for from by near next beside besides under over
    behind above below against along across inside outside through throughout while as is are was were be been being am
    has have had do does did will would can could may might must should shall into onto off out up down around among amid
    between beneath underneath past toward towards upon via per than then there here it he she they we i you him them us
    me not so if because before after during until since about atop alongside within without like unlike despite plus
    versus vs very too also just only together away back ahead nearby indoors outdoors outside overhead apart side"""
)
_ADVERBS = word_set(
    "very really quite extremely brightly freshly partially fully half newly nicely well slightly mostly"
)
_PARTLY = word_set("half partially")
# Plurals that stand before a noun ("a sports car"), and nouns in the singular that take a plural verb ("a couple walk").
_PLURAL_MODIFIERS = word_set(
    "sports clothes women men ladies news arts goods jeans glasses games savings kids girls boys"
)
COLLECTIVE = word_set("couple family team crowd group pair band class crew audience staff trio duo")
# Nouns to which "of" adds what is really there ("a group of people").
PARTITIVE = word_set(
    """pair group couple bunch cluster row pile stack set lot piece slice quarter half herd flock head baby line
    number variety collection assortment array series lots dozens hundreds thousands swarm school pack gaggle litter bouquet
    handful load loads plenty kind type sort breed species gang trio portion chunk scoop heap tons selection stretch patch
    clump mass sea team line bits bit sheet strip block pool pride pod colony troop flight slab wedge rack"""
)
# Words in -ing that name something behind a noun ("a brick building").
_THINGS_IN_ING = word_set(
    """building painting ceiling wedding railing stocking clothing earring string ring king wing crossing awning lighting
    frosting bedding topping dressing pudding dumpling duckling seedling carving drawing icing lettering siding spring swing
    sling pairing sting herring gosling sapling molding moulding flooring paneling panelling seating scaffolding plumbing
    wiring tubing piping bunting rigging netting cladding carpeting fencing roofing grating edging dwelling engraving
    etching lining outbuilding stitching"""
)
_MATERIALS = word_set(
    """stone wood metal brick glass concrete paper plastic steel iron leather marble cement bronze bamboo wicker
    cardboard clay granite velvet silk cotton wool"""
)
_THROUGH = word_set("through across into onto from down past")
_VIEWS = word_set("aerial top side front rear back panoramic")  # before "view", behind what is seen so
# Participles that describe the noun behind them where no article tells ("Sleeping cat", and not "Eating pizza").
_STATES = word_set(
    """smiling sleeping running flying standing sitting laughing crying barking swimming jumping dancing burning falling
    blooming flowering grazing hanging floating sparkling shining glowing growing moving rolling rising howling galloping
    roaring soaring melting boiling yawning kneeling rotting crumbling drooping leaning lounging resting crawling hatching
    living existing surviving flickering blossoming aging charming amazing stunning interesting surprising breathtaking
    adoring loving caring missing matching winning leading remaining rippling winding towering sprawling looming
    shimmering"""
)
_BEGINNINGS = _ONE | _OPEN | _MANY
DETERMINERS = _BEGINNINGS | _NOT | _ADVERBS
_ENDS = CLOSED | _BEGINNINGS
_NO_START = CLOSED - DETERMINERS  # at these no noun phrase can begin
# Past forms that say of a thing how it was made, behind a noun that does nothing itself: 'home made pizza'.
_MADE = word_set("made built fed cut lit held bound spun knit sewn hewn shorn strung hung fought sown")
_PAST_IS_NOUN = 5  # tenths of its uses as a noun that a past form must have to count as one


class Token(NamedTuple):
    text: str
    low: str
    start: int


class Phrase(NamedTuple):
    """A noun phrase: its words without determiners, the last being the head; where it stands; what it began with (one, many,
    open, bare, no). unsure: it may also go on behind a participle: 'Fire breathing dragon'."""

    words: tuple[str, ...]
    start: int
    stop: int
    begins: str
    unsure: bool = False

    @property
    def text(self) -> str:
        return " ".join(self.words)


def tokens_of(text: str) -> list[Token]:
    return [Token(word := found[0], word.casefold(), found.start()) for found in _TOKEN.finditer(text)]


def phrase_at(tokens: list[Token], at: int) -> Phrase | None:
    """The noun phrase that begins at a token, None where none does."""
    return _Reader(tokens).read(at)


def phrases_of(tokens: list[Token]) -> Iterator[Phrase]:
    """All noun phrases of a caption, from left to right."""
    reader, at, last = _Reader(tokens), 0, -1
    while at < len(tokens):
        if tokens[at].low in _NO_START:
            at, last = at + 1, -1
            continue
        found = reader.read(at)
        follows = at == last or (at and tokens[at - 1].low == "to")
        if found and follows and found.begins == "bare" and verb_of(tokens[at].low)[0]:
            found = None  # the verb that follows a phrase
        if found:
            yield found
        at = last = found.stop if found else at + 1
        last = last if found else -1


class _Reader:
    """Reads the phrases of one caption."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens

    def read(self, start: int) -> Phrase | None:
        at, begins = self._determiners(start)
        words: list[str] = []
        nouns = 0  # how many of the last words are nouns
        while at < len(self.tokens):
            token = self.tokens[at]
            low = token.low
            if self._joined(at, words, nouns):  # 'black and white cat'
                words += [token.text, self.tokens[at + 1].text, self.tokens[at + 2].text]
                at += 3
                continue
            if low in _ENDS or low.isdigit() or (not low[0].isalnum() and low[0] not in '“"'):
                break
            if (
                words
                and words[-1].casefold() in ("letter", "number")
                and len(token.text) == 1
                and token.text.isupper()
            ):
                role = "noun"  # 'the letter X'
            else:
                role = self._role(at, words[-1] if nouns else "", begins)
            if role == "stop":
                break
            words.append(token.text)
            nouns = nouns + 1 if role == "noun" else 0
            at += 1
        while words and not nouns:  # 'a big red', with no noun behind
            words.pop()
            at -= 1
            nouns = 0
            if words:
                return None
        if not words:
            return None
        return Phrase(tuple(words), start, at, begins, self._may_go_on(at, words, begins))

    def _may_go_on(self, at: int, words: list[str], begins: str) -> bool:
        """Whether a participle follows that may also belong to a noun behind it: 'Fire breathing dragon', but 'Dog chasing
        ball' and 'A fire burning in a stove'."""
        low, after = self._low(at), self._low(at + 1)
        head = words[-1].casefold()
        if begins not in ("bare", "one") or verb_of(low)[1] != "ing" or after in _BEGINNINGS:
            return False
        if _is_plural(head) or head in COLLECTIVE:
            return False
        named = seen(after) or (acts(head) and "n" in shares(after))  # 'Puppy training class'
        goes_on = named and after not in CLOSED
        return may_name_an_act(head, low, after, goes_on)

    def _low(self, at: int) -> str:
        return self.tokens[at].low if at < len(self.tokens) else ""

    def _determiners(self, at: int) -> tuple[int, str]:
        begins, tokens = "bare", self.tokens
        while at < len(tokens):
            low = tokens[at].low
            if low == "of" and begins == "many" and self._low(at + 1) in _OPEN:
                at += 1  # 'two of the dogs'
                continue
            if low not in DETERMINERS and not low.isdigit():
                break
            if low in _NOT:
                begins = "no"
            elif low in _MANY or (low.isdigit() and low != "1"):
                begins = "no" if begins == "no" else "many"
            elif low in _ONE or low == "1":
                begins = "one" if begins == "bare" else begins
            elif low in _OPEN:
                begins = "open" if begins == "bare" else begins
            elif low in _PARTLY and verb_of(self._low(at + 1))[1] == "past":
                break  # what is half eaten is not eaten
            at += 1
        return at, begins

    def _role(self, at: int, head: str, begins: str) -> str:
        """noun, modifier, or stop: what a word is behind `head`, the noun before it ('' where none is)."""
        token = self.tokens[at]
        low = token.low
        if head and low in _VIEWS and self._low(at + 1) == "view":
            return "stop"  # 'Stadium aerial view'
        if low.endswith(("'s", "’s", "s'", "s’")) or low[0] in '“"':
            return "modifier"
        share = shares(low)
        noun = share.get("n", 0) > 0 or singular(low) in word_tables.things().senses
        form = verb_of(low)[1]
        after = self.tokens[at + 1].low if at + 1 < len(self.tokens) else ""
        if not head:
            return self._first(low, share, noun, form, after, begins)
        alone = begins == "one" and head.casefold() not in _PLURAL_MODIFIERS and not _plural_only(head)
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
            a_thing = low in _THINGS_IN_ING and not acts(head) and after not in _BEGINNINGS
            crosses = low == "crossing" and moves(head) and after not in ("sign", "signs", "gate", "gates")
            return "noun" if a_thing and not crosses else "stop"
        if form == "past":
            if low.endswith("ed") and seen(after) and begins != "many":
                return "modifier"  # 'orange handled scissors'
            if seen(after) and begins != "many" and not _is_plural(head):
                made = low in _MADE and (not acts(head) or (head.casefold(), low) == ("man", "made"))
                if only_participle(low) or made:
                    return "modifier"  # 'hand drawn flowers', but 'Dog caught ball'
            return "noun" if share.get("n", 0) >= _PAST_IS_NOUN and seen(low) else "stop"
        if not noun:
            unknown = not share and low.isalpha() and not low.endswith(("ing", "ed", "ly"))
            return (
                "noun"
                if unknown and not _is_plural(head) and not (begins == "one" and low[-1] == "s")
                else "stop"
            )
        if not share.get("v") and share.get("a", 0) <= 4:
            modifies = head.casefold() in _PLURAL_MODIFIERS or self._must_go_on(head, begins)
            modifies = modifies or (head.casefold() in SAME_FORM and begins != "many")  # 'Deer feeder'
            return "noun" if modifies or not _is_plural(head) else "stop"
        return self._agreed(at, low, head.casefold(), begins, after)

    def _first(self, low: str, share: dict, noun: bool, form: str, after: str, begins: str) -> str:
        """A word before which there is no noun yet: a noun or what describes one."""
        adjective = share.get("a", 0)
        if low.endswith("ly") and not noun:
            return "modifier" if after and after not in CLOSED else "stop"
        if form == "ing" and not noun and self._compound(low, after):
            return "modifier"  # 'a wooden rocking chair'
        if form == "ing" and begins == "bare" and low not in _STATES and not self._compound(low, after):
            return "noun" if low in _THINGS_IN_ING else "stop"  # 'Eating pizza' names no thing
        if form == "ing" and low not in _THINGS_IN_ING and not self._compound(low, after):
            return "modifier" if self._noun_like(after) else "stop"
        if form == "past" and not (noun and share.get("n", 0) >= _PAST_IS_NOUN):
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

    def _agreed(self, at: int, low: str, head: str, begins: str, after: str) -> str:
        """A word that may be noun or verb, behind a noun."""
        plural = singular(low) != low or verb_of(low)[1] == "s"
        share = shares(low)
        if _is_plural(head) and not (begins == "one" and head in SAME_FORM):
            # a sports car, but 'Two girls braid' and 'Clothes dry'
            modifies = (head in _PLURAL_MODIFIERS and not acts(head)) or self._must_go_on(head, begins)
            modifies = modifies and share.get("n", 0) > share.get("v", 0)
            if plural and share.get("v", 0) > share.get("n", 0):
                return "stop"  # 'A rack of clothes stands by the door'
            if head in SAME_FORM and begins == "bare" and not plural:  # 'Salmon fillet', but 'Sheep graze'
                modifies = share.get("n", 0) >= max(4, share.get("v", 0)) and after not in _BEGINNINGS
            return "noun" if modifies and seen(low) else "stop"
        if head in COLLECTIVE and not plural:
            return "stop"
        if begins == "many":
            return "noun" if plural or self._plural_ahead(at) else "stop"
        if not plural:  # after a singular a verb would end in s
            if share.get("a", 0) > share.get("n", 0) and not seen(low):
                return "stop"
            return "noun" if seen(low) or self._noun_like(after) or share.get("n", 0) >= 4 else "stop"
        if head in _MATERIALS and seen(low) and after not in _BEGINNINGS:
            return "noun"  # 'stone steps'
        streams = head in MASS and share.get("v", 0) and after in _THROUGH  # 'sunlight streams through'
        if begins == "one" or not seen(low) or after in _BEGINNINGS or streams:
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
        return "noun" if base and (not seen(after) or self._low(at + 2) in _BEGINNINGS) else "stop"

    def _must_go_on(self, head: str, begins: str) -> bool:
        """Whether a plural cannot be the head of its phrase: 'a sales clerk'."""
        return begins == "one" and singular(head) != head.casefold()

    def _verb_at(self, at: int) -> bool:
        """Whether a word that may be a verb's base is one rather than a noun: a little word follows, or nothing."""
        share, after = (
            shares(self.tokens[at].low),
            self.tokens[at + 1].low if at + 1 < len(self.tokens) else ".",
        )
        closes = after in CLOSED or after in _BEGINNINGS or not after[0].isalnum()
        return share.get("v", 0) >= share.get("n", 0) and closes

    def _joined(self, at: int, words: list[str], nouns: int) -> bool:
        """Whether an adjective, 'and' and another one begin here, before a noun."""
        if nouns or self._low(at + 1) != "and":
            return False
        ahead = [token.low for token in self.tokens[at : at + 4]]
        return (
            len(ahead) == 4
            and all("a" in shares(word) and verb_of(word)[1] != "ing" for word in (ahead[0], ahead[2]))
            and self._noun_like(ahead[3])
        )

    def _plural_ahead(self, at: int) -> bool:
        """Whether a plural noun ends the row of nouns that a word begins."""
        for token in self.tokens[at + 1 : at + 4]:
            if token.low in CLOSED or not token.low.isalpha():
                return False
            if singular(token.low) != token.low and seen(token.low):
                return True
        return False

    def _compound(self, one: str, other: str) -> bool:
        """Whether two words are one noun in the table: 'stop sign'."""
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
        """Whether a word may stand in a noun phrase before its head or as it."""
        if not low or low in CLOSED or low in _ONE or low in _OPEN or low in _MANY or not low[0].isalpha():
            return bool(low) and low[0] in '“"'
        share = shares(low)
        return not share or "n" in share or "a" in share or verb_of(low)[1] in ("ing", "past")


@lru_cache(maxsize=1 << 15)
def seen(word: str) -> bool:
    """Whether a word names something that can be seen."""
    noun = singular(word)
    return (
        noun in word_tables.things().senses
        or noun in word_tables.everyday().kinds
        or noun in word_tables.everyday().same
        or word in MASS
    )


def _is_plural(head: str) -> bool:
    low = head.casefold()
    return singular(low) != low or low in SAME_FORM or low in ONLY_PLURAL


def _plural_only(head: str) -> bool:
    return head.casefold() in ONLY_PLURAL
