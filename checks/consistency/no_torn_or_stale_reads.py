"""What clients read is whole, current, and never goes back in time.

What it examines
    Every transaction of the write-and-read test, held against the storage's own log by an exact judge: whether each
    acknowledged write is there and each refused one is not, whether all that one transaction read belongs to one
    moment, whether a client ever saw something older than it had seen or written before, and whether a read that asked
    the server first saw every edit that had been acknowledged by then.
Why it matters
    A client that shows the new folder and the old document in it, or yesterday's version after today's, lets people
    save what they never meant: the damage is in the data, not on the screen.
What it does not prove
    That it can never happen: R reads without a fault bound its rate to about 3/R (95 %). ``zcheck isolation`` reads
    more. What running clients showed is judged as exactly where zcheck reaches their ZEO server and can read its log;
    else only edits-are-seen-everywhere judges it.
How to repair it
    The finding names the anomaly, with its name in the literature, and the transactions. A stale object in a newer
    snapshot is a lost invalidation: look for what stands between that client and the server, restart the client without
    its cache file, and update ZEO on both sides.

>>> from zcheck.testing.examples import recorded
>>> from zcheck.testing.examples import zeo_run
>>> show(no_torn_or_stale_reads, recorded(zeo_run("app1 > app2", "app2 > app1")), app1=[], app2=[])
OK
>>> run = recorded(zeo_run("app1 > app2", "app2 > !app1"))
>>> show(no_torn_or_stale_reads, run, app1=[], app2=[])
CRITICAL app1, app2: database main, over ZEO: acknowledged commit not seen (G-single-realtime): app1 did not find app2,
0.0 ms after version 1 of app2 (0000000000000003) was acknowledged to app2, after a fence
>>> show(no_torn_or_stale_reads, zeo_run("app1 > app2", "app2 > app1"), app1=[], app2=[])
UNKNOWN app1, app2: database main, over ZEO: the storage's own log was not read

What the running clients showed is held against the log as well:

>>> from zcheck.testing.examples import edits_of_clients
>>> run = recorded(zeo_run("app1 > app2", "app2 > app1"))
>>> show(no_torn_or_stale_reads, run, edits_of_clients(), app1=[], app2=[])
OK
>>> show(no_torn_or_stale_reads, run, edits_of_clients(goes_back=True), app1=[], app2=[])
CRITICAL app2: database main, through the running clients: non-monotonic read (G-single-process): app2 read version 1 of
app1 (0000000000000001), 9.0 ms after app2 had read what was newer in its session
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts
from zcheck.facts.history import History, HttpHistories, ZeoHistories
from zcheck.facts.verdicts import LOSES_UPDATES, Anomaly, Verdicts
from zcheck.rules.isolation import (
    ALONE,
    blind_readers,
    connected,
    judged_histories,
    members,
    not_judged,
    told,
    verdict_on,
    where,
    witness,
)


@check(
    "no-torn-or-stale-reads",
    stage="consistency",
    needs=[ZeoHistories],
    uses=[HttpHistories, Verdicts],
    severity=Severity.CRITICAL,
    after=[
        "zeo-server-answers",
        "zeo-commit-lock-is-free",
        "zeo-server-writes-its-own-file",
        "every-database-is-one",
        "zeo-passes-writes-on",
    ],
)
def no_torn_or_stale_reads(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """What is lost by a conflict that was not noticed is told by conflicts-are-detected.

    And a running client that never showed an edit is told by edits-are-seen-everywhere.
    """
    taken: set[str] = set()
    for history in judged_histories(facts):
        verdict = verdict_on(facts, history)
        found = [one for one in verdict.anomalies if one.kind not in LOSES_UPDATES and one.breaks != "serializable"]
        blind = blind_readers(facts, history)
        own = [one for one in found if not one.sessions or one.sessions[0] in facts.clients]
        own = [one for one in own if not blind & set(one.sessions[:1])]
        taken |= set(members(facts, history))
        if connected(history) < 2:
            yield Skipped(members(facts, history), ALONE)
        elif own:
            yield _problem(facts, history, own)
        elif verdict.unknown and not verdict.anomalies:
            yield from not_judged(facts, history, told(verdict))
    yield Skipped(tuple(client for client in facts.clients if client not in taken), ALONE)


def _problem(facts: Facts, history: History, found: list[Anomaly]) -> Problem:
    """The first witness, and how many there are."""
    sessions = {session for one in found for session in one.sessions}
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    clients = tuple(client for client in facts.clients if client in sessions) or members(facts, history)
    hint = "see 'zcheck explain no-torn-or-stale-reads'; 'zcheck isolation' records a longer history"
    message = f"{where(history)}: {witness(found[0])}{more}"
    return Problem(clients, message, hint=hint, about=f"{history.level} {history.database} {found[0].kind}")
