"""Every client that is to be balanced is a server of the balancer.

What it examines
    The clients with the role ``balanced`` (the default), and whether a server line of some balancer has the address of
    each; a ``disabled`` server counts. A server with ``weight 0`` gets no new users, and a ``backup`` server none while
    another one is up: where a client has no other server, that is told.
Why it matters
    A client that the balancer does not know gets no request: its machine idles while the others are too few, and
    nobody notices until one of those fails.
What it does not prove
    That requests really arrive there: the running HAProxy may have taken it out, see zcheck haproxy status.
How to repair it
    Add a server line, or give the client the role ``candidate`` (not yet balanced) or ``worker`` (never).

>>> text = '''backend zope
...  server app1 10.0.0.1:8080 check
...  server app2 10.0.0.2:8080 check disabled
... '''
>>> show(every_client_is_balanced, haproxy_conf(text), app1=[], app2=[])
OK
>>> show(every_client_is_balanced, haproxy_conf(text), app1=[], app2=[], app3=[])
WARNING app3: app3 (10.0.0.3:8080) is no server of backend zope
>>> show(every_client_is_balanced, haproxy_conf(text.replace("10.0.0.2", "www2")), app1=[], app2=[])
UNKNOWN app2: whether app2 (10.0.0.2:8080) is server app2 (www2:8080) of backend zope cannot be told
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Balancers, Client, Facts, HaproxySection, HaproxyServer, Names
from zcheck.facts.balancer_servers import server_name
from zcheck.rules.haproxy import balancing, leads_to, place, titled, unread


@check(
    "every-client-is-balanced",
    stage="balancer",
    needs=[Balancers],
    uses=[Names],
    severity=Severity.WARNING,
)
def every_client_is_balanced(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a client that no server is; what cannot be told is told with the servers that it may be."""
    yield from unread(facts)
    servers = [(section, server) for _, section in balancing(facts) for server in section.servers]
    for client in (facts.inventory.client(name) for name in facts.clients):
        if client.role != "balanced":
            yield Skipped((client.name,), f"its role is {client.role}")
            continue
        own = [one for one in servers if client.name in leads_to(one[1], facts).clients]
        if any(not (server.is_weightless or server.is_backup) for _, server in own):
            continue
        # One with its name first: a variable may stand for every client's address.
        possible = [one for one in servers if client.name in leads_to(one[1], facts).possible]
        possible.sort(key=lambda one: one[1].name != server_name(client))
        if own:
            yield _not_used(client, *own[0])
        else:
            yield _unknown(client, *possible[0]) if possible else _missing(facts, client, servers)


def _unknown(client: Client, section: HaproxySection, server: HaproxyServer) -> Unknown:
    what = f"server {server.name} ({server.address}) of {titled(section)}"
    message = f"whether {client.name} ({client.address}) is {what} cannot be told"
    hint = "write the address into clients.ini as haproxy.cfg has it, or its name into [hosts]"
    if server.line.unresolved:
        hint = "write the address itself, or set the variable by a setenv line in the global section"
    elif server.port is None:
        hint = f"write its port: server {server.name} {server.address}:{client.address.port}"
    return Unknown((client.name,), message, (place(server.line),), hint)


def _not_used(client: Client, section: HaproxySection, server: HaproxyServer) -> Problem:
    what = f"server {server.name} of {titled(section)}"
    if server.is_weightless:
        message = f"{client.name} gets no new users: {what} has weight 0"
        hint = "write a weight above 0, or none"
    else:
        message = f"{client.name} gets no users while another client is up: {what} is a backup"
        hint = "remove backup from the line"
    hint += f"; or give {client.name} the role candidate"
    return Problem((client.name,), message, (place(server.line),), hint)


def _missing(facts: Facts, client: Client, servers: list[tuple[HaproxySection, HaproxyServer]]) -> Problem:
    sections = list(dict.fromkeys(titled(section) for section, _ in servers))
    sections = sections or [titled(section) for _, section in balancing(facts)]
    where = " or ".join(sections) or "the balancer"
    message = f"{client.name} ({client.address}) is no server of {where}"
    ini = Place.in_ini(facts.inventory.file, client.section, "address")
    name = server_name(client)
    same = next((server for _, server in servers if server.name == name and not server.is_template), None)
    if same is not None:
        leads = leads_to(same, facts).clients
        message += f": server {name} leads to {leads[0] if leads else same.address}"
        hint = f"write server {name} {client.address} in line {same.line.line}, and leave its options as they are"
        return Problem((client.name,), message, (place(same.line), ini), hint)
    cookie = f" cookie {name}" if any(one.cookie is not None for _, one in servers) else ""
    hint = f"add: server {name} {client.address} check{cookie} disabled"
    heads = tuple(place(section.head) for _, section in balancing(facts))[:1]
    return Problem((client.name,), message, (ini, *heads), hint)
