"""A format is one file: the one that s2h/README.md shows is added to the package, and the command reads, writes and lists
it."""

import json
from functools import partial

from tests.support import parts
from tests.support.commands import BIN
from tests.support.records import pair, pixel


def test_one_file_is_a_format(tmp_path):
    run = partial(parts.commands(tmp_path, "formats/toy.py"), "mix")
    record = dict(pair("a", [pixel(tmp_path / "a.png"), pixel(tmp_path / "b.png", "blue")]))
    (tmp_path / "ours.jsonl").write_text(json.dumps(record) + "\n")
    assert "toy is a toy" in " ".join(run("--help").stdout.split())
    done = run("--flat", "ours.jsonl", "--to", "toy", "-o", "data/toy.jsonl")
    assert "next: toy train data/toy.jsonl" in done.stderr
    row = json.loads((tmp_path / "data/toy.jsonl").read_text())
    assert row["ask"] == "Image 1:<image>Image 2:<image>What is the sum of the digits?"
    for named in ([], ["--from", "toy"]):
        done = run("--flat", "data/toy.jsonl", *named)
        assert "data/toy.jsonl: rows are read as toy (a toy)" in done.stderr
        again = json.loads(done.stdout)
        assert [again[name] for name in ("images", "prompt", "chosen", "rejected")] == [
            record[name] for name in ("images", "prompt", "chosen", "rejected")
        ]
    assert not (BIN.parent / "s2h/formats/toy.py").exists()
