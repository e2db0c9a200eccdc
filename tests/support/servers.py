"""OpenAI-compatible servers on the loopback: `transformers serve` with a real model, a small server that answers as a test
says, and one that gives a real model's log-probabilities in vLLM's form."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from tests.support.waiting import until

MODEL = "org/model"
LOST, CUT, GARBLED = "lost", "cut", "garbled"  # answers: no response, half of one, no completion


class _Quiet(ThreadingHTTPServer):
    """A server that does not print that a client has gone."""

    daemon_threads = True
    # With the default of 5, some of 16 connections that come at once are reset.
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        pass


# `transformers serve`, which ends with the process that holds the other end of its standard input, however that one ends.
SERVE = """
import gc, os, signal, sys, threading

def end_with_parent():
    sys.stdin.buffer.read()  # nothing is written: it returns when the other end is closed
    os.killpg(0, signal.SIGKILL)

threading.Thread(target=end_with_parent, daemon=True).start()
gc.disable()  # an import is quicker without looking for cycles in what it makes
from transformers.cli.transformers import app
gc.freeze()
gc.enable()
app()
"""


class Transformers:
    """`transformers serve` with the model of a folder, whose name it is there. It has a process group of its own, which is
    killed at the end of the block, or as soon as this process is gone, even if that was killed."""

    def __init__(self, model: Path, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.name, self.url = str(model), f"http://127.0.0.1:{self.port}"
        self._log = home / "serve.log"
        self._home = home

    @property
    def group(self) -> int:
        """The server's process group."""
        return self._process.pid

    def __enter__(self) -> Transformers:
        # transformers 5.18 lists the models of a cache, which must be there.
        (self._home / "hub").mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(self._home),
            "OMP_NUM_THREADS": "1",
        }
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu", "--dtype", "float32"]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVE, "serve", self.name, *options],
                stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True,
            )  # fmt: skip
        return self

    def wait(self) -> None:
        """Wait until the server answers."""
        until(self._answers, self._process, every=0.2)

    def _answers(self) -> bool:
        try:
            return urlopen(f"{self.url}/health", timeout=60).status == 200
        except (URLError, ConnectionError):
            return False

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself, which `wait` reports
            os.killpg(self.group, signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()


@dataclass
class Request:
    """One request. number: from 1. body: None for a list of models. asked: the texts of the prompt."""

    number: int
    at: float  # seconds
    path: str
    key: str
    body: dict | None

    @property
    def asked(self) -> str:
        parts = (part for message in self.body["messages"] for part in message["content"])
        return "".join(part.get("text", "<image>") for part in parts)


@dataclass
class Small:
    """A server that answers with `answer(request)`: a text; (status, headers, body); LOST, CUT or GARBLED; or a completion
    as a dict. A context manager. requests: all that came, in order. models: the list of models, or (status, headers, body)
    in its place."""

    answer: Callable[[Request], Any]
    models: list[dict] | tuple = field(
        default_factory=lambda: [{"id": MODEL, "owned_by": "vllm", "root": "/models/x"}]
    )
    prefix: str = "/v1"
    requests: list[Request] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    lock: Any = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Small:
        small = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                small.handle(self, None)

            def do_POST(self) -> None:
                small.handle(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, http: BaseHTTPRequestHandler, body: dict | None) -> None:
        with self.lock:
            key = http.headers.get("Authorization", "")
            request = Request(len(self.requests) + 1, time.monotonic(), http.path, key, body)
            self.requests.append(request)
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            self._respond(http, request)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with self.lock:
                self.open -= 1

    def _respond(self, http: BaseHTTPRequestHandler, request: Request) -> None:
        listed = self.models if isinstance(self.models, tuple) else {"object": "list", "data": self.models}
        found = self.answer(request) if request.body is not None else listed
        if not request.path.startswith(self.prefix + "/"):
            found = 404, {}, {"error": {"message": "no such page"}}
        if found == LOST:
            http.close_connection = True
            http.connection.shutdown(socket.SHUT_RDWR)
            return
        kind = found
        if isinstance(found, str):
            found = completion(found)
        status, headers, body = found if isinstance(found, tuple) else (200, {}, found)
        data = b"<html>" if kind == GARBLED else json.dumps(body).encode()
        http.send_response(status)
        http.send_header("Content-Type", "application/json")
        http.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            http.send_header(name, value)
        http.end_headers()
        http.wfile.write(data[: len(data) // 2] if kind == CUT else data)
        if kind == CUT:
            http.close_connection = True
            http.wfile.flush()
            http.connection.shutdown(socket.SHUT_RDWR)

    @property
    def questions(self) -> list[Request]:
        return [request for request in self.requests if request.body is not None]


def completion(text: str, *, cut: bool = False, model: str = MODEL, **more: Any) -> dict:
    """A response of /v1/chat/completions."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    choice |= {"finish_reason": "length" if cut else "stop", **more.pop("choice", {})}
    usage = {"prompt_tokens": more.pop("tokens", 1), "completion_tokens": 1, "total_tokens": 2}
    return {
        "id": "x",
        "object": "chat.completion",
        "model": model,
        "choices": [choice],
        "usage": usage,
        **more,
    }


@dataclass
class LikeVLLM:
    """Answers requests as vLLM does, with the log-probabilities of a real model, each by one pass over the whole text."""

    vlm: Any
    lock: Any = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> dict:
        import torch

        from s2h.models import encode

        body, images, messages = request.body, [], []
        for message in body["messages"]:
            content = []
            for part in message["content"]:
                if part["type"] == "image_url":
                    images.append(opened(part["image_url"]["url"]))
                    part = {"type": "image"}
                content.append(part)
            messages.append({"role": message["role"], "content": content})
        processor = self.vlm.processor
        more = body.get("add_generation_prompt", True)
        text = processor.apply_chat_template(messages, add_generation_prompt=more, tokenize=False)
        with self.lock, torch.inference_mode():
            inputs = encode.encode_prompts(processor, [text], [images])
            logits = self.vlm.model(**inputs).logits[0].double()
        logps, ids = torch.log_softmax(logits, -1), inputs["input_ids"][0].tolist()
        found = {}
        if body.get("logprobs"):
            top = logps[-1].topk(body["top_logprobs"])
            likeliest = [
                {"token": processor.tokenizer.decode([token]), "logprob": float(value), "bytes": None}
                for value, token in zip(top.values, top.indices.tolist(), strict=True)
            ]
            content = [{**likeliest[0], "top_logprobs": likeliest}]
            found["choice"] = {"logprobs": {"content": content}}
        if body.get("prompt_logprobs") is not None:
            found["prompt_logprobs"] = [None] + [
                {str(token): {"logprob": float(logps[at, token]), "rank": 1,
                              "decoded_token": processor.tokenizer.decode([token])}}
                for at, token in enumerate(ids[1:])
            ]  # fmt: skip
        return completion("x", cut=True, tokens=len(ids), **found)


def opened(uri: str) -> Any:
    """The PIL image of a data URI."""
    from PIL import Image

    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))
