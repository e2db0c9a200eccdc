"""Prompts, answers and images as a batch of tensors. The text and the images of a prompt go through the processor once, for
any number of answers. Nothing is ever cut."""

from __future__ import annotations

from typing import Any

from s2h.models import thinking
from s2h.record import assistant, text_of

# Types of tokens, by which models know those of an image: Gemma 3 has its own name for them.
TYPES = ("mm_token_type_ids", "token_type_ids")
TEXT_KEYS = ("input_ids", "attention_mask", *TYPES)


def prompt_text(processor: Any, messages: list[dict]) -> str:
    """Return the prompt as the chat template writes it, up to the beginning of the answer. If the template writes no BOS
    token and the tokenizer would add one (LLaVA-1.5), it is written here."""
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    tokenizer = processor.tokenizer
    bos = tokenizer.bos_token
    if bos and not text.startswith(bos) and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]:
        return bos + text
    return text


def answer_text(processor: Any, prompt: list[dict], answer: list[dict], before: str) -> str:
    """Return the answer as the chat template writes it after the prompt `before`, with the token that ends it. If the
    template writes none (LLaVA-1.5), this is EOS: otherwise the model would never learn to stop. Without `--thinking on`,
    the answer's thought is left out, and an empty one that the template writes. Raises ModelError for a template or an
    answer that can't be used."""
    from s2h.models import ModelError

    tokenizer, thinks = processor.tokenizer, thinking.is_on(processor)
    said = text_of(answer)
    if not thinks and (kept := thinking.spoken(said)) != said:
        answer = assistant(kept)
    whole = processor.apply_chat_template([*prompt, *answer], tokenize=False)
    if (
        tokenizer.bos_token
        and before.startswith(tokenizer.bos_token)
        and not whole.startswith(tokenizer.bos_token)
    ):
        before = before[len(tokenizer.bos_token) :]
    shared = len(before)
    if not whole.startswith(before):
        # Gemma 4 and others write the empty thought of a prompt no more once an answer follows.
        shared = next(
            at for at, (one, other) in enumerate(zip(before, whole + "\0", strict=False)) if one != other
        )
        rest = before[shared:]
        if not thinking.EMPTY.fullmatch(rest) and not (thinks and rest.isspace()):
            if thinks and thinking.lacks(before, said):
                raise ModelError(
                    "the chat template opens a thought, and an answer has none (add one, or --thinking off)"
                )
            raise ModelError(
                "the chat template writes the prompt differently once an answer follows (use another template)"
            )
    ending = whole[shared:]
    if not thinks:
        ending = thinking.EMPTY.sub("", ending, count=1) if thinking.EMPTY.match(ending) else ending
    if not ending.rstrip().endswith(tuple(tokenizer.all_special_tokens)):
        ending = ending.rstrip() + tokenizer.eos_token
    return ending


def encode_prompts(processor: Any, texts: list[str], images: list[list[Any]]) -> dict[str, Any]:
    """Return the model's inputs for B prompts: tokens [B, L], padded on the left, and the tensors of all their images."""
    made = dict(
        processor(
            text=texts,
            images=images if any(images) else None,
            padding=True,
            padding_side="left",
            return_tensors="pt",
            add_special_tokens=False,  # the template writes BOS and EOS
        )
    )
    # Many tokenizers have such types for pairs of texts, all 0, which no model here takes.
    if "token_type_ids" in made and not made["token_type_ids"].any():
        del made["token_type_ids"]
    return made


def types_key(batch: dict[str, Any]) -> str | None:
    """Return the key of a batch's token types, None if it has none."""
    return next((key for key in TYPES if key in batch), None)


def padding(tokenizer: Any) -> int:
    """Return the token that pads rows."""
    return tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id


def join_answers(
    processor: Any, prompts: dict[str, Any], answers: list[list[str]], side: str = "right"
) -> dict[str, Any]:
    """Return a batch of [prompt | answer] rows from encoded prompts.

    answers: lists of B texts. With two lists, rows 0 to B-1 hold the first answers and rows B to 2B-1 the second, as TRL
    expects of (chosen, rejected). Returns input_ids, attention_mask and completion_mask (1 on the answer's tokens), each
    [len(answers) * B, L] and padded on `side`, and the images' tensors repeated in the same order.
    """
    import torch

    tokenizer = processor.tokenizer
    pad = padding(tokenizer)
    ids, mask = prompts["input_ids"], prompts["attention_mask"].bool()
    key = types_key(prompts)
    kinds = prompts[key] if key else None
    rows, completions, types = [], [], []
    for texts in answers:
        encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
        for i, answer in enumerate(encoded):
            known = ids[i][mask[i]]
            answer_ids = torch.tensor(answer, dtype=known.dtype)
            rows.append(torch.cat([known, answer_ids]))
            completions.append(torch.cat([torch.zeros_like(known), torch.ones_like(answer_ids)]))
            if kinds is not None:
                types.append(torch.cat([kinds[i][mask[i]], torch.zeros_like(answer_ids)]))

    def padded(tensors: list, value: int) -> Any:
        return torch.nn.utils.rnn.pad_sequence(
            tensors, batch_first=True, padding_value=value, padding_side=side
        )

    batch = {
        "input_ids": padded(rows, pad),
        "attention_mask": padded([torch.ones_like(row) for row in rows], 0),
        "completion_mask": padded(completions, 0),
    }
    if key:
        batch[key] = padded(types, 0)
    for name, value in prompts.items():
        if name not in TEXT_KEYS:
            batch[name] = (
                torch.cat([value] * len(answers)) if torch.is_tensor(value) else list(value) * len(answers)
            )
    return batch
