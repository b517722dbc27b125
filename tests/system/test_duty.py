"""How long zcheck waits between its commits."""

from __future__ import annotations

import pytest

from zcheck.system.duty import Duty


def test_the_lock_is_ours_a_tenth_of_the_time() -> None:
    duty, now, held = Duty(1000.0, 0.0), 0.0, 0.0
    for hold_s in (0.002, 0.01, 0.1, 0.001) * 5:
        now += duty.wait_s(now)
        now += hold_s
        held += hold_s
        duty.held(hold_s, now)
    now += duty.wait_s(now)
    assert held / now == pytest.approx(0.1)


def test_the_ceiling_holds_after_a_burst() -> None:
    duty, now = Duty(20.0, 0.0), 0.0
    for _ in range(60):
        now += duty.wait_s(now)
    assert now == pytest.approx(2.0)


def test_who_comes_late_does_not_wait() -> None:
    duty = Duty(100.0, 0.0)
    duty.held(0.01, 1.0)
    assert duty.wait_s(1.05) == pytest.approx(0.04)
    assert duty.wait_s(2.0) == 0.0
