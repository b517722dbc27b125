"""The newest transactions as one running client's own ZEO server lists them: its truth, without a write."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec

from zcheck.consistency.http.client import Door, HttpTarget
from zcheck.consistency.http.forms import NotAccepted
from zcheck.facts import NotGathered, ServerList
from zcheck.probes.http_connection import HttpTrouble


class Hung(msgspec.Struct, frozen=True):
    """The client did not answer the request that makes it ask its server; one of its threads may wait for long."""

    client: str


def look(
    target: HttpTarget, user: str, password: str, timeout_s: float, hosts: Mapping[str, Sequence[str]]
) -> ServerList | Hung | NotGathered:
    """Ask this client once, by the form on which a manager undoes transactions; nothing is undone, only listed."""
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
    return ServerList(target.name, target.database, tids, asked_ns, time.monotonic_ns())
