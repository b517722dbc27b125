"""What a run found broken is remembered, so that a later one which learns less does not call it well."""

from __future__ import annotations

import time
from collections.abc import Iterator

from zcheck.commands.preflight import Examination
from zcheck.facts import ControlPanel
from zcheck.report.structs import Report
from zcheck.system import state


def remember(examination: Examination, folder: str | None) -> None:
    """Keep which running clients were seen apart, and forget those that were seen to be together again.

    A process that is gone takes with it what was known of it.
    """
    if folder is None:
        return
    facts, ini = examination.facts, examination.facts.inventory.file
    panels = {name: facts.raw(ControlPanel, name) for name in facts.inventory.client_names}
    processes = {
        name: panel.process_id
        for name, panel in panels.items()
        if isinstance(panel, ControlPanel) and panel.process_id is not None
    }
    before = state.apart(folder, ini)
    together = set(_pairs(examination.report, seen=True)) - set(_pairs(examination.report, seen=False))
    kept = {
        (one.database, *sorted(one.processes)): one
        for one in before
        if (one.database, *sorted(one.processes)) not in together
        and all(processes.get(name, process) == process for name, process in one.processes.items())
    }
    for database, one, other in _lost(examination.report):
        if one in processes and other in processes:
            both = {name: processes[name] for name in (one, other)}
            kept[database, one, other] = state.Apart(database, both, time.time())
    if tuple(kept.values()) != before:
        state.keep_apart(folder, ini, tuple(kept.values()))


def _pairs(report: Report, *, seen: bool) -> Iterator[tuple[str, str, str]]:
    """The pairs through running clients that came out so, by database and both names in order."""
    for level in report.consistency.levels:
        if level.level == "http":
            for pair in level.pairs:
                if pair.seen is seen:
                    first, second = sorted((pair.writer, pair.reader))
                    yield level.database, first, second


def _lost(report: Report) -> Iterator[tuple[str, str, str]]:
    """Those that were not seen, where that is what the run reports of them: what is only late is not lost."""
    reported = [
        set(finding.clients)
        for finding in report.findings
        if finding.check == "edits-are-seen-everywhere" and finding.severity == "CRITICAL"
    ]
    for database, first, second in _pairs(report, seen=False):
        if any({first, second} <= clients for clients in reported):
            yield database, first, second
