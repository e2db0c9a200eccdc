"""Intervals and tests of accuracies. Questions that share an image, a sentence or a twin form a cluster (see
`s2h.eval.clusters`) and are drawn together; if every cluster has one question, the formulas are the usual ones.

values: the score of each question (0 or 1, or its change -1, 0 or 1). clusters: the number of its cluster, from 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from s2h.seeds import within

ROUNDS = 2000
Z = 1.959964  # of a two-sided 95% interval


def wilson(right: float, n: float, z: float = Z) -> tuple[float, float]:
    """Return the 95% interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def single(clusters: Sequence[int]) -> bool:
    """Return whether every cluster has one question."""
    return len(set(clusters)) == len(clusters)


def sums(values: Sequence[float], clusters: Sequence[int]) -> Any:
    """Return the sum of the values in each cluster."""
    import numpy as np

    return np.bincount(clusters, weights=np.asarray(values, dtype=float))


def standard_error(values: Sequence[float], clusters: Sequence[int]) -> float | None:
    """Return the cluster-robust standard error of the mean (Liang and Zeger 1986) with the correction G / (G - 1) for a
    finite number of clusters G; None for one cluster. With one question in each cluster it is the usual one."""
    import numpy as np

    groups = len(set(clusters))
    if groups < 2:
        return None
    residuals = np.asarray(values, dtype=float) - np.mean(values)
    return float(math.sqrt(groups / (groups - 1) * np.sum(sums(residuals, clusters) ** 2)) / len(values))


def effective(values: Sequence[float], clusters: Sequence[int]) -> float:
    """Return the effective number of questions: their number divided by the design effect, which is the ratio of the
    cluster-robust variance to the usual one. It is at most the number of questions (Korn and Graubard 1998). If all values
    are equal, both variances are 0 and it is the number of clusters."""
    n, groups = len(values), len(set(clusters))
    if groups in (n, 1):
        return groups
    usual, robust = standard_error(values, range(n)), standard_error(values, clusters)
    if not usual:
        return groups
    return n if not robust else max(1.0, min(n, n * (usual / robust) ** 2))


def interval(values: Sequence[bool], clusters: Sequence[int]) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share, with the effective number of questions."""
    if not len(values):
        return 0.0, 1.0
    n = effective(values, clusters)
    return wilson(sum(values) * n / len(values), n)


def draw(counts: Any, strata: Sequence[Hashable], seed: int) -> Any:
    """Draw clusters with replacement within their stratum, ROUNDS times, and return their sums, an array (ROUNDS, cells).
    counts: an array (clusters, cells) with the contribution of each cluster to each cell."""
    import numpy as np

    counts = np.asarray(counts)
    rng = np.random.default_rng(within(seed, 64))
    members: dict[Hashable, list[int]] = {}
    for at, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(at)
    total = np.zeros((ROUNDS, counts.shape[1]))
    for stratum in sorted(members, key=str):
        some = counts[members[stratum]]
        # Equal clusters are drawn together: the number of draws of each kind is multinomial.
        kinds, sizes = np.unique(some, axis=0, return_counts=True)
        total += rng.multinomial(len(some), sizes / len(some), ROUNDS) @ kinds
    return total


def percentiles(drawn: Any) -> tuple[float, float]:
    """Return the 95% interval of bootstrap values, ignoring draws in which a metric is undefined (NaN)."""
    import numpy as np

    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def gain(differences: Sequence[int], clusters: Sequence[int], seed: int) -> tuple[float, float]:
    """Return the paired percentile-bootstrap 95% interval of the mean change; (-1, 1) for a single cluster."""
    import numpy as np

    if len(set(clusters)) < 2:
        return -1.0, 1.0
    sizes = np.bincount(clusters)
    drawn = draw(np.stack([sums(differences, clusters), sizes], 1), [0] * len(sizes), seed)
    return percentiles(drawn[:, 0] / drawn[:, 1])


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided exact p of McNemar's test (1947). Under the null hypothesis, a changed answer is as often gained
    as lost."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def sign_flip(changes: Sequence[int]) -> float:
    """Return the two-sided exact p of the permutation test that flips the sign of each cluster's change (answers gained
    minus answers lost). Under the null hypothesis, before and after can be exchanged in each cluster. If all changes are -1
    or 1, it is McNemar's exact test."""
    import numpy as np
    from scipy.stats import binom

    observed = abs(sum(changes))
    sizes = Counter(abs(change) for change in changes if change)
    if not observed:
        return 1.0
    # The distribution of the sum of the positive changes: a binomial number of clusters for each size of change.
    shares = np.ones(1)
    for size, count in sorted(sizes.items()):
        here = np.zeros(size * count + 1)
        here[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        shares = np.convolve(shares, here)
    # If the sum is at least the observed one, the positive changes add up to at least this.
    top = (len(shares) - 1 + observed) // 2
    return min(1.0, 2 * float(shares[top:].sum()))
