"""What the "Database Location" of a running client means.

A ZEO client's label is its ``name`` option, else the ``repr`` of the list of its servers' addresses, as ZConfig reads
them (``self.__name__ = name or str(addr)``, ZEO/ClientStorage.py); a file storage's is its path.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from zcheck.check import Place, Problem
from zcheck.facts import Client, ControlPanel, Database, Facts, Names, Setting, ZopeConf, addresses
from zcheck.facts.addresses import Endpoint
from zcheck.rules.cache_files import without_caches


class Location(msgspec.Struct, frozen=True):
    """One database of one running client, beside what its zope.conf says."""

    client: str
    database: str
    shown: str
    on_zeo: bool
    running: tuple[Endpoint, ...]
    """The servers in the label; empty where it is a name or a path."""
    named: str
    """What zope.conf would make of it, as a person would say it; empty where that is not known."""
    configured: tuple[Endpoint, ...]
    lines: tuple[Setting, ...]

    @property
    def hides_the_server(self) -> bool:
        """Whether it is the name that its file gives the storage: on another server it would be the same."""
        return self.on_zeo and not self.running and self.shown == self.named


def located(facts: Facts) -> list[Location]:
    """Every database on every client's Control Panel."""
    confs = facts.each(ZopeConf)
    return [
        _location(facts.inventory.client(client), page.name, page.location, page.connected, confs.get(client))
        for client, panel in facts.each(ControlPanel).items()
        for page in panel.databases
    ]


def _location(client: Client, name: str, label: str, connected: bool | None, conf: ZopeConf | None) -> Location:
    database = conf.database(name) if conf is not None else None
    named, configured, lines = _of_the_file(client, database)
    return Location(
        client=client.name,
        database=name,
        shown=label,
        on_zeo=connected is not None,
        running=addresses.labelled(label, client),
        named=named,
        configured=configured,
        lines=lines,
    )


def _of_the_file(client: Client, database: Database | None) -> tuple[str, tuple[Endpoint, ...], tuple[Setting, ...]]:
    """The name or servers that a ``<zodb_db>`` on ZEO gives the running client; nothing where it cannot be told."""
    leaf = database.leaf if database is not None else None
    if database is None or leaf is None or not database.is_zeo or len(database.chain) != 1:
        return "", (), ()
    name = leaf.first("name")
    lines = (name,) if name is not None and name.value else database.servers
    if not lines or any(line.unresolved for line in (*lines, *database.servers)):
        return "", (), ()
    servers = addresses.endpoints((line.value for line in database.servers), client)
    return ", ".join(line.value for line in lines), servers, lines


def agrees_with_file(location: Location, facts: Facts) -> bool | None:
    """Whether the process runs with what its file says; True also where there is nothing to hold it against."""
    if not location.named:
        return True
    if not location.on_zeo:
        return False
    if location.running:
        return addresses.same_servers(location.running, location.configured, facts.inventory, facts.maybe(Names))
    if location.lines[0].key == "name":
        return location.shown == location.named
    # It shows a name that its file no longer gives: which servers it had beside that name is not shown.
    return None


def differing_sides(database: str, members: list[Location], facts: Facts) -> Iterator[Problem]:
    """Clients of one database that show different things; how two files differ is the config checks' finding."""
    zeo = [member for member in members if member.on_zeo]
    files = [member for member in members if not member.on_zeo]
    if zeo and files:
        sides = [f"on ZEO for {_clients(zeo)}", *(f"in {m.shown} for {m.client}" for m in files)]
        yield _problem(facts, database, sides, members)
        return
    names = {m.shown: [o for o in zeo if o.shown == m.shown] for m in zeo if not m.running}
    if len(names) > 1:
        alike = [m for group in names.values() for m in group]
        yield _problem(
            facts, database, [f"called {name} for {_clients(group)}" for name, group in names.items()], alike
        )
    apart = _provably_apart(members, facts)
    if apart:
        yield _problem(facts, database, [f"at {m.shown} for {m.client}" for m in apart], apart)


def _provably_apart(members: list[Location], facts: Facts) -> list[Location]:
    """Clients on provably different servers, where no zope.conf of theirs tells so already."""
    names = facts.maybe(Names)
    shown = [member for member in members if member.running]
    found: list[Location] = []
    for one in shown:
        for other in shown:
            known = one.named and other.named
            same = addresses.same_servers(one.running, other.running, facts.inventory, names)
            if not known and same is False:
                found.append(one)
                break
    return found


def _clients(members: list[Location]) -> str:
    return ", ".join(member.client for member in members)


def _problem(facts: Facts, database: str, sides: list[str], members: list[Location]) -> Problem:
    clients = tuple(member.client for member in members)
    places = tuple(Place.of(line) for member in members for line in member.lines)
    hint = "give every client the same storage for this database, and restart those that were changed"
    hint += without_caches(facts, clients, database)
    return Problem(clients, f"database {database} is {'; '.join(sides)}", places, hint, about=database)
