"""Ask a model questions. Its predictions are yielded in the order of the questions, as soon as they are ready."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import Any, Protocol

from s2h import accel
from s2h.errors import counted, plural
from s2h.eval import likelihood, reading
from s2h.images.decoding import ImageError, dimensions, open_image, read_bytes
from s2h.images.resizing import Pixels
from s2h.images.store import digest
from s2h.models import ModelError, encode, prompts, vlm
from s2h.models.tokens import TokenCounter, positions, refusals
from s2h.record import Record, RecordError, base_of, fail, text_of, where_of
from s2h.streams.journal import Journal

WINDOW = 4  # batches whose questions are sorted by length together
Question = tuple[
    dict, list[dict]
]  # a prediction line that lacks its response, and the messages of the prompt


class Asker(Protocol):
    """A model that answers questions. size: the number of questions in a window, which it gets at a time (fewer at the end).
    scoring: as for `predict`."""

    size: int
    scoring: str

    @property
    def name(self) -> str:
        """The user's name for the model."""

    def answers(self, window: list[Question], known: Collection[int]) -> Iterator[dict[int, Any]]:
        """Yield the outcomes of a window's questions by position: an answer (`response` and, for a likelihood, `logp`) or a
        RecordError. known: positions that need no answer."""


def predict(
    questions: Iterable[Question],
    model: vlm.VLM,
    *,
    scoring: str = "generate",
    batch_size: int = 32,
    max_new_tokens: int = 192,
    parser: str = "robust",
    on_error: Callable[[RecordError], None] = fail,
    journal: Journal | None = None,
) -> Iterator[dict]:
    """Yield predictions of a model in this process (see `collect`). Each of accelerate's processes answers a part of the
    batches and yields all predictions.

    scoring: `generate` generates the greedy reply and reads it. `likelihood` compares the letters of the options, yes with
    no, or a pair's chosen with its rejected answer; its scores are not comparable with those of generated replies.
    """
    asker = Local(model, scoring, batch_size, max_new_tokens)
    return collect(questions, asker, parser=parser, on_error=on_error, journal=journal)


def collect(
    questions: Iterable[Question],
    asker: Asker,
    *,
    parser: str = "robust",
    on_error: Callable[[RecordError], None] = fail,
    journal: Journal | None = None,
) -> Iterator[dict]:
    """Yield predictions (contract.md, One prediction, one line) in the order of the questions.

    journal: lets a later run continue this one. Its position is the number of questions in finished windows; it also keeps
    the answers to questions of the next window that are ready.
    on_error: receives the error of a question that can't be asked (an image is missing, or it does not fit the model)
    instead of its prediction.
    """
    journal = journal or Journal()
    for fault in journal.state.get("skipped", []):
        on_error(RecordError(**fault))
    questions = _rest(questions, journal)
    ended = None
    while ended is None:
        window, ended = _window(questions, asker.size)
        outcomes = {at: answer for answers in journal.since for at, answer in answers}
        done, skipped = 0, []
        # The empty round yields what an earlier run has answered.
        for found in chain([{}], asker.answers(window, frozenset(outcomes))):
            outcomes |= found
            if new := sorted((at, one) for at, one in found.items() if not isinstance(one, RecordError)):
                journal.add(new)
            while done < len(window) and done in outcomes:
                line, outcome = window[done][0], outcomes[done]
                done += 1
                if isinstance(outcome, RecordError):
                    on_error(outcome)
                    skipped.append(outcome)
                else:
                    yield _finished(line, outcome, asker.name, asker.scoring, parser)
        if window:
            _note_window(journal, window, skipped)
    if isinstance(ended, Exception):
        raise ended


class Local:
    """A model in this process, which answers batches of similar length (see `Asker`)."""

    def __init__(self, model: vlm.VLM, scoring: str, batch_size: int, max_new_tokens: int) -> None:
        self.model, self.scoring = model, scoring
        self.size, self.batch_size, self.max_new_tokens = WINDOW * batch_size, batch_size, max_new_tokens
        # A thread prepares the next batch. Two threads can't share a tokenizer, so it has a copy.
        self.copy = dataclasses.replace(model, processor=copy.deepcopy(model.processor))
        self.images = prompts.Images(self.copy)
        self.counter = TokenCounter.of(self.copy.model, self.copy.processor, model.name, shown=model.shown)

    @property
    def name(self) -> str:
        return self.model.name

    def answers(self, window: list[Question], known: Collection[int]) -> Iterator[dict[int, Any]]:
        sizes = [_images_of(line, self.counter) for line, _ in window]
        batches = _batches(window, sizes, self.batch_size)
        asked = [batch for batch in batches if not all(at in known for at in batch)]
        rows = [[(at, *window[at], sizes[at]) for at in batch] for batch in asked]
        prepare = partial(_prepare, self.copy, self.images, self.scoring)
        yield from _answers(self.model, rows, prepare, self.scoring, self.max_new_tokens)


def _rest(questions: Iterable[Question], journal: Journal) -> Iterator[Question]:
    """Yield the questions that an earlier run has not finished. Raises RecordError if it was asked other questions."""
    questions = iter(questions)
    last, count = "", 0
    for line, _ in islice(questions, journal.position):
        last, count = line["id"], count + 1
    if count < journal.position or last != journal.last:
        raise RecordError(
            f"{journal.name}: was started with different questions: number {journal.position} was {journal.last}, not "
            f"{last}",
            remedy="give the same questions, or start again without --resume",
        )
    yield from questions


def _note_window(journal: Journal, window: list, skipped: list[RecordError]) -> None:
    """Note in the journal that a window of questions is finished, after its lines were written."""
    faults = [{"message": e.message, "field": e.field, "where": e.where, "remedy": e.remedy} for e in skipped]
    journal.state = {"skipped": journal.state.get("skipped", []) + faults}
    journal.reached(journal.position + len(window), window[-1][0]["id"])


def part(questions: Iterable, limit: int | None = None, shard: tuple[int, int] = (1, 1)) -> Iterable:
    """Return the questions of one shard (1-based number, number of shards) among the first `limit`. The shards, one after
    another, are all questions. For a shard, all questions are kept in memory, since their number must be known."""
    if limit is not None:
        questions = islice(questions, limit)
    if shard == (1, 1):
        return questions
    number, shards = shard
    whole = list(questions)
    return whole[len(whole) * (number - 1) // shards : len(whole) * number // shards]


def _window(questions: Iterator, size: int) -> tuple[list, Any]:
    """Return the next questions, and the reason why none follow: an error, which the caller raises after these questions are
    answered, True at the end of the questions, or None if more may follow."""
    window: list = []
    try:
        window.extend(islice(questions, size))
    except Exception as error:
        return window, error
    return window, None if len(window) == size else True


def _images_of(line: dict, counter: TokenCounter) -> list[tuple[str, int] | None]:
    """Return for each image (digest of its bytes, number of its tokens); None if it can't be read. The error is reported
    when the image is opened."""
    found: list[tuple[str, int] | None] = []
    record = line.get("_pair") or line
    for reference in record["images"]:
        try:
            data = read_bytes(reference, base_of(record))
        except ImageError:
            found.append(None)
            continue
        size = dimensions(data)
        found.append((digest(data), counter.planned(size)) if size else None)
    return found


def _batches(window: list, images: list, size: int) -> list[list[int]]:
    """Return batches of positions in the window. Prompts of similar length are batched together, and among these the prompts
    with the same images, so that these images are encoded once. images: of each question, as `_images_of` returns them."""
    names = [tuple(image[0] if image else None for image in its) for its in images]
    lengths = [
        sum(image[1] for image in its if image) + len(text_of(messages)) // 4
        for its, (_, messages) in zip(images, window, strict=True)
    ]
    longest: dict[tuple, int] = {}
    for name, length in zip(names, lengths, strict=True):
        longest[name] = max(length, longest.get(name, 0))
    order = sorted(range(len(window)), key=lambda at: (longest[names[at]], str(names[at]), lengths[at], at))
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    # A single process answers the batch with the first question first, so that its line can be written. Several processes
    # wait for each other, so they answer batches of similar length at the same time.
    return sorted(batches, key=min) if accel.state().num_processes == 1 else batches


def _answers(
    model: vlm.VLM, batches: list, prepare: Callable, scoring: str, max_new_tokens: int
) -> Iterator[dict[int, Any]]:
    """Yield the outcomes of a window's questions by position: an answer or an error. In each round, every process answers
    one batch and receives the answers of all processes."""
    state = accel.state()
    mine = _ahead(prepare, batches[state.process_index :: state.num_processes])
    for _ in range(-(-len(batches) // state.num_processes)):
        found: list[tuple[Any, Any]] = []
        try:
            if (ready := next(mine, None)) is not None:
                asked, errors = ready
                found = [*errors.items(), *_ask(model, asked, scoring, max_new_tokens).items()]
        except Exception as error:
            if state.num_processes == 1:
                raise
            # The other processes wait for the result of this one, so they receive its error.
            found = [
                (None, f"{type(error).__name__ if not isinstance(error, ModelError) else 'error'}: {error}")
            ]
        found = accel.gather(found)
        for at, outcome in found:
            if at is None:
                raise ModelError(outcome)
        yield dict(found)


def _ahead(make: Callable, items: list) -> Iterator:
    """Yield make(item) for each item, while a thread makes the next one."""
    with ThreadPoolExecutor(1) as pool:
        current = None
        for item in items:
            following = pool.submit(make, item)
            if current is not None:
                yield current.result()
            current = following
        if current is not None:
            yield current.result()


def _prepare(model: vlm.VLM, prepared: prompts.Images, scoring: str, batch: list) -> tuple[list, dict]:
    """Turn a batch of (position, line, messages, images as `_images_of` returns them) into [(position, prompt, options)],
    and the errors by position. prepared: images of earlier batches."""
    asked, errors = [], {}
    for at, line, messages, images in batch:
        try:
            with refusals(model.name, place_of(line)):
                asked.append((at, *_question(model, prepared, line, messages, images, scoring)))
        except RecordError as error:
            errors[at] = error
    return asked, errors


def _question(
    model: vlm.VLM, prepared: prompts.Images, line: dict, messages: list[dict], images: list, scoring: str
) -> tuple[prompts.Prompt, likelihood.Options | None]:
    """Return the prompt of a question and, for a likelihood, its options. Raises RecordError."""
    record = line.get("_pair") or line
    base, shown = base_of(record), model.shown
    names = [
        image[0] if image else f"{base}\0{reference}"
        for image, reference in zip(images, record["images"], strict=True)
    ]
    pictures = prepared.get(
        [(name, partial(load_image, record, base, i, shown)) for i, name in enumerate(names)]
    )
    shared = tuple(image[0] for image in images) if images and all(images) else None
    text = encode.prompt_text(model.processor, messages)
    prompt = prompts.prepare(model, messages, pictures, shared=shared, text=text)
    options = likelihood.options(model, line, messages, text) if scoring == "likelihood" else None
    need, window = len(prompt.ids) + (options.longest if options else 1), positions(model.model.config)
    if need > window:
        raise RecordError(
            f"does not fit the model's window: {need} tokens with its answer, and the window holds {window}",
            field="prompt", remedy="use fewer or smaller images, or a model with a longer window",
        )  # fmt: skip
    return prompt, options


def load_image(record: dict, base: str, i: int, shown: Pixels) -> Any:
    """Return the PIL image of a record at a position, resized to the bounds. Raises ImageError with the field."""
    try:
        return open_image(record["images"][i], base, shown)
    except ImageError as error:
        error.field = f"images[{i}]"
        raise


def _ask(model: vlm.VLM, asked: list, scoring: str, max_new_tokens: int) -> dict[int, dict]:
    """Return the answers to the prompts of a batch, as (position, prompt, options), by position. Raises ModelError."""
    import torch

    if not asked:
        return {}
    try:
        if scoring == "generate":
            replies = vlm.answer(model, [prompt for _, prompt, _ in asked], max_new_tokens=max_new_tokens)
            answers = [{"response": reply} for reply in replies]
        else:
            answers = likelihood.judge(model, [(prompt, options) for _, prompt, options in asked])
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{counted(len(asked), 'prompt')} at a time {plural(len(asked), 'is', 'are')} too many for "
            "the device's memory (use a smaller --batch-size)"
        ) from error
    return {at: answer for (at, _, _), answer in zip(asked, answers, strict=True)}


def place_of(line: dict) -> str:
    """Return the place of a question (FILE:LINE, or its id), for an error about it."""
    record = line.get("_pair") or line
    return where_of(record) or f"question {line.get('id')}"


def question_line(line: dict, messages: list[dict]) -> Record:
    """Return a question as a line of --questions: a prediction without its response, with the messages of its `prompt` and
    the number of its `row`, if it has one."""
    record = line.get("_pair") or line
    made = {key: value for key, value in line.items() if not key.startswith("_")}
    if "_row" in line:
        made["row"] = line["_row"]
    return Record(made | {"prompt": messages}, where=where_of(record), base=base_of(record))


def _finished(line: dict, answer: dict, name: str, scoring: str, parser: str) -> Record:
    """Return the prediction line of a question and its answer. name: of the model."""
    record = line.get("_pair") or line
    done = Record(
        {key: value for key, value in line.items() if not key.startswith("_")},
        where=where_of(record), base=base_of(record),
    )  # fmt: skip
    if "chosen" in answer.get("logp", ()):
        choice = answer["response"]
        done |= {"response": None, "parsed": choice, "correct": choice == "chosen"}
    else:
        done["response"] = answer["response"]
        # A likelihood's response is a bare label, which other parsers than ours may read differently.
        done["parsed"], done["correct"] = reading.read(done, parser if scoring == "generate" else "robust")
    if "logp" in answer:
        done["logp"] = answer["logp"]
    done |= {"model": name, "scoring": scoring}
    if scoring == "generate":
        done["parser"] = parser
    return done
