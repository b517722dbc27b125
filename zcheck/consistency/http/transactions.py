"""The newest transactions as one running client's own ZEO server lists them: its truth, without a write."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from zcheck.consistency.http.client import Door, HttpTarget
from zcheck.consistency.http.forms import NotAccepted
from zcheck.facts import NotGathered, ServerList
from zcheck.facts.storage_lists import REPLICA_BEHIND_NS, to_ask_again
from zcheck.probes.http_connection import HttpTrouble


class Hung(msgspec.Struct, frozen=True):
    """The client did not answer the request that makes it ask its server; one of its threads may wait for long."""

    client: str


Look = Callable[[HttpTarget], "ServerList | Hung | NotGathered"]
SideBySide = Callable[[Mapping[Any, Callable[[], Any]]], Mapping[Any, Any]]


def compared(
    targets: Sequence[HttpTarget], ask: Look, side_by_side: SideBySide, replicas: Collection[str] = ()
) -> tuple[tuple[ServerList, ...], tuple[str, ...]]:
    """The lists of these clients and databases, and the clients that hung.

    All are asked once, side by side.  Of a database whose lists differ those that lack something are asked again, and
    where they lack it still, those that had it once more: then what one lacks tells, whatever the clocks say and
    however long an answer takes.  A client is asked one question at a time, and none after one without an answer.
    """
    lists: list[ServerList] = []
    hung: dict[str, None] = {}

    def round_of(wanted: Collection[tuple[str, str]]) -> None:
        by_client: dict[str, list[HttpTarget]] = {}
        for target in targets:
            if (target.name, target.database) in wanted and target.name not in hung:
                by_client.setdefault(target.name, []).append(target)
        for found in side_by_side({name: partial(_in_turn, own, ask) for name, own in by_client.items()}).values():
            for one in found if isinstance(found, list) else ():
                if isinstance(one, ServerList):
                    lists.append(one)
                elif isinstance(one, Hung):
                    hung[one.client] = None

    def differing() -> list[tuple[str, str, set[str]]]:
        databases = dict.fromkeys(one.database for one in lists)
        told = {name: to_ask_again([one for one in lists if one.database == name]) for name in databases}
        return [(behind, name, ahead) for name, found in told.items() for behind, ahead in found.items()]

    round_of({(target.name, target.database) for target in targets})
    behind = {(client, database) for client, database, _ in differing()}
    if any(client in replicas for client, _ in behind):
        time.sleep(REPLICA_BEHIND_NS / 1e9)
    round_of(behind)
    round_of({(other, database) for client, database, ahead in differing() for other in ahead})
    return tuple(lists), tuple(hung)


def _in_turn(targets: Sequence[HttpTarget], ask: Look) -> list[ServerList | Hung | NotGathered]:
    found: list[ServerList | Hung | NotGathered] = []
    for target in targets:
        found.append(ask(target))
        if isinstance(found[-1], Hung):
            break
    return found


def look(
    target: HttpTarget,
    user: str,
    password: str,
    timeout_s: float,
    hosts: Mapping[str, Sequence[str]],
    run_id: str = "",
) -> ServerList | Hung | NotGathered:
    """Ask this client once, by the form on which a manager undoes transactions; nothing is undone, only listed.

    ``run_id``: of the run whose own transactions are looked for.
    """
    door = Door(target, user=user, password=password, timeout_s=timeout_s, hosts=hosts)
    asked_ns = time.monotonic_ns()
    try:
        listed = door.transactions(timeout_s)
    except HttpTrouble as trouble:
        if trouble.kind in ("silent", "too-slow"):
            return Hung(target.name)
        return NotGathered(f"{target.name} {trouble.words}")
    except NotAccepted as refused:
        return NotGathered(f"{target.name}: {refused.words}")
    finally:
        door.close()
    tids = tuple(sorted((one.tid.hex() for one in listed if one.tid), reverse=True))
    own = bool(run_id) and any(f"zcheck run={run_id}" in one.text for one in listed)
    return ServerList(target.name, target.database, tids, asked_ns, time.monotonic_ns(), own)
