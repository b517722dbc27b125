"""A request for a server that has just failed goes to another one.

What it examines
    ``option redispatch`` and ``retries`` as they apply to each backend with several servers.
Why it matters
    Until the next health checks have found out, HAProxy still chooses the dead server for the users that belong to it.
    With redispatch the last retry goes to another server; without it all these users get an error page.
What it does not prove
    That a request which had already begun is repeated: it is not, since it may have changed something.
How to repair it
    ``retries 3`` and ``option redispatch 1`` in the ``defaults`` section.

>>> text = '''backend zope
...  option redispatch
...  server app1 10.0.0.1:8080 check
...  server app2 10.0.0.2:8080 check
... '''
>>> show(failed_servers_are_redispatched, haproxy_conf(text), app1=[], app2=[])
OK
>>> show(failed_servers_are_redispatched, haproxy_conf(text.replace("option redis", "# redis")), app1=[], app2=[])
WARNING app1, app2: backend zope has no option redispatch: users of a server that died get errors
>>> show(failed_servers_are_redispatched, (Balancers, NotGathered("ssh: timed out after 5 s")), app1=[], app2=[])
UNKNOWN app1, app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import Balancers, Facts, Names
from zcheck.rules.haproxy import balancing, concerned, place, titled, unread


@check("failed-servers-are-redispatched", stage="balancer", needs=[Balancers], uses=[Names], severity=Severity.WARNING)
def failed_servers_are_redispatched(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a backend."""
    yield from unread(facts)
    for _, section in balancing(facts):
        if sum(server.count for server in section.servers) < 2:
            continue
        line = section.head
        retries = section.last("retries")
        if section.last("option", "redispatch") is None:
            why = "has no option redispatch"
        elif retries is not None and retries.arguments[:1] == ("0",):
            why, line = "has retries 0", retries
        else:
            continue
        message = f"{titled(section)} {why}: users of a server that died get errors"
        hint = "write option redispatch 1 and retries 3 into the defaults section"
        yield Problem(concerned(facts, section), message, (place(line),), hint, about=section.name)
