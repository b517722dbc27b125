"""What was gathered, as a file: of a whole cluster, of one client on its own machine; what changed between two."""

from __future__ import annotations

import time
from typing import Any

import click

from zcheck import __version__
from zcheck.cli.options import GATHERED, Duration, completed_options
from zcheck.cli.output import complain, echo, say
from zcheck.cli.runs import dumped, examine, load_facts, read_inventory, state_folder
from zcheck.system.signals import interruptible


@click.command()
@click.argument("ini", metavar="CLIENTS.INI", required=False, type=click.Path(dir_okay=False))
@click.option("--client", metavar="NAME", help="This client alone, as the machine sees it on which this runs.")
@click.option("--show-script", is_flag=True, help="Print the script that is run on the clients' machines, and end.")
@click.option(
    "--answer",
    "answers",
    type=click.Path(dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="With --client: what the script printed, where something else has run it. Once for each of its two questions.",
)
@click.option("--offline", is_flag=True, help="Read the files alone: open no socket, look up no name.")
@click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for a peer.")
@click.option("--deadline", type=Duration(), default="60", show_default=True, help="The whole run.")
@GATHERED
@click.pass_context
def gather(ctx: click.Context, /, ini: str | None, **options: Any) -> int:
    """Print facts as JSON: of the whole cluster, judging and writing nothing; or of one client, on its own machine.

    What --client prints is for "zcheck preflight --gathered DIRECTORY" elsewhere: one file NAME.json a client.  No
    secret is in it.  With --show-script and --client the script is printed with its request: run it there by whatever
    means, give what it printed as --answer, and its second question the same way.
    """
    if ini is None and options["show_script"]:
        from zcheck.probes.remote.call import script_text

        say(script_text())
        return 0
    if ini is None:
        raise click.MissingParameter(ctx=ctx, param=ctx.command.params[0])
    inventory, secret = read_inventory(ini)
    options = completed_options(ctx, options, inventory.options, inventory.file)
    if options["client"] is not None:
        return _gather_client(ctx, inventory, options)
    if options["answers"] or options["show_script"]:
        raise click.UsageError("--answer, and --show-script with CLIENTS.INI, need --client", ctx)
    whole = {"only": (), "skip": (), "read_only": True, "no_state": True, "max_rate": 100.0, "pause_file": None}
    run = {**whole, "fail_on": "warning", "timings": False, "quiet": False, **options}
    with interruptible():
        found, reasons = examine(ctx, "gather", run, inventory, secret)
    say(dumped(found, reasons))
    return 0


def _gather_client(ctx: click.Context, inventory: Any, options: dict[str, Any]) -> int:
    from zcheck.gather import brought
    from zcheck.gather import saved as savedfacts
    from zcheck.probes import files
    from zcheck.probes.remote import call

    name = options["client"]
    if name not in inventory.client_names:
        raise click.UsageError(f"{inventory.file} has no client {name!r}", ctx)
    try:
        with interruptible():
            found = brought.of_client(
                inventory,
                inventory.client(name),
                answers=[files.read_text(path, call.MAX_ANSWER) for path in options["answers"]],
                show=options["show_script"],
                timeout_s=options["timeout"],
            )
    except brought.Shown as script:
        say(str(script))
        return 0
    except files.CannotRead as error:
        raise click.ClickException(str(error)) from None
    except savedfacts.CannotRead as error:
        raise click.ClickException(f"{name}: {error}") from None
    if options["show_script"]:
        say("pass  # zcheck has no other question\n")
        return 0
    say(savedfacts.dump_gathered(found, __version__))
    return 0


@click.command()
@click.argument("files", metavar="[BEFORE] FACTS", nargs=-1, required=True)
@click.pass_context
def diff(ctx: click.Context, files: tuple[str, ...]) -> int:
    """Tell what changed between two files of saved facts: conf lines, addresses, versions, processes, findings.

    With one file: since the last run of that cluster that was OK; where the file is older, from it to that run.  Exit
    code 0: nothing changed, 1: something did.
    """
    from zcheck.checks import CATALOGUE
    from zcheck.commands import preflight as pipeline
    from zcheck.commands.diff import differences
    from zcheck.report.ages import age_note

    if len(files) > 2:
        raise click.UsageError("give one or two files of saved facts", ctx)
    new = load_facts(files[-1])
    old = load_facts(files[0] if len(files) == 2 else _last_good(new.facts.inventory.file))
    if old.run.started > new.run.started:
        old, new = _in_order(old, new, files)
    reports = [pipeline.judge_again(saved, CATALOGUE, {}, now=time.time()) for saved in (old, new)]
    changes = differences(old.facts, new.facts, *reports)
    echo("\n".join(map(str, changes)) if changes else f"nothing changed since {old.run.started}")
    if note := age_note(reports[1].run):
        echo(f"note: newer run: {note}")
    return 1 if changes else 0


def _in_order(old: Any, new: Any, files: tuple[str, ...]) -> tuple[Any, Any]:
    """The older one first, unless it was given as the second; said on stderr either way."""
    if len(files) == 2:
        complain(f"zcheck: {files[1]} ({new.run.started}) is older than {files[0]} ({old.run.started})")
        return old, new
    complain(
        f"zcheck: {files[0]} ({new.run.started}) is older than the last run that was OK ({old.run.started}): what"
        " changed since is told"
    )
    return new, old


def _last_good(ini: str) -> str:
    from zcheck.system import state

    kept = state.good(state_folder(), ini)
    if kept is None:
        raise click.ClickException(f"no run of {ini} that was OK is remembered; give two files of saved facts")
    return kept
