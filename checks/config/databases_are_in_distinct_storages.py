"""No two databases of a client are in one storage.

What it examines
    Each client's databases, two by two: ``server`` and ``storage`` of those on ZEO (with what clients.ini and the
    servers' own files say of aliases and of servers that pass another one's storage on), the relational database of
    those in RelStorage, the ``path`` of those in a file. Sessions in memory are left out.
Why it matters
    A commit that touches both databases takes the storage's lock for the one and waits for it with the other: for ever.
    While it waits nobody in the cluster can save. The first edit that adds the mount point does just that.
What it does not prove
    That two names of servers, of which nothing tells whether they are one, are two: see every-database-is-one.
How to repair it
    Give the second database a storage of its own: ``<filestorage archive>`` in the ZEO server's file, and ``storage
    archive`` in every client's.

>>> def two(storage):
...     return zope_conf(f'''<zodb_db main>
... <zeoclient>
... server zeo1:8100
... </zeoclient>
... mount-point /
... </zodb_db>
... <zodb_db archive>
... <zeoclient>
... server zeo1:8100
... storage {storage}
... </zeoclient>
... mount-point /archive
... </zodb_db>''')
>>> show(databases_are_in_distinct_storages, app1=two("archive"), app2=two("archive"))
OK
>>> show(databases_are_in_distinct_storages, app1=two("archive"), app2=two("1"))
CRITICAL app2: databases main and archive of app2 are one storage: storage 1 of zeo1:8100
>>> show(databases_are_in_distinct_storages, app1=two("archive"), app2=two("$(STORAGE)"))
UNKNOWN app2: the inventory gives no value for $(STORAGE), which storage of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Client, Database, Facts, Names, Section, Setting, ZeoConfs, ZopeConf
from zcheck.facts.addresses import same_server
from zcheck.facts.origins import Origin, origin_of
from zcheck.facts.paths import normal_path
from zcheck.facts.sql import place_of, same_place
from zcheck.facts.zope_schema import is_known
from zcheck.rules.databases import is_per_process, places, unresolved


@check(
    "databases-are-in-distinct-storages",
    stage="config",
    needs=[ZopeConf],
    uses=[Names, ZeoConfs],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses", "zeo-addresses-are-valid"],
)
def databases_are_in_distinct_storages(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding for two databases, with all clients that have them in one storage."""
    found: dict[tuple[str, str], dict[str, tuple[str, Database, Database]]] = {}
    for client, conf in facts.each(ZopeConf).items():
        databases = [database for database in conf.databases if not is_per_process(database)]
        if len(databases) < 2:
            yield Skipped((client,), "nothing to examine: it has one database alone")
        for one, other in combinations(databases, 2):
            yield from unresolved(client, _open(one, other))
            said = _in_one_storage(facts, facts.inventory.client(client), conf, one, other)
            if said:
                found.setdefault((one.name, other.name), {})[client] = said, one, other
    for (name, another), owners in found.items():
        yield _told(name, another, owners)


def _told(name: str, another: str, owners: dict[str, tuple[str, Database, Database]]) -> Problem:
    said, _, second = next(iter(owners.values()))
    message = f"databases {name} and {another} of {', '.join(owners)} are one storage: {said}"
    lines = [line for _, *pair in owners.values() for database in pair for line in _places(database)]
    hint = f"give database {another} a storage of its own; it must be in no other database's"
    if second.is_zeo:
        hint = (
            f"serve database {another} from a storage of its own: <filestorage {another}> in the ZEO "
            f"server's file, and 'storage {another}' in its section here"
        )
    return Problem(tuple(owners), message, places(lines), hint, about=f"{name} {another}")


def _open(one: Database, other: Database) -> list[Setting]:
    """The lines without a value that may make two databases on ZEO one: none where other lines keep them apart."""
    lines = [line for database in (one, other) for line in _lines(database) if line.unresolved]
    storages = [line for line in lines if line.key == "storage"]
    apart = not storages and one.storage_name != other.storage_name
    return [] if apart or not (one.is_zeo and other.is_zeo) else lines


def _lines(database: Database) -> tuple[Setting, ...]:
    leaf = database.leaf
    return (*database.servers, *leaf.all("storage")) if leaf is not None and database.is_zeo else ()


def _places(database: Database) -> list[Setting]:
    leaf = database.leaf
    keys = ("storage", "server", "dsn", "path")
    return [] if leaf is None else [line for key in keys for line in leaf.all(key)][:2]


def _in_one_storage(facts: Facts, client: Client, conf: ZopeConf, one: Database, other: Database) -> str:
    """The storage that both surely are in, as a person would say it; empty where none is."""
    if one.leaf is None or other.leaf is None:
        return ""
    if one.is_zeo and other.is_zeo:
        if one.storage_name != other.storage_name and not facts.inventory.zeo_servers:
            return ""  # No server is known to call another one's storage by another name.
        if any(line.unresolved for line in (*_lines(one), *_lines(other))):
            return ""
        return _on_zeo(facts, origin_of(facts, client, one), origin_of(facts, client, other))
    homes = [place_of(database, client, conf) for database in (one, other)]
    if homes[0] is not None and homes[1] is not None:
        # What stands elsewhere stands there for both, but two variables without a value may be two.
        known = all(home is not None and home.servers is not None for home in homes)
        alike = same_place(homes[0], homes[1], True, facts.inventory, facts.maybe(Names))
        return str(homes[0]) if known and alike is True else ""
    if not is_known(one.leaf.type) and _text(one.leaf) == _text(other.leaf):
        return f"<{one.leaf.type}> with the same lines"
    files = [leaf.first("path") for leaf in (one.leaf, other.leaf) if leaf.type == "filestorage"]
    if len(files) == 2 and files[0] is not None and files[1] is not None and not any(f.unresolved for f in files if f):
        home = conf.top.value("instancehome", "")
        paths = {normal_path(files[0].value, home), normal_path(files[1].value, home)}
        return next(iter(paths)) if len(paths) == 1 else ""
    return ""


def _text(section: Section) -> tuple[object, ...]:
    lines = sorted((line.key, line.value, line.seal) for line in section.settings)
    return (section.type, *lines, *map(_text, section.sections))


def _on_zeo(facts: Facts, one: Origin | None, other: Origin | None) -> str:
    if one is None or other is None or one.storage != other.storage:
        return ""
    for a in one.endpoints:
        if any(same_server(a, b, facts.inventory, facts.maybe(Names)) is True for b in other.endpoints):
            return f"storage {one.storage} of {a}"
    return ""
