"""What zcheck knows and drafts without a cluster: the pages of the checks, a clients.ini, schema and completion."""

from __future__ import annotations

import difflib
import itertools
import textwrap
import time
from functools import partial

import click

from zcheck.cli.output import all_pages, echo, in_colours, say, terminal_width
from zcheck.cli.runs import load_facts


def _check_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from zcheck.checks import CATALOGUE

    return [check.name for check in CATALOGUE if check.name.startswith(incomplete)]


@click.command()
@click.argument("check", required=False, shell_complete=_check_names)
@click.option("--facts", metavar="PATH", help="Saved facts: tell how the check came out on that cluster, and why.")
@click.option("-v", "--verbose", is_flag=True, help="Also the examples by which the check is tested.")
@click.pass_context
def explain(ctx: click.Context, check: str | None, facts: str | None, verbose: bool) -> int:
    """Show a check's page; without a name, the catalogue by stage and by symptom.

    A symptom in quotes ("editors lose changes") shows the checks that find its cause.
    """
    from zcheck.checks import CATALOGUE
    from zcheck.cli.symptoms import nearest
    from zcheck.report.formats import page

    if check is None:
        width = terminal_width()
        say("\n".join([*_catalogue(width), "", *_by_symptom(width)]) + "\n")
        return 0
    known = {one.check: one for one in all_pages()}
    if check in known:
        report = None
        if facts is not None:
            from zcheck.commands import preflight as pipeline

            report = pipeline.judge_again(load_facts(facts), CATALOGUE, {}, now=time.time())
        say(page.render(known[check], report, colour=in_colours(), width=terminal_width(), examples=verbose))
        return 0
    near = difflib.get_close_matches(check, known, 1)
    symptom = nearest(check) if " " in check.strip() or not near else None
    if symptom is not None:
        found = [known[name] for name in symptom.checks if name in known]
        column = max(len(one.check) for one in found)
        titles = [_beside(f"  {one.check:<{column}}", one.title, terminal_width()) for one in found]
        say("\n".join([symptom.name, *itertools.chain(*titles)]) + "\n")
        return 0
    raise click.UsageError(f"there is no check {check!r}" + (f"; did you mean {near[0]!r}?" if near else ""), ctx)


def _catalogue(width: int | None) -> list[str]:
    from zcheck.check import STAGES

    pages = all_pages()
    column = max(len(one.check) for one in pages)
    lines = []
    for stage in STAGES:
        lines.append(stage)
        for one in pages:
            if one.stage == stage:
                lines += _beside(f"  {one.check:<{column}} {one.severity:<9}", one.title, width)
    return lines


def _beside(head: str, text: str, width: int | None) -> list[str]:
    """A text beside its head, wrapped at words; below it where the terminal leaves too little room."""
    if width is None:
        return [f"{head} {text}"]
    fill = partial(textwrap.wrap, width=width, break_on_hyphens=False, break_long_words=False)
    if width - len(head) < 30:
        above = fill(" ".join(head.split()), initial_indent="  ", subsequent_indent=" " * 4)
        return [*above, *fill(text, initial_indent=" " * 6, subsequent_indent=" " * 6)]
    return fill(text, initial_indent=f"{head} ", subsequent_indent=" " * (len(head) + 1))


def _by_symptom(width: int | None) -> list[str]:
    from zcheck.cli.symptoms import SYMPTOMS
    from zcheck.report.formats.text import wrapped

    known = {one.check for one in all_pages()}
    lines = ["by symptom"]
    for symptom in SYMPTOMS:
        lines.append(f"  {symptom.name}: {', '.join(name for name in symptom.checks if name in known)}")
    return lines if width is None else list(wrapped(lines, width))


@click.command()
@click.argument("files", nargs=-1, type=click.Path())
@click.option(
    "--ansible-inventory", metavar="FILE", help="An Ansible inventory, or what ansible-inventory --list prints."
)
@click.option("--ansible-group", metavar="NAME", help="The group of its hosts on which the clients run.")
def init(files: tuple[str, ...], ansible_inventory: str | None, ansible_group: str | None) -> int:
    """Draft a clients.ini from what a site has.

    FILES are zope.conf files (the ini beside each is found), folders, a buildout's too, an haproxy.cfg or pound.cfg, or
    compose files; without any, the current folder is searched.  What they do not tell is a comment in the draft.
    """
    from zcheck.commands import init as drafting

    try:
        echo(drafting.draft(files, ansible_inventory, ansible_group))
    except drafting.InitError as error:
        raise click.ClickException(str(error)) from None
    return 0


@click.command()
def schema() -> int:
    """Print the JSON Schema of the report."""
    from zcheck.report.formats import json

    say(json.schema())
    return 0


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the completion script for a shell: eval "$(zcheck completion bash)"."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    say(kind(ctx.find_root().command, {}, "zcheck", "_ZCHECK_COMPLETE").source() + "\n")
    return 0
