"""Whom a run writes to and reads from: clients over HTTP, ways to ZEO servers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from zcheck.facts import (
    AnsweringProcesses,
    Client,
    ControlPanel,
    Facts,
    HostPort,
    HttpAnswer,
    NotGathered,
    WsgiConf,
    ZeoAnswers,
    ZeoIdentity,
    ZopeConf,
    targets,
)
from zcheck.facts.backing import backing_of
from zcheck.facts.history import ZeoHistories
from zcheck.gather.run import Run

if TYPE_CHECKING:
    from zcheck.consistency.http.client import HttpTarget
    from zcheck.consistency.recording.format import Header
    from zcheck.consistency.storage.protocol import Target
    from zcheck.probes.zeo import Asked


Dialled = HostPort | str
ROOT = targets.Place("", "main")


def http_target(
    facts: Facts, client: Client, may_wait: Collection[str], place: targets.Place = ROOT
) -> HttpTarget | None:
    """How this client may be used at the HTTP level; None where it does not answer.

    ``may_wait``: the clients, by the address that is dialled, of which a thread may still wait for its ZEO server's
    answer to an earlier run.  ``place``: where in the tree the folder is to go, and the name of the database there
    where the client's zope.conf does not tell.
    """
    from zcheck.consistency.http.client import HttpTarget

    answer = facts.raw(HttpAnswer, client.name)
    if not isinstance(answer, HttpAnswer) or answer.outcome != "http":
        return None
    conf, wsgi, panel = (facts.raw(kind, client.name) for kind in (ZopeConf, WsgiConf, ControlPanel))
    there = targets.database_at(conf, place.path) if isinstance(conf, ZopeConf) else None
    database = there.name if there is not None else place.database
    page = panel.database(database) if isinstance(panel, ControlPanel) else None
    answers = facts.raw(ZeoAnswers, client.name)
    dead = isinstance(answers, ZeoAnswers) and answers.all_dead(database)
    met = facts.raw(AnsweringProcesses, client.name)
    return HttpTarget(
        client,
        may_write=client.role != "read-only" and not (page is not None and page.connected is False),
        may_start=not targets.may_start_http(facts, client, place.path),
        # A server that answers nobody would cost the client one of its threads, and tell nothing new.
        may_ask=str(client.dialled) not in may_wait and not dead,
        threads=(wsgi.threads if isinstance(wsgi, WsgiConf) else None) or 4,
        database=database,
        place=quote(place.path),
        processes=met.processes if isinstance(met, AnsweringProcesses) else (),
        backing=backing_of(facts, client.name, database),
    )


def zeo_target(way: targets.ZeoTarget) -> Target:
    """The same way as the writing child is told of it."""
    from zcheck.consistency.storage.protocol import Target

    return Target(
        way.client,
        way.database,
        way.dialled,
        way.storage,
        may_write=not way.not_written,
        why_not=way.not_written,
        # Of a shared folder nothing is learnt over the wire: a client with one sends no file.
        blobs=way.blobs == "cache",
    )


def ask_server(run: Run, dialled: Dialled, timeout_s: float | None = None) -> Asked:
    from zcheck.probes import zeo

    return zeo.ask(dialled, timeout_s=timeout_s or run.settings.timeout_s)


def answers(run: Run, way: targets.ZeoTarget) -> bool:
    """Whether a server of this way answers as a ZEO server and has the storage."""
    asked = [run.asked.get(dialled) for dialled in way.dialled]
    return not way.unreachable and any(
        one is not None
        and not isinstance(one, NotGathered)
        and one.outcome == "answers"
        and way.storage in one.storages
        for one in asked
    )


def by_one_server(run: Run, way: targets.ZeoTarget) -> targets.ZeoTarget:
    """The same way by the first of its addresses that answers: connections of ours by equal lines reach one server.

    Where a running client with these lines has come to is another question, which no connection of ours answers.
    """
    able = [dialled for dialled in way.dialled if answers(run, msgspec.structs.replace(way, dialled=(dialled,)))]
    return msgspec.structs.replace(way, dialled=tuple(able[:1])) if able else way


def tape(run: Run, level: str, database: str, place: str = "") -> tuple[str, Header] | None:
    """The file to which this history is written while it is made, and how it begins there."""
    from zcheck.consistency.recording import format, writer

    longer = run.settings.isolation
    if longer is None or longer.history is None:
        return None
    origin = writer.origin(run.inventory.name, run.settings.run_id, longer.seed)
    return longer.history, format.header(origin, level, database, place)


def is_pinned(run: Run) -> bool:
    return bool(run.inventory.pinned_zeo) or run.inventory.pinned_storage is not None


def with_start(run: Run, door: HttpTarget, shown: Mapping[str, str]) -> HttpTarget:
    """A client of which no file tells where it writes may begin only where what it lists tells."""
    unread = not isinstance(run.facts.raw(ZopeConf, door.name), ZopeConf)
    if run.inventory.pinned_zeo and unread and door.name not in shown:
        return msgspec.structs.replace(door, may_start=False)
    return door


def server_is_dead(run: Run, door: HttpTarget) -> bool:
    answers = run.facts.raw(ZeoAnswers, door.name)
    return isinstance(answers, ZeoAnswers) and answers.all_dead(door.database)


def own_transactions(run: Run, place: targets.Place = ROOT) -> dict[str, str]:
    """By client: what its server of the database there must list now, since it was just committed to it."""
    fact = run.facts.raw(ZeoHistories)
    histories = list(fact.histories) if isinstance(fact, ZeoHistories) else []
    if run.pinned_history is not None:
        histories.append(run.pinned_history)
    there = {
        client.name: database.name
        for client in run.inventory.clients
        if isinstance(conf := run.facts.raw(ZopeConf, client.name), ZopeConf)
        and (database := targets.database_at(conf, place.path)) is not None
    }
    written = [
        (operation.session, history.database)
        for history in histories
        for operation in history.operations
        if operation.action == "write" and operation.outcome == "ok"
    ]
    wrote = set(written)
    for history in histories:
        # What one connection wrote is where the connections of all lead that are made as it was.
        stood = history.same_way.items()
        written += [(name, history.database) for name, one in stood if (one, history.database) in wrote]
    text = f"zcheck run={run.settings.run_id}"
    shown = {session: text for session, database in written if there.get(session) == database}
    if (shown or (written and not place.path)) and run.inventory.pinned_zeo:
        # Nothing is written but where clients.ini pins it: a client of which no file tells has to list it too.
        unread = [client.name for client in run.inventory.clients if client.name not in there]
        shown |= dict.fromkeys(unread, text)
    return shown


def writes_to_a_lost_file(run: Run, database: str) -> str:
    """Why nothing may be written into this database at all: a server of its writes into a file without a name."""
    identity, fact = run.facts.raw(ZeoIdentity), run.facts.raw(ZeoHistories)
    looks = list(identity.files) if isinstance(identity, ZeoIdentity) else []
    histories = list(fact.histories) if isinstance(fact, ZeoHistories) else []
    if run.pinned_history is not None:
        histories.append(run.pinned_history)
    looks += [looked for history in histories for looked in history.files]
    for looked in looks:
        if looked.database == database and looked.outcome == "replaced":
            return f"{looked.location} is not the file into which {looked.server} writes"
    return ""
