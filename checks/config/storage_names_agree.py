"""Every client asks the ZEO server for the same storage.

What it examines
    The ``storage`` line of each ``<zeoclient>`` and ``<clientstorage>``, database by database; where it is left out it
    is ``1``. Where a server's own file passes another one's storage on, the name is the one that is asked for there.
Why it matters
    One ZEO server can serve several storages, each a database of its own. Two clients that name two of them are two
    sites on one server; a client that names one that the server does not have waits for ever.
What it does not prove
    That the server has a storage of that name: see zeo-storage-exists and zeo-conf-serves-the-storages.
How to repair it
    Give every client the same ``storage`` line.

>>> show(storage_names_agree, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100", storage="1"))
OK
>>> show(storage_names_agree, app1=zope_conf(storage="main"), app2=zope_conf(storage="staging"))
CRITICAL app1, app2: database main is in storage main for app1; in storage staging for app2
>>> show(storage_names_agree, app1=zope_conf(storage="main"), app2=zope_conf(storage="$(ZEO_STORAGE)"))
UNKNOWN app2: the inventory gives no value for $(ZEO_STORAGE), which storage of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Database, Facts, Names, Setting, ZeoConfs, ZopeConf
from zcheck.facts.origins import origin_of
from zcheck.rules.databases import (
    Shared,
    everybody,
    nobody_to_compare,
    not_on_zeo,
    place_of_end,
    shared_databases,
    sides,
    told,
    unresolved,
    zeo_members,
)


@check(
    "storage-names-agree",
    stage="config",
    needs=[ZopeConf],
    uses=[Names, ZeoConfs],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses"],
)
def storage_names_agree(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a database, with all sides."""
    confs = facts.each(ZopeConf)
    if len(confs) == 1:
        yield from nobody_to_compare(confs)
        return
    examined: set[str] = set()
    for shared in shared_databases(facts):
        members = zeo_members(shared)
        if len(members) > 1:
            examined.update(members)
            for client, database in members.items():
                yield from unresolved(client, _lines(database))
            yield from _judged(facts, shared, members)
    yield from not_on_zeo(facts, examined)


def _judged(facts: Facts, shared: Shared, members: dict[str, Database]) -> Iterator[Problem]:
    known = {
        client: _name(facts, client, database)
        for client, database in members.items()
        if not any(line.unresolved for line in _lines(database))
    }
    parts = sides(known)
    if len(parts) > 1:
        places = tuple(_place(clients[0], members[clients[0]]) for clients in parts.values())
        message = f"{shared.label} is {told(parts, lambda name: f'in storage {name}')}"
        named = facts.inventory.pinned_storage if any(d.mounts_root for d in members.values()) else None
        hint = "give every client the 'storage' line of the storage that has the data"
        if named in parts:
            hint = f"write 'storage {named}' for every client: clients.ini pins it"
        yield Problem(everybody(parts), message, places, hint, about=shared.label)


def _name(facts: Facts, client: str, database: Database) -> str:
    origin = origin_of(facts, facts.inventory.client(client), database)
    return origin.storage if origin is not None else database.storage_name


def _lines(database: Database) -> tuple[Setting, ...]:
    return database.leaf.all("storage") if database.leaf is not None else ()


def _place(client: str, database: Database) -> Place:
    lines = _lines(database)
    if lines or database.leaf is None:
        return Place.of(lines[0]) if lines else Place.of(database)
    return place_of_end(database.leaf, f"{client} names no storage: it is 1")
