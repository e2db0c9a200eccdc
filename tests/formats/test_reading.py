"""Pairs of other tools are read in every layout and by every command, and what is written in a format is read again."""

import base64
import itertools
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from s2h import formats, record, registry, shorthand
from s2h.cli import eval as eval_
from s2h.cli import filter as filter_
from s2h.cli import view
from s2h.formats import chat
from s2h.images.decoding import open_image, open_images, read_bytes
from s2h.record import IMAGE, RecordError, assistant, interleave, text_of
from s2h.streams import jsonl
from tests.mix.test_scan import changed
from tests.support.mixing import run
from tests.support.records import pair, pixel

RATED = {"Helpfulness": {"Rating": "4"}, "Visual Faithfulness": {"Rating": "N/A"}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "green")):
        pixel(tmp_path / f"in/{name}.png", colour)
    return tmp_path


def write(rows: list[dict], path: str = "in/rows.jsonl") -> str:
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def spoken(*turns: str, roles: str = "human gpt") -> list[dict]:
    names, keys = roles.split(), ("from", "value") if roles == "human gpt" else ("role", "content")
    return [dict(zip(keys, (names[at % 2], words), strict=True)) for at, words in enumerate(turns)]


ANSWERS = {"chosen": "Red.", "rejected": "Blue."}
MIA = {**ANSWERS, "image": ["a.png", "b.png"], "prompt": "<image>\n<image>\nWhich?"}
LF = {
    "images": ["a.png", "b.png"], "conversations": spoken("<image> and <image-placeholder>?"),
    "chosen": {"from": "gpt", "value": "Red."}, "rejected": {"from": "gpt", "value": "Blue."},
}  # fmt: skip
SWIFT = {
    "messages": spoken("<image>Which<image>?", "Red.", roles="user assistant"),
    "images": ["a.png", "b.png"],
}
REPLIES = [
    {"response": "Green.", "annotations": {"Helpfulness": {"Rating": "3"}}},
    {"response": "Red.", "annotations": RATED},
    {"response": "None.", "annotations": None},
    {"response": "NaN.", "annotations": {"Helpfulness": {"Rating": "nan"}}},
    {"response": "Blue.", "annotations": {"Helpfulness": {"Rating": "1"}, "Ethics": {"Rating": 2}}},
]
POVID = {
    "id": "000", "image": "a.png", "conversations": spoken("<image>\nHi.", "Hello.", "Which?", "Red."),
    "rejected_conversations": spoken("<image>\nHi.", "Hello.", "Which?", "Blue."),
}  # fmt: skip
IMPLICIT = interleave([IMAGE, "Which?"])
# Layout, row, and the prompt that it becomes, images as marks.
LAYOUTS = {
    "llava": ("llava", MIA, "<image>\n<image>\nWhich?"),
    "llava, one path": ("llava", {**MIA, "image": "a.png", "prompt": "Which?\n<image>"}, "Which?\n<image>"),
    "llava, no mark": ("llava", {**MIA, "prompt": "Which?"}, "<image><image>Which?"),
    "llama-factory": ("llama-factory", LF, "<image> and <image>?"),
    "llama-factory, system": ("llama-factory", {**LF, "system": "Look."}, "Look.|<image> and <image>?"),
    "ms-swift": ("ms-swift", {**SWIFT, "rejected_response": "Blue."}, "<image>Which<image>?"),
    "ms-swift, messages": (
        "ms-swift",
        {**SWIFT, "rejected_messages": spoken("<image>Which<image>?", "Blue.", roles="user assistant")},
        "<image>Which<image>?",
    ),
    "mmpr": (
        "mmpr",
        {**ANSWERS, "image": ["a.png", "b.png"], "question": "Image-1: <image>\nImage-2: <image>\nWhich?"},
        "Image-1: <image>\nImage-2: <image>\nWhich?",
    ),
    "rlaif-v": (
        "rlaif-v",
        {**ANSWERS, "image": {"bytes": None, "path": "a.png"}, "question": "Which?", "ds_name": "x", "idx": "3"},
        "<image>Which?",
    ),
    "vlfeedback": ("vlfeedback", {"img_path": "a.png", "prompt": "Which?", "completions": REPLIES}, "<image>Which?"),
    "vlfeedback, columns": (
        "vlfeedback",
        {
            "id": "v", "image": "a.png", "prompt": "Which?", "models": ["m"],
            "completions": {name: [one[name] for one in REPLIES] for name in ("response", "annotations")},
        },
        "<image>Which?",
    ),
    "povid": ("povid", POVID, "<image>\nHi.|Hello.|Which?"),
    "trl": ("trl", {**ANSWERS, "images": ["a.png"], "prompt": "Which <image>?"}, "Which <image>?"),
    "trl, implicit": (
        "trl",
        {"images": ["a.png"], "chosen": IMPLICIT + assistant("Red."), "rejected": IMPLICIT + assistant("Blue.")},
        "<image>Which?",
    ),
}  # fmt: skip


MANY = ("llava", "llama-factory", "ms-swift", "mmpr")  # rows of two images


def prompt_of(one: dict) -> str:
    return "|".join(text for _, text in chat.turns(one))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_row_of_each_layout_is_a_pair(name):
    layout, row, prompt = LAYOUTS[name]
    path = write([{**row, "note": 10**30}])
    (found,) = jsonl.read(path)
    assert prompt_of(found) == prompt and found["note"] == 10**30
    assert [text_of(found[side]) for side in ("chosen", "rejected")] == ["Red.", "Blue."]
    assert found["images"] == ["a.png", "b.png"][: len(found["images"])] and found["id"]
    assert formats.layout_of(row if "prompt" in row or layout != "trl" else found) == layout
    title = formats.readable()[layout].title
    for named in ([], ["--from", layout]):
        for way in ("--flat", "--interleave"):
            done = run(way, path, *named, "-o", "out/x.jsonl")
            assert f"{path}: rows are read as {layout} ({title})" in done.stderr
            (again,) = jsonl.read("out/x.jsonl")
            assert prompt_of(again) == prompt and again["note"] == 10**30
            assert [
                Path(one).samefile(f"in/{mine}")
                for one, mine in zip(again["images"], found["images"], strict=True)
            ]


@pytest.mark.parametrize("name", [name for name in LAYOUTS if "," not in name])
def test_every_command_reads_it_and_says_so_once(name):
    layout, row, _ = LAYOUTS[name]
    other = {"images" if "images" in row else "image": ["b.png"] * (2 if name in MANY else 1)}
    path = write([row, {**row, **other}])
    said = f"{path}: rows are read as {layout} "
    for command, arguments in (
        (filter_, ["--length-ratio", "0.01:100", "-o", "kept.jsonl"]),
        (view, ["-o", "page.html"]),
    ):
        done = CliRunner().invoke(command.main, [path, *arguments])
        assert done.exit_code == 0 and done.stderr.count(said) == 1, done.stderr
    assert text_of(next(jsonl.read("kept.jsonl"))["chosen"]) == "Red."
    assert Path("page.html").read_text().count("<article") == 2


def test_rows_are_asked_as_questions():
    rows = [LAYOUTS[name][1] for name in ("ms-swift", "vlfeedback", "povid", "llava")]
    path = write([rows[0], {**rows[1], "id": "v"}, *rows[2:]])
    done = CliRunner().invoke(
        eval_.main, ["--model", "mini", path, "--max-new-tokens", "1", "-o", "replies.jsonl"]
    )
    assert done.exit_code == 0, done.stderr
    assert [json.loads(line)["answer"] for line in Path("replies.jsonl").read_text().splitlines()] == [
        "Red."
    ] * 4
    assert all(
        f"rows are read as {layout} " in done.stderr
        for layout in ("ms-swift", "vlfeedback", "povid", "llava")
    )


@pytest.mark.parametrize("images", ["absent", [], None, ""])
@pytest.mark.parametrize("name", ["llama-factory", "ms-swift", "mmpr", "rlaif-v", "povid"])
def test_a_row_without_an_image_is_counted_and_left_out(name, images):
    row = LAYOUTS[name][1]
    field = "images" if "images" in row else "image"
    bare = json.loads(json.dumps(row).replace("<image>", "").replace("<image-placeholder>", ""))
    del bare[field]
    path = write([row, bare if images == "absent" else bare | {field: images}])
    for way in ("--flat", "--interleave"):
        said = run(way, path, "-o", "x.jsonl", status=3).stderr
        assert (
            f"{path}:2: images: shows no image" in said
            and "skipped 1 record: 1 images: shows no image" in said
        )
        assert len(list(jsonl.read("x.jsonl"))) == 1


def test_a_named_layout_leaves_rows_without_an_image_out():
    bare = {**ANSWERS, "prompt": "Hi."}
    path = write([MIA, {**bare, "image": []}, {**MIA, "chosen": "Other."}, {**bare, "note": 1}])
    said = run("--flat", path, "--from", "llava", "-o", "x.jsonl", status=3).stderr
    assert "2 pairs" in said and "skipped 2 records: 2 images: shows no image" in said
    path = write([LAYOUTS["trl"][1], {**bare, "images": []}, bare])
    assert "skipped 2 records" in run("--flat", path, "--from", "trl", "-o", "x.jsonl", status=3).stderr


def test_replies_with_one_rating_are_left_out():
    tied = [{"response": word, "annotations": RATED} for word in ("Red.", "Blue.")]
    row = LAYOUTS["vlfeedback"][1]
    said = run("--flat", write([{**row, "completions": tied}, row]), "-o", "x.jsonl", status=3).stderr
    assert "completions: has no two replies with different ratings" in said


def test_images_in_every_form():
    data = Path("in/a.png").read_bytes() + b"\0" * 100  # long enough to be told from a name
    text = base64.b64encode(data).decode()
    for one in (text, {"bytes": text, "path": "x.png"}, {"bytes": text}, f"data:image/png;base64,{text}"):
        for image in (one, [one]):
            (found,) = jsonl.read(write([{**MIA, "image": image, "prompt": "Which?"}]))
            assert read_bytes(found["images"][0]) == data
    Path("in", text[:120]).parent.mkdir(parents=True, exist_ok=True)
    (found,) = jsonl.read(write([{**MIA, "image": "iVBOR.png", "prompt": "Which?"}]))
    assert found["images"] == ["iVBOR.png"]


def test_rejected_images_move_with_the_pair():
    row = {**SWIFT, "rejected_images": ["b.png", "c.png"]}
    path = write([row, {**row, "rejected_response": "Blue."}, {**row, "rejected_images": ["c.png", "b.png"]}])
    run("--flat", path, "-o", "out/x.jsonl")
    found = list(jsonl.read("out/x.jsonl"))
    assert sorted(text_of(one["rejected"]) for one in found) == ["Blue.", "Red.", "Red."]
    assert all(Path(image).is_file() for one in found for image in one["rejected_images"])
    run("--flat", "out/x.jsonl", "--to", "ms-swift", "-o", "again.jsonl")
    again = [json.loads(line) for line in Path("again.jsonl").read_text().splitlines()]
    assert all(len(one["rejected_images"]) == 2 for one in again)


@pytest.mark.parametrize("name", sorted(formats.writable()))
def test_rejected_images_are_written_or_their_loss_is_counted(name):
    form, images = formats.writable()[name], ["a.png", "b.png"]
    rejected = {1: ["b.png", "c.png"], 2: ["c.png", "b.png"]}
    with jsonl.Writer("in/pairs.jsonl") as out:
        for i in range(4):
            out.write(
                {**pair("p" * (i + 1), images), **({"rejected_images": rejected[i]} if i in rejected else {})}
            )
    path = f"out{(form.endings or ('.json' if form.is_list else '.jsonl',))[0]}"
    done = run("--flat", "in/pairs", "--to", name, "-o", path, "--val", "0.5", "--quiet")
    if not form.rejected_images:
        lost = f"2 pairs lack their rejected_images: --to {name} has no field for them (ms-swift and parquet have one)"
        assert lost in done.stderr
        return
    assert "rejected_images" not in done.stderr
    run("--flat", "in/pairs", "--to", name, "-o", path)
    run("--flat", path, "-o", "back.jsonl")
    kept = [
        open_images(one, field="rejected_images")
        for one in jsonl.read("back.jsonl")
        if "rejected_images" in one
    ]
    wanted = [[open_image(one, "in").tobytes() for one in some] for some in rejected.values()]
    assert sorted([image.tobytes() for image in some] for some in kept) == sorted(wanted)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("llava", {"prompt": "<image>" * 3}, "prompt: image parts do not match images: 3 in the prompt, 2 in images"),
        ("llava", {"prompt": 3}, "prompt: must be a text: it is a number"),
        ("llava", {"chosen": None}, "chosen: must be a text: it is null"),
        ("llava", {"image": [3, 4]}, "images[0]: must be an image reference: it is a number"),
        ("llama-factory", {"conversations": []}, "conversations: must be a non-empty list of messages"),
        ("llama-factory", {"conversations": [{"value": "x"}]}, "conversations[0]: must be a message with from and value"),
        ("llama-factory", {"chosen": "Red."}, "chosen: must be a message: it is a text"),
        ("ms-swift", {"messages": SWIFT["messages"][:1]}, "messages: must hold a question and end with the assistant's"),
        ("ms-swift", {"rejected_response": None}, "rejected_response: is missing"),
        ("ms-swift", {"rejected_messages": spoken("Hi", "Ho", roles="user assistant")}, "must begin as messages does"),
        ("povid", {"rejected_conversations": spoken("Hi", "Ho")}, "must begin as conversations does"),
        ("vlfeedback", {"completions": 3}, "completions: must be a list of objects: it is a number"),
        ("vlfeedback", {"completions": [{"annotations": RATED}]}, "completions[0].response: must be a text: it is null"),
        ("mmpr", {"question": None}, "question: must be a text: it is null"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_row(name, change, words):
    path = write([{**LAYOUTS[name][1], **change}])
    with pytest.raises(RecordError) as caught:
        list(jsonl.read(path))
    assert str(caught.value).startswith(f"{path}:1: ") and words in str(caught.value)
    assert words in run("--flat", path, status=1).stderr


@pytest.mark.parametrize("name", LAYOUTS)
def test_any_odd_row_is_a_pair_or_a_fault(name):
    """A row with a part that is lost, doubled or replaced by something odd gives a whole pair, or a fault is told."""
    found = {"pairs": 0, "faults": 0}
    for row in changed(LAYOUTS[name][1]):
        try:
            shorthand.accept(row)
        except RecordError:
            found["faults"] += 1
        else:
            found["pairs"] += 1
            assert not record.faults(row) and not shorthand.accept(row)
    assert found["pairs"] and found["faults"] > 30


def test_a_named_layout_that_the_rows_are_not_in():
    said = run("--flat", write([MIA]), "--from", "ms-swift", status=1).stderr
    assert (
        "messages, rejected_response or rejected_messages or rejected_images: is missing in a row of ms-swift"
        in said
    )
    assert (
        "'verl' is not one of llama-factory, llava," in run("--flat", "x", "--from", "verl", status=2).stderr
    )


def test_a_file_in_two_layouts_is_read_row_by_row():
    done = run(
        "--flat", write([MIA, {**SWIFT, "rejected_response": "Blue."}, dict(pair("p"))]), "-o", "x.jsonl"
    )
    assert "rows are read as llava" in done.stderr and "rows are read as ms-swift" in done.stderr
    assert len(list(jsonl.read("x.jsonl"))) == 3


def ours() -> list[dict]:
    """Pairs of one image, and of several with words between them."""
    made = [pair(f"one{i}", ["a.png"], prompt=interleave([IMAGE, f"What is on {i}?"])) for i in range(3)]
    several = interleave(["See ", IMAGE, "\n", IMAGE, " — und?\n"])
    made += [pair(f"two{i}", ["a.png", "b.png"], prompt=several) for i in range(3)]
    return [dict(one, chosen=assistant(f"Ja, {at}.\n")) for at, one in enumerate(made)]


def contents(path: str) -> list[tuple]:
    """The texts and the images' bytes of each pair, in an order that does not depend on the ids."""
    return sorted(
        (
            *(prompt_of(one), text_of(one["chosen"]), text_of(one["rejected"])),
            [read_bytes(image, one.base) for image in one["images"]],
        )
        for one in jsonl.read(path)
    )


WRITABLE = sorted(formats.writable())


@pytest.mark.parametrize(("first", "second"), itertools.product(WRITABLE, WRITABLE))
def test_what_is_written_is_read_again(first, second):
    made = ours()
    if "rlaif-v" in (first, second):  # it has room for one image
        made = [one for one in made if len(one["images"]) == 1]
    expected = contents(write(made, "in/ours.jsonl"))
    path = "in/ours.jsonl"
    for at, name in enumerate((first, second)):
        out = f"{at}/mix{(formats.readable()[name].endings or ('.jsonl',))[0]}"
        run("--flat", path, *(["--from", (first, second)[0]] if at else []), "--to", name, "-o", out)
        assert contents(out) == expected
        path = out
    done = run("--flat", path, "--from", second, "-o", "last/mix.jsonl")
    assert (
        contents("last/mix.jsonl") == expected and f"rows are read as {second}" in done.stderr
    ) or second == "trl"


@pytest.mark.parametrize("name", ["llama-factory", "ms-swift", "trl", "parquet"])
def test_a_conversation_is_read_again(name):
    talk = [
        {"role": "system", "content": [{"type": "text", "text": "Look."}]},
        *interleave([IMAGE, "Hi."]), *assistant("Hello."), *interleave(["Which? ", IMAGE]),
    ]  # fmt: skip
    expected = contents(write([dict(pair("a", ["a.png", "b.png"], prompt=talk))], "in/ours.jsonl"))
    out = f"x{(formats.readable()[name].endings or ('.jsonl',))[0]}"
    run("--flat", "in/ours.jsonl", "--to", name, "-o", out)
    assert contents(out) == expected


def test_parquet_keeps_every_field():
    made = [dict(one, more=10**30, scores={"ref": {"chosen": 1.5}}, own=[1, "x"]) for one in ours()]
    write(made, "in/ours.jsonl")
    run("--flat", "in/ours.jsonl", "--to", "parquet", "-o", "x.parquet")
    found = {one["id"]: one for one in jsonl.read("x.parquet")}
    for one in made:
        back = found[one["id"]]
        assert prompt_of(back) == prompt_of(one)
        assert {**back, "images": 0, "prompt": 0} == {**one, "images": 0, "prompt": 0}


def test_help_and_guide_list_what_the_registry_has():
    known = formats.readable()
    assert set(known) == set(registry.names("format"))
    told = "".join(run("--help").output.split())
    assert all(f"{name} is {one.title}".replace(" ", "") in told for name, one in known.items())
    rows = [f"| `{name}` | {one.title} | {'yes' if one.write else 'no'} |" for name, one in known.items()]
    guide = Path(__file__).parents[2] / "examples/mix/README.md"
    assert "\n".join(["|---|---|---|", *rows, ""]) in guide.read_text(encoding="utf-8")
