"""A row of VLMEvalKit's TSV as a question: its options are the columns A to Z that are not empty, under their letters."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any

from s2h.record import Record


def asked(row: Record) -> dict[str, Any]:
    options = {letter: row[letter] for letter in ascii_uppercase if letter in row}
    made = {
        "id": row.get("index"), "category": row.get("category", ""), "question": row.get("question"),
        "options": options or None, "answer": row.get("answer"), "images": row.get("image") or [], "hint": row.get("hint"),
        "more": {},
    }  # fmt: skip
    l2 = row.get("l2-category") or row.get("l2_category")
    if l2:
        made["more"]["l2_category"] = l2
    return made
