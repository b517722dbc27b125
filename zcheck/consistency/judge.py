"""Judge a history: pure, so that an old one can be judged again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Literal

import msgspec

from zcheck.consistency.history import History, Operation
from zcheck.facts import LoadsCount, StorageProof


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
    found = []
    for writer in writers:
        for reader in readers:
            if writer != reader:
                some, seen = written.get(writer, []), reads.get(reader, [])
                found.append(_pair(history, writer, reader, some, seen, all_fenced))
    return tuple(found)


def _pair(
    history: History, writer: str, reader: str, writes: list[Operation], reads: list[Operation], all_fenced: bool
) -> SeenPair:
    if not writes:
        return SeenPair(writer, reader)
    state = history.state(reader)
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
    blind_until = max((op.return_ns for op in later if op.reads[marker] != nonce), default=0)
    return any(op.invoke_ns >= blind_until for op in later if op.reads[marker] == nonce)


def _lag_ms(write: Operation, reads: list[Operation]) -> float:
    marker, nonce = next(iter(write.writes.items()))
    showing = [op for op in _later(write, reads) if op.reads[marker] == nonce]
    return min(op.return_ns - write.return_ns for op in showing) / 1e6


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


# --- which connections reach one storage ---------------------------------------------------------


class Unclear(msgspec.Struct, frozen=True):
    """Clients of which the proofs do not tell whether they reach the same storage as the others."""

    clients: tuple[str, ...]
    reason: str
    split: bool = False
    """They surely do not all reach one storage; unclear is who reaches which."""


class StorageGroups(msgspec.Struct, frozen=True):
    """The clients of each group provably reach one storage, and those of two groups provably two."""

    groups: tuple[tuple[str, ...], ...] = ()
    unclear: tuple[Unclear, ...] = ()


def storage_groups(proofs: Iterable[StorageProof], loads: Iterable[LoadsCount]) -> StorageGroups:
    """Who reaches one storage, by what the servers handed out and counted; no name or size is trusted.

    What one storage hands out rises from call to call and is never handed out twice.  A number that was handed out
    twice is two storages; one rising sequence is one, unless the server's count of loads says otherwise.  A count that
    did not rise is two storages; one that rose is no proof alone, since others load as well.
    """
    usable = [proof for proof in proofs if not proof.error]
    counts = tuple(loads)
    verdicts = {(a.client, b.client): _same_storage(a, b, counts) for a in usable for b in usable if a is not b}
    parts = _components([proof.client for proof in usable], verdicts)
    groups: list[tuple[str, ...]] = []
    unclear: list[Unclear] = []
    for part in sorted(parts, key=len, reverse=True):
        contradiction = next(
            (verdicts[a, b] for a in part for b in part if a != b and verdicts[a, b].same is False), None
        )
        doubt = next((found for group in groups if (found := _doubt(part, group, verdicts)) is not None), None)
        if contradiction is not None:
            # Two copies that hand out ids in step make one sequence across them: only the counts tell who is where.
            unclear.append(Unclear(part, contradiction.reason, split=True))
        elif doubt is not None:
            unclear.append(Unclear(part, doubt))
        else:
            groups.append(part)
    return StorageGroups(tuple(groups), tuple(unclear))


class _Verdict(msgspec.Struct, frozen=True):
    same: bool | None
    reason: str


def _components(clients: list[str], verdicts: Mapping[tuple[str, str], _Verdict]) -> list[tuple[str, ...]]:
    """The clients, gathered by what is provably one storage, in the order in which they were given."""
    parts: list[list[str]] = []
    for client in clients:
        homes = [part for part in parts if any(verdicts[client, other].same for other in part)]
        joined = [name for part in homes for name in part] + [client]
        parts = [part for part in parts if part not in homes] + [joined]
    order = {client: number for number, client in enumerate(clients)}
    return sorted((tuple(sorted(part, key=order.__getitem__)) for part in parts), key=lambda part: order[part[0]])


def _doubt(part: tuple[str, ...], group: tuple[str, ...], verdicts: Mapping[tuple[str, str], _Verdict]) -> str | None:
    """Why it cannot be told whether two groups are one; None where they are provably two."""
    across = [verdicts[a, b] for a in group for b in part]
    return None if any(verdict.same is False for verdict in across) else across[0].reason


def _same_storage(one: StorageProof, other: StorageProof, loads: tuple[LoadsCount, ...]) -> _Verdict:
    oids, counted = _by_oids(one, other), _by_loads(one.client, other.client, loads)
    names = f"{one.client} and {other.client}"
    if oids == "twice":
        return _Verdict(False, f"the same new object ids were handed out through {names}")
    if oids == "rising" and counted is not False:
        return _Verdict(True, "")
    if counted is False and (_is_client(one) or _is_client(other)):
        return _Verdict(
            None, f"the ZEO servers of {names} pass on another server's storage, each with a count of its own"
        )
    if oids == "falling" and counted is False:
        return _Verdict(False, f"what {names} are handed out is no one sequence")
    if oids == "missing" and counted is True and one.server == other.server and one.location == other.location:
        return _Verdict(True, "")
    if oids == "missing" and counted is False and not (one.read_only or other.read_only):
        return _Verdict(False, f"loads through {one.client} are not counted where {other.client} reads")
    if oids == "missing" and counted is False:
        return _Verdict(None, "it is read-only and not the storage of the others: a replica of theirs, or a copy")
    if oids == "missing":
        return _Verdict(None, f"neither object ids nor counted loads tell {names} apart or show them to be one")
    what = "are one sequence" if oids == "rising" else "are no one sequence"
    said = {False: "does not count", True: "counts", None: "does not tell of"}[counted]
    return _Verdict(None, f"object ids through {names} {what}, and the server {said} the loads of both")


def _is_client(proof: StorageProof) -> bool:
    """Whether the server's storage is itself a ZEO client's: such a server hands out blocks of the other's ids."""
    return proof.location.endswith("connected)")


def _by_oids(one: StorageProof, other: StorageProof) -> Literal["twice", "rising", "falling", "missing"]:
    """What the ranges of both say, in the order in which they were handed out; asked in turn, or nothing is proven."""
    owned = sorted([(r.call, 0, r) for r in one.oids] + [(r.call, 1, r) for r in other.oids], key=lambda item: item[0])
    if any(a.first <= b.last and b.first <= a.last for a in one.oids for b in other.oids):
        return "twice"
    if sum(left[1] != right[1] for left, right in pairwise(owned)) < 3:
        return "missing"
    return "rising" if all(left[2].last < right[2].first for left, right in pairwise(owned)) else "falling"


def _by_loads(one: str, other: str, loads: tuple[LoadsCount, ...]) -> bool | None:
    """Whether the loads of a third or of one of both were counted for both; None where no count tells."""
    verdict: bool | None = None
    for count in loads:
        rose = [count.rose_by.get(client) for client in (one, other)]
        if any(by is None or by < 0 for by in rose):
            continue
        counted = [by is not None and by >= count.asked for by in rose]
        if counted[0] != counted[1]:
            return False
        if all(counted):
            verdict = True
    return verdict
