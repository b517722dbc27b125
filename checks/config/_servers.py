"""The ``server`` lines of one database, side by side for all clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from zcheck.addresses import Endpoint, InvalidAddress, parse_server, same_servers
from zcheck.checks.config._databases import Shared
from zcheck.evidence import proven_one
from zcheck.facts import Database, Facts, Inventory, Names, Setting, ZeoIdentity


class Side(msgspec.Struct):
    """Clients whose ``server`` lines mean the same servers, and how the first of them writes it."""

    clients: list[str]
    endpoints: tuple[Endpoint, ...]
    lines: tuple[Setting, ...]

    @property
    def shown(self) -> str:
        return ", ".join(str(endpoint) for endpoint in self.endpoints)


def readable(database: Database, machine: str) -> tuple[Endpoint, ...] | None:
    """The endpoints of a database's ``server`` lines; None where one is unresolved or can be dialled by nobody."""
    if any(line.unresolved for line in database.servers):
        return None
    try:
        return tuple(parse_server(line.value, machine) for line in database.servers)
    except InvalidAddress:
        return None


def alike(members: Mapping[str, Database], inventory: Inventory) -> list[Side]:
    """One side for each way in which the servers are written, relative to the machine that the text means."""
    found: dict[object, Side] = {}
    for client, database in members.items():
        endpoints = readable(database, inventory.client(client).machine)
        if endpoints is not None:
            key = frozenset((e.text.lower(), e.machine if e.is_local else "") for e in endpoints)
            side = found.setdefault(key, Side([], endpoints, database.servers))
            side.clients.append(client)
    return list(found.values())


Same = Callable[[Side, Side], "bool | None"]
Kind = TypeVar("Kind")


def joined(sides: list[Kind], same: Callable[[Kind, Kind], bool | None]) -> list[list[Kind]]:
    """The sides, gathered to groups of those that are provably the same."""
    groups: list[list[Kind]] = []
    for side in sides:
        home = next((group for group in groups if any(same(side, other) for other in group)), None)
        if home is None:
            groups.append([side])
        else:
            home.append(side)
    return groups


def provably_different(group: list[Kind], groups: list[list[Kind]], same: Callable[[Kind, Kind], bool | None]) -> bool:
    """Whether this group differs for sure from another one."""
    return any(same(one, two) is False for other in groups if other is not group for one in group for two in other)


def sameness(facts: Facts, shared: Shared) -> Same:
    """How two sides of one database are compared: by their text first, then by what the servers themselves told.

    A server's own word does not count against two files that mean two machines' own ``localhost``: what was dialled
    from here for the one may have been dialled for the other.
    """
    inventory, names, identity = facts.inventory, facts.maybe(Names), facts.maybe(ZeoIdentity)

    def same(one: Side, other: Side) -> bool | None:
        verdict = same_servers(one.endpoints, other.endpoints, inventory, names)
        local = any(endpoint.is_local for endpoint in (*one.endpoints, *other.endpoints))
        if verdict is True or (verdict is False and local):
            return verdict
        client, another = one.clients[0], other.clients[0]
        name = shared.members[client].name
        proven = name == shared.members[another].name and proven_one(identity, name, client, another)
        return True if proven else verdict

    return same
