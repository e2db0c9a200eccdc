"""Files of Hub repositories, from this machine's cache if it has them, else downloaded; without the log lines of the
libraries."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

_SETTINGS = ["*.json", "*.txt", "*.model", "*.jinja"]
# Weights in one file; the second pattern is for parts of sentence-transformers models, such as 2_Dense.
_WEIGHTS = ("model.safetensors", "[0-9]*_*/model.safetensors")


def fetch(repository: str, file: str) -> str:
    """Return the path of a file on this machine. If the cache has no copy, it is downloaded, after one request that is not
    repeated: without a network, a download would retry for half a minute. Raises the errors of the Hub's client."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return hf_hub_download(repository, file, local_files_only=True)
    except LocalEntryNotFoundError:
        get_hf_file_metadata(hf_hub_url(repository, file))
        return hf_hub_download(repository, file)


def loaded(repository: str, check: Callable[[str], None], load: Callable[[str], Any]) -> Any:
    """Check the folder that holds a repository's settings and safetensors, and return the result of `load` for it.

    Libraries are given this folder and never the repository's name, because they ask the Hub for files that the cache lacks:
    an unchecked adapter_config.json would lead them to another model. Files are downloaded only if the cache has no
    snapshot, or if its snapshot doesn't load because a download was cut short. Raises the errors of the check, the library
    and the Hub's client.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    first: Exception | None = None
    before: tuple[str, ...] = ()
    try:
        folder = snapshot_download(repository, allow_patterns=_SETTINGS, local_files_only=True)
    except LocalEntryNotFoundError:  # no snapshot, or one that the Hub's client knows to be incomplete
        folder = ""
    if folder:
        check(folder)
        try:
            return load(folder)
        except Exception as error:  # the libraries have no error in common
            first, before = error, listed(folder)
    try:
        folder = settings(repository, refresh=True)
    except Exception as error:
        raise first or error from None
    check(folder)
    _fetch_weights(repository, folder)
    if first is not None and listed(folder) == before:
        raise first
    return load(folder)


def settings(repository: str, *, refresh: bool = False) -> str:
    """Return the cached snapshot of a repository, with all its small files: configurations and the tokenizer. They are
    downloaded only if the cache has no tokenizer_config.json, or with `refresh`. Raises the errors of the Hub's client."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, snapshot_download, try_to_load_from_cache

    known = not refresh and isinstance(try_to_load_from_cache(repository, "tokenizer_config.json"), str)
    if refresh:  # a request that is not repeated without a network
        get_hf_file_metadata(hf_hub_url(repository, "config.json"))
    return snapshot_download(repository, allow_patterns=_SETTINGS, local_files_only=known)


def _fetch_weights(repository: str, folder: str) -> None:
    """Fetch the safetensors that the snapshot in a folder lacks, from the same commit."""
    from huggingface_hub import snapshot_download

    index = os.path.join(folder, "model.safetensors.index.json")
    wanted = list(_WEIGHTS)
    if os.path.isfile(index):
        with open(index, encoding="utf-8") as file:
            wanted = sorted(set(json.load(file)["weight_map"].values()))
    if not all(os.path.isfile(os.path.join(folder, name)) for name in wanted):
        snapshot_download(repository, revision=os.path.basename(folder), allow_patterns=wanted)


def snapshot(path: str) -> tuple[str, ...]:
    """Return the files that a model of the Hub was read from: the cached snapshot of a fetched file, and the files that name
    the newest snapshot."""
    folder = os.path.dirname(path)
    kept = os.path.dirname(os.path.dirname(folder))
    refs = os.path.join(kept, "refs")
    return (*listed(folder), *(listed(refs) if os.path.isdir(refs) else ()))


def listed(folder: str) -> tuple[str, ...]:
    """Return the absolute paths of all files below a folder, sorted."""
    found = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return tuple(sorted(map(os.path.abspath, found)))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Switch off the log lines and warnings of libraries in the block: s2h reports what matters."""
    import logging
    import warnings

    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
