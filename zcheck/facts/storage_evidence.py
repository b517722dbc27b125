"""Which connections reach one storage, from what the servers handed out and counted.  Pure.

The proofs are of two kinds: object ids are handed out in one rising sequence by one storage, and a load is counted
by the server that served it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Literal

import msgspec

from zcheck.facts import LoadsCount, StorageProof, ZeoIdentity


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


def proven_groups(identity: ZeoIdentity, database: str) -> tuple[tuple[str, ...], ...]:
    """The clients of each group provably reach one storage of this database, those included for whom another stood."""
    found = storage_groups(identity.databases.get(database, ()), identity.loads.get(database, ()))
    stood = identity.same_way.get(database, {})
    return tuple((*group, *(name for name, other in stood.items() if other in group)) for group in found.groups)


def proven_one(identity: ZeoIdentity | None, database: str, one: str, other: str) -> bool:
    """Whether it is proven that these two clients' connections to a database reach one storage."""
    return identity is not None and any({one, other} <= set(group) for group in proven_groups(identity, database))


def candidate_groups(identity: ZeoIdentity | None, database: str) -> tuple[tuple[str, ...], ...]:
    """The addresses at which a client may find this database, in groups; two groups are provably two storages."""
    if identity is None:
        return ()
    found = storage_groups(identity.candidates.get(database, ()), identity.candidate_loads.get(database, ()))
    return found.groups
