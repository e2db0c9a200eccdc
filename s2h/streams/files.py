"""Files that are compressed by name (.gz, .zst), read as streams and written whole or not at all: a new file is written
beside the old one and moved to its place only on success, so that an error, a full disk or a kill leaves the old file
unchanged. Records are written by s2h.streams.jsonl; reports, pages and plots by `Whole`."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import stat
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from s2h.record import RecordError

LONGEST = 255  # most bytes of a file's name
MADE_BY = "s2h"  # the field Software of a PNG that s2h draws
IMAGES = "s2h-images"  # the default image store


def target(path: str | os.PathLike) -> str:
    """Return the path of an output; for a symbolic link, the path of its target."""
    path = os.fspath(path)
    return os.path.realpath(path) if os.path.islink(path) else path


def prepare(path: str | os.PathLike) -> str:
    """Return the `target` of an output. Create its folder if only that is missing. Raises RecordError if the folder can't be
    created, or if the output is a folder."""
    at = target(path)
    folder = os.path.dirname(at) or "."
    fault = f"cannot be written: {path}"
    if not os.path.isdir(folder):
        try:
            os.mkdir(folder)
        except (FileExistsError, FileNotFoundError, NotADirectoryError):
            if not os.path.isdir(folder):  # another process may have made it
                raise RecordError(fault, remedy="name a file in a folder that exists") from None
        except OSError as error:
            raise RecordError(f"{fault}: {error.strerror}", remedy="name a file in another folder") from None
    if os.path.isdir(at):
        raise RecordError(f"{fault}: is a folder", remedy="name a file")
    return at


def beside(path: str, suffix: str) -> str:
    """Return the name of a work file beside `path`: its name with the suffix. A name that would be too long is shortened and
    gets a hash."""
    folder, name = os.path.split(path)
    if len(os.fsencode(name + suffix)) > LONGEST:
        from hashlib import blake2b

        mark = blake2b(os.fsencode(name), digest_size=8).hexdigest()
        room = LONGEST - len(os.fsencode(suffix)) - len(mark) - 1
        name = f"{os.fsencode(name)[:room].decode('utf-8', 'ignore')}~{mark}"
    return os.path.join(folder, name + suffix)


def hidden(path: str, suffix: str) -> str:
    """Return the name of a hidden work file beside `path` (see `beside`)."""
    folder, name = os.path.split(path)
    return beside(os.path.join(folder, "." + name), suffix)


def refuse_foreign(path: str, is_ours: Callable[[BinaryIO], bool]) -> None:
    """Raise RecordError if a work file would replace a file that may be the user's. is_ours: returns, for the open file,
    whether an earlier run wrote it. Every work file with a fixed name is checked here before it is written; the others have
    random names. Raises OSError."""
    try:
        regular = stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if regular:
        with open(path, "rb") as file:
            if is_ours(file):
                return
    raise RecordError(
        f"{path}: s2h needs this name for a work file, and no earlier run with this output left it, or it is damaged",
        remedy="move or remove it, or name another output",
    )


class Whole:
    """A binary file to write into, a context manager: `with Whole("gallery.html") as page: page.write(data)`.

    The file gets its new contents when the block ends without an exception; otherwise it keeps the old ones. A device or a
    named pipe is written directly. Raises OSError. A kill leaves a hidden `.NAME.PID.N.part`, which nothing reads.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.name = os.fspath(path)
        self._move: tuple[str, str] | None = None
        self._layers: list[Any] = []  # the file, and the compressor that writes to it
        self._layers.append(self._create(self.name))
        if self.name.endswith(".gz"):
            import gzip

            # No name and no time in the header, so that the same records give the same bytes.
            self._layers.append(gzip.GzipFile("", "wb", 6, self._layers[0], mtime=0))
        elif self.name.endswith(".zst"):
            import zstandard

            compressor = zstandard.ZstdCompressor(level=6)
            self._layers.append(compressor.stream_writer(self._layers[0], closefd=False))

    def write(self, data: bytes) -> int:
        try:
            return self._layers[-1].write(data)
        except OSError as error:
            error.filename = error.filename or self.name  # so that the message for a full disk names the file
            raise

    def finish(self) -> None:
        """Write everything to the disk and move the file to its place."""
        try:
            for layer in reversed(self._layers[1:]):
                layer.close()
            file = self._layers[0]
            file.flush()
            if self._move is not None:
                os.fsync(file.fileno())
            file.close()
            if self._move is not None:
                os.replace(*self._move)
        except BaseException as error:
            if isinstance(error, OSError):
                error.filename = error.filename or self.name
            self.discard()
            raise

    def discard(self) -> None:
        """Drop the new contents and keep the old file."""
        for layer in reversed(self._layers):
            with contextlib.suppress(OSError, ValueError):
                layer.close()
        if self._move is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._move[0])

    def __enter__(self) -> Whole:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.finish() if kind is None else self.discard()

    def _create(self, path: str) -> BinaryIO:
        """Return the file to write into: one beside `path`, or `path` itself if it is a device or a named pipe."""
        path = prepare(path)  # so that a link stays a link
        if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            return open(path, "wb")
        for attempt in range(1000):
            work = hidden(path, f".{os.getpid()}.{attempt}.part")
            with contextlib.suppress(FileExistsError):
                try:
                    file = open(work, "xb")  # noqa: SIM115
                except OSError as error:
                    error.filename = self.name
                    raise
                self._move = (work, path)
                if os.path.exists(path):  # the new file gets the old one's permissions
                    os.fchmod(file.fileno(), stat.S_IMODE(os.stat(path).st_mode))
                return file
        raise FileExistsError(errno.EEXIST, "too many unfinished files beside", path)


def write_all(stream: BinaryIO, data: bytes) -> None:
    """Write all of the data to a stream and flush it. Wait while a non-blocking pipe is full. Raises OSError."""
    view = memoryview(data)
    while view:
        taken: int | None
        try:
            taken = stream.write(view)
        except BlockingIOError as error:  # of a buffered stream
            taken = error.characters_written or None
        if taken is None:
            _wait(stream.fileno(), select.POLLOUT)
        else:
            view = view[taken:]
    while True:
        try:
            return stream.flush()
        except BlockingIOError:
            _wait(stream.fileno(), select.POLLOUT)


def _wait(number: int, event: int) -> None:
    """Wait until a descriptor can be read or written, or is broken."""
    poll = select.poll()
    poll.register(number, event)
    poll.poll()


class Patient(io.RawIOBase):
    """An open descriptor as an unbuffered binary stream, "r" or "w". If the descriptor is non-blocking, it waits, where
    Python's own streams cut lines and lose data. The descriptor stays open when the stream is closed."""

    def __init__(self, number: int, mode: str) -> None:
        self._file = io.FileIO(number, mode, closefd=False)

    def readable(self) -> bool:
        return self._file.readable()

    def writable(self) -> bool:
        return self._file.writable()

    def isatty(self) -> bool:
        return self._file.isatty()

    def fileno(self) -> int:
        return self._file.fileno()

    def readinto(self, buffer: Any) -> int:
        while (taken := self._file.readinto(buffer)) is None:
            _wait(self.fileno(), select.POLLIN)
        return taken

    def write(self, data: Any) -> int:
        while (taken := self._file.write(data)) is None:
            _wait(self.fileno(), select.POLLOUT)
        return taken


def below(root: str) -> Iterator[str]:
    """Yield the paths of all files below a folder, sorted within each folder. Links to folders are followed, but each folder
    is visited once, because a folder may hold a link to itself."""
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        folders = []
        for entry in listed:
            if os.path.isdir(entry.path):
                folders.append(entry.path)
            else:
                yield entry.path
        waiting.extend(reversed(folders))


def share(folder: str | os.PathLike) -> None:
    """Give the files of a folder the permissions that the user's umask leaves: safetensors writes for the owner only."""
    umask = os.umask(0o077)  # Python can read the umask only by setting it
    os.umask(umask)
    for place, _, names in os.walk(os.fspath(folder)):
        for name in names:
            os.chmod(os.path.join(place, name), 0o666 & ~umask)


def save_figure(figure: Any, path: str | os.PathLike, dpi: int) -> None:
    """Write a figure of matplotlib as PNG, whole or not at all. Its bytes don't name matplotlib's version."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, metadata={"Software": MADE_BY})
    with Whole(path) as out:
        out.write(drawn.getvalue())


@contextlib.contextmanager
def opened(path: str) -> Iterator[Any]:
    """Yield a binary stream of a file's uncompressed bytes; "-" is file descriptor 0."""
    with contextlib.ExitStack() as stack:
        if path == "-":
            yield io.BufferedReader(Patient(0, "r"))
        elif path.endswith(".gz"):
            import gzip

            yield stack.enter_context(gzip.open(path, "rb"))
        elif path.endswith(".zst"):
            raw = stack.enter_context(open(path, "rb"))
            yield stack.enter_context(io.BufferedReader(_Zstandard(raw), 1 << 16))
        else:
            yield stack.enter_context(open(path, "rb"))


class Damaged(ValueError):
    """Compressed data that ends early or is damaged."""


class _Zstandard(io.RawIOBase):
    """The uncompressed bytes of one or several frames. zstandard's own reader accepts a truncated file.

    PIECE bytes are read at a time, because zstandard decompresses its whole input, and a byte becomes at most 32 KiB.
    """

    PIECE = 512

    def __init__(self, raw: BinaryIO) -> None:
        self.raw, self.pending, self.taken = raw, b"", 0
        self.frame: Any = None  # zstandard's decompressor of the current frame

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        import zstandard

        while self.taken == len(self.pending):
            self.pending, self.taken = b"", 0  # free it before the next one is made
            within = self.frame is not None and not self.frame.eof
            left = b"" if within or self.frame is None else self.frame.unused_data
            data = left or self.raw.read(self.PIECE)
            if not data:
                if within:
                    raise Damaged("it ends within a frame")
                return 0
            if not within:
                self.frame = zstandard.ZstdDecompressor().decompressobj()
            try:
                self.pending = self.frame.decompress(data)
            except zstandard.ZstdError as error:
                raise Damaged(str(error)) from None
        given = memoryview(self.pending)[self.taken : self.taken + len(buffer)]
        buffer[: len(given)] = given
        self.taken += len(given)
        return len(given)
