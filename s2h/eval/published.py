"""Numbers that papers print, to stand beside measured ones. They were measured by their authors, with their prompts and
parsers; a report marks them as published."""

from __future__ import annotations

from s2h.eval.benches import labels, names

PAPER = "S2H-DPO, Findings of ACL 2026, arXiv 2604.18512"
MODEL = "LLaVA-1.5-7B"
LABELS = f"BLINK's published numbers may rest on the labels of {labels.TASK} before their correction on {labels.CORRECTED}."
BENCHES = ("blink", "mantis", "nlvr2")
# Accuracy in percent.
ROWS = (
    ("base", (37.1, 41.9, 52.1)),
    ("MIA-DPO (level 1 only)", (42.9, 44.2, 54.2)),
    ("S2H-DPO", (43.4, 47.9, 55.6)),
)


def beside(rows: list[dict]) -> list[dict]:
    """Published rows for the benchmarks that were measured, and the measured one: name, model, source, published, and a
    score (share of 1) by benchmark, with their mean where all of the table's benchmarks were measured. None where none
    was."""
    measured = {names.plain(row["name"]): row["score"] for row in rows if row.get("score") is not None}
    benches = [bench for bench in BENCHES if bench in measured]
    if not benches:
        return []
    made = [{"name": "measured here", "published": False, "scores": {b: measured[b] for b in benches}}]
    for name, values in ROWS:
        scores = {b: value / 100 for b, value in zip(BENCHES, values, strict=True) if b in benches}
        made.append({"name": name, "model": MODEL, "source": PAPER, "published": True, "scores": scores})
    if len(benches) == len(BENCHES):
        for row in made:
            row["scores"]["mean"] = sum(row["scores"].values()) / len(benches)
    return made
