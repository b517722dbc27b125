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
CRITICAL app1: database main of app1 is on 10.0.0.6:8100; clients.ini pins 10.0.0.5:8100
>>> show(zeo_server_is_the_pinned_one, pinned, app1=zope_conf(server="zeo1:8100"))
UNKNOWN app1: database main of app1 is on zeo1:8100; clients.ini pins 10.0.0.5:8100; one server or two: cannot be told
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from zcheck.addresses import pinned, same_server
from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.checks.config._databases import unresolved
from zcheck.checks.config._servers import readable
from zcheck.facts import Database, Facts, Names, Setting, ZopeConf


class Elsewhere(NamedTuple):
    """A root database that is not where clients.ini pins it, or of which that cannot be told (``sure`` is false)."""

    database: str
    seen: str
    wanted: str
    key: str
    sure: bool


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
    found: dict[Elsewhere, dict[str, tuple[Setting, ...]]] = {}
    for client, conf in facts.each(ZopeConf).items():
        root = conf.root
        if not facts.inventory.pinned_zeo and facts.inventory.pinned_storage is None:
            yield Skipped((client,), "neither the ZEO server nor its storage is pinned")
        elif root is None or not root.is_zeo:
            yield Skipped((client,), "nothing to examine: the root database is not on ZEO")
        else:
            yield from unresolved(client, root.servers if facts.inventory.pinned_zeo else ())
            yield from unresolved(client, _storage(root) if facts.inventory.pinned_storage is not None else ())
            for elsewhere, lines in _judged(facts, client, root):
                found.setdefault(elsewhere, {})[client] = lines
    for elsewhere, owners in found.items():
        yield _told(facts, elsewhere, owners)


def _storage(root: Database) -> tuple[Setting, ...]:
    return root.leaf.all("storage") if root.leaf is not None else ()


def _judged(facts: Facts, client: str, root: Database) -> Iterator[tuple[Elsewhere, tuple[Setting, ...]]]:
    inventory = facts.inventory
    pins = pinned(inventory)
    for line, endpoint in zip(root.servers, readable(root, inventory.client(client).machine) or (), strict=False):
        answers = [same_server(endpoint, pin, inventory, facts.maybe(Names)) for pin in pins]
        if pins and True not in answers:
            wanted = " or ".join(inventory.pinned_zeo)
            yield Elsewhere(root.name, f"on {endpoint}", wanted, "zeo", None not in answers), (line,)
    lines = _storage(root)
    wanted_storage = inventory.pinned_storage
    if wanted_storage is not None and root.storage_name != wanted_storage and not any(s.unresolved for s in lines):
        seen = f"in storage {root.storage_name}"
        yield Elsewhere(root.name, seen, f"storage {wanted_storage}", "storage", True), lines or root.servers


def _told(facts: Facts, elsewhere: Elsewhere, owners: dict[str, tuple[Setting, ...]]) -> Problem | Unknown:
    clients = tuple(owners)
    seen = f"database {elsewhere.database} of {', '.join(clients)} is {elsewhere.seen}"
    pin = Place.in_ini(facts.inventory.file, facts.inventory.cluster, elsewhere.key, "pinned here")
    places = (*(Place.of(line) for lines in owners.values() for line in lines), pin)
    if elsewhere.sure:
        hint = f"correct the client's zope.conf, or '{elsewhere.key}' in clients.ini"
        return Problem(clients, f"{seen}; clients.ini pins {elsewhere.wanted}", places, hint, about=elsewhere.key)
    message = f"{seen}; clients.ini pins {elsewhere.wanted}; one server or two: cannot be told"
    hint = "write the addresses of these names into [hosts] of clients.ini"
    return Unknown(clients, message, places, hint, about=elsewhere.key)
