"""The dictionary form of a word, and the parts of speech that it may have, by the tables.

A form that the tables don't know is taken apart by the regular endings, and the result counts only where a table knows it.
"""

from __future__ import annotations

from functools import lru_cache

from s2h.language import word_tables
from s2h.language.word_tables import word_set

# Plurals that WordNet's exceptions don't list, and words in -s that are no plural.
_PLURALS = {
    "people": "person",
    "leaves": "leaf",
    "cookies": "cookie",
    "pies": "pie",
    "ties": "tie",
    "persons": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "skis": "ski",
}
ONLY_PLURAL = word_set(
    """trousers pants jeans shorts scissors glasses sunglasses eyeglasses spectacles goggles binoculars tongs tweezers
    pliers pajamas pyjamas leggings overalls clothes police cattle binoculars stairs remains 
    headphones earphones fries groceries barracks headquarters woods 
    clergy poultry livestock slacks knickers dungarees handcuffs outskirts
    premises people folk """
)
SAME_FORM = word_set(
    """sheep deer fish aircraft moose bison buffalo antelope caribou reindeer salmon trout cod tuna shrimp squid swine quail
    spacecraft hovercraft series species offspring elk"""
)
_NO_PLURAL = word_set(
    """gas lens canvas atlas christmas bus grass glass dress cross mattress compass christmas iris tennis pancreas cactus
    octopus circus walrus platypus hippopotamus campus crocus virus citrus lotus papyrus asparagus hummus couscous
    surplus tennis news physics gymnastics athletics billiards dominoes darts mars paris texas kansas jesus genesis
    oasis basis axis fitness harness business princess actress waitress hostess goddess lioness fortress abacus cosmos
    chaos pathos rhinoceros albatross swiss chess moss boss plus bonus status terrace molasses pajama always this his
    its yes us as is was has does perhaps across less unless thus"""
)


@lru_cache(maxsize=1 << 16)
def singular(word: str) -> str:
    """A noun in the singular, lower case: 'wolves' gives 'wolf', 'sheep' 'sheep', 'scissors' 'scissors'."""
    word = word.casefold()
    if word in _PLURALS:
        return _PLURALS[word]
    if word in ONLY_PLURAL or word in SAME_FORM or word in _NO_PLURAL:
        return word
    nouns = word_tables.words()
    if word in word_tables.irregular_plurals() and not word.endswith("s"):
        return word_tables.irregular_plurals()[word]
    man = word[:-3] + "man"
    if word.endswith("men") and (man in word_tables.things().senses or man in word_tables.everyday().same):
        return man
    if not word.endswith("s") or word.endswith("ss") or len(word) < 4:
        return word
    if word.endswith(("us", "is")):  # 'menus' and 'taxis', but 'cactus' and 'iris'
        senses = word_tables.things().senses
        return word[:-1] if word[:-1] in senses and word not in senses else word
    stems = [word[:-1]]
    if word.endswith("ies"):
        stems.insert(0, word[:-3] + "y")
    elif word.endswith("ves"):
        stems += [word[:-3] + "f", word[:-3] + "fe"]
    elif word.endswith("es"):
        stems.append(word[:-2])
        if word.endswith(("sses", "shes", "ches", "xes", "zzes", "uses")):
            stems.insert(0, word[:-2])
        if word.endswith("sses"):
            stems.pop()
    if word.endswith("zzes"):
        stems.append(word[:-3])
    known = [stem for stem in stems if "n" in nouns.get(stem, {}) or stem in word_tables.things().senses]
    if known:
        return known[0]
    if word in word_tables.irregular_plurals():
        return word_tables.irregular_plurals()[word]
    if "n" in nouns.get(word, {}) and word in word_tables.things().senses:
        return word
    return stems[0]


def is_plural_form(word: str) -> bool:
    """Whether a noun stands in the plural, or has none but the plural's form and use ('scissors', 'police')."""
    word = word.casefold()
    return word in ONLY_PLURAL or singular(word) != word


@lru_cache(maxsize=1 << 16)
def verb_of(word: str) -> tuple[str, str]:
    """(verb, form) of a word that may be a verb's: base, s, ing, past; ("", "") where it can't be one."""
    word = word.casefold()
    known = word_tables.words()

    def is_verb(stem: str) -> bool:
        return "v" in known.get(stem, {})

    if word in word_tables.irregular_verbs():
        verb = word_tables.irregular_verbs()[word]
        return verb, "ing" if word.endswith("ing") and word != verb else "past"
    if is_verb(word):
        return word, "base"
    if word.endswith("s") and not word.endswith("ss"):
        stems = [word[:-1], word[:-2]] if word.endswith("es") else [word[:-1]]
        stems += [word[:-3] + "y"] if word.endswith("ies") else []
        form = "s"
    elif word.endswith("ing") and len(word) > 4:
        stems = [word[:-3], word[:-3] + "e", word[:-4] if word[-4:-3] == word[-5:-4] else word[:-3]]
        form = "ing"
    elif word.endswith("ed") and len(word) > 3:
        stems = [word[:-2], word[:-1], word[:-3] if word[-3:-2] == word[-4:-3] else word[:-2]]
        stems += [word[:-3] + "y"] if word.endswith("ied") else []
        form = "past"
    else:
        return "", ""
    verb = next(filter(is_verb, stems), "")
    return (verb, form) if verb else ("", "")


@lru_cache(maxsize=1 << 16)
def shares(word: str) -> dict[str, int]:
    """Tenths of a word's uses by part of speech, of its dictionary forms: 'stops' as 'stop'."""
    word = word.casefold()
    known = word_tables.words()
    found = dict(known.get(word, {}))
    noun, (verb, form) = singular(word), verb_of(word)
    if noun != word and "n" in known.get(noun, {}):
        found["n"] = known[noun]["n"]
    if verb and form != "base":
        found["v"] = max(known[verb]["v"], found.get("v", 0))
    return found


@lru_cache(maxsize=1 << 14)
def only_participle(word: str) -> bool:
    """Whether a past form is a participle and never the simple past: 'drawn', 'worn'."""
    verb = word_tables.irregular_verbs().get(word, "")
    other = any(form != word and one == verb for form, one in word_tables.irregular_verbs().items())
    return bool(verb) and word != verb and word.endswith("n") and other
