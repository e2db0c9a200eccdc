"""Read tar files in place: find the members and the places of their bytes, so that reading one of a million is one seek."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b


class Members:
    """The (offset, size) of each member by name, as sorted hashes of the names. Of several members with one name, the last
    counts, as in tar.

    If an archive is cut short or damaged, its complete members before that place are kept, and `fault` describes the damage.
    Raises tarfile.TarError, OSError if there are none.
    """

    def __init__(self, path: str) -> None:
        import numpy as np

        self.fault = ""
        table = np.fromiter(self._rows(path), dtype=np.dtype((np.uint64, 3)))
        order = np.argsort(table[:, 0], kind="stable") if len(table) else np.empty(0, np.intp)
        self._hashes, self._places = table[order, 0].copy(), table[order, 1:].copy()

    def _rows(self, path: str) -> Iterator[tuple[int, int, int]]:
        import tarfile

        count = 0
        try:
            for name, offset, size in members(path):
                yield _hash(plain_name(name)), offset, size
                count += 1
        except (tarfile.TarError, EOFError) as error:
            if not count:
                raise
            self.fault = str(error)

    def place(self, member: str) -> tuple[int, int] | None:
        """Return (offset, size) in bytes of a member, None if there is none of this name."""
        at = int(self._hashes.searchsorted(_hash(member), side="right")) - 1
        if at < 0 or int(self._hashes[at]) != _hash(member):
            return None
        offset, size = self._places[at].tolist()
        return offset, size


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")


def members(path: str) -> Iterator[tuple[str, int, int]]:
    """Yield (name, offset of its bytes, their number) of the regular members of a tar file, in order. Plain headers are
    parsed here, ten times as fast as by tarfile; from the first other one on (long names, pax), tarfile parses them. Raises
    tarfile.TarError, OSError."""
    import tarfile

    end = os.path.getsize(path)
    with open(path, "rb") as file:
        at = 0
        while True:
            file.seek(at)
            head = file.read(tarfile.BLOCKSIZE)
            digits = head[124:136].rstrip(b" \0")
            if head[156:157] != tarfile.REGTYPE or head[257:262] != b"ustar" or not digits.isdigit():
                break
            size, start = int(digits, 8), at + tarfile.BLOCKSIZE
            if start + size > end:
                raise tarfile.ReadError("unexpected end of data")
            name, prefix = (part.partition(b"\0")[0] for part in (head[:100], head[345:500]))
            yield (prefix + b"/" + name if prefix else name).decode("utf-8", "surrogateescape"), start, size
            at = start + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        if at and len(head) < tarfile.BLOCKSIZE and at != end:
            raise tarfile.ReadError("unexpected end of data")
        if at and not head.strip(b"\0"):  # the end
            return
        file.seek(at)
        with tarfile.TarFile(fileobj=file) as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # the archive would keep every header
                if member.isreg() and not member.issparse():
                    if member.offset_data + member.size > end:
                        raise tarfile.ReadError("unexpected end of data")
                    yield member.name, member.offset_data, member.size
            file.seek(archive.offset)
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes a damaged header for the end
                raise tarfile.ReadError("what follows the last whole member is no header")


def plain_name(member: str) -> str:
    """Return a member's name without the `./` that some archives begin it with."""
    while member.startswith("./"):
        member = member[2:]
    return member
