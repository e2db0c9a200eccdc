"""What a caption names: the thing that it is about (`concept_of`), and the phrases of all things that it mentions (`read`).

A concept is a noun phrase whose head can be seen ("brown dog", "stop sign"). Where a caption gives none, the reason is told,
so that a source can count it. No concept is better than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from s2h.language import nouns
from s2h.language.noun_categories import is_body_part
from s2h.language.noun_phrases import (
    CLOSED,
    COLLECTIVE,
    DETERMINERS,
    PARTITIVE,
    Phrase,
    Token,
    acts,
    phrase_at,
    phrases_of,
    seen,
    tokens_of,
)
from s2h.language.related_names import parse
from s2h.language.word_forms import ONLY_PLURAL, SAME_FORM, is_plural_form, shares, singular, verb_of
from s2h.language.word_tables import word_set

NOT_ENGLISH = "a caption that is not English"
FILE_NAME = "a file name for a caption"
NO_PHRASE = "a caption that begins with no noun phrase"
NOT_SEEN = "a caption that names nothing that can be seen"
UNSURE = "a caption that can be read in two ways"
NAME = "a caption that begins with a proper name"
MOST_WORDS = 4
LONGEST = 600  # characters of a caption that are read

_PICTURE = r"(?:image|picture|photo|photograph|photography|video|pic|scene|shot|snapshot|illustration|frame)"
_SHOWS = (
    r"(?:shows?|depicts?|features?|displays?|captures?|portrays?|contains?|presents?|illustrates?|showcases?|includes?|"
    r"consists\sof|is\sof|focuses\son|showing|featuring|depicting|displaying|appears\sto\s(?:be|show)|has|is(?=\san?\s))"
)
_SEE = (
    r"(?:there(?:['’]s|\s(?:is|are|seems?\sto\sbe|appears?\sto\sbe))|(?:we|you|i|one)\s(?:can\s)?see|it\s(?:is|shows)|"
    r"(?:is|are)\s(?:shown|seen|depicted))"
)
# What captioning models and alt texts begin with.
_OPENINGS = re.compile(
    rf"""^(?:
      (?:in|on|at)\s(?:this|the|an?)\s(?:\w+\s)?{_PICTURE},?\s(?:{_SEE}\s)?
    | (?:in|at|on|to)\sthe\s(?:far\s)?(?:foreground|background|center|centre|middle|distance|top|bottom|left|right|front)
      (?:\s(?:side|part|half|corner|edge))?(?:\sof\s(?:the|this)\s{_PICTURE})?,?\s(?:{_SEE}\s)?
    | (?:the|this)\s(?:main\s|central\s)?(?:subject|focus|focal\spoint)\s(?:of\s(?:the|this)\s{_PICTURE}\s)?is\s
    | (?:the|an?)?\s?(?:interior|exterior|inside|outside|front|rear)\s(?:(?:view|side|part|end)\s)?of\s
    | (?:the|this|an?)\s(?:\w+[\s-]){{0,3}}?{_PICTURE}\s{_SHOWS}\s
    | (?:an?|the|this)?\s?(?:[\w-]+\s){{0,4}}?
      (?:{_PICTURE}|close[\s-]?ups?|view|panorama|portrait|selfie|silhouette|rendering)\s(?:shot\s|view\s|image\s|photo\s)?of\s
    | (?:here\s)?{_SEE}\s | (?:this|that|here|these|those)\s(?:is|are)\s | it(?:['’]s|\sis)\s
    | (?:what\s(?:appears|looks)\s(?:to\sbe|like)\s)
    | {_PICTURE}:\s | caption:\s | alt:\s
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# 'Tux the penguin': a name, which only its bearer's noun tells from others.
_NAME = re.compile(
    r"^(?!(?:In|On|At|By|Of|To|From|With|For|Behind|Under|Over|Outside|Inside|Near|Around|Across|Through|Along|Above|Below|"
    r"Beside|Against|During|After|Before|While|When|Where|Into|Onto|Past|Down|Up|Off|All|Both|Half|Among|Between|Atop)\b)"
    r"[A-Z][a-z]+ (?=the [a-z])"
)
_FILE = re.compile(
    r"^\S+\.(?:jpe?g|png|gif|webp|heic|bmp|tiff?|avif|mp4|mov)$|^(?:img|dsc[fn]?|pxl|mvimg|image|photo|pict?|screenshot|"
    r"scan|p|_mg|untitled|file|frame|fb|wp|vid)[\s_-]*\(?\d[\w\s.()_-]*$|^[\d\W_]+$|^\w+_\w+_\w*\d|^\S+\s?\(\d+\)$|^[0-9a-f]{8,}$|^https?://",
    re.IGNORECASE,
)
# Words of other languages written in Latin letters, none of them an English word that a caption is likely to have.
_FOREIGN = word_set(
    """der das ein eine einer einem einen und auf mit im am zum zur ist sind steht sitzt liegt zwei drei vor dem den des
    el los las una unos unas con sobre del en por para y es está están dos tres su
    le les une des du sur dans avec et est sont deux trois aux au devant à
    il lo gli uno una di del della con su nel nella due tre che
    um uma os as com na no nas nos em dois três ao da
    een het op met en zijn twee bij
    en ett och på med som är två i av det er og til
    w na z i jest się przed dwa trzy oraz ve bir"""
) - word_set(
    "as no i am do as on a des du la en in z w met den der em er das os com na au su est es ve dos av lo di il"
)
_FOREIGN_FIRST = word_set(
    """ein eine der die das el la los las un una une le les des il lo gli um uma o os een het en ett unos unas zwei dos deux
    due"""
)
_FUNCTION = word_set(
    """a an the of with in on at and or to for from by is are his her their its this that two three near under over behind
    while as into through"""
)
# Heads that are in the table and yet say nothing, or stand for the picture itself.
EMPTY = word_set(
    """thing stuff object item part piece side top bottom corner front back end edge area surface view scene setting
    place point spot way line row center middle number example variety group bunch kind type picture photo image
    photograph shot close-up closeup background foreground product structure element detail feature one someone
    somebody everyone everybody individual being creature organism body sample specimen collection pile stack set pair
    pack work works show display design pattern position lot range sort fellow subject material layer course hold cut
    turn drop mark base left right second cast match pitch share bit hang dive ride lie pose wait rest pass press plot
    fall look run walk call help world remains nature earth universe love life death space red green blue yellow
    purple pink brown black white gray grey beige turquoise adult male female air sky nobody anybody anyone art
    industry business website john jack bill mark peter tom dick harry jerry ray victor smith paris lovely beauty
    cutie wonderland darling"""
)


# What is not the whole of a thing, and groups of what has no plural of its own.
_PARTS = word_set("slice piece half quarter wedge chunk bit strip portion slab block lump crumb bite")
_GROUPS = word_set("herd flock group pack school bunch couple pair row line")
# Heads that "of" makes another thing of, and those that are a likeness where no article follows it: a river of people.
_PLACES = word_set("bed bridge hood trunk bow crown tip heel shoulder foot mouth")
_SHAPES = word_set(
    """blanket carpet forest river curtain mountain tower wall cloud ocean pyramid tunnel jungle storm wave shower ring
    circle rain ribbon wheel road house tree"""
)
_EVENTS = word_set(
    """auction show race fair festival market parade ceremony game match party rally drive roundup raid contest competition
    tournament concert sale exhibit exhibition rodeo derby trial hunt run shearing farm pen truck crossing"""
)
_FAMILY = word_set(
    """someone somebody everyone one mum mom dad daddy mummy mommy grandma grandpa granny grandad granddad nana auntie
    aunt uncle mother father sister brother"""
)
_CALLED = word_set(
    "mum mom dad daddy mummy mommy grandma grandpa granny grandad granddad nana auntie uncle aunt"
)
# As a title they are the occasion: 'Family dinner', 'Lunch with Maria'.
_MEALS = word_set("breakfast lunch dinner supper brunch")
_TITLED = re.compile(r"[A-Z]\w+ [A-Z]")
# Behind a name at the start, what people and pets do rather than what the name may also mean: 'Daisy chasing a ball'.
_LIVELY = word_set(
    """playing holding wearing smiling sleeping laughing opening reading riding running chasing feeding petting eating making
    helping enjoying watching sitting looking posing walking learning trying jumping dancing waiting kissing hugging"""
)
# Verbs whose past is like their base, so that one thing may well do so: 'A child cut a cake.'
_LIKE_PAST = word_set("cut hit put set let shut spread hurt read bet cast split burst rid quit beat cost")


@dataclass(frozen=True)
class Found:
    """A caption's concept, or "" and the reason why there is none."""

    concept: str
    reason: str = ""


def concept_of(caption: str) -> str:
    """The caption's first noun phrase without its article, at most four words; '' where it is nothing that can be seen.
    'An Indian blackbuck.' gives 'Indian blackbuck', 'A dumper. It carries …' gives 'dumper'."""
    return find(caption).concept


@lru_cache(maxsize=1 << 15)
def find(caption: str) -> Found:
    """The caption's concept or the reason for none."""
    text = " ".join(caption.split())[:LONGEST]
    if not any(c.isalnum() for c in text):
        return Found("", NO_PHRASE)
    if _FILE.search(text):
        return Found("", FILE_NAME)
    text = without_openings(text)
    tokens = tokens_of(text)
    if not _is_english(text):
        return Found("", NOT_ENGLISH)
    start = 0
    if tokens and verb_of(tokens[0].low)[1] == "ing" and "," in text:
        start = 1 + next(
            at for at, token in enumerate(tokens) if token.low == ","
        )  # 'Sitting on a bench, a man …'
    phrase = phrase_at(tokens, start)
    part = None
    while phrase and _of_others(phrase, tokens):
        part, phrase = phrase, phrase_at(tokens, phrase.stop + 1)
    if phrase and (phrase.unsure or _is_other(phrase, tokens) or _is_event(phrase, tokens)):
        return Found("", UNSURE)
    if phrase and _is_name(phrase, text):
        return Found("", NAME)
    quoted = phrase and phrase.stop < len(tokens) and tokens[phrase.stop].low in "'‘\"“"
    if phrase is None or phrase.begins == "no" or quoted:
        return Found("", NO_PHRASE)
    ends = phrase.stop >= len(tokens) or tokens[phrase.stop].low in ".!?:,;—–"
    found = _named(phrase, ends, tokens[phrase.stop].low if phrase.stop < len(tokens) else "")
    if part and found.concept and phrase.begins == "bare" and _changes(part, phrase):
        return Found(" ".join((part.words[-1], "of", *found.concept.split()[-2:])))
    return found


def _is_other(phrase: Phrase, tokens: list[Token]) -> bool:
    """Whether "of" makes another thing of a noun: the bed of a truck, the hands of a clock, a blanket of snow."""
    ahead = [token.low for token in tokens[phrase.stop : phrase.stop + 2]]
    if len(ahead) < 2 or ahead[0] != "of":
        return False
    head = singular(phrase.words[-1])
    if head in _SHAPES:
        return ahead[1] not in DETERMINERS
    whole = phrase_at(tokens, phrase.stop + 1)
    if whole is None or not (head in _PLACES or is_body_part(head)):
        return False
    meat = whole.begins == "bare" and not is_plural_form(whole.words[-1])  # leg of lamb
    return meat or not acts(whole.words[-1])


def _is_event(phrase: Phrase, tokens: list[Token]) -> bool:
    """Whether an event follows a noun that has no other plural: a cattle auction is no cattle."""
    after = [token.low for token in tokens[phrase.stop : phrase.stop + 2]]
    head = phrase.words[-1].casefold()
    if not after or after[0] not in _EVENTS or not (head in SAME_FORM or head in ONLY_PLURAL):
        return False
    share = shares(after[0])
    return share.get("n", 0) > share.get("v", 0) or head == "cattle"


def _changes(part: Phrase, whole: Phrase) -> bool:
    """Whether a noun alone would say another number than what it is a part or a group of: a slice of lemon is no
    lemon, and a flock of sheep no sheep; but a sheet of paper is paper."""
    head = whole.words[-1].casefold()
    if head in SAME_FORM:
        return singular(part.words[-1]) in _GROUPS
    return singular(part.words[-1]) in _PARTS and not is_plural_form(head) and head not in nouns.MASS


def _named(phrase: Phrase, ends: bool, after: str) -> Found:
    words = _without_owner(phrase)
    last = words[-1].casefold()
    if last in map(str.casefold, words[:-1]):
        return Found("", NOT_SEEN)  # 'Home sweet home'
    unknown = not shares(last) and not seen(last)
    if phrase.begins == "bare" and len(words) == 1 and after and after in ".!?:—–" and not seen(last):
        return Found("", NOT_SEEN)
    share = shares(last)
    other = max(share.get("a", 0), share.get("v", 0) - 6 if singular(last) == last else 0)
    doing = verb_of(after)[1] == "ing" and is_thing(phrase)  # 'Bear walking in snow'
    if len(words) == 1 and phrase.begins == "bare" and other > share.get("n", 0) and not doing:
        return Found("", NOT_SEEN)  # 'Lovely!', 'Keep calm'
    if (
        phrase.begins in ("one", "open", "bare")
        and singular(last) == last
        and not (phrase.begins != "one" and (last in SAME_FORM | COLLECTIVE or is_plural_form(last)))
        and verb_of(after)[1] == "base"
        and shares(after).get("a", 0) < shares(after)["v"]
        and after not in _LIKE_PAST | CLOSED
    ):
        return Found("", NOT_SEEN)  # 'A dry erase marker': no verb of one thing, so the name goes on after it
    if phrase.begins == "bare" and last in _MEALS:
        return Found("", NOT_SEEN)
    if unknown and not is_thing(phrase):
        # 'A dumper.' names something, whatever it is; 'Gimel stands for gants.' may be anything
        named = phrase.begins == "one" and ends and last.isalpha() and not last.endswith(("ed", "ly", "ing"))
        return Found(" ".join(words[-MOST_WORDS:])) if named else Found("", NOT_SEEN)
    if not is_thing(phrase):
        return Found("", NOT_SEEN)
    return Found(" ".join(words[-MOST_WORDS:]))


def _without_owner(phrase: Phrase) -> list[str]:
    """The words of a phrase without a person whom no picture tells ('Emma's birthday cake', 'Mum's garden'), and without
    ranks ('best burger')."""
    words = list(phrase.words)
    while len(words) > 1 and words[0].casefold() in _RANKS:
        words.pop(0)
    ends = next((at for at, word in enumerate(words) if word.endswith(("'s", "’s"))), None)
    if ends is None or phrase.begins == "one":
        return words
    owner = words[ends][:-2].casefold()
    named = all(word[0].isupper() for word in words[: ends + 1]) and (owner in _NAMES or not seen(owner))
    return words[ends + 1 :] if named or owner in _FAMILY else words


_RANKS = word_set("best worst favorite favourite first last next only own same latest newest final perfect")
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


def _is_name(phrase: Phrase, text: str) -> bool:
    """Whether a phrase is the proper name of one thing, by its capitals ('Golden Gate Bridge in fog'), unless the whole
    caption is written so, or its last words are a noun that the tables know ('Golden Retriever on a lawn')."""
    if phrase.begins == "bare" and len(phrase.words) == 1 and phrase.words[0].istitle():
        name = phrase.words[0].casefold()
        if name in _CALLED:
            return True
        if name in _FAMILY and _TITLED.match(text[text.find(phrase.words[0]) :]):
            return True  # 'Aunt May'
        if name in _FIRST_NAMES and not acts(name):
            after = text[text.find(phrase.words[0]) + len(name) :].split()
            return bool(after) and after[0] in _LIVELY
        return name in _NAMES
    words = [word for word in phrase.words if word.casefold() not in nouns.PROPER]
    named = len(words) > 1 and all(word[0].isupper() and not word.isupper() for word in words)
    if not named or " " in parse(phrase.text)[0]:
        return False
    rest = [word for word in text.split() if word not in phrase.words and word not in _FUNCTION]
    if rest:
        return not all(word[0].isupper() for word in rest)
    return any(not shares(word) and not seen(word) for word in words)


@lru_cache(maxsize=1 << 14)
def without_openings(text: str) -> str:
    """The part of a caption that is read, without the words that captioning models and alt texts begin with: 'The image
    shows a dog.' gives 'a dog.'."""
    text = " ".join(text.split())[:LONGEST]
    for _ in range(3):
        found = _OPENINGS.match(text)
        if not found or found.end() >= len(text):
            break
        text = text[found.end() :]
    name = _NAME.match(text)
    return text[name.end() :] if name and not name[0].endswith("s ") else text


def _is_english(text: str) -> bool:
    """Whether a text can be read as English: Latin letters, and English little words rather than others."""
    letters = [c for c in text if c.isalpha()]
    if sum(c > "\u024f" for c in letters) > 0.2 * len(letters):
        return False
    words = re.findall(r"[^\W\d_]+", text.casefold())
    english = sum(word in _FUNCTION for word in words)
    foreign = sum(word in _FOREIGN for word in words) + (words[0] in _FOREIGN_FIRST and len(words) > 1)
    known = sum(bool(shares(word)) or word in _FUNCTION or seen(word) for word in words)
    if foreign and foreign >= english:
        return False
    return known * 2 >= len(words) or len(words) < 3


@lru_cache(maxsize=1 << 10)
def read(text: str) -> tuple[list[Token], list[Phrase]]:
    """The tokens of a text and the phrases of what it says is there. Several rules read one caption in a row."""
    tokens = tokens_of(text)
    return tokens, list(things_of(tokens))


def things_of(tokens: list[Token]) -> Iterator[Phrase]:
    """The phrases of a caption that say of a visible thing that it is there."""
    for phrase in phrases_of(tokens):
        if phrase.begins != "no" and is_thing(phrase) and not _of_others(phrase, tokens):
            yield phrase


def _of_others(phrase: Phrase, tokens: list[Token]) -> bool:
    """Whether a phrase only counts what "of" adds to it: 'a couple' of ducks."""
    last = phrase.words[-1].casefold()
    of = phrase.stop < len(tokens) and tokens[phrase.stop].low == "of"
    if last == "head" and of and phrase.stop + 1 < len(tokens) and tokens[phrase.stop + 1].low in DETERMINERS:
        return False  # the head of a horse, but a head of lettuce
    return of and (last in PARTITIVE or singular(last) in PARTITIVE)


def is_thing(phrase: Phrase) -> bool:
    """Whether a phrase names something that can be seen."""
    head = parse(phrase.text)[0]
    if head.startswith("letter "):
        return True
    return (seen(phrase.words[-1]) or seen(head)) and head not in EMPTY
