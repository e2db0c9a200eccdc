"""What would be wrong with packed rows: masks that leak and positions that are off. Each must be caught by the check on a
run's first pairs (`s2h.train.agreement`)."""

from __future__ import annotations

import torch

from s2h.train import packed_attention, prefix_sharing


def sees_chosen(right):
    """Every answer sees those before it."""

    def wrong(segments, first=0):
        size = segments.shape[1]
        before = torch.ones(size, size, dtype=torch.bool, device=segments.device).tril()[first:]
        return right(segments, first) | (before & (segments.unsqueeze(1) != prefix_sharing.PAD)).unsqueeze(1)

    return wrong


def sees_padding(right):
    return lambda segments, first=0: right(segments.clamp(min=prefix_sharing.PROMPT), first)


def after_chosen(right):
    """All answers are one for their positions."""
    return lambda core, segments, *rest: right(core, segments.clamp(max=1), *rest)


def one_after_late(right):
    """Answers begin one place too late."""
    return lambda core, segments, *rest: right(core, segments, *rest) + (segments > prefix_sharing.PROMPT)


def in_one_line(right):
    return lambda core, *rest: right(object(), *rest)


CONTROLS = {
    "sees-chosen": (packed_attention, "mask", sees_chosen),
    "sees-padding": (packed_attention, "mask", sees_padding),
    "after-chosen": (prefix_sharing, "positions", after_chosen),
    "one-after-late": (prefix_sharing, "positions", one_after_late),
    "in-one-line": (prefix_sharing, "positions", in_one_line),
}
