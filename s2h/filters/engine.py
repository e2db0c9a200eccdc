"""Run models for judges. A model is loaded when it is first needed; every distinct image and text goes through it once;
threads or worker processes open images while it runs; and if several processes were launched, each takes a share of the
chunks. A chunk holds the same images with any number of processes, so the output has the same bytes.

The main process reads, decides and writes. The others are in `Engine.serve` and do the work that it shares out.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TYPE_CHECKING, Any

from s2h import accel
from s2h.images.decoding import ImageError, open_image, read_bytes
from s2h.images.store import digest
from s2h.models import ModelError
from s2h.models.cache import Embeddings, Folder, brief

if TYPE_CHECKING:
    from s2h.models.clip import Clip
    from s2h.models.text import TextModel

THREADS = 4  # read and open images; Pillow and torch release the interpreter lock meanwhile
TOGETHER = 4  # images that one task opens
AHEAD = 2  # chunks of images open before their turn: 40 MB at 32 images of 224 pixels
KNOWN = 200_000  # image references whose digests are kept: 50 MB
TEXTS_AT_ONCE = 256

Place = tuple[str, str]  # of an image: (base, reference)


class Engine:
    """Loads models and computes with them. A context manager; use one at a time.

    load: loads a model by its name, for each kind ("clip", "text", "ref"). cache: keeps results from run to run.
    workers: processes that open images; with 0, threads do. how: words for the way in which `load` loads models (number
    format, size of images), which tell fingerprints apart.
    """

    def __init__(
        self,
        load: dict[str, Callable[[str], Any]],
        *,
        cache: Folder | None = None,
        workers: int = 0,
        how: str = "float32",
    ) -> None:
        self.load, self.cache, self.workers, self.how = load, cache, workers, how
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
            "clip texts": lambda name, chunks: (self.clip(name).texts(chunk) for chunk in chunks),
            "text texts": lambda name, chunks: (self.text_model(name).encode(chunk) for chunk in chunks),
        }

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        pools = [*self._openers.values(), *([self._threads] if self._threads else [])]
        for pool in pools:
            pool.shutdown(wait=kind is None, cancel_futures=True)
        if self.ranks > 1 and self.rank == 0:
            with contextlib.suppress(RuntimeError):  # if another process has ended
                accel.share(None)

    def serve(self) -> None:
        """Do this process's share of the work until there is no more; for every process but the main one."""
        while (job := accel.share(None)) is not None:
            self._share(*job)

    def add(self, what: str, work: Callable[[str, list], Iterable]) -> None:
        """Add a kind of work for `run`: work(name of the model, chunks) yields a result for each chunk."""
        self._works[what] = work

    def model(self, kind: str, name: str) -> Any:
        """Return a model of a kind by its name, loaded once."""
        if (kind, name) not in self.loaded:
            self.loaded[kind, name] = self.load[kind](name)
        return self.loaded[kind, name]

    def clip(self, name: str) -> Clip:
        return self.model("clip", name)

    def text_model(self, name: str) -> TextModel:
        return self.model("text", name)

    def fingerprint(self, kind: str, name: str) -> str:
        """Return a model's fingerprint; the model is loaded only if the cache has no note of it."""
        if (kind, name) not in self._prints:
            noted = f"{name} {self.how}"
            found = self.cache.known_print(kind, noted) if self.cache else None
            if found is None:
                model = self.model(kind, name)
                found = model.fingerprint()
                if self.cache:
                    self.cache.note_print(kind, noted, found, model.files)
            self._prints[kind, name] = found
        return self._prints[kind, name]

    def run(self, what: str, name: str, chunks: list) -> list:
        """Return the results of the chunks in their order. The processes share the work."""
        if self.ranks == 1:
            return list(self._works[what](name, chunks))
        accel.share((what, name, chunks))
        results = self._share(what, name, chunks)
        for _, result in results:
            if isinstance(result, Exception):
                raise result
        return [result for _, result in sorted(results, key=lambda found: found[0])]

    def _share(self, what: str, name: str, chunks: list) -> list[tuple[int, Any]]:
        """Do this process's share, and return the results of all: (number of the chunk, its result or an error)."""
        numbers = range(self.rank, len(chunks), self.ranks)
        try:
            found = list(zip(numbers, self._works[what](name, chunks[self.rank :: self.ranks]), strict=True))
        except Exception as error:  # the main process raises it
            found = [(-1, error)]
        return accel.gather(found)

    def images(self, name: str, places: Iterable[Place]) -> tuple[dict[Place, Any], dict[Place, ImageError]]:
        """Return embeddings of images by a CLIP (float32 [D] of length 1, each content computed once), and the errors of
        images that can't be opened."""
        places = list(dict.fromkeys(places))
        keys, faults = self._known(places)
        first: dict[bytes, Place] = {}
        for place in places:
            if place in keys:
                first.setdefault(keys[place], place)
        damaged: dict[bytes, ImageError] = {}

        def embed(missing: list[bytes]) -> Iterator[tuple[bytes, Any]]:
            at_once = self.clip(name).images_at_once
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
        """Return embeddings of texts by a CLIP or a text model: float32 [D] of length 1."""
        keys = {text: brief(text) for text in dict.fromkeys(texts)}
        by_key = {key: text for text, key in keys.items()}

        def embed(missing: list[bytes]) -> Iterator[tuple[bytes, Any]]:
            parts = [missing[i : i + TEXTS_AT_ONCE] for i in range(0, len(missing), TEXTS_AT_ONCE)]
            chunks = [[by_key[key] for key in part] for part in parts]
            if kind == "clip":
                self.cut += sum(self.clip(name).cut(chunk) for chunk in chunks)
            for part, rows in zip(parts, self.run(f"{kind} texts", name, chunks), strict=True):
                yield from zip(part, rows, strict=True)

        rows = self.results(kind, name, "texts").get(by_key, embed)
        return {text: rows[key] for text, key in keys.items()}

    def digests(self, places: Iterable[Place]) -> tuple[dict[Place, bytes], dict[Place, ImageError]]:
        """Return the digests of images' bytes, and the errors of images that can't be read."""
        return self._known(list(dict.fromkeys(places)))

    def results(self, kind: str, name: str, what: str) -> Embeddings:
        """Return the store of a model's results: in memory and, if there is one, in the cache."""
        if (name, f"{kind}-{what}") not in self.kept:
            file = self.cache.open(f"{kind}-{what}", self.fingerprint(kind, name)) if self.cache else None
            self.kept[name, f"{kind}-{what}"] = Embeddings(file=file)
        return self.kept[name, f"{kind}-{what}"]

    def _known(self, places: list[Place]) -> tuple[dict[Place, bytes], dict[Place, ImageError]]:
        """Return the digests of images' bytes. A file is read once while its reference is remembered."""
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
        """Yield for each chunk of images the embeddings of those that can be opened, and the errors of the others by
        position. The next images are opened meanwhile."""
        model = self.clip(name)
        rest = iter(chunks)
        opening = deque(self._open(name, model, chunk) for chunk in islice(rest, AHEAD))
        try:
            while opening:
                opened = [one for task in opening.popleft() for one in task.result()]
                opening.extend(self._open(name, model, chunk) for chunk in islice(rest, 1))
                wrong = {i: one for i, one in enumerate(opened) if isinstance(one, ImageError)}
                good = [one for i, one in enumerate(opened) if i not in wrong]
                yield (model.images(good) if good else []), wrong
        except BrokenProcessPool as error:
            raise ModelError(
                "a worker that opened images died, perhaps because memory ran out (use fewer --workers)"
            ) from error
        finally:
            for task in (task for tasks in opening for task in tasks):
                task.cancel()

    def _open(self, name: str, model: Clip, chunk: list[Place]) -> list[Future]:
        """Start tasks that open the images of a chunk, TOGETHER in each."""
        if name not in self._openers:
            if self.workers:
                import torch

                # Forked, so that the transform need not be pickled; tensors come back through shared memory.
                self._openers[name] = ProcessPoolExecutor(
                    self.workers, torch.multiprocessing.get_context("fork"), _begin, (model.prepare,)
                )
            else:
                self._openers[name] = ThreadPoolExecutor(THREADS)
        tasks = [chunk[i : i + TOGETHER] for i in range(0, len(chunk), TOGETHER)]
        if self.workers:
            return [self._openers[name].submit(_open_in_worker, task) for task in tasks]
        return [self._openers[name].submit(_opened, model.prepare, task) for task in tasks]


def _digest(place: Place) -> bytes | ImageError:
    try:
        return bytes.fromhex(digest(read_bytes(place[1], place[0])))
    except ImageError as error:
        return error


def _opened(prepare: Callable[[Any], Any], places: list[Place]) -> list[Any]:
    """Return each image as the model's input, or its error."""
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
    torch.set_num_threads(1)  # the parent's threads were not forked
    follow_parent()


def _open_in_worker(places: list[Place]) -> list[Any]:
    if _prepare is None:
        raise RuntimeError("_begin was not called in this process")
    return _opened(_prepare, places)
