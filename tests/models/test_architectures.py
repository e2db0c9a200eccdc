"""The small architectures have the properties of real ones on which the other tests rely. If these fail, look here first."""

from types import SimpleNamespace

import pytest

from s2h import record
from s2h.images import decoding
from tests.support.architectures import ARCHITECTURES, make_pairs

TYPES = {
    "llava": ("LlavaForConditionalGeneration", "LlavaProcessor"),
    "qwen2.5-vl": ("Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLProcessor"),
    "qwen3-vl": ("Qwen3VLForConditionalGeneration", "Qwen3VLProcessor"),
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs"), 12)


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def loaded(request, architectures):
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = architectures[request.param]
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    return SimpleNamespace(
        name=request.param, folder=folder, model=model.eval(), processor=AutoProcessor.from_pretrained(folder)
    )


def render(loaded, messages, **more) -> str:
    return loaded.processor.apply_chat_template(messages, tokenize=False, **more)


def encode(loaded, rows):
    texts = [render(loaded, row["prompt"], add_generation_prompt=True) for row in rows]
    shown = [decoding.open_images(row) for row in rows]
    return loaded.processor(text=texts, images=shown, padding=True, return_tensors="pt")


def answer(loaded, rows) -> list[list[int]]:
    """Return the tokens of the greedy answers, up to the end token."""
    encoded = encode(loaded, rows)
    made = loaded.model.generate(**encoded, max_new_tokens=24, do_sample=False)[
        :, encoded["input_ids"].shape[1] :
    ]
    end = loaded.processor.tokenizer.eos_token_id
    return [row[: row.index(end)] if end in row else row for row in made.tolist()]


def showing(pairs, count):
    return next(pair for pair in pairs if len(pair["images"]) == count)


def test_folders_load_as_the_real_classes_and_are_small(loaded):
    assert (type(loaded.model).__name__, type(loaded.processor).__name__) == TYPES[loaded.name]
    assert 100_000 < sum(weight.numel() for weight in loaded.model.parameters()) < 500_000
    assert loaded.processor.tokenizer.padding_side == "left"
    assert not list(loaded.folder.glob("*.bin"))


def test_the_same_seed_gives_the_same_bytes(loaded, tmp_path):
    import torch

    before = torch.get_rng_state()
    again = ARCHITECTURES[loaded.name](tmp_path / "again")
    assert torch.equal(before, torch.get_rng_state())
    for path in sorted(loaded.folder.iterdir()):
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name
    other = ARCHITECTURES[loaded.name](tmp_path / "other", seed=1)
    assert (other / "model.safetensors").read_bytes() != (again / "model.safetensors").read_bytes()


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_prompt_of_several_images_runs(loaded, pairs, count):
    import torch

    pair = showing(pairs, count)
    encoded = encode(loaded, [pair])
    with torch.no_grad():
        logits = loaded.model(**encoded).logits
    assert logits.shape[:2] == encoded["input_ids"].shape
    assert torch.isfinite(logits).all()
    marks = (encoded["input_ids"] == loaded.model.config.image_token_id).sum().item()
    assert marks == 16 * count if loaded.name == "llava" else 4 * count <= marks <= 9 * count


def test_images_stay_where_the_content_has_them(loaded, pairs):
    text = render(loaded, showing(pairs, 3)["prompt"], add_generation_prompt=True)
    places = [text.index(f"Image {k}:") for k in (1, 2, 3)]
    mark = loaded.processor.image_token
    assert [text.count(mark, *span) for span in zip(places, [*places[1:], len(text)], strict=True)] == [
        1,
        1,
        1,
    ]


def test_the_answer_continues_the_prompt_and_ends(loaded, pairs):
    tokenizer = loaded.processor.tokenizer
    for pair in pairs:
        prompt = render(loaded, pair["prompt"], add_generation_prompt=True)
        whole = render(loaded, pair["prompt"] + pair["chosen"])
        assert whole.startswith(prompt)
        assert record.text_of(pair["chosen"]) in whole.removeprefix(prompt)
        split = tokenizer.encode(prompt) + tokenizer.encode(whole.removeprefix(prompt))
        assert tokenizer.encode(whole) == split
        assert tokenizer.eos_token_id in tokenizer.encode(whole.removeprefix(prompt))
        assert tokenizer.encode(whole) == tokenizer.encode(whole, add_special_tokens=False)
    assert tokenizer.decode(tokenizer.encode("Größe 7 — ｆｉｎ\n")) == "Größe 7 — ｆｉｎ\n"


def test_images_and_their_order_matter(loaded, pairs):
    import torch

    pair = showing(pairs, 2)
    text = render(loaded, pair["prompt"], add_generation_prompt=True)
    one, two = (image.resize((64, 64)) for image in decoding.open_images(pair))
    last = []
    with torch.no_grad():
        for shown in ([one, two], [two, one], [one, one]):
            encoded = loaded.processor(text=[text], images=[shown], return_tensors="pt")
            last.append(loaded.model(**encoded).logits[0, -1])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (last[a] - last[b]).abs().max() > 1e-3


def test_greedy_answers_do_not_depend_on_the_batch(loaded, pairs):
    rows = [showing(pairs, 2), showing(pairs, 5)]
    alone = [answer(loaded, [row])[0] for row in rows]
    assert answer(loaded, rows) == alone
    assert answer(loaded, rows[::-1]) == alone[::-1]
    assert all(alone)
    assert alone[0] != alone[1]
    unsaid = set(loaded.processor.tokenizer.get_added_vocab().values())
    assert not unsaid & {token for row in alone for token in row}


def test_gradients_reach_every_part(loaded, pairs):
    encoded = encode(loaded, [showing(pairs, 2), showing(pairs, 5)])
    labels = encoded["input_ids"].masked_fill(encoded["attention_mask"] == 0, -100)
    loaded.model.zero_grad()
    loaded.model(**encoded, labels=labels).loss.backward()
    reached = {
        name
        for name, weight in loaded.model.named_parameters()
        if weight.grad is not None and weight.grad.any()
    }
    loaded.model.zero_grad()
    assert any("language_model" in name and "q_proj" in name for name in reached)
    assert any("vision_tower" in name or "visual" in name for name in reached)
    assert any("multi_modal_projector" in name or "merger" in name for name in reached)
    assert any("lm_head" in name for name in reached)


def test_pairs_keep_the_contract(pairs, tmp_path):
    for pair in pairs:
        record.check(pair)
        assert record.text_of(pair["chosen"]) != record.text_of(pair["rejected"])
        assert len(decoding.open_images(pair)) == len(pair["images"])
    assert {pair["level"] for pair in pairs} == {1, 2, 3}
    assert {len(pair["images"]) for pair in pairs} == {2, 3, 4, 5}
    assert len({pair["id"] for pair in pairs}) == len(pairs)

    def bare(made):
        return [{key: value for key, value in pair.items() if key != "images"} for pair in made]

    def pixels(made):
        return [image.tobytes() for pair in made for image in decoding.open_images(pair)]

    again = make_pairs(tmp_path, 12)
    assert bare(again) == bare(pairs)
    assert pixels(again) == pixels(pairs)
    assert bare(make_pairs(tmp_path, 12, seed=1)) != bare(pairs)
