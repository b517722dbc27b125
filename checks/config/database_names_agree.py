"""What is mounted on a path has the same database name on all clients.

What it examines
    The NAME of ``<zodb_db NAME>``, for each path on which two clients or more mount a database. The case does not
    matter: ZConfig reads names in lower case.
Why it matters
    A reference from one database to another is stored with the other database's name. A client that calls it
    differently cannot follow the reference (POSKeyError, KeyError), and writes references that the others cannot.
What it does not prove
    That databases of one name are one database: see zeo-servers-agree and every-database-is-one.
How to repair it
    Give the section the same name everywhere: the name that the existing data was written with.

>>> def named(name):
...     return zope_conf(f'''<zodb_db {name}>
... <zeoclient>
... server zeo1:8100
... </zeoclient>
... mount-point /
... </zodb_db>''')
>>> show(database_names_agree, app1=named("main"), app2=named("Main"))
OK
>>> show(database_names_agree, app1=named("main"), app2=named("intranet"))
CRITICAL app1, app2: the database on / is called main for app1; intranet for app2
>>> show(database_names_agree, app1=named("main"), app2=NotGathered("ssh: timed out after 5 s"))
UNKNOWN app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, check
from zcheck.facts import Database, Facts, ZopeConf
from zcheck.rules.databases import everybody, nobody_to_compare, sides, told, virtual_paths


@check("database-names-agree", stage="config", needs=[ZopeConf], severity=Severity.CRITICAL, after=["zope-conf-parses"])
def database_names_agree(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a path; a database that has several is told once."""
    confs = facts.each(ZopeConf)
    yield from nobody_to_compare(confs)
    mounted: dict[str, dict[str, Database]] = {}
    for client, conf in confs.items():
        for database in conf.databases:
            for path in virtual_paths(database):
                mounted.setdefault(path, {})[client] = database
    reported = set()
    for path, owners in mounted.items():
        parts = sides({client: database.name for client, database in owners.items()})
        if len(parts) == 1 or tuple(parts.items()) in reported:
            continue
        reported.add(tuple(parts.items()))
        places = tuple(Place.of(owners[clients[0]]) for clients in parts.values())
        message = f"the database on {path} is called {told(parts, str)}"
        names = " or ".join(f"<zodb_db {name}>" for name in parts)
        hint = f"write {names} for all: the name that the data was written with"
        yield Problem(everybody(parts), message, places, hint, about=path)
