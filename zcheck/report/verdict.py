"""From findings to a status, and from a status to an exit code: two tables, never one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

from zcheck.check import Severity
from zcheck.report.structs import Finding

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


def impact(findings: Iterable[Finding], clients: tuple[str, ...], saving: Collection[str] = ()) -> str:
    """One line for whoever is woken at night: what users notice, worst cause first.

    It is told from the checks that found something, so it never says more than was seen.  ``saving``: the running
    clients that were seen to save; what their files name is another matter.
    """
    findings = list(findings)
    critical = [f for f in findings if f.suppressed_by is None and f.severity == "CRITICAL"]
    told: dict[str, str] = {}
    for cause in _IMPACTS:
        named = {name for finding in critical if finding.check in cause.checks for name in finding.clients}
        if cause.stops_saving:
            named -= set(saving)
        if named and cause.theme not in told:
            blamed = [name for name in clients if name in named]
            told[cause.theme] = cause.sentence.format(
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


class _Impact(NamedTuple):
    """What users notice, by the checks that tell of it; ``{clients}`` are those that the findings name."""

    theme: str
    checks: tuple[str, ...]
    sentence: str
    stops_saving: bool = False
    """It is not so for a client that was seen to save."""


# Of one theme the first that applies is told: what was seen to happen, rather than what the files let expect.
_IMPACTS = (
    _Impact(
        "save",
        ("zeo-server-answers", "zeo-commit-lock-is-free", "zeo-storage-exists"),
        "nobody can save through {clients}; pages come from caches",
        stops_saving=True,
    ),
    _Impact(
        "save",
        ("zeo-server-answers", "zeo-commit-lock-is-free", "zeo-storage-exists"),
        "as configured, nobody could save through {clients}",
    ),
    _Impact(
        "lose",
        ("zeo-server-writes-its-own-file",),
        "the next start of {clients}'s ZEO server loses what is saved now",
    ),
    _Impact("serve", ("client-port-answers", "client-serves-http"), "{serving} of {total} clients serve"),
    _Impact("hang", ("client-is-connected-to-zeo",), "{clients}: pages come from caches, saving hangs"),
    _Impact("refuse", ("client-accepts-writes",), "edits on {clients} are not saved"),
    _Impact(
        "split",
        ("edits-are-seen-everywhere",),
        "edits are not seen by all of {clients}: users would see different pages, and edits would vanish",
    ),
    _Impact(
        "split",
        ("every-database-is-one",),
        "{clients} are not on one database: users would see different pages, and edits would vanish",
    ),
    _Impact(
        "split",
        ("zeo-passes-writes-on",),
        "writes do not reach all of {clients}: users would see different pages, and edits would vanish",
    ),
    _Impact(
        "split",
        ("zeo-servers-agree", "storage-names-agree"),
        "as configured, {clients} are not on one database: users would see different pages, and edits would vanish",
    ),
    _Impact(
        "split",
        ("no-private-storage",),
        "as configured, a database of {clients} is shared with nobody: users would see different pages, and edits "
        "would vanish",
    ),
    _Impact(
        "missing",
        ("mount-points-agree", "database-names-agree", "root-mount-exists"),
        "parts of the site are missing on some of {clients}",
    ),
    _Impact(
        "blobs",
        ("blob-directories-are-one",),
        "images and files that are uploaded through some of {clients} are missing on the others",
    ),
    _Impact(
        "stale",
        ("no-torn-or-stale-reads",),
        "{clients}: pages can show what was replaced long ago, and be saved like that",
    ),
    _Impact(
        "overwrite",
        ("conflicts-are-detected",),
        "{clients}: who saves at the same time overwrites the other, unnoticed",
    ),
    _Impact("start", ("zope-conf-parses",), "{clients} would not start with the zope.conf on disk"),
)
