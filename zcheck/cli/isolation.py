"""The longer test of isolation, and the verdict on a history that it kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zcheck.cli.options import INI, UNKNOWN, Duration, Names, Output, completed_options, is_stated, run_options_with
from zcheck.cli.output import FORMATS, deliver, echo, echo_wrapped, keep_unwritten
from zcheck.cli.runs import examiner, read_inventory, told_in_advance, why_left_out
from zcheck.system.signals import interruptible


@click.command()
@INI
@click.option("--duration", type=Duration(), default="30s", show_default=True, help="Of each level and database.")
@click.option("--workloads", type=Names(), metavar="NAMES", help="Only these, with commas; all of them by default.")
@click.option("--seed", type=click.IntRange(min=0), help="Replay the schedule of this seed; a new one by default.")
@click.option(
    "--rate", type=click.FloatRange(min=0.1), default=20.0, show_default=True, help="Commits a second over ZEO."
)
@click.option(
    "--history", type=click.Path(dir_okay=False), help="Write the history here while it is made, for zcheck recheck."
)
@click.option(
    "--level", type=click.Choice(["zeo", "http", "both"]), default="both", show_default=True, help="Through what."
)
@click.option(
    "--plan", "only_plan", is_flag=True, help="Tell what would be read, contacted and written; touch nothing."
)
@run_options_with(deadline_is="Beyond the durations, each of which may take twice as long.")
@click.pass_context
def isolation(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Find out what isolation the cluster guarantees, and whether it held: the longer test.

    Writes unreachable objects over ZEO, and one folder through the running clients, and removes them.  The report is
    preflight's; its last lines tell what was read and which level held.  One that takes more than a minute is judged
    while it goes on, and tells the verdict so far on stderr.  Ctrl-C ends it with a report on what was done.
    """
    from zcheck.commands import isolation
    from zcheck.commands import recheck as rechecking
    from zcheck.consistency.recording import writer

    inventory, secret = read_inventory(ini)
    options = completed_options(ctx, options, inventory.options, inventory.file)
    try:
        plan = isolation.plan(
            options["workloads"] or (),
            options["level"],
            options["duration"],
            options["seed"],
            _absolute(options["history"]),
        )
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from None
    longest_s = 2 * options["duration"] * (1 + (options["level"] == "both"))
    # Who names a rate and no ceiling wants that rate; a ceiling that is named is never passed.
    ceiling = options["max_rate"] if is_stated(ctx, "max_rate", inventory.options) else options["rate"]
    rate = min(options["rate"], ceiling)
    options = {**options, "deadline": options["deadline"] + longest_s, "max_rate": rate}
    if options["only_plan"]:
        echo_wrapped(_told_plan(ctx, options, inventory, secret, plan))
        return 0
    try:
        if plan.history:
            writer.begin(plan.history)
    except OSError as error:
        raise click.ClickException(f"{options['history']}: cannot be written: {error.strerror}") from None
    with interruptible():
        run = examiner(ctx, "isolation", {**options, "isolation": plan}, secret)
        found = run(inventory, isolation.left_out(plan))
    try:
        isolation.finish(found, plan)
    except OSError as error:
        keep_unwritten(options["history"], error)
    deliver(found.report, options)
    if not options["quiet"] and all(path for _, path in options["output"]):
        echo("\n".join([*rechecking.summary(found), f"seed {plan.seed}"]))
    return int(found.report.verdict.exit_code)


def _told_plan(ctx: click.Context, options: dict[str, Any], inventory: Any, secret: Any, chosen: Any) -> str:
    from zcheck.commands import isolation

    reasons = why_left_out(ctx, options, inventory, "isolation", isolation.left_out(chosen))
    return told_in_advance(inventory, secret, options, reasons, isolation=chosen, max_rate=options["max_rate"])


def _absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).absolute())


@click.command()
@click.argument("history", metavar="HISTORY", type=click.Path(dir_okay=False))
@click.option(
    "--fail-on",
    type=click.Choice(["advice", "warning", "critical"]),
    default="warning",
    show_default=True,
    help="The mildest finding that makes the exit code other than 0.",
)
@click.option("-o", "--output", type=Output(), multiple=True, metavar="FORMAT[:PATH]", help=", ".join(FORMATS))
@click.option(
    "--elle",
    type=click.Choice(["rw-register", "list-append"]),
    help="Print the histories as EDN, which elle-cli reads, for this model, and judge nothing.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell each check.")
@click.option("-q", "--quiet", is_flag=True, help="Tell the verdict alone.")
def recheck(history: str, **options: Any) -> int:
    """Judge a saved history again.

    HISTORY is what "zcheck isolation --history" wrote.  One that was cut or edited is UNKNOWN, whatever it says.
    """
    from zcheck.commands import recheck as rechecking
    from zcheck.consistency.judge import elle
    from zcheck.consistency.recording import format

    try:
        recorded = format.loads(Path(history).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, format.NoHistory) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise click.ClickException(f"{history}: cannot be judged: {reason}") from None
    if options["elle"]:
        for one in recorded.histories:
            echo(elle.export(one, options["elle"]).removesuffix("\n"))
        return UNKNOWN if recorded.faults else 0
    found = rechecking.of_file(recorded, history, options["fail_on"])
    deliver(found.report, options)
    if not options["quiet"] and not options["output"]:
        echo("\n".join(rechecking.summary(found, recorded.faults)))
    return int(found.report.verdict.exit_code)
