"""What may be contacted and what may be written to, decided before anything is: pure, so that ``zcheck plan`` and the
run itself cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from zcheck.facts import (
    Client,
    Database,
    Facts,
    HostPort,
    Inventory,
    Names,
    SeenThere,
    Setting,
    ZeoTls,
    ZopeConf,
    addresses,
)

# Storages that keep writes from the server below them: what a client writes there, no other client can see.
_KEEP_WRITES = frozenset({"demostorage", "before"})

# Storages that a process has to itself by design, such as that of sessions.
_OF_ONE_PROCESS = frozenset({"temporarystorage", "mappingstorage"})

_TRUE = frozenset({"yes", "true", "on"})


class ZeoTarget(msgspec.Struct, frozen=True):
    """One client's way to one database on ZEO: its own ``server`` lines, as they are dialled from here."""

    client: str
    database: str
    storage: str
    servers: tuple[str, ...]
    """As zope.conf writes them."""
    dialled: tuple[HostPort | str, ...]
    others: tuple[HostPort, ...] = ()
    """All addresses of a server's name that has several: by each a client may come to a server."""
    unreachable: str = ""
    """Why the server cannot be dialled from here at all (a unix socket of another machine)."""
    not_written: str = ""
    """Why nothing is written through it; empty: it may be written to."""
    blobs: Literal["", "cache", "shared"] = ""
    """How it keeps blobs: in a cache of its own, in the server's folder, or not at all."""


class Place(msgspec.Struct, frozen=True):
    """Where a database other than the root's is mounted in the tree; ``path`` without a slash at its end."""

    path: str
    database: str


def zeo_targets(facts: Facts) -> tuple[ZeoTarget, ...]:
    """Every client's way to every database on ZEO that its zope.conf describes completely."""
    found = []
    names = facts.raw(Names)
    strange = _meant_otherwise(facts)
    for client in facts.inventory.clients:
        conf = facts.raw(ZopeConf, client.name)
        if isinstance(conf, ZopeConf):
            for database in conf.databases:
                target = _target(facts.inventory, client, database, names if isinstance(names, Names) else None)
                if target is not None:
                    found.append(_not_where_it_is_strange(target, strange))
    return tuple(found)


def _meant_otherwise(facts: Facts) -> dict[str, str]:
    """The names of ZEO servers that mean something else here than on every machine that was asked, with what."""
    names, inventory = facts.raw(Names), facts.inventory
    told: dict[str, set[str]] = {}
    for client in inventory.clients:
        seen = facts.raw(SeenThere, client.name)
        for server in seen.servers if isinstance(seen, SeenThere) and seen.is_inside else ():
            for end in addresses.endpoints([server.server], client):
                if not end.is_local and not addresses.is_literal(end.host):
                    told.setdefault(end.host, set()).update(server.addresses)
    strange = {}
    for host, there in told.items():
        here = addresses.locate(host, inventory, names if isinstance(names, Names) else None)
        own = addresses.HERE in here or any(map(addresses.is_loopback, there))
        if here and there and not own and not here & there:
            strange[host] = f"{host} is {', '.join(sorted(here))} for zcheck, and {', '.join(sorted(there))} for them"
    return strange


def _not_where_it_is_strange(target: ZeoTarget, strange: dict[str, str]) -> ZeoTarget:
    """Nothing is written to a server of which no client says that it is its own."""
    hosts = [dialled.host for dialled in target.dialled if isinstance(dialled, HostPort)]
    reason = next((strange[host] for host in hosts if host in strange), "")
    if not reason or target.not_written:
        return target
    return msgspec.structs.replace(target, not_written=f"{reason}: give its address in [hosts] of clients.ini")


MOST_CONNECTIONS = 8
"""Connections of ours to one storage by one and the same way; a ZEO server's clients are many enough without us."""


def standing_for_all(ways: Sequence[ZeoTarget]) -> tuple[list[ZeoTarget], dict[str, dict[str, str]]]:
    """The ways that are tried, and by database, for each client whose way is not, the one whose way is the same.

    What is dialled from here for two clients by equal lines is one thing, however many write so: a few connections
    prove of it what a thousand would.
    """
    tried: dict[object, list[ZeoTarget]] = {}
    same: dict[str, dict[str, str]] = {}
    for way in ways:
        key = (way.database, way.storage, way.servers, way.dialled, way.unreachable, way.not_written, way.blobs)
        peers = tried.setdefault(key, [])
        if len(peers) < MOST_CONNECTIONS:
            peers.append(way)
        else:
            others = same.setdefault(way.database, {})
            others[way.client] = peers[len(others) % MOST_CONNECTIONS].client
    kept = {id(way) for peers in tried.values() for way in peers}
    return [way for way in ways if id(way) in kept], same


def pinned_target(inventory: Inventory, names: Names | None) -> ZeoTarget | None:
    """The way to the server that clients.ini pins, for clusters of which no zope.conf is at hand; None: not pinned."""
    ends = addresses.pinned(inventory)
    if not ends:
        return None
    return ZeoTarget(
        client=inventory.file,
        database="main",
        storage=inventory.pinned_storage or "1",
        servers=inventory.pinned_zeo,
        dialled=tuple(addresses.dialled(end, inventory.clients[0], inventory, names) for end in ends),
    )


def _target(inventory: Inventory, client: Client, database: Database, names: Names | None) -> ZeoTarget | None:
    values = [setting for setting in database.servers if not setting.unresolved]
    ends = addresses.endpoints((setting.value for setting in values), client)
    storage = database.leaf.first("storage") if database.leaf is not None else None
    if not ends or len(ends) != len(database.servers) or (storage is not None and storage.unresolved):
        return None
    dialled: list[HostPort | str] = []
    others: list[HostPort] = []
    unreachable = ""
    for end in ends:
        try:
            dialled.append(_by_tls(addresses.dialled(end, client, inventory, names), database))
            others += addresses.other_addresses(end, dialled[-1], inventory, names)
        except addresses.InvalidAddress as error:
            unreachable = str(error)
    return ZeoTarget(
        client=client.name,
        database=database.name,
        storage=database.storage_name,
        servers=tuple(setting.value for setting in values),
        dialled=tuple(dialled),
        others=tuple(others),
        unreachable=unreachable,
        not_written=_not_written(inventory, client, database, ends, names),
        blobs=blobs_of(database),
    )


def blobs_of(database: Database) -> Literal["", "cache", "shared"]:
    """How a client keeps the blobs of this database."""
    if not any(section.first("blob-dir") is not None for section in database.chain):
        return ""
    shared = database.leaf is not None and database.leaf.value("shared-blob-dir", "no").lower() in _TRUE
    return "shared" if shared else "cache"


def _by_tls(dialled: HostPort | str, database: Database) -> HostPort | str:
    """The same, with the ``<ssl>`` section by which the client dials it."""
    section = next(iter(database.leaf.nested("ssl")), None) if database.leaf is not None else None
    if section is None or isinstance(dialled, str):
        return dialled
    tls = ZeoTls(
        certificate=section.value("certificate", ""),
        key=section.value("key", ""),
        authenticate=section.value("authenticate", ""),
        check_hostname=section.value("check-hostname", "true").lower() in _TRUE,
        server_hostname=section.value("server-hostname", ""),
        has_password=section.first("password-function") is not None,
    )
    return msgspec.structs.replace(dialled, tls=tls)


def _not_written(
    inventory: Inventory,
    client: Client,
    database: Database,
    ends: tuple[addresses.Endpoint, ...],
    names: Names | None,
) -> str:
    """Why nothing may be written through this client's connection to this database; empty where it may."""
    if client.role == "read-only":
        return f"{client.name} is a read-only client"
    leaf = database.leaf
    if leaf is not None and leaf.value("read-only", "off").lower() in _TRUE:
        return f"{client.name}'s zope.conf says read-only"
    keeper = next((section.type for section in database.chain if section.type in _KEEP_WRITES), None)
    if keeper is not None:
        return f"writes of {client.name} stay in its <{keeper}>"
    return pinned_elsewhere(inventory, database, ends, names)


def pinned_elsewhere(
    inventory: Inventory, database: Database, ends: tuple[addresses.Endpoint, ...], names: Names | None
) -> str:
    """Why clients.ini's ``zeo`` and ``storage`` keep this database from being written to; empty where they do not.

    A ``[database:NAME]`` of its own counts for a database, else what ``[cluster]`` says of the root's.
    """
    own = inventory.database(database.name)
    zeo, storage = inventory.pinned_zeo, inventory.pinned_storage
    if own is not None and (own.zeo or own.storage is not None):
        zeo, storage = own.zeo or zeo, own.storage
    pins = [addresses.parse_server(text, addresses.HERE) for text in zeo]
    for end in ends if pins else ():
        if not any(addresses.same_server(end, pin, inventory, names) for pin in pins):
            return f"clients.ini pins {', '.join(zeo)}, and {end} is not known to be that server"
    if storage is not None and database.storage_name != storage:
        return f"clients.ini pins storage {storage}, and this is storage {database.storage_name}"
    return ""


def mounted_places(facts: Facts) -> tuple[Place, ...]:
    """Each database beside the root's, at the first of its mount points; what a process has to itself is left out."""
    found: dict[str, Place] = {}
    for client in facts.inventory.clients:
        conf = facts.raw(ZopeConf, client.name)
        for database in conf.databases if isinstance(conf, ZopeConf) else ():
            path = next((path for setting in database.mount_points if (path := _path_of(setting))), "")
            own = any(section.type in _OF_ONE_PROCESS for section in database.chain)
            if path and not own and not database.mounts_root:
                found.setdefault(path, Place(path, database.name))
    return tuple(found.values())


def database_at(conf: ZopeConf, path: str) -> Database | None:
    """The database that is mounted at exactly this path; the root's for an empty one."""
    if not path:
        return conf.root
    return next((one for one in conf.databases for setting in one.mount_points if _path_of(setting) == path), None)


def _path_of(mount_point: Setting) -> str:
    """Where in the tree it is: what stands before the colon; empty for the root, and for what is not known."""
    return "" if mount_point.unresolved else mount_point.value.partition(":")[0].rstrip("/")


def may_start_http(facts: Facts, client: Client, path: str = "") -> str:
    """Why the folder at this path may not be made through this client; empty where it may.

    Where clients.ini pins the server, only a client whose zope.conf names it may make the first write, or one without
    a zope.conf at hand once its own server lists what was just written on the pinned one: every other client is written
    to only after it has shown that very folder.
    """
    if client.role == "read-only":
        return f"{client.name} is a read-only client"
    inventory = facts.inventory
    if not inventory.pinned_zeo and inventory.pinned_storage is None:
        return ""
    conf = facts.raw(ZopeConf, client.name)
    if not isinstance(conf, ZopeConf) and inventory.pinned_zeo:
        return ""
    database = database_at(conf, path) if isinstance(conf, ZopeConf) else None
    if database is None:
        return f"clients.ini pins the server, and no zope.conf tells which one {client.name} uses"
    names = facts.raw(Names)
    ends = addresses.endpoints((setting.value for setting in database.servers), client)
    if not ends:
        return f"clients.ini pins the server, and {client.name}'s {path or 'root'} is not on ZEO"
    return pinned_elsewhere(inventory, database, ends, names if isinstance(names, Names) else None)


def site_not_written(facts: Facts, client: Client) -> str:
    """Why no page is edited inside the site through this client; empty where one may be.

    The test folder proves the database of the root: a site that is mounted from another one, which clients.ini does not
    pin, is left alone.
    """
    inventory = facts.inventory
    conf = facts.raw(ZopeConf, client.name)
    if inventory.pinned_storage is None and not inventory.pinned_zeo:
        return ""
    database = _mounted_at(conf, inventory.site or "/") if isinstance(conf, ZopeConf) else None
    if database is None or database.mounts_root:
        return ""
    names = facts.raw(Names)
    ends = addresses.endpoints((setting.value for setting in database.servers), client)
    return pinned_elsewhere(inventory, database, ends, names if isinstance(names, Names) else None)


def site_keeps_blobs(facts: Facts) -> bool:
    """Whether a client has a place for the blobs of the database in which the site is."""
    confs = [facts.raw(ZopeConf, client.name) for client in facts.inventory.clients]
    databases = [_mounted_at(conf, facts.inventory.site or "/") for conf in confs if isinstance(conf, ZopeConf)]
    return any(blobs_of(database) for database in databases if database is not None)


def _mounted_at(conf: ZopeConf, path: str) -> Database | None:
    """The database in which the object at ``path`` is: the one with the longest mount point in front of it."""
    found = [
        (len(mount), database)
        for database in conf.databases
        for setting in database.mount_points
        if (mount := _path_of(setting)) == "" or f"{path}/".startswith(f"{mount}/")
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None
