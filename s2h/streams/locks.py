"""A lock beside an output, so that two runs don't write the same file: `.NAME.lock`, held by `flock` during a run and
removed at its end. The kernel releases it when a process dies, so the file that a killed run leaves does not block the next
run."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
import weakref
from collections.abc import Callable
from typing import BinaryIO

from s2h.record import RecordError
from s2h.streams import files

# Errors of a file system, or a system, without locks.
WITHOUT = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
_held: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """The lock of an output, a file or a folder, held from now on until `release`. A device, a pipe and standard output have
    none. Creates the output's folder. warn: gets a message if the file system has no locks; the run then goes on. Raises
    RecordError if another run holds the lock, or if the output can't be written."""

    def __init__(self, path: str, warn: Callable[[str], None] = lambda message: None) -> None:
        self.path, self.number = "", -1
        if path == "-" or (os.path.exists(path) and not _lockable(path)):
            return
        at = os.path.realpath(path if os.path.isdir(path) else files.prepare(path))
        self.path = files.hidden(at, ".lock")
        try:
            self._take(path)
        except OSError as error:
            self._close()
            if error.errno in WITHOUT:
                warn(
                    f"warning: {path}: can't be locked ({error.strerror}): start no other run with this output"
                )
            elif error.errno not in (
                errno.EACCES,
                errno.EPERM,
                errno.EROFS,
            ):  # writing the output reports those
                error.filename = path
                raise
        except ImportError:
            self._close()
        else:
            _held.add(self)

    def release(self) -> None:
        """Remove the lock's file, which is ours while we hold the lock, and release the lock."""
        if self.number >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self._close()

    def _take(self, path: str) -> None:
        import fcntl
        import socket

        files.refuse_foreign(self.path, _is_lock)
        while True:
            self.number = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(self.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(self.number, 500, 0).decode("utf-8", "replace").strip()
                self._close()
                raise RecordError(
                    f"{path}: another run writes it: {holder or 'one that has just begun'}",
                    remedy="wait for it, or name another output",
                ) from None
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(self.number), os.stat(self.path)):
                    break
            self._close()  # another run has just removed it at its end
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        os.ftruncate(self.number, 0)
        os.pwrite(
            self.number, f"process {os.getpid()} on {socket.gethostname()}, since {since}\n".encode(), 0
        )

    def _close(self) -> None:
        if self.number >= 0:
            with contextlib.suppress(OSError):
                os.close(self.number)
        self.number = -1


def _is_lock(file: BinaryIO) -> bool:
    """Return whether a file has the text of a lock, or is empty, as after a kill before the text was written."""
    return re.match(rb"process \d+ on |$", file.read(100)) is not None


def _lockable(path: str) -> bool:
    mode = os.stat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _in_child() -> None:
    """Release all locks in a forked process, which may outlive a run that is killed."""
    for lock in list(_held):
        lock._close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
