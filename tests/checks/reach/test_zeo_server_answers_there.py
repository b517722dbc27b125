"""zeo-server-answers, by what a client's own machine sees: where it fires and where not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.reach.zeo_server_answers import zeo_server_answers
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge
from zcheck.testing.examples import seen_there, server_there, zeo_answer


def told(judgement: Judgement) -> list[str]:
    """Findings and remarks, a line each; what came out where there are none."""
    lines = [f"{f.severity} {', '.join(f.clients)}: {f.message}" for f in judgement.findings]
    lines += [f"note {', '.join(r.clients)}: {r.message}" for r in judgement.remarks]
    (result,) = judgement.results
    return lines or [result.outcome if result.because is None else f"{result.outcome}: {result.because}"]


SILENT = server_there(outcome="silent", detail="does not answer the connect within 3 s")
CUT = seen_there("zope=6.3", servers=(SILENT,))
WORKS = seen_there("zope=6.3", servers=(server_there(),))


def panel(connected: bool | None) -> ControlPanel:
    return ControlPanel((DatabasePage("main", "zeo", connected),))


UNREACHED = "skipped: the ZEO server zeo1:8100 cannot be reached from here, and "
ANSWERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "from their machines it answers": (
        {"app1": [zeo_answer("timeout"), WORKS], "app2": [zeo_answer("timeout"), WORKS]},
        [f"{UNREACHED}from the machine of app1, app2 it answers"],
    ),
    "one says so, from the other's machine it answers": (
        {"app1": [zeo_answer("timeout"), panel(True)], "app2": [zeo_answer("timeout"), WORKS]},
        [f"{UNREACHED}app1 says it is connected to it; from the machine of app2 it answers"],
    ),
    "from one machine it does not": (
        {"app1": [zeo_answer("timeout"), CUT], "app2": [zeo_answer("timeout"), WORKS]},
        ["CRITICAL app1, app2: the ZEO server zeo1:8100 of app1, app2 does not answer the connect"],
    ),
    "it answers here": ({"app1": [zeo_answer(), CUT]}, ["pass"]),
    "it is dead, wherever one asks from": (
        {"app1": [zeo_answer("http", detail="answers HTTP"), WORKS]},
        ["CRITICAL app1: the ZEO server zeo1:8100 of app1 is none: it answers HTTP"],
    ),
}


@pytest.mark.parametrize(("clients", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_zeo_server_answers(clients: dict[str, Any], expected: list[str]) -> None:
    assert expected == told(judge(zeo_server_answers, **clients))
