"""No two clients of one machine keep their ZEO cache in one file.

What it examines
    The persistent cache of each ``<zeoclient>`` (``client`` NAME, in the folder ``var``: the file is
    ``VAR/NAME-STORAGE.zec``) and of each ``<clientstorage>`` (``cache-path``), for clients of one machine and for the
    databases of one client. Without these keys the cache is a temporary file, which is each process's own. Who runs in
    a container has files of its own: say so with ``machine`` or ``listens``. Paths of Windows are compared as Windows
    does, without regard to case and slashes.
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
from typing import NamedTuple

from zcheck.check import Problem, Severity, Unknown, check
from zcheck.facts import Database, Facts, Names, Setting, ZopeConf
from zcheck.facts.neighbours import machines, neighbours
from zcheck.facts.paths import is_absolute, normal_path
from zcheck.rules.databases import listed, places, unresolved


class Cache(NamedTuple):
    """A cache file: who keeps it, its name, its path, and the line that decides in which folder it is."""

    client: str
    database: str
    line: Setting
    name: str
    path: str
    folder_lines: tuple[Setting, ...]


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
    named: dict[tuple[str, str], list[Cache]] = {}
    for client, conf in facts.each(ZopeConf).items():
        for database in conf.databases:
            lines = _lines(database, "client", "cache-path", "storage")
            if where[client] in together:
                yield from unresolved(client, lines)
            if lines and not any(line.unresolved for line in lines):
                cache = _cache(client, conf, database)
                named.setdefault((where[client], cache.name.lower()), []).append(cache)
    for (machine, _), caches in named.items():
        if len(caches) > 1:
            for cache in caches:
                yield from unresolved(cache.client, cache.folder_lines)
            yield from _judged(
                machine, [cache for cache in caches if not any(s.unresolved for s in cache.folder_lines)]
            )


def _judged(machine: str, caches: list[Cache]) -> Iterator[Problem]:
    by_path: dict[str, list[Cache]] = {}
    for cache in caches:
        by_path.setdefault(cache.path, []).append(cache)
    for path, owners in by_path.items():
        if len(owners) > 1:
            clients = tuple(dict.fromkeys(cache.client for cache in owners))
            who = listed(f"database {cache.database} of {cache.client}" for cache in owners)
            hint = "give each a 'client' name of its own; containers are told apart by 'machine' in clients.ini"
            message = f"one cache file for {who}: {path} on {machine}"
            yield Problem(clients, message, places(cache.line for cache in owners), hint, about=path)


def _lines(database: Database, *keys: str) -> list[Setting]:
    """These lines of a storage on ZEO that keeps its cache in a file; none of another."""
    leaf = database.leaf
    if leaf is None or not database.is_zeo or not (leaf.first("client") or leaf.first("cache-path")):
        return []
    return [line for key in keys for line in leaf.all(key)]


def _cache(client: str, conf: ZopeConf, database: Database) -> Cache:
    """Where a storage keeps its cache (ZEO.ClientStorage, ZEO.zconfig).

    Without ``var`` the file is in the working directory, which is taken to be the instance's own home.
    """
    first, *_ = _lines(database, "client", "cache-path")
    name = first.value if first.key == "cache-path" else f"{first.value}-{database.storage_name}.zec"
    folder = [] if is_absolute(name) else [*_lines(database, "var"), *conf.top.all("instancehome")]
    home = conf.top.value("instancehome", f"the working directory of {conf.file}")
    var = normal_path(database.leaf.value("var", home) if database.leaf is not None else home, home)
    needed = folder[:1]
    return Cache(client, database.name, first, name, normal_path(name, var), tuple(needed))
