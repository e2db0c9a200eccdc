"""The common parts of the commands: the options of every stream command, and the session, in which errors become one line
and an exit status. A command looks like this:

    @headings.command()
    @click.argument("files", nargs=-1)
    @common.stream_options
    def main(files, output, seed, quiet, on_error):
        with common.session(output=output, quiet=quiet, on_error=on_error) as work:
            for record in stage(work.progress(work.read(files)), seed=seed, on_error=work.on_error):
                work.write(record)

Exit status: 0 done, 1 failed, 2 wrong usage, 3 finished with skipped records, 130 interrupted, 141 the reader of the output
has gone. S2H_DEBUG=1 shows the traceback of an error.

Shell completion is click's own: `eval "$(_S2H_GEN_COMPLETE=bash_source s2h-gen)"` in ~/.bashrc, likewise for the other
commands and with zsh_source or fish_source.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from s2h import __version__, accel
from s2h.cli import streams
from s2h.errors import LeftOut, WrongUsage, counted, plural
from s2h.progress import Lines
from s2h.record import RecordError
from s2h.streams import jsonl
from s2h.streams.locks import Lock

if TYPE_CHECKING:
    from s2h.record import Record

DONE, FAILED, USAGE, SKIPPED, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141
# All control characters but tabs and line breaks, Unicode's line breaks, and marks that change the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
PATIENCE = 20  # seconds that other processes wait, so that the first one reports an error of all of them
# The extra of the package that has what a command needs beyond `pip install s2h`: models.
EXTRAS = {"gen": "filter", "filter": "filter", "train": "train", "eval": "eval"}
SHOWN_SKIPS = 10  # messages about skipped records of one reason; the rest are counted


def shared_options(
    metavar: str, default: str | None, output: str, seed: str = ""
) -> Callable[[Callable], Callable]:
    """Add the options of every command: --output, --seed, --quiet, --on-error, --version, --help. output, seed: the help of
    these two; a seed with a help of its own is None by default, and 0 otherwise."""

    def add(command: Callable) -> Callable:
        for option in reversed(
            (
                click.option("-o", "--output", metavar=metavar, default=default, help=output),
                click.option(
                    "--seed", metavar="INT", type=int, default=None if seed else 0, show_default=True,
                    help=seed or "Seed of all random choices, together with each record's name.",
                ),
                click.option("--quiet", is_flag=True, help="Print errors only: no messages, no progress."),
                click.option(
                    "--on-error", type=click.Choice(["fail", "skip"]), default="fail", show_default=True,
                    help="At a bad record: stop; or skip it, continue, and exit with status 3.",
                ),
                click.version_option(
                    __version__, "--version", message="%(prog)s %(version)s", help="Print the version and exit."
                ),
                click.help_option("-h", "--help", help="Print this help and exit."),
            )
        ):  # fmt: skip
            command = option(command)
        return command

    return add


stream_options = shared_options(
    "FILE",
    "-",
    "Write to FILE instead of standard output, whole or not at all. Names in .gz and .zst are compressed.",
)


class Command(click.Command):
    """A command that makes its standard streams safe before it opens anything, whose --help reports a failed write, and that
    ends each process of a run with its own status."""

    def main(self, *args, **kwargs):
        streams.prepare()
        try:
            return super().main(*args, **kwargs)
        except SystemExit as ended:
            if accel.has_joined():
                streams.end(int(ended.code or 0))
            raise

    def make_context(self, *args, **kwargs):
        try:
            return super().make_context(*args, **kwargs)
        except click.exceptions.Exit:  # after --help or --version
            if sys.stdout is None:
                _end(None, FAILED, "standard output is closed")
            raise
        except BrokenPipeError:
            _end_quietly()
        except OSError as error:
            streams.hush()
            _end(None, FAILED, _message(error))


class Session:
    """One run of a command: its input, its output, its messages and its skipped records."""

    def __init__(self, quiet: bool, on_error: str) -> None:
        self.quiet, self.skips = quiet, on_error == "skip"
        self.skipped: dict[str, int] = {}
        self._layouts: set[tuple[str, str]] = set()
        self.name = _name()
        self.writer: jsonl.Writer | None = None
        # Messages that make the command exit with 1 although its output is complete.
        self.failures: list[str] = []
        self._locks: list[Lock] = []

    def lock(self, *paths: str | None) -> None:
        """Lock outputs until the session's end; None is for an output that was not asked for. Create their folders.
        Raises RecordError if another run writes one, or if one can't be written."""
        for path in paths:
            if path is not None:
                self._locks.append(Lock(path, self.tell))

    def unlock(self) -> None:
        while self._locks:
            self._locks.pop().release()

    def open(self, output: str | Callable[[], jsonl.Writer] | None) -> None:
        """Open the output: "-", a file, or a function that opens a writer."""
        if isinstance(output, str):
            self.writer = writer(output)
        else:
            self.writer = output() if callable(output) else output

    def read(
        self,
        files: Iterable[str] = (),
        *,
        check: Callable[[dict], str | None] | None = jsonl.accept,
        unique: bool = True,
    ) -> Iterator[Record]:
        """Return the records of the named files in order; of standard input for "-" or without names. Print a message once
        for each file with rows in the layout of another tool."""
        names = [name if name == "-" else jsonl.find(name) for name in files] or ["-"]
        sources = [streams.standard_input(self.say) if name == "-" else name for name in names]
        return jsonl.read_all(
            sources, check=check, unique=unique, on_error=self.on_error, on_layout=self.on_layout
        )

    def write(self, record: dict) -> None:
        """Write one record, or any object, as a line of the output."""
        if self.writer is None:
            raise RuntimeError("this session was opened without an output")
        self.writer.write(record)

    def finish(self) -> None:
        """Finish the output now, so that a later error of the block leaves it in its place."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def print(self, text: str) -> None:
        """Write a line to standard output. Raises RecordError if that is closed, OSError."""
        jsonl.Writer(streams.standard_output("redirect it to a file or to /dev/null")).put(
            text.encode() + b"\n"
        )

    def on_layout(self, file: str, layout: str) -> None:
        """Print the layout of a file's rows, once for each file."""
        if (file, layout) not in self._layouts:
            self._layouts.add((file, layout))
            from s2h.formats import readable

            self.say(f"{file}: rows are read as {layout} ({readable()[layout].title})")

    def on_error(self, error: RecordError) -> None:
        """Handle an error of a stage: raise it with --on-error fail; else count the record as skipped and print a message. A
        row that holds no pair is always skipped."""
        if not self.skips and not isinstance(error, LeftOut):
            raise error
        count = self.skipped[error.reason] = self.skipped.get(error.reason, 0) + 1
        if count <= SHOWN_SKIPS and not self.quiet:
            more = "; more of these are counted only" if count == SHOWN_SKIPS else ""
            self.tell(f"skipped: {error}{more}")

    def say(self, message: str) -> None:
        """Write a message to standard error, unless --quiet."""
        if not self.quiet:
            self.tell(message)

    def tell(self, message: str) -> None:
        """Write a message to standard error also with --quiet: an error, or a loss."""
        _print(self.name, message)

    def progress(
        self,
        iterable: Iterable | None = None,
        *,
        total: int | None = None,
        unit: str = "pair",
        label: str = "",
    ) -> Any:
        """Return the same items, with their progress on standard error: a bar if that is a terminal, else a line now and
        then. Without an iterable, return the bar or its like, which update(n) moves."""
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            lines = Lines(self.say, total=total, unit=unit, label=label)
            return lines if iterable is None else lines.of(iterable)

        from tqdm import tqdm

        return tqdm(
            iterable, total=total, unit=unit, unit_scale=True, desc=label or None, file=sys.stderr, mininterval=0.2
        )  # fmt: skip

    def report_skips(self) -> None:
        """Print the number of skipped records, by reason."""
        total = sum(self.skipped.values())
        kinds = sorted(self.skipped.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{count} {reason}" for reason, count in kinds[:20])
        more = len(kinds) - 20
        rest = f", and {more} other {plural(more, 'kind')}" if more > 0 else ""
        self.tell(f"skipped {counted(total, 'record')}: {listed}{rest}")


def writer(output: str, image_dir: str = "") -> jsonl.Writer:
    """Return a writer of records to a file, or for "-" to standard output. image_dir: as jsonl.Writer takes it."""
    return jsonl.Writer(streams.standard_output() if output == "-" else output, image_dir)


@contextlib.contextmanager
def session(
    output: str | Callable[[], jsonl.Writer] | None = "-",
    *,
    quiet: bool = False,
    on_error: str = "fail",
    locks: Iterable[str | None] = (),
) -> Iterator[Session]:
    """Yield a Session. Its output is finished if the block ends without an error, and dropped otherwise.

    output: "-", a file, a function that opens a writer, or None for a command that writes no records. locks: all files and
    folders that the command writes; they are locked before the output is opened, so that no other run writes them. An error
    ends the command with one line and a status; click handles its own usage errors.
    """
    streams.prepare()
    accel.end_with_launcher()
    with streams.kept_from_libraries(), _session(output, quiet, on_error, locks) as work:
        yield work


@contextlib.contextmanager
def _session(
    output: str | Callable[[], jsonl.Writer] | None, quiet: bool, on_error: str, locks: Iterable[str | None]
) -> Iterator[Session]:
    work = None
    try:
        work = Session(quiet, on_error)
        try:
            work.lock(*locks)
            work.open(output)
            try:
                yield work
            except BaseException:
                if work.writer is not None:
                    work.writer.discard()
                raise
            work.finish()
        finally:
            work.unlock()
        streams.flush()
        accel.leave()
    except click.ClickException as error:
        error.message = _CONTROL.sub(" ", error.message)  # type: ignore[misc]  # click prints it by itself
        raise
    except (click.exceptions.Exit, click.Abort):
        raise
    except WrongUsage as error:
        raise click.UsageError(_CONTROL.sub(" ", str(error))) from None
    except KeyboardInterrupt:
        _end(work, INTERRUPTED, "interrupted")
    except BrokenPipeError:
        _end_quietly()
    except Exception as error:
        if os.environ.get("S2H_DEBUG"):
            raise
        _end(work, FAILED, _message(error))
    if work is None:
        return
    if work.skipped:
        work.report_skips()
    for failure in work.failures:
        work.tell(failure)
    if work.failures or work.skipped:
        sys.exit(FAILED if work.failures else SKIPPED)


def _message(error: Exception) -> str:
    """Return one line about any error."""
    if isinstance(error, RecordError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        remedy = " (free some space: the output is incomplete)" if error.errno == errno.ENOSPC else ""
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}{remedy}"
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("s2h"):
        extra = EXTRAS.get(_name().removeprefix("s2h-"))
        wanted = f'"s2h[{extra}]"' if extra else "s2h"
        return f"the package {error.name} is missing in this Python ({sys.executable}): pip install {wanted} brings it"
    if _is_model_error(error):
        return " ".join(str(error).split())
    return (
        f"unforeseen {type(error).__name__}: {' '.join(str(error).split())[:500]} (S2H_DEBUG=1 shows where)"
    )


def _is_model_error(error: Exception) -> bool:
    # The module is imported only if a ModelError was raised. To import it here would slow down every command.
    models = sys.modules.get("s2h.models")
    return models is not None and isinstance(error, models.ModelError)


def _end_quietly() -> None:
    """Exit with 141, without a message, because the reader of standard output has gone."""
    streams.hush()
    sys.exit(BROKEN_PIPE)


def _end(work: Session | None, status: int, message: str) -> None:
    if status == FAILED and accel.launched()[0]:
        # The first process reports an error that all have, and the launcher then ends this one.
        time.sleep(PATIENCE)
    with contextlib.suppress(OSError):
        if work is not None and work.skipped:
            work.report_skips()
        _print(work.name if work is not None else _name(), message)
    sys.exit(status)


def _print(name: str, message: str) -> None:
    line = _CONTROL.sub(" ", f"{name}: {message}")  # names come from data: no escape codes reach the terminal
    streams.tell(line)


def _name() -> str:
    context = click.get_current_context(silent=True)
    name = context.find_root().info_name if context is not None else None
    return name or os.path.basename(sys.argv[0])


def refuse(names: tuple[str, ...], others: str) -> None:
    """Raise a usage error if the user has given one of these options, which have no effect without the other ones."""
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is click.core.ParameterSource.COMMANDLINE
        if option.name in names and given:
            raise click.UsageError(f"{option.opts[0]} goes with {others}.")
