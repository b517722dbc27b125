"""What isolation a history shows, judged exactly: pure, and linear but for sorting.

The order of transaction ids *is* the order of the commits, and the storage's own log gives it.  So what is hard in
general becomes a question of intervals: each version that a transaction read was the newest one from its own id up to
the next one's, and the transaction's snapshot has to lie in all of these (the setting of Chronos, arXiv 2504.01477).
Sessions and real time only push snapshots upwards; taking the smallest that is possible is therefore exact.

The levels, weakest first: ``snapshot-isolation``; ``strong-session-si``, with read your writes, monotonic reads,
monotonic writes and writes follow reads; ``strong-si``, where each fenced begin sees every commit that was acknowledged
before; ``serializable``, asked only of the work that uses ``readCurrent``.  Anomalies keep the names of Adya's thesis
beside the plain ones, with Elle's suffixes ``-process`` (a session's order) and ``-realtime``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

import msgspec

from zcheck.facts.history import History, Judged, Operation, Version
from zcheck.facts.lags import singly
from zcheck.facts.verdicts import LEVELS, NEVER, SERIALIZABLE, ZERO, Anomaly, IsolationLevel, IsolationVerdict


def judge(history: History) -> IsolationVerdict:
    """The verdict on one history.  Without the storage's log it is never a pass."""
    return _after_a_pack(_judged(history)) if history.packed else _judged(history)


PACKED = "the storage was packed meanwhile: what is missing from it, or was accepted by it, tells nothing"


def _after_a_pack(verdict: IsolationVerdict) -> IsolationVerdict:
    """A pack takes markers away, and the versions by which a conflict is known: what was found may come of that."""
    if verdict.result != "fail":
        return verdict
    return IsolationVerdict("unknown", None, unknown=(PACKED,), operations=verdict.operations)


def _judged(history: History) -> IsolationVerdict:
    if history.judged is not None:
        return verdict_of(history.judged, history.stopped)
    if history.log is None:
        why = history.why_no_log or history.stopped or "the storage's own log was not read"
        return IsolationVerdict("unknown", None, unknown=(why,), operations=len(history.operations))
    return verdict_of(_Judge(singly(history), history.log, Past()).judged(), history.stopped)


def judge_part(history: History, past: Past) -> tuple[Judged, Past]:
    """What is found in a part of a history after all that was before it, and what binds the part that comes next.

    ``history`` holds the operations of this part alone, and of the log the versions that were written in it.  Exact
    where no operation is under way when a part ends, and where every session then begins with a fence before it does
    anything else: what that session reads later and is older than the fence is told, so no cycle spans two parts, and
    no version but the newest of each object, and those that this part wrote, has to be kept.
    """
    one = _Judge(singly(history), history.log or {}, past)
    return one.judged(), one.past_of_the_next()


def together(one: Judged, other: Judged, most: int) -> Judged:
    """What was found in two parts, of the findings the first ``most``."""
    both = [found for found in (one.serializable, other.serializable) if found is not None]
    return Judged(
        operations=one.operations + other.operations,
        transactions=one.transactions + other.transactions,
        fenced_reads=one.fenced_reads + other.fenced_reads,
        found=(*one.found, *other.found)[:most],
        told=one.told + other.told,
        tested=tuple(dict.fromkeys((*one.tested, *other.tested))),
        broken=tuple(dict.fromkeys((*one.broken, *other.broken))),
        serializable=all(both) if both else None,
    )


def verdict_of(judged: Judged, stopped: str = "") -> IsolationVerdict:
    """The verdict on what was found; ``stopped`` says why the work ended early."""
    unknown = [stopped] if stopped else []
    if "snapshot-isolation" not in judged.tested:
        # A history in which nobody read what somebody wrote says nothing.
        unknown.append("nothing was read that had been written")
    result: Literal["pass", "fail", "unknown"] = "unknown" if unknown else "pass"
    return IsolationVerdict(
        result="fail" if judged.told else result,
        held=None if unknown else _strongest(judged),
        anomalies=tuple(Anomaly(*msgspec.structs.astuple(one)) for one in judged.found),
        unknown=tuple(unknown),
        serializable=judged.serializable,
        transactions=judged.transactions,
        fenced_reads=judged.fenced_reads,
        operations=judged.operations,
        told=judged.told,
        held_until_then=_strongest(judged) if "snapshot-isolation" in judged.tested else None,
    )


def _strongest(judged: Judged) -> IsolationLevel | None:
    found: IsolationLevel | None = None
    for level in LEVELS:
        if level in judged.broken:
            return found
        found = level if level in judged.tested else found
    return found


class _Object:
    """One object's versions: the log, and where each nonce is in it."""

    __slots__ = ("dropped", "nonces", "spans", "tids")

    def __init__(self, versions: Sequence[Version], dropped: int = 0) -> None:
        self.dropped = dropped
        ordered = sorted(versions, key=lambda version: version.tid)
        self.tids = [version.tid for version in ordered]
        self.nonces = [version.nonce for version in ordered]
        ends = [*self.tids[1:], NEVER]
        self.spans = {nonce: (tid, end) for tid, nonce, end in zip(self.tids, self.nonces, ends, strict=False) if nonce}

    def before(self, tid: str) -> str:
        """The version that this transaction's replaced."""
        place = bisect_left(self.tids, tid) - 1
        return self.tids[place] if place >= 0 else ZERO

    def at(self, snapshot: str) -> int:
        """The place of the version that a snapshot shows; -1 where the object was not there yet."""
        return bisect_right(self.tids, snapshot) - 1

    def number(self, tid: str) -> int:
        """Counted from 1, for words."""
        return self.dropped + bisect_right(self.tids, tid)

    def absent(self) -> list[tuple[str, str]]:
        """When the object was not there."""
        ends = [*self.tids, NEVER]
        gone = [
            (tid, ends[n + 1]) for n, (tid, nonce) in enumerate(zip(self.tids, self.nonces, strict=True)) if not nonce
        ]
        return [(ZERO, ends[0]), *gone]


_NOTHING = _Object(())


class _Where(msgspec.Struct):
    """Where a transaction's snapshot can lie: from ``low`` up to, and without, ``high``; and why."""

    low: str = ZERO
    high: str = NEVER
    low_marker: str = ""
    high_marker: str = ""
    pieces: list[tuple[str, str]] | None = None
    """Where there is more than one interval, all of them."""

    def smallest_from(self, bound: str) -> str | None:
        """The smallest possible snapshot that is not before the bound."""
        for low, high in self.pieces if self.pieces is not None else ((self.low, self.high),):
            found = low if low > bound else bound
            if found < high:
                return found
        return None


class _Session(msgspec.Struct):
    """What a session has seen and done by now, of what was over."""

    snapshot: str = ZERO
    snapshot_by: int = -1
    commit: str = ZERO
    commit_by: int = -1
    read: str = ZERO
    """The newest version that it read."""
    floor: str = ZERO
    """The newest commit that had been acknowledged before its last fence."""
    floor_by: int = -1


class Past(msgspec.Struct):
    """What the parts of a history that were judged bind the next one by."""

    operations: tuple[Operation, ...] = ()
    """Those that are witnesses of something below; all places are places in this."""
    commits: dict[int, str] = {}
    sessions: dict[str, _Session] = {}
    newest: str = ZERO
    """The newest commit that was acknowledged."""
    newest_by: int = -1
    totals: dict[str, tuple[int, int]] = {}
    log: dict[str, tuple[Version, ...]] = {}
    """The versions that may be read still."""
    dropped: dict[str, int] = {}
    """By marker: how many older versions there were."""
    until: str = ZERO
    """The newest transaction of the log that was looked at."""


class _Judge:
    """One part of a history, judged after its past; the letters are those of the specification."""

    def __init__(self, history: History, log: dict[str, tuple[Version, ...]], past: Past) -> None:
        self.history = history
        self.past = past
        self.first = len(past.operations)
        """The place of the first operation of this part."""
        self.operations = (*past.operations, *history.operations) if past.operations else history.operations
        self.log = {marker: (*past.log.get(marker, ()), *log.get(marker, ())) for marker in past.log | log}
        dropped = past.dropped
        self.objects = {marker: _Object(versions, dropped.get(marker, 0)) for marker, versions in self.log.items()}
        self.anomalies: list[Anomaly] = []
        self.commits: dict[int, str] = dict(past.commits)
        """By operation: the id of what it committed."""
        self.sessions = {name: msgspec.structs.replace(one) for name, one in past.sessions.items()}
        self.newest, self.newest_by = past.newest, past.newest_by
        """The newest commit that had been acknowledged, and the operation that wrote it."""
        self.totals = dict(past.totals)
        self.floors: dict[int, tuple[str, int]] = {}
        """By operation that follows a fence of its session's: the newest commit that had been acknowledged then."""
        self.tested: set[IsolationLevel] = set()
        self.transactions = 0
        self.fenced_reads = 0

    def judged(self) -> Judged:
        self._settle_writes()
        self._probes()
        where = self._snapshots()
        self._order(where)
        skew = self._skew()
        return Judged(
            operations=len(self.operations) - self.first,
            transactions=self.transactions,
            fenced_reads=self.fenced_reads,
            found=tuple(self.anomalies),
            told=len(self.anomalies),
            tested=tuple(level for level in LEVELS if level in self.tested),
            broken=tuple(dict.fromkeys(anomaly.breaks for anomaly in self.anomalies)),
            serializable=skew,
        )

    def _part(self) -> Iterator[tuple[int, Operation]]:
        """The operations of this part, each with its place."""
        return enumerate(islice(self.operations, self.first, None), self.first)

    def past_of_the_next(self) -> Past:
        """What this part, with all that was before it, binds the next one by."""
        witnesses = {self.newest_by, *(place for _, place in self.totals.values())}
        for one in self.sessions.values():
            witnesses |= {one.snapshot_by, one.commit_by, one.floor_by}
        kept = sorted(place for place in witnesses if place >= 0)
        new = {place: number for number, place in enumerate(kept)} | {-1: -1}
        for one in self.sessions.values():
            one.snapshot_by, one.commit_by, one.floor_by = (
                new[one.snapshot_by],
                new[one.commit_by],
                new[one.floor_by],
            )
        log = {marker: _last_and_newer(versions, self.past.until) for marker, versions in self.log.items()}
        return Past(
            operations=tuple(self.operations[place] for place in kept),
            commits={new[place]: self.commits[place] for place in kept if place in self.commits},
            sessions=self.sessions,
            newest=self.newest,
            newest_by=new[self.newest_by],
            totals={name: (total, new[place]) for name, (total, place) in self.totals.items()},
            log=log,
            dropped={m: one.dropped + len(one.tids) - len(log[m]) for m, one in self.objects.items()},
            until=max((tid for one in self.objects.values() for tid in one.tids), default=self.past.until),
        )

    # --- A: what was written, by the log

    def _settle_writes(self) -> None:
        by_tid: dict[str, set[str]] = {}
        for marker, one in self.objects.items():
            for tid in one.tids[bisect_right(one.tids, self.past.until) :]:
                by_tid.setdefault(tid, set()).add(marker)
        claimed: set[str] = set()
        for place, op in self._part():
            if op.writes:
                self._settle(place, op, by_tid, claimed)
        for tid in by_tid.keys() - claimed:
            names = ", ".join(sorted(by_tid[tid]))
            self._tell("phantom commit", f"the log has transaction {tid} on {names}, which nobody here sent", ())

    def _settle(self, place: int, op: Operation, by_tid: dict[str, set[str]], claimed: set[str]) -> None:
        found = {marker: tid for marker, nonce in op.writes.items() if (tid := self._written_at(op, marker, nonce))}
        claimed.update(found.values())
        tids = sorted(set(found.values()))
        if op.outcome == "fail":
            if found:
                words = f"{self._did(op, 'was refused a write of')}, and transaction {tids[0]} of the log holds it"
                self._tell("phantom commit", words, (place,))
            return
        if not found:
            if op.outcome == "ok":
                words = f"{self._did(op, 'was told that it had written')}, and the storage's log does not have it"
                self._tell("lost write", words, (place,))
            return
        self.commits[place] = tids[-1]
        missing = [marker for marker in op.writes if marker not in found]
        others = sorted(by_tid.get(tids[-1], set()) - op.writes.keys())
        if missing or others or len(tids) > 1 or (op.tid is not None and op.tid != tids[-1]):
            seen = ", ".join(f"{marker} in {tid}" for marker, tid in found.items())
            beside = f", with {', '.join(others)} beside it" if others else ""
            lost = f", and {', '.join(missing)} nowhere" if missing else ""
            was = f" (acknowledged as {op.tid})" if op.tid else ""
            words = f"{self._did(op, 'wrote in one transaction')}{was}; the log has {seen}{lost}{beside}"
            self._tell("torn commit", words, (place,))

    def _written_at(self, op: Operation, marker: str, nonce: str) -> str | None:
        one = self.objects.get(marker, _NOTHING)
        if nonce:
            span = one.spans.get(nonce)
            return span[0] if span else None
        deleted = [tid for tid, written in zip(one.tids, one.nonces, strict=True) if not written]
        if op.tid is not None:
            return op.tid if op.tid in deleted else None
        return deleted[-1] if deleted else None

    def _probes(self) -> None:
        """What had to be refused and was not."""
        for place, op in self._part():
            if op.action == "conflict" and op.accepted:
                words = (
                    f"the server would have accepted a write through {op.session} that replaces version "
                    f"{next(iter(op.bases.values()), '?')} of {', '.join(op.writes)}, which is not the newest"
                )
                self._tell("missed conflict", words, (place,))

    # --- B, C, D: each transaction alone

    def _snapshots(self) -> list[_Where | None]:
        """Where each operation's snapshot can lie; None for what is not judged, or was found to be wrong already."""
        before: list[_Where | None] = [None] * self.first
        return before + [
            self._snapshot(place, op) if op.outcome == "ok" or place in self.commits else None
            for place, op in self._part()
        ]

    def _snapshot(self, place: int, op: Operation) -> _Where | None:
        reads = op.reads
        if not reads and place not in self.commits:
            return None
        self.transactions += 1
        before = len(self.anomalies)
        where = _Where()
        missing = []
        low, high = ZERO, NEVER
        low_marker = high_marker = ""
        objects = self.objects
        for marker, nonce in reads.items():
            if nonce is None:
                missing.append(marker)
                continue
            one = objects.get(marker)
            span = one.spans.get(nonce) if one is not None else None
            if span is None:
                self._unknown_version(place, op, marker, nonce)
                continue
            tid, end = span
            if op.read_tids and op.read_tids.get(marker, tid) != tid:
                words = f"{op.session} read {marker} as of {op.read_tids[marker]}; the log has that version in {tid}"
                self._tell("foreign read", words, (place,))
            if tid > low:
                low, low_marker = tid, marker
            if end < high:
                high, high_marker = end, marker
        where.low, where.low_marker, where.high, where.high_marker = low, low_marker, high, high_marker
        if reads and (low != ZERO):
            self.tested.add("snapshot-isolation")
        if place in self.commits:
            self._written_upon(place, op, where)
        self._fits(place, op, where, missing)
        if len(self.anomalies) > before:
            return None
        if op.workload == "bank" and self.history.values:
            self._sum(place, op)
        return where

    def _unknown_version(self, place: int, op: Operation, marker: str, nonce: str) -> None:
        """B: a version that the log does not have, or that is so old that it is not kept."""
        one, read = self.objects.get(marker, _NOTHING), op.read_tids.get(marker, NEVER)
        if one.dropped and read < one.tids[0]:
            newest = self._as_of(marker, one.tids[-1])
            words = f"{op.session} read {marker} as of {read}, long after it had been replaced: {newest} is the newest"
            self._tell("stale read", words, (place,))
            return
        for number, other in enumerate(self.operations):
            if other.writes.get(marker) == nonce:
                how = f"a write through {other.session} that the storage's log does not have"
                kind = "aborted read" if other.outcome != "ok" else "intermediate read"
                self._tell(kind, f"{op.session} read {marker} as of {how}", (place, number))
                return
        words = f"{op.session} read a version of {marker} that the storage's log does not have, nor anybody wrote"
        self._tell("foreign read", words, (place,))

    def _written_upon(self, place: int, op: Operation, where: _Where) -> None:
        """C: each version that was replaced is the one that the writer knew."""
        commit = self.commits[place]
        for marker in op.writes:
            one = self.objects.get(marker, _NOTHING)
            replaced = one.before(commit)
            base = op.bases.get(marker, replaced)
            if base != replaced:
                words = (
                    f"{op.session} replaced version {one.number(base)} of {marker} ({base}) by transaction {commit}; "
                    f"version {one.number(replaced)} ({replaced}) had been committed in between, and is overwritten"
                )
                writers = (p for p, tid in self.commits.items() if tid == replaced)
                self._tell("lost update", words, (place, *list(writers)[:1]))
                continue
            if replaced > where.low:
                where.low, where.low_marker = replaced, marker
        if commit < where.high:
            where.high, where.high_marker = commit, next(iter(op.writes))

    def _fits(self, place: int, op: Operation, where: _Where, missing: Sequence[str]) -> None:
        """D: one snapshot shows all of it."""
        if op.snapshot is not None:
            self._fits_snapshot(place, op, op.snapshot, where, missing)
            return
        if where.low >= where.high:
            first, last = where.low_marker, where.high_marker
            words = (
                f"{op.session} read {self._as_of(first, where.low)} together with a version of {last} that "
                f"transaction {where.high} had replaced before: no moment shows both"
            )
            self._tell("fractured read", words, (place,))
            return
        if missing:
            pieces = [(where.low, where.high)]
            for marker in missing:
                absent = self.objects.get(marker, _NOTHING).absent()
                pieces = [(max(a, c), min(b, d)) for a, b in pieces for c, d in absent if max(a, c) < min(b, d)]
            if not pieces:
                names = ", ".join(missing)
                words = f"{op.session} did not find {names} when it read {self._as_of(where.low_marker, where.low)}"
                self._tell("fractured read", f"{words}: no moment shows both", (place,))
                return
            where.low, where.high, where.pieces = pieces[0][0], pieces[-1][1], pieces

    def _fits_snapshot(self, place: int, op: Operation, snapshot: str, where: _Where, missing: Sequence[str]) -> None:
        for marker, nonce in op.reads.items():
            one = self.objects.get(marker, _NOTHING)
            at = one.at(snapshot)
            expected = one.nonces[at] if at >= 0 else ""
            if (nonce or "") == expected or (nonce and nonce not in one.spans):
                continue
            shown = self._as_of(marker, one.tids[at]) if at >= 0 else f"{marker} not there yet"
            read = self._as_of(marker, one.spans[nonce][0]) if nonce else f"{marker} as not there"
            late = nonce is not None and one.spans[nonce][0] > snapshot
            words = f"{op.session} read {read} in a snapshot of {snapshot}, which shows {shown}"
            self._tell("read from the future" if late else "stale read", words, (place,))
        if place in self.commits and not where.low <= snapshot < where.high and not op.bases:
            words = f"{op.session} committed {self.commits[place]} upon a snapshot of {snapshot}, which is too old"
            self._tell("lost update", f"{words} for {where.low_marker or where.high_marker}", (place,))
        # No other transaction's id lies between this one and the end.
        where.low, where.high, where.pieces = snapshot, f"{snapshot}0", None

    def _as_of(self, marker: str, tid: str) -> str:
        return f"version {self.objects.get(marker, _NOTHING).number(tid)} of {marker} ({tid})"

    def _sum(self, place: int, op: Operation) -> None:
        """The bank's accounts, read in one snapshot, hold what they always held."""
        values = [self.history.values.get(nonce) for nonce in op.reads.values() if nonce is not None]
        if None in values or len(values) != len(op.reads) or not values:
            return
        total = sum(value for value in values if value is not None)
        name = " ".join(sorted(op.reads))
        first, _ = self.totals.setdefault(name, (total, place))
        if total != first:
            words = f"{op.session} read accounts that hold {total} together, where they held {first} before"
            self._tell("broken sum", words, (place, self.totals[name][1]))

    # --- E, F: one after the other

    def _order(self, where: Sequence[_Where | None]) -> None:
        """Sweep over the time of one clock: what had returned before an operation began is what binds it."""
        operations = self.operations
        judged = [place for place, one in enumerate(where) if one is not None]
        begins = sorted(judged, key=lambda place: (operations[place].invoke_ns, operations[place].return_ns))
        ends = sorted(judged, key=lambda place: operations[place].return_ns)
        chosen: dict[int, str] = {}
        over, count = 0, len(ends)
        for place in begins:
            began = operations[place].invoke_ns
            while over < count and operations[ends[over]].return_ns <= began and ends[over] in chosen:
                self._is_over(ends[over], chosen[ends[over]], where[ends[over]])
                over += 1
            session = self.sessions.setdefault(operations[place].session, _Session())
            one = where[place]
            assert one is not None
            chosen[place] = self._follow(place, one, session, self.newest, self.newest_by)
        for ended in ends[over:]:
            self._is_over(ended, chosen[ended], where[ended])

    def _is_over(self, place: int, snapshot: str, where: _Where | None) -> None:
        op = self.operations[place]
        session = self.sessions.setdefault(op.session, _Session())
        if snapshot > session.snapshot:
            session.snapshot, session.snapshot_by = snapshot, place
        if where is not None and op.reads and where.low > session.read and where.low_marker:
            session.read = where.low
        floor, floor_by = self.floors.get(place, (ZERO, -1))
        if floor > session.floor:
            session.floor, session.floor_by = floor, floor_by
        # A write whose answer never came was not acknowledged to anybody.
        commit = self.commits.get(place, ZERO) if op.outcome == "ok" else ZERO
        if commit > session.commit:
            session.commit, session.commit_by = commit, place
        if commit > self.newest:
            self.newest, self.newest_by = commit, place

    def _follow(self, place: int, where: _Where, session: _Session, newest: str, newest_by: int) -> str:
        """Hold one operation against its session and the clock; the snapshot that is taken for it."""
        op = self.operations[place]
        commit = self.commits.get(place)
        bound = session.snapshot if session.snapshot > session.commit else session.commit
        if bound != ZERO:
            self.tested.add("strong-session-si")
        in_order = commit is None or commit > newest
        if commit is not None and not in_order and self._out_of_order(place, commit, session, newest_by):
            return where.low
        snapshot = where.smallest_from(bound)
        if snapshot is None:
            self._not_monotonic(place, where, session)
            return where.low
        floor, floor_by = session.floor, session.floor_by
        if op.fenced and newest > floor:
            floor, floor_by = self.floors[place] = newest, newest_by
        if op.fenced and op.reads and newest != ZERO:
            self.tested.add("strong-si")
            self.fenced_reads += 1
        if in_order and floor != ZERO and where.smallest_from(floor) is None:
            self._not_seen(place, where, floor_by)
        return snapshot

    def _out_of_order(self, place: int, commit: str, session: _Session, newest_by: int) -> bool:
        """Tell it; whether it is the session's own order that is broken."""
        op = self.operations[place]
        if commit <= session.commit:
            kind, other = "non-monotonic write", session.commit_by
        elif commit <= session.read:
            kind, other = "write before what was read", session.snapshot_by
        else:
            kind, other = "commits out of order", newest_by
        words = (
            f"{op.session} committed {commit}, begun {self._since(other, op)} after "
            f"{self._what(other)}, and the storage's order is the other way round"
        )
        self._tell(kind, words, (place, other))
        return kind != "commits out of order"

    def _not_monotonic(self, place: int, where: _Where, session: _Session) -> None:
        op = self.operations[place]
        commit = self.commits.get(place)
        if commit is not None and commit <= session.read:
            kind, other = "write before what was read", session.snapshot_by
        elif where.smallest_from(session.commit) is None:
            kind, other = "own write not read", session.commit_by
        else:
            kind, other = "non-monotonic read", session.snapshot_by
        words = (
            f"{op.session} {self._saw(op, where)}, {self._since(other, op)} after {self._what(other)} in its session"
        )
        self._tell(kind, words, (place, other))

    def _not_seen(self, place: int, where: _Where, other: int) -> None:
        op = self.operations[place]
        fence = "after a fence" if op.fenced else "after an earlier fence of its session"
        words = f"{op.session} {self._saw(op, where)}, {self._since(other, op)} after {self._what(other)}, {fence}"
        self._tell("acknowledged commit not seen", words, (place, other))

    # --- G: only for what asks for it

    def _skew(self) -> bool | None:
        """Whether the work with ``readCurrent`` has an order: no cycle among its transactions."""
        own = {
            place: op
            for place, op in self._part()
            if op.workload == SERIALIZABLE and (op.reads or op.writes) and (op.outcome == "ok" or place in self.commits)
        }
        if not own:
            return None
        edges = self._edges(own)
        cycles = [part for part in components(edges) if len(part) > 1]
        for part in cycles:
            told = ", ".join(f"{own[place].session} ({self.commits.get(place, 'reads')})" for place in sorted(part))
            words = f"each of these comes before another because it read what that one replaced: {told}"
            self._tell("write skew", words, tuple(sorted(part)))
        return not cycles

    def _edges(self, own: dict[int, Operation]) -> dict[int, set[int]]:
        """ww, wr and rw, from the log."""
        writer = {
            (marker, self.commits[place]): place
            for place, op in own.items()
            if place in self.commits
            for marker in op.writes
        }
        edges: dict[int, set[int]] = {place: set() for place in own}
        for (marker, tid), place in writer.items():
            before = writer.get((marker, self.objects[marker].before(tid))) if marker in self.objects else None
            if before is not None and before != place:
                edges[before].add(place)
        for place, op in own.items():
            for marker, nonce in op.reads.items():
                one = self.objects.get(marker, _NOTHING)
                span = (ZERO, (one.tids or [NEVER])[0]) if nonce is None else one.spans.get(nonce)
                if span is None:
                    continue
                source, target = writer.get((marker, span[0])), writer.get((marker, span[1]))
                if source is not None and source != place:
                    edges[source].add(place)
                if target is not None and target != place:
                    edges[place].add(target)
        return edges

    # --- words

    def _tell(self, kind: str, words: str, places: tuple[int, ...]) -> None:
        places = tuple(place for place in dict.fromkeys(places) if place >= 0)
        sessions = dict.fromkeys(self.operations[place].session for place in places)
        self.anomalies.append(Anomaly(kind, words, tuple(sessions), places))

    def _did(self, op: Operation, what: str) -> str:
        return f"{op.session} {what} {', '.join(op.writes)}"

    def _saw(self, op: Operation, where: _Where) -> str:
        if where.high_marker and where.high_marker in op.reads and op.reads[where.high_marker] is not None:
            one = self.objects.get(where.high_marker, _NOTHING)
            nonce = op.reads[where.high_marker] or ""
            return f"read {self._as_of(where.high_marker, one.spans[nonce][0])}"
        if where.high_marker and where.high_marker in op.writes:
            return f"committed {where.high} on {where.high_marker}"
        absent = [marker for marker, nonce in op.reads.items() if nonce is None]
        if absent:
            return f"did not find {', '.join(absent)}"
        return f"read a snapshot of {where.low}"

    def _what(self, place: int) -> str:
        """What another operation did, for a sentence that goes on."""
        if place < 0:
            return "the beginning"
        op = self.operations[place]
        commit = self.commits.get(place)
        if commit is not None:
            names = ", ".join(self._as_of(marker, commit) for marker in list(op.writes)[:2])
            return f"{names} was acknowledged to {op.session}"
        return f"{op.session} had read what was newer"

    def _since(self, place: int, op: Operation) -> str:
        if place < 0:
            return "0 ms"
        waited = (op.invoke_ns - self.operations[place].return_ns) / 1e9
        return f"{waited:.1f} s" if waited >= 1 else f"{waited * 1000:.1f} ms"


def _last_and_newer(versions: Sequence[Version], tid: str) -> tuple[Version, ...]:
    """The newest version as of this transaction, and all later ones."""
    ordered = sorted(versions, key=lambda version: version.tid)
    place = bisect_right([version.tid for version in ordered], tid)
    return tuple(ordered[max(place - 1, 0) :])


def components(edges: dict[int, set[int]]) -> Iterator[list[int]]:
    """Strongly connected components (Tarjan), without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges[target])))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part: list[int] = []
                    while not part or part[-1] != node:
                        part.append(stack.pop())
                        on_stack.discard(part[-1])
                    yield part
