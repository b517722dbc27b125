"""The options that several commands share, what their values may be, and where values come from."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from zcheck.cli.output import FORMATS

UNKNOWN = 3
"""The exit code for wrong usage, unreadable input, an interrupted run, a closed pipe and a crash of our own."""


class Duration(click.ParamType[float]):
    """Seconds, or a number with ``s``, ``m`` or ``h``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
        seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is no duration; write seconds, or a number with s, m or h", param, ctx)
        return seconds


class Output(click.ParamType[tuple[str, str]]):
    """``FORMAT`` or ``FORMAT:PATH``."""

    name = "format[:path]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        form, _, path = str(value).partition(":")
        if form not in FORMATS:
            near = difflib.get_close_matches(form, FORMATS, 1)
            self.fail(
                f"there is no format {form!r}; formats are {', '.join(FORMATS)}"
                + (f"; did you mean {near[0]!r}?" if near else ""),
                param,
                ctx,
            )
        return form, path


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(name.strip() for name in str(value).split(",") if name.strip())


class Suggesting(click.Group):
    """A group that names the nearest command for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


INI = click.argument("ini", metavar="CLIENTS.INI", type=click.Path(dir_okay=False))


GATHERED = click.option(
    "--gathered",
    type=click.Path(),
    metavar="DIRECTORY",
    help="Take what zcheck gather --client printed on the clients' machines: one *.json a client.",
)


OUTPUT = click.option(
    "-o",
    "--output",
    type=Output(),
    multiple=True,
    metavar="FORMAT[:PATH]",
    help=f"{', '.join(FORMATS)}; without a path to stdout, alone. Repeatable.",
)


def run_options_with(
    *,
    timeout: str = "5",
    deadline: str = "60",
    deadline_is: str = "The whole run.",
    read_only: str = "Write nothing anywhere; less is proven.",
    proves: bool = False,
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The options of every command that runs a preflight; the environment's ZCHECK_NAME stands in for each.

    What differs between commands: the defaults of some, and what is said of them.  ``proves``: of a command that acts
    on the proof, which no option may make a part of.
    """
    partial = [
        click.option("--offline", is_flag=True, help="Judge the files alone: open no socket, look up no name."),
        click.option("--read-only", is_flag=True, help=read_only),
        click.option("--only", type=Names(), multiple=True, metavar="NAMES", help="Only these checks or stages."),
    ]
    options = [
        *(() if proves else partial),
        click.option("--skip", type=Names(), multiple=True, metavar="NAMES", help="Leave these out."),
        click.option(
            "--fail-on",
            type=click.Choice(["advice", "warning", "critical"]),
            default="warning",
            show_default=True,
            help="The mildest finding that makes the exit code other than 0.",
        ),
        click.option("--timeout", type=Duration(), default=timeout, show_default=True, help="One wait for a peer."),
        click.option("--deadline", type=Duration(), default=deadline, show_default=True, help=deadline_is),
        OUTPUT,
        GATHERED,
        click.option("--save-facts", metavar="PATH", help="Keep what was gathered in a file; no secret is in it."),
        click.option(
            "--max-rate",
            type=click.FloatRange(min=0.1),
            default=100.0,
            show_default=True,
            help="Writes a second at most; they hold a commit lock a tenth of the time at most.",
        ),
        click.option(
            "--pause-file", type=click.Path(), metavar="PATH", help="Begin no write while a file of this name exists."
        ),
        click.option("--no-state", is_flag=True, help="Keep neither journal nor last good facts in the state folder."),
        click.option("--timings", is_flag=True, help="Tell where the time went."),
        click.option("-v", "--verbose", is_flag=True, help="Tell each check."),
        click.option("-q", "--quiet", is_flag=True, help="Tell the verdict alone."),
    ]

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


run_options = run_options_with()
proving_options = run_options_with(proves=True)

WHOLE: Mapping[str, Any] = {"offline": False, "read_only": False, "only": ()}
"""The options that a command with :data:`proving_options` does not have: its run is never a part."""


def completed_options(
    ctx: click.Context,
    options: dict[str, Any],
    stated: dict[str, str],
    file: str,
    own: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Options with what ``ZCHECK_*`` and then clients.ini's ``[zcheck]`` say where the command line says nothing.

    ``own`` is what the command itself says: it wins over both.
    """
    completed = dict(options)
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name not in options or ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            continue
        if own and name in own:
            completed[name] = own[name]
            continue
        variable = f"ZCHECK_{name.upper()}"
        value, source = os.environ.get(variable), variable
        if value is None:
            value, source = stated.get(name.replace("_", "-")), f"{file}: [zcheck] {name.replace('_', '-')}"
        if value is not None:
            try:
                completed[name] = parameter.type_cast_value(ctx, value.split() if parameter.multiple else value)
            except click.BadParameter as error:
                raise click.ClickException(f"{source}: {error.message}") from None
    return completed


def is_stated(ctx: click.Context, name: str, stated: Mapping[str, str]) -> bool:
    """Whether an option's value is a wish of the user's: on the command line, in ``ZCHECK_*`` or in ``[zcheck]``."""
    return (
        ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
        or f"ZCHECK_{name.upper()}" in os.environ
        or name.replace("_", "-") in stated
    )


BALANCER = click.option("--balancer", metavar="NAME", help="Which [balancer:NAME], where there are several.")


MAX_AGE = click.option(
    "--max-age", type=Duration(), default="10m", show_default=True, help="How long a receipt is good."
)


USE_RECEIPT = click.option("--receipt", metavar="FILE", help="Trust this receipt, if it still holds, instead of a run.")


MIN_UP = click.option(
    "--min-up", type=click.IntRange(0), default=1, show_default=True, help="Servers that stay in rotation."
)
