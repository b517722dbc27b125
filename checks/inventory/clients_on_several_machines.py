"""The clients to be balanced run on several machines.

What it examines
    ``machine`` of each ``[client:NAME]``, by default the host of its ``address``; names are the same machine when
    ``[hosts]`` or DNS gives them a common address. Workers are left out.
Why it matters
    A balancer in front of one machine survives the crash of a process, not of the machine: its power, its disk and its
    kernel are shared by all.
What it does not prove
    That the machines share nothing else: two virtual machines can stand on one host.
How to repair it
    Move a client to another machine, or live with it: this is advice and does not change the verdict.

>>> ini = '''[client:app1]
... address = app1.example.com:8080
... [client:app2]
... address = %s
... [hosts]
... app1.example.com = 192.0.2.11
... '''
>>> show(clients_on_several_machines, inventory(ini % "192.0.2.12:8080"), Names())
OK
>>> show(clients_on_several_machines, inventory(ini % "192.0.2.11:8081"), Names())
ADVICE app1, app2: app1 and app2 run on one machine, app1.example.com: when it stops, the site stops
>>> show(clients_on_several_machines, inventory(ini % "app2.example.com:8080"), Names())
UNKNOWN app2: nothing tells what app2.example.com is: all clients may run on one machine
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Unknown, check
from zcheck.facts import Client, Facts, Inventory, Names
from zcheck.rules.inventory import address_lines, balanceable, is_known, listed, names_of, places_of, to_be_known


@check(
    "clients-on-several-machines",
    stage="inventory",
    severity=Severity.ADVICE,
    uses=[Names],
    after=["at-least-two-clients"],
)
def clients_on_several_machines(facts: Facts) -> Iterator[Problem | Unknown]:
    inventory, names = facts.inventory, facts.maybe(Names)
    clients = balanceable(inventory)
    known: list[Client] = []
    nameless: list[Client] = []
    for client in clients:
        (known if is_known(client.machine, inventory, names) else nameless).append(client)
    unknown_names = dict.fromkeys(client.machine.rstrip(".").lower() for client in nameless)
    if _machines(known, inventory, names) + len(unknown_names) == 1:
        message = f"{listed(names_of(clients))} run on one machine, {clients[0].machine}: when it stops, the site stops"
        hint = "move one to another machine: its address, and in its zope.conf a 'server' line that is not localhost"
        yield Problem(names_of(clients), message, address_lines(inventory, clients), hint)
    elif len(unknown_names) == 1 and _machines(known, inventory, names) == 1:
        host = nameless[0].machine
        message = f"nothing tells what {host} is: all clients may run on one machine"
        hint = to_be_known(host, names)
        yield Unknown(names_of(nameless), message, address_lines(inventory, nameless), hint)


def _machines(clients: list[Client], inventory: Inventory, names: Names | None) -> int:
    """How many machines these are: those that have an address in common are one."""
    by_place: dict[str, frozenset[str]] = {}
    for host in dict.fromkeys(client.machine for client in clients):
        places = places_of(host, inventory, names)
        joined = places.union(*(by_place[place] for place in places if place in by_place))
        by_place.update(dict.fromkeys(joined, joined))
    return len(set(by_place.values()))
