"""client-port-answers: where it fires, and beside it where it must not."""

from __future__ import annotations

import pytest

from zcheck.checks.reach.client_port_answers import client_port_answers
from zcheck.facts import (
    PortAnswer,
)
from zcheck.report.structs import Judgement
from zcheck.testing import inventory, judge

Told = list[tuple[str, tuple[str, ...], str]]


def told(judgement: Judgement) -> Told:
    return [(finding.severity, finding.clients, finding.message) for finding in judgement.findings]


OPEN = PortAnswer("10.0.0.1:8080", "open", connect_ms=0.2)
PORTS: dict[str, tuple[PortAnswer, Told]] = {
    "open": (OPEN, []),
    "refused": (
        PortAnswer("10.0.0.1:8080", "refused", "refuses connections"),
        [("CRITICAL", ("app1",), "app1 at 10.0.0.1:8080 refuses connections")],
    ),
    "timeout": (
        PortAnswer("10.0.0.1:8080", "timeout", "did not accept a connection within 5 s"),
        [("CRITICAL", ("app1",), "app1 at 10.0.0.1:8080 did not accept a connection within 5 s")],
    ),
    "no route": (
        PortAnswer("10.0.0.1:8080", "unreachable", "cannot be reached from here: no route to host"),
        [("CRITICAL", ("app1",), "app1 at 10.0.0.1:8080 cannot be reached from here: no route to host")],
    ),
    "a name that is known elsewhere perhaps": (
        PortAnswer("zope1:8080", "unknown-name", "has the name zope1, which nothing here resolves"),
        [("UNKNOWN", ("app1",), "app1 at zope1:8080 has the name zope1, which nothing here resolves")],
    ),
}


@pytest.mark.parametrize(("answer", "expected"), PORTS.values(), ids=PORTS)
def test_client_port_answers(answer: PortAnswer, expected: Told) -> None:
    assert expected == told(judge(client_port_answers, app1=answer))


def test_the_place_is_the_line_of_the_address_that_is_dialled() -> None:
    cluster = inventory(
        "[cluster]\nname = x\n[client:app1]\naddress = app1:8080\nconnect = 127.0.0.1:18081\n"
        "[client:app2]\naddress = app2:8080\n"
    )
    refused = PortAnswer("x", "refused", "refuses connections")
    # The same of many clients is one finding.
    (finding,) = judge(client_port_answers, cluster, app1=refused, app2=refused).findings
    places = [(place.line, place.text) for place in finding.places]
    assert [(5, "connect = 127.0.0.1:18081"), (7, "address = app2:8080")] == places
    assert ("app1", "app2") == finding.clients
    assert finding.hint


def test_different_troubles_are_findings_of_their_own() -> None:
    refused, silent = PortAnswer("x", "refused", "refuses connections"), PortAnswer("y", "timeout", "did not answer")
    findings = judge(client_port_answers, app1=refused, app2=silent, app3=refused).findings
    assert [("app1", "app3"), ("app2",)] == [finding.clients for finding in findings]
