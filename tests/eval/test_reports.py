"""Reports as LaTeX and as a page of HTML, of one run and of a comparison."""

from __future__ import annotations

import gzip
import json
import os
import re
from html.parser import HTMLParser

import pytest

from s2h.escape import latex
from tests.support import benchmarks
from tests.support.lines import write


@pytest.fixture()
def files(tmp_path):
    """Predictions of two models: after has two more right and one less."""
    for colour in ("red", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(benchmarks.picture(colour))
    lines = []
    for i in range(12):
        lines.append(
            {
                "id": f"blink/{i}", "bench": "blink", "category": ["Counting", "Jig_saw <b>"][i % 2], "target": [i % 2],
                "images": ["red.png", "blue.png"][: 1 + i % 3 % 2 + (i > 5)][:2], "question": f"Which {i}?", "answer": "A",
                "choices": {"A": "x", "B": "y"}, "response": "A" if i % 3 else "B", "model": "M&M_1",
            }
        )  # fmt: skip
    for name, right in (("a", set()), ("b", {0, 3})):
        made = [
            line | {"response": "A" if i in right else "B" if name == "b" and i == 1 else line["response"]}
            for i, line in enumerate(lines)
        ]
        write(tmp_path / f"{name}.jsonl", made)


class Page(HTMLParser):
    """The tables of a page, and whether all that opens is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.rows, self.tags = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "img", "input", "br"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        assert not any(
            name == "style" or name.startswith("on") for name, _ in attributes
        )  # the policy forbids both

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and "tr" in self.open and self.rows:
            self.rows[-1][-1] += data


def parsed(path) -> Page:
    page = Page()
    page.feed(path.read_text())
    assert page.open == []
    return page


def test_one_run_as_latex_and_html(run, files, tmp_path):
    for name in ("r.tex", "r.html", "r.json"):
        run("--score", "a.jsonl", "--report", name, "-o", "s.jsonl")
    told = (tmp_path / "r.tex").read_text()
    assert told.startswith("% ") and r"\begin{tabular}{lrrrr}" in told and told.endswith("\\end{tabular}\n")
    row = next(line for line in told.splitlines() if line.startswith("blink Jig"))
    assert row.startswith(r"blink Jig\_saw <b> & 66.7 & ") and row.endswith(r" \\") and row.count(" & ") == 4
    assert "blink, mean of sub-tasks & 66.7 & " in told
    page = parsed(tmp_path / "r.html")
    report = json.loads((tmp_path / "r.json").read_text())
    rows = {row[0]: row for row in reversed(page.rows)}
    assert rows["blink"][1:3] == ["12", "66.7"] and rows["blink Jig_saw <b>"][2] == "66.7"
    assert {"1 image", "2 images", "S2H-DPO"} <= rows.keys() and rows["blink, mean of sub-tasks"][1] == "2"
    assert page.tags.count("rect") == len(report["by_position"]) and "article" not in page.tags
    assert page.tags.count("circle") == len(report["rows"]) + len(report["metrics"]) + len(
        report["by_images"]
    )


def test_a_comparison_as_latex_and_html_with_the_changed_questions(run, files, tmp_path):
    for name in ("a", "b"):
        run("--score", f"{name}.jsonl", "-o", f"{name}s.jsonl")
    for name in ("c.tex", "c.html", "c.json"):
        run("--compare", "as.jsonl", "bs.jsonl", "--report", name)
    told = (tmp_path / "c.tex").read_text()
    assert re.search(
        r"^blink & 66\.7 & 75\.0 & \$\+8\.3\$ & \$-?\+?[\d.]+\$ to \$\+[\d.]+\$ & [\d.e-]+ & 12 \\\\$",
        told,
        re.M,
    )
    page = parsed(tmp_path / "c.html")
    assert page.tags.count("article") == 3  # two gained, one lost, with their pictures
    text = (tmp_path / "c.html").read_text()
    assert re.findall('<article.*?data-verdict="(.*?)"', text) == ["gained", "gained", "lost"]
    assert text.count("<figure") >= 3
    row = next(row for row in page.rows if row[0] == "blink")
    assert row[2:5] == ["66.7", "75.0", "+8.3"] and row[7:9] == ["2", "1"]
    assert "gain in points, with its paired bootstrap interval" in text


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_report_that_cant_be_written_leaves_the_predictions(run, files, tmp_path):
    (tmp_path / "r.html").symlink_to("/dev/full")
    told = run("--score", "a.jsonl", "-o", "s.jsonl.gz", "--report", "r.html", status=1)
    assert "r.html: No space left on device" in told
    assert len(gzip.decompress((tmp_path / "s.jsonl.gz").read_bytes()).splitlines()) == 12


def test_names_are_escaped_for_latex():
    assert latex("a_b & 5% of $x$ {#1} ~^\\\n") == (
        r"a\_b \& 5\% of \$x\$ \{\#1\} \textasciitilde{}\textasciicircum{}\textbackslash{} "
    )
