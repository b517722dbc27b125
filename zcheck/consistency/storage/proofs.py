"""Proofs that two connections reach one storage, for which nothing is written.

A storage hands out each object id once: asked in turn, the connections to one storage are given one rising sequence of
disjoint ranges, while a copy hands out the same numbers again.  A server counts loads: what one connection loads raises
the count that the others of the same storage see.  (Not a proof is what a copy shares: names, sizes, the last
transaction.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zcheck.consistency.storage import markers
from zcheck.consistency.storage.common import NoAnswer, Stop, sort_out_the_silent
from zcheck.consistency.storage.own_file import look_at_files
from zcheck.facts import LoadsCount, OidRange, StorageProof, ZeoIdentity

if TYPE_CHECKING:
    from zcheck.consistency.storage.connection import Connection

ROUNDS = 3
"""More than the two that show a copy: one that hands out many ids itself just now must not look like one sequence."""
OIDS = 3
"""Asked for in each call: a range is told from a single number that somebody else took."""
LOADS = 7
MAX_READERS = 8
"""Storages that are told apart by the loads counter; more would be a strange cluster."""

ROOT = b"\0" * 8
NEWEST = b"\x7f" + b"\xff" * 7


def prove(connections: list[Connection], stop: Stop) -> ZeoIdentity:
    """The evidence of every database, taken through every connection; nothing is judged here."""
    databases: dict[str, tuple[StorageProof, ...]] = {}
    loads: dict[str, tuple[LoadsCount, ...]] = {}
    for database in dict.fromkeys(connection.target.database for connection in connections):
        own = [connection for connection in connections if connection.target.database == database]
        sort_out_the_silent(own)
        ranges = _oids_in_turn(own, stop)
        loads[database] = _count_loads(own, stop)
        databases[database] = tuple(_proof(one, ranges.get(one.target.client, [])) for one in own)
    return ZeoIdentity(databases, loads, files=look_at_files(connections, stop))


def _oids_in_turn(connections: list[Connection], stop: Stop) -> dict[str, list[OidRange]]:
    """Ranges of new oids, asked for in turn: one call is over before the next begins, or their order proves nothing."""
    ranges: dict[str, list[OidRange]] = {}
    call = 0
    for _ in range(ROUNDS):
        for connection in connections:
            if connection.error or connection.read_only:
                continue
            stop.between()
            try:
                found = connection.allocate(OIDS)
            except NoAnswer:
                continue
            connection.oids += found
            ranges.setdefault(connection.target.client, []).append(OidRange(call, min(found), max(found)))
            call += 1
    return ranges


def _count_loads(connections: list[Connection], stop: Stop) -> tuple[LoadsCount, ...]:
    """Load through one connection and see through all how far the count rose; again through one that saw nothing."""
    usable = {one.target.client: one for one in connections if not one.error}
    unseen = list(usable)
    counts: list[LoadsCount] = []
    before = _loads(usable)
    while unseen and len(counts) < MAX_READERS and len(usable) > 1:
        stop.between()
        reader = usable[unseen[0]]
        if not _load(reader):
            unseen.pop(0)
            continue
        after = _loads(usable)
        rose_by = {client: after[client] - before[client] for client in after if client in before}
        counts.append(LoadsCount(reader.target.client, LOADS, rose_by))
        unseen = [client for client in unseen[1:] if rose_by.get(client, 0) < LOADS]
        before = after
    return tuple(counts)


def _load(reader: Connection) -> bool:
    """Load the root a few times, past every cache.  The bytes are not looked at; that there are none counts as well."""
    try:
        for future in [reader.start("loadBefore", ROOT, NEWEST) for _ in range(LOADS)]:
            try:
                reader.wait(future)
            except KeyError:  # POSKeyError: an empty database has no root
                continue
    except NoAnswer:
        return False
    return True


def _loads(connections: dict[str, Connection]) -> dict[str, int]:
    asked = {}
    found = {}
    for client, connection in connections.items():
        try:
            asked[client] = connection.start("server_status")
        except NoAnswer:
            continue
    for client, future in asked.items():
        try:
            found[client] = int(connections[client].wait(future)["loads"])
        except (NoAnswer, KeyError, TypeError, ValueError):
            continue
    return found


def _proof(connection: Connection, ranges: list[OidRange]) -> StorageProof:
    proof = StorageProof(connection.target.client, connection.server)
    if not connection.error:
        try:
            last = markers.number(connection.call("lastTransaction"))
            return msgspec.structs.replace(
                proof,
                location=connection.location,
                read_only=connection.read_only,
                oids=tuple(ranges),
                last_transaction=f"{last:016x}",
            )
        except NoAnswer:
            pass
    return msgspec.structs.replace(proof, error=connection.error or "the connection was lost")
