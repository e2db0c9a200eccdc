"""The private parts of the libraries that s2h relies on are there, and one that is missing is a line with a remedy."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest

from s2h import upstream
from s2h.record import RecordError
from tests.support.house import FILES, ROOT, nodes

# Private names of these libraries that are no longer read anywhere else.
PRIVATE = {
    "_attn_implementation", "_forward_hooks", "_forward_pre_hooks", "_get_dataloader", "_get_num_multimodal_tokens",
    "_load_from_checkpoint", "_load_optimizer_and_scheduler", "_load_rng_state", "_metrics", "_name_or_path",
    "_precompute_ref_logps", "_prepare_dataset", "_prepare_inputs", "_save_checkpoint", "_shared_state",
    "_total_train_tokens", "_train_batch_size",
}  # fmt: skip


def test_every_part_is_there():
    upstream.check()


def test_the_versions_are_those_that_are_asked_for():
    text = (ROOT / "pyproject.toml").read_text()
    for library, (oldest, _) in upstream.SEEN.items():
        [floor] = re.findall(rf'"{library}>=([\d.]+)"', text)
        assert oldest == floor or oldest.startswith(f"{floor}."), library


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (upstream.Part("trl:DPOTrainer._gone", "train"), "has no trl.DPOTrainer._gone"),
        (upstream.Part("trl.gone:Thing", "train"), "has no trl.gone.Thing"),
        (upstream.Part("trl:DPOTrainer._compute_loss", "train", takes=("gone",)), "has no parameter gone of"),
        (
            upstream.Part("trl:DPOTrainer.__init__", "train", says=("_gone",)),
            "has no _gone in trl.DPOTrainer",
        ),
        (upstream.Part("transformers.trainer:OPTIMIZER_NAME", "train", value="x"), "has 'optimizer.pt' for"),
    ],
)
def test_a_part_that_is_missing_is_named_with_a_remedy(part, told):
    with pytest.raises(RecordError) as caught:
        upstream.check((*upstream.PARTS[:1], part))
    said = str(caught.value)
    assert told in said and "which s2h-train needs to train" in said and "\n" not in said
    assert f"trl=={upstream.SEEN['trl'][1]}" in said and said.endswith(")")


def test_a_run_looks_for_the_parts_before_it_loads_a_model(tmp_path, monkeypatch):
    from s2h.train.run import Arguments, train

    broken = replace(upstream.PARTS[0], where="trl:DPOTrainer._gone")
    monkeypatch.setattr(upstream.check, "__defaults__", ((broken,),))
    with pytest.raises(RecordError, match="pip install"):
        train([], Arguments(str(tmp_path / "no model")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_private_parts_are_used_in_one_file():
    wrong = [
        f"{path}:{node.lineno}: {node.attr} belongs in s2h/upstream.py"
        for path in FILES
        if path != ROOT / "s2h" / "upstream.py"
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in PRIVATE
    ]
    assert not wrong, "\n".join(wrong)


def test_a_method_is_replaced_and_put_back():
    class Thing:
        def name(self):
            return "its own"

    thing = Thing()
    restore = upstream.replace(thing, "name", lambda: "another")
    nested = upstream.replace(thing, "name", lambda: "a third")
    assert thing.name() == "a third"
    nested()
    assert thing.name() == "another"
    restore()
    assert thing.name() == "its own" and "name" not in vars(thing)
