"""Who answers: every client's port, page and Control Panel, every ZEO server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from zcheck.facts import (
    AnsweringProcesses,
    Client,
    ControlPanel,
    HostPort,
    HttpAnswer,
    LeftOut,
    NotGathered,
    PortAnswer,
    SeenThere,
    WsgiConf,
    ZeoAnswer,
    ZeoAnswers,
    ZopeConf,
    targets,
)
from zcheck.gather import routes
from zcheck.gather.run import Run, side_by_side
from zcheck.gather.waves import machines
from zcheck.parsers.clients_ini import thresholds


class _OwnFaultError(Exception):
    """A peer was not asked because of zcheck itself, such as its own deadline: nothing is known of the peer."""

    def __init__(self, instead: NotGathered) -> None:
        super().__init__(instead.reason)
        self.instead = instead


def reach(run: Run) -> None:

    wants = run.wanted
    jobs: dict[Any, Callable[[], Any]] = {}
    if PortAnswer in wants:
        jobs |= {client.name: partial(_ask_client, run, client) for client in run.inventory.clients}
    if ZeoAnswers in wants:
        ways = targets.zeo_targets(run.facts)
        jobs |= {("zeo", dialled): partial(routes.ask_server, run, dialled) for way in ways for dialled in way.dialled}
    doors = run.doors if SeenThere in wants else ()
    jobs |= {("there", number): partial(machines.look_around, run, door) for number, door in enumerate(doors)}
    found = side_by_side(jobs, run.deadline.left)
    seen = {
        client.name: machines.seen_there(run, client, found["there", number])
        for number, door in enumerate(doors)
        for client in door.clients
    }
    run.facts = run.facts.with_facts(SeenThere, seen)
    for client in run.inventory.clients if PortAnswer in wants else ():
        answers = found[client.name]
        for kind in (PortAnswer, HttpAnswer, ControlPanel):
            fact = answers if isinstance(answers, NotGathered) else answers[kind]
            run.keep(client.name, fact, kind)
    _leave_the_telling_to_the_port(run)
    if ControlPanel in wants:
        _tell_processes_apart(run)
    run.asked = {key[1]: value for key, value in found.items() if isinstance(key, tuple) and key[0] == "zeo"}
    if ZeoAnswers in wants:
        by_client: dict[str, list[targets.ZeoTarget]] = {}
        for way in targets.zeo_targets(run.facts):
            by_client.setdefault(way.client, []).append(way)
        said = {one.name: _zeo_answers(run, one, by_client.get(one.name, ())) for one in run.inventory.clients}
        run.facts = run.facts.with_facts(ZeoAnswers, said)


def _leave_the_telling_to_the_port(run: Run) -> None:
    """A machine that is gone is one finding: neither its client's port nor the way to look from it answers."""
    facts = run.facts
    for name, found in run.looked.items():
        port = facts.raw(PortAnswer, name)
        if isinstance(found, NotGathered) and isinstance(port, PortAnswer) and port.outcome != "open":
            for kind in (ZopeConf, WsgiConf, SeenThere):
                fact = facts.raw(kind, name)
                if isinstance(fact, NotGathered) and fact.reason == found.reason:
                    others = fact.told_by or "zope-conf-parses"
                    told = msgspec.structs.replace(fact, told_by=f"client-port-answers {others}")
                    run.keep(name, told, kind)


def _ask_client(run: Run, client: Client) -> dict[type[Any], Any]:
    """Port, HTTP and Control Panel of one client; each only where the one before it answered."""
    from zcheck.probes import http

    timeout_s, hosts, tell = run.settings.timeout_s, run.inventory.hosts, run.progress
    tell(client.name, "connecting")
    port = http.probe_port(client, timeout_s, hosts)
    if port.outcome != "open":
        nothing = NotGathered(f"{client.dialled} does not answer")
        return {PortAnswer: port, HttpAnswer: nothing, ControlPanel: nothing}
    tell(client.name, "asking for a page")
    page = http.probe_http(client, timeout_s, hosts)
    slow_ms = thresholds(run.inventory.options).client_answers_quickly_s * 1000
    if page.elapsed_ms is not None and page.elapsed_ms > slow_ms:
        # The first page after a start takes longer than any other.
        again = http.probe_http(client, timeout_s, hosts)
        page = again if again.outcome == "http" else page
    if page.outcome != "http":
        nothing = NotGathered(f"{client.dialled} does not speak HTTP")
        return {PortAnswer: port, HttpAnswer: page, ControlPanel: nothing}
    return {PortAnswer: port, HttpAnswer: page, ControlPanel: _ask_control_panel(run, client)}


def _ask_control_panel(run: Run, client: Client) -> ControlPanel | NotGathered | LeftOut:
    from zcheck.probes import http

    credentials, secret = run.inventory.credentials, run.secret
    if ControlPanel not in run.wanted:
        return LeftOut("not asked for")
    if isinstance(secret, NotGathered):
        return LeftOut(secret.reason, None if credentials is None else "credentials-are-private")
    assert credentials is not None
    run.progress(client.name, "reading its Control Panel")
    panel = http.probe_control_panel(
        client, credentials.user, secret, run.settings.timeout_s, run.inventory.hosts, site=run.inventory.site
    )
    run.progress(client.name, "waiting for the others")
    return _told_once(run, panel) if isinstance(panel, NotGathered) else panel


def _told_once(run: Run, missing: NotGathered) -> NotGathered:
    """What a client refused to show: one check tells it, with the line of clients.ini that gives the user."""
    credentials = run.inventory.credentials
    missing = msgspec.structs.replace(missing, told_by="client-is-connected-to-zeo")
    if credentials is None or not missing.hint:
        return missing
    return msgspec.structs.replace(missing, file=run.inventory.file, line=credentials.line)


def _tell_processes_apart(run: Run) -> None:
    """Where clients look like one process: whether they are."""
    from zcheck.probes import http, processes

    credentials, secret = run.inventory.credentials, run.secret
    panels = {
        client.name: panel
        for client in run.inventory.clients
        if isinstance(panel := run.facts.raw(ControlPanel, client.name), ControlPanel)
    }
    if credentials is None or isinstance(secret, NotGathered):
        return
    user, timeout_s, hosts = credentials.user, run.settings.timeout_s, run.inventory.hosts

    def look(name: str) -> http.FirstCount | None:
        run.progress(name, "is told apart from its neighbours")
        return http.probe_references(run.inventory.client(name), user, secret, timeout_s, hosts)

    for name, panel in processes.told_apart(panels, look, run.deadline.left).items():
        run.keep(name, panel)


def see_who_answers(run: Run) -> None:
    """Which processes answer at each client's address: of those whose Control Panel could be read."""
    from zcheck.probes import answering

    credentials, secret = run.inventory.credentials, run.secret
    jobs: dict[str, Callable[[], Any]] = {}
    for client in run.inventory.clients:
        panel = run.facts.raw(ControlPanel, client.name)
        if not isinstance(panel, ControlPanel) or credentials is None or isinstance(secret, NotGathered):
            instead = panel if isinstance(panel, NotGathered | LeftOut) else NotGathered("it was not asked")
            run.keep(client.name, instead, AnsweringProcesses)
            continue
        timeout_s, hosts = run.settings.timeout_s, run.inventory.hosts
        jobs[client.name] = partial(
            answering.look, client, credentials.user, secret, timeout_s, run.deadline.left, hosts
        )
    for name, found in side_by_side(jobs, run.deadline.left).items():
        run.keep(name, found, AnsweringProcesses)


def _zeo_answers(run: Run, client: Client, ways: Sequence[targets.ZeoTarget]) -> ZeoAnswers | NotGathered | LeftOut:
    conf = run.facts.raw(ZopeConf, client.name)
    if not isinstance(conf, ZopeConf):
        return conf if isinstance(conf, NotGathered | LeftOut) else NotGathered("its zope.conf was not read")
    answers = []
    for way in ways:
        try:
            answers += _answers_on(run, way, conf)
        except _OwnFaultError as fault:
            return fault.instead
    return ZeoAnswers(tuple(answers)) if answers else LeftOut("its zope.conf names no ZEO server")


def _answers_on(run: Run, way: targets.ZeoTarget, conf: ZopeConf) -> list[ZeoAnswer]:
    """What the servers of one database said, one answer a ``server`` line."""
    from zcheck.facts import addresses

    database = conf.database(way.database)
    assert database is not None
    names = run.names
    answers = []
    for setting, dialled in zip(database.servers, way.dialled, strict=False):
        asked = run.asked[dialled]
        here = not isinstance(dialled, HostPort) or addresses.is_here(dialled.host, run.inventory, names)
        if isinstance(asked, NotGathered):
            raise _OwnFaultError(asked)
        if asked.outcome == "own-shortage":
            raise _OwnFaultError(NotGathered(asked.detail))
        answers.append(
            ZeoAnswer(
                database=way.database,
                server=setting.value,
                file=setting.file,
                line=setting.line,
                dialled=str(dialled),
                here=here,
                storage=way.storage,
                outcome=asked.outcome,
                detail=asked.detail,
                protocol=asked.protocol,
                storages=asked.storages,
            )
        )
    return answers
