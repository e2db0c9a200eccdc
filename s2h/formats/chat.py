"""A pair as a conversation in which a tag stands for each image, and as the fields of the tools that read those."""

from __future__ import annotations

from s2h.formats.pictures import Pictures
from s2h.record import Record, RecordError, text_of

TAG = "<image>"
TAGS = (TAG, "<video>", "<audio>")  # words that the tools take for media
PLAIN = ("id", "level", "task", "images", "prompt", "chosen", "rejected", "target", "negative", "source")


def trl(record: Record, pictures: Pictures) -> dict:
    """The fields whose type is the same in every record, so that a column has one; `facts`, `scores` and unknown fields,
    which differ from task to task, stay out. A field that the record lacks is null."""
    return {**{name: record.get(name) for name in PLAIN}, "images": pictures.paths(record)}


def llama_factory(record: Record, pictures: Pictures) -> dict:
    """sharegpt: turns of human and gpt in alternation, after a system's that may come first."""
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    said = turns(record)
    talk = said[1:] if said[0][0] == "system" else said
    for at, (role, _) in enumerate(talk):
        if role != ("user", "assistant")[at % 2]:
            raise RecordError(
                "turns must alternate: user, assistant, user", "prompt", remedy="LLaMA-Factory skips others"
            )
    return {
        "conversations": [{"from": names[role], "value": text} for role, text in said],
        "chosen": {"from": "gpt", "value": answer(record, "chosen")},
        "rejected": {"from": "gpt", "value": answer(record, "rejected")},
        "images": pictures.paths(record),
    }


def ms_swift(record: Record, pictures: Pictures) -> dict:
    """messages that end with the chosen answer, and the rejected one beside them."""
    chosen, rejected = answer(record, "chosen"), answer(record, "rejected")
    if chosen == rejected:
        raise RecordError("is the chosen answer too", "rejected", remedy="ms-swift refuses such pairs")
    messages = [{"role": role, "content": text} for role, text in turns(record)]
    return {
        "messages": [*messages, {"role": "assistant", "content": chosen}],
        "rejected_response": rejected,
        "images": pictures.paths(record),
    }


def llava(record: Record, pictures: Pictures) -> dict:
    """One prompt with its tags, one text a side."""
    return {
        "id": record["id"],
        "image": pictures.paths(record),
        "prompt": single(record),
        "chosen": answer(record, "chosen"),
        "rejected": answer(record, "rejected"),
    }


def turns(record: Record) -> list[tuple[str, str]]:
    """(role, text) of each message, with TAG where an image stands. Raises RecordError for a text with such a word in it."""
    said = []
    for i, message in enumerate(record["prompt"]):
        parts = []
        for part in message["content"]:
            if part["type"] == "text":
                refuse_tags(part["text"], f"prompt[{i}]")
            parts.append(TAG if part["type"] == "image" else part["text"])
        said.append((message["role"], "".join(parts)))
    return said


def single(record: Record) -> str:
    """The prompt as one text. Raises RecordError where it has several messages."""
    said = turns(record)
    if len(said) > 1:
        raise RecordError(f"has {len(said)} messages: the format has room for one", "prompt")
    return said[0][1]


def answer(record: Record, side: str) -> str:
    text = text_of(record[side])
    refuse_tags(text, side)
    return text


def refuse_tags(text: str, field: str) -> None:
    """Raises RecordError where a reader would take a word of the text for an image."""
    if "<" in text and (found := next((tag for tag in TAGS if tag in text), "")):
        raise RecordError(
            f"holds the word {found}, which readers of this format take for a picture", field,
            remedy="reword it, or use --to parquet",
        )  # fmt: skip
