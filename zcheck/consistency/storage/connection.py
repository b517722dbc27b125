"""One connection of zcheck's own to a ZEO storage: every wait bounded, nothing of the database unpickled.

ZODB and ZEO are imported here and nowhere else.  ``ZODB.DB`` is never used: it would write to an empty storage.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import ZODB.interfaces
from ZEO.ClientStorage import ClientStorage
from ZEO.Exceptions import ClientDisconnected, ServerException
from ZODB.Connection import TransactionMetaData
from ZODB.POSException import ConflictError, POSKeyError, ReadOnlyError

from zcheck.consistency.storage import markers, protocol
from zcheck.consistency.storage.common import Change, CommitFailed, NoAnswer, Record
from zcheck.facts import HostPort
from zcheck.system import shortages

CACHE_BYTES = 1024 * 1024
LONGEST_FILE = 64 * 1024
"""Bytes of a blob's file that are kept; ours are a line of text."""
NEWEST = b"\x7f" + b"\xff" * 7
"""Later than any transaction."""

_numbers = itertools.count(1)


class _Reasons(logging.Handler):
    """Why connections fail: ZEO tells its log alone, from the connection's own thread, and callers see a time-out."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.connections: dict[str, Connection] = {}

    def emit(self, record: logging.LogRecord) -> None:
        connection = self.connections.get((record.threadName or "").partition(" ")[0])
        arguments: Any = record.args
        if connection is None or not arguments or not isinstance(record.msg, str):
            return
        if record.msg.startswith("Registration or cache validation failed"):
            connection.could_not_register(arguments[0])
        elif record.msg.startswith("Connection to %r failed"):
            connection.could_not_connect(*arguments)


REASONS = _Reasons()

_Base: Any = ClientStorage  # it carries no types


class _Storage(_Base):  # type: ignore[misc]
    """A client storage that tells its connection what happens to it, and that never changes servers."""

    def __init__(self, owner: Connection, *arguments: Any, **options: Any) -> None:
        self._owner = owner
        self._peer: Any = None
        super().__init__(*arguments, **options)

    def set_server_addr(self, addr: Any) -> None:
        # ZEO's own method looks the name up by DNS in the network thread, which can take long.
        self._server_addr = str(addr)
        self._peer = addr

    def notify_connected(self, conn: Any, info: Any) -> None:
        super().notify_connected(conn, info)
        self._owner.server = _address(self._peer)
        self._owner.ready.set()

    def notify_disconnected(self) -> None:
        # With several addresses a lost connection would come back on another server, where an oid that this one
        # allocated may belong to somebody.  Nothing is sent any more, and no address is left to dial.
        self._owner.lost = True
        self._server.client.addrs = ()
        super().notify_disconnected()

    # The server's answer to "sendBlob", from the network thread.  Nothing is written to any folder of blobs.

    def receiveBlobStart(self, oid: bytes, serial: bytes) -> None:  # noqa: N802 (ZEO's names)
        self._owner.files[oid, serial] = b""

    def receiveBlobChunk(self, oid: bytes, serial: bytes, chunk: bytes) -> None:  # noqa: N802
        # Ours is a line; more than that is not kept.
        self._owner.files[oid, serial] = (self._owner.files.get((oid, serial), b"") + chunk)[:LONGEST_FILE]

    def receiveBlobStop(self, oid: bytes, serial: bytes) -> None:  # noqa: N802
        pass

    def invalidateTransaction(self, tid: bytes, oids: Iterable[bytes]) -> None:  # noqa: N802 (ZEO's name)
        super().invalidateTransaction(tid, oids)
        self._owner.learn(tid, oids)


class Connection:
    """One client's connection to one of its databases; every wait of every method is bounded.

    ``error`` says why it cannot be used (any more); its methods then raise :exc:`NoAnswer`.
    """

    def __init__(self, target: protocol.Target, timeout_s: float) -> None:
        self.target = target
        self.timeout_s = timeout_s
        self.error = ""
        self.hung = False
        self.lost = False
        self.read_only = False
        self.server = ""
        self.oids: list[int] = []
        """What this very connection allocated and has not used."""
        self.watched: frozenset[bytes] = frozenset()
        self.learnt: dict[bytes, int] = {}
        """When each transaction on a watched object became known here, on the monotonic clock in ns."""
        self.files: dict[tuple[bytes, bytes], bytes] = {}
        """The files of blobs that the server has sent, by oid and serial."""
        self.ready = threading.Event()
        self.first = 0
        """The newest transaction when this connection was made."""
        self.held_s = 0.0
        """How long the last commit, or vote that was given up, held the lock at most: from vote to its end."""
        self._voted_at = 0.0
        self.committed = 0
        """The newest one that was committed over it."""
        self._name = f"zcheck-{next(_numbers)}"
        self._unconnected: dict[Any, BaseException] = {}
        self._unregistered: list[BaseException] = []
        self._storage: Any = None

    # --- opening and closing

    def open(self) -> None:
        """Connect and register, writable where the server allows it; ``error`` is set where that fails."""
        REASONS.connections[self._name] = self
        try:
            self._connect(read_only=False)
            if self.error and any(isinstance(error, ReadOnlyError) for error in self._unregistered):
                self.close(1.0)
                self.error = ""
                self.read_only = True
                self._connect(read_only=True)
        except Exception as error:  # whatever ZEO raises: this client has no connection
            self.error = shortages.of_ours(error) or shortages.why_no_temporary_folder()
            self.error = f"no connection: {self.error or words(error)}"
        if self.error:
            self.close(1.0)

    def _connect(self, *, read_only: bool) -> None:
        self.ready.clear()
        self._unconnected.clear()
        self._unregistered.clear()
        self.lost = False
        end = time.monotonic() + self.timeout_s
        self._storage = _Storage(
            self,
            [a if isinstance(a, str) else (a.host, a.port) for a in self.target.addresses],
            storage=self.target.storage,
            name=self._name,
            cache_size=CACHE_BYTES,
            wait=False,
            wait_timeout=self.timeout_s,
            read_only=read_only,
            client_label="zcheck",
            **_tls(self.target),
        )
        self.ready.wait(max(end - time.monotonic(), 0.0))
        if not self.server:
            said = dict.fromkeys(map(words, (*self._unregistered, *self._unconnected.values())))
            self.error = "; ".join(said) or f"no connection within {self.timeout_s:g} s"
            return
        with contextlib.suppress(NoAnswer):  # its reason is kept in ``error``
            self.call("ping", timeout_s=max(end - time.monotonic(), 0.1))
            self.first = self.newest()

    def _failed(self) -> bool:
        return len(self._unconnected) + len(self._unregistered) >= len(self.target.addresses)

    def could_not_register(self, error: BaseException) -> None:
        """From the network thread: a server was reached and did not take this client."""
        self._unregistered.append(error)
        if self._failed():
            self.ready.set()

    def could_not_connect(self, address: Any, error: BaseException) -> None:
        """From the network thread: a server was not reached."""
        self._unconnected[address] = error
        if self._failed():
            self.ready.set()

    def close(self, within_s: float) -> None:
        """End the connection; where that hangs, the thread that does it is left behind."""
        storage, self._storage = self._storage, None
        if storage is not None:
            closing = threading.Thread(target=_close_quietly, args=[storage], daemon=True)
            closing.start()
            closing.join(within_s)

    def learn(self, tid: bytes, oids: Iterable[bytes]) -> None:
        """From the network thread: another client's transaction became known here."""
        if not self.watched.isdisjoint(oids):
            self.learnt.setdefault(tid, time.monotonic_ns())

    # --- calls

    def start(self, method: str, *arguments: Any) -> Any:
        """Send a call to the server; :meth:`wait` for what is returned."""
        if self.error or self._storage is None:
            raise NoAnswer(self.error or "the connection is closed")
        return self._storage._server.call(method, *arguments, wait=False)

    def wait(self, future: Any, timeout_s: float | None = None) -> Any:
        """The answer to a call; raises what the server raised, and :exc:`NoAnswer` when there is none in time."""
        limit = self.timeout_s if timeout_s is None else timeout_s
        try:
            return future.result(limit)
        except (TimeoutError, asyncio.TimeoutError):
            self.hung = True
            self.error = f"the ZEO server did not answer within {limit:g} s"
            raise NoAnswer(self.error) from None
        except ClientDisconnected as error:
            self.error = f"the connection to the ZEO server was lost ({words(error)})"
            raise NoAnswer(self.error) from None

    def call(self, method: str, *arguments: Any, timeout_s: float | None = None) -> Any:
        """Call the server and wait for the answer."""
        return self.wait(self.start(method, *arguments), timeout_s)

    # --- what is known of the storage

    @property
    def location(self) -> str:
        """The server's own name for the storage."""
        return str(self._storage._info.get("name", "")) if self._storage is not None else ""

    @property
    def storage_reached(self) -> tuple[str, str]:
        """The server that answered, and the storage there."""
        return self.server, self.target.storage

    def newest(self) -> int:
        """The newest transaction that this connection knows of; nothing is asked."""
        return markers.number(self._storage.lastTransaction()) if self._storage is not None else 0

    def can(self, interface: str) -> bool:
        """Whether the server's storage has this interface of :mod:`ZODB.interfaces`."""
        return self._storage is not None and bool(getattr(ZODB.interfaces, interface).providedBy(self._storage))

    def allocate(self, count: int) -> list[int]:
        """New oids, which nobody else will be given; :exc:`NoAnswer` with the reason on a read-only storage."""
        try:
            found = self.call("new_oids", count)
        except ReadOnlyError:
            raise NoAnswer("the storage is read-only") from None
        return [markers.number(oid) for oid in found]

    # --- reading

    def load_now(self, oids: Iterable[int]) -> dict[int, Record | None]:
        """The current records, straight from the server; None for what is not there.

        Deleting an object invalidates it in no other client's cache, so only the server can say that it is gone.
        """
        asked = {oid: self.start("loadBefore", markers.eight_bytes(oid), NEWEST) for oid in oids}
        return {oid: self._record(partial(self.wait, future)) for oid, future in asked.items()}

    def snapshot(self, oids: Iterable[int]) -> tuple[int, dict[int, Record | None]]:
        """A fenced read: every earlier commit is known here before the snapshot is chosen.

        All records are of one snapshot, whose transaction id is returned; they come through this connection's cache,
        as they would for a Zope client.
        """
        tid = self.begin(fenced=True)
        return tid, self.load_at(tid, oids)

    def begin(self, *, fenced: bool) -> int:
        """The transaction whose state a transaction that begins now would see, after a fence or without."""
        if fenced:
            self.call("ping")
        elif self.error or self._storage is None:
            raise NoAnswer(self.error or "the connection is closed")
        return self.newest()

    def load_at(self, tid: int, oids: Iterable[int]) -> dict[int, Record | None]:
        """The records as they were at this transaction, through this connection's cache."""
        storage = self._storage
        if self.error or storage is None:
            raise NoAnswer(self.error or "the connection is closed")
        before = markers.eight_bytes(tid + 1)
        wanted = {oid: markers.eight_bytes(oid) for oid in oids}
        try:
            # One wait for all that the cache does not have, and then has; what is not there is asked for once more.
            missing = [oid for oid in wanted.values() if not storage._cache.loadBefore(oid, before)]
            if missing:
                self.wait(storage._server.prefetch(missing, before))
            return {n: self._record(partial(self._load_at, storage, oid, before)) for n, oid in wanted.items()}
        except NoAnswer:
            raise
        except Exception as error:
            self.error = words(error)
            raise NoAnswer(self.error) from None

    def _load_at(self, storage: Any, oid: bytes, before: bytes) -> Any:
        """As ``ClientStorage.loadBefore``, and never longer than one wait."""
        return storage._cache.loadBefore(oid, before) or self.call("loadBefore", oid, before)

    def load_file(self, oid: int, tid: int) -> bytes | None:
        """The file of a blob's version, as the server sends it; None where it has none."""
        key = (markers.eight_bytes(oid), markers.eight_bytes(tid))
        try:
            self.call("sendBlob", *key)
        except POSKeyError:
            return None
        return self.files.pop(key, None)

    def _record(self, load: Callable[[], Any]) -> Record | None:
        try:
            found = load()
        except POSKeyError:
            return None
        return None if found is None else Record(found[0], markers.number(found[1]))

    def transactions(self, first: int, last: int | None) -> Iterable[tuple[int, bytes, bytes, Callable[[], Any]]]:
        """Id, user, description and a way to the records of every transaction from ``first`` to ``last``."""
        ends = [None if tid is None else markers.eight_bytes(tid) for tid in (first, last)]
        iterator = self.call("iterator_start", *ends)
        while (found := self.call("iterator_next", iterator)) is not None:
            tid, _, user, text, _ = found
            yield markers.number(tid), user, text, partial(self._records_of, iterator, tid)

    def _records_of(self, iterator: Any, tid: bytes) -> list[tuple[int, bytes]]:
        """The oid and the bytes of each record of the transaction that was just reached; none where it deletes."""
        records = self.call("iterator_record_start", iterator, tid)
        found = []
        # A transaction has a record, so two questions may be under way: most have one, and then that was all.
        asked = [self.start("iterator_record_next", records), self.start("iterator_record_next", records)]
        while (record := self.wait(asked.pop(0))) is not None:
            found.append((markers.number(record[0]), record[2] or b""))
            if not asked:
                asked.append(self.start("iterator_record_next", records))
        return found

    # --- writing

    def commit(self, description: str, changes: Iterable[Change], current: Iterable[Change] = ()) -> int:
        """One transaction; its id.  Raises :exc:`CommitFailed`, which says whether it surely did not happen.

        What is in ``current`` must still be at its serial, and is not changed (``Connection.readCurrent``).

        Everything is ready before the first byte is sent, and between vote and finish there is nothing but the two
        calls.  Where an answer does not come, the connection is ended: that frees the commit lock.
        """
        storage, changes = self._storage, tuple(changes)
        if self.error or self.lost or storage is None:
            raise CommitFailed("error", self.error or "the connection was lost", surely=True)
        transaction = TransactionMetaData(markers.USER, description)
        try:
            buffer = self._vote(storage, transaction, changes, tuple(current))
        except Exception as error:
            self._give_up(storage, transaction)
            conflict = isinstance(error, ConflictError)
            raise CommitFailed(_refusal(error), words(error), surely=True, conflict=conflict) from None
        try:
            finishing = storage._server.tpc_finish(id(transaction), buffer, _nothing, wait=False)
            self.committed = markers.number(self.wait(finishing))
            return self.committed
        except Exception as error:
            self.close(1.0)
            raise CommitFailed(_refusal(error), words(error), surely=False) from None
        finally:
            self.held_s = time.monotonic() - self._voted_at
            storage.tpc_end(transaction)

    def try_out(self, description: str, change: Change) -> bool:
        """Vote for a change and give it up, whatever the server says; whether it would have been accepted.

        Raises :exc:`CommitFailed` where it was refused for another reason than a conflict.
        """
        storage = self._storage
        if self.error or self.lost or storage is None:
            raise CommitFailed("error", self.error or "the connection was lost", surely=True)
        transaction = TransactionMetaData(markers.USER, description)
        try:
            self._vote(storage, transaction, (change,))
        except ConflictError:
            return False
        except Exception as error:
            raise CommitFailed(_refusal(error), words(error), surely=True) from None
        finally:
            self._give_up(storage, transaction)
        return True

    def _vote(
        self, storage: Any, transaction: Any, changes: tuple[Change, ...], current: tuple[Change, ...] = ()
    ) -> Any:
        self._voted_at = 0.0
        storage.tpc_begin(transaction)
        buffer = transaction.data(storage)
        if self.lost:
            raise NoAnswer("the connection was lost")
        for change in changes:
            oid, serial = markers.eight_bytes(change.oid), markers.eight_bytes(change.serial)
            if change.data is None:
                storage.deleteObject(oid, serial, transaction)
            elif change.blob is not None:
                storage._async_iter(_file(oid, serial, change.data, change.blob, id(transaction)))
            else:
                storage.store(oid, serial, change.data, "", transaction)
        for kept in current:
            oid, serial = markers.eight_bytes(kept.oid), markers.eight_bytes(kept.serial)
            storage.checkCurrentSerialInTransaction(oid, serial, transaction)
        self._voted_at = time.monotonic()
        if self.call("vote", id(transaction)):
            raise ConflictError("the server reports a conflict")
        return buffer

    def _give_up(self, storage: Any, transaction: Any) -> None:
        with contextlib.suppress(Exception):
            if self.error:
                self.close(1.0)
            else:
                self.call("tpc_abort", id(transaction))
                self.held_s = time.monotonic() - self._voted_at if self._voted_at else 0.0
        with contextlib.suppress(Exception):
            storage.tpc_end(transaction)


def _file(oid: bytes, serial: bytes, data: bytes, content: bytes, transaction: int) -> Iterator[tuple[str, Any]]:
    """A blob and its file, in the messages in which a client sends them that has no shared folder."""
    yield "storeBlobStart", ()
    yield "storeBlobChunk", (content,)
    yield "storeBlobEnd", (oid, serial, data, transaction)


def _nothing(tid: bytes) -> None:
    """Called by ZEO once the transaction is finished, in its network thread."""


def _tls(target: protocol.Target) -> dict[str, Any]:
    """The options for a server that is spoken to by TLS; it has answered by it already."""
    tls = next((a.tls for a in target.addresses if isinstance(a, HostPort) and a.tls is not None), None)
    if tls is None:
        return {}
    from zcheck.probes.zeo_tls import context_of

    return {"ssl": context_of(tls), "ssl_server_hostname": tls.server_hostname or None}


def _close_quietly(storage: Any) -> None:
    with contextlib.suppress(Exception):
        storage.close()


def _address(peer: Any) -> str:
    if isinstance(peer, tuple):
        return str(HostPort(str(peer[0]), int(peer[1])))
    return peer.decode("utf-8", "replace") if isinstance(peer, bytes) else str(peer)


def _refusal(error: BaseException) -> str:
    return "read-only" if isinstance(error, ReadOnlyError) else "error"


def words(error: BaseException) -> str:
    """What an exception says, for a person; an exception of the server's by the server's own words."""
    if isinstance(error, ServerException) and len(error.args) == 2:
        name, arguments = error.args
        said = ": ".join(str(part) for part in arguments) if isinstance(arguments, list | tuple) else str(arguments)
        return f"the server says {str(name).rpartition('.')[2]}: {said}"
    if isinstance(error, ReadOnlyError):
        return "the server or its storage is read-only"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return shortages.of_ours(error) or os.strerror(error.errno).lower()
    text = " ".join(str(error).split())
    return text if isinstance(error, NoAnswer | OSError) and text else f"{type(error).__name__}: {text}".rstrip(": ")
