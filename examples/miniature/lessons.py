"""What the miniature VLM is taught before any preference training: to see one image well, to say whether an image shows
something, to write captions of several images in one prompt, and to reason over captions in plain text. Questions of levels
2 and 3 over images alone (`form`) have their right answer as often as the wrong one, so that the form of an answer is known
and which one is right is left to preference training. Answers never show their working. The lessons that follow are those
of skills.py.

A lesson is (list of pool indices of its images, list of turns); a turn is (list of user parts, answer), where a part is a
text or None for the next image.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

import numpy as np

from s2h.sources import Item, NoPair
from s2h.sources.builtin import families, words
from s2h.sources.builtin.world import World
from s2h.tasks import Wanted, by_level, search_words, vqa
from s2h.tasks.item_pair import shown
from s2h.tasks.slots import Slot

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


TRAITS = tuple(families.TRAITS)


def look_related(same: np.ndarray) -> np.ndarray:
    """Return 1 for looks of relatives, 0 for those of strangers and -1 where they don't tell, as `families.look_related`.
    same: [..., TRAITS], whether two people have a trait in common."""
    whole, named = same.sum(-1), same[..., [TRAITS.index(trait) for trait in families.NAMED]].sum(-1)
    strangers = families.like_strangers(whole, named)
    return np.where(families.like_relatives(whole, named), 1, np.where(strangers, 0, -1))


class PoolWorld(World):
    """The built-in world with its pictures taken from the pool: what it would draw, it looks up."""

    def __init__(self, pool: dict[str, list[dict]]) -> None:
        super().__init__(seed=20_260, split="train")
        self.pool = pool
        faces = pool["face"]
        self.residents = [words.person_of(labels, f"face {at}") for at, labels in enumerate(faces)]
        self.traits = np.array(
            [[values.index(labels[t]) for t, values in families.TRAITS.items()] for labels in faces],
            dtype=np.int8,
        )
        self.kinds = np.array(
            [families.AGES.index(f["age"]) * 2 + families.SEXES.index(f["sex"]) for f in faces]
        )

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

    # Faces of the pool are of no family. Those who share as many traits as relatives do are taken for relatives.

    def _same(self, person: families.Person) -> np.ndarray:
        return self.traits == self.traits[int(person.key.split()[1])]

    def draw_relatives(self, rng: Random, relation: str) -> tuple[families.Person, families.Person]:
        while True:
            first, second = super().draw_relatives(rng, relation)
            ages = [families.AGES.index(one.age) for one in (first, second)]
            elder = rng.choice(np.flatnonzero(self.kinds // 2 == ages[0]))
            same = self._same(self.residents[elder])
            alike = (same.sum(1) == families.shared(first, second)) & (look_related(same) == 1)
            found = np.flatnonzero(alike & (self.kinds // 2 == ages[1]))
            if len(found):
                return self.residents[elder], self.residents[rng.choice(found)]

    def draw_stranger(
        self,
        rng: Random,
        like: families.Person,
        unlike: tuple[families.Person, ...],
        apart: tuple[families.Person, ...] = (),
    ) -> families.Person:
        fit = self.kinds == families.AGES.index(like.age) * 2 + families.SEXES.index(like.sex)
        for other in unlike:
            fit &= look_related(self._same(other)) == 0
        found = np.flatnonzero(fit)
        if not len(found):
            raise NoPair("no stranger in the pool")
        return self.residents[rng.choice(found)]

    def draw_portrait(self, rng: Random, person: families.Person) -> Item:
        return Item(person.key, words.labels_of(person))


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


def task_draft(rng: Random, world: World, tasks=("kinship", "arithmetic", "search", "vqa")):
    options = {"search": {"forms": {"caption": 1.0}}, "kinship": {"relations": {"parent": 1.0}}}
    while True:
        try:
            task = rng.choice(tasks)
            which = by_level()[task]
            slot = Slot(rng, rng.randint(2, 5))
            return which.make(slot, world, Wanted(which.negatives, options=options.get(task, {})))
        except NoPair:
            continue


def told(rng: Random, world: World, task: str) -> tuple[list[Item], list]:
    """A question of level 2 or 3 over images that are told in words instead of shown: language alone can reason. It is
    answered without the working, so that only preference training joins seeing and reasoning."""
    draft = task_draft(rng, world, (task,))
    places: Sequence[int] = range(len(draft.items))
    if task != "search" and not str(draft.facts.get("form")).startswith("find") and rng.random() < 0.7:
        places = draft.target
    said = tell(rng, {place: words.look(draft.items[place].labels) for place in places})
    # Question first, as in an answer that shows its working before it concludes.
    return [], [
        ([f"{draft.ask}\n{said}" if rng.random() < 0.7 else f"{said}\n{draft.ask}"], bare(draft.chosen))
    ]


def bare(answer: str) -> str:
    """An answer without its working."""
    return answer.rsplit("\n", 1)[-1].rsplit(". ", 1)[-1]


def tell(rng: Random, phrases: dict[int, str]) -> str:
    """Images by their places, in words: a list of lines, or sentences as an answer that describes them has."""
    if rng.random() < 0.3:
        return "\n".join(f"Image {i + 1}: {phrase}" for i, phrase in phrases.items())
    if rng.random() < 0.5:
        return ", ".join(f"Image {i + 1} shows {phrase}" for i, phrase in phrases.items()) + "."
    return " ".join(f"Image {i + 1} shows {phrase}." for i, phrase in phrases.items())


def form(rng: Random, pictures: PoolWorld) -> tuple[list[Item], list]:
    """A question of level 2 or 3 with its images, answered rightly or wrongly at even odds."""
    draft = task_draft(rng, pictures, ("kinship", "arithmetic", "search"))
    answer = draft.chosen if rng.random() < 0.5 else draft.rejected
    return draft.items, [([p if isinstance(p, str) else None for p in draft.parts()], bare(answer))]


def level_1(rng: Random, pictures: PoolWorld) -> tuple[list[Item], list]:
    """A question about one image of several, answered rightly."""
    draft = task_draft(rng, pictures, ("vqa",))
    return draft.items, [([p if isinstance(p, str) else None for p in draft.parts()], draft.chosen)]


def with_images(n: int, turns: list[tuple[str, str]], *, indexed: bool) -> list:
    """Put the images before the first turn's question."""
    first, *rest = turns
    return [
        ([*shown(n, indexed, None), "\n" + first[0]], first[1]),
        *(([ask], answer) for ask, answer in rest),
    ]
