"""Facts that are brought from the clients' own machines as files, where zcheck has no way in.

On a client's machine ``zcheck gather CLIENTS.INI --client NAME`` prints what that machine sees of the client; elsewhere
``--gathered DIRECTORY`` judges such files of all clients together, beside what can be reached.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from zcheck.facts import Client, Facts, Inventory, NotGathered, SeenThere, WsgiConf, ZopeConf
from zcheck.gather import saved
from zcheck.gather.saved import Gathered
from zcheck.probes import files
from zcheck.probes.remote import answers as elsewhere
from zcheck.probes.remote import call

GOOD_FOR_S = 3600.0
"""What was gathered longer ago is not judged: the client may have been restarted, its files written anew."""
LARGEST = 8 * 1024 * 1024
"""Bytes of one client's file."""
MOST_FILES = 20_000


# --- on the client's own machine -----------------------------------------------------------------------


class Shown(Exception):
    """The script that is to be run there, with its request."""


def of_client(
    inventory: Inventory,
    client: Client,
    *,
    answers: Sequence[str] = (),
    show: bool = False,
    timeout_s: float = 5.0,
) -> Gathered:
    """What the machine on which this runs sees of one client.

    ``answers``: what the script printed, where something else has run it, one text for each of its two questions; with
    ``show`` the next question is raised as :exc:`Shown`.  Raises :exc:`savedfacts.CannotRead` where nothing is known.
    """
    own = _here(client)
    left = list(answers)
    within_s = call.CALL * timeout_s

    def ask(request: Mapping[str, Any], kind: type[Any]) -> Any:
        if left:
            return call.decoded(call.any_answer(left.pop(0)), kind)
        if show:
            raise Shown(call.script(request))
        return call.ask(shlex.quote(sys.executable), request, kind, within_s)

    found = elsewhere.looked(client.machine, (own,), ask, within_s)[client.name]
    if isinstance(found, NotGathered):
        raise saved.CannotRead(found.reason)
    conf = elsewhere.zope_conf(own, found)
    known = conf if isinstance(conf, ZopeConf) else None
    around = elsewhere.peers(
        {client.name: known} if known else {}, (own,), ask, wait_s=min(timeout_s, within_s - 2), within_s=within_s
    )
    facts = Facts().with_fact(client.name, conf, ZopeConf)
    facts = facts.with_fact(client.name, elsewhere.wsgi_conf(known, found), WsgiConf)
    # Its clock was held against itself, which tells nothing.
    seen = msgspec.structs.replace(elsewhere.seen(known, found, around), asked_at=None, answered_at=None)
    facts = facts.with_fact(client.name, seen)
    return Gathered(inventory.name, client.name, found.look.clock, facts)


def _here(client: Client) -> Client:
    """The client with the paths that its own machine has; what is no file here is found by its process."""
    paths: dict[str, Any] = {}
    for key in ("zope_conf", "wsgi_ini", "env_file"):
        path = getattr(client, key)
        if path is not None and key.replace("_", "-") not in client.lie_there:
            path = os.path.abspath(path) if os.path.exists(path) else None  # noqa: PTH100, PTH110 - never raises
        paths[key] = path
    there_now = tuple(key.replace("_", "-") for key, path in paths.items() if path is not None)
    return msgspec.structs.replace(client, via="here", lie_there=there_now, **paths)


# --- elsewhere ---------------------------------------------------------------------------------------------


class Brought(msgspec.Struct, frozen=True):
    """All files of a folder, as facts; and what is to be said of those that do not count."""

    facts: Facts
    remarks: tuple[str, ...] = ()


def read(folder: str, inventory: Inventory, now: float | None = None) -> Brought:
    """The ``*.json`` of a folder; :exc:`savedfacts.CannotRead` names one that is none of zcheck's.

    A client whose file is too old stays unknown.  Of two files of one client the newer one counts.
    """
    try:
        paths = sorted(Path(folder).glob("*.json"))[:MOST_FILES]
        if not Path(folder).is_dir():
            raise saved.CannotRead(f"{folder}: there is no such folder")
    except OSError as error:
        raise saved.CannotRead(f"{folder}: {error.strerror}") from None
    facts, remarks = Facts(), []
    newest: dict[str, tuple[float, str]] = {}
    for path in map(str, paths):
        found = _read(path)
        if found.client not in inventory.client_names:
            remarks.append(f"{path}: {inventory.file} has no client {found.client!r}; it is left aside")
        elif found.cluster != inventory.name:
            remarks.append(f"{path}: it is of cluster {found.cluster!r}, not {inventory.name!r}; it is left aside")
        elif found.client in newest and newest[found.client][0] >= found.gathered_at:
            remarks.append(f"{path}: {newest[found.client][1]} is newer, of the same client; it is left aside")
        else:
            if found.client in newest:
                remarks.append(f"{newest[found.client][1]}: {path} is newer, of the same client; it is left aside")
            newest[found.client] = (found.gathered_at, path)
            facts = _added(facts, found, path, time.time() if now is None else now)
    return Brought(facts, tuple(remarks))


def _read(path: str) -> Gathered:
    try:
        return saved.load_gathered(files.read_text(path, LARGEST))
    except files.CannotRead as error:
        raise saved.CannotRead(str(error)) from None
    except saved.CannotRead as error:
        raise saved.CannotRead(f"{path}: {error}") from None


def _added(facts: Facts, found: Gathered, path: str, now: float) -> Facts:
    for kind in saved.FROM_THERE:
        fact = found.facts.raw(kind, found.client)
        why = _why_not(now - found.gathered_at)
        if fact is not None or kind is SeenThere:
            hint = f"gather it again: zcheck gather CLIENTS.INI --client {found.client}, on its machine"
            # That it is too old is told once.
            told_by = "zope-conf-parses" if kind is not ZopeConf and found.facts.raw(ZopeConf, found.client) else ""
            stale = NotGathered(f"{path} {why}", hint, told_by)
            facts = facts.with_fact(found.client, stale if why or fact is None else fact, kind)
    return facts


def _why_not(age_s: float) -> str:
    """Why facts of this age are not judged; empty where they are."""
    if age_s > GOOD_FOR_S:
        return f"was gathered {age_s / 60:.0f} min ago, which is more than {GOOD_FOR_S / 60:.0f}"
    if age_s < -GOOD_FOR_S:
        return f"was gathered {-age_s / 60:.0f} min from now: one of the two clocks is wrong"
    return ""
