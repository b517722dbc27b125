"""The storage's own log of what running clients wrote into a run's folder: their nonces, by transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zcheck.consistency.storage import markers, protocol
from zcheck.consistency.storage.common import NoAnswer, OutOfTime, Stop
from zcheck.consistency.storage.packs import may_be_packed_since

if TYPE_CHECKING:
    from zcheck.consistency.storage.connection import Connection

RETRIES = 3


def read_versions(connections: list[Connection], job: protocol.ReadVersions, stop: Stop) -> protocol.Versions:
    """Every version of this run's documents, through the first connection that can list transactions.

    And which documents each other storage has that a connection reached.  Ours are the transactions whose description,
    the request's path, holds the folder's name.  The records are searched as bytes and never unpickled: a document's
    title holds its number and its nonce.
    """
    reason = "there is no ZEO connection to the database"
    first: dict[int, list[tuple[str, str]]] | None = None
    written: dict[str, int] = {}
    containers: set[str] = set(job.containers)
    documents: dict[tuple[str, str], tuple[int, ...]] = {}
    packed = False
    for connection in connections:
        if connection.error or not connection.can("IStorageIteration"):
            reason = connection.error or "the storage cannot be iterated"
        elif connection.read_only:
            # It may be a replica that has not heard of the newest yet.
            reason = "its server is read-only"
        elif connection.storage_reached not in documents:
            found = _read_often(connection, job, stop)
            if isinstance(found, str):
                reason = found
                continue
            packed = packed or may_be_packed_since(connection, max(connection.first, connection.committed))
            first = found.documents if first is None else first
            documents[connection.storage_reached] = tuple(sorted(found.documents))
            # A server that passes another's storage on lists the same transactions: they are counted once.
            written |= found.written
            containers |= found.containers
    if first is None:
        return protocol.Versions(error=f"the storage's log could not be read: {reason}")
    by_client = {
        one.target.client: documents[one.storage_reached] for one in connections if one.storage_reached in documents
    }
    return protocol.Versions(
        first, by_client=by_client, packed=packed, written=written, containers=tuple(sorted(containers))
    )


class _Found:
    """What one storage's log has of the run."""

    def __init__(self, containers: Iterable[str]) -> None:
        self.documents: dict[int, list[tuple[str, str]]] = {}
        self.written: dict[str, int] = {}
        self.containers = set(containers)


def _read_often(connection: Connection, job: protocol.ReadVersions, stop: Stop) -> _Found | str:
    reason = ""
    for _ in range(RETRIES):
        try:
            return _read(connection, job, stop)
        except (NoAnswer, OutOfTime) as error:
            return str(error)
        except Exception as error:  # a FileStorage may fail to begin while another client commits
            reason = f"{type(error).__name__}: {error}"
    return reason


def _read(connection: Connection, job: protocol.ReadVersions, stop: Stop) -> _Found:
    title = re.compile(rb"zcheck (\d+) ([0-9a-f]{32}) run " + re.escape(job.run_id.encode()) + rb"\b")
    found = _Found(job.containers)
    first = int(job.after, 16) if job.after else connection.first
    # Others may commit faster than can be read: what is looked for is there by now.
    last = markers.number(connection.call("lastTransaction"))
    for tid, _, text, records in connection.transactions(first + 1, last):
        stop.between()
        inside = job.folder.encode() in text
        if not inside and not any(method in text for method in _OF_THE_CONTAINER):
            continue
        read = records()
        if not inside and not _puts_or_takes(read, text, job.folder.encode(), found.containers):
            continue
        found.written[f"{tid:016x}"] = sum(len(data) for _, data in read)
        for _, data in read if inside else ():
            own = set(title.findall(data))
            for number, nonce in sorted(own):
                found.documents.setdefault(int(number), []).append((f"{tid:016x}", nonce.decode()))
    return found


_ADDS, _REMOVES = b"/manage_add", b"/manage_delObjects"
_OF_THE_CONTAINER = (_ADDS, _REMOVES)
"""The methods by which a folder is added and removed: their descriptions hold the container's path, and no folder."""


def _puts_or_takes(records: list[tuple[int, bytes]], text: bytes, folder: bytes, containers: set[str]) -> bool:
    """Whether this transaction put the folder into its container, or took it out; ``containers`` is kept by it.

    The first that names the folder has put it there.  Whatever others do there later writes its name as well, until
    the first that no longer has it has taken it out.
    """
    holding = {f"{oid:016x}" for oid, data in records if folder in data}
    if _ADDS in text and not containers:
        containers |= holding
        return bool(holding)
    return _REMOVES in text and any(f"{oid:016x}" in containers and folder not in data for oid, data in records)
