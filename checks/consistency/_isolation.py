"""What the checks of isolation share: which histories there are to be judged, and examples for their pages."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from zcheck.check import Skipped, Unknown
from zcheck.consistency.history import History, HttpHistories, Operation, Version, ZeoHistories
from zcheck.consistency.isolation import ZERO, Anomaly, Verdict
from zcheck.consistency.judge import pairs
from zcheck.facts import Facts

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


def told(verdict: Verdict) -> str:
    return "; ".join(verdict.unknown)


def recorded(run: ZeoHistories, *, probes: bool = True, accepted: bool = False, lag_ms: float = 1) -> ZeoHistories:
    """An example's history as the storage's own log has it, with what each writer tried that had to be refused.

    ``accepted``: the server would have taken it all the same.  ``lag_ms``: how long each write took to arrive.
    """
    (history,) = run.histories
    log: dict[str, tuple[Version, ...]] = {}
    operations: list[Operation] = []
    for number, op in enumerate(history.operations, 1):
        tid = f"{number:016x}"
        if op.writes:
            log |= {marker: (Version(tid, nonce),) for marker, nonce in op.writes.items()}
            operations.append(msgspec.structs.replace(op, tid=tid, bases=dict.fromkeys(op.writes, ZERO)))
            if probes:
                operations += _probes(op, accepted)
        else:
            late = op.invoke_ns + int(lag_ms * 1e6)
            operations += [op, msgspec.structs.replace(op, fenced=False, return_ns=late)]
    return ZeoHistories((msgspec.structs.replace(history, operations=tuple(operations), log=log),))


def _probes(op: Operation, accepted: bool) -> list[Operation]:
    at = op.return_ns
    return [
        Operation(op.session, "dry", 1, at, at, "fail", True, writes={op.session: "given-up"}, accepted=True),
        Operation(op.session, "conflict", 1, at, at, "fail", True, writes={op.session: "late"}, accepted=accepted),
    ]
