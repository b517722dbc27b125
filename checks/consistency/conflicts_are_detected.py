"""Two people who change one thing at one time are told, and nothing is overwritten unseen.

What it examines
    Through each client's ``server`` lines zcheck votes for two writes that it never finishes: one upon the newest
    version of its own test object, which the server has to accept, and one upon an older version, which it has to
    refuse. Both are given up, so neither leaves a byte. And no write of the whole test replaced a version that its
    writer had not seen.
Why it matters
    This is what keeps two clients from overwriting each other. Where it fails, the second one who saves wins, and the
    edit of the first is gone without a word.
What it does not prove
    That conflicts are rare, or resolved as people wish: classes that resolve conflicts themselves are not tried, nor is
    write skew, which snapshot isolation allows (see ``zcheck isolation``).
How to repair it
    The server or what stands in between does not compare serials: look for a storage wrapper, a proxy or a replacement
    of the ZEO server, and do not balance until it is gone.

>>> from zcheck.testing.examples import recorded
>>> from zcheck.testing.examples import zeo_run
>>> run = zeo_run("app1 > app2", "app2 > app1")
>>> show(conflicts_are_detected, recorded(run), app1=[], app2=[])
OK
>>> show(conflicts_are_detected, recorded(run, accepted=True), app1=[], app2=[])
CRITICAL app1, app2: database main, over ZEO: missed conflict (P4): the server would have accepted a write through app1
that replaces version ? of app1, which is not the newest (and 1 more)
>>> show(conflicts_are_detected, recorded(run, probes=False), app1=[], app2=[])
UNKNOWN app1, app2: database main, over ZEO: no conflict was tried through app1, app2
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts
from zcheck.facts.history import History, ZeoHistories
from zcheck.facts.verdicts import LOSES_UPDATES, Anomaly, Verdicts
from zcheck.rules.isolation import members, not_judged, verdict_on, where, witness, zeo_histories


@check(
    "conflicts-are-detected",
    stage="consistency",
    needs=[ZeoHistories],
    uses=[Verdicts],
    severity=Severity.CRITICAL,
    after=[
        "zeo-server-answers",
        "zeo-commit-lock-is-free",
        "zeo-server-writes-its-own-file",
        "every-database-is-one",
        "zeo-passes-writes-on",
    ],
)
def conflicts_are_detected(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """That a write was refused says something only where another one was accepted."""
    taken: set[str] = set()
    for history in zeo_histories(facts):
        found = _losses(facts, history)
        tried = [client for client in members(facts, history) if _tried(history, client)]
        taken |= set(tried)
        if found:
            yield _problem(facts, history, found)
        elif len(tried) < len(_writers(facts, history)):
            rest = [client for client in _writers(facts, history) if client not in tried]
            taken |= set(rest)
            yield from _untried(facts, history, rest, tried)
    others = tuple(client for client in facts.clients if client not in taken)
    yield Skipped(others, "nothing is written through its ZEO connection")


def _untried(facts: Facts, history: History, rest: list[str], tried: list[str]) -> Iterator[Unknown | Skipped]:
    """Through others of the same storage it was tried, where a pack took away what it would have been tried with."""
    if history.packed and tried:
        yield Skipped(tuple(rest), f"the storage was packed meanwhile; it was tried through {', '.join(tried)}")
    else:
        words = f"no conflict was tried through {', '.join(rest)}{_why(history, rest)}"
        yield from not_judged(facts, history, words)


def _losses(facts: Facts, history: History) -> list[Anomaly]:
    """Updates that were lost by a conflict nobody noticed, of the clients to be judged."""
    found = verdict_on(facts, history).anomalies
    lost = [one for one in found if one.kind in LOSES_UPDATES or one.breaks == "serializable"]
    return [one for one in lost if one.sessions[0] in facts.clients]


def _tried(history: History, client: str) -> bool:
    """Whether the server accepted what it had to accept and said anything of what it had to refuse."""
    own = [op for op in history.operations if op.session == client]
    accepts = any(op.action == "dry" and op.accepted for op in own)
    return accepts and any(op.action == "conflict" and op.accepted is not None for op in own)


def _writers(facts: Facts, history: History) -> list[str]:
    """The clients through which something was written."""
    wrote = {op.session for op in history.operations if op.action in ("add", "write") and op.outcome == "ok"}
    return [client for client in members(facts, history) if client in wrote]


def _why(history: History, clients: list[str]) -> str:
    told = dict.fromkeys(
        op.error for op in history.operations if op.action in ("dry", "conflict") and op.session in clients and op.error
    )
    return f": {'; '.join(told)}" if told else ""


def _problem(facts: Facts, history: History, found: list[Anomaly]) -> Problem:
    sessions = {session for one in found for session in one.sessions}
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    clients = tuple(client for client in facts.clients if client in sessions)
    hint = "do not balance: look for what stands between the clients and the ZEO server's storage"
    return Problem(clients, f"{where(history)}: {witness(found[0])}{more}", hint=hint, about=history.database)
