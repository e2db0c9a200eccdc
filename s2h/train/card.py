"""The model cards of a run, README.md in its folder and beside its adapter: model, data, arguments, measures, and code that
loads the result."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from s2h import escape
from s2h.errors import counted
from s2h.models import adapter, names, thinking
from s2h.streams.files import Whole
from s2h.train import probe
from s2h.train.arguments import Arguments
from s2h.train.folder import read_arguments
from s2h.train.measurements import IMAGE_SIDE

VLLM_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # the values of vLLM's --max-lora-rank
SHOWN = ("loss", "margin", "accuracy", "reward_chosen", "reward_rejected")


def write(folder: Path, arguments: Arguments, result: dict, last: dict, held: dict) -> None:
    """Write both cards. last, held: the last lines of metrics.jsonl of training and of held-out pairs."""
    text = _text(folder, arguments, result, last, held).encode()
    place = folder / (adapter.MERGED if arguments.full else adapter.ADAPTER)
    for card in (folder / "README.md", place / "README.md"):
        with Whole(card) as out:
            out.write(text)


def _text(folder: Path, arguments: Arguments, result: dict, last: dict, held: dict) -> str:
    recorded, base = read_arguments(folder), names.resolve(arguments.model)
    if base == str(names.bundled("mini")):
        base = "mini"  # part of s2h, whose folder differs from machine to machine
    kind = "all weights of the language model" if arguments.full else f"LoRA, rank {arguments.rank}"
    kind += ", on weights of 4 bits" if arguments.quantize else ""
    if list(arguments.losses()) == ["sft"]:
        method, how = "with SFT on the chosen answers of", "by supervised fine-tuning on the chosen answers"
    else:
        method = "with DPO on"
        how = f"with direct preference optimization, {arguments.loss} loss, beta {arguments.beta:g}"
    if arguments.image_side:
        how += f", and an image side of weight {arguments.image_side:g} (mDPO, arXiv 2406.11839)"
    head = [
        "---",
        f"base_model: {base}",
        "tags: [dpo, preference-optimization, multi-image, vision-language, s2h]",
    ]
    head += (
        ["pipeline_tag: image-text-to-text"]
        + ([] if arguments.full else ["library_name: peft"])
        + ["---", ""]
    )
    body = [
        f"# {folder.name}: {base.rpartition('/')[2]} {method} multi-image pairs",
        "",
        f"{base}, trained {how} ({kind}; {_vision(result)}) in {counted(result['steps'], 'step')}.{_best(result)}",
        "",
        "## Data",
        "",
        f"{counted(recorded['pairs'], 'pair')}, SHA-256 of their lines `{recorded['data']}`"
        + (f"; {result['dropped']} more did not fit the window and were dropped" if result["dropped"] else "")
        + (f". Held out: `{recorded['val']}`" if recorded["val"] else "")
        + ".",
    ]
    if result.get("blind") is not None:
        body += ["", f"A classifier that reads words alone tells chosen from rejected answers with an AUC of "
                     f"{result['blind']:.2f} (0.5 is chance)."]  # fmt: skip
    body += [
        "",
        "## Measures",
        "",
        *_table(last, held),
        "",
        *_image_side(last, held),
        *_probe(result),
        "## Arguments",
        "",
        "```json",
    ]
    body += [
        _json(asdict(arguments)),
        "```",
        "",
        f"Base model's fingerprint: `{result['fingerprint']}`. s2h {recorded['s2h']}.",
        "",
    ]
    return "\n".join([*head, *body, *_loading(folder, arguments, base), *_serving(folder, arguments, result)])


def _vision(result: dict) -> str:
    modules = result.get("vision_modules")
    return (
        f"{counted(modules, 'module')} of the vision tower adapted too"
        if modules
        else "the vision tower was not trained"
    )


def _best(result: dict) -> str:
    step = result.get("best_step")
    return (
        f" The weights are those of step {step}, the most accurate ones on the held-out pairs."
        if step
        else ""
    )


def _table(last: dict, held: dict) -> list[str]:
    """Return the table of measures: overall, and by level and task."""
    rows = [
        "| pairs | " + " | ".join(name.replace("_", " of ") for name in SHOWN) + " |",
        "|---" * (len(SHOWN) + 1) + "|",
    ]
    for title, line, prefix in (("training", last, ""), ("held out", held, "eval_")):
        if not line:
            continue
        rows.append(_row(title, {name: line.get(prefix + name) for name in SHOWN}))
        for kind in ("levels", "tasks"):
            for group, values in line.get(prefix + kind, {}).items():
                rows.append(_row(f"{title}, {kind[:-1]} {escape.markdown(group)}", values))
    return rows


def _image_side(last: dict, held: dict) -> list[str]:
    """Return a sentence about the image side of the loss, if a run has one."""
    sides = {"training": last.get(IMAGE_SIDE), "held out": held.get(f"eval_{IMAGE_SIDE}")}
    said = "; ".join(
        f"{title} loss {one['loss']:.3f}, margin {one['margin']:.3f}, accuracy {one['accuracy']:.3f}"
        for title, one in sides.items()
        if one
    )
    words = f"Image side (the chosen answer under the images against the rejected images): {said}."
    return [words, ""] if said else []


def _probe(result: dict) -> list[str]:
    """Return what the probe of short questions has shown, if a run has one."""
    if not (found := result.get("probe")):
        return []
    said = [probe.told(found), *([probe.loss(found)] if found["lost"] else [])]
    return [" ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in said), ""]


def _row(title: str, values: dict) -> str:
    cells = [f"{values[name]:.3f}" if values.get(name) is not None else "–" for name in SHOWN]
    return f"| {title} | " + " | ".join(cells) + " |"


def _loading(folder: Path, arguments: Arguments, base: str) -> list[str]:
    if arguments.full:
        python = [f'model = AutoModelForImageTextToText.from_pretrained("{folder.name}/merged")']
        imports = ["from transformers import AutoModelForImageTextToText, AutoProcessor"]
    else:
        imports = [
            "from peft import PeftModel",
            "from transformers import AutoModelForImageTextToText, AutoProcessor",
        ]
        python = [f'model = AutoModelForImageTextToText.from_pretrained("{base}")',
                  f'model = PeftModel.from_pretrained(model, "{folder.name}/adapter")']  # fmt: skip
    if base == "mini" and not arguments.full:
        imports.append("from s2h.models.names import resolve")
        python[0] = 'model = AutoModelForImageTextToText.from_pretrained(resolve("mini"))'
    python.append(f'processor = AutoProcessor.from_pretrained("{folder.name}/processor")')
    return ["## Use", "", "```", f"s2h-eval --model {folder.name} --bench builtin", "```", "",
            "```python", *imports, "", *python, "```", ""]  # fmt: skip


def _serving(folder: Path, arguments: Arguments, result: dict) -> list[str]:
    """Return the section with the commands of servers. vLLM and SGLang adapt the language model only, so they are given the
    merged model if the adapter adapts more, or if its rank is larger than vLLM takes."""
    run, merged = folder.name, f"{folder.name}/{adapter.MERGED}"
    rank = next((one for one in VLLM_RANKS if one >= arguments.rank), None)
    if arguments.full or result.get("vision_modules") or rank is None:
        lines = [f"vllm serve {merged}", f"python -m sglang.launch_server --model-path {merged}"]
        needed = not arguments.full
    else:
        base = names.resolve(arguments.model)
        base = adapter.whole_of(base) if adapter.find(base) is not None else base
        lines = [
            f"vllm serve {base} --enable-lora --max-lora-rank {rank} --lora-modules {run}={run}/{adapter.ADAPTER}",
            f"python -m sglang.launch_server --model-path {base} --enable-lora --max-lora-rank {arguments.rank} "
            f"--lora-paths {run}={run}/{adapter.ADAPTER}",
        ]
        needed = False
    serve = f"transformers serve {merged}"
    merge = f"s2h-train -o {run} --merge"
    lines = [merge, *lines, serve] if needed else [*lines, serve if arguments.full else f"{merge} && {serve}"]
    notes = []
    if arguments.pixels:
        notes.append(f"It saw images of {arguments.pixels} in training: give the server such images.")
    template = folder / "processor" / "chat_template.jinja"
    if template.is_file() and thinking.is_set(template.read_text(encoding="utf-8")):
        notes.append(
            f"Its prompts had thinking {arguments.thinking}: start vLLM or SGLang with `--chat-template "
            f"{run}/processor/{template.name}`."
        )
    return ["## Serve", "", "```", *lines, "```", "", *(line for note in notes for line in (note, ""))]


def _json(value: dict) -> str:
    import json

    return json.dumps(value, indent=1)
