"""No two servers of a backend have the same cookie value.

What it examines
    The ``cookie`` values of the servers of each backend that has a ``cookie`` line.
Why it matters
    The value is how HAProxy knows which server a user belongs to. Of two servers with one value only the first is ever
    chosen for returning users: those of the second are moved on every request, and lose what it keeps for them.
What it does not prove
    That users stay where they are for other reasons: see sessions-stick.
How to repair it
    Give each server a value of its own.

>>> text = '''backend zope
...  cookie serverid insert indirect
...  server app1 10.0.0.1:8080 cookie p0101
...  server app2 10.0.0.2:8080 cookie p0102
... '''
>>> show(cookies_are_distinct, haproxy_conf(text), app1=[], app2=[])
OK
>>> show(cookies_are_distinct, haproxy_conf(text.replace("p0102", "p0101")), app1=[], app2=[])
CRITICAL app1, app2: servers app1 and app2 of backend zope have the same cookie value p0101
>>> show(cookies_are_distinct, (Balancers, NotGathered("ssh: timed out after 5 s")), app1=[], app2=[])
UNKNOWN app1, app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import Balancers, Facts, HaproxySection, HaproxyServer, Names
from zcheck.rules.haproxy import balancing, concerned, place, titled, unread


@check("cookies-are-distinct", stage="balancer", needs=[Balancers], uses=[Names], severity=Severity.CRITICAL)
def cookies_are_distinct(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a value that several servers have."""
    yield from unread(facts)
    with_cookies = [section for _, section in balancing(facts) if uses_cookies(section)]
    if not with_cookies:
        yield Skipped(facts.clients, "nothing to examine: no backend has a cookie line")
    for section in with_cookies:
        owners: dict[str, list[HaproxyServer]] = {}
        for server in section.servers:
            if server.cookie is not None:
                owners.setdefault(server.cookie, []).append(server)
        for value, servers in owners.items():
            if sum(server.count for server in servers) > 1:
                names = " and ".join(_told(server) for server in servers)
                message = f"servers {names} of {titled(section)} have the same cookie value {value}"
                places = tuple(place(server.line) for server in servers)
                about = f"{section.name}:{value}"
                hint = f"write a value of its own on each server line, such as {_own(servers)}"
                yield Problem(concerned(facts, section), message, places, hint, about=about)


def _own(servers: list[HaproxyServer]) -> str:
    """What the server lines could say; the servers of a template have no line of their own."""
    if any(server.is_template for server in servers):
        return "'server NAME ADDRESS cookie NAME' in place of the server-template line"
    return " and ".join(f"'cookie {server.name}' for {server.name}" for server in servers[1:])


def _told(server: HaproxyServer) -> str:
    return server.name if server.count == 1 else f"{server.name}1 to {server.name}{server.count}"


def uses_cookies(section: HaproxySection) -> bool:
    """Whether a backend keeps users on servers by the servers' own cookie values."""
    line = section.last("cookie")
    return line is not None and "dynamic" not in line.words
