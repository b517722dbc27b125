"""What is written through each client's ZEO connection is read through every other's.

What it examines
    zcheck connects to each client's own ``server`` lines as the client would, writes one small object through every
    connection and reads all of them through every other, twice, so that the second round is read past warm caches. Each
    read is fenced: a round trip to the server first, after which every earlier commit must be visible. The objects are
    linked from nowhere and are deleted at the end.
Why it matters
    This is the least that a cluster has to do. Where it fails, two clients have two databases, or a server or proxy in
    between does not pass on what others save.
What it does not prove
    That the running clients do the same: they may run with another zope.conf than the one on disk, on a dead
    connection, or on caches gone stale. See edits-are-seen-everywhere.
How to repair it
    Compare the ``server`` and ``storage`` lines of the two sides, and what stands between a client and its server: a
    virtual address or a forward that leads to several servers, a ``<demostorage>`` or ``<before>`` on the server.

>>> from zcheck.checks.consistency._zeo import zeo_run
>>> show(zeo_passes_writes_on, zeo_run("app1 > app2", "app2 > app1"), app1=[], app2=[])
OK
>>> run = zeo_run("app1 > app2 !app3", "app2 > app1 !app3", "app3 > !app1 !app2")
>>> show(zeo_passes_writes_on, run, app1=[], app2=[], app3=[])
CRITICAL app1, app2, app3: database main, over ZEO: app1, app2 do not read what is written through app3; app3 does not
read what is written through app1, app2
>>> run = zeo_run("app1 >", stopped="a write through app1 failed: no space left on device")
>>> show(zeo_passes_writes_on, run, app1=[], app2=[])
UNKNOWN app1, app2: database main, over ZEO: not proven for app1, app2: a write through app1 failed: no space left on
device
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.checks.consistency._zeo import may_not_write, sides
from zcheck.consistency.history import History, ZeoHistories
from zcheck.consistency.judge import SeenPair, pairs
from zcheck.facts import Facts


@check(
    "zeo-passes-writes-on",
    stage="consistency",
    needs=[ZeoHistories],
    severity=Severity.CRITICAL,
    after=["zeo-server-answers", "zeo-storage-exists", "zeo-commit-lock-is-free", "every-database-is-one"],
)
def zeo_passes_writes_on(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """A pair that was not tried is told, and is never a pass."""
    proven: set[str] = set()
    for history in facts.the(ZeoHistories).histories:
        readers = tuple(client for client in facts.clients if history.state(client) is not None)
        barred = {client: why for client in readers if (why := may_not_write(history, client))}
        writers = tuple(client for client in readers if client in facts.inventory.writers and client not in barred)
        found = pairs(history, writers, readers)
        split = [pair for pair in found if pair.seen is False]
        proven |= {name for pair in found for name in (pair.writer, pair.reader)}
        if split:
            yield _problem(history, found, split)
        told = {name for pair in split for name in (pair.writer, pair.reader)}
        yield from _not_proven(history, [pair for pair in found if not {pair.writer, pair.reader} <= told])
        for client in barred.keys() - proven:
            yield Skipped((client,), barred[client])
            proven.add(client)
    rest = tuple(client for client in facts.clients if client not in proven)
    yield Skipped(rest, "there is no second client's ZEO connection to prove it against")


def _problem(history: History, found: tuple[SeenPair, ...], split: list[SeenPair]) -> Problem:
    named = {name for pair in found if pair.seen is not None for name in (pair.writer, pair.reader)}
    clients = tuple(state.client for state in history.clients if state.client in named)
    hint = "compare the 'server' and 'storage' lines of both sides, and what stands between them and the server"
    message = f"database {history.database}, over ZEO: {sides(split)}"
    return Problem(clients, message, hint=hint, about=history.database)


def _not_proven(history: History, found: list[SeenPair]) -> Iterator[Unknown]:
    """Pairs that were not tried or not answered, by the client that is the reason."""
    reasons: dict[str, dict[str, None]] = {}
    for pair in found:
        if pair.seen is None:
            states = [state for name in (pair.writer, pair.reader) if (state := history.state(name)) and state.detail]
            why = states[0].detail if states else history.stopped or "it gave no usable answer"
            subjects = [state.client for state in states[:1]] or [pair.writer, pair.reader]
            reasons.setdefault(why, {}).update(dict.fromkeys(subjects))
    for why, names in reasons.items():
        message = f"database {history.database}, over ZEO: not proven for {', '.join(names)}: {why}"
        yield Unknown(tuple(names), message, about=history.database)
