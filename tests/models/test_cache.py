"""The --cache folder keeps whole rows by content and model. Damaged rows are never used."""

import sqlite3
import threading
from pathlib import Path

import numpy
import pytest
from click.testing import CliRunner
from PIL import Image

from s2h.cli.filter import main
from s2h.filters import clip_claims, judge
from s2h.filters.engine import Engine
from s2h.models import clip as models
from s2h.models.cache import VERSION, Embeddings, Folder, brief
from s2h.record import RecordError
from tests.support import clips
from tests.support.records import lines, pair

ROWS = {brief(f"row {i}"): numpy.random.default_rng(i).random(64, dtype="float32") for i in range(300)}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path, said):
    return Folder(str(tmp_path / "kept"), said.append)


def stored(folder) -> Path:
    file = folder.open("clip-images", "abc")
    file.put(ROWS)
    file.base.close()
    return Path(file.path)


def test_rows_come_back_bit_by_bit(folder, said):
    stored(folder)
    found = folder.open("clip-images", "abc").get([*ROWS, brief("none")])
    assert found.keys() == ROWS.keys() and all((found[key] == ROWS[key]).all() for key in ROWS)
    assert folder.open("clip-images", "other model").get(list(ROWS)) == {} and said == []


@pytest.mark.parametrize("length", [0, 1, 100, 5000, 40_000])
def test_a_truncated_file_is_reported_and_replaced(folder, said, length):
    path = stored(folder)
    data = path.read_bytes()
    assert length < len(data)
    path.write_bytes(data[:length])
    file = folder.open("clip-images", "abc")
    found = file.get(list(ROWS))
    assert all((row == ROWS[key]).all() for key, row in found.items()) and len(found) < len(ROWS)
    assert len(said) == (1 if length > 1 else 0) or length == 1
    file.put(ROWS)
    assert len(file.get(list(ROWS))) == len(ROWS)


def test_other_versions_other_files_and_damaged_rows(folder, said):
    path = stored(folder)
    base = sqlite3.connect(path)
    base.execute("UPDATE kept SET row = zeroblob(256) WHERE key = ?", [next(iter(ROWS))])
    base.commit()
    base.close()
    assert len(folder.open("clip-images", "abc").get(list(ROWS))) == len(ROWS) - 1
    assert said.pop().endswith("1 damaged entry is computed anew")
    base = sqlite3.connect(path)
    base.execute(f"PRAGMA user_version = {VERSION + 1}")
    base.commit()
    base.close()
    assert folder.open("clip-images", "abc").get(list(ROWS)) == {}
    assert f"was written by another version ({VERSION + 1}, not {VERSION}): it is replaced" in said.pop()
    path.write_bytes(b"something else " * 1000)
    assert folder.open("clip-images", "abc").get(list(ROWS)) == {}
    assert "file is not a database: it is replaced" in said.pop() and said == []


def test_two_runs_write_at_the_same_time(folder, said):
    def write(start: int) -> None:
        file = folder.open("text-texts", "abc")
        for key in list(ROWS)[start:60:2]:
            file.put({key: ROWS[key]})

    threads = [threading.Thread(target=write, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folder.open("text-texts", "abc").get(list(ROWS))) == 60 and said == []


def test_runs_that_make_the_file_at_the_same_time_keep_it(folder, said):
    together = threading.Barrier(4)

    def begin() -> None:
        for n in range(50):
            together.wait()
            folder.open("text-texts", str(n))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == []


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"--cache .*file.*name a folder"):
        Folder(str(tmp_path / "file"))


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("in.jsonl").write_bytes(lines(2))
    for arguments in (("--cache", "file/kept"), ("--cache", "/proc/kept")):
        done = CliRunner().invoke(main, ["in.jsonl", "--length-ratio", "0.1:10", *arguments])
        assert done.exit_code == 0 and done.stdout.count("\n") == 2
        assert (
            done.stderr.count("warning: --cache") == 1 and "nothing is kept for the next run" in done.stderr
        )


def test_memory_asks_the_file_before_the_model(folder):
    stored(folder)
    asked = []

    def embed(missing):
        asked.extend(missing)
        return [(key, numpy.ones(64, dtype="float32")) for key in missing]

    memory = Embeddings(file=folder.open("clip-images", "abc"))
    new = brief("new")
    assert len(memory.get([*ROWS, new], embed)) == len(ROWS) + 1 and asked == [new]
    assert set(folder.open("clip-images", "abc").get([new])) == {new}


def test_a_second_run_loads_no_model_and_sees_what_has_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = str(clips.build(tmp_path / "model"))
    loads = []

    def load(name: str):
        loads.append(name)
        return models.load(name)

    def run() -> list[float]:
        with Engine({"clip": load}, cache=Folder("kept")) as engine:
            done = judge([pair(images=["one.png", "two.png"])], [clip_claims.build(engine, model=model)])
            return [record["scores"]["clip"]["chosen"] for record, _ in done]

    for i, name in enumerate(("one", "two")):
        Image.effect_noise((32, 32), 40 + 60 * i).convert("RGB").save(f"{name}.png")
    first = run()
    assert run() == first and loads == [model]
    Path("two.png").replace("one.png")  # other content under the same name
    Image.new("RGB", (8, 8)).save("two.png")
    assert run() != first and len(loads) == 2
    clips.build(tmp_path / "model", seed=1)  # another model under the same name
    assert run() != first and len(loads) == 3
