"""Four fields make a pair, in full or in a short form, in every command."""

import base64
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from s2h import formats, record, shorthand
from s2h.cli import eval as eval_
from s2h.cli import filter as filter_
from s2h.cli import mix, train, view
from s2h.images.decoding import read_bytes
from s2h.record import IMAGE, RecordError
from s2h.streams import jsonl
from s2h.train.dataset import store
from tests.support.records import pair, pixel

ASKED, RIGHT, WRONG = "What colour is the second picture?", "Blue.", "Green."


def spoken(role: str, content: object) -> dict:
    return {"role": role, "content": content}


def forms(images: list[str]) -> dict[str, dict]:
    """One pair in every form that TRL reads, and in that of `datasets`, whose columns have one type."""
    full = record.interleave([*[IMAGE] * len(images), ASKED])
    nulls = [spoken("user", [{"type": "image", "text": None}] * len(images) + full[0]["content"][-1:])]
    chosen, rejected = record.assistant(RIGHT), record.assistant(WRONG)
    short = [spoken("assistant", RIGHT)], [spoken("assistant", WRONG)]
    return {
        "full": {"images": images, "prompt": full, "chosen": chosen, "rejected": rejected},
        "nulls": {"images": images, "prompt": nulls, "chosen": chosen, "rejected": rejected, "level": None, "id": None},
        "texts": {"images": images, "prompt": ASKED, "chosen": RIGHT, "rejected": WRONG},
        "contents": {
            "images": images, "prompt": [spoken("user", ASKED)], "chosen": short[0], "rejected": short[1],
        },
        "implicit": {"images": images, "chosen": full + chosen, "rejected": full + rejected},
        "paths": {
            "images": [{"bytes": None, "path": image} for image in images], "prompt": full, "chosen": RIGHT,
            "rejected": rejected,
        },
    }  # fmt: skip


def run(command, *arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(command.main, [str(one) for one in arguments])
    assert done.exit_code == code, done.stderr or done.exception
    return done.stderr


def write(path, lines: list[dict]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixel(tmp_path / "a.png", "red", (32, 32))
    pixel(tmp_path / "b.png", "blue", (32, 32))
    return tmp_path


@pytest.mark.parametrize("form", forms(["a.png", "b.png"]))
def test_every_form_is_the_same_pair(form):
    full, short = (record.Record(forms(["a.png", "b.png"])[name]) for name in ("full", form))
    for one in (full, short):
        shorthand.accept(one)
    assert re.fullmatch(r"pair-[0-9a-f]{16}", short["id"])
    assert [record.text_of(short[name]) for name in ("prompt", "chosen", "rejected")] == [ASKED, RIGHT, WRONG]
    if form != "nulls":
        assert {name: short[name] for name in full} == full
    again = record.Record(short)
    shorthand.accept(again)
    assert again == short and list(again) == list(short)


def test_the_text_comes_after_the_images_as_in_trl():
    system = [
        spoken("system", "Be brief."),
        spoken("user", "Hi."),
        spoken("assistant", "Yes?"),
        spoken("user", ASKED),
    ]
    one = record.Record(forms(["a.png", "b.png"])["texts"] | {"prompt": system})
    shorthand.accept(one)
    assert [[part["type"] for part in message["content"]] for message in one["prompt"]] == [
        ["text"], ["image", "image", "text"], ["text"], ["text"],
    ]  # fmt: skip
    # Where a message shows its images, the others show none.
    shown = [spoken("user", [{"type": "image"}] * 2), spoken("assistant", "Yes?"), spoken("user", ASKED)]
    one = record.Record(forms(["a.png", "b.png"])["texts"] | {"prompt": shown})
    shorthand.accept(one)
    assert [len(message["content"]) for message in one["prompt"]] == [2, 1, 1]


def held(here, rejected: str = WRONG) -> dict:
    """A pair whose images are objects: one with bytes, one with the name of a file beside its line."""
    data = base64.b64encode((here / "a.png").read_bytes()).decode()
    line = forms([{"bytes": data, "path": "never/seen.png"}, {"bytes": None, "path": "b.png"}])["texts"]
    return line | {"rejected": rejected}


FILTER = (filter_, "--length-ratio", "1:1")  # whose rejects are the pairs with a longer rejected answer


@pytest.mark.parametrize(
    ("command", "given", "store"),
    [
        (FILTER, ("-o", "x.jsonl"), "s2h-images"),
        (FILTER, ("-o", "out/x.jsonl"), "out/s2h-images"),
        (FILTER, ("-o", "out/x.jsonl.gz"), "out/s2h-images"),
        (FILTER, ("-o", "out/x.jsonl", "--image-dir", "there"), "there"),
        (
            (mix, "--flat"),
            ("-o", "out/x.jsonl", "--val", "0.5", "--val-output", "other/v.jsonl"),
            "out/s2h-images",
        ),
        ((mix, "--interleave"), ("-o", "out/x.jsonl", "--image-dir", "out/there"), "out/there"),
        ((eval_, "--model", "mini", "--max-new-tokens", "1"), ("-o", "out/x.jsonl"), "s2h-images"),
    ],
)
def test_bytes_of_image_objects_go_to_the_store(command, given, store, here):
    """Once, by their hash, and every line that a stage writes opens where it lies."""
    (here / "in").mkdir()
    pixel(here / "in/b.png", "blue", (32, 32))
    source = write(here / "in/x.jsonl", [held(here), held(here, "Not this one, I think.")])
    run(
        command[0],
        *command[1:],
        source,
        *given,
        *(("--rejects", "other/r.jsonl") if command is FILTER else ()),
    )
    (stored,) = [one for one in (here / store).rglob("*") if one.is_file()]
    assert stored.read_bytes() == (here / "a.png").read_bytes() and stored.suffix == ".png"
    found = []
    for path in (given[1], "other/r.jsonl", "other/v.jsonl"):
        if (here / path).exists():
            found += jsonl.read(path, check=None)
    assert len(found) == 2
    for one in found:
        assert not any(image.startswith("data:") for image in one["images"])
        assert Path(one.base, one["images"][0]).samefile(stored)
        assert read_bytes(one["images"][1], one.base) == (here / "b.png").read_bytes()
        if Path(one.base).resolve() in stored.parents:
            assert one["images"][0] == str(stored.relative_to(Path(one.base).resolve()))


def test_the_same_bytes_are_the_same_line_by_pipe_and_by_file(here):
    line = json.dumps(held(here)) + "\n"
    (here / "in.jsonl").write_text(line)
    piped = [
        CliRunner().invoke(command.main, [*options, "-"], input=line)
        for command, options in ((filter_, []), (mix, ["--flat"]), (mix, ["--interleave"]))
    ]
    run(filter_, "in.jsonl", "-o", "filed.jsonl")
    run(mix, "--flat", "in.jsonl", "-o", "mixed.jsonl")
    assert (
        len(
            {done.stdout for done in piped}
            | {(here / name).read_text() for name in ("filed.jsonl", "mixed.jsonl")}
        )
        == 1
    )
    (one,) = jsonl.read("filed.jsonl")
    (short,) = jsonl.read("in.jsonl")
    assert one["images"][0].startswith("s2h-images/") and one["id"] == short["id"]
    # A data URI that a user wrote stays, and so does the pair in a run's own file, which is moved with its images.
    uri = str(short["images"][0])
    write(here / "uri.jsonl", [forms([uri, "b.png"])["texts"]])
    run(filter_, "uri.jsonl", "-o", "kept.jsonl")
    assert next(jsonl.read("kept.jsonl"))["images"][0] == uri
    store(jsonl.read("in.jsonl"), here / "run/data.jsonl")
    assert next(jsonl.read("run/data.jsonl"))["images"][0] == uri


@pytest.mark.parametrize("command", [(filter_,), (mix, "--flat"), (mix, "--interleave")])
def test_bytes_that_are_no_image_are_told_with_their_field(command, here):
    good = held(here)
    bad = [
        {
            **good,
            "images": ["b.png", {"bytes": base64.b64encode(data).decode() if data else "%%"}],
            "rejected": str(data),
        }
        for data in (b"", b"GIF", b"text")
    ]
    source = write(here / "in.jsonl", [*bad, good | {"big": 10**30}])
    told = run(command[0], *command[1:], source, "-o", "x.jsonl", "--on-error", "skip", code=3)
    assert f"{source}:1: images[1].bytes: damaged base64" in told
    assert f"{source}:3: images[1].bytes: not an image" in told
    assert len(list(jsonl.read("x.jsonl"))) == 1


def test_a_name_in_an_image_object_is_no_other_reference(here):
    pixel(here / "tar:b.png")
    line = forms([{"path": "tar:b.png"}])["texts"]
    (found,) = jsonl.read(write(here / "in.jsonl", [line]))
    assert read_bytes(found["images"][0], found.base)[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": None}, "1: images: must be a list of image references: it is null"),
        (
            {"images": []},
            "images: must be a list of image references: it is empty (a pair shows at least one image)",
        ),
        ({"images": [{}, "b.png"]}, "images[0]: must be an image reference: it is empty"),
        ({"prompt": None}, "prompt: must be a non-empty list of messages: it is null"),
        ({"chosen": ""}, "chosen: says nothing"),
        ({"chosen": "", "target": [3]}, "1: chosen: says nothing; target[0]: is out of range"),
        ({"rejected": 3}, "rejected: must be a list of one assistant message: it is a number"),
        (
            {"images": ["a.png"], "prompt": forms(["a.png"] * 2)["full"]["prompt"]},
            "2 in the prompt, 1 in images",
        ),
        (
            {"level": "two", "target": [7]},
            "level: must be 1, 2 or 3: it is a text; target[0]: is out of range: 7",
        ),
    ],
)
def test_what_is_no_pair_in_any_form(change, words, here):
    path = write(here / "in.jsonl", [forms(["a.png", "b.png"])["texts"] | change])
    with pytest.raises(RecordError) as caught:
        list(jsonl.read(path))
    assert str(caught.value).startswith(f"{path}:1: ") and words in str(caught.value)
    assert "prompt: must" not in str(caught.value) or "prompt: must" in words  # a text is a prompt


def test_a_missing_field_is_told_and_not_the_id_that_is_made_of_it(here):
    line = {"images": ["a.png"], "prompt": 3, "chosen": "Yes.", "id": None}
    path = write(here / "in.jsonl", [line])
    said = (
        f"{path}:1: prompt: must be a non-empty list of messages: it is a number; rejected: is missing (a pair has images, "
        "prompt, chosen and rejected)"
    )
    with pytest.raises(RecordError) as caught:
        list(jsonl.read(path))
    assert str(caught.value) == said
    assert said in run(mix, "--flat", path, code=1) and said in run(view, path, "-o", "x.html", code=1)


def test_the_same_pair_twice_is_told_by_what_it_says(here):
    line = forms(["a.png", "b.png"])["texts"]
    path = write(here / "in.jsonl", [line, {**line, "note": 1}])
    with pytest.raises(
        RecordError, match=r"in.jsonl:2: repeats an earlier pair: the same images, prompt and answers"
    ):
        list(jsonl.read(path))
    assert "duplicate: pair-" in run(mix, "--flat", path, code=1)


@pytest.mark.parametrize("images", [["a.png"], ["a.png", "b.png"]])
def test_four_fields_go_through_every_command(images, here):
    lines = []
    for number, line in enumerate(forms(images).values()):
        said = f"Blue, number {number}."
        if isinstance(line["chosen"], str):
            line["chosen"] = said
        else:
            line["chosen"] = [*line["chosen"][:-1], spoken("assistant", said)]
        lines.append(line | {"more": 10**30})
    source, count = write(here / "in.jsonl", lines), len(lines)
    told = run(mix, "--flat", source, "-o", "mixed.jsonl")
    assert f"{count} pairs, shuffled: no level {count} (no task {count})" in told
    mixed = list(jsonl.read("mixed.jsonl"))
    assert sorted(one["chosen"][0]["content"][0]["text"] for one in mixed) == sorted(
        f"Blue, number {number}." for number in range(count)
    )
    assert all(one["more"] == 10**30 and not record.faults(one) for one in mixed)
    run(mix, "--interleave", source, "-o", "turns.jsonl")
    run(mix, "--flat", source, "--val", "0.3", "--oversample", "2", "-o", "copied.jsonl")
    run(mix, "--flat", source, "--pack", "packed")
    assert len(list(jsonl.read("packed/mix.jsonl"))) == count
    run(filter_, source, "--length-ratio", "0.01:100", "--dedup", "--audit", "audit.json", "--mpnet", "-1:1",
        "--text-model", "mini-text", "-o", "kept.jsonl")  # fmt: skip
    assert {one["id"] for one in jsonl.read("kept.jsonl")} == {one["id"] for one in mixed}
    assert json.loads((here / "audit.json").read_text())["no task"]["pairs"] == count
    run(view, source, "-o", "gallery.html")
    assert (here / "gallery.html").read_text().count("<article") == count
    for name in formats.writable():
        suffix = (
            "parquet"
            if name in ("parquet", "rlaif-v")
            else "json"
            if name in ("llava", "llama-factory")
            else "jsonl"
        )
        run(mix, "--flat", source, "--to", name, "-o", f"{name}.{suffix}")


def test_a_stage_that_needs_more_says_what(here):
    source = write(
        here / "in.jsonl", [forms(["a.png", "b.png"])["texts"] | {"rejected": f"No {i}."} for i in range(3)]
    )
    one = write(here / "one.jsonl", [forms(["a.png"])["texts"]])
    lacks = f"{source}:1: level: is missing: 3 of 3 pairs have none (--curriculum needs it)"
    assert lacks in run(mix, "--curriculum", source, "-o", "x.jsonl", code=1)
    told = run(mix, "--curriculum", source, "--on-error", "skip", "-o", "x.jsonl", code=3)
    assert "skipped 3 records: 3 level: is missing" in told
    assert "task: is missing" in run(mix, "--flat", "--per-task", "1", source, "-o", "x.jsonl", code=1)
    assert "source: is missing" in run(
        mix, "--interleave", "--per-source", "1", source, "-o", "x.jsonl", code=1
    )
    clip = ("--clip", "-1", "--clip-model", "mini-clip", "-o", "x.jsonl")
    assert "1: target: is missing (--clip needs grounding, or the target" in run(
        filter_, source, *clip, code=1
    )
    assert "skipped 3 records" in run(filter_, source, *clip, "--on-error", "skip", code=3)
    run(filter_, one, *clip)  # of a single image it is clear
    assert next(jsonl.read("x.jsonl"))["scores"]["clip"]["model"] == "mini-clip"


def test_four_fields_are_trained_on_and_asked(here):
    source = write(
        here / "in.jsonl", [forms(["a.png", "b.png"])["texts"] | {"rejected": f"No {i}."} for i in range(2)]
    )
    run(train, "--model", "mini", source, "--max-steps", "1", "--step-pairs", "2", "--lora-rank", "4",
        "--reference-cache", "cache", "-o", "run")  # fmt: skip
    assert "level: is missing in pair-" in run(
        train, "--model", "mini", source, "--stages", "level", "--max-steps", "1", "-o", "other", code=1
    )
    run(eval_, "--model", "mini", source, "--max-new-tokens", "2", "-o", "replies.jsonl")
    line = json.loads((here / "replies.jsonl").read_text().splitlines()[0])
    assert line["answer"] == RIGHT and line["correct"] is None and "level" not in line
    told = run(eval_, "--model", "mini", source, "--scoring", "likelihood", "-o", "likelier.jsonl")
    assert re.search(r"^pairs +2 ", told, re.MULTILINE)


def test_a_short_line_is_copied_in_full_and_a_full_one_as_it_stands(here):
    full = jsonl.dump(pair("named", images=["a.png", "b.png"]) | {"weight": 1.50})
    short = json.dumps(forms(["a.png", "b.png"])["texts"]).encode()
    (here / "in.jsonl").write_bytes(full.replace(b"1.5", b"1.50") + short + b"\n")
    run(mix, "--flat", "in.jsonl", "-o", "out/x.jsonl")
    one, other = sorted(
        (here / "out/x.jsonl").read_bytes().splitlines(), key=lambda line: b'"named"' not in line
    )
    assert b'"weight":1.50' in one
    assert json.loads(other)["prompt"][0]["content"][:2] == [{"type": "image"}] * 2
    for line in (one, other):
        assert all(image.startswith("/") for image in json.loads(line)["images"])
