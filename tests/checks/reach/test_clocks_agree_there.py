"""clocks-agree, by what a client's own machine sees: where it fires and where not."""

from __future__ import annotations

import pytest

from zcheck.checks.reach.clocks_agree import clocks_agree
from zcheck.facts import (
    HttpAnswer,
    SeenThere,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge
from zcheck.testing.examples import seen_there


def told(judgement: Judgement) -> list[str]:
    """Findings and remarks, a line each; what came out where there are none."""
    lines = [f"{f.severity} {', '.join(f.clients)}: {f.message}" for f in judgement.findings]
    lines += [f"note {', '.join(r.clients)}: {r.message}" for r in judgement.remarks]
    (result,) = judgement.results
    return lines or [result.outcome if result.because is None else f"{result.outcome}: {result.because}"]


CLOCKS: dict[str, tuple[SeenThere, list[str]]] = {
    "right": (seen_there("a=1", clock=1000.1, asked_at=1000.0, answered_at=1000.3), ["pass"]),
    "wrong": (
        seen_there("a=1", clock=1100.0, asked_at=1000.0, answered_at=1000.3),
        ["WARNING app1: the clocks differ: app1 is 100 s ahead of zcheck's machine"],
    ),
    "held against itself": (seen_there("a=1", clock=1100.0), ["skipped: its answer has no date of its own"]),
}


@pytest.mark.parametrize(("seen", "expected"), CLOCKS.values(), ids=CLOCKS)
def test_clocks_agree_where_a_proxy_hides_the_date(seen: SeenThere, expected: list[str]) -> None:
    hidden = HttpAnswer("http", headers={"via": "1.1 varnish", "date": "Tue, 14 Nov 2023 22:13:20 GMT"})
    assert expected == told(judge(clocks_agree, app1=[hidden, seen]))
