"""Thoughts: prompts with and without, answers that are trained on, replies that are read."""

from __future__ import annotations

import copy

import pytest

from s2h import record
from s2h.eval import reading
from s2h.models import ModelError, encode, fingerprint, thinking, vlm
from s2h.models.names import bundled
from tests.support.architectures import CHATML_TEMPLATE

CHATML = CHATML_TEMPLATE.replace("<|im_end|>", "</s>")  # the end that mini knows

BODY = CHATML.partition("{%- if add_generation_prompt -%}")[0]
ASKED = "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}"
# The last message has a thought, which may be empty, as in Qwen3.5.
THOUGHT = BODY.replace(
    "    {%- if message.content is string -%}",
    "    {%- if message.role == 'assistant' and '</think>' not in message.content[0].text -%}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{%- endif -%}\n    {%- if message.content is string -%}",
)
TEMPLATES = {
    "qwen3.5": THOUGHT + ASKED + "{%- if enable_thinking is defined and enable_thinking is false -%}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{%- else -%}{{ '<think>\\n' }}{%- endif -%}{%- endif -%}\n",
    "always": THOUGHT + ASKED + "{{ '<think>\\n' }}{%- endif -%}\n",
    "gemma4": BODY + ASKED + "{%- if not enable_thinking | default(false) -%}{{ '<|channel>thought\\n<channel|>' }}"
    "{%- endif -%}{%- endif -%}",
    "none": CHATML,
}  # fmt: skip
PROMPT = [{"role": "user", "content": [{"type": "text", "text": "How many?"}]}]
START = "<|im_start|>user\nHow many?</s>\n<|im_start|>assistant\n"
EMPTY = {
    "qwen3.5": "<think>\n\n</think>\n\n",
    "always": "<think>\n\n</think>\n\n",
    "gemma4": "<|channel>thought\n<channel|>",
}


@pytest.fixture(scope="module")
def own():
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(bundled("mini"))


def with_template(own, name: str, value: str):
    processor = copy.copy(own)
    processor.chat_template = TEMPLATES[name]
    processor.chat_template = thinking.template(processor, value)
    return processor


def texts(processor, answer: str) -> tuple[str, str]:
    before = encode.prompt_text(processor, PROMPT)
    return before, encode.answer_text(processor, PROMPT, record.assistant(answer), before)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize(
    "answer", ["Two.", "<think>One and one.</think>\n\nTwo.", "One and one.</think>Two."]
)
def test_without_thinking_the_prompt_has_an_empty_thought_and_the_answer_none(name, answer, own):
    processor = with_template(own, name, "off")
    assert texts(processor, answer) == (START + EMPTY.get(name, ""), "Two.</s>\n")
    assert not thinking.is_on(processor)


@pytest.mark.parametrize(
    ("name", "opened"), [("qwen3.5", "<think>\n"), ("always", "<think>\n"), ("gemma4", ""), ("none", "")]
)
def test_with_thinking_the_prompt_opens_a_thought_and_answers_keep_theirs(name, opened, own):
    processor = with_template(own, name, "on")
    before, answer = texts(processor, "<think>\nOne and one.</think>Two.")
    assert before == START + opened and thinking.is_on(processor)
    assert opened + answer == "<think>\nOne and one.</think>Two.</s>\n"


def test_an_answer_has_the_thought_that_its_prompt_opens(own):
    processor = copy.copy(own)
    processor.chat_template = BODY + ASKED + "{{ '<think>\n' }}{%- endif -%}"
    processor.chat_template = thinking.template(processor, "on")
    assert texts(processor, "<think>One and one.</think>Two.")[1] == "One and one.</think>Two.</s>\n"
    with pytest.raises(ModelError, match="opens a thought, and an answer has none"):
        texts(processor, "Two.")


def test_an_unfinished_thought_is_no_answer(own):
    processor = with_template(own, "qwen3.5", "off")
    for answer in ("<think>One and", "<think>One and one.</think> "):
        with pytest.raises(ModelError, match="an answer has nothing after its <think>"):
            texts(processor, answer)


def test_a_saved_template_can_be_switched_again_and_asked_otherwise(own):
    for name in TEMPLATES:
        processor = with_template(own, name, "off")
        off = processor.chat_template
        processor.chat_template = thinking.template(processor, "on")
        processor.chat_template = thinking.template(processor, "off")
        assert processor.chat_template == off
    assert off == TEMPLATES["none"], "no mark where there is nothing to switch"
    asked = with_template(own, "qwen3.5", "off").apply_chat_template(
        PROMPT, add_generation_prompt=True, tokenize=False, enable_thinking=True
    )
    assert asked == START + "<think>\n", "a server's client can ask for a thought"


def test_the_fingerprint_differs_where_the_prompts_do(own):
    for name in TEMPLATES:
        prints = {fingerprint.of_processor(with_template(own, name, value)) for value in thinking.CHOICES}
        assert len(prints) == 2
    plain = copy.copy(own)
    plain.chat_template = TEMPLATES["none"]
    assert fingerprint.of_processor(plain) == fingerprint.of_processor(with_template(own, "none", "off"))


@pytest.mark.parametrize(
    ("prompt", "said", "whole"),
    [
        ("<think>\n", "One and one.\n</think>\n\nTwo.", "<think>One and one.</think>Two."),
        ("", "<think>One and one.</think>Two.", "<think>One and one.</think>Two."),
        ("", "<|channel>thought\nOne.<channel|>Two.", "<think>One.</think>Two."),
        ("<think>\n", "One and", "<think>One and"),
        ("", "Two.", "Two."),
    ],
)
def test_a_reply_has_its_thought_between_marks(prompt, said, whole, own):
    reply = thinking.reply(own, prompt, own.tokenizer(said)["input_ids"])
    assert reply == whole
    line = {"answer": "2", "answer_type": "number", "response": reply.replace("Two.", "2")}
    assert reading.read(line)[1] is whole.endswith("Two.")


def test_a_model_answers_with_the_value_of_its_run(tmp_path):
    model = vlm.load(str(bundled("mini")), thinking="on")
    assert thinking.is_on(model.processor)
    assert thinking.wanted("mini") == "off" and thinking.wanted("mini", "on") == "on"
    (tmp_path / "args.json").write_text('{"model": "mini", "thinking": "on", "pairs": 1}')
    assert thinking.wanted(str(tmp_path)) == "on"
    (tmp_path / "args.json").write_text('{"model": "mini", "thinking": 1, "pairs": 1}')
    with pytest.raises(ModelError, match="changed: thinking is not one of off, on"):
        thinking.wanted(str(tmp_path))


def test_a_user_is_told_which_thoughts_are_trained_on():
    assert thinking.of_answers("off", 0, 8) == thinking.of_answers("on", 8, 8) == ""
    assert thinking.of_answers("off", 1, 8).startswith("1 of 8 answers has a thought (<think>), which is not")
    assert (
        thinking.of_answers("on", 6, 8)
        == "6 of 8 answers have a thought (<think>): the others teach to answer without one"
    )
