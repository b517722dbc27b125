"""Every client answers a request with a page.

What it examines
    One anonymous request for ``/``. Any proper answer below 500 passes: a page, a redirect, a login, a 404.
Why it matters
    A process that listens is not yet a Zope that serves: it may still be starting, have all its threads busy, or be
    something else on the same port. A balancer that only connects does not notice.
What it does not prove
    That the pages are current: a client that has lost its ZEO server serves what it has in its caches, as fast as
    before. See client-is-connected-to-zeo and edits-are-seen-everywhere.
How to repair it
    Look into the client's event log. A ZEO server's port, or a TLS port given without ``tls = yes``, is a wrong line in
    clients.ini. A client that is silent may have its threads hanging: restart it.

>>> show(client_serves_http, app1=HttpAnswer("http", status=200), app2=HttpAnswer("http", status=404))
OK
>>> show(client_serves_http, app1=HttpAnswer("silent", "accepted the connection and said nothing for 5 s"))
CRITICAL app1: app1 at 10.0.0.1:8080 accepted the connection and said nothing for 5 s
>>> show(client_serves_http, app1=HttpAnswer("http", status=200), app2=HttpAnswer("http", status=503))
CRITICAL app2: app2 at 10.0.0.2:8080 answers a request for / with status 503
>>> show(client_serves_http, app1=HttpAnswer("http", status=200), app2=NotGathered("not done before the deadline"))
UNKNOWN app2: not done before the deadline
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, check
from zcheck.facts import Facts, HttpAnswer
from zcheck.rules.client_ports import Trouble, address_of, told_once

LOG = "its event log tells why"
HINTS = {
    "silent": "its threads may all be hanging, or it is still starting: see its event log, then restart it",
    "too-slow": "its threads may all be busy: see its event log and the load of its machine",
    "not-http": "give the port of the client's own web server as its address in clients.ini",
    "tls-error": "see 'tls' and 'address' of this client in clients.ini, and the certificate of its port",
    "reset": "see its event log: it may just have been restarted",
}


@check(
    "client-serves-http",
    stage="reach",
    needs=[HttpAnswer],
    severity=Severity.CRITICAL,
    after=["client-port-answers"],
)
def client_serves_http(facts: Facts) -> Iterator[Problem]:
    """What a balancer would send users to has to answer them."""
    troubles = []
    for client, answer in facts.each(HttpAnswer).items():
        where = f"{client} at {facts.inventory.client(client).dialled}"
        place = address_of(facts.inventory, client)
        if answer.outcome != "http":
            troubles.append(Trouble(client, where, answer.detail or answer.outcome, place, HINTS[answer.outcome]))
        elif answer.status is not None and answer.status >= 500:
            words = f"answers a request for / with status {answer.status}"
            troubles.append(Trouble(client, where, words, place, LOG))
    yield from told_once(troubles)
