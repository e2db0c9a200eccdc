"""What would be wrong with packed rows: masks that leak and positions that are off. Each must be caught by the check on a
run's first pairs (`s2h.train.agreement`)."""

from __future__ import annotations

import torch

from s2h.models import delta_net, layer_masks, packed_attention, prefix_sharing


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


def window_of_columns(right):
    """The window counts tokens of the row, so that it is too short for the second answer."""

    def wrong(text, segments, positions, types):
        return right(text, segments, torch.arange(segments.shape[1]).expand_as(segments), types)

    return wrong


def images_in_order(right):
    """The tokens of an image see only those before."""
    return lambda segments, types: right(segments, torch.zeros_like(types))


def state_of_chosen(right):
    """The first answer belongs to the prompt, so that the second one begins with its state."""
    return lambda segments: right(segments.masked_fill(segments == 1, prefix_sharing.PROMPT))


def padding_in_state(right):
    """Tokens of padding before a prompt change its state."""

    def wrong(segments):
        forks = right(segments)
        forks.in_prompts = torch.ones_like(forks.in_prompts)
        return forks

    return wrong


def empty_state(right):
    """The delta rule begins answers with 0."""
    return lambda steps, given, places, state=None: right(steps, given, places)


def empty_tail(right):
    """The convolution begins answers with 0."""

    def wrong(steps, given, places, state=None):
        if state is not None:
            given = torch.cat(
                [torch.zeros_like(given[:, : -places.shape[1]]), given[:, -places.shape[1] :]], 1
            )
        return right(steps, given, places, state)

    return wrong


# What would be wrong with layers that only some models have.
_WINDOW = {
    "sees-chosen": CONTROLS["sees-chosen"],
    "window-of-columns": (layer_masks, "by_layer", window_of_columns),
    "images-in-order": (layer_masks, "_same_image", images_in_order),
}
FAMILIES = {
    "gemma3": _WINDOW,
    "gemma4": {"images-in-order": _WINDOW["images-in-order"]},
    "qwen3.5": {
        "state-of-chosen": (delta_net, "forks", state_of_chosen),
        "padding-in-state": (delta_net, "forks", padding_in_state),
        "empty-state": (delta_net._Steps, "run", empty_state),
        "empty-tail": (delta_net._Steps, "run", empty_tail),
    },
}
