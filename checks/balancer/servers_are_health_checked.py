"""HAProxy asks every server whether it is well.

What it examines
    Whether each server line has ``check`` (or ``track``), itself or from ``default-server``, and whether the check asks
    for something: ``option httpchk``, or ``tcp-check`` rules that expect an answer.
Why it matters
    Without ``check`` a client that died stays in rotation, and its share of the requests fails. A check that merely
    connects is passed by a client that hangs: the socket accepts connections as long as the process lives.
What it does not prove
    That a healthy answer means a healthy client: pages come from its cache while ZEO is away.
How to repair it
    ``option httpchk`` with ``http-check send meth GET uri /ok`` and ``default-server check inter 2s fall 3 rise 2``.

>>> text = '''backend zope
...  option httpchk
...  http-check send meth GET uri /ok
...  server app1 10.0.0.1:8080 check
...  server app2 10.0.0.2:8080 check
... '''
>>> show(servers_are_health_checked, haproxy_conf(text), app1=[], app2=[])
OK
>>> show(servers_are_health_checked, haproxy_conf(text.replace("0.2:8080 check", "0.2:8080")), app1=[], app2=[])
WARNING app2: server app2 of backend zope is not checked
>>> show(servers_are_health_checked, (Balancers, NotGathered("ssh: timed out after 5 s")), app1=[], app2=[])
UNKNOWN app1, app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import Balancers, Facts, HaproxySection, HaproxyServer, Names
from zcheck.rules.haproxy import balancing, client_of, concerned, expects_nothing, place, titled, unread


@check("servers-are-health-checked", stage="balancer", needs=[Balancers], uses=[Names], severity=Severity.WARNING)
def servers_are_health_checked(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding for all servers of a backend that are not checked, one for a backend whose check only connects."""
    yield from unread(facts)
    connecting = []
    for _, section in balancing(facts):
        checked = [server for server in section.servers if "check" in server.options or "track" in server.options]
        unchecked = [server for server in section.servers if server not in checked]
        if unchecked:
            yield _unchecked(facts, section, unchecked)
        if checked and expects_nothing(section):
            connecting.append(section)
    if connecting:
        yield _only_connects(facts, connecting)


def _only_connects(facts: Facts, sections: Sequence[HaproxySection]) -> Problem:
    names = ", ".join(section.name for section in sections)
    clients = {client for section in sections for client in concerned(facts, section)}
    message = f"the health check of {sections[0].kind} {names} only connects: a client that hangs stays in rotation"
    hint = "write option httpchk, and http-check send meth GET uri /ok"
    served = tuple(name for name in facts.clients if name in clients)
    return Problem(served, message, tuple(place(section.head) for section in sections), hint, about=names)


def _unchecked(facts: Facts, section: HaproxySection, servers: Sequence[HaproxyServer]) -> Problem:
    names = ", ".join(server.name for server in servers)
    known = {client_of(server, facts)[0] for server in servers}
    clients = tuple(name for name in facts.clients if name in known) or concerned(facts, section)
    what = f"server {names}" if len(servers) == 1 else f"servers {names}"
    message = f"{what} of {titled(section)} {'is' if len(servers) == 1 else 'are'} not checked"
    places = tuple(place(server.line) for server in servers)
    return Problem(clients, message, places, "add check to the server lines", about=f"{section.name}/{names}")
