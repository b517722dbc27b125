"""Pace by duty: what zcheck writes holds a storage's commit lock for a small share of the time."""

from __future__ import annotations

SHARE = 0.1
"""Of the time: for at most so long the lock is held by commits of zcheck's own."""
ASSUMED_HOLD_S = 0.005
"""How long a commit is taken to hold the lock where that was not measured."""


class Duty:
    """When the next commit may begin, by how long the last one held the lock, and by a ceiling of commits a second.

    All times are seconds on one monotonic clock, which the caller reads.
    """

    def __init__(self, max_rate: float, now: float, *, share: float = SHARE) -> None:
        self._rate = max(max_rate, 0.1)
        self._burst = max(self._rate, 1.0)
        self._tokens = self._burst
        self._share = share
        self._at = now
        self._free_at = now

    def wait_s(self, now: float) -> float:
        """How long to wait before the next commit, which then is counted."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        by_rate = (1 - self._tokens) / self._rate if self._tokens < 1 else 0.0
        self._tokens -= 1
        return max(by_rate, self._free_at - now, 0.0)

    def held(self, seconds: float, now: float) -> None:
        """A commit has just ended that held the lock for so long: as long as makes it its share, none begins."""
        self._free_at = now + seconds * (1 - self._share) / self._share
