"""The study: which pairs, in which order, under which loss teach a model to reason across images?

    python examples/study/study.py examples/study/mini.toml                    # on a laptop's two cores, without a GPU
    python examples/study/study.py examples/study/mini.toml --arm flat --arm sft --seed 0
    python examples/study/study.py examples/study/real.toml --model qwen3-vl-2b --data /data --plan

Each arm trains on as many pairs in as many steps, and answers the same held-out questions. A finished step is not repeated,
so a study that was interrupted goes on where it was. It writes results.json, results.png and results.md to --out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import click

sys.path.insert(0, str(Path(__file__).parent))
import pipeline
import plan
import results
from pipeline import Step, Study


@dataclass
class Runner:
    """Run steps, `jobs` at a time, and say how far the study is. total: the number of all steps."""

    jobs: int
    total: int = 0
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, step: Step, kind: str, name: str, notes: Path) -> None:
        """Run a step unless its file is there. notes: folder for its command and its log. Raises click.ClickException with
        the end of the log if it fails."""
        said, text = notes / f"{kind}-{name.partition(', seed')[0].replace(', ', '-')}.cmd", str(step)
        if step.makes.exists():
            if not said.exists() or said.read_text() != text:
                raise click.ClickException(
                    f"{step.makes} was made by other settings: delete it and what was made from it, or choose another --out"
                )
            self._tell(kind, f"{name}: is there")
            return
        for folder in (step.makes.parent, notes):
            folder.mkdir(parents=True, exist_ok=True)
        said.write_text(text)
        begun, log = time.monotonic(), said.with_suffix(".log")
        goes_on = len(step.pipe) == 1 and Path(f"{step.makes}.partial").exists()
        pipe = [[*step.pipe[0], "--resume"]] if goes_on and "--resume" not in step.pipe[0] else step.pipe
        with open(log, "w") as file:
            status = _pipe(pipe, file, is_alone=self.jobs == 1)
        # Status 3: some records were left out, which the log says.
        if status not in (0, 3) or not step.makes.exists():
            end = "\n".join(log.read_text(errors="replace").splitlines()[-6:])
            raise click.ClickException(f"{name} failed with status {status}:\n{end}\n(the whole log: {log})")
        self._tell(kind, f"{name}: {time.monotonic() - begun:.0f} s")

    def all(self, work: Iterable[Callable[[], None]]) -> None:
        """Run some work, `jobs` pieces at a time. Print each failure, and raise the first after all work has ended."""
        with ThreadPoolExecutor(self.jobs) as pool:
            waiting = [pool.submit(one) for one in work]
        failures = [failure for one in waiting if (failure := one.exception())]
        for failure in failures[1:]:
            click.echo(f"Error: {failure}", err=True)
        if failures:
            raise failures[0]

    def _tell(self, kind: str, text: str) -> None:
        with self.lock:
            self.done += 1
            minutes = (time.monotonic() - self.started) / 60
            click.echo(f"[{self.done}/{self.total}] {minutes:.1f} min  {kind} {text}", err=True)


def _pipe(commands: list[list[str]], log: IO[str], *, is_alone: bool) -> int:
    """Run commands joined by pipes, with their messages in `log`. Return the last status that is not 0. A
    process has one thread unless it runs alone: the threads of two processes would wait for each other."""
    environment = dict(os.environ) if is_alone else {**os.environ, "OMP_NUM_THREADS": "1"}
    running: list[subprocess.Popen] = []
    for command in commands:
        before = running[-1].stdout if running else subprocess.DEVNULL
        is_last = len(running) == len(commands) - 1
        running.append(
            subprocess.Popen(
                command, stdin=before, stdout=log if is_last else subprocess.PIPE, stderr=log, env=environment
            )
        )  # fmt: skip
        if before is not subprocess.DEVNULL:
            before.close()
    statuses = [process.wait() for process in running]
    return next((status for status in reversed(statuses) if status not in (0, 3)), max(statuses))


@dataclass(frozen=True)
class Seed:
    """The steps of one seed. with_base: also measure the base. folder: of the seed's files."""

    runner: Runner
    study: Study
    arms: list[pipeline.Arm]
    with_base: bool
    seed: int
    folder: Path

    def run(self) -> None:
        """Make the pairs and the questions, then train and measure each arm."""
        self.make()
        base = [partial(self.measure, results.BASE)] if self.with_base else []
        self.runner.all([*base, *[partial(self.train, arm) for arm in self.arms]])

    def make(self) -> None:
        """Make the pairs and the questions."""
        self.runner.all([partial(self._step, *one) for one in self.material()])

    def material(self) -> list[tuple[str, str, Step]]:
        """Return the steps that make pairs and questions, each with its kind and name."""
        study, seed, folder = self.study, self.seed, self.folder
        sets = dict.fromkeys(name for arm in self.arms for name in arm.sets)
        # Those for which a model is asked take longest, so they begin first.
        sets = sorted(sets, key=lambda name: "--model" not in study.sets[name]["gen"])
        asked = [step for name in study.measures for step in pipeline.of_questions(study, name, seed, folder)]
        return [("pairs", name, pipeline.of_set(study, name, seed, folder)) for name in sets] + [
            ("questions", step.makes.stem, step) for step in asked
        ]

    def train(self, arm: pipeline.Arm) -> None:
        """Mix an arm's pairs, train on them and measure. Raises click.ClickException if there are fewer pairs than asked."""
        mix = pipeline.of_mix(self.study, arm, self.seed, self.folder)
        self._step("mix", arm.name, mix)
        with open(mix.makes, "rb") as file:
            count = sum(1 for _ in file)
        if count < (asked := pipeline.pairs_of(self.study, arm)):
            raise click.ClickException(
                f"arm {arm.name} has {count} pairs, and {asked} are asked: raise -n in its sets ({', '.join(arm.sets)}), "
                f"or lower --pairs; then delete {mix.makes}"
            )
        self._step("train", arm.name, pipeline.of_run(self.study, arm, self.seed, self.folder))
        self.measure(arm.name)

    def measure(self, arm: str) -> None:
        """Ask an arm's model, or "base", the questions of all measures."""
        for name in self.study.measures:
            step = pipeline.of_measure(self.study, name, arm, self.seed, self.folder)
            self._step("measure", f"{arm}, {name}", step)

    def _step(self, kind: str, name: str, step: Step) -> None:
        self.runner.run(step, kind, f"{name}, seed {self.seed}", self.folder / "steps")


@click.command(
    help="\b\n" + (__doc__ or "").replace("\n\n", "\n\n\b\n"), context_settings={"max_content_width": 110}
)
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--out", default="", help="Folder to write to.  [default: study/ and the file's name]")
@click.option("--model", help="Model to train, in place of the file's.")
@click.option("--data", default="", help="Folder of the data that the file calls {data}.")
@click.option("--pairs", type=click.IntRange(min=1), help="Pairs of an arm, in place of the file's.")
@click.option("--arm", "arms", multiple=True, help="Run this arm only, or base. May be repeated.")
@click.option("--seed", "seeds", type=int, multiple=True, help="Run this seed only. May be repeated.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Steps at a time, each with one thread. With 1, a step has all threads.",
)
@click.option(
    "--task",
    type=click.IntRange(min=0),
    help="Run only this one of the base's and the arms' seeds, counted from 0, for a job array.",
)
@click.option("--pairs-only", is_flag=True, help="Make the pairs and the questions, and stop.")
@click.option(
    "--plan", "is_plan", is_flag=True, help="Print the commands, tokens, memory, hours and disk; run nothing."
)
@click.option("--results", "only_results", is_flag=True, help="Only write the results of what has finished.")
def main(file, out, model, data, pairs, arms, seeds, jobs, task, pairs_only, is_plan, only_results):
    study = pipeline.read(file, model=model, data=data.rstrip("/"), pairs=pairs)
    every = [results.BASE, *study.arms]
    for name in set(arms) - set(every):
        raise click.UsageError(f"there is no arm {name!r} in {file} (choose from {', '.join(every)})")
    names, seeds = list(arms or every), list(seeds or study.seeds)
    if task is not None:
        if task >= len(names) * len(seeds):
            raise click.UsageError(
                f"--task {task}: there are {len(names) * len(seeds)} tasks, counted from 0"
            )
        names, seeds = [names[task // len(seeds)]], [seeds[task % len(seeds)]]
    chosen = [arm for name, arm in study.arms.items() if name in names]
    folder = Path(out or f"study/{Path(file).stem}").absolute()
    if is_plan:
        plan.show(study, chosen, seeds, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    runner, with_base = Runner(jobs), results.BASE in names
    parts = [Seed(runner, study, chosen, with_base, seed, folder / f"seed-{seed}") for seed in seeds]
    for one in [] if only_results else parts:
        runner.total += len(one.material())
        runner.total += 0 if pairs_only else len(chosen) * 2 + (len(chosen) + with_base) * len(study.measures)
    for one in [] if only_results else parts:
        one.make() if pairs_only else one.run()
    found = results.collect(study, folder)
    results.write(found, folder)
    click.echo(json.dumps({"results": str(folder / "results.json"), "seeds": found["seeds"]}))


if __name__ == "__main__":
    main()
