"""Records are checked against the model before any forward pass, with the lengths that their tensors would have."""

import pytest
from PIL import Image

from s2h.models import encode, names, vlm
from s2h.models.tokens import TokenCounter, no_place_for_images
from s2h.record import Record, RecordError, assistant
from tests.support.architectures import ARCHITECTURES
from tests.support.hybrid_architectures import RELATIVES, build_gemma3

SIZES = ((64, 64), (97, 45), (333, 250), (40, 1200), (5, 9), (1, 64))


def pair(
    n: int = 1, ask: str = "What is shown?", chosen: str = "A red box.", rejected: str = "A blue box."
) -> Record:
    content = [{"type": "image"} for _ in range(n)] + [{"type": "text", "text": ask}]
    prompt = [{"role": "user", "content": content}]
    return Record(
        id="p", prompt=prompt, chosen=assistant(chosen), rejected=assistant(rejected), where="in.jsonl:3"
    )


@pytest.fixture(scope="module", params=[*sorted(ARCHITECTURES), "mini"])
def counter(request, architectures) -> TokenCounter:
    name = request.param
    place = str(names.bundled(name) if name == "mini" else architectures[name])
    model, processor = vlm.read(place, None)
    return TokenCounter.of(model, processor, name)


@pytest.mark.parametrize("sizes", [*((size,) for size in SIZES), SIZES[:3], ()])
def test_lengths_are_those_of_the_tensors(counter, sizes):
    record, images = pair(len(sizes)), [Image.new("RGB", size, "red") for size in sizes]
    text = encode.prompt_text(counter.processor, record["prompt"])
    prompts = encode.encode_prompts(counter.processor, [text], [images])
    said = [
        encode.answer_text(counter.processor, record["prompt"], record[a], text)
        for a in ("chosen", "rejected")
    ]
    rows = encode.join_answers(counter.processor, prompts, [[one] for one in said])
    known = counter.count(record, images)
    assert known.prompt == prompts["input_ids"].shape[1]
    assert known.answers == tuple(rows["completion_mask"].sum(1).tolist())
    assert known.row == rows["input_ids"].shape[1]
    image = counter.processor.tokenizer.convert_tokens_to_ids(counter.processor.image_token)
    assert known.images == int((prompts["input_ids"] == image).sum())


def test_the_marks_that_end_the_rows_of_an_image_are_counted(tmp_path):
    """Pixtral's model type is that of LLaVA, whose images have no such marks."""
    model, processor = vlm.read(str(RELATIVES["pixtral"](tmp_path / "model")), None)
    counter = TokenCounter.of(model, processor, "pixtral")
    for sizes in (SIZES[:1], SIZES[:3]):
        record, images = pair(len(sizes)), [Image.new("RGB", size, "red") for size in sizes]
        text = encode.prompt_text(processor, record["prompt"])
        made = encode.encode_prompts(processor, [text], [images])
        assert counter.count(record, images).prompt == made["input_ids"].shape[1]


def test_the_tokens_of_an_image_may_have_another_mark_than_the_text(tmp_path):
    """Gemma 3's prompts have a mark of the image's start, which the processor replaces by more."""
    _, processor = vlm.read(str(build_gemma3(tmp_path / "model")), None)
    assert TokenCounter(processor, "gemma3", 4096).planned((64, 64)) == 4


def test_a_control_token_in_a_text_is_refused_with_its_field(counter):
    mark, end = counter.processor.image_token, counter.processor.tokenizer.eos_token
    image = [Image.new("RGB", (64, 64))]
    for field, record in (
        ("prompt", pair(ask=f"What is {mark}?")),
        ("chosen", pair(chosen=f"Use the {mark} tag.")),
        ("rejected", pair(rejected=f"Blue.{end} Red.")),
    ):
        with pytest.raises(
            RecordError, match=rf"in\.jsonl:3: {field}: holds a control token .* \(take it out"
        ):
            counter.count(record, image)
    assert counter.count(pair(ask="What does <b>this</b> <mark> show?"), image)


def test_an_image_that_the_processor_refuses_is_an_error_of_the_record(qwen25vl):
    model, processor = vlm.read(str(qwen25vl), None)
    with pytest.raises(RecordError, match=r"in\.jsonl:3: can't be prepared for q25: .*aspect ratio"):
        TokenCounter.of(model, processor, "q25").count(pair(), [Image.new("RGB", (2500, 10))])


def test_the_window_is_that_of_the_model_or_a_smaller_one(llava):
    model, processor = vlm.read(str(llava), None)
    own = model.config.get_text_config().max_position_embeddings
    assert [TokenCounter.of(model, processor, "m", window).window for window in (0, 90, 10**9)] == [
        own,
        90,
        own,
    ]


def test_a_template_that_leaves_images_out_is_an_error(llava, tmp_path):
    import shutil

    from s2h.models import ModelError

    _, processor = vlm.read(str(llava), None)
    assert not no_place_for_images(processor)
    shutil.copytree(llava, tmp_path / "m")
    template = tmp_path / "m" / "chat_template.jinja"
    template.write_text(template.read_text().replace("'<image>'", "''"))
    with pytest.raises(ModelError, match="its chat template has no place for images"):
        vlm.read(str(tmp_path / "m"), None)
