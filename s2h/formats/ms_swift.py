"""ms-swift: messages that end with the chosen answer, and one of these: the rejected answer, a rejected conversation, or
other images for which the answer is wrong."""

from __future__ import annotations

from s2h.formats import Format, chat
from s2h.formats.pictures import Pictures
from s2h.record import Record, RecordError


def write(record: Record, pictures: Pictures) -> dict:
    chosen, rejected = chat.answer(record, "chosen"), chat.answer(record, "rejected")
    other = record.get("rejected_images")
    if chosen == rejected and not other:
        raise RecordError(
            "is the same as the chosen answer", "rejected", remedy="ms-swift refuses such pairs"
        )
    messages = [{"role": role, "content": text} for role, text in chat.turns(record)]
    row = {
        "messages": [*messages, {"role": "assistant", "content": chosen}],
        "rejected_response": rejected,
        "images": pictures.paths(record),
    }
    return row | ({"rejected_images": pictures.paths(record, "rejected_images")} if other else {})


def read(row: dict) -> dict:
    """Read a row. If it only has rejected images, the rejected answer is the chosen one."""
    prompt, chosen = chat.answered(row["messages"], "messages")
    rejected = chosen
    if row.get("rejected_messages"):
        start, rejected = chat.answered(row["rejected_messages"], "rejected_messages")
        if start != prompt:
            raise RecordError("must begin as messages does", "rejected_messages")
    elif row.get("rejected_response"):
        rejected = {"role": "assistant", "content": chat.text(row["rejected_response"], "rejected_response")}
    elif not row.get("rejected_images"):
        raise RecordError("is missing", "rejected_response")
    if row.get("system"):
        prompt.insert(0, {"role": "system", "content": chat.text(row["system"], "system")})
    used = {"messages", "rejected_messages", "rejected_response", "system"}
    made = chat.pair(
        row, used, images=chat.listed(row.get("images")), prompt=prompt, chosen=[chosen], rejected=[rejected]
    )
    return made | ({"rejected_images": other} if (other := chat.listed(row.get("rejected_images"))) else {})


FORMAT = Format(
    title="ms-swift: messages and rejected_response",
    fields=("messages", ("rejected_response", "rejected_messages", "rejected_images")),
    read=read,
    write=write,
    rejected_images=True,
    command=lambda path: f"swift rlhf --rlhf_type dpo --model MODEL --dataset {path}",
)
