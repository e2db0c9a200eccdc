"""Level 2, comparison of answers: one question, which a source of questions and answers asks of several pictures, is put to
all images of the prompt. Asked are whether the answer is the same, for which image it is a certain one, and the odd one out.
The rejected answer is the right one of a world in which two pictures changed places or one was another, as in compare."""

from __future__ import annotations

import re
from random import Random

from s2h.sources import Item, NoPair, Trait
from s2h.sources.shapes import SHARED_QUESTIONS
from s2h.sources.shared_questions import SharedQuestion, SharedQuestions
from s2h.tasks import compare
from s2h.tasks.draft import (
    WORKING,
    Draft,
    Twin,
    branch,
    in_turn,
    items_of,
    name_images,
    pick_kind,
    two_places,
    yes_or_no,
)

NEEDS = SHARED_QUESTIONS
NEGATIVES = {"false-same": 1.0, "false-different": 1.0, "wrong-image": 1.0}
BRIEF, SHOW = (
    compare.BRIEF,
    (" Give the answer for each image first.", " Answer for each image, then conclude."),
)
ASKS = {
    "same": (
        "Take the question “{q}” Is the answer the same for {both}?",
        "“{q}” Do {both} have the same answer to this question?",
        "Ask of {both}: “{q}” Is the answer the same?",
        "Look at {both}. Is the answer to “{q}” the same for both?",
        "Would you answer “{q}” in the same way for {both}?",
    ),
    "different": (
        "Take the question “{q}” Is the answer different for {both}?",
        "“{q}” Do {both} have different answers to this question?",
        "Ask of {both}: “{q}” Do the answers differ?",
        "Look at {both}. Does the answer to “{q}” differ between the two?",
        "Would you answer “{q}” in different ways for {both}?",
    ),
    "which": (
        "In which image is the answer to “{q}” {v}?",
        "For which of {both} is the answer to “{q}” {v}?",
        "Only one image has the answer {v} to the question “{q}” Which one?",
        "Find the image for which the answer to “{q}” is {v}.",
        "“{q}” For which of {both} is {v} the right answer?",
    ),
    "odd": (
        "Take the question “{q}” For which image is the answer not the same as for the others?",
        "“{q}” All images but one have the same answer. Which one is the exception?",
        "Which image is the odd one out, judging by the answer to “{q}”",
        "One image differs from all the others in the answer to “{q}” Which one?",
        "Ask “{q}” of each image. For which one does the answer differ from the rest?",
    ),
}
# What a question asks about is named where its form tells: (pattern, same, different).
TYPES = (
    (
        re.compile(r"what colou?r is the ([\w' -]+)\?", re.IGNORECASE),
        "Is the {x} in Image {a} the same colour as the one in Image {b}?",
        "Is the {x} in Image {a} a different colour from the one in Image {b}?",
    ),
    (
        re.compile(r"what colou?r are the ([\w' -]+)\?", re.IGNORECASE),
        "Are the {x} in Image {a} the same colour as those in Image {b}?",
        "Are the {x} in Image {a} a different colour from those in Image {b}?",
    ),
    (
        re.compile(r"what (?:shape|kind of shape) is the ([\w' -]+)\?", re.IGNORECASE),
        "Is the {x} in Image {a} the same shape as the one in Image {b}?",
        "Is the {x} in Image {a} a different shape from the one in Image {b}?",
    ),
    (
        re.compile(r"how many ([\w' -]+?) are there\?", re.IGNORECASE),
        "Are there as many {x} in Image {a} as in Image {b}?",
        "Does the number of {x} differ between Image {a} and Image {b}?",
    ),
)
_WHERE = re.compile(r"\s+(?:in|on) (?:the|this) (?:image|picture|photo)$", re.IGNORECASE)


def possible_negatives(source: SharedQuestions) -> list[str]:
    return list(NEGATIVES)


def make(
    rng: Random, source: SharedQuestions, n_images: int, weights: dict[str, float], working: float = WORKING
) -> Draft:
    """One comparison of `n_images` pictures of which the same is asked; raises NoPair where the draw has too few."""
    if n_images < 2:
        raise NoPair("compare needs two images or more")
    wanted = {kind for kind, weight in weights.items() if weight > 0}
    answer = yes_or_no(rng, lambda n: _share(wanted), n_images)
    places = two_places(rng, n_images)
    if answer is None:
        kind, form = "wrong-image", branch(rng, ["which"] + ["odd"] * (n_images > 2), name="question")
    else:
        kind = pick_kind(rng, weights, ["false-same", "false-different"], by_answer=True)
        form = "same" if answer == (kind == "false-different") else "different"
    least = n_images - 1 if answer is None else 2
    question: SharedQuestion = source.draw(rng, least)
    one, other = question.rows
    if answer is None:
        at, wrong = places
        everywhere = operands = list(range(n_images))
        seen, believed = ([other if p == place else one for p in everywhere] for place in (at, wrong))
    else:
        trait = Trait("answer", (one, other), str)
        seen, believed, operands = compare._worlds(
            rng, form, trait, n_images, places, kind == "false-different"
        )
    shows = in_turn(rng, (True, False), (working, 1 - working), "working")
    ending = rng.choice(SHOW if shows else BRIEF)
    how = "working" if shows else "short" if ending else "sentence"

    def draw(value: str, together: list[Item]) -> Item:
        return source.draw_picture(rng, question, value, together)

    items: list[Item] = []
    for value in seen:
        items.append(draw(value, items))

    def facts(values: list[str]) -> dict:
        solved = _solve(form, values, operands, other)
        return {
            "form": form,
            "trait": "answer",
            "question": question.ask,
            "working": shows,
            "operands": operands,
            "values": values,
            **({"value": other} if form == "which" else {}),
            "answer": solved,
            "answer_type": "yes/no" if isinstance(solved, str) else "image",
        }

    def claims(values: list[str]) -> list[tuple[int, str]]:
        return [(p, f"{question.ask} {values[p]}") for p in operands]

    return Draft(
        items,
        ask(rng, form, question.ask, operands, other) + ending,
        say(form, seen, operands, other, how),
        say(form, believed, operands, other, how),
        kind,
        operands,
        facts(seen),
        claims(seen),
        claims(believed),
        twin=Twin(items_of(items, seen, believed, draw), facts(believed)),
    )


def _share(wanted: set[str]) -> float:
    """The share of yes/no questions."""
    others = "wrong-image" in wanted
    return (0.5 if others else 1.0) if wanted & {"false-same", "false-different"} else 0.0


def ask(rng: Random, form: str, question: str, operands: list[int], value: str) -> str:
    """The prompt's question: in words of its own where the source's question tells what it is about, else around it."""
    if form in ("same", "different") and rng.random() < 0.6:
        for pattern, same, different in TYPES:
            if found := pattern.fullmatch(question):
                a, b = operands
                about = _WHERE.sub("", found[1])
                return (same if form == "same" else different).format(x=about, a=a + 1, b=b + 1)
    told = value.lower() if value.lower() in ("yes", "no") else f"“{value}”"
    return rng.choice(ASKS[form]).format(q=question, both=name_images(operands), v=told)


def _solve(form: str, values: list[str], operands: list[int], value: str) -> str | int:
    if form == "which":
        return values.index(value) + 1
    return compare.solve(form, values, operands)


def say(form: str, values: list[str], operands: list[int], value: str, how: str) -> str:
    """The answer in words. how: as in compare.say."""
    answer = _solve(form, values, operands, value)
    if how == "short":
        return compare.short(answer)
    if form in ("same", "different"):
        differ = len({values[p] for p in operands}) > 1
        final = f"{answer.capitalize()}, the answer{'s differ' if differ else ' is the same'}."
    else:
        final = f"Image {answer} is the one." if form == "which" else f"Image {answer} is the odd one out."
    if how == "sentence":
        return final
    # The answers may be yes and no: the conclusion stands on a line of its own.
    return " ".join(f"The answer for Image {p + 1} is {values[p]}." for p in operands) + f"\n{final}"
