"""The scripts that make the miniatures run: each command of make.sh, with a few steps on a pool of a few pictures."""

from __future__ import annotations

import contextlib
import io
import json
import re
import runpy
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from s2h.models import clip, names, vlm

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "examples" / "miniature"
SMALL = {
    "--scenes": 40, "--faces": 300, "--digits": 60,
    "--tower-steps": 2, "--share": 1e-6, "--steps": 2, "--minutes": 0.001,
}  # fmt: skip
MORE = {"vlm.py": ["--texts", "210"], "clip.py": ["--batch", "8"], "text.py": ["--count", "60"]}


# Three steps on eight rows, which the processes share. The first process prints the weights.
STEPS = """
import sys
import torch
from torch import nn
sys.path.insert(0, sys.argv[1])
from steps import advance, is_first, leave, make_optimizers, processes

torch.manual_seed(0)
model = nn.ModuleDict({f"layer{i}": nn.Linear(6, 6) for i in range(3)} | {"last": nn.Linear(6, 4)})
rows, targets = torch.randn(8, 6), torch.randn(8, 4)
optimizers, (rank, count) = make_optimizers(model.named_parameters(), matrices=0.1, rest=0.1), processes()
for step in range(3):
    hidden = rows[rank::count]
    for name in ("layer0", "layer1", "layer2"):
        hidden = model[name](hidden).tanh()
    loss = (model["last"](hidden) - targets[rank::count]).pow(2).mean()
    loss.backward()
    numbers = advance(optimizers, step, step / 3, 1, (loss.item(), len(hidden)))
if is_first():
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    with open("found.txt", "w") as file:
        print(*weights.tolist(), numbers[0], numbers[1] * count, file=file)
leave()
"""


def run(script: str, *words: object) -> str:
    """Run a script in this process, which has imported torch already. Return what it printed."""
    import torch

    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.syspath_prepend(SCRIPTS)
        patch.setattr(sys, "argv", [script, *map(str, words)])
        patch.setattr(
            torch.nn.Module, "compile", lambda self, **_: None
        )  # compiling takes longer than these few steps
        before = torch.backends.mkldnn.matmul.fp32_precision  # which course.py lowers for its process
        try:
            runpy.run_path(str(SCRIPTS / script), run_name="__main__")
        finally:
            torch.backends.mkldnn.matmul.fp32_precision = before
    return said.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Run every command of make.sh with small numbers. Return its folder."""
    out = tmp_path_factory.mktemp("made")
    commands = re.findall(r'^"\$(?:python|{two\[@\]})" (.*)$', (SCRIPTS / "make.sh").read_text(), re.M)
    assert [command.split()[0] for command in commands] == [
        "pool.py",
        "vlm.py",
        "course.py",
        "clip.py",
        "text.py",
    ]
    for command in commands:
        script, *words = shlex.split(command.replace("$out", str(out)))
        words = [
            str(SMALL[before]) if before in SMALL else word
            for before, word in zip(["", *words], words, strict=False)
        ]
        run(script, *words, *MORE.get(script, []))
    return out


def test_each_stage_of_make_sh_writes_what_ships(made):
    for name in ("mini", "mini-clip", "mini-text"):
        files = {file.relative_to(made / name) for file in (made / name).rglob("*") if file.is_file()}
        shipped = names.bundled(name)
        wanted = {file.relative_to(shipped) for file in shipped.rglob("*") if file.is_file()}
        if version("sentence-transformers").startswith("5.4."):  # which does not write it
            wanted -= {Path("2_Normalize/config.json")}
        assert files >= wanted, name
        settings = [(folder / "tokenizer_config.json").read_text() for folder in (made / name, shipped)]
        where = {"is_local": None, "local_files_only": None}  # how the tokenizer was loaded before
        ours, theirs = (json.loads(text) | where for text in settings)
        assert ours == theirs, name


def test_the_clip_and_the_vlm_go_on_from_those_that_ship(made, tmp_path):
    shipped = names.bundled("mini-clip")
    out = tmp_path / "clip"
    said = run("clip.py", made / "pool", out, "--from", shipped, "--steps", 2, "--batch", 8, "--lr", 1e-4)
    assert "step 1 of 2" in said
    assert {file.name for file in out.iterdir()} == {file.name for file in shipped.iterdir()}
    texts = [
        "a picture of four trees",
        "the face of an old woman with curly red hair, brown skin and green eyes",
    ]
    before, after = clip.load("mini-clip").texts(texts), clip.load(str(out)).texts(texts)
    moved = abs(before - after).max()
    assert 0 < moved < 0.1  # trained, and from what ships

    out = tmp_path / "mini"
    run("course.py", made / "pool", out, "--model", names.bundled("mini"), "--from", -1, "--share", 1e-3)
    before, after = (vlm.load(str(one)).model.state_dict() for one in ("mini", out))
    moved = {name: float(abs(before[name] - after[name]).max()) for name in before}
    assert all((change > 0) != ("vision_tower" in name) and change < 0.1 for name, change in moved.items()), (
        moved
    )


def test_two_processes_make_the_steps_of_one(tmp_path):
    (tmp_path / "three.py").write_text(STEPS)
    found = []
    for through in ((), ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")):
        command = [sys.executable, *through, "three.py", str(SCRIPTS)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        found.append([float(number) for number in (tmp_path / "found.txt").read_text().split()])
    one, two = found
    assert len(one) == 3 * 42 + 28 + 2 and one[-1] == two[-1] == 8
    assert two == pytest.approx(one, abs=1e-5)


def test_the_probe_asks_for_each_skill(made):
    said = run("probe.py", made / "pool", names.bundled("mini"), "-n", 2)
    rows = {
        line[:22].strip(): [float(share) for share in line[22:].split()] for line in said.splitlines()[1:]
    }
    assert {"are-kin", "find-elder", "sum", "read digits"} <= rows.keys()
    shown_only = {"level 1", "captions of two scenes", "of three", "of four", "of five"}
    assert all(len(shares) == 1 + 2 * (name not in shown_only) for name, shares in rows.items())
    assert all(0 <= share <= 100 for shares in rows.values() for share in shares)
    assert min(rows["level 1"][0], rows["of five"][0]) >= 50  # the model that ships, over new pictures


def test_a_search_with_its_working_ends_at_the_image_whose_caption_it_gives(made, monkeypatch):
    from random import Random

    from s2h.sources.builtin import words

    monkeypatch.syspath_prepend(SCRIPTS)
    import lessons
    import seek
    import vlm as scripts

    world, rng = lessons.PoolWorld(scripts.load_pool(made / "pool")[1]), Random(0)
    for _ in range(40):
        items, turns = seek.seek(rng, world, told=0.0, all_shown=True, working=1.0)
        for _, answer in turns:
            scan, caption = answer.split("\n")
            said = re.findall(r"Image (\d) shows (.*?)\.", scan)
            assert [int(number) for number, _ in said] == list(range(1, len(said) + 1))
            found = [not what.startswith("no ") for _, what in said]
            assert found == [False] * (len(said) - 1) + [True]
            concept = said[-1][1]
            assert [world.shows(item, concept) for item in items[: len(said)]] == found
            assert words.holds(caption, items[len(said) - 1].labels)
