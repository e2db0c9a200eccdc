"""Early warnings: what goes wrong without an error. Data that words alone can tell apart, and a model that unlearns the
chosen answers too, each said once, in one line with what helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.filters import blind
from s2h.train.dataset import Pairs

SAMPLE = 1000  # pairs that the blind test reads
TELLING = 0.65  # an AUC whose interval lies above it is worth a word: half a point is chance
COLLAPSED, FEW_NATS = (
    0.5,
    3.0,
)  # how far below its reference the chosen answer has fallen, as a share of it and at least
IN_A_ROW = 3  # log lines, so that one odd batch is no alarm


def words_alone(pairs: Pairs, seed: int) -> tuple[blind.Blind | None, str | None]:
    """The blind test of a sample of the pairs, and the warning where it finds them apart."""
    step = max(1, len(pairs.kept) // SAMPLE)
    some = [blind.texts_of(pairs.record(row)) for row in pairs.kept[::step][:SAMPLE]]
    found = blind.test(some, seed)
    if found is None or found.low <= TELLING:
        return found, None
    return found, (
        f"warning: words alone tell chosen from rejected answers with an AUC of {found.auc:.2f} (0.5 is chance) in "
        f"{found.pairs} of the pairs: the model can learn them without looking (s2h-filter --audit says by task)"
    )


def collapse(say: Callable[[str], None], beta: float, sft: float) -> Callable[[int, dict[str, float]], None]:
    """A watcher of log lines that warns where the chosen answers lose most of their probability. DPO's loss falls all the
    same, as long as the rejected ones lose more (Pal et al. 2024, arXiv 2402.13228)."""
    low = 0
    told = False

    def watch(step: int, logs: dict[str, Any]) -> None:
        nonlocal low, told
        if told or "logps/chosen" not in logs or "rewards/chosen" not in logs:
            return
        now, fallen = logs["logps/chosen"], -logs["rewards/chosen"] / beta
        reference = now + fallen
        low = low + 1 if fallen > max(FEW_NATS, COLLAPSED * abs(reference)) else 0
        if low >= IN_A_ROW:
            told = True
            remedy = "a lower --lr or a higher --beta" if sft else "--sft 1, a lower --lr or a higher --beta"
            say(
                f"warning: step {step}: chosen answers have become far less likely (log-probability {reference:.1f} at the "
                f"start, {now:.1f} now): the model unlearns both answers ({remedy} keeps them)"
            )

    return watch
