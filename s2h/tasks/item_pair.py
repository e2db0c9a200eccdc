"""A pair before its pictures are drawn: the items, the text of the prompt, both answers, and the facts that they follow
from. A task makes a `Pair` for each slot; `Pair.record` draws the pictures and returns the record that is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from s2h import record as records
from s2h import seeds
from s2h.sources import Item

if TYPE_CHECKING:
    from PIL.Image import Image

    from s2h.images.store import Store
    from s2h.sources import Question

Size = int | tuple[int, int]  # side of drawn pictures in pixels, or the smallest and largest width and height
Claims = list[tuple[int, str]]  # (position of an image, what an answer claims about it)
Value = TypeVar("Value")
GRID = "The picture is a grid of {n} numbered images."


@dataclass
class Twin:
    """The counterfactual of a pair: images for which its rejected answer is the right one. facts: what the right answer then
    follows from. target: None if it is the same as the pair's."""

    items: list[Item]
    facts: dict
    target: list[int] | None = None


@dataclass
class Posed:
    """A source's question in a prompt of level 1. phrase: the text around it. named: the number of the image that the prompt
    names. luck: seeds the choices that are made after a model has answered."""

    question: Question
    phrase: str = "{q}"
    named: int = 1
    luck: int = 0


@dataclass
class Pair:
    """One pair of a task.

    items: the pictures in the prompt's order. ask: the prompt's text after the images. negative: the kind of the rejected
    answer. target: positions, from 0, of the images that the answer depends on. facts: what the answer was derived from,
    with `answer` and `answer_type`, by which s2h-eval reads replies. chosen_claims, rejected_claims: what each answer says
    about which image, for filters. indexed: whether "Image k:" precedes each image. twin: other images that make the
    rejected answer right, if there are any. posed: the source's question, for level 1. layout: `grid` and `pip` show all
    items in one image."""

    items: list[Item]
    ask: str
    chosen: str
    rejected: str
    negative: str
    target: list[int]
    facts: dict
    chosen_claims: Claims = field(default_factory=list)
    rejected_claims: Claims = field(default_factory=list)
    indexed: bool = True
    twin: Twin | None = None
    posed: Posed | None = None
    layout: str = "sequence"

    def parts(self) -> list:
        """Return the prompt as a list of texts and image marks."""
        if self.layout == "grid":
            return [records.IMAGE, f"\n{GRID.format(n=len(self.items))} {self.ask}"]
        if self.layout == "pip":
            return [records.IMAGE, f"\n{self.ask}"]
        return [*shown(len(self.items), self.indexed, records.IMAGE), "\n" + self.ask]

    def prompt(self) -> list[dict]:
        """Return the prompt as messages."""
        return records.interleave(self.parts())

    def mirrored(self, twin: Twin) -> Pair:
        """Return the twin as a pair: the same prompt over the twin's images, with chosen and rejected swapped."""
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

    def pictures(self, size: Size) -> list[Image]:
        """Return the images that a model is given: drawn or read from their files, and joined into one for `grid` and
        `pip`."""
        pictures = [picture(item, size) for item in self.items]
        if self.layout == "sequence":
            return pictures
        from s2h.images import layouts

        side = size if isinstance(size, int) else size[1]
        if self.layout == "grid":
            return [layouts.grid(pictures, side)]
        outer, inner = pictures
        return [layouts.picture_in_picture(outer, inner, side)]

    def record(self, name: str, level: int, task: str, spec: str, store: Store, size: Size) -> records.Record:
        """Draw the pictures that have no file, put them into the store, and return the record. name: its id. spec: of the
        source."""
        facts = {**self.facts, "labels": [item.labels for item in self.items]}
        target, chosen, rejected = self.target, self.chosen_claims, self.rejected_claims
        if self.layout == "sequence":
            images = [place(item, store, size) for item in self.items]
        else:
            images = [store.put(self.pictures(size)[0])]
            facts["layout"] = {"kind": self.layout, "tiles": len(self.items), "target": target}
            target, chosen, rejected = (
                [0],
                [(0, text) for _, text in chosen],
                [(0, text) for _, text in rejected],
            )
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
                "chosen": [records.claim(*claim) for claim in chosen],
                "rejected": [records.claim(*claim) for claim in rejected],
            },
            negative=self.negative,
            source=spec,
        )


def shown(n: int, indexed: bool, image: Any) -> list:
    """Return n image marks with the texts before and between them ("Image 1: ", line breaks). image: the mark to repeat."""
    parts: list = []
    for i in range(n):
        new_line = "" if i == 0 else "\n"
        if separator := f"{new_line}Image {i + 1}: " if indexed else new_line:
            parts.append(separator)
        parts.append(image)
    return parts


def picture(item: Item, size: Size) -> Image:
    """Return the item as a PIL image, read from its file or bytes or drawn."""
    if item.reference:
        from s2h.images.decoding import open_image

        return open_image(item.reference)
    if item.data:
        from s2h.images.decoding import decode

        return decode(item.data(), item.key)
    return drawn(item, size)


def place(item: Item, store: Store, size: Size) -> str:
    """Return the item's image reference: its file, or the place in the store into which its bytes or its drawing go."""
    return item.reference or store.put(item.data() if item.data else drawn(item, size))


def drawn(item: Item, size: Size) -> Image:
    """Draw an item that has neither a file nor bytes."""
    if item.draw is None:
        raise ValueError(f"{item.key}: an item needs `reference`, `data` or `draw`")
    return item.draw(drawn_size(item, size))  # type: ignore[arg-type]  # see Item.draw


def drawn_size(item: Item, size: Size) -> Size:
    """Return the side of a square drawing; for a range, the picture's width and height, which depend on its key alone."""
    if isinstance(size, int):
        return size
    rng = seeds.rng("size", item.key)
    return rng.randint(*size), rng.randint(*size)


def rearranged(
    items: list[Item],
    values: Sequence[Value],
    world: Sequence[Value],
    draw: Callable[[Value, list[Item]], Item],
) -> list[Item]:
    """Return pictures that show the values of `world`, as far as possible those in `items`, which show `values`: if two
    values are swapped, so are the pictures. draw(value, together) draws a picture of a value that none of them shows."""
    moved, changed = list(items), [p for p in range(len(values)) if values[p] != world[p]]
    for p in changed:
        place = next((q for q in changed if values[q] == world[p]), None)
        moved[p] = draw(world[p], [*items, *moved]) if place is None else items[place]
    return moved


def name_images(positions: Sequence[int]) -> str:
    """Return 'Images 1, 2 and 4' for 0-based positions, 'Image 3' for one."""
    numbers = [str(p + 1) for p in positions]
    if len(numbers) == 1:
        return f"Image {numbers[0]}"
    return f"Images {', '.join(numbers[:-1])} and {numbers[-1]}"
