"""What a judged history shows: the verdict of isolation and its anomalies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import msgspec

from zcheck.facts.history import Found, History

IsolationLevel = Literal["snapshot-isolation", "strong-session-si", "strong-si", "serializable"]
LEVELS: tuple[IsolationLevel, ...] = ("snapshot-isolation", "strong-session-si", "strong-si")

ZERO = "0" * 16
"""Before every transaction."""
NEVER = "~"
"""After every transaction."""

SERIALIZABLE = "write-skew-current"
"""The workload that asks for more than snapshot isolation."""

# Plain name: Adya's, and the weakest level that does not allow it.
KINDS: dict[str, tuple[str, IsolationLevel]] = {
    "lost write": ("durability", "snapshot-isolation"),
    "phantom commit": ("durability", "snapshot-isolation"),
    "torn commit": ("atomicity", "snapshot-isolation"),
    "aborted read": ("G1a", "snapshot-isolation"),
    "intermediate read": ("G1b", "snapshot-isolation"),
    "foreign read": ("G1a", "snapshot-isolation"),
    "lost update": ("P4", "snapshot-isolation"),
    "missed conflict": ("P4", "snapshot-isolation"),
    "stale read": ("G-SIb", "snapshot-isolation"),
    "read from the future": ("G-SIa", "snapshot-isolation"),
    "fractured read": ("G-single", "snapshot-isolation"),
    "broken sum": ("G-SIb", "snapshot-isolation"),
    "non-monotonic read": ("G-single-process", "strong-session-si"),
    "own write not read": ("G-single-process", "strong-session-si"),
    "non-monotonic write": ("G0-process", "strong-session-si"),
    "write before what was read": ("G1c-process", "strong-session-si"),
    "acknowledged commit not seen": ("G-single-realtime", "strong-si"),
    "commits out of order": ("G0-realtime", "strong-si"),
    "write skew": ("G2-item", "serializable"),
}

LOSES_UPDATES = frozenset({"lost update", "missed conflict"})


class Anomaly(Found, frozen=True):
    """One thing that a level does not allow, with its witness in words."""

    @property
    def adya(self) -> str:
        return KINDS[self.kind][0]

    @property
    def breaks(self) -> IsolationLevel:
        return KINDS[self.kind][1]


class IsolationVerdict(msgspec.Struct, frozen=True):
    """Three-valued: ``unknown`` says what is missing for a pass, and a fail stays one whatever is missing."""

    result: Literal["pass", "fail", "unknown"]
    held: IsolationLevel | None
    """The strongest level that was put to the test and held, all weaker ones with it."""
    anomalies: tuple[Anomaly, ...] = ()
    unknown: tuple[str, ...] = ()
    serializable: bool | None = None
    """Of the work that uses ``readCurrent``; None where there was none."""
    transactions: int = 0
    """Operations that were judged."""
    fenced_reads: int = 0
    """Those that could have shown a missing commit: without a fault in R of them its rate is below 3/R (95 %)."""
    operations: int = 0
    """All operations, those that there was nothing to judge in as well."""
    told: int = 0
    """Anomalies in all; of very many not every one is kept."""
    held_until_then: IsolationLevel | None = None
    """The same as ``held``, of a history that ended early: what had held until it did."""

    def so_far(self, passed_s: float, commits: int) -> str:
        """What a person is told while the work goes on."""
        found = f"{self.told} anomalies, the first: {self.anomalies[0].words}" if self.anomalies else "no anomaly"
        return (
            f"{passed_s:.0f} s: {commits} commits, {self.operations} operations judged, "
            f"{self.fenced_reads} of them fenced reads; {found}; held so far: {self.held or 'nothing'}"
        )


class JudgedHistory(msgspec.Struct, frozen=True):
    """One history by its names, and the verdict on it."""

    level: str
    database: str
    place: str
    verdict: IsolationVerdict


class Verdicts(msgspec.Struct, frozen=True):
    """The verdict on every history of a run: each is judged once, when all are recorded."""

    scope: ClassVar[str] = "cluster"
    judged: tuple[JudgedHistory, ...] = ()

    def of(self, history: History) -> IsolationVerdict:
        """The verdict on this history; unknown where it was not judged."""
        name = (history.level, history.database, history.place)
        for one in self.judged:
            if name == (one.level, one.database, one.place):
                return one.verdict
        return IsolationVerdict(
            "unknown", None, unknown=("this history was not judged",), operations=len(history.operations)
        )


def held(verdicts: Iterable[IsolationVerdict]) -> IsolationLevel | None:
    """The strongest level that all of these support; None where none was judged, or not even the weakest held."""
    verdicts = list(verdicts)
    if not verdicts or any(verdict.held is None for verdict in verdicts):
        return None
    broken = {anomaly.breaks for verdict in verdicts for anomaly in verdict.anomalies}
    tested = {verdict.held for verdict in verdicts}
    found: IsolationLevel | None = None
    for level in LEVELS:
        if level in broken:
            break
        if any(LEVELS.index(level) <= LEVELS.index(one) for one in tested if one in LEVELS):
            found = level
    return found
