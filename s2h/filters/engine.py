"""Computing with models: each is loaded when it is first needed; every distinct image and text goes through it once;
images are opened by threads or worker processes while it runs; and where several processes were launched, each takes
its share of the chunks. A chunk holds the same images however many processes there are, so the same bytes come out.

The main process reads, decides and writes. The others are in `Engine.serve` and do what it shares out.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from s2h import accel
from s2h.filters.cache import Embeddings, Folder, brief
from s2h.images.decoding import ImageError, open_image, read_bytes
from s2h.images.store import digest
from s2h.models import ModelError

THREADS = 4  # that read and open images; Pillow and torch leave the interpreter while they work
TOGETHER = 4  # images that one task opens
AHEAD = 2  # chunks of images open before their turn: 40 MB at 32 images of 224 pixels
KNOWN = 200_000  # image references whose digests are kept: 50 MB
TEXTS_AT_ONCE = 256

Place = tuple[str, str]  # of an image: (base, reference)


class Engine:
    """load: by kind ("clip", "text", "ref") what loads a model by its name. workers: processes that open images; with
    none threads do. A context manager; use one at a time."""

    def __init__(
        self,
        load: dict[str, Callable[[str], Any]],
        *,
        cache: Folder | None = None,
        workers: int = 0,
        dtype: str = "float32",
    ) -> None:
        self.load, self.cache, self.workers, self.dtype = load, cache, workers, dtype
        self.rank, self.ranks = accel.launched()
        self.loaded: dict[tuple[str, str], Any] = {}
        self.kept: dict[tuple[str, str], Embeddings] = {}
        self.cut = 0  # distinct texts that were longer than CLIP's context
        self._prints: dict[tuple[str, str], str] = {}
        self._digests: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._threads: Executor | None = None
        self._openers: dict[str, Executor] = {}
        self._works: dict[str, Callable[[str, list], Iterable]] = {
            "clip images": self._look,
            "clip texts": lambda name, chunks: (self.model("clip", name).texts(chunk) for chunk in chunks),
            "text texts": lambda name, chunks: (self.model("text", name).encode(chunk) for chunk in chunks),
        }

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        pools = [*self._openers.values(), *([self._threads] if self._threads else [])]
        for pool in pools:
            pool.shutdown(wait=kind is None, cancel_futures=True)
        if self.ranks > 1 and self.rank == 0:
            with contextlib.suppress(RuntimeError):  # of a process that has gone
                accel.share(None)

    def serve(self) -> None:
        """What all processes but the main one do: their share of the work, until there is no more."""
        while (job := accel.share(None)) is not None:
            self._share(*job)

    def add(self, what: str, work: Callable[[str, list], Iterable]) -> None:
        """Another kind of work for `run`: work(model's name, chunks) gives a result for each chunk."""
        self._works[what] = work

    def model(self, kind: str, name: str) -> Any:
        if (kind, name) not in self.loaded:
            self.loaded[kind, name] = self.load[kind](name)
        return self.loaded[kind, name]

    def fingerprint(self, kind: str, name: str) -> str:
        """Of a model: from the cache where it knows it, without loading the model."""
        if (kind, name) not in self._prints:
            noted = f"{name} {self.dtype}"
            found = self.cache.known_print(kind, noted) if self.cache else None
            if found is None:
                model = self.model(kind, name)
                found = model.fingerprint()
                if self.cache:
                    self.cache.learn_print(kind, noted, found, model.files)
            self._prints[kind, name] = found
        return self._prints[kind, name]

    def run(self, what: str, name: str, chunks: list) -> list:
        """The results of the chunks in their order, the work shared out among the processes."""
        if self.ranks == 1:
            return list(self._works[what](name, chunks))
        accel.share((what, name, chunks))
        results = self._share(what, name, chunks)
        for _, result in results:
            if isinstance(result, Exception):
                raise result
        return [result for _, result in sorted(results, key=lambda found: found[0])]

    def _share(self, what: str, name: str, chunks: list) -> list[tuple[int, Any]]:
        """Do this process's share and tell everyone: (the chunk's number, its result or what went wrong)."""
        numbers = range(self.rank, len(chunks), self.ranks)
        try:
            found = list(zip(numbers, self._works[what](name, chunks[self.rank :: self.ranks]), strict=True))
        except Exception as error:  # the main process raises it
            found = [(-1, error)]
        return accel.gather(found)

    def images(self, name: str, places: Iterable[Place]) -> tuple[dict[Place, Any], dict[Place, ImageError]]:
        """Unit-length embeddings of images by a CLIP, each content once, and what was wrong with those that can't be
        had."""
        places = list(dict.fromkeys(places))
        keys, faults = self._known(places)
        first = {}
        for place in places:
            if place in keys:
                first.setdefault(keys[place], place)
        damaged: dict[bytes, ImageError] = {}

        def embed(missing: list[bytes]) -> Iterator[tuple[bytes, Any]]:
            at_once = self.model("clip", name).images_at_once
            parts = [missing[i : i + at_once] for i in range(0, len(missing), at_once)]
            chunks = [[first[key] for key in part] for part in parts]
            for part, (rows, wrong) in zip(parts, self.run("clip images", name, chunks), strict=True):
                damaged.update((part[i], error) for i, error in wrong.items())
                yield from zip((key for i, key in enumerate(part) if i not in wrong), rows, strict=True)

        rows = self.results("clip", name, "images").get(first, embed)
        found = {}
        for place, key in keys.items():
            if key in rows:
                found[place] = rows[key]
            else:
                faults[place] = damaged[key]
        return found, faults

    def texts(self, kind: str, name: str, texts: Iterable[str]) -> dict[str, Any]:
        """Unit-length embeddings of texts by a CLIP or a text model."""
        keys = {text: brief(text) for text in dict.fromkeys(texts)}
        said = {key: text for text, key in keys.items()}

        def embed(missing: list[bytes]) -> Iterator[tuple[bytes, Any]]:
            parts = [missing[i : i + TEXTS_AT_ONCE] for i in range(0, len(missing), TEXTS_AT_ONCE)]
            chunks = [[said[key] for key in part] for part in parts]
            if kind == "clip":
                self.cut += sum(self.model(kind, name).cut(chunk) for chunk in chunks)
            for part, rows in zip(parts, self.run(f"{kind} texts", name, chunks), strict=True):
                yield from zip(part, rows, strict=True)

        rows = self.results(kind, name, "texts").get(said, embed)
        return {text: rows[key] for text, key in keys.items()}

    def digests(self, places: Iterable[Place]) -> tuple[dict[Place, bytes], dict[Place, ImageError]]:
        """What tells the contents of images apart, without a model, and what was wrong with those that can't be read."""
        return self._known(list(dict.fromkeys(places)))

    def results(self, kind: str, name: str, what: str) -> Embeddings:
        """Where results of a model are kept: in memory, and in the cache where there is one."""
        if (name, f"{kind}-{what}") not in self.kept:
            file = self.cache.open(f"{kind}-{what}", self.fingerprint(kind, name)) if self.cache else None
            self.kept[name, f"{kind}-{what}"] = Embeddings(kept=file)
        return self.kept[name, f"{kind}-{what}"]

    def _known(self, places: list[Place]) -> tuple[dict[Place, bytes], dict[Place, ImageError]]:
        """The digests of images' bytes; a file is read once while its reference is remembered."""
        found, unread = {}, []
        for place in places:
            key = (place[0], brief(place[1]))
            if key in self._digests:
                found[place] = self._digests[key]
            else:
                unread.append((place, key))
        faults: dict[Place, ImageError] = {}
        if unread:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS)
            hashed = self._threads.map(_digest, (place for place, _ in unread))
            for (place, key), result in zip(unread, hashed, strict=True):
                if isinstance(result, ImageError):
                    faults[place] = result
                else:
                    found[place] = self._digests[key] = result
            while len(self._digests) > KNOWN:
                self._digests.popitem(last=False)
        return found, faults

    def _look(self, name: str, chunks: list[list[Place]]) -> Iterator[tuple[Any, dict[int, ImageError]]]:
        """For each chunk of images the embeddings of those that can be opened, and what was wrong with the others, the
        next images being opened meanwhile."""
        model = self.model("clip", name)
        waiting: deque[list[Future]] = deque()
        ahead = iter(chunks)

        def begin() -> None:
            for chunk in ahead:
                tasks = [chunk[i : i + TOGETHER] for i in range(0, len(chunk), TOGETHER)]
                waiting.append([self._open(name, model, task) for task in tasks])
                return

        for _ in range(AHEAD):
            begin()
        try:
            while waiting:
                opened = [one for task in waiting.popleft() for one in task.result()]
                begin()
                wrong = {i: one for i, one in enumerate(opened) if isinstance(one, ImageError)}
                good = [one for i, one in enumerate(opened) if i not in wrong]
                yield (model.images(good) if good else []), wrong
        except BrokenProcessPool as error:
            raise ModelError(
                "a worker that opened images died, perhaps for want of memory (use fewer --workers)"
            ) from error
        finally:
            for task in (task for tasks in waiting for task in tasks):
                task.cancel()

    def _open(self, name: str, model: Any, places: list[Place]) -> Future:
        if name not in self._openers:
            if self.workers:
                import torch

                # Forked: the transform is shared as it stands, and tensors come back through shared memory.
                self._openers[name] = ProcessPoolExecutor(
                    self.workers, torch.multiprocessing.get_context("fork"), _begin, (model.prepare,)
                )
            else:
                self._openers[name] = ThreadPoolExecutor(THREADS)
        if self.workers:
            return self._openers[name].submit(_open_in_worker, places)
        return self._openers[name].submit(_opened, model.prepare, places)


def _digest(place: Place) -> bytes | ImageError:
    try:
        return bytes.fromhex(digest(read_bytes(place[1], place[0])))
    except ImageError as error:
        return error


def _opened(prepare: Callable[[Any], Any], places: list[Place]) -> list[Any]:
    """Each image as the model's input, or what is wrong with it."""
    made: list[Any] = []
    for base, reference in places:
        try:
            made.append(prepare(open_image(reference, base)))
        except ImageError as error:
            made.append(error)
    return made


_prepare: Callable[[Any], Any] | None = None  # in a worker


def _begin(prepare: Callable[[Any], Any]) -> None:
    import torch

    from s2h.processes import follow_parent

    global _prepare
    _prepare = prepare
    torch.set_num_threads(1)  # the others' threads were not forked
    follow_parent()


def _open_in_worker(places: list[Place]) -> list[Any]:
    return _opened(_prepare, places)
