"""The storage's own log of what running clients wrote into a run's folder: their nonces, by transaction."""

from __future__ import annotations

import re
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
            first = found if first is None else first
            documents[connection.storage_reached] = tuple(sorted(found))
    if first is None:
        return protocol.Versions(error=f"the storage's log could not be read: {reason}")
    by_client = {
        one.target.client: documents[one.storage_reached] for one in connections if one.storage_reached in documents
    }
    return protocol.Versions(first, by_client=by_client, packed=packed)


def _read_often(
    connection: Connection, job: protocol.ReadVersions, stop: Stop
) -> dict[int, list[tuple[str, str]]] | str:
    reason = ""
    for _ in range(RETRIES):
        try:
            return _read(connection, job, stop)
        except (NoAnswer, OutOfTime) as error:
            return str(error)
        except Exception as error:  # a FileStorage may fail to begin while another client commits
            reason = f"{type(error).__name__}: {error}"
    return reason


def _read(connection: Connection, job: protocol.ReadVersions, stop: Stop) -> dict[int, list[tuple[str, str]]]:
    title = re.compile(rb"zcheck (\d+) ([0-9a-f]{32}) run " + re.escape(job.run_id.encode()) + rb"\b")
    found: dict[int, list[tuple[str, str]]] = {}
    first = int(job.after, 16) if job.after else connection.first
    # Others may commit faster than can be read: what is looked for is there by now.
    last = markers.number(connection.call("lastTransaction"))
    for tid, _, text, records in connection.transactions(first + 1, last):
        stop.between()
        if job.folder.encode() not in text:
            continue
        for _, data in records():
            own = set(title.findall(data))
            for number, nonce in sorted(own):
                found.setdefault(int(number), []).append((f"{tid:016x}", nonce.decode()))
    return found
