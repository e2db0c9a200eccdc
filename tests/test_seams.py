"""The house rules that a program can check, on the syntax tree of every file and on every command's help."""

import ast
import importlib
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import click
import pytest

from s2h.cli import commands
from tests.support.house import FILES, ROOT, nodes, tree

COMMANDS = sorted(path.name.removeprefix("s2h-") for path in (ROOT / "bin").glob("s2h-*"))
HEAVY = {
    "torch", "torchvision", "transformers", "trl", "peft", "accelerate", "open_clip", "sentence_transformers", "datasets",
    "numpy", "scipy", "sklearn", "matplotlib", "pandas", "pyarrow", "PIL", "huggingface_hub", "tokenizers", "safetensors",
    "jsonlines", "orjson", "zstandard", "tqdm", "openai",
}  # fmt: skip
STREAMS = {"stdin", "stdout", "stderr", "exit", "__stdin__", "__stdout__", "__stderr__"}


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return {(node.module or "").partition(".")[0]}
    return set()


def run_on_import(node: ast.AST):
    """The statements that run when a module is imported: not those in functions, not those for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from run_on_import(child)


# A subclass needs its base when its module is read; nobody imports these but inside a function.
LAZY = {"s2h/train/trainer.py", "s2h/train/run_trainer.py"}


def test_heavy_imports_sit_in_functions():
    lazy = {name[:-3].replace("/", ".") for name in LAZY}
    wrong = [
        f"{path}:{node.lineno}: import it in the function that needs it"
        for path in FILES
        if str(path.relative_to(ROOT)) not in LAZY
        for node in run_on_import(tree(path))
        if imported(node) & HEAVY or getattr(node, "module", None) in lazy
    ]
    assert not wrong, "\n".join(wrong)


def beyond_the_commands(node: ast.AST) -> str:
    """What a node does that belongs to s2h/cli alone."""
    if imported(node) & {"click", "tqdm"}:
        return "click and progress bars"
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys":
        return f"sys.{node.attr}" if node.attr in STREAMS else ""
    if isinstance(node, ast.ImportFrom) and node.module == "sys":
        return ", ".join({alias.name for alias in node.names} & STREAMS)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id if node.func.id in ("print", "input", "exit", "quit") else ""
    return ""


def test_only_the_commands_touch_click_and_the_standard_streams():
    wrong = [
        f"{path}:{node.lineno}: {what} belongs to s2h/cli"
        for path in FILES
        if path.parent.name != "cli"
        for node in nodes(path)
        if (what := beyond_the_commands(node))
    ]
    assert not wrong, "\n".join(wrong)


# Records are completed where they are read; `s2h.streams.jsonl.read` takes any other check as an argument.
UPWARD = {("streams/jsonl.py", "shorthand")}


def floors() -> dict[str, int]:
    """The floor of each room, from the bottom up: the rows of the table in s2h/README.md."""
    rows = re.findall(
        r"(?m)^\| (`[a-z_]+(?:/|\.py)`.*?) \|", (ROOT / "s2h" / "README.md").read_text(encoding="utf-8")
    )
    return {room: at for at, row in enumerate(rows) for room in re.findall(r"`(\w+)(?:/|\.py)`", row)}


def rooms_of(node: ast.AST) -> list[str]:
    """The rooms of the package that a node imports from."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
    if isinstance(node, ast.ImportFrom):
        names = [f"s2h.{name}" for name in names] if node.module == "s2h" else [node.module or ""]
    return [name.split(".")[1] for name in names if name.startswith("s2h.")]


def test_no_room_imports_from_a_room_above_it():
    """Imports in functions and those for type checkers count too."""
    package, floor = ROOT / "s2h", floors()
    places = {
        path: path.relative_to(package) for path in FILES if path.parent != package or path.stem[0] != "_"
    }
    assert floor.keys() == {place.parts[0].removesuffix(".py") for place in places.values()}
    wrong = {
        (str(place), room)
        for path, place in places.items()
        for node in nodes(path)
        for room in rooms_of(node)
        if floor.get(room, 0) > floor[place.parts[0].removesuffix(".py")]
    }
    assert wrong == UPWARD


def test_modules_are_documented_and_named_for_things():
    for path in FILES:
        assert ast.get_docstring(tree(path)), f"{path} needs a paragraph that says what it is for"
        assert not re.search(r"util|misc|manager|helper", path.stem), path
        length = len(path.read_text(encoding="utf-8").splitlines())
        assert length <= 400, f"{path} is longer than can be read in one go"


def test_nothing_unsafe_is_asked_for():
    for path in FILES:
        for node in nodes(path):
            assert not imported(node) & {"pickle", "dill", "marshal", "shelve"}, f"{path}:{node.lineno}"
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, path


def command(name: str) -> click.Command:
    return importlib.import_module(f"s2h.cli.{name}").main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name):
    main = command(name)
    assert (main.help or "").strip(), f"s2h-{name} needs a docstring"
    named = set()
    for parameter in main.params:
        named.update(parameter.opts)
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert (parameter.help or "").strip(), f"s2h-{name} {parameter.opts}"
    assert {"--output", "--seed", "--quiet", "--on-error", "--version"} <= named
    text = main.get_help(click.Context(main, info_name=f"s2h-{name}"))
    assert "-h, --help" in text
    assert text.count("Common options:") == 1 and text.count(":\n  -") > 1  # under headings
    assert max(map(len, text.splitlines())) <= 120  # examples in the text are not wrapped


@pytest.mark.parametrize("name", ["commands", *COMMANDS])
def test_help_loads_little(name):
    code = (
        f"import sys, click\nalone = len(sys.modules)\nfrom s2h.cli.{name} import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(alone, len(sys.modules), *{m.partition('.')[0] for m in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage:")
    alone, count, *loaded = done.stderr.split()
    assert not set(loaded) & HEAVY
    assert int(count) < 2.5 * int(alone)  # the seconds: examples/benchmarks/start_speed.py


@pytest.mark.parametrize("name", COMMANDS)
def test_shims_run_from_the_checkout(name, tmp_path):
    shim = ROOT / "bin" / f"s2h-{name}"
    assert os.access(shim, os.X_OK)
    done = subprocess.run(
        [sys.executable, str(shim), "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"s2h-{name} ")


def test_commands_shims_and_scripts_agree():
    if sys.version_info >= (3, 11):
        import tomllib

        scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
        own = {f"s2h-{name}": f"s2h.cli.{name}:main" for name in COMMANDS}
        assert scripts == {"s2h": "s2h.cli.commands:main", **own}
    assert sorted(path.name for path in (ROOT / "bin").iterdir()) == [
        "s2h",
        *(f"s2h-{name}" for name in COMMANDS),
    ]
    assert sorted(commands.COMMANDS) == COMMANDS


def test_no_path_of_one_machine():
    """The project runs elsewhere: no home folder, no site-packages, no checkout of the machine that it was written on."""
    homes = re.compile(r"/home/\w+|/Users/\w+|/root/\w+|/opt/\w+|/work/\w+")
    here = {str(ROOT), sysconfig.get_paths()["purelib"], str(Path.home())} - {"/"}
    for folder in ("s2h", "tests", "examples", "bin", ".ci"):
        for path in (ROOT / folder).rglob("*"):
            if not path.is_file() or path.suffix not in (
                "",
                ".py",
                ".sh",
                ".json",
                ".jsonl",
                ".txt",
                ".md",
                ".toml",
                ".html",
                ".css",
                ".js",
            ):
                continue
            if path == Path(__file__):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not homes.search(text), f"{path}: {homes.search(text)}"
            assert not any(place in text for place in here), path
