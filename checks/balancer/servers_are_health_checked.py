"""HAProxy asks every server whether it is well.

What it examines
    Whether each server line has ``check``, itself or from ``default-server`` or by the server that it ``track``s, and
    whether the check asks for something: ``option httpchk``, or ``tcp-check`` rules that expect an answer. Whether it
    asks the port on which users are served (``port`` and ``addr`` on the line may lead it elsewhere), and whether one
    late answer takes a client out: ``fall 1``, or fewer than 2 s in all.
Why it matters
    Without ``check`` a client that died stays in rotation, and its share of the requests fails. A check that merely
    connects is passed by a client that hangs: the socket accepts connections as long as the process lives. A client
    whose few threads are all busy for a moment answers late: with ``fall 1`` its users are sent to the others, which
    are the busier for it.
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
from zcheck.facts import (
    Balancers,
    Facts,
    HaproxyConf,
    HaproxyLine,
    HaproxySection,
    HaproxyServer,
    Names,
    WsgiConf,
    ZopeConf,
)
from zcheck.facts import Section as ZopeSection
from zcheck.facts.balancer import milliseconds
from zcheck.rules.haproxy import balancing, concerned, expects_nothing, leads_to, place, titled, tracked, unread

FALL, INTER = 3, "2s"
"""HAProxy's own defaults."""

PATIENCE_MS = 2000
"""A client may be late for so long in all before it is taken out."""


@check(
    "servers-are-health-checked",
    stage="balancer",
    needs=[Balancers],
    uses=[Names, WsgiConf, ZopeConf],
    severity=Severity.WARNING,
)
def servers_are_health_checked(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding for all servers of a backend that are not checked, one for a backend whose check only connects."""
    yield from unread(facts)
    connecting: list[HaproxySection] = []
    for conf, section in balancing(facts):
        # A backup server that is no client, such as a page that says sorry, is not what is balanced.
        servers = [one for one in section.servers if not (one.is_backup and not _clients(facts, [one]))]
        by = {id(server): tracked(conf, section, server) for server in servers}
        checked = [server for server in servers if "check" in by[id(server)][1].options]
        unchecked = [server for server in servers if server not in checked]
        if unchecked:
            yield _unchecked(facts, section, unchecked)
        yield from _by_another(facts, section, [(server, by[id(server)][1]) for server in checked])
        own = [server for server in checked if by[id(server)][1] is server]
        yield from _impatient(facts, section, own)
        yield from _elsewhere(facts, conf, section, own)
        for server in checked:
            asking = by[id(server)][0]
            if expects_nothing(asking) and asking not in connecting:
                connecting.append(asking)
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
    message = f"{_named(servers)} of {titled(section)} {'is' if len(servers) == 1 else 'are'} not checked"
    places = tuple(place(server.line) for server in servers)
    clients = _clients(facts, servers) or concerned(facts, section)
    about = f"{section.name}/{', '.join(server.name for server in servers)}"
    return Problem(clients, message, places, "add check to the server lines", about=about)


def _by_another(
    facts: Facts, section: HaproxySection, pairs: Sequence[tuple[HaproxyServer, HaproxyServer]]
) -> Iterator[Problem]:
    """Servers that follow the checks of another client's server: nothing is learnt of their own."""
    for server, asked in pairs:
        own, others = leads_to(server, facts).clients, leads_to(asked, facts).clients
        if server is not asked and own and others and not set(own) & set(others):
            message = f"server {server.name} of {titled(section)} follows the health checks of server {asked.name}, "
            message += f"which is {others[0]}: nothing is learnt of {own[0]}"
            hint = f"write check in place of track {server.options['track']}, or track a server that leads to {own[0]}"
            about = f"{section.name}/{server.name}: track"
            yield Problem(own, message, (place(server.line), place(asked.line)), hint, about=about)


def _impatient(facts: Facts, section: HaproxySection, servers: Sequence[HaproxyServer]) -> Iterator[Problem]:
    """One finding for all servers that are taken out by the same haste."""
    limit = section.last("timeout", "check")
    stated = milliseconds(limit.arguments[1]) if limit is not None and limit.arguments[1:] else None
    found: dict[str, list[HaproxyServer]] = {}
    for server in servers:
        fall = server.number("fall") or FALL
        inter = server.options.get("inter", INTER)
        each = stated or milliseconds(inter)
        if fall == 1:
            found.setdefault("fall 1: one late answer takes", []).append(server)
        elif each is not None and each * fall < PATIENCE_MS:
            why = f"inter {inter} and fall {fall}: an answer that is {each * fall / 1000:g} s late in all takes"
            found.setdefault(why, []).append(server)
    for why, hasty in found.items():
        clients = _clients(facts, hasty) or concerned(facts, section)
        message = f"{_named(hasty)} of {titled(section)} {'has' if len(hasty) == 1 else 'have'} {why} "
        message += _threads(facts, clients) + " out of rotation"
        places = tuple(place(server.line) for server in hasty)
        hint = "write inter 2s fall 3 on the line, and timeout check 5s into the defaults section"
        yield Problem(clients, message, places, hint, about=f"{section.name}: {why}")


def _threads(facts: Facts, clients: Sequence[str]) -> str:
    confs = facts.each(WsgiConf)
    known = {conf.threads for name in clients if (conf := confs.get(name)) is not None}
    few = known.pop() if len(known) == 1 else None
    threads = f" whose {few} thread{'s are' if few != 1 else ' is'} busy" if few else ""
    return ("a client" if len(clients) > 1 else clients[0]) + threads


def _elsewhere(
    facts: Facts, conf: HaproxyConf, section: HaproxySection, servers: Sequence[HaproxyServer]
) -> Iterator[Problem]:
    """Health checks that ask another port or machine than the one on which users are served."""
    found: dict[str, list[tuple[HaproxyServer, HaproxyLine]]] = {}
    for server in servers:
        where, line = _asked(section, server)
        if where and not _listens(facts, server, where):
            found.setdefault(where, []).append((server, line))
    for where, several in found.items():
        asked = [server for server, _ in several]
        clients = _clients(facts, asked) or concerned(facts, section)
        who = ", ".join(clients)
        ports = {str(server.port) for server in asked if server.port is not None}
        message = f"the health check of {_named(asked)} of {titled(section)} asks {where}, where no file says that "
        message += f"{who} listen{'s' if len(clients) == 1 else ''}"
        message += f": nothing is learnt of port {ports.pop()}" if len(ports) == 1 else ""
        places = tuple(place(line) for line in dict.fromkeys(line for _, line in several))
        word = where if where.startswith("port ") else f"addr {where}"
        hint = f"remove {word} from the line, so that the check asks where users are sent"
        yield Problem(clients, message, places, hint, about=f"{section.name}: {where}")


def _asked(section: HaproxySection, server: HaproxyServer) -> tuple[str, HaproxyLine]:
    """The other port or address that the check asks, as a person says it; empty where it asks the server itself."""
    port, host, line = server.options.get("port"), server.options.get("addr"), server.line
    connects = section.health.connects if section.health is not None else None
    if connects is not None:
        said = dict(zip(connects.arguments, connects.arguments[1:], strict=False))
        if "port" in said or "addr" in said:
            port, host, line = said.get("port", port), said.get("addr", host), connects
    if host is not None and host != server.host:
        return f"{host}{':' + port if port else ''}", line
    if port is not None and port.isdecimal() and int(port) not in (server.port, 0):
        return f"port {port}", line
    return "", line


def _listens(facts: Facts, server: HaproxyServer, where: str) -> bool:
    """Whether some file says that the client behind a server listens there."""
    port = where.rpartition(" ")[2]
    if not port.isdecimal():
        return False
    wsgi, zope = facts.each(WsgiConf), facts.each(ZopeConf)
    for name in leads_to(server, facts).clients:
        conf, own = wsgi.get(name), zope.get(name)
        listening = conf is not None and any(listen.port == int(port) for listen in conf.listen)
        # A monitor's port stands in its own section, as that of five.z2monitor does.
        if not listening and not (own is not None and _names_port(own.top, port)):
            return False
    return True


def _names_port(section: ZopeSection, port: str) -> bool:
    if section.type == "product-config" and any(one.value.split(":")[-1] == port for one in section.settings):
        return True
    return any(_names_port(inner, port) for inner in section.sections)


def _clients(facts: Facts, servers: Sequence[HaproxyServer]) -> tuple[str, ...]:
    known = {name for server in servers for name in leads_to(server, facts).clients}
    return tuple(name for name in facts.clients if name in known)


def _named(servers: Sequence[HaproxyServer]) -> str:
    names = ", ".join(server.name for server in servers)
    return f"server {names}" if len(servers) == 1 else f"servers {names}"
