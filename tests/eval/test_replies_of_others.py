"""Questions for other programs, and their replies: ours, VLMEvalKit's tables and lmms-eval's samples, joined to our ids."""

from __future__ import annotations

import json

import pytest

from tests.support import benchmarks
from tests.support.lines import read, write


def excel(path, rows: list[dict]):
    """As VLMEvalKit writes its predictions: numbers become numbers, and what is empty an empty cell."""
    import pandas

    pandas.DataFrame(rows).to_excel(path, index=False)


def test_questions_are_written_with_prompts_images_and_answers(run, tmp_path):
    benchmarks.blink(tmp_path / "BLINK")
    (tmp_path / "out").mkdir()
    told = run("--bench", "blink=BLINK", "--questions", "out/q.jsonl", "--prompt-style", "lmms", "--limit", 5)
    lines = read(tmp_path / "out" / "q.jsonl")
    assert len(lines) == 5 and "score" not in told
    assert [(line["id"], line["row"]) for line in lines][2:4] == [
        ("blink/val_Counting_3", 2),
        ("blink/val_Jigsaw_1", 0),
    ]
    line = lines[3]
    kinds = [part["type"] for part in line["prompt"][0]["content"]]
    assert kinds == ["image", "image", "text"] and line["prompt"][0]["content"][2]["text"].startswith(
        "Note: You only"
    )
    assert line["answer"] == "A" and not {"response", "model", "parsed"} & line.keys()
    assert all((tmp_path / "out" / image).is_file() for image in line["images"])


def test_our_own_lines_come_back_whole_or_with_an_id_only(run, tmp_path):
    benchmarks.pope(tmp_path / "POPE", count=2)
    run("--bench", "pope=POPE", "--questions", "q.jsonl")
    asked = read(tmp_path / "q.jsonl")
    write(tmp_path / "whole.jsonl", [line | {"response": "Yes."} for line in asked])
    write(
        tmp_path / "short.jsonl", [{"id": line["id"], "response": "Yes.", "model": "m"} for line in asked[:5]]
    )
    assert "have no reply" not in run("--score", "whole.jsonl", "--questions", "q.jsonl", "-o", "a.jsonl")
    told = run("--score", "short.jsonl", "--questions", "q.jsonl", "-o", "b.jsonl")
    assert "1 of 6 questions have no reply" in told
    whole, short = read(tmp_path / "a.jsonl"), read(tmp_path / "b.jsonl")
    assert [line["correct"] for line in whole] == [True, False] * 3 and whole[0]["images"] == short[0][
        "images"
    ]
    assert [line["correct"] for line in short] == [True, False, True, False, True] and "prompt" not in short[
        0
    ]
    run("--compare", "a.jsonl", "b.jsonl", "--on-error", "skip", status=3)  # one question is in one file only
    write(tmp_path / "alien.jsonl", [{"id": "pope/x/9", "response": "No"}])
    told = run("--score", "alien.jsonl", "--questions", "q.jsonl", status=1)
    assert "alien.jsonl:1: id: pope/x/9 is none of the questions of q.jsonl" in told


MMSTAR = (
    {"index": 0, "question": "What is shown?", "A": "a dog", "B": "None", "C": None, "D": None, "answer": "B",
     "category": "math", "l2_category": "geometry", "prediction": "B"},
    {"index": 1, "question": "What else?\tA tab, a\nline", "A": "a dog", "B": "a cat", "C": "a fish", "D": "NA",
     "answer": "D", "category": "math", "l2_category": "geometry", "prediction": None},
)  # fmt: skip


@pytest.mark.parametrize("kind", ["xlsx", "tsv", "json"])
def test_vlmevalkit_s_table_stands_for_itself_and_has_the_ids_of_its_benchmark(run, tmp_path, kind):
    rows = [dict(row) for row in MMSTAR]
    path = tmp_path / f"LLaVA_v1.5_7b_MMStar.{kind}"
    if kind == "xlsx":
        excel(path, rows)
    elif kind == "tsv":
        benchmarks.tsv(
            path, [{key: value or "" if value != 0 else value for key, value in row.items()} for row in rows]
        )
    else:
        path.write_text(json.dumps(rows))
    told = run("--score", path, "-o", "s.jsonl", "--parser", "vlmevalkit")
    assert "replies in the layout of VLMEvalKit" in told
    first, second = read(tmp_path / "s.jsonl")
    assert (
        first["id"] == "mmstar/0"
        and first["choices"] == {"A": "a dog", "B": "None"}
        and first["correct"] is True
    )
    assert first["model"] == "LLaVA_v1.5_7b" and second["response"] == "" and second["correct"] is False
    # Our own run of the same table is compared with it.
    benchmarks.mmstar_tsv(tmp_path / "MMStar.tsv")
    run("--bench", "mmstar=MMStar.tsv", "--questions", "q.jsonl")
    write(tmp_path / "ours.jsonl", [line | {"response": "D"} for line in read(tmp_path / "q.jsonl")])
    run("--score", "ours.jsonl", "-o", "ours-scored.jsonl", "--parser", "vlmevalkit")
    told = run("--compare", "s.jsonl", "ours-scored.jsonl", "--report", "c.json")
    rows = json.loads((tmp_path / "c.json").read_text())["rows"]
    row = next(row for row in rows if row["name"] == "mmstar")
    assert (row["n"], row["gained"], row["lost"]) == (2, 1, 1)


def test_vlmevalkit_s_rows_are_joined_to_other_copies_by_their_words(run, tmp_path):
    benchmarks.muirbench(tmp_path / "MUIR")  # three questions with the same words
    benchmarks.naturalbench(tmp_path / "NaturalBench")
    benchmarks.blink(tmp_path / "BLINK")
    run("--bench", "muirbench=MUIR", "--questions", "muir.jsonl")
    run("--bench", "blink=BLINK", "--questions", "blink.jsonl")
    row = {
        "index": 7,
        "question": "How many? 0",
        "A": "zero",
        "B": "one",
        "answer": "A",
        "category": "x",
        "prediction": "A",
    }
    excel(tmp_path / "M_BLINK.xlsx", [row])
    told = run("--score", "M_BLINK.xlsx", "--questions", "blink.jsonl", status=1)
    assert (
        "id: 7 has the words of 2 questions, such as blink/val_Counting_1 and blink/val_Jigsaw_1, of blink.jsonl"
        in told
    )
    assert "make the questions from the copy of the benchmark that the other program has asked" in told
    only = [line for line in read(tmp_path / "blink.jsonl") if line["category"] == "Jigsaw"]
    write(tmp_path / "jigsaw.jsonl", only)
    run("--score", "M_BLINK.xlsx", "--questions", "jigsaw.jsonl", "-o", "s.jsonl")
    assert [(line["id"], line["correct"]) for line in read(tmp_path / "s.jsonl")] == [
        ("blink/val_Jigsaw_1", True)
    ]
    excel(tmp_path / "M_BLINK.xlsx", [row | {"answer": "B"}])
    told = run("--score", "M_BLINK.xlsx", "--questions", "jigsaw.jsonl", status=1)
    assert "blink/val_Jigsaw_1 has another right answer here, 'B', than in jigsaw.jsonl, 'A'" in told
    excel(tmp_path / "M_BLINK.xlsx", [row | {"question": "How much?"}])
    assert "7 has the words of no question of jigsaw.jsonl" in run(
        "--score", "M_BLINK.xlsx", "--questions", "jigsaw.jsonl", status=1
    )


def test_the_same_number_with_other_options_is_another_question(run, tmp_path):
    """Two copies number questions of the same words in their own ways."""
    asked = [
        {
            "id": f"blink/{i}",
            "bench": "blink",
            "question": "Which?",
            "choices": {"A": a, "B": b},
            "answer": "A",
        }
        for i, (a, b) in enumerate((("left", "right"), ("up", "down")))
    ]
    write(tmp_path / "q.jsonl", asked)
    rows = [{"index": i, "question": "Which?", "A": a, "B": b, "answer": "A", "prediction": "A"}
            for i, (a, b) in enumerate((("up", "down"), ("Left", "right")))]  # fmt: skip
    excel(tmp_path / "M_BLINK.xlsx", rows)
    run("--score", "M_BLINK.xlsx", "--questions", "q.jsonl", "-o", "s.jsonl")
    assert [line["id"] for line in read(tmp_path / "s.jsonl")] == ["blink/1", "blink/0"]


def sample(row: int, target: str, said: object, prompt: str, **more) -> dict:
    """A line as lmms-eval's log has it."""
    return {
        "doc_id": row, "target": target, "filtered_resps": said, "token_counts": [None], "doc_hash": "x",
        "blink_acc": {"sub_task": "x"}, "input": prompt, **more,
    }  # fmt: skip


def test_lmms_eval_s_samples_are_joined_by_row(run, tmp_path):
    benchmarks.blink(tmp_path / "BLINK")
    run("--bench", "blink=BLINK", "--questions", "q.jsonl")
    note = "Note: You only need to respond with A, B.\n"
    lines = [
        sample(0, "(A)", "(A)", f"{note}How many? 0\nSelect"),
        sample(1, "(B)", "B", f"{note}How many? 1\nSelect", resps=[["It is not B but A"]]),
    ]
    path = tmp_path / "logs" / "qwen" / "20260101_120000_samples_blink_jigsaw.jsonl"
    write(path, lines)
    told = run("--score", path, "--questions", "q.jsonl", "-o", "s.jsonl")
    assert "replies in the layout of lmms-eval" in told and "4 of 6 questions have no reply" in told
    first, second = read(tmp_path / "s.jsonl")
    assert (first["id"], first["model"], first["correct"]) == ("blink/val_Jigsaw_1", "qwen", True)
    assert (
        second["response"] == "It is not B but A" and second["parsed"] == "A" and len(second["images"]) == 2
    )
    write(
        tmp_path / "q-counting.jsonl",
        [line for line in read(tmp_path / "q.jsonl") if line["row"] or "Jig" not in line["id"]],
    )
    told = run("--score", path, "--questions", "q-counting.jsonl", status=1)
    assert (
        "doc_id: row 0 of blink jigsaw names no question of q-counting.jsonl" in told
    )  # though Counting has a row 0
    both = path.with_name("20260101_120000_samples_blink.jsonl")
    write(both, lines[:1])
    told = run("--score", both, "--questions", "q.jsonl", status=1)
    assert "doc_id: row 0 of blink may be blink/val_Counting_1 or blink/val_Jigsaw_1" in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"input": "Is there a cat?"},
            "doc_id: row 0 of pope is another question than pope/adversarial/1",
        ),
        (
            {"target": "no"},
            "answer: pope/adversarial/1 has another right answer here, 'no', than in q.jsonl, 'yes'",
        ),
        ({"doc_id": 99}, "doc_id: row 99 of pope names no question of q.jsonl"),
        ({"doc_id": "0"}, "doc_id: must be a whole number"),
        ({"filtered_resps": ["Yes", "No"]}, "resps: holds 2 replies, where one is scored"),
        ({"filtered_resps": [[3]]}, "resps: must be a text (give the samples"),
    ],
)
def test_a_sample_that_fits_no_question_is_an_error(run, tmp_path, change, message):
    benchmarks.pope(tmp_path / "POPE", count=2)
    run("--bench", "pope=POPE", "--questions", "q.jsonl")
    prompt = "Is there a dog in the image?\nAnswer the question using a single word or phrase."
    lines = [sample(0, "yes", "Yes", prompt) | change, sample(1, "no", ["No"], prompt)]
    write(tmp_path / "m" / "samples_pope.jsonl", lines)
    arguments = ("--score", "m/samples_pope.jsonl", "--questions", "q.jsonl", "-o", "s.jsonl")
    told = run(*arguments, status=1)
    assert f"samples_pope.jsonl:1: {message}" in told
    run(*arguments, "--on-error", "skip", status=3)
    assert [line["id"] for line in read(tmp_path / "s.jsonl")] == ["pope/adversarial/2"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--score", "samples_pope.jsonl"], 1, "write the benchmark's questions with --bench NAME=PATH --questions FILE"),
        (["--score", "samples_odd.jsonl"], 1, "the task 'odd' belongs to no known benchmark (name it: --bench NAME)"),
        (["--score", "odd.tsv"], 1, "odd.tsv: the file's name does not end in a benchmark's (_BENCHMARK)"),
        (["--score", "odd.tsv", "--bench", "pope"], 0, "pope"),
        (["--score", "odd.tsv", "--bench", "pope=POPE"], 2, "--score takes one --bench NAME"),
        (["--score", "blind_POPE.tsv"], 1, "blind_POPE.tsv:2: no reply: its fields are index, question"),
        (["--score", "blind_POPE.tsv"], 1, "VLMEvalKit's have index and prediction"),
        (["--score", "pic.png"], 1, "pic.png:1: not a JSON object: an image (name a file of JSON lines"),
        (["--card", ""], 2, "unknown benchmark ''"),
        (["--score", "cut.xlsx"], 1, "cut.xlsx: can't be read as an Excel file"),
        (["--score", "odd.tsv", "--bench", "pope", "--questions", "odd.tsv"], 1, "odd.tsv"),
        (["--questions", "q.jsonl", "--model", "mini"], 2, "--questions ask no model: they take no --model"),
        (["--questions", "q.jsonl", "-o", "x.jsonl"], 2, "--questions FILE names the output: it takes no -o"),
        (["--compare", "a", "b", "--questions", "q.jsonl"], 2, "--compare takes no --questions"),
    ],
)  # fmt: skip
def test_wrong_uses_are_told_in_one_line(run, tmp_path, arguments, status, message):
    write(tmp_path / "samples_pope.jsonl", [sample(0, "yes", "Yes", "?")])
    write(tmp_path / "samples_odd.jsonl", [sample(0, "yes", "Yes", "?")])
    benchmarks.tsv(
        tmp_path / "odd.tsv", [{"index": 1, "question": "Is it?", "answer": "yes", "prediction": "Yes"}]
    )
    benchmarks.tsv(tmp_path / "blind_POPE.tsv", [{"index": 1, "question": "Is it?"}])
    (tmp_path / "pic.png").write_bytes(benchmarks.picture())
    (tmp_path / "cut.xlsx").write_bytes(b"PK\x03\x04 cut")
    assert message in " ".join(run(*arguments, status=status).split())


def test_questions_of_the_built_in_world_need_nothing(run, tmp_path):
    run("--questions", "q.jsonl.gz", "-n", 1, "--quiet")
    import gzip

    lines = [
        json.loads(line) for line in gzip.decompress((tmp_path / "q.jsonl.gz").read_bytes()).splitlines()
    ]
    assert {line["bench"] for line in lines} == {"builtin"} and all("prompt" in line for line in lines)
