"""LLaVA and MIA-DPO: a JSON list, or JSON lines, of id, image, prompt, chosen and rejected."""

from __future__ import annotations

from s2h.formats import Format, chat
from s2h.formats.pictures import Pictures
from s2h.record import Record


def write(record: Record, pictures: Pictures) -> dict:
    """Make a row with the prompt, an `<image>` for each image in it, and a text for each answer."""
    return {
        "id": record["id"],
        "image": pictures.paths(record),
        "prompt": chat.single(record),
        "chosen": chat.answer(record, "chosen"),
        "rejected": chat.answer(record, "rejected"),
    }


def read(row: dict) -> dict:
    return chat.pair(
        row, {"image"}, images=chat.listed(row.get("image")), prompt=chat.prompt(row["prompt"], "prompt"),
        chosen=chat.text(row["chosen"], "chosen"), rejected=chat.text(row["rejected"], "rejected"),
    )  # fmt: skip


FORMAT = Format(
    title="LLaVA and MIA-DPO: image, prompt, chosen, rejected",
    fields=("image", "prompt", "chosen", "rejected"),
    read=read,
    write=write,
    is_list=True,
    command=lambda path: f"MIA-DPO's training script with --data_path {path} --image_folder /",
)
