"""Where a client's database really is: behind a server that passes another one's storage on, or that follows one.

A ZEO server whose storage is itself a ``<zeoclient>`` (a fan-out) serves the storage of the server that it names.  A
server with ``replica-of`` in clients.ini, or with ``replicate-from`` in its own file (ZRS), shows what another one has,
a little later, and takes no edits.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from zcheck.facts import Client, Database, Facts, Names, ServedStorage, Setting, ZeoConf, ZeoConfs, ZeoSection
from zcheck.facts.addresses import Endpoint, InvalidAddress, of_section, parse_server, same_machine, same_server
from zcheck.facts.config import ZEO_CLIENT_TYPES

MAX_HOPS = 8


class Origin(msgspec.Struct, frozen=True):
    """The servers and the storage behind a client's ``server`` lines."""

    endpoints: tuple[Endpoint, ...]
    storage: str
    through: tuple[str, ...] = ()
    """The ``[zeo:NAME]`` sections, by NAME, of the servers that pass a storage on or follow one."""
    lines: tuple[Setting, ...] = ()
    """The lines of their own files that say so."""
    leader: str = ""
    """The server that is followed, as a person would say it; empty where none is."""


def origin_of(facts: Facts, client: Client, database: Database) -> Origin | None:
    """Where this client's database is; None where a ``server`` line cannot be read."""
    known = facts.once(_found_before)
    # Most clients write the same: it is followed once.
    texts = tuple([line.value for line in database.servers])
    key = (texts, database.storage_name)
    if key not in known and not any(line.unresolved for line in database.servers):
        origin = _origin_of(facts, client, texts, database.storage_name)
        if origin is None or any(end.is_local for end in _endpoints(texts, client) or ()):
            return origin
        known[key] = origin
    return known.get(key)


def _found_before(facts: Facts) -> dict[tuple[tuple[str, ...], str], Origin]:
    """What was found for ``server`` lines that mean the same to everybody, for it to be remembered."""
    return {}


def _endpoints(texts: tuple[str, ...], client: Client) -> tuple[Endpoint, ...] | None:
    try:
        return tuple([parse_server(text, client.machine) for text in texts])
    except InvalidAddress:
        return None


def _origin_of(facts: Facts, client: Client, texts: tuple[str, ...], storage: str) -> Origin | None:
    endpoints = _endpoints(texts, client)
    if endpoints is None:
        return None
    origin = Origin(endpoints, storage)
    for _ in range(MAX_HOPS):
        further = _next(facts, origin)
        if further is None:
            break
        origin = further
    return origin


def section_of(facts: Facts, endpoint: Endpoint) -> ZeoSection | None:
    """The ``[zeo:NAME]`` section that surely describes the server of this address; None where none does."""
    inventory, names = facts.inventory, facts.maybe(Names)
    for section in inventory.zeo_servers:
        stated = of_section(section)
        if stated is not None and same_server(stated, endpoint, inventory, names) is True:
            return section
    return None


def followed(facts: Facts, section: ZeoSection, storage: str | None = None) -> tuple[ZeoSection | None, str] | None:
    """The server that the one of this section follows: its section where clients.ini has one, and its address.

    None where it follows none, as far as is known.
    """
    if section.replica_of is not None:
        leader = next((one for one in facts.inventory.zeo_servers if one.name == section.replica_of), None)
        return leader, leader.address if leader is not None else section.replica_of
    line = next((line for one in _served(facts, section, storage) if (line := _replicates(one)) is not None), None)
    if line is None or line.unresolved:
        return None
    host = line.value.rpartition(":")[0] or line.value
    for other in facts.inventory.zeo_servers:
        if other is not section and _is_on(facts, other, host):
            return other, other.address
    return None, line.value


def _next(facts: Facts, origin: Origin) -> Origin | None:
    """One step on; None where every server has its own data, or where they do not all lead to one place."""
    steps = [_step(facts, endpoint, origin) for endpoint in origin.endpoints]
    found = [step for step in steps if step is not None]
    if not found or len(found) != len(steps) or len({(step.endpoints, step.storage) for step in found}) != 1:
        return None
    return found[0]


def _step(facts: Facts, endpoint: Endpoint, origin: Origin) -> Origin | None:
    section = section_of(facts, endpoint) if facts.inventory.zeo_servers else None
    if section is None or section.name in origin.through:
        return None
    through = (*origin.through, section.name)
    for storage in _served(facts, section, origin.storage):
        if storage.leaf.type in ZEO_CLIENT_TYPES:
            servers = storage.leaf.all("server")
            try:
                machine = section.machine or endpoint.where
                ends = tuple(parse_server(line.value, machine) for line in servers if not line.unresolved)
            except InvalidAddress:
                return None
            if ends and len(ends) == len(servers):
                name = storage.leaf.value("storage", "1")
                return Origin(ends, name, through, (*origin.lines, servers[0]), origin.leader)
    leader = followed(facts, section, origin.storage)
    if leader is None:
        return None
    stated = of_section(leader[0]) if leader[0] is not None else None
    lines = [line for one in _served(facts, section, origin.storage) if (line := _replicates(one)) is not None]
    ends = (stated,) if stated is not None else origin.endpoints
    return Origin(ends, origin.storage, through, (*origin.lines, *lines), leader[1])


def _served(facts: Facts, section: ZeoSection, storage: str | None) -> Iterator[ServedStorage]:
    known = facts.maybe(ZeoConfs)
    conf = known.confs.get(section.name) if known is not None else None
    for one in conf.storages if isinstance(conf, ZeoConf) else ():
        if storage is None or one.name == storage:
            yield one


def _replicates(storage: ServedStorage) -> Setting | None:
    return next((line for one in storage.chain if (line := one.first("replicate-from")) is not None), None)


def _is_on(facts: Facts, section: ZeoSection, host: str) -> bool:
    """Whether the server of this section surely runs on the host, by its ``machine`` or its address."""
    stated = of_section(section)
    machines = [section.machine] if section.machine is not None else []
    machines += [stated.host] if stated is not None and not stated.is_local else []
    names = facts.maybe(Names)
    return any(same_machine(host, machine, facts.inventory, names) is True for machine in machines)
