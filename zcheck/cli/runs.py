"""What the commands that run a preflight do alike: the inventory, the settings, the run, its facts as a file."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from zcheck import __version__
from zcheck.cli.output import complain, write_file

MOST_FACTS = 256 * 1024 * 1024
"""The largest file of saved facts that is read, in bytes."""


def keep_facts(found: Any, reasons: dict[str, str], options: Mapping[str, Any]) -> None:
    """Save a run's facts where the user wants them; those of a run that was OK are remembered as well."""
    from zcheck.system import state

    report = found.report
    if report.verdict.status == "OK" and not options["offline"] and not options["no_state"]:
        state.keep_good(state_folder(), report.cluster.file, dumped(found, reasons))
    if options["save_facts"]:
        save_facts(found, reasons, options["save_facts"])


def save_facts(found: Any, reasons: dict[str, str], path: str) -> None:
    """Put a run's facts into a file that only its owner can read: no secret is in it, but names and addresses are."""
    write_file(path, dumped(found, reasons), 0o600)


def dumped(found: Any, reasons: dict[str, str]) -> str:
    from zcheck.gather import saved

    return saved.dump(saved.Saved(found.report.run, reasons, found.facts), __version__)


def load_facts(path: str) -> Any:
    """The saved facts of a file."""
    from zcheck.gather import saved
    from zcheck.probes import files

    try:
        return saved.load(files.read_text(path, MOST_FACTS))
    except files.CannotRead as error:
        raise click.ClickException(str(error)) from None
    except saved.CannotRead as error:
        raise click.ClickException(f"{path}: {error}") from None


def why_left_out(
    ctx: click.Context, options: Mapping[str, Any], inventory: Any, command: str = "", without: Sequence[str] = ()
) -> dict[str, str]:
    """Why each check that these options do not want, or that the command leaves out, is left out, by name."""
    from zcheck.checks import CATALOGUE
    from zcheck.commands import preflight as pipeline

    try:
        return pipeline.left_out(
            CATALOGUE,
            [name for names in options["only"] for name in names],
            [name for names in options["skip"] for name in names],
            offline=options["offline"],
            read_only=options["read_only"],
            credentials=inventory.credentials is not None,
            without=without,
            command=command,
        )
    except pipeline.UnknownCheck as error:
        raise click.UsageError(str(error), ctx) from None


def read_inventory(ini: str) -> tuple[Any, Any]:
    """The inventory, and the password or why there is none."""
    from zcheck.checks import CATALOGUE
    from zcheck.parsers import clients_ini
    from zcheck.probes import files
    from zcheck.runner import cannot_be_suppressed

    try:
        text = files.read_text(ini)
        found = clients_ini.parse(text, ini, [check.name for check in CATALOGUE])
    except (files.CannotRead, clients_ini.InventoryError) as error:
        raise click.ClickException(str(error)) from None
    for suppression in found.suppressions:
        if any(check.name == suppression.check and cannot_be_suppressed(check) for check in CATALOGUE):
            line = suppression.section.line_of("check")
            what = f"{suppression.check} cannot be suppressed: it tells that edits are lost"
            raise click.ClickException(f"{ini}:{line}: {what}; remove [suppress:{suppression.name}]")
    return found, files.password(found, text, os.environ)


def state_folder() -> str:
    base = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return str(Path(base) / "zcheck")


SEES_ROTATION = {"preflight": False, "monitor": True, "haproxy verify": True}
"""The runs that look at what the balancer does now, and whether they judge it; what opens servers does not."""


def examine(
    ctx: click.Context,
    command: str,
    options: Mapping[str, Any],
    inventory: Any,
    secret: Any,
    *,
    without: Sequence[str] = (),
    may_ask_servers: bool = True,
    limit_s: float | None = None,
) -> tuple[Any, dict[str, str]]:
    """One whole run by these options, and why each check that it left out was.

    ``without``: checks that this command leaves out.  ``may_ask_servers``: as in the run's settings.  ``limit_s``: give
    up after so many seconds, whatever hangs; only for a run that writes nothing, for nothing is cleaned up then.
    """
    from zcheck.checks import CATALOGUE
    from zcheck.cli.terminal import LiveLines
    from zcheck.commands import known
    from zcheck.commands import preflight as pipeline
    from zcheck.gather.settings import Settings
    from zcheck.system.threads import within

    if command not in SEES_ROTATION:
        without = (*without, "servers-are-open")
    reasons = why_left_out(ctx, options, inventory, command, without)
    folder = None if options["no_state"] else state_folder()
    if folder is not None and options.get("verbose") and not options["offline"]:
        _tell_what_is_not_kept(folder)
    settings = Settings(
        run_id=secrets.token_hex(6),
        offline=options["offline"],
        read_only=options["read_only"],
        timeout_s=options["timeout"],
        deadline_s=options["deadline"],
        state_folder=folder,
        may_ask_servers=may_ask_servers,
        judges_rotation=SEES_ROTATION.get(command, False),
        max_rate=options["max_rate"],
        pause_file=options["pause_file"],
        isolation=options.get("isolation"),
        **({"gathered": brought_facts(inventory, options["gathered"])} if options.get("gathered") else {}),
    )
    with LiveLines(inventory.client_names, quiet=options["quiet"]) as lines:
        work = partial(
            pipeline.examine,
            inventory,
            CATALOGUE,
            settings,
            command=command,
            reasons=reasons,
            secret=secret,
            fail_on=options["fail_on"],
            progress=lines,
            timings=options["timings"],
            startup_s=time.perf_counter() - ctx.obj,
        )
        try:
            found = work() if limit_s is None else within(limit_s, work)
        except TimeoutError:
            raise click.ClickException(f"no answer within {limit_s:g} s: zcheck itself hangs") from None
    known.remember(found, None if options["offline"] else folder)
    return found, reasons


def _tell_what_is_not_kept(folder: str) -> None:
    """That the state folder cannot be written is no error, and worth knowing for who asks for everything."""
    from zcheck.system import state

    reason = state.why_not_kept(folder)
    if reason:
        complain(
            f"zcheck: {folder}: {reason}: no journal is kept for zcheck leftovers, no facts for zcheck diff, and a"
            " client that hangs is asked again; XDG_STATE_HOME names another place"
        )


def brought_facts(inventory: Any, folder: str) -> Any:
    """What was gathered on the clients' own machines; what is there and does not count is told on stderr."""
    from zcheck.gather import brought, saved

    try:
        found = brought.read(folder, inventory)
    except saved.CannotRead as error:
        raise click.ClickException(str(error)) from None
    for remark in found.remarks:
        complain(f"zcheck: {remark}")
    return found.facts


def told_in_advance(
    inventory: Any, secret: Any, options: Mapping[str, Any], reasons: Mapping[str, str], **more: Any
) -> str:
    """What a run by these options would read, contact and write; ``more`` is what its kind adds."""
    from zcheck.checks import CATALOGUE
    from zcheck.commands import plan
    from zcheck.gather.kinds import wanted_kinds

    return plan.tell(
        inventory,
        wanted_kinds(check for check in CATALOGUE if check.name not in reasons),
        timeout_s=options["timeout"],
        deadline_s=options["deadline"],
        offline=options["offline"],
        read_only=options["read_only"],
        secret=secret,
        state_folder=None if options["no_state"] else state_folder(),
        **more,
    )


def examiner(ctx: click.Context, command: str, options: Mapping[str, Any], secret: Any) -> Callable[..., Any]:
    """A function that runs a whole preflight of an inventory, without the checks of some names."""

    def examined(inventory: Any, without: Sequence[str]) -> Any:
        found, reasons = examine(ctx, command, options, inventory, secret, without=without)
        if options["save_facts"]:
            save_facts(found, reasons, options["save_facts"])
        return found

    return examined
