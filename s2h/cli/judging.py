"""The options of s2h-filter, by what they are about."""

from __future__ import annotations

import click

from s2h.cli.headings import under
from s2h.cli.params import Band, Cosine
from s2h.filters.asked import SCORES

DTYPES = ("float32", "bfloat16", "float16")
ABOVE_0 = click.IntRange(min=1)

THRESHOLDS = under(
    "Answers and images",
    click.option(
        "--clip", type=Cosine("T", 1),
        help="Keep pairs whose chosen answer has a CLIP score of at least T: the mean cosine between its claims and the "
        "images that they are about (the field grounding; without it, the answer's text and the target images).",
    ),
    click.option(
        "--clip-margin", type=Cosine("M", 2),
        help="Keep pairs whose chosen answer's CLIP score is at least M above the rejected answer's.",
    ),
    click.option(
        "--clip-rank", is_flag=True,
        help="Keep pairs whose chosen answer singles its images out: no other image of the prompt fits a claim better than "
        "the image that the claim is about. For level 3; at levels 1 and 2 the prompt names the image, and others may fit "
        "as well.",
    ),
)  # fmt: skip
ANSWERS = under(
    "The two answers",
    click.option(
        "--mpnet", type=Band(-1, 1),
        help="Keep pairs whose two answers have a text cosine from LO to HI; either end may be left out. Answers that tell "
        "their working are compared by their conclusions, and conclusions that are values (a number, an image, yes or no) "
        "must only differ.",
    ),
    click.option(
        "--mpnet-distractors", type=Band(-1, 1),
        help="Keep pairs whose chosen answer's largest text cosine to a caption of a distractor lies from LO to HI, where "
        "facts.labels has captions.",
    ),
    click.option(
        "--length-ratio", type=Band(0),
        help="Keep pairs whose ratio of chosen to rejected length, in characters, lies from LO to HI.",
    ),
    click.option(
        "--edit-distance", type=Band(0, 1),
        help="Keep pairs whose answers' Levenshtein distance, divided by the longer length, lies from LO to HI.",
    ),
    click.option(
        "--repetition", metavar="MOST", type=click.FloatRange(0, 1),
        help="Drop pairs with an answer in which more than this share of the three-word runs repeat an earlier one.",
    ),
    click.option("--refusal", is_flag=True, help="Drop pairs with an answer that refuses (I'm sorry, but I can't ...)."),
)  # fmt: skip
REFERENCE = under(
    "Reference model",
    click.option(
        "--ref", metavar="MODEL",
        help="Write the log-probabilities of both answers under a vision-language model as scores.ref, which s2h-train uses "
        "as its reference: a name, a Hub id, a local folder or a run of s2h-train.",
    ),
    click.option(
        "--margin", type=Band(-1e9, 1e9),
        help="Keep pairs whose log-probability of chosen minus rejected (nats) lies from LO to HI; low ones are hard. Needs "
        "--ref, or scores.ref in the records.",
    ),
    click.option(
        "--perplexity", type=Band(1), help="Keep pairs whose answers both have a perplexity per token from LO to HI.",
    ),
    click.option(
        "--blind-margin", metavar="M", type=float,
        help="Drop pairs whose chosen answer the model prefers by at least M nats without seeing an image (scores.blind).",
    ),
)  # fmt: skip
REPEATS = under(
    "Repeats and leaks",
    click.option(
        "--dedup", is_flag=True,
        help="Drop pairs that repeat an earlier one: the same images, by their bytes, and the same texts.",
    ),
    click.option(
        "--dedup-against", metavar="FILE", multiple=True,
        help="Drop pairs that repeat one of FILE, for example held-out pairs. May be repeated.",
    ),
    click.option(
        "--near-images", metavar="BITS", type=click.IntRange(0, 8),
        help="For --dedup and --dedup-against: take images as the same if their perceptual hashes (64 bits) differ in at "
        "most BITS; 4 finds a picture that was scaled or saved again.",
    ),
    click.option(
        "--near-text", metavar="J", type=click.FloatRange(0.5, 1),
        help="For --dedup and --dedup-against: take texts as the same if the estimated Jaccard index of their word runs is "
        "at least J, for example 0.8.",
    ),
    click.option(
        "--against", metavar="PATH", multiple=True,
        help="Drop pairs that show an image of a benchmark, by its bytes or a perceptual hash: a folder of its images, a "
        "parquet file, or a list of hashes or file names. May be repeated.",
    ),
    click.option(
        "--against-clip", metavar="T", type=Cosine("T", 1),
        help="With --against, also drop pairs with an image whose CLIP cosine to one of the benchmark's images is at least "
        "T, for example 0.95.",
    ),
)  # fmt: skip
REPORTS = under(
    "Scores and reports",
    click.option(
        "--annotate", is_flag=True,
        help="Write scores without dropping records: those that the other options ask for, or length ratio and edit "
        "distance, which need no model.",
    ),
    click.option(
        "--score", "scores", type=click.Choice(SCORES), multiple=True,
        help="Write this score, with or without a threshold. May be repeated.",
    ),
    click.option(
        "--rejects", metavar="FILE",
        help="Write dropped pairs to FILE: the whole record with its scores, and the reasons in the field dropped.",
    ),
    click.option(
        "--image-dir", metavar="DIR", type=click.Path(file_okay=False),
        help='Store for the images that a record brings as {"bytes", "path"}.  [default: s2h-images beside -o FILE, else '
        "in the working directory]",
    ),
    click.option(
        "--report", metavar="FILE",
        help="Write to FILE, as JSON, what was kept and dropped by task and reason, and how the scores lie around their "
        "thresholds; histograms go beside it (.png).",
    ),
    click.option(
        "--audit", metavar="FILE",
        help="Write to FILE, as JSON, how well words alone, and form alone, tell chosen from rejected in the kept pairs, "
        "and how even places, lengths and answers are; plots go beside it (.png).",
    ),
    click.option(
        "--audit-fail", metavar="AUC", type=click.FloatRange(0.5, 1),
        help="End with status 1 if in some task words alone, or form alone, tell chosen from rejected with an AUC above "
        "this, for example 0.6.",
    ),
)  # fmt: skip
MODELS = under(
    "Models",
    click.option(
        "--clip-model", metavar="NAME",
        help="CLIP model for all pairs: NAME or NAME:PRETRAINED of open_clip, hf-hub:ID, or a local folder.  [default: "
        "mini-clip for built-in pairs, ViT-B-32:openai for all others]",
    ),
    click.option(
        "--text-model", metavar="NAME",
        help="Text model for all answers: a Hub id or a local folder of sentence-transformers.  [default: mini-text for "
        "built-in pairs, sentence-transformers/all-mpnet-base-v2 for all others]",
    ),
    click.option(
        "--dtype", type=click.Choice(DTYPES),
        help="Number format of the models.  [default: float32; for --ref bfloat16 on a GPU that has it]",
    ),
    click.option("--compile", is_flag=True, help="Run CLIP through torch.compile: a minute to start, then faster on a GPU."),
    click.option(
        "--cache", metavar="DIR", type=click.Path(file_okay=False),
        help="Keep what the models compute in DIR, by content and model. A later run, with another threshold or after a "
        "kill, then needs them for new pairs only. Safe to remove.",
    ),
)  # fmt: skip
PERFORMANCE = under(
    "Performance",
    click.option(
        "--workers", metavar="N", type=click.IntRange(min=0), default=0, show_default=True,
        help="Processes that open images for CLIP while it runs; with 0, four threads do, which is enough for a CPU.",
    ),
    click.option(
        "--processes", metavar="N", type=ABOVE_0, default=1, show_default=True,
        help="Processes on this machine that share the models' work, through accelerate's launcher, each on a GPU where "
        "there are some. The output has the same bytes with any number.",
    ),
    click.option(
        "--batch-size", metavar="N", type=ABOVE_0, default=64, show_default=True,
        help="Pairs that a model judges, and that are written, at a time.",
    ),
    click.option(
        "--ref-batch-size", metavar="N", type=ABOVE_0, default=8, show_default=True,
        help="Pairs that the model of --ref computes at a time.",
    ),
    click.option(
        "--resume", is_flag=True,
        help="Continue what a killed run left in FILE.partial (needs -o FILE). The input is read again up to there, but not "
        "judged again.",
    ),
)  # fmt: skip
