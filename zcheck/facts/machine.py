"""The facts that a client's own machine tells."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec


class ListeningProcess(msgspec.Struct, frozen=True):
    """The process that listens on a client's port, as its own machine shows it."""

    pid: int
    command: str = ""
    """Its program and its first arguments; what may be a secret is hidden."""
    started_at: float | None = None
    """Seconds since the epoch, by that machine's clock."""
    user: str = ""


ThereOutcome = Literal["answers", "accepts", "refused", "silent", "unreachable", "no-such-name", "something-else"]
"""``accepts``: the connection was made, and no more was tried, as the client speaks TLS there."""


class ServerFromThere(msgspec.Struct, frozen=True):
    """What one ZEO server that a client's zope.conf names does when the client's own machine dials it."""

    database: str
    server: str
    """As zope.conf writes it."""
    file: str
    line: int
    outcome: ThereOutcome
    detail: str = ""
    addresses: tuple[str, ...] = ()
    """What the name means there; empty for a unix path, and where the name means nothing."""
    protocol: str | None = None
    """The hello, such as ``Z5`` or ``M5``."""

    @property
    def works(self) -> bool:
        """Whether nothing speaks against the client's reaching it."""
        return self.outcome in ("answers", "accepts")

    def __str__(self) -> str:
        """What it does, as the end of a sentence."""
        said = {
            "refused": "refuses connections",
            "silent": "is silent",
            "unreachable": "cannot be reached",
            "no-such-name": "has a name that means nothing there",
            "something-else": "is no ZEO server",
        }
        return f"{self.server} {said.get(self.outcome, self.outcome)}" + (f" ({self.detail})" if self.detail else "")


class FolderThere(msgspec.Struct, frozen=True):
    """A folder that a database of a client's zope.conf names, as the client's own machine sees it."""

    database: str
    path: str
    use: Literal["blobs", "blob-cache", "cache"]
    """``blobs``: where the blobs themselves live (``shared-blob-dir on``)."""
    file: str
    line: int
    device: int | None = None
    """The number of its file system, which means something on that machine alone; None: the folder was not seen."""
    inode: int | None = None
    layout: str = ""
    """What its marker ``.layout`` says: ``bushy``, ``lawn`` or, for a cache, ``zeocache``; empty where it has none."""
    free_bytes: int | None = None
    why: str = ""
    """Why it was not seen."""


class SeenThere(msgspec.Struct, frozen=True):
    """What a client's own machine sees of it: gathered by its ``via``, or there by ``zcheck gather``."""

    scope: ClassVar[str] = "client"
    host: str
    """That machine's own name for itself."""
    addresses: tuple[str, ...] = ()
    """The addresses by which it knows itself, loopback left out."""
    process: ListeningProcess | None = None
    why_no_process: str = ""
    python_version: str = ""
    """Of the process; empty where it is not known."""
    distributions: dict[str, str] | None = None
    """What the process can import: name in lower case with ``-``, and version.  None where it is not known."""
    why_no_distributions: str = ""
    zope_conf: str = ""
    """The path of the zope.conf that the process was started with; empty where it is not known."""
    conf_mtime: float | None = None
    """When the file that clients.ini means was last changed, by that machine's clock; None for a copy."""
    clock: float | None = None
    """That machine's clock: seconds since the epoch, read between the two that follow."""
    asked_at: float | None = None
    """By the clock of zcheck's own machine, as is the next; None where ``zcheck gather`` ran there."""
    answered_at: float | None = None
    servers: tuple[ServerFromThere, ...] = ()
    folders: tuple[FolderThere, ...] = ()
    why_no_peers: str = ""
    """Why servers and folders were not looked at, where they were to be."""

    @property
    def is_inside(self) -> bool:
        """Whether this was surely seen from where the client's process itself is, not from around its container.

        That process then listens in the network that was looked at, has the files that were, and is a Python.
        """
        return self.process is not None and self.distributions is not None

    def cut_off(self, database: str) -> tuple[ServerFromThere, ...]:
        """The servers of a database, where none of them can be reached from where the client itself is; else none."""
        own = tuple(server for server in self.servers if server.database == database)
        return own if self.is_inside and not any(server.works for server in own) else ()

    @property
    def zope_version(self) -> str:
        """The version of Zope; empty where it is not known."""
        found = self.distributions or {}
        return found.get("zope") or found.get("zope2") or ""


class CacheThere(msgspec.Struct, frozen=True):
    """A persistent ZEO cache of one client, read raw on its own machine, and held against its server."""

    database: str
    path: str
    file: str
    line: int
    current: int = 0
    """How many records it holds as the current ones."""
    compared: int = 0
    """How many of them were looked up on the server."""
    wrong: int = 0
    """Those that are not the server's current ones, and of which the server will never tell the client so."""
    why_not: str = ""
    """Why nothing was compared."""


class StorageCaches(msgspec.Struct, frozen=True):
    """The persistent ZEO caches that a client's zope.conf names; none where it names none."""

    scope: ClassVar[str] = "client"
    caches: tuple[CacheThere, ...] = ()


class BlobMarker(msgspec.Struct, frozen=True):
    """A small file that one client's machine put into its folder of shared blobs, and who found it in theirs."""

    database: str
    writer: str
    path: str
    seen_by: dict[str, bool] = {}
    """By client: whether its own folder held the file."""
    unknown: dict[str, str] = {}
    """By client: why that could not be learnt."""


class SharedBlobs(msgspec.Struct, frozen=True):
    """What the marker files proved about folders of shared blobs."""

    scope: ClassVar[str] = "cluster"
    markers: tuple[BlobMarker, ...] = ()
    why_not: dict[str, str] = {}
    """By database: why no marker was written, where one would have been needed."""
