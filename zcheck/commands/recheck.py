"""Judge recorded histories: those of a file, and those of a run that has just ended."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Sequence

import msgspec

from zcheck import runner
from zcheck.checks import CATALOGUE
from zcheck.commands.preflight import Examination
from zcheck.consistency.judge.verdicts import with_verdicts
from zcheck.consistency.recording.format import Recorded
from zcheck.facts import Client, Facts, HostPort, IniSection, Inventory, LeftOut
from zcheck.facts.history import History, HttpHistories, ZeoHistories
from zcheck.facts.verdicts import IsolationVerdict, Verdicts
from zcheck.report import verdict
from zcheck.report.assemble import assemble
from zcheck.report.structs import Finding, Run, Topology

JUDGES = (
    "zeo-passes-writes-on",
    "edits-are-seen-everywhere",
    "no-torn-or-stale-reads",
    "conflicts-are-detected",
    "propagation-is-quick",
)
"""The checks that a history alone can be held against."""


def report(
    inventory: Inventory,
    histories: Sequence[History],
    *,
    command: str,
    run_id: str,
    fail_on: verdict.FailOn = "warning",
    faults: Iterable[str] = (),
    began: float | None = None,
    checks: Sequence[str] = JUDGES,
) -> Examination:
    """The report on these histories.  ``faults`` say why nothing of it may be called OK; ``began``: monotonic s."""
    faults = tuple(faults)
    facts = with_verdicts(_facts(inventory, histories))
    catalogue = [check for check in CATALOGUE if check.name in checks]
    judgement = runner.run(catalogue, facts, clock=time.perf_counter)
    findings = [_fault(inventory, fault) for fault in faults] or list(judgement.findings)
    judgement = msgspec.structs.replace(judgement, findings=tuple(findings))
    started = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    took = 0.0 if began is None else time.monotonic() - began
    told = assemble(
        facts, judgement, Run(id=run_id, command=command, started=started, duration_s=round(took, 3)), fail_on
    )
    if faults:
        told = msgspec.structs.replace(
            told, consistency=msgspec.structs.replace(told.consistency, held=None, judged=())
        )
    return Examination(told, facts)


def of_file(recorded: Recorded, path: str, fail_on: verdict.FailOn = "warning") -> Examination:
    """The report on a file's histories."""
    names = dict.fromkeys(state.client for history in recorded.histories for state in history.clients)
    names |= dict.fromkeys(op.session for history in recorded.histories for op in history.operations)
    clients = tuple(Client(name, HostPort(name, 1), IniSection(f"client:{name}", 1), name) for name in names)
    inventory = Inventory(file=path, name=recorded.origin.cluster, clients=clients)
    found = report(
        inventory,
        recorded.histories,
        command="recheck",
        run_id=recorded.origin.run_id,
        fail_on=fail_on,
        faults=recorded.faults,
    )
    # A history knows who took part, and nothing of their addresses.
    return Examination(msgspec.structs.replace(found.report, topology=Topology()), found.facts)


def summary(found: Examination, faults: Sequence[str] = ()) -> list[str]:
    """What each history showed, in a line or two; of one with ``faults`` nothing is said to hold, or not to."""
    if faults:
        return ["held: not known, since the history is not whole"]
    verdicts = found.facts.raw(Verdicts)
    if not isinstance(verdicts, Verdicts):
        return []
    return [line for history in histories(found) for line in _summary(history, verdicts.of(history))]


def histories(found: Examination) -> tuple[History, ...]:
    """What was recorded, over ZEO and through the running clients."""
    zeo, http = found.facts.raw(ZeoHistories), found.facts.raw(HttpHistories)
    return (
        *(zeo.histories if isinstance(zeo, ZeoHistories) else ()),
        *(http.histories if isinstance(http, HttpHistories) else ()),
    )


def _summary(history: History, found: IsolationVerdict) -> list[str]:
    held: str = found.held or ("not known" if found.result == "unknown" else "not even snapshot isolation")
    if history.stopped:
        held = f"not known, for {history.stopped}; until then: {found.held_until_then or 'nothing'}"
    reads = f"{found.fenced_reads} fenced reads"
    bound = (
        f"; a fault in one read of {found.fenced_reads // 3} would have shown (95 %)" if found.fenced_reads > 30 else ""
    )
    lines = [
        f"{history.level} {history.database}: {found.operations} operations, {found.transactions} judged, "
        f"{reads}{bound}; held: {held}"
    ]
    if found.serializable is not None:
        lines.append(f"  with readCurrent: {'serializable' if found.serializable else 'write skew'}")
    return lines


def _facts(inventory: Inventory, histories: Sequence[History]) -> Facts:
    facts = Facts().with_fact("", inventory)
    for kind, level in ((ZeoHistories, "zeo"), (HttpHistories, "http")):
        own = tuple(history for history in histories if history.level == level)
        facts = facts.with_fact("", kind(own) if own else LeftOut(f"there is no history of level {level}"), kind)
    return facts


def _fault(inventory: Inventory, fault: str) -> Finding:
    return Finding(
        check="no-torn-or-stale-reads",
        stage="consistency",
        severity="UNKNOWN",
        clients=inventory.client_names,
        message=f"{inventory.file} proves nothing: {fault}",
        hint="record it again: zcheck isolation CLIENTS.INI --history FILE",
    )
