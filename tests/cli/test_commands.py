"""`s2h` lists the commands and runs each under its own name; names that are mistyped get a suggestion and status 2."""

from __future__ import annotations

import re
import sys

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
        ("gen kinship --negativ x", "'--negative'"),
        ("gen vqa --layout gird", "Did you mean 'grid'?"),
        ("mix --flat x --to llama-factry", "'llama-factory'"),
        ("train --recipe S2H-falt", "Did you mean 's2h-flat'"),
        ("eval --model mini --bench blnk", "did you mean blink"),
        ("eval --card mantsi", "did you mean mantis"),
        ("eval --like vlmeval", "Did you mean 'vlmevalkit'?"),
    ],
)
def test_a_mistyped_name_gets_a_suggestion(typed, meant):
    done = CliRunner().invoke(commands.main, typed.split())
    assert done.exit_code == 2
    assert meant in done.stderr.splitlines()[-1]
