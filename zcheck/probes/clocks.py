"""What transaction ids tell of the ZEO servers' clocks."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable

from zcheck.consistency.history import History
from zcheck.facts import TidReading, ZeoAnswer


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


def of_answers(answers: Iterable[tuple[str, ZeoAnswer]]) -> list[TidReading]:
    """The newest transaction of each storage when it was asked; ``answers`` are those of every client."""
    offset = time.time() - time.monotonic()
    named: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], ZeoAnswer] = {}
    for client, answer in answers:
        if answer.storage in answer.storages:
            named.setdefault((answer.dialled, answer.storage), []).append(client)
            first.setdefault((answer.dialled, answer.storage), answer)
    readings = []
    for key, answer in first.items():
        storage = answer.storages[answer.storage]
        seconds = tid_seconds(storage.last_transaction)
        if seconds is not None and storage.readings:
            at = storage.readings[0].at_s + offset
            readings.append(TidReading(answer.server, tuple(dict.fromkeys(named[key])), seconds, at, at))
    return readings


def of_histories(histories: Iterable[History], servers: dict[tuple[str, str], str]) -> list[TidReading]:
    """The time of each commit of ours over ZEO; ``servers`` gives, by client and database, what its file names."""
    offset = time.time() - time.monotonic()
    readings = []
    for history in histories:
        for operation in history.operations:
            server = servers.get((operation.session, history.database))
            seconds = tid_seconds(operation.tid or "") if operation.writes and operation.outcome == "ok" else None
            if server is not None and seconds is not None:
                asked, answered = operation.invoke_ns / 1e9 + offset, operation.return_ns / 1e9 + offset
                readings.append(TidReading(server, (operation.session,), seconds, asked, answered, bracketed=True))
    return readings
