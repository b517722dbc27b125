"""The report for Nagios, Icinga and their like: one line, performance data, then long text, worst first.

The form is the Monitoring Plugins' guidelines': ``|`` begins the performance data, so it never stands in the text.
"""

from __future__ import annotations

from collections import Counter

from zcheck.report.formats.text import clean
from zcheck.report.structs import Finding, Report

LIMIT = 1024
"""Bytes: what every Nagios reads of a plug-in's output."""


def render(report: Report, limit: int = LIMIT) -> str:
    """The first line with the performance data whole, then as many findings as fit into ``limit`` bytes."""
    live = [finding for finding in report.findings if finding.suppressed_by is None]
    perfdata = " | " + _perfdata(report, live)
    summary = _fit(_summary(report, live), limit - len(perfdata.encode()) - 1)
    text = summary + perfdata + "\n"
    for finding in live:
        line = _plain(f"{finding.severity}: {finding.check}: {finding.message}") + "\n"
        if len((text + line).encode()) > limit:
            break
        text += line
    return text


def unknown(why: str, seconds: float, deadline_s: float, limit: int = LIMIT) -> str:
    """The line of a run that came to no report at all."""
    perfdata = (
        f" | time={seconds:.1f}s;;{deadline_s:g};0 clients=U;;;0 pairs=U;;;0 zeo_pairs=U;;;0 lag_max=U;1;10;0"
        " critical=U warnings=U unknown=U\n"
    )
    return _fit(_plain(f"ZCHECK UNKNOWN - {why}"), limit - len(perfdata.encode())) + perfdata


def _summary(report: Report, live: list[Finding]) -> str:
    coverage = report.coverage
    head = f"ZCHECK {report.verdict.status} - {report.cluster.name}: "
    if live and report.verdict.status != "OK":
        return _plain(head + f"{live[0].check}: {live[0].message}")
    proven = f"{coverage.pairs_proven} of {coverage.pairs_total} pairs proven"
    if report.run.read_only:
        proven = f"{coverage.checks_run} of {coverage.checks_total} checks, nothing written"
    return _plain(head + f"{coverage.clients_seen} clients, {proven}")


def _perfdata(report: Report, live: list[Finding]) -> str:
    coverage, tried = report.coverage, {level.level for level in report.consistency.levels}
    lags = [pair.lag_ms for level in report.consistency.levels for pair in level.pairs if pair.lag_ms is not None]
    count = Counter(finding.severity for finding in live)
    return " ".join(
        [
            f"time={report.run.duration_s:.1f}s;;{report.run.deadline_s:g};0",
            f"clients={coverage.clients_seen};;;0",
            f"pairs={coverage.pairs_proven if 'http' in tried else 'U'};;;0",
            f"zeo_pairs={coverage.zeo_pairs_proven if 'zeo' in tried else 'U'};;;0",
            f"lag_max={f'{max(lags) / 1000:.3f}s' if lags else 'U'};1;10;0",
            f"critical={count['CRITICAL']}",
            f"warnings={count['WARNING']}",
            f"unknown={count['UNKNOWN']}",
        ]
    )


def _plain(text: str) -> str:
    return clean(text).replace("|", "/")


def _fit(text: str, size: int) -> str:
    """Cut at ``size`` bytes, never in the middle of a character."""
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= size else raw[: max(size - 3, 0)].decode("utf-8", "ignore") + "..."
