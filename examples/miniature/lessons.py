"""What the miniature VLM is taught before any preference training: to see one image well, to say whether an image shows
something, to write captions of several images in one prompt, and to reason over captions in plain text. Of the questions of
levels 1 to 3 it sees few with images (`form`), enough to know the form of an answer, and never an answer that shows its
working: to look first and to reason over what was seen is left to preference training.

A lesson is (list of pool indices of its images, list of turns); a turn is (list of user parts, answer), where a part is a
text or None for the next image.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from random import Random

from s2h.sources import Item, NoPair
from s2h.sources.builtin import families, words
from s2h.sources.builtin.world import World
from s2h.tasks import Wanted, arithmetic, by_level, kinship, search_words, vqa
from s2h.tasks.item_pair import shown
from s2h.tasks.slots import Slot

SHARES = {"single": 0.22, "captions": 0.38, "present": 0.12, "digits": 0.12, "people": 0.12, "format": 0.04}
# Before the pictures, words alone, one matter after the other: (share of the lessons, shares). Mixed from the start, sums
# are still unknown when apart they are nearly learned.
WORDS_FIRST = (
    (0.4, {"digits": 1.0}),
    (0.6, {"people": 0.6, "digits": 0.4}),
)
# Whether an image shows something is not learned in passing either: after half of the lessons it has some of its own.
WITH_PICTURES = (
    (0.5, SHARES),
    (0.1, {"present": 1.0}),
    (0.4, SHARES),
)
KIND_SHARES = (("scene", 0.4), ("face", 0.35), ("digit", 0.25))
DESCRIBE_ONE = (
    "Describe Image {k}.",
    "What does Image {k} show?",
    "Caption Image {k}.",
    "What is in Image {k}?",
)
DESCRIBE_ALL = ("Describe all images.", "Say what you see in each image.", "Describe the images one by one.")
PRESENT = ("Is there {c} in {w}?", "Does {w} show {c}?", "Do you see {c} in {w}?", "Can {c} be seen in {w}?")
DESCRIBE = (
    "Describe the image.",
    "What does the image show?",
    "Caption the image.",
    "What can be seen here?",
)


class PoolWorld(World):
    """The built-in world with its pictures taken from the pool: what it would draw, it looks up."""

    def __init__(self, pool: dict[str, list[dict]]) -> None:
        super().__init__(seed=20_260, split="train")
        self.pool = pool

    def _any(self, rng: Random, kind: str) -> Item:
        at = rng.randrange(len(self.pool[kind]))
        return Item(f"{kind} {at}", self.pool[kind][at])

    def scene(
        self, rng: Random, shape: str | None = None, colour: str | None = None, avoid: Collection[str] = ()
    ) -> Item:
        while True:
            item = self._any(rng, "scene")
            groups = item.labels["groups"]
            if any(g["shape"] in avoid for g in groups):
                continue
            if shape is None or any(g["shape"] == shape and colour in (None, g["colour"]) for g in groups):
                return item

    def draw_digit(self, rng: Random, value: int | None = None, together: Sequence[Item] = ()) -> Item:
        item = self._any(rng, "digit")
        while value is not None and item.labels["value"] != value:
            item = self._any(rng, "digit")
        return item

    def face(self, rng: Random, sex: str | None = None, age: str | None = None) -> Item:
        while True:
            item = self._any(rng, "face")
            if sex in (None, item.labels["sex"]) and age in (None, item.labels["age"]):
                return item


def pick_kind(rng: Random) -> str:
    kinds, shares = zip(*KIND_SHARES, strict=True)
    return rng.choices(kinds, shares)[0]


def present(rng: Random, world: PoolWorld) -> tuple[list[Item], list]:
    """Whether one image, which is named, shows something: half of the times what it shows, else what another does."""
    kind = "scene" if rng.random() < 0.85 else "face"
    items = [world._any(rng, kind) for _ in range(rng.choice((1, 1, 1, 2, 3, 4)))]
    turns = []
    for _ in range(8):
        item = rng.choice(items)
        asked = item
        if rng.random() < 0.5:
            asked = rng.choice(items) if rng.random() < 0.5 else world._any(rng, kind)
        concept = world.concept(rng, asked)
        where = "the image" if len(items) == 1 else f"Image {items.index(item) + 1}"
        ask = rng.choice(PRESENT).format(c=concept, w=where)
        found = concept if world.shows(item, concept) else search_words.absent(concept)
        turns.append((ask[0].upper() + ask[1:], f"{where[0].upper()}{where[1:]} shows {found}."))
    return items, with_images(len(items), turns, indexed=len(items) > 1 and rng.random() < 0.4)


def single(rng: Random, world: PoolWorld) -> tuple[list[Item], list]:
    """Several questions about one image, with and without an index, and a caption."""
    item = world._any(rng, pick_kind(rng))
    asked = rng.sample(world.questions_about(item), k=min(4, len(world.questions_about(item))))
    turns = []
    for question in asked:
        frame = rng.choice(vqa.ALONE)
        turns.append((frame.format(q=question.ask), vqa.say(question.answer)))
    turns.insert(rng.randrange(len(turns) + 1), (rng.choice(DESCRIBE), words.caption(item.labels, rng)))
    if rng.random() < 0.3:
        turns.append((rng.choice(DESCRIBE), words.sentence(words.look(item.labels))))
    return [item], with_images(1, turns, indexed=False)


def captions(rng: Random, world: PoolWorld) -> tuple[list[Item], list]:
    """Captions of two to five images of one kind or of several, asked for by index or all in turn."""
    n = rng.randint(2, 5)
    kind = pick_kind(rng)
    items = [world._any(rng, kind if rng.random() < 0.8 else pick_kind(rng)) for _ in range(n)]
    turns = []
    for at in rng.sample(range(n), k=min(n, rng.randint(2, 3))):
        labels = items[at].labels
        if rng.random() < 0.5:
            turns.append((rng.choice(DESCRIBE_ONE).format(k=at + 1), words.caption(labels, rng)))
        else:
            turns.append(
                (rng.choice(DESCRIBE_ONE).format(k=at + 1), f"Image {at + 1} shows {words.look(labels)}.")
            )
    if rng.random() < 0.5:
        places = list(range(n)) if rng.random() < 0.5 else sorted(rng.sample(range(n), 2))
        said = " ".join(f"Image {p + 1} shows {words.look(items[p].labels)}." for p in places)
        ask = (
            rng.choice(DESCRIBE_ALL)
            if len(places) == n
            else f"Describe Images {places[0] + 1} and {places[1] + 1}."
        )
        turns.append((ask, said))
    return items, with_images(n, turns, indexed=rng.random() < 0.6)


def task_draft(rng: Random, world: World, tasks=("arithmetic", "search", "vqa")):
    options = {"search": {"forms": {"caption": 1.0}}}
    while True:
        try:
            task = rng.choice(tasks)
            which = by_level()[task]
            slot = Slot(rng, rng.randint(2, 5))
            return which.make(slot, world, Wanted(which.negatives, options=options.get(task, {})))
        except NoPair:
            continue


def text(rng: Random, world: World, about: str) -> tuple[list[Item], list]:
    """Questions of level 2 over images that are told in words instead of shown: language alone can reason. They are
    answered without the working, so that only preference training joins seeing and reasoning."""
    phrases, asked = TOLD[about](rng, world, rng.randint(2, 5))
    turns = []
    for places, ask, answer in asked:
        if rng.random() < 0.15:  # all images told, as they would all be shown
            places = range(len(phrases))
        told = tell(rng, {place: phrases[place] for place in places})
        # Question first, as in an answer that shows its working before it concludes.
        turns.append(([f"{ask}\n{told}" if rng.random() < 0.7 else f"{told}\n{ask}"], answer))
    return [], turns


def tell(rng: Random, phrases: dict[int, str]) -> str:
    """Images by their places, in words: a list of lines, or sentences as an answer that describes them has."""
    if rng.random() < 0.3:
        return "\n".join(f"Image {i + 1}: {phrase}" for i, phrase in phrases.items())
    if rng.random() < 0.5:
        return ", ".join(f"Image {i + 1} shows {phrase}" for i, phrase in phrases.items()) + "."
    return " ".join(f"Image {i + 1} shows {phrase}." for i, phrase in phrases.items())


def digits_told(rng: Random, world: World, n: int) -> tuple[list[str], list]:
    """What each image shows, and (places asked about, question, answer)."""
    few = rng.sample(range(10), 3)
    values = [rng.choice(few) if rng.random() < 0.3 else rng.randrange(10) for _ in range(n)]
    turns = []
    while len(turns) < 2:
        operation = rng.choice(arithmetic.OPERATIONS)
        operands = arithmetic.draw_operands(Slot(rng, n), operation)
        digit = rng.choice(values) if rng.random() < 0.7 else rng.randrange(10)
        if len(operands) > 2:
            operation = arithmetic.OF_SEVERAL.get(operation, operation)
        read = [values[p] for p in operands]
        answer = arithmetic.solve(operation, read, digit)
        if answer is not None:
            ending = rng.choice(arithmetic.BRIEF)
            counted = digit if operation == "count-equal" else None
            problem = arithmetic.Problem(operation, operands, counted, ending)
            turns.append((operands, problem.ask(rng), problem.say(list(read), answer)))
    return [str(value) for value in values], turns


def people_told(rng: Random, world: World, n: int) -> tuple[list[str], list]:
    parent, child = rng.choice(families.parent_pairs(world.family(rng)))
    places = Slot(rng, n).two_places()
    told = kinship.Query(world, "parent", "is-elder", places, shows=False, ending="")
    people, at_parent, at_child = kinship.crowd(rng, told, parent, child, n)
    others = [i for i in range(n) if i not in (at_parent, at_child)]
    turns = []
    forms = ("is-elder", "are-kin", "which-elder", "find-younger", "find-elder")
    while len(turns) < 2:
        form = rng.choice(forms[: 5 if n > 2 else 3])
        asked = replace(told, form=form, ending=rng.choice(kinship.BRIEF))
        a, b = at_parent, at_child
        if form in ("is-elder", "are-kin"):
            relation = "kin"
            if others and rng.random() < 0.5:
                relation, b = "strangers", rng.choice(others)
                a = rng.choice((at_parent, at_child))
            elif form == "is-elder" and rng.random() < 0.5:
                relation = "turned"
            if relation == "turned":
                a, b = b, a
            elif form == "are-kin" and a > b:
                a, b, relation = b, a, "turned" if relation == "kin" else relation
            answer = asked.verdict(a, b, relation)
        else:
            if form == "which-elder":
                a, b = sorted((a, b))
            elif form == "find-elder":
                a, b = at_child, at_parent
            answer = asked.found(at_parent if form != "find-younger" else at_child)
        turns.append(([a, b], asked.question(rng, a=a, b=b), answer))
    return [words.look(words.labels_of(p)) for p in people], turns


TOLD = {"digits": digits_told, "people": people_told}


def form(rng: Random, pictures: PoolWorld) -> tuple[list[Item], list]:
    """A question of one of the levels with its images, its answer without the working: the form of an answer, seldom
    enough not to teach the skill."""
    while True:
        draft = task_draft(rng, pictures, ("arithmetic", "search", "search", "vqa"))
        if not draft.facts.get("working"):
            return draft.items, [([p if isinstance(p, str) else None for p in draft.parts()], draft.chosen)]


def with_images(n: int, turns: list[tuple[str, str]], *, indexed: bool) -> list:
    """Put the images before the first turn's question."""
    first, *rest = turns
    return [
        ([*shown(n, indexed, None), "\n" + first[0]], first[1]),
        *(([ask], answer) for ask, answer in rest),
    ]


def lesson(
    rng: Random, pictures: PoolWorld, world: World, shares: dict[str, float] = SHARES
) -> tuple[list[Item], list]:
    which = rng.choices(list(shares), list(shares.values()))[0]
    if which == "single":
        return single(rng, pictures)
    if which == "captions":
        return captions(rng, pictures)
    if which == "present":
        return present(rng, pictures)
    if which in TOLD:
        return text(rng, world, which)
    return form(rng, pictures)
