"""NLVR2: whether a sentence is true of two photographs (Suhr et al., ACL 2019). A sentence is asked of up to four pairs;
consistency is the share of sentences that are answered right every time."""

from __future__ import annotations

import os
import re

from s2h.eval.benches import vek
from s2h.eval.benches.rows import first
from s2h.record import Record, RecordError
from s2h.seeds import seed_of

ABOUT = {
    "title": "NLVR2: is a sentence true of two photographs; accuracy and consistency",
    "hub": "TIGER-Lab/NLVR2",
    "configs": (None,),
    "splits": {"test": ("test", "test1"), "dev": ("dev", "val", "validation"), "test2": ("test2",)},
    "rows": {"test": 6967, "dev": 6982},
    "layouts": "parquet (Mantis's form), the release's test1.json or dev.json beside its images, TSV",
    "license": "CC-BY-4.0 (the sentences)",
}
REQUIRED = ("question", "images", "answer", ("options", "choices"))
_IDENTIFIER = re.compile(r"([A-Za-z]+\d*)-(\d+)-(\d+)-(\d+)$")  # split, set, pair, sentence


def asked(row: Record, file: str) -> dict:
    if file.endswith(".tsv"):
        return vek.asked(row)
    if "identifier" in row:
        return _released(row)
    return {
        "id": str(first(row, "id", "idx")), "category": "", "question": row.get("question"),
        "options": first(row, "options", "choices"), "answer": row.get("answer"), "images": row.get("images"),
    }  # fmt: skip


def _released(row: Record) -> dict:
    """A line of the release; its options stand in an order drawn from its name, so that neither letter is favoured."""
    name, label = str(row["identifier"]), row.get("label")
    options = ["True", "False"] if seed_of("nlvr2", name) % 2 else ["False", "True"]
    return {
        "id": name, "category": "", "options": options, "answer": None if label is None else str(label).capitalize(),
        "question": f"<image> <image> Here is a statement describing 2 images: {row.get('sentence')} Is it true or false?",
        "images": [_image(row, name, which) for which in (0, 1)],
    }  # fmt: skip


def _image(row: Record, name: str, which: int) -> str:
    found = _IDENTIFIER.search(name)
    if not found:
        raise RecordError(f"is not split-set-pair-sentence: {name}", "identifier", row.where)
    split, number, pair, _ = found.groups()
    file = f"{split}-{number}-{pair}-img{which}.png"
    folders = ["", split, "images", f"images/{split}", f"../images/{split}", f"../{split}"]
    if str(row.get("directory", "")).isdigit():
        folders += [f"{split}/{row['directory']}", f"images/{split}/{row['directory']}"]
    for folder in folders:
        path = os.path.normpath(os.path.join(row.base, folder, file))
        if os.path.isfile(path):
            return os.path.abspath(path)
    raise RecordError(
        f"no such file: {file} beside the JSON, in {split}/ or images/{split}/", f"images[{which}]", row.where
    )


def sentence(line: dict) -> str:
    """What the questions about one sentence have in common: split, set and sentence of an identifier, else the words."""
    found = _IDENTIFIER.search(str(line.get("id", "")))
    if found:
        split, number, _, last = found.groups()
        return f"{split}-{number}-{last}"
    words = re.sub(
        r"<image[^>]*>|^\s*\(?[A-Z][.:)].*$", " ", str(line.get("question", "")), flags=re.MULTILINE
    )
    return " ".join(words.split()) or str(line.get("id"))


def together(line: dict) -> list[str]:
    """What puts questions in one cluster: their sentence."""
    return [line.get("sentence") or sentence(line)]
