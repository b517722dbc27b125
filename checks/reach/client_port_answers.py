"""Every client's port accepts connections.

What it examines
    One TCP connection to the ``address`` of each client, or to its ``connect`` where zcheck has to take another way.
Why it matters
    A balancer that is given a port nobody listens on sends its users into errors, or marks the server down and works
    with fewer clients than were paid for.
What it does not prove
    That anything answers: Zope's ``fast-listen`` opens the port minutes before the first page is served. Nor that the
    balancer's own machine reaches the port: zcheck stands where it stands.
How to repair it
    Start the client, and compare the port in its zope.ini with the address in clients.ini. A client that listens on
    127.0.0.1 alone is not reached from another machine. Behind a port forward, give ``connect``.

>>> show(client_port_answers, app1=PortAnswer("10.0.0.1:8080", "open", connect_ms=0.3))
OK
>>> show(client_port_answers, app1=PortAnswer("10.0.0.1:8080", "open"),
...      app2=PortAnswer("10.0.0.2:8080", "refused", "refuses connections"))
CRITICAL app2: app2 at 10.0.0.2:8080 refuses connections
>>> show(client_port_answers, app1=PortAnswer("10.0.0.1:8080", "refused", "refuses connections"),
...      app2=PortAnswer("10.0.0.2:8080", "refused", "refuses connections"))
CRITICAL app1, app2: app1 at 10.0.0.1:8080, app2 at 10.0.0.2:8080: each refuses connections
>>> show(client_port_answers, app1=PortAnswer("zope1:8080", "unknown-name", "has a name that nothing here resolves"))
UNKNOWN app1: app1 at zope1:8080 has a name that nothing here resolves
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Unknown, check
from zcheck.facts import Facts, PortAnswer
from zcheck.rules.client_ports import Trouble, address_of, told_once

HINTS = {
    "refused": "start the client, or correct its address in clients.ini; see the port in its zope.ini",
    "timeout": "see whether the machine is up and whether a firewall drops connections to this port",
    "unreachable": "see whether the machine is up and routed from here; 'connect' gives another way to it",
}


@check("client-port-answers", stage="reach", needs=[PortAnswer], severity=Severity.CRITICAL)
def client_port_answers(facts: Facts) -> Iterator[Problem | Unknown]:
    """A name that nothing here resolves may be known to the balancer: that is not known, the rest is the peer's."""
    troubles = []
    for client, answer in facts.each(PortAnswer).items():
        where, words = f"{client} at {answer.dialled}", answer.detail or answer.outcome
        place = address_of(facts.inventory, client)
        if answer.outcome == "unknown-name":
            hint = "give its address in [hosts], or another way to it by 'connect'"
            yield Unknown((client,), f"{where} {words}", (place,), hint)
        elif answer.outcome != "open":
            troubles.append(Trouble(client, where, words, place, HINTS[answer.outcome]))
    yield from told_once(troubles)
