"""The options of s2h-train: how an option is declared whose default comes from the recipe, the model or the resumed run, and
the parsed values."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from s2h.models import names
from s2h.train.arguments import Arguments, Settings, read_losses

PRESET = ("rank", "batch_size", "step", "dtype")  # arguments whose defaults differ among models' presets


def argument(flags: str, name: str, *, help: str, default: str = "", **more: Any) -> Callable:
    """Return an option for an argument of the run. name: in `Arguments` (or `step`). If the user does not give it, its value
    comes from the recipe, the model or the resumed run, else from the default, which the help shows. default: other words
    for that default."""
    shown = default or _default(name, flags)
    return click.option(
        flags, name, help=f"{help}  [default: {shown}]" if shown else help, default=None, **more
    )


def setting(flags: str, name: str, *, help: str, **more: Any) -> Callable:
    """Return an option for a setting. name: in `Settings`, which has the default."""
    default = getattr(Settings(), name)
    shown = isinstance(default, int) and not isinstance(default, bool)
    return click.option(flags, name, help=help, default=default, show_default=shown, **more)


def _default(name: str, flags: str) -> str:
    """Return the default of an argument, with the models whose preset has another; "" if it has none."""
    plain = names.Preset()
    if name in PRESET:
        value = getattr(plain, name)
        others = {model: getattr(preset, name) for model, preset in names.PRESETS.items()}
        return ", ".join(
            [str(value), *(f"{model} {other}" for model, other in others.items() if other != value)]
        )
    value = getattr(Arguments(""), name)
    if isinstance(value, bool):
        return flags.rpartition("--")[2]  # of --pack/--no-pack
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-")
    return value if isinstance(value, str) else ""


def read_weights(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> str | None:
    """Return the losses of a command line as `Arguments` has them; None if none is given."""
    if not given:
        return None
    text = ",".join(given)
    try:
        read_losses(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
    return text


@dataclass(frozen=True)
class Asked:
    """The command line. given: the options for `Arguments` that the user gave, by name. output: the run folder, "" for a
    default one."""

    files: tuple[str, ...]
    val: tuple[str, ...]
    given: dict[str, Any]
    settings: Settings
    output: str
    seed: int
    processes: int

    @property
    def folder(self) -> str:
        """The run folder. Raises click.UsageError if neither it nor a model is named."""
        if self.output:
            return self.output
        if "model" not in self.given:
            raise click.UsageError("--model NAME is needed (or -o RUN with --resume or --merge).")
        return f"runs/{os.path.basename(os.path.normpath(self.given['model']))}-seed{self.seed}"

    def arguments(self, earlier: dict[str, Any]) -> Arguments:
        """Return the arguments of the run. earlier: what the args.json of a resumed run holds."""
        from s2h.train import arguments

        given = arguments.again(earlier, self.given) if earlier else self.given
        if "model" not in given:
            raise click.UsageError(f"--model NAME is needed: {self.folder} holds no run yet.")
        return arguments.fill(given, processes=self.processes)
