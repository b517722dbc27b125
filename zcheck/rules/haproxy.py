"""What the checks of balancers share: which sections balance, which server is which client, and lines as places."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from zcheck.check import Place, Skipped
from zcheck.facts import (
    Balancers,
    Facts,
    HaproxyConf,
    HaproxyLine,
    HaproxySection,
    HaproxyServer,
    HostPort,
    Names,
)
from zcheck.facts.balancer_servers import Matcher, server_name

VALID = "haproxy-config-is-valid"


def place(line: HaproxyLine, note: str = "") -> Place:
    """A line of a haproxy.cfg."""
    return Place(line.file, line.line, line.text, note)


def unread(facts: Facts) -> Iterator[Skipped]:
    """What every check yields where one of several balancers could not be read; that finding tells it."""
    if facts.the(Balancers).unread:
        yield Skipped(facts.clients, VALID)


def confs(facts: Facts) -> Iterator[HaproxyConf]:
    """Every configuration that was read."""
    yield from facts.the(Balancers).confs.values()


def balancing(facts: Facts) -> Iterator[tuple[HaproxyConf, HaproxySection]]:
    """Every section that balances the clients."""
    for conf in confs(facts):
        for section in ours(facts, conf):
            yield conf, section


def ours(facts: Facts, conf: HaproxyConf) -> tuple[HaproxySection, ...]:
    """The sections of one balancer that balance the clients.

    That is the one that clients.ini names; else each with a server that is a client, or may be: a HAProxy can balance
    other services as well.  Where there is none, every section with servers.
    """
    if conf.backend is not None:
        return conf.balancing
    found = tuple(section for section in conf.balancing if any(any(client_of(s, facts)) for s in section.servers))
    return found or conf.balancing


def frontends(facts: Facts, conf: HaproxyConf) -> tuple[HaproxySection, ...]:
    """The sections where users arrive that may send them to a balancing one; all of them where none says so."""
    return entrances(conf, ours(facts, conf)) or conf.of("frontend", "listen")


def entrances(conf: HaproxyConf, sections: Collection[HaproxySection]) -> tuple[HaproxySection, ...]:
    """The frontends and listen sections that may send users to one of these sections."""
    names = {section.name for section in sections}
    found = []
    for section in conf.of("frontend", "listen"):
        named = [line.arguments[0] for line in _routes(section) if line.arguments]
        if names & set(named) or (section.kind == "listen" and section.name in names) or _computed(named):
            found.append(section)
    return tuple(found)


class Beside(msgspec.Struct, frozen=True):
    """A section beside the balancing ones to which a frontend of theirs sends users as well."""

    section: HaproxySection
    frontend: HaproxySection
    line: HaproxyLine
    """The line that sends them."""
    is_sure: bool = True
    """False where the line makes the name from the request."""


def beside(facts: Facts, conf: HaproxyConf) -> tuple[Beside, ...]:
    """What users of the balancing sections' frontends may get besides, each section once."""
    found: dict[str, Beside] = {}
    known = {section.name for section in ours(facts, conf)} | set(conf.others)
    for frontend in entrances(conf, ours(facts, conf)):
        for line in _routes(frontend):
            computed = bool(line.arguments) and _computed(line.arguments[:1])
            for section in conf.of("backend", "listen"):
                reached = section.kind == "backend" if computed else section.name in line.arguments[:1]
                if reached and section.name not in known and section.servers:
                    new = Beside(section, frontend, line, not computed)
                    if section.name not in found or (new.is_sure and not found[section.name].is_sure):
                        found[section.name] = new
    return tuple(found.values())


def _routes(section: HaproxySection) -> Iterator[HaproxyLine]:
    return (line for keyword in ("default_backend", "use_backend") for line in section.all(keyword))


def _computed(targets: Iterable[str]) -> bool:
    """Whether a backend's name is made from the request, so that it may be any."""
    return any("%[" in target for target in targets)


def matcher(facts: Facts) -> Matcher:
    """Which client is at which address."""
    return Matcher(facts.inventory, facts.maybe(Names))


class Leads(msgspec.Struct, frozen=True):
    """Where one server line leads: to several clients where it is a template, or has no port of its own."""

    clients: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()
    """Those that it may lead to, where that cannot be determined."""
    strange: tuple[str, ...] = ()
    """Addresses, as HOST:PORT, at which no client is."""


def leads_to(server: HaproxyServer, facts: Facts) -> Leads:
    """The clients that a server line of one of the configurations leads to."""
    return facts.once(_all_leads)[id(server)]


def _all_leads(facts: Facts) -> dict[int, Leads]:
    """By the identity of each server line, which the configurations keep alive."""
    known = facts.once(matcher)
    found = {}
    for conf in confs(facts):
        for section in conf.of("backend", "listen"):
            for server in section.servers:
                ports = ports_of(conf, section) if server.shift is not None else ()
                found[id(server)] = _leads(server, known, ports)
    return found


def _leads(server: HaproxyServer, known: Matcher, bound: tuple[int, ...]) -> Leads:
    """``bound``: the ports by which users come, for a server that has none of its own."""
    if "$" in server.address and server.line.unresolved:
        # The name of a variable tells nothing, while a port that is written out does, and so may the server's name.
        near = [one for one in known.inventory.clients if server.port in (None, one.address.port)]
        named = [one for one in near if server_name(one) == server.name]
        return Leads(possible=tuple(one.name for one in named or near))
    ports = tuple(port + server.shift for port in bound) if server.shift is not None else (server.port,)
    hosts = _hosts(server.host, known) if server.is_template else (server.host,)
    clients: list[str] = []
    possible: list[str] = []
    strange: list[str] = []
    for host, port in ((host, port) for host in hosts for port in ports or (None,)):
        match = known.client_at(host, port)
        if match.client is not None:
            clients.append(match.client)
        possible += match.possible
        if match.client is None and not match.possible:
            strange.append(str(HostPort(host, port)) if host and port else server.address)
    return Leads(tuple(dict.fromkeys(clients)), tuple(dict.fromkeys(possible)), tuple(dict.fromkeys(strange)))


def _hosts(host: str, known: Matcher) -> tuple[str, ...]:
    """The addresses that the servers of a template take, one each; the name itself where they are not known."""
    plain = host.rstrip(".").lower()
    looked_up = known.names.addresses.get(host, ()) if known.names is not None else ()
    as_written = any(client.address.host.rstrip(".").lower() == plain for client in known.inventory.clients)
    return (known.inventory.hosts.get(plain) or looked_up or (host,)) if not as_written else (host,)


def ports_of(conf: HaproxyConf, section: HaproxySection) -> tuple[int, ...]:
    """The ports by which users come to a section, as far as they are numbers."""
    found = []
    for entrance in entrances(conf, [section]):
        for address, _ in bindings(entrance):
            port = address.rpartition(":")[2]
            if port.isdecimal():
                found.append(int(port))
    return tuple(dict.fromkeys(found))


def client_of(server: HaproxyServer, facts: Facts) -> tuple[str | None, tuple[str, ...]]:
    """The client that a server is, or the first of several, and where none is sure those that it may be."""
    leads = leads_to(server, facts)
    return next(iter(leads.clients), None), () if leads.clients else leads.possible


def concerned(facts: Facts, section: HaproxySection) -> tuple[str, ...]:
    """The clients that a section balances; all of them where none is known to be among them."""
    found = {name for server in section.servers for name in leads_to(server, facts).clients}
    return tuple(name for name in facts.clients if name in found) or facts.clients


def is_kept_by_balancers(facts: Facts, clients: Collection[str]) -> bool:
    """Whether each of these clients is behind a balancer, and each of their balancers keeps users where they are."""
    if facts.maybe(Balancers) is None or facts.the(Balancers).unread:
        return False
    serving = [
        (section, {name for server in section.servers for name in leads_to(server, facts).clients})
        for _, section in balancing(facts)
    ]
    ours_only = [(section, served) for section, served in serving if served & set(clients)]
    met = {name for _, served in ours_only for name in served}
    return set(clients) <= met and all(is_sticky(section) for section, _ in ours_only)


# Cookies that Zope and Plone themselves set: of sessions, and of who is logged in.
_OF_ZOPE = frozenset({"_ZopeId", "__ac"})
# What a browser sends alike with every request; all else of a request changes on the way.
_STEADY_HEADERS = frozenset(
    {"x-forwarded-for", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "forwarded", "via"}
    | {"host", "x-forwarded-host", "user-agent", "authorization", "accept-language", "x-remote-user", "remote-user"}
)
_CHANGING = ("path", "url", "uri", "base", "query", "method", "rand", "unique-id", "date", "now", "capture", "req.body")


def is_sticky(section: HaproxySection) -> bool:
    """Whether a user who comes back is sent to the same server."""
    is_tcp = not is_http(section)
    stuck = [line for line in section.all("stick") if line.arguments]
    if any(line.arguments[0] == "on" and _is_steady(line.arguments[1:2]) for line in stuck):
        return True
    matched = any(line.arguments[0] == "match" and _is_steady(line.arguments[1:2]) for line in stuck)
    if matched and any(line.arguments[0].startswith("store") for line in stuck):
        return True
    if not is_tcp and (_by_cookie(section) or section.all("appsession")):
        return True
    return _by_balance(section, is_tcp=is_tcp)


def _by_cookie(section: HaproxySection) -> bool:
    """Whether a ``cookie`` line keeps users: HAProxy sets it itself (``insert``), or marks one that Zope sets.

    Without either HAProxy merely reads a cookie that nobody sets.
    """
    cookie = section.last("cookie")
    if cookie is None or not cookie.arguments:
        return False
    words = cookie.arguments[1:]
    set_by_somebody = "insert" in words or ("prefix" in words and cookie.arguments[0] in _OF_ZOPE)
    valued = "dynamic" in words or all(server.cookie for server in section.servers if not server.is_backup)
    return set_by_somebody and valued


def _by_balance(section: HaproxySection, *, is_tcp: bool) -> bool:
    line = section.last("balance")
    if line is None or not line.arguments:
        return False
    way, _, rest = line.arguments[0].partition("(")
    if way == "source":
        return True
    if is_tcp:
        return way == "hash" and _is_steady(line.arguments[1:2])
    if way == "hdr":
        return rest.partition(")")[0].partition(",")[0].strip().lower() in _STEADY_HEADERS
    return way == "url_param" or (way == "hash" and _is_steady(line.arguments[1:2]))


def _is_steady(expression: tuple[str, ...]) -> bool:
    """Whether a sample is the same in every request of one user: neither a part of its first line nor what changes."""
    name, _, rest = (expression[0] if expression else "").partition("(")
    argument = rest.partition(")")[0].partition(",")[0].strip().lower()
    if name.endswith(("hdr", "fhdr", "hdr_ip")) or name in ("req.hdrs", "hdr_val"):
        return argument in _STEADY_HEADERS
    if name in ("url_param", "urlp", "urlp_val"):
        return True
    return bool(name) and not name.startswith(_CHANGING)


def own_rules(section: HaproxySection, keyword: str) -> tuple[HaproxyLine, ...]:
    """The lines with this keyword in the section itself."""
    return tuple(line for line in section.lines if line.keyword == keyword)


def titled(section: HaproxySection) -> str:
    """As a person says it: ``backend zope``."""
    return f"{section.kind} {section.name}".rstrip()


def is_http(section: HaproxySection) -> bool:
    """Whether it speaks HTTP, which is not HAProxy's own default."""
    mode = section.last("mode")
    return mode is not None and mode.arguments[:1] == ("http",)


def tracked(conf: HaproxyConf, section: HaproxySection, server: HaproxyServer) -> tuple[HaproxySection, HaproxyServer]:
    """The server whose health checks decide about this one, with its section: itself, or what it tracks."""
    for _ in range(MOST_TRACKED):
        named = server.options.get("track")
        if not named:
            break
        backend, _, name = named.rpartition("/")
        found = conf.proxy(backend, "backend", "listen") if backend else section
        other = next((one for one in found.servers if one.name == name), None) if found is not None else None
        if found is None or other is None:
            break
        section, server = found, other
    return section, server


MOST_TRACKED = 10
"""Servers of which each tracks the next; HAProxy itself refuses circles."""


def expects_nothing(section: HaproxySection) -> bool:
    """Whether a health check of this section is passed by whoever accepts a connection."""
    options = [line for line in section.all("option") if line.arguments and line.arguments[0].endswith(_CHECKS)]
    if not options or options[-1].negated:
        return True
    if options[-1].arguments[0] != "tcp-check":
        return False
    return not section.all("tcp-check", "expect")


# httpchk, smtpchk, tcp-check, ssl-hello-chk, external-check and their like.
_CHECKS = ("chk", "-check")


def targets(conf: HaproxyConf, section: HaproxySection) -> tuple[HaproxySection, ...]:
    """The backends that a frontend sends requests to; every one where a name is computed."""
    names = [line.arguments[0] for line in _routes(section) if line.arguments]
    backends = conf.of("backend", "listen")
    return tuple(one for one in backends if one is not section and (_computed(names) or one.name in names))


def bindings(section: HaproxySection) -> Iterator[tuple[str, HaproxyLine]]:
    """Each address that users reach a section by, with its line; the old form on the section's own line included."""
    for line in section.lines:
        if line.keyword == "bind" and line.arguments:
            for address in line.arguments[0].split(","):
                yield address.partition("@")[2] if address.startswith(("ipv4@", "ipv6@")) else address, line
    written = section.head.arguments
    if len(written) > 1 and written[1] != "from" and ":" in written[1]:
        for address in written[1].split(","):
            yield address, section.head
