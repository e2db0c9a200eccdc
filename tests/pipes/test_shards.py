"""Work that is cut up gives the same records as work in one piece: shards of a generator, parts of a file."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.records import lines

BIN = Path(__file__).resolve().parents[2] / "bin"
TASKS = (
    "search",
    "arithmetic",
    "kinship",
)  # vqa's negatives come from a model; its shards are tried with that


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def shell(script: str, data: bytes = b"") -> bytes:
    """The output of a pipe in bash; gen and filter stand for the commands."""
    head = f'gen() {{ {sys.executable} {BIN}/s2h-gen --size 32 "$@"; }}; export -f gen\n'
    head += f'filter() {{ {sys.executable} {BIN}/s2h-filter --quiet "$@"; }}; export -f filter\n'
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", head + script], input=data, capture_output=True, timeout=600
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("task", TASKS)
def test_shards_add_up_to_the_whole(task):
    whole = shell(f"gen {task} -n 30 --seed 5")
    assert whole.count(b"\n") == 30
    assert shell(f"for i in 1 2 3 4; do gen {task} -n 30 --seed 5 --shard $i/4; done") == whole
    assert shell(f"gen {task} -n 30 --seed 6") != whole


@pytest.mark.skipif(not shutil.which("parallel"), reason="no GNU parallel")
def test_parallel_shards_add_up_to_the_whole():
    script = "parallel -k -j 2 gen search -n 20 --shard {}/3 ::: 1 2 3 2> err || { cat err >&2; false; }"
    assert shell(script) == shell("gen search -n 20")


def test_the_store_is_written_once():
    shell("gen search -n 10 --seed 1 > a; find s2h-images -name '*.png' -printf '%p %T@\n' | sort > before")
    shell(
        "gen search -n 10 --seed 1 > b; find s2h-images -name '*.png' -printf '%p %T@\n' | sort > after; cmp a b"
    )
    assert Path("before").read_text() == Path("after").read_text() != ""
    assert not list(Path().rglob("*.part"))


def test_parts_of_a_file_add_up_to_the_whole():
    Path("l2.jsonl").write_bytes(lines(40))
    whole = shell("filter --length-ratio 0.5:2 l2")
    parts = shell(
        "split -n l/3 l2.jsonl part. && for part in part.*; do filter --length-ratio 0.5:2 $part; done"
    )
    assert parts == whole
    assert whole.count(b"\n") == 40
