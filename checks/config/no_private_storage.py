"""No client keeps a database to itself.

What it examines
    The storage of each ``<zodb_db>``, through all wrappers: ``<filestorage>``, ``<mappingstorage>`` and the like live
    on one machine or in one process; what is written through a ``<demostorage>`` stays in that process. With one
    client there is nobody to share with, and the check is skipped. Not examined are databases that are private to
    each process by design (``<temporarystorage>``, ``<mappingstorage>`` or ``<zodb_db temporary>`` beside the root
    database, see sessions-are-shared), and a ``<filestorage>`` beside the root database that is opened ``read-only``.
Why it matters
    The client starts, answers and saves, and nobody else sees what it saves. A container whose ZEO address was left out
    does just that.
What it does not prove
    That the shared storages are the same one: see zeo-servers-agree and relstorage-databases-agree.
How to repair it
    Put the database on a ZEO server (``<zeoclient>``) or into a relational database (``<relstorage>``) for all clients.

>>> private = '''<zodb_db main>
... <filestorage>
... path /srv/zope/var/Data.fs
... </filestorage>
... mount-point /
... </zodb_db>'''
>>> show(no_private_storage, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100"))
OK
>>> show(no_private_storage, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(private))
CRITICAL app2: database main of app2 is in a <filestorage>, which no other client shares
>>> show(no_private_storage, app1=zope_conf(server="zeo1:8100"), app2=NotGathered("app2/zope.conf: permission denied"))
UNKNOWN app2: app2/zope.conf: permission denied
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import Facts, Section, ZopeConf
from zcheck.rules.databases import places, private_storage


@check("no-private-storage", stage="config", needs=[ZopeConf], severity=Severity.CRITICAL, after=["zope-conf-parses"])
def no_private_storage(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a database and kind of storage, with all clients that have it so."""
    confs = facts.each(ZopeConf)
    if len(facts.inventory.clients) < 2:
        yield Skipped(tuple(confs), "nothing to examine: there is one client alone")
        return
    found: dict[tuple[str, str], dict[str, Section]] = {}
    for client, conf in confs.items():
        for database in conf.databases:
            private = private_storage(database)
            if private is not None:
                found.setdefault((database.name, private.type), {})[client] = private
    for (name, kind), owners in found.items():
        ending = "which keeps what is written to itself" if kind == "demostorage" else "which no other client shares"
        message = f"database {name} of {', '.join(owners)} is in a <{kind}>, {ending}"
        hint = f"write the <zeoclient> of the ZEO server that all clients use in place of <{kind}>"
        yield Problem(tuple(owners), message, places(owners.values()), hint, about=name)
