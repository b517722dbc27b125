"""Every ZEO server has the storage that its clients ask for.

What it examines
    The ``storage`` of each database in a client's zope.conf (``1`` where there is none), against the storages that the
    server lists in its answer to ``ruok``.
Why it matters
    A client that asks for a storage that the server does not have waits for it without end, and its log says no more
    than that it timed out: the reason stands in the server's log alone.
What it does not prove
    That it is the right one of the server's storages: see storage-names-agree and every-database-is-one.
How to repair it
    Correct ``storage`` in the client's zope.conf, or add the storage to the server's zeo.conf and restart the server.

>>> from zcheck.testing.examples import zeo_answer
>>> show(zeo_storage_exists, app1=zeo_answer(), app2=zeo_answer(storage="archive", serves="1 archive"))
OK
>>> show(zeo_storage_exists, app1=zeo_answer(), app2=zeo_answer(storage="2"), app3=zeo_answer(storage="2"))
CRITICAL app2, app3: app2, app3 ask for storage 2 (database main); the ZEO server zeo1:8100 has storage 1
>>> show(zeo_storage_exists, app1=zeo_answer(), app2=NotGathered("not done before zcheck's own deadline"))
UNKNOWN app2: not done before zcheck's own deadline
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import Facts, ZeoAnswers
from zcheck.rules.zeo_servers import by_storage, unanswered


@check(
    "zeo-storage-exists",
    stage="reach",
    needs=[ZeoAnswers],
    severity=Severity.CRITICAL,
    after=["zeo-server-answers"],
)
def zeo_storage_exists(facts: Facts) -> Iterator[Problem | Skipped]:
    """A server that listed no storage, for whatever reason, is not asked about one."""
    for asked in by_storage(facts):
        answer = asked.first
        if answer.storage not in answer.storages:
            ask = "asks" if len(asked.clients) == 1 else "ask"
            databases = ", ".join(dict.fromkeys(answer.database for _, answer in asked.answers))
            have = f"has storage {', '.join(answer.storages)}" if answer.storages else "has no storage at all"
            message = (
                f"{', '.join(asked.clients)} {ask} for storage {answer.storage} (database {databases}); "
                f"the ZEO server {asked.name} {have}"
            )
            hint = "correct 'storage' in zope.conf, or add the storage to the server's zeo.conf"
            yield Problem(asked.clients, message, asked.places, hint, about=f"{answer.dialled} {answer.storage}")
    yield Skipped(unanswered(facts), "zeo-server-answers")
