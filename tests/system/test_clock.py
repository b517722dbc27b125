"""Whoever sets this machine's clock during a run moves nothing in it."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from zcheck.checks.identity.client_restarted_since_edit import client_restarted_since_edit
from zcheck.checks.reach.clocks_agree import clocks_agree
from zcheck.facts import ControlPanel, HttpAnswer, OwnClock
from zcheck.system import clock
from zcheck.testing import judge, zope_conf


@pytest.mark.parametrize(("expected", "step_s"), [(None, 0.0), (None, 0.3), (30.0, 30.0), (-30.0, -30.0)])
def test_a_step_is_seen_and_moves_no_moment(expected: Any, step_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.begin()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + step_s)
    found = clock.set_by_s()
    assert found is None if expected is None else found == pytest.approx(expected, abs=0.5)
    assert clock.now_s() == pytest.approx(real(), abs=0.5)
    monkeypatch.undo()
    clock.begin()


PANEL = ControlPanel((), running_for="5 sec", read_at=1700000000.0)
EDITED = [PANEL, msgspec.structs.replace(zope_conf(), mtime=1700000020.0)]
AHEAD = HttpAnswer(
    "http", headers={"date": "Tue, 14 Nov 2023 22:13:50 GMT"}, asked_at=1700000000.0, answered_at=1700000000.2
)
THERE = msgspec.structs.replace(AHEAD, headers={"date": "Tue, 14 Nov 2023 22:13:20 GMT"})
INI = "[cluster]\nname = x\n[client:app1]\naddress = 127.0.0.1:8080\n[client:app2]\naddress = 127.0.0.1:8081\n"


@pytest.mark.parametrize(("outcome", "set_by_s"), [("problem", None), ("skipped", 30.0), ("skipped", -30.0)])
def test_nothing_is_blamed_by_a_clock_that_was_set(outcome: str, set_by_s: float | None) -> None:
    from zcheck.testing import inventory

    own, found = OwnClock(set_by_s), inventory(INI)
    assert outcome == judge(client_restarted_since_edit, found, own, app1=EDITED, app2=EDITED).results[0].outcome
    assert outcome == judge(clocks_agree, found, own, app1=AHEAD, app2=THERE).results[0].outcome
