"""Which lists of transactions cannot be of one storage.  Pure, and without any clock but zcheck's own order of asking.

A storage grows at its new end and is packed at its old one.  What a server listed before another one was asked, and
lists after that one has answered, was there all the while: where the answer in between lacks it, the two are of two
storages.  Alike proves nothing: a copy to which nobody has written lists the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from zcheck.facts.peers import NewestTransaction, ServerList

LIST_LIMIT = 100
"""Transactions that are asked for."""
REPLICA_BEHIND_NS = 2_000_000_000
"""How long a replica may take to hear of a transaction before its list is said to lack it."""


def of_clients(lists: Sequence[ServerList]) -> dict[str, list[ServerList]]:
    """The lists of one database by client, each client's in the order in which they were asked for."""
    found: dict[str, list[ServerList]] = {}
    for one in sorted(lists, key=lambda each: each.asked_ns):
        found.setdefault(one.client, []).append(one)
    return found


def sides_of_lists(lists: Sequence[ServerList], replicas: Collection[str] = ()) -> list[tuple[ServerList, ...]]:
    """The clients' latest lists of one database in groups; two of different groups are surely of two storages.

    ``replicas``: the clients that may hear of a transaction a little later than the others.
    """
    by_client = of_clients(lists)
    groups: list[list[str]] = []
    for client in by_client:
        home = next(
            (group for group in groups if not any(_apart(by_client, client, other, replicas) for other in group)), None
        )
        if home is None:
            groups.append([client])
        else:
            home.append(client)
    return [tuple(by_client[client][-1] for client in group) for group in groups]


def _apart(by_client: dict[str, list[ServerList]], one: str, other: str, replicas: Collection[str]) -> bool:
    return any(
        surely_lacks(by_client[behind], by_client[ahead], REPLICA_BEHIND_NS if behind in replicas else 0)
        for behind, ahead in ((one, other), (other, one))
    )


def surely_lacks(behind: Sequence[ServerList], ahead: Sequence[ServerList], may_lag_ns: int = 0) -> str:
    """A transaction that one server listed before and after the other's answer, which lacks it; empty: none."""
    for between in behind:
        before = {tid for one in ahead if one.answered_ns + may_lag_ns <= between.asked_ns for tid in one.tids}
        after = {tid for one in ahead if one.asked_ns >= between.answered_ns for tid in one.tids}
        missing = [tid for tid in before & after if _would_list(between, tid)]
        if missing:
            return max(missing)
    return ""


def _would_list(listed: ServerList, tid: str) -> bool:
    """Whether the list lacks this transaction though it would have it, were it of its storage.

    An empty list tells nothing: all may be packed, or nothing can be undone.
    """
    if not listed.tids or tid in listed.tids:
        return False
    return len(listed.tids) < LIST_LIMIT or tid > listed.tids[-1]


def to_ask_again(lists: Sequence[ServerList]) -> dict[str, set[str]]:
    """By client whose latest list lacks what another's has: those others.  Nothing is proven by that yet."""
    latest = {client: own[-1] for client, own in of_clients(lists).items()}
    found: dict[str, set[str]] = {}
    for client, listed in latest.items():
        for other, theirs in latest.items():
            if any(_would_list(listed, tid) for tid in theirs.tids):
                found.setdefault(client, set()).add(other)
    return found


def in_doubt(lists: Sequence[ServerList]) -> tuple[str, ...]:
    """The clients whose list lacks what another's had before, and that could not be asked often enough to tell why."""
    by_client = of_clients(lists)
    found = []
    for behind, others in to_ask_again(lists).items():
        latest = by_client[behind][-1]
        for ahead in others:
            before = [one for one in by_client[ahead] if one.answered_ns <= latest.asked_ns]
            had = any(_would_list(latest, tid) for one in before for tid in one.tids)
            again = any(one.asked_ns >= latest.answered_ns for one in by_client[ahead])
            if len(by_client[behind]) == 1 or (had and not again):
                found.append(behind)
                break
    return tuple(found)


def lacks(listed: ServerList, tid: str, known_ns: int) -> bool:
    """Whether the list surely lacks a transaction that was the storage's newest at ``known_ns``."""
    return bool(listed.tids) and listed.asked_ns >= known_ns and tid > listed.tids[0]


def goes_beyond(listed: ServerList, newest: NewestTransaction) -> bool:
    """Whether the list has a transaction that the storage, asked later, surely does not have."""
    return bool(listed.tids) and newest.asked_ns >= listed.answered_ns and listed.tids[0] > newest.tid
