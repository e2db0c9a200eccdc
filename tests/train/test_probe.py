"""The probe: short questions before and after training tell whether a model still answers them."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from s2h import record, tasks
from s2h.cli.train import main
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.models import vlm
from s2h.record import RecordError
from s2h.streams import jsonl
from s2h.train import probe
from s2h.train.arguments import Arguments, fill
from s2h.train.construction import Run, build_trainer
from s2h.train.dataset import Pairs, store
from s2h.train.folder import RunError
from s2h.train.run import Settings, train
from tests.support.architectures import PALETTE, make_pairs
from tests.support.hybrid_architectures import RELATIVES
from tests.support.one_step import trainer_for

LONG = "The picture on the left shows a large circle and two small stars on a white background."


@pytest.fixture(scope="module")
def held_out(tmp_path_factory) -> list:
    """Pairs of level 1, each of which gives a question about one image."""
    place = tmp_path_factory.mktemp("held-out")
    return list(tasks.generate("vqa", n=12, size=64, split="heldout", images=Store(place)))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list:
    return list(tasks.generate("vqa", n=8, size=64, images=Store(tmp_path_factory.mktemp("pairs"))))


@pytest.fixture(scope="module")
def coloured(tmp_path_factory) -> list:
    """Pairs whose facts name a question, for models of the tests' own vocabulary."""
    made = make_pairs(tmp_path_factory.mktemp("coloured"), 18)[::3]
    for pair in made:
        (at,) = pair["target"]
        asked = f"What colour is image {at + 1}?"
        pair["facts"] |= {"question": asked, "candidates": list(PALETTE)}
    return made


def arguments(model, **more) -> Arguments:
    fixed = {"batch_size": 2, "grad_accum": 2, "rank": 8, "alpha": 16, "lr": 5e-4, "epochs": 1, "warmup": 0.0}
    return Arguments(model=str(model), **{**fixed, **more})


def replies(folder) -> dict:
    return json.loads((folder / "probe.json").read_text())


def test_a_model_that_loses_its_short_form_is_reported(pairs, held_out, tmp_path):
    """SFT on one long caption, at a high learning rate."""
    captions = [record.Record(one, chosen=record.assistant(LONG)) for one in pairs]
    said: list[str] = []
    asked = arguments("mini", loss="sft", lr=2e-2, epochs=6, scheduler="constant")
    result = train(captions, asked, tmp_path / "run", held_out=held_out, say=said.append)
    found = result["probe"]
    assert found["questions"] == 12 and "long" in found["lost"] and found["p"]["long"] < 0.05
    assert found["before"]["words"] <= 4 < found["after"]["words"]
    [told] = [line for line in said if line.startswith("probe of 12 short questions")]
    [warned] = [line for line in said if line.startswith("warning: the model answers short questions worse")]
    assert (
        "of more than 4 words (p = " in warned
        and "--images-per-prompt 1" in warned
        and "--beta" not in warned
    )
    card = (tmp_path / "run" / "README.md").read_text()
    assert f"P{told[1:]}. The model answers short questions worse than before training: " in card
    assert any(len(reply.split()) > 4 for reply in replies(tmp_path / "run")["after"])
    assert json.loads((tmp_path / "run" / "result.json").read_text())["probe"] == found


def test_a_usual_run_is_told_without_a_warning_and_asks_the_models_before_and_after_it(
    pairs, held_out, tmp_path
):
    said: list[str] = []
    result = train(pairs, arguments("mini", lr=5e-5), tmp_path / "run", held_out=held_out, say=said.append)
    assert result["probe"]["lost"] == [] and not [line for line in said if "warning" in line]
    assert sum(line.startswith("probe of 12 short questions") for line in said) == 1
    kept = replies(tmp_path / "run")
    for name, which in (("mini", "before"), (str(tmp_path / "run"), "after")):
        assert kept[which] == asked_of(vlm.load(name), held_out)
    other = train(pairs, arguments("mini", lr=5e-5, probe="off"), tmp_path / "off", held_out=held_out)
    assert "probe" not in other and not (tmp_path / "off" / "probe.json").exists()
    weights = [
        load_file(tmp_path / name / "adapter" / "adapter_model.safetensors") for name in ("run", "off")
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1]), (
        "a probe trains nothing"
    )


def asked_of(model, held_out) -> list[str]:
    rows = []
    for pair in held_out:
        image = open_images(pair)[pair["target"][0]]
        rows.append((record.interleave([record.IMAGE, f"\n{pair['facts']['question']}"]), [image]))
    return list(vlm.generate(model, rows, max_new_tokens=probe.NEW_TOKENS))


def test_a_resumed_run_keeps_the_replies_of_the_untrained_model(llava, coloured, tmp_path):
    run, again = tmp_path / "run", Settings(resume=True, save_steps=1)
    asked = arguments(llava, lr=0.02, epochs=2)
    first = train(coloured, asked, run, Settings(save_steps=1), held_out=coloured)
    assert first["probe"]["questions"] == len(coloured)
    kept = replies(run)
    assert kept["before"] != kept["after"]
    (run / "result.json").unlink()

    (run / "probe.json").write_text(json.dumps({**kept, "before": ["red"] * len(coloured)}))
    assert train([], asked, run, again)["probe"]["before"]["unread"] == 0, "the file has the replies"
    for text, reason in (
        ("{", "is no JSON"),
        (json.dumps({**kept, "before": [1]}), "was changed"),
        (json.dumps({**kept, "questions": "0"}), "has the replies to other questions"),
    ):
        (run / "result.json").unlink(missing_ok=True)
        (run / "probe.json").write_text(text)
        with pytest.raises(RunError, match=rf"probe\.json {reason}.*\(remove it"):
            train([], asked, run, again)
    (run / "probe.json").unlink()  # the remedy: they are asked before the checkpoint is loaded
    assert train([], asked, run, again)["probe"] == first["probe"]
    assert replies(run) == kept


def test_the_best_weights_are_asked_if_they_are_kept(llava, coloured, tmp_path):
    swapped = [record.Record(one, chosen=one["rejected"], rejected=one["chosen"]) for one in coloured]
    asked = arguments(llava, lr=0.02, epochs=4, keep_best=True, scheduler="constant")
    result = train(coloured, asked, tmp_path / "run", Settings(log_steps=1), held_out=swapped)
    assert result["best_step"] < result["steps"]
    saved = vlm.load(str(tmp_path / "run"))
    questions = [(m, open_images(line["_pair"])) for line, m in questions_of(tmp_path / "run" / "val.jsonl")]
    assert replies(tmp_path / "run")["after"] == list(
        vlm.generate(saved, questions, max_new_tokens=probe.NEW_TOKENS)
    )


def questions_of(path) -> list:
    from s2h.eval.questions import single_image

    rows = Pairs(path)
    return list(single_image.questions(rows.record(row) for row in rows.kept))


def test_the_users_questions_are_asked_as_s2h_eval_asks_them(llava, coloured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = coloured[0]["images"][0]
    with jsonl.Writer("own.jsonl") as out:
        for i in range(3):
            out.write(
                {
                    "id": i,
                    "images": [image],
                    "question": "What colour is it?",
                    "choices": ["red", "blue"],
                    "answer": "A",
                }
            )
    given = fill({"model": str(llava), "probe": "own", "step": 2, "rank": 4})
    assert given.probe == str(tmp_path / "own.jsonl")
    said: list[str] = []
    result = train(coloured, given, tmp_path / "run", say=said.append)
    assert result["probe"]["questions"] == 3 and said[-1].startswith("probe of 3 short questions")
    assert len(replies(tmp_path / "run")["before"]) == 3

    own = (tmp_path / "own.jsonl").read_text().replace(image, "gone.png", 1)
    (tmp_path / "own.jsonl").write_text(own)
    with pytest.raises(RecordError, match=r"own\.jsonl:1: images\[0\]: no such file"):
        train(coloured, given, tmp_path / "other")
    skipped: list[RecordError] = []
    result = train(coloured, given, tmp_path / "skip", on_error=skipped.append)
    assert result["probe"]["questions"] == 2 and replies(tmp_path / "skip")["before"][0] is None
    assert [error.field for error in skipped] == ["images[0]"], "asked once"
    (tmp_path / "own.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(RecordError, match=r"own\.jsonl: no questions \(name another file with --probe"):
        train(coloured, given, tmp_path / "empty", on_error=skipped.append)
    assert "question: is missing" in str(skipped[-1])


def test_the_file_of_questions_must_exist_and_is_no_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with jsonl.Writer("in.jsonl") as out:
        out.write({"images": ["a.png"], "prompt": "What?", "chosen": "A.", "rejected": "B."})
    done = CliRunner().invoke(main, ["--model", "mini", "in.jsonl", "--probe", "gone", "-o", "run"])
    assert done.exit_code == 1 and "--probe: no such file: gone" in done.stderr
    (tmp_path / "run").mkdir()
    shutil.copy("in.jsonl", "run/result.json")
    done = CliRunner().invoke(
        main, ["--model", "mini", "in.jsonl", "--probe", "run/result.json", "-o", "run"]
    )
    assert done.exit_code == 2 and "its result.json is an input" in done.stderr


@pytest.mark.parametrize("name", ["llava", "qwen2.5-vl", "qwen3-vl", "gemma3", "qwen3.5", "internvl"])
def test_a_training_step_with_shared_prompts_disturbs_no_reply(name, architectures, coloured, tmp_path):
    folder = architectures.get(name) or RELATIVES[name](tmp_path / name)
    trainer, rows = trainer_for(folder, coloured, tmp_path, torch.float32)
    run = Run(
        vlm.VLM(trainer.base, trainer.processing_class, name), rows, rows, arguments(folder), tmp_path / "run"
    )
    asked = probe.Probe(trainer, run, pytest.fail)
    plain = asked._ask(asked.questions)
    assert plain is not None and any(plain)
    assert trainer.share_prompts(rows) is None
    trainer.add_reference(rows)
    batch = trainer.data_collator([trainer.train_dataset[row] for row in (0, 1)])
    trainer.compute_loss(trainer.model, trainer.prepare_batch(batch)).backward()
    trainer.stop_sharing()  # as ask_after does: with shared prompts, transformers' generate can't ask Qwen3.5
    assert asked._ask(asked.questions) == plain


def test_sharded_weights_and_models_that_think_are_not_asked(llava, coloured, tmp_path):
    loaded = vlm.VLM(*vlm.read(str(llava), torch.float32), str(llava))
    store(coloured, tmp_path / "data.jsonl")
    rows, said = Pairs(tmp_path / "data.jsonl"), []
    run = Run(loaded, rows, rows, arguments(llava), tmp_path / "run", Settings(), said.append)
    trainer = build_trainer(run)
    trainer.is_deepspeed_enabled = True  # as transformers sets it
    asked = probe.Probe(trainer, run, pytest.fail)
    asked.ask_before()
    assert asked.ask_after() is None and not (tmp_path / "run" / "probe.json").exists()
    assert said == [
        "the short questions of the probe are not asked: the weights are sharded over the processes"
    ]


def test_two_processes_ask_together(heavy, llava, coloured, tmp_path):
    with jsonl.Writer(str(tmp_path / "data.jsonl")) as out:
        for pair in coloured:
            out.write(pair)
    said = []
    for count in "12":
        done = heavy.told(
            "train", "--model", str(llava), "data.jsonl", "--val", "data.jsonl", "-o", f"run{count}", "--processes", count,
            "--step-pairs", "2", "--batch-size", "1", "--lora-rank", "4", "--max-steps", "1", cwd=tmp_path,
        )  # fmt: skip
        assert done.stderr.count("probe of 6 short questions") == 1
        said.append((json.loads(done.stdout)["probe"]["before"], replies(tmp_path / f"run{count}")["before"]))
    assert said[0] == said[1]


def test_losses_are_told_from_chance_by_a_paired_test():
    def line(i: int) -> dict:
        return {"id": str(i), "bench": "own", "images": [f"{i}.png"], "answer": "red", "answer_type": "word",
                "candidates": ["red", "blue"]}  # fmt: skip

    def found(before: list[str], after: list[str], same_image: bool = False) -> dict:
        lines = [line(0 if same_image else i) for i in range(len(before))]
        return probe.compared(list(zip(lines, before, after, strict=True)))

    worse = found(["Red."] * 10, ["Blue."] * 6 + ["Red."] * 4)
    assert worse["lost"] == ["accuracy"] and worse["p"]["accuracy"] == pytest.approx(2 / 64)
    assert (worse["before"]["accuracy"], worse["after"]["accuracy"]) == (1.0, 0.4)
    assert found(["Red."] * 10, ["Blue."] * 5 + ["Red."] * 5)["lost"] == []
    assert found(["Red."] * 10, ["Blue."] * 6 + ["Red."] * 4, same_image=True)["lost"] == [], "one cluster"
    assert found(["Blue."] * 10, ["Red."] * 10)["lost"] == [], "a gain is no loss"
    unread = found(["Blue."] * 10, ["No idea."] * 10)
    assert unread["lost"] == ["unread"] and unread["after"] == {
        "accuracy": 0,
        "unread": 1,
        "long": 0,
        "words": 2,
    }
    longer = found(["Red."] * 10, ["It is red, as anyone can see."] * 10)
    assert longer["lost"] == ["long"] and longer["after"]["words"] == 7
    hidden = probe.compared([({**line(0), "answer": None}, "Red.", "Blue.")])
    assert hidden["before"]["accuracy"] is None and "unknown -> unknown right" in probe.told(hidden)
    assert "a larger --beta" in probe.warning(longer, only_sft=False)
