"""Several pictures in one: a grid of numbered tiles, or a small picture in the middle of a large one (MIA-DPO's layouts, for
models that take one image at a time). A record of such a layout has one image; `facts.layout` has the number of its tiles
and the target among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

COLUMNS = {2: 2, 3: 3, 4: 2, 6: 3, 9: 3}  # tiles -> columns of their grid
GAP = 4  # pixels between tiles
INSET = 0.42  # side of the small picture, as a share of the large one's
PAPER, INK = (255, 255, 255), (0, 0, 0)


def grid(pictures: Sequence[Image], tile: int) -> Image:
    """Return the pictures as a grid of tiles of `tile` x `tile` pixels, row by row, each with its number (from 1) in the
    corner. The last row need not be full."""
    from PIL import Image, ImageDraw

    columns = COLUMNS.get(len(pictures)) or math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    step = tile + GAP
    sheet = Image.new("RGB", (columns * step - GAP, rows * step - GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for at, picture in enumerate(pictures):
        x, y = at % columns * step, at // columns * step
        sheet.paste(_fitted(picture, tile), (x, y))
        _number(draw, at + 1, x, y, tile)
    return sheet


def picture_in_picture(large: Image, small: Image, side: int) -> Image:
    """Return the large picture, `side` x `side` pixels, with the small one framed in its middle."""
    from PIL import ImageDraw

    sheet = _fitted(large, side)
    inner = round(INSET * side)
    at = (side - inner) // 2
    ImageDraw.Draw(sheet).rectangle(
        (at - GAP, at - GAP, at + inner + GAP - 1, at + inner + GAP - 1), fill=PAPER
    )
    sheet.paste(_fitted(small, inner), (at, at))
    return sheet


def _fitted(picture: Image, side: int) -> Image:
    """Return the picture fitted into side x side pixels, in its own proportions, on grey."""
    from PIL import ImageOps

    return ImageOps.pad(picture.convert("RGB"), (side, side), color=(128, 128, 128))


def _number(draw, number: int, x: int, y: int, tile: int) -> None:
    from PIL import ImageFont

    size = max(11, tile // 9)
    font = ImageFont.load_default(size)
    left, top, right, bottom = draw.textbbox((0, 0), str(number), font=font)
    width, height, margin = right - left, bottom - top, size // 4
    draw.rectangle((x, y, x + width + 2 * margin, y + height + 2 * margin), fill=PAPER, outline=INK)
    draw.text((x + margin - left, y + margin - top), str(number), fill=INK, font=font)
