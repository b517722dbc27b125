"""What the checks of isolation share: which histories there are to be judged, and examples for their pages."""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Skipped, Unknown
from zcheck.facts import Facts
from zcheck.facts.history import History, HttpHistories, ZeoHistories
from zcheck.facts.pairs import pairs
from zcheck.facts.verdicts import Anomaly, IsolationVerdict, Verdicts

ALONE = "there is no second client's ZEO connection to prove it against"


def zeo_histories(facts: Facts) -> tuple[History, ...]:
    return facts.the(ZeoHistories).histories


def judged_histories(facts: Facts) -> list[History]:
    """Those of zcheck's own connections, and those through the running clients whose versions the storage told."""
    http = facts.maybe(HttpHistories)
    through_clients = [one for one in http.histories if one.log is not None] if http is not None else []
    return [*zeo_histories(facts), *through_clients]


def members(facts: Facts, history: History) -> tuple[str, ...]:
    """The clients to be judged that were part of this history."""
    return tuple(client for client in facts.clients if history.state(client) is not None)


def connected(history: History) -> int:
    """How many clients took part."""
    return sum(state.joined is True for state in history.clients)


def blind_readers(facts: Facts, history: History) -> set[str]:
    """The running clients of which edits-are-seen-everywhere tells that they do not show what was saved."""
    clients = members(facts, history) if history.level == "http" else ()
    return {pair.reader for pair in pairs(history, clients, clients) if pair.seen is False}


def where(history: History) -> str:
    return f"database {history.database}, {'over ZEO' if history.level == 'zeo' else 'through the running clients'}"


def witness(anomaly: Anomaly) -> str:
    return f"{anomaly.kind} ({anomaly.adya}): {anomaly.words}"


def not_judged(facts: Facts, history: History, why: str) -> Iterator[Skipped | Unknown]:
    """Nothing can be said of this history: told here, unless the check of the pairs has the same to tell."""
    clients = members(facts, history)
    writers = [client for client in clients if client in facts.inventory.writers]
    if any(pair.seen is None for pair in pairs(history, writers, clients)):
        yield Skipped(clients, "zeo-passes-writes-on" if history.level == "zeo" else "edits-are-seen-everywhere")
    else:
        yield Unknown(clients, f"{where(history)}: {why}", about=history.database)


def verdict_on(facts: Facts, history: History) -> IsolationVerdict:
    return (facts.maybe(Verdicts) or Verdicts()).of(history)


def told(verdict: IsolationVerdict) -> str:
    return "; ".join(verdict.unknown)
