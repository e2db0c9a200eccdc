"""Level 2, comparison of answers: the prompt asks one question of a source about all its images and compares the answers.
The forms are whether two answers are the same, which image has a given answer, and the odd one out. As in compare.py, the
rejected answer would be right if two images were swapped or if one were another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from s2h.sources import Item
from s2h.tasks import Wanted
from s2h.tasks.compare import draw_how, same_or_different, short, solve, type_of, worlds
from s2h.tasks.item_pair import Claims, Pair, Twin, name_images, rearranged
from s2h.tasks.slots import Slot

if TYPE_CHECKING:
    from s2h.sources.shared_questions import SharedQuestion, SharedQuestions

SHOW = (" Give the answer for each image first.", " Answer for each image, then conclude.")
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
# Questions from which the thing that they ask about can be taken: (pattern, question for same, question for different).
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


@dataclass(frozen=True)
class Query:
    """The question of one prompt. operands: positions of the images that it asks about. value: the answer that `which` asks
    for. how: as in `compare.Comparison`."""

    form: str
    question: str
    operands: list[int]
    value: str
    how: str

    def ask(self, rng: Random) -> str:
        """Return the prompt's question. It names the thing that the source's question is about if one of TYPES matches, and
        otherwise quotes the source's question."""
        if self.form in ("same", "different") and rng.random() < 0.6:
            for pattern, same, different in TYPES:
                if found := pattern.fullmatch(self.question):
                    a, b = self.operands
                    about = _WHERE.sub("", found[1])
                    return (same if self.form == "same" else different).format(x=about, a=a + 1, b=b + 1)
        value = self.value.lower() if self.value.lower() in ("yes", "no") else f"“{self.value}”"
        return rng.choice(ASKS[self.form]).format(q=self.question, both=name_images(self.operands), v=value)

    def solve(self, values: Sequence[str]) -> str | int | list[int]:
        if self.form == "which":
            return values.index(self.value) + 1
        return solve(self.form, values, self.operands)

    def facts(self, values: Sequence[str]) -> dict:
        answer = self.solve(values)
        return {
            "form": self.form,
            "trait": "answer",
            "question": self.question,
            "working": self.how == "working",
            "operands": self.operands,
            "values": values,
            **({"value": self.value} if self.form == "which" else {}),
            "answer": answer,
            "answer_type": type_of(answer),
        }

    def claims(self, values: Sequence[str]) -> Claims:
        return [(p, f"{self.question} {values[p]}") for p in self.operands]

    def say(self, values: Sequence[str]) -> str:
        """Return the answer in words."""
        answer = self.solve(values)
        if self.how == "short":
            return short(answer)
        if isinstance(answer, str):
            differ = len({values[p] for p in self.operands}) > 1
            final = f"{answer.capitalize()}, the answer{'s differ' if differ else ' is the same'}."
        else:
            final = f"Image {answer} is {'the one' if self.form == 'which' else 'the odd one out'}."
        if self.how == "sentence":
            return final
        # The conclusion has its own line, since the answers before it may be yes and no too.
        working = " ".join(f"The answer for Image {p + 1} is {values[p]}." for p in self.operands)
        return f"{working}\n{final}"


def make(slot: Slot, data: SharedQuestions, wanted: Wanted) -> Pair:
    """Return one comparison of the answers to a shared question. Raises NoPair if too few pictures have these answers."""
    rng, n_images, weights = slot.rng, slot.n_images, wanted.negatives
    kinds = {kind for kind, weight in weights.items() if weight > 0}
    answer = slot.yes_or_no(lambda n: _share(kinds))
    places = slot.two_places()
    if answer is None:
        kind, form = "wrong-image", slot.branch(["which"] + ["odd"] * (n_images > 2), name="question")
    else:
        kind, form = same_or_different(slot, weights, answer)
    question: SharedQuestion = data.draw(rng, n_images - 1 if answer is None else 2)
    one, other = question.rows
    if answer is None:
        operands = list(range(n_images))
        seen, believed = ([other if p == place else one for p in operands] for place in places)
    else:
        alike = kind == "false-different"
        seen, believed, operands = worlds(rng, form, (one, other), n_images, places, alike)
    how, ending = draw_how(slot, wanted, SHOW)
    query = Query(form, question.ask, operands, other, how)
    draw = partial(data.draw_picture, rng, question)
    items: list[Item] = []
    for value in seen:
        items.append(draw(value, items))
    return Pair(
        items,
        query.ask(rng) + ending,
        query.say(seen),
        query.say(believed),
        kind,
        operands,
        query.facts(seen),
        query.claims(seen),
        query.claims(believed),
        twin=Twin(rearranged(items, seen, believed, draw), query.facts(believed)),
    )


def _share(wanted: set[str]) -> float:
    """Return the share of yes/no questions. wanted: the kinds of rejected answers that have a weight."""
    others = "wrong-image" in wanted
    return (0.5 if others else 1.0) if wanted & {"false-same", "false-different"} else 0.0
