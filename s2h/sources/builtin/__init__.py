"""The built-in world, a source that needs no files: scenes of shapes, digits in many hands, and families of faces, drawn
from (seed, split, key) without limit. world.py has the `World`; this module is only what `s2h.registry` reads."""

from s2h.sources.shapes import COMPARABLE, DIGITS, PEOPLE, PHOTOS, QUESTIONS, Dataset
from s2h.sources.source import Request, Source


def read(request: Request) -> Dataset:
    from s2h.sources.builtin.world import World

    return World(seed=request.seed, split=request.split)


SOURCE = Source(
    title="Drawn scenes, digits and faces; no files needed",
    read=read,
    serves=(PHOTOS, QUESTIONS, DIGITS, PEOPLE, COMPARABLE),
    place="nothing",
)
