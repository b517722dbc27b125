"""Each server is given about as many connections as its client has threads.

What it examines
    ``maxconn`` of each server line, against the ``threads`` of the client's zope.ini (or of Zope 2's zope.conf). It
    fires for 1, for fewer than the threads, for more than threads + 4 (``connections-fit-threads`` in ``[zcheck]`` is
    that number), and for no ``maxconn``, which is no limit. Skipped where the threads are not known.
Why it matters
    Requests that wait in HAProxy can go to whichever client is free first, and are dropped when the user has gone.
    Those that wait in Zope's own queue can do neither, and the health check waits behind them. With fewer connections
    than threads some threads never work. Blobs are streamed outside of the publisher's threads, so that with
    ``maxconn 1`` one download blocks a whole client.
What it does not prove
    That the number of threads is right for the machine and the site.
How to repair it
    Set ``maxconn`` to the threads plus one or two, and bound the wait by ``timeout queue``.

>>> text = '''backend zope
...  server app1 10.0.0.1:8080 check maxconn 5
...  server app2 10.0.0.2:8080 check maxconn 5
... '''
>>> four = WsgiConf("zope.ini", threads=4)
>>> show(connections_fit_threads, haproxy_conf(text), app1=four, app2=four)
OK
>>> show(connections_fit_threads, haproxy_conf(text.replace("maxconn 5", "maxconn 2")), app1=four, app2=four)
WARNING app1, app2: maxconn 2 is fewer than the 4 threads of app1 and app2
>>> show(connections_fit_threads, haproxy_conf(text), app1=four, app2=NotGathered("ssh: timed out after 5 s"))
UNKNOWN app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Balancers, Facts, HaproxyServer, Names, Setting, WsgiConf
from zcheck.rules.haproxy import balancing, client_of, place, unread

SLACK = 4
"""Connections beyond the threads that are let pass."""


@check(
    "connections-fit-threads",
    stage="balancer",
    needs=[Balancers, WsgiConf],
    uses=[Names],
    severity=Severity.WARNING,
)
def connections_fit_threads(facts: Facts) -> Iterator[Problem | Skipped | Unknown]:
    """One finding for all servers that are wrong in the same way."""
    yield from unread(facts)
    confs, by_client = facts.each(WsgiConf), _by_client(facts)
    wrong: dict[str, list[tuple[str, HaproxyServer]]] = {}
    for client, conf in confs.items():
        servers = by_client.get(client, [])
        if not servers or conf.threads is None:
            reason = "its number of threads is not known" if servers else "no server of the balancer is known to be it"
            yield Skipped((client,), reason)
            continue
        for server in servers:
            if "$" in server.options.get("maxconn", ""):
                yield _cannot_tell(client, server)
            elif why := _what_is_wrong(server, conf.threads, _slack(facts)):
                wrong.setdefault(why, []).append((client, server))
    for why, found in wrong.items():
        yield _problem(why, found, confs)


def _cannot_tell(client: str, server: HaproxyServer) -> Unknown:
    message = f"maxconn of server {server.name} is taken from a variable that is not known here"
    return Unknown((client,), message, (place(server.line),), "write a number, or set it by a setenv line in global")


def _by_client(facts: Facts) -> dict[str, list[HaproxyServer]]:
    found: dict[str, list[HaproxyServer]] = {}
    for _, section in balancing(facts):
        for server in section.servers:
            client, _ = client_of(server, facts)
            if client is not None:
                found.setdefault(client, []).append(server)
    return found


def _slack(facts: Facts) -> int:
    stated = facts.inventory.options.get("connections-fit-threads", "")
    return int(stated) if stated.isdecimal() else SLACK


def _what_is_wrong(server: HaproxyServer, threads: int, slack: int) -> str:
    """In words, with ``{}`` for the clients; empty where nothing is."""
    maxconn = server.number("maxconn")
    of = f"{threads} thread{'' if threads == 1 else 's'} of {{}}"
    if not maxconn:
        return f"there is no maxconn, so that all requests wait in front of the {of}"
    if maxconn == 1:
        return f"maxconn 1: one download blocks all of {{}}, which have {threads} thread{'' if threads == 1 else 's'}"
    if maxconn < threads:
        return f"maxconn {maxconn} is fewer than the {of}"
    return f"maxconn {maxconn} is more than {slack} above the {of}" if maxconn > threads + slack else ""


def _problem(why: str, found: list[tuple[str, HaproxyServer]], confs: dict[str, WsgiConf]) -> Problem:
    clients = tuple(dict.fromkeys(client for client, _ in found))
    threads = confs[clients[0]].threads or 0
    said = [setting for client in clients if (setting := _threads_line(confs[client])) is not None]
    places = (*(place(server.line) for _, server in found), *(Place.of(setting) for setting in said))
    named = ", ".join(clients[:-1]) + (" and " if clients[:-1] else "") + clients[-1]
    return Problem(clients, why.format(named), places, f"write maxconn {threads + 1} on the server line", about=why)


def _threads_line(conf: WsgiConf) -> Setting | None:
    return conf.first("threads", "zserver-threads")
