"""The names of things: what a caption names first, what a class is called, articles and plurals, and the words by which one
name is found in another."""

from __future__ import annotations

import re

from s2h.language.answers import normalise

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
# What makes another thing of the one that follows: a sea lion is no lion, a toy truck no truck.
_OTHER_THING = _words(
    """sea guinea hot corn prairie flying toy rubber teddy gummy gingerbread chocolate candy marzipan stuffed plastic fake
    rocking computer chess piggy paper snow cardboard model horse water paw"""
)
_WHOLE_WORD = re.compile(r"\w[\w'’.-]*")
_AS_CONSONANT = re.compile(r"(?:eu|uni(?!n|m)|us[aei]|ute|ura|one\b|once)", re.IGNORECASE)
_AS_VOWEL = re.compile(r"(?:[aeiou]|hour|honest|heir)", re.IGNORECASE)
MOST_WORDS = 4
_PLURALS = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "mouse": "mice", "goose": "geese",
    "foot": "feet", "tooth": "teeth", "knife": "knives", "leaf": "leaves", "wolf": "wolves", "shelf": "shelves",
    "sheep": "sheep", "fish": "fish", "deer": "deer", "scissors": "scissors", "skis": "skis", "ox": "oxen",
    "aircraft": "aircraft", "broccoli": "broccoli",
}  # fmt: skip
_SINGULAR = frozenset(("gas", "lens", "canvas", "atlas", "christmas"))  # though they end in s
_PROPER = frozenset(
    normalise(
        """african alaskan american arabian arctic asian australian bengal brazilian british burmese californian canadian
        chinese cuban danish dutch egyptian english eskimo european finnish french german greek himalayan indian irish
        italian japanese maltese mexican norwegian pekinese persian polish roman russian scottish siamese siberian spanish
        sumatran swedish swiss tasmanian thai tibetan turkish victorian vietnamese welsh"""
    )
)
SINGULARS = {plural: noun for noun, plural in _PLURALS.items()}


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


def general_of(concept: str) -> str:
    """What a thing is in one word: 'race car' gives 'car'; '' where the last word alone would be another thing ('sea lion')
    or says nothing ('letter J')."""
    *before, last = concept.split()
    other = any(word.casefold() in _OTHER_THING for word in before)
    return last if len(last) > 2 and last.isalpha() and not other else ""


def name_of_class(folder: str) -> str:
    """A class's name from its folder's: '001.Black_footed_Albatross' gives 'Black footed Albatross'."""
    name = re.sub(r"^\d+[._\- ]+(?=\D)", "", folder)
    return " ".join(re.sub(r"[_\-+]+", " ", name).split())


def words_of(text: str) -> frozenset[str]:
    """The words of a text in the form in which they are compared: lower case, singular, no articles."""
    return frozenset(SINGULARS.get(word, word) for word in normalise(text))


def head_of(name: str) -> str:
    """The word that says what a thing is: the last one ('Indian blackbuck': 'blackbuck'); '' where there is none."""
    words = normalise(name)
    return SINGULARS.get(words[-1], words[-1]) if words else ""


def indefinite(name: str) -> str:
    """A name with its article: 'an Indian blackbuck', 'a race car', 'dogs'. A capital at the start goes unless it is the
    word's own ('Indian', 'iPod') or others follow ('Edward Bear')."""
    first, *rest = name.split()
    others = any(word[0].isupper() and len(word) > 1 for word in rest)
    if first[1:].islower() and not others and not set(normalise(first)) & _PROPER:
        name = name[0].lower() + name[1:]
    if is_plural(name):
        return name
    vowel = _AS_VOWEL.match(name) and not _AS_CONSONANT.match(name)
    return ("an " if vowel else "a ") + name


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def is_plural(name: str) -> bool:
    last = name.split()[-1].lower()
    ends = len(last) > 2 and last.endswith("s") and not last.endswith(("ss", "us", "is"))
    return last in SINGULARS or (ends and last not in _SINGULAR)


def plural(name: str) -> str:
    """'dog' gives 'dogs', 'wine glass' 'wine glasses', 'person' 'people'."""
    *before, last = name.split()
    if last in _PLURALS:
        last = _PLURALS[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "s"
    return " ".join((*before, last))
