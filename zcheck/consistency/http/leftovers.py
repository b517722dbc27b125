"""Find and remove the folders that killed runs left on the running clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from zcheck.consistency.http.client import Door, HttpTarget, Undoable, close, doors_of
from zcheck.consistency.http.forms import NotAccepted
from zcheck.consistency.http.level import DOORS_AT_ONCE
from zcheck.consistency.http.names import folder_title, run_of
from zcheck.consistency.http.removal import by_id, by_title, remove_folder
from zcheck.facts import NotGathered, tid_seconds
from zcheck.probes.http import NO_HOSTS
from zcheck.probes.http_connection import HttpTrouble

LONGEST_PAUSE_S = 0.25
WAITS_FOR_ALL = 6
"""How many waits the removal through one client may take, where several processes answer at its address."""
IN_USE = "it may belong to a run that is under way: it was written to a moment ago; --force removes it"


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
    may_be_used: Callable[[str, float | None], bool] = lambda run_id, age_s: False,
    stays: dict[str, str] | None = None,
) -> dict[str, tuple[str, ...] | NotGathered]:
    """Remove what earlier runs left, through each client in turn, and tell what every client then still shows.

    A client is asked to delete only after its ZEO server has answered it, and only what it still shows: in a split
    cluster each side's folders go through a client of that side.  ``may_be_used``: whether a run under way may use the
    folder of this run, whose newest transaction is so many seconds old (None: not known); such a folder stays.  Why a
    folder stays is put into ``stays``, by its name.
    """
    doors = doors_of(targets, user, password, timeout_s, hosts, verify)
    stays = {} if stays is None else stays
    try:
        found = _found(doors)
        for door in doors:
            folders = found[door.name]
            if isinstance(folders, tuple) and folders and door.target.may_write:
                _remove_all(door, folders, timeout_s, before_write, progress, may_be_used, stays)
        return _settled(doors, timeout_s, stays)
    finally:
        close(doors)


def _remove_all(
    door: Door,
    folders: Sequence[str],
    timeout_s: float,
    before_write: Callable[[str], str | None],
    progress: Callable[[str, str], None],
    may_be_used: Callable[[str, float | None], bool],
    stays: dict[str, str],
) -> None:
    end = time.monotonic() + WAITS_FOR_ALL * timeout_s
    for _ in range(4 * len(door.known) if door.shared else 1):
        left = [folder for folder in folders if folder not in stays]
        if not left or time.monotonic() > end:
            return
        with door.on_one_connection():
            try:
                listed = door.transactions(timeout_s)
                for folder in left:
                    _remove_one(door, folder, listed, before_write, progress, may_be_used, stays)
            except (HttpTrouble, NotAccepted):
                # What is still there is told by the look that follows, whatever the reason.
                continue


def _remove_one(
    door: Door,
    folder: str,
    listed: Sequence[Undoable],
    before_write: Callable[[str], str | None],
    progress: Callable[[str, str], None],
    may_be_used: Callable[[str, float | None], bool],
    stays: dict[str, str],
) -> None:
    run_id = run_of(folder)
    if not door.is_ours(folder):
        return
    if may_be_used(run_id, _age_s(folder, listed)):
        stays[folder] = IN_USE
    elif before_write(door.name) is None:
        progress(door.name, f"removes {folder}")
        title = folder_title(run_id, door.target.place)
        is_known = door.shows_title(f"{door.target.place}/{folder}", title)
        held = remove_folder(door, folder, by_title(run_id) if is_known else by_id)
        if held:
            stays[folder] = f"it holds {', '.join(held)}, which zcheck has not made"


def _age_s(folder: str, listed: Sequence[Undoable]) -> float | None:
    """Seconds since the newest transaction that can be of this folder, by the clock of the server; None: not known."""
    dated = [one for one in listed if one.tid]
    newest = max(dated, key=lambda one: one.tid, default=None)
    if newest is None:
        return None
    own = [one for one in dated if folder in one.text or "addFolder" in one.text]
    last = max(own, key=lambda one: one.tid) if own else min(dated, key=lambda one: one.tid)
    written_at = tid_seconds(last.tid.hex())
    return None if written_at is None else time.time() - written_at


def ages(
    targets: Sequence[HttpTarget],
    names: Mapping[str, Sequence[str]],
    *,
    user: str,
    password: str,
    timeout_s: float,
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
) -> dict[str, dict[str, float | None]]:
    """By client and path: seconds since its newest transaction, as the client's own server lists it."""
    found: dict[str, dict[str, float | None]] = {}
    for target in targets:
        door = Door(target, user=user, password=password, timeout_s=timeout_s, hosts=hosts)
        try:
            listed = door.transactions(timeout_s)
        except (HttpTrouble, NotAccepted):
            listed = ()
        finally:
            door.close()
        found[target.name] = {name: _age_s(name.rpartition("/")[2], listed) for name in names[target.name]}
    return found


def _settled(
    doors: Sequence[Door], within_s: float, stays: Mapping[str, str]
) -> dict[str, tuple[str, ...] | NotGathered]:
    """What is found once the last removal has had time to reach every client."""
    end = time.monotonic() + within_s
    while True:
        found = _found(doors)
        left = {one for folders in found.values() if isinstance(folders, tuple) for one in folders}
        if time.monotonic() > end or left <= stays.keys():
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
