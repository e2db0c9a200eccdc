"""The attention to each image, compared with the attention weights of a real architecture."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from s2h import record
from s2h.models import ModelError, encode, image_attention, vlm
from s2h.tasks.item_pair import Pair
from s2h.tasks.least_attention import LeastAttention


@pytest.fixture(scope="module")
def mini():
    return vlm.load("mini")


def prompt(n: int) -> list[dict]:
    parts = [part for i in range(n) for part in (f"Image {i + 1}: ", record.IMAGE)]
    return record.interleave([*parts, "\nWhat colour is the star in Image 1?"])


def test_shares_are_those_of_the_middle_layer(mini):
    images = [Image.new("RGB", (64, 64), colour) for colour in ("red", "white", "blue")]
    found = image_attention.shares(mini, prompt(3), images, "Red.")
    assert len(found) == 3 and abs(sum(found) - 1) < 1e-6 and all(0 < share < 1 for share in found)
    # By hand: all layers' weights of an eager pass.
    text = encode.prompt_text(mini.processor, prompt(3))
    said = encode.answer_text(mini.processor, prompt(3), record.assistant("Red."), text)
    inputs = encode.join_answers(
        mini.processor, encode.encode_prompts(mini.processor, [text], [images]), [[said]], side="left"
    )
    spoken = inputs.pop("completion_mask")[0].bool()
    mini.model.set_attn_implementation("eager")
    with torch.inference_mode():
        weights = mini.model(**inputs, output_attentions=True).attentions
    mini.model.set_attn_implementation("sdpa")
    paid = weights[len(weights) // 2][0].float().mean(0)[spoken].sum(0)
    places = inputs["input_ids"][0] == mini.model.config.image_token_id
    each = paid[places].reshape(3, -1).sum(1)
    assert torch.allclose(torch.tensor(found), each / each.sum(), atol=1e-5)


def test_a_model_keeps_its_attention_afterwards(mini):
    before = mini.model.config._attn_implementation
    image_attention.share(mini, prompt(2), [Image.new("RGB", (64, 64))] * 2, "Two.", 0)
    assert mini.model.config._attn_implementation == before


def test_image_tokens_that_cannot_be_separated():
    assert image_attention._runs([7, 7, 7, 7], 7, 2) == [(0, 2), (2, 4)]
    assert image_attention._runs([1, 7, 7, 2, 7, 3], 7, 2) == [(1, 3), (4, 5)]
    with pytest.raises(ModelError, match="3 images, but 2 runs"):
        image_attention._runs([1, 7, 7, 2, 7, 3], 7, 3)


def test_answers_that_looked_at_the_target_are_no_negatives():
    shares = {"a": 0.9, "b": 0.65, "c": 0.5}
    choose = LeastAttention(lambda messages, pictures, text, target: shares[text])
    pair = Pair([], "", "", "", "hallucination", [0], {})
    assert choose(pair, [1, 2], ["a", "b", "c"]) == "c"
    assert choose(pair, [1, 2], ["a"]) is None and choose(pair, [1, 2], ["b"]) == "b"
    assert choose(pair, [1, 2, 3, 4], ["b"]) is None and choose(pair, [1], ["a"]) == "a"
