"""Make sets of pairs on many cores or nodes, and mix them: gen -> filter -> mix over datatrove's executors.

    python examples/cluster/pipeline.py run/ --shards 64 \\
        l2="s2h-gen kinship -n 1000000 | s2h-filter --clip 0.25" \\
        l3="s2h-gen search -n 1000000 --source /data/photos | s2h-filter --clip 0.25 --clip-rank" \\
        --mix "s2h-mix --curriculum --val 0.01"

A set is the pipe that one machine would run. Each task of the engine runs it with --shard I/N, as real processes, into a
file of its own. When all shards are there, the last task puts them end to end (run/l2.jsonl has the bytes of one machine's
run) and mixes the sets. The same command again runs what is missing: datatrove skips the tasks that it noted as completed.
All machines must see the folder, the images and this script by the same paths.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep

EXECUTORS = {"local": LocalPipelineExecutor, "slurm": SlurmPipelineExecutor, "ray": RayPipelineExecutor}
START = "import sys; sys.argv[0] = {!r}; from s2h.cli.{} import main; main()"
ENDED_WELL = (0, 3)  # 3: finished, and bad records were skipped as --on-error skip asks
BROKEN_PIPE = 141  # of a command whose reader ended: the reader has the cause
OURS = {"-o": "", "--output": "", "--shard": "", "--resume": "",
        "--dedup": " (it sees one shard only: run s2h-filter --dedup on the finished set)"}  # fmt: skip
OF_A_SHARD = ("--rejects", "--report", "--audit")
Commands = list[list[str]]


class Shards(PipelineStep):
    """A task makes its shard of every set. sets: a name and the commands of its pipe, without --shard and -o."""

    name, type = "gen | filter", "s2h"

    def __init__(self, folder: Path, sets: dict[str, Commands]) -> None:
        super().__init__()
        self.folder, self.sets, self.cwd = folder, sets, os.getcwd()

    def run(self, data=None, rank: int = 0, world_size: int = 1) -> None:
        for name, commands in self.sets.items():
            path = shard(self.folder, name, rank, world_size)
            if not path.exists():
                with self.track_time("shard"):
                    make(commands, path, f"{rank + 1}/{world_size}", self.cwd)
            with open(path, "rb") as file:
                self.stat_update(f"{name}: pairs", value=sum(1 for _ in file))


class Mix(PipelineStep):
    """One task puts the shards of each set end to end and mixes the sets."""

    name, type = "mix", "s2h"

    def __init__(self, folder: Path, names: list[str], shards: int, command: list[str]) -> None:
        super().__init__()
        self.folder, self.names, self.shards, self.cwd = folder, names, shards, os.getcwd()
        self.command = command

    def run(self, data=None, rank: int = 0, world_size: int = 1) -> None:
        sets = [str(self.folder / f"{name}.jsonl") for name in self.names]
        for name, whole in zip(self.names, sets, strict=True):
            with open(f"{whole}.part", "wb") as out:
                for at in range(self.shards):
                    with open(shard(self.folder, name, at, self.shards), "rb") as file:
                        shutil.copyfileobj(file, out, 1 << 20)
            os.replace(f"{whole}.part", whole)
        if self.command:
            run_pipe([[*self.command, *sets]], self.folder / "logs" / "mix.log", self.cwd)


def shard(folder: Path, name: str, rank: int, shards: int) -> Path:
    return folder / f"{name}-{rank + 1:05d}-of-{shards:05d}.jsonl"


def make(commands: Commands, path: Path, part: str, cwd: str) -> None:
    """Write one shard, whole or not at all: the end of the pipe can't know whether its beginning failed."""
    hidden = path.with_name("." + path.name)
    for left in path.parent.glob(f"{hidden.name}*"):  # by a try that was killed
        left.unlink()
    filled = [[word.replace("{shard}", path.stem) for word in command] for command in commands]
    filled[0] += ["--shard", part]
    filled[-1] += ["-o", str(hidden)]
    run_pipe(filled, path.parent / "logs" / f"{path.stem}.log", cwd)
    os.replace(hidden, path)


def run_pipe(commands: Commands, log: Path, cwd: str) -> None:
    """Run s2h's commands, each with the Python of this process, into one another. Raises RuntimeError with the last line of
    standard error, which goes to `log`."""
    running: list[subprocess.Popen] = []
    with open(log, "wb") as said:
        for command in commands:
            last = command is commands[-1]
            running.append(subprocess.Popen(
                [sys.executable, "-c", START.format(command[0], command[0][4:]), *command[1:]], cwd=cwd, stderr=said,
                stdin=running[-1].stdout if running else subprocess.DEVNULL,
                stdout=said if last else subprocess.PIPE, preexec_fn=end_with_this_process,
            ))  # fmt: skip
            if len(running) > 1:
                running[-2].stdout.close()
        codes = [process.wait() for process in running]
    failed = [
        (command[0], code) for command, code in zip(commands, codes, strict=True) if code not in ENDED_WELL
    ]
    if failed:
        name, code = next((one for one in failed if one[1] != BROKEN_PIPE), failed[0])
        last = (log.read_text(errors="replace").splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"{log.stem}: {name} ended with status {code}: {last} (all of it: {log})")


def end_with_this_process() -> None:
    """Let the kernel end a command whose task was killed, so that it does not write beside the task's next try (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def pipe(text: str) -> tuple[str, Commands]:
    """Read NAME="s2h-gen ... | s2h-filter ..."."""
    name, equals, line = text.partition("=")
    words = shlex.shlex(line, posix=True, punctuation_chars="|")
    words.whitespace_split, words.commenters = True, ""
    commands: Commands = [[]]
    for word in words:
        if word == "|":
            commands.append([])
        else:
            commands[-1].append(word)
    if not equals or not name.isidentifier() or name == "mix":
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME="s2h-gen TASK ... | s2h-filter ..."')
    if [command[:1] for command in commands] != [["s2h-gen"], *[["s2h-filter"]] * (len(commands) - 1)]:
        raise argparse.ArgumentTypeError(
            f"{name}: a set is s2h-gen, and s2h-filter after it where it is wanted"
        )
    for command in commands:
        for at, word in enumerate(command):
            option, _, value = word.partition("=")
            if option in OURS:
                raise argparse.ArgumentTypeError(f"{name}: leave {option} out{OURS[option]}")
            if option in OF_A_SHARD and "{shard}" not in (value or "".join(command[at + 1 : at + 2])):
                raise argparse.ArgumentTypeError(
                    f"{name}: {option} needs {{shard}} in its file's name, one a shard"
                )
    return name, commands


def setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def begin(folder: Path, given: dict) -> None:
    """Note what the folder is for; a folder that was started with other options would mix old shards with new ones."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    noted, text = folder / "pipeline.json", json.dumps(given, indent=1)
    if noted.exists() and noted.read_text() != text:
        sys.exit(
            f"pipeline: {folder} was started with different options ({noted}): use them again, or another folder"
        )
    noted.write_text(text)


def run(executor, what: str, folder: Path) -> None:
    """Run an executor here, and end with status 1 where one of its tasks failed."""
    cause = ""
    try:
        executor.run()
    except Exception as error:
        cause = f": {error}"
    if left := len(executor.get_incomplete_ranks()):
        sys.exit(
            f"pipeline: {left} of {executor.world_size} {what} failed{cause}. "
            f"Logs: {folder}/logs. Run the same command again for what is missing"
        )


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], epilog=__doc__.partition("\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    asked.add_argument(
        "folder", type=lambda name: Path(name).resolve(), help="folder of the shards, the sets and the mix"
    )
    asked.add_argument("sets", nargs="+", type=pipe, metavar='NAME="s2h-gen ... | s2h-filter ..."')
    asked.add_argument(
        "--mix", default="", metavar='"s2h-mix ..."', help="the mix; into FOLDER/mix.jsonl without -o"
    )
    asked.add_argument(
        "--shards", type=int, required=True, help="number of tasks; each makes one shard of every set"
    )
    asked.add_argument("--on", choices=EXECUTORS, default="local", help="the engine; default: local")
    asked.add_argument(
        "--workers", type=int, help="tasks at a time; default: one a core, or all on slurm and ray"
    )
    asked.add_argument(
        "--set", action="append", default=[], type=setting, metavar="NAME=VALUE", dest="settings",
        help="an argument of datatrove's executor: partition=cpu, time=4:00:00, gpus_per_task=1, ...; mix.NAME: for the mix",
    )  # fmt: skip
    given = asked.parse_args()
    sets, command = dict(given.sets), shlex.split(given.mix)
    if len(sets) < len(given.sets):
        asked.error("two sets have the same name")
    if given.shards < 1:
        asked.error("--shards must be 1 or more")
    if given.mix and command[:1] != ["s2h-mix"]:
        asked.error("--mix is a command of s2h-mix")
    if command and not {"-o", "--output", "--pack"} & {word.partition("=")[0] for word in command}:
        command += ["-o", str(given.folder / "mix.jsonl")]

    kind, settings = EXECUTORS[given.on], dict(given.settings)
    common = {name: value for name, value in settings.items() if not name.startswith("mix.")}
    of_mix = {name[4:]: value for name, value in settings.items() if name.startswith("mix.")}
    if given.on == "slurm":  # the jobs find this Python's commands
        common.setdefault("env_command", f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
    else:
        of_mix.setdefault("workers", 1)
    if given.workers or given.on == "local":
        common["workers"] = given.workers or min(os.cpu_count() or 1, given.shards)
    logs, gpus = given.folder / "logs", {} if given.on == "local" else {"gpus_per_task": 0}
    try:
        shards = kind(
            [Shards(given.folder, sets)], tasks=given.shards, logging_dir=str(logs / "shards"), **common
        )
        mix = kind(
            [Mix(given.folder, list(sets), given.shards, command)], tasks=1, logging_dir=str(logs / "mix"),
            depends=shards if given.on == "slurm" else None, **common | gpus | of_mix,
        )  # fmt: skip
    except TypeError as error:
        asked.error(f"--set for --on {given.on}: {error}")
    begin(given.folder, {"sets": sets, "shards": given.shards, "mix": command})
    if given.on == "slurm":
        mix.run()  # submits both jobs, the second after the first
        return
    if given.on == "ray":
        import ray

        ray.init(runtime_env={"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}})
    run(shards, "shards", given.folder)
    run(mix, "mixes", given.folder)


if __name__ == "__main__":
    # Other processes and machines import the steps by the name of their module, which they must find.
    here, known = str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{here}{os.pathsep}{known}" if known else here
    import pipeline

    pipeline.main()
