"""The report's three forms: what stands in which line, and what never reaches a terminal."""

from __future__ import annotations

import json

import jsonschema
import pytest

from zcheck.check import Place
from zcheck.report.formats import json as as_json
from zcheck.report.formats import nagios, text
from zcheck.report.structs import (
    CheckResult,
    Cluster,
    Consistency,
    Coverage,
    Finding,
    Level,
    Pair,
    Receipt,
    Report,
    Run,
    SkippedFor,
    Tool,
    Verdict,
)
from zcheck.report.verdict import worst_first

MOUNTS = Finding(
    check="mount-points-agree",
    stage="config",
    severity="CRITICAL",
    clients=("app1", "app2"),
    message="app2 mounts / and /archive; app1 mounts /",
    hint="add the same <zodb_db archive> to app1, or remove it from app2",
    places=(
        Place("app2/etc/zope.conf", 41, "mount-point /archive"),
        Place("app1/etc/zope.conf", 38, "</zodb_db>", "app1's mounts end here"),
    ),
)
ADVICE = Finding(
    check="three-or-more-clients",
    stage="inventory",
    severity="ADVICE",
    clients=("app1", "app2"),
    message="only two clients",
)
UNKNOWN = Finding(
    check="zope-conf-parses", stage="config", severity="UNKNOWN", clients=("app2",), message="no such file"
)


def report(
    *findings: Finding, status: str = "CRITICAL", pairs: tuple[Pair, ...] | None = None, **changes: object
) -> Report:
    levels = () if pairs is None else (Level("http", "main", pairs), Level("zeo", "main", pairs))
    proven = sum(pair.seen is True for pair in pairs or ())
    given: dict[str, object] = {
        "tool": Tool("zcheck", "0.1.0"),
        "run": Run(id="r1", command="preflight", started="2026-11-20T12:00:00Z", duration_s=2.1),
        "cluster": Cluster("intranet", ("app1", "app2")),
        "verdict": Verdict(status, {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}[status], "what users notice"),  # type: ignore[arg-type]
        "coverage": Coverage(
            checks_run=3,
            checks_total=4,
            clients_seen=2,
            clients_total=2,
            pairs_proven=proven,
            zeo_pairs_proven=proven,
            pairs_total=2,
        ),
        "checks": (
            CheckResult(check="mount-points-agree", stage="config", outcome="problem"),
            CheckResult(
                check="edits-are-seen-everywhere",
                stage="consistency",
                outcome="skipped",
                because="left out by --offline",
                skipped_for=(SkippedFor("app1", "left out by --offline"),),
            ),
        ),
        "findings": findings,
        "consistency": Consistency(levels, None, Receipt(6, 1140, 0)),
    }
    return Report(**{**given, **changes})  # type: ignore[arg-type]


SEEN = (Pair("app1", "app2", True, 1.4), Pair("app2", "app1", True, 4.0))
SPLIT = (Pair("app1", "app2", False), Pair("app2", "app1", None))


def test_a_finding_is_printed_as_a_compiler_prints_it() -> None:
    lines = text.render(report(MOUNTS)).splitlines()
    assert lines[:5] == [
        "app2/etc/zope.conf:41: critical: mount-points-agree: app2 mounts / and /archive; app1 mounts /",
        "  app1/etc/zope.conf:38: note: app1's mounts end here",
        "  help: add the same <zodb_db archive> to app1, or remove it from app2",
        "  page: zcheck explain mount-points-agree",
        "",
    ]


@pytest.mark.parametrize(
    ("message", "places", "expected"),
    [
        ("via: no answer within 15 s", (), "unknown: versions-agree: via: no answer within 15 s (app2)"),
        ("app2 is silent", (), "unknown: versions-agree: app2 is silent"),
        ("it is silent", (Place("clients.ini", 4),), "clients.ini:4: unknown: versions-agree: it is silent"),
    ],
    ids=["nothing tells whom", "the message tells", "a place tells"],
)
def test_a_finding_tells_whom_it_is_about(message: str, places: tuple[Place, ...], expected: str) -> None:
    finding = Finding(
        check="versions-agree",
        stage="identity",
        severity="UNKNOWN",
        clients=("app2",),
        message=message,
        places=places,
    )
    assert expected == text.render(report(finding)).splitlines()[0]


def test_worst_first_impact_before_the_verdict_and_the_verdict_last() -> None:
    lines = text.render(report(*worst_first([ADVICE, UNKNOWN, MOUNTS]))).splitlines()
    found = [line for line in lines if ": critical:" in line or "unknown:" in line or "advice:" in line]
    assert [line.split(":")[-3 if "zope.conf" in line else 0].strip() for line in found][1:] == ["unknown", "advice"]
    assert "critical" in found[0]
    assert lines[-2] == "what users notice"
    assert lines[-1].startswith(
        "CRITICAL: 3 of 4 checks; 2 of 2 clients; no pair proven; not proven: 1 (left out by --offline)"
    )


def test_what_was_not_proven_is_told_in_words_that_a_person_understands() -> None:
    def skipped(check: str, because: str) -> CheckResult:
        return CheckResult(check=check, stage="identity", outcome="skipped", because=because)

    results = [
        CheckResult(check="client-is-connected-to-zeo", stage="identity", outcome="unknown"),
        skipped("versions-agree", "client-is-connected-to-zeo"),
        skipped("products-agree", "client-is-connected-to-zeo"),
        skipped("names-resolve-alike", "client-is-connected-to-zeo; clients.ini gives no via for it"),
        CheckResult(check="every-database-is-one", stage="identity", outcome="pass"),
    ]
    assert [
        "not proven: 4 (2 because of client-is-connected-to-zeo, 1 could not be learnt,"
        " 1 because of client-is-connected-to-zeo; clients.ini gives no via for it)"
    ] == text.not_proven(results)


def test_a_proof_over_zeo_is_said_to_be_none_of_the_processes() -> None:
    headings = [line for line in text.render(report(pairs=SEEN)).splitlines() if "pairs proven" in line][:2]
    assert [
        "database main, through the running clients: 2 of 2 pairs proven",
        "database main, over ZEO: 2 of 2 pairs proven (zcheck's own connections, as the clients' files say)",
    ] == headings


def test_the_matrix_shows_who_saw_whose_write() -> None:
    healthy = text.render(report(status="OK", pairs=SEEN))
    assert "2 of 2 pairs proven through the running clients, 2 of 2 over ZEO" in healthy
    assert "1.4 ms" in healthy
    split = text.render(report(MOUNTS, pairs=SPLIT))
    assert "NOT SEEN" in split
    assert "0 of 2 pairs proven" in split


def test_colour_carries_no_meaning_alone() -> None:
    import re

    coloured = text.render(report(MOUNTS, ADVICE, pairs=SPLIT), colour=True)
    assert "\033[" in coloured
    assert re.sub(r"\033\[[0-9;]*m", "", coloured) == text.render(report(MOUNTS, ADVICE, pairs=SPLIT))


HOSTILE = "\033[2Jgone \x07\x9b31m \u202egnp.exe\nOK: all fine | x=1"


@pytest.mark.parametrize("form", ["text", "nagios"])
def test_nothing_of_a_file_reaches_the_terminal_raw(form: str) -> None:
    finding = Finding(
        check="zope-conf-parses",
        stage="config",
        severity="CRITICAL",
        clients=("app1",),
        message=HOSTILE,
        hint=HOSTILE,
        places=(Place(HOSTILE, 1, HOSTILE, HOSTILE), Place(HOSTILE, None, HOSTILE)),
    )
    shown = text.render(report(finding)) if form == "text" else nagios.render(report(finding))
    assert not [char for char in shown if char != "\n" and not char.isprintable()]
    assert "\u202e" not in shown
    assert not [line for line in shown.splitlines() if line.startswith("OK")]
    if form == "nagios":
        assert shown.count("|") == 1


def test_nagios_line_and_performance_data() -> None:
    line = nagios.render(report(status="OK", pairs=SEEN)).splitlines()[0]
    assert line == (
        "ZCHECK OK - intranet: 2 clients, 2 of 2 pairs proven | time=2.1s;;60;0 clients=2;;;0 pairs=2;;;0 "
        "zeo_pairs=2;;;0 lag_max=0.004s;1;10;0 critical=0 warnings=0 unknown=0"
    )


def test_nagios_says_u_for_what_was_not_measured_and_counts_findings() -> None:
    line = nagios.render(report(MOUNTS, UNKNOWN)).splitlines()[0]
    assert "pairs=U;;;0 zeo_pairs=U;;;0 lag_max=U;1;10;0 critical=1 warnings=0 unknown=1" in line
    assert line.startswith("ZCHECK CRITICAL - intranet: mount-points-agree: ")


def test_nagios_is_cut_between_findings_and_never_inside_the_performance_data() -> None:
    many = [
        Finding(check=f"check-{n}", stage="config", severity="CRITICAL", clients=("app1",), message="ü" * 100)
        for n in range(50)
    ]
    shown = nagios.render(report(*many))
    assert len(shown.encode()) <= nagios.LIMIT
    assert "unknown=0\n" in shown
    assert all(line.endswith("ü" * 100) for line in shown.splitlines()[1:])
    long = Finding(check="x", stage="config", severity="CRITICAL", clients=("app1",), message="ü" * 5000)
    shown = nagios.render(report(long))
    assert len(shown.encode()) <= nagios.LIMIT
    assert "unknown=0" in shown.splitlines()[0]


@pytest.mark.parametrize(
    "subject",
    [report(status="OK", pairs=SEEN), report(MOUNTS, UNKNOWN, ADVICE, pairs=SPLIT), report(MOUNTS)],
    ids=["healthy", "split", "offline"],
)
def test_json_is_valid_against_its_schema(subject: Report) -> None:
    document = json.loads(as_json.render(subject))
    jsonschema.validate(document, json.loads(as_json.schema()))
    assert document["schema"] == "zcheck-report/1"
    assert set(document) >= {"tool", "run", "cluster", "verdict", "coverage", "checks", "findings", "consistency"}


def test_suppressed_findings_are_shown_counted_and_do_not_count() -> None:
    import msgspec

    hidden = msgspec.structs.replace(MOUNTS, suppressed_by="known")
    shown = text.render(report(hidden, status="OK"))
    assert "suppressed by known" in shown
    assert "1 suppressed" in shown
    assert "critical=0" in nagios.render(report(hidden, status="OK"))
