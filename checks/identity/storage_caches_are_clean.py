"""No client's persistent ZEO cache keeps what its server does not have.

What it examines
    The cache file of a client whose zope.conf names one (``client`` NAME: ``VAR/NAME-STORAGE.zec``; or ``cache-path``),
    read raw on the client's own machine by ``via``, without a lock, by the numbers of its objects and transactions
    alone. Up to 1000 of its current records, the newest and some from all over it, are held against the server: which
    transaction is each object's current one there? A record that differs is read again after a second.
Why it matters
    A ZEO client asks its server for what changed since the last transaction in its cache. After it ran on a copy of the
    database that one may be the copy's, and the server tells nothing of what came before it: the client shows the
    copy's pages for ever, whatever server it is on, and no new edit shows that.
What it does not prove
    Anything of records that were not compared, of a client without ``via``, or of what a client has in memory. A record
    of an object that the server does not have any more is left alone: what was packed away stays in caches. So is one
    that the server replaced after the last transaction in the cache: the client is told of it when it connects.
How to repair it
    Stop the client, remove the file, and start it. A client without ``client`` and ``cache-path`` begins with an empty
    cache each time.

>>> from zcheck.facts import CacheThere
>>> def kept(**more): return StorageCaches((CacheThere("main", "/srv/var/app1-1.zec", "zope.conf", 5, **more),))
>>> show(storage_caches_are_clean, app1=kept(current=90, compared=90), app2=StorageCaches())
OK
>>> show(storage_caches_are_clean, app1=kept(current=90, compared=80, wrong=2), app2=StorageCaches())
WARNING app1: the ZEO cache of app1 holds 2 records of database main (80 were compared) that are not the current ones on
its server, which will never tell app1 so: /srv/var/app1-1.zec
>>> show(storage_caches_are_clean, app1=kept(why_not="/srv/var/app1-1.zec: Permission denied"))
skipped: not checked: /srv/var/app1-1.zec: Permission denied
>>> show(storage_caches_are_clean, app1=StorageCaches(), app2=StorageCaches())
skipped: nothing to examine: its zope.conf names no cache file
>>> show(storage_caches_are_clean, app1=NotGathered("zcheck's process for ZEO was ended"), app2=StorageCaches())
UNKNOWN app1: zcheck's process for ZEO was ended
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, check
from zcheck.facts import CacheThere, Facts, StorageCaches
from zcheck.facts.history import HttpHistories
from zcheck.rules.proofs import run_elsewhere

FIRST = "find out which storage holds the newest edits, as it runs on another one than its zope.conf names; then "


@check(
    "storage-caches-are-clean",
    stage="identity",
    needs=[StorageCaches],
    uses=[HttpHistories],
    severity=Severity.WARNING,
    after=["zope-conf-parses", "zeo-server-answers", "zeo-storage-exists"],
)
def storage_caches_are_clean(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a cache file; what could not be read is no pass."""
    for client, kept in facts.each(StorageCaches).items():
        if not kept.caches:
            yield Skipped((client,), "nothing to examine: its zope.conf names no cache file")
        for cache in kept.caches:
            if cache.why_not:
                yield Skipped((client,), f"not checked: {cache.why_not}")
            elif cache.wrong:
                yield _problem(client, cache, away=client in run_elsewhere(facts).get(cache.database, ()))


def _problem(client: str, cache: CacheThere, *, away: bool) -> Problem:
    records = "1 record" if cache.wrong == 1 else f"{cache.wrong} records"
    is_not = "is not the current one" if cache.wrong == 1 else "are not the current ones"
    message = (
        f"the ZEO cache of {client} holds {records} of database {cache.database} ({cache.compared} were compared) that "
        f"{is_not} on its server, which will never tell {client} so: {cache.path}"
    )
    where = Place(cache.file, cache.line, "", client)
    hint = (FIRST if away else "") + f"stop {client}, remove {cache.path}, and start it"
    return Problem((client,), message, (where,), hint, about=cache.database)
