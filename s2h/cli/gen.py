"""s2h-gen: pairs of one task from one source."""

from __future__ import annotations

import re

import click

from s2h.cli import common

TASKS = (
    "vqa",
    "kinship",
    "arithmetic",
    "compare",
    "search",
)  # the same as levels.MAKERS, which is not imported for --help
MOST_IMAGES = 12


class Span(click.ParamType):
    """'2-5' or '3': the least and the most."""

    name = "A-B"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", value.strip())
        least = int(found[1]) if found else 0
        most = int(found[2] or found[1]) if found else 0
        if not 1 <= least <= most <= MOST_IMAGES:
            self.fail(
                f"{value!r} is no range of 1 to {MOST_IMAGES} images (for example 2-5, or 3)", param, ctx
            )
        return least, most


class Shard(click.ParamType):
    """'2/4': the second of four parts."""

    name = "I/N"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d+)/(\d+)", value.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(f"{value!r} is no shard (for example 1/4 to 4/4)", param, ctx)
        return int(found[1]), int(found[2])


class Weight(click.ParamType):
    """'same-concept=0.5' or 'generic': a kind and its weight."""

    name = "KIND=WEIGHT"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        kind, sign, weight = value.partition("=")
        try:
            number = float(weight) if sign else 1.0
        except ValueError:
            number = -1.0
        if not kind or not 0 <= number < float("inf"):
            self.fail(f"{value!r} is no kind with a weight (for example other-image=2)", param, ctx)
        return kind, number


@click.command(epilog=common.EPILOG)
@click.argument("task", metavar="TASK", type=click.Choice(TASKS))
@click.option(
    "-n",
    "count",
    metavar="N",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="How many pairs.",
)
@click.option(
    "--source",
    "spec",
    metavar="SPEC",
    default="builtin",
    show_default=True,
    help="Where images and facts come from: builtin, a path whose layout tells what it is, or KIND:PATH with KIND one of "
    "captions, classes (ImageNet too), coco, llava, vqav2, webdataset, datasets, parquet, hub, digits (MNIST, EMNIST), "
    "fashion, kinfacew, fiw, tskinface.",
)
@click.option(
    "--images-per-prompt",
    "per_prompt",
    type=Span(),
    default="2-5",
    show_default=True,
    help="Images in a prompt, each number equally often.",
)
@click.option(
    "--negative",
    "negatives",
    type=Weight(),
    multiple=True,
    help="A kind of rejected answer and its weight; may be repeated, replaces the task's own mixture. vqa: wrong-attribute, "
    "other-image, counterpart (all without a model; the last of VQAv2). "
    "kinship: swapped-roles, wrong-image, false-kin, missed-kin. arithmetic: "
    "off-by-one, other-image, left-out, extra-image, wrong-operator. compare: false-same, false-different, wrong-image, "
    "swapped-images. search: same-concept, attribute-swap, other-image, generic (of captions), false-absence, "
    "false-presence, wrong-image, miscount.",
)
@click.option(
    "--form",
    "forms",
    type=Weight(),
    multiple=True,
    help="search only: a form of question and its weight; may be repeated. By default caption=0.5, locate=0.2 (which "
    "image), count=0.15 (how many images), absent=0.15 (a caption where perhaps no image shows it); in the paper caption.",
)
@click.option(
    "--relation",
    "relations",
    type=Weight(),
    multiple=True,
    help="kinship only: parent, grandparent or sibling and its weight; may be repeated. By default those that the source "
    "knows, parent half of the time.",
)
@click.option(
    "--twins",
    is_flag=True,
    help="After each pair its counterfactual twin: the same prompt with other images, under which chosen and rejected "
    "change places. N then counts the couples; facts.twin names them. For vqa of VQAv2's complementary pairs only.",
)
@click.option(
    "--working",
    metavar="SHARE",
    type=click.FloatRange(0, 1),
    help="Not for vqa: the share of prompts that ask the answer to say first what it sees in the images; by default 0.5, in "
    "the paper 0.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="vqa only: whose wrong generations become the rejected answers. For built-in images the bundled miniature by "
    "default; a name, a Hub id, a folder or a run of s2h-train.",
)
@click.option(
    "--samples",
    metavar="K",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Answers of the model to each prompt, of which the most frequent wrong one is taken. 1 is its greedy answer; more "
    "are sampled, so that it is also caught where it is only unsure.",
)
@click.option(
    "--temperature",
    metavar="T",
    type=click.FloatRange(min=0, min_open=True),
    help="Of the sampling, with --samples 2 or more; by default 1.",
)
@click.option(
    "--batch-size",
    metavar="N",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Prompts that the model answers at a time.",
)
@click.option(
    "--max-new-tokens",
    metavar="N",
    type=click.IntRange(min=1),
    default=48,
    show_default=True,
    help="The longest generation.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "heldout"]),
    default="train",
    show_default=True,
    help="heldout never shares an image, a person or a family with train.",
)
@click.option(
    "--shard",
    type=Shard(),
    default="1/1",
    show_default=True,
    help="Only this part of the N pairs; all parts in order are the whole.",
)
@click.option(
    "--size",
    metavar="PIXELS",
    type=click.IntRange(32, 448),
    default=224,
    show_default=True,
    help="The side of drawn images.",
)
@click.option(
    "--image-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    default="s2h-images",
    show_default=True,
    help="Where drawn images go, each named by the hash of its bytes.",
)
@common.stream_options
def main(
    task, count, spec, per_prompt, negatives, forms, relations, twins, working, model, samples, temperature, batch_size,
    max_new_tokens, split, shard, size, image_dir, output, seed, quiet, on_error,
):  # fmt: skip
    """Make preference pairs of one TASK.

    \b
    vqa         level 1: one image of several is asked about by its index
    kinship     level 2: who is whose parent, among several faces
    arithmetic  level 2: sums and comparisons of digits over several images
    compare     level 2: same or different, the odd one out, more or fewer, the order
    search      level 3: find what shows a concept, no index given: caption, locate, count

    \b
    s2h-gen kinship | s2h-filter --clip 0.25 > l2.jsonl
    s2h-gen search --source photos/ -n 200 --negative other-image -o l3.jsonl
    """
    if model and task != "vqa":
        raise click.UsageError(f"--model is for vqa: the negatives of {task} come from its design.")
    if model and negatives:
        raise click.UsageError(
            "--model and --negative exclude each other: with a model its own mistakes are the negatives."
        )
    for option, given, its in (("--form", forms, "search"), ("--relation", relations, "kinship")):
        if given and task != its:
            raise click.UsageError(f"{option} is for {its}.")
    if twins and task == "vqa":
        raise click.UsageError(
            "--twins is for levels 2 and 3: what a model says wrongly has no images of its own."
        )
    if working is not None and task == "vqa":
        raise click.UsageError("--working is for levels 2 and 3: an answer of vqa looks at one image only.")
    if temperature and samples == 1:
        raise click.UsageError("--temperature needs --samples 2 or more: one answer is the greedy one.")
    with common.session(output, quiet=quiet, on_error=on_error) as work:
        from collections import Counter

        from s2h.images import Store
        from s2h.levels import LEVELS, generate, possible_negatives
        from s2h.sources import open_source

        source = open_source(spec, seed=seed, split=split)
        told = tell_source(work, source)
        if task == "search" and not forms and not getattr(source, "tells", True):
            work.say(
                "the captions say no more than what is searched for: locate and count questions instead of captions"
            )
        for kind, _ in negatives:
            if kind not in (possible := possible_negatives(task, source)):
                raise click.BadParameter(f"{kind!r}: no such kind for {task} here (choose from {', '.join(possible)})",
                                         param_hint="--negative")  # fmt: skip
        if negatives and not sum(weight for _, weight in negatives) > 0:
            raise click.BadParameter("the weights add up to nothing", param_hint="--negative")
        if task == "vqa" and not negatives and not twins and model is None and source.spec == "builtin":
            model = "mini"
        if samples > 1 and not model:
            raise click.UsageError("--samples needs vqa and a --model whose answers they are.")
        answer = None
        if model:
            answer = answering(
                work,
                model,
                samples,
                temperature or 1.0,
                seed,
                batch_size=batch_size,
                max_new_tokens=max_new_tokens,
            )
        tally: Counter = Counter()
        records = generate(
            task, n=count, seed=seed, source=source, split=split, per_prompt=per_prompt, negatives=dict(negatives) or None,
            working=working, forms=dict(forms) or None, relations=dict(relations) or None, twins=twins, shard=shard, 
            images=Store(image_dir), size=size, answer=answer, tally=tally,
        )  # fmt: skip
        made = 0
        for record in work.progress(records, total=count if shard == (1, 1) else None):
            work.write(record)
            made += 1
        tell_source(work, source, told)
        work.say(
            f"{made} pairs of level {LEVELS[task]} ({task})"
            + (f"; drawn anew: {listing(tally)}" if tally else "")
        )
        if not made:
            work.tell("no pair could be made" + (f": {listing(tally)}" if tally else " (the shard is empty)"))


def tell_source(work: common.Session, source, before: dict | None = None) -> dict:
    """Say how many pictures a source has and what it couldn't use; after the work what was found out since `before`."""
    unused = dict(getattr(source, "unused", {}))
    if unused != before and (unused or before is None) and hasattr(source, "__len__"):
        about = "" if getattr(source, "whole", True) else " or so, as its parts are read when they are wanted"
        work.say(
            f"{source.spec}: {len(source)} pictures{about}"
            + (f"; not used: {listing(unused)}" if unused else "")
        )
    return unused


def answering(work: common.Session, model: str, samples: int, temperature: float, seed: int, **how: int):
    """The model as a function from [(messages, images)] and a key that seeds its sampling to lists of texts."""
    from s2h import seeds
    from s2h.models import vlm

    loaded = vlm.load(model)
    work.say(f"rejected answers are the wrong generations of {loaded.name}")

    def ask(rows, key):
        if samples == 1:
            return [[text] for text in vlm.generate(loaded, rows, **how)]
        chance = seeds.seed_of(seed, key) % 2**31
        return list(vlm.sample(loaded, rows, samples=samples, temperature=temperature, seed=chance, **how))

    return ask


def listing(tally: dict) -> str:
    return ", ".join(
        f"{count} {reason}" for reason, count in sorted(tally.items(), key=lambda item: -item[1])
    )
