"""The clients' persistent ZEO caches: read on their own machines, and held against their servers.

A current record of a cache is what the client shows without asking anybody.  The client knows every transaction up to
its cache's last one: a record that the server replaced before that will never be taken back.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from zcheck.facts import CacheThere, Client, LeftOut, NotGathered, SeenThere, StorageCaches, ZopeConf
from zcheck.facts.cache_files import CacheFile, cache_file
from zcheck.gather.run import Run, side_by_side
from zcheck.probes.remote import answers, call

if TYPE_CHECKING:
    from zcheck.consistency.storage import protocol

MOST = 1000
"""Records of one cache that are compared at most."""
MOST_OF_ALL = 4000
AGAIN_AFTER_S = 1.0
"""A record that differs is read again: the client may just be hearing of it."""

Key = tuple[str, str]
"""A client, and its database."""


class _Look(NamedTuple):
    """One cache, what was read there, and what the server has of it."""

    read: call.CacheFound
    compared: int
    wrong: frozenset[tuple[str, str]]
    why_not: str


def files_of(run: Run, client: Client) -> dict[str, CacheFile]:
    """The cache files of a client by database, by its zope.conf."""
    conf = run.facts.raw(ZopeConf, client.name)
    if not isinstance(conf, ZopeConf):
        return {}
    found = {database.name: cache_file(conf, database) for database in conf.databases}
    return {name: file for name, file in found.items() if file is not None}


def leave_out(run: Run) -> None:
    """What is known before anybody is asked: who has no cache file, and who cannot be asked for it."""
    for client in run.inventory.clients:
        run.keep(client.name, _without_asking(run, client), StorageCaches)


def _without_asking(run: Run, client: Client) -> StorageCaches | NotGathered | LeftOut:
    conf = run.facts.raw(ZopeConf, client.name)
    if not isinstance(conf, ZopeConf):
        instead = conf if isinstance(conf, NotGathered | LeftOut) else NotGathered("its zope.conf was not read")
        return instead if isinstance(instead, LeftOut) else LeftOut("its zope.conf was not read", "zope-conf-parses")
    if not files_of(run, client):
        return StorageCaches()
    if client.via is None:
        return LeftOut("not checked: clients.ini gives no via for it")
    if run.settings.gathered.raw(SeenThere, client.name) is not None:
        return LeftOut("not checked: zcheck gather brings no cache file")
    return LeftOut(f"not checked: {answers.OFFLINE}")


def look(run: Run) -> None:
    """Read, compare, and read again what differs."""
    cached: dict[str, dict[str, CacheFile]] = {}
    for door in run.doors:
        for client in door.clients:
            files = files_of(run, client)
            if files:
                cached[client.name] = files
    known = {
        (client, database): file.path for client, of in cached.items() for database, file in of.items() if file.is_known
    }
    looks = _looked(run, {key: (path, frozenset()) for key, path in known.items()})
    differing = {key: (known[key], frozenset(oid for oid, _ in one.wrong)) for key, one in looks.items() if one.wrong}
    if differing:
        time.sleep(min(AGAIN_AFTER_S, run.deadline.left() / 4))
        for key, again in _looked(run, differing).items():
            first = looks[key]
            # What could not be read again is not known to be wrong.
            looks[key] = first._replace(wrong=first.wrong & again.wrong, why_not=again.why_not)
    for name, files in cached.items():
        caches = tuple(_told(file, looks.get((name, database))) for database, file in files.items())
        run.keep(name, StorageCaches(caches))


def _told(file: CacheFile, look: _Look | None) -> CacheThere:
    line = file.lines[0]
    there = CacheThere(file.database, file.path, line.file, line.line)
    if look is None:
        return msgspec.structs.replace(there, why_not="in which folder its cache file is, zope.conf does not tell")
    return msgspec.structs.replace(
        there, current=look.read.current, compared=look.compared, wrong=len(look.wrong), why_not=look.why_not
    )


def _looked(run: Run, wanted: Mapping[Key, tuple[str, frozenset[str]]]) -> dict[Key, _Look]:
    """One look at each of these caches: at these objects, or where none is named at a sample."""
    read = _read(run, wanted)
    asked = {key: tuple(oid for oid, _ in one.entries) for key, one in read.items() if one.entries}
    answered = _asked(run, asked)
    found = {}
    for key, one in read.items():
        if one.why or not one.entries:
            why = f"{wanted[key][0]}: {one.why}" if one.why else ""
            found[key] = _Look(one, 0, frozenset(), why)
            continue
        server = answered[key]
        wrong = frozenset(
            (oid, tid)
            for oid, tid in one.entries
            if server.last and is_wrong(tid, server.tids.get(oid, ""), cache_last=one.last, server_last=server.last)
        )
        found[key] = _Look(one, server.asked, wrong, server.error)
    return found


def is_wrong(cached: str, current: str, *, cache_last: str, server_last: str) -> bool:
    """Whether a record that a cache holds as current is wrong for good; all are 16 hexadecimal digits.

    ``current`` is empty for what the server does not have: what was packed away is in many a cache.  A server that does
    not know a transaction as new as the record's yet is behind, and tells nothing.  What the server replaced after the
    cache's last transaction is taken back when the client hears of it.
    """
    if not current or current == cached or cached > server_last:
        return False
    return current <= cache_last


def _read(run: Run, wanted: Mapping[Key, tuple[str, frozenset[str]]]) -> dict[Key, call.CacheFound]:
    """The files, by one call of each machine."""
    within_s = run.call_s()
    most = max(100, min(MOST, MOST_OF_ALL // max(1, len(wanted))))
    jobs = {}
    for number, door in enumerate(run.doors):
        names = {client.name for client in door.clients}
        paths = {path: sorted(oids) for (client, _), (path, oids) in wanted.items() if client in names}
        if paths:
            request = call.request("caches", within_s, caches=paths, most=most)
            jobs[number] = partial(call.ask, door.command, request, call.CachesFound, within_s)
    found = side_by_side(jobs, run.deadline.left)
    read = {}
    for number, door in enumerate(run.doors):
        names = {client.name for client in door.clients}
        for key, (path, _) in wanted.items():
            if key[0] in names:
                read[key] = _of(found[number], path)
    return read


def _of(found: call.CachesFound | NotGathered, path: str) -> call.CacheFound:
    if isinstance(found, NotGathered):
        return call.CacheFound(why=found.reason)
    return found.caches.get(path, call.CacheFound(why="it was not read in time"))


def _asked(run: Run, oids: Mapping[Key, Iterable[str]]) -> dict[Key, protocol.Current]:
    """What the servers have of these objects now, over zcheck's own connections."""
    from zcheck.consistency.storage import protocol

    wanted = []
    for (client, database), own in oids.items():
        stands = run.same_way.get(database, {}).get(client, client)
        wanted.append(protocol.Wanted(stands, database, tuple(own)))
    if run.worker is None or not run.ways:
        why = "there is no connection of zcheck's own to its server"
        found = tuple(protocol.Current(one.client, one.database, error=why) for one in wanted)
    else:
        found = run.worker.current(wanted, within_s=min(run.within_s(), 4 * run.settings.timeout_s)) if wanted else ()
    return dict(zip(oids, found, strict=True))
