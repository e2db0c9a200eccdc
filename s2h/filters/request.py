"""Make the judges of a run from the options of s2h-filter: find the judgements that were asked for, check that the options
fit together, and build the judges in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from s2h import registry
from s2h.filters import Judge
from s2h.filters.judgement import Given, Judgement, Loading, ModelKind, Option, Text, Tools
from s2h.filters.scorers import KINDS

if TYPE_CHECKING:
    from s2h.filters.engine import Engine


@cache
def judgements() -> dict[str, Judgement]:
    """Return all judgements by name, in the order of --help and of the reasons."""
    found = registry.values("judgement")
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def score_names() -> tuple[str, ...]:
    """Return the names that --score accepts."""
    return tuple(one.short_name(name) for name, one in judgements().items() if one.alone)


def by_default() -> list[str]:
    """Return the names of the judgements that --annotate writes if no other is asked for."""
    return [name for name, one in judgements().items() if one.annotates and one.model is None]


def options() -> list[Option]:
    """Return every option of a judgement or of a kind of model."""
    owned = [option for one in judgements().values() for option in one.options]
    return [*owned, *(kind.option for kind in KINDS if kind.option is not None)]


def asked(given: Given) -> dict[str, Judgement]:
    """Return the judgements that a run needs, by name, in their order."""
    found = {name: one for name, one in judgements().items() if _is_asked(name, one, given)}
    if given.annotate and not found:
        return {name: judgements()[name] for name in by_default()}
    return found


def _is_asked(name: str, judgement: Judgement, given: Given) -> bool:
    if judgement.short_name(name) in given.scores:
        return True
    model = judgement.model.option if judgement.model else None
    if given.annotate and judgement.annotates and model is not None and given.has(model.key):
        return True
    return any(option.asks and given.has(option.key) for option in judgement.options)


def fault(given: Given) -> str:
    """Return a message about an option that would have no effect or that needs another one; "" if there is none."""
    chosen = asked(given)
    for kind in KINDS:
        if kind.option and given.has(kind.option.key) and not _needs(kind, chosen, given):
            users = _join([*_users(kind), "--score", "--annotate"], "or")
            return f"{kind.option.name} is for {users}."
    for name, judgement in judgements().items():
        unused = [o for o in judgement.options if not o.asks and o.speed is None and given.has(o.key)]
        if unused and name not in chosen:
            names = _join([o.name for o in judgement.options if not o.asks and o.speed is None], "and")
            verb = "is" if " " not in names else "are"
            return f"{names} {verb} for {_join([o.name for o in judgement.options if o.asks], 'or')}."
        if name in chosen and (message := judgement.check(given)):
            return message
    return ""


def _needs(kind: ModelKind, chosen: dict[str, Judgement], given: Given) -> bool:
    return any(
        judgement.model is kind or any(o.model is kind and given.has(o.key) for o in judgement.options)
        for judgement in chosen.values()
    )


def _users(kind: ModelKind) -> list[str]:
    """Return the options that a kind of model is for."""
    return [
        option.name
        for judgement in judgements().values()
        for option in judgement.options
        if (judgement.model is kind and option.asks) or option.model is kind
    ]


def _join(names: list[str], word: str) -> str:
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else names[0]


def judges(given: Given, tools: Tools) -> list[Judge]:
    """Return the judges of a run: the text measures, which are taken together, and then the others in their order. Raises
    RecordError, ModelError."""
    chosen = asked(given)
    made: list[Judge] = []
    texts = {}
    for name, judgement in chosen.items():
        if judgement.text is not None:
            option = judgement.options[0]
            band = judgement.text.bounds(given[option.key]) if given.has(option.key) else None
            texts[judgement.score_key(name)] = (judgement.text, band)
        elif judgement.build is not None:
            made.append(judgement.build(given, tools))
    if texts:
        from s2h.filters import text_measures

        return [*text_measures.judges(texts), *made]
    return made


def loaders(say: Callable[[str], None], how: Loading) -> dict[str, Callable[[str], Any]]:
    """Return for each kind of model the function by which `s2h.filters.engine.Engine` loads one. say: receives a message
    that names the loaded model, and a remark about it, if there is one."""

    def loader(kind: ModelKind) -> Callable[[str], Any]:
        def load(name: str) -> Any:
            say(f"{kind.message} {name}")
            model = kind.load(name, how)
            if kind.remark is not None and (remark := kind.remark(model)):
                say(remark)
            return model

        return load

    return {kind.name: loader(kind) for kind in KINDS}


def inputs(given: Given) -> Iterable[str]:
    """Yield the files, folders and models that the options name."""
    for option in options():
        if isinstance(option.value, Text) and option.value.is_read and given.has(option.key):
            value = given[option.key]
            yield from value if option.repeated else [value]


def attach(given: Given, engine: Engine) -> None:
    """Add the work of the models that a run needs to an engine, as every process of the run must."""
    for kind in {judgement.model for judgement in asked(given).values()}:
        if kind is not None and kind.attach is not None:
            kind.attach(engine)
