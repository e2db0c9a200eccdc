"""A pair before its pictures are drawn: the items, the prompt's words, both answers, and what they were derived from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from s2h import record as records
from s2h.seeds import SlotRandom, Turn
from s2h.seeds import rng as rng_of
from s2h.sources import Item, NoPair

Size = int | tuple[int, int]  # the side of drawn pictures, or the least and the greatest width and height
GRID = "The picture is a grid of {n} numbered images."
WORKING = 0.5  # of the prompts of levels 2 and 3 ask that the answer says first what it sees


@dataclass
class Twin:
    """The counterfactual of a pair: the images with which its rejected answer is the right one, and what is then known."""

    items: list[Item]
    facts: dict
    target: list[int] | None = None  # where it differs from the pair's


@dataclass
class Draft:
    """items in the prompt's order; `ask` the prompt's text after the images; `indexed` puts 'Image k:' before each, else a
    new line parts them.
    claims: for each answer a list of (position, text)."""

    items: list[Item]
    ask: str
    chosen: str
    rejected: str
    negative: str
    target: list[int]
    facts: dict
    chosen_claims: list[tuple[int, str]]
    rejected_claims: list[tuple[int, str]]
    indexed: bool = True
    question: Any = None  # level 1: the Question, for judging a model's answer
    frame: tuple[str, int] = (
        "",
        0,
    )  # level 1: the phrasing that the question goes into, and the number in it
    luck: int = 0  # level 1: seeds what is drawn once a model has answered
    twin: Twin | None = None  # where the mistake can be made true by other images
    layout: str = "sequence"  # or grid, pip: the items in one image

    def parts(self) -> list:
        """The prompt as texts and image marks, in order."""
        if self.layout == "grid":
            return [records.IMAGE, f"\n{GRID.format(n=len(self.items))} {self.ask}"]
        if self.layout == "pip":
            return [records.IMAGE, f"\n{self.ask}"]
        return [*shown(len(self.items), self.indexed, records.IMAGE), "\n" + self.ask]

    def prompt(self) -> list[dict]:
        return records.interleave(self.parts())

    def turned(self) -> Draft:
        """The twin as a pair of its own: the same prompt, other images, the answers in each other's place."""
        twin = self.twin
        return replace(
            self,
            items=twin.items,
            chosen=self.rejected,
            rejected=self.chosen,
            target=self.target if twin.target is None else twin.target,
            facts=twin.facts,
            chosen_claims=self.rejected_claims,
            rejected_claims=self.chosen_claims,
            twin=None,
        )

    def pictures(self, size: Size) -> list[Any]:
        """The images as a model sees them: drawn, or read from their files; with a layout, the one image of all."""
        pictures = [picture(item, size) for item in self.items]
        if self.layout == "sequence":
            return pictures
        from s2h.images import layouts

        side = size if isinstance(size, int) else size[1]
        return [
            layouts.grid(pictures, side)
            if self.layout == "grid"
            else layouts.picture_in_picture(*pictures, side)
        ]

    def record(self, name: str, level: int, task: str, store: Any, size: Size, spec: str) -> records.Record:
        """Draw what must be drawn, put it into the store, and make the record."""
        facts = {**self.facts, "labels": [item.labels for item in self.items]}
        target, sides = self.target, (self.chosen_claims, self.rejected_claims)
        if self.layout == "sequence":
            images = [place(item, store, size) for item in self.items]
        else:
            images = [store.put(self.pictures(size)[0])]
            facts["layout"] = {"kind": self.layout, "tiles": len(self.items), "target": target}
            target, sides = [0], tuple([(0, text) for _, text in claims] for claims in sides)
        return records.make(
            id=name,
            level=level,
            task=task,
            images=images,
            prompt=self.prompt(),
            chosen=records.assistant(self.chosen),
            rejected=records.assistant(self.rejected),
            target=target,
            facts=facts,
            grounding={
                side: [records.claim(*claim) for claim in claims]
                for side, claims in zip(("chosen", "rejected"), sides, strict=True)
            },
            negative=self.negative,
            source=spec,
        )


def shown(n: int, indexed: bool, image: Any) -> list:
    """n image marks in a prompt with what stands before and between them."""
    parts: list = []
    for i in range(n):
        new_line = "" if i == 0 else "\n"
        if separator := f"{new_line}Image {i + 1}: " if indexed else new_line:
            parts.append(separator)
        parts.append(image)
    return parts


def picture(item: Item, size: Size) -> Any:
    """The item as a PIL image: from its own file or bytes, or drawn."""
    if item.reference:
        from s2h.images.decoding import open_image

        return open_image(item.reference)
    if item.data:
        from s2h.images.decoding import decode

        return decode(item.data(), item.key)
    return item.draw(drawn_size(item, size))


def place(item: Item, store: Any, size: Size) -> str:
    """The item's image reference: its own file, or its bytes or a drawing put into the store."""
    return item.reference or store.put(item.data() if item.data else item.draw(drawn_size(item, size)))


def drawn_size(item: Item, size: Size) -> Size:
    """The side of a square drawing, or the width and height that this picture has of a range, wherever it stands."""
    if isinstance(size, int):
        return size
    draws = rng_of("size", item.key)
    return draws.randint(*size), draws.randint(*size)


def items_of(
    items: list[Item], values: list, world: list, draw: Callable[[Any, list[Item]], Item]
) -> list[Item]:
    """The pictures of another world, given those of this one: where two values changed places so do the pictures, and what
    no picture shows is drawn, as draw(value, the pictures that it stands beside)."""
    moved, changed = list(items), [p for p in range(len(values)) if values[p] != world[p]]
    for p in changed:
        place = next((q for q in changed if values[q] == world[p]), None)
        moved[p] = draw(world[p], [*items, *moved]) if place is None else items[place]
    return moved


def pick_kind(rng: Random, weights: dict[str, float], usable: list[str], by_answer: bool = False) -> str:
    """One kind of negative among the usable ones, by weight and in its turn; by_answer: among the questions of the run that
    have the same answer of yes and no."""
    kinds = [kind for kind in usable if weights.get(kind, 0) > 0]
    if not kinds:
        raise NoPair(f"none of the wanted negatives fits ({', '.join(weights)})")
    shares, name = [weights[kind] for kind in kinds], "kind " + ",".join(kinds)
    if by_answer and isinstance(rng, SlotRandom) and rng.answered is not None:
        return kinds[rng.answered.take(name, shares)]
    return in_turn(rng, kinds, shares, name)


def in_turn(rng: Random, choices: Sequence, weights: Sequence[float] | None = None, name: str = "") -> Any:
    """One of the choices. Over the slots of a run each comes in its turn, as often as its weight says, so that every stretch
    of the run is in balance. name: of the decision; decisions of one name and number of choices agree."""
    weights = (1.0,) * len(choices) if weights is None else weights
    turn = rng.turn if isinstance(rng, SlotRandom) else None
    if turn is None:
        return rng.choices(choices, weights)[0]
    return choices[turn.take(f"{name} {len(choices)}", weights)]


def branch(rng: Random, choices: Sequence, weights: Sequence[float] | None = None, name: str = "") -> Any:
    """The same as `in_turn`; the decisions that follow are in balance among the slots that take this choice."""
    weights = (1.0,) * len(choices) if weights is None else weights
    if isinstance(rng, SlotRandom) and rng.turn is not None:
        name = f"{name} {len(choices)}"
        taken = rng.turn.take(name, weights)
        rng.turn = rng.turn.among(name, weights, taken)
        return choices[taken]
    return rng.choices(choices, weights)[0]


YES_NO = "yes/no"


def yes_or_no(rng: Random, share: Callable[[int], float], n_images: int) -> bool | None:
    """Whether this slot is a yes/no question and which of both is its answer; None for another question. Yes and no are in
    balance over all such questions of a run. share: of yes/no questions, by the number of images."""
    one = share(n_images)
    weights = (one, 1 - one)
    if not isinstance(rng, SlotRandom) or rng.turn is None:
        return rng.random() < 0.5 if rng.random() < one else None
    taken = rng.turn.take(YES_NO, weights)
    answer = None
    if taken == 0:
        place = rng.earlier(YES_NO, lambda n: (share(n), 1 - share(n)), 0)
        answer = (place + rng.turn.seed) % 2 == 0  # by turns, as some stretches have few such questions
        rng.answered = Turn(rng.turn.seed, f"{YES_NO} {answer}", place // 2)
    rng.turn = rng.turn.among(YES_NO, weights, taken)
    return answer


def two_places(rng: Random, n: int) -> tuple[int, int]:
    """Two places among n, the one and the other, in their turn."""
    turn = rng.turn if isinstance(rng, SlotRandom) else None
    one = in_turn(rng, range(n), name="place")
    others = [p for p in range(n) if p != one]
    if turn is None:
        return one, rng.choice(others)
    beside = turn.among(f"place {n}", (1.0,) * n, one)
    return one, others[beside.take("beside", (1.0,) * (n - 1))]


def name_images(positions: list[int]) -> str:
    """'Images 1, 2 and 4' for 0-based positions; 'Image 3' for one."""
    numbers = [str(p + 1) for p in positions]
    if len(numbers) == 1:
        return f"Image {numbers[0]}"
    return f"Images {', '.join(numbers[:-1])} and {numbers[-1]}"
