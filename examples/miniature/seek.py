"""Lessons about finding an image by what it shows: the questions of the task search that ask for a caption, over images that
are shown or told in words."""

from __future__ import annotations

from random import Random

from lessons import PoolWorld

from s2h.sources import Item
from s2h.sources.builtin import words
from s2h.tasks import search_words


def seek(
    rng: Random,
    pictures: PoolWorld,
    told: float,
    most: int = 5,
    turns: int = 3,
    all_shown: bool = False,
    working: float = 0.5,
) -> tuple[list[Item], list]:
    """Ask for the caption of the image that shows something. Unless `all_shown`, at least one image is told. working:
    probability that the question asks for the working."""
    n = rng.randint(2, most)
    kind = "face" if rng.random() < 0.3 else "scene"
    items = [pictures._any(rng, kind) for _ in range(n)]
    in_words = [rng.random() < told for _ in items]
    if not all_shown and not any(in_words):
        in_words[rng.randrange(n)] = True
    said = []
    for item in rng.sample(items, min(turns, n)):
        concept = pictures.concept(rng, item)
        there = [pictures.shows(other, concept) for other in items]
        if sum(there) == 1:
            shows = rng.random() < working
            scan = search_words.scan(str(concept), there) if shows else ""
            answer = scan + search_words.one_form(words.caption(item.labels, rng))
            said.append((search_words.ask(rng, "caption", str(concept), shows), answer))
    if not said:
        return seek(rng, pictures, told, most, turns, all_shown, working)
    indexed = rng.random() < 0.5
    parts: list = []
    for i, item in enumerate(items):
        number = f"Image {i + 1}: " if indexed or in_words[i] else ""
        parts += [f"{'' if i == 0 else chr(10)}{number}", words.look(item.labels) if in_words[i] else None]
    (first, answer), *rest = said
    shown = [item for item, told_one in zip(items, in_words, strict=True) if not told_one]
    return shown, [([*parts, "\n" + first], answer), *(([ask], say) for ask, say in rest)]
