"""The record of the write-here-read-there test: one operation a transaction or a request.

One process drives all clients, so one monotonic clock orders everything; no clock synchronisation is needed.
``ok`` surely happened, ``fail`` surely did not, ``info`` is not known.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from zcheck.facts.peers import StorageFile

Outcome = Literal["ok", "fail", "info"]
Action = Literal["prove", "add", "write", "read", "remove", "gone", "dry", "conflict"]
"""``dry`` is voted for and given up; ``conflict`` replaces a version that is not the newest, so it must be refused."""

# Jepsen's names for what has one there; the others stand in the file as they stand here.
_JEPSEN = {"session": "process", "action": "f", "outcome": "type", "invoke_ns": "time"}


class Operation(msgspec.Struct, frozen=True, omit_defaults=True, rename=_JEPSEN):
    """One transaction (ZEO level) or one request (HTTP level) through one client.

    A marker is known by the name of the client that writes it, or by a name of its workload's.  A nonce is 128 random
    bits in hexadecimal digits; an empty one deletes.  Transaction ids are 16 hexadecimal digits, so they sort as text.
    """

    session: str
    """The client through which it went."""
    action: Action
    round: int
    invoke_ns: int
    return_ns: int
    outcome: Outcome
    fenced: bool = False
    """A round trip to the server was made just before, so every earlier commit must be visible."""
    reads: dict[str, str | None] = {}
    """By marker: the nonce that was read, None where the marker was not there."""
    writes: dict[str, str] = {}
    """By marker: the nonce that was written."""
    tid: str | None = None
    """The transaction's id, 16 hexadecimal digits, where it is known."""
    error: str = ""
    """Why it failed, or why it is not known, in words for a person."""
    snapshot: str | None = None
    """The transaction whose state was read, where that is known."""
    read_tids: dict[str, str] = {}
    """By marker: the transaction that wrote the version that was read, where that is known."""
    bases: dict[str, str] = {}
    """By marker: the version that was to be replaced, where that is known; zeros for a new object."""
    current: dict[str, str] = {}
    """By marker: the version that had to be the newest still when this was committed (``readCurrent``)."""
    accepted: bool | None = None
    """Of what was not to be finished: whether the server voted for it."""
    apart: bool = False
    """Each marker was read by a request of its own, so there is no one snapshot."""
    workload: str = ""
    answered_by: str = ""
    """Of a request: the process that answered it, where the answer says so; see :mod:`zcheck.facts.processes`."""
    connection: str = ""
    """Of such an answer: which of the process' pooled database connections served it."""


class Version(msgspec.Struct, frozen=True, array_like=True):
    """One entry of a marker's log: the transaction, and the nonce that it wrote; empty where it deleted."""

    tid: str
    nonce: str


Refusal = Literal[
    "",
    "wrong-password",
    "no-permission",
    "redirected",
    "not-saved",
    "read-only",
    "no-form",
    "no-blobs",
    "conflict",
    "mapped",
    "changed",
    "error",
]


class ClientState(msgspec.Struct, frozen=True):
    """How one client fared in one history, beside its operations.

    ``joined``: it showed that it reaches the same database (it may be written to); ``refused`` says why a write through
    it was not accepted, and ``detail`` the same in words.  ``hung``: it did not answer a request that makes it ask its
    ZEO server.  ``because`` names the check that tells why it was not asked at all.  ``behind`` says why it shows old
    pages, where that could be learnt.
    """

    client: str
    joined: bool | None = None
    hung: bool = False
    refused: Refusal = ""
    detail: str = ""
    because: str = ""
    behind: str = ""
    late_s: float = 0.0
    """How long the slowest request took of those that were answered, and later than one wait; 0: none was late."""
    threads_met: int = 0
    """How many of its threads, each with a database connection of its own, answered when all were asked at one time."""
    threads: int = 0
    """How many it has; 0: they were not asked at one time."""


class Lag(msgspec.Struct, frozen=True):
    """From the acknowledgement of a write to the first unfenced read of another session that showed it."""

    writer: str
    reader: str
    marker: str
    ms: float
    at_ns: int = 0
    """When the write was acknowledged."""


class Found(msgspec.Struct, frozen=True):
    """One thing that the judge found, with its witness in words."""

    kind: str
    words: str
    sessions: tuple[str, ...]
    """The one in which it was seen first, then those that are part of the witness."""
    operations: tuple[int, ...] = ()
    """Places in the history's operations, each request told as a transaction of its own."""


class Judged(msgspec.Struct, frozen=True):
    """What the judge found in a history, or in a part of one."""

    operations: int = 0
    transactions: int = 0
    """Operations in which there was something to judge."""
    fenced_reads: int = 0
    found: tuple[Found, ...] = ()
    told: int = 0
    """How many were found; of very many not every one is kept."""
    tested: tuple[str, ...] = ()
    """The levels that were put to the test."""
    broken: tuple[str, ...] = ()
    """The levels that something found does not allow."""
    serializable: bool | None = None


class History(msgspec.Struct, frozen=True):
    """Everything that one level did to one database in one run."""

    level: Literal["zeo", "http"]
    database: str
    run_id: str
    operations: tuple[Operation, ...] = ()
    clients: tuple[ClientState, ...] = ()
    rounds: int = 2
    transactions: int = 0
    """Commits of ours, the removal included."""
    bytes: int = 0
    """Bytes of the records that those commits wrote."""
    uncounted: int = 0
    """Of those commits: how many were not found in a log of the storage, so that their bytes are not known."""
    left: tuple[str, ...] = ()
    """What could not be removed, in words."""
    stopped: str = ""
    """Why the work ended early; empty: it was completed."""
    log: dict[str, tuple[Version, ...]] | None = None
    """By marker: its versions in the storage's own log, oldest first; None where the log was not read."""
    why_no_log: str = ""
    values: dict[str, int] = {}
    """By nonce: what that version of a bank account holds."""
    judged: Judged | None = None
    """Of a history so long that it was judged while it was made, and of which only what tells most was kept."""
    lags: tuple[Lag, ...] = ()
    """Of such a history: how long writes took to arrive; of very many an even sample, and the slowest."""
    lags_counted: int = 0
    """How many there were."""
    same_way: dict[str, str] = {}
    """Of very many clients: by client, the one whose connection stood for it, to the same servers and storage."""
    place: str = ""
    """Where in the tree it was written through the running clients: a mount point's path; empty for the root."""
    blobs: bool = False
    """It was blobs that were written, and their files that were read."""
    nothing: str = ""
    """Why there is nothing that could be tried, as where a database that is mounted is not in the tree."""
    stored: dict[str, bool] = {}
    """By client: whether what was saved through it is in the log of the storage that its file names; where learnt."""
    held_s: float | None = None
    """How long a commit of zcheck's own held the storage's commit lock, from vote to finish, in seconds: the median."""
    packed: bool = False
    """The storage may have been packed meanwhile: of what its log does not have nothing is known."""
    files: tuple[StorageFile, ...] = ()
    """Whether the servers write into the files that have their storages' paths: before the first write, and after."""

    def state(self, client: str) -> ClientState | None:
        return next((state for state in self.clients if state.client == client), None)


class ZeoHistories(msgspec.Struct, frozen=True):
    """The histories of zcheck's own ZEO connections, one for each database that was tried.

    ``blobs``: those of blobs, for the databases that have a ``blob-dir``.
    """

    scope: ClassVar[str] = "cluster"
    histories: tuple[History, ...] = ()
    blobs: tuple[History, ...] = ()


class HttpHistories(msgspec.Struct, frozen=True):
    """The histories of the requests through the running clients; ``blobs``: those of files inside a site."""

    scope: ClassVar[str] = "cluster"
    histories: tuple[History, ...] = ()
    blobs: tuple[History, ...] = ()
