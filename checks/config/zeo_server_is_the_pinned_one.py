"""The root database is on the ZEO server and storage that clients.ini pins.

What it examines
    The ``server`` and ``storage`` lines of the database on ``/``, against ``zeo`` and ``storage`` of ``[cluster]``.
    ``localhost`` in clients.ini is the machine on which zcheck runs. Skipped where nothing is pinned, and for a root
    database that is not on ZEO.
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

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Database, Facts, Names, Setting, ZopeConf
from zcheck.facts.addresses import pinned, same_server
from zcheck.rules.databases import spelt_out, unresolved
from zcheck.rules.server_lines import readable


class Elsewhere(NamedTuple):
    """How a root database is not as clients.ini pins it, or (``sure`` is false) how that cannot be told."""

    database: str
    key: str
    wanted: str
    sure: bool


Seen = dict[str, dict[str, tuple[Setting, ...]]]
"""By what is seen: the clients, and the lines that say so."""


@check(
    "zeo-server-is-the-pinned-one",
    stage="config",
    needs=[ZopeConf],
    uses=[Names],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses", "root-mount-exists", "zeo-addresses-are-valid"],
)
def zeo_server_is_the_pinned_one(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """Clients whose root database is written in the same way share a finding."""
    found: dict[Elsewhere, Seen] = {}
    for client, conf in facts.each(ZopeConf).items():
        root = conf.root
        if not facts.inventory.pinned_zeo and facts.inventory.pinned_storage is None:
            yield Skipped((client,), "neither the ZEO server nor its storage is pinned")
        elif root is None or not root.is_zeo:
            yield Skipped((client,), "nothing to examine: the root database is not on ZEO")
        else:
            yield from unresolved(client, root.servers if facts.inventory.pinned_zeo else ())
            yield from unresolved(client, _storage(root) if facts.inventory.pinned_storage is not None else ())
            for elsewhere, seen, lines in _judged(facts, client, root):
                found.setdefault(elsewhere, {}).setdefault(seen, {})[client] = lines
    for elsewhere, by_sight in found.items():
        yield _told(facts, elsewhere, by_sight)


def _storage(root: Database) -> tuple[Setting, ...]:
    return root.leaf.all("storage") if root.leaf is not None else ()


def _judged(facts: Facts, client: str, root: Database) -> Iterator[tuple[Elsewhere, str, tuple[Setting, ...]]]:
    inventory = facts.inventory
    pins = pinned(inventory)
    for line, endpoint in zip(root.servers, readable(root, inventory.client(client).machine) or (), strict=False):
        answers = [same_server(endpoint, pin, inventory, facts.maybe(Names)) for pin in pins]
        if pins and True not in answers:
            wanted = " or ".join(inventory.pinned_zeo)
            yield Elsewhere(root.name, "zeo", wanted, None not in answers), f"on {endpoint}", (line,)
    lines = _storage(root)
    pinned_storage = inventory.pinned_storage
    if pinned_storage is not None and root.storage_name != pinned_storage and not any(s.unresolved for s in lines):
        elsewhere = Elsewhere(root.name, "storage", f"storage {pinned_storage}", True)
        yield elsewhere, f"in storage {root.storage_name}", lines or root.servers


def _told(facts: Facts, elsewhere: Elsewhere, seen: Seen) -> Problem | Unknown:
    clients = tuple(dict.fromkeys(client for owners in seen.values() for client in owners))
    sides = spelt_out([f"{what} for {', '.join(owners)}" for what, owners in seen.items()])
    message = f"database {elsewhere.database} is {sides}; clients.ini pins {elsewhere.wanted}"
    pin = Place.in_ini(facts.inventory.file, facts.inventory.cluster, elsewhere.key, "pinned here")
    places = (*(Place.of(line) for owners in seen.values() for lines in owners.values() for line in lines), pin)
    if elsewhere.sure:
        hint = f"correct the client's zope.conf, or '{elsewhere.key}' in clients.ini"
        return Problem(clients, message, places, hint, about=elsewhere.key)
    hint = "write the addresses of these names into [hosts] of clients.ini"
    return Unknown(clients, f"{message}; one server or two: cannot be told", places, hint, about=elsewhere.key)
