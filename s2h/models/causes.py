"""The cause of a model that can't be loaded, in words. The libraries wrap the real cause (a full disk, a gated repository, a
missing package) in errors about the network."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from s2h.errors import one_line
from s2h.models import guard


def unavailable(name: str, place: str, error: Exception) -> str:
    """Return one line with the cause and the remedy. name: the user's name for the model. place: the folder or Hub id of
    that name."""
    where = f"model {name!r}" + ("" if place == name else f" ({place})")
    local = Path(place).is_dir()
    for cause in _chain(error):
        if message := _message(cause, where, place, local):
            return message
    if message := guard.refused(error, where):
        return message
    if re.search("unrecognized", str(error), re.IGNORECASE):
        return f"{where} is not a vision-language model that transformers knows (choose another --model)"
    if local:
        kinds = ("processor", "preprocessor")
        if not any((Path(place) / f"{kind}_config.json").is_file() for kind in kinds):
            return f"{where} has no processor (save the base's processor in the folder too)"
        return f"{where} can't be loaded: {one_line(error)} (is the folder whole?)"
    return f"{where} can't be loaded: {one_line(error)} (check --model, or give a local folder)"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return the error and its causes and contexts, innermost first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return reversed(found)


def _message(error: BaseException, where: str, place: str, local: bool) -> str:
    """Return the line for one error of the chain; "" for an error that names no cause."""
    from huggingface_hub import errors

    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where} can't be loaded: no space left on the disk (free some, or let HF_HOME name another folder)"
    if isinstance(error, PermissionError) and error.filename:
        return (
            f"{where} can't be loaded: {error.filename}: permission denied (let HF_HOME name another folder)"
        )
    if isinstance(error, errors.GatedRepoError):
        return f"{where} is gated: accept its terms on its page of the Hub, then log in with `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{where}: the Hub has no such model, or it is private (check --model, or log in with `hf auth login`)"
    if isinstance(error, errors.HFValidationError) and not local:
        return f"{where} can't be loaded: there is no such folder, and it is not an id of the Hub (check --model)"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{where} needs the package {error.name} (pip install {error.name})"
    if isinstance(error, ImportError) and (needed := re.search(r"pip install ([\w.-]+)", str(error))):
        return f"{where} needs the package {needed[1]} (pip install {needed[1]})"
    if isinstance(error, MemoryError):
        return f"{where} can't be loaded: out of memory (a smaller model, or --dtype bfloat16)"
    offline = isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled)
    if not local and (offline or _is_network(error)):
        return (
            f"{where} can't be loaded: no such folder, not in the local Hub cache, and the Hub can't be reached "
            "(check --model and the network, or give a local folder)"
        )
    return ""


def _is_network(error: BaseException) -> bool:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(
        kinds & {"ConnectError", "ConnectTimeout", "ReadTimeout", "ProxyError", "gaierror", "ConnectionError"}
    )
