"""client-is-reached-directly, by what a client's own machine sees: where it fires and where not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck.checks.reach.client_is_reached_directly import client_is_reached_directly
from zcheck.facts import (
    ControlPanel,
    HttpAnswer,
    ListeningProcess,
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


HTTP = HttpAnswer("http")


def answering(pid: int, running_for: str = "1 hour 1 sec") -> ControlPanel:
    return ControlPanel((), process_id=pid, running_for=running_for, read_at=5000.0)


def listens(pid: int, **more: Any) -> SeenThere:
    return seen_there("a=1", process=ListeningProcess(pid), **{"asked_at": 4990.0, **more})


ANOTHER = [
    "WARNING app1: process 977 answers at 10.0.0.1:8080, and on app1's own machine it is process 412 that listens there"
]
AROUND_IT = msgspec.structs.replace(listens(412), distributions=None)
REACHED: dict[str, tuple[list[Any], list[str]]] = {
    "the same process": ([answering(412), listens(412)], ["pass"]),
    "another process": ([answering(977), listens(412)], ANOTHER),
    "restarted in between": ([answering(977, "2 sec"), listens(412)], ["pass"]),
    "gathered by itself, some time ago": ([answering(977), listens(412, asked_at=None)], ["pass"]),
    "seen from around its container": ([answering(977), AROUND_IT], ["pass"]),
    "no process id": ([ControlPanel(()), listens(412)], ["pass"]),
}


@pytest.mark.parametrize(("facts", "expected"), REACHED.values(), ids=REACHED)
def test_client_is_reached_directly(facts: list[Any], expected: list[str]) -> None:
    assert expected == told(judge(client_is_reached_directly, app1=[HTTP, *facts]))
