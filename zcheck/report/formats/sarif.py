"""The report as SARIF 2.1.0, which code hosts show beside the lines of the files.

Every check is a rule with its page as help.  The first place of a finding is its location, the others are related ones.
UNKNOWN is an ``error``: what could not be learnt fails the run, and hosts hide results of other kinds.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from zcheck.report.formats.json import encoded
from zcheck.report.formats.text import clean
from zcheck.report.structs import Finding, Page, Place, Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "zcheck/v1"
_LEVELS = {"CRITICAL": "error", "UNKNOWN": "error", "WARNING": "warning", "ADVICE": "note"}


def render(report: Report, pages: tuple[Page, ...] = ()) -> str:
    """The SARIF log, with one run."""
    rules = {page.check: number for number, page in enumerate(pages)}
    run = {
        "tool": {
            "driver": {
                "name": report.tool.name,
                "semanticVersion": report.tool.version,
                "rules": [_rule(page) for page in pages],
            }
        },
        "automationDetails": {"id": f"zcheck/{clean(report.cluster.name)}/"},
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": report.verdict.exit_code,
                "startTimeUtc": report.run.started,
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, report, rules) for finding in report.findings],
        "properties": {"verdict": report.verdict.status, "impact": clean(report.verdict.impact)},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(encoded(log), indent=1).decode() + "\n"


def _rule(page: Page) -> dict[str, Any]:
    return {
        "id": page.check,
        "shortDescription": {"text": page.title},
        "help": {"text": page.prose, "markdown": f"```text\n{page.prose}\n```"},
        "defaultConfiguration": {"level": _LEVELS[page.severity]},
        "properties": {"tags": [page.stage]},
    }


def _result(finding: Finding, report: Report, rules: dict[str, int]) -> dict[str, Any]:
    first, *others = finding.places or (Place(report.cluster.file, 1),)
    message = clean(finding.message) + (f"\nhelp: {clean(finding.hint)}" if finding.hint else "")
    result: dict[str, Any] = {
        "ruleId": finding.check,
        "level": _LEVELS[finding.severity],
        "message": {"text": message},
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "properties": {"severity": finding.severity, "clients": [clean(name) for name in finding.clients]},
    }
    if finding.check in rules:
        result["ruleIndex"] = rules[finding.check]
    if first.file:
        result["locations"] = [_location(first)]
    if others:
        result["relatedLocations"] = [_location(place, number) for number, place in enumerate(others, 1)]
    if finding.suppressed_by is not None:
        result["suppressions"] = [{"kind": "external", "justification": clean(finding.suppressed_by)}]
    return result


def _location(place: Place, number: int | None = None) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(place.file)}}
    if place.line is not None:
        physical["region"] = {"startLine": max(place.line, 1)}
        if place.text:
            physical["region"]["snippet"] = {"text": clean(place.text)}
    location: dict[str, Any] = {"physicalLocation": physical}
    if number is not None:
        location["id"] = number
        location["message"] = {"text": clean(place.note or place.text or place.file)}
    return location


def _uri(path: str) -> str:
    """A path as a URI: relative to the checkout where the path is, and never with a scheme that the path spells."""
    quoted = quote(path.encode("utf-8", "surrogateescape"), safe="/")
    return f"file://{quoted}" if path.startswith("/") else quoted
