"""No wait in the balancer is without an end.

What it examines
    ``timeout client`` and ``timeout http-request`` of the frontends through which users come, ``timeout connect`` and
    ``timeout server`` of the backends; a value of 0 is no limit. ``timeout http-request`` is for HTTP alone.
Why it matters
    Without them connections to users and clients that are gone stay open until there are none left. Without
    ``timeout http-request`` a few hundred browsers, or one attacker, that send a header a minute block everybody.
What it does not prove
    That the values suit the site: a ``timeout queue`` of minutes makes users wait for a cluster that is dead.
How to repair it
    In the ``defaults`` section: ``timeout connect 7s``, ``timeout client 300s``, ``timeout server 300s``,
    ``timeout http-request 10s``, and ``timeout queue 60s`` besides.

>>> text = '''defaults
...  mode http
...  timeout connect 7s
...  timeout client 300s
...  timeout server 300s
...  timeout http-request 10s
... frontend www
...  default_backend zope
... backend zope
...  server app1 10.0.0.1:8080 check
...  server app2 10.0.0.2:8080 check
... '''
>>> show(timeouts_are_set, haproxy_conf(text), app1=[], app2=[])
OK
>>> show(timeouts_are_set, haproxy_conf(text.replace("timeout http-request", "# timeout")), app1=[], app2=[])
WARNING app1, app2: frontend www has no timeout http-request
>>> show(timeouts_are_set, (Balancers, NotGathered("ssh: timed out after 5 s")), app1=[], app2=[])
UNKNOWN app1, app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import Balancers, Facts, HaproxyConf, HaproxySection, Names
from zcheck.rules.haproxy import concerned, confs, frontends, is_http, ours, place, titled, unread

SUGGESTED = {"connect": "7s", "client": "300s", "server": "300s", "http-request": "10s"}


@check("timeouts-are-set", stage="balancer", needs=[Balancers], uses=[Names], severity=Severity.WARNING)
def timeouts_are_set(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a section, with all timeouts that it lacks."""
    yield from unread(facts)
    for conf in confs(facts):
        for section, wanted in _wanted(facts, conf):
            missing = [name for name in wanted if not _is_set(section, name)]
            if missing:
                message = f"{titled(section)} has no {' and no '.join(f'timeout {name}' for name in missing)}"
                lines = "; ".join(f"timeout {name} {SUGGESTED[name]}" for name in missing)
                hint = f"write into the defaults section: {lines}"
                clients = concerned(facts, section)
                yield Problem(clients, message, (place(section.head),), hint, about=f"{section.kind} {section.name}")


def _wanted(facts: Facts, conf: HaproxyConf) -> Iterator[tuple[HaproxySection, list[str]]]:
    """Each section with the timeouts that it should have."""
    entrances, balancing = frontends(facts, conf), ours(facts, conf)
    for section in conf.sections:
        wanted = []
        if section in entrances:
            wanted += ["client", "http-request"] if is_http(section) else ["client"]
        if section in balancing:
            wanted += ["connect", "server"]
        yield section, wanted


def _is_set(section: HaproxySection, name: str) -> bool:
    line = section.last("timeout", name)
    return line is not None and line.arguments[1:] != () and line.arguments[1].strip("0smhdu") != ""
