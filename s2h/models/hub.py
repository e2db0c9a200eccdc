"""Files of Hub repositories: from this machine's cache where they lie there, from the network otherwise, without the chatter
of the libraries."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

_SETTINGS = ("*.json", "*.txt", "*.model", "*.jinja")
# Of a model in one file; the second of a part of a sentence-transformers model, such as 2_Dense.
_WEIGHTS = ("model.safetensors", "[0-9]*_*/model.safetensors")


def fetch(repository: str, file: str) -> str:
    """The path of a file on this machine. The network is asked only where the cache has no copy, and first in a question
    that is not repeated: by itself a download knocks for half a minute where there is no network. Raises what the Hub's
    client raises."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return hf_hub_download(repository, file, local_files_only=True)
    except LocalEntryNotFoundError:
        get_hf_file_metadata(hf_hub_url(repository, file))
        return hf_hub_download(repository, file)


def loaded(repository: str, check: Callable[[str], None], load: Callable[[str], Any]) -> Any:
    """Return what `load` makes of the folder that holds a repository's settings and safetensors, after `check` has seen the
    folder.

    Libraries are given this folder and never the repository's name, because they ask the Hub for files that the cache lacks:
    an adapter_config.json that `check` has not seen would lead them to another model. The network is asked only where the
    cache has no snapshot, or where its snapshot doesn't load because a download was cut short. Raises what the check, the
    library and the Hub's client raise.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    first, before = None, ()
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
        folder = settings(repository, anew=True)
    except Exception as error:
        raise first or error from None
    check(folder)
    _fetch_weights(repository, folder)
    if first is not None and listed(folder) == before:
        raise first
    return load(folder)


def settings(repository: str, *, anew: bool = False) -> str:
    """The cached snapshot of a repository, with all its small files: configurations and the tokenizer's. The network is
    asked only where the cache has no tokenizer's configuration, or with `anew`. Raises what the Hub's client raises."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, snapshot_download, try_to_load_from_cache

    known = not anew and isinstance(try_to_load_from_cache(repository, "tokenizer_config.json"), str)
    if anew:  # a question that is not repeated where there is no network
        get_hf_file_metadata(hf_hub_url(repository, "config.json"))
    return snapshot_download(repository, allow_patterns=_SETTINGS, local_files_only=known)


def _fetch_weights(repository: str, folder: str) -> None:
    """Fetch the safetensors that the snapshot in a folder lacks, of the same commit."""
    from huggingface_hub import snapshot_download

    index = os.path.join(folder, "model.safetensors.index.json")
    wanted = list(_WEIGHTS)
    if os.path.isfile(index):
        with open(index, encoding="utf-8") as file:
            wanted = sorted(set(json.load(file)["weight_map"].values()))
    if not all(os.path.isfile(os.path.join(folder, name)) for name in wanted):
        snapshot_download(repository, revision=os.path.basename(folder), allow_patterns=wanted)


def snapshot(path: str) -> tuple[str, ...]:
    """The files of the cached snapshot that a fetched file is of, and those that say which snapshot is the newest: what a
    model of the Hub was read from."""
    folder = os.path.dirname(path)
    kept = os.path.dirname(os.path.dirname(folder))
    refs = os.path.join(kept, "refs")
    return (*listed(folder), *(listed(refs) if os.path.isdir(refs) else ()))


def listed(folder: str) -> tuple[str, ...]:
    """Every file of a model's folder, in full."""
    found = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return tuple(sorted(map(os.path.abspath, found)))


def reason(error: Exception) -> str:
    """An error of a library as the middle of one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the log lines and warnings of libraries: what matters in them is said in one line."""
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
