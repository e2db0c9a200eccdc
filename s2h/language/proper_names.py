"""Tell names of one person, pet or place from nouns, in the noun phrase with which a caption begins.

No picture shows that a dog is called Buddy, so `concepts.py` skips such captions, and takes "boat" from "Uncle Bob's boat".
"""

from __future__ import annotations

import re

from s2h.language.noun_categories import acts
from s2h.language.noun_phrases import Phrase, Token, seen
from s2h.language.nouns import PROPER
from s2h.language.readable_captions import LITTLE_WORDS
from s2h.language.related_names import parse
from s2h.language.word_forms import shares, verb_of
from s2h.language.word_tables import word_set

# Nouns that are people's and pets' names too: without an article they are taken for one ("Jack holds a ball").
_NAMES = word_set(
    """art barb bill bob bud buddy buster carol chuck dean dick dolly drew faith frank gene grace grant hank harry hope jack
    jean jimmy joe joy mack mark max may mike miles mitch nick norm oreo pat peg pip ray rich rob roger rusty sandy skip sue
    tad tom tony tux wade ward will jenny ben billy bobby molly patty glen dale jay charlotte basil earl duke scout bandit
    teddy"""
)
# Nouns that stand alone as often: names only where something alive must be meant.
_FIRST_NAMES = word_set(
    """brandy sherry ginger hazel heather olive jade daisy lily rose iris violet poppy holly angel star ash cliff clay heath
    candy cherry coco biscuit cookie pepper peanut pumpkin shadow snowball patches boots ruby pearl amber ivy"""
)
# What things do as well: "Daisy growing in a pot" names a flower, "Daisy chasing a ball" somebody.
_LIFELESS = word_set(
    """growing blooming flowering hanging floating burning falling drying glowing shining covering standing lying climbing
    spilling dripping melting boiling cooking frying baking rising leaning resting wilting rotting"""
)
# What families call somebody, and relatives who may have a name behind it: "Aunt May".
_CALLED = word_set(
    "mum mom dad daddy mummy mommy grandma grandpa granny grandad granddad nana auntie uncle aunt"
)
_RELATIVES = _CALLED | word_set("mother father sister brother")
_OWNERS = _RELATIVES | word_set("someone somebody everyone one")
_TITLED = re.compile(r"[A-Z]\w+ [A-Z]")


def is_name(phrase: Phrase, caption: str) -> bool:
    """Tell whether the first phrase of a caption is the name of one thing, by its capitals and by lists of names.

    A caption all of whose words begin with a capital tells nothing ("Brown Dog On A Sofa"), and neither does a phrase that
    the tables know ("Golden Retriever on a lawn"). "Golden Gate Bridge in fog" begins with a name.
    """
    first = phrase.words[0]
    if phrase.begins == "bare" and len(phrase.words) == 1 and first.istitle():
        return _is_first_name(first, caption[caption.find(first) :])
    words = [word for word in phrase.words if word.casefold() not in PROPER]
    capitals = all(word[0].isupper() and not word.isupper() for word in words)
    # "The Thinker in a garden"
    title = phrase.begins == "open" and caption[:4].casefold() == "the " and bool(words)
    head = parse(phrase.text)[0].split()
    # "Sydney Opera House"
    called = 1 < len(head) < len(words) and shares(first.casefold()).keys() <= {"n"} and not seen(first)
    if not capitals or not (len(words) > 1 or title) or (len(head) > 1 and not called):
        return False
    rest = [
        word for word in caption.split() if word not in (*phrase.words, "The") and word not in LITTLE_WORDS
    ]
    if rest:
        return not all(word[0].isupper() for word in rest)
    return any(not shares(word) and not seen(word) for word in words)


def is_name_with_of(phrase: Phrase, tokens: list[Token]) -> bool:
    """Tell whether "of" and a name follow a phrase without an article: "Statue of Liberty", "Leaning Tower of Pisa"."""
    ahead = tokens[phrase.stop : phrase.stop + 2]
    if phrase.begins != "bare" or len(ahead) < 2 or ahead[0].text != "of":
        return False
    return ahead[1].text.istitle() and ahead[1].low not in PROPER


def _is_first_name(word: str, caption: str) -> bool:
    """Tell whether a noun that begins a caption alone and with a capital is somebody's name."""
    name = word.casefold()
    if name in _CALLED or (name in _RELATIVES and _TITLED.match(caption)):
        return True
    if name in _FIRST_NAMES and not acts(name):
        after = caption[len(name) :].split()[:1]
        return any(verb_of(verb)[1] == "ing" and verb not in _LIFELESS for verb in after)
    return name in _NAMES


def without_owner(words: list[str]) -> list[str]:
    """Return the words of a phrase without an owner that no picture shows.

    >>> without_owner(["Emma's", "birthday", "cake"]), without_owner(["woman's", "black", "boots"])
    (['birthday', 'cake'], ["woman's", 'black', 'boots'])
    """
    at = next((at for at, word in enumerate(words) if word.endswith(("'s", "’s"))), None)
    if at is None:
        return words
    owner = words[at][:-2].casefold()
    named = all(word[0].isupper() for word in words[: at + 1]) and (owner in _NAMES or not seen(owner))
    if not named and owner not in _OWNERS:
        return words
    day = words[at + 1 : at + 2] in (["Eve"], ["Day"])  # "New Year's Eve fireworks"
    return words[at + 1 + day :]
