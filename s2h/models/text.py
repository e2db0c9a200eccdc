"""Text models through sentence-transformers: by a Hub id or a local folder; and the bundled small model for answers of the
built-in world. Only safetensors are loaded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from s2h.errors import one_line
from s2h.models import ModelError, guard, hub_files, names
from s2h.processes import uncollected

DEFAULT, BUNDLED = "sentence-transformers/all-mpnet-base-v2", "mini-text"


@dataclass(frozen=True)
class TextModel:
    """A sentence embedder. name: in full, as in scores. files: those that it was read from."""

    name: str
    model: Any
    files: tuple[str, ...] = ()

    def encode(self, texts: list[str], batch_size: int = 64) -> Any:
        """Return unit-length embeddings of texts, each cut at the model's context: a NumPy array, float32 [N, D]."""
        rows = self.model.encode(
            texts,
            batch_size=batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_tensor=True,
        )
        return rows.float().cpu().numpy()

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits: a hash of everything that embeddings depend on."""
        from s2h.models import fingerprint
        from s2h.models.clip import PROBE

        with hub_files.quiet():  # the probe is longer than the context
            tokens = self.model.tokenizer(list(PROBE))["input_ids"]
        return fingerprint.of_embedder(self.model, self.model.max_seq_length, tokens)


def identify(name: str) -> str:
    """Return the name in full, as in scores: `all-MiniLM-L6-v2` is `sentence-transformers/all-MiniLM-L6-v2`. Raises
    ModelError for a folder that does not exist."""
    if name == BUNDLED:
        return name
    if os.path.isdir(name):
        return os.path.normpath(name)
    if name.startswith(("/", ".")) or name.count("/") > 1:
        raise ModelError(f"--text-model {name}: no such folder")
    return name if "/" in name else f"sentence-transformers/{name}"


def load(name: str = DEFAULT, *, dtype: str = "float32") -> TextModel:
    """Load a model by its name. It is downloaded only if it is not on this machine. dtype: float32, bfloat16 or
    float16. Raises ModelError if it can't be loaded."""
    from s2h import accel

    with uncollected():
        from sentence_transformers import SentenceTransformer

    name = identify(name)
    place = str(names.bundled(name)) if name == BUNDLED else name
    local = name == BUNDLED or os.path.isdir(name)
    if local and not any(
        os.path.isfile(os.path.join(place, file)) for file in ("modules.json", "config.json")
    ):
        raise ModelError(
            f"--text-model {name}: no model of sentence-transformers there (a folder with modules.json)"
        )

    def check(folder: str) -> None:
        guard.check(folder, f"--text-model {name}")
        guard.no_adapter(folder, f"--text-model {name}")

    def made(folder: str) -> Any:
        return SentenceTransformer(
            folder, device=str(accel.device()), trust_remote_code=False, local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": accel.dtype(dtype)},
        )  # fmt: skip

    with hub_files.quiet(), _without_bars():
        try:
            if local:
                check(place)
                model = made(place)
            else:
                model = hub_files.loaded(place, check, made)
        except ModelError:
            raise
        except Exception as error:  # the three libraries have no error in common
            if refusal := guard.refused(error, f"--text-model {name}"):
                raise ModelError(refusal) from error
            if "size mismatch" in str(error):
                raise ModelError(
                    f"--text-model {name}: the checkpoint has other shapes than the model: {one_line(error, 160)}"
                ) from error
            raise ModelError(
                f"the text model {name} can't be loaded: {one_line(error, 160)} (download it first, or name another: "
                f"--text-model ID or a folder; {BUNDLED} is for built-in pairs)"
            ) from error
    files = hub_files.listed(place) if local else hub_files.snapshot(hub_files.fetch(place, "config.json"))
    return TextModel(name, model, files)


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """Switch off the progress bar that transformers draws while it loads weights."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
