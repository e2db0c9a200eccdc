"""`s2h` lists the commands and runs each under its own name; names that are mistyped get a suggestion and status 2."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from s2h.cli import commands, gen, mix, train, view
from s2h.cli import eval as evaluation
from s2h.cli import filter as filtering
from tests.support.commands import run
from tests.support.house import ROOT
from tests.support.records import lines

MAINS = {"gen": gen, "filter": filtering, "mix": mix, "train": train, "eval": evaluation, "view": view}


@pytest.fixture(autouse=True)
def own_arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["s2h"])  # which a command replaces


def test_s2h_alone_lists_the_commands_and_the_road():
    alone, asked = CliRunner().invoke(commands.main, []), CliRunner().invoke(commands.main, ["--help"])
    assert (alone.exit_code, alone.stdout) == (0, asked.stdout)
    assert re.findall(r"^  s2h (\w+)  +[A-Z]", alone.stdout, re.M) == [
        "gen",
        "filter",
        "mix",
        "train",
        "eval",
        "view",
    ]
    pipe = re.search(r"```\n(s2h-gen .+?)```", (ROOT / "README.md").read_text(), re.S)[1]
    assert pipe.strip() == commands.ROAD and all(f"  {line}\n" in alone.stdout for line in pipe.splitlines())


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_a_command_keeps_its_name_and_help(name):
    through = CliRunner().invoke(commands.main, [name, "-h"])
    direct = CliRunner().invoke(MAINS[name].main, ["-h"], prog_name=f"s2h-{name}")
    assert (through.exit_code, through.stdout) == (0, direct.stdout)
    assert through.stdout.startswith(f"Usage: s2h-{name} ")


@pytest.mark.parametrize("name", [*commands.COMMANDS, "commands"])
def test_a_command_runs_as_a_module(name, monkeypatch, capsys):
    """As in `python -m s2h.cli.gen` and `accelerate launch -m s2h.cli.train`."""
    monkeypatch.setattr("sys.argv", ["-", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(commands.__file__).with_name(f"{name}.py")), run_name="__main__")
    assert ended.value.code == 0 and capsys.readouterr().out.startswith("Usage: s2h")


def test_a_command_keeps_its_streams_messages_and_status(tmp_path):
    assert run("s2h", "filter", cwd=tmp_path, input=lines(2).decode()).stdout == lines(2).decode()
    failed = run("s2h", "view", "none.jsonl", cwd=tmp_path, status=1)
    assert failed.stderr.startswith("s2h-view: no such file: none.jsonl")
    assert sys.argv == ["s2h"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("trian", "Did you mean 'train'?"),
        ("s2h-fliter", "Did you mean 'filter'?"),
        ("xyz", "Without one, s2h lists them all."),
        ("--verison", "Did you mean '--version'?"),
        ("gen kinshp", "Did you mean 'kinship'?"),
        ("gen", "Error: Missing argument 'TASK'. Choose from arithmetic, compare, kinship, search, vqa."),
        ("gen vqa --workers 2", "asks mini unless --negative is given"),
        ("gen kinship --negativ x", "'--negative'"),
        ("gen vqa --layout gird", "Did you mean 'grid'?"),
        ("mix --flat x --to llama-factry", "'llama-factory'"),
        ("train --recipe S2H-falt", "Did you mean 's2h-flat'"),
        ("eval --model mini --bench blnk", "did you mean blink"),
        ("eval --card mantsi", "did you mean mantis"),
        ("gen search --source cocoo:x", "Did you mean 'coco'?"),
        ("gen search --source bultin", "Did you mean 'builtin'?"),
        ("gen search --source coco", "--source coco:PATH"),
        (
            "eval --model runs --bench builtin",
            "Give a folder, a Hub id (OWNER/NAME) or a short name: llava-1.5-7b",
        ),
        ("train --model llava-1.5-7 l1.jsonl --plan", "Did you mean 'llava-1.5-7b'?"),
        ("eval --like vlmeval", "Did you mean 'vlmevalkit'?"),
    ],
)
def test_a_mistyped_name_gets_a_suggestion(typed, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "l1.jsonl").write_bytes(lines(1))
    done = CliRunner().invoke(commands.main, typed.split())
    assert done.exit_code == 2
    assert meant in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("sys.version_info = (3, 9, 7)", "s2h-gen: Python 3.10 or newer is needed, and "),
        ("sys.path_importer_cache.clear(); sys.path[:] = sys.path[:1] + [p for p in sys.path if 'lib-dynload' in p"
         " or p.endswith('.zip') or p == os.path.dirname(os.__file__)]", "s2h-gen: the package click is missing"),
    ],
    ids=["old", "bare"],
)  # fmt: skip
def test_another_python_is_told_in_one_line(before, told):
    code = f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['bin/s2h-gen']; {before}; import s2h.cli"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert done.returncode == 1 and done.stderr.startswith(told) and done.stderr.count("\n") == 1, done.stderr
