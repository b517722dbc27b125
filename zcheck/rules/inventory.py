"""Which clients a balancer may use, and where they stand: shared by the checks of this stage."""

from __future__ import annotations

from collections.abc import Iterable

from zcheck.check import Place
from zcheck.facts import Client, Inventory, Names, addresses


def balanceable(inventory: Inventory) -> tuple[Client, ...]:
    """Every client but workers, which are never in the balancer."""
    return tuple(client for client in inventory.clients if client.role != "worker")


def workers_aside(inventory: Inventory) -> str:
    """What to add to a count that leaves workers out."""
    workers = [client.name for client in inventory.clients if client.role == "worker"]
    return f", beside the worker{'s' if len(workers) > 1 else ''} {listed(workers)}" if workers else ""


def is_known(host: str, inventory: Inventory, names: Names | None) -> bool:
    """Whether it is an address, or a name that ``[hosts]`` or DNS knows."""
    return bool(addresses.locate(host, inventory, names))


def to_be_known(host: str, names: Names | None) -> str:
    """What to do about a name that nothing knows."""
    line = f"add '{host} = ADDRESS' to [hosts]"
    return (
        f"{line}: DNS does not know it here"
        if names is not None and names.looked_up
        else f"{line}, or run without --offline"
    )


def places_of(host: str, inventory: Inventory, names: Names | None) -> frozenset[str]:
    """The addresses of a machine; a name that nothing knows stands for a machine of its own."""
    return addresses.locate(host, inventory, names) or frozenset({host.rstrip(".").lower()})


def addresses_of(host: str, inventory: Inventory, names: Names | None) -> frozenset[str]:
    """The addresses that a host leads to; a name that nothing knows stands for an address of its own."""
    return addresses.reached(host, inventory, names) or frozenset({host.rstrip(".").lower()})


def address_lines(inventory: Inventory, clients: Iterable[Client]) -> tuple[Place, ...]:
    """The ``address`` line of each client."""
    return tuple(
        Place(inventory.file, client.section.line_of("address"), f"address = {client.address}") for client in clients
    )


def dialled_lines(inventory: Inventory, clients: Iterable[Client]) -> tuple[Place, ...]:
    """Where each client says how zcheck gets to it: its ``connect`` line, else its ``address``."""
    return tuple(
        Place(inventory.file, client.section.line_of(key), f"{key} = {client.dialled}")
        for client in clients
        for key in ["address" if client.connect is None else "connect"]
    )


def names_of(clients: Iterable[Client]) -> tuple[str, ...]:
    return tuple(client.name for client in clients)


def listed(words: Iterable[str]) -> str:
    """``a, b and c``; of more than ten the first nine and how many more."""
    words = list(words)
    if len(words) > 10:
        words = [*words[:9], f"{len(words) - 9} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
