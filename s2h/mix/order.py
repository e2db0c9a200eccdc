"""Order the records of a mix. The trainer takes them in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s2h.mix.index import Index

if TYPE_CHECKING:
    import numpy


def flat(index: Index, rows: numpy.ndarray) -> numpy.ndarray:
    """Shuffle all rows."""
    import numpy as np

    return rows[np.argsort(index.column("order")[rows], kind="stable")]


def curriculum(index: Index, rows: numpy.ndarray) -> numpy.ndarray:
    """Order the rows by ascending level and shuffle them inside a level."""
    import numpy as np

    level = index.numbers_of("level").astype(np.uint8)[index.column("kind")[rows]]
    return rows[np.lexsort((index.column("order")[rows], level))]


def by_margin(
    index: Index, rows: numpy.ndarray, name: str, *, levels: bool = False, hard_first: bool = False
) -> numpy.ndarray:
    """Order the rows from easy (the largest margin of the score `name`) to hard, or with hard_first from hard to easy; with
    levels, within each level. Equal margins are shuffled."""
    import numpy as np

    value = index.column(name)[rows]
    keys = [index.column("order")[rows], value if hard_first else -value]
    if levels:
        keys.append(index.numbers_of("level")[index.column("kind")[rows]])
    return rows[np.lexsort(keys)]
