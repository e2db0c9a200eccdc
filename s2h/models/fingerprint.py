"""Fingerprints of everything that a reference log-probability depends on: the model (configuration and weights), its
processor (image processor, tokenizer, chat template) and the record (prompt, both answers, the bytes of the images). A value
is used again only if all of it is the same, in whichever folders the files are.

    s2h-filter l3 --ref llava-1.5-7b > l3.ref.jsonl      # scores.ref.fingerprint
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any

from s2h.images.decoding import ImageError, read_bytes
from s2h.images.resizing import WHOLE, Pixels
from s2h.images.store import digest
from s2h.record import Record, references_of

SIZE = 8  # bytes of a fingerprint
THREADS = 4  # threads that hash weights: hashing releases the interpreter's lock
_PIECE = 1 << 26  # bytes of a tensor that are hashed at a time
# Keys that don't change a model's output: its place, its author, and how it is run.
_INCIDENTAL = frozenset(
    {
        "_name_or_path", "_commit_hash", "_attn_implementation_autoset", "architectures", "name_or_path", "processor_class",
        "tokenizer_class", "tokenizer_file", "torch_dtype", "dtype", "transformers_version", "use_cache", "vocab_file",
    }
)  # fmt: skip


def of_model(model: Any, processor: Any, shown: Pixels = WHOLE) -> str:
    """Return 16 hexadecimal digits of a model as `vlm.read` returns it, without an adapter, and of its processor.

    Covers configuration, every weight with its name and number format (bfloat16 gives other log-probabilities than float32),
    image processor, tokenizer and chat template, and the bounds within which images are opened for it (`shown`). A 7B model
    takes some seconds.
    """
    whole = blake2b(digest_size=SIZE)
    whole.update(_canonical(model.config.to_dict()))
    whole.update(of_processor(processor).encode() + str(shown).encode())
    whole.update(of_weights(model).encode())
    return whole.hexdigest()


def of_weights(model: Any) -> str:
    """Return 16 hexadecimal digits of a torch module's weights, their names and their number format."""
    whole = blake2b(digest_size=SIZE)
    weights = sorted(model.state_dict().items())
    with ThreadPoolExecutor(THREADS) as pool:
        for (name, _), hashed in zip(weights, pool.map(_tensor, (t for _, t in weights)), strict=True):
            whole.update(name.encode() + b"\0" + hashed)
    return whole.hexdigest()


def of_processor(processor: Any) -> str:
    """Return 16 hexadecimal digits of an image processor, a tokenizer and a chat template."""
    whole = blake2b(digest_size=SIZE)
    whole.update(_canonical(processor.to_dict()))
    whole.update(_canonical(getattr(processor, "chat_template", None)))
    whole.update(_tokenizer(processor.tokenizer))
    return whole.hexdigest()


def of_record(record: Record, known: dict[str, str] | None = None) -> str:
    """Return 16 hexadecimal digits of a record's prompt, answers, images and rejected images. An image is identified by
    the bytes of its file, not by its name. known: digests of images by base and reference, kept from call to call. Raises
    ImageError."""
    base = getattr(record, "base", "")
    images: dict[str, list[str]] = {"images": []}
    for field, i, reference in references_of(record):
        key = f"{base}\0{reference}"
        found = known.get(key) if known is not None else None
        if found is None:
            try:
                found = digest(read_bytes(reference, base))
            except ImageError as error:
                error.where, error.field = getattr(record, "where", ""), f"{field}[{i}]"
                raise
            if known is not None:
                known[key] = found
        images.setdefault(field, []).append(found)
    parts = [record["prompt"], record["chosen"], record["rejected"], *images.values()]
    return blake2b(_canonical(parts), digest_size=SIZE).hexdigest()


def scores_ref_fingerprint(model_print: str, record: Record, known: dict[str, str] | None = None) -> str:
    """Return the value of scores.ref.fingerprint: the fingerprints of the model and of the record, joined by a hyphen, so
    that one can see which of the two has changed. Raises ImageError."""
    return f"{model_print}-{of_record(record, known)}"


def of_embedder(model: Any, *settings: Any) -> str:
    """Return 16 hexadecimal digits of an image-text or text model: its weights, its structure as torch prints it, and
    whatever else is given (its transform, the tokens of some texts, its number format)."""
    whole = blake2b(of_weights(model).encode(), digest_size=SIZE)
    whole.update(_canonical([str(model), *map(str, settings)]))
    return whole.hexdigest()


def _tensor(tensor: Any) -> bytes:
    """Return the hash of a tensor's format, shape and bytes, on any device."""
    import torch

    hashed = blake2b(f"{tensor.dtype}{tuple(tensor.shape)}".encode(), digest_size=16)
    flat = tensor.detach().reshape(-1).view(torch.uint8) if tensor.numel() else tensor.new_empty(0)
    for at in range(0, len(flat), _PIECE):
        hashed.update(memoryview(flat[at : at + _PIECE].cpu().numpy()))
    return hashed.digest()


def _tokenizer(tokenizer: Any) -> bytes:
    """Return the settings of a tokenizer as canonical JSON, without padding and truncation, which each call sets."""
    import orjson

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        vocabulary: Any = sorted(tokenizer.get_vocab().items())
    else:
        vocabulary = {
            k: v for k, v in orjson.loads(backend.to_str()).items() if k not in ("padding", "truncation")
        }
    return _canonical(
        [vocabulary, sorted(map(str, tokenizer.all_special_tokens)), tokenizer.bos_token, tokenizer.eos_token]
    )


def _canonical(value: Any) -> bytes:
    """Return canonical JSON: keys sorted, incidental keys left out, and values that JSON can't hold as text."""
    import orjson

    return orjson.dumps(_essential(value), default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def _essential(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _essential(item) for key, item in value.items() if key not in _INCIDENTAL}
    if isinstance(value, list | tuple):
        return [_essential(item) for item in value]
    return value
