"""The warmed matrix of markers: every client writes one, every client reads all, twice; then they are deleted.

Nothing of the application is touched.  A marker's oid was allocated by the very connection that stores it, and it is
created with a serial that only a new object can have, so the server itself refuses it where an object is already
there.  It is deleted through a connection that has just read it and found it to be ours, to the last bit.  Markers are
linked from nowhere: whatever happens, nothing of ours can be reached.

One commit is in flight at a time; before each the server is asked whether the commit lock is free, over the connection
that is about to commit: that round trip is the fence as well.  What the server refuses is never tried again.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from zcheck.consistency.storage import markers, protocol
from zcheck.consistency.storage.common import (
    SHARE_FOR_ALL,
    Change,
    CommitFailed,
    NoAnswer,
    OutOfTime,
    Record,
    Stop,
    side_by_side,
    sort_out_the_silent,
)
from zcheck.consistency.storage.journal import Journal
from zcheck.consistency.storage.own_file import look_at_file, look_at_files
from zcheck.consistency.storage.packs import may_be_packed_since
from zcheck.facts import StorageFile
from zcheck.facts.history import Action, ClientState, History, Operation, Outcome, Version
from zcheck.system.duty import SHARE, Duty

if TYPE_CHECKING:
    from zcheck.consistency.storage.connection import Connection

LOCK_POLL_S = 0.01
RETRIES = 3
MOST_SEEN_GONE = 8
SLOW_S = 0.05
REPLICA_S = 3.0
"""How long a replica may take to hear of a transaction."""
REPLICA_POLL_S = 0.02
PAUSE_POLL_S = 0.1
LONGEST_PAUSE_S = 0.5
MOST_HOLDS = 99


class Written(msgspec.Struct):
    """One marker: where it is, through whom it was made, and what may be there by now."""

    name: str
    client: str
    oid: int
    serial: int = 0
    """The transaction of the last acknowledged write; 0: none yet."""
    older: int = 0
    """The one before that."""
    nonce: str = ""
    """Of the last acknowledged write."""
    nonces: set[str] = msgspec.field(default_factory=set)
    """Every nonce that was sent for it, acknowledged or not."""


class Pace:
    """Our commits hold the lock at most a tenth of the time, and are not more a second than told; slower where the
    server slows down.

    While a file of the name ``pause_file`` exists no commit is begun.
    """

    def __init__(self, max_rate: float, stop: Stop, pause_file: str | None = None) -> None:
        self._pause_file = pause_file
        share = 1.0 if max_rate >= protocol.UNPACED else SHARE
        self._duty = Duty(max_rate, time.monotonic(), share=share)
        self._stop = stop
        self._quickest = float("inf")
        self.holds: list[float] = []
        """How long each commit held the lock, in seconds: the last ones."""

    def wait(self) -> None:
        """Until the next commit may be sent."""
        while self._pause_file is not None and os.path.exists(self._pause_file):  # noqa: PTH110
            self._stop.between()
            self._stop.sleep(PAUSE_POLL_S)
        self._stop.sleep(self._duty.wait_s(time.monotonic()))

    def held(self, seconds: float) -> None:
        """How long a commit, or a vote that was given up, held the lock."""
        self.holds = [*self.holds[-MOST_HOLDS:], seconds]
        self._duty.held(seconds, time.monotonic())

    def took(self, seconds: float) -> None:
        """How long a commit took: one that took thrice as long as the quickest gives the server a pause."""
        self._quickest = min(self._quickest, seconds)
        if seconds > max(3 * self._quickest, SLOW_S):
            self._stop.sleep(min(seconds, LONGEST_PAUSE_S))


class Refused(Exception):
    """The server refused a write, or did not answer one: nothing more is written."""


class Matrix:
    """One run of the matrix on one database."""

    def __init__(self, job: protocol.Write | protocol.Isolate, connections: list[Connection], stop: Stop) -> None:
        self.job = job
        self.connections = {one.target.client: one for one in connections}
        self.stop = stop
        self.pace = Pace(job.max_rate, stop, job.pause_file)
        self.journal = Journal(job.journal)
        self.operations: list[Operation] = []
        self.refused: dict[str, tuple[Any, str]] = {}
        self.markers: dict[str, Written] = {}
        self.committed: dict[int, tuple[str, int]] = {}
        """By the number in the description: through whom, and the transaction's id."""
        self.seq = 0
        self.stopped = ""
        self.left: list[str] = []
        self.transactions = 0
        self.bytes = 0
        self.uncounted = 0
        self.began = 0
        """What comes after the newest transaction of any storage when the run began."""
        self.log: dict[str, list[Version]] = {}
        self.why_no_log = ""
        self.values: dict[str, int] = {}
        self.packed = False
        self.files: list[StorageFile] = []
        self.looked_at: set[tuple[str, str]] = set()
        """The storages at whose file it was looked after a commit of ours."""

    def run(self) -> History:
        """Write, read, delete, look back; always a history, with the reason where it ends early."""
        try:
            self._rounds()
        except (Refused, OutOfTime) as error:
            self.stopped = str(error)
        try:
            self._remove()
            self._see_it_gone()
            self._read_back()
        except OutOfTime as error:
            self.stopped = self.stopped or str(error)
            self.why_no_log = self.why_no_log or str(error)
        self._tell_what_is_left()
        self.journal.close()
        return History(
            level="zeo",
            database=self.job.database,
            run_id=self.job.run_id,
            operations=tuple(self.operations),
            clients=tuple(self._state(client) for client in self.connections),
            rounds=self.job.rounds,
            transactions=self.transactions,
            bytes=self.bytes,
            uncounted=self.uncounted,
            left=tuple(self.left),
            stopped=self.stopped,
            log={name: tuple(self.log.get(name, ())) for name in self.markers} if not self.why_no_log else None,
            why_no_log=self.why_no_log,
            values=self.values,
            packed=self.packed,
            held_s=sorted(self.pace.holds)[len(self.pace.holds) // 2] if self.pace.holds else None,
            files=tuple(self.files),
        )

    # --- the rounds

    def _rounds(self) -> None:
        sort_out_the_silent(self.connections.values())
        writers = [one for one in self.connections.values() if self._may_write(one)]
        if not writers:
            raise Refused("there is no client through which zcheck may write")
        # Of two storages the older one's: what is too much is read and belongs to somebody else.
        self.began = min(one.newest() for one in writers) + 1
        self._keep_off_replaced(look_at_files(writers, self.stop))
        self._allocate(writers)
        watched = frozenset(markers.eight_bytes(marker.oid) for marker in self.markers.values())
        for connection in self.connections.values():
            connection.watched = watched
        for number in range(1, self.job.rounds + 1):
            own = [one for one in writers if one.target.client in self.markers]
            self._write_all(own, number, tried=number == min(2, self.job.rounds))
            self._read_all(number)

    def _may_write(self, connection: Connection) -> bool:
        client = connection.target.client
        if connection.error:
            return False
        if connection.read_only:
            self.refused[client] = ("read-only", "the server or its storage is read-only")
        return connection.target.may_write and not connection.read_only

    def _allocate(self, writers: list[Connection]) -> None:
        """An oid for every writer, of those that its own connection was given."""
        for connection in writers:
            client = connection.target.client
            self.stop.between()
            try:
                oids = connection.oids or connection.allocate(1)
            except NoAnswer as error:
                self.refused[client] = ("error", str(error))
                continue
            connection.oids = oids[1:]
            self.markers[client] = Written(client, client, oids[0])

    def _write_all(self, writers: list[Connection], number: int, *, tried: bool = False) -> None:
        """One write through each; with ``tried`` also votes upon it that are given up, while it is surely there."""
        planned = []
        for connection in writers:
            self.seq += 1
            marker = markers.Marker(self.job.run_id, self.seq, secrets.token_hex(16), connection.target.client)
            planned.append((connection, marker, self._change(marker)))
        for connection, marker, _ in planned:
            self._note(connection, marker.seq, "write", [self.markers[marker.writer].oid])
        self.journal.flush()
        for connection, marker, change in planned:
            self.stop.between()
            self._write(connection, marker, change, number)
            if tried:
                self._try_conflicts([connection])

    def _look_after_writing(self, connection: Connection) -> None:
        """Once a storage: a file that was replaced a moment ago looks like the server's own until the next commit."""
        if connection.storage_reached not in self.looked_at:
            self.looked_at.add(connection.storage_reached)
            looked = look_at_file(connection, self.stop)
            self._keep_off_replaced([looked] if looked is not None else [])

    def _keep_off_replaced(self, files: Iterable[StorageFile]) -> None:
        """Write nothing, or nothing more, where a server's file has lost its name."""
        for looked in files:
            self.files.append(looked)
            if looked.outcome == "replaced":
                self.why_no_log = f"{looked.location} is not the file into which {looked.server} writes"
                raise Refused(self.why_no_log)

    def _change(self, marker: markers.Marker) -> Change:
        """The marker's next version, upon the last one that was acknowledged."""
        written = self.markers[marker.writer]
        return Change(written.oid, written.serial, markers.record(marker))

    def _write(self, connection: Connection, marker: markers.Marker, change: Change, number: int) -> None:
        written = self.markers[marker.writer]
        if number > 1 and not written.serial:
            return  # its first write did not succeed, and it was told
        self.pace.wait()
        invoked = time.monotonic_ns()
        outcome, error, tid = self._commit(connection, marker, change)
        self.operations.append(
            Operation(
                session=marker.writer,
                action="add" if number == 1 else "write",
                round=number,
                invoke_ns=invoked,
                return_ns=time.monotonic_ns(),
                outcome=outcome,
                fenced=True,
                writes={marker.writer: marker.nonce},
                tid=_hex(tid) if tid else None,
                error=error,
                bases={marker.writer: _hex(written.serial)},
            )
        )
        if tid:
            written.older, written.serial, written.nonce = written.serial, tid, marker.nonce
            self._look_after_writing(connection)
        elif marker.writer in self.refused:
            raise Refused(f"a write through {marker.writer} failed: {error}")
        # Else only this connection broke, before anything was sent: the others are still worth trying.

    def _commit(
        self, connection: Connection, marker: markers.Marker, change: Change
    ) -> tuple[Outcome, str, int | None]:
        """The outcome of one write, why it failed, and its transaction's id."""
        try:
            self._wait_for_the_lock(connection)
        except NoAnswer as error:
            return "fail", str(error), None
        self.markers[marker.writer].nonces.add(marker.nonce)
        started = time.monotonic()
        try:
            tid = connection.commit(markers.description(self.job.run_id, marker.seq), [change])
        except CommitFailed as error:
            self.refused[marker.writer] = (error.refusal, error.reason)
            if error.surely:
                self.markers[marker.writer].nonces.discard(marker.nonce)
            return "fail" if error.surely else "info", error.reason, None
        self.pace.held(connection.held_s)
        self.pace.took(time.monotonic() - started)
        self.committed[marker.seq] = (marker.writer, tid)
        return "ok", "", tid

    def _try_conflicts(self, writers: list[Connection]) -> None:
        """Two votes a writer that are given up: one that has to be accepted, and one upon an old version.

        What follows reads and writes as if nothing had happened, which shows that nothing of it stayed.
        """
        for connection in writers:
            written = self.markers[connection.target.client]
            if written.serial and not connection.error:
                self.stop.between()
                self._try_out(connection, "dry", Change(written.oid, written.serial, None))
                self._try_out(connection, "conflict", Change(written.oid, written.older, None))

    def _try_out(self, connection: Connection, action: Action, change: Change) -> None:
        client = connection.target.client
        # It never gets a place among this run's transactions, so it has the number that none of them has.
        marker = markers.Marker(self.job.run_id, 0, secrets.token_hex(16), client)
        change = Change(change.oid, change.serial, markers.record(marker))
        accepted, error = None, ""
        try:
            self.pace.wait()
            self._wait_for_the_lock(connection)
            invoked = time.monotonic_ns()
            accepted = connection.try_out(markers.description(self.job.run_id, 0), change)
        except (NoAnswer, CommitFailed) as failed:
            invoked = time.monotonic_ns()
            error = str(failed)
        self.pace.held(connection.held_s)
        if (accepted is not (action == "dry")) and self._may_be_packed(client, self.markers[client].serial):
            return  # the marker is gone, and what becomes of a vote for it tells nothing
        self.operations.append(
            Operation(
                client,
                action,
                min(2, self.job.rounds),
                invoked,
                time.monotonic_ns(),
                "fail",
                True,
                writes={client: marker.nonce},
                error=error,
                bases={client: _hex(change.serial)},
                accepted=accepted,
            )
        )

    def _wait_for_the_lock(
        self, connection: Connection, share: float = SHARE_FOR_ALL, meanwhile: Callable[[], None] | None = None
    ) -> None:
        """Until the server says that nobody holds the commit lock, to this very connection: the fence.

        ``meanwhile`` is done while the answer is on its way; where that takes long the server is asked again.
        """
        end = time.monotonic() + min(connection.timeout_s, self.stop.left(share))
        asked, began = connection.start("server_status"), time.monotonic()
        if meanwhile is not None:
            meanwhile()
            if time.monotonic() - began > LOCK_POLL_S:
                # What is about to be answered is as old as that.
                connection.wait(asked)
                asked = connection.start("server_status")
        while connection.wait(asked).get("lock_time") is not None:
            if time.monotonic() > end:
                client = connection.target.client
                self.refused[client] = ("error", "the commit lock of its storage is held")
                raise NoAnswer(self.refused[client][1])
            time.sleep(LOCK_POLL_S)
            asked = connection.start("server_status")

    # --- reading

    def _is_replica(self, connection: Connection) -> bool:
        """Whether it reaches a read-only storage beside the one that is written to: it may follow that one."""
        written = {self.connections[marker.client].storage_reached for marker in self.markers.values()}
        return connection.read_only and connection.storage_reached not in written

    def _let_follow(self, connection: Connection) -> None:
        """A replica hears of a transaction a little later: until it knows our newest one, or for long enough."""
        newest = max((tid for _, tid in self.committed.values()), default=0)
        end = time.monotonic() + min(REPLICA_S, connection.timeout_s, self.stop.left(SHARE_FOR_ALL))
        while self._is_replica(connection) and connection.begin(fenced=True) < newest and time.monotonic() < end:
            time.sleep(REPLICA_POLL_S)

    def _see(self, connection: Connection, oids: list[int]) -> tuple[int, int, int, dict[int, Record | None]]:
        """When it began and ended, the snapshot's transaction, and the records."""
        self._let_follow(connection)
        started = time.monotonic_ns()
        tid, records = connection.snapshot(oids)
        return started, time.monotonic_ns(), tid, records

    def _read_all(self, number: int) -> None:
        readers = {c: one for c, one in self.connections.items() if one.target.may_read and not one.error}
        if not readers or not self.markers:
            return
        oids = [marker.oid for marker in self.markers.values()]
        invoked = time.monotonic_ns()
        longest = max(one.timeout_s for one in readers.values())
        work = {client: partial(self._see, one, oids) for client, one in readers.items()}
        writes = [op for op in self.operations if op.action in ("add", "write") and op.round == number and op.tid]
        for client, found in side_by_side(work, 2 * longest + REPLICA_S + 1).items():
            if isinstance(found, BaseException):
                self.operations.append(
                    Operation(client, "read", number, invoked, time.monotonic_ns(), "fail", True, error=str(found))
                )
                continue
            started, ended, tid, records = found
            reads = {name: _nonce(records[marker.oid]) for name, marker in self.markers.items()}
            tids = {n: _hex(record.tid) for n, m in self.markers.items() if (record := records[m.oid])}
            self._make_up_for_a_pack(client, reads, tids)
            self._tell_unfenced(client, writes, reads)
            self.operations.append(
                Operation(
                    client,
                    "read",
                    number,
                    started,
                    ended,
                    "ok",
                    True,
                    reads=reads,
                    snapshot=_hex(tid),
                    read_tids=tids,
                )
            )

    def _make_up_for_a_pack(self, client: str, reads: dict[str, str | None], tids: dict[str, str]) -> None:
        """A pack with garbage collection takes markers away, to which nothing refers: that none is read tells nothing.

        That the server has told this connection of the very transaction, and of the marker in it, tells as much as a
        read does.
        """
        for name in [name for name, nonce in reads.items() if nonce is None and self.markers[name].serial]:
            written = self.markers[name]
            if not self._may_be_packed(written.client, written.serial):
                continue
            told = markers.eight_bytes(written.serial) in self.connections[client].learnt
            if told or self._same_storage(written, self.connections[client]):
                del reads[name]
            if told:
                reads[name], tids[name] = written.nonce, _hex(written.serial)

    def _may_be_packed(self, client: str, tid: int) -> bool:
        """Whether this client's storage may have been packed since this transaction."""
        connection = self.connections[client]
        try:
            found = not connection.error and may_be_packed_since(connection, tid)
        except NoAnswer:
            return False
        self.packed = self.packed or found
        return found

    def _tell_unfenced(self, client: str, writes: Iterable[Operation], reads: dict[str, str | None]) -> None:
        """When this client learnt of each write by itself, without a fence: its lag.

        That is the moment at which the server's message about the write arrived; a read from then on shows it, as the
        fenced one has proven.
        """
        learnt_at = self.connections[client].learnt
        for write in writes:
            (writer,) = write.writes
            learnt = learnt_at.get(markers.eight_bytes(int(write.tid or "0", 16)))
            if writer != client and learnt is not None and reads.get(writer) == write.writes[writer]:
                self.operations.append(
                    Operation(
                        client,
                        "read",
                        write.round,
                        write.return_ns,
                        max(learnt, write.return_ns),
                        "ok",
                        reads={writer: write.writes[writer]},
                    )
                )

    # --- afterwards

    def _remove(self) -> None:
        """Delete every marker, each through a connection that finds it to be ours; one transaction a storage."""
        for written in [written for written in self.markers.values() if written.nonces]:
            outstanding = [marker for marker in self.markers.values() if marker.nonces]
            client = written.client
            connection = self.connections[client]
            if connection.error or not written.nonces:
                continue
            self.stop.between(SHARE_FOR_ALL)
            if not connection.can("IExternalGC"):
                continue
            try:
                self._remove_through(connection, outstanding)
            except NoAnswer:
                continue
            except CommitFailed as error:
                self.stopped = self.stopped or f"the removal through {client} was refused: {error.reason}"

    def _remove_through(self, connection: Connection, outstanding: list[Written]) -> None:
        client = connection.target.client
        found = connection.load_now(marker.oid for marker in outstanding)
        ours = [
            (marker, record) for marker in outstanding if (record := found[marker.oid]) and self._is(marker, record)
        ]
        for marker in outstanding:
            if found[marker.oid] is None and self._same_storage(marker, connection):
                marker.nonces = set()  # a write whose answer was lost did not happen
        if not ours:
            return
        self.seq += 1
        self._note(connection, self.seq, "remove", [marker.oid for marker, _ in ours])
        self.journal.flush()
        self.pace.wait()
        self._wait_for_the_lock(connection)
        invoked = time.monotonic_ns()
        changes = [Change(marker.oid, record.tid, None) for marker, record in ours]
        removal = Operation(
            client,
            "remove",
            self.job.rounds,
            invoked,
            invoked,
            "ok",
            True,
            writes={marker.name: "" for marker, _ in ours},
            bases={marker.name: _hex(record.tid) for marker, record in ours},
        )
        try:
            tid = connection.commit(markers.description(self.job.run_id, self.seq), changes)
            self.pace.held(connection.held_s)
        except CommitFailed as error:
            outcome: Outcome = "fail" if error.surely else "info"
            self._returned(removal, outcome=outcome, error=error.reason)
            raise
        self.committed[self.seq] = (client, tid)
        self._returned(removal, tid=_hex(tid))
        for marker, _ in ours:
            marker.nonces = set()

    def _returned(self, operation: Operation, **more: Any) -> None:
        self.operations.append(msgspec.structs.replace(operation, return_ns=time.monotonic_ns(), **more))

    def _same_storage(self, written: Written, connection: Connection) -> bool:
        """Whether this marker was written into the storage that the connection reaches: a server may have several."""
        return _one_storage(self.connections[written.client], connection)

    def _is(self, written: Written, record: Record) -> bool:
        """Whether this record is one that this run wrote for this marker."""
        marker = markers.read(record.data)
        return marker is not None and marker.run_id == self.job.run_id and marker.nonce in written.nonces

    def _see_it_gone(self) -> None:
        """Every client asks its server for the markers: there must be none of ours any more."""
        if not any(operation.action == "remove" for operation in self.operations):
            return
        self.stop.between(SHARE_FOR_ALL)
        readers = {client: one for client, one in self.connections.items() if not one.error}
        invoked = time.monotonic_ns()
        longest = max((one.timeout_s for one in readers.values()), default=0.0)
        asked = {client: self._to_see_gone(client) for client in readers}
        work = {c: partial(self._load_now, one, [marker.oid for marker in asked[c]]) for c, one in readers.items()}
        for client, found in side_by_side(work, longest + REPLICA_S + 1).items():
            ended = time.monotonic_ns()
            if isinstance(found, BaseException):
                operation = Operation(client, "gone", self.job.rounds, invoked, ended, "fail", True, error=str(found))
            else:
                reads = {marker.name: self._own_nonce(found[marker.oid]) for marker in asked[client]}
                operation = Operation(client, "gone", self.job.rounds, invoked, ended, "ok", True, reads=reads)
            self.operations.append(operation)

    def _load_now(self, connection: Connection, oids: list[int]) -> dict[int, Record | None]:
        self._let_follow(connection)
        return connection.load_now(oids)

    def _to_see_gone(self, client: str) -> list[Written]:
        """All markers, or of very many its own and those that follow: what one server says, it says to every client."""
        written = list(self.markers.values())
        start = next((number for number, marker in enumerate(written) if marker.client == client), 0)
        return (written[start:] + written[:start])[:MOST_SEEN_GONE]

    def _own_nonce(self, record: Record | None) -> str | None:
        marker = markers.read(record.data) if record is not None else None
        return marker.nonce if marker is not None and marker.run_id == self.job.run_id else None

    def _read_back(self) -> None:
        """The receipt: our transactions as the storages' own logs have them, and that they hold only our objects."""
        self.transactions += len(self.committed)
        if any(looked.outcome == "replaced" for looked in self.files):
            self.uncounted += len(self.committed)
            return  # the log is that of another file
        missing = dict(self.committed)
        unanswered = [op.session for op in self.operations if op.outcome == "info"]
        for client in dict.fromkeys([client for client, _ in self.committed.values()] + unanswered):
            own = [tid for writer, tid in missing.values() if writer == client]
            if not own and client not in unanswered:
                continue  # read through another client of the same storage
            # What was sent and not answered may be older than everything that was.
            reason = self._read_log_of(client, min(own) if not unanswered else self.began, missing)
            lost = [seq for seq, (writer, _) in missing.items() if writer == client]
            if reason:
                self.why_no_log = f"the log of the storage of {client} could not be read: {reason}"
            if lost and not reason and self._may_be_packed(client, min(missing[seq][1] for seq in lost)):
                pass
            elif reason and lost:
                self.left.append(f"the receipt could not be read back through {client}: {reason}")
            elif lost:
                self.left.append(f"{len(lost)} acknowledged commits through {client} are not in its storage's log")
            self.uncounted += len(lost)
            for seq in lost:
                del missing[seq]
        if self.packed:
            self._complete_the_log()

    def _complete_the_log(self) -> None:
        """What a pack has taken out of the log and was acknowledged: by that it is known as well."""
        for operation in self.operations:
            if operation.tid is not None and operation.outcome == "ok":
                for name, nonce in operation.writes.items():
                    versions = self.log.setdefault(name, [])
                    if all(version.tid != operation.tid for version in versions):
                        versions.append(Version(operation.tid, nonce))
        for versions in self.log.values():
            versions.sort(key=lambda version: version.tid)

    def _read_log_of(self, client: str, first: int, missing: dict[int, tuple[str, int]]) -> str:
        """Read the log of this client's storage, through another of its clients where need be; else why not."""
        own = self.connections[client]
        reason = own.error or "it cannot be iterated"
        last = (
            None if any(op.outcome == "info" for op in self.operations) else max(t for _, t in self.committed.values())
        )
        others = [one for one in self.connections.values() if _one_storage(own, one)]
        for connection in sorted(others, key=lambda one: one.target.client != client):
            if connection.error or not connection.can("IStorageIteration"):
                continue
            for _ in range(RETRIES):
                try:
                    self._read_log(connection, first, last, missing)
                    return ""
                except OutOfTime:
                    raise
                except Exception as error:  # a FileStorage may fail to begin while another client commits
                    reason = str(error) or type(error).__name__
        return reason

    def _read_log(
        self, connection: Connection, first: int, last: int | None, missing: dict[int, tuple[str, int]]
    ) -> None:
        ours = {marker.oid for marker in self.markers.values()}
        names: dict[int, str] = {}
        already = {(name, version) for name, versions in self.log.items() for version in versions}
        for tid, user, text, records in connection.transactions(first, last):
            self.stop.between(SHARE_FOR_ALL)
            told = markers.read_description(user, text)
            if told is None or told[0] != self.job.run_id:
                continue
            known = missing.pop(told[1], None) is not None
            for oid, data in records():
                name = names.setdefault(oid, self._name_of(oid, data))
                version = Version(_hex(tid), self._nonce_in(data))
                if (name, version) not in already:
                    self.log.setdefault(name, []).append(version)
                self.bytes += len(data) if known else 0
                if oid not in ours:
                    # It cannot be, and it is the one thing that must not be: so it is looked for.
                    self.left.append(f"transaction {_hex(tid)} of this run holds an object that is not ours: {oid:#x}")

    def _name_of(self, oid: int, data: bytes) -> str:
        """Which marker this is: its record says so, since two storages may have given out one oid for two markers."""
        marker = markers.read(data)
        if marker is not None and marker.writer in self.markers and self.markers[marker.writer].oid == oid:
            return marker.writer
        return next((own.name for own in self.markers.values() if own.oid == oid), f"object {oid:#x}")

    def _nonce_in(self, data: bytes) -> str:
        """The nonce that this record of a transaction of ours holds; empty where it deletes."""
        marker = markers.read(data)
        return marker.nonce if marker is not None else "what is no marker" if data else ""

    def _tell_what_is_left(self) -> None:
        remaining = [marker for marker in self.markers.values() if marker.nonces]
        seen = {
            n for op in self.operations if op.action == "gone" for n, nonce in op.reads.items() if nonce is not None
        }
        names = sorted({marker.name for marker in remaining} | seen)
        if names:
            count = f"{len(names)} unreachable marker object" + ("s" if len(names) > 1 else "")
            self.left.append(f"{count} in database {self.job.database}, until the next pack")

    # --- small things

    def _note(self, connection: Connection, seq: int, what: str, oids: Iterable[int]) -> None:
        self.journal.note(
            run=self.job.run_id,
            seq=seq,
            what=what,
            database=self.job.database,
            client=connection.target.client,
            server=connection.server,
            storage=connection.target.storage,
            oids=[_hex(oid) for oid in oids],
        )

    def _state(self, client: str) -> ClientState:
        connection = self.connections[client]
        refusal, reason = self.refused.get(client, ("", ""))
        detail = reason or connection.error or ("" if connection.target.may_write else connection.target.why_not)
        joined = True if connection.server and not connection.error else None
        return ClientState(client, joined, connection.hung, refusal, detail)


def _one_storage(one: Connection, other: Connection) -> bool:
    return one.storage_reached == other.storage_reached


def _nonce(record: Record | None) -> str | None:
    marker = markers.read(record.data) if record is not None else None
    return None if marker is None else marker.nonce


def _hex(number: int) -> str:
    return f"{number:016x}"
