"""Early warnings about failures that raise no error: answers that words alone tell apart, and a model that unlearns the
chosen answers too. Each warning is one line with a remedy, and is given once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.filters import blind
from s2h.train.dataset import Pairs

SAMPLE = 1000  # pairs that the blind test reads
PREDICTIVE = 0.65  # warn if the interval of the AUC lies above this; 0.5 is chance
COLLAPSED = 0.5  # warn if a chosen answer falls below its reference by more than this share of it,
FEW_NATS = 3.0  # and by at least this many nats,
IN_A_ROW = 3  # in this many log lines in a row, so that one odd batch gives no warning


def words_alone(pairs: Pairs, seed: int) -> tuple[blind.Blind | None, str | None]:
    """Return the blind test of a sample of the pairs, and a warning if it can tell their answers apart."""
    step = max(1, len(pairs.kept) // SAMPLE)
    some = [blind.texts_of(pairs.record(row)) for row in pairs.kept[::step][:SAMPLE]]
    found = blind.test(some, seed)
    if found is None or found.low <= PREDICTIVE:
        return found, None
    return found, (
        f"warning: words alone tell chosen from rejected answers with an AUC of {found.auc:.2f} (0.5 is chance) in "
        f"{found.pairs} of the pairs: the model can learn them without looking (s2h-filter --audit says by task)"
    )


class CollapseWatch:
    """Watch the log lines of a run and warn, once, if the chosen answers lose most of their probability. DPO's loss falls
    all the same while the rejected answers lose more (Pal et al. 2024, arXiv 2402.13228)."""

    def __init__(self, say: Callable[[str], None], beta: float, *, has_sft: bool) -> None:
        self.say, self.beta, self.has_sft = say, beta, has_sft
        self.low = 0  # log lines in a row with collapsed answers
        self.has_warned = False

    def see(self, step: int, logs: dict[str, Any]) -> None:
        """Look at a trainer's log after an optimizer step."""
        if self.has_warned or "logps/chosen" not in logs or "rewards/chosen" not in logs:
            return
        now, fallen = logs["logps/chosen"], -logs["rewards/chosen"] / self.beta
        reference = now + fallen
        self.low = self.low + 1 if fallen > max(FEW_NATS, COLLAPSED * abs(reference)) else 0
        if self.low >= IN_A_ROW:
            self.has_warned = True
            remedy = (
                "a lower --lr or a higher --beta"
                if self.has_sft
                else "--sft 1, a lower --lr or a higher --beta"
            )
            self.say(
                f"warning: step {step}: chosen answers have become far less likely (log-probability {reference:.1f} at the "
                f"start, {now:.1f} now): the model unlearns both answers ({remedy} keeps them)"
            )
