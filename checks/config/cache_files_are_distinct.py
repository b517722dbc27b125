"""No two clients of one machine keep their ZEO cache in one file.

What it examines
    The persistent cache of each ``<zeoclient>`` (``client`` NAME, in the folder ``var``: the file is
    ``VAR/NAME-STORAGE.zec``) and of each ``<clientstorage>`` (``cache-path``), for clients of one machine and for the
    databases of one client. Without these keys the cache is a temporary file, which is each process's own. Who runs in
    a container has files of its own: say so with ``machine`` or ``listens``.
Why it matters
    The file is locked by the first client that starts; the second does not start (LockError), or starts on whichever
    machine reboots first.
What it does not prove
    That the files can be written, or that their content is sound.
How to repair it
    Give each client a ``client`` name of its own, or leave the line out.

>>> machine = inventory('''[cluster]
... name = intranet
... [client:app1]
... address = 10.0.0.1:8081
... [client:app2]
... address = 10.0.0.1:8082
... ''')
>>> one, two = zope_conf(client="app1", var="/srv/var"), zope_conf(client="app2", var="/srv/var")
>>> show(cache_files_are_distinct, machine, app1=one, app2=two)
OK
>>> show(cache_files_are_distinct, machine, app1=one, app2=one)
CRITICAL app1, app2: one cache file for database main of app1 and database main of app2: /srv/var/app1-1.zec on 10.0.0.1
>>> show(cache_files_are_distinct, machine, app1=one, app2=zope_conf(client="$(NAME)", var="/srv/var"))
UNKNOWN app2: the inventory gives no value for $(NAME), which client of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Unknown, check
from zcheck.checks.config._databases import listed, places, unresolved
from zcheck.checks.config._machines import machines, neighbours, normal_path
from zcheck.facts import Database, Facts, Names, Setting, ZopeConf


@check(
    "cache-files-are-distinct",
    stage="config",
    needs=[ZopeConf],
    uses=[Names],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses"],
)
def cache_files_are_distinct(facts: Facts) -> Iterator[Problem | Unknown]:
    """One finding a file, with all who would keep their cache in it."""
    where, together = machines(facts), neighbours(facts)
    found: dict[tuple[str, str], list[tuple[str, Database, Setting]]] = {}
    for client, conf in facts.each(ZopeConf).items():
        for database in conf.databases:
            if where[client] in together:
                yield from unresolved(client, _lines(database))
            line, path = _cache(conf, database)
            if line is not None:
                found.setdefault((where[client], path), []).append((client, database, line))
    for (machine, path), owners in found.items():
        if len(owners) > 1:
            clients = tuple(dict.fromkeys(client for client, _, _ in owners))
            who = listed(f"database {database.name} of {client}" for client, database, _ in owners)
            shown = places(line for _, _, line in owners)
            hint = "give each a 'client' name of its own; containers are told apart by 'machine' in clients.ini"
            yield Problem(clients, f"one cache file for {who}: {path} on {machine}", shown, hint, about=path)


def _lines(database: Database) -> list[Setting]:
    leaf = database.leaf
    if leaf is None or not database.is_zeo or not (leaf.first("client") or leaf.first("cache-path")):
        return []
    return [line for key in ("client", "cache-path", "var", "storage") for line in leaf.all(key)]


def _cache(conf: ZopeConf, database: Database) -> tuple[Setting | None, str]:
    """The line that names the cache, and its file (ZEO.ClientStorage, ZEO.zconfig); None where there is none.

    Without ``var`` the file is in the working directory, which is taken to be the instance's own home.
    """
    lines = _lines(database)
    leaf = database.leaf
    if leaf is None or not lines or any(line.unresolved for line in lines):
        return None, ""
    home = conf.top.value("instancehome", f"the working directory of {conf.file}")
    if leaf.type == "clientstorage":
        line = leaf.first("cache-path")
        return line, normal_path(line.value, home) if line is not None else ""
    line = leaf.first("client")
    name = f"{line.value}-{database.storage_name}.zec" if line is not None else ""
    return line, normal_path(name, normal_path(leaf.value("var", home), home))
