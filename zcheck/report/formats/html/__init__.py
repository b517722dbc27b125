"""The report as one page that needs nothing from elsewhere: readable on a phone, printable, dark and light.

Everything that came from a file or a peer is escaped by jinja2, and a policy in the page forbids any script or style
but the two that are part of it, which are named by their digests.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from typing import TYPE_CHECKING, Any

from zcheck.report.ages import age_note
from zcheck.report.formats.html import drawing, lagchart, matrix, timeline
from zcheck.report.formats.text import clean, last_line, not_proven, tested, where
from zcheck.report.structs import Finding, Judged, Page, Report

if TYPE_CHECKING:
    from jinja2 import Environment

_WORDS = {"CRITICAL": "do not balance", "WARNING": "works today", "UNKNOWN": "not known", "OK": "can be balanced"}
_UNPROVEN = {**_WORDS, "WARNING": "something will bite", "OK": "nothing wrong was seen"}

_LEVELS = {
    "snapshot-isolation": "each transaction reads one moment, and no update is lost",
    "strong-session-si": "each transaction reads one moment, no update is lost, and no client goes back in time",
    "strong-si": "each transaction reads one moment, no update is lost, and whoever asks sees every edit made before",
}
"""What a level of isolation means to people."""
_FEWEST_READS = 30


def render(report: Report, pages: tuple[Page, ...] = ()) -> str:
    """The whole page."""
    from markupsafe import Markup

    environment = _environment()
    loader = environment.loader
    assert loader is not None
    style, script = (loader.get_source(environment, name)[0].strip() for name in ("page.css", "page.js"))
    text: str = environment.get_template("page.html").render(
        report=report,
        word=_word(report),
        tested=tested,
        summary=last_line(report),
        aged=age_note(report.run),
        tried={level.level for level in report.consistency.levels},
        judged=[_judged(one) for one in report.consistency.judged],
        unproven=_unproven(report),
        unproven_line="".join(not_proven(report.checks)),
        findings=[_finding(finding, report.cluster.clients) for finding in report.findings],
        drawing=drawing.draw(report),
        matrices=[matrix.draw(level, report.cluster.clients) for level in report.consistency.levels],
        shades=_shades(),
        charts=[lagchart.draw(lags) for lags in report.consistency.lags],
        timelines=[timeline.draw(anomaly, report.cluster.clients) for anomaly in report.consistency.anomalies],
        pages={page.check: page for page in pages},
        style=Markup(style),
        script=Markup(script),
        policy="; ".join(
            [
                "default-src 'none'",
                f"style-src 'sha256-{_digest(style)}'",
                f"script-src 'sha256-{_digest(script)}'",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        ),
    )
    return text + "\n"


@functools.cache
def _environment() -> Environment:
    """Made once: what it compiles of the templates takes longer than a page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("zcheck.report.formats.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )


def _word(report: Report) -> str:
    """The verdict in words; that clients can be balanced is said only where it was proven of each pair."""
    coverage = report.coverage
    proven = coverage.pairs_total > 0 and coverage.pairs_proven == coverage.pairs_total
    return (_WORDS if proven else _UNPROVEN)[report.verdict.status]


def _finalize(value: Any) -> Any:
    """Control characters and overrides of the reading direction are shown, never obeyed."""
    return "\n".join(clean(line) for line in value.split("\n")) if type(value) is str else value


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _finding(finding: Finding, clients: tuple[str, ...]) -> dict[str, Any]:
    everyone = len(clients) > matrix.MOST_FIGURES and set(finding.clients) == set(clients)
    return {
        "clients": f"all {len(clients)} clients" if everyone else ", ".join(finding.clients),
        "it": finding,
        "severity": finding.severity.lower(),
        "places": [(where(place), place.text, place.note) for place in finding.places],
    }


def _judged(one: Judged) -> tuple[Judged, str, str, str]:
    """What held, in words, and how much was looked at."""
    held = f"{one.held}: {_LEVELS.get(one.held, '')}" if one.held else "not even snapshot isolation"
    words = {"pass": held, "fail": f"held: {held}", "unknown": "; ".join(one.unknown)}[one.result]
    mark = {"pass": "✓ holds", "fail": f"✗ {one.anomalies} broken", "unknown": "? not known"}[one.result]
    if one.unseen:
        told = f"{one.unseen} {'pair' if one.unseen == 1 else 'pairs'} of clients not seen"
        mark = "✗ split"
        words = f"{told}, and {one.anomalies} anomalies" if one.anomalies else told
    small = [f"{one.transactions} transactions judged"]
    if one.fenced_reads:
        small.append(f"{one.fenced_reads} of them would have shown a missing edit")
    if one.result == "pass" and one.fenced_reads >= _FEWEST_READS:
        small.append(f"a fault in one of {one.fenced_reads // 3} would have been found (95 %)")
    if one.serializable is not None:
        small.append(f"with readCurrent {'serializable' if one.serializable else 'write skew'}")
    return one, mark, words, "; ".join(small)


def _unproven(report: Report) -> list[tuple[str, list[str]]]:
    """By reason: the checks that were not judged; the most frequent reason first."""
    reasons: dict[str, list[str]] = {}
    for result in report.checks:
        if result.outcome in ("skipped", "unknown"):
            reasons.setdefault(result.because or "could not be learnt", []).append(result.check)
    return sorted(reasons.items(), key=lambda item: -len(item[1]))


def _shades() -> list[tuple[str, str]]:
    """The legend of the matrix: each shade's kind, and what it says."""
    limits = [matrix.milliseconds(limit).replace(".0", "") for limit in matrix.SHADES]
    told = [*(f"below {limit}" for limit in limits), f"{limits[-1]} and more"]
    return [(f"shade{number}", words) for number, words in enumerate(told)]
