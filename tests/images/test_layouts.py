"""Several pictures in one."""

import re

import pytest
from PIL import Image

from s2h import record, tasks
from s2h.images import layouts
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.sources import SourceError


def test_a_grid_shows_every_tile_with_its_number():
    colours = ("red", "lime", "blue", "yellow", "cyan", "magenta")
    sheet = layouts.grid([Image.new("RGB", (90, 60), colour) for colour in colours], 100)
    assert sheet.size == (3 * 104 - 4, 2 * 104 - 4)
    for at, colour in enumerate(colours):
        x, y = at % 3 * 104, at // 3 * 104
        assert sheet.getpixel((x + 50, y + 50)) == Image.new("RGB", (1, 1), colour).getpixel((0, 0))
        corner = sheet.crop((x, y, x + 12, y + 14)).getcolors(500)
        shades = {shade for _, shade in corner}
        assert (0, 0, 0) in shades and (255, 255, 255) in shades, "a number on paper"
        assert sheet.getpixel((x + 50, y + 4)) == (128, 128, 128), "a wide picture keeps its proportions"


def test_a_picture_in_a_picture():
    sheet = layouts.picture_in_picture(
        Image.new("RGB", (64, 64), "red"), Image.new("RGB", (20, 20), "blue"), 200
    )
    assert sheet.size == (200, 200)
    assert sheet.getpixel((10, 10)) == (255, 0, 0) and sheet.getpixel((100, 100)) == (0, 0, 255)


@pytest.mark.parametrize("task", ["vqa", "arithmetic", "compare", "kinship", "search"])
def test_every_task_in_a_grid(task, tmp_path):
    made = list(tasks.generate(task, n=12, layout="grid", per_prompt=(2, 9), size=48, images=Store(tmp_path)))
    assert len(made) == 12
    for pair in made:
        record.check(pair)
        layout = pair["facts"]["layout"]
        assert layout["kind"] == "grid" and layout["tiles"] in layouts.COLUMNS
        assert len(pair["facts"]["labels"]) == layout["tiles"] and pair["target"] == [0]
        assert all(0 <= at < layout["tiles"] for at in layout["target"])
        (image,) = open_images(pair)
        columns = layouts.COLUMNS[layout["tiles"]]
        assert image.size[0] == columns * 52 - 4
        assert f"a grid of {layout['tiles']} numbered images" in record.text_of(pair["prompt"])
        assert {claim["image"] for claim in pair["grounding"]["chosen"]} <= {0}


def test_the_picture_in_the_middle_is_asked_about(tmp_path):
    made = list(tasks.generate("vqa", n=20, layout="pip", size=48, images=Store(tmp_path)))
    for pair in made:
        assert pair["facts"]["layout"]["target"] == [1], "the inner one, which nothing hides"
        assert re.search("small picture|inner|inside", record.text_of(pair["prompt"]))
    with pytest.raises(SourceError, match="pip is for vqa"):
        next(tasks.generate("search", n=1, layout="pip"))
    with pytest.raises(SourceError, match="no grid of 5 to 5 images"):
        next(tasks.generate("search", n=1, layout="grid", per_prompt=(5, 5)))
