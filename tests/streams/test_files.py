"""Folders that are looked through, whatever links lie in them."""

from __future__ import annotations

import os

from s2h.eval.questions import tables
from s2h.streams.files import below


def test_a_folder_with_links_to_itself_has_an_end(tmp_path):
    """Each path through two loops leads on: without a memory of the folders there are 2 ** 40 of them."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for name in ("one", "two", "three"):
        os.symlink(tmp_path, inner / name)
    os.symlink("loop", tmp_path / "loop")
    os.symlink("nowhere", tmp_path / "gone.tsv")
    os.mkfifo(tmp_path / "pipe.tsv")
    (inner / "x.tsv").write_text("question\n")
    found = [os.path.relpath(path, tmp_path) for path in below(str(tmp_path))]
    assert found == ["gone.tsv", "loop", "pipe.tsv", "a/b/x.tsv"]
    assert tables.files(str(tmp_path), ("val",), lambda name: True) == [str(inner / "x.tsv")]
    assert list(below(str(tmp_path / "none"))) == []
