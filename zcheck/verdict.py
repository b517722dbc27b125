"""From findings to a status, and from a status to an exit code: two tables, never one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from zcheck.check import Severity
from zcheck.report import Finding

Status = Literal["OK", "WARNING", "UNKNOWN", "CRITICAL"]
FailOn = Literal["advice", "warning", "critical"]

# Nagios' own codes; no other code is ever returned.
EXIT_CODES: dict[Status, int] = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}
_MOST_NAMES, _FIRST_NAMES = 12, 6


def worst(findings: Iterable[Finding]) -> Severity:
    """The most important severity among the findings that are not suppressed."""
    live = (Severity[finding.severity] for finding in findings if finding.suppressed_by is None)
    return max(live, default=Severity.OK)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """In the order in which they are told: by importance, then what names most clients, then as in the catalogue."""
    return tuple(sorted(findings, key=lambda finding: (-Severity[finding.severity], -len(finding.clients))))


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


def impact(findings: Iterable[Finding], clients: tuple[str, ...]) -> str:
    """One line for whoever is woken at night: what users notice, worst cause first.

    It is told from the checks that found something, so it never says more than was seen.
    """
    findings = list(findings)
    critical = [f for f in findings if f.suppressed_by is None and f.severity == "CRITICAL"]
    told: dict[str, str] = {}
    for theme, checks, sentence in _IMPACTS:
        named = {name for finding in critical if finding.check in checks for name in finding.clients}
        if named and theme not in told:
            blamed = [name for name in clients if name in named]
            told[theme] = sentence.format(
                clients=_listed(blamed), serving=len(clients) - len(blamed), total=len(clients)
            )
    if told:
        return "; ".join(told.values())
    fallback = {
        "UNKNOWN": "whether these clients can be balanced is not known",
        "CRITICAL": "do not balance these clients yet",
    }
    return fallback.get(status(findings), "")


def _listed(names: Sequence[str]) -> str:
    """The names; of very many the first: the findings name all of them."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_FIRST_NAMES])} and {len(names) - _FIRST_NAMES} more"


# What users notice, by the checks that tell of it; {clients} are those that the findings name.  Of one theme the first
# that applies is told: what was seen to happen, rather than what the files let expect.
_IMPACTS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "save",
        ("zeo-server-answers", "zeo-commit-lock-is-free", "zeo-storage-exists"),
        "nobody can save through {clients}; pages come from caches",
    ),
    ("serve", ("client-port-answers", "client-serves-http"), "{serving} of {total} clients serve"),
    ("hang", ("client-is-connected-to-zeo",), "{clients}: pages come from caches, saving hangs"),
    ("refuse", ("client-accepts-writes",), "edits on {clients} are not saved"),
    (
        "split",
        ("edits-are-seen-everywhere",),
        "edits are not seen by all of {clients}: users would see different pages, and edits would vanish",
    ),
    (
        "split",
        ("zeo-passes-writes-on", "every-database-is-one"),
        "{clients} are not on one database: users would see different pages, and edits would vanish",
    ),
    (
        "split",
        ("zeo-servers-agree", "storage-names-agree"),
        "as configured, {clients} are not on one database: users would see different pages, and edits would vanish",
    ),
    (
        "split",
        ("no-private-storage",),
        "as configured, a database of {clients} is shared with nobody: users would see different pages, and edits "
        "would vanish",
    ),
    (
        "missing",
        ("mount-points-agree", "database-names-agree", "root-mount-exists"),
        "parts of the site are missing on some of {clients}",
    ),
    ("start", ("zope-conf-parses",), "{clients} would not start with the zope.conf on disk"),
)
