"""Hold a part of the records out. Records that share an image, a family or a twin, directly or through others, stay on one
side."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from s2h.mix.choose import HELD_OUT, drawn
from s2h.mix.index import Index
from s2h.mix.scan import LINK

if TYPE_CHECKING:
    import numpy

AT_ONCE = 1 << 16  # least number of links that are in memory together


def split(index: Index, rows: numpy.ndarray, fraction: float) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return (training rows, held-out rows), with no twin, family or image on both sides.

    Rows that share one, directly or through others, are a group. Whole groups are held out in random order until `fraction`
    of the rows is reached, so that at most one group goes beyond it. A group of more than half of the rows is never held
    out, so that fewer rows may be held out than asked for. The index must have been loaded with `links`.
    """
    import numpy as np

    if not len(rows):
        return rows, rows
    root, order = _roots(index, rows), index.column("order")
    # A group is drawn by a hash of its smallest key, since the smallest key itself tends to be smaller in a large group.
    least = np.full(len(index), np.iinfo(np.uint64).max, np.uint64)
    sizes = np.zeros(len(index), np.uint32)
    for begin in range(
        0, len(rows), AT_ONCE
    ):  # in parts, since temporary arrays would take more memory than the index
        some = rows[begin : begin + AT_ONCE]
        np.minimum.at(least, root[some], order[some])
        np.add.at(sizes, root[some], 1)
    groups = np.flatnonzero(sizes).astype(np.uint32)
    least = least[groups]  # from here on one value for each group
    for begin in range(0, len(groups), AT_ONCE):
        least[begin : begin + AT_ONCE] = drawn(least[begin : begin + AT_ONCE], HELD_OUT)
    held, count, quota = np.zeros(len(index), bool), 0, fraction * len(rows)
    for at in np.argsort(least):
        if count >= quota:
            break
        size = int(sizes[groups[at]])
        if 2 * size <= len(rows):
            held[groups[at]] = True
            count += size
    out = held[root[rows]]
    return rows[~out], rows[out]


def _roots(index: Index, rows: numpy.ndarray) -> numpy.ndarray:
    """Return for each row of the index the row that stands for its group, uint32, by union-find over the links of `rows`.

    The links are read in passes, each for a part of the names, so that memory stays at a few bytes a row however many images
    each has.
    """
    import numpy as np

    if index.links is None:
        raise ValueError("load the index with links to split it")
    chosen = np.zeros(len(index), bool)
    chosen[rows] = True
    parent = array("I", range(len(index)))
    passes = -(-index.linked // max(AT_ONCE, len(index) // 4)) or 1
    for number in range(passes):
        index.links.seek(0)
        names, members = [], []
        while data := index.links.read(AT_ONCE * np.dtype(LINK).itemsize):
            links = np.frombuffer(data, LINK)
            links = links[(links["name"] % np.uint64(passes) == number) & chosen[links["row"]]]
            # Joined for each chunk already, so that a name that many rows have does not fill the memory.
            name, row = _join(parent, links["name"], links["row"])
            names.append(name)
            members.append(row)
        if names:
            _join(parent, np.concatenate(names), np.concatenate(members))
    root = np.frombuffer(parent, np.uint32).copy()
    while not np.array_equal(above := root[root], root):
        root = above
    return root


def _join(parent: array, names: numpy.ndarray, rows: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Join the rows that have a name in common. Return each name once, with one of its rows."""
    import numpy as np

    def top(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    order = np.argsort(names, kind="stable")
    names, rows = names[order], rows[order]
    new = np.ones(len(names), bool)
    new[1:] = names[1:] != names[:-1]
    again = np.flatnonzero(~new)
    for begin in range(0, len(again), 4096):  # as few Python numbers at a time
        some = again[begin : begin + 4096]
        for one, other in zip(rows[some - 1].tolist(), rows[some].tolist(), strict=True):
            one, other = top(one), top(other)
            if one != other:
                parent[max(one, other)] = min(one, other)
    return names[new], rows[new]
