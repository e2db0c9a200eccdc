"""The options of s2h-filter, by what they are about."""

from __future__ import annotations

import click

from s2h.cli.params import Band, Cosine
from s2h.filters.asked import SCORES

DTYPES = ("float32", "bfloat16", "float16")
ABOVE_0 = click.IntRange(min=1)


def group(*options):
    """Several options in the order in which they are to be listed."""

    def add(command):
        for option in reversed(options):
            command = option(command)
        return command

    return add


THRESHOLDS = group(
    click.option(
        "--clip", type=Cosine("T", 1),
        help="Keep pairs whose chosen answer has a CLIP score of at least T: the mean cosine of what it claims and the "
        "images that it claims it of (the field grounding; without it, its text and the target images).",
    ),
    click.option(
        "--clip-margin", type=Cosine("M", 2),
        help="Keep pairs whose chosen answer's CLIP score is at least M above the rejected one's.",
    ),
    click.option(
        "--clip-rank", is_flag=True,
        help="Keep pairs whose chosen answer singles its images out: of all images of the prompt, none that a claim is not "
        "about fits it better than one that it is about. For level 3; at levels 1 and 2, where the prompt names the image, "
        "others may rightly fit as well.",
    ),
    click.option(
        "--mpnet", type=Band(-1, 1),
        help="Keep pairs whose two answers' texts have a cosine within the band, ends included; LO or HI may be left out. "
        "Answers that say their working are compared by their conclusions; conclusions that are values (a number, an image, "
        "yes or no) must only differ.",
    ),
    click.option(
        "--mpnet-distractors", type=Band(-1, 1),
        help="Keep pairs whose chosen answer's text has a largest cosine to a caption of a distractor within the band, "
        "where facts.labels has captions.",
    ),
    click.option(
        "--length-ratio", type=Band(0), help="Keep pairs with chosen over rejected length, in characters, within the band.",
    ),
    click.option(
        "--edit-distance", type=Band(0, 1),
        help="Keep pairs whose answers' Levenshtein distance, over the longer one's length, is within the band.",
    ),
    click.option(
        "--repetition", metavar="MOST", type=click.FloatRange(0, 1),
        help="Drop pairs with an answer of whose runs of three words more than this share stood in it before.",
    ),
    click.option("--refusal", is_flag=True, help="Drop pairs with an answer that refuses (I'm sorry, but I can't ...)."),
)  # fmt: skip
REFERENCE = group(
    click.option(
        "--ref", metavar="MODEL",
        help="Write log-probabilities of both answers under a vision-language model, with the images, as scores.ref, which "
        "s2h-train uses as its reference: a name, Hub id, folder or run, as for s2h-train.",
    ),
    click.option(
        "--margin", type=Band(-1e9, 1e9),
        help="Keep pairs whose log-probability of chosen minus rejected (nats) is within the band: low ones are hard. With "
        "--ref, or from the records' scores.ref.",
    ),
    click.option(
        "--perplexity", type=Band(1), help="Keep pairs whose answers both have a perplexity a token within the band.",
    ),
    click.option(
        "--blind-margin", metavar="M", type=float,
        help="Drop pairs whose chosen answer the model prefers by at least M nats when it is shown no image (scores.blind).",
    ),
)  # fmt: skip
REPEATS = group(
    click.option(
        "--dedup", is_flag=True,
        help="Drop pairs that repeat one before them: the same images, by their bytes, and the same texts.",
    ),
    click.option(
        "--dedup-against", metavar="FILE", multiple=True,
        help="Drop pairs that repeat one of FILE (held-out pairs, say). May be repeated.",
    ),
    click.option(
        "--near-images", metavar="BITS", type=click.IntRange(0, 8),
        help="Of both: images whose perceptual hashes (64 bits) differ in at most BITS are the same; 4 takes a picture that "
        "was scaled or saved anew.",
    ),
    click.option(
        "--near-text", metavar="J", type=click.FloatRange(0.5, 1),
        help="Of both: texts whose runs of words have an estimated Jaccard index of at least J (0.8, say) are the same.",
    ),
    click.option(
        "--against", metavar="PATH", multiple=True,
        help="Drop pairs that show an image of a benchmark, by its bytes or a perceptual hash: a folder of its images, a "
        "parquet file, or a list of hashes or file names. May be repeated.",
    ),
    click.option(
        "--against-clip", metavar="T", type=Cosine("T", 1),
        help="With --against also drop pairs with an image whose CLIP cosine to one of the benchmark's is at least T (0.95, "
        "say).",
    ),
)  # fmt: skip
REPORTS = group(
    click.option(
        "--annotate", is_flag=True,
        help="Drop nothing: write the scores that the other options ask for, or with none of them length ratio and edit "
        "distance, which need no model.",
    ),
    click.option(
        "--score", "scores", type=click.Choice(SCORES), multiple=True,
        help="Write this score, whether it has a threshold or not. May be repeated.",
    ),
    click.option(
        "--rejects", metavar="FILE",
        help="Write dropped pairs here: the whole record with its scores, and the reasons in the field dropped.",
    ),
    click.option(
        "--report", metavar="FILE",
        help="Write to FILE, as JSON, what was kept and dropped by task and reason and how the scores lie about their "
        "thresholds; and beside it histograms (.png).",
    ),
    click.option(
        "--audit", metavar="FILE",
        help="Of the pairs that are kept: write to FILE, as JSON, how far words alone, and form alone, tell chosen from "
        "rejected, and how even places, lengths and answers are; and beside it a page of plots (.png).",
    ),
    click.option(
        "--audit-fail", metavar="AUC", type=click.FloatRange(0.5, 1),
        help="End with status 1 where in some task words alone, or form alone, tell chosen from rejected with an AUC above "
        "this (0.6, say).",
    ),
)  # fmt: skip
MODELS = group(
    click.option(
        "--clip-model", metavar="NAME",
        help="Score all pairs by this: NAME or NAME:PRETRAINED of open_clip, hf-hub:ID, or a folder. Otherwise built-in "
        "pairs go to mini-clip and all others to ViT-B-32:openai.",
    ),
    click.option(
        "--text-model", metavar="NAME",
        help="Compare all answers by this: a Hub id or a folder of sentence-transformers. Otherwise built-in pairs go to "
        "mini-text and all others to sentence-transformers/all-mpnet-base-v2.",
    ),
    click.option(
        "--dtype", type=click.Choice(DTYPES),
        help="Number format of the models. By default float32, and of --ref bfloat16 on a GPU that has it.",
    ),
    click.option("--compile", is_flag=True, help="Run CLIP through torch.compile: a minute first, then faster on a GPU."),
    click.option(
        "--cache", metavar="DIR", type=click.Path(file_okay=False),
        help="Keep what the models compute here, by content and model, for later runs: another threshold, or a run that was "
        "killed, then needs them for new pairs only. Safe to remove.",
    ),
    click.option(
        "--workers", metavar="N", type=click.IntRange(min=0), default=0, show_default=True,
        help="Processes that open images for CLIP while it runs; with 0 four threads do, which is enough for a CPU.",
    ),
    click.option(
        "--processes", metavar="N", type=ABOVE_0, default=1, show_default=True,
        help="Processes on this machine that share the models' work, through accelerate's launcher, each on a GPU where "
        "there are some. The same bytes come out.",
    ),
    click.option(
        "--batch-size", metavar="N", type=ABOVE_0, default=64, show_default=True,
        help="Pairs that a model judges, and that are written, at a time.",
    ),
    click.option(
        "--ref-batch-size", metavar="N", type=ABOVE_0, default=8, show_default=True,
        help="Pairs that the model of --ref computes at once.",
    ),
    click.option(
        "--resume", is_flag=True,
        help="Go on with what a run that ended early left in FILE.partial, where -o FILE was given; the input is read again "
        "up to there, but not judged.",
    ),
)  # fmt: skip
