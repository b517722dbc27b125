"""There are three clients or more to balance.

What it examines
    The ``[client:NAME]`` sections of clients.ini, those with ``role = worker`` left out.
Why it matters
    Of two clients one is left while the other is restarted, upgraded or down: it must carry every user, and nothing is
    left when it fails as well. With three, one can be away on purpose and another by accident.
What it does not prove
    That the clients left over could carry the load.
How to repair it
    Add a third client, or live with it: this is advice and does not change the verdict.

>>> ini = '''[client:app1]
... address = app1:8080
... [client:app2]
... address = app2:8080
... '''
>>> show(three_or_more_clients, inventory(ini))
ADVICE app1, app2: two clients to balance, app1 and app2: while one restarts, the other carries everybody
>>> show(three_or_more_clients, inventory(ini + "[client:app3]\\naddress = app3:8080"))
OK
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, check
from zcheck.facts import Facts
from zcheck.rules.inventory import address_lines, balanceable, listed, names_of, workers_aside


@check("three-or-more-clients", stage="inventory", severity=Severity.ADVICE, after=["at-least-two-clients"])
def three_or_more_clients(facts: Facts) -> Iterator[Problem]:
    clients = balanceable(facts.inventory)
    if len(clients) == 2:
        names, aside = names_of(clients), workers_aside(facts.inventory)
        message = f"two clients to balance, {listed(names)}{aside}: while one restarts, the other carries everybody"
        yield Problem(
            names,
            message,
            address_lines(facts.inventory, clients),
            "add a third client: [client:NAME] with address = HOST:PORT",
        )
