"""The fields of a pair and their types, for msgspec. record.py has the words for messages about them. It imports this module
with the first record, because `--help` needs no msgspec."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

Name = Annotated[str, Meta(min_length=1)]
Place = Annotated[int, Meta(ge=0)]  # of an image, counted from 0


class ImagePart(Struct, tag_field="type", tag="image", gc=False):
    """The place of the next image in a message."""


class TextPart(Struct, tag_field="type", tag="text", gc=False):
    """A text in a message."""

    text: str


class OnlyText(Struct, gc=False):
    """A text part of an answer, which can't hold images. It has no tag: msgspec needs one only to tell types apart."""

    type: Literal["text"]
    text: str


class Message(Struct, gc=False):
    """One turn of the prompt."""

    role: Literal["user", "system", "assistant"]
    content: list[ImagePart | TextPart]


class Answer(Struct, gc=False):
    """The only turn of an answer."""

    role: Literal["assistant"]
    content: list[OnlyText]


class Claim(Struct, gc=False):
    """A text about one image, which CLIP compares with it."""

    image: Place
    text: Name


class Grounding(Struct, gc=False):
    """The claims of both answers: objects, or in the older form lists of a place and a text."""

    chosen: list[Claim | tuple[Place, Name]]
    rejected: list[Claim | tuple[Place, Name]]


class Pair(Struct, kw_only=True, gc=False):
    """A pair. mix/scan.py derives a type from it that reads only a part of facts and scores."""

    IMAGE: ClassVar[ImagePart] = ImagePart()  # equals every image part of a prompt

    id: Name
    level: Annotated[int, Meta(ge=1, le=3)] | None = None
    task: Name | None = None
    images: Annotated[list[Name], Meta(min_length=1)]
    prompt: Annotated[list[Message], Meta(min_length=1)]
    chosen: Annotated[list[Answer], Meta(min_length=1, max_length=1)]
    rejected: Annotated[list[Answer], Meta(min_length=1, max_length=1)]
    target: Annotated[list[Place], Meta(min_length=1)] | None = None
    facts: dict | None = None
    grounding: Grounding | None = None
    negative: Name | None = None
    source: Name | None = None
    scores: dict | None = None
    rejected_images: Annotated[list[Name], Meta(min_length=1)] | None = None
    stage: Annotated[int, Meta(ge=1 - 2**63, le=2**63 - 1)] | None = None
