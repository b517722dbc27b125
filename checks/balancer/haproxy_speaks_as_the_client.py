"""HAProxy speaks to every client as the client listens: by TLS or without, with the PROXY protocol or without.

What it examines
    ``ssl``, ``send-proxy`` (and its versions) and ``proto`` of each server line that leads to a client, with what
    ``default-server`` says, and those of its health check (``check-ssl``, ``check-send-proxy``, and the rule
    ``http-check connect``); against ``tls`` of clients.ini, the server that the client's zope.ini uses, and what the
    client answered to a plain request. In ``mode tcp`` a line without ``ssl`` passes the users' own TLS on.
Why it matters
    waitress never answers the first words of TLS, and refuses the line of the PROXY protocol. HAProxy accepts such a
    configuration, its checks fail or its requests do, and users get 503 or 400 from a cluster in which every client is
    well.
What it does not prove
    That HAProxy trusts the client's certificate.
How to repair it
    Remove ``ssl`` or ``send-proxy`` from the line; where something that understands it stands in front of the client,
    give its address and ``tls = yes`` in clients.ini.

>>> text = '''backend zope
...  mode http
...  server app1 10.0.0.1:8080 check
...  server app2 10.0.0.2:8080 check
... '''
>>> plain = WsgiConf("zope.ini", listen=(HostPort("*", 8080),), is_plain=True)
>>> show(haproxy_speaks_as_the_client, haproxy_conf(text), app1=plain, app2=plain)
OK
>>> tls = text.replace("0.2:8080 check", "0.2:8080 check ssl verify none")
>>> show(haproxy_speaks_as_the_client, haproxy_conf(tls), app1=plain, app2=plain)
CRITICAL app2: server app2 of backend zope speaks TLS, and app2 listens without: no request reaches it
>>> proxy = text.replace("0.2:8080 check", "0.2:8080 check send-proxy")
>>> show(haproxy_speaks_as_the_client, haproxy_conf(proxy), app1=plain, app2=plain)
CRITICAL app2: server app2 of backend zope sends the PROXY protocol, and app2 does not understand it
>>> show(haproxy_speaks_as_the_client, haproxy_conf(tls), app1=plain, app2=[])
UNKNOWN app2: server app2 of backend zope speaks TLS; whether app2 does is not known
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import (
    Balancers,
    Client,
    Facts,
    HaproxyLine,
    HaproxySection,
    HaproxyServer,
    HttpAnswer,
    Names,
    WsgiConf,
)
from zcheck.rules.haproxy import balancing, is_http, leads_to, place, titled, unread

PROXY = ("send-proxy", "send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn")
OTHER_PROTOCOLS = frozenset({"h2", "fcgi"})


class _Wrong(msgspec.Struct, frozen=True):
    """One way in which HAProxy does not speak as a client listens."""

    does: str
    """What HAProxy does."""
    harm: str
    """What is wrong with it, with ``{}`` for the clients."""
    hint: str
    line: HaproxyLine
    is_sure: bool


@check(
    "haproxy-speaks-as-the-client",
    stage="balancer",
    needs=[Balancers],
    uses=[HttpAnswer, Names, WsgiConf],
    severity=Severity.CRITICAL,
)
def haproxy_speaks_as_the_client(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding for all servers of a backend that are spoken to in the same wrong way."""
    yield from unread(facts)
    for _, section in balancing(facts):
        found: dict[tuple[str, bool], list[tuple[HaproxyServer, str, _Wrong]]] = {}
        for server in section.servers:
            for name in leads_to(server, facts).clients:
                for wrong in _wrongs(facts, section, server, facts.inventory.client(name)):
                    found.setdefault((wrong.does, wrong.is_sure), []).append((server, name, wrong))
        for several in found.values():
            yield _told(facts, section, several)


def _wrongs(facts: Facts, section: HaproxySection, server: HaproxyServer, client: Client) -> Iterator[_Wrong]:
    options, line = server.options, server.line
    plain, without_proxy = _is_plain(facts, client), _knows_no_proxy(facts, client)
    if client.tls and "ssl" not in options and is_http(section):
        hint = "add to the line: ssl verify required ca-file FILE"
        yield _Wrong("speaks without TLS", "clients.ini says tls = yes of {}", hint, line, True)
    if "ssl" in options and not client.tls:
        hint = f"remove 'ssl', and 'verify' and what else belongs to it, from the line of server {server.name}"
        yield _Wrong("speaks TLS", "{} listens without: no request reaches it", hint, line, plain)
    if any(one in options for one in PROXY):
        hint = f"remove {next(one for one in PROXY if one in options)} from the line"
        yield _Wrong("sends the PROXY protocol", "{} does not understand it", hint, line, without_proxy)
    if options.get("proto") in OTHER_PROTOCOLS:
        hint = f"remove proto {options['proto']} from the line"
        yield _Wrong(f"speaks {options['proto']}", "{} understands HTTP/1 alone", hint, line, without_proxy)
    if "check" in options and not {"port", "addr"} & set(options):
        yield from _by_the_check(facts, section, server, client)


def _by_the_check(facts: Facts, section: HaproxySection, server: HaproxyServer, client: Client) -> Iterator[_Wrong]:
    """The same of the health check alone: a server whose checks fail gets no request."""
    connects = section.health.connects if section.health is not None else None
    words = connects.arguments if connects is not None else ()
    line = connects if connects is not None else server.line
    if {"port", "addr"} & set(words):
        return
    if ("check-ssl" in server.options or "ssl" in words) and not client.tls and "ssl" not in server.options:
        harm = "{} listens without: no check passes"
        yield _Wrong("asks for health by TLS", harm, "remove check-ssl or ssl", line, _is_plain(facts, client))
    by_proxy = "check-send-proxy" in server.options or "send-proxy" in words
    if by_proxy and not any(one in server.options for one in PROXY):
        harm, known = "{} does not understand it: no check passes", _knows_no_proxy(facts, client)
        yield _Wrong("sends the PROXY protocol with its checks", harm, "remove check-send-proxy", line, known)


def _is_plain(facts: Facts, client: Client) -> bool:
    """Whether a client is known to listen without TLS."""
    answer = facts.each(HttpAnswer).get(client.name)
    answers = answer is not None and answer.outcome == "http" and not client.tls
    return answers or _knows_no_proxy(facts, client)


def _knows_no_proxy(facts: Facts, client: Client) -> bool:
    """Whether what listens at a client's address is known to speak HTTP/1 alone."""
    conf = facts.each(WsgiConf).get(client.name)
    port = client.listens or client.address.port
    in_file = conf is not None and conf.is_plain and any(listen.port == port for listen in conf.listen)
    return in_file and not client.tls


def _told(facts: Facts, section: HaproxySection, several: list[tuple[HaproxyServer, str, _Wrong]]) -> Problem | Unknown:
    """One finding; of several clients the words are those for one, which are true of each."""
    clients = tuple(name for name in facts.clients if name in {client for _, client, _ in several})
    wrong = several[0][2]
    names = ", ".join(dict.fromkeys(server.name for server, _, _ in several))
    who = "each client" if len(clients) > 1 else clients[0]
    what = f"{'server' if ',' not in names else 'each of servers'} {names} of {titled(section)} {wrong.does}"
    places = [place(line) for line in dict.fromkeys(wrong.line for _, _, wrong in several)]
    if not wrong.is_sure:
        message = f"{what}; whether {who} does is not known"
        hint = f"{wrong.hint}, or write tls = yes in [client:{clients[0]}] where that is so"
        return Unknown(clients, message, tuple(places), hint, about=f"{section.name}: {wrong.does}")
    ini = facts.inventory
    if all(ini.client(name).tls for name in clients):
        places += [Place.in_ini(ini.file, ini.client(name).section, "tls") for name in clients]
    message = f"{what}, and {wrong.harm.format(who)}"
    return Problem(clients, message, tuple(places), wrong.hint, about=f"{section.name}: {wrong.does}")
