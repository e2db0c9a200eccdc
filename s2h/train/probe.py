"""A probe of a run: short questions, asked before and after training, which tell whether the model still answers briefly and
still answers questions about one image. They are the user's, as s2h-eval reads them, or are made of the held-out pairs.

The replies before training are kept in RUN/probe.json, so that a resumed run compares with them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any

from s2h import accel
from s2h.errors import counted, one_line
from s2h.models import thinking
from s2h.record import Record, RecordError, text_of
from s2h.tasks.vqa import FEW
from s2h.train.arguments import PROBE_OFF
from s2h.train.construction import Run
from s2h.train.folder import PROBE, RunError, read_object, write_json

if TYPE_CHECKING:
    from s2h.train.trainer import PairTrainer

COUNT = 50  # questions that are made of the held-out pairs
NEW_TOKENS = 32  # most tokens of a reply
# Prompts at a time, for each pair of --batch-size. They need less memory than the step of that pair.
BATCH = 4
LEVEL = 0.05  # of the paired tests
REMEDY = "remove it: --resume asks the untrained model again"
WORDS = {"accuracy": "right", "unread": "unread", "long": f"of more than {FEW} words"}

Question = tuple[dict, list[dict]]  # see s2h.eval.ask
Replies = list[str | None]  # to each question; None for one that could not be asked


@dataclass
class Probe:
    """The probe of one run. Every process calls its methods, and each answers a part of the questions.

    before, after: the replies of the untrained and of the trained model, None until they are asked.
    """

    trainer: PairTrainer
    run: Run
    on_error: Callable[[RecordError], None]
    before: Replies | None = field(default=None, init=False)
    after: Replies | None = field(default=None, init=False)

    @cached_property
    def questions(self) -> list[Question]:
        """The questions, none if the run has no probe."""
        named, val = self.run.arguments.probe, self.run.val
        if named == PROBE_OFF or not (named or val):
            return []
        found = self._named(named) if named else self._held_out()
        if found and (reason := self._why_not()):
            self.run.say(f"the short questions of the probe are not asked: {reason}")
            return []
        return found

    def ask_before(self) -> None:
        """Ask the untrained model, or read its replies if the run has asked them before. Call it before prompts are shared
        and before a checkpoint is loaded. Raises RunError if probe.json was changed, RecordError for a question that can't
        be asked."""
        if not self.questions:
            return
        self.before = accel.share(self._kept() if accel.is_main() else None)
        if self.before is None:
            self.before = self._ask(self.questions)
            self._keep()

    def ask_after(self, weights: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Ask the trained model, warn if it has lost something, and return the result (see `compared`); None without a
        probe. weights: by name, those to ask in place of the last ones."""
        if self.before is None:
            return None
        import torch

        self.trainer.stop_sharing()
        if weights is not None:
            self.trainer.model.load_state_dict(weights, strict=False)
        with torch.compiler.set_stance("force_eager"):  # prompts would have layers compiled for new shapes
            answered = [
                one for one, reply in zip(self.questions, self.before, strict=True) if reply is not None
            ]
            self.after = self._ask(answered)
        if self.after is None:
            return None
        self._keep()
        asked = zip(self.questions, self.before, self.after, strict=True)
        both = [
            (line, one, other) for (line, _), one, other in asked if one is not None and other is not None
        ]
        if not both:
            return None
        found = compared(both)
        self.run.say(told(found))
        if found["lost"]:
            self.run.say(warning(found, only_sft=list(self.run.arguments.losses()) == ["sft"]))
        return found

    def _why_not(self) -> str | None:
        """Return the reason why the model can't be asked in this run."""
        if self.trainer.is_sharded:
            return "the weights are sharded over the processes"
        if thinking.is_on(self.run.vlm.processor):
            return "the model writes a thought before its answer"
        return None

    def _named(self, path: str) -> list[Question]:
        """Return the questions of the user's file."""
        from s2h.eval.questions import Settings, any_lines, tables
        from s2h.images.store import Store
        from s2h.streams.files import IMAGES

        settings = Settings(store=Store(self.run.folder / IMAGES), on_error=self.on_error)
        rows = (row for _, row in tables.read([path], own=True, on_error=self.on_error))
        with accel.main_first():  # it writes the images that the file holds
            found = list(any_lines.read(rows, settings))
        if not found:
            raise RecordError(
                "no questions", where=path, remedy=f"name another file with --probe, or --probe {PROBE_OFF}"
            )
        return found

    def _held_out(self) -> list[Question]:
        """Return the first questions about one image that the held-out pairs of level 1 give."""
        from s2h.eval.questions import single_image

        val: Any = self.run.val
        rows = (row for row in val.kept if val.levels[row] == single_image.LEVEL)
        return list(islice(single_image.questions(val.record(row) for row in rows), COUNT))

    @property
    def _digest(self) -> str:
        """The digest of the questions. It leaves folders out, so that moved data have the same one."""
        whole = blake2b(digest_size=16)
        for line, messages in self.questions:
            names = [one.rpartition("/")[2] for one in line["images"]]
            whole.update(repr((line["id"], text_of(messages), line["answer"], names)).encode())
        return whole.hexdigest()

    def _kept(self) -> Replies | None:
        """Return the replies of the untrained model that an earlier start of the run has kept."""
        path = self.run.folder / PROBE
        if not path.is_file():
            return None
        found = read_object(path, REMEDY)
        replies = found.get("before")
        if not isinstance(replies, list) or not all(one is None or isinstance(one, str) for one in replies):
            raise RunError(f"{path} was changed", remedy=REMEDY)
        if found.get("questions") != self._digest or len(replies) != len(self.questions):
            raise RunError(
                f"{path} has the replies to other questions than those of --probe or --val", remedy=REMEDY
            )
        return replies

    def _keep(self) -> None:
        if accel.is_main() and self.before is not None:
            said = {"questions": self._digest, "before": self.before}
            write_json(self.run.folder / PROBE, {**said, **({"after": self.after} if self.after else {})})
        accel.wait()

    def _ask(self, questions: list[Question]) -> Replies | None:
        """Return the model's greedy replies to each of the probe's questions, those that are not among `questions` without
        one; None, after a message, if the model can't reply."""
        import torch

        from s2h.eval import ask

        vlm, model = replace(self.run.vlm, model=self.trainer.base), self.trainer.model
        size, was_training = BATCH * self.run.arguments.batch_size, model.training
        model.eval()
        try:
            with self.trainer.autocast():
                lines = ask.predict(
                    questions, vlm, batch_size=size, max_new_tokens=NEW_TOKENS, on_error=self.on_error
                )
                replies = {line["id"]: line["response"] for line in lines}
        except RecordError:
            raise
        except Exception as error:  # the libraries have no error in common, and no probe ends a run
            self.run.say(f"the short questions of the probe are not asked: {one_line(error)}")
            return None
        finally:
            model.train(was_training)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return [replies.get(line["id"]) for line, _ in self.questions]


def compared(asked: list[tuple[dict, str, str]]) -> dict[str, Any]:
    """Return the result of a probe: questions (their number), before and after (see `measured`), p (of each measure, by the
    paired test of s2h-eval --compare), and lost (the measures that are worse with p below 5%).

    asked: of each question its line, the reply before training, and the reply after it.
    """
    from s2h.eval import clusters
    from s2h.eval import statistics as tests

    lines = [line for line, _, _ in asked]
    sides = [[_judged(line, reply) for line, reply in zip(lines, some, strict=True)]
             for some in ([one for _, one, _ in asked], [other for _, _, other in asked])]  # fmt: skip
    groups = clusters.labels(lines)
    found: dict[str, Any] = {
        "questions": len(asked),
        "before": measured(sides[0]),
        "after": measured(sides[1]),
    }
    found |= {"p": {}, "lost": []}
    for name in WORDS:
        changes = [_change(one[name], other[name]) for one, other in zip(*sides, strict=True)]
        sums = [round(change) for change in tests.sums(changes, groups)]
        p = found["p"][name] = tests.sign_flip(sums)
        if p < LEVEL and (sum(changes) < 0) == (name == "accuracy"):
            found["lost"].append(name)
    return found


def measured(judged: list[dict]) -> dict[str, Any]:
    """Return accuracy (of the questions whose answer is known, None if there is none), unread and long (shares of replies
    that can't be read, and that have more than FEW words), and words (their median number)."""
    known = [one["accuracy"] for one in judged if one["accuracy"] is not None]
    return {
        "accuracy": sum(known) / len(known) if known else None,
        **{name: sum(one[name] for one in judged) / len(judged) for name in ("unread", "long")},
        "words": statistics.median(one["words"] for one in judged),
    }


def _judged(line: dict, reply: str) -> dict[str, Any]:
    """Return what a reply to a question shows: whether it is right (None if that is not known), unread and long, and its
    number of words."""
    from s2h.eval import reading

    parsed, right = reading.read(Record({**line, "response": reply}))
    words = len(thinking.answer_of(reply).split())
    return {"accuracy": right, "unread": parsed is None, "long": words > FEW, "words": words}


def _change(one: bool | None, other: bool | None) -> int:
    return 0 if one is None or other is None else int(other) - int(one)


def told(found: dict[str, Any]) -> str:
    """Return the result of a probe as one line."""
    before, after = found["before"], found["after"]
    measures = [f"{_share(before[name])} -> {_share(after[name])} {WORDS[name]}" for name in WORDS]
    return (
        f"probe of {counted(found['questions'], 'short question')}, before -> after training: {', '.join(measures)}, "
        f"median {before['words']:g} -> {after['words']:g} words"
    )


def warning(found: dict[str, Any], *, only_sft: bool) -> str:
    """Return the warning about what a model has lost, with the remedies. only_sft: whether the run has no DPO loss."""
    kept = "" if only_sft else ", --sft 1, a larger --beta"
    return (
        f"warning: {loss(found)} (mix in pairs of one image, from s2h-gen vqa --images-per-prompt 1, or try fewer "
        f"--epochs, a lower --lr{kept})"
    )


def loss(found: dict[str, Any]) -> str:
    """Return what a model has lost, as a sentence without its period."""
    lost = ", ".join(
        f"{_share(found['before'][name])} -> {_share(found['after'][name])} {WORDS[name]} (p = {found['p'][name]:.2g})"
        for name in found["lost"]
    )
    return f"the model answers short questions worse than before training: {lost}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"
