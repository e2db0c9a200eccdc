"""What each benchmark reports, against scikit-learn and against counting by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from s2h.eval import accuracy, bootstrap, published, reading, report


def line(bench: str, name: object, correct: bool | None, **more) -> dict:
    return {"id": f"{bench}/{name}", "bench": bench, "answer": "A", "parsed": "A", "correct": correct} | more


def values(bench: str, lines: list[dict]) -> dict[str, float]:
    return {metric.name: metric.score for metric in report.metrics(bench, lines)}


def rows_of(lines: list[dict]) -> list[dict]:
    return [accuracy.row(name, some) for name, some in accuracy.groups(lines).items()]


def pope_lines(parser: str, count: int = 400) -> list[dict]:
    rng = random.Random(parser)
    made = []
    for i in range(count):
        truth = rng.choice(("yes", "no"))
        reply = rng.choice((truth, truth, "yes", "no", "Yes, there is one", "hard to tell"))
        one = {
            "id": f"pope/{i}", "bench": "pope", "category": ("random", "popular", "adversarial")[i % 3 % (1 + i % 3)],
            "answer": truth, "response": reply, "answer_type": "yes/no", "parser": parser,
        }  # fmt: skip
        one["parsed"], one["correct"] = reading.read(one, parser)
        made.append(one)
    return made


@pytest.mark.parametrize("parser", ["robust", "vlmevalkit", "lmms", "official"])
def test_pope_by_split_mean_and_pooled(parser):
    lines = pope_lines(parser)
    found = values("pope", lines)
    by_split = {}
    splits = sorted({one["category"] for one in lines})
    for split in [*splits, "pooled"]:
        some = [one for one in lines if split in (one["category"], "pooled")]
        truth = np.array([one["answer"] == "yes" for one in some])
        said = np.array([one["parsed"] == "yes" for one in some])
        # lmms leaves what it can't read out of the recall, the others count it as a no.
        kept = np.array([parser != "lmms" or one["parsed"] is not None for one in some])
        precision, recall = precision_score(truth, said), recall_score(truth[kept], said[kept])
        by_split[split] = {
            "accuracy": float(np.mean([one["correct"] for one in some])), "precision": precision, "recall": recall,
            "f1": 2 * precision * recall / (precision + recall), "yes-ratio": float(said.mean()),
        }  # fmt: skip
        if parser == "official":
            assert by_split[split]["accuracy"] == pytest.approx(accuracy_score(truth, said), abs=1e-12)
            assert by_split[split]["f1"] == pytest.approx(f1_score(truth, said), abs=1e-12)
    for name in ("accuracy", "precision", "recall", "f1", "yes-ratio"):
        for split in [*splits, "pooled"]:
            assert found[f"{split} {name}"] == pytest.approx(by_split[split][name], abs=1e-9)
        mean = sum(by_split[split][name] for split in splits) / len(splits)
        assert found[f"mean {name}"] == pytest.approx(mean, abs=1e-9)


def test_pope_of_a_model_that_never_says_yes_is_zero_and_no_error():
    lines = [
        {
            "id": str(i),
            "bench": "pope",
            "category": "random",
            "answer": "yes",
            "parsed": "no",
            "correct": False,
        }
        for i in range(4)
    ]
    assert values("pope", lines)["random f1"] == 0 and values("pope", lines)["random yes-ratio"] == 0


def test_a_question_of_several_splits_counts_in_each():
    lines = [
        {
            "id": "1",
            "bench": "pope",
            "category": "random,popular",
            "answer": "Yes",
            "parsed": "yes",
            "correct": True,
        },
        {
            "id": "2",
            "bench": "pope",
            "category": "popular",
            "answer": "No",
            "parsed": "yes",
            "correct": False,
        },
    ]
    found = values("pope", lines)
    assert found["random accuracy"] == 1 and found["popular accuracy"] == 0.5
    assert found["mean accuracy"] == 0.75 and found["pooled accuracy"] == pytest.approx(2 / 3)


def test_blink_has_micro_and_macro():
    lines = [line("BLINK", i, i < 6, category="Counting" if i < 8 else "Jigsaw") for i in range(10)]
    assert values("BLINK", lines) == {"mean of sub-tasks": pytest.approx((6 / 8 + 0) / 2)}
    rows = {row["name"]: row["score"] for row in rows_of(lines)}
    assert rows == {"blink": 0.6, "blink Counting": 0.75, "blink Jigsaw": 0.0}


def test_mmstar_has_the_macro_mean_over_l2():
    lines = [line("mmstar", i, i % 3 == 0, category="math", l2_category="ab"[i > 3]) for i in range(6)]
    assert values("mmstar", lines) == {"mean of l2 categories": pytest.approx((2 / 4 + 0) / 2)}


@pytest.mark.parametrize("named", [True, False])
def test_nlvr2_consistency_is_of_sentences(named):
    """By the release's identifiers, or where a question has none by its words."""
    lines = []
    for sentence in range(3):
        for pair in range(2):
            name = f"test1-7-{pair}-{sentence}" if named else f"nlvr2_{2 * sentence + pair}"
            question = f"<image> <image> Sentence {sentence}?\n(A) {'True' if pair else 'False'}"
            lines.append(
                line("nlvr2", name, sentence == 0 or (sentence == 1 and pair == 0), question=question)
            )
    slim = [accuracy.slim(one) for one in lines]
    assert values("nlvr2", slim) == {"consistency": pytest.approx(1 / 3)}


def test_muirbench_has_unanswerable_questions_apart():
    options = {"A": "x", "B": "None of the choices provided"}
    lines = [
        line("muirbench", i, i < 3, category="Counting", choices=options, answer="AB"[i % 2])
        for i in range(6)
    ]
    assert values("muirbench", lines) == {
        "answerable": pytest.approx(2 / 3), "unanswerable": pytest.approx(1 / 3), "mean of tasks": 0.5,
    }  # fmt: skip


def test_mantis_and_mirb_by_kind():
    mantis = [
        line("mantis", 0, True, choices={"A": "x"}),
        line("mantis", 1, False, question_type="short-answer"),
    ]
    assert values("mantis", mantis) == {"multi-choice": 1.0, "short-answer": 0.0}
    mirb = [line("mirb", 0, True, category="food"), line("mirb", 1, False, category="sightseeing")]
    assert values("mirb", mirb)["knowledge (mean of tasks)"] == 0.5


def test_the_bootstrap_of_cells_is_that_of_questions():
    lines = [line("blink", i, i % 4 > 0, category="ab"[i % 2]) for i in range(60)]
    _, low, high = bootstrap.macro(lines, lambda p: p["category"], seed=3)
    rng = np.random.default_rng(0)
    right = {c: np.array([one["correct"] for one in lines if one["category"] == c]) for c in "ab"}
    means = [np.mean([rng.choice(r, len(r)).mean() for r in right.values()]) for _ in range(4000)]
    assert (low, high) == pytest.approx(tuple(np.percentile(means, (2.5, 97.5))), abs=0.02)


def test_positions_and_numbers_of_images():
    lines = [line("x", i, i % 2 == 0, images=[0] * (2 + i // 4), target=[i % 2]) for i in range(8)]
    assert [(cell["images"], cell["n"], cell["score"]) for cell in accuracy.by_images(lines)] == [
        (2, 4, 0.5),
        (3, 4, 0.5),
    ]
    cells = {(cell["images"], cell["position"]): cell["score"] for cell in accuracy.by_position(lines)}
    assert cells == {(2, 0): 1.0, (2, 1): 0.0, (3, 0): 1.0, (3, 1): 0.0}


def test_a_letter_that_no_option_has_is_unread():
    lines = [line("blink", i, False, parsed="TA"[i], choices={"A": "x"}) for i in range(2)]
    assert rows_of(lines)[0]["unparsed"] == 0.5


def test_hidden_answers_are_counted_and_not_scored():
    made = report.make([line("blink", i, None, category="Jigsaw") for i in range(3)])
    assert made["rows"][0]["score"] is None and made["metrics"] == [] and made["published"] == []
    assert "answers hidden" in report.table(made) and "answers hidden" in report.markdown(made)


def test_published_numbers_stand_beside_the_measured_ones():
    lines = [line(bench, i, i < 5) for bench in ("blink", "mantis", "nlvr2") for i in range(10)]
    rows = published.beside(rows_of(lines))
    assert [row["published"] for row in rows] == [False, True, True, True]
    assert rows[0]["scores"] == {"blink": 0.5, "mantis": 0.5, "nlvr2": 0.5, "mean": 0.5}
    assert rows[3]["scores"]["mean"] == pytest.approx(0.490, abs=5e-4)  # as the paper prints it
    assert "mean" not in published.beside(rows_of(lines[:10]))[0]["scores"]
    made = report.make([accuracy.slim(one) for one in lines], model="mini")
    assert "published, not measured here" in report.table(made) and "S2H-DPO (published)" in report.markdown(
        made
    )


def test_the_heat_map_is_drawn(tmp_path):
    cells = [
        {"images": 2, "position": 0, "n": 3, "score": 0.5},
        {"images": 4, "position": 3, "n": 1, "score": 1.0},
    ]
    report.heat_map(cells, str(tmp_path / "where.png"))
    assert (tmp_path / "where.png").read_bytes()[:4] == b"\x89PNG"
