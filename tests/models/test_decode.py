"""Decoded answers are those of transformers, for any batch, when rows leave it, and when rows share images."""

from types import SimpleNamespace

import pytest

from s2h.images import decoding
from s2h.models import ModelError, decode, encode, prompts, vlm
from tests.support.architectures import ARCHITECTURES, make_pairs

WORDS = 24


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs"), 8)


@pytest.fixture(scope="module", params=[*sorted(ARCHITECTURES), "mini"])
def asked(request, architectures, pairs):
    """A model, prompts of 2 to 5 images, some about the same images, and the answer of `generate` to each by itself."""
    import torch

    model = vlm.load(str(architectures.get(request.param, request.param)), dtype=torch.float32)
    rows = [(pair["prompt"], decoding.open_images(pair), pair["id"]) for pair in pairs]
    for pair in pairs[:3]:
        other = [
            {
                "role": "user",
                "content": [*pair["prompt"][0]["content"][:-1], {"type": "text", "text": "Why?"}],
            }
        ]
        rows.append((other, decoding.open_images(pair), pair["id"]))
    made = [
        prompts.prepare(model, messages, prompts.prepare_images(model, shown), shared=name)
        for messages, shown, name in rows
    ]  # fmt: skip
    return SimpleNamespace(name=request.param, model=model, rows=rows, prompts=made, alone=alone(model, rows))


def alone(model, rows) -> list[list[int]]:
    """Return the answers of transformers' own loop to the prompts, one at a time."""
    import torch

    said = []
    for messages, shown, _ in rows:
        text = encode.prompt_text(model.processor, messages)
        inputs = encode.encode_prompts(model.processor, [text], [shown])
        with torch.inference_mode():
            out = model.model.generate(**inputs, do_sample=False, max_new_tokens=WORDS)
        said.append(out[0, inputs["input_ids"].shape[1] :].tolist())
    return said


def in_batches(model, made, size: int) -> list[list[int]]:
    return [
        ids
        for start in range(0, len(made), size)
        for ids in decode.greedy(model, made[start : start + size], WORDS)
    ]


def test_a_batch_is_what_the_processor_makes(asked):
    texts = [encode.prompt_text(asked.model.processor, messages) for messages, _, _ in asked.rows]
    theirs = encode.encode_prompts(asked.model.processor, texts, [shown for _, shown, _ in asked.rows])
    ours = prompts.stack(asked.model, asked.prompts)
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert ours[key].tolist() == value.tolist(), key


@pytest.mark.parametrize("size", [1, 2, 5, 11])
def test_answers_are_the_same_at_every_batch_size(asked, size):
    assert in_batches(asked.model, asked.prompts, size) == asked.alone
    assert in_batches(asked.model, asked.prompts[::-1], size) == asked.alone[::-1]


def test_rows_that_end_leave_the_others_as_they_are(asked):
    """Make tokens that several answers contain end tokens, so that rows leave at different steps."""
    config = asked.model.model.generation_config
    before = config.eos_token_id
    ends = {before, *(said[2 + 3 * at] for at, said in enumerate(asked.alone[:4]) if len(said) > 2 + 3 * at)}
    config.eos_token_id = sorted(ends)
    try:
        expected = [cut(said, ends) for said in asked.alone]
        assert len({len(said) for said in expected}) > 2
        assert in_batches(asked.model, asked.prompts, len(asked.prompts)) == expected
    finally:
        config.eos_token_id = before


def cut(said: list[int], ends: set[int]) -> list[int]:
    return next((said[: at + 1] for at, token in enumerate(said) if token in ends), said)


def test_near_tied_tokens_are_recomputed_with_batch_size_1(asked):
    """Each token gets a copy whose logit differs by less than rounding, which would decide between them in a batch."""
    import copy

    import torch

    model = vlm.VLM(copy.deepcopy(asked.model.model), asked.model.processor, "doubles")
    head = model.model.lm_head
    with torch.no_grad():
        wide = torch.nn.Linear(head.in_features, 2 * head.out_features, bias=False)
        wide.weight.copy_(torch.cat([head.weight, head.weight * (1 + 2e-7)]))
        model.model.lm_head = wide
        words = model.model.get_input_embeddings()
        words.weight = torch.nn.Parameter(words.weight.repeat(2, 1))
    first = asked.prompts[:4]
    with torch.inference_mode():
        said, doubtful = decode._greedy(model, first, 4)
        assert doubtful == [0, 1, 2, 3] and said == [[], [], [], []]
        each = [decode._greedy(model, [prompt], 4)[0][0] for prompt in first]
    assert decode.greedy(model, first, 4) == each


def test_images_of_two_questions_are_encoded_once(asked):
    core = asked.model.model.model
    tower = getattr(core, "visual", None) or core.vision_tower
    shown = []
    handle = tower.register_forward_pre_hook(lambda module, given: shown.append(len(given[0])))
    try:
        said = decode.greedy(asked.model, asked.prompts, WORDS)
        together, shown[:] = sum(shown), []
        decode.greedy(asked.model, asked.prompts[:8], WORDS)
    finally:
        handle.remove()
    assert said == asked.alone
    assert together == sum(shown)


def test_answers_to_one_prompt_share_it(asked, pairs):
    rows = [(pair["prompt"], pair[which], shown) for pair, (_, shown, _) in zip(pairs, asked.rows, strict=False)
            for which in ("chosen", "rejected")]  # fmt: skip
    one_by_one = list(vlm.score(asked.model, rows, batch_size=1))
    write = encode.answer_text
    texts = [
        [write(asked.model.processor, pair["prompt"], pair[which], prompt.text) for which in ("chosen", "rejected")]
        for pair, prompt in zip(pairs, asked.prompts, strict=False)
    ]  # fmt: skip
    shared = vlm.score_answers(asked.model, asked.prompts[: len(pairs)], texts)
    assert [value for row in shared for value in row] == pytest.approx(one_by_one, abs=2e-4)
    assert len({round(value, 2) for value in one_by_one}) > len(pairs)


def test_an_answer_stays_within_the_window(asked):
    import copy

    model = vlm.VLM(copy.copy(asked.model.model), asked.model.processor, "short")
    model.model.config = copy.deepcopy(asked.model.model.config)
    model.model.config.get_text_config().max_position_embeddings = len(asked.prompts[0].ids) + 3
    assert decode.greedy(model, asked.prompts[:1], WORDS)[0] == asked.alone[0][:3]


def test_a_text_that_holds_the_image_mark_is_refused(asked):
    mark = asked.model.processor.image_token
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": f"What does {mark} mean?"}]}
    ]
    with pytest.raises(ModelError, match="image mark"):
        prompts.prepare(asked.model, messages, asked.prompts[0].images[:1])


def test_logits_that_are_not_finite_are_an_error(llava, pairs):
    import torch

    model = vlm.load(str(llava))
    torch.nn.init.constant_(model.model.lm_head.weight, float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        list(vlm.generate(model, [(pairs[0]["prompt"], decoding.open_images(pairs[0]))]))


def test_where_the_template_puts_images(llava):
    model = vlm.load(str(llava))
    assert not prompts.images_first(model.processor)
    model.processor.chat_template = (
        "{% for m in messages %}{% for p in m.content if p.type == 'image' %}<image>\n{% endfor %}"
        "{% for p in m.content if p.type == 'text' %}{{ p.text }}{% endfor %}{% endfor %}ASSISTANT:"
    )
    assert prompts.images_first(model.processor)
