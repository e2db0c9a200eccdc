"""The study runs on a small file from its pairs to its figure, does nothing twice, and says what is wrong with a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from tests.support.shims import shims

STUDY = Path(__file__).resolve().parents[2] / "examples" / "study"
sys.path.insert(0, str(STUDY))
import pipeline  # noqa: E402
import results  # noqa: E402

SMALL = """
[study]
model = "mini"
seeds = [0, 1]
pairs = 8
train = "--max-steps 2 --lora-rank 4"
sample = "arithmetic -n 4 --size 64"

[sets.l2]
gen = "arithmetic -n 9 --images-per-prompt 2 --size 64"

[sets.l3]
gen = "search -n 9 --images-per-prompt 2 --size 64"

[arms.reversed]
title = "L3, then L2"
sets = ["l2", "l3"]
order = [3, 2]

[arms.large]
sets = ["l2"]

[measures.likelihood]
questions = ["kinship -n 4 --images-per-prompt 6-8 --size 64", "search -n 3 --images-per-prompt 2 --size 64"]
eval = "--scoring likelihood"
"""


def study(tmp_path: Path, *words: str, commands: Path | None = None) -> subprocess.CompletedProcess:
    (tmp_path / "small.toml").write_text(SMALL)
    path = f"{commands}:{os.environ['PATH']}" if commands else os.environ["PATH"]
    return subprocess.run(
        [sys.executable, str(STUDY / "study.py"), "small.toml", *words],
        cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True,
    )  # fmt: skip


def test_a_study_may_extend_another(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "more.toml").write_text(
        '[study]\nextends = "small.toml"\nseeds = [3]\n[arms.one]\nsets = ["l2"]\n[measures.replies]\neval = "-n 2"\n'
    )
    small, more = (pipeline.read(str(tmp_path / name)) for name in ("small.toml", "more.toml"))
    assert (more.model, more.pairs, more.sets, more.seeds) == (small.model, small.pairs, small.sets, (3,))
    assert list(more.arms) == ["one"] and more.arms["one"].train == small.arms["large"].train
    assert list(more.measures) == ["replies"]
    (tmp_path / "more.toml").write_text('[study]\nextends = "gone.toml"\n')
    with pytest.raises(click.UsageError, match=r"gone\.toml can't be read"):
        pipeline.read(str(tmp_path / "more.toml"))


def test_a_study_runs_to_its_figure_and_does_nothing_twice(heavy, tmp_path):
    words = ["--seed", "0", "--jobs", "1", "--arm", "base", "--arm", "reversed"]
    with shims(heavy) as commands:
        done = study(tmp_path, *words, commands=commands)
        assert done.returncode == 0, done.stderr
        again = study(tmp_path, *words, commands=commands)
        planned = study(tmp_path, "--plan", commands=commands)
        short = study(tmp_path, *words[:4], "--arm", "large", "--pairs", "10", commands=commands)
    out = tmp_path / "study" / "small"
    mixed = [
        json.loads(line) for line in (out / "seed-0" / "reversed" / "mix.jsonl").read_text().splitlines()
    ]
    assert [(pair["level"], pair["stage"]) for pair in mixed] == [(3, 1)] * 4 + [(2, 2)] * 4
    found = json.loads((out / "results.json").read_text())
    rows = {(row["arm"], row["name"]): row for row in found["rows"]}
    assert {arm for arm, _ in rows} == {"base", "reversed"} and found["seeds"] == [0]
    assert rows["base", "level 2 kinship"]["n"] == 4 and rows["base", "level 3 (search)"]["gain"] == 0
    assert rows["base", "level 3 (search)"]["chance"] == 0.5
    assert (out / "results.png").stat().st_size > 10_000
    assert "| L3, then L2 |" in (out / "results.md").read_text()
    assert "| L3, then L2, 1 of 2 seeds |" in results.table({**found, "seeds": [0, 1]})

    assert again.returncode == 0 and again.stderr.count("is there") == again.stderr.count("seed 0") == 8
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.count("s2h-train --model mini") == 2 and "2 arms and 2 seeds" in planned.stderr
    assert short.returncode == 1 and "arm large has 9 pairs, and 10 are asked" in short.stderr


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ('sets = ["l2"]', 'sets = ["l4"]', "[arms.large] names the set 'l4'"),
        ("pairs = 8", "", "needs model, seeds and pairs"),
        ("order = [3, 2]", "orders = [3, 2]", "[arms.reversed] has no 'orders'"),
        ("[measures.", "[measure.", "there is no table [measure]"),
        ("[study]", "[study", "can't be read"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(was, becomes, why, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(SMALL.replace(was, becomes))
    with pytest.raises(click.UsageError) as raised:
        pipeline.read(str(path))
    assert why in str(raised.value) and "wrong.toml" in str(raised.value)


def test_a_study_that_lacks_something_says_what(tmp_path):
    (tmp_path / "data.toml").write_text(
        SMALL.replace("arithmetic -n 9", "arithmetic --source {data}/mnist -n 9")
    )
    made = pipeline.read(str(tmp_path / "data.toml"))
    with pytest.raises(click.UsageError, match="--data DIR is needed"):
        pipeline.of_set(made, "l2", 0, tmp_path)
    words = pipeline.read(str(tmp_path / "data.toml"), data="/my data").fill("--source {data}/mnist", 0)
    assert words == ["--source", "/my data/mnist"]


def test_tasks_of_an_array_are_each_arm_and_seed_once(tmp_path):
    wrong = study(tmp_path, "--task", "6")
    assert wrong.returncode == 2 and "there are 6 tasks" in wrong.stderr


def test_an_arm_may_have_a_share_of_the_pairs(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL + '[arms.half]\nsets = ["l2", "l3"]\nshare = 0.5\n')
    found = pipeline.read(str(tmp_path / "small.toml"))
    assert {name: pipeline.pairs_of(found, arm) for name, arm in found.arms.items()} == {
        "reversed": 8,
        "large": 8,
        "half": 4,
    }
    mix = pipeline.of_mix(found, found.arms["half"], 0, tmp_path).pipe[0]
    assert mix[mix.index("--per-level") + 1] == "2"
    (tmp_path / "small.toml").write_text(SMALL + '[arms.half]\nsets = ["l2"]\nshare = 2\n')
    with pytest.raises(click.UsageError, match=r"arms\.half.*share above 0 and up to 1, not 2"):
        pipeline.read(str(tmp_path / "small.toml"))
    (tmp_path / "small.toml").write_text(SMALL + '[arms.half]\nsets = ["l2", "l3"]\nshare = 0.1\n')
    found = pipeline.read(str(tmp_path / "small.toml"))
    with pytest.raises(click.UsageError, match=r"arms\.half\] would have no pairs: 0\.1 of 8"):
        pipeline.pairs_of(found, found.arms["half"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[study]\nextends = 3\n", r"small\.toml: \[study\] extends a file, which is a string, not 3"),
        (SMALL + "[arms.none]\nshare = 0.5\n", r"small\.toml: \[arms\.none\] needs sets"),
    ],
)
def test_a_wrong_file_is_told(text, said, tmp_path):
    (tmp_path / "small.toml").write_text(text)
    with pytest.raises(click.UsageError, match=said):
        pipeline.read(str(tmp_path / "small.toml"))


def test_pairs_of_another_level_are_counted():
    pair = {"images": ["a.png"], "prompt": "What is it?", "chosen": "A cat.", "rejected": "A dog."}
    lines = "".join(json.dumps({"id": str(level), "level": level, **pair}) + "\n" for level in (1, 2, 3))
    words = [sys.executable, str(STUDY / "order.py"), "3", "1"]
    stopped = subprocess.run(words, input=lines, capture_output=True, text=True)
    assert (
        stopped.returncode == 1
        and "level: not in the order: 2 has level 2 (name all levels)" in stopped.stderr
    )
    done = subprocess.run([*words, "--on-error", "skip"], input=lines, capture_output=True, text=True)
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 3 and [(pair["level"], pair["stage"]) for pair in made] == [(3, 1), (1, 2)]
    assert "skipped 1 record: 1 level: not in the order" in done.stderr


def test_files_that_ship_can_be_read():
    for name in ("mini", "real"):
        made = pipeline.read(str(STUDY / f"{name}.toml"), data="/data")
        assert len(made.arms) == 12 and len(made.seeds) == 3
        for arm in made.arms.values():
            assert set(arm.order) in (set(), pipeline.levels_of(made, arm))
            assert made.pairs % len(pipeline.levels_of(made, arm)) == 0


def test_intervals_hold_questions_and_seeds():
    """With seeds that differ, the interval is wider than that of the pooled questions; with equal ones it is not."""
    rng = np.random.default_rng(0)

    def one(share: float) -> np.ndarray:
        return np.stack([rng.random(300) < share, np.ones(300)], 1).astype(int)

    score, low, high = results._interval([one(0.5), one(0.5), one(0.5)], seed=1)
    assert score == pytest.approx(0.5, abs=0.05) and 0.06 < high - low < 0.13
    _, wide_low, wide_high = results._interval([one(0.3), one(0.5), one(0.7)], seed=1)
    assert wide_high - wide_low > 2 * (high - low)
    alone = results._interval([np.array([[1, 1], [0, 1]] * 50)], seed=1)
    assert alone[0] == 0.5 and alone[1] == pytest.approx(0.4, abs=0.03)
