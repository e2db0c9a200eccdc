"""Measure how well a cosine of 0.25 parts right claims from wrong ones with the bundled CLIP, by task, split and image size.
The labels of an image decide whether a claim is right or wrong, so a right claim of a rejected answer is no wrong claim.

    python examples/benchmarks/clip_calibration.py --pairs 40 > examples/results/clip-calibration.json

For each task the result has `right_kept`, the share of right claims with a cosine of 0.25 or more; `wrong_below`, the share
of wrong claims with a smaller one; `auc`, which compares the two; `pairs_kept`, the share of pairs that `--clip 0.25` keeps;
and `rejected_below`, the share of rejected answers with a wrong claim whose mean cosine is below 0.25. Search has
the last two for each form as well. Level 1 takes its wrong answers from the labels, without a model.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
BOUNDARY = 0.25
NEGATIVES = {"vqa": {"wrong-attribute": 1.0, "other-image": 1.0}}
DIGITS = 3


def measure(model, task: str, *, n: int, size: int, split: str, seed: int = 0) -> dict:
    """Return the shares of one task's pairs, drawn at a size in pixels."""
    from s2h import tasks
    from s2h.filters import clip_claims, judge
    from s2h.filters.engine import Engine
    from s2h.images.store import Store

    with tempfile.TemporaryDirectory() as folder:
        made = list(
            tasks.generate(
                task,
                n=n,
                seed=seed,
                split=split,
                size=size,
                images=Store(folder),
                negatives=NEGATIVES.get(task),
            )
        )
        engine = Engine({"clip": lambda name: model})
        pairs = [pair for pair, _ in judge(made, [clip_claims.build(engine, least=BOUNDARY)])]
        # Then each claim as a separate answer.
        singles = [single for pair in pairs for single in claims_apart(pair)]
        judged = [single for single, _ in judge(singles, [clip_claims.build(engine, least=BOUNDARY)])]
    cosines: dict[bool, list[float]] = defaultdict(list)
    for single in judged:
        cosines[single["fits"]].append(single["scores"]["clip"]["chosen"])
    found = {**shares(pairs), "claims": summary(cosines)}
    if task == "search":
        forms = sorted({pair["facts"]["form"] for pair in pairs})
        found["forms"] = {form: shares([p for p in pairs if p["facts"]["form"] == form]) for form in forms}
    return found


def claims_apart(pair: dict) -> list[dict]:
    """Return a pair with one claim for each distinct claim that the labels decide. Raises AssertionError if a claim of the
    chosen answer is false by the labels, which is an error of the generator."""
    from s2h.record import claims_of
    from s2h.sources.builtin import claims

    found = {}
    for side in ("chosen", "rejected"):
        for at, text in claims_of(pair, side):
            fits = claims.fits(text, pair["facts"]["labels"][at])
            if side == "chosen" and fits is False:
                raise AssertionError(f"{pair['id']}: the chosen answer claims what is false: {text}")
            if fits is not None:
                found[at, text] = single = pair.copy()
                single.pop("scores", None)
                single |= {"fits": fits, "grounding": {"chosen": [[at, text]], "rejected": [[at, text]]}}
    return list(found.values())


def shares(pairs: list[dict]) -> dict:
    """Return the shares of whole pairs that --clip 0.25 keeps and drops."""
    wrong = [pair for pair in pairs if any(not single["fits"] for single in claims_apart(pair))]
    scores = {
        side: [p["scores"]["clip"][side] for p in some]
        for side, some in (("chosen", pairs), ("rejected", wrong))
    }
    return {
        "pairs": len(pairs),
        "pairs_kept": share(score >= BOUNDARY for score in scores["chosen"]),
        "rejected_below": share(score < BOUNDARY for score in scores["rejected"]),
    }


def summary(cosines: dict[bool, list[float]]) -> dict:
    from sklearn.metrics import roc_auc_score

    right, wrong = cosines[True], cosines[False]
    return {
        "right": len(right),
        "right_kept": share(cosine >= BOUNDARY for cosine in right),
        "wrong": len(wrong),
        "wrong_below": share(cosine < BOUNDARY for cosine in wrong),
        "auc": round(float(roc_auc_score([1] * len(right) + [0] * len(wrong), right + wrong)), DIGITS),
    }


def share(true) -> float:
    true = list(true)
    return round(sum(true) / len(true), DIGITS)


def fingerprint(model) -> str:
    """Return 16 hexadecimal digits: a hash of the file with the weights that were measured."""
    weights = next(file for file in model.files if file.endswith(".safetensors"))
    return hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:16]


def main() -> None:
    from s2h import registry
    from s2h.models import clip

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tasks", nargs="+", default=registry.names("task"), choices=registry.names("task"), metavar="TASK"
    )
    parser.add_argument(
        "--pairs", type=int, default=40, help="pairs of each task, split and size (default %(default)s)"
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[32, 64, 224], help="sides of the images in pixels"
    )
    parser.add_argument("--model", default="mini-clip", help="the CLIP model (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = clip.load(options.model)
    found = {
        "model": options.model,
        "weights": fingerprint(model),
        "boundary": BOUNDARY,
        "tasks": {
            task: {
                f"{split} {size}": measure(
                    model, task, n=options.pairs, size=size, split=split, seed=options.seed
                )
                for split in ("train", "heldout")
                for size in options.sizes
            }
            for task in options.tasks
        },
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
