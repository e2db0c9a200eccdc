"""The thing that a caption is about."""

from __future__ import annotations

import re

from s2h.language.answers import normalise
from s2h.language.nouns import _PROPER

# Where a caption's first noun phrase has ended.
_AFTER = re.compile(
    r"[,.;:!?(\u2014\u2013\[\"]"
    r"|\b(?:of|with|in|on|at|that|which|who|and|or|to|for|from|by|near|next|beside|under|over|behind|above|below|"
    r"against|along|across|inside|outside|through|while|as|is|are|was|has|have|called|made|used|"
    r"means?|carr(?:y|ies)|says?|tells?|eats?|lives?|comes?|goes|grows?|gives?|lets|sits?|wears?|contains?|hatched|parked|seen|"
    r"taken|painted|cut)\b"
    # 'man riding a wave', but neither 'living room' nor 'christmas stocking'
    r"|(?<=\w)\s(?!(?:build|paint|stock|ceil|wedd|morn|even|pudd|earr|cloth|"
    r"spr|str|cross|duckl|seedl|rail|th|sw|dress)ing)"
    r"\w{2,}ing(?=\s|$)"
)
_ARTICLE = re.compile(
    r"^(?:(?:an?|the|two|three|some) (?:pair|group|couple|bunch|cluster|row|pile|stack|set|lot|"
    r"piece|slice|quarter|half|herd|flock|head|baby)s? of"
    r"(?: an?| the)?|"
    r"(?:an? )?(?:photo|picture|image|photograph|close ?up|view)s? of(?: an?| the)?|"
    r"(?:this|it) is an?|it['’]s an?|here (?:is|are)(?: an?)?|there (?:is|are)(?: an?)?|an?|the|some|two|three|four|several|"
    r"our|my|your|his|her|their|its)\s+",
    re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


# Words that no name of a thing to be seen begins with, and such as don't end one.
_NO_BEGINNING = _words(
    """i me you he she it we us they him them this that these those it's who what yes no not ok hello please enter stop look
    click remember down up someone something everyone everything nobody nothing"""
)
_NO_END = _NO_BEGINNING | _words(
    """one two three four five six seven eight nine ten happy sad angry great small large new old good bad other another red
    orange yellow green blue purple pink brown black white grey tiny huge big little tall short long wide round young ripe
    fresh wet dry hot cold clean dirty empty full open closed modern beautiful pretty cute funny lovely nice colorful
    colourful wooden than ahead equal only part kind type sort way thing things example
    stands"""
)
# Participles name nothing, nor do they end a name ('Excited', 'a flower covered'); these do.
_NAMES_IN_ED = _words(
    """seed weed seaweed steed reed breed sled bobsled shed biped quadruped moped flatbed hotbed seabed riverbed flowerbed
    watershed hundred linseed birdseed aniseed tweed newlywed"""
)
_WHOLE_WORD = re.compile(r"\w[\w'’.-]*")
MOST_WORDS = 4


def concept_of(caption: str) -> str:
    """The caption's first noun phrase without its article, at most four words; '' where there is none.
    'An Indian blackbuck.' gives 'Indian blackbuck', 'A dumper. It carries …' gives 'dumper'."""
    phrase = _ARTICLE.sub("", caption.strip())
    phrase = _AFTER.split(phrase, maxsplit=1)[0].strip()
    words, bare = phrase.split(), phrase == caption.strip()[: len(phrase)]
    if bare and len(words) == 1 and caption.strip()[len(phrase) :].lstrip()[:1] in tuple(".!?:,;—–"):
        return ""  # 'Sharp.', 'Excited!', 'Pluto—until recently …'
    good = 0 < len(words) <= MOST_WORDS and all(any(c.isalpha() for c in word) for word in words)
    good = good and words[0].casefold() not in _NO_BEGINNING and words[-1].casefold() not in _NO_END
    good = good and bool(_WHOLE_WORD.fullmatch(words[-1])) and not _is_participle(words[-1].casefold())
    good = good and not set(normalise(words[-1])) & _PROPER
    return " ".join(words) if good else ""


def _is_participle(word: str) -> bool:
    return len(word) > 4 and word.endswith("ed") and word not in _NAMES_IN_ED
