"""Read the benchmarks in every supported layout, from small copies; each fault is one line with its place and field."""

from __future__ import annotations

import json
import os
import re

import pytest

from s2h import registry
from s2h.eval import benches
from s2h.eval.questions import Settings, any_lines, copies, lines, styles, tables
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.record import IMAGE, RecordError
from s2h.streams import jsonl
from tests.support import benchmarks
from tests.support.lines import shape


def test_blink(ask, tmp_path):
    made = ask("blink", benchmarks.blink(tmp_path / "BLINK"))
    assert [line["id"] for line, _ in made][:2] == ["blink/val_Counting_1", "blink/val_Counting_2"] and len(
        made
    ) == 6
    line, messages = made[4]
    assert line["category"] == "Jigsaw" and line["answer"] == "B" and line["answer_type"] == "choice"
    assert line["choices"] == {"A": "zero", "B": "one", "C": "None"}  # an option may be the word None
    assert shape(messages) == (
        "##How many? 1\nA. zero\nB. one\nC. None\nAnswer with the option's letter from the given choices directly."
    )
    assert [image.size for image in open_images(line["_pair"])] == [(24, 20), (24, 20)]


def test_a_hidden_test_split_has_questions_and_no_answers(ask, tmp_path):
    made = ask("blink", benchmarks.blink(tmp_path / "BLINK"), split="test")
    assert len(made) == 6 and all(line["answer"] is None for line, _ in made)
    with pytest.raises(RecordError, match="no split 'dev': it has val, test"):
        ask("blink", tmp_path / "BLINK", split="dev")


def test_mantis(ask, tmp_path):
    (choice, first), (short, second) = ask("mantis", benchmarks.mantis(tmp_path / "Mantis-Eval"))
    assert choice["id"] == "mantis_eval_0" and choice["answer"] == "A" and "choices" not in short
    assert (
        short["answer"] == "2" and short["question_type"] == "short-answer" and short["answer_type"] == "word"
    )
    assert shape(first).startswith("## Which one is red?\nA. the first") and shape(second).startswith(
        "###How many"
    )


def test_nlvr2_in_both_forms(ask, tmp_path):
    made = ask("nlvr2", benchmarks.nlvr2(tmp_path / "NLVR2"))
    assert [line["choices"][line["answer"]] for line, _ in made] == ["False", "True", "True", "False"]
    released = ask("nlvr2", benchmarks.nlvr2_release(tmp_path / "release"))
    assert [line["id"] for line, _ in released] == ["nlvr2/test1-0-0-0", "nlvr2/test1-0-1-0"]
    assert [line["choices"][line["answer"]] for line, _ in released] == ["True", "False"]
    assert shape(released[0][1]).startswith("## Here is a statement describing 2 images: There are two dogs.")
    assert len(open_images(released[0][0]["_pair"])) == 2


def test_mmstar_has_its_options_in_the_question(ask, tmp_path):
    line, messages = ask("mmstar", benchmarks.mmstar(tmp_path / "MMStar"))[2]
    assert (
        line["choices"] == {"A": "a dog", "B": "a cat", "C": "None", "D": "a fish"} and line["answer"] == "C"
    )
    assert line["l2_category"] == "common reasoning"
    assert shape(messages).count("a dog") == 1  # not told twice


def test_a_tsv_has_base64_pointers_tabs_and_the_word_none(ask, tmp_path):
    (first, _), (second, messages) = ask("mmstar", benchmarks.mmstar_tsv(tmp_path / "MMStar.tsv"))
    assert first["choices"] == {"A": "a dog", "B": "None"} and first["answer"] == "B"
    assert second["choices"]["D"] == "NA" and second["question"] == "What else?\tA tab, a\nline"
    assert first["images"] == second["images"]  # the second points at the first by its index
    assert shape(messages).startswith("#What else?\tA tab, a\nline\nA. a dog")


def test_a_tsv_may_list_images_or_name_files(ask, tmp_path):
    listed = str([benchmarks.b64("red"), benchmarks.b64("blue")])
    row = {
        "index": 7,
        "image": listed,
        "question": "Same?",
        "A": "yes",
        "B": "no",
        "answer": "B",
        "category": "Jigsaw",
    }
    (line, messages), = ask("blink", benchmarks.tsv(tmp_path / "BLINK.tsv", [row]))  # fmt: skip
    assert line["id"] == "blink/7" and len(line["images"]) == 2 and shape(messages).startswith("##Same?")
    named = {**row, "image_path": "red.png"}
    del named["image"]
    (tmp_path / "images" / "BLINK").mkdir(parents=True)
    (tmp_path / "images" / "BLINK" / "red.png").write_bytes(benchmarks.picture())
    (line, _), = ask("blink", benchmarks.tsv(tmp_path / "BLINK.tsv", [named]))  # fmt: skip
    assert open_images(line["_pair"])[0].size == (24, 20)


def test_pope_in_three_forms(ask, tmp_path):
    made = ask("pope", benchmarks.pope(tmp_path / "POPE"))
    assert [line["id"] for line, _ in made][3:5] == ["pope/adversarial/4", "pope/popular/1"] and len(
        made
    ) == 12
    assert (
        shape(made[0][1])
        == "#Is there a dog in the image?\nAnswer the question using a single word or phrase."
    )
    released = ask("pope", benchmarks.pope_release(tmp_path / "release"))
    assert [line["id"] for line, _ in released] == [
        f"pope/{s}/{i}" for s in ("popular", "random") for i in (1, 2)
    ]
    assert [line["answer"] for line, _ in released] == ["yes", "no"] * 2
    table = ask("pope", benchmarks.pope_tsv(tmp_path / "POPE.tsv"))
    assert table[0][0]["category"] == "random,popular" and table[1][0]["answer"] == "No"


def test_muirbench_has_images_in_its_options(ask, tmp_path):
    line, messages = ask("muirbench", benchmarks.muirbench(tmp_path / "MUIRBENCH"))[2]
    assert shape(messages).startswith(
        "# Which of the following shows the same scene?\nA. #\nB. #\nC. None of the"
    )
    assert line["answer"] == "C" and line["counterpart_idx"] == "9"
    first = ask("muirbench", tmp_path / "MUIRBENCH", place="first")[0][1]
    assert shape(first).startswith("###Which of the following")


def test_mirb_has_options_and_short_answers(ask, tmp_path):
    made = {line["category"]: line for line, _ in ask("mirb", benchmarks.mirb_release(tmp_path / "MIRB"))}
    assert made["food"]["choices"] == {"A": "the first", "B": "the second"} and made["food"]["answer"] == "B"
    assert made["count"]["answer_type"] == "word" and made["analogy"]["answer_type"] == "yes/no"
    assert made["count"]["id"] == "mirb/count/1" and made["count"]["group"] == "perception"


def test_a_file_whose_name_is_not_utf8_is_an_error_before_a_model_is_asked(ask, tmp_path):
    folder = benchmarks.mirb_release(tmp_path / "MIRB")
    os.rename(folder / "analogy.json", folder / os.fsdecode(b"caf\xe9.json"))
    with pytest.raises(RecordError, match=r"caf.*:1: has a text that is not UTF-8.*rename the file"):
        ask("mirb", folder)
    told: list[RecordError] = []
    assert len(ask("mirb", folder, on_error=told.append)) == 2 and len(told) == 1


def test_every_prompt_style_is_its_own(ask, tmp_path):
    benchmarks.blink(tmp_path / "BLINK")
    told = {style: shape(ask("blink", tmp_path / "BLINK", style=style)[0][1]) for style in styles.STYLES}
    own = "How many? 0\nSelect from the following choices.\n(A) zero\n(B) one"
    assert told["official"] == "#" + own
    assert told["lmms"] == (
        f"#Note: You only need to respond with A, B without providing any additional information.\n{own}"
    )
    assert told["vlmevalkit"] == (
        "#Question: How many? 0\nOptions:\nA. zero\nB. one\nPlease select the correct answer from the options above. \n"
    )
    benchmarks.muirbench(tmp_path / "MUIR")
    assert shape(ask("muirbench", tmp_path / "MUIR", style="official")[0][1]).endswith("directly.\nAnswer:")
    benchmarks.pope(tmp_path / "POPE")
    assert shape(ask("pope", tmp_path / "POPE", style="vlmevalkit")[0][1]) == "#Is there a dog in the image?"


def test_images_stand_where_the_marks_are():
    assert styles.parts("<image> and <image>: same?", 2) == [IMAGE, " and ", IMAGE, ": same?"]
    assert styles.parts("Same? <image>", 3) == [IMAGE, IMAGE, "Same? ", IMAGE]
    for words, images in (
        ("<image 1>, <image 3>, <image 2>", 3),
        ("<image 2> or <image 1>", 2),
        ("In <image 1>?", 2),
    ):
        # An image may not stand at another's number.
        named = re.sub(r"<(image \d)>", r"\1", words)
        assert styles.parts(words, images) == [IMAGE] * images + [named], words
    assert styles.parts("Not <image 2>.", 2) == [IMAGE, "Not ", IMAGE, "."]
    assert styles.parts("<image> or <image 1>?", 1) == [IMAGE, " or image 1?"]
    assert styles.parts("<image 1> is like <image 2>, not <image 1>.", 2) == [
        IMAGE, " is like ", IMAGE, ", not image 1.",
    ]  # fmt: skip
    with pytest.raises(RecordError, match="more <image> marks than images: 2 and 1"):
        styles.parts("<image><image>", 1)


def test_options_are_found_in_a_question():
    assert lines.options_within("Which?\nA. left\nB. right, or so\nC. none") == {
        "A": "left", "B": "right, or so", "C": "none",
    }  # fmt: skip
    assert (
        lines.options_within("Is it A. or what") == {}
        and lines.options_within("Image A: x. Image B: y") != {}
    )


def test_names_and_folders(tmp_path):
    other = ("BLINK-Benchmark/BLINK", "Mantis-Eval", "MUIRBENCH", "datasets--lmms-lab--POPE", "my own")
    assert [benches.plain(name) for name in other] == ["blink", "mantis", "muirbench", "pope", "my own"]
    benchmarks.pope(tmp_path / "lmms-lab" / "POPE")
    benchmarks.mmstar_tsv(tmp_path / "MMStar.tsv")
    assert copies.find("pope", str(tmp_path)) == str(tmp_path / "lmms-lab" / "POPE")
    assert copies.find("mmstar", str(tmp_path)) == str(tmp_path / "MMStar.tsv")
    with pytest.raises(RecordError, match=r"no copy of mirb in .*it holds MMStar.tsv, lmms-lab"):
        copies.find("mirb", str(tmp_path))


def test_a_hub_cache_is_read_by_its_newest_snapshot(ask, tmp_path):
    benchmarks.pope(tmp_path / "datasets--lmms-lab--POPE" / "snapshots" / "abc", count=2)
    assert len(ask("pope", copies.find("pope", str(tmp_path)))) == 6


def test_the_hub_is_read_through_datasets(tmp_path, monkeypatch):
    """`datasets` takes a folder where it takes a name."""
    monkeypatch.chdir(tmp_path)
    benchmarks.pope(tmp_path / "POPE", count=2)
    found = list(tables.hub(str(tmp_path / "POPE"), (None,), ("test",), ("question", "image")))
    assert (
        len(found) == 6 and found[0][1]["image"]["bytes"][:4] == b"\x89PNG" and "row 1" in found[0][1].where
    )
    with pytest.raises(RecordError, match="no such column"):
        list(tables.hub(str(tmp_path / "POPE"), (None,), ("test",), ("options",)))
    with pytest.raises(RecordError, match="can't be loaded from the Hub"):
        list(tables.hub(str(tmp_path / "none"), (None,), ("test",)))


def test_rows_are_read_as_they_are_needed(tmp_path):
    """A file of large row groups is not read whole for its first row."""
    import pyarrow

    blob = b"\x89PNG" + bytes(100_000)
    made = [{"question": str(i), "image": blob, "answer": "yes", "category": "random"} for i in range(400)]
    path = benchmarks.parquet(tmp_path / "POPE.parquet", made, row_group_size=20, compression="none")
    del made
    before = pyarrow.total_allocated_bytes()
    stream = tables.read([str(path)])
    next(stream)
    assert pyarrow.total_allocated_bytes() - before < 8 << 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "(G)"}, "row 1: answer: is none of the choices: '(G)' of A, B"),
        ({"question": None}, "row 1: question: is missing"),
        ({"idx": None}, "row 1: id: is missing"),
        ({"image_1": None}, "row 1: images: is missing or not a list"),
        ({"image_1": {"bytes": b"no image", "path": "x"}}, r"row 1: images[0]: not an image"),
        ({"idx": "val_Counting_2"}, "row 2: id: duplicate: blink/val_Counting_2"),
    ],
)
def test_a_bad_row_is_told_by_file_row_and_field(ask, tmp_path, change, message):
    root = benchmarks.blink(tmp_path / "BLINK")
    path = root / "Counting" / "val-00000-of-00001.parquet"
    import pyarrow.parquet

    made = pyarrow.parquet.read_table(path).to_pylist()
    made[0] |= change
    benchmarks.parquet(path, made)
    told: list[Exception] = []
    assert len(ask("blink", path, on_error=told.append)) == 2
    assert len(told) == 1 and message in str(told[0]) and str(told[0]).startswith(str(path))


def test_a_missing_column_and_a_broken_file_end_that_file_only(ask, tmp_path):
    root = benchmarks.blink(tmp_path / "BLINK")
    benchmarks.parquet(root / "Counting" / "val-00000-of-00001.parquet", [{"idx": "1", "question": "x"}])
    told: list[Exception] = []
    assert len(ask("blink", root, on_error=told.append)) == 3
    assert "choices or options: no such column: there are idx, question" in str(told[0])
    (root / "Counting" / "val-00000-of-00001.parquet").write_bytes(b"PAR1 not really")
    assert len(ask("blink", root, on_error=told.append)) == 3 and "can't be read" in str(told[1])


def test_bad_tsv_rows_are_told_by_line(ask, tmp_path):
    row = {
        "index": 1,
        "image": benchmarks.b64("red"),
        "question": "Same?",
        "A": "yes",
        "B": "no",
        "answer": "B",
    }
    bad = [
        row | {"index": 2, "image": "99"},
        row | {"index": 3, "image": "[1, 2"},
        row | {"index": 4, "image": "!" * 80},
    ]
    told: list[Exception] = []
    made = ask(
        "blink", benchmarks.tsv(tmp_path / "BLINK.tsv", [row, *bad, row | {"index": 5}]), on_error=told.append
    )
    assert [line["id"] for line, _ in made] == ["blink/1", "blink/5"] and len(told) == 3
    assert "BLINK.tsv:3: image: refers to a row without its own image: index 99" in str(told[0])


def write(path, lines: list[dict]):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return jsonl.read(str(path), check=None)


def test_any_lines_of_questions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "red.png").write_bytes(benchmarks.picture())
    lines = [
        {
            "images": ["red.png"],
            "question": "Which? <image>",
            "choices": ["one", "two"],
            "answer": "two",
            "target": [0],
        },
        {
            "id": "mine",
            "image": "red.png",
            "question": "Colour?",
            "answer": "red",
            "category": "easy",
            "bench": "mine",
        },
        {"images": ["red.png"], "question": "Is it?", "answer": "Yes"},
        {"images": ["red.png"], "question": "Hidden?", "choices": {"A": "x", "B": "y"}, "answer": None},
    ]
    made = list(
        any_lines.read(write(tmp_path / "set" / "colours.jsonl", lines), Settings(store=Store("images")))
    )
    assert [line["id"] for line, _ in made] == ["colours/1", "mine", "colours/3", "colours/4"]
    assert [line["answer_type"] for line, _ in made] == ["choice", "word", "yes/no", "choice"]
    assert made[0][0]["answer"] == "B" and made[0][0]["target"] == [0] and made[3][0]["answer"] is None
    assert made[0][0]["images"] == ["set/red.png"]
    assert open_images(made[0][0]["_pair"])[0].size == (24, 20)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"images": ["x.png"]}, "question: is missing (a question has images, question"),
        ({"question": "Q?", "answer": "x"}, "images: is missing"),
        ({"question": "Q?", "images": ["x.png"]}, "choices or answer: is missing"),
        ({"question": "Q?", "images": ["../x.png"], "answer": "x"}, "images[0]: leaves the folder of its record"),
        ({"question": "Q?", "images": ["x.png"], "choices": 3, "answer": "x"}, "choices: must be an object of letters or"),
        ({"question": "Q?", "images": ["x.png"], "answer": "x", "answer_type": "tune"}, "answer_type: unknown: 'tune'"),
        ({"question": "Q?", "images": ["x.png"], "answer": "B", "answer_type": "choice"}, "choices: is missing"),
        ({"prompt": [], "chosen": []}, "images: is missing"),
    ],
)  # fmt: skip
def test_bad_questions_are_told_by_line(tmp_path, line, message):
    good = {"images": ["y.png"], "question": "Q?", "answer": "x"}
    told: list[Exception] = []
    made = list(any_lines.read(write(tmp_path / "q.jsonl", [line, good]), Settings(on_error=told.append)))
    assert len(made) == 1 and len(told) == 1
    assert str(told[0]).startswith(f"{tmp_path}/q.jsonl:1: ") and message in str(told[0])


def test_the_listing_says_what_is_had_where():
    told = copies.listing()
    for name in registry.names("bench"):
        assert f"\n{name} " in f"\n{told}"
    assert "BLINK-Benchmark/BLINK (val 1,901" in told and "not stated" in told


def test_options_may_have_labels_of_their_own_or_other_letters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.png").write_bytes(benchmarks.picture())
    lines = [
        {"images": ["x.png"], "question": "Q?", "choices": ["(A) left", "(B) right"], "answer": "(B) right"},
        {"images": ["x.png"], "question": "Q?", "choices": {"P": "left", "Q": "right"}, "answer": "Q"},
        {
            "images": ["x.png"],
            "question": "Q?",
            "choices": list("abcdefghijklmnopqrstuvwxyz!"),
            "answer": "a",
        },
    ]
    told: list[Exception] = []
    (own, first), (other, second) = any_lines.read(
        write(tmp_path / "q.jsonl", lines), Settings(on_error=told.append)
    )
    assert own["choices"] == {"A": "left", "B": "right"} and own["answer"] == "B"
    assert (
        other["answer"] == "Q"
        and "P. left\nQ. right" in shape(second)
        and "A. left\nB. right" in shape(first)
    )
    assert "at most 26" in str(told[0])
