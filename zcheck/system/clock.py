"""The time of day, in one piece: whoever sets this machine's clock during a run moves nothing in it.

Every moment that is compared with another machine's clock, or with a file's time, is taken here: the time of day when
the process began, and what has passed since by the monotonic clock.
"""

from __future__ import annotations

import time

LEAST_STEP_S = 1.0
"""Seconds by which a clock is set, and not merely kept right: NTP moves a clock slowly below that."""

_offset_s = time.time() - time.monotonic()


def begin() -> None:
    """Take the time of day anew: a process that begins another command begins another count."""
    global _offset_s
    _offset_s = time.time() - time.monotonic()


def now_s() -> float:
    """Seconds since the epoch."""
    return at_s(time.monotonic())


def at_s(monotonic_s: float) -> float:
    """A moment of the monotonic clock, in seconds since the epoch."""
    return monotonic_s + _offset_s


def set_by_s() -> float | None:
    """Seconds by which this machine's clock was set since :func:`begin`; None where it was not."""
    step_s = time.time() - time.monotonic() - _offset_s
    return step_s if abs(step_s) > LEAST_STEP_S else None
