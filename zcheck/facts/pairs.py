"""A question to a history: which client showed what was written through which."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from zcheck.facts.history import ClientState, History, Operation


class SeenPair(msgspec.Struct, frozen=True):
    """Whether ``reader`` served what was written through ``writer``, in every round in which it was.

    ``seen`` is None where it was not tried: the writer's write was not accepted, or the reader never answered.
    ``lag_ms``: from the acknowledgement of the write to the first answer that showed it, fenced or not; the worst
    round's.
    """

    writer: str
    reader: str
    seen: bool | None = None
    lag_ms: float | None = None


def pairs(history: History, writers: Iterable[str], readers: Iterable[str]) -> tuple[SeenPair, ...]:
    """Every ordered pair of two different clients, judged.

    Only fenced reads decide where there are any: right after a commit about every second unfenced read over ZEO is
    stale, and that is no fault.  Where reads cannot be fenced (HTTP), the last word counts: a write is seen once a read
    shows it that began after every read that did not show it had ended.
    """
    readers = tuple(readers)
    reads = _reads_by_client(history)
    written = _writes_by_client(history)
    all_fenced = any(op.fenced for client in reads.values() for op in client)
    states = {state.client: state for state in history.clients}
    found = []
    for writer in writers:
        for reader in readers:
            if writer != reader:
                some, seen = written.get(writer, []), reads.get(reader, [])
                found.append(_pair(states.get(reader), writer, reader, some, seen, all_fenced))
    return tuple(found)


def _pair(
    state: ClientState | None,
    writer: str,
    reader: str,
    writes: list[Operation],
    reads: list[Operation],
    all_fenced: bool,
) -> SeenPair:
    if not writes:
        return SeenPair(writer, reader)
    if state is not None and state.joined is False and not state.hung:
        # It never showed the folder in which every other client's documents are.
        return SeenPair(writer, reader, seen=False)
    fenced = [op for op in reads if op.fenced]
    verdicts = [_seen_in_round(write, fenced if all_fenced else reads) for write in writes]
    if False in verdicts:
        return SeenPair(writer, reader, False)
    if None in verdicts:
        return SeenPair(writer, reader, None)
    return SeenPair(writer, reader, True, max(_lag_ms(write, reads) for write in writes))


def _later(write: Operation, reads: list[Operation]) -> list[Operation]:
    """The reads of this write's round that began after it was acknowledged and looked at its marker."""
    marker = next(iter(write.writes))
    return [op for op in reads if op.round == write.round and op.invoke_ns >= write.return_ns and marker in op.reads]


def _seen_in_round(write: Operation, reads: list[Operation]) -> bool | None:
    marker, nonce = next(iter(write.writes.items()))
    later = _later(write, reads)
    if not later:
        return None
    if any(op.answered_by for op in later):
        return all(_shown_by(answers, marker, nonce) for answers in _by_process(later, marker, nonce).values())
    blind_until = max((op.return_ns for op in later if op.reads[marker] != nonce), default=0)
    return any(op.invoke_ns >= blind_until for op in later if op.reads[marker] == nonce)


def shown_by_process(write: Operation, reads: Iterable[Operation]) -> dict[str, bool]:
    """By process that answered: whether it showed this write, and no later answer of its was without it."""
    marker, nonce = next(iter(write.writes.items()))
    later = _later(write, list(reads))
    found = _by_process(later, marker, nonce) if any(op.answered_by for op in later) else {}
    return {process: _shown_by(answers, marker, nonce) for process, answers in found.items()}


def _by_process(later: list[Operation], marker: str, nonce: str) -> dict[str, list[Operation]]:
    """The answers of each process.

    One that does not say whose it is (what is not there cannot) is the only process' own, where there is only one.
    Of several it counts against none of them while one of them had still to show the write for the first time.
    """
    found: dict[str, list[Operation]] = {}
    for op in later:
        found.setdefault(op.answered_by, []).append(op)
    unsaid = found.pop("", [])
    if len(found) == 1:
        next(iter(found.values())).extend(unsaid)
        return found
    firsts = [min((op.return_ns for op in ops if op.reads[marker] == nonce), default=None) for ops in found.values()]
    known = [first for first in firsts if first is not None]
    late = [
        op for op in unsaid if len(known) == len(found) and op.invoke_ns >= max(known) and op.reads[marker] != nonce
    ]
    return {**found, "": late} if late else found


def _shown_by(answers: list[Operation], marker: str, nonce: str) -> bool:
    """Whether a process showed it, by every connection that it was asked on from then on.

    All connections of one process hear of a commit at once, so one that begins later and does not show it is stale.
    """
    first = min((op.return_ns for op in answers if op.reads[marker] == nonce), default=None)
    return first is not None and not any(op.invoke_ns >= first and op.reads[marker] != nonce for op in answers)


def _lag_ms(write: Operation, reads: list[Operation]) -> float:
    """Until every process that answered had shown it."""
    marker, nonce = next(iter(write.writes.items()))
    first: dict[str, int] = {}
    for op in _later(write, reads):
        if op.reads[marker] == nonce:
            first[op.answered_by] = min(first.get(op.answered_by, op.return_ns), op.return_ns)
    if len(first) > 1 and "" in first:
        # It does not say whose it is: of one process it is that one's, of several it settles nothing.
        unsaid = first.pop("")
        first = {process: min(at, unsaid) if len(first) == 1 else at for process, at in first.items()}
    return (max(first.values()) - write.return_ns) / 1e6


def _reads_by_client(history: History) -> dict[str, list[Operation]]:
    reads = [op for op in history.operations if op.action == "read" and op.outcome == "ok"]
    found: dict[str, list[Operation]] = {}
    for op in reads:
        found.setdefault(op.session, []).append(op)
    return found


def _writes_by_client(history: History) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    for op in history.operations:
        if op.action in ("add", "write") and op.outcome == "ok" and op.session in op.writes:
            found.setdefault(op.session, []).append(op)
    return found
