"""Which clients run on one machine, and so have one disk in common."""

from __future__ import annotations

from zcheck.facts import Client, Facts, Names, ZopeConf
from zcheck.facts.addresses import locate


def machines(facts: Facts) -> dict[str, str]:
    """For each client the machine that it shares with others, by one name for each machine.

    A client with ``listens`` is behind a container's or a NAT's published port: unless clients.ini names its machine,
    its files are its own.  A machine whose name nothing knows is a machine of its own by that name.
    """
    return facts.once(_machines)


def _machines(facts: Facts) -> dict[str, str]:
    by_place: dict[str, str] = {}
    found = {}
    for client in facts.inventory.clients:
        if _is_contained(client):
            found[client.name] = f"{client.machine} (container {client.name})"
            continue
        places = locate(client.machine, facts.inventory, facts.maybe(Names)) or {client.machine.lower()}
        known = next((by_place[place] for place in sorted(places) if place in by_place), client.machine)
        by_place.update(dict.fromkeys(places, known))
        found[client.name] = known
    return found


def neighbours(facts: Facts) -> dict[str, list[str]]:
    """By machine, the clients whose zope.conf is to be judged; machines with one alone are left out."""
    found: dict[str, list[str]] = {}
    where = machines(facts)
    for client in facts.each(ZopeConf):
        found.setdefault(where[client], []).append(client)
    return {machine: clients for machine, clients in found.items() if len(clients) > 1}


def _is_contained(client: Client) -> bool:
    return client.listens is not None and "machine" not in client.section.lines
