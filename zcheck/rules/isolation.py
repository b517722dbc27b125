"""What the checks of isolation share: which histories there are to be judged, and examples for their pages."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from zcheck.check import Skipped, Unknown
from zcheck.facts import Facts
from zcheck.facts.history import ClientState, History, HttpHistories, Operation, Version, ZeoHistories
from zcheck.facts.pairs import pairs
from zcheck.facts.verdicts import ZERO, Anomaly, IsolationVerdict, Verdicts

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


def of_clients(*, goes_back: bool = False) -> HttpHistories:
    """An example's history through running clients: app2 shows app1's second edit, and then perhaps the first one."""
    ms = 1_000_000
    writes = [
        Operation("app1", "write", number, at, at + ms, "ok", writes={"app1": f"edit-{number}"}, tid=f"{number:016x}")
        for number, at in ((1, 0), (2, 10 * ms))
    ]
    shown = ["edit-2", "edit-1", "edit-2"] if goes_back else ["edit-2"] * 3
    reads = [
        Operation("app2", "read", 2, at * ms, (at + 1) * ms, "ok", reads={"app1": nonce})
        for at, nonce in zip((20, 30, 40), shown, strict=True)
    ]
    log = {"app1": tuple(Version(f"{number:016x}", f"edit-{number}") for number in (1, 2))}
    states = tuple(ClientState(name, joined=True) for name in ("app1", "app2"))
    return HttpHistories((History("http", "main", "example", (*writes, *reads), states, log=log),))
