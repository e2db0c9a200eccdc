"""Options of s2h-gen that would do nothing are refused."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from s2h.cli.gen import main


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["kinship", "--samples", "4"], "--samples needs vqa and a --model"),
        (["vqa", "--negative", "other-image", "--samples", "4"], "--samples needs vqa and a --model"),
        (["vqa", "--temperature", "0.7"], "--temperature needs --samples 2 or more"),
        (["vqa", "--working", "0.5"], "--working is for levels 2 and 3"),
        (["kinship", "--model", "mini"], "--model is for vqa"),
    ],
)
def test_an_option_without_effect_is_wrong_usage(options, said):
    result = CliRunner().invoke(main, [*options, "-n", "1"])
    assert result.exit_code == 2 and said in result.output and "Traceback" not in result.output
