"""Files of Hub repositories: from this machine's cache where they lie there, from the network otherwise, without the chatter
of the libraries."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


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


def settings(repository: str) -> str:
    """The cached snapshot of a repository, with all its small files: configurations and the tokenizer's. The network is
    asked only where the cache has no tokenizer's configuration, which comes last. Raises what the Hub's client raises."""
    from huggingface_hub import snapshot_download, try_to_load_from_cache

    known = isinstance(try_to_load_from_cache(repository, "tokenizer_config.json"), str)
    return snapshot_download(
        repository, allow_patterns=["*.json", "*.txt", "*.model", "*.jinja"], local_files_only=known
    )


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
