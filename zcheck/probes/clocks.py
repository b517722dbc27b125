"""What transaction ids tell of the ZEO servers' clocks."""

from __future__ import annotations

from collections.abc import Iterable

from zcheck.facts import TidReading, ZeoAnswer, tid_seconds
from zcheck.facts.history import History
from zcheck.system import clock


def of_answers(answers: Iterable[tuple[str, ZeoAnswer]]) -> list[TidReading]:
    """The newest transaction of each storage when it was asked; ``answers`` are those of every client."""
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
            at = clock.at_s(storage.readings[0].at_s)
            readings.append(TidReading(answer.server, tuple(dict.fromkeys(named[key])), seconds, at, at))
    return readings


def of_histories(histories: Iterable[History], servers: dict[tuple[str, str], str]) -> list[TidReading]:
    """The time of each commit of ours over ZEO; ``servers`` gives, by client and database, what its file names."""
    readings = []
    for history in histories:
        for operation in history.operations:
            server = servers.get((operation.session, history.database))
            seconds = tid_seconds(operation.tid or "") if operation.writes and operation.outcome == "ok" else None
            if server is not None and seconds is not None:
                asked, answered = clock.at_s(operation.invoke_ns / 1e9), clock.at_s(operation.return_ns / 1e9)
                readings.append(TidReading(server, (operation.session,), seconds, asked, answered, bracketed=True))
    return readings
