"""The end of requests to a server: errors that end a run, a consumer that stops, and Ctrl-C. What was answered is kept,
requests that are open are waited for only as long as they may still be answered, and nothing is left behind."""

from __future__ import annotations

import gc
import json
import signal
import sys
import threading
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from PIL import Image

from s2h import record
from s2h.cli.eval import main
from s2h.models import ModelError, server
from s2h.models.replies import Reply, Sampling
from tests.support.servers import MODEL, Small
from tests.support.waiting import until

FOREVER = 10.0**6  # seconds; a test that waited for so long would not end
WRONG_KEY = 401, {}, {}


@pytest.fixture(autouse=True)
def _strict(monkeypatch, caplog):
    """Nothing waits for the time to pass, and asyncio has nothing to complain about."""
    monkeypatch.setattr(server, "RETRIES", 0)
    monkeypatch.setattr(server, "GRACE", FOREVER)
    yield
    gc.collect()
    assert not [entry for entry in caplog.records if entry.name == "asyncio"], caplog.text


@contextmanager
def blocking():
    """A function that blocks the requests which call it until the end of the block."""
    end = threading.Event()
    try:
        yield end.wait
    finally:
        end.set()


def number_of(request) -> int:
    return int(request.asked.removeprefix("question "))


def replies(small: Small, count: int, **address):
    found = server.connect(MODEL, server.Address(small.url, **address))
    rows = {at: (record.interleave([f"question {at}"]), []) for at in range(count)}
    return found, found.replies(rows, Sampling())


def test_two_errors_at_once_are_one_and_the_answers_beside_them_are_kept():
    together = threading.Barrier(4)

    def answer(request):
        together.wait(60)
        return WRONG_KEY if number_of(request) % 2 else "fine"

    with Small(answer) as small:
        kept = {}
        _, found = replies(small, 4, concurrency=4)
        with pytest.raises(ModelError, match="refuses the key: status 401"):
            for at, reply in found:
                kept[at] = reply
        assert kept == {0: [Reply("fine")], 2: [Reply("fine")]} and small.open == 0


def test_an_answer_after_the_error_is_kept_and_no_further_question_is_asked():
    def answer(request):
        if number_of(request) == 0:
            return WRONG_KEY
        until(lambda: small.open == 1)  # the other response has been sent
        return "fine"

    with Small(answer) as small:
        kept = {}
        _, found = replies(small, 40, concurrency=2)
        with pytest.raises(ModelError, match="refuses the key"):
            for at, reply in found:
                kept[at] = reply
    assert kept and all(reply == [Reply("fine")] for reply in kept.values())
    assert len(small.questions) == len(kept) + 1 < 40


def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_the_grace(monkeypatch):
    monkeypatch.setattr(server, "GRACE", 0.01)
    with blocking() as block, Small(lambda request: block() if number_of(request) else WRONG_KEY) as small:
        _, found = replies(small, 2)
        with pytest.raises(ModelError, match="refuses the key"):
            list(found)


@pytest.mark.parametrize("grace", [0.0, FOREVER])
def test_a_consumer_that_stops_waits_for_nothing(grace, monkeypatch):
    """The server can be asked again afterwards, by the same client."""
    monkeypatch.setattr(server, "GRACE", grace)
    with blocking() as block, Small(lambda request: block() if number_of(request) == 1 else "fine") as small:
        asked, found = replies(small, 3)
        assert next(found)[1] == [Reply("fine")]
        found.close()
        rows = {at: (record.interleave([f"question {at}"]), []) for at in (5, 6)}
        assert dict(asked.replies(rows, Sampling())) == {5: [Reply("fine")], 6: [Reply("fine")]}


@contextmanager
def interrupts():
    """A function that sends the main thread a Ctrl-C as soon as it waits for responses. Python overlooks a signal between
    its last bytecode and the system call, so that the function repeats it until the main thread is elsewhere."""
    main_thread, over = threading.main_thread().ident, threading.Event()

    def is_waiting() -> bool:
        frame, names = sys._current_frames()[main_thread], []
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        return names[0] == "select" and "_first_done" in names

    def interrupt() -> None:
        until(is_waiting)
        until(
            lambda: over.is_set() or not is_waiting() or signal.pthread_kill(main_thread, signal.SIGINT),
            every=0.1,
        )

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in a job of a shell
    try:
        yield interrupt
    finally:
        over.set()
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("late", [False, True], ids=["at work", "after an error"])
def test_ctrl_c_ends_at_once_and_keeps_what_was_answered(late):
    """Also while the run waits for the answers that are open after an error."""
    kept = {}

    def answer(request):
        number = number_of(request)
        if number == 1 and late:
            return WRONG_KEY
        if number == 2:
            until(lambda: 0 in kept and small.open == 2 - late)
            interrupt()
        if number:
            block()
        return "fine"

    with blocking() as block, Small(answer) as small, interrupts() as interrupt:
        _, found = replies(small, 3)
        with pytest.raises(KeyboardInterrupt):
            for at, reply in found:
                kept[at] = reply
    assert kept == {0: [Reply("fine")]}


def test_a_command_that_is_interrupted_goes_on_with_what_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8), "red").save("a.png")
    lines = [{"id": f"{n}", "images": ["a.png"], "question": f"{n}?", "answer": "A"} for n in range(20)]
    (tmp_path / "ask.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    partial, sent = tmp_path / "out.jsonl.partial", threading.Lock()

    def number(request) -> int:
        return int(request.asked.partition("<image>")[2].partition("?")[0])

    def answer(request):
        if number(request) < 4:
            return "A"
        if sent.acquire(blocking=False):
            until(lambda: partial.exists() and partial.read_text().count("\n") == 4)
            interrupt()
        block()

    def run(url: str, *more: str):
        asked = ["ask.jsonl", "--model", MODEL, "--base-url", url, "-o", "out.jsonl", *more]
        return CliRunner().invoke(main, asked)

    with blocking() as block, Small(answer) as small, interrupts() as interrupt:
        done = run(small.url, "--concurrency", "6")
        assert done.exit_code == 130 and done.output.splitlines()[-1] == "main: interrupted", done.output
    with Small(lambda request: "A") as other:
        assert run(other.url, "--resume").exit_code == 0
        assert sorted(map(number, other.questions)) == list(range(4, 20))
    assert (tmp_path / "out.jsonl").read_text().count("\n") == 20
