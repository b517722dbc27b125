"""The report for CI servers: JUnit's XML, a suite a stage, a test case a check.

A WARNING or CRITICAL finding is a failure, UNKNOWN an error, and what was not judged or is lived with is skipped.
ADVICE is told as output of a test that passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zcheck.report.formats.text import clean, lines_of
from zcheck.report.structs import CheckResult, Finding, Report


def render(report: Report) -> str:
    """The XML document."""
    from junitparser import JUnitXml, TestSuite

    document = JUnitXml(clean(f"zcheck {report.cluster.name}"))
    by_stage: dict[str, list[CheckResult]] = {}
    for result in report.checks:
        by_stage.setdefault(result.stage, []).append(result)
    for stage, results in by_stage.items():
        suite = TestSuite(stage)
        suite.timestamp = report.run.started.rstrip("Z")
        for result in results:
            own = [finding for finding in report.findings if finding.check == result.check]
            suite.add_testcase(_case(result, own))
        document.add_testsuite(suite)
    document.update_statistics()
    text: str = document.tostring().decode("utf-8")
    return text if text.endswith("\n") else text + "\n"


def _case(result: CheckResult, findings: list[Finding]) -> Any:
    from junitparser import Error, Failure, Skipped, TestCase

    case = TestCase(result.check, classname=f"zcheck.{result.stage}", time=result.duration_s)
    live = [finding for finding in findings if finding.suppressed_by is None]
    verdicts: list[Any] = []
    for finding in live:
        if finding.severity != "ADVICE":
            kind = Error if finding.severity == "UNKNOWN" else Failure
            verdict = kind(clean(finding.message), finding.severity)
            verdict.text = _told([finding])
            verdicts.append(verdict)
    if not verdicts and result.outcome in ("skipped", "suppressed"):
        reason = f"suppressed by {findings[0].suppressed_by}" if findings else result.because or "not judged"
        verdicts.append(Skipped(clean(reason)))
    case.result = verdicts
    quiet = [finding for finding in findings if finding.severity == "ADVICE" or finding.suppressed_by is not None]
    if quiet:
        case.system_out = _told(quiet)
    return case


def _told(findings: Iterable[Finding]) -> str:
    blocks = ("\n".join([*lines_of(finding), f"  fingerprint: {finding.fingerprint}"]) for finding in findings)
    return "\n" + "\n\n".join(blocks) + "\n"
