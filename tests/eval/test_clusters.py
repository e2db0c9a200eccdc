"""Clusters of questions, and intervals and tests over clusters, against closed forms and against simulation."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict

import numpy as np
import pytest

from s2h.eval import accuracy, bootstrap, clusters, comparison, comparison_report, report, statistics
from s2h.images.store import Store, digest
from s2h.record import Record
from tests.support import benchmarks


def together(*lines: dict) -> list[int]:
    found = clusters.labels(lines)
    assert clusters.labels([accuracy.slim(line) for line in lines]) == found  # a slim line has lost nothing
    return found


def test_questions_about_one_image_are_a_cluster():
    lines = [{"bench": "pope", "id": str(i), "images": [f"s2h-images/{i // 3}.png"]} for i in range(6)]
    assert together(*lines) == [0, 0, 0, 1, 1, 1]
    chain = [
        {"bench": "x", "images": ["a", "b"]},
        {"bench": "x", "images": ["c"]},
        {"bench": "x", "images": ["b", "c"]},
    ]
    assert together(*chain) == [0, 0, 0]
    assert together({"bench": "pope", "id": "1"}, {"bench": "pope", "id": "2"}) == [
        0,
        1,
    ]  # nothing is known of them


def test_an_image_is_one_however_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = benchmarks.picture()
    stored = Store("s2h-images").put(data)
    inline = "data:image/png;base64," + benchmarks.b64("red")
    names = {clusters.identity(stored), clusters.identity(str(tmp_path / stored)), clusters.identity(inline)}
    assert names == {digest(data)}
    assert clusters.identity("x/../a.png") == clusters.identity("a.png", str(tmp_path))
    assert clusters.identity("tar:s.tar!a.png", "set") == clusters.identity(f"tar:{tmp_path}/set/s.tar!a.png")
    assert clusters.identity("data:image/png;base64,!") == "data:image/png;base64,!"
    here, there = (
        Record({"bench": "x", "images": ["a.png"]}, base="one"),
        Record({"images": ["a.png"]}, base="two"),
    )
    assert together(here, there) == [0, 1]


def test_sentences_twins_groups_and_counterparts_are_clusters():
    assert together(*({"bench": "nlvr2", "id": f"test1-7-{pair}-0"} for pair in range(3))) == [0, 0, 0]
    twins = [{"bench": "pairs", "id": f"p{i}", "facts": {"twin": "p0"}} for i in range(2)]
    assert together(*twins, {"bench": "pairs", "id": "p9", "twin": "p0"}) == [0, 0, 0]
    assert together(*({"bench": "natural", "id": i, "group": i // 4} for i in range(8))) == [0] * 4 + [1] * 4
    muir = [
        {"bench": "muirbench", "id": f"muirbench/{i}", "counterpart_idx": other}
        for i, other in ((3, "8"), (8, "3"))
    ]
    assert together(*muir, {"bench": "muirbench", "id": "muirbench/5"}) == [0, 0, 1]
    assert together(*({"bench": "mirb", "id": str(i), "group": "perception"} for i in range(2))) == [0, 1]


def clustered(seed: int, groups: int = 40, largest: int = 7) -> tuple[list[int], list[int], list[int]]:
    """(right before, right after, cluster) of questions whose clusters are alike."""
    rng = random.Random(seed)
    before, after, found = [], [], []
    for group in range(groups):
        skill, later = rng.choice([(0.1, 0.2), (0.9, 0.95), (0.5, 0.9)])
        for _ in range(rng.randint(1, largest)):
            before.append(int(rng.random() < skill))
            after.append(int(rng.random() < later))
            found.append(group)
    return before, after, found


def test_the_standard_error_is_the_cluster_robust_one():
    right, _, groups = clustered(1)
    mean, n, count = np.mean(right), len(right), len(set(groups))
    pairs = sum(
        (right[i] - mean) * (right[j] - mean)
        for i, j in itertools.product(range(n), repeat=2)
        if groups[i] == groups[j]
    )
    assert statistics.standard_error(right, groups) == pytest.approx((count / (count - 1) * pairs) ** 0.5 / n)
    assert statistics.standard_error(right, range(n)) == pytest.approx(np.std(right, ddof=1) / n**0.5)
    assert statistics.standard_error(right, [0] * n) is None
    row = accuracy.row("x", [{"correct": bool(r), "shared": [g]} for r, g in zip(right, groups, strict=True)])
    assert (row["clusters"], row["se"]) == (count, pytest.approx(statistics.standard_error(right, groups)))


def test_the_interval_has_the_effective_number_of_questions():
    right, _, groups = clustered(2)
    n = len(right)
    n_effective = (
        n * (statistics.standard_error(right, range(n)) / statistics.standard_error(right, groups)) ** 2
    )
    assert len(set(groups)) / 2 < n_effective < n
    assert statistics.interval(right, groups) == pytest.approx(
        statistics.wilson(np.mean(right) * n_effective, n_effective)
    )
    assert statistics.interval(right, range(n)) == statistics.wilson(sum(right), n)
    # Copies of a question tell nothing more than the question.
    copies = [one for one in right for _ in range(5)]
    low, high = statistics.interval(copies, [at // 5 for at in range(5 * n)])
    assert (low, high) == pytest.approx(statistics.wilson(sum(right), n), abs=2e-3)
    assert statistics.interval([1, 1, 1, 1], [0, 0, 1, 1]) == statistics.wilson(2, 2)
    assert statistics.interval([1, 0, 1], [0, 0, 0]) == pytest.approx(statistics.wilson(2 / 3, 1))


def test_the_sign_flip_test_is_that_of_all_signs():
    for seed in range(6):
        rng = random.Random(seed)
        changes = [rng.choice([-3, -1, 0, 0, 1, 2, 4]) for _ in range(12)]
        observed = abs(sum(changes))
        flipped = [
            abs(sum(sign * change for sign, change in zip(signs, changes, strict=True))) >= observed
            for signs in itertools.product((-1, 1), repeat=len(changes))
        ]
        assert statistics.sign_flip(changes) == pytest.approx(np.mean(flipped))
    assert statistics.sign_flip([1] * 40 + [-1] * 10 + [0] * 9) == pytest.approx(
        statistics.mcnemar(40, 10), rel=1e-9
    )
    assert statistics.sign_flip([]) == statistics.sign_flip([0, 0]) == statistics.sign_flip([2, -2]) == 1.0


def test_a_change_has_the_interval_of_drawn_clusters():
    before, after, groups = clustered(3)
    changes = [b - a for a, b in zip(before, after, strict=True)]
    low, high = statistics.gain(changes, groups, seed=1)
    by_group = defaultdict(list)
    for change, group in zip(changes, groups, strict=True):
        by_group[group].append(change)
    rng = random.Random(0)
    drawn = [
        np.mean(
            [change for group in rng.choices(list(by_group), k=len(by_group)) for change in by_group[group]]
        )
        for _ in range(3000)
    ]
    assert (low, high) == pytest.approx(tuple(np.percentile(drawn, (2.5, 97.5))), abs=0.02)
    assert statistics.gain([1, 1, 0], [0, 0, 0], seed=1) == (-1.0, 1.0)


def pope(images: int = 60, splits: tuple[str, ...] = ("adversarial", "popular", "random")) -> list[dict]:
    """Six questions about each image, two of each split; some images are hard."""
    rng, made = random.Random(5), []
    for image in range(images):
        skill = rng.choice([0.3, 0.95])
        for i in range(6):
            truth = ("yes", "no")[i % 2]
            said = truth if rng.random() < skill else rng.choice(["yes", "no", None])
            made.append(
                {
                    "id": f"pope/{image}-{i}", "bench": "pope", "category": splits[i // 2 % len(splits)],
                    "images": [f"{image}.png"], "answer": truth, "parsed": said, "correct": truth == said,
                }
            )  # fmt: skip
    return made


def test_the_metrics_of_pope_are_drawn_by_image():
    lines = pope()
    found = {metric.name: metric for metric in report.metrics("pope", lines)}
    by_image = defaultdict(list)
    for line in lines:
        by_image[line["images"][0]].append(line)
    rng, f1, right = random.Random(0), [], []
    for _ in range(1500):
        some = [line for image in rng.choices(list(by_image), k=len(by_image)) for line in by_image[image]]
        split = [line for line in some if line["category"] == "random"]
        right.append(np.mean([line["correct"] for line in split]))
        hit, said, true = (
            sum(test) for test in zip(
                *((s == t == "yes", s == "yes", t == "yes") for s, t in ((p["parsed"], p["answer"]) for p in some)),
                strict=True,
            )
        )  # fmt: skip
        f1.append(2 * hit / (said + true))
    for name, drawn in (("random accuracy", right), ("pooled f1", f1)):
        interval = found[name].low, found[name].high
        assert interval == pytest.approx(tuple(np.percentile(drawn, (2.5, 97.5))), abs=0.02)
    alone = [{key: value for key, value in line.items() if key != "images"} for line in lines]
    narrow = {metric.name: metric for metric in report.metrics("pope", alone)}["pooled f1"]
    assert narrow.high - narrow.low < 0.8 * (found["pooled f1"].high - found["pooled f1"].low)
    assert narrow.score == found["pooled f1"].score


def test_a_mean_of_tasks_draws_clusters_within_their_tasks():
    lines = [
        {"bench": "blink", "category": "ab"[i % 20 // 10], "images": [str(i // 5)], "correct": i // 5 % 3 > 0}
        for i in range(200)
    ]
    score, low, high = bootstrap.macro(lines, lambda p: p["category"], seed=3)
    by_task: dict[str, dict[int, bool]] = {"a": {}, "b": {}}
    for i, line in enumerate(lines):
        by_task[line["category"]][i // 5] = line["correct"]
    rng = np.random.default_rng(0)
    means = [
        np.mean([rng.choice(list(t.values()), len(t)).mean() for t in by_task.values()]) for _ in range(3000)
    ]
    assert score == pytest.approx(np.mean([line["correct"] for line in lines]))
    assert (low, high) == pytest.approx(tuple(np.percentile(means, (2.5, 97.5))), abs=0.03)


def test_the_comparison_names_its_test_and_is_not_fooled_by_copies():
    def lines(right: list[bool], **more) -> list[dict]:
        return [
            {"id": str(i), "bench": "pope", "answer": "yes", "correct": r} | more for i, r in enumerate(right)
        ]

    before, after = lines([False] * 60), lines([True] * 40 + [False] * 20)
    copied = [line | {"images": [str(i // 20)]} for i, line in enumerate(before)]
    (alone,), (row,) = (
        comparison.compare(before, after, ("a", "b")),
        comparison.compare(copied, after, ("a", "b")),
    )
    assert (alone["test"], alone["clusters"], alone["p"] < 1e-9) == (comparison.MCNEMAR, 60, True)
    assert (row["test"], row["clusters"], row["p"]) == (comparison.SIGN_FLIP, 3, 0.5)
    assert row["high"] - row["low"] > 3 * (alone["high"] - alone["low"]) and row["gain"] == alone["gain"]
    assert "exact sign-flip test over clusters in pope" in comparison_report.rows_table([row])
    assert "clusters" not in comparison_report.rows_table([alone]).splitlines()[
        2
    ] and "McNemar" in comparison_report.rows_table([alone])
