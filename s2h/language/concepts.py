"""Find what a caption names: its concept (`find`), and the noun phrases of all visible things that it mentions (`read`).

A concept is a noun phrase whose head can be seen ("brown dog", "stop sign"). Prompts of level 3 search for it. For a
caption without one the reason is returned, and the source counts it. No concept is better than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from s2h.language.caption_openings import LONGEST, without_openings
from s2h.language.noun_categories import acts, is_body_part
from s2h.language.noun_phrases import Phrase, Token, phrase_at, phrases_of, seen, tokens_of
from s2h.language.nouns import MASS
from s2h.language.phrase_words import CLOSED, COLLECTIVE, DETERMINERS, PARTITIVE
from s2h.language.proper_names import is_name, is_name_with_of, without_owner
from s2h.language.readable_captions import is_english, is_file_name
from s2h.language.related_names import parse
from s2h.language.word_forms import ONLY_PLURAL, SAME_FORM, is_plural_form, shares, singular, verb_of
from s2h.language.word_tables import word_set

NOT_ENGLISH = "a caption that is not English"
FILE_NAME = "a file name for a caption"
NO_PHRASE = "a caption that begins with no noun phrase"
NOT_SEEN = "a caption that names nothing that can be seen"
UNSURE = "a caption that can be read in two ways"
NAME = "a caption that begins with a proper name"
LONGEST_ACRONYM = 5  # characters; a longer caption in capitals is an ordinary sentence
MOST_WORDS = 4  # of a concept; the last ones are kept

# Heads that are in the table and yet say nothing, or stand for the picture itself.
EMPTY = word_set(
    """thing stuff object item part piece side top bottom corner front back end edge area surface view scene setting
    place point spot way line row center middle number example variety group bunch kind type picture photo image
    photograph shot close-up closeup background foreground product structure element detail feature one someone
    somebody everyone everybody individual being creature organism body sample specimen collection pile stack set pair
    pack work works show display design pattern position lot range sort fellow subject material layer course hold cut
    turn drop mark base left right second cast match pitch share bit hang dive ride lie pose wait rest pass press plot
    fall look run walk call help world remains nature earth universe love life death space red green blue yellow
    purple pink brown black white gray grey beige turquoise adult male female air sky nobody anybody anyone art
    industry business website john jack bill mark peter tom dick harry jerry ray victor smith paris lovely beauty
    cutie horseback wonderland darling throwback greetings cheers music transportation infrastructure homework"""
) | {"still life", "cross section"}
# A part of a thing, and a group of animals whose noun has no plural of its own.
_PARTS = word_set("slice piece half quarter wedge chunk bit strip portion slab block lump crumb bite")
_GROUPS = word_set("herd flock group pack school bunch couple pair row line")
# Heads of which "of" makes another thing ("bed of a truck"), and those that are a likeness before a bare noun ("river of
# people").
_OTHER_WITH_OF = word_set("bed bridge hood trunk bow crown tip heel shoulder foot mouth")
_LIKENESSES = word_set(
    """blanket carpet forest river curtain mountain tower wall cloud ocean pyramid tunnel jungle storm wave shower ring
    circle rain ribbon wheel road house tree stream column plume trail"""
)
_EVENTS = word_set(
    """auction show race fair festival market parade ceremony game match party rally drive roundup raid contest competition
    tournament concert sale exhibit exhibition rodeo derby trial hunt run shearing farm pen truck crossing"""
)
# As the title of a caption a meal is the occasion: "Family dinner", "Lunch with Maria".
_MEALS = word_set("breakfast lunch dinner supper brunch")
_RANKS = word_set(
    """best worst favorite favourite first last next only own same latest newest final perfect famous beloved awesome amazing
    incredible"""
)
_OCCASIONS = word_set("first last next")  # "First steps", "Last day"
# Verbs whose past is like their base, so that one thing may well do so: "A child cut a cake."
_LIKE_PAST = word_set("cut hit put set let shut spread hurt read bet cast split burst rid quit beat cost")
# What a card says: "Happy birthday Grandma".
_GREETING = re.compile(
    r"(?:happy|merry)\s(?:\w+\s)?(?:\w+day|anniversary|christmas|xmas|year|easter|halloween)s?\b", re.I
)
_ENDS = frozenset(".!?:,;—–")
_QUOTES = frozenset("'‘\"“")


@dataclass(frozen=True)
class Found:
    """A caption's concept, or "" and the reason why there is none."""

    concept: str
    reason: str = ""


@lru_cache(maxsize=1 << 15)
def find(caption: str) -> Found:
    """Return a caption's concept, or why there is none. A concept is the first noun phrase, without its article.

    >>> find("An Indian blackbuck.").concept, find("A man rides a wave.").concept
    ('Indian blackbuck', 'man')
    >>> find("Riding a wave")
    Found(concept='', reason='a caption that begins with no noun phrase')
    """
    text = " ".join(caption.split())[:LONGEST]
    if not any(c.isalnum() for c in text):
        return Found("", NO_PHRASE)
    if is_file_name(text):
        return Found("", FILE_NAME)
    text = without_openings(text)
    if text.isupper() and len(text) > LONGEST_ACRONYM:  # capitals tell nothing here
        text = text.lower()
    if not is_english(text):
        return Found("", NOT_ENGLISH)
    tokens = tokens_of(text)
    part, phrase = None, phrase_at(tokens, _start(tokens))
    while phrase and _only_counts(phrase, tokens):
        part, phrase = phrase, phrase_at(tokens, phrase.stop + 1)
    after = tokens[phrase.stop].low if phrase and phrase.stop < len(tokens) else ""
    if phrase and (
        phrase.unsure or _is_other(phrase, tokens) or _is_event(phrase, after) or _counts_else(phrase)
    ):
        return Found("", UNSURE)
    if phrase and (is_name(phrase, text) or is_name_with_of(phrase, tokens)):
        return Found("", NAME)
    if phrase is None or phrase.begins == "no" or after in _QUOTES or _GREETING.match(text):
        return Found("", NO_PHRASE)
    words = _visible(phrase, after)
    if not words:
        return Found("", NOT_SEEN)
    if part and phrase.begins == "bare" and _changes(part, phrase):
        return Found(" ".join((part.words[-1], "of", *words[-2:])))
    return Found(" ".join(words[-MOST_WORDS:]))


def _start(tokens: list[Token]) -> int:
    """Return where the first phrase begins: behind the comma in "Sitting on a bench, a man reads"."""
    lows = [token.low for token in tokens]
    return 1 + lows.index(",") if verb_of(lows[0])[1] == "ing" and "," in lows else 0


def _only_counts(phrase: Phrase, tokens: list[Token]) -> bool:
    """Tell whether a phrase only counts what "of" adds to it: "a couple" of ducks."""
    last = phrase.words[-1].casefold()
    of = phrase.stop < len(tokens) and tokens[phrase.stop].low == "of"
    if last == "head" and of and phrase.stop + 1 < len(tokens) and tokens[phrase.stop + 1].low in DETERMINERS:
        return False  # the head of a horse, but a head of lettuce
    return of and (last in PARTITIVE or singular(last) in PARTITIVE)


def _is_other(phrase: Phrase, tokens: list[Token]) -> bool:
    """Tell whether "of" makes another thing of a noun: the bed of a truck, the hands of a clock, a blanket of snow."""
    ahead = [token.low for token in tokens[phrase.stop : phrase.stop + 2]]
    if len(ahead) < 2 or ahead[0] != "of":
        return False
    head = singular(phrase.words[-1])
    if head in _LIKENESSES:
        return ahead[1] not in DETERMINERS
    whole = phrase_at(tokens, phrase.stop + 1)
    if whole is None or not (head in _OTHER_WITH_OF or is_body_part(head)):
        return False
    meat = whole.begins == "bare" and not is_plural_form(whole.words[-1])  # leg of lamb
    return meat or not acts(whole.words[-1])


def _is_event(phrase: Phrase, after: str) -> bool:
    """Tell whether an event follows a noun that has no other plural: a cattle auction is no cattle."""
    head = phrase.words[-1].casefold()
    if after not in _EVENTS or not (head in SAME_FORM or head in ONLY_PLURAL):
        return False
    share = shares(after)
    return share.get("n", 0) > share.get("v", 0) or head == "cattle"


def _counts_else(phrase: Phrase) -> bool:
    """Tell whether a number counts something before the head, which is a singular: "Three legged dog", "Five star hotel"."""
    head = phrase.words[-1].casefold()
    alone = singular(head) == head and not is_plural_form(head) and head not in SAME_FORM | MASS | COLLECTIVE
    return phrase.begins == "many" and alone and seen(head)


def _changes(part: Phrase, whole: Phrase) -> bool:
    """Tell whether the noun alone would say another number than its part or its group: a slice of lemon is no lemon,
    and a flock of sheep no sheep; but a sheet of paper is paper."""
    head = whole.words[-1].casefold()
    if head in SAME_FORM:
        return singular(part.words[-1]) in _GROUPS
    return singular(part.words[-1]) in _PARTS and not is_plural_form(head) and head not in MASS


def _visible(phrase: Phrase, after: str) -> list[str]:
    """Return the words of the first phrase that name a visible thing, none where it names none. after: the next word."""
    words = list(phrase.words)
    while len(words) > 1 and words[0].casefold() in _RANKS:  # "best burger"
        if words.pop(0).casefold() in _OCCASIONS and phrase.begins == "bare" and not after:
            return []
    if phrase.begins != "one":
        words = without_owner(words)
        if len(words) > 1 and words[0].casefold() in _RANKS:  # "Grandma's famous pie"
            words = words[1:]
    if called := len(words) > 1 and _names_one(*words[-2:]):
        words.pop()
    last = words[-1].casefold()
    if last in map(str.casefold, words[:-1]):
        return []  # "Home sweet home"
    if phrase.begins == "bare" and (last in _MEALS or _is_exclaimed(phrase, words, after)):
        return []
    if _name_goes_on(phrase, last, after):
        return []
    if called or is_thing(phrase):
        return words
    # "A dumper." names something, whatever it is; "Gimel stands for gants." may be anything
    alone = phrase.begins == "one" and (not after or after in _ENDS)
    unknown = (
        not shares(last) and not seen(last) and last.isalpha() and not last.endswith(("ed", "ly", "ing"))
    )
    return words if alone and unknown else []


def _names_one(noun: str, name: str) -> bool:
    """Tell whether a word behind a noun is the name of a person or an animal: "our new puppy Biscuit"."""
    return len(name) > 1 and name.istitle() and noun.islower() and acts(noun)


def _is_exclaimed(phrase: Phrase, words: list[str], after: str) -> bool:
    """Tell whether one word without an article is no noun here: "Lovely!", "Keep calm"."""
    if len(words) > 1:
        return False
    last = words[0].casefold()
    if after and after in ".!?:—–" and not seen(last):
        return True
    share, (verb, form) = shares(last), verb_of(after)
    adjective, as_verb = share.get("a", 0), share.get("v", 0) - 6 if singular(last) == last else 0
    acting = form == "ing" or (form == "s" and not adjective and shares(verb)["v"] >= 6)
    if acting and is_thing(phrase):
        return False  # "Bear walking in snow", "Crane lifts a beam"
    return max(adjective, as_verb) > share.get("n", 0)


def _name_goes_on(phrase: Phrase, last: str, after: str) -> bool:
    """Tell whether a verb follows that one thing cannot have, so that the name goes on behind it: "A dry erase marker"."""
    if phrase.begins not in ("one", "open", "bare") or singular(last) != last:
        return False
    if phrase.begins != "one" and (last in SAME_FORM | COLLECTIVE or is_plural_form(last)):
        return False
    if verb_of(after)[1] != "base" or after in _LIKE_PAST | CLOSED:
        return False
    share = shares(after)
    return share.get("a", 0) < share["v"]


@lru_cache(maxsize=1 << 10)
def read(text: str) -> tuple[list[Token], list[Phrase]]:
    """Return the tokens of a text and the phrases of `things_of`; cached, since several rules read a caption in a row."""
    tokens = tokens_of(text)
    return tokens, list(things_of(tokens))


def things_of(tokens: list[Token]) -> Iterator[Phrase]:
    """Yield the phrases of a caption that say of a visible thing that it is there, from left to right.

    "A boat without sails on a lake" gives "boat" and "lake".
    """
    for phrase in phrases_of(tokens):
        if phrase.begins != "no" and is_thing(phrase) and not _only_counts(phrase, tokens):
            yield phrase


def is_thing(phrase: Phrase) -> bool:
    """Tell whether a phrase names something that can be seen."""
    head = parse(phrase.text)[0]
    if head.startswith("letter "):
        return True
    return (seen(phrase.words[-1]) or seen(head)) and head not in EMPTY
