"""clients-are-distinct-processes: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.identity.clients_are_distinct_processes import clients_are_distinct_processes
from zcheck.facts import (
    ControlPanel,
)
from zcheck.probes import processes
from zcheck.probes.http import FirstCount, first_count
from zcheck.report.structs import Judgement
from zcheck.testing import judge

NOW = 1_700_000_000.0


def severities(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings]


def named(judgement: Judgement) -> list[tuple[str, ...]]:
    return [finding.clients for finding in judgement.findings]


FIRST, SECOND = "2026/01/01 - 12:00:00", "2026/01/01 - 12:00:01"


def process(pid: int | None = 7, since: str | None = "2 min 5 sec", count: str | None = None, **more: Any) -> Any:
    return ControlPanel((), process_id=pid, running_for=since, read_at=NOW, references_at=count, **more)


PROCESSES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "two process ids": ({"app1": process(7), "app2": process(8)}, []),
    "containers of two deployments": ({"app1": process(1, "2 min 5 sec"), "app2": process(1, "9 min 5 sec")}, []),
    "containers of one deployment": ({"app1": process(1, count=FIRST), "app2": process(1, count=SECOND)}, []),
    "two instance homes": ({"app1": process(instance_home="/a"), "app2": process(instance_home="/b")}, []),
    "two client homes": ({"app1": process(client_home="/data/a"), "app2": process(client_home="/data/b")}, []),
    "one process": ({"app1": process(count=FIRST), "app2": process(count=FIRST)}, ["CRITICAL"]),
    "one process, read a second later": (
        {"app1": process(1, "5 sec", FIRST), "app2": process(1, "6 sec", FIRST)},
        ["CRITICAL"],
    ),
    "cannot be told": ({"app1": process(1), "app2": process(1)}, ["UNKNOWN"]),
    "one of them does not tell": ({"app1": process(1, count=FIRST), "app2": process(1)}, ["UNKNOWN"]),
    "two of three": (
        {"app1": process(1, count=FIRST), "app2": process(1, count=SECOND), "app3": process(1, count=SECOND)},
        ["CRITICAL"],
    ),
    "no process id": ({"app1": process(None), "app2": process(None)}, []),
}


@pytest.mark.parametrize(("clients", "expected"), PROCESSES.values(), ids=PROCESSES)
def test_clients_are_distinct_processes(clients: dict[str, Any], expected: list[str]) -> None:
    judgement = judge(clients_are_distinct_processes, **clients)
    assert expected == severities(judgement)
    if len(clients) == 3:
        assert [("app2", "app3")] == named(judgement)


def test_only_those_that_look_alike_are_asked_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    slept: list[float] = []
    monkeypatch.setattr(processes.time, "sleep", slept.append)
    panels = {"app1": process(1), "app2": process(2), "app3": process(1), "app4": process(None), "app5": process(1)}
    counts = {"app1": FirstCount(FIRST, True), "app3": FirstCount(SECOND, False), "app5": None}

    def look(name: str) -> FirstCount | None:
        asked.append(name)
        return counts[name]

    found = processes.told_apart(panels, look, lambda: 10.0)
    assert ["app1", "app3", "app5"] == asked
    assert {"app1": FIRST, "app3": SECOND, "app5": None} == {n: one.references_at for n, one in found.items()}
    # Only what the look itself made new has to be kept apart from the next.
    assert [processes.BETWEEN_S] == slept
    assert {} == processes.told_apart(panels, look, lambda: 0.5)


@pytest.mark.parametrize(
    ("now", "fresh"),
    [("2026/01/01 - 12:00:00", True), ("2026/01/01 - 12:00:02", True), ("2026/01/01 - 12:00:03", False)],
)
def test_the_first_count_is_the_first_of_both_moments(now: str, fresh: bool) -> None:
    page = f'<th class="x">{FIRST}</th>\n<th class="x">{now}</th>'
    assert FirstCount(FIRST, fresh) == first_count(page)
    assert first_count("<th>Class</th>") is None
