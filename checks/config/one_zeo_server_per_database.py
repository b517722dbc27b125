"""Each database names one ZEO server.

What it examines
    The ``server`` lines of each ``<zeoclient>`` and ``<clientstorage>``: several that do not provably mean one server.
Why it matters
    A client connects to all of them and keeps the first that accepts it, each client for itself and anew after each
    loss of connection. Unless the servers are one behind the scenes (a replicated pair of which only one lets
    clients write), some clients edit one database and some another.
What it does not prove
    That several servers are one behind the scenes. Where a name has several addresses, or there are several lines, each
    address is asked by a run that is not offline: those that provably lead to two storages are told.
How to repair it
    Write one ``server`` line; for a replicated pair an address that moves with the primary.

>>> show(one_zeo_server_per_database, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100 zeo1:8100"))
OK
>>> show(one_zeo_server_per_database, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100 zeo2:8100"))
WARNING app2: database main is on whichever answers first of zeo1:8100 and zeo2:8100 for app2
>>> from zcheck.testing.examples import candidates, identity
>>> found = candidates(identity(first="10.0.0.5:8100 1 7", second="10.0.0.6:8100 1 4"))
>>> show(one_zeo_server_per_database, found, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100"))
WARNING app1, app2: database main: what the 'server' lines of app1, app2 name are 2 storages, one at first; another at
second: a client that comes back after a loss of its connection may be on another one
>>> found = candidates(identity(first="10.0.0.5:8100 1 7", second="10.0.0.6:8100 4 10", rose="first first=7 second=7"))
>>> show(one_zeo_server_per_database, found, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100"))
OK
>>> show(one_zeo_server_per_database, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100 $(SECOND)"))
UNKNOWN app2: the inventory gives no value for $(SECOND), which server of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Names, Setting, ZeoIdentity, ZopeConf
from zcheck.facts.addresses import same_server
from zcheck.facts.storage_evidence import candidate_groups
from zcheck.rules.databases import listed, places, sides, told, unresolved
from zcheck.rules.server_lines import readable


@check(
    "one-zeo-server-per-database",
    stage="config",
    needs=[ZopeConf],
    uses=[Names, ZeoIdentity],
    severity=Severity.WARNING,
    after=["zope-conf-parses", "zeo-addresses-are-valid"],
)
def one_zeo_server_per_database(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a database, with all clients that name several servers for it."""
    inventory, names = facts.inventory, facts.maybe(Names)
    found: dict[str, dict[str, tuple[str, tuple[Setting, ...]]]] = {}
    for client, conf in facts.each(ZopeConf).items():
        if not any(database.is_zeo for database in conf.databases):
            yield Skipped((client,), "nothing to examine: no database on ZEO")
        for database in conf.databases:
            yield from unresolved(client, database.servers if len(database.servers) > 1 else ())
            first, *others = readable(database, inventory.client(client).machine) or (None,)
            if first and not all(same_server(first, other, inventory, names) for other in others):
                shown = listed(dict.fromkeys(str(endpoint) for endpoint in (first, *others)))
                found.setdefault(database.name, {})[client] = shown, database.servers
    yield from _several_storages(facts)
    for name, owners in found.items():
        said = told(sides({client: shown for client, (shown, _) in owners.items()}), lambda shown: f"of {shown}")
        message = f"database {name} is on whichever answers first {said}"
        where = places(line for _, lines in owners.values() for line in lines)
        yield Problem(tuple(owners), message, where, "write one 'server' line", about=name)


def _several_storages(facts: Facts) -> Iterator[Problem]:
    """Addresses among which a client lands by chance, and that lead to storages that are not one."""
    identity = facts.maybe(ZeoIdentity)
    for name in identity.candidates if identity is not None else ():
        groups = candidate_groups(identity, name)
        owners = {
            client: database
            for client, conf in facts.each(ZopeConf).items()
            if (database := conf.database(name)) is not None and database.is_zeo
        }
        if len(groups) > 1 and owners:
            each = "; another at ".join(" and ".join(group) for group in groups)
            message = (
                f"database {name}: what the 'server' lines of {', '.join(owners)} name are {len(groups)} storages, one "
                f"at {each}: a client that comes back after a loss of its connection may be on another one"
            )
            where = places(line for database in owners.values() for line in database.servers)
            hint = "name the one server that has the data, by an address that leads to nothing else"
            yield Problem(tuple(owners), message, where, hint, about=f"{name} storages")
