"""Which server of a balancer is which client: the one rule, for checks, gate, export, render and the drawing.  Pure.

A server is a client when its address is the client's ``address``, as the balancer's machine understands both.  Its name
proves nothing: the right name with another address is another process.  Where a client has several servers, the one
with its ``balancer-server`` (else its own) name is its first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from zcheck.facts.addresses import is_loopback, same_address
from zcheck.facts.inventory import Client, Inventory, Names

Server = TypeVar("Server")


def server_name(client: Client) -> str:
    """The client's name in the balancer."""
    return client.balancer_server or client.name


class Match(msgspec.Struct, frozen=True):
    """The client that an address leads to; where none is sure, those that it may lead to."""

    client: str | None = None
    possible: tuple[str, ...] = ()


class Matcher:
    """The clients of one inventory, by their addresses."""

    def __init__(self, inventory: Inventory, names: Names | None = None) -> None:
        self.inventory = inventory
        self.names = names
        self._as_written: dict[tuple[str, int], str] = {}
        self._by_port: dict[int, list[Client]] = {}
        for client in inventory.clients:
            key = (_plain(client.address.host), client.address.port)
            self._as_written.setdefault(key, client.name)
            self._by_port.setdefault(client.address.port, []).append(client)

    def client_at(self, host: str, port: int | None) -> Match:
        """The client at this address; ``port`` is None where it is not known.

        ``host`` is empty where there is none that a client could have: a unix socket, a descriptor.
        """
        written = self._as_written.get((_plain(host), port)) if port is not None else None
        if written is not None:
            return Match(written)
        near = self.inventory.clients if port is None else self._by_port.get(port, [])
        answers = {client.name: is_at(host, port, client, self.inventory, self.names) for client in near}
        sure = next((name for name, answer in answers.items() if answer), None)
        return Match(sure, () if sure else tuple(name for name, answer in answers.items() if answer is None))

    def servers_of(
        self, servers: Iterable[Server], client_of: Callable[[Server], Match], name_of: Callable[[Server], str]
    ) -> dict[str, list[Server]]:
        """By client the servers that lead to it, first the one that has its name in the balancer."""
        found: dict[str, list[Server]] = {}
        for server in servers:
            name = client_of(server).client
            if name is not None:
                found.setdefault(name, []).append(server)
        for name, several in found.items():
            wanted = server_name(self.inventory.client(name))
            several.sort(key=lambda server: name_of(server) != wanted)
        return found


def is_at(host: str, port: int | None, client: Client, inventory: Inventory, names: Names | None) -> bool | None:
    """Whether a server at this address is the client; None where that cannot be determined.

    A loopback address means the balancer's machine, in a balancer's file as in the client's ``address``, and which
    machine that is stands nowhere: it is neither known to be a client's public address nor known not to be.
    """
    if not host or (port is not None and port != client.address.port):
        return False
    if is_loopback(host) != is_loopback(client.address.host):
        return None
    same = same_address(host, client.address.host, inventory, names)
    return None if port is None and same else same


def _plain(host: str) -> str:
    return host.rstrip(".").lower()
