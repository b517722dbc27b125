"""Questions to a history: how long writes took to arrive, and how far a reader was behind."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from zcheck.facts.history import History, Lag, Operation


def singly(history: History) -> History:
    """The same history, with each request that was one of several told as a transaction of its own."""
    if not any(op.apart and len(op.reads) > 1 for op in history.operations):
        return history
    operations = []
    for op in history.operations:
        if op.apart and len(op.reads) > 1:
            operations += [msgspec.structs.replace(op, reads={m: nonce}, apart=False) for m, nonce in op.reads.items()]
        else:
            operations.append(op)
    return msgspec.structs.replace(history, operations=tuple(operations))


def lags(history: History) -> list[Lag]:
    """How long each write took to arrive where nobody asked the server for it."""
    acknowledged = {
        (marker, nonce): op
        for op in history.operations
        if op.outcome == "ok"
        for marker, nonce in op.writes.items()
        if nonce
    }
    first: dict[tuple[str, str, str], int] = {}
    for op in history.operations:
        # A workload reads when its turn has come: when that was says nothing of when the write was known.
        if op.fenced or op.outcome != "ok" or op.workload:
            continue
        for marker, nonce in op.reads.items():
            if nonce is not None and (marker, nonce) in acknowledged:
                key = (op.session, marker, nonce)
                first[key] = min(first.get(key, op.return_ns), op.return_ns)
    found = []
    for (reader, marker, nonce), seen in first.items():
        write = acknowledged[marker, nonce]
        if write.session != reader:
            ms = max(seen - write.return_ns, 0) / 1e6
            found.append(Lag(write.session, reader, marker, ms, write.return_ns))
    return found


def behind(history: History) -> list[Lag]:
    """How far a reader demonstrably was behind: from an acknowledgement to the begin of a read that did not show it.

    Unlike the time at which an answer came, this is never longer because the answer was slow.
    """
    writes: dict[tuple[str, int], Operation] = {}
    for op in history.operations:
        if op.outcome == "ok" and op.action in ("add", "write"):
            writes |= {(marker, op.round): op for marker, nonce in op.writes.items() if nonce}
    found = []
    for op in history.operations:
        if op.action != "read" or op.outcome != "ok":
            continue
        for marker, nonce in op.reads.items():
            write = writes.get((marker, op.round))
            if write is not None and write.session != op.session and write.writes[marker] != nonce:
                late = op.invoke_ns - write.return_ns
                found += [Lag(write.session, op.session, marker, late / 1e6)] if late >= 0 else []
    return found


def quantile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    place = max(0, -(-len(sorted_values) * round(share * 1000) // 1000) - 1)
    return sorted_values[place]
