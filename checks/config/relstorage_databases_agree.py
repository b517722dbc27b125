"""Every client's databases in RelStorage are in the same relational database.

What it examines
    For each database in a ``<relstorage>``: the adapter (PostgreSQL, MySQL, Oracle, SQLite), and server, port, name and
    user of the relational database, however the connection string spells and orders them; ``keep-history``, which
    decides in which tables the objects are; and ``commit-lock-id``. Passwords are neither compared nor shown.
    ``localhost``, and no host at all, are the client's own machine.
Why it matters
    Two clients on two relational databases are two sites: both accept edits, neither sees the other's, and no error is
    shown.
What it does not prove
    That the server can be reached, or that it is no replica: see edits-are-seen-everywhere. Where two clients use one
    database as two users, nothing here tells whether they see the same tables: UNKNOWN.
How to repair it
    Give every client the same connection string and the same ``keep-history``.

>>> def relstorage(dsn):
...     return zope_conf(f'''<zodb_db main>
... <relstorage>
... <postgresql>
... dsn {dsn}
... </postgresql>
... </relstorage>
... mount-point /
... </zodb_db>''')
>>> one = relstorage("host=10.0.0.5 dbname=zodb user=zope password=secret")
>>> show(relstorage_databases_agree, app1=one, app2=relstorage("user='zope' dbname='zodb' host=10.0.0.5 port=5432"))
OK
>>> show(relstorage_databases_agree, app1=one, app2=relstorage("host=10.0.0.5 dbname=staging user=zope"))
CRITICAL app1, app2: database main is in postgresql database zodb on 10.0.0.5:5432 as zope for app1;
    in postgresql database staging on 10.0.0.5:5432 as zope for app2
>>> show(relstorage_databases_agree, app1=one, app2=relstorage("$(RELSTORAGE_DSN)"))
UNKNOWN app2: the inventory gives no value for $(RELSTORAGE_DSN), which dsn of app2 needs
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Database, Facts, Names, ZopeConf
from zcheck.facts.addresses import same_machine
from zcheck.facts.sql import Place as Home
from zcheck.facts.sql import adapter_of, lines_of, place_of, same_place
from zcheck.rules.databases import Shared, nobody_to_compare, shared_databases, spelt_out, unresolved
from zcheck.rules.server_lines import Comparison


class Tenant(msgspec.Struct):
    """Clients that write the place of a database alike."""

    home: Home
    machine: str
    clients: list[str]


@check(
    "relstorage-databases-agree",
    stage="config",
    needs=[ZopeConf],
    uses=[Names],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses"],
)
def relstorage_databases_agree(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """Sides that provably differ are a problem; sides of which nobody can tell are UNKNOWN."""
    confs = facts.each(ZopeConf)
    for client, conf in confs.items():
        if not any(map(adapter_of, conf.databases)):
            yield Skipped((client,), "nothing to examine: no database in a relational database")
    if len(confs) == 1:
        yield from nobody_to_compare(confs)
        return
    anywhere = any(adapter_of(database) for conf in confs.values() for database in conf.databases)
    for shared in shared_databases(facts) if anywhere else ():
        members = {client: d for client, d in shared.members.items() if adapter_of(d) is not None}
        for client, database in members.items() if len(members) > 1 else ():
            yield from unresolved(client, lines_of(database))
        yield from _judged(facts, shared, members)


def _judged(facts: Facts, shared: Shared, members: dict[str, Database]) -> Iterator[Problem | Unknown]:
    tenants: dict[tuple[Home, str], Tenant] = {}
    for client, database in members.items():
        machine = facts.inventory.client(client)
        home = place_of(database, machine)
        if home is not None:
            tenants.setdefault((home, machine.machine), Tenant(home, machine.machine, [])).clients.append(client)
    compared = Comparison(_same(facts))
    groups = compared.joined(list(tenants.values()))
    if len(groups) < 2:
        return
    differing = compared.differing(groups)
    open_ones = [group for group in groups if group not in differing]
    said = f"{shared.label} is {_said(differing or groups)}"
    if differing:
        hint = "give every client the same connection string and the same keep-history"
        yield Problem(_clients(differing), said, _places(differing, members), hint, about=shared.label)
    if open_ones:
        message = f"{shared.label} is {_said(open_ones)}; one or two: cannot be told"
        yield Unknown(_clients(open_ones), message, _places(groups, members), about=shared.label)


def _same(facts: Facts) -> Callable[[Tenant, Tenant], bool | None]:
    inventory, names = facts.inventory, facts.maybe(Names)

    def same(one: Tenant, other: Tenant) -> bool | None:
        alike = same_machine(one.machine, other.machine, inventory, names)
        return same_place(one.home, other.home, alike, inventory, names)

    return same


def _clients(groups: list[list[Tenant]]) -> tuple[str, ...]:
    return tuple(client for group in groups for tenant in group for client in tenant.clients)


def _said(groups: list[list[Tenant]]) -> str:
    return spelt_out([f"in {group[0].home} for {', '.join(_clients([group]))}" for group in groups])


def _places(groups: list[list[Tenant]], members: dict[str, Database]) -> tuple[Place, ...]:
    firsts = [members[tenant.clients[0]] for group in groups for tenant in group]
    return tuple(Place.of(line) for database in firsts for line in lines_of(database))
