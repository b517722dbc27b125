"""Evidence from what the running clients' own servers list: told where two lists cannot be of one storage."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Sequence

from zcheck.check import Problem, Unknown
from zcheck.facts import Facts, ServerList, ServerLists, ZeoAnswer, ZeoAnswers, ZopeConf, tid_seconds
from zcheck.facts.storage_lists import goes_beyond, in_doubt, lacks, of_clients, sides_of_lists
from zcheck.rules.cache_files import restarted, without_caches

HINT = "compare 'Database Location' on the clients' Control Panels with their zope.conf, and restart those that differ"
NUMBERS = {2: "two", 3: "three", 4: "four"}


def lists_by_database(facts: Facts) -> dict[str, list[ServerList]]:
    """The lists of the clients to be judged."""
    found: dict[str, list[ServerList]] = {}
    for one in (facts.maybe(ServerLists) or ServerLists()).lists:
        if one.client in facts.clients:
            found.setdefault(one.database, []).append(one)
    return found


def through_the_clients(facts: Facts, told: Collection[str]) -> Iterator[Problem | Unknown]:
    """A database is split where its clients' lists are; ``told``: those of which that is known already."""
    replicas = {client.name for client in facts.inventory.clients if client.role == "read-only"}
    for database, lists in lists_by_database(facts).items():
        if database in told:
            continue
        sides = sides_of_lists(lists, replicas)
        if len(sides) > 1:
            yield _split(facts, database, sides)
            continue
        doubtful = in_doubt(lists)
        if doubtful:
            yield _not_finished(database, doubtful)
        for listed in of_clients(lists).values():
            yield from _elsewhere(facts, listed)


def _not_finished(database: str, clients: tuple[str, ...]) -> Unknown:
    message = (
        f"database {database}: the server of {', '.join(clients)} lacks transactions that another client's server "
        "lists, and there was no time to ask again whether it has them by now"
    )
    return Unknown(clients, message, hint="give zcheck more time (--deadline)", about=database)


def _split(facts: Facts, database: str, sides: Sequence[tuple[ServerList, ...]]) -> Problem:
    """No culprit is elected; but which list lacks what is a fact."""
    newest = [max((one.tids[0] for one in side if one.tids), default="") for side in sides]
    each = [f"{when(tid)} for {_names(side)}" for side, tid in zip(sides, newest, strict=True)]
    count = NUMBERS.get(len(sides), str(len(sides)))
    message = (
        f"database {database} is {count} storages, by what the running clients' own servers list: the newest "
        f"transaction is {'; '.join(each)}"
    )
    behind = min(range(len(sides)), key=lambda number: newest[number])
    ahead = max(range(len(sides)), key=lambda number: newest[number])
    followers = [one.client for one in sides[behind] if _may_read_a_replica(facts, one.client, database)]
    if len(sides) == 2 and len(followers) == len(sides[behind]) and _ends_earlier(sides[behind], sides[ahead]):
        # What a copy is and what a replica does not follow look alike from here: neither is said to be it.
        message = (
            f"database {database}: {_names(sides[behind])}'s server lists nothing after {when(newest[behind])}, and "
            f"lacks what {_names(sides[ahead])}'s had before and after it: it is another storage, or a replica that "
            "does not follow, which the clients' zope.conf lets them read from"
        )
    elif newest[behind] != newest[ahead]:
        message += f", and {_names(sides[behind])}'s lacks what {_names(sides[ahead])}'s had before and after it"
    clients = tuple(one.client for side in sides for one in side)
    return Problem(clients, message, hint=HINT + without_caches(facts, clients, database), about=database)


def _may_read_a_replica(facts: Facts, client: str, database: str) -> bool:
    """Whether its zope.conf lets RelStorage read from a replica of the database that it writes to."""
    conf = facts.each(ZopeConf).get(client)
    found = conf.database(database) if conf is not None else None
    leaf = found.leaf if found is not None else None
    keys = ("replica-conf", "ro-replica-conf")
    return leaf is not None and leaf.type == "relstorage" and any(leaf.first(key) is not None for key in keys)


def _ends_earlier(behind: Sequence[ServerList], ahead: Sequence[ServerList]) -> bool:
    """Whether one side's lists have nothing, of the period that both tell of, that the other's lack."""
    theirs = {tid for one in ahead for tid in one.tids}
    first = max((one.tids[-1] for one in ahead if one.tids), default="")
    return all(tid in theirs for one in behind for tid in one.tids if tid >= first)


def _elsewhere(facts: Facts, lists: Sequence[ServerList]) -> Iterator[Problem]:
    """A client that runs on none of the storages that its zope.conf names for this database."""
    listed = lists[-1]
    answers = _asked_for(facts, listed)
    behind = [answer for answer in answers if any(_lacks(one, answer) for one in lists)]
    ahead = [answer for answer in answers if any(_goes_beyond(facts, one, answer) for one in lists)]
    if not answers or not all(answer in behind or answer in ahead for answer in answers):
        return
    yield _problem(facts, listed, answers, ahead=bool(ahead))


def _asked_for(facts: Facts, listed: ServerList) -> list[ZeoAnswer]:
    """What each server said that the client's zope.conf names for this database; none where one of them is silent."""
    conf, found = facts.each(ZopeConf).get(listed.client), facts.each(ZeoAnswers).get(listed.client)
    if conf is None or found is None or conf.database(listed.database) is None:
        return []
    answers = [answer for answer in found.answers if answer.database == listed.database]
    return answers if all(answer.storage in answer.storages for answer in answers) else []


def _lacks(listed: ServerList, answer: ZeoAnswer) -> bool:
    storage = answer.storages[answer.storage]
    return bool(storage.readings) and lacks(listed, storage.last_transaction, int(storage.readings[0].at_s * 1e9))


def _goes_beyond(facts: Facts, listed: ServerList, answer: ZeoAnswer) -> bool:
    newest = [
        one
        for one in (facts.maybe(ServerLists) or ServerLists()).newest
        if (one.dialled, one.storage) == (answer.dialled, answer.storage)
    ]
    return any(goes_beyond(listed, one) for one in newest)


def _problem(facts: Facts, listed: ServerList, answers: Sequence[ZeoAnswer], *, ahead: bool) -> Problem:
    newest = max(answer.storages[answer.storage].last_transaction for answer in answers)
    named = " or ".join(f"storage {answer.storage} on {answer.server}" for answer in answers)
    tells = f"lists one of {when(listed.tids[0])}" if ahead else f"lists none after {when(listed.tids[0])}"
    message = (
        f"{listed.client} runs on another storage of database {listed.database} than its zope.conf names: the newest "
        f"transaction of {named} {'is' if ahead else 'was'} {when(newest)}, and the server that {listed.client} asks "
        f"{tells}"
    )
    hint = (
        f"find out which storage holds the newest edits before {listed.client} is restarted: then it goes to the one "
        f"that its zope.conf names; when that is known, {restarted(facts, listed.client, listed.database)}"
    )
    return Problem((listed.client,), message, hint=hint, about=listed.database)


def _names(side: Sequence[ServerList]) -> str:
    return ", ".join(one.client for one in side)


def when(tid: str) -> str:
    """A transaction's time (UTC) to the second."""
    seconds = tid_seconds(tid)
    if seconds is None:
        return "none"
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
