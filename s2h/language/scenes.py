"""What a picture shows whether its captions say so or not: things that are in most pictures, what people wear, and what
belongs to the kind of scene that the captions tell of. meaning.py asks it for things that no caption mentions."""

from __future__ import annotations

from collections.abc import Collection

from s2h.language import table
from s2h.language.sorts import is_body_part, is_person
from s2h.language.table import word_set

# What is in most pictures; parts of a body are so as well.
_ALL_OVER = word_set(
    """sky ground floor wall ceiling air background cloud shadow sun light hair beard clothes clothing smile face glasses
    sunlight daylight reflection day night camera distance top side corner edge picture photo view scene shirt shoe pants
    jeans room area surface leg tail coat"""
)
_WORN = word_set("watch belt sock sleeve pocket button collar bracelet necklace earring hat cap")
_SET = word_set("table plate napkin fork knife spoon tray tablecloth")  # for a meal
_LAND = word_set(
    "grass tree bush dirt fence street road highway sidewalk pavement building field meadow lawn"
)
_WATER = word_set("water ocean sea wave lake")
_NATURE = word_set("rock tree water grass bush leaf hill mountain river")
_INSIDE = word_set("window table chair lamp curtain rug carpet shelf pillow blanket door cabinet counter")
# (what captions of a kind of scene leave out as often as they say it, what tells of such a scene)
_SCENES = (
    (
        _LAND,
        _LAND
        | word_set(
            "park pasture hillside path trail crossing intersection curb crosswalk traffic car bus carriage cart"
        )
        | word_set("farm zoo barn city town shop store"),
    ),
    (
        _WATER,
        _WATER
        | word_set(
            "shore boat ship sailboat pier dock harbor lighthouse surfboard surfer kayak canoe island"
        ),
    ),
    (_NATURE, word_set("forest waterfall river stream mountain hill trail cliff canyon")),
    (
        _INSIDE,
        word_set(
            "sofa couch bed bedroom kitchen bathroom office sink stove oven refrigerator fireplace bookcase desk"
        )
        | {"living room", "dining room", "hotel room"},
    ),
)


def may_go_without_saying(thing: str, known: Collection[str]) -> bool:
    """Whether a thing may be in a picture though captions that mention the known things leave it out."""
    if thing in _ALL_OVER or is_body_part(thing):
        return True
    if thing in _WORN:
        return any(map(is_person, known))
    if thing in _SET and any(map(_is_food, known)):
        return True
    return any(
        thing in left_out and any(other.replace(" ", "_") in told for other in known)
        for left_out, told in _SCENES
    )


def _is_food(noun: str) -> bool:
    things = table.things()
    said = "food" in table.everyday().kinds.get(noun, ())
    return said or any(things.files[number] == "food" for number in things.senses.get(noun, ())[:1])
