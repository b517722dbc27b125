"""Each database is one storage for all clients, and no client has a copy of it.

What it examines
    Each client's own ``server`` lines are dialled, and every connection is asked in turn for new object ids. One
    storage hands out one rising sequence; a copy hands out the same numbers again. And what is loaded through one
    connection must raise the count of loads that the others see. Nothing is written, not a byte. A run with
    ``--read-only`` also asks every running client once for the transactions that its own server lists: two lists that
    cannot be of one storage are of two. A database of several clients that nothing in the run proved to be one, neither
    what was written into it nor identity, is UNKNOWN by its name: mounted or opened by name, pinned or not.
Why it matters
    A copy looks like the database in everything: the same pages, users and transactions. Only the next edit differs,
    and from then on there are two sites. A server that was restored beside the old one, or a second ``server`` line
    that leads to a stale copy, is found in no other way before the damage is done.
What it does not prove
    That the running clients use what their zope.conf names: a client that was not restarted since may be on another
    server, and one whose edits were seen to go elsewhere is skipped. A copy to which nobody has written since lists the
    same transactions. See edits-are-seen-everywhere.
How to repair it
    Give every client the ``server`` lines of the right server, and stop the other one. Stop the clients that were on
    it, remove their ZEO cache files (``client`` and ``var`` in zope.conf), and start them. What was saved in the copy
    is not in the database: export it before you delete the copy.

>>> from zcheck.testing.examples import identity
>>> proofs = identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", rose="app1 app1=7 app2=7")
>>> show(every_database_is_one, proofs, app1=[], app2=[])
OK
>>> proofs = identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", app3="zeo2:8100 1 4")
>>> show(every_database_is_one, proofs, app1=[], app2=[], app3=[])
CRITICAL app1, app2, app3: database main is two storages: app1, app2 reach /srv/Data.fs on zeo1:8100; app3 reaches
/srv/Data.fs on zeo2:8100
>>> proofs = identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", rose="app1 app1=7 app2=0")
>>> show(every_database_is_one, proofs, app1=[], app2=[])
UNKNOWN app2: database main: whether app2 reaches the same storage as app1 was not proven: object ids through app1 and
app2 are one sequence, and the server does not count the loads of both
>>> proofs = identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", app3="error: the connection was lost")
>>> show(every_database_is_one, proofs, app1=[], app2=[], app3=[])
UNKNOWN app3: database main could not be examined through app3: the connection was lost
>>> proofs = identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", rose="app1 app1=7 app2=7")
>>> from zcheck.testing.examples import mounting
>>> mounts = zope_conf(mounting(main="/", archive="/archive"))
>>> show(every_database_is_one, proofs, app1=mounts, app2=mounts)
UNKNOWN app1, app2: database archive was not proven to be one for app1, app2: neither by what was written nor by
identity
>>> from zcheck.testing.examples import server_lists
>>> show(every_database_is_one, proofs, server_lists(app1="1 2 3 4 99", app2="1 2 3"), app1=[], app2=[])
CRITICAL app1, app2: database main is two storages, by what the running clients' own servers list: the newest
transaction is 2026-01-01 01:39:00 for app1; 2026-01-01 00:03:00 for app2, and app2's lacks what app1's had before and
after it
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import (
    ControlPanel,
    Facts,
    KnownBroken,
    ServerLists,
    StorageProof,
    ZeoAnswers,
    ZeoIdentity,
    ZopeConf,
)
from zcheck.facts.history import HttpHistories, ZeoHistories
from zcheck.facts.pairs import pairs
from zcheck.facts.storage_evidence import StorageGroups, candidate_groups, storage_groups
from zcheck.rules.cache_files import without_caches
from zcheck.rules.known import known_apart
from zcheck.rules.proofs import seen, unproven
from zcheck.rules.server_lists import through_the_clients
from zcheck.rules.storages import shown

HINT = "stop editing on all sides but one, and give every client that one's 'server' and 'storage' lines"
NUMBERS = {2: "two", 3: "three", 4: "four"}


@check(
    "every-database-is-one",
    stage="identity",
    needs=[ZeoIdentity],
    uses=[HttpHistories, KnownBroken, ZeoHistories, ServerLists, ControlPanel, ZeoAnswers, ZopeConf],
    severity=Severity.CRITICAL,
    after=["zeo-server-answers", "zeo-storage-exists"],
)
def every_database_is_one(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """No vote is taken: every side is named, with what it reaches."""
    identity = facts.the(ZeoIdentity)
    over_zeo = [*_over_zeo(facts, identity)]
    told = {client for one in over_zeo for client in one.clients}
    yield from over_zeo
    apart = [*through_the_clients(facts, {one.about for one in over_zeo if isinstance(one, Problem)})]
    yield from apart
    found = [one for one in (*over_zeo, *apart) if isinstance(one, Problem)]
    yield from known_apart(facts, [one.clients for one in found])
    yield from unproven(facts, {one.about for one in (*over_zeo, *apart)})
    compared = set(told)
    for proofs in identity.databases.values():
        usable = [proof.client for proof in proofs if not proof.error and proof.client in facts.clients]
        compared |= set(usable) if len(usable) > 1 else set()
    compared |= {c for stood in identity.same_way.values() for c, other in stood.items() if other in compared}
    alone = tuple(client for client in facts.clients if client not in compared)
    yield Skipped(tuple(c for c in _elsewhere(facts) if c not in told), "edits-are-seen-everywhere")
    yield Skipped(alone, identity.why_not or "there is no other client's connection to a ZEO server to compare with")


def _elsewhere(facts: Facts) -> tuple[str, ...]:
    """The running clients whose edits met no other client's: what their files reach says nothing of them."""
    tried = [
        pair
        for history in (facts.maybe(HttpHistories) or HttpHistories(())).histories
        for pair in pairs(history, facts.inventory.writers, facts.clients)
        if pair.seen is not None and not history.place
    ]
    met = {name for pair in tried if pair.seen for name in (pair.writer, pair.reader)}
    lost = {name for pair in tried for name in (pair.writer, pair.reader)} - met
    return tuple(client for client in facts.clients if client in lost)


def _over_zeo(facts: Facts, identity: ZeoIdentity) -> Iterator[Problem | Unknown]:
    """By zcheck's own connections, by each client's own server lines."""
    for database, everyone in identity.databases.items():
        proofs = tuple(proof for proof in everyone if proof.client in facts.clients)
        yield from _not_examined(database, proofs)
        if sum(not proof.error for proof in proofs) > 1:
            found = storage_groups(proofs, identity.loads.get(database, ()))
            found = _still_unclear(facts, database, found)
            found = _of_all(found, identity.same_way.get(database, {}))
            if len(found.groups) > 1 and not _by_chance(facts, identity, database, found):
                yield _split(facts, database, found, proofs)
            yield from _not_proven(facts, database, found)


def _still_unclear(facts: Facts, database: str, found: StorageGroups) -> StorageGroups:
    """Without those of whom writes have proven what the servers' own words do not tell."""
    others = found.groups[0] if found.groups else ()
    unclear = [one for one in found.unclear if one.split or not seen(facts, {database}, {*others, *one.clients})]
    return msgspec.structs.replace(found, unclear=tuple(unclear))


def _by_chance(facts: Facts, identity: ZeoIdentity, database: str, found: StorageGroups) -> bool:
    """Whether all of these name several servers that are two storages: where ours landed says nothing of theirs."""
    confs = facts.each(ZopeConf)
    clients = [client for group in found.groups for client in group]
    several = all(
        client in confs and (own := confs[client].database(database)) is not None and len(own.servers) > 1
        for client in clients
    )
    return several and len(candidate_groups(identity, database)) > 1


def _of_all(found: StorageGroups, same_way: Mapping[str, str]) -> StorageGroups:
    """The groups with the clients for which another one's connection stood."""
    if not same_way:
        return found
    groups = [(*group, *(name for name, stood in same_way.items() if stood in group)) for group in found.groups]
    return msgspec.structs.replace(found, groups=tuple(groups))


def _split(facts: Facts, database: str, found: StorageGroups, proofs: tuple[StorageProof, ...]) -> Problem:
    sides = []
    for group in found.groups:
        reach = "reaches" if len(group) == 1 else "reach"
        sides.append(f"{', '.join(group)} {reach} {shown(proof for proof in proofs if proof.client in group)}")
    count = NUMBERS.get(len(sides), str(len(sides)))
    clients = tuple(client for group in found.groups for client in group)
    message = f"database {database} is {count} storages: {'; '.join(sides)}"
    return Problem(clients, message, (), HINT + without_caches(facts, clients, database), about=database)


def _not_proven(facts: Facts, database: str, found: StorageGroups) -> Iterator[Problem | Unknown]:
    for unclear in found.unclear:
        names = ", ".join(unclear.clients)
        if unclear.split:
            message = (
                f"database {database} is not one storage for {names}: {unclear.reason}; who reaches which is unclear"
            )
            hint = HINT + without_caches(facts, unclear.clients, database)
            yield Problem(unclear.clients, message, (), hint, about=database)
            continue
        if found.groups:
            reach = "reaches" if len(unclear.clients) == 1 else "reach"
            question = f"whether {names} {reach} the same storage as {', '.join(found.groups[0])}"
        else:
            question = f"whether {names} reach one storage"
        yield Unknown(
            unclear.clients, f"database {database}: {question} was not proven: {unclear.reason}", about=database
        )


def _not_examined(database: str, proofs: tuple[StorageProof, ...]) -> Iterator[Unknown]:
    reasons: dict[str, list[str]] = {}
    for proof in proofs:
        if proof.error:
            reasons.setdefault(proof.error, []).append(proof.client)
    for reason, clients in reasons.items():
        message = f"database {database} could not be examined through {', '.join(clients)}: {reason}"
        yield Unknown(tuple(clients), message, about=database)
