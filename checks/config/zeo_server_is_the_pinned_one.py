"""Each database is on the ZEO server and storage that clients.ini pins.

What it examines
    The ``server`` and ``storage`` lines of the database on ``/``, against ``zeo`` and ``storage`` of ``[cluster]``, and
    those of every database that has a section ``[database:NAME]``. ``localhost`` in clients.ini is the machine on which
    zcheck runs. A server whose own file passes the pinned one's storage on counts as that, and so does one that follows
    it for a client with ``role = read-only``. Skipped where nothing is pinned, and for a database that is not on ZEO.
Why it matters
    All clients can agree on the wrong server: staging's configuration, copied. zcheck writes nothing to a server that
    is not the pinned one, so it could not prove anything either.
What it does not prove
    That the pinned server is the right one; only you know that.
How to repair it
    Correct the client's ``server`` and ``storage`` lines, or ``zeo`` and ``storage`` in clients.ini.

>>> pinned = inventory('''[cluster]
... name = intranet
... zeo = 10.0.0.5:8100
... [client:app1]
... address = 10.0.0.1:8080
... ''')
>>> show(zeo_server_is_the_pinned_one, pinned, app1=zope_conf(server="10.0.0.5:8100"))
OK
>>> show(zeo_server_is_the_pinned_one, pinned, app1=zope_conf(server="10.0.0.6:8100"))
CRITICAL app1: database main is on 10.0.0.6:8100 for app1; clients.ini pins 10.0.0.5:8100
>>> show(zeo_server_is_the_pinned_one, pinned, app1=zope_conf(server="zeo1:8100"))
UNKNOWN app1: database main is on zeo1:8100 for app1; clients.ini pins 10.0.0.5:8100; one server or two: cannot be told
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Database, Facts, IniSection, Names, Setting, ZeoConfs, ZeoIdentity, ZopeConf
from zcheck.facts.addresses import HERE, parse_server, same_server
from zcheck.facts.origins import origin_of
from zcheck.facts.storage_evidence import proven_one
from zcheck.rules.databases import spelt_out, unresolved
from zcheck.rules.server_lines import meant_alike_here, readable


class Elsewhere(NamedTuple):
    """How a root database is not as clients.ini pins it, or (``sure`` is false) how that cannot be told."""

    database: str
    key: str
    wanted: str
    sure: bool
    section: str


Seen = dict[str, dict[str, tuple[Setting, ...]]]
"""By what is seen: the clients, and the lines that say so."""


@check(
    "zeo-server-is-the-pinned-one",
    stage="config",
    needs=[ZopeConf],
    uses=[Names, ZeoConfs, ZeoIdentity],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses", "root-mount-exists", "zeo-addresses-are-valid"],
)
def zeo_server_is_the_pinned_one(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """Clients whose database is written in the same way share a finding."""
    found: dict[Elsewhere, Seen] = {}
    for client, conf in facts.each(ZopeConf).items():
        root = conf.root
        pins = [(database, pin) for database in conf.databases if (pin := _pin_of(facts, database)) is not None]
        if not facts.inventory.pinned_zeo and facts.inventory.pinned_storage is None and not pins:
            yield Skipped((client,), "neither the ZEO server nor its storage is pinned")
        elif not any(database.is_zeo for database, _ in pins):
            what = "the root database" if root is not None and not root.is_zeo else "no pinned database"
            yield Skipped((client,), f"nothing to examine: {what} is {'not ' if 'root' in what else ''}on ZEO")
        for database, pin in pins:
            if database.is_zeo:
                yield from unresolved(client, database.servers if pin.zeo else ())
                yield from unresolved(client, _storage(database) if pin.storage is not None else ())
                for elsewhere, seen, lines in _judged(facts, client, database, pin):
                    found.setdefault(elsewhere, {}).setdefault(seen, {})[client] = lines
    for elsewhere, by_sight in found.items():
        yield _told(facts, elsewhere, by_sight)


class Pin(NamedTuple):
    """What clients.ini says of one database, and the section that says so."""

    zeo: tuple[str, ...]
    storage: str | None
    section: IniSection


def _pin_of(facts: Facts, database: Database) -> Pin | None:
    """The pin of a database by its name; that of the root database is [cluster]'s as well."""
    inventory = facts.inventory
    own = inventory.database(database.name)
    if own is not None and (own.zeo or own.storage is not None):
        return Pin(own.zeo, own.storage, own.section)
    if database.mounts_root and (inventory.pinned_zeo or inventory.pinned_storage is not None):
        main = inventory.database("main")
        section = main.section if main is not None and (main.zeo or main.storage is not None) else inventory.cluster
        return Pin(inventory.pinned_zeo, inventory.pinned_storage, section)
    return None


def _storage(root: Database) -> tuple[Setting, ...]:
    return root.leaf.all("storage") if root.leaf is not None else ()


Found = tuple[Elsewhere, str, tuple[Setting, ...]]


def _judged(facts: Facts, client: str, root: Database, pin: Pin) -> Iterator[Found]:
    inventory = facts.inventory
    pins = tuple(parse_server(text, HERE) for text in pin.zeo)
    known = inventory.client(client)
    origin = origin_of(facts, known, root)
    reads = origin is not None and bool(origin.leader) and known.role == "read-only"
    # A server that passes the pinned one's storage on is told where the servers are compared.
    moved = origin is not None and bool(origin.through) and (reads or not origin.leader)
    seen = origin.endpoints if moved and origin is not None else readable(root, known.machine) or ()
    for number, endpoint in enumerate(seen):
        line = root.servers[min(number, len(root.servers) - 1)]
        answers = [same_server(endpoint, one, inventory, facts.maybe(Names)) for one in pins]
        if pins and True not in answers:
            wanted = " or ".join(pin.zeo)
            yield Elsewhere(root.name, "zeo", wanted, None not in answers, pin.section.name), f"on {endpoint}", (line,)
    lines = _storage(root)
    name = origin.storage if moved and origin is not None else root.storage_name
    if pin.storage is not None and name != pin.storage and not any(s.unresolved for s in lines):
        elsewhere = Elsewhere(root.name, "storage", f"storage {pin.storage}", True, pin.section.name)
        yield elsewhere, f"in storage {name}", lines or root.servers


def _is_proven(facts: Facts, elsewhere: Elsewhere, seen: Seen) -> bool:
    """Whether all of these provably reach the storage of a client whose lines are the pinned ones."""
    identity, confs = facts.maybe(ZeoIdentity), facts.each(ZopeConf)
    away = {client for owners in seen.values() for client in owners}
    own = {client: conf.database(elsewhere.database) for client, conf in confs.items()}
    ends = [
        end
        for client, database in own.items()
        if database is not None
        for end in readable(database, facts.inventory.client(client).machine) or ()
    ]
    pinned = [
        client
        for client, database in own.items()
        if client not in away and database is not None and elsewhere.wanted in {s.value for s in database.servers}
    ]
    return (
        elsewhere.key == "zeo"
        and bool(pinned)
        and meant_alike_here(facts, ends)
        and all(proven_one(identity, elsewhere.database, client, pinned[0]) for client in away)
    )


def _told(facts: Facts, elsewhere: Elsewhere, seen: Seen) -> Problem | Unknown | Note:
    clients = tuple(dict.fromkeys(client for owners in seen.values() for client in owners))
    sides = spelt_out([f"{what} for {', '.join(owners)}" for what, owners in seen.items()])
    if _is_proven(facts, elsewhere, seen):
        proven = f"which proved to be the pinned {elsewhere.wanted}"
        return Note(clients, f"database {elsewhere.database} is {sides}, {proven}")
    message = f"database {elsewhere.database} is {sides}; clients.ini pins {elsewhere.wanted}"
    sections = (one.section for one in facts.inventory.databases)
    section = next((one for one in sections if one.name == elsewhere.section), facts.inventory.cluster)
    pin = Place.in_ini(facts.inventory.file, section, elsewhere.key, "pinned here")
    places = (*(Place.of(line) for owners in seen.values() for lines in owners.values() for line in lines), pin)
    if elsewhere.sure:
        line = "server" if elsewhere.key == "zeo" else "storage"
        hint = f"correct the '{line}' line of {', '.join(clients)}, or '{elsewhere.key}' in clients.ini"
        return Problem(clients, message, places, hint, about=elsewhere.key)
    hint = "write the addresses of these names into [hosts] of clients.ini"
    return Unknown(clients, f"{message}; one server or two: cannot be told", places, hint, about=elsewhere.key)
