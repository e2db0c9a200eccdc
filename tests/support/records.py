"""Hand-made pairs for tests, and the streams that they make."""

from __future__ import annotations

from pathlib import Path

from s2h import record
from s2h.streams import jsonl


def pair(name: str = "a", images: list[str] | None = None, **fields) -> record.Record:
    """A pair that passes every check; fields replace or follow its own."""
    images = ["one.png", "two.png"] if images is None else images
    shown = [part for k in range(len(images)) for part in (f"Image {k + 1}:", record.IMAGE)]
    made = record.make(
        id=name,
        level=2,
        task="arithmetic",
        images=images,
        prompt=record.interleave([*shown, "What is the sum of the digits?"]),
        chosen=record.assistant(f"The sum is {7 + len(name)}."),
        rejected=record.assistant("The sum is 3."),
        target=list(range(len(images))),
        facts={"answer": "7", "answer_type": "number", "digits": [3, 4]},
        grounding={
            "chosen": [{"image": 0, "text": "the digit 3"}],
            "rejected": [{"image": 0, "text": "the digit 8"}],
        },
        negative="off-by-one",
        source="builtin",
    )
    made.update(fields)
    return made


def pixel(path: Path, colour: str = "red", size: tuple[int, int] = (8, 6)) -> str:
    """A small picture of one colour; returns its path."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return str(path)


def lines(count: int, **fields) -> bytes:
    """A stream of pairs named r0, r1, ..."""
    return b"".join(jsonl.dump(pair(f"r{i}", **fields)) for i in range(count))
