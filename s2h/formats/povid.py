"""POVID: two conversations that differ in their last answer. It is read only."""

from __future__ import annotations

from s2h.formats import Format, chat
from s2h.record import RecordError


def read(row: dict) -> dict:
    """Read a row without its id, which names the image, so that several rows may have the same one."""
    prompt, chosen = chat.answered(row["conversations"], "conversations")
    start, rejected = chat.answered(row["rejected_conversations"], "rejected_conversations")
    if start != prompt:
        raise RecordError("must begin as conversations does", "rejected_conversations")
    rest = {name: value for name, value in row.items() if name != "id"}
    return chat.pair(
        rest, {"image", "conversations", "rejected_conversations"}, images=chat.listed(row.get("image")),
        prompt=prompt, chosen=[chosen], rejected=[rejected],
    )  # fmt: skip


FORMAT = Format(
    title="POVID: conversations, rejected_conversations",
    fields=("conversations", "rejected_conversations"),
    read=read,
)
