"""There are at least two clients to balance.

What it examines
    The ``[client:NAME]`` sections of clients.ini; those with ``role = worker`` are never in the balancer and don't
    count.
Why it matters
    With one client there is nothing to balance, and nothing to compare: every check that asks whether clients agree
    would be content.
What it does not prove
    That the clients listed are all there are: see zeo-sees-every-client and every-server-is-a-client.
How to repair it
    Add a ``[client:NAME]`` section for each Zope process that shall serve users.

>>> ini = '''[client:app1]
... address = app1:8080
... [client:app2]
... address = app2:8080
... %s
... '''
>>> show(at_least_two_clients, inventory(ini % ""))
OK
>>> show(at_least_two_clients, inventory(ini % "role = worker"))
CRITICAL app1: one client to balance, app1, beside the worker app2; two are the least
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, check
from zcheck.facts import Facts
from zcheck.rules.inventory import address_lines, balanceable, names_of, workers_aside


@check("at-least-two-clients", stage="inventory", severity=Severity.CRITICAL)
def at_least_two_clients(facts: Facts) -> Iterator[Problem]:
    clients = balanceable(facts.inventory)
    if len(clients) >= 2:
        return
    names, aside = names_of(clients), workers_aside(facts.inventory)
    count = f"one client to balance, {names[0]}" if names else "no client to balance"
    places = address_lines(facts.inventory, clients) or (Place.in_ini(facts.inventory.file, facts.inventory.cluster),)
    hint = "add a [client:NAME] section with address = HOST:PORT for each client"
    yield Problem(names or facts.clients, f"{count}{aside}; two are the least", places, hint)
