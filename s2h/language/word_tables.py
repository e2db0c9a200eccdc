"""The tables of nouns that can be seen (`things.tsv`, from WordNet), of common words' parts of speech (`words.tsv`), and of
what captions say beside WordNet (`everyday.txt`). Each is read when it is first wanted.

`examples/language/make_table.py` made the first two; `wordnet-licence.txt` is their licence. `inflected.tsv` holds what
inflect says of their words' articles and plurals beside the plain rules (`examples/language/make_forms.py`).
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
    """The words of a text that spaces part."""
    return frozenset(text.split())


@dataclass
class Things:
    """Synsets by number, and the numbers of each noun, the first sense first."""

    files: list[str] = field(default_factory=list)
    broader: list[tuple[int, ...]] = field(default_factory=list)
    names: list[tuple[str, ...]] = field(default_factory=list)
    narrower: Counter = field(default_factory=Counter)  # how many synsets each one is broader than
    senses: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def above(self, senses: Iterable[int]) -> frozenset[int]:
        """The numbers of some synsets and of all the broader ones."""
        found, ahead = set(), list(senses)
        while ahead:
            number = ahead.pop()
            if number not in found:
                found.add(number)
                ahead.extend(self.broader[number])
        return frozenset(found)


@dataclass
class Everyday:
    """The hand-written table. same, near: the groups that each noun is in; kinds: what each noun is a kind of; unlike:
    what a noun is never the same as, whatever else says so; things: what is neither a person nor an animal."""

    same: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    kinds: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    near: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unlike: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    things: set[str] = field(default_factory=set)


@cache
def things() -> Things:
    found, firsts, others = Things(), {}, {}
    for number, file, broader, words in _rows("things.tsv"):
        found.files.append(file)
        found.broader.append(tuple(map(int, broader.split(","))) if broader else ())
        names = words.split(",") if words else []
        found.names.append(tuple(name.lstrip("*") for name in names))
        for name in names:
            if name.startswith("*"):
                firsts[name[1:]] = int(number)
            else:
                others.setdefault(name, []).append(int(number))
    found.narrower.update(chain.from_iterable(found.broader))
    for name, number in firsts.items():
        found.senses[name] = (number, *others.get(name, ()))
    for name in everyday().things & found.senses.keys():
        lifeless = [n for n in found.senses.pop(name) if found.files[n] not in ("person", "animal")]
        if lifeless:
            found.senses[name] = tuple(lifeless)
    return found


@cache
def words() -> dict[str, dict[str, int]]:
    """word -> {part of speech: tenths of its uses}: n noun, v verb, a adjective, r adverb."""
    return {
        word: {told[i]: int(told[i + 1]) for i in range(0, len(told), 2)}
        for word, told, *_ in _rows("words.tsv")
    }


@cache
def irregular_verbs() -> dict[str, str]:
    """An irregular form -> its verb: 'rode' gives 'ride'."""
    return {form: row[0] for row in _rows("words.tsv") if len(row) > 2 for form in row[2].split()}


@cache
def irregular_plurals() -> dict[str, str]:
    """An irregular plural -> its noun: 'geese' gives 'goose'."""
    return {form: row[0] for row in _rows("words.tsv") if len(row) > 3 for form in row[3].split()}


@cache
def named() -> frozenset[str]:
    """The words of the tables that are plain words: of them the articles and plurals are known without inflect."""
    nouns = (word for name in things().senses for word in name.split())
    return frozenset(
        word
        for word in (*words(), *nouns)
        if len(word) > 1 and word.isascii() and word.isalpha() and word.islower()
    )


@cache
def inflected() -> dict[str, tuple[str, str]]:
    """word -> (article, plural) where these are not by the plain rules, '' where they are; `make_forms.py` made it."""
    return {word: (article, plural) for word, article, plural in _rows("inflected.tsv")}


@cache
def everyday() -> Everyday:
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


def _rows(name: str) -> list[list[str]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]
