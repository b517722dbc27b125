"""Nobody from outside sees the balancer's status page.

What it examines
    The ``stats`` lines that apply to each frontend that is bound to more than a loopback address, and to the backends
    behind it: whether a password (``stats auth``) or a rule (``stats http-request``, ``http-request auth`` or ``deny``,
    ``tcp-request ... reject``) stands before the page.
Why it matters
    The page tells every client's address, name and state to whoever asks. With ``stats admin`` it takes them out of
    rotation as well. In a ``defaults`` section it is part of every frontend, the public one included.
What it does not prove
    That the password is a good one, or that a firewall does not keep others away already.
How to repair it
    A ``frontend stats`` of its own, bound to 127.0.0.1, and no ``stats`` line in ``defaults``.

>>> text = '''frontend www
...  bind *:80
...  default_backend zope
... frontend stats
...  bind 127.0.0.1:8404
...  stats enable
... backend zope
...  server app1 10.0.0.1:8080
...  server app2 10.0.0.2:8080
... '''
>>> show(status_page_is_protected, haproxy_conf(text), app1=[], app2=[])
OK
>>> show(status_page_is_protected, haproxy_conf(text.replace("127.0.0.1:8404", ":8404")), app1=[], app2=[])
WARNING app1, app2: whoever reaches :8404 sees the status page of frontend stats
>>> show(status_page_is_protected, (Balancers, NotGathered("ssh: timed out after 5 s")), app1=[], app2=[])
UNKNOWN app1, app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Balancers, Facts, HaproxyConf, HaproxyLine, HaproxySection
from zcheck.facts.addresses import is_loopback
from zcheck.rules.haproxy import bindings, confs, place, targets, titled, unread

GUARDS = frozenset({"auth", "deny", "reject", "tarpit", "silent-drop", "return", "redirect"})


@check("status-page-is-protected", stage="balancer", needs=[Balancers], severity=Severity.WARNING)
def status_page_is_protected(facts: Facts) -> Iterator[Problem | Skipped | Unknown]:
    """One finding a frontend that shows the page to everybody."""
    yield from unread(facts)
    for conf in confs(facts):
        for section in conf.of("frontend", "listen"):
            public = [(address, line) for address, line in bindings(section) if not _is_private(address)]
            shown = _pages(conf, section)
            unknown = [line for address, line in public if "$" in address and line.unresolved]
            if unknown and shown and not _is_guarded(conf, section):
                message = f"where {titled(section)} with its status page is reached is not known: {unknown[0].text}"
                hint = "write the address itself, or set the variable by a setenv line in the global section"
                yield Unknown(facts.clients, message, (place(unknown[0]),), hint, about=section.name)
            elif public and shown and not _is_guarded(conf, section):
                admin = " and can take servers out of rotation" if shown[0].arguments[:1] == ("admin",) else ""
                message = f"whoever reaches {public[0][0]} sees the status page of {titled(section)}{admin}"
                hint = "move the stats lines into a frontend of their own with bind 127.0.0.1:8404, or add stats auth"
                places = (place(shown[0]), place(public[0][1]))
                yield Problem(facts.clients, message, places, hint, about=section.name)


def _is_private(address: str) -> bool:
    """Whether an address is one that only this machine reaches; ``*`` and no host are every address."""
    host = address.rpartition(":")[0].strip("[]")
    if host in ("", "*", "0.0.0.0", "::"):
        return address.startswith("/")
    return address.startswith(("/", "unix@", "abns@", "fd@")) or is_loopback(host)


def _pages(conf: HaproxyConf, section: HaproxySection) -> list[HaproxyLine]:
    """The lines that make a status page of this section or of a backend behind it; the most telling one first."""
    found = [line for one in _behind(conf, section) for line in one.all("stats") if not line.negated]
    return sorted(found, key=lambda line: line.arguments[:1] != ("admin",))


def _behind(conf: HaproxyConf, section: HaproxySection) -> list[HaproxySection]:
    return [section, *targets(conf, section)]


def _is_guarded(conf: HaproxyConf, section: HaproxySection) -> bool:
    every = _behind(conf, section)
    if all(one.all("stats", "auth") or one.all("stats", "http-request") for one in every if one.all("stats")):
        return True
    for keyword in ("http-request", "tcp-request"):
        for line in section.all(keyword):
            if GUARDS & set(line.arguments):
                return True
    return bool(section.all("block"))
