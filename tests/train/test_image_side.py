"""The image side of the loss is mDPO's conditional preference to the last digits, and a run keeps it from the reference to
its result."""

from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner
from torch.nn.functional import logsigmoid
from transformers import AutoProcessor

from s2h.cli.filter import main as filter_main
from s2h.cli.train import main
from s2h.images.decoding import open_images
from s2h.models import encode, features, prefix_sharing, vlm
from s2h.models.tokens import TokenCounter
from s2h.record import Record, RecordError, text_of
from s2h.streams import jsonl
from s2h.train import agreement, image_side, plan
from s2h.train.arguments import Arguments, fill
from s2h.train.batches import form_batches, steps
from s2h.train.dataset import store
from s2h.train.folder import read_metrics
from s2h.train.run import Settings, train
from s2h.upstream import REFERENCE
from tests.support.architectures import make_pairs
from tests.support.float64 import float64
from tests.support.hybrid_architectures import RELATIVES
from tests.support.lines import metrics
from tests.support.one_step import core_of, trainer_for

WEIGHT, BETA = 0.7, 0.1
NAMES = ("llava", "qwen3-vl", "qwen2-vl")


def with_rejected(pairs: list) -> list:
    """Give two of three pairs their own images in another order, which are as many and of other sizes."""
    for i, pair in enumerate(pairs):
        if i % 3 != 1:
            pair["rejected_images"] = pair["images"][1:] + pair["images"][:1]
    return pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return with_rejected(make_pairs(tmp_path_factory.mktemp("pairs"), 6))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with jsonl.Writer(str(folder / "data.jsonl")) as writer:
        for pair in with_rejected(make_pairs(folder / "pictures", 8)):
            writer.write(pair)
    return folder / "data.jsonl"


def log_probability(trainer, record, which: str, field: str = "images"):
    """What a plain forward pass of one row gives for an answer: the sum over its tokens."""
    processor = trainer.processing_class
    prompt = encode.prompt_text(processor, record["prompt"])
    answer = encode.answer_text(processor, record["prompt"], record[which], prompt)
    row = processor(
        text=[prompt + answer], images=[open_images(record, field=field)], return_tensors="pt", add_special_tokens=False
    )  # fmt: skip
    row["pixel_values"] = row["pixel_values"].to(trainer.model.dtype)
    size = len(processor.tokenizer(answer, add_special_tokens=False)["input_ids"])
    logits = trainer.model(**row).logits[0, -size - 1 : -1].log_softmax(-1)
    return logits.gather(-1, row["input_ids"][0, -size:, None]).sum()


def plain_step(trainer, rows):
    """Loss, gradients and references by the formulas of DPO and mDPO, from a forward pass of each row by itself."""
    trainer.model.eval()
    trainer.model.zero_grad()
    losses, references = [], []
    for row in range(len(rows.starts)):
        record = rows.record(row)
        asked = [("chosen", "images"), ("rejected", "images")]
        asked += [("chosen", "rejected_images")] if "rejected_images" in record else []
        with torch.no_grad(), trainer.model.disable_adapter():
            reference = [log_probability(trainer, record, *one) for one in asked]
        references.append([one.item() for one in reference] + [0.0] * (3 - len(asked)))
        chosen, *others = (
            log_probability(trainer, record, *one) - known.float()
            for one, known in zip(asked, reference, strict=True)
        )
        loss = -logsigmoid(BETA * (chosen - others[0]))
        if len(others) > 1:
            loss = loss - WEIGHT * logsigmoid(BETA * (chosen - others[1]))
        losses.append(loss)
    loss = torch.stack(losses).mean()
    loss.backward()
    trainer.model.train()
    return loss.detach(), gradients_of(trainer), references


def gradients_of(trainer):
    return {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}


def batch_of(trainer, rows):
    dataset = rows.dataset()
    batch = trainer.data_collator([dataset[i] for i in range(len(dataset))])
    batch["pixel_values"] = batch["pixel_values"].to(trainer.model.dtype)
    return batch


@pytest.mark.parametrize("name", NAMES)
def test_same_loss_and_gradients_as_the_plain_formula(name, pairs, architectures, tmp_path):
    if name in RELATIVES:
        RELATIVES[name](tmp_path / "model")
    folder = tmp_path / "model" if name in RELATIVES else architectures[name]
    first = pairs[0]  # with `pack`, it shares both of its rows with its twin
    twin = {**first, "id": "twin", "images": first["rejected_images"], "rejected_images": first["images"]}
    twin |= {"chosen": first["rejected"], "rejected": first["chosen"]}
    pairs = [*pairs, Record(twin, base=first.base)]
    trainer, rows = trainer_for(folder, pairs, tmp_path, image_side=WEIGHT, beta=BETA)
    with float64():
        _compare(trainer, rows)


def _compare(trainer, rows):
    wanted, gradients, references = plain_step(trainer, rows)
    assert max(g.abs().max() for g in gradients.values()) > 1e-6
    stored = features.Store(2**30)
    for how, pack, kept in (("stock", False, None), ("split", False, stored), ("mask", True, stored)):
        trainer.data_collator.packed, trainer.data_collator.pack = how != "stock", pack
        undo = prefix_sharing.install(core_of(trainer), how, kept) if how != "stock" else lambda: None
        columns = trainer.add_reference(rows)
        for at, column in enumerate((*REFERENCE, image_side.REFERENCE)):
            for row, known in enumerate(references):
                assert columns[column][row] == pytest.approx(known[at], abs=1e-11)
            columns[column] = [known[at] for known in references]
        trainer.add_reference(rows, columns)
        trainer.model.zero_grad()
        batch = batch_of(trainer, rows)
        loss = trainer.compute_loss(trainer.model, dict(batch))
        loss.backward()
        undo()
        assert abs(loss.detach() - wanted) < 1e-12
        assert how == "stock" or len(batch["row_ids"]) == (10 if pack else 12)
        found = gradients_of(trainer)
        assert found.keys() == gradients.keys()
        assert max((found[name] - g).abs().max() for name, g in gradients.items()) < 1e-12
    assert len(stored.kept) == 10, "of each list of images once: six pairs and their four rejected ones"


def test_the_first_check_sees_the_rejected_images(llava, pairs, tmp_path, monkeypatch):
    """Packed rows with wrong images in their further rows are not used."""
    trainer, rows = trainer_for(llava, pairs, tmp_path, torch.float32, image_side=WEIGHT)
    assert trainer.share_prompts(rows) is None
    found = agreement.measure(
        trainer, lambda some, packed: trainer.batch_of(rows, some, packed), [0, 1], lambda: None
    )
    assert len(found.on) == 3
    taken = image_side.joined

    def exchanged(batch):
        batch = taken(batch)
        if "row_index" in batch:
            batch["row_index"][-1] = batch["row_index"][0]
        return batch

    monkeypatch.setattr(image_side, "joined", exchanged)
    assert "differ from the stock step" in trainer.share_prompts(rows)


def run(*arguments, status: int = 0, command=main):
    done = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def options(model, data, out, *more):
    return ["--model", model, data, "-o", out, "--image-side", WEIGHT, "--batch-size", 2, "--step-pairs", 4,
            "--lora-rank", 4, "--lr", 0.01, "--epochs", 2, "--log-steps", 1, *more]  # fmt: skip


def test_a_run_measures_its_image_side_and_learns_it(llava, data, tmp_path):
    done = run(*options(llava, data, tmp_path / "run", "--val", data, "--token-budget", 400, "--epochs", 1))
    assert "5 of 8 pairs have rejected_images: the others add 0 to the image side" in done.stderr
    result, lines = json.loads(done.stdout), read_metrics(tmp_path / "run")
    first, last = [line for line in lines if "loss" in line][:: result["steps"] - 1]
    share = first["image_side"]["pairs"] / 4
    assert first["loss"] == pytest.approx(0.6931 * (1 + WEIGHT * share), abs=1e-3)
    assert first["image_side"]["margin"] == pytest.approx(0, abs=1e-3)
    levels = first["levels"].values()
    assert sum(one["loss"] * one["pairs"] for one in levels) / 4 == pytest.approx(first["loss"], abs=1e-5)
    held = [line for line in lines if "eval_loss" in line][-1]
    assert held["eval_image_side"]["pairs"] == 5 and held["eval_image_side"]["margin"] > 0.005
    assert held["eval_image_side"]["loss"] == pytest.approx(result["eval_image_side"]["loss"])
    assert last["image_side"] == result["image_side"]
    card = (tmp_path / "run" / "README.md").read_text()
    assert "image side of weight 0.7 (mDPO" in card and "Image side (the chosen answer" in card
    assert json.loads(run("--resume", "-o", tmp_path / "run").stdout)["steps"] == result["steps"]


class Killed(BaseException):
    """Ends a run in its middle."""


def test_a_resumed_run_keeps_it(llava, pairs, tmp_path, monkeypatch):
    arguments = Arguments(
        str(llava), batch_size=2, grad_accum=1, rank=4, alpha=8, epochs=1, lr=5e-3, image_side=WEIGHT
    )
    train(pairs, arguments, tmp_path / "a", Settings(log_steps=1))
    from s2h.train.run_trainer import RunTrainer

    step = RunTrainer.training_step

    def killed(trainer, *given, **more):
        if trainer.state.global_step == 2:
            raise Killed
        return step(trainer, *given, **more)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(RunTrainer, "training_step", killed)
        train(pairs, arguments, tmp_path / "b", Settings(save_steps=1, log_steps=1))
    train([], arguments, tmp_path / "b", Settings(log_steps=1, resume=True))
    a, b = ((tmp_path / name / "adapter" / "adapter_model.safetensors").read_bytes() for name in "ab")
    assert a == b and metrics(tmp_path / "a") == metrics(tmp_path / "b")
    # A run without the image side has other values of the reference.
    said: list[str] = []
    arguments.image_side, arguments.max_steps = 0.0, 1
    train(pairs, arguments, tmp_path / "c", say=said.append)
    assert any("4 of 6 pairs have rejected_images, which are not used" in line for line in said)
    assert any("6 pairs (train): measured now" in line for line in said)


def test_scores_ref_of_s2h_filter_are_the_reference(llava, data, tmp_path):
    scored = tmp_path / "scored.jsonl"
    run("--ref", llava, data, "-o", scored, command=filter_main)
    found = list(jsonl.read(str(scored)))
    rows = [
        (pair["prompt"], pair["chosen"], open_images(pair, field="rejected_images"))
        for pair in found if "rejected_images" in pair
    ]  # fmt: skip
    wanted = iter(vlm.score(vlm.load(str(llava)), rows))
    for pair in found:
        if "rejected_images" in pair:
            assert pair["scores"]["ref"]["rejected_images"] == pytest.approx(next(wanted), abs=1e-3)
        else:
            assert "rejected_images" not in pair["scores"]["ref"]
    told = run(*options(llava, scored, tmp_path / "a", "--max-steps", 1)).stderr
    assert "8 pairs (train): from scores.ref" in told
    kept = json.loads((tmp_path / "a" / "reference.json").read_text())["train"]
    assert kept[image_side.REFERENCE] == [pair["scores"]["ref"].get("rejected_images", 0.0) for pair in found]


def test_a_plan_counts_the_further_rows(llava, data):
    pairs = list(jsonl.read(str(data)))
    made = plan.plan_run(pairs, fill({"model": str(llava), "batch_size": 2, "image_side": 1.0}))
    images = sum(16 * len(pair["images"]) for pair in pairs if "rejected_images" in pair) / 8
    assert (
        images < made["tokens"]["image_side"] < 0.75 * (made["tokens"]["prompt"] + made["tokens"]["answers"])
    )
    plain, more = (
        plan.plan_run(pairs, fill({"model": "llava-1.5-7b", "image_side": weight})) for weight in (0.0, 1.0)
    )
    assert "image_side" not in plain["tokens"] and more["tokens"]["prompt"] == plain["tokens"]["prompt"]
    assert more["time"]["petaflop"] / plain["time"]["petaflop"] == pytest.approx(
        1 + more["tokens"]["image_side"] / (plain["tokens"]["prompt"] + plain["tokens"]["answers"]), abs=1e-3
    )
    assert more["memory_gib"]["activations"] > plain["memory_gib"]["activations"]


def test_what_cannot_be_trained_is_said_before_it_starts(llava, data, tmp_path):
    plain = tmp_path / "plain.jsonl"
    with jsonl.Writer(str(plain)) as writer:
        for pair in jsonl.read(str(data)):
            pair.pop("rejected_images", None)
            writer.write(pair)
    for more in ([], ["--plan"]):
        told = run(*options(llava, plain, tmp_path / "run", *more), status=1).stderr
        assert (
            "--image-side needs rejected_images, and no pair has them (s2h-gen --twins --image-side" in told
        )
    for name, change, words in (
        ("gone.png", None, "rejected_images[0]: "),
        ("copy.png", "images", "rejected_images: have the same pixels as images"),
    ):
        bad = tmp_path / f"{name}.jsonl"
        with jsonl.Writer(str(bad)) as writer:
            for at, pair in enumerate(jsonl.read(str(data))):
                if at == 0:
                    pair["rejected_images"] = [
                        str(tmp_path / f"{i}-{name}") for i in range(len(pair["images"]))
                    ]
                    for place, image in zip(pair["rejected_images"], open_images(pair), strict=True):
                        if change:
                            image.save(place)
                writer.write(pair)
        told = run(*options(llava, bad, tmp_path / "run"), status=1).stderr
        assert f"{bad}:1: {words}" in told
        assert not (tmp_path / "run" / "args.json").exists()


def test_a_pair_whose_rejected_images_do_not_fit_is_dropped(qwen25vl, pairs, tmp_path):
    """Its own images fit. A pair with equal answers still teaches by its rejected images."""
    processor = AutoProcessor.from_pretrained(qwen25vl)
    pair = pairs[0].copy()
    places = [tmp_path / f"{i}.png" for i in range(len(pair["images"]))]
    for image, place in zip(open_images(pair), places, strict=True):
        image.resize((56, 56)).save(place)
    pair |= {
        "images": list(map(str, places)),
        "rejected_images": pairs[0]["images"],
        "rejected": pair["chosen"],
    }
    least = TokenCounter(processor, "qwen2_5_vl", 10**6).count(pair, open_images(pair)).row
    for window, used, wanted in (
        (least, False, (1, 0, 1)),
        (least, True, (0, 1, 0)),
        (10 * least, True, (1, 0, 0)),
    ):
        counter = TokenCounter(processor, "qwen2_5_vl", window)
        stored = store([pair], tmp_path / "x.jsonl", counter=counter, image_side=used)
        assert (stored.count, stored.dropped, stored.identical) == wanted


def test_a_budget_counts_the_rows_of_rejected_images():
    for further, wanted in ((None, [2, 4]), ([1] * 6, [4, 4, 4]), ([0, 0, 0, 0, 1, 1], [4, 4])):
        batches, _ = form_batches(steps([10] * 6, 6, further=further), size=1, budget=40)
        assert [sum(unit.lines for unit in batch.units) for batch in batches] == wanted


def test_the_sign_prefers_the_answer_under_its_own_images():
    """A chosen answer that has become likelier under the images than under the rejected ones has the smaller loss."""
    known = image_side.Rows(None, chosen=torch.tensor([-1.0, -5.0]), other=torch.tensor([-3.0]))
    batch = {
        image_side.PAIRS: torch.tensor([0]), image_side.REFERENCE: torch.tensor([-2.0, 0.0]),
        REFERENCE[0]: torch.tensor([-2.0, -5.0]),
    }  # fmt: skip
    assert known.loss(batch, 0.5).item() == pytest.approx(-logsigmoid(torch.tensor(0.5 * 2)).item() / 2)
    known.chosen, known.other = torch.tensor([-3.0, -5.0]), torch.tensor([-1.0])
    assert known.loss(batch, 0.5).item() == pytest.approx(-logsigmoid(torch.tensor(-0.5 * 2)).item() / 2)


def test_rejected_images_are_checked(pairs):
    from s2h import record

    for value, words in (
        (pairs[0]["images"], "rejected_images: are the same as images"),
        (pairs[0]["images"][:1], "rejected_images: must be as many as images: 1, and there are 2 images"),
        ("a.png", "rejected_images: must be a list of image references: it is a text"),
        ([], "rejected_images: must be a list of image references: it is empty (leave the field out)"),
        ([3, "a.png"], "rejected_images[0]: must be an image reference: it is a number"),
    ):
        with pytest.raises(RecordError) as raised:
            record.check({**pairs[0], "rejected_images": value})
        assert words in str(raised.value)
    record.check({**pairs[0], "rejected_images": None})
    assert text_of(pairs[0]["chosen"])
