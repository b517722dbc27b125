"""Every client that is to be balanced is a server of the balancer.

What it examines
    The clients with the role ``balanced`` (the default), and whether a server line of some balancer has the address of
    each; a ``disabled`` server counts.
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
from zcheck.rules.haproxy import balancing, match_of, place, titled, unread


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
    sections = [section for _, section in balancing(facts)]
    for client in (facts.inventory.client(name) for name in facts.clients):
        if client.role != "balanced":
            yield Skipped((client.name,), f"its role is {client.role}")
            continue
        answers = [(section, server, match_of(server, facts)) for section in sections for server in section.servers]
        if any(match.client == client.name for _, _, match in answers):
            continue
        possible = [(section, server) for section, server, match in answers if client.name in match.possible]
        yield _unknown(client, *possible[0]) if possible else _missing(facts, client, sections)


def _unknown(client: Client, section: HaproxySection, server: HaproxyServer) -> Unknown:
    what = f"server {server.name} ({server.address}) of {titled(section)}"
    message = f"whether {client.name} ({client.address}) is {what} cannot be told"
    hint = "write the address into clients.ini as haproxy.cfg has it, or its name into [hosts]"
    return Unknown((client.name,), message, (place(server.line),), hint)


def _missing(facts: Facts, client: Client, sections: list[HaproxySection]) -> Problem:
    where = " or ".join(titled(section) for section in sections) or "the balancer"
    message = f"{client.name} ({client.address}) is no server of {where}"
    hint = f"add: server {server_name(client)} {client.address} check disabled"
    places = (*(place(section.head) for section in sections[:1]),)
    ini = Place.in_ini(facts.inventory.file, client.section, "address")
    return Problem((client.name,), message, (ini, *places), hint)
