"""The names of the ZEO servers mean the same on every client's machine.

What it examines
    Each name in a ``server`` line of a client's zope.conf, as that client's own machine resolves it (``via`` in
    clients.ini, or ``zcheck gather`` there): by its /etc/hosts, its DNS and whatever else it is set up with. Names are
    alike where they have an address in common; a loopback address means the machine that says so.
Why it matters
    Two clients with the same zope.conf are on two servers when a name has another address on one machine: a forgotten
    line in /etc/hosts, a restored image, a DNS server of another network. Both accept edits, neither sees the other's.
What it does not prove
    That one server answers at these addresses, or that two addresses are two servers: see every-database-is-one and
    edits-are-seen-everywhere. A name that means nothing on a machine: see client-is-connected-to-zeo.
How to repair it
    Give the name the same address on every machine, and restart the clients that had another one.

>>> from zcheck.testing.examples import seen_there, server_there
>>> def at(addresses): return seen_there("zope=6.3", servers=(server_there("zeo1:8100", addresses),))
>>> show(names_resolve_alike, app1=at("10.0.0.5"), app2=at("10.0.0.5 2001:db8::5"))
OK
>>> show(names_resolve_alike, app1=at("10.0.0.5"), app2=at("10.0.0.6"), app3=at("10.0.0.5"))
WARNING app1, app2, app3: zeo1 is 10.0.0.6 on app2's machine; 10.0.0.5 on that of app1, app3
>>> show(names_resolve_alike, app1=at("10.0.0.5"), app2=seen_there(why_no_peers="via: no answer within 15 s"))
UNKNOWN app2: via: no answer within 15 s
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Names, SeenThere, addresses
from zcheck.rules.machines import alone, groups, unknown


class Resolved(msgspec.Struct, frozen=True):
    """What one name means on one client's machine."""

    addresses: frozenset[str]
    own: frozenset[str]
    """The addresses of that machine itself."""
    machine: str
    place: Place
    is_inside: bool
    """Surely what the client itself makes of it: around a container a name may mean something else."""

    @property
    def is_itself(self) -> bool:
        return any(map(addresses.is_loopback, self.addresses))


@check(
    "names-resolve-alike",
    stage="identity",
    needs=[SeenThere],
    uses=[Names],
    severity=Severity.WARNING,
    after=["zope-conf-parses"],
)
def names_resolve_alike(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """One finding a name, with all sides."""
    yield from unknown(facts, lambda seen: seen.why_no_peers)
    resolved = _resolved(facts)
    examined = {client for by_client in resolved.values() for client in by_client}
    unnamed = [c for c, seen in facts.each(SeenThere).items() if c not in examined and not seen.why_no_peers]
    lost = [c for c in unnamed if any(s.outcome == "no-such-name" for s in facts.each(SeenThere)[c].servers)]
    yield Skipped(tuple(lost), "client-is-connected-to-zeo")
    yield Skipped(tuple(c for c in unnamed if c not in lost), "nothing to examine: its server lines hold no name")
    yield from alone(examined)
    for name, by_client in resolved.items():
        sides = groups(by_client, partial(_alike, facts, by_client))
        if len(sides) > 1:
            yield _problem(name, by_client, sorted(sides, key=len), facts.clients)
        elif sides:
            yield from _here(facts, name, by_client)


def _resolved(facts: Facts) -> dict[str, dict[str, Resolved]]:
    """By name and client."""
    found: dict[str, dict[str, Resolved]] = {}
    inventory = facts.inventory
    for client, seen in facts.each(SeenThere).items():
        machine = inventory.client(client).machine
        own = frozenset(seen.addresses) | addresses.locate(machine, inventory, facts.maybe(Names)) - {addresses.HERE}
        for server in seen.servers:
            for end in addresses.endpoints([server.server], inventory.client(client)):
                if server.addresses and not end.is_local and not addresses.is_literal(end.host):
                    place = Place(server.file, server.line, f"server {server.server}", client)
                    answer = Resolved(frozenset(server.addresses), own, machine, place, seen.is_inside)
                    found.setdefault(end.host, {}).setdefault(client, answer)
    return found


def _alike(facts: Facts, by_client: dict[str, Resolved], client: str, another: str) -> bool:
    """Whether both may mean one machine; a machine may know itself by a loopback address."""
    one, other = by_client[client], by_client[another]
    if one.addresses & other.addresses and not (one.is_itself and other.is_itself):
        return True
    if one.is_itself and other.is_itself:
        return addresses.same_machine(one.machine, other.machine, facts.inventory, facts.maybe(Names)) is not False
    return bool((one.is_itself and one.own & other.addresses) or (other.is_itself and other.own & one.addresses))


def _problem(
    name: str, by_client: dict[str, Resolved], sides: list[list[str]], order: tuple[str, ...]
) -> Problem | Unknown:
    said = [
        f"{_listed(by_client[side[0]])} on " + (f"{side[0]}'s machine" if len(side) == 1 else f"that of {_and(side)}")
        for side in sides
    ]
    places = tuple(by_client[side[0]].place for side in sides)
    hint = f"give {name} one address on every machine: see 'getent hosts {name}' there, and /etc/hosts"
    clients = tuple(client for client in order if client in by_client)
    if any(not any(by_client[client].is_inside for client in side) for side in sides):
        doubt = "whether that is what the clients themselves see is not known: their processes were not seen"
        return Unknown(clients, f"{name} is {'; '.join(said)}; {doubt}", places, about=name)
    return Problem(clients, f"{name} is {'; '.join(said)}", places, hint, about=name)


def _and(side: list[str]) -> str:
    return ", ".join(side)


def _listed(one: Resolved) -> str:
    return ", ".join(sorted(one.addresses))


def _here(facts: Facts, name: str, by_client: dict[str, Resolved]) -> Iterator[Note]:
    """Another address where zcheck runs may be another way to the same server, and is worth knowing."""
    names, inventory = facts.maybe(Names), facts.inventory
    here = frozenset(inventory.hosts.get(name) or (names.addresses.get(name, ()) if names is not None else ()))
    first = next(iter(by_client.values()))
    known = here & first.addresses or any(map(addresses.is_loopback, here)) or first.is_itself
    if here and not known and not any(zeo.connect and name in zeo.address for zeo in inventory.zeo_servers):
        message = f"{name} is {', '.join(sorted(here))} for zcheck, and {_listed(first)} for {_and(list(by_client))}"
        yield Note(tuple(by_client), message, (first.place,))
