"""Every client has an address of its own.

What it examines
    ``address`` of each ``[client:NAME]``, and where zcheck itself connects (``connect``, else the address). Two
    spellings of one machine are one: a name and its address, by ``[hosts]`` or DNS, and all names of the machine on
    which zcheck runs.  127.0.0.2 and 127.0.0.3 are addresses of their own, as 127.0.0.1 is.
Why it matters
    Two entries for one process look like two clients that agree in everything: each proof would be a proof of a client
    against itself, and the balancer would send twice the users to one process.
What it does not prove
    That two addresses are two processes (a port forward can join them): see clients-are-distinct-processes.
How to repair it
    Correct the address that was copied, or remove the section that is one too many.

>>> ini = '''[client:app1]
... address = app1.example.com:8080
... [client:app2]
... address = %s
... [hosts]
... app1.example.com = 192.0.2.11
... '''
>>> show(client_addresses_are_distinct, inventory(ini % "192.0.2.12:8080"), Names())
OK
>>> show(client_addresses_are_distinct, inventory(ini % "192.0.2.11:8080"), Names())
CRITICAL app1, app2: app1 and app2 have one address: app1.example.com:8080 and 192.0.2.11:8080
>>> show(client_addresses_are_distinct, inventory(ini % "app2.example.com:8080"), Names())
UNKNOWN app2: nothing tells what app2.example.com is: app2 may have the address of another client
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Unknown, check
from zcheck.facts import Client, Facts, Inventory, Names
from zcheck.rules.inventory import address_lines, addresses_of, dialled_lines, is_known, listed, names_of, to_be_known


@check("client-addresses-are-distinct", stage="inventory", severity=Severity.CRITICAL, uses=[Names])
def client_addresses_are_distinct(facts: Facts) -> Iterator[Problem | Unknown]:
    inventory, names = facts.inventory, facts.maybe(Names)
    one_address = _sharing(inventory, names, "address")
    for group in one_address:
        clients = [inventory.client(name) for name in group]
        message = f"{listed(group)} have one address: {listed(dict.fromkeys(str(c.address) for c in clients))}"
        hint = "correct the address that was copied, or remove one of the sections"
        yield Problem(group, message, address_lines(inventory, clients), hint, about="address")
    for group in _sharing(inventory, names, "dialled"):
        if group not in one_address:
            clients = [inventory.client(name) for name in group]
            spelt = listed(dict.fromkeys(str(client.dialled) for client in clients))
            message = f"zcheck would reach {listed(group)} by one address: {spelt}"
            places = dialled_lines(inventory, clients)
            yield Problem(group, message, places, "give each its own 'connect'", about="connect")
    yield from _undecided(inventory, names)


def _sharing(inventory: Inventory, names: Names | None, which: str) -> list[tuple[str, ...]]:
    """The groups of clients that have a place and port in common."""
    by_place: dict[tuple[str, int], list[str]] = {}
    for client in inventory.clients:
        address = getattr(client, which)
        for place in addresses_of(address.host, inventory, names):
            by_place.setdefault((place, address.port), []).append(client.name)
    return list(dict.fromkeys(tuple(clients) for clients in by_place.values() if len(clients) > 1))


def _undecided(inventory: Inventory, names: Names | None) -> Iterator[Unknown]:
    """A name that nothing knows, where another client of the same port is known by its address.

    Names that nothing knows are taken for different machines when they differ: who writes names alone, offline, has
    given no reason to think otherwise.
    """
    by_port: dict[int, list[Client]] = {}
    for client in inventory.clients:
        by_port.setdefault(client.address.port, []).append(client)
    nameless = []
    for clients in by_port.values():
        unknown = [client for client in clients if not is_known(client.address.host, inventory, names)]
        nameless += unknown if len(unknown) < len(clients) else []
    if nameless:
        hosts = list(dict.fromkeys(client.address.host for client in nameless))
        verb = "is" if len(hosts) == 1 else "are"
        message = f"nothing tells what {listed(hosts)} {verb}: {listed(names_of(nameless))} may have the address of"
        hint = to_be_known(hosts[0], names)
        places = address_lines(inventory, nameless)
        yield Unknown(names_of(nameless), f"{message} another client", places, hint)
