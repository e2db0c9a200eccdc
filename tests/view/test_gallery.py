"""The gallery: everything escaped, everything inside, and its script at work in a real browser."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from s2h.cli.view import main
from s2h.view import gallery
from tests.support.architectures import make_pairs


@pytest.fixture()
def pairs(tmp_path) -> list:
    return make_pairs(tmp_path / "pictures", 6)


def build(pairs: list, tmp_path, *options: str):
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(p) + "\n" for p in pairs))
    run = CliRunner().invoke(main, [str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "g.html"), *options])
    return run, (tmp_path / "g.html").read_text() if (tmp_path / "g.html").exists() else ""


def test_a_page_holds_everything_and_fetches_nothing(pairs, tmp_path):
    run, page = build(pairs, tmp_path)
    assert run.exit_code == 0 and page.count("<article") == 6
    assert page.count("data:image/") == page.count("<img ") == sum(len(p["images"]) for p in pairs)
    assert not re.search(r"""\b(src|href)=""", page)
    assert "http" not in re.sub(r"base64,[\w+/=]*|http-equiv", "", page)
    assert run.exit_code == 0 and all(p["id"] in page for p in pairs)


def test_records_are_data(pairs, tmp_path):
    evil = "</script><script>document.title='owned'</script>\"'<img src=x onerror=alert(1)>"
    pairs[0]["id"] = pairs[0]["negative"] = pairs[0]["task"] = evil
    pairs[0]["chosen"][0]["content"][0]["text"] = evil
    pairs[0]["facts"] = {"x": evil}
    _, page = build(pairs, tmp_path, "--title", evil)
    assert "<script>document" not in page and "<img src=x" not in page and "&lt;script&gt;" in page


def test_rejected_images_stand_beside_the_images(pairs, tmp_path):
    pairs[0]["rejected_images"] = pairs[0]["images"][::-1]
    run, page = build(pairs, tmp_path)
    assert run.exit_code == 0 and page.count('class="sets"') == 1
    (sets,) = re.findall('<div class="sets">(.*?)<div class="prompt">', page, re.S)
    assert sets.index("<small>images</small>") < sets.index(
        "<small>rejected images: the chosen answer is wrong</small>"
    )
    both = re.findall(r'data-i="(\d+)"[^>]* alt="((?:Rejected i|I)mage \d)', sets)
    assert both == [("0", "Image 1"), ("1", "Image 2"), ("1", "Rejected image 1"), ("0", "Rejected image 2")]
    pairs[0]["rejected_images"][1] = "gone.png"
    run, _ = build(pairs, tmp_path)
    assert run.exit_code == 1 and "in.jsonl:1: rejected_images[1]: no such file" in run.output


def test_words_that_differ_are_marked():
    one, other = gallery.differing("the red star", "the blue star")
    assert (one, other) == ("the <b>red</b> star", "the <b>blue</b> star")
    one, other = gallery.differing("Image 1 shows a fish.\nA red fish.", "Image 2 shows a fish.\nA red fish.")
    assert (
        one == "Image <b>1</b> shows a fish.\nA red fish."
        and other == "Image <b>2</b> shows a fish.\nA red fish."
    )


def test_predictions_are_shown_as_well(pairs, tmp_path):
    line = {
        "id": "q1", "bench": "builtin", "category": "search", "level": 3, "images": pairs[0]["images"], "question": "Which?",
        "answer": "A", "choices": {"A": "yes", "B": "no"}, "response": "B", "correct": False,
    }  # fmt: skip
    run, page = build([line], tmp_path)
    assert run.exit_code == 0 and "response: wrong" in page and "B. no" in page


def test_the_rest_is_counted(pairs, tmp_path):
    run, page = build(pairs, tmp_path, "-n", "4")
    assert page.count("<article") == 4 and "2 more were left out" in run.output


def test_a_seed_draws_which_are_shown(pairs, tmp_path):
    """They stay in their order, the same seed draws the same, and every one is drawn by some seed."""
    names = [pair["id"] for pair in pairs]
    seen = set()
    for seed in map(str, range(12)):
        run, page = build(pairs, tmp_path, "-n", "3", "--seed", seed)
        assert f"by seed {seed}, 3 are shown; 3 more were left out" in run.output
        assert build(pairs, tmp_path, "-n", "3", "--seed", seed)[1] == page
        at = [page.find(f">{name}<") for name in names]
        shown = [place for place in at if place >= 0]
        assert len(shown) == 3 and shown == sorted(shown)
        seen |= {name for name, place in zip(names, at, strict=True) if place >= 0}
    assert seen == set(names)
    assert build(pairs, tmp_path, "--seed", "3")[1] == build(pairs, tmp_path)[1], "all are shown"


def test_a_missing_image_names_its_line(pairs, tmp_path):
    pairs[2]["images"][1] = str(tmp_path / "gone.png")
    run, page = build(pairs, tmp_path)
    assert run.exit_code == 1 and "in.jsonl:3" in run.output and "images[1]" in run.output and not page
    run, page = build(pairs, tmp_path, "--on-error", "skip")
    assert run.exit_code == 3 and page.count("<article") == 5


def test_each_distinct_image_is_embedded_once(pairs, tmp_path):
    import shutil

    shutil.copytree(tmp_path / "pictures", tmp_path / "copy")
    _, once = build(pairs, tmp_path)
    again = [
        {**p, "id": f"{p['id']}-{i}", "images": [name.replace("pictures/", "copy/") for name in p["images"]]}
        for p in pairs
        for i in range(10)
    ]
    _, page = build(pairs + again, tmp_path)
    assert page.count("<article") == 66 and page.count("data:image/") == once.count("data:image/")
    numbers = set(re.findall(r'data-i="(\d+)"', page))
    assert numbers == set(re.findall(r'id="i(\d+)"', page))


def test_a_card_that_fails_takes_its_images_with_it(pairs, tmp_path):
    from s2h.images.decoding import open_image

    kept = list(pairs[0]["images"])
    pairs[0]["images"] = [kept[0], str(tmp_path / "gone.png")][: len(kept)]
    pairs[0]["images"] += kept[2:]
    pairs[1]["images"][0] = kept[0]  # shown after its first card had failed
    run, page = build(pairs, tmp_path, "--on-error", "skip")
    assert run.exit_code == 3 and page.count("<article") == 5
    numbers = re.findall(r'data-i="(\d+)"', page)
    assert set(numbers) == set(re.findall(r'id="i(\d+)"', page))
    first = re.search(r'data-i="(\d+)" width="(\d+)" height="(\d+)"', page)
    assert open_image(kept[0]).size == (int(first[2]), int(first[3]))


def prediction(pairs: list, name: str, correct, **more) -> dict:
    return {
        "id": name, "bench": "builtin", "category": "search", "level": 3, "images": pairs[0]["images"], "question": "Which?",
        "answer": "A", "response": f"It is {name}.", "correct": correct, **more,
    }  # fmt: skip


def test_two_models_answers_stand_side_by_side(pairs, tmp_path):
    lines = [
        prediction(
            pairs, f"{old}-{new}", new, model="after-run", before={"response": "B <i>", "correct": old}
        )
        for old in (False, True)
        for new in (False, True)
    ]
    run, page = build([*lines, prediction(pairs, "open", None, before={"response": 3})], tmp_path)
    assert run.exit_code == 0
    for verdict in ("gained", "lost", "right both times", "wrong both times", "not scored"):
        assert page.count(f'data-task="search" data-verdict="{verdict}"') == 1
    assert (
        page.count("before: wrong") == page.count("after: right · after-run") == 2 and "B &lt;i&gt;" in page
    )
    run, _ = build([prediction(pairs, "x", True, before="B")], tmp_path)
    assert run.exit_code == 1 and "in.jsonl:1: before: must be an object with a response" in run.output


def test_the_script_counts_filters_and_shows_in_a_real_browser(pairs, tmp_path, page):
    from playwright.sync_api import expect

    build(pairs, tmp_path)
    address, count = f"file://{tmp_path}/g.html", page.locator("#count")
    page.goto(address)
    expect(count).to_have_text("6 shown")
    pictures = page.locator("article").first.locator("img")
    expect(pictures).to_have_count(len(pairs[0]["images"]))
    for picture in pictures.all():  # the observer puts a picture in when its card comes near the window
        expect(picture).to_have_attribute("src", re.compile("^data:image/"))
        page.wait_for_function("img => img.complete && img.naturalWidth > 0", arg=picture.element_handle())
    page.goto(f"{address}#level=3")
    expect(count).to_have_text("2 of 6 shown")
    page.goto(f"{address}#q=nothing+like+this")
    expect(count).to_have_text("0 of 6 shown")


def test_the_page_runs_no_script_but_its_own(pairs, tmp_path, page):
    """Even where something got past the escaping, as it is put in here."""
    from playwright.sync_api import expect

    _, text = build(pairs, tmp_path)
    evil = '<script>document.title = "owned"</script><img src="x" onerror="document.title = \'owned\'">'
    (tmp_path / "evil.html").write_text(text.replace("<main>", "<main>" + evil))
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(f"file://{tmp_path}/evil.html")
    expect(page.locator("#count")).to_have_text("6 shown")
    page.wait_for_function("document.querySelector('img[src=x]').complete")
    assert page.title() != "owned"
    assert sum("Content Security Policy" in text for text in refused) >= 2, refused


def test_an_empty_stream_is_said_to_be_empty(tmp_path):
    from click.testing import CliRunner

    from s2h.cli.view import main

    (tmp_path / "none.jsonl").write_bytes(b"")
    done = CliRunner().invoke(main, [str(tmp_path / "none.jsonl"), "-o", str(tmp_path / "g.html")])
    assert done.exit_code == 0 and "no records: the page is empty" in done.output
    assert "</html>" in (tmp_path / "g.html").read_text()


def test_a_title_may_be_one_of_the_templates_marks():
    whole = b"".join(gallery.page([], title="@CARDS@ @POLICY@ <b>")).decode()
    assert "<title>@CARDS@ @POLICY@ &lt;b&gt;</title>" in whole


@pytest.mark.parametrize(
    ("field", "value"),
    [("images", True), ("images", [3]), ("choices", 3), ("target", "0"), ("correct", []), ("model", {})],
)
def test_a_prediction_of_wrong_types_is_skipped(field, value, pairs, tmp_path):
    sound = prediction(pairs, "sound", True)
    run, page = build([sound | {"id": "odd", field: value}, sound], tmp_path, "--on-error", "skip")
    assert run.exit_code == 3 and page.count("<article") == 1 and field in run.stderr
    run, page = build([sound | {"before": {"response": "B", "correct": []}, "choices": ["x", "y"]}], tmp_path)
    assert run.exit_code == 0 and "A. x" in page


def test_a_person_marks_sorts_and_enlarges_by_keyboard(pairs, tmp_path, page):
    """One page for all of it, because a browser is slow to start. The marks are saved as `s2h-mix --drop` reads them."""
    from playwright.sync_api import expect

    from s2h.mix.marks import Marks

    for pair, margin in zip(pairs, (3, 1, 2, -1, 0.5, None), strict=True):
        pair["scores"] = {} if margin is None else {"ref": {"chosen": margin, "rejected": 0, "model": "m"}}
    names = [pair["id"] for pair in pairs]
    pairs[0]["id"] = names[0] = 'a "quoted" <b> id'
    for pair in (pairs[1], pairs[4]):
        pair["facts"] = {**pair.get("facts", {}), "twin": names[1]}
    pairs[2]["source"] = "coco:x"
    build(pairs, tmp_path)
    page.goto(f"file://{tmp_path}/g.html")
    cards, count = page.get_by_role("feed", name="records").get_by_role("article"), page.locator("#count")
    expect(count).to_have_text("6 shown")

    def shown() -> list[str]:
        return [card.get_attribute("aria-label") for card in cards.all()]

    # Twins stand beside each other, and the second follows the first.
    assert shown() == [names[i] for i in (0, 1, 4, 2, 3, 5)]
    one, other = (cards.nth(at).bounding_box() for at in (1, 2))
    assert one["y"] == other["y"] and one["x"] < other["x"]

    # Keys, focus and marks
    page.keyboard.press("j")
    expect(cards.nth(0)).to_be_focused()
    assert cards.nth(0).evaluate("card => getComputedStyle(card).outlineStyle") == "solid"
    page.keyboard.press("b")
    bad = cards.nth(0).get_by_role("button", name="Mark bad")
    expect(bad).to_have_attribute("aria-pressed", "true")
    for key in ("ArrowRight", "j", "k", "g"):
        page.keyboard.press(key)
    expect(page.locator("#said")).to_have_text(f"{names[1]}: marked good")
    for key in ("j", "b", "u"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Save marks (2)")).to_be_enabled()
    page.reload()  # the browser keeps the marks
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save marks (2)").click()
    lines = [json.loads(line) for line in saved.value.path().read_text().splitlines()]
    assert lines == [{"id": names[0], "mark": "bad"}, {"id": names[1], "mark": "good"}]
    assert Marks(str(saved.value.path()), drop=True).missing == names[:2]

    # An image is enlarged by Enter and by a click; Escape closes.
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Enlarged image")
    expect(dialog.get_by_role("img")).to_have_attribute("src", re.compile("^data:image/"))
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("img")).to_have_attribute("alt", re.compile("^Image 2"))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(cards.nth(0)).to_be_focused()
    cards.nth(0).get_by_role("button", name="Enlarge image 1").click()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")

    # Filters and order
    page.get_by_label("mark", exact=True).select_option("bad")
    assert shown() == names[:1]
    page.get_by_label("mark", exact=True).select_option("")
    page.get_by_label("source").select_option("coco:x")
    assert shown() == names[2:3]
    page.get_by_label("source").select_option("")
    page.locator("select[data-key=score]").select_option("ref margin")
    page.get_by_label("lowest score").fill("0.5")
    page.get_by_label("highest score").fill("2")
    page.get_by_label("order").select_option("up")
    expect(count).to_have_text("3 of 6 shown")
    assert shown() == [names[4], names[1], names[2]]
    page.get_by_label("lowest score").fill("")
    page.get_by_label("highest score").fill("")
    page.get_by_label("order").select_option("down")
    assert shown() == [names[i] for i in (0, 2, 1, 4, 3, 5)]  # the one without a score comes last
