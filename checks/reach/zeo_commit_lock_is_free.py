"""No ZEO server's commit lock is stuck.

What it examines
    ``lock_time`` and ``commits`` of each storage in the server's answer to ``ruok``. Where the lock is held, the server
    is asked again a second later: the same lock, and not one commit in between, is a stuck lock. A lock that is held
    now and then, and a queue of waiting commits, are normal under load and no finding.
Why it matters
    While one client holds the commit lock no client of the cluster can save anything: every edit hangs, pages come from
    the caches, and no error is shown until a time-out minutes later.
What it does not prove
    That it stays free: a client that stops between vote and finish holds it from then on. The server's
    ``transaction-timeout`` does not help on ZEO 5 and 6: it drops the client and keeps the lock.
How to repair it
    Find the client that holds it (the server's log names the last one that began to commit; it may be stopped, or on a
    connection that died halfway) and end its process, which frees the lock. Else restart the ZEO server.

>>> from zcheck.testing.examples import zeo_answer
>>> show(zeo_commit_lock_is_free, app1=zeo_answer(), app2=zeo_answer())
OK
>>> show(zeo_commit_lock_is_free, app1=zeo_answer(locked="0:1700000000.5:7 1.1:1700000002.5:9"))
OK
>>> stuck = zeo_answer(locked="0:1700000000.5:7 1.1:1700000000.5:7")
>>> show(zeo_commit_lock_is_free, app1=stuck, app2=stuck)
CRITICAL app1, app2: nobody can save: the commit lock of storage 1 on zeo1:8100 is stuck (the same one in two looks
1.1 s apart, no commit in between, 2 waiting)
>>> show(zeo_commit_lock_is_free, app1=zeo_answer(locked="0:1700000000.5:7"))
UNKNOWN app1: the commit lock of storage 1 on zeo1:8100 was held, and it could not be asked a second time
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, ZeoAnswers, ZeoStorage
from zcheck.rules.zeo_servers import Asked, by_storage, unanswered


@check(
    "zeo-commit-lock-is-free",
    stage="reach",
    needs=[ZeoAnswers],
    severity=Severity.CRITICAL,
    after=["zeo-server-answers", "zeo-storage-exists"],
)
def zeo_commit_lock_is_free(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """By two readings of one server: no two clocks are compared."""
    for asked in by_storage(facts):
        storage = asked.first.storages.get(asked.first.storage)
        about = f"{asked.first.dialled} {asked.first.storage}"
        which = f"the commit lock of storage {asked.first.storage} on {asked.name}"
        if storage is None:
            continue
        if storage.is_blocked is None:
            message = f"{which} was held, and it could not be asked a second time"
            yield Unknown(asked.clients, message, asked.places, about=about)
        elif storage.is_blocked:
            yield _stuck(asked, storage, which, about)
    yield Skipped(unanswered(facts), "zeo-server-answers")


def _stuck(asked: Asked, storage: ZeoStorage, which: str, about: str) -> Problem:
    first, last = storage.readings[0], storage.readings[-1]
    seconds = last.at_s - first.at_s
    message = (
        f"nobody can save: {which} is stuck (the same one in two looks {seconds:.1f} s apart, no commit in between, "
        f"{last.waiting} waiting)"
    )
    hint = (
        "end the client process that holds it (the server's log names who began to commit), or restart the ZEO server"
    )
    return Problem(asked.clients, message, asked.places, hint, about)
