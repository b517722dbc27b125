"""client-is-connected-to-zeo, by what a client's own machine sees: where it fires and where not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    HttpAnswer,
    LeftOut,
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


OUTSIDE = {"process": None, "distributions": None}
SILENT = server_there(outcome="silent", detail="does not answer the connect within 3 s")
CUT = seen_there("zope=6.3", servers=(SILENT,))
WORKS = seen_there("zope=6.3", servers=(server_there(),))
AROUND = msgspec.structs.replace(CUT, **OUTSIDE)


def panel(connected: bool | None) -> ControlPanel:
    return ControlPanel((DatabasePage("main", "zeo", connected),))


HTTP = HttpAnswer("http")
FROM_THERE = "from app1's machine zeo1:8100 is silent (does not answer the connect within 3 s)"
NO_PANEL = (ControlPanel, LeftOut("clients.ini gives no user and password-file"))
CONNECTED: dict[str, tuple[list[Any], list[str]]] = {
    "lost, and cut off": (
        [HTTP, panel(False), CUT],
        [f"CRITICAL app1: app1 has lost its ZEO server: database main says (disconnected); {FROM_THERE}"],
    ),
    "lost, and it would answer": (
        [HTTP, panel(False), WORKS],
        ["CRITICAL app1: app1 has lost its ZEO server: database main says (disconnected)"],
    ),
    "lost, and seen from around its container alone": (
        [HTTP, panel(False), AROUND],
        ["CRITICAL app1: app1 has lost its ZEO server: database main says (disconnected)"],
    ),
    "lost, and the server answers nobody": (
        [HTTP, panel(False), CUT, zeo_answer("silent")],
        ["skipped: zeo-server-answers"],
    ),
    "connected, and could not connect again": (
        [HTTP, panel(True), CUT],
        [f"note app1: app1 is connected to its ZEO server, and could not connect again; {FROM_THERE}"],
    ),
    "connected, with two servers of which one works": (
        [HTTP, panel(True), seen_there("a=1", servers=(SILENT, server_there("zeo2:8100")))],
        ["pass"],
    ),
    "nobody asks it, and it is cut off": (
        [HTTP, NO_PANEL, CUT],
        [f"CRITICAL app1: app1 cannot reach its ZEO server; {FROM_THERE}"],
    ),
    "nobody asks it, and the server answers nobody": (
        [HTTP, NO_PANEL, CUT, zeo_answer("silent")],
        ["skipped: zeo-server-answers"],
    ),
    "nobody asks it, and all is well": (
        [HTTP, NO_PANEL, WORKS],
        ["skipped: clients.ini gives no user and password-file"],
    ),
    "nobody asks it, and it is seen from around its container": (
        [HTTP, NO_PANEL, AROUND],
        ["skipped: clients.ini gives no user and password-file"],
    ),
}


@pytest.mark.parametrize(("facts", "expected"), CONNECTED.values(), ids=CONNECTED)
def test_client_is_connected_to_zeo(facts: list[Any], expected: list[str]) -> None:
    assert expected == told(judge(client_is_connected_to_zeo, app1=facts))
