"""clients.ini says which ZEO server this cluster is on.

What it examines
    Whether ``[cluster]`` has a ``zeo`` line.
Why it matters
    A preflight writes small markers to the cluster's database and removes them. Without ``zeo`` it believes the
    clients' own files: on the day when all of them name the wrong server (a copy of production's files on a test
    machine, or the reverse) it would write there, and nothing would be out of line.
What it does not prove
    That the clients are on that server: see zeo-server-is-the-pinned-one.
How to repair it
    Write ``zeo = HOST:PORT`` into ``[cluster]``, and ``storage = NAME`` of the root database beside it. This is advice
    and does not change the verdict.

>>> ini = '''[cluster]
... name = intranet
... %s
... [client:app1]
... address = app1:8080
... [client:app2]
... address = app2:8080
... '''
>>> show(zeo_server_is_pinned, inventory(ini % "zeo = zeo1:8100"))
OK
>>> show(zeo_server_is_pinned, inventory(ini % ""))
ADVICE app1, app2: clients.ini names no ZEO server: a run writes to whatever server the clients' files name
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, check
from zcheck.facts import Facts


@check("zeo-server-is-pinned", stage="inventory", severity=Severity.ADVICE)
def zeo_server_is_pinned(facts: Facts) -> Iterator[Problem]:
    if not facts.inventory.pinned_zeo:
        message = "clients.ini names no ZEO server: a run writes to whatever server the clients' files name"
        place = Place.in_ini(facts.inventory.file, facts.inventory.cluster, note="the 'zeo' line would stand here")
        yield Problem(facts.clients, message, (place,), "write zeo = HOST:PORT and storage = NAME into [cluster]")
