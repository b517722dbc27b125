"""Which clients a run has verified, and why the others are not."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from zcheck.check import Severity
from zcheck.commands.preflight import Examination
from zcheck.report.structs import Finding
from zcheck.report.verdict import FailOn

# What is judged once for the whole cluster; a part of it would look wrong by being a part.
OF_THE_WHOLE = ("balancer", "inventory")


def failing(examination: Examination, fail_on: FailOn) -> list[Finding]:
    """The findings for which a run does not end with 0."""
    least = {"advice": Severity.ADVICE, "warning": Severity.WARNING, "critical": Severity.UNKNOWN}[fail_on]
    found = examination.report.findings
    return [one for one in found if one.suppressed_by is None and Severity[one.severity] >= least]


def about(findings: Sequence[Finding], clients: Collection[str]) -> list[Finding]:
    """Those that name one of these clients, or none at all."""
    return [finding for finding in findings if not finding.clients or set(finding.clients) & set(clients)]


def told(findings: Sequence[Finding]) -> str:
    first = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{first.severity.lower()}: {first.check}: {first.message}{more}"
