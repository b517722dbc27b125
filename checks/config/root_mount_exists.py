"""Every client mounts a database on ``/``.

What it examines
    The ``mount-point`` lines of each ``<zodb_db>``: one of them must be ``/``.
Why it matters
    A zope.conf without a root database can be read without any complaint; Zope fails only when it starts, with
    "No root database configured".
What it does not prove
    That it is the same database for all clients: see zeo-servers-agree, relstorage-databases-agree and
    every-database-is-one.
How to repair it
    Write ``mount-point /`` into the ``<zodb_db>`` that holds the site.

>>> show(root_mount_exists, app1=zope_conf(mount="/"), app2=zope_conf(mount="/"))
OK
>>> show(root_mount_exists, app1=zope_conf(mount="/"), app2=zope_conf(mount="/archive"))
CRITICAL app2: nothing is mounted on /; app2 mounts /archive
>>> show(root_mount_exists, app1=zope_conf(mount="/"), app2=zope_conf(mount="$(MOUNT)"))
UNKNOWN app2: the inventory gives no value for $(MOUNT), which mount-point of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Unknown, check
from zcheck.facts import Facts, ZopeConf
from zcheck.rules.databases import is_partial, listed, unresolved, where_databases_end


@check("root-mount-exists", stage="config", needs=[ZopeConf], severity=Severity.CRITICAL, after=["zope-conf-parses"])
def root_mount_exists(facts: Facts) -> Iterator[Problem | Unknown]:
    """Judge each client by itself."""
    for client, conf in facts.each(ZopeConf).items():
        if conf.root is not None:
            continue
        mounts = [mount for database in conf.databases for mount in database.mount_points]
        open_questions = list(unresolved(client, mounts))
        file, line = where_databases_end(conf)
        if open_questions:
            yield from open_questions
        elif is_partial(conf):
            message = f"no database on / is seen for {client}, whose zope.conf could be read in part only"
            yield Unknown((client,), message, tuple(Place.of(fault) for fault in conf.faults if fault.kind == "unread"))
        else:
            seen = f"{client} mounts {listed(m.value for m in mounts)}" if mounts else f"{client} has no <zodb_db>"
            places = [Place(file, line, note=f"{client}'s databases end here"), *map(Place.of, mounts)]
            hint = "write 'mount-point /' into the <zodb_db> that holds the site"
            yield Problem((client,), f"nothing is mounted on /; {seen}", tuple(places), hint)
