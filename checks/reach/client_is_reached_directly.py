"""Every client's address leads to the client itself and not to something in front of it.

What it examines
    The headers of the answer to one request for ``/``: ``Via``, ``Age``, ``X-Varnish``, ``X-Cache`` and their like are
    written by a proxy or a cache. Zope's own server writes ``Via: waitress`` on some pages; that is no proxy. And where
    the client's own machine was looked at (``via``): whether the process that listens on its port there is the one of
    the Control Panel that answers here.
Why it matters
    What is proven through a proxy is proven of the proxy: it may answer for a dead client from its cache, and send two
    requests to two clients. And a balancer behind a balancer decides twice where a user goes.
What it does not prove
    That there is no proxy: one that leaves no header and passes on to the right process is not seen.
How to repair it
    Give the address of the client's own port; behind a port forward, give ``connect`` as well.

>>> def told(**headers): return HttpAnswer("http", status=200, headers=headers)
>>> show(client_is_reached_directly, app1=told(server="waitress"), app2=told(via="waitress"))
OK
>>> show(client_is_reached_directly, app1=told(server="waitress"), app2=told(via="1.1 varnish (Varnish/7.1)", age="0"))
WARNING app2: a proxy answers at 10.0.0.2:8080 in front of app2 (via: 1.1 varnish (Varnish/7.1); age: 0)
>>> there = SeenThere("app2", process=ListeningProcess(412), distributions={"zope": "6.3"}, asked_at=1700000000.0)
>>> show(client_is_reached_directly, app1=told(), app2=[told(), ControlPanel((), process_id=977), there])
WARNING app2: process 977 answers at 10.0.0.2:8080, and on app2's own machine it is process 412 that listens there
>>> show(client_is_reached_directly, app1=told(), app2=NotGathered("not done before the deadline"))
UNKNOWN app2: not done before the deadline
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, check
from zcheck.facts import ControlPanel, Facts, HttpAnswer, SeenThere
from zcheck.rules.client_ports import address_of, proxy_headers


@check(
    "client-is-reached-directly",
    stage="reach",
    needs=[HttpAnswer],
    uses=[ControlPanel, SeenThere],
    severity=Severity.WARNING,
    after=["client-port-answers", "client-serves-http"],
)
def client_is_reached_directly(facts: Facts) -> Iterator[Problem]:
    """By what a proxy says of itself, and by who answers."""
    panels, there = facts.each(ControlPanel), facts.each(SeenThere)
    for client, answer in facts.each(HttpAnswer).items():
        headers, dialled = proxy_headers(answer), facts.inventory.client(client).dialled
        message = f"a proxy answers at {dialled} in front of {client} ({'; '.join(headers)})" if headers else ""
        message = message or _another(client, str(dialled), panels.get(client), there.get(client))
        if message:
            hint = "give the address of the client's own port in clients.ini"
            yield Problem((client,), message, (address_of(facts.inventory, client),), hint)


def _another(client: str, dialled: str, panel: ControlPanel | None, seen: SeenThere | None) -> str:
    """That it is another process that answers; empty where it is not, or where the client was restarted in between."""
    if panel is None or panel.process_id is None or seen is None or not seen.is_inside or seen.process is None:
        return ""
    started = panel.started_at
    restarted = seen.asked_at is None or (started is not None and started[1] > seen.asked_at)
    if restarted or panel.process_id == seen.process.pid:
        return ""
    listens = f"on {client}'s own machine it is process {seen.process.pid} that listens there"
    return f"process {panel.process_id} answers at {dialled}, and {listens}"
