"""client-restarted-since-edit, by what a client's own machine sees: where it fires and where not."""

from __future__ import annotations

import pytest

from zcheck.checks.identity.client_restarted_since_edit import client_restarted_since_edit
from zcheck.facts import (
    ControlPanel,
    ListeningProcess,
    SeenThere,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge, zope_conf
from zcheck.testing.examples import seen_there


def told(judgement: Judgement) -> list[str]:
    """Findings and remarks, a line each; what came out where there are none."""
    lines = [f"{f.severity} {', '.join(f.clients)}: {f.message}" for f in judgement.findings]
    lines += [f"note {', '.join(r.clients)}: {r.message}" for r in judgement.remarks]
    (result,) = judgement.results
    return lines or [result.outcome if result.because is None else f"{result.outcome}: {result.because}"]


def process(started: float | None, written: float | None) -> SeenThere:
    return seen_there("a=1", process=ListeningProcess(7, started_at=started), conf_mtime=written)


RESTARTED: dict[str, tuple[SeenThere, list[str]]] = {
    "written before": (process(1000.0, 900.0), ["pass"]),
    "written while it started": (process(1000.0, 1001.5), ["pass"]),
    "written after": (
        process(1000.0, 1060.0),
        ["WARNING app1: zope.conf was written about 1 min after app1 was started"],
    ),
    "a copy": (
        process(1000.0, None),
        ["skipped: its zope.conf is that of another machine: the time of a copy says nothing"],
    ),
}


@pytest.mark.parametrize(("seen", "expected"), RESTARTED.values(), ids=RESTARTED)
def test_client_restarted_since_edit(seen: SeenThere, expected: list[str]) -> None:
    facts = [ControlPanel((), running_for="1 min 1 sec", read_at=5000.0), zope_conf(), seen]
    assert expected == told(judge(client_restarted_since_edit, app1=facts))
