"""From findings to a status, and from a status to an exit code: two tables, never one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from zcheck.check import Severity
from zcheck.report import Finding

Status = Literal["OK", "WARNING", "UNKNOWN", "CRITICAL"]
FailOn = Literal["advice", "warning", "critical"]

# Nagios' own codes; no other code is ever returned.
EXIT_CODES: dict[Status, int] = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}


def worst(findings: Iterable[Finding]) -> Severity:
    """The most important severity among the findings that are not suppressed."""
    live = (Severity[finding.severity] for finding in findings if finding.suppressed_by is None)
    return max(live, default=Severity.OK)


def status(findings: Iterable[Finding]) -> Status:
    """The verdict; ADVICE is told and counts as OK."""
    table: dict[Severity, Status] = {
        Severity.OK: "OK",
        Severity.ADVICE: "OK",
        Severity.WARNING: "WARNING",
        Severity.UNKNOWN: "UNKNOWN",
        Severity.CRITICAL: "CRITICAL",
    }
    return table[worst(findings)]


def exit_code(findings: Iterable[Finding], fail_on: FailOn = "warning") -> int:
    """The process's exit code.

    ``fail_on`` moves nothing else: with ``critical`` a WARNING exits 0, with ``advice`` an ADVICE exits 1.
    """
    findings = list(findings)
    severity = worst(findings)
    if severity is Severity.ADVICE and fail_on == "advice":
        return EXIT_CODES["WARNING"]
    if severity is Severity.WARNING and fail_on == "critical":
        return EXIT_CODES["OK"]
    return EXIT_CODES[status(findings)]
