"""What the checks of this stage share: which databases are meant to be one, and which clients are on which side."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from zcheck.check import Place, Skipped, Unknown
from zcheck.facts import ConfFault, Database, Facts, Section, Setting, ZopeConf, spelt
from zcheck.facts.config import is_on
from zcheck.facts.secrets import speaks_of_a_secret

# Storages that live inside one process or on one machine's disk, so that no other client can share them.
PRIVATE_STORAGES = ("filestorage", "mappingstorage", "temporarystorage", "fullstorage", "minimalstorage")
# They are emptied with each start, by design: made for sessions.
VOLATILE_STORAGES = ("temporarystorage", "mappingstorage")

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


class Shared(msgspec.Struct, frozen=True):
    """Databases of several clients that are meant to be one: the one of each client, by the client's name."""

    label: str
    """As messages call it: ``database main``, or ``the database on /`` where the clients name it differently."""
    members: dict[str, Database]


def places(lines: Iterable[Setting | Section | Database | ConfFault]) -> tuple[Place, ...]:
    """The places of these lines; clients that read one file have one place in common."""
    return tuple(dict.fromkeys(map(Place.of, lines)))


def listed(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *firsts, last = words
    return f"{', '.join(firsts)} and {last}" if firsts else last


def sides(values: Mapping[str, Key]) -> dict[Key, tuple[str, ...]]:
    """The clients by what they have, each side in the order of its first client."""
    found: dict[Key, list[str]] = {}
    for client, value in values.items():
        found.setdefault(value, []).append(client)
    return {value: tuple(clients) for value, clients in found.items()}


def everybody(parts: Mapping[Key, tuple[str, ...]]) -> tuple[str, ...]:
    """All clients of all sides."""
    return tuple(client for clients in parts.values() for client in clients)


MOST_SIDES = 12
"""How many sides a message spells out; the places show all of them."""


def told(parts: Mapping[Key, tuple[str, ...]], say: Callable[[Key], str]) -> str:
    """``X for app1, app3; Y for app2``."""
    return spelt_out([f"{say(value)} for {', '.join(clients)}" for value, clients in parts.items()])


def spelt_out(said: list[str]) -> str:
    """The sides of a disagreement in one sentence that a person can still read."""
    more = len(said) - MOST_SIDES
    return "; ".join([*said[:MOST_SIDES], *([f"and {more} more"] if more > 0 else [])])


def is_partial(conf: ZopeConf) -> bool:
    """Whether a part of the file could not be read, so that what is not seen may be there all the same."""
    return any(fault.kind == "unread" for fault in conf.faults)


def nobody_to_compare(confs: Mapping[str, ZopeConf]) -> Iterator[Skipped]:
    """The skip of a client whose configuration is the only one at hand."""
    if len(confs) == 1:
        yield Skipped(tuple(confs), "nothing to compare: no other client's zope.conf is at hand")


def unresolved(client: str, settings: Iterable[Setting]) -> Iterator[Unknown]:
    """An Unknown for the first of these lines that holds a name without a value."""
    for setting in settings:
        if setting.unresolved:
            yield unresolved_in((client,), setting, f"{setting.key} of {client}", f"[client:{client}]")
            return


def unresolved_in(clients: tuple[str, ...], setting: Setting, needed_by: str, section: str) -> Unknown:
    """The Unknown of a line that holds a name without a value; ``section`` is where clients.ini would give it.

    Nobody is asked to write a password into clients.ini.
    """
    names = listed(map(spelt, setting.unresolved))
    first = setting.unresolved[0]
    if first.startswith("$"):
        message = f"{names} is defined in none of the files that could be read, and {needed_by} needs it"
        hint = "put a copy of the included file that defines it where it is looked for"
    else:
        message = f"the inventory gives no value for {names}, which {needed_by} needs"
        hint = f"write env.{first} = ... (or env-file = ...) in {section}"
        if speaks_of_a_secret(first) or speaks_of_a_secret(setting.key):
            hint = f"write env-file = ... in {section}: a file with {first}, readable by whoever runs zcheck alone"
        elif first.lower().endswith("dsn"):
            hint = f"write env.{first} = ... in {section}: host, port, dbname and user, without the password"
    return Unknown(clients, message, (Place.of(setting),), hint, about=setting.key)


def is_per_process(database: Database) -> bool:
    """Whether a database is private to each process by design, such as Zope's sessions in ``/temp_folder``."""
    if database.mounts_root or database.leaf is None:
        return False
    leaf = database.leaf.type
    return leaf in VOLATILE_STORAGES or (database.name == "temporary" and leaf in PRIVATE_STORAGES)


def private_storage(database: Database) -> Section | None:
    """The storage that keeps this database from being shared; None where there is none."""
    if is_per_process(database):
        return None
    overlay = next((storage for storage in database.chain if storage.type == "demostorage"), None)
    if overlay is not None:
        return overlay
    leaf = database.leaf
    if leaf is None or leaf.type not in PRIVATE_STORAGES:
        return None
    harmless = leaf.type == "filestorage" and not database.mounts_root and is_on(leaf.first("read-only"))
    return None if harmless else leaf


def virtual_paths(database: Database) -> dict[str, Setting]:
    """Where a database is mounted: the path before the colon, and the line that says so."""
    return {s.value.partition(":")[0]: s for s in database.mount_points if not s.unresolved}


def shared_databases(facts: Facts) -> tuple[Shared, ...]:
    """The databases that two clients or more have in common: by mount point first, then by name.

    Zope finds a database by its mount point; the name alone relates only those that are mounted nowhere alike, which is
    another check's finding.
    """
    return facts.once(_shared_databases)


def _shared_databases(facts: Facts) -> tuple[Shared, ...]:
    confs = facts.each(ZopeConf)
    by_path: dict[str, dict[str, Database]] = {}
    by_name: dict[str, dict[str, Database]] = {}
    for client, conf in confs.items():
        for database in conf.databases:
            by_name.setdefault(database.name, {})[client] = database
            for path in virtual_paths(database):
                by_path.setdefault(path, {})[client] = database
    mounted_alike = {
        (client, database.name)
        for members in by_path.values()
        if len(members) > 1
        for client, database in members.items()
    }
    found: dict[frozenset[tuple[str, str]], Shared] = {}
    for path, members in by_path.items():
        _add(found, members, f"the database on {path}")
    for members in by_name.values():
        if any((client, database.name) not in mounted_alike for client, database in members.items()):
            _add(found, members, "")
    return tuple(found.values())


def _add(found: dict[frozenset[tuple[str, str]], Shared], members: dict[str, Database], label: str) -> None:
    names = {database.name for database in members.values()}
    if len(members) > 1:
        key = frozenset((client, database.name) for client, database in members.items())
        found.setdefault(key, Shared(f"database {min(names)}" if len(names) == 1 else label, members))


def zeo_members(shared: Shared) -> dict[str, Database]:
    """Those of the clients whose database is on ZEO."""
    return {client: database for client, database in shared.members.items() if database.is_zeo}


def not_on_zeo(facts: Facts, examined: Iterable[str]) -> Iterator[Skipped]:
    """The skip of the clients of which nothing was examined, with the reason."""
    seen = set(examined)
    without = tuple(client for client in facts.each(ZopeConf) if client not in seen)
    if without:
        yield Skipped(without, "nothing to examine: no database on ZEO that another client has as well")


def where_databases_end(conf: ZopeConf) -> tuple[str, int]:
    """The file and the line after which one more ``<zodb_db>`` would be written."""
    databases = conf.databases
    if not databases:
        return conf.file, max(conf.lines, 1)
    last = databases[-1].section
    return last.file, last.end_line


def place_of_end(section: Section, note: str) -> Place:
    """The line that closes a section: where a missing key belongs."""
    return Place(section.file, section.end_line, f"</{section.type}>", note)
