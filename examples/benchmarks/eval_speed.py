"""Measure how fast questions are answered: s2h-eval compared with one call of `generate` for each question, in one process,
for answers of up to 16 and of up to 64 tokens. The answers are compared too.

    python examples/benchmarks/eval_speed.py -o examples/results/eval-speed.json
    python examples/benchmarks/eval_speed.py --model mini

The model is a LLaVA of random weights that is built on the spot (--width and --layers make it larger), because speed does
not depend on what a model has learnt; --model takes any other. One way opens, prepares and answers the questions one by one,
as evaluators that loop over their samples do (VLMEvalKit among them). The other is `predict`, which makes the lines of
s2h-eval. Rounds of the two alternate, so that noise affects both. Prints JSON; `ratio` is of the wall
clock's seconds, `cpu_ratio` of the processor's, which other programs on the machine disturb less; medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch

from s2h.eval import ask
from s2h.eval.benches import builtin
from s2h.images.decoding import open_images
from s2h.images.store import Store
from s2h.models import encode, names, vlm


def build(folder: str, width: int, layers: int) -> str:
    """Save a LLaVA with random weights, with the processor and the shape of the bundled miniature in another size, and
    return the folder."""
    from transformers import AutoConfig, AutoProcessor, LlavaForConditionalGeneration

    place = names.resolve("mini")
    config = AutoConfig.from_pretrained(place)
    text = config.text_config
    text.hidden_size, text.intermediate_size, text.num_hidden_layers = width, 2 * width, layers
    text.num_attention_heads = text.num_key_value_heads = max(1, width // 32)
    text.head_dim, text.initializer_range, text.max_position_embeddings = 32, 0.1, 4096
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    ends = AutoProcessor.from_pretrained(place)
    with torch.no_grad():  # so that no answer contains an image token
        model.lm_head.weight[config.image_token_id] = 0
    model.generation_config.eos_token_id = ends.tokenizer.eos_token_id
    model.generation_config.pad_token_id = ends.tokenizer.pad_token_id
    model.save_pretrained(folder)
    ends.save_pretrained(folder)
    return folder


def one_by_one(model: vlm.VLM, questions: list, words: int) -> tuple[list[str], int]:
    """Return the answers, and the number of their tokens."""
    said, tokens = [], 0
    for line, messages in questions:
        shown = open_images(line["_pair"])
        inputs = encode.encode_prompts(
            model.processor, [encode.prompt_text(model.processor, messages)], [shown]
        )
        with torch.inference_mode():
            out = model.model.generate(**inputs, do_sample=False, max_new_tokens=words)
        new = out[:, inputs["input_ids"].shape[1] :]
        tokens += new.shape[1]
        said.append(model.processor.batch_decode(new, skip_special_tokens=True)[0].strip())
    return said, tokens


def ours(model: vlm.VLM, questions: list, words: int, batch_size: int) -> list[str]:
    return [p["response"] for p in ask.predict(questions, model, batch_size=batch_size, max_new_tokens=words)]


def clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def compare(model: vlm.VLM, questions: list, words: int, batch_size: int, rounds: int) -> dict:
    warm = questions[:2]
    one_by_one(model, warm, 2), ours(model, warm, 2, batch_size)
    slow, fast, differ = [], [], 0
    for _ in range(rounds):
        start = clocks()
        theirs, tokens = one_by_one(model, questions, words)
        between = clocks()
        mine = ours(model, questions, words, batch_size)
        end = clocks()
        slow.append([b - a for a, b in zip(start, between, strict=True)])
        fast.append([b - a for a, b in zip(between, end, strict=True)])
        differ += sum(a != b for a, b in zip(theirs, mine, strict=True))
    wall, cpu = (statistics.median(a[i] / b[i] for a, b in zip(slow, fast, strict=True)) for i in (0, 1))
    return {
        "words": words,
        "questions": len(questions),
        "tokens_an_answer": round(tokens / len(questions), 1),
        "one_by_one_seconds": [round(wall, 2) for wall, _ in slow],
        "seconds": [round(wall, 2) for wall, _ in fast],
        "one_by_one_cpu_seconds": [round(cpu, 2) for _, cpu in slow],
        "cpu_seconds": [round(cpu, 2) for _, cpu in fast],
        "ratio": round(wall, 2),
        "cpu_ratio": round(cpu, 2),
        "answers_that_differ": differ,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", help="another model than the random one: a name, a Hub id, a folder, a run"
    )
    parser.add_argument("--width", type=int, default=128, help="of the random model (default %(default)s)")
    parser.add_argument("--layers", type=int, default=4, help="of the random model (default %(default)s)")
    parser.add_argument(
        "-n", type=int, default=12, help="questions of each of five kinds (default %(default)s)"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="(default %(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="(default %(default)s)")
    parser.add_argument("-o", "--output", help="write the JSON here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/model")
        name = options.model or build(f"{folder}/model", options.width, options.layers)
        model = vlm.load(name, device="cpu", dtype=torch.float32)
        store = Store(f"{folder}/images")
        questions = list(builtin.questions(options.n, 0, store, size=224))
        found = {
            "model": options.model or f"random LLaVA, width {options.width}, {options.layers} layers",
            "parameters": sum(weight.numel() for weight in model.model.parameters()),
            "threads": torch.get_num_threads(),
            "batch_size": options.batch_size,
            "answers": [
                compare(model, questions, words, options.batch_size, options.rounds) for words in (16, 64)
            ],
        }
    text = json.dumps(found, indent=1)
    print(text)
    if options.output:
        Path(options.output).write_text(text + "\n")


if __name__ == "__main__":
    main()
