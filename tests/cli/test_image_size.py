"""--max-pixels and --min-pixels in the commands whose models look at images."""

import importlib
import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from PIL import Image

from s2h.cli import gen_models
from s2h.errors import fail
from s2h.images.resizing import Pixels
from s2h.models import replies, vlm
from s2h.sources.captioner import Sidecar

COMMANDS = {
    "gen": ["vqa", "-n", "1"],
    "filter": ["in.jsonl", "--ref", "mini"],
    "eval": ["--model", "mini", "-n", "1"],
    "train": ["--model", "mini", "in.jsonl"],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    "options, said",
    [
        (["--max-pixels", "0"], "--max-pixels"),
        (["--min-pixels", "-1"], "--min-pixels"),
        (["--max-pixels", "many"], "'many'"),
        (["--min-pixels", "9", "--max-pixels", "8"], "--min-pixels 9 is above --max-pixels 8"),
        (["--min-pixels", "900000000"], "the most pixels that an image may have"),
    ],
)
def test_bounds_that_cannot_be_are_wrong_usage(name, options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(importlib.import_module(f"s2h.cli.{name}").main, [*COMMANDS[name], *options])
    assert result.exit_code == 2 and said in result.output and "Traceback" not in result.output


@pytest.mark.parametrize(
    "name, arguments, said",
    [
        ("gen", ["kinship"], "--max-pixels and --min-pixels are for --model and --captioner"),
        ("gen", ["vqa", "--negative", "other-image"], "are for --model and --captioner"),
        ("filter", ["in.jsonl"], "--max-pixels, --min-pixels, --thinking and --base-url are for --ref"),
        ("filter", ["in.jsonl", "--margin", ":5"], "--max-pixels and --min-pixels are for --ref MODEL"),
        ("eval", ["--score", "in.jsonl"], "--max-pixels and --min-pixels go with --model"),
    ],
)
def test_bounds_without_a_model_are_wrong_usage(name, arguments, said):
    main = importlib.import_module(f"s2h.cli.{name}").main
    result = CliRunner().invoke(main, [*arguments, "--max-pixels", "900"])
    assert result.exit_code == 2 and said in result.output


def test_a_resumed_run_must_have_the_same_bounds():
    """What --resume compares holds them."""
    from s2h.cli import eval_options, filter, gen_options
    from s2h.filters.judgement import Given

    def options(main, arguments):
        return main.make_context("x", arguments).params

    for bounds in ([], ["--max-pixels", "900"], ["--max-pixels", "900", "--min-pixels", "5"]):
        wanted = (900 if bounds else None, 5 if len(bounds) > 2 else None)
        said = options(importlib.import_module("s2h.cli.gen").main, ["vqa", *bounds])
        for name in ("output", "quiet", "on_error"):
            said.pop(name)
        found = gen_options.Options.parsed(**said).of_result()
        assert (found["max_pixels"], found["min_pixels"]) == wanted
        said = options(importlib.import_module("s2h.cli.eval").main, ["--model", "mini", *bounds])
        found = eval_options.Options(
            **{name: value for name, value in said.items() if name not in ("quiet", "on_error")}
        ).arguments
        assert (found["max_pixels"], found["min_pixels"]) == wanted
        said = options(filter.main, ["--ref", "mini", *bounds])
        settings = filter.Settings(**{name: said.pop(name) for name in filter.Settings.__dataclass_fields__})
        found = filter._arguments(Given(said), settings, (), "fail")
        assert (found["max_pixels"], found["min_pixels"]) == wanted


def test_an_evaluation_reports_its_bounds(heavy, llava, tmp_path):
    asked = ("eval", "--model", str(llava), "-n", "1", "--max-new-tokens", "2", "--limit", "1")
    told = heavy.told(*asked, "--max-pixels", "900", "--report", "r.json", "-o", "a.jsonl", cwd=tmp_path)
    assert "sees images of at most 900 pixels" in told.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["min_pixels"], report["max_pixels"]) == (0, 900)
    told = heavy.told(*asked, "--max-pixels", "60", cwd=tmp_path, status=1)
    assert "--max-pixels 60 is below one patch of the model (8 x 8 = 64 pixels)" in told.stderr


def test_models_of_s2h_gen_see_bounded_images(llava):
    """A large picture that is asked about, attended to or captioned is the picture resized by hand."""
    picture = Image.new("RGB", (1200, 900), "red")
    for left in range(0, 1200, 150):  # stripes that a picture of 9 x 6 pixels has no more
        picture.paste("blue", (left, 0, left + 75, 900))
    bounds = Pixels(most=64)
    small = picture.resize(bounds.size(picture.size), Image.Resampling.BICUBIC)
    given = SimpleNamespace(samples=1, batch_size=2, max_new_tokens=8, seed=0, pixels=bounds)
    bounded, plain = (vlm.load(str(llava), pixels=one) for one in (bounds, Pixels()))
    ask = {"type": "text", "text": "What is it?"}
    one, two = ([{"role": "user", "content": [{"type": "image"}] * count + [ask]}] for count in (1, 2))
    other = Image.new("RGB", (8, 8), "green")
    found = []
    for model, image in ((bounded, picture), (plain, small), (plain, picture)):
        local = replies.Local(model, 2)
        writer = gen_models.CaptionWriter(str(llava), given, "c.jsonl", None, local)
        found.append(
            (
                gen_models.Replies(local, given, 1.0, fail).answer([(one, [image])], "key"),
                gen_models._attention(model, two, [other, image], "red", 1),
                [one for _, one in writer.write([image])],
            )
        )
    assert found[0] == found[1]
    assert found[1][1] != pytest.approx(found[2][1], abs=1e-4)


def test_captions_of_another_size_are_written_again(tmp_path):
    path = str(tmp_path / "captions.jsonl")
    Sidecar(path, "m").add({"a": "whole"})
    bounded = Sidecar(path, "m", pixels=str(Pixels(most=900)))
    assert bounded.captions == {}
    bounded.add({"a": "small"})
    assert Sidecar(path, "m").captions == {"a": "whole"}
    assert Sidecar(path, "m", pixels="at most 900 pixels").captions == {"a": "small"}
    lines = (tmp_path / "captions.jsonl").read_text().splitlines()
    assert json.loads(lines[0]).keys() == {"image", "model", "prompt", "caption"}
