"""The balancer's ping says that it is well only while a client is.

What it examines
    ``monitor-uri`` of each frontend through which users come, and whether a ``monitor fail`` rule stands beside it.
Why it matters
    Without such a rule the page says 200 as long as HAProxy itself runs: with every client dead, whoever watches it (a
    load balancer in front, a failover address, a monitoring system) is told that all is well.
What it does not prove
    That the rule asks for the right backend.
How to repair it
    ``acl zope_down nbsrv(zope) lt 1`` and ``monitor fail if zope_down`` in the frontend.

>>> text = '''frontend www
...  monitor-uri /haproxy-ping
...  acl zope_down nbsrv(zope) lt 1
...  monitor fail if zope_down
...  default_backend zope
... backend zope
...  server app1 10.0.0.1:8080
...  server app2 10.0.0.2:8080
... '''
>>> show(ping_tells_the_truth, haproxy_conf(text), app1=[], app2=[])
OK
>>> show(ping_tells_the_truth, haproxy_conf(text.replace("monitor fail", "# fail")), app1=[], app2=[])
WARNING app1, app2: /haproxy-ping of frontend www answers 200 also when every client is dead
>>> show(ping_tells_the_truth, (Balancers, NotGathered("ssh: timed out after 5 s")), app1=[], app2=[])
UNKNOWN app1, app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import Balancers, Facts, Names
from zcheck.rules.haproxy import confs, frontends, ours, place, titled, unread


@check("ping-tells-the-truth", stage="balancer", needs=[Balancers], uses=[Names], severity=Severity.WARNING)
def ping_tells_the_truth(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a frontend."""
    yield from unread(facts)
    pings = [
        (conf, section, line)
        for conf in confs(facts)
        for section in frontends(facts, conf)
        if (line := section.last("monitor-uri")) is not None
    ]
    if not pings:
        yield Skipped(facts.clients, "nothing to examine: no frontend has a monitor-uri")
    for conf, section, line in pings:
        if not section.all("monitor", "fail"):
            where = line.arguments[0] if line.arguments else "the ping"
            message = f"{where} of {titled(section)} answers 200 also when every client is dead"
            backend = next((one.name for one in ours(facts, conf)), "zope")
            hint = f"add to it: acl zope_down nbsrv({backend}) lt 1; monitor fail if zope_down"
            yield Problem(facts.clients, message, (place(line),), hint, about=section.name)
