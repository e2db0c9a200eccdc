"""Batches of pairs. The order of the file decides which pairs make an optimizer step. In a step, pairs of similar length
make a batch, and weights of batches make the step's loss the mean over its pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

WEIGHT = "weight"  # key of a batch's weight among its tensors
PADDING = 0.05  # largest share of padding in a batch that is formed by tokens


@dataclass
class Unit:
    """A pair, or the pairs of one prompt, which share a row of a batch. tokens: length of the row. lines: the rows of the
    batch that it takes, with those for rejected images, which are no longer."""

    rows: list[int]
    tokens: int
    lines: int = 1


@dataclass
class Batch:
    """Units that are computed together. weight: of their mean loss in the step's mean over batches. rows: of their pairs."""

    units: list[Unit]
    weight: float = 1.0
    rows: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [row for unit in self.units for row in unit.rows]


def form_batches(
    units: Sequence[list[Unit]], *, size: int, processes: int = 1, budget: int | None = None
) -> tuple[list[Batch], int]:
    """Form the batches of an epoch. Return them, and the number of batches that each process accumulates
    in a step.

    units: of each step, from `steps`. Without a budget a batch has `size` pairs; with one it has at most `budget` tokens (a
    longer row is a batch by itself), and the share of padding among them is at most PADDING. All steps but the last have the
    same number of batches. Batches that the processes compute at the same time follow each other, which is the order in
    which the trainer hands them out.
    """
    cut = [_by_tokens(step, budget) if budget else _by_number(step, size) for step in units]
    each = max(1 + (len(step) - 1) // processes for step in cut)
    batches = []
    for number, step in enumerate(cut):
        is_last = number == len(cut) - 1
        wanted = processes * (1 + (len(step) - 1) // processes if is_last else each)
        step = _grown(step, wanted)
        pairs = sum(len(batch.rows) for batch in step)
        for batch in step:
            batch.weight = len(batch.rows) * wanted / pairs
        # A process that has no batch left repeats a row with weight 0.
        batches += step + [Batch(step[0].units[:1], weight=0.0) for _ in range(wanted - len(step))]
    return batches, each


def steps(
    tokens: Sequence[int],
    pairs: int,
    groups: Sequence[Any] | None = None,
    more: dict[int, int] | None = None,
    further: Sequence[int] | None = None,
) -> list[list[Unit]]:
    """Return the units of each step of `pairs` pairs, sorted by length. tokens: length of each pair. groups: the group of
    each pair; pairs of one group in a step share a row. more: by pair, the tokens that it adds to the row of its group.
    further: of each pair, the rows that it has for rejected images; by default none."""
    cut = []
    for start in range(0, len(tokens), pairs):
        together: dict[Any, list[int]] = {}
        for row in range(start, min(start + pairs, len(tokens))):
            together.setdefault(row if groups is None else groups[row], []).append(row)
        units = [
            Unit(
                rows,
                max(tokens[row] for row in rows) + sum((more or {}).get(row, 0) for row in rows[1:]),
                1 + sum(further[row] for row in rows if further),
            )
            for rows in together.values()
        ]
        cut.append(sorted(units, key=lambda unit: unit.tokens))
    return cut


def _by_number(units: list[Unit], size: int) -> list[Batch]:
    batches: list[list[Unit]] = []
    held = size
    for unit in units:
        if held + len(unit.rows) > size:
            batches.append([])
            held = 0
        batches[-1].append(unit)
        held += len(unit.rows)
    return [Batch(batch) for batch in batches]


def _by_tokens(units: list[Unit], budget: int) -> list[Batch]:
    """Fill batches from the longest row on, until the next row would exceed the budget or PADDING."""
    batches: list[list[Unit]] = []
    for unit in reversed(units):
        if batches:
            batch = [*batches[-1], unit]
            room = sum(u.lines for u in batch) * batch[0].tokens
            if room <= budget and room - sum(u.lines * u.tokens for u in batch) <= PADDING * room:
                batches[-1] = batch
                continue
        batches.append([unit])
    return [Batch(batch) for batch in reversed(batches)]


def _grown(batches: list[Batch], wanted: int) -> list[Batch]:
    """Cut the largest batches in two until there are as many as wanted, or none can be cut."""
    batches = list(batches)
    while len(batches) < wanted:
        most = max(
            range(len(batches)),
            key=lambda i: (len(batches[i].units) > 1, batches[i].units[-1].tokens * len(batches[i].units)),
        )
        units = batches[most].units
        if len(units) == 1:
            break
        half = len(units) // 2
        batches[most : most + 1] = [Batch(units[:half]), Batch(units[half:])]
    return batches


class BatchList:
    """Batches as a dataset for the trainer's loader. An item is (rows of `dataset`, weight) of one batch."""

    def __init__(self, dataset: Any, batches: list[Batch]) -> None:
        self.dataset, self.batches = dataset, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, place: int) -> tuple[list[dict], float]:
        batch = self.batches[place]
        return [self.dataset[row] for row in batch.rows], batch.weight


def collate(collator: Callable, planned: list[tuple[list[dict], float]]) -> dict:
    """Return the tensors of one item of a BatchList, with its weight."""
    [(rows, weight)] = planned
    return {**collator(rows), WEIGHT: weight}
