"""The ``server`` lines of one database, side by side for all clients."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Generic, TypeVar

import msgspec

from zcheck.facts import Database, Facts, Inventory, Names, Setting, ZeoIdentity
from zcheck.facts.addresses import (
    Endpoint,
    InvalidAddress,
    is_here,
    is_open,
    meeting_points,
    parse_server,
    same_servers,
)
from zcheck.facts.history import HttpHistories
from zcheck.facts.origins import Origin, origin_of
from zcheck.facts.storage_evidence import proven_one
from zcheck.rules.databases import Shared
from zcheck.rules.proofs import proven_by_clients


class Side(msgspec.Struct):
    """Clients whose ``server`` lines mean the same servers, and how the first of them writes it."""

    clients: list[str]
    endpoints: tuple[Endpoint, ...]
    lines: tuple[Setting, ...]
    origin: Origin
    """The servers behind these, where their own files or clients.ini say so; else these."""

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


def alike(members: Mapping[str, Database], facts: Facts) -> list[Side]:
    """One side for each way in which the servers are written, relative to the machine that the text means."""
    found: dict[object, Side] = {}
    inventory = facts.inventory
    for client, database in members.items():
        known = inventory.client(client)
        endpoints = readable(database, known.machine)
        if endpoints is None:
            continue
        key = (frozenset(map(_meant, endpoints)), *_of_its_own(client, endpoints, inventory))
        side = found.get(key)
        if side is None:
            origin = origin_of(facts, known, database) or Origin(endpoints, database.storage_name)
            side = found[key] = Side([], endpoints, database.servers, origin)
        side.clients.append(client)
    return list(found.values())


def _meant(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.text.lower(), endpoint.machine if endpoint.is_local else ""


def _of_its_own(client: str, endpoints: Sequence[Endpoint], inventory: Inventory) -> tuple[str, ...]:
    """The client, where a socket's path is relative to a folder that only the client's process knows."""
    relative = [end for end in endpoints if end.path is not None and not end.path.startswith("/")]
    return (client,) if any(end.machine not in inventory.stated_machines for end in relative) else ()


Kind = TypeVar("Kind")
Same = Callable[[Kind, Kind], "bool | None"]


class Comparison(Generic[Kind]):
    """How sides are held against each other: all of them, or only what keys and shapes leave open.

    Sides without a ``key`` in common are never the same, and compare as any two of their ``shapes`` without one do.
    So a thousand names that nothing resolves are not compared a million times.
    """

    def __init__(
        self,
        same: Same[Kind],
        keys: Callable[[Kind], frozenset[Hashable]] = lambda side: frozenset({None}),
        shape: Callable[[Kind], Hashable] = lambda side: None,
    ) -> None:
        self.same = same
        self.keys = keys
        self.shape = shape

    def joined(self, sides: Sequence[Kind]) -> list[list[Kind]]:
        """The sides, gathered to groups of those that are provably the same."""
        groups: list[list[Kind]] = []
        met: dict[Hashable, dict[int, None]] = {}
        for side in sides:
            near = sorted({number for key in self.keys(side) for number in met.get(key, ())})
            home = next((n for n in near if any(self.same(side, other) for other in groups[n])), None)
            if home is None:
                home = len(groups)
                groups.append([])
            groups[home].append(side)
            for key in self.keys(side):
                met.setdefault(key, {})[home] = None
        return groups

    def differing(self, groups: Sequence[list[Kind]]) -> list[list[Kind]]:
        """The groups that provably differ from another one."""
        by_key: dict[Hashable, list[tuple[int, Kind]]] = {}
        by_shape: dict[Hashable, list[tuple[int, Kind]]] = {}
        for number, group in enumerate(groups):
            for side in group:
                for key in self.keys(side):
                    by_key.setdefault(key, []).append((number, side))
                by_shape.setdefault(self.shape(side), []).append((number, side))

        def differs(number: int, side: Kind) -> bool:
            own = self.keys(side)
            near = [other for key in own for n, other in by_key[key] if n != number]
            far = (
                next((other for n, other in peers if n != number and own.isdisjoint(self.keys(other))), None)
                for peers in by_shape.values()
            )
            return any(self.same(side, other) is False for other in chain(near, filter(None, far)))

        return [group for number, group in enumerate(groups) if any(differs(number, side) for side in group)]


def meant_alike_here(facts: Facts, ends: Iterable[Endpoint]) -> bool:
    """Whether these mean the same from here as from the clients: what is local to a machine, only on zcheck's own."""
    inventory, names = facts.inventory, facts.maybe(Names)
    return all(is_here(end.machine, inventory, names) for end in ends if end.is_local)


def comparison(facts: Facts, shared: Shared) -> Comparison[Side]:
    """How two sides of one database are compared: by their text first, then by what the servers themselves told.

    A server's own word does not count against two files that mean two machines' own ``localhost``: what was dialled
    from here for the one may have been dialled for the other.  What was written through the running clients does, where
    they surely run with what their files say.
    """
    inventory, names, identity = facts.inventory, facts.maybe(Names), facts.maybe(ZeoIdentity)

    def same(one: Side, other: Side) -> bool | None:
        verdict = same_servers(one.origin.endpoints, other.origin.endpoints, inventory, names)
        if verdict is True:
            return True
        client, another = one.clients[0], other.clients[0]
        name = shared.members[client].name
        if name != shared.members[another].name:
            return verdict
        ends = (*one.endpoints, *other.endpoints)
        told = proven_one(identity, name, client, another) and (verdict is None or meant_alike_here(facts, ends))
        return True if told or proven_by_clients(facts, name, (*one.clients, *other.clients)) else verdict

    def keys(side: Side) -> frozenset[Hashable]:
        return frozenset(point for end in side.origin.endpoints for point in meeting_points(end, inventory, names))

    def shape(side: Side) -> Hashable:
        return frozenset((end.port, is_open(end, inventory, names)) for end in side.origin.endpoints)

    # What the servers told, and whether a unix socket is that of a port, is not seen from the texts.
    on_a_path = any("/" in line.value for one in shared.members.values() for line in one.servers)
    written = facts.maybe(HttpHistories) is not None
    return Comparison(same) if identity is not None or written or on_a_path else Comparison(same, keys, shape)
