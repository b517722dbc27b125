"""What the clients' own machines tell, in a difference, a report and a file."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck import cli
from zcheck.check import Check
from zcheck.checks import CATALOGUE
from zcheck.commands.diff import differences
from zcheck.facts import (
    BlobMarker,
    ControlPanel,
    DatabasePage,
    Facts,
    HttpAnswer,
    ListeningProcess,
    SeenThere,
    SharedBlobs,
    ZeoAnswers,
)
from zcheck.report.assemble import assemble
from zcheck.report.structs import Run
from zcheck.runner import run
from zcheck.testing import facts_of
from zcheck.testing.examples import blob_folder, seen_there, server_there, zeo_answer

RUN = Run(id="1", command="preflight", started="2026-01-01T00:00:00Z", duration_s=1.0)
OUTSIDE = {"process": None, "distributions": None}


def marker(seen: dict[str, bool], **unknown: str) -> SharedBlobs:
    return SharedBlobs((BlobMarker("main", "app1", "/srv/blobs", seen, unknown),))


SILENT = server_there(outcome="silent", detail="does not answer the connect within 3 s")
CUT = seen_there("zope=6.3", servers=(SILENT,))
WORKS = seen_there("zope=6.3", servers=(server_there(),))
AROUND = msgspec.structs.replace(CUT, **OUTSIDE)


def panel(connected: bool | None) -> ControlPanel:
    return ControlPanel((DatabasePage("main", "zeo", connected),))


HTTP = HttpAnswer("http")


def test_changed_products_and_processes_are_told() -> None:
    before = facts_of(app1=seen_there("a=1 b=1", python_version="3.11.7"))
    after = facts_of(app1=seen_there("a=2 c=1", python_version="3.11.7", process=ListeningProcess(413, "python x")))
    empty: Any = type("Report", (), {"findings": ()})
    changes = [str(change) for change in differences(before, after, empty, empty)]
    assert [
        "process: app1: what listens on its port was process 412: python -m Zope2.Startup.serve zope.ini, is process"
        " 413: python x",
        "product: app1: a was 1, is 2",
        "product: app1: b was 1, is not given",
        "product: app1: c was not given, is 1",
    ] == changes


HOSTILE = "\x1b[2J\r\n::error::x<script>alert(1)</script>\u202e|;&"


@pytest.mark.parametrize("form", cli.FORMATS)
def test_nothing_of_what_a_hostile_machine_says_is_shown_raw(form: str) -> None:
    """Names of distributions, reasons, addresses and paths are texts of that machine's choice."""
    server = server_there("zeo1:8100", f"10.0.0.9{HOSTILE}", "silent", HOSTILE)
    hostile = msgspec.structs.replace(seen_there("a=1", servers=(server,)), distributions={HOSTILE: HOSTILE})
    other = seen_there("a=1", servers=(server_there("zeo1:8100", "10.0.0.5"),))
    given = facts_of(app1=[HTTP, panel(False), hostile], app2=[HTTP, panel(True), other])
    given = given.with_fact("", SharedBlobs((), {"main": HOSTILE}))
    checks: list[Check] = [check for check in CATALOGUE if SeenThere in (*check.needs, *check.uses)]
    judgement = run(checks, given, today="2026-01-01")
    report = assemble(given, judgement, RUN, "warning")
    assert {"products-agree", "client-is-connected-to-zeo"} <= {finding.check for finding in report.findings}
    shown = cli.rendered(report, form, pages=())
    # In JSON a text is data, with its control characters escaped; in the others it is for people.
    raw = {"\x1b", "\r", "\u202e"} if form != "json" else {"\x1b", "\r"}
    assert not raw & set(shown)
    assert "<script>alert" not in shown or form not in ("html", "junit")
    if form in ("text", "nagios", "github"):
        assert not any(line.startswith("::error::x") for line in shown.splitlines())


def test_facts_from_there_are_saved_and_read_again() -> None:
    from zcheck.gather import saved

    given = facts_of(marker({"app2": True}), app1=[blob_folder(), CUT], app2=WORKS)
    again = saved.load(saved.dump(saved.Saved(RUN, {}, given), "0")).facts
    for kind in (SeenThere, SharedBlobs):
        for subject in ("", "app1", "app2"):
            assert given.raw(kind, subject) == again.raw(kind, subject)


def test_there_is_something_to_judge() -> None:
    """The examples above are of the kinds that they are meant to be."""
    assert isinstance(zeo_answer(), ZeoAnswers) and isinstance(facts_of(app1=CUT), Facts)
    assert CUT.cut_off("main") == (SILENT,) and not AROUND.cut_off("main") and not CUT.cut_off("other")
