"""The commands around a preflight: the run itself, for monitors, what it would do, on a demo, what it left."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import click

from zcheck.cli.options import INI, OUTPUT, Duration, completed_options, run_options, run_options_with
from zcheck.cli.output import complain, deliver, echo, echo_wrapped, say, where_it_failed
from zcheck.cli.runs import (
    brought_facts,
    examine,
    keep_facts,
    load_facts,
    read_inventory,
    state_folder,
    told_in_advance,
    why_left_out,
)
from zcheck.system.signals import interruptible


@click.command()
@click.argument("ini", metavar="CLIENTS.INI", required=False, type=click.Path(dir_okay=False))
@run_options
@click.option("--receipt", metavar="PATH", help="Write down what was verified, when the exit code is 0.")
@click.option("--facts", metavar="PATH", help="Judge saved facts: nothing is read or contacted, CLIENTS.INI neither.")
@click.pass_context
def preflight(ctx: click.Context, /, ini: str | None, **options: Any) -> int:
    """Verify the cluster: the gate before balancing.

    Runs all stages.  Writes test markers that nothing links to, and one folder named zcheck-RUN through the running
    clients, and removes them; see "zcheck plan".
    """
    facts = options.pop("facts") or os.environ.get("ZCHECK_FACTS")
    if facts is not None:
        return _judge_again(ctx, facts, options)
    if ini is None:
        raise click.MissingParameter(ctx=ctx, param=ctx.command.params[0])
    return _preflight(ctx, "preflight", ini, options)


MONITOR: dict[str, Any] = {"read_only": True, "deadline": 8.0, "timeout": 2.5, "output": (("nagios", ""),)}
"""What a monitor wants where its command line says nothing else."""


GRACE_S = 0.5
"""How long after its deadline a monitor's answer is still waited for."""


@click.command()
@INI
@run_options_with(timeout="2.5", deadline="8", read_only="It writes nothing in any case.")
@click.pass_context
def monitor(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """The same for Nagios and its like: writes nothing, answers in one line within 8 s.

    Short for preflight with --read-only, --output nagios, --deadline 8 and --timeout 2.5; one of the last three that is
    given on the command line wins; neither the environment nor [zcheck] of clients.ini changes them.
    Every running client is asked once for the transactions that its ZEO server lists; not with --no-state.
    """
    from zcheck.report.formats import nagios

    try:
        return _preflight(ctx, "monitor", ini, options, MONITOR)
    except Exception as error:
        # A monitor shows what is on stdout and nothing else; what happened is told on stderr as well.
        why = (
            error.format_message()
            if isinstance(error, click.ClickException)
            else f"internal error: {where_it_failed(error)}"
        )
        say(nagios.unknown(why, time.perf_counter() - ctx.obj, options["deadline"]))
        raise


def _preflight(
    ctx: click.Context, command: str, ini: str, options: dict[str, Any], own: Mapping[str, Any] | None = None
) -> int:
    """One run; ``own``: what this command takes where the command line says nothing, whatever else says."""
    inventory, secret = read_inventory(ini)
    options = completed_options(ctx, options, inventory.options, inventory.file, own or {})
    stdout = [form for form, path in options["output"] if not path]
    if len(stdout) > 1:
        raise click.UsageError(f"only one format can go to stdout, not {' and '.join(stdout)}", ctx)
    if options.get("receipt"):
        _may_be_certified(ctx, options)
    with interruptible():
        found, reasons = examine(
            ctx,
            command,
            options,
            inventory,
            secret,
            may_ask_servers=command != "monitor" or not options["no_state"],
            # Nothing is to be cleaned up after a run that writes nothing: it may be left alone in whatever it hangs.
            limit_s=options["deadline"] + GRACE_S if options["read_only"] and own else None,
        )
    keep_facts(found, reasons, options)
    deliver(found.report, options, "nagios" if own else "text")
    if options.get("receipt") and not found.report.verdict.exit_code:
        _write_receipt(found, options["receipt"])
    return int(found.report.verdict.exit_code)


def _may_be_certified(ctx: click.Context, options: dict[str, Any]) -> None:
    """Refuse at once what would end without a receipt."""
    for name in ("offline", "read_only"):
        if options[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} proves too little for a receipt", ctx)


def _write_receipt(examination: Any, path: str) -> None:
    from zcheck.commands import receipt

    try:
        receipt.write(receipt.make(examination.report, examination.facts), path)
    except receipt.NoReceipt as error:
        raise click.ClickException(f"{path}: not written: {error}") from None
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from None


def _judge_again(ctx: click.Context, path: str, options: dict[str, Any]) -> int:
    """The verdict on saved facts, as of the day on which they were gathered."""
    from zcheck.checks import CATALOGUE
    from zcheck.commands import preflight as pipeline

    saved = load_facts(path)
    inventory = saved.facts.inventory
    # Of what clients.ini said, only what moves the exit code still applies: no file is to be written again.
    stated = {name: value for name, value in inventory.options.items() if name == "fail-on"}
    options = completed_options(ctx, options, stated, path)
    # Offline or read-only is what the run was; what it left out for that is told by its own file.
    reasons = why_left_out(ctx, {**options, "offline": False, "read_only": False}, inventory)
    report = pipeline.judge_again(saved, CATALOGUE, reasons, fail_on=options["fail_on"], now=time.time())
    deliver(report, options)
    return int(report.verdict.exit_code)


@click.command()
@INI
@run_options
@click.pass_context
def plan(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Tell what preflight with these options would read, contact and write, and touch nothing."""
    inventory, secret = read_inventory(ini)
    options = completed_options(ctx, options, inventory.options, inventory.file)
    brought = {"gathered": brought_facts(inventory, options["gathered"])} if options["gathered"] else {}
    reasons = why_left_out(ctx, options, inventory)
    echo_wrapped(told_in_advance(inventory, secret, options, reasons, **brought))
    return 0


@click.command()
@click.option("--keep", is_flag=True, help="Leave the cluster running and tell how to go on by hand.")
@click.option("--clients", type=click.IntRange(2, 20), default=3, show_default=True, help="How many Zope clients.")
@click.option(
    "--fault",
    type=click.Choice(["copy", "copy-hidden", "mount", "storage", "down"]),
    help="Break the cluster first, and see what zcheck says.",
)
@OUTPUT
@click.pass_context
def demo(ctx: click.Context, keep: bool, clients: int, fault: str | None, output: tuple[tuple[str, str], ...]) -> int:
    """Start a real ZEO server and real Zope clients on loopback, and run preflight on them."""
    from zcheck.commands import demo as demonstration

    forms = [word for form, path in output for word in ("--output", f"{form}:{path}" if path else form)]
    # What programs read stands alone on stdout.
    tell = complain if any(not path and form != "text" for form, path in output) else echo

    def verify(path: str) -> int:
        with preflight.make_context("zcheck preflight", [*forms, path], obj=time.perf_counter()) as context:
            return int(preflight.invoke(context))

    with interruptible():
        return demonstration.run_demo(keep=keep, clients=clients, fault=fault, preflight=verify, say=tell)


@click.command()
@INI
@click.option("--remove", is_flag=True, help="Remove what is found, and what no run under way may be using.")
@click.option("--force", is_flag=True, help="With --remove: also what was written a moment ago.")
@click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for a peer.")
@click.option("--deadline", type=Duration(), default="60", show_default=True, help="The whole search.")
@click.option("--since", type=Duration(), default="168h", show_default=True, help="How far back storages are searched.")
@click.pass_context
def leftovers(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Find what a killed run left in the cluster.

    Exit code 0: nothing, 1: something; with --remove 0: nothing is left on any client, 2: something still is.
    """
    from zcheck.commands import leftovers as remains

    inventory, secret = read_inventory(ini)
    options = completed_options(ctx, options, inventory.options, inventory.file)
    try:
        with interruptible():
            outcome = remains.look(
                inventory,
                secret,
                timeout_s=options["timeout"],
                deadline_s=options["deadline"],
                since_s=options["since"],
                remove=options["remove"],
                force=options["force"],
                state_folder=state_folder(),
            )
    except remains.UnderWay as error:
        raise click.ClickException(str(error)) from None
    echo(outcome.text)
    return outcome.exit_code
