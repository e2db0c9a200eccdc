"""--score and --compare on unusual, wrong and hostile lines; chance; the notes of a report."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from click.testing import CliRunner

from s2h.cli.eval import main
from s2h.eval import accuracy, comparison, comparison_report, report, revisions
from s2h.eval.benches.blink import REVISION
from s2h.eval.chance import chance as blind
from s2h.record import RecordError
from tests.support import benchmarks


@pytest.fixture()
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, status: int = 0) -> str:
        done = CliRunner().invoke(main, [*map(str, arguments)])
        assert done.exit_code == status and "Traceback" not in done.output, done.output
        return done.output

    return command


def write(path, lines: list[dict]):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(i: object = 1, **more) -> dict:
    made = {
        "id": str(i),
        "bench": "m",
        "answer": "A",
        "response": "A",
        "choices": {"A": "x", "B": "y"},
        "correct": True,
    }
    return made | more


WRONG = [
    ({"answer": ["A"]}, "answer: must be a text or a number: it is a list (several right answers need answer_type word)"),
    ({"answer": {"A": 1}}, "answer: must be a text or a number: it is an object"),
    ({"answer": ["yes"], "answer_type": "yes/no"}, "answer: must be a text or a number: it is a list"),
    ({"id": None}, "id: must be a text: it is null (a prediction has id, bench, answer and response)"),
    ({"id": 1.5}, "id: must be a text: it is a number"),
    ({"id": ["1"]}, "id: must be a text: it is a list"),
    ({"id": ""}, "id: must be a text: it is empty"),
    ({"bench": None}, "bench: must be a text: it is null"),
    ({"response": ["A"]}, "response: must be a text: it is a list"),
    ({"response": 3}, "response: must be a text: it is a number"),
    ({"choices": 3}, "choices: must be an object of letters or a list: it is a number"),
    ({"choices": {"1": "x", "2": "y"}}, "choices: must have letters as labels: '1'"),
    ({"choices": [["x"], "y"]}, "choices[A]: must be a text or a number: it is a list"),
    ({"images": "a.png"}, "images: must be a list of image references: it is a text"),
    ({"target": ["0"]}, "target[0]: must be an image position from 0: it is a text"),
    ({"correct": "yes"}, "correct: must be true, false or null: it is a text"),
    ({"category": {"a": 1}}, "category: must be a text: it is an object"),
    ({"model": ["m"]}, "model: must be a text: it is a list"),
    ({"answer_type": ["word"]}, "answer_type: must be a text: it is a list"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "message"), WRONG)
def test_a_field_of_another_type_is_told_by_line_and_field(run, tmp_path, more, message):
    write(tmp_path / "bad.jsonl", [line(1), line(2, **more), line(3)])
    write(tmp_path / "good.jsonl", [line(1), line(3)])
    assert f"main: bad.jsonl:2: {message}" in run("--score", "bad.jsonl", status=1)
    assert f"main: bad.jsonl:2: {message}" in run("--compare", "good.jsonl", "bad.jsonl", status=1)
    told = run("--score", "bad.jsonl", "--on-error", "skip", "-o", "s.jsonl", status=3)
    assert "skipped 1 record" in told and len((tmp_path / "s.jsonl").read_text().splitlines()) == 2
    told = run("--compare", "good.jsonl", "bad.jsonl", "--on-error", "skip", "--report", "c.json", status=3)
    made = json.loads((tmp_path / "c.json").read_text())
    assert made["rows"][0]["n"] == 2 and made["notes"][0].startswith("left out: bad.jsonl:2: ")


def test_an_id_stands_once(run, tmp_path):
    write(tmp_path / "p.jsonl", [line(1), line(2), line("1")])
    assert "p.jsonl:3: id: duplicate: '1', first in p.jsonl:1" in run("--score", "p.jsonl", status=1)
    told = run("--compare", "p.jsonl", "p.jsonl", status=1)
    assert "p.jsonl:3: id: duplicate: '1', first in p.jsonl:1" in told
    write(tmp_path / "other.jsonl", [line(2)])
    write(tmp_path / "one.jsonl", [line(1) | {"id": 2}])
    assert "one.jsonl:1: id: duplicate" in run("--score", "other.jsonl", "one.jsonl", status=1)
    run("--score", "p.jsonl", "--on-error", "skip", "--report", "r.json", status=3)
    assert json.loads((tmp_path / "r.json").read_text())["rows"][0]["n"] == 2


def test_ids_are_compared_as_text(run, tmp_path):
    write(tmp_path / "a.jsonl", [line() | {"id": 7}])
    write(tmp_path / "b.jsonl", [line(7)])
    assert json.loads(run("--compare", "a.jsonl", "b.jsonl", "--quiet"))["rows"][0]["n"] == 1


def test_an_empty_file_is_an_error(run, tmp_path):
    (tmp_path / "e.jsonl").touch()
    write(tmp_path / "p.jsonl", [line()])
    assert "e.jsonl: holds no lines" in run("--score", "e.jsonl", status=1)
    assert "e.jsonl: holds no lines" in run("--score", "p.jsonl", "e.jsonl", "--on-error", "skip", status=3)
    assert "e.jsonl: no predictions" in run("--compare", "p.jsonl", "e.jsonl", status=1)
    assert "e.jsonl: holds no lines" in run("--model", "mini", "e.jsonl", status=1)
    assert "e.jsonl: is empty (a failed download?)" in run("--model", "mini", "--bench", "e.jsonl", status=1)
    assert "no such file: none" in run("--score", "p.jsonl", "none", "-o", "s.jsonl", status=1)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"question": "Q2?"}, "question: another question under the same id: 2 of 3 questions: '1' (a.jsonl:1 and"),
        ({"choices": {"A": "y", "B": "x"}}, "choices: another choices under the same id: 2 of 3 questions: '1' (a.jsonl:1"),
        ({"answer": "B"}, "answer: another answer under the same id: 2 of 3 questions: '1' (a.jsonl:1 and b.jsonl:1), '2'"),
        ({"scoring": "likelihood"}, "scoring: another scoring under the same id"),
        ({"parser": "lmms"}, "parser: another parser under the same id"),
    ],
)  # fmt: skip
def test_files_with_other_questions_are_refused(run, tmp_path, more, message):
    asked = [line(i, question="Q?") for i in (1, 2, 3)]
    write(tmp_path / "a.jsonl", asked)
    write(tmp_path / "b.jsonl", [asked[0] | more, asked[1] | more, asked[2]])
    assert message in run("--compare", "a.jsonl", "b.jsonl", status=1)
    run("--compare", "a.jsonl", "b.jsonl", "--on-error", "skip", "--report", "c.json", status=3)
    made = json.loads((tmp_path / "c.json").read_text())
    assert made["rows"][0]["n"] == 1 and message in made["notes"][0]


def test_what_one_file_does_not_tell_is_no_difference(run, tmp_path):
    write(tmp_path / "a.jsonl", [line(1, question="Q?  x")])
    write(tmp_path / "b.jsonl", [line(1, question="Q? x", choices=["x", "y"], answer="(A)")])
    write(tmp_path / "c.jsonl", [{"id": 1, "bench": "m", "answer": "A", "correct": False}])
    for other in ("b", "c"):
        assert json.loads(run("--compare", "a.jsonl", f"{other}.jsonl", "--quiet"))["rows"][0]["n"] == 1


def test_questions_of_one_file_only_are_counted(run, tmp_path):
    write(tmp_path / "a.jsonl", [line(1), line(2), line(3)])
    write(tmp_path / "b.jsonl", [line(1), line(4)])
    message = (
        "different questions: 3 of 4 are in one file only, such as '2' (2 only in a.jsonl, 1 only in b.jsonl)"
    )
    assert message in run("--compare", "a.jsonl", "b.jsonl", status=1)
    assert message in run("--compare", "a.jsonl", "b.jsonl", "--on-error", "skip", status=3)


def test_many_lines_left_out_are_counted_in_the_notes(run, tmp_path):
    lines = [line(i, images=[f"{i}.png"]) for i in range(30)]
    write(tmp_path / "a.jsonl", lines)
    write(tmp_path / "b.jsonl", [*lines[:5], *(one | {"correct": "yes"} for one in lines[5:])])
    run("--compare", "a.jsonl", "b.jsonl", "--on-error", "skip", "--report", "c.json", status=3)
    made = json.loads((tmp_path / "c.json").read_text())
    assert made["rows"][0]["n"] == 5 and len(made["notes"]) == 11
    assert made["notes"][-1] == "left out: 16 more for such reasons"


def test_values_from_data_are_shown_safely(run, tmp_path):
    hostile = {"bench": "x\x1b[31m\x07", "model": "<b>m</b>\n# h"}
    made = [
        line(i, category=c) | hostile for i, c in enumerate(("a|b\n# c", "![p](http://x)", "$a_{", "\x9b2J`"))
    ]
    write(tmp_path / "p.jsonl", made)
    write(tmp_path / "q.jsonl", [one | {"correct": i > 1} for i, one in enumerate(made)])
    told = run("--score", "p.jsonl", "-o", "s.jsonl", "--report", "r.md")
    told += run(
        "--compare",
        "p.jsonl",
        "q.jsonl",
        "q.jsonl",
        "--report",
        "c.md",
        "--plot",
        "c.png",
        "--gallery",
        "g.html",
    )
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", told)
    for name, columns in (("r.md", 7), ("c.md", 10)):
        text = (tmp_path / name).read_text()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f<]", text) and not re.search(r"[^\\]\]\(", text)
        table = [one for one in text.splitlines() if one.startswith("|")]
        assert len(table) >= 6 and {len(re.findall(r"(?<!\\)\|", one)) - 1 for one in table} == {columns}
        assert r"a\|b # c" in text and "\n# c" not in text
    assert "&lt;b&gt;m&lt;/b&gt; # h" in (tmp_path / "c.md").read_text()
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"


def of_kind(answers: list[str], **more) -> list[dict]:
    return [{"answer": answer, "correct": True, "bench": "m"} | more for answer in answers]


@pytest.mark.parametrize(
    ("lines", "chance"),
    [
        (of_kind(["yes", "no"] * 30, bench="pope", answer_type="yes/no"), 0.5),
        (of_kind(["Yes.", "no"], bench="pope"), 0.5),
        (of_kind(["yes"]), 0.5),
        (of_kind(["A", "B", "C", "D"], choices={k: k for k in "ABCD"}), 0.25),
        (
            of_kind(["A"], choices={"A": "x", "C": "y"}) + of_kind(["B"], choices=dict.fromkeys("ABCD", "")),
            0.375,
        ),
        (of_kind([1], answer_type="image", images=["a", "b"], category="kinship", level=2), 1 / 2),
        (of_kind([1], answer_type="image", images=["a", "b"], category="search", level=3), 1 / 3),
        (of_kind([7], answer_type="number", images=["a", "b"], category="arithmetic", level=2), 1 / 19),
        (of_kind([7], answer_type="number", images=["a"] * 5, category="arithmetic", level=2), 1 / 28),
        (of_kind([1], answer_type="number", images=["a"] * 3, category="search", level=3), 1 / 4),
        (of_kind([[1, 2, 3]], answer_type="order", images=["a"] * 3, level=2), 1 / 6),
        (of_kind(["red"], answer_type="word", candidates=["red", "blue", "green"]), 1 / 3),
        (of_kind(["x"], scoring="likelihood", answer_type="caption"), 0.5),
        (of_kind(["red"], answer_type="word"), None),
        (of_kind([3], answer_type="number", images=["a"]), None),
        (of_kind([1], answer_type="image"), None),
        (of_kind(["yes"]) + of_kind(["A dog."], answer_type="caption"), None),
    ],
)
def test_chance_is_at_least_one_over_the_possible_answers(lines, chance):
    assert blind(lines) == (None if chance is None else pytest.approx(chance))


def test_an_unknown_chance_is_not_shown():
    made = report.make([accuracy.slim(one | {"id": "1"}) for one in of_kind(["red"], answer_type="word")])
    assert made["rows"][0]["chance"] is None and "| - | 0.0 |" in report.markdown(
        {**made, "rows": [made["rows"][0] | {"unparsed": 0.0}]}
    )


def changes(gained: int, lost: int, same: int) -> tuple[list[dict], list[dict]]:
    before = [False] * gained + [True] * lost + [True] * same
    after = [True] * gained + [False] * lost + [True] * same
    return tuple(
        [line(i, bench="pope", correct=right) for i, right in enumerate(side)] for side in (before, after)
    )


@pytest.mark.parametrize(
    ("gained", "lost", "same", "verdict"),
    [
        (0, 0, 5, "not shown"),
        (5, 0, 0, "not shown"),
        (1, 1, 998, "kept"),
        (5, 5, 90, "not shown"),
        (0, 60, 40, "lost"),
        (60, 0, 40, "gained"),
        (2, 4, 94, "not shown"),
    ],
)
def test_kept_needs_evidence(run, tmp_path, gained, lost, same, verdict):
    before, after = changes(gained, lost, same)
    (row,) = comparison.compare(before, after, ("a", "b"))
    assert row["verdict"] == verdict
    assert comparison_report.rows_table([row]).splitlines()[1].endswith(f"  {verdict}")
    assert comparison_report.rows_markdown([row], ("a", "b")).splitlines()[4].endswith(f"| {verdict} |")


def test_the_margin_is_an_option(run, tmp_path):
    before, after = changes(5, 5, 90)
    write(tmp_path / "a.jsonl", before)
    write(tmp_path / "b.jsonl", after)
    for margin, verdict in (((), "not shown"), (("--margin", "20"), "kept")):
        told = json.loads(run("--compare", "a.jsonl", "b.jsonl", "--quiet", *margin))
        assert told["rows"][0]["verdict"] == verdict and told["margin"] == float((margin or (0, 2))[1])
    assert "-20 points" in run("--compare", "a.jsonl", "b.jsonl", "--margin", 20)
    assert "--margin goes with --compare" in run("--score", "a.jsonl", "--margin", 1, status=2)


def test_fewer_questions_than_the_benchmark_has_are_told_in_the_table(run, tmp_path):
    write(tmp_path / "p.jsonl", [line(i, bench="mmstar", images=[f"{i}.png"]) for i in range(3)])
    note = "mmstar: 3 of the 1,500 questions of its val split"
    assert f"note: {note}" in run("--score", "p.jsonl", "--report", "r.json")
    run("--score", "p.jsonl", "--report", "r.md")
    assert json.loads((tmp_path / "r.json").read_text())["notes"] == [note]
    assert f"- {note}" in (tmp_path / "r.md").read_text()
    assert note in json.loads(run("--compare", "p.jsonl", "p.jsonl", "--quiet"))["notes"]
    whole = [accuracy.slim(line(i, bench="mmstar", images=["x"])) for i in range(1500)]
    assert report.make(whole)["notes"] == []
    pope = [
        accuracy.slim(line(i, bench="pope", category="random,popular,adversarial", images=["x"]))
        for i in range(3000)
    ]
    assert report.notes({"pope": pope}) == []


def test_lines_that_do_not_name_their_images_are_told():
    lines = [line(1), line(2, images=["a.png"])]
    assert report.make([accuracy.slim(one) for one in lines])["notes"] == [
        "m: 1 of 2 lines doesn't name its images, so questions about one image count as independent"
    ]


def blink(answers: str, **more) -> list[dict]:
    tasks = ["Relative_Reflectance", "Counting"]
    return [
        line(
            f"blink/val_{tasks[i % 2]}_{i}",
            bench="blink",
            category=tasks[i % 2],
            answer=answers[i],
            correct=i < 3,
        )
        | more
        for i in range(len(answers))
    ]


def test_blink_has_its_score_without_the_relabelled_task(monkeypatch):
    lines = blink("ABABAB")
    made = report.make([accuracy.slim(one) for one in lines])
    found = {metric["name"]: metric["score"] for metric in made["metrics"]}
    assert found["without Relative_Reflectance"] == pytest.approx(1 / 3)
    assert found["mean of sub-tasks without Relative_Reflectance"] == pytest.approx(1 / 3)
    digest = revisions.fingerprint(lines[::2])
    assert made["labels"] == {
        "task": "Relative_Reflectance", "questions": 3, "fingerprint": digest, "version": None,
    }  # fmt: skip
    assert f"fingerprint {digest}, version not known" in report.table(made) + report.markdown(made)
    assert (
        revisions.fingerprint(reversed(lines[::2])) == digest != revisions.fingerprint(blink("BBABAB")[::2])
    )
    monkeypatch.setitem(REVISION.known, f"labels:{digest}", True)
    assert report.make([accuracy.slim(one) for one in lines])["labels"]["version"] == "corrected 2025-09-03"
    assert report.make([accuracy.slim(one) for one in lines[1::2]])["labels"] is None


def test_the_labels_of_a_table_are_told_by_its_md5(run, tmp_path, llava, monkeypatch):
    made = [
        {"index": i, "image": benchmarks.b64("red"), "question": "Darker?", "A": "left", "B": "right", "answer": "A",
         "category": ("Relative_Reflectance", "Counting")[i]}
        for i in range(2)
    ]  # fmt: skip
    path = benchmarks.tsv(tmp_path / "BLINK.tsv", made)
    monkeypatch.setitem(REVISION.known, f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}", False)
    asked = ("--model", llava, "--bench", f"blink={path}", "--max-new-tokens", 1, "-o", "p.jsonl")
    told = run(*asked, "--report", "r.json")
    found = json.loads((tmp_path / "r.json").read_text())["labels"]
    assert found["version"] == "before 2025-09-03" and "about 90% of them were wrong until 2025-09-03" in told
    run("--score", "p.jsonl", "--report", "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["labels"] == found


def test_runs_on_other_labels_of_blink_are_refused():
    before, after = blink("ABABAB"), blink("BBABAB")
    told: list[Exception] = []
    with pytest.raises(
        RecordError, match="blink has other labels of Relative_Reflectance in the two files: fingerprints"
    ):
        comparison.compare(before, after, ("a", "b"))
    rows = {
        row["name"]: row["n"] for row in comparison.compare(before, after, ("a", "b"), on_error=told.append)
    }
    assert rows == {"blink": 3} and "another answer in 1 of 3 questions" in str(told[0])
    rows = {row["name"]: row["n"] for row in comparison.compare(before, before, ("a", "b"))}
    assert rows["blink"] == 6 and rows["blink without Relative_Reflectance"] == 3
