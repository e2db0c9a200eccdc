"""The guide's table of judgements is what their definitions say."""

from pathlib import Path

from s2h.filters import request
from s2h.filters.judgement import Flag

GUIDE = Path(__file__).resolve().parents[2] / "examples" / "filter" / "README.md"


def row(name: str) -> str:
    judgement = request.judgements()[name]
    options = [
        f"`{option.name}`" if isinstance(option.value, Flag) else f"`{option.name} {option.value.name}`"
        for option in judgement.options
        if option.speed is None
    ]
    return f"| {judgement.about} | {', '.join(options)} | `scores.{judgement.score_key(name)}` |"


def test_the_table_of_judgements():
    table = "\n".join(map(row, request.judgements()))
    assert table in GUIDE.read_text(encoding="utf-8"), f"examples/filter/README.md needs this table:\n{table}"
