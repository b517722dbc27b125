"""clocks-agree: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.reach.clocks_agree import clocks_agree
from zcheck.facts import (
    HttpAnswer,
    Thresholds,
    TidReading,
    ZeoClocks,
    tid_seconds,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge

NOW = 1_700_000_000.0


def severities(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings]


def dated(ahead_s: float = 0.0, *, took_s: float = 0.1, **headers: str) -> HttpAnswer:
    """An answer of a client whose clock is ``ahead_s`` ahead of ours; a date has whole seconds, cut off."""
    from email.utils import formatdate

    date = formatdate(int(NOW + took_s / 2 + ahead_s), usegmt=True)
    return HttpAnswer("http", headers={"date": date, **headers}, asked_at=NOW, answered_at=NOW + took_s)


def server(ahead_s: float, *, bracketed: bool = True, clients: tuple[str, ...] = ("app1",)) -> TidReading:
    return TidReading("zeo1:8100", clients, NOW + ahead_s, NOW, NOW + 0.1, bracketed)


CLOCKS: dict[str, tuple[list[TidReading], dict[str, Any], list[str]]] = {
    "all right": ([server(0.05)], {"app1": dated(), "app2": dated(0.9)}, []),
    "a second or four are nothing": ([], {"app1": dated(-2), "app2": dated(2)}, []),
    "one is ahead": ([], {"app1": dated(), "app2": dated(7)}, ["WARNING"]),
    "one is behind": ([], {"app1": dated(), "app2": dated(-7)}, ["WARNING"]),
    "a slow answer proves nothing": ([], {"app1": dated(), "app2": dated(7, took_s=20)}, []),
    "one client alone": ([], {"app1": dated(60)}, ["WARNING"]),
    "only zcheck's machine is wrong": ([server(60)], {"app1": dated(60), "app2": dated(61)}, []),
    "the server is ahead": ([server(30)], {"app1": dated(), "app2": dated()}, ["WARNING"]),
    "the server is behind": ([server(-30)], {"app1": dated()}, ["WARNING"]),
    "nobody has written for a day": ([server(-86400, bracketed=False)], {"app1": dated()}, []),
    "the newest transaction is of tomorrow": ([server(86400, bracketed=False)], {"app1": dated()}, ["WARNING"]),
    "a cache keeps dates": ([], {"app1": dated(), "app2": dated(-900, age="900")}, []),
    "a date that is none": ([], {"app1": dated(), "app2": dated(date="yesterday")}, []),
}


@pytest.mark.parametrize(("readings", "clients", "expected"), CLOCKS.values(), ids=CLOCKS)
def test_clocks_agree(readings: list[TidReading], clients: dict[str, Any], expected: list[str]) -> None:
    assert expected == severities(judge(clocks_agree, ZeoClocks(tuple(readings)), **clients))


def test_the_threshold_of_clocks_is_an_option() -> None:
    clients = {"app1": dated(), "app2": dated(60)}
    assert [] == severities(judge(clocks_agree, Thresholds(clocks_agree_s=90.0), **clients))
    assert ["WARNING"] == severities(judge(clocks_agree, Thresholds(clocks_agree_s=30.0), **clients))


def test_that_only_our_own_clock_is_wrong_is_told() -> None:
    judgement = judge(clocks_agree, app1=dated(60), app2=dated(60))
    assert ["this machine's own clock differs: app1, app2 are 60 s ahead of zcheck's machine"] == [
        remark.message for remark in judgement.remarks
    ]


def test_a_transaction_id_is_a_time() -> None:
    # By persistent.timestamp.TimeStamp(2023, 11, 14, 22, 13, 20.0).
    assert tid_seconds("03f47f9555555555") == pytest.approx(NOW, abs=1e-6)


@pytest.mark.parametrize("tid", ["", "0" * 16, "zope", "00000000ffffffff"])
def test_what_has_no_time_is_none(tid: str) -> None:
    assert tid_seconds(tid) is None
