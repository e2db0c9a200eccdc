"""Check a model's folder before a library reads it: code that comes with a model is never run, and weights are safetensors.

Every model is checked here (`vlm.read`, `clip.load`, `text.load`, adapters), because the libraries differ: transformers
refuses such code by default, open_clip follows the model's own configuration, and both may ask on standard input, from which
s2h's commands read records (see `upstream.no_questions`).

    guard.check("some/folder", "model 'some/folder'")
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from s2h.models import ModelError
from s2h.streams import files

# Tables of tokens and tensors: large, and no library looks for settings in them.
_TABLES = re.compile(r"(tokenizer|vocab|added_tokens|.*\.index)\.json")
_PICKLES = re.compile(r"(pytorch_model|adapter_model|model|open_clip).*\.(bin|pt|pth|ckpt|pkl)")
_REMEDY = "choose another model: code that comes with a model is never run"


def check(folder: str | os.PathLike, what: str, *, auto_map: bool = False) -> None:
    """Raise ModelError, with the name of the file, if a configuration below the folder asks to run code, or if the
    folder has weights only as a pickle.

    what: the user's words for the model, with which the message starts. auto_map: also refuse Python files that a
    configuration names, for a library that takes no `trust_remote_code=False`.
    """
    for path in files.below(os.fspath(folder)):
        name = os.path.relpath(path, folder)
        if name.endswith(".json") and not _TABLES.fullmatch(os.path.basename(name)):
            for key, value in _pairs(path, f"{what}: {name}"):
                if wish := _wish(os.path.basename(name), key, value, auto_map):
                    raise ModelError(f"{what}: {name} {wish} ({_REMEDY})")
    for place in sorted({os.path.dirname(path) for path in files.below(os.fspath(folder))}):
        names = sorted(os.listdir(place))
        pickled = [name for name in names if _PICKLES.fullmatch(name)]
        if pickled and not any(name.endswith(".safetensors") for name in names):
            path = os.path.relpath(os.path.join(place, pickled[0]), folder)
            raise ModelError(f"{what}: {path} is a pickle (only safetensors are loaded)")


def no_adapter(folder: str | os.PathLike, what: str) -> None:
    """Raise ModelError for an adapter: transformers would load its base by name, unchecked."""
    for path in files.below(os.fspath(folder)):
        if os.path.basename(path) == "adapter_config.json":
            raise ModelError(
                f"{what} is an adapter (download it and name its folder; --merge makes a whole model)"
            )


def check_parts(config: str | os.PathLike, what: str, repository: str = "") -> bool:
    """Raise ModelError if an open_clip configuration names a part that would be fetched from elsewhere. Return whether
    transformers builds a part of the model.

    repository: the Hub id of the model itself; "" for a folder, from which open_clip always takes the tokenizer.
    """
    text: dict[str, Any] = {}
    for key, value in _pairs(os.fspath(config), f"{what}: {os.path.basename(config)}"):
        if key in ("hf_tokenizer_name", "hf_model_name"):
            text[key] = value
        if key == "timm_model_name" and value and re.search("[:/]", str(value)):
            text["timm_model_name"] = value
    for key, value in text.items():
        own = not value or str(value) == repository or (key == "hf_tokenizer_name" and not repository)
        if not own:
            raise ModelError(
                f"{what}: {os.path.basename(config)} names a part that would be fetched from elsewhere: {key} is "
                f"{str(value)[:100]!r} (choose another model, or one of open_clip's own names)"
            )
    return bool(text)


def refused(error: BaseException, what: str) -> str:
    """Return one line for a library's refusal to load code or weights; "" for any other error."""
    text = str(error)
    if "trust_remote_code" in text or "custom code" in text:
        return f"{what}: needs Python code that comes with it ({_REMEDY})"
    if "safetensors" in text and ("does not appear to have" in text or "no file named" in text):
        return f"{what}: has no weights as safetensors (pickles are not loaded)"
    return ""


def _wish(name: str, key: str, value: Any, auto_map: bool) -> str:
    """Return a clause for a setting that is refused, "asks for …"; "" for any other setting."""
    if key == "trust_remote_code" and value:
        return "asks for trust_remote_code"
    if key == "auto_map" and value and auto_map:
        return "brings Python code (auto_map)"
    if key in ("attn_implementation", "_attn_implementation") and "/" in json.dumps(value):
        return f"asks for a kernel that would be fetched from the Hub ({key})"
    if name == "adapter_config.json" and key in ("megatron_config",) and value:
        return f"asks for a Python module to be imported ({key})"
    if name == "modules.json" and key == "type" and not str(value).startswith("sentence_transformers."):
        return f"asks for code that is no part of sentence-transformers: {str(value)[:100]!r}"
    if name == "modules.json" and key == "path" and _leaves(str(value)):
        return f"names a folder outside of the model: {str(value)[:100]!r}"
    return ""


def _leaves(path: str) -> bool:
    return os.path.isabs(path) or ".." in Path(path).parts


def _pairs(path: str, what: str) -> list[tuple[str, Any]]:
    """Return every key with its value in a JSON file, at any depth, repeated keys too. A file that is not JSON has none: no
    library reads it either."""
    found: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found.extend(pairs)
        return dict(pairs)

    try:
        json.loads(Path(path).read_bytes().decode(), object_pairs_hook=keep)
    except RecursionError:
        raise ModelError(f"{what} is nested too deeply to be checked") from None
    except (OSError, ValueError):
        return found
    return found
