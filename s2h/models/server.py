"""A vision-language model on an OpenAI-compatible server: vLLM, SGLang, transformers serve, llama.cpp or a hosted service.
`connect` checks that the server is there and has the model. `Server` then answers prompts, several at a time, repeats
requests that fail for a while, and turns each failure into one line.

    server = connect("Qwen/Qwen2.5-VL-7B-Instruct", Address("http://localhost:8000"))
    for position, replies in server.replies({0: (messages, [image])}, Sampling(max_new_tokens=64)): ...

The key is read from OPENAI_API_KEY; no message, file or report contains it.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from s2h.errors import RecordError, one_line
from s2h.images.resizing import WHOLE, Pixels
from s2h.models import ModelError, completions
from s2h.models.replies import Refused, Reply, Row, Sampling
from s2h.models.thinking import SWITCH, answer_of
from s2h.record import text_of
from s2h.seeds import seed_of

if TYPE_CHECKING:
    import openai
    from PIL.Image import Image

KEY = "OPENAI_API_KEY"
CONCURRENCY = 32  # requests in flight
GRACE = 20.0  # most seconds that a run waits for its open requests after an error that ends it
RETRIES = 6  # further tries of a request, with pauses of 0.5, 1, 2, 4, 8 and 8 seconds, or as long as the server says
TIMEOUT, CONNECTING = 600.0, 10.0  # seconds for one try, and for its connection
LIKELIEST = 20  # tokens whose log-probabilities are asked for, the most that OpenAI's interface and vLLM's default allow
# Without a penalty, which the model's generation_config.json may have.
GREEDY = {"temperature": 0, "top_p": 1, "frequency_penalty": 0}
# Engines by the name with which they own their models in /v1/models. The settings replace those that the engine would read
# from the model's generation_config.json; other servers refuse fields that OpenAI's interface doesn't have.
ENGINES = {"vllm": "vLLM", "sglang": "SGLang", "llamacpp": "llama.cpp"}
OWN_SETTINGS = {
    "vLLM": {"repetition_penalty": 1.0, "top_k": -1},
    "SGLang": {"repetition_penalty": 1.0, "top_k": -1},
}
OTHER_ENGINE = "OpenAI-compatible server"

Made = TypeVar("Made")


@dataclass(frozen=True)
class Address:
    """Where a server is, and how many requests it gets at a time."""

    url: str
    concurrency: int = CONCURRENCY


def checked(url: str) -> str:
    """Return the URL of a server's interface: /v1 is added if the URL has no path. Raises ValueError with the remedy."""
    wrong = ValueError(f"{url!r} is no address of a server (for example http://localhost:8000)")
    try:
        parts = urlsplit(url.strip())
        has_host = bool(parts.hostname) and parts.port != 0  # a port that is no number is a ValueError
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not has_host:
        raise wrong
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"the address must not contain a user, a key or a query ({KEY} holds the key)")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def connect(
    name: str,
    address: Address,
    pixels: Pixels = WHOLE,
    tell: Callable[[str], None] = lambda message: None,
    thinking: str | None = None,
) -> Server:
    """Return the model `name` of the server at an address. pixels: the bounds of an image that is sent. tell: receives a
    warning about the server. thinking: "off" or "on", which the server's chat template gets; None for the server's own.
    Raises ModelError if the server is not there, refuses the key or lists other models only."""
    import openai

    url, key = checked(address.url), os.environ.get(KEY, "").strip() or "none"
    if not (key.isascii() and key.isprintable()):
        raise ModelError(f"{KEY} holds a character that no key has, such as a line break (set it again)")
    loop = asyncio.new_event_loop()
    client = openai.AsyncOpenAI(
        base_url=url, api_key=key, max_retries=RETRIES, timeout=openai.Timeout(TIMEOUT, connect=CONNECTING),
        http_client=openai.DefaultAsyncHttpxClient(),
    )  # fmt: skip
    server = Server(name, url, address.concurrency, client, loop, pixels, tell, thinking)
    weakref.finalize(server, _close, client, loop)
    server.find()
    return server


def _close(client: openai.AsyncOpenAI, loop: asyncio.AbstractEventLoop) -> None:
    """Close the connections and the loop of a server that is no longer used, at the end of the process at the latest."""
    try:
        asyncio.get_running_loop()  # of another server, whose work the garbage collector has interrupted
    except RuntimeError:
        loop.run_until_complete(client.close())
    loop.close()


@dataclass
class Server:
    """A model on a server. name: what the server calls it. engine: the program that runs it, if the server says which.
    root: the folder or Hub id that the server loaded, if it says so. answers_as: another name that the replies have."""

    name: str
    url: str
    concurrency: int
    client: openai.AsyncOpenAI
    loop: asyncio.AbstractEventLoop
    pixels: Pixels
    tell: Callable[[str], None]
    thinking: str | None = None
    engine: str = OTHER_ENGINE
    root: str = ""
    answers_as: str = ""
    found: bool = False  # whether the server was there

    @property
    def place(self) -> str:
        """The engine and its address, for messages and reports."""
        return f"{self.engine} at {self.url}"

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits of the engine, the model's name and its root. The weights can't be seen."""
        known = (self.engine, self.name, self.root, *([self.thinking] if self.thinking else []))
        return blake2b("\0".join(known).encode(), digest_size=8).hexdigest()

    def find(self) -> None:
        """Read the list of models. An address whose path lacks /v1 is completed."""
        import openai

        quick = self.client.with_options(
            max_retries=min(2, RETRIES), timeout=openai.Timeout(60, connect=CONNECTING)
        )
        for url in dict.fromkeys((self.url, f"{self.url.removesuffix('/v1')}/v1")):
            quick.base_url = url
            try:
                (_, raw), *_ = self.run([lambda: self.request(quick.models.with_raw_response.list, quick)])
            except NotThere:
                continue
            self.url = self.client.base_url = url
            break
        else:
            raise ModelError(
                f"no OpenAI-compatible server at {self.url}: it has no list of models (correct --base-url)"
            )
        if isinstance(raw, Refused):
            raise ModelError(f"no OpenAI-compatible server at {self.url}: {raw.message} (correct --base-url)")
        if isinstance(raw, RecordError):
            raise ModelError(f"{self.url}/models: {raw}")
        cards = completions.models(raw, self.url)
        card = next((card for card in cards if card.id == self.name), None)
        if card:
            self.engine, self.root = ENGINES.get(card.owned_by or "", OTHER_ENGINE), card.root or ""
        elif cards:
            names = ", ".join(card.id for card in cards[:20])
            raise ModelError(f"the server at {self.url} has no model {self.name!r} (it has: {names})")
        else:  # `transformers serve` 5.18 lists no model that it has from a folder
            self.tell(
                f"warning: the server at {self.url} lists no models: s2h can't check that it has {self.name}"
            )
        self.found = True

    def run(self, jobs: Iterable[Callable[[], Awaitable[Made]]]) -> Iterator[tuple[int, Made | RecordError]]:
        """Run jobs, at most `concurrency` at a time, and yield (number of the job, result) as each ends. A RecordError is a
        result. After another error no job starts. Those that are open may still end, within GRACE seconds, and then the
        first error is raised. Closing the generator cancels them at once."""
        coming, running = enumerate(jobs), dict[asyncio.Task, int]()
        failure: BaseException | None = None
        end: float | None = None  # of the time in which open jobs may end, by the clock of the loop
        try:
            while True:
                while failure is None and len(running) < self.concurrency and (job := next(coming, None)):
                    running[self.loop.create_task(_outcome(job[1]))] = job[0]
                if not (done := self._first_done(running, end)):
                    break
                for task in sorted(done, key=running.__getitem__):
                    number = running.pop(task)
                    if (error := task.exception()) is None:
                        yield number, task.result()
                    elif failure is None:
                        failure, end = error, self.loop.time() + GRACE
            if failure is not None:
                raise failure
        finally:
            for task in running:
                task.cancel()
            if running:
                self.loop.run_until_complete(asyncio.gather(*running, return_exceptions=True))

    def _first_done(self, tasks: Collection[asyncio.Task], end: float | None) -> set[asyncio.Task]:
        """Wait until a task ends, and return all that have ended; none if it is later than `end`, or without tasks."""
        if not tasks:
            return set()
        left = None if end is None else end - self.loop.time()
        waiting = asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        return self.loop.run_until_complete(waiting)[0]

    def fit(self, images: list[Image]) -> list[Image]:
        return [self.pixels.fit(image) for image in images]

    def takes(self, messages: list[dict], images: list[Image]) -> bool:
        """Return True: the server itself refuses what it can't process."""
        return True

    def replies(
        self, rows: Mapping[int, Row], how: Sampling
    ) -> Iterator[tuple[int, list[Reply] | RecordError]]:
        """Yield (key of the row, its replies), in the order in which the server answers."""

        async def ask(at: int, row: Row) -> list[Reply]:
            messages = await asyncio.to_thread(completions.messages, *row)
            most, found = how.max_new_tokens, []
            for sample in range(how.samples):
                seed = seed_of(how.seed, at, sample) >> 33
                sampled = {} if how.samples == 1 else {"temperature": how.temperature, "seed": seed}
                found.append(await self.complete(messages, most, **sampled))
            return [Reply(answer_of(one.text), one.cut) for one in found]

        keys = list(rows)
        for number, outcome in self.run(partial(ask, at, row) for at, row in rows.items()):
            yield keys[number], outcome

    async def likeliest(self, messages: list[dict]) -> list[tuple[str, float]]:
        """Return (token, log-probability in nats) of the likeliest first tokens of the answer."""
        missing = ModelError(
            f"{self.place} can't give the log-probabilities of tokens (use --scoring generate)"
        )
        try:
            reply = await self.complete(messages, 1, logprobs=True, top_logprobs=LIKELIEST)
        except Refused as error:
            raise missing if "logprobs" in error.message else error from None
        if reply.first is None:
            raise missing
        return reply.first

    async def answer_logps(self, messages: list[dict], answers: list[list[dict]]) -> list[tuple[float, int]]:
        """Return (log-probability in nats, tokens) of each answer after a prompt, as the server's template writes and ends
        it. The server must have vLLM's prompt_logprobs."""
        missing = ModelError(
            f"{self.place} can't give the log-probabilities of whole answers (vLLM can, by its prompt_logprobs)"
        )
        own = {"prompt_logprobs": 0, "add_generation_prompt": False}
        start, found = (await self.complete(messages, 1)).tokens, []
        for answer in answers:
            try:
                reply = await self.complete([*messages, *answer], 1, extra_body=own)
            except Refused as error:
                raise missing if "prompt_logprobs" in error.message else error from None
            if reply.prompt is None or not start:
                raise missing
            found.append(completions.answer_logp(reply.prompt, start, text_of(answer)))
        return found

    async def complete(self, messages: list[dict], most: int, **how: Any) -> completions.Completion:
        """Ask for a completion of at most `most` tokens, and return it. messages: as `completions.messages` makes them. how:
        more parameters of the request. Raises RecordError, ModelError."""
        create = self.client.chat.completions.with_raw_response.create
        extra = {**OWN_SETTINGS.get(self.engine, {}), **how.pop("extra_body", {})}
        if self.thinking:
            extra["chat_template_kwargs"] = {SWITCH: self.thinking == "on"}
        asked = {"model": self.name, "messages": messages, "max_tokens": most, **GREEDY, **how}
        reply = completions.completion(await self.request(lambda: create(**asked, extra_body=extra)))
        if reply.model and not self.answers_as and not _same(reply.model, self.name):
            self.answers_as = reply.model
            self.tell(
                f"warning: the server at {self.url} answers as {reply.model}, not as {self.name} (check --model and the "
                "server)"
            )
        return reply

    async def request(
        self, send: Callable[[], Awaitable[Any]], client: openai.AsyncOpenAI | None = None
    ) -> bytes:
        """Send a request and return the body of the response. client: the one that sends it, by default the server's own; it
        repeats the request after 408, 409, 429 and 5xx, lost connections and timeouts. Raises Refused, RecordError;
        ModelError if no other request would be answered either."""
        import openai

        tries = f"{1 + (client or self.client).max_retries} tries"
        try:
            return (await send()).content
        except openai.APITimeoutError as error:
            if _unreachable(error):
                raise ModelError(self._gone(error)) from error
            raise RecordError(
                f"the server did not answer in time: {tries}",
                remedy="a smaller --concurrency",
            ) from error
        except openai.APIConnectionError as error:
            if _unreachable(error):
                raise ModelError(self._gone(error)) from error
            why = one_line(error.__cause__ or error)
            raise RecordError(f"the connection to the server was lost: {tries}, {why}") from error
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise ModelError(
                f"the server at {self.url} refuses the key: status {error.status_code} ({KEY} must hold the right one)"
            ) from None
        except openai.NotFoundError as error:
            raise NotThere(
                f"the server at {self.url} has no such page or model: {self._status(error)}"
            ) from None
        except openai.RateLimitError as error:
            raise RecordError(
                f"the server takes no more requests: {tries}, {self._status(error)}",
                remedy="a smaller --concurrency",
            ) from None
        except openai.InternalServerError as error:
            raise RecordError(
                f"the server failed: {tries}, {self._status(error)}",
                remedy="its log says why",
            ) from None
        except openai.APIStatusError as error:
            raise Refused(
                f"the server refuses the request: {self._status(error)}",
                remedy="fewer or smaller images, or a server with a longer window",
            ) from None

    def _gone(self, error: Exception) -> str:
        why = one_line(error.__cause__ or error)
        remedy = (
            "start it again and continue with --resume" if self.found else "start it, or correct --base-url"
        )
        return f"no server answers at {self.url}: {why} ({remedy})"

    def _status(self, error: openai.APIStatusError) -> str:
        """Return the status of an error and what the server says about it, without the key."""
        body: Any = error.body
        if isinstance(body, dict):
            body = body.get("message") or body.get("detail") or body
        words = " ".join(str(body or "").split()).replace(self.client.api_key, "…")
        words = words if len(words) <= 200 else words[:197] + "..."
        return ", ".join(filter(None, (f"status {error.status_code}", words)))


class NotThere(ModelError):
    """A page or a model that the server doesn't have."""


async def _outcome(job: Callable[[], Awaitable[Made]]) -> Made | RecordError:
    try:
        return await job()
    except RecordError as error:
        return error


def _unreachable(error: Exception) -> bool:
    """Return whether no connection could be made, as opposed to one that was lost."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol")


def _same(one: str, other: str) -> bool:
    """Return whether two names are those of one model: a server may add a version or a revision, or leave out the owner."""
    a, b = (name.rstrip("/").rpartition("/")[2].lower() for name in (one, other))
    return a.startswith(b) or b.startswith(a)
