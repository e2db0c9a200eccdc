"""s2h-gen: make pairs of one task from one source."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import click

from s2h import registry
from s2h.cli import common, gen_options, headings, server_options
from s2h.cli.gen_options import Options
from s2h.cli.params import Band, Shard, Sides, Span, Weight
from s2h.errors import counted
from s2h.models import image_size, thinking
from s2h.streams import can_grow
from s2h.tasks import WORKING, by_level, data_for

if TYPE_CHECKING:
    from s2h.sources.shapes import Dataset
    from s2h.streams.journal import Journal
    from s2h.tasks.recipe import Recipe

AT_LEAST_1 = click.IntRange(min=1)


class GenCommand(headings.Command):
    """The command, with a list of the tasks in its help."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        with formatter.section("Tasks"):
            formatter.write_dl(
                [(name, f"level {task.level}: {task.about}") for name, task in by_level().items()]
            )


@headings.command(GenCommand)
@click.argument("task", metavar="TASK", type=click.Choice(registry.names("task")))
@headings.under(
    "Pairs",
    click.option("-n", "count", metavar="N", type=AT_LEAST_1, default=1000, show_default=True, help="Number of pairs."),
    click.option(
        "--images-per-prompt", "per_prompt", type=Span(),
        help="Images in a prompt; each number in the range is equally frequent.  [default: 2-5, in a grid 2-9]",
    ),
    click.option(
        "--split", type=click.Choice(["train", "heldout"]), default="train", show_default=True,
        help="heldout shares no image, person or family with train.",
    ),
    click.option(
        "--twins", is_flag=True,
        help="Follow each pair by its counterfactual twin: the same prompt with other images, with chosen and rejected in "
        "each other's place. -n then counts the couples, and facts.twin names them. For vqa: over VQAv2's complementary "
        "pairs only.",
    ),
    click.option(
        "--image-side", is_flag=True,
        help="With --twins, write one pair in place of a couple: the twin's images become its rejected_images, under which "
        "the chosen answer is wrong (s2h-train --image-side trains on them).",
    ),
    click.option(
        "--working", metavar="SHARE", type=click.FloatRange(0, 1),
        help=f"{gen_options.taking('working')}: share of prompts that ask the answer to say first what it sees in the "
        f"images. The paper has 0.  [default: {WORKING:g}]",
    ),
)  # fmt: skip
@headings.under(
    "Images",
    click.option(
        "--source", "spec", metavar="SPEC", default="builtin", show_default=True,
        help="Where images and facts come from: builtin, a path whose layout tells its kind, or KIND:PATH. Kinds: "
        f"{', '.join(name for name in registry.names('source') if name != 'builtin')}.",
    ),
    click.option(
        "--no-follow", is_flag=True,
        help="Refuse links in the source's folder that lead out of it. By default they are followed and counted.",
    ),
    click.option(
        "--layout", type=click.Choice(["sequence", "grid", "pip"]), default="sequence", show_default=True,
        help="sequence: one image after the other. grid: 2, 3, 4, 6 or 9 numbered tiles in one image. "
        f"pip ({gen_options.showing('pip')}): one image in the middle of another.",
    ),
    click.option(
        "--size", type=Sides(), default="224", show_default=True,
        help="Side of drawn images in pixels, or a range (160-320) from which each image gets its width and height.",
    ),
    click.option(
        "--image-dir", metavar="DIR", type=click.Path(file_okay=False), default="s2h-images", show_default=True,
        help="Folder for drawn images. Each file is named by the hash of its bytes.",
    ),
    click.option(
        "--distractors", type=click.Choice(["random", "similar"]), default="random", show_default=True,
        help=f"{gen_options.taking('distractors')}: similar takes distractors whose CLIP cosine to the target lies within "
        "--similar.",
    ),
    click.option(
        "--similar", metavar="LO:HI", type=Band(-1, 1),
        help="CLIP cosines that --distractors similar accepts. Above 0.95 it is the same picture again.  "
        "[default: 0.6:0.95]",
    ),
    click.option(
        "--clip-model", metavar="NAME",
        help="CLIP model for --distractors similar. search over captions also uses it to refuse distractors that seem to "
        "show the concept.  [default: mini-clip for built-in images, ViT-B-32 for all others]",
    ),
)  # fmt: skip
@gen_options.own_options()
@headings.under(
    "Questions",
    click.option(
        "--captioner", metavar="MODEL",
        help=f"{gen_options.taking('captioner')}: vision-language model that first writes a caption for each picture, for "
        "folders of classes and short captions: a name, a Hub id, a local folder or a run of s2h-train.",
    ),
    click.option(
        "--captions", metavar="FILE", type=click.Path(dir_okay=False),
        help="File in which --captioner keeps its captions, so that each picture is captioned once.  [default: "
        "captions.jsonl in --image-dir]",
    ),
)  # fmt: skip
@headings.under(
    "Rejected answers",
    click.option(
        "--negative", "negatives", type=Weight(), multiple=True,
        help="Kind of rejected answer and its weight, without a model. May be repeated, and replaces the task's own "
        f"mixture. Kinds of {gen_options.kinds()}",
    ),
    click.option(
        "--model", metavar="NAME",
        help=f"{gen_options.taking('model')}: model whose wrong replies become the rejected answers: a name, a Hub id, a "
        "local folder or a run of s2h-train.  [default: the bundled miniature for built-in images, none for others]",
    ),
    *server_options.options("--model or --captioner"),
    click.option(
        "--max-pixels", metavar="N", type=AT_LEAST_1,
        help=f"Of --model and --captioner: {image_size.MOST_HELP[0].lower()}{image_size.MOST_HELP[1:]}",
    ),
    click.option("--min-pixels", metavar="N", type=AT_LEAST_1, help=image_size.LEAST_HELP),
    click.option(
        "--thinking", type=click.Choice(thinking.CHOICES),
        help=f"Of --model and --captioner: {thinking.HELP} Rejected answers hold no thoughts.{thinking.DEFAULT}",
    ),
    click.option(
        "--samples", metavar="K", type=AT_LEAST_1, default=1, show_default=True,
        help="Replies of the model to each prompt; the most frequent wrong one is taken. 1 takes the greedy reply; more are "
        "sampled, and so catch the model where it is only unsure.",
    ),
    click.option(
        "--temperature", metavar="T", type=click.FloatRange(min=0, min_open=True),
        help="Sampling temperature, with --samples 2 or more.  [default: 1]",
    ),
    click.option(
        "--select", type=click.Choice(["attention"]),
        help="attention: take the wrong reply whose attention to the target image is lowest, and none that mostly attends "
        "to it (MIA-DPO's rule).",
    ),
    click.option(
        "--alike", metavar="T", type=click.FloatRange(0, 1), default=0.9, show_default=True,
        help="Accept a long reply as correct if its text's cosine to the reference is at least T.",
    ),
    click.option(
        "--text-model", metavar="NAME",
        help="Text model for --alike: a Hub id or a local folder of sentence-transformers.  [default: all-mpnet-base-v2]",
    ),
)  # fmt: skip
@headings.under(
    "Performance",
    click.option(
        "--batch-size", metavar="N", type=AT_LEAST_1, default=32, show_default=True,
        help="Prompts that the model answers at a time.",
    ),
    click.option(
        "--max-new-tokens", metavar="N", type=AT_LEAST_1, default=48, show_default=True,
        help="Largest number of tokens in a model's reply.",
    ),
    click.option(
        "--workers", metavar="N", type=AT_LEAST_1, default=1, show_default=True,
        help="Processes that make pairs, without a model. The output has the same bytes with any number.",
    ),
    click.option(
        "--shard", type=Shard(), default="1/1", show_default=True,
        help="Make this part of the pairs only. All parts in order are the whole.",
    ),
    click.option(
        "--resume", is_flag=True,
        help="Continue what a killed run left in FILE.partial (needs -o FILE). At most the work of the "
        "last batch or second is repeated.",
    ),
)  # fmt: skip
@common.stream_options
def main(task, count, spec, output, seed, quiet, on_error, **values):
    """Make preference pairs of one TASK and write them as JSON lines.

    \b
    s2h-gen kinship | s2h-filter --clip 0.25 > l2.jsonl
    s2h-gen search --source photos/ -n 200 --negative other-image -o l3.jsonl
    """
    given = Options.parsed(task=task, count=count, spec=spec, seed=seed, **values)
    given.check()
    plain = can_grow(output)
    if given.resume and not plain:
        raise click.UsageError("--resume needs -o FILE, and no compressed one.")
    given.check_places(output)

    from s2h.streams.journal import Journal

    journal = Journal([output], given.of_result(), resume=given.resume) if plain else Journal()
    with common.session(
        journal.open if plain else output, quiet=quiet, on_error=on_error, locks=[output]
    ) as work:
        _generate(work, given, journal)


def _generate(work: common.Session, given: Options, journal: Journal) -> None:
    """Open the source, make the pairs and write them."""
    from s2h.record import RecordError
    from s2h.tasks.recipe import block_of

    source = _open(work, given)
    before = tell_source(work, source)
    data = data_for(given.task, source)
    given.check_data(data, source)
    for note in given.maker.notes(data, given.own):
        work.say(note)
    first = journal.position
    if given.resume and work.writer is not None:
        there = work.writer.count
        work.say(f"{counted(there, 'pair is', 'pairs are')} there; going on from slot {first}")
    tally: Counter = Counter()
    recipe = _recipe(work, given, source, journal, tally)
    made = 0
    for record in work.progress(recipe.records(), total=given.count if given.shard == (1, 1) else None):
        if (start := block_of(record["id"])) != journal.position:
            # The model's replies to this block's prompts are kept until all of its pairs are written.
            kept = [reply for reply in journal.since if int(reply[0].split()[0]) >= start]
            journal.reached(start, since=kept)
        work.write(record)
        made += 1
    tell_source(work, source, before)
    if not made and not first and tally:
        raise RecordError(f"no pair could be made: {listing(tally)}")
    journal.reached(given.count)
    again = f"; drawn again: {listing(tally)}" if tally else ""
    work.say(f"{counted(made, 'pair')} of level {given.maker.level} ({given.task}){again}")


def _open(work: common.Session, given: Options) -> Dataset:
    """Open the source; with --captioner, replace its captions by the model's."""
    from s2h.cli.gen_models import with_captions
    from s2h.sources import open_source

    source = open_source(given.spec, seed=given.seed, split=given.split, follow=not given.no_follow)
    tell_links(work, given)
    progress = partial(work.progress, total=source.size, unit="picture", label="captions")
    return with_captions(given, source, work, progress)


def _recipe(
    work: common.Session, given: Options, source: Dataset, journal: Journal, tally: Counter
) -> Recipe:
    """Return the settings of the run, with the models loaded that it needs."""
    from s2h.cli.gen_models import answerer, similar_distractors
    from s2h.images.store import Store
    from s2h.tasks.recipe import Recipe

    return Recipe(
        given.task,
        n=given.count,
        seed=given.seed,
        source=source,
        split=given.split,
        per_prompt=given.images,
        layout=given.layout,
        negatives=dict(given.negatives) or None,
        working=given.working,
        options=given.own,
        similar=similar_distractors(given, source, work.say),
        twins=given.twins,
        image_side=given.image_side,
        answerer=answerer(given, source, work, journal),
        shard=given.shard,
        first=journal.position,
        workers=given.workers,
        images=Store(given.image_dir),
        size=given.size,
        tally=tally,
    )


def tell_links(work: common.Session, given: Options) -> None:
    """Print how many links in a source's folder lead out of it."""
    from s2h.sources import folder_of, symlinks

    if os.path.isdir(folder := folder_of(given.spec)) and (many := symlinks.leading_out(folder)):
        message = f"{counted(many, 'link leads', 'links lead')} out of {os.path.join(folder, '')}"
        work.say(message + (" and are refused" if given.no_follow else ""))


def tell_source(work: common.Session, source: Dataset, before: dict | None = None) -> dict:
    """Print how many pictures a source has and what could not be used. Return the counts of the latter. before: the counts
    that an earlier call returned; nothing is printed if they have not changed."""
    unused = dict(source.excluded)
    if unused != before and (unused or before is None) and source.size is not None:
        about = "" if source.size_is_final else " or so, as its parts are read when they are wanted"
        work.say(
            f"{source.spec}: {counted(source.size, 'picture')}{about}"
            + (f"; not used: {listing(unused)}" if unused else "")
        )
    return unused


def listing(tally: dict) -> str:
    """Return counts with their reasons, the largest first: "12 file missing, 3 no caption"."""
    return ", ".join(
        f"{count} {reason}" for reason, count in sorted(tally.items(), key=lambda item: -item[1])
    )


if __name__ == "__main__":
    main(prog_name="s2h-gen")
