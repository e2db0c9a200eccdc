"""The size at which a model sees images: bounds in pixels, from the command line, else from the run that is loaded, else
from the model's preset. Qwen's processors resize images themselves, so they are given the bounds; for any other model an
image is resized when it is opened.

    pixels = wanted("qwen2.5-vl-7b", Pixels(most=500_000))
    shown = bound(processor, config, pixels, "qwen2.5-vl-7b")   # WHOLE: the processor does it
    open_image("a.jpg", pixels=shown)
"""

from __future__ import annotations

from typing import Any

from s2h.images.resizing import WHOLE, Pixels
from s2h.models import ModelError, names

# The help of the two options, in every command.
_PRESETS = ", ".join(f"{name} {one.pixels.most}" for name, one in names.PRESETS.items() if one.pixels.most)
MOST_HELP = (
    "Make larger images smaller before the model sees them, to at most N pixels (width times height). The aspect ratio is "
    f"kept.  [default: the run's own, else {_PRESETS}, else the processor's]"
)
LEAST_HELP = (
    "Make smaller images larger, to at least N pixels.  [default: the run's own, else the processor's]"
)


def wanted(name: str, given: Pixels = WHOLE) -> Pixels:
    """Return the bounds for a model by the user's name for it: those that the user gave, completed by those of the run that
    the name is, else by those of its preset. Raises ModelError if they exclude each other."""
    from s2h.models import adapter  # here, because every --help imports this module

    said = adapter.arguments_of(name)
    if said is not None:
        bounds = [said.get(key, 0) for key in ("min_pixels", "max_pixels")]  # an older release wrote none
        if not all(type(value) is int and value >= 0 for value in bounds):
            raise ModelError(f"{name}: its args.json was changed: min_pixels and max_pixels are no numbers")
        own = Pixels(*bounds)
    else:
        own = names.preset(name).pixels
    return check(given.completed(own), name)


def check(pixels: Pixels, name: str) -> Pixels:
    """Return the bounds. Raises ModelError if they can't be used."""
    if pixels.fault:
        raise ModelError(f"model {name!r}: {pixels.fault}")
    return pixels


def bound(processor: Any, config: Any, pixels: Pixels, name: str) -> Pixels:
    """Give the bounds to a processor that resizes images by itself. Return the bounds that are left, within which an image
    must be opened. config: the model's. Raises ModelError for bounds that the model can't take."""
    if not pixels:
        return WHOLE
    own = own_pixels(processor)
    look = processor.image_processor
    side = look.patch_size * look.merge_size if own else _patch(config)
    if pixels.most and pixels.most < side * side:
        raise ModelError(
            f"model {name!r}: --max-pixels {pixels.most} is below one patch of the model ({side} x {side} = {side * side} "
            "pixels)"
        )
    if not own:
        return check(pixels, name)
    both = check(pixels.completed(own), name)
    look.size = type(look.size)(shortest_edge=both.least, longest_edge=both.most)
    return WHOLE


def own_pixels(processor: Any) -> Pixels:
    """Return the bounds within which a processor resizes images by itself; WHOLE if it has no such parameters."""
    look = processor.image_processor
    if "max_pixels" not in look.valid_kwargs.__annotations__ or "longest_edge" not in (look.size or {}):
        return WHOLE
    return Pixels(look.size["shortest_edge"], look.size["longest_edge"])


def smaller(processor: Any, shown: Pixels, most: int) -> tuple[Any, Pixels]:
    """Return the processor and the bounds for opening images with `--max-pixels` of `most`, as a copy of the given
    processor."""
    import copy

    own = own_pixels(processor)
    if not own:
        return processor, Pixels(min(shown.least, most), most)
    made = copy.copy(processor)
    made.image_processor = copy.copy(processor.image_processor)
    size = made.image_processor.size
    made.image_processor.size = type(size)(shortest_edge=min(own.least, most), longest_edge=most)
    return made, shown


def _patch(config: Any) -> int:
    """Return the side of a patch of the vision tower in pixels, 1 if it is unknown."""
    patch = (config.to_dict().get("vision_config") or {}).get("patch_size")
    return patch if isinstance(patch, int) else 1
