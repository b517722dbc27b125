"""Every client's address leads to the client itself and not to something in front of it.

What it examines
    The headers of the answer to one request for ``/``: ``Via``, ``Age``, ``X-Varnish``, ``X-Cache`` and their like are
    written by a proxy or a cache. Zope's own server writes ``Via: waitress`` on some pages; that is no proxy.
Why it matters
    What is proven through a proxy is proven of the proxy: it may answer for a dead client from its cache, and send two
    requests to two clients. And a balancer behind a balancer decides twice where a user goes.
What it does not prove
    That there is no proxy: one that leaves no header is not seen.
How to repair it
    Give the address of the client's own port; behind a port forward, give ``connect`` as well.

>>> def told(**headers): return HttpAnswer("http", status=200, headers=headers)
>>> show(client_is_reached_directly, app1=told(server="waitress"), app2=told(via="waitress"))
OK
>>> show(client_is_reached_directly, app1=told(server="waitress"), app2=told(via="1.1 varnish (Varnish/7.1)", age="0"))
WARNING app2: a proxy answers at 10.0.0.2:8080 in front of app2 (via: 1.1 varnish (Varnish/7.1); age: 0)
>>> show(client_is_reached_directly, app1=told(), app2=NotGathered("not done before the deadline"))
UNKNOWN app2: not done before the deadline
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, check
from zcheck.checks.reach._clients import address_of, proxy_headers
from zcheck.facts import Facts, HttpAnswer


@check(
    "client-is-reached-directly",
    stage="reach",
    needs=[HttpAnswer],
    severity=Severity.WARNING,
    after=["client-port-answers", "client-serves-http"],
)
def client_is_reached_directly(facts: Facts) -> Iterator[Problem]:
    """By what a proxy says of itself."""
    for client, answer in facts.each(HttpAnswer).items():
        headers = proxy_headers(answer)
        if headers:
            dialled = facts.inventory.client(client).dialled
            message = f"a proxy answers at {dialled} in front of {client} ({'; '.join(headers)})"
            hint = "give the address of the client's own port in clients.ini"
            yield Problem((client,), message, (address_of(facts.inventory, client),), hint)
