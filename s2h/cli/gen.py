"""s2h-gen: pairs of one task from one source."""

from __future__ import annotations

import click

from s2h.cli import common
from s2h.cli.asked import Options, search_messages
from s2h.cli.params import Band, Shard, Sides, Span, Weight
from s2h.growing import can_grow

TASKS = (
    "vqa",
    "kinship",
    "arithmetic",
    "compare",
    "search",
)  # the same as levels.MAKERS, which is not imported for --help


@click.command(cls=common.Command, epilog=common.EPILOG)
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
    help="Images in a prompt, each number equally often; by default 2-5, in a grid 2-9.",
)
@click.option(
    "--layout",
    type=click.Choice(["sequence", "grid", "pip"]),
    default="sequence",
    show_default=True,
    help="sequence: one image after the other. grid: all in one image, as 2, 3, 4, 6 or 9 numbered tiles. pip (vqa): one in "
    "the middle of another.",
)
@click.option(
    "--distractors",
    type=click.Choice(["random", "similar"]),
    default="random",
    show_default=True,
    help="vqa and search only. similar: distractors whose CLIP cosine to the target lies within --similar.",
)
@click.option(
    "--similar",
    metavar="LO:HI",
    type=Band(-1, 1),
    help="The band of --distractors similar; by default 0.6:0.95, above which lies the same picture again.",
)
@click.option(
    "--clip-model",
    metavar="NAME",
    help="CLIP model for --distractors similar; by default mini-clip for built-in images and ViT-B-32 for all others. "
    "search over captions also uses it to refuse distractors that seem to show the concept.",
)
@click.option(
    "--nonexistent",
    metavar="SHARE",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="vqa only: the share of questions that turn on whether the image exists; to half of them the right answer is that "
    "there is no such image, to the other half that is the wrong one.",
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
    "image), count=0.15 (how many images), absent=0.15 (a caption where perhaps no image shows it). A source of captions, "
    "which don't prove absence, gives caption=1 as in the paper.",
)
@click.option(
    "--captioner",
    metavar="MODEL",
    help="search only: a vision-language model that first writes a caption for each picture of the source, for folders of "
    "classes and short captions. A name, a Hub id, a folder or a run of s2h-train.",
)
@click.option(
    "--captions",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Where --captioner keeps its captions, so that each picture is captioned once; by default captions.jsonl in "
    "--image-dir.",
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
    "--select",
    type=click.Choice(["attention"]),
    help="Of a model's wrong answers take the one that looked least at the target, and none that looked at it for the most "
    "part (MIA-DPO's rule).",
)
@click.option(
    "--alike",
    metavar="T",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="A model's answer of many words is no mistake where its text's cosine to the right one is at least T.",
)
@click.option(
    "--text-model",
    metavar="NAME",
    help="Of --alike: a Hub id or a folder of sentence-transformers; by default all-mpnet-base-v2.",
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
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that make pairs; the same bytes come out. Without a --model, which has its batches.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with what a killed run left in FILE.partial, where -o FILE was given; at most a batch is made again.",
)
@click.option(
    "--size",
    type=Sides(),
    default="224",
    show_default=True,
    help="Side of drawn images in pixels, or a range (160-320) from which each image gets its width and height.",
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
def main(task, count, spec, output, seed, quiet, on_error, **options):
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
    given = Options(task=task, count=count, spec=spec, seed=seed, **options)
    given.check()
    plain = can_grow(output)
    if given.resume and not plain:
        raise click.UsageError("--resume needs -o FILE, and no compressed one.")
    given.check_places(output)

    def growing():
        from s2h.levels.resume import Partial

        return Partial(output, given.resume)

    opens = growing if plain else output
    with common.session(opens, quiet=quiet, on_error=on_error, locks=[output]) as work:
        _generate(work, given)


def _generate(work: common.Session, given: Options) -> None:
    from collections import Counter
    from functools import partial

    from s2h.images import Store
    from s2h.levels import LEVELS, generate
    from s2h.levels.asking import answers_of, similar_distractors, with_captions
    from s2h.record import RecordError
    from s2h.sources import open_source

    source = open_source(given.spec, seed=given.seed, split=given.split)
    if given.captioner:
        total = len(source) if hasattr(source, "__len__") else None
        source = with_captions(
            given, source, work.say, partial(work.progress, total=total, unit="picture", label="captions")
        )
    told = tell_source(work, source)
    given.check_source(source)
    if given.task == "search":
        for message in search_messages(given, source):
            work.say(message)
    model = given.asked_model
    by_model = answers_of(given, model, source, work.say) if model else {}
    first = work.writer.first if given.resume else 0
    if given.resume:
        work.say(f"{work.writer.count} pairs are there; going on from slot {first}")
    tally: Counter = Counter()
    records = generate(
        given.task, n=given.count, seed=given.seed, source=source, split=given.split, per_prompt=given.images(),
        layout=given.layout, negatives=dict(given.negatives) or None, working=given.working, forms=dict(given.forms) or None,
        relations=dict(given.relations) or None, nonexistent=given.nonexistent,
        similar=similar_distractors(given, source, work.say),
        twins=given.twins, shard=given.shard, first=first, workers=given.workers, images=Store(given.image_dir),
        size=given.size, tally=tally, **by_model,
    )  # fmt: skip
    made = 0
    for record in work.progress(records, total=given.count if given.shard == (1, 1) else None):
        work.write(record)
        made += 1
    tell_source(work, source, told)
    if not made and not first and tally:
        raise RecordError(f"no pair could be made: {listing(tally)}")
    anew = f"; drawn anew: {listing(tally)}" if tally else ""
    work.say(f"{made} pairs of level {LEVELS[given.task]} ({given.task}){anew}")


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


def listing(tally: dict) -> str:
    return ", ".join(
        f"{count} {reason}" for reason, count in sorted(tally.items(), key=lambda item: -item[1])
    )
