"""Tell captions that can be read from file names and from captions in other languages.

`concepts.py` asks before it looks for a concept, and a source counts what was skipped.
"""

from __future__ import annotations

import re

from s2h.language.noun_phrases import seen
from s2h.language.word_forms import shares
from s2h.language.word_tables import word_set

_FILE = re.compile(
    r"^\S+\.(?:jpe?g|png|gif|webp|heic|bmp|tiff?|avif|mp4|mov)$|^(?:img|dsc[fn]?|pxl|mvimg|image|photo|pict?|screenshot|"
    r"scan|p|_mg|untitled|file|frame|fb|wp|vid)[\s_-]*\(?\d[\w\s.()_-]*$|^[\d\W_]+$|^\w+_\w+_\w*\d|^\S+\s?\(\d+\)$|^[0-9a-f]{8,}$|^https?://",
    re.IGNORECASE,
)
# Little words of German, Spanish, French, Italian, Portuguese, Dutch, Swedish, Polish and Turkish that are no English words.
_FOREIGN = word_set(
    """ao auf aux avec bij bir che con da dans del della dem det deux devant dois drei due dwa een ein eine einem einen
    einer el está están et ett gli het im ist jest las le les liegt los med mit nas nel nella nos och og op oraz para
    por przed på sind sitzt się sobre som sont steht sur til tre tres trois trzy três två twee um uma una unas und une
    uno unos vor y zijn zum zur zwei à är"""
)
# Articles and numbers at the start of a caption; some are English words elsewhere ("a die", "one las").
_FOREIGN_FIRST = word_set(
    """das der des deux die dos due een ein eine el en ett gli het il la las le les lo los o os um uma un una unas une unos
    zwei"""
)
LITTLE_WORDS = word_set(
    """a an the of with in on at and or to for from by is are his her their its this that two three near under over behind
    while as into through"""
)
_WORD = re.compile(r"[^\W\d_]+")
_LAST_LATIN = "\u024f"


def is_file_name(text: str) -> bool:
    """Whether a caption is the name of a file or a mere number: "IMG_2034.jpg", "DSC00123", "0042"."""
    return bool(_FILE.search(text))


def is_english(text: str) -> bool:
    """Whether a caption is written in Latin letters, has more English little words than foreign ones, and at least every
    second word of it is in the tables.

    >>> is_english("A dog on a sofa"), is_english("Ein Hund auf dem Sofa")
    (True, False)
    """
    if not text.isascii():
        letters = [c for c in text if c.isalpha()]
        if sum(c > _LAST_LATIN for c in letters) > 0.2 * len(letters):
            return False
    words = _WORD.findall(text.casefold())
    foreign = sum(word in _FOREIGN for word in words)
    foreign += len(words) > 1 and words[0] in _FOREIGN_FIRST
    if foreign and foreign >= sum(word in LITTLE_WORDS for word in words):
        return False
    return len(words) < 3 or _knows_half(words)


def _knows_half(words: list[str]) -> bool:
    """Whether the tables know at least every second word; stops as soon as that is sure, since a look-up is slow."""
    wanted = (len(words) + 1) // 2 - sum(word in LITTLE_WORDS for word in words)
    for word in words:
        if wanted <= 0:
            return True
        if word not in LITTLE_WORDS and (shares(word) or seen(word)):
            wanted -= 1
    return wanted <= 0
