"""No client falls back to reading alone when it finds no server to write to.

What it examines
    ``read-only-fallback`` of each ``<zeoclient>`` and ``<clientstorage>``, for every client but those with the role
    ``read-only`` or ``worker``.
Why it matters
    With the fallback a client that reaches only a read-only server (a replica, a server that was started so) keeps
    answering, and refuses every save. The balancer's health check sees a healthy client.
What it does not prove
    That the client can write at this moment: see client-accepts-writes.
How to repair it
    Write ``read-only-fallback off``, or leave the line out.

>>> show(no_read_only_fallback, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(read_only_fallback="off"))
OK
>>> show(no_read_only_fallback, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(read_only_fallback="on"))
WARNING app2: database main of app2 falls back to a read-only server
>>> show(no_read_only_fallback, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(read_only_fallback="$(FALLBACK)"))
UNKNOWN app2: the inventory gives no value for $(FALLBACK), which read-only-fallback of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Setting, ZopeConf
from zcheck.facts.config import is_on
from zcheck.rules.databases import places, unresolved

ROLES = ("read-only", "worker")


@check("no-read-only-fallback", stage="config", needs=[ZopeConf], severity=Severity.WARNING, after=["zope-conf-parses"])
def no_read_only_fallback(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a database, with all clients that have it so."""
    found: dict[str, dict[str, Setting]] = {}
    for client, conf in facts.each(ZopeConf).items():
        role = facts.inventory.client(client).role
        if role in ROLES:
            yield Skipped((client,), f"its role is {role}")
            continue
        for database in conf.databases:
            lines = database.leaf.all("read-only-fallback") if database.leaf is not None else ()
            yield from unresolved(client, lines)
            for line in filter(is_on, lines):
                found.setdefault(database.name, {})[client] = line
    for name, owners in found.items():
        message = f"database {name} of {', '.join(owners)} falls back to a read-only server"
        hint = "write read-only-fallback off"
        yield Problem(tuple(owners), message, places(owners.values()), hint, about=name)
