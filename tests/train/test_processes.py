"""Two processes on the CPU have the numbers of one, with each way of starting them. accelerate reads the shipped files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s2h.streams import jsonl
from s2h.train.folder import read_metrics
from tests.support.architectures import make_pairs

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = sorted((ROOT / "examples" / "train").glob("*.yaml"))
# Not the accuracy: before the first step all margins are rounding.
SHOWN = ("loss", "margin", "reward_chosen", "reward_rejected", "grad_norm", "learning_rate")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Seven pairs: the last step of an epoch is a partial one."""
    folder = tmp_path_factory.mktemp("data")
    with jsonl.Writer(str(folder / "data.jsonl")) as writer:
        for i, pair in enumerate(make_pairs(folder / "pictures", 7)):
            if i in (0, 2, 5):  # some batches have rows of rejected images, others none
                pair["rejected_images"] = pair["images"][::-1]
            writer.write(pair)
    return folder / "data.jsonl"


def command(model, *more: str) -> list[str]:
    return ["--model", str(model), "--batch-size", "2", "--step-pairs", "4", "--lora-rank", "4", "--lr", "0.005",
            "--epochs", "2", "--log-steps", "1", "--image-side", "0.5", *more]  # fmt: skip


def start(arguments: list[str], folder: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)


def test_two_processes_have_the_numbers_of_one(heavy, llava, data, tmp_path):
    """--processes with a stream, against one process. The tests of s2h-eval and s2h-filter use accelerate's launcher."""
    from s2h.cli.train import main

    with pytest.raises(SystemExit) as ended:
        main(command(llava, str(data), "-o", str(tmp_path / "one"), "--quiet"))
    assert not ended.value.code
    two = command(llava, "-o", "two", "--processes", "2")
    done = heavy.told("train", *two, cwd=tmp_path, input=data.read_text())
    [result] = done.stdout.splitlines()
    assert json.loads(result)["steps"] == 4
    assert done.stderr.count("measured now") == 1  # only one process prints
    one, two = (read_metrics(tmp_path / name) for name in ("one", "two"))
    assert len(one) == len(two) == 4
    for a, b in zip(one, two, strict=True):
        sides = [(b["image_side"], a["image_side"])] if "image_side" in a else []
        assert ("image_side" in b) == bool(sides)
        for ours, theirs in [
            (b, a),
            *sides,
            *((b["levels"][level], a["levels"][level]) for level in a["levels"]),
        ]:
            wanted = {name: theirs[name] for name in SHOWN if name in theirs}
            assert {name: ours[name] for name in wanted} == pytest.approx(wanted, abs=2e-4)
        assert {level: group["pairs"] for level, group in a["levels"].items()} == {
            level: group["pairs"] for level, group in b["levels"].items()
        }


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_accelerate_reads_the_shipped_configurations(path):
    """Every key is one that accelerate's launcher knows."""
    import yaml
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    config = load_config_from_file(str(path))
    kinds = {"ddp": "MULTI_GPU", "fsdp2": "FSDP"}
    assert config.distributed_type == kinds.get(path.stem, "DEEPSPEED")
    known = vars(launch_command_parser().parse_args(["script.py"]))
    said = yaml.safe_load(path.read_text())
    for name in (*said.get("fsdp_config", {}), *said.get("deepspeed_config", {})):
        assert name in known, name
    assert len(CONFIGURATIONS) == 4


NOISY = """
import os, sys
from s2h.cli import streams
streams.prepare()
os.write(1, b"[Gloo] Rank 0 is connected\\n")
print("result")
streams.flush()
streams.hush()
os.write(1, b"more")
print("more", flush=True)
"""


def test_only_results_are_on_standard_output_of_one_of_several_processes():
    """gloo prints there by itself in some versions of torch (2.8, 2.9)."""
    said = {}
    for count in "12":
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "WORLD_SIZE": count}
        done = subprocess.run(
            [sys.executable, "-c", NOISY], env=environment, capture_output=True, text=True, check=True
        )
        said[count] = done.stdout, done.stderr
    assert said["1"] == ("[Gloo] Rank 0 is connected\nresult\n", "")
    assert said["2"] == ("result\n", "[Gloo] Rank 0 is connected\n")


SHARDED = """
import os, sys
from s2h.processes import uncollected
with uncollected():
    import torch, s2h.train.run_trainer
    from torch.distributed.fsdp import fully_shard
from s2h import accel
from s2h.train import weights
from s2h.train.dataset import Pairs
from s2h.train.arguments import Arguments
from s2h.train.construction import Run, build_trainer
from pathlib import Path

model, data, folder = sys.argv[1:]
arguments = Arguments(model, batch_size=2, grad_accum=1, rank=4, alpha=8)
pairs = Pairs(Path(data))
trainer = build_trainer(Run(weights.read(arguments), pairs, None, arguments, Path(folder)))
assert trainer.share_prompts(pairs) is None
trainer.add_reference(pairs)
torch.manual_seed(3)
for name, parameter in trainer.model.named_parameters():
    if "lora_B" in name:
        parameter.data.copy_(0.05 * torch.randn_like(parameter))
rows = [pairs.dataset()[i] for i in range(4)]

def step(mine):
    trainer.model.train()
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, trainer.prepare_batch(trainer.data_collator(mine)))
    loss.backward()
    return loss.detach(), {n: p.grad for n, p in trainer.model.named_parameters() if p.grad is not None}

one, gradients = step(rows)
gradients = {name: gradient.clone() for name, gradient in gradients.items()}
for layer in trainer.model.get_base_model().model.language_model.layers:
    fully_shard(layer)
fully_shard(trainer.model)
rank = torch.distributed.get_rank()
loss, parts = step(rows[2 * rank : 2 * rank + 2])
torch.distributed.all_reduce(loss)
assert abs(loss / 2 - one) < 1e-5, (loss / 2, one)
assert parts.keys() == gradients.keys() and any(g.abs().max() > 1e-4 for g in gradients.values())
for name, part in parts.items():
    assert (part.full_tensor() - gradients[name]).abs().max() < 1e-5, name
accel.wait()
os._exit(0)  # the groups of the layers outlive the trainer, and their threads may disturb Python's own end
"""


LOADED = """
import os, sys
from s2h import accel
from s2h.train import weights
from s2h.train.arguments import Arguments

with accel.main_first():
    model = weights.read(Arguments(sys.argv[1])).model
sums = accel.gather([sum(float(weight.abs().sum()) for weight in model.parameters())])
assert len(sums) == 2 and sums[0] == sums[1] > 0, sums
assert "FSDP_CPU_RAM_EFFICIENT_LOADING" not in os.environ
"""


def test_each_process_has_the_weights_whatever_the_configuration_of_fsdp_says(llava, tmp_path, monkeypatch):
    """`accelerate launch --use_fsdp` sets both variables by default."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")
    (tmp_path / "loaded.py").write_text(LOADED)
    done = start(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "loaded.py",
         str(llava)], tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def test_sharded_weights_have_the_same_gradients(llava, data, tmp_path):
    """Shard weights with FSDP2's fully_shard over two processes. accelerate does so on GPUs only."""
    (tmp_path / "sharded.py").write_text(SHARDED)
    done = start(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "sharded.py",
         str(llava), str(data), str(tmp_path / "run")], tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
