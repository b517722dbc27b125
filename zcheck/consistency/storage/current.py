"""The current transaction of objects, as their server has it; none of them is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zcheck.consistency.storage import markers, protocol
from zcheck.consistency.storage.common import NoAnswer, OutOfTime, Stop

if TYPE_CHECKING:
    from zcheck.consistency.storage.connection import Connection

AT_ONCE = 50
"""Questions under way over one connection."""


def look_up(connections: Iterable[Connection], job: protocol.LookUp, stop: Stop) -> list[protocol.Current]:
    """One answer for each that is wanted, in order; what there was no time for is not asked."""
    known = {(one.target.client, one.target.database): one for one in connections}
    found = []
    for wanted in job.wanted:
        connection = known.get((wanted.client, wanted.database))
        found.append(_looked_up(connection, wanted, stop))
    return found


def _looked_up(connection: Connection | None, wanted: protocol.Wanted, stop: Stop) -> protocol.Current:
    told: dict[str, str] = {}
    asked, last = 0, ""
    error = "there is no connection of zcheck's own to its server"
    if connection is not None and not connection.error:
        try:
            stop.between()
            last = f"{markers.number(connection.call('lastTransaction')):016x}"
            for at in range(0, len(wanted.oids), AT_ONCE):
                stop.between()
                some = wanted.oids[at : at + AT_ONCE]
                told |= _tids(connection, some)
                asked += len(some)
            error = ""
        except (NoAnswer, OutOfTime) as late:
            error = "" if asked else str(late)
        except Exception as refused:  # a storage that has no such question
            error = f"its server does not tell an object's transaction ({type(refused).__name__})"
    return protocol.Current(wanted.client, wanted.database, last, told, asked, error)


def _tids(connection: Connection, oids: Iterable[str]) -> dict[str, str]:
    asked = {oid: connection.start("getTid", bytes.fromhex(oid)) for oid in oids}
    found = {}
    for oid, future in asked.items():
        try:
            found[oid] = f"{markers.number(connection.wait(future)):016x}"
        except KeyError:  # POSKeyError: it was removed, or packed away
            continue
    return found
