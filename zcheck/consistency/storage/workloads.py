"""The longer test of isolation: small transactions that overlap in a schedule which a seed decides.

One process drives all clients, one step after the other.  What overlaps are the transactions: a step begins two, and
then commits both, so that what has to conflict does so each time, and a seed replays the same schedule.  All objects
are markers, made through one client, linked from nowhere, and deleted at the end like those of the matrix.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from zcheck.consistency.judge.windows import Windows
from zcheck.consistency.recording.writer import Tape
from zcheck.consistency.storage import markers, protocol
from zcheck.consistency.storage.common import Change, CommitFailed, NoAnswer, Record, Stop
from zcheck.consistency.storage.matrix import Matrix, Refused, Written
from zcheck.facts.history import History, Operation
from zcheck.facts.pairs import pairs

if TYPE_CHECKING:
    from zcheck.consistency.storage.connection import Connection

WORKLOADS: dict[str, tuple[str, ...]] = {
    "ring": ("ring:token",),
    "twins": ("twins:one", "twins:other"),
    "bank": ("bank:1", "bank:2", "bank:3", "bank:4"),
    "counter": ("counter:it",),
    "write-skew": ("write-skew:x", "write-skew:y"),
    "write-skew-current": ("write-skew-current:x", "write-skew-current:y"),
}
"""Each workload's objects."""
BALANCE = 100
"""What each account of the bank holds at first."""
MOST_READERS = 4
"""Clients that read after a step; which ones, the seed decides."""
MOST_AT_ONCE = 10_000
"""Operations after which a window ends sooner."""


class Step(msgspec.Struct, frozen=True):
    """What is done next, and by whom, in this order."""

    workload: str
    clients: tuple[str, ...]
    amount: int
    accounts: tuple[str, str] = ("bank:1", "bank:2")


def schedule(seed: int, workloads: Sequence[str], clients: Sequence[str]) -> Iterator[Step]:
    """Endless, and the same for the same arguments: no clock and no outcome has a say."""
    chance = random.Random(seed)
    while True:
        for workload in chance.sample(list(workloads), len(workloads)):
            order = tuple(chance.sample(list(clients), len(clients)))
            one, other = chance.sample(list(WORKLOADS["bank"]), 2)
            yield Step(workload, order, chance.randint(1, 9), (one, other))


class Begun(msgspec.Struct, frozen=True):
    """A transaction that has read and not written yet."""

    client: str
    invoked_ns: int
    snapshot: int
    fenced: bool
    records: dict[str, Record | None]


class _Packed(Exception):
    """A pack with garbage collection took away what the test works on: nothing refers to it."""


class Isolation(Matrix):
    """The matrix first: where clients do not even see each other's writes, there is nothing more to find out."""

    def __init__(
        self,
        job: protocol.Isolate,
        connections: list[Connection],
        stop: Stop,
        tell: Callable[[str], None] = lambda so_far: None,
    ) -> None:
        super().__init__(job, connections, stop)
        self.isolate = job
        self.steps = 0
        self.noted = 0
        """The number of the last transaction that the journal knows of."""
        self.tell = tell
        self.tape = Tape(job.tape, job.header) if job.tape is not None and job.header is not None else None
        self.windows = Windows()
        self.kept = 0
        """The operations of the matrix, which are not dropped."""
        self.began_s = time.monotonic()
        self.window_began_s = self.began_s

    def run(self) -> History:
        history = super().run()
        self._tape(history)
        if not self.windows.parts:
            return history
        if history.log is None:
            return self.windows.history(history, history.operations[: self.kept])
        self.windows.take(msgspec.structs.replace(history, operations=history.operations[self.kept :]))
        removed = tuple(op for op in history.operations[self.kept :] if op.action in ("remove", "gone"))
        return self.windows.history(history, history.operations[: self.kept] + removed)

    def _tape(self, history: History) -> None:
        if self.tape is not None:
            self.tape.catch_up(history.operations)
            self.tape.log(history.log or {})
            self.tape.values(history.values)
            self.tape.end(history)

    def _rounds(self) -> None:
        super()._rounds()
        self.kept = len(self.operations)
        writers = [name for name, one in self.connections.items() if name in self.markers and not one.error]
        members = [name for name, one in self.connections.items() if not one.error]
        self._must_be_one(writers, members)
        self._make(writers[0])
        self.window_began_s = time.monotonic()
        end = self.window_began_s + self.isolate.duration_s
        for step in schedule(self.isolate.seed, self.isolate.workloads, writers):
            if time.monotonic() > end or self.stop.left() < 0.5:
                return
            self.steps += 1
            try:
                self._do(step)
                self._look_around(step, members)
            except _Packed:
                self._end_after_a_pack()
                return
            if self.tape is not None:
                self.tape.catch_up(self.operations)
            if self._is_long_enough():
                self._judge_window(members)

    def _end_after_a_pack(self) -> None:
        """The objects are gone: what was done until then is judged, where it is enough to be judged at all."""
        if self.steps <= 2 * len(self.isolate.workloads):
            raise Refused("the storage was packed, and took the test's objects away")

    def _is_long_enough(self) -> bool:
        window_s = self.isolate.window_s
        if window_s is None:
            return False
        return time.monotonic() > self.window_began_s + window_s or len(self.operations) > self.kept + MOST_AT_ONCE

    def _judge_window(self, members: Sequence[str]) -> None:
        """Judge what was done since the last time, tell the verdict so far, and drop what binds nothing any more."""
        names = [name for name, one in self.markers.items() if name != one.client]
        for client in members:
            self._tell_read(self._begin(client, names), "window")
        self._read_back()
        if self.why_no_log:
            raise Refused(self.why_no_log)
        log = {name: tuple(versions) for name, versions in self.log.items()}
        first = 0 if not self.windows.parts else self.kept
        part = History("zeo", self.job.database, self.job.run_id, tuple(self.operations[first:]), log=log)
        self.windows.take(msgspec.structs.replace(part, values=self.values))
        if self.tape is not None:
            self.tape.catch_up(self.operations)
            self.tape.log(log)
            self.tape.values(self.values)
            self.tape.forget(len(self.operations) - self.kept)
        self._forget()
        self.tell(self.windows.verdict().so_far(time.monotonic() - self.began_s, self.transactions))
        self.window_began_s = time.monotonic()

    def _forget(self) -> None:
        del self.operations[self.kept :]
        self.log = {}
        self.committed = {}
        self.began = int(self.windows.past.until, 16) + 1
        kept = {name: self.windows.may_be_read(name) for name in self.markers}
        for name, marker in self.markers.items():
            marker.nonces &= kept[name]
        readable = frozenset().union(*kept.values())
        self.values = {nonce: value for nonce, value in self.values.items() if nonce in readable}

    def _must_be_one(self, writers: Sequence[str], members: Sequence[str]) -> None:
        history = History("zeo", self.job.database, self.job.run_id, tuple(self.operations))
        if len(writers) < 2:
            raise Refused("there are no two clients through which zcheck may write")
        if any(not pair.seen for pair in pairs(history, writers, members)):
            raise Refused("not every client reads what is written through every other")

    def _make(self, home: str) -> None:
        """All objects, through one client, a transaction a workload."""
        connection = self.connections[home]
        names = [name for workload in self.isolate.workloads for name in WORKLOADS[workload]]
        for name, oid in zip(names, connection.allocate(len(names)), strict=True):
            self.markers[name] = Written(name, home, oid)
        for workload in self.isolate.workloads:
            own = WORKLOADS[workload]
            begun = Begun(home, time.monotonic_ns(), connection.begin(fenced=True), True, dict.fromkeys(own))
            self._commit_all(begun, workload, own, values=dict.fromkeys(own, BALANCE) if workload == "bank" else {})

    # --- the steps

    def _do(self, step: Step) -> None:
        names = WORKLOADS[step.workload]
        self._note_ahead(step, names)
        if step.workload == "ring":
            for client in step.clients:
                self._commit_all(self._begin(client, names), step.workload, names)
        elif step.workload == "twins":
            self._commit_all(self._begin(step.clients[0], names), step.workload, names)
        elif step.workload == "bank":
            self._transfer(step, names)
        elif step.workload == "counter":
            self._count_twice(step, names)
        else:
            self._skew(step, names)

    def _note_ahead(self, step: Step, names: Sequence[str]) -> None:
        """Journal every transaction of a step, and by whom: they share one sync, before the first of them is sent."""
        first, second = step.clients[:2]
        by = {"ring": step.clients, "twins": (first,), "bank": (first,), "counter": (first, second, second)}
        self.noted = self.seq
        for client in by.get(step.workload, (first, second)):
            self.noted += 1
            self._note(self.connections[client], self.noted, "write", [self.markers[name].oid for name in names])

    def _transfer(self, step: Step, names: Sequence[str]) -> None:
        """Another client's snapshot is chosen before the transfer and read after it: it has to be the old one."""
        writer, reader = step.clients[:2]
        invoked, before = time.monotonic_ns(), self.connections[reader].begin(fenced=True)
        begun = self._begin(writer, names)
        source, target = step.accounts
        held = {name: self.values.get(_nonce(begun.records[name]) or "", 0) for name in step.accounts}
        values = {source: held[source] - step.amount, target: held[target] + step.amount}
        self._commit_all(begun, step.workload, step.accounts, values=values)
        self._tell_read(self._load(reader, names, before, invoked, fenced=True), step.workload)

    def _count_twice(self, step: Step, names: Sequence[str]) -> None:
        """Two read the counter, both write it: the second has to be refused, and succeeds after reading again."""
        first, second = (self._begin(client, names) for client in step.clients[:2])
        self._commit_all(first, step.workload, names)
        if self._commit_all(second, step.workload, names):
            return  # a lost update, which the judge finds
        self._commit_all(self._begin(step.clients[1], names), step.workload, names)

    def _skew(self, step: Step, names: Sequence[str]) -> None:
        """Each reads both and writes one: allowed by snapshot isolation, and to be refused with ``readCurrent``."""
        first, second = (self._begin(client, names) for client in step.clients[:2])
        current = step.workload == "write-skew-current"
        self._commit_all(first, step.workload, names[:1], current=names[1:] if current else ())
        self._commit_all(second, step.workload, names[1:], current=names[:1] if current else ())

    def _look_around(self, step: Step, members: Sequence[str]) -> None:
        """Some clients read what the step left, each once unfenced and once fenced."""
        chance = random.Random(f"{self.isolate.seed} {self.steps}")
        for client in chance.sample(list(members), min(MOST_READERS, len(members))):
            for fenced in (False, True):
                self._tell_read(self._begin(client, WORKLOADS[step.workload], fenced=fenced), step.workload)

    # --- one transaction

    def _begin(self, client: str, names: Iterable[str], *, fenced: bool = True) -> Begun:
        self.stop.between()
        invoked = time.monotonic_ns()
        try:
            snapshot = self.connections[client].begin(fenced=fenced)
        except NoAnswer as error:
            raise Refused(f"{client} cannot be read through any more: {error}") from None
        return self._load(client, names, snapshot, invoked, fenced=fenced)

    def _load(self, client: str, names: Iterable[str], snapshot: int, invoked: int, *, fenced: bool) -> Begun:
        oids = {name: self.markers[name].oid for name in names}
        try:
            found = self.connections[client].load_at(snapshot, oids.values())
        except NoAnswer as error:
            raise Refused(f"{client} cannot be read through any more: {error}") from None
        last = self.connections[client].committed or self.began
        if any(found[oid] is None and self.markers[n].nonces for n, oid in oids.items()) and self._may_be_packed(
            client, last
        ):
            raise _Packed
        # A replica hears of what was committed a little later: it promises a snapshot, and not the newest one.
        fenced = fenced and not self._is_replica(self.connections[client])
        return Begun(client, invoked, snapshot, fenced, {name: found[oid] for name, oid in oids.items()})

    def _told(self, begun: Begun, workload: str) -> Operation:
        """What a transaction has read, as an operation that has just ended."""
        return Operation(
            begun.client,
            "read",
            self.steps,
            begun.invoked_ns,
            time.monotonic_ns(),
            "ok",
            begun.fenced,
            reads={name: _nonce(record) for name, record in begun.records.items()},
            read_tids={name: f"{record.tid:016x}" for name, record in begun.records.items() if record is not None},
            snapshot=f"{begun.snapshot:016x}",
            workload=workload,
        )

    def _tell_read(self, begun: Begun, workload: str) -> None:
        self.operations.append(self._told(begun, workload))

    def _commit_all(
        self,
        begun: Begun,
        workload: str,
        names: Sequence[str],
        *,
        current: Sequence[str] = (),
        values: Mapping[str, int] | None = None,
    ) -> bool:
        """Write these objects as this transaction; whether it was committed.  A conflict is an answer as well."""
        connection = self.connections[begun.client]
        nonces = {name: secrets.token_hex(16) for name in names}
        self.values |= {nonces[name]: value for name, value in (values or {}).items()}
        self.seq += 1
        changes = [Change(self.markers[n].oid, _serial(begun, n), self._record(n, nonces[n])) for n in names]
        kept = [Change(self.markers[name].oid, _serial(begun, name), None) for name in current]
        if self.seq > self.noted:
            self._note(connection, self.seq, "write", [self.markers[name].oid for name in names])
        self._wait_before_commit(connection)
        read = self._told(begun, workload)
        told = msgspec.structs.replace(
            read,
            action="write",
            writes=nonces,
            bases={name: f"{_serial(begun, name):016x}" for name in names},
            current={name: f"{_serial(begun, name):016x}" for name in current},
        )
        for name in names:
            self.markers[name].nonces.add(nonces[name])
        started = time.monotonic()
        try:
            tid = connection.commit(markers.description(self.job.run_id, self.seq), changes, kept)
        except CommitFailed as error:
            self._failed(error, read, told, nonces)
            return False
        self.pace.held(connection.held_s)
        self.pace.took(time.monotonic() - started)
        self.committed[self.seq] = (begun.client, tid)
        self._returned(told, tid=f"{tid:016x}")
        return True

    def _wait_before_commit(self, connection: Connection) -> None:
        self.pace.wait()
        self.stop.between()
        try:
            # On the disk before anything is sent, and by the time that the server has answered.
            self._wait_for_the_lock(connection, meanwhile=self.journal.flush)
        except NoAnswer as error:
            raise Refused(str(error)) from None

    def _failed(self, error: CommitFailed, read: Operation, told: Operation, nonces: Mapping[str, str]) -> None:
        """What was read was read all the same; the write is told apart, and surely did not happen, or who knows."""
        if error.surely:
            for name, nonce in nonces.items():
                self.markers[name].nonces.discard(nonce)
        self.operations.append(read)
        alone = msgspec.structs.replace(told, reads={}, read_tids={}, snapshot=None)
        self._returned(alone, outcome="fail" if error.surely else "info", error=error.reason)
        if not error.conflict:
            self.refused[told.session] = (error.refusal, error.reason)
            raise Refused(f"a write through {told.session} failed: {error.reason}")

    def _record(self, name: str, nonce: str) -> bytes:
        return markers.record(markers.Marker(self.job.run_id, self.seq, nonce, name))


def _serial(begun: Begun, name: str) -> int:
    record = begun.records[name]
    return record.tid if record is not None else 0


def _nonce(record: Record | None) -> str | None:
    marker = markers.read(record.data) if record is not None else None
    return None if marker is None else marker.nonce
