"""The built-in world in words: captions, questions with their answers, and claims that an image-text model can judge,
all made from an image's labels; `holds` reads a caption back and says whether it is true of an image.

Labels are plain JSON objects, as records carry them in `facts.labels`:
`{"kind": "scene", "background": "sand", "groups": [{"shape", "colour", "size", "count", "place"}, ...]}`,
`{"kind": "digit", "value": 7, "hand": "written"}`,
`{"kind": "face", "sex", "age", "skin", "hair", "eyes", "face", "nose", "brows", "texture", "freckles"}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

from s2h.sources import Question
from s2h.sources.builtin import families, numerals, scenes

COUNTS = ("no", "one", "two", "three", "four", "five")
PLURALS = {"fish": "fish", "cross": "crosses"}
SINGULAR = {PLURALS.get(shape, shape + "s"): shape for shape in scenes.SHAPES}
NAMED_SHAPES = frozenset((*scenes.SHAPES, *SINGULAR))
OF_FACES = frozenset(("hair", "texture", "eyes", "skin", "freckles"))  # what questions about a face are about
NOUNS = {
    ("female", "child"): "girl",
    ("male", "child"): "boy",
    ("female", "adult"): "woman",
    ("male", "adult"): "man",
    ("female", "old"): "old woman",
    ("male", "old"): "old man",
}
PEOPLE = {noun: sex_age for sex_age, noun in NOUNS.items()}
LOOKS = ("hair", "skin", "eyes")
PLACE_WORDS = {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom"}
TRAIT_NOUNS = {
    "hair": "hair",
    "eyes": "eyes",
    "skin": "skin",
    "face": "face",
    "nose": "nose",
    "brows": "eyebrows",
}


def labels_of(item: scenes.Scene | numerals.Digit | families.Person) -> dict:
    """Return the JSON labels of a drawn thing."""
    if isinstance(item, scenes.Scene):
        groups = [
            {"shape": g.shape, "colour": g.colour, "size": g.size, "count": g.count, "place": g.place}
            for g in item.groups
        ]
        return {"kind": "scene", "background": item.background, "groups": groups}
    if isinstance(item, numerals.Digit):
        return {"kind": "digit", "value": item.value, "hand": item.hand}
    return {"kind": "face", "sex": item.sex, "age": item.age, **dict(item.traits)}


def scene_of(labels: dict, key: str) -> scenes.Scene:
    """Return the scene with these labels, the inverse of `labels_of`."""
    groups = tuple(scenes.Group(**group) for group in labels["groups"])
    return scenes.Scene(key, labels["background"], groups)


def person_of(labels: dict, key: str) -> families.Person:
    """Return a person with these labels and without relatives."""
    traits = tuple((trait, labels[trait]) for trait in families.TRAITS)
    return families.Person(key, key, "stranger", labels["sex"], labels["age"], traits)


def with_article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def shape_word(shape: str, count: int) -> str:
    return shape if count == 1 else PLURALS.get(shape, shape + "s")


def group_phrase(group: dict, *, count: bool = True, size: bool = True, colour: bool = True) -> str:
    """Return "two small red stars" or "a large blue fish"; attributes can be left out."""
    words = [group["size"]] * size + [group["colour"]] * colour + [shape_word(group["shape"], group["count"])]
    phrase = " ".join(words)
    if group["count"] > 1:
        return f"{COUNTS[group['count']]} {phrase}" if count else phrase
    return with_article(phrase)


def noun_of(labels: dict) -> str:
    return NOUNS[labels["sex"], labels["age"]]


def hair_phrase(labels: dict) -> str:
    return f"{labels['texture']} {labels['hair']} hair"


def face_phrase(labels: dict, *traits: str) -> str:
    """Return "an old woman with curly red hair, brown skin and freckles" for the wanted traits."""
    parts = []
    for trait in traits:
        if trait == "hair":
            parts.append(hair_phrase(labels))
        elif trait == "freckles":
            parts.append("freckles" if labels["freckles"] == "freckled" else "no freckles")
        else:
            parts.append(f"{labels[trait]} {TRAIT_NOUNS[trait]}")
    noun = with_article(noun_of(labels))
    return f"{noun} with {listing(parts)}" if parts else noun


def listing(parts: list[str]) -> str:
    """Join "a", "a and b", or "a, b and c"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def digit_phrase(labels: dict) -> str:
    hand = "printed" if labels["hand"] == "printed" else "handwritten"
    return f"the {hand} digit {labels['value']}"


def describe(labels: dict) -> str:
    """Return the plain full description, without a capital or full stop: the claim that an image-text model judges."""
    if labels["kind"] == "scene":
        first, *rest = labels["groups"]
        if not rest:
            return f"{group_phrase(first)} on {with_article(labels['background'])} background"
        return " and ".join(f"{group_phrase(g)} {PLACE_WORDS[g['place']]}" for g in (first, rest[0]))
    if labels["kind"] == "digit":
        return digit_phrase(labels)
    return "the face of " + face_phrase(labels, "hair", "skin")


def look(labels: dict) -> str:
    """Return what an answer that shows its working says about an image, without a full stop; half of the traits of a
    face."""
    if labels["kind"] == "digit":
        return str(labels["value"])
    return face_phrase(labels, *LOOKS) if labels["kind"] == "face" else describe(labels)


def likeness(a: dict, b: dict) -> str:
    """Return what the looks of two faces have in common, such as "curly hair and green eyes"; "" for nothing."""
    hair = " ".join(a[trait] for trait in ("texture", "hair") if a[trait] == b[trait])
    same = [f"{hair} hair"] if hair else []
    same += [
        f"{a[trait]} {TRAIT_NOUNS[trait]}" for trait in LOOKS if trait != "hair" and a[trait] == b[trait]
    ]
    return listing(same) if same else ""


def caption(labels: dict, rng: Random) -> str:
    """Draw one of many true captions, a sentence about one or several attributes. `holds` accepts each of them."""
    if labels["kind"] == "digit":
        return sentence(digit_phrase(labels))
    if labels["kind"] == "face":
        extra = rng.choice(((), ("skin",), ("eyes",), ("freckles",), ("skin", "eyes")))
        return sentence(rng.choice(("", "a portrait of ")) + face_phrase(labels, "hair", *extra))
    mention = {"count": True, "size": rng.random() < 0.7, "colour": True}
    groups = labels["groups"]
    phrases = [group_phrase(g, **mention) for g in groups]
    if len(groups) == 1:
        ending = rng.choice(("", f" on {with_article(labels['background'])} background"))
        return sentence(rng.choice(("", "a picture of ")) + phrases[0] + ending)
    first, second = groups
    if first["place"] == "top" and rng.random() < 0.5:
        return sentence(f"{phrases[0]} above {phrases[1]}")
    return sentence(
        f"{phrases[0]} {PLACE_WORDS[first['place']]} and {phrases[1]} {PLACE_WORDS[second['place']]}"
    )


GENERIC = {
    "scene": (
        "A simple drawing with some coloured shapes.",
        "A picture of one or more shapes on a plain background.",
        "Some shapes in a drawing.",
    ),
    "face": ("A portrait of a person.", "A drawing of somebody's face.", "A person who looks at the viewer."),
    "digit": ("A picture of a number.", "One digit on paper.", "A number that somebody wrote down."),
}


def questions(labels: dict) -> list[Question]:
    """Return every question that an image answers, each with one right answer."""
    return list(
        {"scene": _scene_questions, "digit": _digit_questions, "face": _face_questions}[labels["kind"]](
            labels
        )
    )


def _others(values: tuple, value: object) -> tuple[str, ...]:
    return tuple(str(v) for v in values if v != value)


def _picture_claim(what: str, many: bool) -> Callable[[str], str]:
    """Return the claim of an answer that stands for {} in `what`."""
    return lambda value: picture_of(what.format(value), many)


def _count_claim(shape: str, count: str) -> str:
    return f"a picture of {count} {shape_word(shape, COUNTS.index(count))}"


def _scene_questions(labels: dict) -> Iterator[Question]:
    for group in labels["groups"]:
        shape, many = group["shape"], group["count"] > 1
        thing, verb = shape_word(shape, group["count"]), ("are" if many else "is")
        owner = f"the {thing}"
        yield Question(
            "colour",
            f"What colour {verb} {owner}?",
            group["colour"],
            _others(scenes.COLOURS, group["colour"]),
            _picture_claim(f"{{}} {shape}", many),
        )
        yield Question(
            "count",
            f"How many {shape_word(shape, 2)} are there?",
            COUNTS[group["count"]],
            _others(COUNTS[1:5], COUNTS[group["count"]]),
            partial(_count_claim, shape),
        )
        yield Question(
            "size",
            f"How big {verb} {owner}?",
            group["size"],
            _others(scenes.SIZES, group["size"]),
            _picture_claim(f"{{}} {shape}", many),
        )
        what = f"What shape {verb} the {group['colour']} {'objects' if many else 'object'}?"
        yield Question(
            "shape",
            what,
            shape,
            _others(scenes.SHAPES, shape),
            _picture_claim(f"{group['colour']} {{}}", many),
        )
        if group["place"] in PLACE_WORDS:
            across = ("left", "right") if group["place"] in ("left", "right") else ("top", "bottom")
            yield Question(
                "place",
                f"Where {verb} {owner}?",
                PLACE_WORDS[group["place"]],
                tuple(PLACE_WORDS[p] for p in across if p != group["place"]),
                f"{picture_of(shape, many)} {{}}",
            )
    yield Question(
        "background",
        "What colour is the background?",
        labels["background"],
        _others(scenes.BACKGROUNDS, labels["background"]),
        "a picture with a {} background",
    )


def picture_of(thing: str, many: bool) -> str:
    """Return "a picture of an orange star" for one, "a picture of orange stars" for several."""
    *attributes, shape = thing.split()
    return "a picture of " + (" ".join((*attributes, shape_word(shape, 2))) if many else with_article(thing))


def _digit_questions(labels: dict) -> Iterator[Question]:
    value = str(labels["value"])
    hand = "printed" if labels["hand"] == "printed" else "handwritten"
    yield Question(
        "digit",
        "Which digit is shown?",
        value,
        _others(tuple(range(10)), labels["value"]),
        "a picture of the digit {}",
    )
    yield Question(
        "hand",
        "Is the digit printed or handwritten?",
        hand,
        _others(("printed", "handwritten"), hand),
        "a picture of a {} digit",
    )


def _face_questions(labels: dict) -> Iterator[Question]:
    traits = families.TRAITS
    noun = noun_of(labels)
    someone = "the face of a person"
    yield Question("person", "Who is shown?", noun, _others(tuple(PEOPLE), noun), face_of)
    for trait, ask, thing in (
        ("hair", "What colour is the hair?", "hair"),
        ("texture", "Is the hair straight, wavy or curly?", "hair"),
        ("eyes", "What colour are the eyes?", "eyes"),
        ("skin", "Which skin tone is shown?", "skin"),
    ):
        wrong = _others(traits[trait], labels[trait])
        yield Question(trait, ask, labels[trait], wrong, f"{someone} with {{}} {thing}")
    freckles = "yes" if labels["freckles"] == "freckled" else "no"
    yield Question(
        "freckles",
        "Are there freckles?",
        freckles,
        _others(("yes", "no"), freckles),
        lambda answer: f"{someone} {'with' if answer == 'yes' else 'without'} freckles",
    )


def face_of(noun: str) -> str:
    """Return "the face of an old man"."""
    return f"the face of {with_article(noun)}"


# Reading a caption back --------------------------------------------------------------------------------------------

_WORD = re.compile(r"[a-z0-9]+")
_NUMBERS = {**{word: n for n, word in enumerate(COUNTS)}, "a": 1, "an": 1}
_PLACES = set(PLACE_WORDS)


def holds(text: str, labels: dict) -> bool:
    """Tell whether a caption says something definite about the image and nothing false: every object (or person) that it
    names is there with each attribute that it gives, and no attribute is contradicted. A caption that names nothing
    ("Some shapes.") does not hold."""
    words = _WORD.findall(text.lower())
    return {"scene": _holds_scene, "digit": _holds_digit, "face": _holds_face}[labels["kind"]](words, labels)


def _holds_digit(words: list[str], labels: dict) -> bool:
    numbers = [int(w) for w in words if w.isdigit()]
    hand = "printed" if labels["hand"] == "printed" else "handwritten"
    return numbers == [labels["value"]] and not any(
        w in ("printed", "handwritten") and w != hand for w in words
    )


def _holds_scene(words: list[str], labels: dict) -> bool:
    groups: list[dict[str, Any]] = []
    pending: dict[str, Any] = {}
    above_at = None
    for i, word in enumerate(words):
        if word in scenes.BACKGROUNDS and i + 1 < len(words) and words[i + 1] == "background":
            if word != labels["background"]:
                return False
        elif word in _NUMBERS:
            pending = {"count": _NUMBERS[word]}
        elif word in scenes.SIZES:
            pending["size"] = word
        elif word in scenes.COLOURS:
            pending["colour"] = word
        elif word in scenes.SHAPES or word in SINGULAR:
            pending["shape"] = word if word in scenes.SHAPES else SINGULAR[word]
            groups.append(pending)
            pending = {}
        elif word in _PLACES and groups:
            groups[-1]["place"] = word
        elif word == "above":
            above_at = len(groups)
    if above_at is not None:
        if above_at < 1 or len(groups) <= above_at:
            return False
        groups[above_at - 1]["place"], groups[above_at]["place"] = "top", "bottom"
    if not groups or len({s["shape"] for s in groups}) < len(groups):
        return False
    there = {group["shape"]: group for group in labels["groups"]}
    return all(s["shape"] in there and all(there[s["shape"]][k] == v for k, v in s.items()) for s in groups)


def _holds_face(words: list[str], labels: dict) -> bool:
    person = next((w for w in words if w in ("girl", "boy", "woman", "man")), None)
    if person is None:
        return False
    noun = f"old {person}" if "old" in words else person
    if noun != noun_of(labels):
        return False
    adjectives: list[str] = []
    heads = {noun: trait for trait, noun in TRAIT_NOUNS.items()}
    for word in words:
        if word in heads:
            trait = heads[word]
            allowed = {labels["hair"], labels["texture"]} if trait == "hair" else {labels[trait]}
            known = set(families.TRAITS[trait]) | (
                set(families.TRAITS["texture"]) if trait == "hair" else set()
            )
            if any(a in known and a not in allowed for a in adjectives):
                return False
            adjectives = []
        elif word == "freckles":
            if ("no" in adjectives) == (labels["freckles"] == "freckled"):
                return False
            adjectives = []
        elif word in ("with", "and"):
            adjectives = []
        else:
            adjectives.append(word)
    return True
