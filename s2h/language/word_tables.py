"""Read the tables of words: nouns that can be seen, parts of speech of common words, and what captions say beside them.

`things.tsv` and `words.tsv` come from WordNet (`examples/language/make_table.py` made them, `wordnet-licence.txt` is their
licence). `everyday.txt` is written by hand. `inflected.tsv` holds the articles and plurals of the tables' words where they
are not by the plain rules (`examples/language/make_forms.py`). A table is read when it is first asked for, and only once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path

HERE = Path(__file__).parent


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text that spaces separate: "red blue" gives {"red", "blue"}."""
    return frozenset(text.split())


@dataclass
class Things:
    """Visible nouns, as WordNet groups them into synsets. A synset is a number: an index into the lists.

    files: WordNet's file of each synset (animal, artifact, food, …). broader: the synsets that are broader. names: its
    words. narrower: how many synsets each one is broader than. senses: the synsets of each noun, the first sense first.
    """

    files: list[str] = field(default_factory=list)
    broader: list[tuple[int, ...]] = field(default_factory=list)
    names: list[tuple[str, ...]] = field(default_factory=list)
    narrower: Counter[int] = field(default_factory=Counter)
    senses: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def above(self, senses: Iterable[int]) -> frozenset[int]:
        """Return some synsets and all broader ones."""
        found: set[int] = set()
        ahead = list(senses)
        while ahead:
            number = ahead.pop()
            if number not in found:
                found.add(number)
                ahead.extend(self.broader[number])
        return frozenset(found)

    def first_file(self, noun: str) -> str:
        """Return the file of a noun's first sense, "" for a noun that is not in the table: "dog" gives "animal"."""
        senses = self.senses.get(noun)
        return self.files[senses[0]] if senses else ""


@dataclass
class Everyday:
    """The hand-written table, by noun in the singular.

    same, near: the other nouns of its groups. kinds: what it is a kind of. unlike: what it is never the same as, whatever
    else says so. things: nouns that are neither a person nor an animal, though WordNet says so.
    """

    same: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    kinds: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    near: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unlike: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    things: set[str] = field(default_factory=set)

    def above(self, noun: str) -> set[str]:
        """Return the names of a noun's groups, what it is a kind of, and all that these are kinds of."""
        found: set[str] = set()
        ahead = [*self.same.get(noun, ()), *self.kinds.get(noun, ())]
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += self.kinds.get(name, ())
        return found


@cache
def things() -> Things:
    """Return the visible nouns of `things.tsv`."""
    found = Things()
    firsts: dict[str, int] = {}
    others: dict[str, list[int]] = defaultdict(list)
    for number, (_, file, broader, words) in enumerate(_rows("things.tsv")):
        found.files.append(file)
        found.broader.append(tuple(map(int, broader.split(","))) if broader else ())
        names = words.split(",") if words else []
        for at, name in enumerate(names):
            if name[0] == "*":  # the word's first sense
                names[at] = name[1:]
                firsts[name[1:]] = number
            else:
                others[name].append(number)
        found.names.append(tuple(names))
    found.narrower.update(chain.from_iterable(found.broader))
    found.senses = {name: (number, *others.get(name, ())) for name, number in firsts.items()}
    for name in everyday().things & found.senses.keys():
        lifeless = [n for n in found.senses.pop(name) if found.files[n] not in ("person", "animal")]
        if lifeless:
            found.senses[name] = tuple(lifeless)
    return found


@cache
def words() -> dict[str, dict[str, int]]:
    """Return each common word's parts of speech (n noun, v verb, a adjective, r adverb) in tenths of its uses.

    >>> words()["wave"]
    {'n': 6, 'v': 3}
    """
    shares: dict[str, dict[str, int]] = {}  # many words have the same
    found = {}
    for word, counts, *_ in _word_rows():
        share = shares.get(counts)
        if share is None:
            share = shares[counts] = {counts[i]: int(counts[i + 1]) for i in range(0, len(counts), 2)}
        found[word] = share
    return found


@cache
def irregular_verbs() -> dict[str, str]:
    """Return the verb of each irregular form: "rode" gives "ride"."""
    return {form: row[0] for row in _word_rows() if len(row) > 2 for form in row[2].split()}


@cache
def irregular_plurals() -> dict[str, str]:
    """Return the noun of each irregular plural: "geese" gives "goose"."""
    return {form: row[0] for row in _word_rows() if len(row) > 3 for form in row[3].split()}


@cache
def named() -> frozenset[str]:
    """Return the plain words of the tables, whose articles and plurals are known without inflect."""
    nouns = (word for name in things().senses for word in name.split())
    return frozenset(
        word
        for word in (*words(), *nouns)
        if len(word) > 1 and word.isascii() and word.isalpha() and word.islower()
    )


def is_named(word: str) -> bool:
    """Tell whether a word is one of `named`, which is only made for a word that no table has alone."""
    if not (len(word) > 1 and word.isascii() and word.isalpha() and word.islower()):
        return False
    return word in words() or word in things().senses or word in named()


@cache
def inflected() -> dict[str, tuple[str, str]]:
    """Return (article, plural) of the words that do not follow the plain rules; "" stands for one that does."""
    return {word: (article, plural) for word, article, plural in _rows("inflected.tsv")}


@cache
def everyday() -> Everyday:
    """Return the hand-written table; `everyday.txt` begins with the meaning of its signs."""
    found = Everyday()
    for line in (HERE / "everyday.txt").read_text(encoding="utf-8").splitlines():
        sign, _, rest = line.partition(" ")
        if sign == "<":
            nouns, _, kind = rest.partition(":")
            for noun in nouns.split(","):
                found.kinds[noun.strip()].add(kind.strip())
        elif sign == "-":
            found.things.update(noun.strip() for noun in rest.split(","))
        elif sign in ("=", "~", "!"):
            group = {noun.strip() for noun in rest.split(",")}
            groups = {"=": found.same, "~": found.near, "!": found.unlike}[sign]
            for noun in group:
                groups[noun] |= group - {noun}
    return found


@cache
def _word_rows() -> list[list[str]]:
    return _rows("words.tsv")


def _rows(name: str) -> list[list[str]]:
    lines = (HERE / name).read_text(encoding="utf-8").split("\n")
    return [line.split("\t") for line in lines if line and not line.startswith("#")]
