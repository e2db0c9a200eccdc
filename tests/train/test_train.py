"""DPO on real architectures with tiny random weights: the loss by hand, training that learns, resumed runs."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path

import pytest

from s2h.models import ModelError, encode, features, vlm
from s2h.record import RecordError, fail
from s2h.streams import jsonl
from s2h.train.checkpoints import whole as checkpoints
from s2h.train.dataset import Pairs, store
from s2h.train.run import Arguments, RunError, Settings, read_metrics, train
from tests.support.architectures import make_pairs
from tests.support.lines import metrics
from tests.support.waiting import until

NAMES = ("llava", "qwen2.5-vl", "qwen3-vl")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return make_pairs(tmp_path_factory.mktemp("pairs"), 12)


def arguments(model, **more) -> Arguments:
    fixed = {"batch_size": 2, "grad_accum": 1, "rank": 8, "alpha": 16, "lr": 5e-3, "epochs": 2, "warmup": 0.0}
    return Arguments(model=str(model), **{**fixed, **more})


@pytest.mark.parametrize("name", ["llava", "qwen3-vl"])
def test_real_architectures_learn_with_two_to_five_images(name, architectures, pairs, tmp_path, drawn):
    result = train(pairs, arguments(architectures[name], epochs=4), tmp_path / "run", Settings(log_steps=1))
    metrics = read_metrics(tmp_path / "run")
    assert metrics[0]["loss"] == pytest.approx(math.log(2), abs=1e-4), (
        "before any step policy and reference agree"
    )
    assert sum(m["loss"] for m in metrics[-6:]) / 6 < 0.9 * math.log(2)
    assert metrics[-1]["margin"] > 0 and result["steps"] == 24
    assert (tmp_path / "run" / "training.png").read_bytes()[:4] == b"\x89PNG"
    for made in ("adapter/adapter_model.safetensors", "processor/tokenizer.json", "args.json"):
        assert (tmp_path / "run" / made).is_file()
    written = [tmp_path / "run" / made for made in ("adapter/adapter_model.safetensors", "args.json")]
    assert written[0].stat().st_mode == written[1].stat().st_mode, (
        "the umask decides who may read the weights"
    )
    # The run loads as a model, and it prefers the chosen answers more than its base does.
    tuned, base = vlm.load(str(tmp_path / "run")), vlm.load(str(architectures[name]))
    assert margin(tuned, pairs) > margin(base, pairs) + 1
    check_served(tmp_path / "run" / "adapter", tuned, pairs)


def check_served(adapter, tuned, pairs) -> None:
    """Check the folder that a server loads: PEFT alone makes the same model, and the processor is there. SGLang takes the
    names of modules, and no pattern."""
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText, AutoProcessor

    said = json.loads((adapter / "adapter_config.json").read_text())
    base = AutoModelForImageTextToText.from_pretrained(said["base_model_name_or_path"])
    modules = dict(base.named_modules())
    assert isinstance(said["target_modules"], list) and said["target_modules"] == sorted(
        name for name in modules if "language_model" in name and name.endswith("_proj")
    )
    processor = AutoProcessor.from_pretrained(adapter)
    assert processor.chat_template == tuned.processor.chat_template
    loaded = vlm.VLM(
        PeftModel.from_pretrained(base, str(adapter)).merge_and_unload().eval(), processor, "served"
    )
    assert margin(loaded, pairs) == pytest.approx(margin(tuned, pairs), abs=1e-3)


def margin(model, pairs) -> float:
    from s2h.images.decoding import open_images

    rows = [(p["prompt"], p[which], open_images(p)) for p in pairs for which in ("chosen", "rejected")]
    sums = list(vlm.score(model, rows, batch_size=4))
    return sum(sums[::2]) - sum(sums[1::2])


def test_the_loss_is_equation_7_of_dpo(llava, pairs, tmp_path, drawn):
    """-log sigmoid(beta ((chosen - its reference) - (rejected - its reference))), from log-probabilities that
    `vlm.score` computes one answer at a time, with an adapter that has moved."""
    from s2h.images.decoding import open_images

    beta = 0.3
    folder = tmp_path / "run"
    train(pairs, arguments(llava, beta=beta), folder, Settings(log_steps=1), held_out=pairs)
    base, tuned = vlm.load(str(llava)), vlm.load(str(folder))
    rows = [(p["prompt"], p[which], open_images(p)) for p in pairs for which in ("chosen", "rejected")]
    reference, policy = list(vlm.score(base, rows, batch_size=1)), list(vlm.score(tuned, rows, batch_size=1))
    ratios = [p - r for p, r in zip(policy, reference, strict=True)]
    by_hand = [math.log1p(math.exp(-beta * (c - r))) for c, r in zip(ratios[::2], ratios[1::2], strict=True)]
    held = [m for m in read_metrics(folder) if "eval_loss" in m][-1]
    kept = json.loads((folder / "reference.json").read_text())["train"]
    assert kept["ref_chosen_logps"] == pytest.approx(reference[::2], abs=2e-3)
    assert held["step"] == 12
    assert held["eval_loss"] == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-3)
    assert held["eval_margin"] == pytest.approx(
        beta * sum(c - r for c, r in zip(ratios[::2], ratios[1::2], strict=True)) / len(pairs), abs=1e-3
    )


@pytest.mark.parametrize("name", NAMES)
def test_vision_tower_stays_as_it_was(name, architectures, pairs, tmp_path):
    import torch
    from safetensors.torch import load_file

    train(pairs[:4], arguments(architectures[name], epochs=1), tmp_path / "run")
    adapter = load_file(tmp_path / "run" / "adapter" / "adapter_model.safetensors")
    assert adapter and all("language_model" in key for key in adapter)
    assert any(torch.any(value != 0) for key, value in adapter.items() if "lora_B" in key)


def test_a_batch_holds_each_prompt_twice_and_cuts_nothing(llava, pairs):
    from s2h.images.decoding import open_images

    processor = vlm.load(str(llava)).processor
    some = pairs[:3]
    texts = [encode.prompt_text(processor, p["prompt"]) for p in some]
    answers = [
        [encode.answer_text(processor, p["prompt"], p[which], t) for p, t in zip(some, texts, strict=True)]
        for which in ("chosen", "rejected")
    ]
    prompts = encode.encode_prompts(processor, texts, [open_images(p) for p in some])
    batch = encode.join_answers(processor, prompts, answers)
    image = processor.tokenizer.convert_tokens_to_ids("<image>")
    for row, pair in enumerate(some + some):
        ids, mask = batch["input_ids"][row], batch["attention_mask"][row].bool()
        assert int((ids[mask] == image).sum()) == 16 * len(pair["images"])
        said = processor.tokenizer.decode(ids[batch["completion_mask"][row].bool()])
        wanted = pair["chosen" if row < 3 else "rejected"][0]["content"][0]["text"]
        assert wanted in said and said.rstrip().endswith("</s>")
    assert len(batch["pixel_values"]) == 2 * sum(len(p["images"]) for p in some)


def test_a_pair_beyond_the_window_is_dropped_by_name(llava, pairs, tmp_path):
    long = pairs[3].copy()
    long["id"] = "much-too-long"
    long["chosen"] = [{"role": "assistant", "content": [{"type": "text", "text": "red and blue " * 3000}]}]
    said: list[str] = []
    train([*pairs[:3], long], arguments(llava, epochs=1), tmp_path / "run", say=said.append)
    assert any("much-too-long" in line and "window" in line for line in said)


def test_order_of_the_file_is_the_order_of_training(pairs, tmp_path):
    count = store(pairs, tmp_path / "data.jsonl").count
    rows = Pairs(tmp_path / "data.jsonl")
    assert count == len(rows) == 12
    assert [row["record"]["id"] for row in rows.dataset()] == [pair["id"] for pair in pairs]


def test_a_run_resumed_after_kills_has_the_result_of_an_uninterrupted_one(heavy, llava, pairs, tmp_path):
    """Kill a run while it writes a checkpoint and just after one, resume it, and compare every number and every weight."""
    from safetensors.torch import load_file

    with jsonl.Writer(str(tmp_path / "data.jsonl")) as writer:
        for pair in pairs:
            writer.write(pair)
    common = [
        "train", "--model", str(llava), "--batch-size", "1", "--grad-accum", "1", "--lora-rank", "8",
        "--lr", "0.005", "--epochs", "2", "--save-steps", "4", "--log-steps", "1", "--quiet",
    ]  # fmt: skip
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    heavy.told(*common, "data.jsonl", "-o", "whole", cwd=tmp_path)

    def begun() -> set[Path]:
        return set(broken.glob("checkpoints/checkpoint-*"))

    def written() -> set[Path]:
        return set(checkpoints(broken))

    for seen, how in (
        (begun, ["data.jsonl"]),
        (begun, ["--resume"]),
        (written, ["--resume"]),
    ):
        before = seen()
        process = heavy.start(*common, *how, "-o", "broken", cwd=tmp_path)
        until(lambda: seen() - before, every=0.0005)  # noqa: B023
        os.kill(process, signal.SIGKILL)
        assert heavy.wait() == -signal.SIGKILL
        assert seen() - before and not (broken / "result.json").exists()
    done = heavy.told(*common, "-o", "broken", "--resume", cwd=tmp_path)
    assert json.loads(done.stdout)["steps"] == 24
    a, b = (load_file(run / "adapter" / "adapter_model.safetensors") for run in (whole, broken))
    assert a.keys() == b.keys() and all((a[key] == b[key]).all() for key in a)
    first, second = (read_metrics(run) for run in (whole, broken))
    assert [(m["step"], m["loss"], m["margin"]) for m in first] == [
        (m["step"], m["loss"], m["margin"]) for m in second
    ]


def test_resume_refuses_other_arguments_and_other_data(llava, pairs, tmp_path):
    folder = tmp_path / "run"
    train(pairs[:4], arguments(llava, epochs=1), folder)
    with pytest.raises(RunError, match="holds a run already"):
        train(pairs[:4], arguments(llava, epochs=1), folder)
    with pytest.raises(RunError, match=r"beta was 0\.1 and is 0\.5"):
        train([], arguments(llava, epochs=1, beta=0.5), folder, Settings(resume=True))
    with pytest.raises(RunError, match="data was"):
        train(pairs[4:8], arguments(llava, epochs=1), folder, Settings(resume=True))


def test_bad_models_and_data_are_one_clear_error(llava, pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="can't be loaded"):
        train(pairs[:2], arguments("no/such-model"), tmp_path / "a")
    with pytest.raises(RunError, match="no pairs"):
        train([], arguments(llava), tmp_path / "b")
    gone = pairs[0].copy()
    gone["images"] = ["/nowhere/at/all.png", *gone["images"][1:]]
    with pytest.raises(RecordError, match=r"images\[0\]"):
        train([gone], arguments(llava), tmp_path / "c")
    skipped = []
    train([gone, *pairs[1:3]], arguments(llava, epochs=1), tmp_path / "d", on_error=skipped.append)
    assert len(skipped) == 1 and fail is not skipped


def test_a_model_without_vision_is_refused(tmp_path, pairs):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "text-only")
    with pytest.raises(ModelError, match="text-only"):
        train(pairs[:2], arguments(tmp_path / "text-only"), tmp_path / "run")


def test_a_steps_pairs_are_computed_in_the_order_of_their_lengths(llava, pairs, tmp_path, monkeypatch):
    """Each optimizer step has the same pairs as in the file, in another order."""
    from s2h.train import collator

    seen: list[list[str]] = []
    whole = collator.Collator.__call__

    def watch(self, rows):
        if collator.REFERENCE[0] in rows[0]:
            seen.append([row["record"]["id"] for row in rows])
        return whole(self, rows)

    monkeypatch.setattr(collator.Collator, "__call__", watch)
    train(pairs, arguments(llava, epochs=1, batch_size=2, grad_accum=3), tmp_path / "run")
    known = json.loads((tmp_path / "run" / "reference.json").read_text())["train"]
    tokens = {pair["id"]: known[collator.LENGTH][i] for i, pair in enumerate(pairs)}
    ids = [name for batch in seen for name in batch]
    for start in (0, 6):
        step = ids[start : start + 6]
        assert set(step) == {pair["id"] for pair in pairs[start : start + 6]}
        assert [tokens[name] for name in step] == sorted(tokens[name] for name in step)


@pytest.mark.parametrize("name", ["llava", "qwen3-vl"])
def test_each_image_is_encoded_once_and_keeping_changes_no_number(
    name, architectures, pairs, tmp_path, monkeypatch
):
    encoded, of, pairs = [], features.Features.of, pairs[:6]
    monkeypatch.setattr(
        features.Features, "of", lambda out: encoded.append(len(out.pooler_output)) or of(out)
    )
    found, said = {}, []
    for gib in (None, 0):
        folder = tmp_path / f"run{gib}"
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder))  # so that both have a reference pass
        train(
            pairs,
            arguments(architectures[name]),
            folder,
            Settings(log_steps=1, keep_features=gib),
            say=said.append,
        )
        found[gib] = (
            metrics(folder),
            sum(encoded),
            len([line for line in said if "encoded again" in line]),
        )
        encoded.clear()
    images = sum(len(pair["images"]) for pair in pairs)
    assert found[None][0] == found[0][0]
    assert found[None][1:] == (images, 0)
    assert found[0][1] > 3 * images and found[0][2] == 1, "the first check, the reference pass and two epochs"
