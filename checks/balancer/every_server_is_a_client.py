"""Every server that the balancer may use is a client of clients.ini.

What it examines
    The ``server`` and ``server-template`` lines of the backend that clients.ini names, by their addresses, as the
    balancer's machine reads them; without ``backend`` those of every backend that has a client among its servers. A
    server that is ``disabled`` is none that anybody is sent to, and no finding.
Why it matters
    A server that stands in no clients.ini was not verified: it may live on another database, and part of the users
    would edit there. A client of the role ``worker`` in the balancer gets requests that it is not meant for.
What it does not prove
    That the running HAProxy has read this file: see zcheck haproxy verify.
How to repair it
    Write the client into clients.ini with the address that the balancer uses, or take the server out of haproxy.cfg.

>>> text = '''backend zope
...  server app1 10.0.0.1:8080 check
...  server app2 10.0.0.2:8080 check
... '''
>>> show(every_server_is_a_client, haproxy_conf(text), app1=[], app2=[])
OK
>>> show(every_server_is_a_client, haproxy_conf(text.replace("10.0.0.2", "10.0.0.9")), app1=[], app2=[])
CRITICAL app1, app2: server app2 of backend zope is at 10.0.0.9:8080; client app2 is at 10.0.0.2:8080
>>> show(every_server_is_a_client, haproxy_conf(text.replace("10.0.0.2", "www2")), app1=[], app2=[])
UNKNOWN app1, app2: whether server app2 (www2:8080) of backend zope is app1 or app2 cannot be told
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Balancers, Client, Facts, HaproxySection, HaproxyServer, Names
from zcheck.facts.balancer_servers import server_name
from zcheck.rules.haproxy import balancing, client_of, concerned, confs, ours, place, titled, unread


@check(
    "every-server-is-a-client",
    stage="balancer",
    needs=[Balancers],
    uses=[Names],
    severity=Severity.CRITICAL,
)
def every_server_is_a_client(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """One finding a server that nobody has verified."""
    yield from unread(facts)
    yield from _other_services(facts)
    for _, section in balancing(facts):
        for server in section.servers:
            sure, possible = client_of(server, facts)
            if server.disabled:
                continue
            if sure is not None:
                yield from _may_be_balanced(facts, section, server, facts.inventory.client(sure))
            elif possible:
                yield _cannot_tell(facts, section, server, possible)
            else:
                yield _stranger(facts, section, server)


def _other_services(facts: Facts) -> Iterator[Note]:
    for conf in confs(facts):
        others = [section for section in conf.balancing if section not in ours(facts, conf)]
        if others:
            names = ", ".join(section.name for section in others)
            message = f"not judged, since no client of clients.ini is a server of it: {names}"
            yield Note(facts.clients, message, tuple(place(section.head) for section in others))


def _may_be_balanced(facts: Facts, section: HaproxySection, server: HaproxyServer, client: Client) -> Iterator[Problem]:
    if client.role == "worker":
        message = f"server {server.name} of {titled(section)} is {client.name}, a worker, which no balancer may use"
        ini = Place.in_ini(facts.inventory.file, client.section, "role")
        hint = f"remove the line of server {server.name}, or give {client.name} the role balanced"
        yield Problem((client.name,), message, (place(server.line), ini), hint, about=f"{section.name}/{server.name}")


def _cannot_tell(facts: Facts, section: HaproxySection, server: HaproxyServer, possible: tuple[str, ...]) -> Unknown:
    told = " or ".join(possible) if len(possible) < 4 else f"one of {len(possible)} clients"
    what = f"server {server.name} ({server.address})"
    message = f"whether {what} of {titled(section)} is {told} cannot be told"
    if server.line.unresolved:
        hint = "write the address itself, or set the variable by a setenv line in the global section"
    else:
        hint = f"write the address into clients.ini as haproxy.cfg has it, or {server.host or 'its name'} into [hosts]"
    return Unknown(
        _together(facts, section, possible), message, (place(server.line),), hint, about=f"{section.name}/{server.name}"
    )


def _stranger(facts: Facts, section: HaproxySection, server: HaproxyServer) -> Problem:
    places = [place(server.line)]
    by_name = {server_name(client): client for client in facts.inventory.clients}
    named = by_name.get(server.name)
    clients = _together(facts, section, (named.name,) if named is not None else ())
    if named is not None:
        message = f"server {server.name} of {titled(section)} is at {server.address}; client {named.name} is at "
        message += str(named.address)
        places.append(Place.in_ini(facts.inventory.file, named.section, "address"))
    else:
        message = f"server {server.name} ({server.address}) of {titled(section)} is no client of clients.ini"
    hint = f"write [client:{server.name}] with address = {server.address} and verify it, or remove the server"
    return Problem(clients, message, tuple(places), hint, about=f"{section.name}/{server.name}")


def _together(facts: Facts, section: HaproxySection, besides: tuple[str, ...]) -> tuple[str, ...]:
    """The clients that the section balances, and those that come into question besides."""
    return tuple(name for name in facts.clients if name in {*concerned(facts, section), *besides})
