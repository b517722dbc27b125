"""Every client's databases in RelStorage are in the same relational database.

What it examines
    For each database in a ``<relstorage>``: the adapter (PostgreSQL, MySQL, Oracle, SQLite), and server, port, name and
    user of the relational database, however the connection string spells and orders them; ``keep-history``, which
    decides in which tables the objects are; and ``commit-lock-id``. Of several hosts the driver takes the first that
    answers, so that their order counts, unless ``target_session_attrs`` asks for the primary. Passwords are neither
    compared nor shown. ``localhost`` is the client's own machine. What ``sql`` of a section ``[database:NAME]`` pins is
    held against every client.
Why it matters
    Two clients on two relational databases are two sites: both accept edits, neither sees the other's, and no error is
    shown.
What it does not prove
    That the server can be reached, or that it is no replica: see edits-are-seen-everywhere. UNKNOWN is what stands
    elsewhere: the host of a libpq service, of ``PGHOST``, of MySQL's ``read_default_file``; whether another port of one
    machine is a pooler, as a port of localhost that is not the server's own may be; whether two users see the same
    tables; whether the database of a client with ``role = read-only`` is a replica.
How to repair it
    Give every client the connection string of the database that has the data. Where a pooler or a tunnel stands in
    between, or where a replica is meant, say so in clients.ini: ``aliases`` and ``replica-of`` of ``[database:NAME]``.

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
>>> show(relstorage_databases_agree, app1=one, app2=relstorage("service=zodb user=zope"))
UNKNOWN app1, app2: database main is in postgresql database zodb on 10.0.0.5:5432 as zope for app1; in postgresql
    database as zope of service zodb, which pg_service.conf of its machine describes for app2; one or two: cannot be
    told
>>> show(relstorage_databases_agree, app1=one, app2=relstorage("$(RELSTORAGE_DSN)"))
UNKNOWN app2: the inventory gives no value for $(RELSTORAGE_DSN), which dsn of app2 needs
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Database, DatabaseSection, Facts, Names, ZopeConf
from zcheck.facts.addresses import same_machine
from zcheck.facts.sql import Place as Home
from zcheck.facts.sql import adapter_of, at_pin, lines_of, open_lines, place_of, same_place
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
def relstorage_databases_agree(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """Sides that provably differ are a problem; sides of which nobody can tell are UNKNOWN."""
    confs = facts.each(ZopeConf)
    for client, conf in confs.items():
        if not any(map(adapter_of, conf.databases)):
            yield Skipped((client,), "nothing to examine: no database in a relational database")
    yield from _pinned(facts)
    if len(confs) == 1:
        yield from nobody_to_compare(confs)
        return
    anywhere = any(adapter_of(database) for conf in confs.values() for database in conf.databases)
    for shared in shared_databases(facts) if anywhere else ():
        members = {client: d for client, d in shared.members.items() if adapter_of(d) is not None}
        for client, database in members.items() if len(members) > 1 else ():
            yield from unresolved(client, open_lines(database))
        yield from _judged(facts, shared, members)


def _pinned(facts: Facts) -> Iterator[Problem | Unknown]:
    """The databases that a section [database:NAME] pins, each client against its pin."""
    inventory, names = facts.inventory, facts.maybe(Names)
    for client, conf in facts.each(ZopeConf).items():
        known = inventory.client(client)
        for database in conf.databases:
            pin = inventory.database(database.name) or (inventory.database("main") if database.mounts_root else None)
            home = place_of(database, known, conf)
            if pin is None or pin.sql is None or home is None or pin.replica_of is not None:
                continue
            answer = at_pin(home, pin, inventory, names)
            if answer is True or _follows(facts, home) is not None:
                continue
            message = f"database {database.name} is in {home} for {client}; clients.ini pins {pin.sql}"
            place = Place.in_ini(inventory.file, pin.section, "sql", "pinned here")
            places = (*map(Place.of, lines_of(database)), place)
            if answer is False:
                hint = "correct the client's zope.conf, or 'sql' in clients.ini"
                yield Problem((client,), message, places, hint, about=f"{database.name} sql")
            elif not open_lines(database):
                hint = _how_to_settle([home])
                yield Unknown((client,), f"{message}; one or two: cannot be told", places, hint, f"{database.name} sql")


def _follows(facts: Facts, home: Home) -> DatabaseSection | None:
    """The declared replica that this is; None where it is none."""
    sections = [section for section in facts.inventory.databases if section.replica_of is not None]
    return next((one for one in sections if at_pin(home, one, facts.inventory, facts.maybe(Names)) is True), None)


def _judged(facts: Facts, shared: Shared, members: dict[str, Database]) -> Iterator[Problem | Unknown | Note]:
    tenants: dict[tuple[Home, str], Tenant] = {}
    for client, database in members.items():
        known = facts.inventory.client(client)
        home = place_of(database, known, facts.each(ZopeConf)[client])
        replica = _follows(facts, home) if home is not None else None
        if home is not None and replica is not None:
            yield from _following(shared, client, database, home, replica, known.role == "read-only")
        elif home is not None:
            tenants.setdefault((home, known.machine), Tenant(home, known.machine, [])).clients.append(client)
    compared = Comparison(_same(facts))
    groups = compared.joined(list(tenants.values()))
    if len(groups) < 2:
        return
    # Who only reads may be on a replica of which nobody said that it is one.
    perhaps = [group for group in groups if _only_reads(facts, group)]
    perhaps = [] if len(perhaps) == len(groups) else perhaps
    differing = compared.differing([group for group in groups if group not in perhaps])
    open_ones = [group for group in groups if group not in differing]
    if differing:
        message = f"{shared.label} is {_said(differing)}"
        hint = _hint(shared, differing)
        yield Problem(_clients(differing), message, _places(differing, members), hint, about=shared.label)
    if open_ones:
        message = f"{shared.label} is {_said(open_ones)}; one or two: cannot be told"
        hint = _how_to_settle([tenant.home for group in open_ones for tenant in group])
        if perhaps:
            names = ", ".join(_clients(perhaps))
            message = f"{shared.label} is {_said(open_ones)}; whether that of {names} is a replica cannot be told"
            name = perhaps[0][0].home.name or "NAME"
            hint = f"if it is, write a section [database:NAME] with sql = ...HOST:PORT/{name} and replica-of = main"
        yield Unknown(_clients(open_ones), message, _places(groups, members), hint, about=shared.label)


def _following(
    shared: Shared, client: str, database: Database, home: Home, replica: DatabaseSection, reads: bool
) -> Iterator[Problem | Note]:
    places = tuple(map(Place.of, lines_of(database)))
    where = f"{shared.label}: {client} is in {home}, a replica of [database:{replica.replica_of}]"
    if reads:
        yield Note((client,), f"{where}: edits are seen a little later", places)
    else:
        hint = f"give {client} the server that [database:{replica.replica_of}] names, or role = read-only"
        yield Problem((client,), f"{where}, which takes no edits", places, hint, about=f"{shared.label} replica")


def _only_reads(facts: Facts, group: list[Tenant]) -> bool:
    return all(facts.inventory.client(client).role == "read-only" for client in _clients([group]))


def _hint(shared: Shared, groups: list[list[Tenant]]) -> str:
    """What to write; where ``localhost`` stands on several machines, the same lines would change nothing."""
    homes = [tenant.home for group in groups for tenant in group]
    alike = len({(home.adapter, home.name, home.history, home.lock) for home in homes}) == 1
    if alike and homes[0].adapter == "sqlite3":
        return (
            "SQLite is of one machine: move the database to a server (PostgreSQL, MySQL), or all clients to one machine"
        )
    if alike and _of_each_machine(homes):
        return _of_poolers(homes)
    if alike and len({frozenset(map(str, home.servers or ())) for home in homes}) == 1:
        return (
            "name the hosts in the same order for every client, or add target_session_attrs=read-write for every client"
        )
    return "write the dsn of the database that has the data, with one keep-history, for every client"


def _of_each_machine(homes: list[Home]) -> bool:
    ends = [end for home in homes for end in home.servers or ()]
    return bool(ends) and all(end.is_local for end in ends)


def _of_poolers(homes: list[Home]) -> str:
    words = " ".join(dict.fromkeys(end.as_alias for home in homes for end in home.servers or ()))
    return (
        "write the database server's own address in place of localhost; or, if a pooler or tunnel on each machine "
        f"leads to one server, say so in clients.ini: [database:NAME] with sql = ... and aliases = {words}"
    )


def _how_to_settle(homes: list[Home]) -> str:
    if any(home.elsewhere for home in homes):
        return "write host, port and dbname into the zope.conf of each of these clients"
    if _of_each_machine(homes):
        return _of_poolers(homes)
    if len({home.user for home in homes}) > 1 and len({home.name for home in homes}) == 1:
        return "let all of these clients use one database user"
    ports = {end.port for home in homes for end in home.servers or ()}
    if len(ports) > 1:
        return (
            "if one of the ports is a pooler's, write a section [database:NAME] with sql = ... and aliases = HOST:PORT"
        )
    return "write the addresses of these names into [hosts] of clients.ini"


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
