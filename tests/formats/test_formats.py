"""What other tools read, read by them: TRL's trainer and `datasets` as they are; LLaMA-Factory and ms-swift by the rules of
their converters (roles in turn, a tag an image, an answer each)."""

import json
import os
from pathlib import Path

import pytest

from s2h import formats
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.record import IMAGE, assistant, interleave, text_of
from s2h.streams import jsonl
from tests.support.architectures import make_pairs
from tests.support.mixing import run
from tests.support.records import pair, pixel


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pairs(count: int = 8) -> list:
    """Pairs of which the fields that differ from task to task are of different types."""
    made = make_pairs("in/pictures", count)
    for i, one in enumerate(made):
        one["facts"] = {"answer": [i, str(i), {"a": i}][i % 3]}
        one["id"] = f"p{i}"
        if i % 4 == 0:
            one["own"] = {"note": i}
    with jsonl.Writer("in/pairs.jsonl") as out:
        for one in made:
            out.write(one)
    return list(jsonl.read("in/pairs.jsonl"))


def in_order(path: str) -> list[dict]:
    """The mix as it is: what an export has is its order."""
    run("--flat", path, "-o", "in/order.jsonl")
    return list(jsonl.read("in/order.jsonl"))


def load(kind: str, path: str):
    from datasets import load_dataset

    return load_dataset(kind, data_files=path, cache_dir="cache", split="train")


def is_untrained(loss: float) -> bool:
    """Whether it is the loss before the first step, ln 2."""
    return loss == pytest.approx(0.6931, abs=1e-3)


@pytest.mark.slow
def test_trl_dpo_takes_the_settings(llava, monkeypatch):
    """The script of `trl dpo`, in this process, with the arguments that s2h-mix names."""
    from trl.scripts import dpo

    pairs()
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", "cache")
    done = run("--flat", "in/pairs", "--to", "trl", "-o", "data/mix.jsonl", "--val", "0.3")
    _, _, command = done.stderr.partition("next: trl dpo ")
    words = command.split("\n")[0].replace("MODEL", str(llava)).replace("RUN", "run").split()
    assert words[:2] == ["--config", "data/mix.trl.yaml"]
    assert sorted(os.listdir("data")) == ["mix.jsonl", "mix.trl.yaml", "mix.val.jsonl"]
    options = "--max_steps 1 --per_device_train_batch_size 2 --use_cpu --report_to none --bf16 False --disable_tqdm True"
    options += " --save_steps 1 --logging_steps 1"
    given = dpo.make_parser().parse_args_and_config([*words, *options.split()])
    assert given[1].max_length is None  # no image token is cut
    dpo.main(*given)
    state = json.loads(Path("run/checkpoint-1/trainer_state.json").read_text())
    assert is_untrained(state["log_history"][0]["loss"])
    Path("data/mix.trl.yaml").write_text("mine: true\n")
    done = run("--flat", "in/pairs", "--to", "trl", "-o", "data/mix.jsonl", status=1)
    assert "data/mix.trl.yaml: exists, and s2h-mix has not written it" in done.stderr


@pytest.mark.slow
def test_trl_trains_on_parquet(llava):
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from trl import DPOConfig, DPOTrainer

    pairs()
    run("--flat", "in/pairs", "--to", "parquet", "-o", "mix.parquet")
    rows = load("parquet", "mix.parquet")
    assert [row["id"] for row in rows] == [one["id"] for one in in_order("in/pairs")]
    torch.manual_seed(0)
    options = DPOConfig(
        "run", max_steps=1, per_device_train_batch_size=2, report_to=[], use_cpu=True, save_strategy="no", max_length=None,
        logging_steps=1, disable_tqdm=True, gradient_checkpointing=False, bf16=False,
    )  # fmt: skip
    trainer = DPOTrainer(
        AutoModelForImageTextToText.from_pretrained(llava), args=options, train_dataset=rows,
        processing_class=AutoProcessor.from_pretrained(llava),
    )  # fmt: skip
    trainer.train()
    assert is_untrained(trainer.state.log_history[0]["loss"])


def test_parquet_has_every_field_and_the_pictures_bytes():
    pairs()
    run("--flat", "in/pairs", "--to", "parquet", "-o", "mix.parquet", "--val", "0.3")
    rows = [*load("parquet", "mix.parquet"), *load("parquet", "mix.val.parquet")]
    assert len(rows) == 8
    found = {row["id"]: row for row in rows}
    for one in jsonl.read("in/pairs"):
        row = found[one["id"]]
        for name in ("level", "task", "target", "negative", "source"):
            assert row[name] == one[name]
        assert json.loads(row["facts"]) == one["facts"] and json.loads(row["grounding"]) == one["grounding"]
        assert (json.loads(row["more"]) if row["more"] else {}) == {
            k: v for k, v in one.items() if k == "own"
        }
        assert [picture.tobytes() for picture in row["images"]] == [
            picture.tobytes() for picture in open_images(one)
        ]
        assert text_of(row["chosen"]) == text_of(one["chosen"])
        kinds = [part["type"] for part in row["prompt"][0]["content"]]
        assert kinds == [part["type"] for part in one["prompt"][0]["content"]]
    again = Path("mix.parquet").read_bytes()
    run("--flat", "in/pairs", "--to", "parquet", "-o", "mix.parquet", "--val", "0.3")
    assert Path("mix.parquet").read_bytes() == again


def test_llama_factory_finds_it_in_its_list():
    pairs()
    Path("data").mkdir()
    Path("data/dataset_info.json").write_text('{"mine": {"file_name": "mine.json"}}')
    run("--flat", "in/pairs", "--to", "llama-factory", "-o", "data/s2h.json", "--val", "0.3")
    info = json.loads(Path("data/dataset_info.json").read_text())
    assert list(info) == ["mine", "s2h.val", "s2h"] or list(info) == ["mine", "s2h", "s2h.val"]
    rows = []
    for name in ("s2h", "s2h.val"):
        entry = info[name]
        assert entry["ranking"] is True and entry["formatting"] == "sharegpt"
        columns = entry["columns"]
        # Its defaults hold (from, value, human, gpt, system): an entry with some tags would lose the others.
        assert columns["messages"] == "conversations" and "tags" not in entry
        for row in load("json", os.path.join("data", entry["file_name"])):
            talk = row[columns["messages"]]
            assert [turn["from"] for turn in talk] == ["human"]
            assert row[columns["chosen"]]["from"] == row[columns["rejected"]]["from"] == "gpt"
            assert talk[0]["value"].count("<image>") == len(row[columns["images"]])
            assert all(os.path.isabs(path) and os.path.isfile(path) for path in row[columns["images"]])
            rows.append(row)
    assert len(rows) == 8
    Path("data/dataset_info.json").write_text("[1")
    done = run("--flat", "in/pairs", "--to", "llama-factory", "-o", "data/s2h.json", status=1)
    assert "data/dataset_info.json: is not JSON" in done.stderr


def test_internvl_finds_it_in_its_list():
    pairs()
    run("--flat", "in/pairs", "--to", "mmpr", "-o", "data/mix.jsonl")
    entry = json.loads(Path("data/mix.meta.json").read_text())["mix"]
    rows = [json.loads(line) for line in Path(entry["annotation"]).read_text().splitlines()]
    assert entry["length"] == len(rows) == 8 and entry["root"] == ""
    for row in rows:
        paths = row["image"] if isinstance(row["image"], list) else [row["image"]]
        assert row["question"].count("<image>") == len(paths) and all(map(os.path.isfile, paths))


def test_the_tag_stands_where_the_image_stood():
    with jsonl.Writer("a.jsonl") as out:
        pictures = [pixel(Path("in/1.png")), pixel(Path("in/2.png"), "blue")]
        one = pair("a", pictures)
        one["prompt"] = [
            {"role": "system", "content": [{"type": "text", "text": "Look."}]},
            *interleave(["First ", IMAGE, " seen."]), *assistant("Yes."), *interleave([IMAGE, "\nAnd now?"]),
        ]  # fmt: skip
        out.write(one)
    run("--flat", "a", "--to", "llama-factory", "-o", "b.jsonl")
    row = json.loads(Path("b.jsonl").read_text())
    said = [(turn["from"], turn["value"]) for turn in row["conversations"]]
    assert said == [
        ("system", "Look."), ("human", "First <image> seen."), ("gpt", "Yes."), ("human", "<image>\nAnd now?"),
    ]  # fmt: skip
    row = json.loads(run("--flat", "a", "--to", "ms-swift").stdout)
    assert [turn["role"] for turn in row["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert row["messages"][-1]["content"] == text_of(one["chosen"])
    assert row["rejected_response"] == text_of(one["rejected"])
    said = run("--flat", "a", "--to", "llava", "-o", "l.json", status=1).stderr
    assert (
        "a.jsonl:1: prompt: has 4 messages: the format has room for one" in said
        and not Path("l.json").exists()
    )


def test_llava_is_one_list():
    made = pairs()
    run("--flat", "in/pairs", "--to", "llava", "-o", "mix.json")
    rows = json.loads(Path("mix.json").read_text())
    assert [row["id"] for row in rows] == [one["id"] for one in in_order("in/pairs")]
    assert sorted(len(row["image"]) for row in rows) == sorted(len(one["images"]) for one in made)
    assert run("--flat", "--to", "llava").stdout == "[\n\n]\n" and json.loads("[\n\n]\n") == []
    assert run("--interleave", "in/pairs", "--to", "llava").stdout.count('"id"') == 8
    for name in ("mix.jsonl", "mix.jsonl.gz"):
        run("--flat", "in/pairs", "--to", "llava", "-o", name)
        assert list(jsonl.read(name, check=None)) == rows


@pytest.mark.parametrize("to", sorted(formats.writable()))
def test_the_folder_is_made_and_the_next_command_named(to):
    pairs(2)
    path = f"data/pairs{(formats.readable()[to].endings or ('.jsonl',))[0]}"
    done = run("--flat", "in/pairs", "--to", to, "-o", path)
    said = done.stderr.splitlines()[-1]
    assert os.path.isfile(path) and "next: " in said
    assert any(word in said for word in (path, "data/pairs.trl.yaml", "data/pairs.meta.json", "dir data "))
    if not formats.readable()[to].endings:
        done = run("--flat", "in/pairs", "--to", to)
        assert (
            "FILE" in done.stderr.splitlines()[-1]
            and done.stdout.count('"images"') + done.stdout.count('"image"') >= 2
        )


def test_rlaif_v_shows_several_images_as_one():
    made = {one["id"]: one for one in pairs()}
    run("--flat", "in/pairs", "--to", "rlaif-v", "-o", "mix.parquet")
    rows = list(load("parquet", "mix.parquet"))
    assert len(rows) == 8
    for row in rows:
        one = made[row["idx"]]
        assert row["chosen"] == text_of(one["chosen"]) and "Image 1:" not in row["question"]
        assert row["question"] and row["question"] in text_of(one["prompt"])
        tile = min(448, max(max(picture.size) for picture in open_images(one)))
        assert row["image"].size[0] > tile or len(one["images"]) == 1


def test_images_that_are_no_files_become_some():
    import io
    import tarfile

    data = Path(pixel(Path("in/1.png"))).read_bytes()
    with tarfile.open("in/t.tar", "w") as tar:
        info = tarfile.TarInfo("x/m.png")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    import base64

    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    with jsonl.Writer("in/a.jsonl") as out:
        out.write(dict(pair("a", ["tar:t.tar!x/m.png", uri])))
    row = json.loads(run("--flat", "in/a", "--to", "ms-swift", "--image-dir", "store").stdout)
    assert row["images"] == [os.path.abspath(Store("store").put(data))] * 2
    assert Path(row["images"][0]).read_bytes() == data


@pytest.mark.parametrize("to", sorted(formats.writable()))
def test_a_missing_image_is_told_and_nothing_half_written_stays(to):
    made = pairs()
    os.remove(made[3]["images"][1])
    path = f"mix{(formats.readable()[to].endings or ('.json',))[0]}"
    Path(path).write_bytes(b"old")
    said = run("--flat", "in/pairs", "--to", to, "-o", path, status=1).stderr
    assert "in/pairs.jsonl:4: images[1]: no such file" in said
    assert Path(path).read_bytes() == b"old" and not Path("dataset_info.json").exists()
    assert sorted(os.listdir()) == sorted({"in", path, "cache"} & set(os.listdir()))
    said = run("--flat", "in/pairs", "--to", to, "-o", path, "--on-error", "skip", status=3).stderr
    assert "7 pairs" in said and "skipped 1 record" in said and Path(path).read_bytes() != b"old"


def test_words_that_would_be_read_as_images():
    picture = pixel(Path("in/1.png"))
    for field, value in (
        ("prompt", interleave([IMAGE, "What does <image> mean?"])),
        ("chosen", assistant("It is <video>.")),
    ):
        one = pair("a", [picture], **{field: value})
        with jsonl.Writer("a.jsonl") as out:
            out.write(dict(one))
        for to in ("llama-factory", "ms-swift", "llava"):
            said = run("--flat", "a", "--to", to, "-o", "m.json", status=1).stderr
            assert f"a.jsonl:1: {field}" in said and "take for an image" in said
        run("--flat", "a", "--to", "trl", "-o", "m.json")


@pytest.mark.parametrize(
    "arguments",
    [
        "--flat --to parquet", "--flat --to parquet -o m.jsonl", "--flat --to llama-factory",
        "--flat --to llama-factory -o m.gz",
        "--flat --to verl", "--flat --pack p -o m", "--flat --pack p --to trl", "--flat --pack p --val 0.1 --val-output v",
        "--interleave --pack p", "--flat --to parquet -o m.parquet --val 0.1 --val-output v.jsonl",
    ],
)  # fmt: skip
def test_wrong_usage(arguments):
    assert "Usage:" in run(*arguments.split(), status=2).stderr
    assert os.listdir() == []
