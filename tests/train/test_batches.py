"""Which pairs are computed together: every pair once, the file's steps, budgets kept, and numbers that do not depend on
how a step was cut."""

from __future__ import annotations

import json
import pickle
import random

import pytest
import torch

from s2h.images.decoding import ImageError
from s2h.models import vlm
from s2h.record import Record
from s2h.train import batches
from s2h.train.collator import Collator
from s2h.train.run import Arguments, Settings, train
from tests.support.architectures import make_pairs
from tests.support.records import pair


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 11)


def tokens_of(n: int, seed: int = 0) -> list[int]:
    """Rows of 2 to 5 images of 576 tokens, with prompts and answers of different lengths."""
    rng = random.Random(seed)
    return [576 * rng.randint(2, 5) + rng.randint(30, 90) for _ in range(n)]


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("budget", [None, 6000, 24000])
@pytest.mark.parametrize("n", [1, 2, 63, 64, 130, 200])
def test_each_pair_is_in_its_step_once_and_the_loss_is_a_mean_over_pairs(n, budget, processes):
    tokens, pairs = tokens_of(n), 32 * processes
    planned, each = batches.form_batches(
        batches.steps(tokens, pairs), size=2, processes=processes, budget=budget
    )
    assert len(planned) % processes == 0, "each process gets the same number"
    at = 0
    for start in range(0, n, pairs):
        count = min(each * processes, len(planned) - at)
        step, at = planned[at : at + count], at + count
        said = sorted(row for batch in step if batch.weight for row in batch.rows)
        assert said == list(range(start, min(start + pairs, n)))
        # The trainer takes the mean over a step's batches, in which all rows must have the same weight.
        shares = {round(batch.weight / len(batch.rows) / len(step), 12) for batch in step if batch.weight}
        assert shares == {round(1 / len(said), 12)}
        for batch in step:
            longest = max(tokens[row] for row in batch.rows)
            if budget:
                assert len(batch.rows) * longest <= budget or len(batch.rows) == 1
                assert sum(tokens[row] for row in batch.rows) > 0.95 * len(batch.rows) * longest
            else:
                assert len(batch.rows) <= 2
    assert at == len(planned)


def test_rows_of_one_prompt_stay_together_and_count_all_their_tokens():
    tokens, groups = [100, 50, 100, 60, 100], ["a", "b", "a", "c", "a"]
    units = batches.steps(tokens, 5, groups, {i: 10 for i in range(5)})
    assert [(unit.rows, unit.tokens) for unit in units[0]] == [([1], 50), ([3], 60), ([0, 2, 4], 120)]
    planned, each = batches.form_batches(units, size=2)
    assert [batch.rows for batch in planned] == [[1, 3], [0, 2, 4]] and each == 2
    assert [batch.weight for batch in planned] == [2 * 2 / 5, 3 * 2 / 5]


def run(model, pairs, path, **more) -> list[dict]:
    workers = more.pop("workers", 0)
    fixed = {"batch_size": 4, "grad_accum": 1, "rank": 8, "alpha": 16, "epochs": 2, "lr": 5e-3, "warmup": 0.0}
    said: list[str] = []
    train(
        pairs,
        Arguments(model=str(model), **{**fixed, **more}),
        path,
        Settings(log_steps=1, workers=workers),
        held_out=pairs[:3],
        say=said.append,
    )
    assert not any("prompts are not shared" in line for line in said)
    lines = []
    for line in map(json.loads, (path / "metrics.jsonl").read_text().splitlines()):
        line.pop("epoch")  # counted in batches of any size
        if abs(line.get("margin", 1)) < 1e-6:
            line.pop("accuracy")  # before the first step both answers have the same reward
        lines.append({name: value for name, value in line.items() if isinstance(value, float | int)})
    return lines


@pytest.fixture(scope="module")
def stock(llava, pairs, tmp_path_factory) -> list[dict]:
    return run(llava, pairs, tmp_path_factory.mktemp("stock") / "run", engine="stock")


@pytest.mark.parametrize(
    "more",
    [
        {"workers": 1},
        {"batch_size": 1, "grad_accum": 4, "attention": "mask"},
        {"batch_size": 2, "grad_accum": 2, "token_budget": 400},
    ],
)
def test_a_run_does_not_depend_on_how_its_steps_are_cut(more, llava, pairs, stock, tmp_path):
    """The loss, its parts and the reference, in training and on held-out pairs; 11 pairs make a last step of 3."""
    found = run(llava, pairs, tmp_path / "run", **more)
    assert len(found) == len(stock)
    for line, known in zip(found, stock, strict=True):
        assert line == pytest.approx(known, rel=2e-3, abs=2e-4)


def test_packed_pairs_make_the_same_run(llava, pairs, tmp_path):
    many = [
        Record({**pair, "id": f"{pair['id']}-{k}", "rejected": pairs[(i + 3 * k) % 11]["rejected"]})
        for i, pair in enumerate(pairs[:4])
        for k in range(3)
    ]
    known = run(llava, many, tmp_path / "stock", engine="stock", batch_size=6)
    found = run(llava, many, tmp_path / "packed", pack=True, batch_size=3, grad_accum=2, token_budget=500)
    for line, other in zip(found, known, strict=True):
        assert line == pytest.approx(other, rel=2e-3, abs=2e-4)


def test_a_collator_goes_to_a_worker_and_gives_the_same_tensors(llava, pairs):
    records = [Record(pair) for pair in pairs[:3]]
    collator = Collator(vlm.read(str(llava), torch.float32)[1], packed=True, pack=True)
    rows = [{"row": i, "record": record} for i, record in enumerate(records)]
    here, there = collator(rows), pickle.loads(pickle.dumps(collator))(rows)
    assert here.keys() == there.keys()
    assert all(torch.equal(v, there[k]) if torch.is_tensor(v) else v == there[k] for k, v in here.items())


def test_workers_read_the_rows_they_were_asked_for(tmp_path):
    """Forked from a process that has the file open, at the same time."""
    from torch.utils.data import DataLoader

    from s2h.streams import jsonl
    from s2h.train.dataset import Pairs

    with jsonl.Writer(str(tmp_path / "data.jsonl")) as out:
        for i in range(2000):
            out.write(pair(f"p{i}", filler="x" * (i * 7919 % 9000)))
    rows = Pairs(tmp_path / "data.jsonl").dataset()
    assert rows[1999]["record"]["id"] == "p1999"
    loader = DataLoader(rows, num_workers=2, batch_size=50, collate_fn=ids_of)
    assert [name for batch in loader for name in batch] == [f"p{i}" for i in range(2000)]


def ids_of(rows: list[dict]) -> list[str]:
    return [row["record"]["id"] for row in rows]


def test_an_image_that_a_worker_cannot_open_is_reported_without_a_traceback(llava, pairs, tmp_path):
    from PIL import Image

    from s2h.train import dataset

    lost = tmp_path / "lost.png"
    Image.new("RGB", (40, 40)).save(lost)
    bad = Record({**pairs[0], "id": "bad", "images": [str(lost), *pairs[0]["images"][1:]]})
    whole = dataset.Pairs.dataset

    def gone(self, *given):
        lost.unlink(missing_ok=True)
        return whole(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset.Pairs, "dataset", gone)  # after the pairs were checked
        with pytest.raises(ImageError) as told:
            run(llava, [*pairs[:2], bad], tmp_path / "run", workers=1)
    assert "data.jsonl:3: images[0]" in str(told.value) and "Traceback" not in str(told.value)
