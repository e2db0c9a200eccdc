"""The plan of a study: its commands, and what they will take. Nothing is run but the reckoning of a training run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pipeline
from pipeline import Study

RECORD = 2500  # bytes of a pair's line


def show(study: Study, arms: list[pipeline.Arm], seeds: tuple[int, ...], folder: Path) -> None:
    """Print each command of the first seed, then the tokens, memory, hours and disk of all. Raises click.UsageError if the
    study has no sample."""
    if not study.sample:
        raise click.UsageError(
            '--plan needs the options of a sample of pairs: sample = "search -n 64" in [study]'
        )
    at = folder / f"seed-{seeds[0]}"
    sets = list(dict.fromkeys(name for arm in arms for name in arm.sets))
    listed = [pipeline.of_set(study, name, seeds[0], at) for name in sets]
    listed += [step for name in study.measures for step in pipeline.of_questions(study, name, seeds[0], at)]
    for arm in arms:
        listed += [pipeline.of_mix(study, arm, seeds[0], at), pipeline.of_run(study, arm, seeds[0], at)]
        listed += [pipeline.of_measure(study, name, arm.name, seeds[0], at) for name in study.measures]
    for step in listed:
        click.echo(str(step))
    missing = [word for word in _places(study, listed) if not Path(word).exists()]
    for place in missing:
        click.echo(f"missing: {place} (README.md says where to get it)", err=True)
    kinds = {arm.train: _reckon(study, arm) for arm in {arm.train: arm for arm in arms}.values()}
    hours = 0.0
    click.echo("one run of each arm, on a GPU that sustains 200 TFLOP/s:", err=True)
    click.echo(f"{'arm':18} {'tokens':>7} {'GiB':>6} {'hours':>7}", err=True)
    for arm in arms:
        one = kinds[arm.train]
        scale = study.pairs * arm.share / one["pairs"]
        hours += one["time"]["hours_at_200_tflops"] * scale
        tokens, memory = one["tokens"]["prompt"], one["memory_gib"]["estimate"]
        click.echo(
            f"{arm.name:18} {tokens:7.0f} {memory:6.1f} {one['time']['hours_at_200_tflops'] * scale:7.2f}",
            err=True,
        )
    states = max(one["memory_gib"]["training"] for one in kinds.values())
    disk = (len(sets) + len(arms)) * study.pairs * RECORD / 2**30 + len(arms) * states * 2
    click.echo(
        f"in all: {hours * len(seeds):.1f} hours of training for {len(arms)} arms and {len(seeds)} seeds; about "
        f"{disk * len(seeds):.0f} GiB on disk for pairs, adapters and checkpoints, without the data",
        err=True,
    )
    if missing:
        sys.exit(1)


def _places(study: Study, listed: list[pipeline.Step]) -> list[str]:
    """Return the files and folders below the data folder that some commands name."""
    words = [word for step in listed for command in step.pipe for word in command]
    inside = [word[word.index(study.data) :] for word in words if study.data and study.data in word]
    return list(dict.fromkeys(inside))


def _reckon(study: Study, arm: pipeline.Arm) -> dict:
    """Return the plan of an arm's run on the study's sample of pairs."""
    with tempfile.TemporaryDirectory() as folder:
        images = ["--image-dir", f"{folder}/images"]
        sample = ["s2h-gen", *study.fill(study.sample, 0), "--quiet", *images]
        made = subprocess.run(sample, check=True, capture_output=True, cwd=folder)
        train = ["s2h-train", "--model", study.model, *study.fill(arm.train, 0), "--plan", "--quiet"]
        said = subprocess.run(train, input=made.stdout, capture_output=True, cwd=folder)
    if said.returncode:
        raise click.ClickException(f"the plan of arm {arm.name} failed:\n{said.stderr.decode()}")
    return json.loads(said.stdout)
