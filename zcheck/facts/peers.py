"""The facts that network peers tell: ports, pages, ZEO servers, and what a run left behind."""

from __future__ import annotations

import calendar
import re
from typing import ClassVar, Literal

import msgspec


class PortAnswer(msgspec.Struct, frozen=True):
    """What a TCP connect to a client's address did."""

    scope: ClassVar[str] = "client"
    dialled: str
    outcome: Literal["open", "refused", "timeout", "unreachable", "unknown-name"]
    detail: str = ""
    connect_ms: float | None = None


class HttpAnswer(msgspec.Struct, frozen=True):
    """What a client answered to one cheap request (``GET /`` of its root, anonymous).

    ``outcome`` is ``http`` for any well-formed HTTP response; ``status`` and ``headers`` belong to it.
    """

    scope: ClassVar[str] = "client"
    outcome: Literal["http", "silent", "not-http", "reset", "too-slow", "tls-error"]
    detail: str = ""
    status: int | None = None
    headers: dict[str, str] = {}
    elapsed_ms: float | None = None
    asked_at: float | None = None
    """When the request was sent, by the clock of zcheck's own machine: seconds since the epoch."""
    answered_at: float | None = None
    """When the answer was complete, by the same clock."""


class DatabasePage(msgspec.Struct, frozen=True):
    """One database on a client's Control Panel: ``/Control_Panel/Database/NAME/manage_main``."""

    name: str
    location: str
    """The text of the row labelled "Database Location", without the connection state."""
    connected: bool | None = None
    """What the label says: (connected) or (disconnected); None where it says neither (no ZEO)."""


_UNITS = {"day": 86400, "hour": 3600, "min": 60, "sec": 1}


class ControlPanel(msgspec.Struct, frozen=True):
    """What a running client's Control Panel tells a manager."""

    scope: ClassVar[str] = "client"
    databases: tuple[DatabasePage, ...]
    zope_version: str | None = None
    python_version: str | None = None
    plone_version: str | None = None
    """Where clients.ini names a site and its REST API tells."""
    process_id: int | None = None
    running_for: str | None = None
    instance_home: str | None = None
    client_home: str | None = None
    read_at: float | None = None
    """When the page was complete, by the clock of zcheck's own machine: seconds since the epoch."""
    references_at: str | None = None
    """When the process first counted its references, by its own clock; asked only where two processes look alike."""

    def database(self, name: str) -> DatabasePage | None:
        return next((page for page in self.databases if page.name == name), None)

    @property
    def started_at(self) -> tuple[float, float] | None:
        """The earliest and the latest moment at which the process can have started, by zcheck's own clock; else None.

        "Running For", such as ``1 day 3 min 4 sec``, is good to one of the smallest unit that it shows.
        """
        found = re.findall(r"(\d+)\s*(day|hour|min|sec)", self.running_for or "")
        if not found or self.read_at is None:
            return None
        seconds = sum(int(count) * _UNITS[unit] for count, unit in found)
        unit_s = min(_UNITS[unit] for _, unit in found)
        return self.read_at - seconds - unit_s, self.read_at - seconds + unit_s

    def may_be(self, other: ControlPanel) -> bool:
        """Whether both may be one process, by its id, its homes and its start: in containers all are often alike."""
        mine, its = ((one.process_id, one.instance_home, one.client_home) for one in (self, other))
        if self.process_id is None or mine != its:
            return False
        since, other_since = self.started_at, other.started_at
        if since is None or other_since is None:
            # Where one does not tell since when it runs, nothing speaks against its being the other.
            return True
        return max(since[0], other_since[0]) - 1 <= min(since[1], other_since[1])


class LockReading(msgspec.Struct, frozen=True):
    """One look at a storage's commit lock by ``ruok``; ``at_s`` is on zcheck's own monotonic clock."""

    at_s: float
    lock_time: str | None
    commits: int
    waiting: int


class ZeoStorage(msgspec.Struct, frozen=True):
    """One storage as a ZEO server's ``ruok`` describes it."""

    connections: int
    last_transaction: str
    """16 hexadecimal digits; all zero: empty."""
    start: str = ""
    readings: tuple[LockReading, ...] = ()
    """One where no lock was held, else two at least 1 s apart."""

    @property
    def is_blocked(self) -> bool | None:
        """Whether the commit lock is stuck; None where it was held and no second reading could be had.

        Stuck is: the same ``lock_time`` in two readings at least a second apart while ``commits`` stands still.  No two
        clocks are compared, and a queue of waiting commits alone is normal under load.
        """
        if not self.readings:
            return None
        if any(reading.lock_time is None for reading in self.readings):
            return False
        first, last = self.readings[0], self.readings[-1]
        if first.lock_time != last.lock_time or first.commits != last.commits:
            return False
        return True if last.at_s - first.at_s >= 1.0 else None


ZeoOutcome = Literal[
    "answers",
    "refused",
    "unreachable",
    "unknown-name",
    "timeout",
    "silent",
    "http",
    "foreign",
    "too-old",
    # It speaks TLS and the client does not, or the client's files cannot be used here.
    "tls",
    # The client speaks TLS and it does not.
    "not-tls",
    # Both do, and one of them does not accept the other.
    "tls-failed",
    # It was not asked, for want of something of our own; no fact says so.
    "own-shortage",
]


class ZeoAnswer(msgspec.Struct, frozen=True):
    """What one ZEO server said when it was dialled for one ``server`` line of one database."""

    database: str
    server: str
    """As zope.conf writes it."""
    file: str
    line: int
    dialled: str
    here: bool
    """The dialled address is on the machine where zcheck runs."""
    outcome: ZeoOutcome
    detail: str = ""
    protocol: str | None = None
    """The hello, such as ``Z5`` or ``M5``."""
    storage: str = "1"
    """The storage that this client names."""
    storages: dict[str, ZeoStorage] = {}

    @property
    def is_dead(self) -> bool:
        """Whether there is surely no working ZEO server, wherever one asks from."""
        return self.outcome in ("silent", "http", "foreign") or (self.outcome == "refused" and self.here)


class ZeoAnswers(msgspec.Struct, frozen=True):
    """The answers of every ZEO server that one client's zope.conf names."""

    scope: ClassVar[str] = "client"
    answers: tuple[ZeoAnswer, ...] = ()

    def all_dead(self, database: str) -> bool:
        """Whether no server that is named for this database is a working one: zeo-server-answers tells of them all."""
        own = [answer for answer in self.answers if answer.database == database]
        return bool(own) and all(answer.is_dead for answer in own)


def tid_seconds(tid: str) -> float | None:
    """The time in a transaction's id of 16 hexadecimal digits, in seconds since the epoch; None where it has none.

    The first half counts minutes in a calendar whose months have 31 days, the second one is the fraction of a minute
    (persistent/timestamp.py).
    """
    try:
        number = int(tid, 16)
    except ValueError:
        return None
    minutes, fraction = number >> 32, number & 0xFFFFFFFF
    if not minutes:
        return None
    rest, minute = divmod(minutes, 60)
    rest, hour = divmod(rest, 24)
    rest, day = divmod(rest, 31)
    year, month = divmod(rest, 12)
    start = calendar.timegm((year + 1900, month + 1, day + 1, hour, minute, 0))
    return start + fraction * 60 / 2**32


class TidReading(msgspec.Struct, frozen=True):
    """A transaction's id, which is the time of its commit by the ZEO server's clock (seconds since the epoch).

    ``asked_at`` and ``answered_at`` are by the clock of zcheck's own machine.  ``bracketed``: it was committed between
    them; otherwise it was the newest one at ``answered_at``, and may be old.
    """

    server: str
    clients: tuple[str, ...]
    tid_s: float
    asked_at: float
    answered_at: float
    bracketed: bool = False


class ZeoClocks(msgspec.Struct, frozen=True):
    """What is known of the ZEO servers' clocks."""

    scope: ClassVar[str] = "cluster"
    readings: tuple[TidReading, ...] = ()


class ServerList(msgspec.Struct, frozen=True):
    """The newest transactions of one database, as the ZEO server of one running client lists them."""

    client: str
    database: str
    tids: tuple[str, ...]
    """16 hexadecimal digits each, the newest first; empty: there are none that could be undone."""
    asked_ns: int
    answered_ns: int
    """On zcheck's own monotonic clock."""
    own: bool = False
    """It has a transaction that this run committed over ZEO, to the server that the clients' files name."""


class NewestTransaction(msgspec.Struct, frozen=True):
    """The newest transaction of a storage, as the server told that zope.conf names, at a moment of zcheck's own."""

    dialled: str
    storage: str
    tid: str
    """16 hexadecimal digits."""
    asked_ns: int
    """On zcheck's own monotonic clock."""


class ServerLists(msgspec.Struct, frozen=True):
    """What the running clients' own servers list: their truth, without a write.

    A client whose list lacks what another's has is asked again, and then the other one: see
    :mod:`zcheck.facts.storage_lists`.
    """

    scope: ClassVar[str] = "cluster"
    lists: tuple[ServerList, ...] = ()
    """Of each client and database one, or several in the order in which they were asked for."""
    hung: tuple[str, ...] = ()
    """The clients that did not answer this request, which makes them ask their server."""
    not_asked: dict[str, str] = {}
    """By client: why it was not asked, where something is wrong with it."""
    newest: tuple[NewestTransaction, ...] = ()
    """Of the servers that the files name, asked once all lists were had."""


class OwnClock(msgspec.Struct, frozen=True):
    """The clock of zcheck's own machine, during this run."""

    scope: ClassVar[str] = "cluster"
    set_by_s: float | None = None
    """Seconds by which it was set meanwhile: which of its times was right is not known then.  None: it was not."""


class OidRange(msgspec.Struct, frozen=True):
    """One answer to ``new_oids()``: the ``call``-th of the run, and the lowest and highest oid it gave."""

    call: int
    first: int
    last: int


class LoadsCount(msgspec.Struct, frozen=True):
    """How far one server's ``loads`` counter rose while ``reader`` loaded one record ``asked`` times."""

    reader: str
    asked: int
    rose_by: dict[str, int]
    """By client: as seen in the ``server_status`` of that client's connection."""


class StorageProof(msgspec.Struct, frozen=True):
    """Read-only evidence, taken through one client's connection, about which storage it reached."""

    client: str
    server: str
    """The address that answered the registration."""
    location: str = ""
    """The server's own name for the storage: the path of its Data.fs."""
    read_only: bool = False
    oids: tuple[OidRange, ...] = ()
    last_transaction: str = ""
    error: str = ""
    """Why there is no evidence; the other fields are then empty."""


class StorageFile(msgspec.Struct, frozen=True):
    """Whether a server writes into the file that has its storage's path, for which nothing is written.

    ``own``: the newest transaction in the server's open file is in the file at the path; ``replaced``: twice it was
    not; ``unknown``: nothing was listed by which that could be told, as after everything was packed.
    """

    database: str
    server: str
    storage: str
    location: str
    """The server's own name for the storage: the path of its Data.fs."""
    outcome: Literal["own", "replaced", "unknown"]
    newest: str = ""
    """The transaction that was looked for, 16 hexadecimal digits."""
    no_file: bool = False
    """There is no file at the path at all."""
    unreadable: bool = False
    """The file at the path could not be read to its end: unknown for this reason."""


class ZeoIdentity(msgspec.Struct, frozen=True):
    """For each database on ZEO, the proofs taken through every client's own ``server`` lines."""

    scope: ClassVar[str] = "cluster"
    databases: dict[str, tuple[StorageProof, ...]] = {}
    loads: dict[str, tuple[LoadsCount, ...]] = {}
    same_way: dict[str, dict[str, str]] = {}
    """By database, of very many clients: by client, the one whose connection stood for it."""
    why_not: str = ""
    """Why no connection was made at all; the others are then empty."""
    files: tuple[StorageFile, ...] = ()
    """Of the storages that are files: whether each server writes into its own."""
    candidates: dict[str, tuple[StorageProof, ...]] = {}
    """By database: the proofs taken at each address at which a client may find a server of its, where there are
    several: of a name with several addresses, or of several ``server`` lines.  ``client`` is the address."""
    candidate_loads: dict[str, tuple[LoadsCount, ...]] = {}


class Remains(msgspec.Struct, frozen=True):
    """What this run found in the cluster after its own clean-up."""

    scope: ClassVar[str] = "cluster"
    left: tuple[str, ...] = ()
    """Each thing that is still there, in words, with the client or server that has it."""
    removal: str = ""
    """The command that removes it."""
    checked: tuple[str, ...] = ()
    """The clients and servers that were looked at."""
    connections: dict[str, tuple[int, int]] = {}
    """By server and storage: registered clients before and after this run."""
    unknown: tuple[str, ...] = ()
    """Where it could not be learnt whether anything is left."""
    ended_runs: tuple[str, ...] = ()
    """Earlier runs, by their ids, that ended before they had seen that nothing of theirs was left."""
