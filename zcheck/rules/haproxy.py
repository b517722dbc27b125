"""What the checks of balancers share: which sections balance, which server is which client, and lines as places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zcheck.check import Place, Skipped
from zcheck.facts import (
    Balancers,
    Facts,
    HaproxyConf,
    HaproxyLine,
    HaproxySection,
    HaproxyServer,
    Names,
)
from zcheck.facts.balancer_servers import Match, Matcher

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
    names = {section.name for section in ours(facts, conf)}
    found = []
    for section in conf.of("frontend", "listen"):
        targets = [line.arguments[0] for line in _routes(section) if line.arguments]
        if names & set(targets) or (section.kind == "listen" and section.name in names) or _computed(targets):
            found.append(section)
    return tuple(found) or conf.of("frontend", "listen")


def _routes(section: HaproxySection) -> Iterator[HaproxyLine]:
    return (line for keyword in ("default_backend", "use_backend") for line in section.all(keyword))


def _computed(targets: Iterable[str]) -> bool:
    """Whether a backend's name is made from the request, so that it may be any."""
    return any("%[" in target for target in targets)


def matcher(facts: Facts) -> Matcher:
    """Which client is at which address."""
    return Matcher(facts.inventory, facts.maybe(Names))


def match_of(server: HaproxyServer, facts: Facts) -> Match:
    """The client that a server is, or those that it may be."""
    known = facts.once(matcher)
    if "$" in server.address and server.line.unresolved:
        # The name of a variable tells nothing, while a port that is written out does.
        clients = facts.inventory.clients
        return Match(None, tuple(one.name for one in clients if server.port in (None, one.address.port)))
    return known.client_at(server.host, server.port)


def client_of(server: HaproxyServer, facts: Facts) -> tuple[str | None, tuple[str, ...]]:
    """The client that a server is, and where none is sure those that it may be."""
    match = match_of(server, facts)
    return match.client, match.possible


def concerned(facts: Facts, section: HaproxySection) -> tuple[str, ...]:
    """The clients that a section balances; all of them where none is known to be among them."""
    found = {client_of(server, facts)[0] for server in section.servers}
    return tuple(name for name in facts.clients if name in found) or facts.clients


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
