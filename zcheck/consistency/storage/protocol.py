"""What zcheck and its writing child say to each other: one line of JSON a job, one an answer."""

from __future__ import annotations

import msgspec

from zcheck.consistency.recording.format import Header
from zcheck.facts import HostPort

WIND_UP = b"wind up"
"""A line that is no job: what is being done is to come to an end."""
WRITE_RATE = 100.0
"""Commits a second at most, after a first burst of as many; the share of the time for which they hold the lock is
smaller, and mostly decides."""
UNPACED = 1e6
"""A rate at which nothing waits: for benchmarks of a server of their own."""


class Target(msgspec.Struct, frozen=True):
    """One client's way to one of its databases, as it is dialled from here."""

    client: str
    database: str
    addresses: tuple[HostPort | str, ...]
    """All its ``server`` lines; a ``str`` is the path of a unix socket."""
    storage: str = "1"
    may_write: bool = True
    may_read: bool = True
    why_not: str = ""
    """Why it may not be written to."""
    blobs: bool = False
    """The client keeps blobs of this database."""


class Failure(msgspec.Struct, frozen=True):
    """Why a connection could not be had."""

    client: str
    database: str
    reason: str


class Orphan(msgspec.Struct, frozen=True):
    """A marker of some run that is still in a storage; nothing refers to it."""

    database: str
    client: str
    """Through whose connection it was found."""
    server: str
    oid: str
    """16 hexadecimal digits, as is ``tid``: the transaction that wrote the record which is there now."""
    tid: str
    run_id: str


class Orphans(msgspec.Struct, frozen=True):
    """What runs left in the storages, and what could not be looked at."""

    found: tuple[Orphan, ...] = ()
    unknown: tuple[str, ...] = ()
    """In words: storages or periods that were not looked at, and removals that failed."""
    checked: tuple[str, ...] = ()
    """The servers that were looked at."""


class Connect(msgspec.Struct, frozen=True, tag=True):
    """Connect to every target, side by side."""

    targets: tuple[Target, ...]
    timeout_s: float
    within_s: float


class Prove(msgspec.Struct, frozen=True, tag=True):
    """Take the read-only proofs of identity through every connection."""

    within_s: float


class Write(msgspec.Struct, frozen=True, tag=True):
    """The matrix: write through each client of a database, read through all, remove.

    ``blobs``: the same with blobs, through the clients that keep any.
    """

    database: str
    run_id: str
    within_s: float
    rounds: int = 2
    max_rate: float = WRITE_RATE
    journal: str | None = None
    """The file to which each transaction is told before it is sent."""
    pause_file: str | None = None
    """While it exists nothing is begun."""
    blobs: bool = False


class Isolate(msgspec.Struct, frozen=True, tag=True):
    """The matrix, then the workloads of the isolation test for ``duration_s`` seconds; then all is removed."""

    database: str
    run_id: str
    within_s: float
    duration_s: float
    workloads: tuple[str, ...]
    seed: int
    max_rate: float = WRITE_RATE
    journal: str | None = None
    pause_file: str | None = None
    rounds: int = 2
    tape: str | None = None
    """The file to which the history is written while it is made."""
    header: Header | None = None
    """How it begins there."""
    window_s: float | None = None
    """Judge what was done after each so many seconds, and drop it; None: all is kept, and judged by who asked."""


class ReadVersions(msgspec.Struct, frozen=True, tag=True):
    """What the storage's log has of the documents of this run, since the connections were made."""

    database: str
    run_id: str
    folder: str
    within_s: float
    after: str = ""
    """Only what came after this transaction; empty: all since the connections were made."""
    containers: tuple[str, ...] = ()
    """By an earlier answer: the objects into which the folder was put."""


class Versions(msgspec.Struct, frozen=True):
    """By document's number: transaction and nonce of each version, oldest first; or in words why not."""

    found: dict[int, list[tuple[str, str]]] = {}
    error: str = ""
    by_client: dict[str, tuple[int, ...]] = {}
    """By client: the documents that are in the log of the storage that its connection reached, where it is whole."""
    packed: bool = False
    """The storage may have been packed meanwhile: what is missing tells nothing."""
    written: dict[str, int] = {}
    """By transaction of this run, its folder's adding and removal included: the bytes of all its records."""
    containers: tuple[str, ...] = ()
    """The objects into which the folder was put, 16 hexadecimal digits each: its removal writes them once more."""


class Wanted(msgspec.Struct, frozen=True):
    """Objects that are to be looked up over one client's connection, by 16 hexadecimal digits each."""

    client: str
    database: str
    oids: tuple[str, ...]


class LookUp(msgspec.Struct, frozen=True, tag=True):
    """Ask the servers for the current transaction of objects; nothing of the objects is loaded."""

    wanted: tuple[Wanted, ...]
    within_s: float


class Current(msgspec.Struct, frozen=True):
    """What one server answered to a :class:`Wanted`."""

    client: str
    database: str
    last: str = ""
    """The server's last transaction, asked for before the objects."""
    tids: dict[str, str] = {}
    """By object; one that the server does not have, or was not asked for any more, is not in it."""
    asked: int = 0
    error: str = ""


class Find(msgspec.Struct, frozen=True, tag=True):
    """Look for orphans in the transactions of the last ``since_s`` seconds; of one run, or of all where it is empty."""

    since_s: float
    within_s: float
    run_id: str = ""


class Remove(msgspec.Struct, frozen=True, tag=True):
    """Delete these orphans."""

    orphans: tuple[Orphan, ...]
    run_id: str
    within_s: float


class Close(msgspec.Struct, frozen=True, tag=True):
    """Close every connection and end."""

    within_s: float = 3.0


Job = Connect | Prove | Write | Isolate | ReadVersions | LookUp | Find | Remove | Close


class Answer(msgspec.Struct, frozen=True):
    """The result of one job, or in words why there is none; or how far a long one is, and the answer comes later."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    so_far: str = ""
