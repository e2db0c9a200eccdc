"""Thinking: models that write a thought before their answer, and the switch of their chat templates for it. `--thinking` has
one value for generation, training, reference and evaluation: that of the user, else that of the run, else off.

    processor.chat_template = template(processor, "off")
    answer_of("<think>two cats, so</think>2")      # "2"

The value is written into the chat template, which is saved with a run. So a server that loads the run's processor has the
same prompts, unless a request asks for others.
"""

from __future__ import annotations

import re
from typing import Any

from s2h.errors import plural
from s2h.models import ModelError

CHOICES = ("off", "on")
HELP = (
    "off: prompts ask for an answer without a thought, where the chat template knows both, and thoughts in answers "
    "(<think>…</think>) are left out. on: prompts ask for a thought, and thoughts in answers are kept."
)
DEFAULT = "  [default: the run's own, else off]"
SWITCH = "enable_thinking"  # the variable of chat templates
# The marks of Qwen, GLM and DeepSeek, and of Gemma 4.
OPENS, CLOSES = ("<think>", "<|channel>thought"), ("</think>", "<channel|>")
_OPEN, _CLOSE = ("|".join(map(re.escape, marks)) for marks in (OPENS, CLOSES))
EMPTY = re.compile(rf"\s*(?:{_OPEN})\s*(?:{_CLOSE})\s*")
_IS_OPEN = re.compile(rf"(?:{_OPEN})\s*$")
_ENDS = re.compile(_CLOSE)
_STARTS = re.compile(_OPEN)
# What `template` adds to a chat template.
_ON = "{# s2h: thinking is on #}"
_SET = f"{{%- if {SWITCH} is not defined %}}{{%- set {SWITCH} = VALUE %}}{{%- endif %}}"
_END = "{%- if add_generation_prompt %}{{ '\\n</think>\\n\\n' }}{%- endif %}"
_ADDED = re.compile(
    "^"
    + re.escape(_ON)
    + "|"
    + re.escape(_SET).replace("VALUE", "(?:true|false)")
    + "|"
    + re.escape(_END)
    + "$"
)


def wanted(name: str, given: str | None = None) -> str:
    """Return one of CHOICES for a model by the user's name for it: the user's, else that of the run that the name is, else
    off. Raises ModelError."""
    from s2h.models import adapter  # here, because every --help imports this module

    if given is not None:
        return given
    own = (adapter.arguments_of(name) or {}).get("thinking", CHOICES[0])  # an older release wrote none
    if own not in CHOICES:
        raise ModelError(f"{name}: its args.json was changed: thinking is not one of {', '.join(CHOICES)}")
    return own


def template(processor: Any, value: str) -> Any:
    """Return the processor's chat template with a value of CHOICES. A template that opens a thought for every answer gets an
    empty one for off. A processor with several templates keeps them."""
    now = getattr(processor, "chat_template", None)
    if not isinstance(now, str):
        return now
    own = _ADDED.sub("", now)
    on = value == "on"
    if SWITCH in own:
        own = _SET.replace("VALUE", str(on).lower()) + own
    elif not on and _IS_OPEN.search(_prompt(processor, own)):
        own += _END
    return _ON + own if on else own


def is_on(processor: Any) -> bool:
    """Return whether `template` has switched thinking on."""
    now = getattr(processor, "chat_template", None)
    return isinstance(now, str) and now.startswith(_ON)


def is_set(template: str) -> bool:
    """Return whether `template` has changed a chat template."""
    return bool(_ADDED.search(template))


def has_mode(processor: Any) -> bool:
    """Return whether the chat template knows thoughts."""
    now = getattr(processor, "chat_template", None)
    return isinstance(now, str) and (SWITCH in now or any(mark in _ADDED.sub("", now) for mark in OPENS))


def _prompt(processor: Any, own: str) -> str:
    """Return a prompt by a chat template; "" if the template needs more than one question."""
    asked = [{"role": "user", "content": [{"type": "text", "text": "s2h"}]}]
    try:
        return processor.apply_chat_template(
            asked, chat_template=own, add_generation_prompt=True, tokenize=False
        )
    except Exception:  # the template reports any error
        return ""


def split(text: str) -> tuple[str | None, str]:
    """Return the thought of a reply, None if it has none, and its answer, "" if the reply ends within the thought."""
    ends = list(_ENDS.finditer(text))
    if ends:
        return text[: ends[-1].start()], text[ends[-1].end() :].strip()
    return (text, "") if _STARTS.search(text) else (None, text)


def lacks(prompt: str, answer: str) -> bool:
    """Return whether a prompt opens a thought that the answer doesn't have."""
    return bool(_IS_OPEN.search(prompt)) and split(answer)[0] is None


def answer_of(text: str) -> str:
    """Return the answer of a reply, without its thought."""
    return split(text)[1]


def spoken(text: str) -> str:
    """Return the part of an answer that is trained on and scored with thinking off. Raises ModelError if there is none."""
    thought, answer = split(text)
    if thought is not None and not answer:
        raise ModelError(
            "an answer has nothing after its <think> (correct it, or train on thoughts with --thinking on)"
        )
    return answer


def of_answers(value: str, some: int, count: int) -> str:
    """Return what a user should know about the thoughts of `count` answers, of which some have one; "" for nothing."""
    having = f"{some} of {count} answers {plural(some, 'has', 'have')} a thought (<think>)"
    if value == "off":
        return (
            f"{having}, which {plural(some, 'is', 'are')} not trained on (--thinking on does)" if some else ""
        )
    return f"{having}: the others teach to answer without one" if some < count else ""


def reply(processor: Any, prompt: str, ids: list[int]) -> str:
    """Return a reply with thinking on as text, its thought between <think> and </think> for any model. prompt: the text
    before, which may have opened the thought. Some models mark thoughts by tokens that are no text."""
    tokenizer = processor.tokenizer
    ends = {tokenizer.convert_tokens_to_ids(mark) for mark in CLOSES} - {None, tokenizer.unk_token_id}
    cut = max((at for at, token in enumerate(ids) if token in ends), default=None)
    if cut is not None:
        thought, answer = (
            tokenizer.decode(part, skip_special_tokens=True) for part in (ids[:cut], ids[cut + 1 :])
        )
        whole: str | None = thought
    else:
        whole, answer = split(tokenizer.decode(ids, skip_special_tokens=True))
        if whole is None and _IS_OPEN.search(prompt):
            whole, answer = answer, ""
        if whole is not None and not answer:  # the token limit has cut it
            return OPENS[0] + _STARTS.sub("", whole, count=1).strip()
    if whole is None:
        return answer.strip()
    return f"{OPENS[0]}{_STARTS.sub('', whole, count=1).strip()}{CLOSES[0]}{answer.strip()}"
