"""What happened when, for those who draw it: how long writes took to arrive, and what went on around an anomaly.  Pure.

A history can hold a million operations; what is made of it here has a limit of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from zcheck.facts.history import History, Lag, Operation
from zcheck.facts.lags import lags, quantile, singly
from zcheck.facts.verdicts import IsolationVerdict
from zcheck.report.structs import Anomaly, Judged, LagPoint, Lags, LagWindow, Pair, Step

MOST_POINTS = 500
MOST_STEPS = 36
MOST_ANOMALIES = 5
MOST_WORDS = 500
"""Characters of one description."""
_SLOWEST = 50
_MOST_WINDOWS = 12
_MOST_MARKERS = 4
_DEEDS = {
    "prove": "was asked to show that it is on the same database",
    "add": "added the folder for the test",
    "remove": "removed what the test had written",
    "gone": "was asked whether it is gone",
}
"""What was done, of that which neither read nor wrote a marker."""


def judged(history: History, verdict: IsolationVerdict, pairs: Iterable[Pair]) -> Judged:
    """How the judge came to its verdict.  In a split cluster nothing held, however well each side keeps its order."""
    unseen = sum(pair.seen is False for pair in pairs)
    return Judged(
        level=history.level,
        database=history.database,
        result="fail" if unseen else verdict.result,
        held=None if unseen else verdict.held,
        operations=verdict.operations,
        transactions=verdict.transactions,
        fenced_reads=verdict.fenced_reads,
        anomalies=verdict.told,
        unseen=unseen,
        serializable=verdict.serializable,
        unknown=tuple(_short(one) for one in verdict.unknown[:_MOST_MARKERS]),
    )


# --- how long writes took to arrive ----------------------------------------------------------------


def lags_of(history: History, limit_ms: float) -> Lags | None:
    """How long writes took to arrive at those who did not ask for them; None where nothing shows it."""
    found = sorted(history.lags or lags(history), key=lambda lag: (lag.at_ns, lag.writer, lag.reader))
    if not found:
        return None
    first = found[0].at_ns
    whole = _window(found, first, found[0].at_ns, found[-1].at_ns)
    count = history.lags_counted or len(found)
    return Lags(
        level=history.level,
        database=history.database,
        whole=msgspec.structs.replace(whole, count=count),
        limit_ms=limit_ms,
        windows=tuple(_windows(found)),
        points=tuple(
            LagPoint(_seconds(lag.at_ns - first), round(lag.ms, 3), lag.writer, lag.reader) for lag in thinned(found)
        ),
        sampled=len(found) if len(found) < count else None,
    )


def thinned(found: Sequence[Lag], most: int = MOST_POINTS) -> list[Lag]:
    """The slowest, and of the others so many that there are no more than ``most``, in their order."""
    if len(found) <= most:
        return list(found)
    slowest = set(sorted(range(len(found)), key=lambda n: -found[n].ms)[:_SLOWEST])
    others = [n for n in range(len(found)) if n not in slowest]
    room = most - len(slowest)
    kept = slowest | {others[n * len(others) // room] for n in range(room)}
    return [found[n] for n in sorted(kept)]


def _windows(found: Sequence[Lag]) -> Iterable[LagWindow]:
    """Parts of the time, all as long, each with enough in it for a quantile to mean something; empty ones left out."""
    first, last = found[0].at_ns, found[-1].at_ns
    count = max(1, min(_MOST_WINDOWS, len(found) // 20))
    width = (last - first) // count + 1
    parts: dict[int, list[Lag]] = {}
    for lag in found:
        parts.setdefault((lag.at_ns - first) // width, []).append(lag)
    for number, part in parts.items():
        begin = first + number * width
        yield _window(part, first, begin, min(begin + width, last))


def _window(part: Iterable[Lag], first_ns: int, begin_ns: int, end_ns: int) -> LagWindow:
    values = sorted(lag.ms for lag in part)
    median, p95, p99 = (round(quantile(values, share), 3) for share in (0.5, 0.95, 0.99))
    return LagWindow(
        begin_s=_seconds(begin_ns - first_ns),
        end_s=_seconds(end_ns - first_ns),
        count=len(values),
        median_ms=median,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=round(values[-1], 3),
    )


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 4)


# --- what went on around an anomaly ----------------------------------------------------------------


class _Found(msgspec.Struct, frozen=True):
    """What is to be told, and the places of its witnesses in the operations."""

    kind: str
    words: str
    clients: tuple[str, ...]
    places: tuple[int, ...]
    adya: str | None = None
    breaks: str | None = None


def anomalies_of(history: History, verdict: IsolationVerdict, pairs: Iterable[Pair]) -> tuple[Anomaly, ...]:
    """The first anomaly of each kind and of the same clients; without any, the edits that did not show."""
    operations = singly(history).operations
    found = [
        _Found(one.kind, one.words, one.sessions, one.operations, one.adya, one.breaks) for one in verdict.anomalies
    ] or _not_shown(operations, pairs)
    if not found:
        return ()
    chosen: dict[tuple[str, tuple[str, ...]], _Found] = {}
    for one in found:
        chosen.setdefault((one.kind, one.clients), one)
    kinds = [one.kind for one in chosen.values()]
    turns = sorted(enumerate(chosen.values()), key=lambda turn: kinds[: turn[0]].count(turn[1].kind))
    around = _Around(history, operations)
    return tuple(around.anomaly(one) for _, one in turns[:MOST_ANOMALIES])


def _not_shown(operations: Sequence[Operation], pairs: Iterable[Pair]) -> list[_Found]:
    """For each pair that was not seen: what was saved, and the last look at it that did not show it; each look once."""
    unseen, strangers = _unseen(operations), _strangers(operations)
    found: dict[tuple[int, ...], _Found] = {}
    for pair in pairs:
        places = unseen.get((pair.writer, pair.reader)) or strangers.get(pair.reader)
        if pair.seen is False and places:
            who = tuple(dict.fromkeys(operations[place].session for place in places))
            words = f"{pair.reader} does not show what was saved through {operations[places[0]].session}"
            found.setdefault(places, _Found("edit not shown", words, who, places))
    return list(found.values())


def _unseen(operations: Sequence[Operation]) -> dict[tuple[str, str], tuple[int, int]]:
    """By writer and reader: a write, and the last read that did not show it."""
    writes = {
        (op.session, op.round): place
        for place, op in enumerate(operations)
        if op.outcome == "ok" and op.action in ("add", "write") and op.session in op.writes
    }
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for place, op in enumerate(operations):
        for marker, nonce in op.reads.items() if op.action == "read" and op.outcome == "ok" else ():
            written = writes.get((marker, op.round))
            if written is not None and _missed(operations[written], op.invoke_ns, marker, nonce):
                found[marker, op.session] = (written, place)
    return found


def _strangers(operations: Sequence[Operation]) -> dict[str, tuple[int, int]]:
    """By reader: what was added first of all, and the last look for it that did not find it."""
    found: dict[str, tuple[int, int]] = {}
    added = [place for place, op in enumerate(operations) if op.action == "add" and op.outcome == "ok"]
    for place, op in enumerate(operations):
        before = next((one for one in added if operations[one].return_ns <= op.return_ns), None)
        if op.action == "prove" and op.outcome == "fail" and before is not None:
            found[op.session] = (before, place)
    return found


def _missed(write: Operation, begun_ns: int, marker: str, nonce: str | None) -> bool:
    """Whether a read that began then should have shown this write, and did not."""
    return begun_ns >= write.return_ns and write.writes[marker] != nonce


class _Around:
    """The operations of one history, as they are told around an anomaly."""

    def __init__(self, history: History, operations: Sequence[Operation]) -> None:
        self.history = history
        self.operations = operations
        self.begin_ns = min((op.invoke_ns for op in operations), default=0)
        self.versions = _versions(history)
        self.writes: dict[str, list[int]] = {}
        """By marker: the operations that wrote it, in the order of their acknowledgement."""
        for place in sorted(range(len(operations)), key=lambda place: operations[place].return_ns):
            if operations[place].outcome == "ok":
                for marker in operations[place].writes:
                    self.writes.setdefault(marker, []).append(place)

    def anomaly(self, found: _Found) -> Anomaly:
        places = dict.fromkeys((*found.places, *(write for place in found.places for write in self._missed(place))))
        witnesses = sorted(places, key=lambda place: (self.operations[place].invoke_ns, place))[:MOST_STEPS]
        markers = dict.fromkeys(marker for place in witnesses for marker in self.operations[place].writes)
        return Anomaly(
            level=self.history.level,
            database=self.history.database,
            kind=found.kind,
            words=_short(found.words),
            clients=found.clients,
            adya=found.adya,
            breaks=found.breaks,
            steps=tuple(self._step(place, witnesses, markers) for place in self._near(witnesses, set(markers))),
        )

    def _missed(self, place: int) -> list[int]:
        """The writes that had been acknowledged before this operation read something older."""
        op = self.operations[place]
        found = []
        for marker, nonce in op.reads.items():
            before = [one for one in self.writes.get(marker, ()) if self.operations[one].return_ns <= op.invoke_ns]
            read = self.versions.get((marker, nonce or ""), 0)
            if before and self._number(marker, before[-1]) > read:
                found.append(before[-1])
        return found[:_MOST_MARKERS]

    def _number(self, marker: str, place: int) -> int:
        return self.versions.get((marker, self.operations[place].writes[marker]), 0)

    def _step(self, place: int, witnesses: Sequence[int], markers: Iterable[str]) -> Step:
        op = self.operations[place]
        return Step(
            session=op.session,
            action=op.action,
            begin_ms=round((op.invoke_ns - self.begin_ns) / 1e6, 3),
            end_ms=round((op.return_ns - self.begin_ns) / 1e6, 3),
            outcome=op.outcome,
            what=_what(op, markers, self.versions),
            fenced=op.fenced,
            witness=witnesses.index(place) + 1 if place in witnesses else None,
        )

    def _near(self, witnesses: Sequence[int], markers: set[str]) -> list[int]:
        """The witnesses, and what their sessions did and who wrote the same just before and after; by time."""
        sessions = {self.operations[place].session for place in witnesses}
        near = [
            place
            for place, op in enumerate(self.operations)
            if op.session in sessions or not markers.isdisjoint(op.writes)
        ]
        near.sort(key=lambda place: (self.operations[place].invoke_ns, place))
        at = [near.index(place) for place in witnesses]
        ranked = sorted(range(len(near)), key=lambda n: (min((abs(n - one) for one in at), default=0), n))
        return [near[n] for n in sorted(ranked[:MOST_STEPS])]


def _versions(history: History) -> dict[tuple[str, str], int]:
    """By marker and nonce: which version it is, counted from 1; in the order of the log where that was read."""
    numbers: dict[tuple[str, str], int] = {}
    if history.judged is not None:
        # Of its log only the newest versions were kept: nothing can be counted.
        return numbers
    if history.log is not None:
        for marker, versions in history.log.items():
            ordered = sorted(versions, key=lambda version: version.tid)
            numbers |= {(marker, version.nonce): n for n, version in enumerate(ordered, 1)}
        return numbers
    count: dict[str, int] = {}
    for op in sorted(history.operations, key=lambda op: op.return_ns):
        for marker, nonce in op.writes.items() if op.outcome == "ok" else ():
            numbers[marker, nonce] = count[marker] = count.get(marker, 0) + 1
    return numbers


def _what(op: Operation, first: Iterable[str], versions: Mapping[tuple[str, str], int]) -> str:
    written = dict.fromkeys(op.writes, op.tid or "")
    parts = [
        _named(op.reads, op.read_tids, "read", first, versions),
        _named(op.writes, written, "wrote", first, versions),
    ]
    told = "; ".join(part for part in parts if part) or _DEEDS.get(op.action, op.action)
    return _short(f"{told} ({op.error})" if op.error else told)


def _named(
    given: Mapping[str, str | None],
    tids: Mapping[str, str],
    verb: str,
    first: Iterable[str],
    versions: Mapping[tuple[str, str], int],
) -> str:
    """``read version 2 of app1, version 1 of app2``; the markers that matter first, of many a few."""
    if not given:
        return ""
    order = [marker for marker in first if marker in given]
    order += [marker for marker in given if marker not in set(order)]
    shown = [_version(marker, given[marker], tids.get(marker, ""), versions) for marker in order[:_MOST_MARKERS]]
    more = f" and {len(order) - _MOST_MARKERS} more" if len(order) > _MOST_MARKERS else ""
    return f"{verb} {', '.join(shown)}{more}"


def _version(marker: str, nonce: str | None, tid: str, versions: Mapping[tuple[str, str], int]) -> str:
    if not nonce:
        return f"{marker}: not there" if nonce is None else f"{marker}: removed"
    number = versions.get((marker, nonce))
    if number is None and versions:
        return f"an unknown version of {marker}"
    return f"version {number or tid} of {marker}" if number or tid else f"a version of {marker}"


def _short(text: str) -> str:
    return text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1] + "…"
