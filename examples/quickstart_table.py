"""The table of the quickstart: the accuracy of each row before and after DPO, the interval of the gain, the share of replies
that could not be read, and two bounds of the row: a blind guess, and a ceiling.

    python examples/quickstart_table.py quickstart/seed-0 [--seed N]

The ceiling is 100 where the labels of the images decide the answer. They don't decide who is kin, because strangers look
alike by chance, so kinship's ceiling is the score of a reader of the true labels who knows how traits are inherited.
"""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import click

from s2h import tasks
from s2h.eval import accuracy
from s2h.eval.benches import builtin
from s2h.images.store import Store
from s2h.sources.builtin.families import AGES, TRAITS

HEADS = ("questions", "n", "before", "after", "gain", "95% interval", "unread", "blind guess", "ceiling")


def log_ratio(one: dict, other: dict) -> float:
    """Return how much likelier the traits of two people are for parent and child than for strangers, as the logarithm of the
    ratio. A child has a trait from this parent half of the time, and strangers share one of k values 1 / k of the time."""
    found = 0.0
    for trait, values in TRAITS.items():
        by_chance = 1 / len(values)
        alike = 0.5 + 0.5 * by_chance
        same = one[trait] == other[trait]
        found += math.log(alike / by_chance if same else (1 - alike) / (1 - by_chance))
    return found


def best_answer(facts: dict) -> str | int:
    """Return the likeliest answer to a kinship question about a parent, by the true labels of the faces."""
    faces, form = facts["labels"], facts["form"]
    old = [AGES.index(face["age"]) for face in faces]
    elder, younger = facts["a"], facts["b"]
    if form == "which-parent":
        return 1 + (elder if old[elder] > old[younger] else younger)
    if form.startswith("find"):
        known = younger if facts["answer"] == elder + 1 else elder
        order = 1 if form == "find-parent" else -1
        others = [at for at in range(len(faces)) if at != known and (old[at] - old[known]) * order > 0]
        return 1 + max(others, key=lambda at: log_ratio(faces[at], faces[known]))
    is_kin = log_ratio(faces[elder], faces[younger]) > 0
    return "yes" if is_kin and (form == "are-kin" or old[elder] > old[younger]) else "no"


def ceiling(seed: int, count: int) -> float:
    """Return the share of the benchmark's kinship questions that the true labels answer."""
    per_prompt = next(images for name, _, _, images in builtin.PARTS if name == "kinship")
    with tempfile.TemporaryDirectory() as folder:
        made = tasks.generate(
            "kinship", n=count, seed=seed, split="heldout", per_prompt=per_prompt, images=Store(Path(folder)), size=32,
            relations={"parent": 1.0},
        )  # fmt: skip
        right = [best_answer(pair["facts"]) == pair["facts"]["answer"] for pair in made]
    return sum(right) / len(right)


def unread(path: Path) -> dict[str, float]:
    """Return the share of replies that could not be read, by the rows of the table."""
    with open(path, encoding="utf-8") as file:
        lines = [accuracy.slim(json.loads(line)) for line in file]
    return {
        name: sum(map(accuracy.unread, some)) / len(some) for name, some in accuracy.groups(lines).items()
    }


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the questions.")
def main(folder: Path, seed: int) -> None:
    rows = json.loads((folder / "compare.json").read_text())["rows"]
    sides = [unread(folder / f"{name}.jsonl") for name in ("before", "after")]
    bounds = {
        "level 2 kinship": ceiling(seed, next(row["n"] for row in rows if row["name"] == "level 2 kinship"))
    }
    bounds["level 2"] = (bounds["level 2 kinship"] + 1) / 2
    print("| " + " | ".join(HEADS) + " |")
    print("|" + "---|" * len(HEADS))
    for row in rows:
        interval = f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        cells = [
            row["name"], str(row["n"]), percent(row["before"]), percent(row["after"]), f"{100 * row['gain']:+.1f}",
            interval, " → ".join(f"{100 * side[row['name']]:.0f}" for side in sides), percent(row["chance"]),
            percent(bounds.get(row["name"], 1.0)),
        ]  # fmt: skip
        print("| " + " | ".join(cells).replace("-", "−") + " |")


if __name__ == "__main__":
    main()
