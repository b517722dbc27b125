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
from zcheck.facts import Facts, Names, ZopeConf
from zcheck.facts.cache_files import CacheFile, cache_file
from zcheck.facts.neighbours import machines, neighbours
from zcheck.rules.databases import listed, places, unresolved


class Cache(NamedTuple):
    """A cache file, and who keeps it."""

    client: str
    file: CacheFile


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
            found = cache_file(conf, database)
            if found is None:
                continue
            if where[client] in together:
                yield from unresolved(client, found.lines)
            if not any(line.unresolved for line in found.lines):
                named.setdefault((where[client], found.name.lower()), []).append(Cache(client, found))
    for (machine, _), caches in named.items():
        if len(caches) > 1:
            for cache in caches:
                yield from unresolved(cache.client, cache.file.folder_lines)
            yield from _judged(
                machine, [cache for cache in caches if not any(s.unresolved for s in cache.file.folder_lines)]
            )


def _judged(machine: str, caches: list[Cache]) -> Iterator[Problem]:
    by_path: dict[str, list[Cache]] = {}
    for cache in caches:
        by_path.setdefault(cache.file.path, []).append(cache)
    for path, owners in by_path.items():
        if len(owners) > 1:
            clients = tuple(dict.fromkeys(cache.client for cache in owners))
            who = listed(f"database {cache.file.database} of {cache.client}" for cache in owners)
            hint = "give each a 'client' name of its own; containers are told apart by 'machine' in clients.ini"
            message = f"one cache file for {who}: {path} on {machine}"
            yield Problem(clients, message, places(cache.file.lines[0] for cache in owners), hint, about=path)
