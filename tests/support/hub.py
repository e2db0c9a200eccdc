"""A Hub on this machine: a real server that answers the Hub's client about the repositories in a folder, and a cache folder
as the client keeps it.

    with served(root) as asked:     # root/org/name/...; asked: the paths of all requests so far
        ...
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c" * 40


@contextmanager
def served(root: Path, monkeypatch) -> Iterator[list[str]]:
    """Let the Hub's client ask a server over the repositories below root, and keep its cache in root/cache."""
    from huggingface_hub import constants

    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            asked.append(self.path)
            parts = self.path.partition("?")[0].strip("/").split("/")
            if parts[:2] == ["api", "models"]:
                folder = root / "/".join(parts[2:4])
                files = sorted(path for path in folder.rglob("*") if path.is_file())
                told = {"id": "/".join(parts[2:4]), "sha": COMMIT, "siblings": []}
                if "tree" in parts:
                    told = [
                        {"type": "file", "oid": _digest(path), "size": path.stat().st_size,
                         "path": str(path.relative_to(folder))}
                        for path in files
                    ]  # fmt: skip
                self._send(json.dumps(told).encode() if folder.is_dir() else None, body)
            else:  # org/name/resolve/revision/file
                path = root / parts[0] / parts[1] / "/".join(parts[4:])
                data = path.read_bytes() if path.is_file() else None
                self._send(data, body, etag=_digest(path) if data is not None else "")

        def _send(self, data: bytes | None, body: bool, etag: str = "") -> None:
            self.send_response(404 if data is None else 200)
            if data is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", str(len(data or b"")))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{etag}"')
            self.end_headers()
            if body:
                self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", place)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", place + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield asked
        server.shutdown()


def cached(root: Path, repository: str, *missing: str) -> Path:
    """Lay root/repository into the cache as a download leaves it that ended before it had the `missing` files; returns the
    snapshot."""
    kept = root / "cache" / f"models--{repository.replace('/', '--')}"
    snapshot = kept / "snapshots" / COMMIT
    for path in (root / repository).rglob("*"):
        name = str(path.relative_to(root / repository))
        if path.is_file() and name not in missing:
            (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
            (snapshot / name).write_bytes(path.read_bytes())
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(COMMIT)
    return snapshot


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
