"""The options of the commands that ask a model on an OpenAI-compatible server, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable

import click

CONCURRENCY, MOST = 32, 512


class Url(click.ParamType):
    """The address of a server, completed by /v1 if it has no path."""

    name = "URL"

    def convert(self, value, param, ctx):
        from s2h.models.server import checked

        try:
            return checked(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def options(models: str) -> tuple[Callable[[Callable], Callable], ...]:
    """Return --base-url and --concurrency. models: the options that name the server's model."""
    return (
        click.option(
            "--base-url", metavar="URL", type=Url(),
            help="OpenAI-compatible server that has the model (vLLM, SGLang, transformers serve, …), such as "
            f"http://localhost:8000. {models} is then the server's name for it. The key is read from OPENAI_API_KEY.",
        ),
        click.option(
            "--concurrency", metavar="N", type=click.IntRange(1, MOST), default=CONCURRENCY, show_default=True,
            help="Requests that a server gets at a time.",
        ),
    )  # fmt: skip


def arguments(base_url: str | None) -> dict[str, str]:
    """Return the argument of a run that asks a server, for its journal. Neither the address nor the concurrency is one: a
    run can be continued when its server is started again elsewhere."""
    return {"engine": "server"} if base_url else {}
