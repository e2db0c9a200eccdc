"""How `s2h-eval` asks its questions: by which processes, and into which file of predictions, which a killed run may have
begun. s2h.eval.ask does the asking, s2h.eval.resume keeps the file."""

from __future__ import annotations

import os
import sys

import click

from s2h.cli import common


class Asking:
    """The processes of a run and its output. `asks`: whether a model is asked at all."""

    def __init__(self, asked: dict, output: str, processes: int, resume: bool, asks: bool) -> None:
        from s2h import accel
        from s2h.growing import can_grow

        rank, self.of = accel.launched()
        self.asked, self.output, self.resume, self.asks = asked, output, resume, asks
        self.first, self.progress, self.told = not asks or rank == 0, None, {}
        self.grows = asks and can_grow(output)
        if resume and not self.grows:
            raise click.UsageError("--resume needs --model and -o FILE, and no compressed one.")
        if max(processes, self.of) > 1 and asks and "-" in asked["files"]:
            raise click.UsageError("Several processes can't share standard input: name a file.")

    def alive(self, made):
        """The predictions, as long as all processes are there: the one that ends first has said why."""
        from s2h import accel

        try:
            yield from made
        except Exception as error:
            if accel.bereft(error):
                sys.exit(common.FAILED)
            raise

    def writer(self):
        """The output for the session: a file that can be gone on with wherever that is possible."""
        return self._open if self.grows or not self.first else self.output

    def _open(self):
        from s2h.eval.resume import Predictions, Progress
        from s2h.jsonl import Writer

        if self.grows:
            self.progress = Progress(self.output, self.asked, self.resume)
        return Predictions(self.output, self.progress) if self.first else Writer(os.devnull)

    def tell(self, work, loaded) -> None:
        """Say what a reader of the scores must know: where the images stood, and what was there already."""
        from s2h.models.prompts import images_first

        first = images_first(loaded.processor)
        self.told = {"template": "images first" if first else "images in their places"}
        if first:
            work.say(f"{loaded.name} takes all images before the text of a question")
        if self.resume:
            there = self.progress.questions, len(self.progress.known)
            work.say(f"{there[0]} questions are through, and {there[1]} answers to the next are there")

    def done(self, slim) -> list[dict]:
        """What a run that goes on needs for its table of the predictions that are there."""
        return [slim(line) for line in self.progress.done()] if self.progress else []
