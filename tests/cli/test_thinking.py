"""--thinking in the commands whose models answer."""

from __future__ import annotations

import importlib

import pytest
from click.testing import CliRunner


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("gen", ["kinship"], "--thinking is for --model and --captioner"),
        ("filter", ["in.jsonl", "--margin", ":5"], "--thinking is for --ref MODEL"),
        ("eval", ["--score", "in.jsonl"], "--thinking goes with --model"),
        (
            "eval",
            ["--model", "mini", "--scoring", "likelihood"],
            "--thinking on goes with --scoring generate",
        ),
    ],
)
def test_thinking_without_a_model_that_can_think_is_wrong_usage(name, arguments, said):
    main = importlib.import_module(f"s2h.cli.{name}").main
    result = CliRunner().invoke(main, [*arguments, "--thinking", "on"])
    assert result.exit_code == 2 and said in result.output


def test_a_resumed_run_must_think_as_before():
    """What --resume compares holds it, and a run of an older release had none."""
    from s2h.cli import eval_options, gen_options
    from s2h.train.arguments import again, fill

    def options(command, arguments):
        main = importlib.import_module(f"s2h.cli.{command}").main
        return main.make_context("x", arguments).params

    for given in ([], ["--thinking", "on"]):
        wanted = {"thinking": given[1]} if given else {}
        said = options("gen", ["vqa", *given])
        for name in ("output", "quiet", "on_error"):
            said.pop(name)
        kept = gen_options.Options.parsed(**said).of_result()
        said = options("eval", ["--model", "mini", *given])
        asked = {name: value for name, value in said.items() if name not in ("quiet", "on_error")}
        for found in (kept, eval_options.Options(**asked).arguments):
            assert {name: found[name] for name in found if name == "thinking"} == wanted
    assert fill({"model": "mini"}).thinking == again({"model": "mini"}, {})["thinking"] == "off"
    assert fill(again({"model": "mini", "thinking": "on"}, {})).thinking == "on"
