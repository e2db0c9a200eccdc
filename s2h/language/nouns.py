"""Give names of things their articles and plurals, and read them from the names of class folders.

The tables have most words. The library inflect, whose import takes seconds, is used for all others.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from s2h.language import word_tables
from s2h.language.normalisation import normalise
from s2h.language.word_forms import ONLY_PLURAL, is_plural_form, shares, singular
from s2h.language.word_tables import word_set

if TYPE_CHECKING:
    import inflect

PROPER = frozenset(
    normalise(
        """african alaskan american arabian arctic asian australian bengal brazilian british burmese californian canadian
        chinese cuban danish dutch egyptian english eskimo european finnish french german greek himalayan indian irish
        italian japanese korean maltese mexican norwegian pekinese persian polish roman russian scottish siamese siberian
        spanish sumatran swedish swiss tasmanian thai tibetan turkish ukrainian victorian vietnamese welsh"""
    )
)
# Nouns that take no article: "grass", "some water".
MASS = word_set(
    """air alabaster artwork ash asparagus asphalt bacon baggage bamboo barbecue beef brass bread broccoli butter cabbage
    cardboard cash celery cement cereal cheese chocolate clay cloth clothing coal coffee compost concrete confetti copper
    corn cotton cutlery dairy debris denim dirt dough driftwood dust earwax equipment fabric farmland firewood fleece foam
    fog foliage food frost fruit fur furniture garbage garlic gasoline ginger glassware gold graffiti granite grass
    grassland gravel greenery guacamole hail hair ham handwriting hay haze homework honey ice icing incense infrastructure
    ink insignia ivory ivy jewellery jewelry juice kale ketchup kindling lace land laundry lava leather lemonade lettering
    lettuce lightning limestone linen livestock luggage lumber machinery magma mail makeup manure marble mayonnaise meat
    milk mist money moss mud music mustard nature oatmeal obsidian oil paint paper papyrus parkland parsley pasta pasture
    pavement planking plaster plastic pollen popcorn pork porridge pottery poultry produce quartz rain rice rubber rubbish
    rubble rust salt sand sandpaper sandstone sauce sawdust scenery seafood seaweed shade shrubbery signage silk silver
    silverware smoke snow snowfall soap soil soot spaghetti spinach stationery steam steel straw styrofoam sugar sunlight
    sunshine surf sushi tableware tea tinsel toast tofu traffic transportation trash turf undergrowth underwear vapor vapour
    vegetation wallpaper water wax wheat wicker wildlife wine wood wool wreckage yarn yogurt"""
)
# Letters whose names begin with a vowel ("an X-ray"), and acronyms that are read as words ("a NASA rocket").
_VOWEL_LETTERS = frozenset("AEFHILMNORSX")
_READ = word_set("NASA NATO LEGO RADAR LASER SIM RAM FIFA")
# Other words in small letters whose beginning decides the article: inflect says the same of 118,000 common words.
_PLAIN = re.compile(
    r"[bcdfgjklmnpqrstvwxz][aeiouylrhw][a-z]*|(?!.th|mpeg)[bcdfgjklmnpqrstvwxz][a-z]{3,}|h(?!eir|on|our|th)[a-z]{3,}"
    r"|[ai][a-z]+|e[^uw][a-z]*|o[^nu][a-z]*"
)
_IN_WORD = re.compile("[a-z][A-Z]")  # a capital inside a word
_VOWEL_NUMBER = re.compile(r"(?:8\d*|1[18](?:\d{3})*)(?!\d)")


@cache
def _engine() -> inflect.engine:
    """Return inflect's engine. Its import takes seconds, so it is only asked for words that are not in the tables."""
    import inflect

    return inflect.engine()


def name_of_class(folder: str) -> str:
    """Return a class's name from that of its folder: "001.Black_footed_Albatross" gives "Black footed Albatross"."""
    name = re.sub(r"^\d+[._\- ]+(?=\D)", "", folder)
    return " ".join(re.sub(r"[_\-+]+", " ", name).split())


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text in the form in which they are compared: lower case, singular, no articles."""
    return frozenset(map(singular, normalise(text)))


def head_of(name: str) -> str:
    """Return the word that says what a thing is, the last one: "Indian blackbuck" gives "blackbuck". "" for no words."""
    words = normalise(name)
    return singular(words[-1]) if words else ""


@lru_cache(maxsize=1 << 14)
def indefinite(name: str) -> str:
    """Return a name with its article, where it takes one: "an Indian blackbuck", "a race car", "dogs", "green grass".

    A capital at the start becomes small unless the word has it always ("Indian", "iPod") or others follow ("Edward Bear").
    """
    first, *rest = name.split()
    others = any(word[0].isupper() and len(word) > 1 for word in rest)
    others |= any(map(_IN_WORD.search, rest)) and "a" not in shares(first)  # 'Apple iPhone', 'black iPod'
    if first[1:].islower() and first[1] != "-" and not others and not set(normalise(first)) & PROPER:
        name = name[0].lower() + name[1:]
    if first.endswith(("'s", "’s")) and not is_plural(first[:-2]):
        return with_article(name)  # 'a cat's whiskers'
    return name if is_plural(name) or is_mass(name) else with_article(name)


@lru_cache(maxsize=1 << 14)
def with_article(phrase: str) -> str:
    """Return a singular phrase with "a" or "an": "an 8", "a UK flag", "an old man"."""
    first = re.split("[-'’]", phrase.split()[0])[0]
    if _VOWEL_NUMBER.match(first):
        return f"an {phrase}"
    if first.isupper() and len(first) > 1 and first not in _READ:
        return f"{'an' if first[0] in _VOWEL_LETTERS else 'a'} {phrase}"
    word = first.casefold()
    if _PLAIN.fullmatch(first) or word_tables.is_named(word):
        return f"{word_tables.inflected().get(word, ('', ''))[0] or plain_article(word)} {phrase}"
    return _engine().a(phrase)


def plain_article(word: str) -> str:
    """Return "a" or "an" by the first letter alone."""
    return "an" if word[0] in "aeiou" else "a"


def plain_plural(word: str) -> str:
    """Return the plural by the ending alone: "box" gives "boxes"."""
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def sentence(text: str) -> str:
    """Return a text with a capital at the start and a sign at the end: "a dog" gives "A dog."."""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def is_plural(name: str) -> bool:
    """Tell whether a verb after the name is in the plural: "dogs", "trousers", "police", "people"."""
    last = _head(name)
    return last[1:].islower() and is_plural_form(last)


def is_mass(name: str) -> bool:
    """Tell whether a name takes no "a": "broccoli", "wet sand"."""
    return _head(name).casefold() in MASS


def _head(name: str) -> str:
    """Return the word of a name with which a verb agrees: "slices of pizza" gives "slices"."""
    words = name.split()
    return words[words.index("of") - 1] if "of" in words[1:] else words[-1]


@lru_cache(maxsize=1 << 14)
def plural(name: str) -> str:
    """Return the plural of a name: "wine glass" gives "wine glasses". Mass nouns and plurals stay."""
    *before, last = name.split()
    if last == "passerby":
        return "passersby"
    if last.isupper() or (not last.isalpha() and last[-1].isdigit()):
        return f"{name}s"
    if is_plural_form(last) or last.casefold() in MASS or last.casefold() in ONLY_PLURAL:
        return name
    if word_tables.is_named(last):
        return " ".join((*before, word_tables.inflected().get(last, ("", ""))[1] or plain_plural(last)))
    return " ".join((*before, _engine().plural_noun(last) or last))
