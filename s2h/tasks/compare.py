"""Level 2, comparison: the question compares several images in one trait that the source knows (the digit, the kind of
object, the number of stars). The forms of question are same or different, the odd one out, more or fewer, and the order.
The rejected answer would be right if two images were swapped or if one showed something else. Those images are drawn as
often as the real ones, so the text alone does not tell chosen from rejected.

For a source of questions and answers, compare_answers.py compares the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import factorial
from random import Random
from typing import TYPE_CHECKING

from s2h.sources import Item, NoPair, Trait
from s2h.sources.shapes import COMPARABLE, SHARED_QUESTIONS, Comparable
from s2h.tasks import Answer, Task, Wanted
from s2h.tasks.item_pair import Claims, Pair, Twin, name_images, rearranged
from s2h.tasks.slots import Slot

if TYPE_CHECKING:
    from s2h.sources.shared_questions import SharedQuestions

REDRAWS = 100
NEGATIVES = {
    "false-same": 1.0,
    "false-different": 1.0,
    "wrong-image": 1.0,
    "swapped-images": 1.0,
}
ASKS = {
    "same": (
        "Do {both} show the same {what}?",
        "Is the {what} in {both} the same?",
        "Compare {both}: is the {what} the same?",
        "Look at {both}. Do they show the same {what}?",
        "Do {both} have the same {what}?",
        "Do {both} match in the {what}?",
        "{both}: do they show the same {what}, or not?",
        "Would you say that {both} show the same {what}?",
        "Is the {what} in {both} one and the same?",
        "Does the {what} stay the same from one of {both} to the other?",
    ),
    "different": (
        "Do {both} differ in the {what}?",
        "Is the {what} in {both} different?",
        "Compare {both}: is the {what} different?",
        "Look at {both}. Do they differ in the {what}?",
        "Do {both} differ from each other in the {what}?",
        "Does the {what} differ between {both}?",
        "{both}: do they differ in the {what}, or not?",
        "Would you say that {both} differ in the {what}?",
        "Is the {what} in one of {both} unlike that in the other?",
        "Does the {what} change from one of {both} to the other?",
    ),
    "odd": (
        "Which image is the odd one out, judging by the {what}?",
        "One image differs from all the others in the {what}. Which one?",
        "All images but one agree in the {what}. Which image is the exception?",
        "Find the image whose {what} is unlike that of the others.",
        "Which image does not share its {what} with the others?",
        "Look at the {what} in each image. Which image does not fit?",
        "Name the image that does not belong, going by the {what}.",
        "In which image is the {what} not the same as in the rest?",
        "Which one of the images has a different {what} from the rest?",
        "By the {what}, one image stands apart. Which is it?",
    ),
    "more": (
        "Which of {both} shows more {things}?",
        "In which of {both} are there more {things}?",
        "Compare {both}: where do you see more {things}?",
        "Of {both}, which has more {things}?",
        "Look at {both}. Which one has the larger number of {things}?",
        "Count the {things} in {both}. Which image has more?",
        "Where are there more {things}, in {either}?",
        "{both}: which of them has more {things}?",
        "Name the one of {both} with more {things}.",
        "Tell me which of {both} shows the larger number of {things}.",
    ),
    "fewer": (
        "Which of {both} shows fewer {things}?",
        "In which of {both} are there fewer {things}?",
        "Compare {both}: where do you see fewer {things}?",
        "Of {both}, which has fewer {things}?",
        "Look at {both}. Which one has the smaller number of {things}?",
        "Count the {things} in {both}. Which image has fewer?",
        "Where are there fewer {things}, in {either}?",
        "{both}: which of them has fewer {things}?",
        "Name the one of {both} with fewer {things}.",
        "Tell me which of {both} shows the smaller number of {things}.",
    ),
    "order": (
        "Put the images in order of the {what}, the {first} first.",
        "Sort the images by the {what}, starting with the {first}.",
        "Order the images by the {what}. Begin with the {first}.",
        "Arrange the images by the {what}, from the {first} on.",
        "Rank the images by the {what}, the {first} first.",
        "What is the order of the images by the {what}, the {first} first?",
        "List the images by the {what}, from the {first} to the {last}.",
        "Going by the {what}, what is the order of the images, the {first} first?",
        "Name the images in order of their {what}, from the {first} to the {last}.",
        "By the {what}, which image comes first, which next? Start with the {first}.",
    ),
}
BRIEF = ("", "", " Give a short answer.", " Answer briefly.")
SHOW = (
    " Say what you see in each image first.",
    " Describe the images, then answer.",
    " Show how you got there.",
)


@dataclass(frozen=True)
class Comparison:
    """The question of one prompt. operands: positions of the images that it asks about. descending: whether an order starts
    with the largest. how: `working` answers say first what each image shows, `short` ones give the answer alone, `sentence`
    ones give it in a sentence."""

    form: str
    trait: Trait
    operands: list[int]
    descending: bool
    how: str

    def ask(self, rng: Random) -> str:
        both = name_images(self.operands)
        first, last = ("most", "fewest") if self.descending else ("fewest", "most")
        return rng.choice(ASKS[self.form]).format(
            both=both,
            either=both.replace(" and ", " or "),
            what=self.trait.what,
            things=self.trait.things,
            first=first,
            last=last,
        )

    def solve(self, values: Sequence) -> str | int | list[int]:
        return solve(self.form, values, self.operands, self.descending)

    def facts(self, values: Sequence) -> dict:
        answer = self.solve(values)
        return {
            "form": self.form,
            "trait": self.trait.what,
            "working": self.how == "working",
            "operands": self.operands,
            "values": values,
            **({"descending": self.descending} if self.form == "order" else {}),
            "answer": answer,
            "answer_type": "order" if self.form == "order" else type_of(answer),
        }

    def claims(self, values: Sequence) -> Claims:
        return [(p, self.trait.claim(values[p])) for p in self.operands]

    def say(self, values: Sequence) -> str:
        """Return the answer in words."""
        answer, trait, form = self.solve(values), self.trait, self.form
        if self.how == "short":
            return short(answer)
        if isinstance(answer, str):
            differ = len({values[p] for p in self.operands}) > 1
            final = f"{answer.capitalize()}, the {trait.what} is {'different' if differ else 'the same'}."
        elif isinstance(answer, list):
            final = f"The order is {', '.join(f'Image {number}' for number in answer)}."
        elif form == "odd":
            final = f"Image {answer} is the odd one out."
        else:
            final = f"Image {answer} shows {form} {trait.things}."
        if self.how == "sentence":
            return final
        return " ".join([*(f"Image {p + 1} shows {trait.phrase(values[p])}." for p in self.operands), final])


def make(slot: Slot, data: Comparable | SharedQuestions, wanted: Wanted) -> Pair:
    """Return one comparison. Raises NoPair if the source has too few values for it."""
    if slot.n_images < 2:
        raise NoPair("compare needs two images or more")
    from s2h.sources.shared_questions import SharedQuestions

    if isinstance(data, SharedQuestions):
        from s2h.tasks import compare_answers

        return compare_answers.make(slot, data, wanted)
    rng, n_images, weights = slot.rng, slot.n_images, wanted.negatives
    numbers = data.count_share
    kinds = frozenset(kind for kind, weight in weights.items() if weight > 0)
    answer = slot.yes_or_no(lambda n: _share(numbers, n, kinds))
    places = slot.two_places()
    descending = False
    if answer is None:
        questions = _others(numbers, n_images, kinds)
        counted, form = slot.branch(list(questions), list(questions.values()), "question")
        kind = slot.negative(weights, ["wrong-image" if form == "odd" else "swapped-images"])
        if form == "order":
            descending = slot.deal((True, False), name="descending")
    else:
        kind, form = same_or_different(slot, weights, answer)
        counted = slot.deal((True, False), (numbers, 1 - numbers), "trait")
    trait = _draw_trait(rng, data, counted)
    if form == "order" and len(trait.values) < n_images:
        form, descending = slot.deal(("more", "fewer"), name="instead"), False
    values, world, operands = worlds(rng, form, trait.values, n_images, places, kind == "false-different")
    how, ending = draw_how(slot, wanted, SHOW)
    comparison = Comparison(form, trait, operands, descending, how)
    ask = comparison.ask(rng) + ending
    draw = partial(data.draw_showing, rng, trait)
    items: list[Item] = []
    for value in values:
        items.append(draw(value, items))
    return Pair(
        items,
        ask,
        comparison.say(values),
        comparison.say(world),
        kind,
        operands,
        comparison.facts(values),
        comparison.claims(values),
        comparison.claims(world),
        twin=Twin(rearranged(items, values, world, draw), comparison.facts(world)),
    )


def same_or_different(slot: Slot, weights: dict[str, float], answer: bool) -> tuple[str, str]:
    """Return the kind of mistake and the form of a yes/no question. answer: whether yes is right."""
    kind = slot.negative(weights, ["false-same", "false-different"], by_answer=True)
    return kind, "same" if answer == (kind == "false-different") else "different"


@lru_cache
def _others(numbers: float, n_images: int, wanted: frozenset[str]) -> dict[tuple[bool, str], float]:
    """Return the weights of the questions that yes or no does not answer, by (whether the trait is a count, form)."""
    found: dict[tuple[bool, str], float] = {}
    for counted, weight in ((True, numbers), (False, 1 - numbers)):
        forms = ["odd"] * (n_images > 2 and "wrong-image" in wanted)
        forms += ["more", "fewer", "order"] * (counted and "swapped-images" in wanted)
        every = len(forms) + 2  # same and different
        found |= {(counted, form): weight / every for form in forms if weight > 0}
    return found


def _share(numbers: float, n_images: int, wanted: frozenset[str]) -> float:
    """Return the share of yes/no questions among those about `n_images` images."""
    others = sum(_others(numbers, n_images, wanted).values())
    if not wanted & {"false-same", "false-different"}:
        return 0.0 if others else 1.0
    return 1 - others


def _draw_trait(rng: Random, data: Comparable, counted: bool) -> Trait:
    """Draw a trait of the source. counted: whether it must be a number of things, or must not be one."""
    for _ in range(REDRAWS):
        trait = data.draw_trait(rng)
        if bool(trait.things) == counted:
            return trait
    raise NoPair("nothing in which pictures can be compared")


def draw_how(slot: Slot, wanted: Wanted, show: Sequence[str]) -> tuple[str, str]:
    """Draw how a prompt wants to be answered: `working`, `short` or `sentence`, and the prompt's ending, which says so.
    show: the endings that ask for the working."""
    shows = slot.deal((True, False), (wanted.working_share, 1 - wanted.working_share), "working")
    ending = slot.rng.choice(show if shows else BRIEF)
    return ("working" if shows else "short" if ending else "sentence"), ending


def worlds(
    rng: Random, form: str, choices: Sequence, n_images: int, places: tuple[int, int], alike: bool
) -> tuple[list, list, list[int]]:
    """Return the images' values, the values for which the rejected answer would be right, and the positions asked about.
    choices: the possible values. alike: for a question about same or different, whether the two images show the same."""
    everywhere = list(range(n_images))
    if form in ("same", "different"):
        a, b = operands = sorted(places)
        values = [rng.choice(choices) for _ in everywhere]
        same, apart = list(values), list(values)
        one, other = rng.sample(choices, 2)
        same[a] = same[b] = one
        apart[a], apart[b] = (one, other) if rng.random() < 0.5 else (other, one)
        return (same, apart, operands) if alike else (apart, same, operands)
    at, wrong = places
    if form == "odd":
        one, other = rng.sample(choices, 2)
        values, world = ([other if p == place else one for p in everywhere] for place in (at, wrong))
        return values, world, everywhere
    if form == "order":
        operands, values = everywhere, rng.sample(choices, n_images)
        # Neighbours in the order are the hardest to tell apart.
        ranked = sorted(everywhere, key=lambda p: values[p])
        first = rng.randrange(n_images - 1)
        at, wrong = ranked[first], ranked[first + 1]
    else:
        operands = sorted(places)
        values = [rng.choice(choices) for _ in everywhere]
        few, many = sorted(rng.sample(choices, 2))
        values[at], values[wrong] = (many, few) if form == "more" else (few, many)
    world = list(values)
    world[at], world[wrong] = values[wrong], values[at]
    return values, world, operands


def solve(
    form: str, values: Sequence, operands: list[int], descending: bool = False
) -> str | int | list[int]:
    """Return the answer for the images' values: yes or no, an image's number (from 1), or all numbers in order."""
    if form in ("same", "different"):
        a, b = (values[p] for p in operands)
        return "yes" if (a == b) == (form == "same") else "no"
    if form == "odd":
        return next(p for p in operands if values.count(values[p]) == 1) + 1
    ranked = sorted(operands, key=lambda p: values[p], reverse=descending or form == "more")
    return [p + 1 for p in ranked] if form == "order" else ranked[0] + 1


def type_of(answer: str | int | list[int]) -> str:
    """Return the answer type of an answer that is no order."""
    return "yes/no" if isinstance(answer, str) else "image"


def short(answer: str | int | list[int]) -> str:
    """Return the short form of an answer: 'Yes.', 'Image 3.', 'Image 2, Image 1.'"""
    if isinstance(answer, str):
        return f"{answer.capitalize()}."
    numbers = answer if isinstance(answer, list) else [answer]
    return f"{', '.join(f'Image {number}' for number in numbers)}."


def possible(data: Comparable | SharedQuestions) -> tuple[str, ...]:
    """Return the kinds of rejected answers that can be made. Only counts have the forms that `swapped-images` is for."""
    from s2h.sources.shared_questions import SharedQuestions

    return tuple(
        kind for kind in NEGATIVES if kind != "swapped-images" or not isinstance(data, SharedQuestions)
    )


TASK = Task(
    level=2,
    about="same or different, the odd one out, more or fewer, the order",
    negatives=NEGATIVES,
    answers={
        "yes/no": Answer(lambda images: 2),
        "image": Answer(lambda images: images),
        "order": Answer(factorial),
    },
    make=make,
    needs=(COMPARABLE, SHARED_QUESTIONS),
    possible=possible,
    takes=frozenset({"working"}),
)
