"""Serve the page of a large set of pairs or predictions on this machine's loopback. The page asks for the cards that come
near its window and for their images, and each mark goes into a file at once.

Only a browser that knows the address can read: it holds a random token, and a request must name the loopback as its host, so
that no other page gets here by a name of its own (DNS rebinding). A request names a record by its number and an image by its
place in that record, never a path.

    s2h-view l3.jsonl --serve
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import tempfile
import threading
from array import array
from collections.abc import Callable
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from s2h.images.decoding import ImageError, open_image
from s2h.mix import marks as mix_marks
from s2h.record import REJECTED_IMAGES, Record
from s2h.streams import can_grow
from s2h.streams.files import Whole, write_all
from s2h.view import gallery

LARGE = 2048  # longest side of an enlarged image, in pixels
AT_ONCE = 100  # cards that one request may name
BODY = 1 << 16  # bytes of a request's body at most


class Cards:
    """The cards of a set, in a temporary file: memory holds what the page filters and sorts by, and the ids."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows: list[bytes] = []
        self.ids: set[str] = set()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._lock = threading.Lock()
        self._ends = array("Q", [0])

    def add(self, line: Record) -> None:
        """Add the card of a record. Raises RecordError if it can't be shown. Its images are opened when the page asks."""
        made = gallery.card(line, _Asked(len(self.rows), self.size))
        text = unescape(re.sub("<[^>]*>", " ", made.html)).lower()
        shown = [reference for field in ("images", REJECTED_IMAGES) for reference in line.get(field) or ()]
        entry = [made.html, text, shown, line.base, line.where]
        self._file.write(json.dumps(entry).encode())
        self._ends.append(self._file.tell())
        self.ids.add(made.keys["id"])
        self.rows.append(json.dumps({**made.keys, "scores": made.scores}).encode())

    def entry(self, number: int) -> list:
        """Return [html, text, images, base, where] of a card. Raises IndexError."""
        if not 0 <= number < len(self.rows):
            raise IndexError(number)
        start, end = self._ends[number], self._ends[number + 1]
        with self._lock:
            self._file.seek(start)
            return json.loads(self._file.read(end - start))

    def search(self, words: list[str]) -> list[int]:
        """Return the numbers of the cards whose text has all the words, in lower case."""
        return [at for at in range(len(self.rows)) if all(word in self.entry(at)[1] for word in words)]

    def image(self, number: int, place: int, size: int) -> tuple[str, bytes]:
        """Return an image of a card, at most `size` pixels on its longest side, as `gallery.encoded` does. Raises
        IndexError, ImageError with the place of the record."""
        _, _, images, base, where = self.entry(number)
        try:
            image = open_image(images[place], base)
        except ImageError as error:
            error.where, error.field = where, f"images[{place}]"
            raise
        if max(image.size) > size:
            image.thumbnail((size, size))
        return gallery.encoded(image)


class _Asked:
    """Images of one card, which the page asks for by their places; their sizes are known when they come."""

    def __init__(self, number: int, size: int) -> None:
        self.number, self.size, self.placed = number, size, 0

    def place(self, reference: str, base: str) -> tuple[str, int, int]:
        self.placed += 1
        return f"{self.number}/{self.placed - 1}", self.size, self.size


class Marks:
    """A file of marks that is kept up to date. Marks that it has are shown; those of other records stay."""

    def __init__(self, path: str) -> None:
        """Read the file, if there is one. Raises RecordError for a line that is not a mark, OSError."""
        self.path = path
        self.of = mix_marks.read(path) if os.path.exists(path) else {}
        self._lock = threading.Lock()
        self._grows = can_grow(path) and self._is_whole()

    def put(self, name: str, mark: str) -> None:
        """Write a mark, or remove it with "". A kill leaves the file with it or without it. Raises OSError."""
        with self._lock:
            after = {**self.of, name: mark} if mark else {n: m for n, m in self.of.items() if n != name}
            if mark and self._grows:
                self._grows = False  # unless the line gets there whole, the next mark writes the file anew
                with open(self.path, "ab", buffering=0) as file:
                    write_all(file, _line(name, mark))
                    os.fsync(file.fileno())
                self._grows = True
            else:
                with Whole(self.path) as whole:
                    whole.write(b"".join(_line(*one) for one in after.items()))
                self._grows = can_grow(self.path)
            self.of = after

    def _is_whole(self) -> bool:
        """Return whether a line can be added to the file: it is new, or ends with a line break."""
        try:
            with open(self.path, "rb") as file:
                return not os.path.getsize(self.path) or (file.seek(-1, os.SEEK_END), file.read())[1] == b"\n"
        except FileNotFoundError:
            return True


def _line(name: str, mark: str) -> bytes:
    return json.dumps({"id": name, "mark": mark}, ensure_ascii=False).encode() + b"\n"


class Site(ThreadingHTTPServer):
    """The server of one page, on 127.0.0.1. port: 0 takes a free one. tell: gets a message about an image that can't be
    opened. Raises OSError if the port is taken."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, cards: Cards, marks: Marks, *, title: str, port: int, tell: Callable[[str], None]
    ) -> None:
        self.cards, self.marks, self.tell = cards, marks, tell
        self.page = b"".join(gallery.frame(title, cards.size, served=True))
        self.token = secrets.token_urlsafe(16)
        super().__init__(("127.0.0.1", port), Answer)
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def index(self) -> bytes:
        """Return what the page filters and sorts by, the marks, and the name of their file."""
        known = {name: mark for name, mark in self.marks.of.copy().items() if name in self.cards.ids}
        rest = json.dumps({"file": os.path.basename(self.marks.path), "marks": known}).encode()
        return b'{"records": [' + b",".join(self.cards.rows) + b"], " + rest[1:]


class Answer(BaseHTTPRequestHandler):
    """The answer to one request."""

    server: Site
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        asked = self._asked()
        if asked is None:
            return
        name, query = asked
        cards = self.server.cards
        image = re.fullmatch(r"image/(\d{1,9})/(\d{1,4})", name)
        try:
            if name == "":
                self._send(200, "text/html; charset=utf-8", self.server.page)
            elif name == "index.json":
                self._send(200, "application/json", self.server.index())
            elif name == "search":
                words = " ".join(parse_qs(query).get("q", [])).lower().split()
                self._send(200, "application/json", json.dumps(cards.search(words)).encode())
            elif name == "cards" and (numbers := re.fullmatch(r"n=(\d{1,9}(?:(?:,|%2C)\d{1,9})*)", query)):
                wanted = [int(one) for one in re.findall(r"\d+", numbers[1].replace("%2C", ","))][:AT_ONCE]
                html = "".join(cards.entry(one)[0] for one in wanted)
                self._send(200, "text/html; charset=utf-8", html.encode())
            elif image:
                size = LARGE if query == "large" else cards.size
                kind, data = cards.image(int(image[1]), int(image[2]), size)
                self._send(200, f"image/{kind}", data, keep=True)
            else:
                self._send(404, "text/plain", b"no such page")
        except IndexError:
            self._send(404, "text/plain", b"no such record or image")
        except ImageError as error:
            self.server.tell(str(error))
            self._send(404, "text/plain; charset=utf-8", str(error).encode())

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY:
            self.close_connection = True
            self._send(413, "text/plain", b"no body, or one that is too long")
            return
        body = self.rfile.read(int(length))
        asked = self._asked()
        if asked is None:
            return
        try:
            given = json.loads(body)
            name, mark = given["id"], given["mark"]
            known = asked[0] == "marks" and name in self.server.cards.ids
            if not known or mark not in ("", mix_marks.GOOD, mix_marks.BAD):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            self._send(400, "text/plain", b"not a mark of a record of this page")
            return
        try:
            self.server.marks.put(name, mark)
        except OSError as error:
            reason = f"{self.server.marks.path}: {error.strerror}: the mark is not kept"
            self.server.tell(reason)
            self._send(500, "text/plain; charset=utf-8", reason.encode())
        else:
            self._send(200, "text/plain", b"")

    def _asked(self) -> tuple[str, str] | None:
        """Return what is asked for below the token, and the query; None, after an answer, for a stranger."""
        own = self.headers.get("Origin") in (None, *(f"http://{host}" for host in self.server.hosts))
        if self.headers.get("Host") not in self.server.hosts or not own:
            self._send(403, "text/plain", b"this server answers its own page only")
            return None
        parts = urlsplit(self.path)
        _, _, below = parts.path.partition("/")
        token, slash, name = below.partition("/")
        if not slash or not hmac.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode()):
            self._send(404, "text/plain", b"open the address that s2h-view has printed")
            return None
        return name, parts.query

    def _send(self, status: int, kind: str, data: bytes, *, keep: bool = False) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "private, max-age=3600" if keep else "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing about single requests."""

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError, TimeoutError):  # the browser went on to something else
            self.close_connection = True
