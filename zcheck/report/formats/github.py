"""The report for GitHub Actions: an annotation at each line, then the whole text, and a summary of the step.

The site shows ten errors of a step and drops the rest, so the text follows.  A runner obeys any line that looks like a
command of its own, so commands are stopped while the text is printed.
"""

from __future__ import annotations

import html

from zcheck.report.formats import text
from zcheck.report.formats.text import clean, last_line, where
from zcheck.report.structs import Finding, Report

_COMMANDS = {"CRITICAL": "error", "UNKNOWN": "error", "WARNING": "warning", "ADVICE": "notice"}
_SUMMARY_LIMIT = 200


def render(report: Report) -> str:
    """Annotations, worst first, then the text report."""
    live = [finding for finding in report.findings if finding.suppressed_by is None]
    token = f"zcheck-{report.run.id}"
    return "".join(
        [
            *(_annotation(finding, report.cluster.file) for finding in live),
            f"::stop-commands::{token}\n",
            text.render(report),
            f"::{token}::\n",
        ]
    )


def _annotation(finding: Finding, inventory: str) -> str:
    place = finding.places[0] if finding.places else None
    properties = {
        "file": place.file if place else inventory,
        "line": str(place.line) if place and place.line is not None else "",
        "title": f"{finding.check} ({', '.join(finding.clients)})",
    }
    told = ",".join(f"{name}={_property(clean(value))}" for name, value in properties.items() if value)
    lines = [clean(finding.message)]
    lines += [f"{where(other)}: {clean(other.note or other.text)}" for other in finding.places[1:]]
    lines += [f"help: {clean(finding.hint)}"] if finding.hint else []
    lines += [f"page: zcheck explain {finding.check}", f"fingerprint: {finding.fingerprint}"]
    return f"::{_COMMANDS[finding.severity]} {told}::{_data(chr(10).join(lines))}\n"


def _data(value: str) -> str:
    """The escaping of actions/toolkit's ``escapeData``."""
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    """The escaping of actions/toolkit's ``escapeProperty``."""
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def summary(report: Report) -> str:
    """The step summary: HTML without an empty line, so that nothing in it is read as Markdown."""
    rows = [_row(finding) for finding in report.findings[:_SUMMARY_LIMIT]]
    more = len(report.findings) - len(rows)
    lines = [f"<h3>zcheck: {_html(report.verdict.status)} ({_html(report.cluster.name)})</h3>"]
    lines += [f"<p>{_html(report.verdict.impact)}</p>"] if report.verdict.impact else []
    if rows:
        lines += ["<table>", "<tr><th>severity</th><th>check</th><th>what</th><th>where</th></tr>", *rows, "</table>"]
    lines += [f"<p>and {more} more</p>"] if more else []
    lines += [f"<p>{_html(last_line(report))}</p>"]
    return "\n".join(lines) + "\n\n"


def _row(finding: Finding) -> str:
    severity = finding.severity + (f" (suppressed by {finding.suppressed_by})" if finding.suppressed_by else "")
    places = "<br>".join(f"<code>{html.escape(where(place))}</code>" for place in finding.places)
    what = _html(finding.message) + (f"<br><em>{_html(finding.hint)}</em>" if finding.hint else "")
    return f"<tr><td>{_html(severity)}</td><td>{_html(finding.check)}</td><td>{what}</td><td>{places}</td></tr>"


def _html(value: str) -> str:
    return html.escape(clean(value)).replace("\n", " ")
