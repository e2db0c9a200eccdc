"""Audit a set of pairs for shortcuts that a model could learn instead of looking. The report has for each task: how well
words alone, and form alone, separate chosen from rejected answers (`blind`), the lengths, places and answers of both
sides, repeated pairs, and for kinship how well the colours of the photographs separate kin from strangers.

    s2h-gen search --source photos/ | s2h-filter --audit audit.json --audit-fail 0.6 > l3.jsonl

The texts of at most MOST pairs a task are kept in memory. Other pairs are only counted, with 16 to 32 bytes for each
pair and each image, so that repeats are found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random
from typing import TYPE_CHECKING, Any, TypeGuard

from s2h.errors import plural
from s2h.filters import blind
from s2h.images.decoding import ImageError, open_image
from s2h.record import Record, facts_of, references_of, target_of
from s2h.streams.hash_set import HashSet

if TYPE_CHECKING:
    from PIL.Image import Image

MOST = 10_000  # pairs a task for the blind test, drawn evenly
PHOTOGRAPHS = 2_000  # pairs of portraits whose colours are compared
SHOWN = 30  # answers listed in the report
BY_MODEL = ("hallucination", "confusion")  # kinds of negatives that are a model's mistakes
RARE = 10  # answers that are seen less often are counted together
MOST_TILES = 1000  # of a grid


class Audit:
    """Collects pairs with `add` and computes the `report`."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.groups: dict[tuple[str, str, str], _Task] = {}

    def add(self, record: Record) -> None:
        group = (
            record.get("task") or "no task",
            record.get("source") or "",
            "by a model" if record.get("negative") in BY_MODEL else "",
        )
        if group not in self.groups:
            self.groups[group] = _Task(Random(f"{self.seed} {' '.join(group)}"))
        self.groups[group].add(record)

    def report(self) -> dict:
        """Return {task: findings} as JSON can hold it. If a task has pairs of several sources, or with and without a
        model, each group has findings of its own: 'vqa (coco)', 'vqa (coco, by a model)'."""
        names: dict[str, list] = defaultdict(list)
        for group in sorted(self.groups):
            names[group[0]].append(group)
        found = {}
        for task, groups in names.items():
            for group in groups:
                apart = [one for one in group[1:] if one] if len(groups) > 1 else []
                name = f"{task} ({', '.join(apart)})" if apart else task
                found[name] = self.groups[group].report(self.seed)
        return found


class _Task:
    def __init__(self, rng: Random) -> None:
        self.rng, self.count = rng, 0
        self.sample: list[blind.Texts] = []
        self.lengths: list[tuple[int, int]] = []
        self.places: dict[int, Counter] = defaultdict(Counter)
        self.sides: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self.negatives: Counter = Counter()
        self.yes_no: Counter = Counter()
        self.prompts, self.images = _Repeats(), _Repeats()
        self.portraits: list[tuple[Record, int, int, bool]] = []

    def add(self, record: Record) -> None:
        texts = blind.texts_of(record)
        at = self.count if self.count < MOST else self.rng.randrange(self.count + 1)
        if at < MOST:  # reservoir sampling
            self.sample[at : at + 1] = [texts]
            self.lengths[at : at + 1] = [(len(texts.chosen), len(texts.rejected))]
        self.count += 1
        facts = facts_of(record)
        n, target = _placed(record, facts.get("layout"))
        if 0 < len(target) < n:
            self.places[n].update(target)
        self.negatives[record.get("negative") or "unknown"] += 1
        for side, text in zip(self.sides, (texts.chosen, texts.rejected), strict=True):
            side[_conclusion(text)] += 1
        if facts.get("answer_type") == "yes/no":
            self.yes_no[str(facts.get("answer"))] += 1
        shown = [reference for _, _, reference in references_of(record)]
        self.prompts.add("\n".join((*shown, texts.asked, texts.chosen, texts.rejected)))
        for reference in shown:
            self.images.add(reference)
        if "relation" in facts and facts.get("answer_type") == "yes/no":
            self._add_portraits(record, facts)

    def _add_portraits(self, record: Record, facts: dict) -> None:
        a, b = facts.get("a"), facts.get("b")
        if len(self.portraits) < PHOTOGRAPHS and _is_position(a) and _is_position(b):
            self.portraits.append((record, a, b, facts.get("answer") == "yes"))

    def report(self, seed: int) -> dict:
        found: dict[str, Any] = {
            "pairs": self.count,
            "blind": _tested(blind.test(self.sample, seed)),
            "form": _tested(blind.test(self.sample, seed, blind.form_of)),
            "lengths": _lengths(self.lengths),
            "places": {str(n): _evenness(counts, n) for n, counts in sorted(self.places.items())},
            "answers": _answers(*self.sides),
            "negatives": dict(self.negatives.most_common()),
            "repeats": {
                "pairs": self.prompts.repeated,
                "images": self.images.repeated,
                "distinct_images": self.images.distinct,
            },
        }
        if self.yes_no:
            from scipy.stats import binomtest

            yes, total = self.yes_no["yes"], sum(self.yes_no.values())
            found["yes_no"] = {
                "yes": yes,
                "no": total - yes,
                "p": round(float(binomtest(yes, total).pvalue), 5),
            }
        if self.portraits:
            found["same_photograph"] = _same_photograph(self.portraits)
        return found


def _is_position(value: Any) -> TypeGuard[int]:
    return type(value) is int and value >= 0


def _placed(record: Record, layout: Any) -> tuple[int, list[int]]:
    """Return the number of pictures and the positions of those that the answer rests on. Each tile of a grid is a picture.
    layout: `facts.layout`, of any type."""
    if isinstance(layout, dict):
        tiles, target = layout.get("tiles"), layout.get("target")
        if (
            type(tiles) is int
            and tiles <= MOST_TILES
            and isinstance(target, list)
            and all(type(one) is int for one in target)
        ):
            return tiles, target
    return len(record["images"]), target_of(record)


def _tested(tested: blind.Blind | None) -> dict | None:
    if tested is None:
        return None
    return {
        "auc": round(tested.auc, 4),
        "interval": [round(tested.low, 4), round(tested.high, 4)],
        "answered": round(tested.answered, 4),
        "pairs": tested.pairs,
    }


class _Repeats:
    """Counts texts that are new and texts that were seen before."""

    def __init__(self) -> None:
        self.seen, self.repeated = HashSet(), 0

    def add(self, text: str) -> None:
        self.repeated += not self.seen.add(text)

    @property
    def distinct(self) -> int:
        return self.seen.count


def _conclusion(text: str) -> str:
    """Return the last sentence of an answer, after any working."""
    line = text.strip().splitlines()[-1]
    return line.rstrip(".").rsplit(". ", 1)[-1].strip()


def _lengths(lengths: list[tuple[int, int]]) -> dict:
    """Return characters of both sides, how often the chosen answer is the longer one, and the sign test of that."""
    import numpy as np
    from scipy.stats import binomtest

    table = np.array(lengths)
    longer, shorter = int((table[:, 0] > table[:, 1]).sum()), int((table[:, 0] < table[:, 1]).sum())
    p = float(binomtest(longer, longer + shorter).pvalue) if longer + shorter else 1.0
    quantiles = [0.1, 0.25, 0.5, 0.75, 0.9]
    return {
        "chosen": [round(float(q), 1) for q in np.quantile(table[:, 0], quantiles)],
        "rejected": [round(float(q), 1) for q in np.quantile(table[:, 1], quantiles)],
        "quantiles": quantiles,
        "chosen_longer": longer,
        "rejected_longer": shorter,
        "p": round(p, 5),
    }


def _evenness(counts: Counter, n: int) -> dict:
    """Return how often each place was a target, and the χ² test against equal frequencies."""
    from scipy.stats import chisquare

    table = [counts[place] for place in range(n)]
    return {"counts": table, "p": round(float(chisquare(table).pvalue), 5) if n > 1 else 1.0}


def _answers(chosen: Counter, rejected: Counter) -> dict:
    """Return the commonest conclusions on both sides, and the χ² test of the two distributions."""
    from scipy.stats import chi2_contingency

    both = chosen + rejected
    common = [answer for answer, count in both.most_common() if count >= RARE]
    rest = [sum(side.values()) - sum(side[answer] for answer in common) for side in (chosen, rejected)]
    table = [
        [*(side[answer] for answer in common), *([more] if sum(rest) else [])]
        for side, more in zip((chosen, rejected), rest, strict=True)
    ]
    p = float(chi2_contingency(table).pvalue) if len(table[0]) > 1 else 1.0
    return {
        "common": {answer: [chosen[answer], rejected[answer]] for answer in common[:SHOWN]},
        "distinct": len(both),
        "p": round(p, 5),
    }


def _same_photograph(portraits: list[tuple[Record, int, int, bool]]) -> dict:
    """Return how well the colours of two pictures separate kin from strangers: the AUC of their histograms' overlap.
    If it is far above 0.5, the background gives the answer away (Dawson et al. 2018, "From same photo: cheating on visual
    kinship challenges")."""
    from sklearn.metrics import roc_auc_score

    likeness: list[float] = []
    kin: list[bool] = []
    missing = 0
    for record, a, b, related in portraits:
        try:
            one, other = (_colours(open_image(record["images"][at], record.base)) for at in (a, b))
        except (ImageError, IndexError):
            missing += 1
            continue
        likeness.append(float(abs(one - other).sum()) * -0.5)
        kin.append(related)
    auc = round(float(roc_auc_score(kin, likeness)), 4) if len(set(kin)) > 1 else None
    return {"auc": auc, "pairs": len(kin), "not_opened": missing}


def _colours(image: Image) -> Any:
    """Return the shares of 8 x 8 x 8 colours in an image, float64 [512]."""
    import numpy as np

    pixels = np.asarray(image.resize((64, 64))).reshape(-1, 3).astype(int) >> 5
    return np.bincount(pixels @ [64, 8, 1], minlength=512) / len(pixels)


def failures(report: dict, most: float) -> list[str]:
    """Return a sentence for each task and test, of words and of form, whose AUC is above the bound."""
    return [
        f"{task}: {what} alone tells chosen from rejected with an AUC of {found[test]['auc']:.3f}".replace(
            "words alone tells", "words alone tell"
        )
        for task, found in report.items()
        for test, what in (("blind", "words"), ("form", "form"))
        if found[test] is not None and found[test]["auc"] > most
    ]


def summary(report: dict) -> list[str]:
    """Return a line for each task."""
    lines = []
    for task, found in report.items():
        parts = [f"{found['pairs']:,} {plural(found['pairs'], 'pair')}"]
        if found["blind"]:
            low, high = found["blind"]["interval"]
            parts.append(f"blind AUC {found['blind']['auc']:.3f} ({low:.3f} to {high:.3f})")
            low, high = found["form"]["interval"]
            parts.append(f"form alone {found['form']['auc']:.3f} ({low:.3f} to {high:.3f})")
        else:
            parts.append("too few pairs for the blind test")
        uneven = [n for n, places in found["places"].items() if places["p"] < 0.05]
        parts.append(f"places uneven with {', '.join(uneven)} images" if uneven else "places even")
        if found["repeats"]["pairs"]:
            parts.append(f"{found['repeats']['pairs']:,} repeated")
        if (photo := found.get("same_photograph")) and photo["auc"] is not None:
            parts.append(f"same-photograph AUC {photo['auc']:.3f}")
        lines.append(f"{task}: {'; '.join(parts)}")
    return lines
