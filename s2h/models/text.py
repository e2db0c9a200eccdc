"""Text models through sentence-transformers: any name or local folder; the bundled small one for the built-in world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2h.models import ModelError, names

DEFAULT = "sentence-transformers/all-mpnet-base-v2"


@dataclass
class TextModel:
    """A sentence embedder; `name` goes into the records' scores."""

    name: str
    model: Any

    def encode(self, texts: list[str], batch_size: int = 64) -> Any:
        """Unit-length embeddings, float32 [N, D]."""
        return self.model.encode(
            texts, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False
        )


def load(name: str = DEFAULT) -> TextModel:
    """Load by name, Hub id or folder, from safetensors alone. Raises ModelError where the weights can't be had."""
    import transformers
    from sentence_transformers import SentenceTransformer

    from s2h import accel

    transformers.utils.logging.disable_progress_bar()
    place = str(names.bundled(name)) if name == "mini-text" else name
    try:
        model = SentenceTransformer(
            place,
            device=str(accel.device()),
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
            local_files_only=Path(place).is_dir(),
        )
    except Exception as error:  # sentence-transformers and the hub client have no common base
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            f"--text-model {name}: the weights can't be had: {reason} (check the name and the network, or name a folder)"
        ) from error
    return TextModel(name, model)
