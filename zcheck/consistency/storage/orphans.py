"""Find and delete what a killed run left in the storages: markers that are still there, linked from nowhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from zcheck.consistency.storage import markers, protocol
from zcheck.consistency.storage.common import SHARE_FOR_ALL, Change, CommitFailed, NoAnswer, OutOfTime, Stop

if TYPE_CHECKING:
    from zcheck.consistency.storage.connection import Connection

FIRST_WINDOW_S = 300.0
"""The newest transactions are looked at first: a search that is cut short has then seen what is likeliest to matter."""
RETRIES = 3
"""A FileStorage cannot begin an iteration at the moment at which another client's commit is being written."""


def find_orphans(connections: list[Connection], job: protocol.Find, stop: Stop) -> protocol.Orphans:
    """Every marker of ours, or of one run, that the transactions of the period wrote and that is still there."""
    found: list[protocol.Orphan] = []
    unknown: list[str] = []
    checked: list[str] = []
    for connection in _one_a_storage(connections, unknown):
        where = f"storage {connection.target.storage} of {connection.server}"
        try:
            found += _find(connection, job, stop, unknown, where)
            checked.append(connection.server)
        except (NoAnswer, OutOfTime) as error:
            unknown.append(f"{where}: {error}")
    return protocol.Orphans(tuple(found), tuple(unknown), tuple(dict.fromkeys(checked)))


def _one_a_storage(connections: list[Connection], unknown: list[str]) -> Iterator[Connection]:
    """One usable connection for each server and storage; a client without any is told."""
    seen = set()
    for connection in connections:
        target = connection.target
        if connection.error:
            unknown.append(f"database {target.database} of {target.client}: {connection.error}")
        elif (connection.server, target.storage) not in seen:
            seen.add((connection.server, target.storage))
            yield connection


def _find(
    connection: Connection, job: protocol.Find, stop: Stop, unknown: list[str], where: str
) -> Iterator[protocol.Orphan]:
    if not connection.can("IStorageIteration"):
        unknown.append(f"{where}: it cannot be iterated")
        return
    if not markers.number(connection.call("lastTransaction")):
        return
    runs: dict[int, str] = {}
    for first, last in _windows(time.time(), job.since_s):
        try:
            stop.between()
            for oid, run_id in _written_by_us(connection, first, last, stop):
                runs.setdefault(oid, run_id)
        except OutOfTime:
            until = _date(min(last, _tid(time.time())))
            unknown.append(f"{where}: not all transactions before {until} UTC were looked at, for want of time")
            break
    for oid, record in connection.load_now(runs).items():
        marker = markers.read(record.data) if record is not None else None
        if record is not None and marker is not None and job.run_id in ("", marker.run_id):
            target = connection.target
            yield protocol.Orphan(
                target.database, target.client, connection.server, _hex(oid), _hex(record.tid), marker.run_id
            )


def _written_by_us(connection: Connection, first: int, last: int, stop: Stop) -> Iterator[tuple[int, str]]:
    for attempt in range(RETRIES):
        try:
            for _, user, text, records in connection.transactions(first, last):
                stop.between()
                told = markers.read_description(user, text)
                if told is not None:
                    for oid, _ in records():
                        yield oid, told[0]
            return
        except (NoAnswer, OutOfTime):
            raise
        except Exception as error:
            if attempt == RETRIES - 1:
                raise NoAnswer(f"its transactions cannot be read: {error}") from None
            time.sleep(0.05)


def remove_orphans(connections: list[Connection], job: protocol.Remove, stop: Stop) -> protocol.Orphans:
    """Delete what :func:`find_orphans` found and is still as it was; what is returned is still there."""
    unknown: list[str] = []
    left: list[protocol.Orphan] = []
    checked = []
    by_connection: dict[tuple[str, str, str], list[protocol.Orphan]] = {}
    for orphan in job.orphans:
        by_connection.setdefault((orphan.database, orphan.client, orphan.server), []).append(orphan)
    for number, ((database, client, server), orphans) in enumerate(by_connection.items(), 1):
        connection = _connection(connections, database, client, server)
        try:
            stop.between(SHARE_FOR_ALL)
            if connection is None:
                raise NoAnswer(f"{client} is not connected to {server} any more")
            left += _remove(connection, orphans, markers.description(job.run_id, number))
            checked.append(server)
        except (NoAnswer, OutOfTime, CommitFailed) as error:
            unknown.append(f"{server}: {error}")
            left += orphans
    return protocol.Orphans(tuple(left), tuple(unknown), tuple(dict.fromkeys(checked)))


def _connection(connections: Iterable[Connection], database: str, client: str, server: str) -> Connection | None:
    for connection in connections:
        target = connection.target
        if (target.database, target.client, connection.server, connection.error) == (database, client, server, ""):
            return connection
    return None


def _remove(connection: Connection, orphans: list[protocol.Orphan], description: str) -> list[protocol.Orphan]:
    """Those that are still there afterwards."""
    if not connection.target.may_write or connection.read_only:
        raise NoAnswer(connection.target.why_not or "nothing may be written to it")
    if not connection.can("IExternalGC"):
        raise NoAnswer("its storage cannot delete objects; the next pack removes them")
    numbers = {int(orphan.oid, 16): orphan for orphan in orphans}
    changes = []
    for oid, record in connection.load_now(numbers).items():
        if record is not None and markers.read(record.data) is not None and _hex(record.tid) == numbers[oid].tid:
            changes.append(Change(oid, record.tid, None))
    if changes:
        if connection.call("server_status").get("lock_time") is not None:
            time.sleep(0.2)
            if connection.call("server_status").get("lock_time") is not None:
                raise NoAnswer("the commit lock of its storage is held")
        connection.commit(description, changes)
    return [numbers[oid] for oid, record in connection.load_now(numbers).items() if record is not None]


def _windows(now_s: float, since_s: float) -> Iterator[tuple[int, int]]:
    """The period as transaction ids, newest first, in windows that grow; the newest one reaches into the future."""
    end, reach, last = now_s + 86400.0, FIRST_WINDOW_S, now_s
    while last > now_s - since_s:
        first = max(now_s - since_s, now_s - reach)
        yield _tid(first), _tid(end)
        end = last = first
        reach *= 6


def _tid(seconds: float) -> int:
    """The smallest transaction id of this moment, as ZODB counts: minutes since 1900, then the part of a minute."""
    moment = time.gmtime(max(seconds, 0.0))
    minutes = (((moment.tm_year - 1900) * 12 + moment.tm_mon - 1) * 31 + moment.tm_mday - 1) * 24 + moment.tm_hour
    part = int((moment.tm_sec + seconds % 1) / 60 * 2**32)
    return (((minutes * 60) + moment.tm_min) << 32) + part


def _date(tid: int) -> str:
    minutes = tid >> 32
    days, minute_of_day = divmod(minutes, 1440)
    months, day = divmod(days, 31)
    hour, minute = divmod(minute_of_day, 60)
    return f"{months // 12 + 1900}-{months % 12 + 1:02}-{day + 1:02} {hour:02}:{minute:02}"


def _hex(number: int) -> str:
    return f"{number:016x}"
