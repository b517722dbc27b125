"""Find and remove what a killed run left: its folder on the clients, its orphans in the storages.

Both are known by their names alone (the folder's id and title, the transactions' user and description): no state file
is needed, and what somebody else made is never taken for ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from zcheck.consistency.http import leftovers as http
from zcheck.consistency.http import site
from zcheck.consistency.http.client import HttpTarget
from zcheck.consistency.http.names import run_of
from zcheck.consistency.storage import parent
from zcheck.facts import (
    AnsweringProcesses,
    ControlPanel,
    Facts,
    Inventory,
    NotGathered,
    PortAnswer,
    ZeoAnswers,
    targets,
    tid_seconds,
)
from zcheck.gather import collect, routes
from zcheck.gather.kinds import with_what_they_need
from zcheck.gather.settings import Settings
from zcheck.probes import zeo as zeo_probe
from zcheck.system import state

SINCE_S = 7 * 24 * 3600.0
"""How far back the storages' transactions are searched by default: a week."""

YOUNG_S = 120.0
"""What was written so shortly ago may belong to a run that is under way, on another machine or of another user."""

_NEEDED = frozenset({PortAnswer, ControlPanel, AnsweringProcesses, ZeoAnswers})


_Names = tuple[str, ...] | NotGathered


class UnderWay(Exception):
    """A run of this clients.ini is under way: what it uses is not removed; the message says so."""


class Outcome(msgspec.Struct, frozen=True):
    """What was found, as text, and the command's exit code."""

    text: str
    exit_code: int


class _Found(msgspec.Struct):
    folders: Mapping[str, _Names]
    orphans: parent.Orphans
    not_looked_at: list[str]
    site: str | None = None
    stays: dict[str, str] = {}
    """By name of a folder: why it was not removed."""

    @property
    def things(self) -> list[str]:
        told = [
            f"{client}: {'page' if self.site is not None and folder.startswith(f'{self.site}/') else 'folder'} {folder}"
            + (f" ({why})" if (why := self.stays.get(folder.rpartition("/")[2])) else "")
            for client, folders in self.folders.items()
            for folder in (folders if isinstance(folders, tuple) else ())
        ]
        by_place: dict[tuple[str, str, str], int] = {}
        for orphan in self.orphans.found:
            place = (orphan.server, orphan.database, orphan.run_id)
            by_place[place] = by_place.get(place, 0) + 1
        return told + [
            f"{server}: {count} unreachable marker objects of run {run} in database {database}"
            + (f" ({why})" if (why := self.stays.get(run)) else "")
            for (server, database, run), count in by_place.items()
        ]

    @property
    def unknown(self) -> list[str]:
        silent = [f"{name}: {why.reason}" for name, why in self.folders.items() if isinstance(why, NotGathered)]
        return [*self.not_looked_at, *silent, *self.orphans.unknown]


def look(
    inventory: Inventory,
    secret: str | NotGathered,
    *,
    timeout_s: float,
    deadline_s: float,
    since_s: float = SINCE_S,
    remove: bool = False,
    force: bool = False,
    state_folder: str | None = None,
) -> Outcome:
    """Look on every client and in every storage; with ``remove`` delete what is found, and look again.

    Nothing is removed from a server or storage that clients.ini pins otherwise.  Raises :exc:`UnderWay` rather than
    take away what a run from this machine uses; ``state_folder`` is where runs keep their journals.
    """
    runs = state.runs(state_folder, inventory.file)
    under_way = runs.under_way
    if remove and under_way and not force:
        raise UnderWay(f"run {under_way[0]} of {inventory.file} is under way: wait until it has ended; it cleans up")
    wanted = with_what_they_need(_NEEDED)
    settings = Settings(run_id="leftovers", timeout_s=timeout_s, deadline_s=deadline_s)
    run = collect.collect(inventory, settings, wanted, secret)
    facts, deadline = run.facts, run.deadline
    doors, silent = _doors(facts)
    with parent.ZeoWorker("leftovers", timeout_s=timeout_s) as worker:
        unreached = _connect(worker, facts, deadline.left())
        found = _look(worker, doors, inventory, secret, timeout_s, since_s, deadline.left())
        found.not_looked_at += [*silent, *unreached]
        before = found.things
        if remove and before:
            removal = _Removal(facts, secret, timeout_s, frozenset(runs.ended), force)
            removal.remove(worker, found, doors, deadline.left_to_clean_up())
            found = _look(worker, doors, inventory, secret, timeout_s, since_s, deadline.left_to_clean_up())
            found.not_looked_at += [*silent, *unreached]
            found.stays = removal.stays
    if not found.things and not found.unknown:
        state.forget_ended(state_folder, inventory.file)
    return _told(before, found, remove, inventory, under_way)


_Doors = Mapping[str, list[HttpTarget]]
"""By the place in the tree where a folder of ours may be: the root, and every mount point."""


def _doors(facts: Facts) -> tuple[_Doors, list[str]]:
    """The clients that can be asked, and in words those that cannot."""
    found: dict[str, list[HttpTarget]] = {"": []}
    silent = []
    for place in (routes.ROOT, *targets.mounted_places(facts)):
        for client in facts.inventory.clients:
            door = routes.http_target(facts, client, {}, place)
            if door is not None:
                not_here = targets.may_start_http(facts, client, place.path)
                door = msgspec.structs.replace(door, may_write=door.may_write and not not_here)
                found.setdefault(door.place, []).append(door)
            elif place is routes.ROOT:
                silent.append(f"{client.name}: {client.dialled} does not answer")
    return found, silent


def _connect(worker: parent.ZeoWorker, facts: Facts, within_s: float) -> list[str]:
    ways = targets.zeo_targets(facts)
    usable = [way for way in ways if not way.unreachable]
    failures = worker.connect([routes.zeo_target(way) for way in usable], within_s=within_s)
    told = [f"database {way.database} of {way.client}: {way.unreachable}" for way in ways if way.unreachable]
    return told + [f"database {failure.database} of {failure.client}: {failure.reason}" for failure in failures]


def _look(
    worker: parent.ZeoWorker,
    doors: _Doors,
    inventory: Inventory,
    secret: str | NotGathered,
    timeout_s: float,
    since_s: float,
    within_s: float,
) -> _Found:
    orphans = worker.orphans(since_s=since_s, within_s=max(within_s, 1.0))
    if isinstance(secret, NotGathered) or inventory.credentials is None:
        reason = secret.reason if isinstance(secret, NotGathered) else "there are no credentials"
        return _Found({}, orphans, [f"the running clients were not asked: {reason}"])
    options: dict[str, Any] = {
        "user": inventory.credentials.user,
        "password": secret,
        "timeout_s": timeout_s,
        "hosts": inventory.hosts,
    }
    folders: dict[str, _Names] = {}
    for place, own in doors.items():
        for name, found in http.leftovers(own, **options).items():
            folders[name] = _together(folders.get(name, ()), _at(place, found))
    if inventory.site is not None:
        pages = site.leftovers(doors[""], inventory.site, **options)
        folders = {name: _together(found, pages[name]) for name, found in folders.items()}
    return _Found(folders, orphans, [], inventory.site)


def _at(place: str, found: _Names) -> _Names:
    return found if isinstance(found, NotGathered) or not place else tuple(f"{place}/{name}" for name in found)


def _together(one: _Names, other: _Names) -> _Names:
    """Both; where one of them could not be had, the other is told if there is anything in it."""
    if isinstance(one, NotGathered):
        return other if other and not isinstance(other, NotGathered) else one
    return (*one, *other) if not isinstance(other, NotGathered) else one or other


class _Removal:
    """What is removed of what was found, and why the rest stays."""

    def __init__(
        self, facts: Facts, secret: str | NotGathered, timeout_s: float, ended: frozenset[str], force: bool
    ) -> None:
        self.facts = facts
        self.secret = secret
        self.timeout_s = timeout_s
        self.ended = ended
        """Runs that are known to have ended: their journals are this user's."""
        self.force = force
        self.stays: dict[str, str] = {}

    def may_be_used(self, run_id: str, age_s: float | None) -> bool:
        """Whether a run of another machine or user may be using it still: its newest transaction is young."""
        return not self.force and run_id not in self.ended and age_s is not None and age_s < YOUNG_S

    def remove(self, worker: parent.ZeoWorker, found: _Found, doors: _Doors, within_s: float) -> None:
        facts = self.facts
        ways = targets.zeo_targets(facts)
        kept = {(way.client, way.database) for way in ways if way.not_written}
        ours = [one for one in found.orphans.found if (one.client, one.database) not in kept and self._is_old(one)]
        if ours:
            worker.remove(ours, within_s=max(within_s / 2, 1.0))
        credentials = facts.inventory.credentials
        if credentials is None or not isinstance(self.secret, str):
            return
        options: dict[str, Any] = {
            "user": credentials.user,
            "password": self.secret,
            "timeout_s": self.timeout_s,
            "before_write": lambda client: _locked(ways, client, self.timeout_s),
            "hosts": facts.inventory.hosts,
        }
        path = facts.inventory.site
        if path is not None:
            self._remove_from_the_site(path, found, doors[""], options)
        for own in doors.values():
            http.remove_leftovers(own, **options, may_be_used=self.may_be_used, stays=self.stays)

    def _is_old(self, orphan: parent.Orphan) -> bool:
        written_at = tid_seconds(orphan.tid)
        age_s = None if written_at is None else time.time() - written_at
        if self.may_be_used(orphan.run_id, age_s):
            self.stays[orphan.run_id] = http.IN_USE
            return False
        return True

    def _remove_from_the_site(
        self, path: str, found: _Found, doors: list[HttpTarget], options: Mapping[str, Any]
    ) -> None:
        pages = {
            name: [one for one in folders if one.startswith(f"{path}/")]
            for name, folders in found.folders.items()
            if isinstance(folders, tuple)
        }
        asked = {key: options[key] for key in ("user", "password", "timeout_s", "hosts")}
        for name, ages in http.ages([door for door in doors if pages.get(door.name)], pages, **asked).items():
            for page, age_s in ages.items():
                if self.may_be_used(run_of(page.rpartition("/")[2]), age_s):
                    self.stays[page.rpartition("/")[2]] = http.IN_USE
                    pages[name].remove(page)
        may_write = [door for door in doors if not targets.site_not_written(self.facts, door.client)]
        site.remove_leftovers(may_write, path, {name: tuple(inside) for name, inside in pages.items()}, **options)


def _locked(ways: Iterable[targets.ZeoTarget], client: str, timeout_s: float) -> str | None:
    for way in ways:
        for dialled in way.dialled if way.client == client else ():
            lock = zeo_probe.wait_until_free(dialled, way.storage, timeout_s=timeout_s)
            # A server that cannot be asked from here is the client's business alone.
            if lock.is_held:
                return lock.reason
    return None


def _told(before: list[str], found: _Found, remove: bool, inventory: Inventory, under_way: tuple[str, ...]) -> Outcome:
    lines = [f"left: {thing}" for thing in found.things]
    lines += [f"under way: run {run} uses what is named after it, and removes it at its end" for run in under_way]
    still = {thing.partition(" (")[0] for thing in found.things}
    lines += [f"removed: {thing}" for thing in before if remove and thing not in still]
    lines += [f"not looked at: {where}" for where in dict.fromkeys(found.unknown)]
    if found.things:
        code = 2 if remove else 1
        lines.append("still there" if remove else f"remove it: zcheck leftovers {inventory.file} --remove")
    elif found.unknown:
        code = 3
        lines.append("UNKNOWN: nothing was found where it could be looked")
    else:
        code = 0
        lines.append("nothing is left" if before else "nothing was left behind")
    return Outcome("\n".join(lines) + "\n", code)
