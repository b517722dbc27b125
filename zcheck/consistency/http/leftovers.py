"""Find and remove the folders that killed runs left on the running clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from zcheck.consistency.http.client import Door, HttpTarget, close, doors_of
from zcheck.consistency.http.forms import NotAccepted
from zcheck.consistency.http.level import DOORS_AT_ONCE
from zcheck.facts import NotGathered
from zcheck.probes.http import NO_HOSTS
from zcheck.probes.http_connection import HttpTrouble

LONGEST_PAUSE_S = 0.25


def leftovers(
    targets: Sequence[HttpTarget],
    *,
    user: str,
    password: str,
    timeout_s: float,
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
    verify: bool = True,
) -> dict[str, tuple[str, ...] | NotGathered]:
    """By client, the folders that earlier runs left, known by their names and titles; reads only."""
    doors = doors_of(targets, user, password, timeout_s, hosts, verify)
    try:
        return _found(doors)
    finally:
        close(doors)


def remove_leftovers(
    targets: Sequence[HttpTarget],
    *,
    user: str,
    password: str,
    timeout_s: float,
    before_write: Callable[[str], str | None] = lambda client: None,
    progress: Callable[[str, str], None] = lambda client, what: None,
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
    verify: bool = True,
) -> dict[str, tuple[str, ...] | NotGathered]:
    """Remove what earlier runs left, through each client in turn, and tell what every client then still shows.

    A client is asked to delete only after its ZEO server has answered it, and only what it still shows: in a split
    cluster each side's folders go through a client of that side.
    """
    doors = doors_of(targets, user, password, timeout_s, hosts, verify)
    try:
        found = _found(doors)
        for door in doors:
            folders = found[door.name]
            if isinstance(folders, tuple) and folders and door.target.may_write:
                _remove_all(door, folders, timeout_s, before_write, progress)
        return _settled(doors, timeout_s)
    finally:
        close(doors)


def _remove_all(
    door: Door,
    folders: Sequence[str],
    timeout_s: float,
    before_write: Callable[[str], str | None],
    progress: Callable[[str, str], None],
) -> None:
    try:
        door.transactions(timeout_s)
        for folder in folders:
            if door.is_ours(folder) and before_write(door.name) is None:
                progress(door.name, f"removes {folder}")
                door.delete(folder)
    except (HttpTrouble, NotAccepted):
        # What is still there is told by the look that follows, whatever the reason.
        return


def _settled(doors: Sequence[Door], within_s: float) -> dict[str, tuple[str, ...] | NotGathered]:
    """What is found once the last removal has had time to reach every client."""
    end = time.monotonic() + within_s
    while True:
        found = _found(doors)
        if time.monotonic() > end or not any(isinstance(folders, tuple) and folders for folders in found.values()):
            return found
        time.sleep(LONGEST_PAUSE_S)


def _found(doors: Sequence[Door]) -> dict[str, tuple[str, ...] | NotGathered]:
    def look(door: Door) -> tuple[str, ...] | NotGathered:
        try:
            return door.folders()
        except HttpTrouble as trouble:
            return NotGathered(f"it {trouble.words}")
        except NotAccepted as refused:
            return NotGathered(refused.words)

    if not doors:
        return {}
    with ThreadPoolExecutor(min(DOORS_AT_ONCE, len(doors))) as pool:
        return dict(zip((door.name for door in doors), pool.map(look, doors), strict=True))
