"""A history that goes on for hours, judged a part at a time, so that what is kept of it does not grow.  Pure.

What has been judged is dropped, but for what binds the parts that follow, and the operations that are witnesses of what
was found.  Exact under what :func:`zcheck.consistency.judge.isolation.judge_part` asks for: a part ends when nothing is
under way, and after a look by every session, behind a fence, at all that there is.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from zcheck.consistency.judge.isolation import Past, judge_part, together, verdict_of
from zcheck.facts.history import Found, History, Judged, Lag, Operation
from zcheck.facts.lags import behind, lags, singly
from zcheck.facts.verdicts import IsolationVerdict

MOST_FOUND = 20
"""Anomalies that are kept with their witnesses; beyond, they are counted."""
MOST_LAGS = 4000
"""So many are kept at least, once there are as many; beyond, every second, fourth, eighth ... is."""


class Windows:
    """What is known so far."""

    def __init__(self) -> None:
        self.parts = 0
        self.past = Past()
        self._judged = Judged()
        self._witnesses: list[Operation] = []
        self._lags = Lags()

    def take(self, part: History) -> None:
        """Judge what came after all that was taken before; the log holds the versions that were written since."""
        operations = (*self.past.operations, *singly(part).operations)
        found, self.past = judge_part(part, self.past)
        room = MOST_FOUND - len(self._judged.found)
        kept = tuple(self._with_witnesses(one, operations) for one in found.found[: max(room, 0)])
        self._judged = together(self._judged, msgspec.structs.replace(found, found=kept), MOST_FOUND)
        self._lags.take(lags(part))
        self.parts += 1

    def _with_witnesses(self, found: Found, operations: tuple[Operation, ...]) -> Found:
        first = len(self._witnesses)
        self._witnesses += [operations[place] for place in found.operations]
        return msgspec.structs.replace(found, operations=tuple(range(first, len(self._witnesses))))

    def verdict(self) -> IsolationVerdict:
        """The verdict so far."""
        return verdict_of(self._judged)

    def may_be_read(self, marker: str) -> frozenset[str]:
        """The nonces of this marker that are not history yet."""
        return frozenset(version.nonce for version in self.past.log.get(marker, ()))

    def history(self, last: History, kept: tuple[Operation, ...]) -> History:
        """The whole, of which ``last`` tells what is known at the end: its verdict, and what was kept of it."""
        return msgspec.structs.replace(
            last,
            operations=(*self._witnesses, *kept),
            log=self.past.log,
            judged=self._judged,
            values={},
            lags=self._lags.kept(),
            lags_counted=self._lags.count,
        )


class Lags:
    """How long writes took to arrive, evenly sampled: no chance has a say, and the slowest is always kept."""

    def __init__(self) -> None:
        self.count = 0
        self._step = 1
        self._sample: list[Lag] = []
        self._slowest: Lag | None = None

    def take(self, found: Iterable[Lag]) -> None:
        for lag in found:
            if self.count % self._step == 0:
                self._sample.append(lag)
            self.count += 1
            if self._slowest is None or lag.ms > self._slowest.ms:
                self._slowest = lag
        while len(self._sample) >= 2 * MOST_LAGS:
            self._sample = self._sample[::2]
            self._step *= 2

    def kept(self) -> tuple[Lag, ...]:
        slowest = [self._slowest] if self._slowest is not None and self._slowest not in self._sample else []
        return (*self._sample, *slowest)


def slowest(part: History) -> tuple[Operation, ...]:
    """The write that demonstrably took longest to arrive: it, a read that did not show it, and the first that did."""
    worst = max(behind(part), key=lambda lag: lag.ms, default=None)
    if worst is None:
        return ()
    looks = [op for op in part.operations if op.session == worst.reader and op.action == "read" and op.outcome == "ok"]
    for write in part.operations:
        nonce = write.writes.get(worst.marker)
        late = [op for op in looks if nonce and _looked(op, write, worst.marker) and op.reads[worst.marker] != nonce]
        if any((op.invoke_ns - write.return_ns) / 1e6 == worst.ms for op in late):
            shown = [op for op in looks if _looked(op, write, worst.marker) and op.reads[worst.marker] == nonce]
            last = max(late, key=lambda op: op.invoke_ns)
            return (write, last, *[op for op in shown if op.invoke_ns >= last.return_ns][:1])
    return ()


def _looked(look: Operation, write: Operation, marker: str) -> bool:
    return look.round == write.round and look.invoke_ns >= write.return_ns and marker in look.reads
