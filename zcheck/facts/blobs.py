"""Where a database keeps its blobs, and whether that folder is the server's own or a cache of its client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from zcheck.facts import ZEO_CLIENT_TYPES, Database, Facts, Names, Setting
from zcheck.facts.addresses import locate
from zcheck.facts.config import is_on
from zcheck.facts.paths import normal_path

# The storages that share their blobs with other clients, each by rules of its own.
BLOB_CLIENTS = (*ZEO_CLIENT_TYPES, "relstorage")


def blob_dir(database: Database) -> Setting | None:
    """The ``blob-dir`` line of the outermost storage that has one."""
    return next((line for section in database.chain if (line := section.first("blob-dir")) is not None), None)


def shared_line(database: Database) -> Setting | None:
    """The ``shared-blob-dir`` line of the storage that has it."""
    return database.leaf.first("shared-blob-dir") if database.leaf is not None else None


def is_shared(database: Database) -> bool:
    """Whether the folder is the one in which the blobs live, not a cache."""
    return is_on(shared_line(database))


def path_of(line: Setting) -> str:
    """A folder or file in one spelling."""
    path = normal_path(line.value.rstrip("\\/") or line.value)
    return path.removeprefix("/") if path.startswith("//") else path


def open_variables(lines: Iterable[Setting | None]) -> tuple[Setting, ...]:
    """Those of the lines that hold a ``$(NAME)`` without a value."""
    return tuple(line for line in lines if line is not None and line.unresolved)


class Machines:
    """Which clients are on one machine, asked many times over."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._names = facts.maybe(Names)
        self._machines = {client.name: client.machine for client in facts.inventory.clients}
        self._places: dict[str, frozenset[str]] = {}

    def places(self, client: str) -> frozenset[str]:
        """What a client's machine is known by: its addresses, or its name where nothing knows these."""
        machine = self._machines[client]
        if machine not in self._places:
            found = locate(machine, self._facts.inventory, self._names)
            self._places[machine] = found or frozenset({f"?{machine.lower()}"})
        return self._places[machine]

    def is_known(self, client: str) -> bool:
        """Whether the addresses of a client's machine are known."""
        return not any(place.startswith("?") for place in self.places(client))

    def has_company(self, client: str, others: Iterable[str]) -> bool:
        """Whether another one of these clients is on the same machine."""
        return any(self.places(client) & self.places(other) for other in others if other != client)

    def split(self, modes: Mapping[bool, Iterable[str]]) -> Iterator[dict[bool, list[str]]]:
        """The same clients machine by machine, for the machines that have some of both kinds."""
        found: dict[str, dict[bool, list[str]]] = {}
        for mode, clients in modes.items():
            for client in clients:
                for place in self.places(client):
                    found.setdefault(place, {}).setdefault(mode, []).append(client)
        yield from (parts for parts in found.values() if len(parts) == 2)
