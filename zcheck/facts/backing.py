"""What holds a running client's database, as far as the client itself and its zope.conf tell.  Pure."""

from __future__ import annotations

from typing import Literal

from zcheck.facts import ControlPanel, Database, Facts, ZopeConf
from zcheck.facts.peers import DatabasePage
from zcheck.facts.sql import adapter_of

Backing = Literal["zeo", "sql", "file", "unknown"]
"""A ZEO server, a relational database, a file that the client has to itself, or what nobody tells."""

CALLED: dict[Backing, str] = {
    "zeo": "ZEO server",
    "sql": "relational database",
    "file": "file storage",
    "unknown": "storage",
}
"""Each as a person says it, after "its"."""


def backing(database: Database | None, page: DatabasePage | None) -> Backing:
    """What holds this database: by the running client's word first, then by its file.

    Only a ZEO client's label says whether it is connected, and only a file storage's is a path.
    """
    by_file = _by_file(database)
    if page is None:
        return by_file
    if page.connected is not None:
        return "zeo"
    if page.location.startswith("/"):
        return "file"
    # It is on no ZEO server, whatever its file names by now.
    return by_file if by_file == "sql" else "unknown"


def backing_of(facts: Facts, client: str, database: str) -> Backing:
    """What holds the database that this client calls so; one that lists one database alone has it at the root."""
    conf = facts.raw(ZopeConf, client)
    found = conf.database(database) if isinstance(conf, ZopeConf) else None
    return backing(found, _page(facts, client, database))


def _page(facts: Facts, client: str, database: str) -> DatabasePage | None:
    panel = facts.raw(ControlPanel, client)
    if not isinstance(panel, ControlPanel):
        return None
    return panel.database(database) or (panel.databases[0] if len(panel.databases) == 1 else None)


def runs_without_zeo(facts: Facts, client: str, database: str) -> bool:
    """Whether the running client itself shows that this database is on no ZEO server."""
    page = _page(facts, client, database)
    return page is not None and page.connected is None


def all_backings(facts: Facts, client: str) -> frozenset[Backing]:
    """What holds the databases of this client, the one at the root and those that it shows or its file names."""
    conf, panel = facts.raw(ZopeConf, client), facts.raw(ControlPanel, client)
    pages = {page.name: page for page in panel.databases} if isinstance(panel, ControlPanel) else {}
    known = {database.name: database for database in conf.databases} if isinstance(conf, ZopeConf) else {}
    names = pages or known
    return frozenset(backing(known.get(name), pages.get(name)) for name in names)


def _by_file(database: Database | None) -> Backing:
    if database is None or database.leaf is None:
        return "unknown"
    if database.is_zeo:
        return "zeo"
    if adapter_of(database) is not None:
        return "sql"
    return "file" if database.leaf.type == "filestorage" else "unknown"
