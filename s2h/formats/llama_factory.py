"""LLaMA-Factory: sharegpt conversations with ranking. The data set gets an entry in the folder's dataset_info.json."""

from __future__ import annotations

import json
import os

from s2h.formats import Companion, Format, chat, entries
from s2h.formats.pictures import Pictures
from s2h.record import Record, RecordError

INFO = "dataset_info.json"  # LLaMA-Factory's list of data sets, beside its files
NAMES = {ours: theirs for theirs, ours in chat.ROLES.items()}


def write(record: Record, pictures: Pictures) -> dict:
    """Make a conversation in which human and gpt alternate, after an optional system text."""
    turns = chat.turns(record)
    talk = turns[1:] if turns[0][0] == "system" else turns
    for at, (role, _) in enumerate(talk):
        if role != ("user", "assistant")[at % 2]:
            raise RecordError(
                "turns must alternate: user, assistant, user", "prompt", remedy="LLaMA-Factory skips others"
            )
    return {
        "conversations": [{"from": NAMES.get(role, role), "value": text} for role, text in turns],
        "chosen": {"from": "gpt", "value": chat.answer(record, "chosen")},
        "rejected": {"from": "gpt", "value": chat.answer(record, "rejected")},
        "images": pictures.paths(record),
    }


def read(row: dict) -> dict:
    """Read a conversation. Its system text may be in the field `system`."""
    messages = chat.messages(row["conversations"], "conversations")
    if row.get("system"):
        messages.insert(0, {"role": "system", "content": chat.text(row["system"], "system")})
    return chat.pair(
        row, {"conversations", "system"}, images=chat.listed(row.get("images")), prompt=messages,
        chosen=[chat.message(row["chosen"], "chosen")], rejected=[chat.message(row["rejected"], "rejected")],
    )  # fmt: skip


def _beside(path: str) -> str:
    return os.path.join(os.path.dirname(path), INFO)


def _info(path: str, now: bytes | None) -> str:
    """Return the list of data sets with an entry for this file. Its other entries stay."""
    columns = {
        "messages": "conversations", "chosen": "chosen", "rejected": "rejected", "images": "images",
    }  # fmt: skip
    entry = {
        "file_name": os.path.basename(path), "formatting": "sharegpt", "ranking": True, "columns": columns,
    }  # fmt: skip
    return (
        json.dumps({**entries(_beside(path), now), _name(path): entry}, indent=2, ensure_ascii=False) + "\n"
    )


def _name(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _command(path: str) -> str:
    folder = os.path.dirname(path) or "."
    return (
        f"llamafactory-cli train --stage dpo --do_train --dataset {_name(path)} --dataset_dir {folder} "
        "--model_name_or_path MODEL --template TEMPLATE --output_dir RUN"
    )


FORMAT = Format(
    title="LLaMA-Factory: sharegpt with ranking",
    fields=("conversations", "chosen", "rejected"),
    read=read,
    write=write,
    endings=(".json", ".jsonl"),
    is_list=True,
    companion=Companion(path=_beside, words="the list of data sets", text=_info, held_out=True),
    command=_command,
)
