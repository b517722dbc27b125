"""The clients' own machines: what is asked of them by ``via``, and what they see."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from zcheck.facts import Client, LeftOut, NotGathered, SeenThere, SharedBlobs, WsgiConf, ZopeConf
from zcheck.gather.run import Run, side_by_side
from zcheck.probes import files
from zcheck.probes.remote import answers, call


def look(run: Run) -> None:
    within_s = run.call_s()
    doors = run.doors
    for client in (client for door in doors for client in door.clients):
        run.progress(client.name, "looking from its own machine")
    jobs = {n: partial(answers.look, door, within_s, _named_by_copies(run, door)) for n, door in enumerate(doors)}
    for number, found in side_by_side(jobs, run.deadline.left).items():
        own = doors[number].clients
        run.looked |= found if isinstance(found, dict) else dict.fromkeys((one.name for one in own), found)


def _named_by_copies(run: Run, door: call.Door) -> set[str]:
    """The variables that copies of these clients' files name, whose values their processes have."""
    named: set[str] = set()
    for client in door.clients:
        if client.zope_conf is not None and not answers.conf_is_there(client):
            with contextlib.suppress(files.CannotRead):
                named |= answers.variables_in(files.read_text(client.zope_conf))
    return named


def found_there(run: Run, client: Client, kind: type[Any]) -> Any:
    """A file of the client's own machine, from what that machine answered."""
    found = run.looked.get(client.name, NotGathered("via: it was not asked"))
    if isinstance(found, NotGathered) and kind is WsgiConf and answers.conf_is_there(client):
        return msgspec.structs.replace(found, told_by="zope-conf-parses")
    try:
        if kind is ZopeConf:
            return answers.zope_conf(client, found)
        conf = run.facts.raw(ZopeConf, client.name)
        return answers.wsgi_conf(conf if isinstance(conf, ZopeConf) else None, found)
    except Exception as error:  # what one machine says must not end the run
        return NotGathered(f"via: zcheck failed on what came back: {type(error).__name__}")


def seen_there(run: Run, client: Client, around: call.Peers | NotGathered | None) -> SeenThere | NotGathered | LeftOut:
    """What the client's own machine sees; ``around``: its answer to the second question."""
    brought = run.settings.gathered.raw(SeenThere, client.name)
    if brought is not None:
        return brought
    if client.via is None:
        return LeftOut("clients.ini gives no via for it")
    if run.settings.offline:
        return LeftOut(answers.OFFLINE)
    found = run.looked.get(client.name, NotGathered("via: it was not asked"))
    if isinstance(found, NotGathered):
        # That the way does not lead there is told once.
        teller = "zope-conf-parses" if answers.conf_is_there(client) else "products-agree"
        return msgspec.structs.replace(found, told_by=teller)
    conf = run.facts.raw(ZopeConf, client.name)
    return answers.seen(conf if isinstance(conf, ZopeConf) else None, found, around)


def look_around(run: Run, door: call.Door) -> call.Peers | NotGathered:
    """The second question to a machine: what its clients' files name, as seen from there."""
    from zcheck.probes.remote import answers as elsewhere
    from zcheck.probes.remote import call

    facts, within_s = run.facts, run.call_s()
    confs = {one.name: conf for one in door.clients if isinstance(conf := facts.raw(ZopeConf, one.name), ZopeConf)}
    if all(isinstance(run.looked.get(client.name), NotGathered) for client in door.clients):
        return NotGathered("via: it did not answer the first question")

    def ask(request: Mapping[str, Any], kind: type[call.Peers]) -> call.Peers | NotGathered:
        return call.ask(door.command, request, kind, within_s)

    wait_s = min(run.settings.timeout_s, max(within_s - 2, 0.5))
    return elsewhere.peers(confs, door.clients, ask, wait_s=wait_s, within_s=within_s)


def mark_blobs(run: Run) -> None:
    """One marker a database whose blobs are shared by folders that are not surely one."""
    from zcheck.probes.remote import answers as elsewhere

    facts = run.facts
    seen = {
        client.name: found
        for client in run.inventory.clients
        if isinstance(found := facts.raw(SeenThere, client.name), SeenThere)
    }
    shared = [folder.database for found in seen.values() for folder in found.folders if folder.use == "blobs"]
    markers, why_not = [], {}
    for database in dict.fromkeys(shared):
        members = elsewhere.members(database, run.doors, seen)
        if len(members) < 2:
            continue
        if run.settings.read_only:
            why_not[database] = "no marker is written with --read-only"
            continue
        made = elsewhere.blob_marker(
            database,
            members,
            run.settings.run_id,
            run.call_s(),
            lambda jobs: side_by_side(jobs, run.deadline.left),
        )
        if isinstance(made, str):
            why_not[database] = made
        else:
            markers.append(made)
    run.keep("", SharedBlobs(tuple(markers), why_not))
