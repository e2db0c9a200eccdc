"""Compare short answers by meaning: `same` and `differ` decide only what is sure, and `key` gives one form of an answer.

Sources count answers by their key, tasks draw wrong ones that differ, and `reply_verdicts.py` judges a model's replies.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from s2h.language import related_names, word_tables
from s2h.language.normalisation import normalise
from s2h.language.word_forms import singular
from s2h.language.word_tables import word_set

YES = word_set("yes yeah yep yup yea")
NO = word_set("no nope nah")
_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen"""
_UNITS = {word: n for n, word in enumerate(_ONES.split())} | {"dozen": 12}
_TENS_IN_ORDER = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * n for n, word in enumerate(_TENS_IN_ORDER.split(), start=2)} | {"fourty": 40}
# Spelling variants of whole words, the American one first.
_SPELLINGS = (
    "gray grey", "blond blonde", "airplane aeroplane", "donut doughnut", "tire tyre", "mustache moustache",
    "pajama pyjama", "yogurt yoghurt", "jewelry jewellery", "program programme", "plow plough", "curb kerb",
    "check cheque", "ok okay", "tv television telly", "bike bicycle", "fridge refrigerator", "photo photograph picture",
    "phone telephone", "plane airplane", "ax axe", "ketchup catsup", "whiskey whisky", "bathrobe robe", "tshirt teeshirt",
    "no none zero 0 nothing", "skeptical sceptical", "aluminum aluminium", "mold mould", "draft draught",
    "licorice liquorice",
    "movie film", "elevator lift", "fall autumn", "mailbox postbox letterbox", "pants trousers pant trouser",
    "glasses spectacles eyeglasses specs glasse spectacle eyeglasse spec", "sunglasses shades sunglasse shade",
    "liter litre", "meter metre", "aging ageing", "offense offence", "defense defence", "license licence",
    "mount mt", "doctor dr", "microphone mic", "surfing surfboarding", "percent pct",
    "foot ft feet", "inch inche", "kilometer km", "centimeter cm", "millimeter mm", "kilogram kg kilo", "pound lb",
    "ounce oz", "hour hr", "minute min", "mile mi",
    "first 1st", "second 2nd", "third 3rd", "fourth 4th", "fifth 5th", "sixth 6th", "seventh 7th", "eighth 8th",
    "ninth 9th", "tenth 10th",
)  # fmt: skip
# Names of several words, and short forms, by the form in which they are compared.
_ALIASES = {
    form: name
    for name, forms in {
        "usa": ("united states of america", "united states", "us", "america"),
        "uk": ("united kingdom", "great britain", "britain"),
        "nyc": ("new york city", "new york"),
        "parking lot": ("car park", "carpark", "parking area"),
        "mailbox": ("post box", "letter box"),
        "coke": ("coca cola", "coca-cola"),
        "it is": ("it's", "it’s"),
        "there is": ("there's", "there’s"),
        "that is": ("that's", "that’s"),
    }.items()
    for form in forms
}
_SAME_ADJECTIVES = (
    "old elderly aged", "big large huge", "small little tiny", "purple violet", "sunny sunlit", "rainy raining",
    "cloudy overcast", "snowy snowing", "wood wooden", "young youthful", "male masculine", "female feminine",
    "silver silvery", "gold golden", "rest resting", "asleep sleeping", "turquoise aqua teal",
)  # fmt: skip
# Words that people use for the same thing, so that it can't be decided whether they differ.
_NEAR = (
    "gray silver", "tan beige brown cream khaki", "orange red", "gold yellow", "maroon red burgundy brown",
    "navy blue black", "turquoise blue green", "white cream ivory beige", "pink red purple magenta", "black dark",
    "white light clear", "gray black", "gray white", "brown orange", "blond yellow", "gold brown", "silver white",
    "sunny clear fair", "cloudy gray", "day afternoon morning noon daytime", "night evening", "many several lot few",
    "happy smiling", "plastic rubber", "stone rock concrete brick cement", "grass field", "square rectangle rectangular",
    "circle round circular oval", "wood brown tan", "metal steel iron aluminum chrome", "tile ceramic",
    "night evening sunset dusk dark", "dawn morning sunrise", "winter cold snow snowy", "spring summer warm",
    "jogging running", "wood hardwood", "wii nintendo game", "big medium", "tall high big",
    "plaid striped checkered",
    "football soccer", "street saint st",
    "city urban downtown street", "outside outdoors park yard", "hotel motel bedroom", "texting phone talking",
)  # fmt: skip
# Shades that people call by a colour; the first word of a group is the colour.
_SHADES = (
    "red crimson scarlet ruby cherry cardinal carmine vermilion burgundy rust brick rose coral",
    "orange tangerine apricot peach amber rust coral salmon copper pumpkin",
    "yellow canary amber lemon saffron mustard gold ochre cream blond",
    "green emerald olive jade lime mint sage khaki teal turquoise avocado",
    "blue azure sapphire cobalt navy indigo cyan aqua teal denim",
    "purple violet lavender lilac mauve plum magenta indigo fuchsia eggplant",
    "pink rose salmon coral fuchsia magenta peach",
    "brown tan chocolate coffee caramel mahogany chestnut auburn copper hazel bronze sepia rust walnut khaki",
    "gray ash charcoal slate silver pewter", "white ivory pearl bone cream snow alabaster", "black ebony charcoal jet",
)  # fmt: skip
_GROUPS_OF: dict[str, set[int]] = {}  # word -> the numbers of its groups
for _number, _group in enumerate((*_NEAR, *_SHADES)):
    for _word in _group.split():
        _GROUPS_OF.setdefault(_word, set()).add(_number)
# What somebody may do while doing something else: "sitting" and "eating".
_POSTURES = word_set("sitting standing lying laying waiting posing leaning rest relaxing looking")
_COLOURS = word_set(f"beige maroon {' '.join(_SHADES)}")
_CANONICAL = {word: words.split()[0] for words in (*_SPELLINGS, *_SAME_ADJECTIVES) for word in words.split()}
_RE = re.compile(r"(?<=[bcdfgkpt])re$")  # centre, theatre, fibre
_OUR = re.compile(r"(?<=[a-z]{2})our(?=$|ful$|ed$|ing$|ite$)")  # colour, favourite, harbour
_NOT_OUR = word_set("four hour flour sour tour pour your our detour velour contour devour scour")
_SPACED = re.compile(r"\b([a-z])\.(?:\s?([a-z])\.)+", re.IGNORECASE)  # T.V., U.S.A.
_T_SHIRT = re.compile(r"\bt(?:ee)?[- ]shirt", re.IGNORECASE)
_IN_ES = re.compile(r"\b[^\W\d_]{3,}es\b", re.IGNORECASE)
_ALIAS = re.compile(
    rf"\b(?:{'|'.join(sorted(map(re.escape, _ALIASES), key=len, reverse=True))})\b", re.IGNORECASE
)
_SIGNS = ((re.compile(r"\$\s?(\d[\d.,]*)"), r"\1 dollars"), (re.compile(r"(?<=\d)\s?%"), " percent"),
          (re.compile(r"\b(\d+)\s?o['’]?\s?clock\b", re.IGNORECASE), r"\1:00"))  # fmt: skip
_DOUBLED = re.compile(r"(?<=[aeiou]l)l(?=(?:ing|ed|er)$)")  # travelling
_PARTS = re.compile(r"\s*(?:,|;|&|/|\+|\band\b|\bwith\b)\s*", re.IGNORECASE)
# Words that give no value by themselves.
EMPTY = word_set("of in on at to the some any very it there that is are colour color colored side")

# What annotators write where they see no answer.
_NO_ANSWER = re.compile(
    r"""(?:i\ )?(?:can(?:'t|’t|not|\ not|t)\ (?:tell|see|read(?:\ it)?|be\ (?:seen|read|determined))
    |do(?:n't|n’t|\ not|nt)\ know)
    |(?:it\ is\ |it's\ )?(?:not\ (?:sure|visible|clear|shown|readable|legible|applicable)|unreadable|illegible
    |unknown|unclear|unsure|unanswerable|unidentifiable|undetermined|indeterminate|no\ idea|no\ clue|n/a|idk)""",
    re.IGNORECASE | re.VERBOSE,
)


def is_answer(text: str) -> bool:
    """Tell whether a text gives a value, rather than saying that none can be seen."""
    return not _NO_ANSWER.fullmatch(text.strip(" .!?"))


def _spelled(word: str) -> str:
    """Return a word in American spelling."""
    if word in _CANONICAL:  # 'turquoise' is no spelling of 'turquoize'
        return _CANONICAL[word]
    if word not in _NOT_OUR:
        word = _OUR.sub("or", word)
    if len(word) > 5:
        word = _RE.sub("er", word)
        word = _DOUBLED.sub("", word) if len(word) > 7 else word
        word = re.sub(r"is(e|ed|ing)$", r"iz\1", word) if word.endswith(("ise", "ised", "ising")) else word
    return _CANONICAL.get(word, word)


def _numbers(words: list[str]) -> list[str]:
    """Return words with numbers as digits: "twenty", "one" becomes "21" and "one", "hundred" becomes "100"."""
    found: list[str] = []
    after_tens = False
    for word in words:
        n = _UNITS.get(word, int(word) if word.isdecimal() and len(word) < 9 else None)
        if after_tens and n is not None and 0 < n < 10:
            found[-1] = str(int(found[-1]) + n)
        elif word == "hundred":
            many = int(found.pop()) if found and found[-1].isdecimal() else 1
            found.append(str(100 * many))
        elif word in _TENS:
            found.append(str(_TENS[word]))
        else:
            found.append(word if n is None else str(n))
        after_tens = word in _TENS
    return found


def _without_es(plural: re.Match) -> str:
    """Return the singular of a plural that loses more than an s: fishes, butterflies, knives."""
    noun = singular(plural[0])
    return noun if noun in word_tables.things().senses else plural[0]


@lru_cache(maxsize=1 << 16)
def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text in one form: lower case, without articles, singular, American spelling, numbers as digits.

    >>> words_of("The grey sofas")
    ('gray', 'sofa')
    """
    if not text.isascii():
        text = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    for sign, words in _SIGNS:
        text = sign.sub(words, text)
    text = _ALIAS.sub(lambda match: _ALIASES[match[0].casefold()], text)
    text = _SPACED.sub(lambda match: re.sub(r"[.\s]", "", match[0]), text)
    text = _T_SHIRT.sub("tshirt", text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)  # 1,000
    text = _IN_ES.sub(_without_es, text)
    plain = [_spelled(word) for word in normalise(text)]
    return tuple(_spelled(word) for word in _numbers(plain))


@lru_cache(maxsize=1 << 16)
def key(text: str) -> str:
    """Return one form of an answer, equal for answers that differ only in case, spelling, number words, articles, plural and
    the order of what "and" joins.

    >>> key("White and grey"), key("yes it is"), key("Twenty-one")
    ('gray and white', 'yes', '21')
    """
    words = words_of(text)
    if words and words[0] in YES and not set(words) & (NO | {"not"}):
        return "yes"
    if words and words[0] in NO and (len(words) == 1 or not set(words) & YES) and _answers_no(words):
        return "no"
    parts = parts_of(text)
    if len(parts) > 1:
        return " and ".join(sorted(parts))
    return " ".join(word for word in words if word not in EMPTY) or " ".join(words)


def _answers_no(words: tuple[str, ...]) -> bool:
    """Tell whether a text that begins with "no" denies, as "no it is not" does and "no parking" does not."""
    return len(words) == 1 or words[1] in ("it", "they", "there", "he", "she", "this", "that")


@lru_cache(maxsize=1 << 16)
def parts_of(text: str) -> frozenset[str]:
    """Return what "and" joins, each part in one form: "white and blue" gives {"white", "blue"}."""
    parts = (" ".join(w for w in words_of(part) if w not in EMPTY) for part in _PARTS.split(text))
    return frozenset(part for part in parts if part)


@lru_cache(maxsize=1 << 16)
def same(one: str, other: str) -> bool:
    """Tell whether two answers mean the same: "11" and "eleven", "sofa" and "couch", "white and blue" and "blue and
    white"."""
    if key(one) == key(other):
        return True
    a, b = parts_of(one), parts_of(other)
    if len(a) != len(b):
        return False
    rest = set(b)
    for part in a:
        match = next((other for other in rest if _same_part(part, other)), None)
        if match is None:
            return False
        rest.discard(match)
    return True


def _same_part(one: str, other: str) -> bool:
    if one == other or one.replace(" ", "") == other.replace(" ", ""):  # skate board
        return True
    a, b = one.split(), other.split()
    if related_names.same(one, other):
        return True
    return len(a) == len(b) and all(x == y or related_names.same(x, y) for x, y in zip(a, b, strict=True))


@lru_cache(maxsize=1 << 16)
def differ(one: str, other: str) -> bool:
    """Tell whether two answers surely differ in meaning, so that one is wrong where the other is right. Symmetric.

    False where it can't be decided: one is broader than the other, they share a word, or people use both for one thing.
    """
    if same(one, other):
        return False
    a, b = key(one), key(other)
    if {a, b} == {"yes", "no"}:
        return True
    if a in ("yes", "no") or b in ("yes", "no"):
        return False
    if a.isdigit() or b.isdigit():
        return a.isdigit() and b.isdigit()
    words = set(a.split()) - {"and"}, set(b.split()) - {"and"}
    if words[0] & words[1] or _stems_meet(*words):
        return False
    if not _groups_of(words[0]).isdisjoint(_groups_of(words[1])):
        return False
    if any(
        one & _POSTURES and any(word.endswith("ing") for word in other) for one, other in (words, words[::-1])
    ):
        return False
    if words[0] <= _COLOURS and words[1] <= _COLOURS:  # as nouns some are related: red and white are wines
        return True
    pairs = [(x, y) for x in parts_of(one) for y in parts_of(other)]
    if any(_may_be_kind(x, y) or _may_be_kind(y, x) for x, y in pairs):
        return False
    return not any(related_names.may_be(x, y) or related_names.may_be(y, x) for x, y in pairs)


def _groups_of(words: set[str]) -> set[int]:
    """Return the numbers of the groups of `_NEAR` and `_SHADES` that have one of the words."""
    return {number for word in words for number in _GROUPS_OF.get(word, ())}


def _may_be_kind(one: str, other: str) -> bool:
    """Tell whether a name that is in no table may be that of a kind: the Palais des Papes is a monument."""
    return related_names.is_unknown(related_names.head(one)) and related_names.has_kinds(
        related_names.head(other)
    )


def _stems_meet(one: set[str], other: set[str]) -> bool:
    """Tell whether a word of one answer begins or ends with a word of the other: "ski" and "skiing", "truck" and
    "firetruck"."""
    return any(_of_one_stem(*sorted((x, y), key=len)) for x in one for y in other)


def _of_one_stem(short: str, long: str) -> bool:
    if len(short) < 3 or short.isdigit():
        return False
    if (len(short) > 3 and long.startswith(short)) or (len(short) > 4 and long.endswith(short)):
        return True
    if len(short) > 5 and short[:5] == long[:5]:
        return True
    return long in {
        stem + end
        for stem in (short, short + short[-1], short[:-1])
        for end in ("ing", "er", "ed", "y", "ian", "an", "ese", "ish")
    }
