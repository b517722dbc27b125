"""The report as one page that needs nothing from elsewhere: readable on a phone, printable, dark and light.

Everything that came from a file or a peer is escaped by jinja2, and a policy in the page forbids any script or style
but the two that are part of it, which are named by their digests.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from zcheck.report import Finding, Level, Page, Report
from zcheck.reporters.html import drawing
from zcheck.reporters.text import clean, last_line, not_proven, where

_WORDS = {"CRITICAL": "do not balance", "WARNING": "works today", "UNKNOWN": "not known", "OK": "can be balanced"}
_LARGEST_MATRIX = 30


def render(report: Report, pages: tuple[Page, ...] = ()) -> str:
    """The whole page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("zcheck.reporters.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    loader = environment.loader
    assert loader is not None
    style, script = (loader.get_source(environment, name)[0].strip() for name in ("page.css", "page.js"))
    text: str = environment.get_template("page.html").render(
        report=report,
        word=_WORDS[report.verdict.status],
        summary=last_line(report),
        tried={level.level for level in report.consistency.levels},
        unproven=_unproven(report),
        unproven_line="".join(not_proven(report.checks)),
        findings=[_finding(finding) for finding in report.findings],
        drawing=drawing.draw(report),
        matrices=[_matrix(level, report.cluster.clients) for level in report.consistency.levels],
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


def _finalize(value: Any) -> Any:
    """Control characters and overrides of the reading direction are shown, never obeyed."""
    return "\n".join(clean(line) for line in value.split("\n")) if type(value) is str else value


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "it": finding,
        "severity": finding.severity.lower(),
        "places": [(where(place), place.text, place.note) for place in finding.places],
    }


def _unproven(report: Report) -> list[tuple[str, list[str]]]:
    """By reason: the checks that were not judged; the most frequent reason first."""
    reasons: dict[str, list[str]] = {}
    for result in report.checks:
        if result.outcome in ("skipped", "unknown"):
            reasons.setdefault(result.because or "could not be learnt", []).append(result.check)
    return sorted(reasons.items(), key=lambda item: -len(item[1]))


def _matrix(level: Level, clients: tuple[str, ...]) -> dict[str, Any]:
    """Who saw whose write: a row a writer, a column a reader; of large clusters the gaps alone."""
    by = {(pair.writer, pair.reader): pair for pair in level.pairs}
    rows: list[tuple[str, list[tuple[str, str]]]] = []
    for writer in clients if len(clients) <= _LARGEST_MATRIX else ():
        cells = []
        for reader in clients:
            pair = by.get((writer, reader))
            if pair is None:
                cells.append(("none", "-" if writer == reader else "not asked"))
            elif pair.seen is None:
                cells.append(("unknown", "not tried"))
            elif not pair.seen:
                cells.append(("bad", "not seen"))
            else:
                cells.append(("good", "seen" if pair.lag_ms is None else f"{pair.lag_ms:.1f} ms"))
        rows.append((writer, cells))
    return {
        "title": f"{level.database}, " + ("through the running clients" if level.level == "http" else "over ZEO"),
        "proven": sum(pair.seen is True for pair in level.pairs),
        "total": len(level.pairs),
        "clients": clients,
        "rows": rows,
        "gaps": [(pair.writer, pair.reader) for pair in level.pairs if pair.seen is False],
    }
