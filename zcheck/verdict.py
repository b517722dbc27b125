"""From findings to a status, and from a status to an exit code: two tables, never one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from zcheck.check import Severity
from zcheck.report import Finding, Judgement

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


def impact(judgement: Judgement, clients: tuple[str, ...]) -> str:
    """One line for whoever is woken at night: what users notice, worst cause first.

    It is told from the checks that found something, so it never says more than was seen.
    """
    found: dict[str, list[Finding]] = {}
    for finding in judgement.findings:
        if finding.suppressed_by is None and finding.severity == "CRITICAL":
            found.setdefault(finding.check, []).append(finding)
    told = [sentence for checks, tell in _IMPACTS if (sentence := _tell(checks, tell, found, clients))]
    if told:
        return "; ".join(told)
    state = status(judgement.findings)
    if state == "UNKNOWN":
        return "whether these clients can be balanced is not known"
    if state == "CRITICAL":
        return "do not balance these clients yet"
    return ""


def _tell(checks: tuple[str, ...], tell: str, found: dict[str, list[Finding]], clients: tuple[str, ...]) -> str:
    named = {name for check in checks for finding in found.get(check, ()) for name in finding.clients}
    if not named:
        return ""
    blamed = [name for name in clients if name in named]
    return tell.format(clients=", ".join(blamed), serving=len(clients) - len(blamed), total=len(clients))


# What users notice, by the checks that tell of it; {clients} are those that the findings name.
_IMPACTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("zeo-server-answers", "zeo-commit-lock-is-free", "zeo-storage-exists"),
        "nobody can save through {clients}; pages come from caches",
    ),
    (("client-port-answers", "client-serves-http"), "{serving} of {total} clients serve"),
    (("client-is-connected-to-zeo",), "{clients}: pages come from caches, saving hangs"),
    (("client-accepts-writes",), "edits on {clients} are not saved"),
    (
        ("edits-are-seen-everywhere", "zeo-passes-writes-on", "every-database-is-one"),
        "edits are not seen by all of {clients}: users would see different pages, edits would vanish",
    ),
    (
        ("zeo-servers-agree", "storage-names-agree", "no-private-storage"),
        "as configured, {clients} do not share one database: users would see different pages, edits would vanish",
    ),
    (
        ("mount-points-agree", "database-names-agree", "root-mount-exists"),
        "parts of the site are missing on some of {clients}",
    ),
    (("zope-conf-parses",), "{clients} would not start with the zope.conf on disk"),
)
