"""From clients.ini to a report: choose the checks, gather their facts, judge them, count what was proven."""

from __future__ import annotations

import datetime
import difflib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from zcheck import runner
from zcheck.check import STAGES, Check
from zcheck.consistency.judge.verdicts import with_verdicts
from zcheck.facts import Facts, Inventory, NotGathered
from zcheck.gather.collect import collect
from zcheck.gather.kinds import WRITES, wanted_kinds
from zcheck.gather.run import Progress
from zcheck.gather.saved import Saved
from zcheck.gather.settings import Settings
from zcheck.report import verdict
from zcheck.report.ages import aged
from zcheck.report.assemble import assemble
from zcheck.report.structs import (
    Report,
    Run,
    Timing,
)

# Judged from files alone; the balancer stage leaves out by itself what needs a peer.
OFFLINE_STAGES = frozenset({"inventory", "config", "balancer"})


class UnknownCheck(ValueError):
    """``--only`` or ``--skip`` names neither a check nor a stage; the message suggests the nearest."""


def left_out(
    catalogue: Sequence[Check],
    only: Collection[str],
    skip: Collection[str],
    *,
    offline: bool,
    read_only: bool,
    credentials: bool = True,
    without: Collection[str] = (),
    command: str = "",
) -> dict[str, str]:
    """Why each check that is not wanted is left out, by name.  Raises :exc:`UnknownCheck`.

    ``without``: the checks and stages that ``command`` leaves out, whatever the user wants.

    Who gives no ``credentials`` and skips the proof through the running clients by name wants no edit tried either.
    """
    known = {*STAGES, *(check.name for check in catalogue)}
    for name in (*only, *skip, *without):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise UnknownCheck(
                f"there is no check or stage {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    reasons = {}
    for check in catalogue:
        if only and not {check.name, check.stage} & set(only):
            reasons[check.name] = "not asked for by --only"
        elif {check.name, check.stage} & set(skip):
            reasons[check.name] = "left out by --skip"
        elif {check.name, check.stage} & set(without):
            reasons[check.name] = f"not part of zcheck {command}"
        elif offline and check.stage not in OFFLINE_STAGES:
            reasons[check.name] = "left out by --offline"
        elif read_only and set(check.needs) & set(WRITES):
            reasons[check.name] = "left out by --read-only"
        elif (
            not credentials
            and check.name == "client-accepts-writes"
            and "edits-are-seen-everywhere" in {*skip, *without}
        ):
            reasons[check.name] = "clients.ini gives no user and password-file"
    return reasons


class Examination(msgspec.Struct, frozen=True):
    """A run's report, and the facts that it was made of."""

    report: Report
    facts: Facts


def run(inventory: Inventory, catalogue: Sequence[Check], settings: Settings, **how: Any) -> Report:
    """The report of :func:`examine`."""
    return examine(inventory, catalogue, settings, **how).report


def examine(
    inventory: Inventory,
    catalogue: Sequence[Check],
    settings: Settings,
    *,
    command: str,
    reasons: Mapping[str, str],
    secret: str | NotGathered,
    fail_on: verdict.FailOn = "warning",
    progress: Progress = lambda client, what: None,
    timings: bool = False,
    startup_s: float = 0.0,
) -> Examination:
    """One whole run.  ``startup_s``: seconds that had passed before this was called, for the timings."""
    started = datetime.datetime.now(datetime.timezone.utc)
    begun = time.perf_counter()
    settings = msgspec.structs.replace(settings, today=started.date().isoformat())
    wanted = wanted_kinds(check for check in catalogue if check.name not in reasons)
    gathered = collect(inventory, settings, wanted, secret, progress)
    facts = gathered.facts
    judged_from = time.perf_counter()
    judgement = runner.run(catalogue, facts, left_out=reasons, today=settings.today, clock=time.perf_counter)
    ended = time.perf_counter()
    spent = [("start-up", startup_s), *gathered.timings, ("judge", ended - judged_from)]
    report = assemble(
        facts,
        judgement,
        Run(
            id=settings.run_id,
            command=command,
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            duration_s=round(ended - begun + startup_s, 3),
            offline=settings.offline,
            read_only=settings.read_only,
            deadline_s=settings.deadline_s,
        ),
        fail_on,
        [Timing(what, round(seconds, 4)) for what, seconds in spent] if timings else [],
        left_out=reasons,
    )
    return Examination(report, facts)


def judge_again(
    saved: Saved,
    catalogue: Sequence[Check],
    reasons: Mapping[str, str],
    *,
    command: str = "",
    fail_on: verdict.FailOn = "warning",
    now: float | None = None,
) -> Report:
    """The report of saved facts, as of the day on which they were gathered.  No I/O.

    ``reasons``: the checks that are left out now, beside those that were left out then.  ``now``, in seconds since the
    epoch, is what their age is counted to; without it nothing is said of that.
    """
    reasons = {**saved.left_out, **reasons}
    facts = with_verdicts(saved.facts)
    judgement = runner.run(catalogue, facts, left_out=reasons, today=saved.run.started[:10])
    run = msgspec.structs.replace(saved.run, command=command or saved.run.command)
    return assemble(facts, judgement, run if now is None else aged(run, now), fail_on, left_out=reasons)
