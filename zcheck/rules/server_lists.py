"""Evidence from what the running clients' own servers list: told where two lists cannot be of one storage."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Sequence

from zcheck.check import Problem
from zcheck.facts import Facts, ServerList, ServerLists, ZeoAnswer, ZeoAnswers, ZopeConf, tid_seconds
from zcheck.facts.storage_evidence import lacks, sides_of_lists

HINT = "compare 'Database Location' on the clients' Control Panels with their zope.conf; restart those that differ"
NUMBERS = {2: "two", 3: "three", 4: "four"}


def through_the_clients(facts: Facts, told: Collection[str]) -> Iterator[Problem]:
    """A database is split where its clients' lists are; ``told``: those of which that is known already."""
    by_database: dict[str, list[ServerList]] = {}
    for one in (facts.maybe(ServerLists) or ServerLists()).lists:
        if one.client in facts.clients and one.database not in told:
            by_database.setdefault(one.database, []).append(one)
    for database, lists in by_database.items():
        sides = sides_of_lists(lists)
        if len(sides) > 1:
            yield _split(database, sides)
            continue
        for listed in lists:
            answer = _asked_for(facts, listed)
            if answer is not None and _lacks(listed, answer):
                yield _elsewhere(listed, answer)


def _split(database: str, sides: Sequence[tuple[ServerList, ...]]) -> Problem:
    """No culprit is elected; but which list lacks what is a fact."""
    newest = [max((one.tids[0] for one in side if one.tids), default="") for side in sides]
    each = [f"{_when(tid)} for {_names(side)}" for side, tid in zip(sides, newest, strict=True)]
    count = NUMBERS.get(len(sides), str(len(sides)))
    message = (
        f"database {database} is {count} storages, by what the running clients' own servers list: the newest "
        f"transaction is {'; '.join(each)}"
    )
    behind = min(range(len(sides)), key=lambda number: newest[number])
    ahead = max(range(len(sides)), key=lambda number: newest[number])
    if newest[behind] != newest[ahead]:
        message += f", and {_names(sides[behind])}'s lacks what {_names(sides[ahead])}'s has had for long"
    clients = tuple(one.client for side in sides for one in side)
    return Problem(clients, message, hint=HINT, about=database)


def _asked_for(facts: Facts, listed: ServerList) -> ZeoAnswer | None:
    """What the one server said that the client's zope.conf names for this database."""
    conf, found = facts.each(ZopeConf).get(listed.client), facts.each(ZeoAnswers).get(listed.client)
    if conf is None or found is None or conf.database(listed.database) is None:
        return None
    answers = [answer for answer in found.answers if answer.database == listed.database]
    return answers[0] if len(answers) == 1 and answers[0].storage in answers[0].storages else None


def _lacks(listed: ServerList, answer: ZeoAnswer) -> bool:
    storage = answer.storages[answer.storage]
    return bool(storage.readings) and lacks(listed, storage.last_transaction, int(storage.readings[0].at_s * 1e9))


def _elsewhere(listed: ServerList, answer: ZeoAnswer) -> Problem:
    newest = answer.storages[answer.storage].last_transaction
    message = (
        f"{listed.client} runs on another storage of database {listed.database} than its zope.conf names: the newest "
        f"transaction of storage {answer.storage} on {answer.server} was {_when(newest)}, and the server that "
        f"{listed.client} asks lists none after {_when(listed.tids[0])}"
    )
    return Problem((listed.client,), message, hint=f"restart {listed.client}", about=listed.database)


def _names(side: Sequence[ServerList]) -> str:
    return ", ".join(one.client for one in side)


def _when(tid: str) -> str:
    """A transaction's time (UTC) to the second."""
    seconds = tid_seconds(tid)
    if seconds is None:
        return "none"
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def server_lists(**clients: str) -> ServerLists:
    """Lists for an example: the transactions of each client's server, as minutes of 2026, all asked at one time."""
    year = (2026 - 1900) * 12 * 31 * 24 * 60
    lists = []
    for client, text in clients.items():
        tids = sorted((f"{year + int(minute):08x}00000000" for minute in text.split()), reverse=True)
        lists.append(ServerList(client, "main", tuple(tids), 0, 1))
    return ServerLists(tuple(lists))
