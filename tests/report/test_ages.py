"""Facts that are judged again say how old they are."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cases import made

from zcheck import cli
from zcheck.report.ages import age_note, aged, spoken
from zcheck.report.formats import html, text
from zcheck.report.structs import Report, Run

RUN = Run(id="r", command="preflight", started="2026-11-28T12:00:00Z", duration_s=1.0)
THEN = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.timezone.utc).timestamp()
DAY_S = 86400


@pytest.mark.parametrize(
    ("later_s", "note"),
    [
        (3 * DAY_S, "these facts were gathered 3 days ago, 2026-11-28 12:00 UTC; the cluster may have changed since"),
        (90, "these facts were gathered 90 s ago, 2026-11-28 12:00 UTC; the cluster may have changed since"),
        (-DAY_S, "these facts were gathered at 2026-11-28 12:00 UTC, which by this machine's clock is still to come"),
    ],
)
def test_the_age_is_told(later_s: float, note: str) -> None:
    assert note == age_note(aged(RUN, THEN + later_s))


def test_of_a_run_that_judged_itself_nothing_is_told() -> None:
    assert "" == age_note(RUN)


@pytest.mark.parametrize("started", ["", "yesterday", "2026-11-28", "2026-11-28T12:00:00"])
def test_where_nobody_can_tell_since_when_no_age_is_invented(started: str) -> None:
    run = msgspec.structs.replace(RUN, started=started)
    assert run == aged(run, THEN)


def test_spans_are_spoken() -> None:
    assert ["90 s", "15 min", "3 h", "2 days"] == [spoken(span) for span in (90, 900, 10800, 172800)]


def of_old_facts() -> Report:
    report = made()
    return msgspec.structs.replace(report, run=aged(RUN, THEN + 3 * DAY_S))


def test_people_read_it() -> None:
    old, new = of_old_facts(), msgspec.structs.replace(of_old_facts(), run=RUN)
    assert "note: these facts were gathered 3 days ago, " in text.render(old)
    assert "these facts were gathered 3 days ago, " in html.render(old)
    for page in (text.render(new), html.render(new)):
        assert "these facts were gathered" not in page


@pytest.fixture
def saved(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Facts of a run three days ago."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    conf = "<zodb_db main>\nmount-point /\n<zeoclient>\nserver zeo1:8100\n</zeoclient>\n</zodb_db>\n"
    (tmp_path / "zope.conf").write_text(conf)
    (tmp_path / "clients.ini").write_text("[client:app1]\naddress = 10.0.0.1:8080\nzope-conf = zope.conf\n")
    path = tmp_path / "facts.json"
    cli.main(["preflight", "--offline", "-q", "--save-facts", str(path), str(tmp_path / "clients.ini")])
    capsys.readouterr()
    facts: dict[str, Any] = json.loads(path.read_text())
    days_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=3)
    facts["run"]["started"] = days_ago.strftime("%Y-%m-%dT%H:%M:%SZ")
    path.write_text(json.dumps(facts))
    return str(path)


@pytest.mark.parametrize(
    "argv",
    [
        ["preflight", "--facts", "FACTS"],
        ["diff", "FACTS", "FACTS"],
        ["explain", "mount-points-agree", "--facts", "FACTS"],
    ],
    ids=lambda argv: argv[0],
)
def test_every_command_that_judges_again_says_it(
    argv: list[str], saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main([saved if word == "FACTS" else word for word in argv])
    told = capsys.readouterr()
    assert "these facts were gathered 3 days ago, " in told.out
    assert "" == told.err


def test_programs_read_it(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["preflight", "--facts", saved, "-o", "json"])
    age_s = json.loads(capsys.readouterr().out)["run"]["age_s"]
    assert 3 * DAY_S <= age_s < 3.1 * DAY_S
