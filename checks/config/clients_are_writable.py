"""No client that serves editors opens a database read-only.

What it examines
    ``read-only`` of each storage, through all wrappers, and ``<before>``, which is read-only by nature; for every
    client but those with the role ``read-only`` or ``worker``. A database beside the root that is read-only for all of
    them alike (a frozen archive) is no finding.
Why it matters
    The balancer sends editors to any client. On a read-only one every save fails with ReadOnlyError, and a login that
    wants to write fails as well.
What it does not prove
    That the server accepts writes: see client-accepts-writes.
How to repair it
    Write ``read-only off``, or give the client ``role = read-only`` in clients.ini if it is meant to be so.

>>> show(clients_are_writable, app1=zope_conf(read_only="off"), app2=zope_conf(server="zeo1:8100"))
OK
>>> show(clients_are_writable, app1=zope_conf(read_only="off"), app2=zope_conf(read_only="on"))
CRITICAL app2: database main of app2 is opened read-only
>>> show(clients_are_writable, app1=zope_conf(read_only="off"), app2=zope_conf(read_only="$(READ_ONLY)"))
UNKNOWN app2: the inventory gives no value for $(READ_ONLY), which read-only of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Database, Facts, Section, Setting, ZopeConf
from zcheck.facts.config import is_on
from zcheck.rules.databases import places, unresolved

ROLES = ("read-only", "worker")


@check("clients-are-writable", stage="config", needs=[ZopeConf], severity=Severity.CRITICAL, after=["zope-conf-parses"])
def clients_are_writable(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a database, with all clients that open it read-only."""
    frozen: dict[str, dict[str, Setting | Section]] = {}
    open_for: dict[str, bool] = {}
    for client, conf in facts.each(ZopeConf).items():
        role = facts.inventory.client(client).role
        if role in ROLES:
            yield Skipped((client,), f"its role is {role}")
            continue
        for database in conf.databases:
            yield from unresolved(client, _lines(database))
            where = _read_only(database)
            if where is not None:
                frozen.setdefault(database.name, {})[client] = where
            open_for[database.name] = open_for.get(database.name, False) or where is None or database.mounts_root
    for name, owners in frozen.items():
        if open_for[name]:
            message = f"database {name} of {', '.join(owners)} is opened read-only"
            hint = f"write 'read-only off', or role = read-only into [client:{next(iter(owners))}]"
            yield Problem(tuple(owners), message, places(owners.values()), hint, about=name)


def _lines(database: Database) -> list[Setting]:
    return [setting for storage in database.chain for setting in storage.all("read-only")]


def _read_only(database: Database) -> Setting | Section | None:
    """What makes the database read-only; None where nothing does."""
    for storage in database.chain:
        if storage.type == "before":
            return storage
        if is_on(storage.first("read-only")):
            return storage.first("read-only")
    return None
