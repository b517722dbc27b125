"""Who answered at one address: by turns, or one after the other."""

from __future__ import annotations

import pytest

from zcheck.facts.processes import Process, at_one_time, distinct, named


def ids(*found: int) -> list[Process]:
    return [Process(one) for one in found]


@pytest.mark.parametrize(
    ("expected", "answers"),
    [
        pytest.param([7], [7, 7, 7], id="one"),
        pytest.param([7, 8], [7, 8, 7], id="by turns"),
        pytest.param([8], [7, 7, 8, 8], id="restarted meanwhile"),
        pytest.param([9], [7, 8, 8, 9], id="restarted twice"),
        pytest.param([7, 8], [6, 7, 8, 7, 8], id="restarted, and then two"),
    ],
)
def test_a_restart_is_no_second_process(expected: list[int], answers: list[int]) -> None:
    assert expected == [process.process_id for process in at_one_time(ids(*answers))]


def test_containers_with_one_process_id_are_told_apart_by_their_start() -> None:
    first, second = Process(7, 1000.0), Process(7, 1060.0)
    assert (first, second) == distinct([first, second, Process(7, 1001.0)])


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        pytest.param(Process(27749, 1796146350.0), "27749@1796146350", id="both"),
        pytest.param(Process(27749), "27749@", id="no start"),
        pytest.param(None, "", id="not told"),
        pytest.param(None, "x@1", id="not one"),
    ],
)
def test_an_operation_names_a_process(expected: Process | None, text: str) -> None:
    assert expected == named(text)
