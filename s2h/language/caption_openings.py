"""Remove the words with which captioning models and alt texts begin: "The image shows a dog." becomes "a dog.".

`concepts.py` and `caption_fit.py` read what is left. An opening that is not known only costs a concept: the caption is then
skipped, with the reason that it names nothing that can be seen.
"""

from __future__ import annotations

import re
from functools import lru_cache

from s2h.language.word_forms import shares, verb_of
from s2h.language.word_tables import word_set

LONGEST = 600  # characters of a caption that are read

_PICTURE = (
    r"(?:image|picture|photo|photograph|photography|video|pic|scene|shot|snapshot|illustration|frame|artwork|composition|"
    r"drawing|rendering|render|scan|x-ray|radiograph|mri|micrograph)"
)
_SHOWS = (
    r"(?:shows?|depicts?|features?|displays?|captures?|portrays?|contains?|presents?|illustrates?|showcases?|includes?|"
    r"consists\sof|is\sof|focuses\son|showing|featuring|depicting|displaying|capturing|portraying|"
    r"appears\sto\s(?:be|show)|has|is(?=\san?\s))"
)
_SEE = (
    r"(?:there(?:['’]s|\s(?:is|are|seems?\sto\sbe|appears?\sto\sbe))|(?:we|you|i|one)\s(?:can\s)?see|it\s(?:is|shows)|"
    r"(?:is|are)\s(?:shown|seen|depicted)|(?:is|are|stands?|sits?|lies?|hangs?)(?=\s(?:an?|the|some|two|three|several)\s))"
)
# A word that describes a picture: "a blurry black and white photo of", but not "a man takes a photo of".
_DESCRIBES = (
    r"(?:(?!(?:an?|the|this|that|his|her|their|its|my|our|of|with|in|on|at|to|for|by|from)\s)[\w-]+\s)"
)
_OPENINGS = re.compile(
    rf"""^(?:
      (?:in|on|at)\s(?:this|the|an?)\s(?:\w+\s)?{_PICTURE},?\s(?:{_SEE}\s)?
    | (?:in|at|on|to)\sthe\s(?:far\s)?(?:foreground|background|center|centre|middle|distance|top|bottom|left|right|front)
      (?:\s(?:side|part|half|corner|edge))?(?:\sof\s(?:the|this)\s{_PICTURE})?,?\s(?:{_SEE}\s)?
    | (?:the|this)\s(?:main\s|central\s)?(?:subject|object|element|figure|focus|focal\spoint)
      \s(?:(?:of|in)\s(?:the|this)\s{_PICTURE}\s)?is\s
    | (?:the|an?)?\s?(?:interior|exterior|inside|outside|front|rear)\s(?:(?:view|side|part|end)\s)?of\s
    | (?:the|this|an?)\s(?P<shown>{_DESCRIBES}{{0,3}}?){_PICTURE}\s{_SHOWS}\s
    | (?:an?|the|this)?\s?(?P<told>{_DESCRIBES}{{0,4}}?)
      (?:{_PICTURE}|close[\s-]?ups?|view|glimpse|panorama|portrait|selfie|silhouette|cross[\s-]sections?|flat[\s-]lay|
      selective\sfocus)\s(?:shot\s|view\s|image\s|photo\s)?of\s
    | (?:here\s)?{_SEE}\s | (?:this|that|here|these|those)\s(?:is|are)\s | it(?:['’]s|\sis)\s
    | (?:what\s(?:appears|looks)\s(?:to\sbe|like)\s)
    | {_PICTURE}:\s | caption:\s | alt:\s
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# Participles that describe a picture; any other verb before it says what somebody does with one.
_DESCRIPTIVE = word_set(
    "stunning amazing charming breathtaking interesting surprising fascinating sweeping striking moving"
)
# "Tux the penguin": a name that only says which penguin it is. A caption may also begin with a preposition in capitals.
_NAME = re.compile(
    r"^(?!(?:In|On|At|By|Of|To|From|With|For|Behind|Under|Over|Outside|Inside|Near|Around|Across|Through|Along|Above|Below|"
    r"Beside|Against|During|After|Before|While|When|Where|Into|Onto|Past|Down|Up|Off|All|Both|Half|Among|Between|Atop)\b)"
    r"[A-Z][a-z]+ (?=the [a-z])"
)


@lru_cache(maxsize=1 << 14)
def without_openings(text: str) -> str:
    """Return the part of a caption that is read, at most `LONGEST` characters of it.

    >>> without_openings("In this image, there is a black and white photo of a dog.")
    'a dog.'
    """
    text = " ".join(text.split())[:LONGEST]
    for _ in range(3):
        found = _OPENINGS.match(text)
        if not found or found.end() >= len(text) or _tells_an_act(found["shown"] or found["told"] or ""):
            break
        text = text[found.end() :]
    name = _NAME.match(text)
    return text[name.end() :] if name and not name[0].endswith("s ") else text


def _tells_an_act(words: str) -> bool:
    """Whether the words before "photo of" say what somebody does: "Tourist taking" and "Artist paints"."""
    for word in words.casefold().split():
        if verb_of(word)[1] in ("s", "ing") and word not in _DESCRIPTIVE and shares(word)["v"] > 1:
            return True
    return False
