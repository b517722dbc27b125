"""The report as a file for the textfile collector of Prometheus' node exporter: gauges in seconds, no timestamps.

Every series has the label ``cluster``: the collector refuses the same series from two files.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from zcheck.report.formats.text import clean
from zcheck.report.structs import Report

STATUS = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}
OUTCOMES = {"pass": 0, "problem": 1, "unknown": 2, "suppressed": 3, "skipped": 4}


def render(report: Report) -> str:
    """The exposition, in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(report))
    return generate_latest(registry).decode("utf-8")


class _Collector:
    """What prometheus-client asks for its metrics."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def collect(self) -> Iterator[Any]:
        report, coverage = self.report, self.report.coverage
        live = [finding for finding in report.findings if finding.suppressed_by is None]
        count = Counter(finding.severity for finding in live)
        yield self._gauge(
            "status", "The verdict: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.", STATUS[report.verdict.status]
        )
        yield self._gauges(
            "findings",
            "Findings that are not suppressed.",
            [({"severity": name.lower()}, count[name]) for name in ("CRITICAL", "UNKNOWN", "WARNING", "ADVICE")],
        )
        yield self._gauges(
            "finding_info",
            "A finding that is not suppressed; always 1.",
            [
                (
                    {"check": one.check, "severity": one.severity.lower(), "fingerprint": one.fingerprint},
                    1,
                )
                for one in live
            ],
        )
        yield self._gauges(
            "check_outcome",
            "How a check came out: 0 pass, 1 problem, 2 unknown, 3 suppressed, 4 skipped.",
            [({"check": result.check}, OUTCOMES[result.outcome]) for result in report.checks],
        )
        yield self._gauge(
            "pairs_proven", "Pairs of running clients of which one served what the other saved.", coverage.pairs_proven
        )
        yield self._gauge(
            "zeo_pairs_proven", "The same over ZEO, by the clients' configuration.", coverage.zeo_pairs_proven
        )
        yield self._lags()
        yield self._gauge("duration_seconds", "How long the run took.", report.run.duration_s)
        yield self._gauge(
            "last_run_timestamp_seconds", "When the run ended, in seconds since the epoch.", _ended(report)
        )

    def _lags(self) -> Any:
        from prometheus_client.core import Metric

        levels = self.report.consistency.levels
        lags = sorted(
            round(pair.lag_ms / 1000, 6)
            for level in levels
            if level.level == "http"
            for pair in level.pairs
            if pair.lag_ms is not None
        )
        metric = Metric("zcheck_lag_seconds", "From saving through one client to another's showing it.", "summary")
        for quantile in (0.5, 0.9, 1.0) if lags else ():
            value = lags[min(int(quantile * len(lags)), len(lags) - 1)]
            metric.add_sample("zcheck_lag_seconds", {**self._label, "quantile": f"{quantile:g}"}, value)
        metric.add_sample("zcheck_lag_seconds_count", self._label, len(lags))
        metric.add_sample("zcheck_lag_seconds_sum", self._label, round(sum(lags), 6))
        return metric

    @property
    def _label(self) -> dict[str, str]:
        return {"cluster": clean(self.report.cluster.name)}

    def _gauge(self, name: str, documentation: str, value: float) -> Any:
        return self._gauges(name, documentation, [({}, value)])

    def _gauges(self, name: str, documentation: str, samples: Iterable[tuple[dict[str, str], float]]) -> Any:
        from prometheus_client.core import Metric

        metric = Metric(f"zcheck_{name}", documentation, "gauge")
        for labels, value in samples:
            metric.add_sample(f"zcheck_{name}", {**self._label, **labels}, value)
        return metric


def _ended(report: Report) -> float:
    begun = datetime.datetime.fromisoformat(report.run.started.replace("Z", "+00:00"))
    return round(begun.timestamp() + report.run.duration_s, 3)
