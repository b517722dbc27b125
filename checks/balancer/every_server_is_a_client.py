"""Every server that the balancer may use is a client of clients.ini.

What it examines
    The ``server`` and ``server-template`` lines of the backend that clients.ini names, by their addresses, as the
    balancer's machine reads them; without ``backend`` those of every backend that has a client among its servers. A
    server that is ``disabled`` is none that anybody is sent to, and no finding; of a ``backup`` server that is no
    client, such as a page that says sorry, there is a word only.
    The servers of other backends to which the same frontends send users (``use_backend``, ``default_backend``) are
    looked at as well: whether one that is no client serves this Zope cannot be determined, and is UNKNOWN. Where a
    rule makes the backend's name from the request, it may be any backend.
Why it matters
    A server that stands in no clients.ini was not verified: it may live on another database, and part of the users
    would edit there. A client of the role ``worker`` in the balancer gets requests that it is not meant for.
What it does not prove
    That the running HAProxy has read this file: see zcheck haproxy verify.
How to repair it
    Write the client into clients.ini with the address that the balancer uses, or take the server out of haproxy.cfg.
    A backend that serves something else is named in clients.ini: ``other-backends = static volto``.

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
from zcheck.facts import Balancers, Client, Facts, HaproxyConf, HaproxySection, HaproxyServer, Names
from zcheck.facts.balancer_servers import server_name
from zcheck.rules.haproxy import (
    Beside,
    Leads,
    balancing,
    beside,
    concerned,
    confs,
    leads_to,
    ours,
    place,
    ports_of,
    titled,
    unread,
)


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
    for conf, section in balancing(facts):
        for server in section.servers:
            leads = leads_to(server, facts)
            if server.disabled:
                continue
            for name in leads.clients:
                yield from _may_be_balanced(facts, section, server, facts.inventory.client(name))
            if leads.strange:
                yield _stranger(facts, conf, section, server, leads)
            elif leads.possible and not leads.clients:
                yield _cannot_tell(facts, section, server, leads.possible)
            elif leads.clients:
                yield from _of_another_name(facts, section, server, leads.clients)
    for conf in confs(facts):
        yield from _beside(facts, beside(facts, conf))


def _other_services(facts: Facts) -> Iterator[Note]:
    for conf in confs(facts):
        reached = {one.section.name for one in beside(facts, conf)}
        others = [one for one in conf.balancing if one not in ours(facts, conf) and one.name not in reached]
        if others:
            names = ", ".join(section.name for section in others)
            message = f"not judged, since no client of clients.ini is a server of it: {names}"
            yield Note(facts.clients, message, tuple(place(section.head) for section in others))


def _beside(facts: Facts, found: tuple[Beside, ...]) -> Iterator[Unknown]:
    """One finding a frontend, with all backends that it sends users to and of which it is not known what they are."""
    by_frontend: dict[str, list[tuple[Beside, list[HaproxyServer]]]] = {}
    for one in found:
        strange = [server for server in one.section.servers if not _is_known(server, facts)]
        if strange:
            by_frontend.setdefault(one.frontend.name, []).append((one, strange))
    for name, several in by_frontend.items():
        backends = list(dict.fromkeys(one.section.name for one, _ in several))
        first, servers = several[0]
        told = f"server {servers[0].name} ({servers[0].address}) of {titled(first.section)}"
        how = "sends users" if first.is_sure else "may send users, by a name that it makes from the request,"
        more = f" (and to {', '.join(backends[1:])})" if backends[1:] else ""
        message = f"{titled(first.frontend)} {how} to {told} as well{more}, which is no client of clients.ini"
        hint = f"write [client:{servers[0].name}] with address = {servers[0].address} where it is a client, and verify "
        hint += f"it; where it serves something else, write other-backends = {' '.join(backends)} beside backend"
        lines = [place(one.line) for one, _ in several]
        places = (*lines, *(place(server.line) for _, found in several for server in found))
        yield Unknown(facts.clients, message, places, hint, about=f"{name}: {' '.join(backends)}")


def _is_known(server: HaproxyServer, facts: Facts) -> bool:
    """Whether it leads to clients alone, or nobody is sent there."""
    leads = leads_to(server, facts)
    return server.disabled or server.is_backup or (bool(leads.clients) and not leads.strange)


def _of_another_name(
    facts: Facts, section: HaproxySection, server: HaproxyServer, clients: tuple[str, ...]
) -> Iterator[Problem]:
    """A server that has one client's name and another one's address, though each has a server."""
    named = next((one for one in facts.inventory.clients if server_name(one) == server.name), None)
    if named is None or named.name in clients or server.is_template:
        return
    others = (other for _, one in balancing(facts) for other in one.servers if other is not server)
    if not any(named.name in leads_to(other, facts).clients for other in others):
        return  # every-client-is-balanced tells it with the client that gets no users.
    message = f"server {server.name} of {titled(section)} leads to {clients[0]}, and client {named.name} is at "
    places = (place(server.line), Place.in_ini(facts.inventory.file, named.section, "address"))
    hint = f"write server {server.name} {named.address} in line {server.line.line}, or another name for the server"
    about = f"{section.name}/{server.name}: name"
    yield Problem((named.name, *clients), message + str(named.address), places, hint, about, Severity.WARNING)


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
        if server.port is None:
            hint = f"write its port: server {server.name} {server.address}:PORT"
    return Unknown(
        _together(facts, section, possible), message, (place(server.line),), hint, about=f"{section.name}/{server.name}"
    )


def _stranger(facts: Facts, conf: HaproxyConf, section: HaproxySection, server: HaproxyServer, leads: Leads) -> Problem:
    places = [place(server.line)]
    by_name = {server_name(client): client for client in facts.inventory.clients}
    named = by_name.get(server.name)
    clients = _together(facts, section, (named.name,) if named is not None else ())
    verified = f"write [client:{server.name}] with address = {leads.strange[0]} and verify it"
    hint = f"{verified}, or remove 'server {server.name}'"
    if server.shift is not None and leads.strange[0] == server.address:
        hint = f"write its port: server {server.name} {server.address.partition(':')[0]}:PORT"
    if server.shift is not None:
        ports = ", ".join(str(port + server.shift) for port in ports_of(conf, section)) or "that of the frontend"
        message = f"server {server.name} ({server.address}) of {titled(section)} has no port of its own: HAProxy "
        message += f"connects to the port by which the user came ({ports}), where no client is"
        near = named or next((one for one in facts.inventory.clients if one.address.host == server.host), None)
        if near is not None:
            hint = f"write server {server.name} {near.address}"
    elif named is not None and not server.is_template:
        message = f"server {server.name} of {titled(section)} is at {server.address}; client {named.name} is at "
        message += str(named.address)
        places.append(Place.in_ini(facts.inventory.file, named.section, "address"))
        hint = f"write server {server.name} {named.address}, or verify what is there as a client of its own"
    else:
        where = server.address if leads.strange[0] == server.address else f"{server.address}: {leads.strange[0]}"
        message = f"server {server.name} ({where}) of {titled(section)} is no client of clients.ini"
    severity = None
    if server.is_backup:
        message += "; it is a backup, and users get it while every other server is down"
        hint = f"where it is a Zope, write [client:{server.name}] with address = {leads.strange[0]} and verify it"
        served = {client.address.port for client in facts.inventory.clients}
        severity = Severity.WARNING if server.port in served else Severity.ADVICE
    return Problem(clients, message, tuple(places), hint, f"{section.name}/{server.name}", severity)


def _together(facts: Facts, section: HaproxySection, besides: tuple[str, ...]) -> tuple[str, ...]:
    """The clients that the section balances, and those that come into question besides."""
    return tuple(name for name in facts.clients if name in {*concerned(facts, section), *besides})
