"""Written on one and read on another through the running clients, at the root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zcheck.facts import ControlPanel, LeftOut, NotGathered, SeenThere, ZeoAnswers, ZopeConf, targets
from zcheck.facts.history import History, HttpHistories
from zcheck.gather import permission, routes
from zcheck.gather.run import Run
from zcheck.gather.waves import http_options, http_places, storage_writes

if TYPE_CHECKING:
    from zcheck.consistency.http.client import HttpTarget


def write(run: Run) -> None:
    from zcheck.consistency.http import folder as http
    from zcheck.consistency.http.level import INTERRUPTED

    credentials, secret = run.inventory.credentials, run.secret
    if isinstance(secret, NotGathered):
        missing = msgspec.structs.replace(secret, told_by="edits-are-seen-everywhere")
        run.keep("", missing, HttpHistories)
        return
    if run.worker is not None and run.worker.interrupted:
        run.keep("", NotGathered(INTERRUPTED), HttpHistories)
        return
    assert credentials is not None
    storage_writes.write_where_pinned(run)
    lost = routes.writes_to_a_lost_file(run, _root_database(run))
    if lost:
        run.keep("", LeftOut(lost, because="zeo-server-writes-its-own-file"), HttpHistories)
        return
    shown = routes.own_transactions(run)
    found = [routes.http_target(run.facts, client, run.may_wait) for client in run.inventory.clients]
    asked = [routes.with_start(run, door, shown) for door in found if door is not None]
    nothing = _why_no_http_level(run, asked)
    if nothing is not None:
        run.keep("", nothing, HttpHistories)
        return
    history = http.run(
        asked,
        expect_transaction=shown,
        must_show=routes.is_pinned(run),
        **http_options.recorded(run, asked[0].database),
        **http_options.through_clients(run, credentials.user, secret),
    )
    if history.stopped == INTERRUPTED:
        run.deadline.end()
    root = _with_why_not_asked(run, history, asked)
    inside = http_places.write_in_the_site(run, root, asked, credentials.user, secret)
    mounted = http_places.write_where_mounted(run, root, credentials.user, secret)
    files = http_places.upload_to_the_site(run, inside, asked, credentials.user, secret)
    run.keep("", HttpHistories((root, *inside, *mounted), files))
    fared = [state for one in (history, *mounted) for state in one.clients]
    hung = [state.client for state in fared if state.hung]
    permission.remember_who_hung(run, hung, [state.client for state in history.clients if state.joined])


def _root_database(run: Run) -> str:
    """What the clients' files call the database of the root."""
    confs = [run.facts.raw(ZopeConf, client.name) for client in run.inventory.clients]
    roots = [conf.root for conf in confs if isinstance(conf, ZopeConf)]
    return next((root.name for root in roots if root is not None), routes.ROOT.database)


def _why_no_http_level(run: Run, doors: list[HttpTarget]) -> NotGathered | LeftOut | None:
    if not doors:
        return NotGathered("no client answers")
    if any(door.may_start and door.may_write and door.may_ask for door in doors):
        return None
    if all(routes.server_is_dead(run, door) for door in doors):
        return LeftOut("the clients' ZEO servers do not answer", because="zeo-server-answers")
    told = dict.fromkeys(_why_not_first(run, door) for door in doors)
    return NotGathered(f"nothing could be written through the running clients: {'; '.join(told)}")


def _why_not_first(run: Run, door: HttpTarget) -> str:
    """Why this client may not make the folder."""
    reason = targets.may_start_http(run.facts, door.client)
    if not reason and not door.may_start:
        reason = f"nothing could be written on the pinned server by which {door.name} could be recognised"
    return reason or (permission.why_not_asked(door) if door.may_write else f"{door.name} says (disconnected)")


def _with_why_not_asked(run: Run, history: History, doors: list[HttpTarget]) -> History:
    """Beside each client that was not asked and has not shown the folder: why."""
    silent = {door.name: door for door in doors if not door.may_ask}
    states = []
    for fared in history.clients:
        door = silent.get(fared.client)
        if door is not None and not fared.joined:
            because = "zeo-server-answers" if routes.server_is_dead(run, door) else ""
            detail = (
                "; ".join(filter(None, [fared.detail, permission.why_not_asked(door)])) if not because else fared.detail
            )
            fared = msgspec.structs.replace(fared, because=because, detail=detail)
        elif fared.hung and _nobody_is_connected(run, fared.client):
            fared = msgspec.structs.replace(fared, because="zeo-server-answers")
        states.append(fared)
    return msgspec.structs.replace(history, clients=tuple(states))


def _nobody_is_connected(run: Run, client: str) -> bool:
    """Whether none of its servers answers, from here or anywhere: zeo-server-answers tells of it as well."""
    facts = run.facts
    answers = facts.raw(ZeoAnswers, client)
    names = [one.name for one in run.inventory.clients]
    panels = [fact for name in names if isinstance(fact := facts.raw(ControlPanel, name), ControlPanel)]
    machines = [fact for name in names if isinstance(fact := facts.raw(SeenThere, name), SeenThere)]
    return (
        isinstance(answers, ZeoAnswers)
        and {answer.outcome for answer in answers.answers} <= {"refused", "unreachable", "unknown-name", "timeout"}
        and not any(page.connected for panel in panels for page in panel.databases)
        and not any(server.works for machine in machines for server in machine.servers)
    )
