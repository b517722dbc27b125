"""What is written through each client's ZEO connection is read through every other's.

What it examines
    zcheck connects to each client's own ``server`` lines as the client would, writes one small object through every
    connection and reads all of them through every other, twice, so that the second round is read past warm caches. Each
    read is fenced: a round trip to the server first, after which every earlier commit must be visible. The objects are
    linked from nowhere and are deleted at the end. Where clients have a ``blob-dir``, the same is done once with blobs
    and their files, which the server keeps until its next pack. Where more than eight clients have one way in common,
    by equal lines to equal addresses, eight connections stand for all of them.
Why it matters
    This is the least that a cluster has to do. Where it fails, two clients have two databases, or a server or proxy in
    between does not pass on what others save.
What it does not prove
    That the running clients do the same: they may run with another zope.conf than the one on disk, on a dead
    connection, or on caches gone stale. See edits-are-seen-everywhere. Blobs are sent and fetched through the server:
    that a folder with ``shared-blob-dir on`` is the server's own is not proven.
How to repair it
    Compare the ``server`` and ``storage`` lines of the two sides, and what stands between a client and its server: a
    virtual address or a forward that leads to several servers, a ``<demostorage>`` or ``<before>`` on the server.

>>> from zcheck.testing.examples import with_blobs, zeo_run
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
>>> blobs = with_blobs(zeo_run("app1 > app2", "app2 > app1"), app1="the server's storage keeps no blobs")
>>> show(zeo_passes_writes_on, blobs, app1=[], app2=[])
CRITICAL app1: database main, blobs over ZEO: app1 has a blob-dir, and the server's storage keeps no blobs
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from zcheck.check import Note, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts
from zcheck.facts.history import History, ZeoHistories
from zcheck.facts.pairs import SeenPair, pairs
from zcheck.rules.isolation import members
from zcheck.rules.storage_histories import may_not_write, sides


@check(
    "zeo-passes-writes-on",
    stage="consistency",
    needs=[ZeoHistories],
    severity=Severity.CRITICAL,
    after=[
        "zeo-server-answers",
        "zeo-storage-exists",
        "zeo-commit-lock-is-free",
        "zeo-server-writes-its-own-file",
        "every-database-is-one",
    ],
)
def zeo_passes_writes_on(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """A pair that was not tried is told, and is never a pass."""
    proven: set[str] = set()
    for history in facts.the(ZeoHistories).histories:
        readers = members(facts, history)
        barred = {client: why for client in readers if (why := may_not_write(history, client))}
        found = _tried(facts, history, barred)
        proven |= {name for pair in found for name in (pair.writer, pair.reader)}
        proven |= {name for name, stood in history.same_way.items() if stood in proven}
        yield from _told(history, found)
        for client in barred.keys() - proven:
            yield Skipped((client,), barred[client])
            proven.add(client)
    rest = tuple(client for client in facts.clients if client not in proven)
    yield Skipped(rest, "there is no second client's ZEO connection to prove it against")
    for history in facts.the(ZeoHistories).blobs:
        yield from _of_blobs(facts, history) if not history.nothing else _nothing_of_blobs(facts, history)


def _of_blobs(facts: Facts, history: History) -> Iterator[Problem | Unknown]:
    """A server that takes no blobs of a client that has a place for them refuses every file that is uploaded."""
    refused = [name for name in members(facts, history) if (s := history.state(name)) and s.refused == "no-blobs"]
    if refused:
        have = "has" if len(refused) == 1 else "have"
        message = f"{_where(history)}: {', '.join(refused)} {have} a blob-dir, and the server's storage keeps no blobs"
        hint = "give the storage in zeo.conf a blob-dir, or remove it from zope.conf"
        yield Problem(tuple(refused), message, hint=hint, about=_about(history))
    barred = [name for name in members(facts, history) if name in refused or may_not_write(history, name)]
    yield from _told(history, [p for p in _tried(facts, history, barred) if p.reader not in refused])


def _nothing_of_blobs(facts: Facts, history: History) -> Iterator[Note]:
    yield Note(facts.clients, f"{_where(history)}: not proven: {history.nothing}")


def _tried(facts: Facts, history: History, barred: Iterable[str]) -> tuple[SeenPair, ...]:
    readers = members(facts, history)
    writers = tuple(client for client in readers if client in facts.inventory.writers and client not in barred)
    return pairs(history, writers, readers)


def _told(history: History, found: Sequence[SeenPair]) -> Iterator[Problem | Unknown]:
    split = [pair for pair in found if pair.seen is False]
    if split:
        yield _problem(history, found, split)
    told = {name for pair in split for name in (pair.writer, pair.reader)}
    yield from _not_proven(history, [pair for pair in found if not {pair.writer, pair.reader} <= told])


def _where(history: History) -> str:
    return f"database {history.database}, {'blobs ' if history.blobs else ''}over ZEO"


def _about(history: History) -> str:
    return f"{history.database}{' (blobs)' * history.blobs}"


def _problem(history: History, found: Sequence[SeenPair], split: list[SeenPair]) -> Problem:
    named = {name for pair in found if pair.seen is not None for name in (pair.writer, pair.reader)}
    clients = tuple(state.client for state in history.clients if state.client in named)
    clients += tuple(name for name, stood in history.same_way.items() if stood in named)
    hint = "compare the 'server' and 'storage' lines of both sides, and what stands between them and the server"
    return Problem(clients, f"{_where(history)}: {sides(split)}", hint=hint, about=_about(history))


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
        message = f"{_where(history)}: not proven for {', '.join(names)}: {why}"
        yield Unknown(tuple(names), message, about=_about(history))
