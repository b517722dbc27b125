"""The balancer: HAProxy, the gate, receipts, and what other balancers read."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any

import click

from zcheck.cli.options import (
    BALANCER,
    INI,
    MAX_AGE,
    MIN_UP,
    UNKNOWN,
    USE_RECEIPT,
    WHOLE,
    Duration,
    Names,
    Suggesting,
    completed_options,
    proving_options,
    run_options,
)
from zcheck.cli.output import complain, deliver, echo, is_incomplete, say, terminal_width
from zcheck.cli.runs import examiner, read_inventory, state_folder, why_left_out
from zcheck.system.signals import interruptible


def _gated(command: Callable[..., int]) -> Callable[..., int]:
    """Tell why the gate could not work; nothing was changed then, and the exit code is 3."""

    @functools.wraps(command)
    def guarded(*arguments: Any, **options: Any) -> int:
        from zcheck.commands import receipt
        from zcheck.commands.haproxy import gate
        from zcheck.commands.haproxy.render import CannotRender
        from zcheck.probes.haproxy_socket import Trouble

        try:
            return command(*arguments, **options)
        except (gate.CannotGate, Trouble, CannotRender, receipt.NoReceipt) as error:
            raise click.ClickException(str(error)) from None

    return guarded


def _must_prove(ctx: click.Context, options: dict[str, Any], inventory: Any, without: tuple[str, ...] = ()) -> None:
    """What opens servers does so by a whole run, or not at all; ``without``: what else is left out of it."""
    from zcheck.checks import CATALOGUE
    from zcheck.runner import is_indispensable

    for name in WHOLE:
        option = name.replace("_", "-")
        wished = os.environ.get(f"ZCHECK_{name.upper()}") or inventory.options.get(option)
        if wished and wished.lower() not in ("0", "no", "false", "off"):
            raise click.UsageError(f"{option} = {wished} proves too little to open a server by", ctx)
    reasons = why_left_out(ctx, options, inventory, without=without)
    missed = [check.name for check in CATALOGUE if check.name in reasons and is_indispensable(check)]
    if missed:
        raise click.UsageError(f"without {missed[0]} too little is proven to open a server by", ctx)


def _gate(inventory: Any, options: dict[str, Any], **settings: Any) -> Any:
    from zcheck.commands.haproxy import gate

    section = gate.choose(inventory, options["balancer"])
    folder = None if options.get("no_state") else state_folder()
    own = gate.Settings(timeout_s=options["timeout"], **settings)
    return gate.Gate(inventory, section, own, complain, folder)


def _told(outcome: Any, options: dict[str, Any]) -> int:
    """The report where there is one to tell, and what is open now."""
    if outcome.examination is not None and (outcome.code or options["output"]):
        from zcheck.report.assemble import with_code

        deliver(with_code(outcome.examination.report, outcome.code), options)
    elif not options["quiet"]:
        for what, names in (("opened", outcome.opened), ("closed", outcome.closed)):
            if names:
                echo(f"{what}: {', '.join(names)}")
        if not outcome.opened and not outcome.closed:
            echo("nothing was changed")
    return int(outcome.code)


def _of_receipt(inventory: Any, secret: Any, path: str, options: dict[str, Any], *, live: bool = True) -> Any:
    """The receipt, when it still holds for this inventory; refused with every reason where it does not."""
    from zcheck.commands import receipt

    found = receipt.read(path)
    judged = _judged_receipt(found, inventory, secret, options, live=live)
    if os.path.realpath(inventory.file) != found.ini:
        raise receipt.NoReceipt(f"{path}: is of another clients.ini")
    if judged.outcome != "good":
        raise receipt.NoReceipt(f"{path}: does not hold: {'; '.join(judged.reasons)}")
    return found


def _judged_receipt(found: Any, inventory: Any, secret: Any, options: dict[str, Any], *, live: bool) -> Any:
    from zcheck.commands import receipt
    from zcheck.facts import ControlPanel, WsgiConf, ZopeConf
    from zcheck.gather.collect import collect
    from zcheck.gather.kinds import with_what_they_need
    from zcheck.gather.settings import Settings

    settings = Settings(run_id="receipt", timeout_s=options.get("timeout", 5.0), deadline_s=30.0)
    # Files on the clients' own machines are read again there; those of this machine need no more than their hash.
    wanted = ({ControlPanel} if live else set()) | ({ZopeConf, WsgiConf} if found.readings else set())
    facts = collect(inventory, settings, with_what_they_need(wanted), secret).facts if wanted else None
    return receipt.judge(found, max_age_s=options["max_age"], facts=facts, processes=live, with_balancer=live)


@click.group("haproxy", cls=Suggesting)
def haproxy() -> None:
    """HAProxy in front of the clients: render its configuration, and open what was verified."""


@haproxy.command("render")
@INI
@BALANCER
@click.option("--receipt", metavar="FILE", help="Servers that this receipt covers start open.")
@MAX_AGE
@click.option(
    "--format", "form", type=click.Choice(["haproxy", "buildout"]), default="haproxy", show_default=True, help="What."
)
@_gated
def haproxy_render(ini: str, **options: Any) -> int:
    """Print a haproxy.cfg for the cluster; servers that no fresh receipt covers are disabled.

    With --format buildout the parts of a buildout that make it.  Reads files alone.
    """
    from zcheck.commands import export
    from zcheck.commands.haproxy import gate, render
    from zcheck.facts import BalancerSection, IniSection

    inventory, secret = read_inventory(ini)
    if inventory.balancers or options["balancer"]:
        section = gate.choose(inventory, options["balancer"])
    else:
        section = BalancerSection("front", IniSection("balancer:front", 1), {"type": "haproxy"})
    verified: Any = ()
    if options["receipt"]:
        verified = _of_receipt(inventory, secret, options["receipt"], options, live=False).clients
    threads = export.threads_of(_files_alone(inventory))
    written = render.buildout if options["form"] == "buildout" else render.haproxy_cfg
    echo(written(inventory, gate.for_haproxy(section), threads, verified).removesuffix("\n"))
    return 0


def _files_alone(inventory: Any) -> Any:
    """The facts that the clients' files tell."""
    from zcheck.facts import NotGathered, WsgiConf
    from zcheck.gather.collect import collect
    from zcheck.gather.kinds import with_what_they_need
    from zcheck.gather.settings import Settings

    settings = Settings(run_id="files", offline=True)
    wanted = with_what_they_need({WsgiConf})
    return collect(inventory, settings, wanted, NotGathered("not asked for")).facts


@haproxy.command("verify")
@INI
@BALANCER
@run_options
@click.pass_context
@_gated
def haproxy_verify(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Judge the balancer: its files, its health check, and what runs now against clients.ini.

    Changes nothing.  Tells whether enable would work: the socket's rights, and enough health checks.  Whether the
    clients behind it are one site is another question, which preflight answers, and enable before it opens anything.
    """
    from zcheck.commands.haproxy import status
    from zcheck.facts import Balancers

    inventory, secret = read_inventory(ini)
    options = completed_options(ctx, options, inventory.options, inventory.file)
    options["only"] = (*options["only"], ("balancer",))
    door = _gate(inventory, options)
    with interruptible():
        examination = examiner(ctx, "haproxy verify", options, secret)(inventory, ())
        read = examination.facts.raw(Balancers)
        wrong = list(status.wrongs(door, read.confs.get(door.section.name) if isinstance(read, Balancers) else None))
    deliver(examination.report, options)
    for line in wrong:
        complain(line)
    code = examination.report.verdict.exit_code
    return 2 if wrong else int(code)


@haproxy.command("status")
@INI
@BALANCER
@click.option("--watch", is_flag=True, help="Show it again and again, until Ctrl-C.")
@click.option("--interval", type=Duration(), default="2", show_default=True, help="Between two looks.")
@click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for HAProxy.")
@_gated
def haproxy_status(ini: str, **options: Any) -> int:
    """Show every server: open or closed, its health, users, queue, errors, and when it was verified.

    Exit code 1 where no server is in rotation, as servers-are-open says; a stricter look is haproxy verify.
    """
    inventory, _ = read_inventory(ini)
    door = _gate(inventory, options)
    while True:
        text, findings = _table(door), _rotation(door)
        if options["watch"] and terminal_width() is not None:
            click.clear()
        echo(text)
        for finding in findings:
            complain(f"{finding.severity.lower()}: {finding.check}: {finding.message}")
        if not options["watch"] or is_incomplete():
            return 1 if any(finding.severity == "WARNING" for finding in findings) else 0
        time.sleep(options["interval"])


def _rotation(door: Any) -> Any:
    """What is to be said of how many servers are in rotation."""
    from zcheck.commands.haproxy import status

    return status.judged(door, door.states())


def _table(door: Any) -> str:
    """The servers in columns."""
    from zcheck.commands.haproxy import status
    from zcheck.report.ages import spoken

    lines: list[tuple[str, ...]] = [
        ("server", "client", "state", "health", "for", "sessions", "queue", "total", "errors", "verified", "")
    ]
    for row in status.rows(door):
        verified = f"{spoken(time.time() - row.opened_at)} ago" if row.opened_at is not None else "-"
        figures = (row.sessions, row.queued, row.total, row.errors)
        known = (row.server, row.client or "-", row.state, row.health, spoken(row.since_s))
        lines.append((*known, *map(str, figures), verified, row.note))
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


@haproxy.command("enable")
@INI
@click.argument("clients", nargs=-1)
@BALANCER
@USE_RECEIPT
@MAX_AGE
@click.option("--close-failed", is_flag=True, help="Close open servers whose clients failed, but never below --min-up.")
@MIN_UP
@click.option("--admit-timeout", type=Duration(), default="60", show_default=True, help="For a server's health checks.")
@proving_options
@click.pass_context
@_gated
def haproxy_enable(ctx: click.Context, /, ini: str, clients: tuple[str, ...], **options: Any) -> int:
    """Open the servers of these clients (of all that are balanced), after a preflight has proven them.

    What is open is left as it is, whatever is found, but with --close-failed.  Where something is open, a client that
    disagrees with it is refused; where nothing is, one finding about a client to be opened opens none.
    """
    from zcheck.commands.haproxy import enable

    inventory, secret = read_inventory(ini)
    options = {**WHOLE, **completed_options(ctx, options, inventory.options, inventory.file)}
    _must_prove(ctx, options, inventory)
    settings = {"min_up": options["min_up"], "fail_on": options["fail_on"], "admit_s": options["admit_timeout"]}
    door = _gate(inventory, options, **settings)
    with interruptible(), door.alone():
        verified = None
        if options["receipt"]:
            verified = _of_receipt(inventory, secret, options["receipt"], options).clients
        examine = examiner(ctx, "haproxy enable", options, secret)
        outcome = enable.enable(door, clients, examine, secret, verified=verified, close_failed=options["close_failed"])
    return _told(outcome, options)


@haproxy.command("drain")
@INI
@click.argument("client")
@BALANCER
@MIN_UP
@click.option("--drain-timeout", type=Duration(), default="30", show_default=True, help="For users to leave.")
@click.option("--finish-timeout", type=Duration(), default="5m", show_default=True, help="For requests to end.")
@click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for HAProxy.")
@_gated
def haproxy_drain(ini: str, client: str, **options: Any) -> int:
    """Take a client's server out of rotation: no new users, then none, and wait until its requests have ended."""
    from zcheck.commands.haproxy import drain

    inventory, _ = read_inventory(ini)
    waits = {"drain_s": options["drain_timeout"], "finish_s": options["finish_timeout"]}
    door = _gate(inventory, options, min_up=options["min_up"], **waits)
    with interruptible(), door.alone():
        outcome = drain.drain(door, client)
    for name in outcome.closed:
        echo(f"closed: {name}")
    return int(outcome.code)


@click.command("rolling-restart")
@INI
@click.argument("clients", nargs=-1)
@click.option(
    "--command",
    required=True,
    metavar="COMMAND",
    help="What restarts a client; {client}, {machine}, {server} and {address} are filled in. No shell is used.",
)
@click.option("--warm-up", multiple=True, metavar="PATH", help="Ask this of a client before it is opened. Repeatable.")
@click.option(
    "--changing", type=Names(), default="", metavar="NAMES", help="Checks that may fail until all are restarted."
)
@BALANCER
@MIN_UP
@click.option("--admit-timeout", type=Duration(), default="60", show_default=True, help="For a server's health checks.")
@click.option("--drain-timeout", type=Duration(), default="30", show_default=True, help="For users to leave.")
@click.option("--finish-timeout", type=Duration(), default="5m", show_default=True, help="For requests to end.")
@click.option("--start-timeout", type=Duration(), default="2m", show_default=True, help="For a client to come back.")
@proving_options
@click.pass_context
@_gated
def rolling_restart(ctx: click.Context, /, ini: str, clients: tuple[str, ...], **options: Any) -> int:
    """Restart one client after the other behind the balancer; no request is lost.

    Each is taken out, restarted, verified, warmed up and put in again, never with fewer than --min-up others in
    rotation.  It ends at the first that does not come back verified, and leaves that one closed.
    """
    from zcheck.commands.haproxy import restart

    inventory, secret = read_inventory(ini)
    options = {**WHOLE, **completed_options(ctx, options, inventory.options, inventory.file)}
    _must_prove(ctx, options, inventory, options["changing"])
    door = _gate(
        inventory,
        options,
        min_up=options["min_up"],
        fail_on=options["fail_on"],
        admit_s=options["admit_timeout"],
        drain_s=options["drain_timeout"],
        finish_s=options["finish_timeout"],
        start_s=options["start_timeout"],
    )
    # That a conf was edited since a client started is a reason to restart it, and not one against it.
    changing = (*options["changing"], "client-restarted-since-edit")
    how = restart.Restart(options["command"], options["warm_up"], changing)
    with interruptible(), door.alone():
        outcome = restart.rolling_restart(door, clients, examiner(ctx, "rolling-restart", options, secret), how, secret)
    return _told(outcome, options)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))
@MAX_AGE
@click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for a peer.")
@_gated
def receipt(file: str, **options: Any) -> int:
    """Tell whether an earlier OK still holds: nothing has changed, the processes are the same, and it is fresh.

    Exit code 0: it does; 2: it does not; 3: it cannot be told.
    """
    from zcheck.commands import receipt as receipts
    from zcheck.report.ages import spoken

    found = receipts.read(file)
    age = spoken(time.time() - found.made_at)
    told = f"{found.cluster}: {len(found.clients)} clients, verified {age} ago"
    unchanged = receipts.judge(found, max_age_s=options["max_age"], facts=None)
    if unchanged.outcome == "good":
        inventory, secret = read_inventory(found.ini)
        unchanged = _judged_receipt(found, inventory, secret, options, live=True)
    for reason in unchanged.reasons:
        echo(reason)
    verdict = {"good": "OK", "bad": "CRITICAL", "unknown": "UNKNOWN"}[unchanged.outcome]
    echo(f"{verdict}: {told}{'' if unchanged.outcome == 'good' else '; it does not hold any more'}")
    return {"good": 0, "bad": 2, "unknown": UNKNOWN}[unchanged.outcome]


@click.command("export")
@INI
@click.option("--format", "form", type=click.Choice(["json", "hosts"]), default="json", show_default=True, help="How.")
@USE_RECEIPT
@MAX_AGE
@proving_options
@click.pass_context
@_gated
def export_command(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Print the verified clients for another balancer: JSON, or one HOST:PORT a line.

    Exit code 0 when there is one at least, else 3; who was left out, and why, is told on stderr.
    """
    from zcheck.commands import export
    from zcheck.commands.haproxy.verified import failing

    inventory, secret = read_inventory(ini)
    options = {**WHOLE, **completed_options(ctx, options, inventory.options, inventory.file)}
    _must_prove(ctx, options, inventory)
    if options["receipt"]:
        verified = _of_receipt(inventory, secret, options["receipt"], options).clients
        found = export.export(inventory, (), export.threads_of(_files_alone(inventory)), verified)
    else:
        with interruptible():
            examination = examiner(ctx, "export", options, secret)(inventory, ("balancer",))
        findings = failing(examination, options["fail_on"])
        found = export.export(inventory, findings, export.threads_of(examination.facts), report=examination.report)
    for name, why in found.left_out.items():
        complain(f"{name}: left out: {why}")
    say(export.text(found, options["form"]))
    return 0 if found.clients else UNKNOWN
