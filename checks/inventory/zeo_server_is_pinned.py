"""clients.ini says which ZEO server this cluster is on.

What it examines
    Whether ``[cluster]`` has a ``zeo`` line, where a client's zope.conf names a ZEO server or was not read.
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
>>> relational = zope_conf("<zodb_db main>\\n<relstorage>\\n</relstorage>\\nmount-point /\\n</zodb_db>")
>>> show(zeo_server_is_pinned, inventory(ini % ""), app1=relational, app2=relational)
skipped: nothing to examine: no client has a database on ZEO
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, check
from zcheck.facts import Facts, ZopeConf


@check("zeo-server-is-pinned", stage="inventory", uses=[ZopeConf], severity=Severity.ADVICE)
def zeo_server_is_pinned(facts: Facts) -> Iterator[Problem | Skipped]:
    """A cluster of which every file was read and none names a ZEO server has none to be pinned."""
    confs = facts.each(ZopeConf)
    on_zeo = any(database.is_zeo for conf in confs.values() for database in conf.databases)
    if not facts.inventory.pinned_zeo and set(confs) == set(facts.clients) and not on_zeo:
        yield Skipped(facts.clients, "nothing to examine: no client has a database on ZEO")
    elif not facts.inventory.pinned_zeo:
        message = "clients.ini names no ZEO server: a run writes to whatever server the clients' files name"
        place = Place.in_ini(facts.inventory.file, facts.inventory.cluster, note="the 'zeo' line would stand here")
        yield Problem(facts.clients, message, (place,), "write zeo = HOST:PORT and storage = NAME into [cluster]")
