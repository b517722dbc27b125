"""An address that leads to several processes: critical, or a warning where each was proven."""

from __future__ import annotations

import msgspec
import pytest

from zcheck.check import Check, Severity
from zcheck.checks.identity.address_leads_to_one_process import address_leads_to_one_process
from zcheck.checks.identity.clients_are_distinct_processes import clients_are_distinct_processes
from zcheck.facts import AnsweringProcesses, ControlPanel, Process
from zcheck.facts.history import ClientState, History, HttpHistories, Operation
from zcheck.testing import judge


def met(*ids: int) -> AnsweringProcesses:
    return AnsweringProcesses(tuple(Process(one, 1000.0) for one in ids), ("10.0.0.2",))


def run(*reads: tuple[str, str, bool]) -> HttpHistories:
    """What was saved through app1 and, by process, who answered: (client, process id, whether it showed it)."""
    write = Operation("app1", "write", 1, 0, 1, "ok", writes={"app1": "n"})
    looks = [
        Operation(
            client, "read", 1, 2 + at, 3 + at, "ok", reads={"app1": "n" if shown else None}, answered_by=f"{name}@1000"
        )
        for at, (client, name, shown) in enumerate(reads)
    ]
    states = (ClientState("app1", joined=True), ClientState("app2", joined=True))
    return HttpHistories((History("http", "main", "x", (write, *looks), states, 1),))


ONE = ("app1", "7", True)
NOBODY = HttpHistories()


def severities(check: Check, histories: HttpHistories, **processes: AnsweringProcesses) -> list[str]:
    panels = {name: [ControlPanel((), process_id=one.processes[0].process_id), one] for name, one in processes.items()}
    judgement = judge(check, histories, **panels)
    return [finding.severity for finding in judgement.findings]


@pytest.mark.parametrize(
    ("expected", "histories", "app2"),
    [
        pytest.param([], run(ONE, ("app2", "8", True)), met(8), id="one process"),
        pytest.param(["CRITICAL"], NOBODY, met(8, 9), id="two, and nothing was written"),
        pytest.param(["WARNING"], run(ONE, ("app2", "8", True), ("app2", "9", True)), met(8, 9), id="two, one system"),
        pytest.param(["CRITICAL"], run(ONE, ("app2", "8", True), ("app2", "9", False)), met(8, 9), id="one is apart"),
        pytest.param(["CRITICAL"], run(ONE, ("app2", "8", True)), met(8, 9), id="one was not met again"),
        pytest.param([], run(ONE, ("app2", "8", True), ("app2", "9", True)), met(8), id="restarted meanwhile"),
        pytest.param(
            ["WARNING"],
            run(ONE, ("app2", "8", True), ("app2", "9", True), ("app2", "8", True)),
            met(8),
            id="the second was met by the pages alone",
        ),
    ],
)
def test_an_address_is_one_process(expected: list[str], histories: HttpHistories, app2: AnsweringProcesses) -> None:
    assert expected == severities(address_leads_to_one_process, histories, app1=met(7), app2=app2)


def test_an_address_of_the_name_that_nobody_answers_at_is_a_note() -> None:
    silent = msgspec.structs.replace(met(8), addresses=("::1", "127.0.0.1"), silent={"::1": "it refuses connections"})
    judgement = judge(address_leads_to_one_process, app1=met(7), app2=silent)
    assert ([], 1) == (list(judgement.findings), len(judgement.remarks))


@pytest.mark.parametrize(
    ("expected", "histories", "app1"),
    [
        pytest.param(["CRITICAL"], run(("app1", "8", True), ("app2", "8", True)), met(8, 9), id="the same ones"),
        pytest.param([], run(("app1", "5", True), ("app2", "8", True)), met(5, 6), id="others"),
        pytest.param(["UNKNOWN"], NOBODY, met(8, 9), id="ids alone"),
    ],
)
def test_two_addresses_of_the_same_processes_are_not_two_clients(
    expected: list[str], histories: HttpHistories, app1: AnsweringProcesses
) -> None:
    assert expected == severities(clients_are_distinct_processes, histories, app1=app1, app2=met(8, 9))


def test_the_check_is_milder_only_where_it_is_proven() -> None:
    assert Severity.CRITICAL == address_leads_to_one_process.severity
