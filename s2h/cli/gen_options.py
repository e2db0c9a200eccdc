"""The options of s2h-gen: the parsed values, and the check that they are compatible. `s2h.tasks.Task` defines what differs
between tasks: kinds of rejected answers, the task's own options, and the shared options that it takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from s2h import registry
from s2h.cli import common, headings, places, server_options
from s2h.cli.params import Weight
from s2h.images.resizing import Pixels
from s2h.tasks import Task, by_level

if TYPE_CHECKING:
    from s2h.sources.shapes import Dataset

TYPES: dict[str, dict[str, Any]] = {
    "weights": {"type": Weight(), "multiple": True},
    "share": {"type": click.FloatRange(0, 1), "metavar": "SHARE"},
}


def own_options() -> Callable[[Callable], Callable]:
    """Return a decorator that adds the options that tasks define."""
    found: dict[str, Callable] = {}
    for option in (option for task in by_level().values() for option in task.options):
        text = f"{_named(option.name)}: {option.help}"
        found.setdefault(option.name, click.option(option.flag, option.name, help=text, **TYPES[option.type]))
    return headings.under("Questions", *found.values())


def taking(what: str) -> str:
    """Return the names of the tasks that take a shared option: 'vqa and search'."""
    return _listed([name for name, task in by_level().items() if what in task.takes])


def showing(layout: str) -> str:
    """Return the names of the tasks that can show their images in this layout."""
    return _listed([name for name, task in by_level().items() if layout in task.layouts])


def kinds() -> str:
    """Return the kinds of rejected answers of each task, for --help."""
    return " ".join(f"{name}: {', '.join(task.negatives)}." for name, task in by_level().items())


def _named(option: str) -> str:
    """Return the names of the tasks that define an option."""
    return _listed([name for name, task in by_level().items() if any(o.name == option for o in task.options)])


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


@dataclass(frozen=True)
class Options:
    """The values of all options. `check` tests what can be tested without data. own: the options that tasks define."""

    task: str
    count: int
    spec: str
    seed: int
    per_prompt: tuple[int, int] | None
    layout: str
    distractors: str
    similar: tuple[float, float] | None
    clip_model: str | None
    negatives: tuple[tuple[str, float], ...]
    twins: bool
    image_side: bool
    working: float | None
    model: str | None
    base_url: str | None
    concurrency: int
    max_pixels: int | None
    min_pixels: int | None
    thinking: str | None
    samples: int
    temperature: float | None
    select: str | None
    alike: float
    text_model: str | None
    batch_size: int
    max_new_tokens: int
    split: str
    shard: tuple[int, int]
    workers: int
    resume: bool
    no_follow: bool
    size: int | tuple[int, int]
    image_dir: str
    captioner: str | None
    captions: str | None
    own: dict[str, Any]

    @classmethod
    def parsed(cls, **values: Any) -> Options:
        """Return the options from click's values by name, including those that tasks define."""
        shared = cls.__dataclass_fields__
        own = {name: values.pop(name) for name in sorted(set(values) - set(shared))}
        return cls(
            **values, own={name: dict(v) if isinstance(v, tuple) else v for name, v in own.items() if v}
        )

    @property
    def maker(self) -> Task:
        return registry.load("task", self.task)

    @property
    def images(self) -> tuple[int, int]:
        """The smallest and largest number of images in a prompt."""
        from s2h.tasks.recipe import PER_PROMPT

        return self.per_prompt or PER_PROMPT[self.layout]

    @property
    def captions_file(self) -> str | None:
        """The file of --captioner's captions, None without --captioner."""
        return (self.captions or os.path.join(self.image_dir, "captions.jsonl")) if self.captioner else None

    @property
    def pixels(self) -> Pixels:
        """The bounds of an image that the user gave."""
        return Pixels(self.min_pixels or 0, self.max_pixels or 0)

    @property
    def answering_model(self) -> str | None:
        """The model whose wrong replies become the rejected answers, None if no model gives them. The default for built-in
        images is the miniature, unless --negative or --twins asks for answers without a model."""
        by_design = "model" not in self.maker.takes or self.spec != "builtin" or self.negatives or self.twins
        by_design = by_design or bool(self.base_url)
        return self.model or (None if by_design else "mini")

    def of_result(self) -> dict[str, Any]:
        """Return the options that the pairs depend on. A resumed run must have the same ones."""
        other = ("resume", "workers", "batch_size", "base_url", "concurrency")
        given = {name: one for name, one in vars(self).items() if name not in other}
        if not self.thinking:  # runs of an older release had none
            del given["thinking"]
        return {"command": "gen"} | given | server_options.arguments(self.base_url)

    def check(self) -> None:
        """Raise UsageError for options that exclude each other."""
        self._check_task()
        near = self.distractors == "similar"
        if self.model and self.negatives:
            raise click.UsageError(
                "--model and --negative exclude each other: a model's own mistakes are the negatives."
            )
        if self.twins and self.model:
            raise click.UsageError(
                "--twins and --model exclude each other: a model's mistake has no images of its own."
            )
        if self.image_side and not self.twins:
            raise click.UsageError("--image-side needs --twins, whose images become the rejected ones.")
        if self.temperature and self.samples == 1:
            raise click.UsageError("--temperature needs --samples 2 or more: one reply is the greedy one.")
        if (self.similar or (self.clip_model and "clip_model" not in self.maker.takes)) and not near:
            raise click.UsageError("--similar and --clip-model are for --distractors similar.")
        if self.base_url and not self.model and not self.captioner:
            raise click.UsageError(
                f"--base-url goes with --model ({taking('model')}) or --captioner ({taking('captioner')})."
            )
        if not self.base_url:
            common.refuse(("concurrency",), "--base-url")
        if self.base_url and self.select:
            raise click.UsageError(
                "--select attention needs the model in this process: no server gives its attention (drop --base-url)."
            )
        if self.pixels and not self.answering_model and not self.captioner:
            raise click.UsageError("--max-pixels and --min-pixels are for --model and --captioner.")
        if self.thinking and not self.answering_model and not self.captioner:
            raise click.UsageError("--thinking is for --model and --captioner.")
        if self.pixels.fault:
            raise click.UsageError(self.pixels.fault)
        if self.captions and not self.captioner:
            raise click.UsageError("--captions is for --captioner.")
        if self.select and self.layout != "sequence":
            raise click.UsageError("--select attention needs the images one by one (--layout sequence).")
        if self.workers > 1 and self.answering_model:
            raise click.UsageError(
                "--workers is for pairs without a --model: vqa over built-in images asks mini unless --negative is "
                "given (or use --shard)."
            )
        if self.workers > 1 and (near or self.clip_model):
            raise click.UsageError("--workers is for pairs without a CLIP model (use --shard).")

    def _check_task(self) -> None:
        """Raise UsageError for options that the task does not take."""
        given = {
            "model": ("--model", self.model),
            "working": ("--working", self.working is not None),
            "distractors": ("--distractors similar", self.distractors == "similar"),
            "captioner": ("--captioner", self.captioner),
        }
        for what, (flag, wanted) in given.items():
            if wanted and what not in self.maker.takes:
                raise click.UsageError(f"{flag} is for {taking(what)}, not for {self.task}.")
        flags = {option.name: option.flag for task in by_level().values() for option in task.options}
        for name in set(self.own) - {option.name for option in self.maker.options}:
            raise click.UsageError(f"{flags[name]} is for {_named(name)}, not for {self.task}.")

    def check_places(self, output: str) -> None:
        """Raise UsageError for an output that is also an input."""
        models = [] if self.base_url else [self.model, self.captioner]
        models += [self.clip_model, self.text_model]
        places.check(
            [*places.in_spec(self.spec), *filter(None, models)],
            {"-o": output, "--captions": self.captions_file, "--image-dir": self.image_dir},
            grow=("-o",),
        )

    def check_data(self, data: Any, source: Dataset) -> None:
        """Raise UsageError for options that the source's data does not allow. data: the task's data in `source`."""
        possible = self.maker.negatives_from(data)
        for kind, _ in self.negatives:
            if kind not in possible:
                raise click.BadParameter(
                    f"{kind!r}: no such kind for {self.task} here (choose from {', '.join(possible)})",
                    param_hint="--negative",
                )
        if self.negatives and not sum(weight for _, weight in self.negatives) > 0:
            raise click.BadParameter(
                "the weights add up to 0 (give one a weight above 0)", param_hint="--negative"
            )
        if self.clip_model and self.distractors == "random" and source.photos and source.photos.exhaustive:
            raise click.UsageError(
                f"--clip-model is for --distractors similar here: {source.spec} notes what its pictures don't show."
            )
        for option, wanted in (("--samples", self.samples > 1), ("--select", self.select)):
            if wanted and not self.answering_model:
                raise click.UsageError(
                    f"{option} needs {taking('model')} and a --model whose answers they are."
                )
