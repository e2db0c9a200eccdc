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
    "compare",
)  # vqa's negatives come from a model; its shards are tried with that


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def shell(script: str, data: bytes = b"") -> bytes:
    """The output of a pipe in bash, in which gen stands for s2h-gen."""
    head = f'gen() {{ {sys.executable} {BIN}/s2h-gen --size 32 "$@"; }}; export -f gen\n'
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", head + script], input=data, capture_output=True, timeout=600
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("task", TASKS)
def test_shards_add_up_to_the_whole(light, task, tmp_path):
    """The whole comes from a process of its own, with another hash seed."""

    def made(*more: str) -> bytes:
        return light.told("gen", task, "-n", "30", "--size", "32", *more, cwd=tmp_path).stdout.encode()

    whole = shell(f"gen {task} -n 30 --seed 5")
    assert whole.count(b"\n") == 30
    assert b"".join(made("--seed", "5", "--shard", f"{i}/4") for i in (1, 2, 3, 4)) == whole
    assert made("--seed", "6") != whole


@pytest.mark.skipif(not shutil.which("parallel"), reason="no GNU parallel")
def test_parallel_shards_add_up_to_the_whole():
    script = "parallel -k -j 2 gen search -n 20 --shard {}/3 ::: 1 2 3 2> err || { cat err >&2; false; }"
    assert shell(script) == shell("gen search -n 20")


def test_the_store_is_written_once(light, tmp_path):
    found = []
    for _ in range(2):
        done = light.told("gen", "search", "-n", "10", "--seed", "1", "--size", "32", cwd=tmp_path)
        times = {path: path.stat().st_mtime_ns for path in Path("s2h-images").rglob("*.png")}
        found.append((done.stdout, times))
    assert found[0] == found[1] and all(found[0])
    assert not list(Path().rglob("*.part"))


def test_parts_of_a_file_add_up_to_the_whole(light, tmp_path):
    Path("l2.jsonl").write_bytes(lines(40))
    subprocess.run(["split", "-n", "l/3", "l2.jsonl", "part."], check=True)

    def kept(name: str) -> str:
        return light.told("filter", "--length-ratio", "0.5:2", name, cwd=tmp_path).stdout

    whole = kept("l2")
    assert "".join(kept(part.name) for part in sorted(Path().glob("part.*"))) == whole
    assert whole.count("\n") == 40
