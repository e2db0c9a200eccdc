"""What the miniature VLM is taught before any preference training: to see one image well, to write captions of several
images in one prompt, and to reason over captions in plain text. It is not taught to reason across images: of the
questions of levels 1 to 3 it sees few with images (`FORMAT`), enough to know the form of an answer.

A lesson is (list of pool indices of its images, list of turns); a turn is (list of user parts, answer), where a part is a
text or None for the next image.
"""

from __future__ import annotations

from random import Random

from s2h.levels import arithmetic, kinship, search, vqa
from s2h.levels.draft import NoPair
from s2h.sources import Item
from s2h.sources.builtin import World, words

SHARES = {"single": 0.33, "captions": 0.52, "text": 0.13, "format": 0.02}
KIND_SHARES = (("scene", 0.4), ("face", 0.35), ("digit", 0.25))
DESCRIBE_ONE = (
    "Describe Image {k}.",
    "What does Image {k} show?",
    "Caption Image {k}.",
    "What is in Image {k}?",
)
DESCRIBE_ALL = ("Describe all images.", "Say what you see in each image.", "Describe the images one by one.")
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

    def scene(self, rng: Random, **wanted) -> Item:
        return self._any(rng, "scene")

    def digit(self, rng: Random, value: int | None = None) -> Item:
        item = self._any(rng, "digit")
        while value is not None and item.labels["value"] != value:
            item = self._any(rng, "digit")
        return item

    def face(self, rng: Random, sex: str | None = None, age: str | None = None) -> Item:
        return self._any(rng, "face")


def pick_kind(rng: Random) -> str:
    kinds, shares = zip(*KIND_SHARES, strict=True)
    return rng.choices(kinds, shares)[0]


def short(labels: dict) -> str:
    """What answers that show their working say of an image."""
    if labels["kind"] == "digit":
        return str(labels["value"])
    if labels["kind"] == "face":
        return words.face_phrase(labels, *kinship.LOOKS)
    return words.describe(labels)


def single(rng: Random, world: PoolWorld) -> tuple[list[Item], list]:
    """Several questions about one image, with and without an index, and a caption."""
    item = world._any(rng, pick_kind(rng))
    asked = rng.sample(world.questions(item), k=min(4, len(world.questions(item))))
    turns = []
    for question in asked:
        frame = rng.choice(vqa.ALONE)
        turns.append((frame.format(q=question.ask), vqa.say(question.answer)))
    turns.insert(rng.randrange(len(turns) + 1), (rng.choice(DESCRIBE), words.caption(item.labels, rng)))
    if rng.random() < 0.3:
        turns.append((rng.choice(DESCRIBE), words.sentence(short(item.labels))))
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
                (rng.choice(DESCRIBE_ONE).format(k=at + 1), f"Image {at + 1} shows {short(labels)}.")
            )
    if rng.random() < 0.5:
        places = list(range(n)) if rng.random() < 0.5 else sorted(rng.sample(range(n), 2))
        said = " ".join(f"Image {p + 1} shows {short(items[p].labels)}." for p in places)
        ask = (
            rng.choice(DESCRIBE_ALL)
            if len(places) == n
            else f"Describe Images {places[0] + 1} and {places[1] + 1}."
        )
        turns.append((ask, said))
    return items, with_images(n, turns, indexed=rng.random() < 0.8)


def task_draft(rng: Random, world: World, tasks=("kinship", "arithmetic", "search", "vqa")):
    maker = {"kinship": kinship, "arithmetic": arithmetic, "search": search, "vqa": vqa}
    while True:
        try:
            which = maker[rng.choice(tasks)]
            return which.make(rng, world, rng.randint(2, 5), dict(which.NEGATIVES))
        except NoPair:
            continue


def text(rng: Random, world: World) -> tuple[list[Item], list]:
    """The level-2 questions with every image told in words instead of shown: language alone can reason."""
    draft = task_draft(rng, world, ("kinship", "arithmetic", "arithmetic"))
    told = "\n".join(f"Image {i + 1}: {short(item.labels)}" for i, item in enumerate(draft.items))
    return [], [([f"{told}\n{draft.ask}"], draft.chosen)]


def form(rng: Random, world: World, pictures: PoolWorld) -> tuple[list[Item], list]:
    """A question of one of the levels with its images: the form of the answer, seldom enough not to teach the skill."""
    draft = task_draft(rng, pictures, ("arithmetic", "search", "vqa"))
    return draft.items, [([p if isinstance(p, str) else None for p in draft.parts()], draft.chosen)]


def with_images(n: int, turns: list[tuple[str, str]], *, indexed: bool) -> list:
    """Put the images before the first turn's question."""
    parts: list = []
    for i in range(n):
        if indexed:
            parts.append(f"{'' if i == 0 else chr(10)}Image {i + 1}: ")
        parts.append(None)
    first, *rest = turns
    return [([*parts, "\n" + first[0]], first[1]), *(([ask], answer) for ask, answer in rest)]


def lesson(rng: Random, pictures: PoolWorld, world: World) -> tuple[list[Item], list]:
    which = rng.choices(list(SHARES), list(SHARES.values()))[0]
    if which == "single":
        return single(rng, pictures)
    if which == "captions":
        return captions(rng, pictures)
    if which == "text":
        return text(rng, world)
    return form(rng, world, pictures)
