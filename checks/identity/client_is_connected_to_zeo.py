"""Every running client is connected to its ZEO server, and the server's answers reach it.

What it examines
    "Database Location" of every database on the client's Control Panel, which ends in "(connected)" or
    "(disconnected)"; and whether the client answered the one request, for the list of its server's transactions, that
    makes it ask its server; one on a relational database that hangs is found by that as well. A client that has not
    answered this in an earlier run is not asked while one of its threads may still wait, and stays CRITICAL until its
    server's answer reaches it or it is another process. Where the client's own machine was looked at (``via``): whether
    the servers that its zope.conf names answer from there.
Why it matters
    A client that has lost its ZEO server goes on serving what is in its caches, as fast as before and with status 200:
    old pages, for hours. The first visitor who wants something else waits, and whoever saves gets an error.
    A half-open connection, on which the server's answers no longer arrive, even says "(connected)".
What it does not prove
    That "(connected)" is true where that request was not sent: without a user and a password, or by ``zcheck monitor``
    with ``--no-state``; and what another user's run has found, or one with ``--no-state``, is not known here. Nor that
    it is the right server: see database-locations-agree and
    edits-are-seen-everywhere.
How to repair it
    If the ZEO server is up, restart the client. If several clients have lost it, look at the server and the network in
    between; a firewall that forgets idle connections makes them half-open.

>>> def panel(connected): return [HttpAnswer("http"), ControlPanel((DatabasePage("main", "zeostorage", connected),))]
>>> show(client_is_connected_to_zeo, app1=panel(True), app2=panel(True))
OK
>>> show(client_is_connected_to_zeo, app1=panel(True), app2=panel(False))
CRITICAL app2: app2 has lost its ZEO server: database main says (disconnected)
>>> hung = History("http", "main", "1", clients=(ClientState("app2", hung=True),))
>>> show(client_is_connected_to_zeo, HttpHistories((hung,)), app1=panel(True), app2=panel(True))
CRITICAL app2: app2 says it is connected to its ZEO server, and hangs as soon as it has to ask it
>>> silent = ServerFromThere("main", "zeo1:8100", "zope.conf", 3, "silent", "does not answer the connect within 3 s")
>>> there = SeenThere("app2", process=ListeningProcess(7), distributions={"zope": "6.3"}, servers=(silent,))
>>> show(client_is_connected_to_zeo, app1=panel(True), app2=[*panel(False), there])
CRITICAL app2: app2 has lost its ZEO server: database main says (disconnected); from app2's machine zeo1:8100 is silent
(does not answer the connect within 3 s)
>>> known = KnownBroken({"app2": "2026-12-01 12:00:00 UTC"})
>>> show(client_is_connected_to_zeo, known, app1=panel(True), app2=panel(True))
CRITICAL app2: app2 says it is connected to its ZEO server, and hung when it had to ask it (2026-12-01 12:00:00 UTC);
it is still the same process, and has shown no answer to that since
>>> refused = [HttpAnswer("http"), (ControlPanel, NotGathered("the user lacks the permission"))]
>>> show(client_is_connected_to_zeo, app1=panel(True), app2=refused)
UNKNOWN app2: the Control Panel of app2 cannot be read: the user lacks the permission
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import (
    ControlPanel,
    Facts,
    HttpAnswer,
    KnownBroken,
    LeftOut,
    NotGathered,
    SeenThere,
    ServerFromThere,
    ServerLists,
    ZeoAnswers,
    ZopeConf,
)
from zcheck.facts.backing import CALLED, all_backings
from zcheck.facts.history import HttpHistories


@check(
    "client-is-connected-to-zeo",
    stage="identity",
    needs=[HttpAnswer],
    uses=[ControlPanel, HttpHistories, KnownBroken, SeenThere, ServerLists, ZeoAnswers, ZopeConf],
    severity=Severity.CRITICAL,
    after=["client-port-answers", "client-serves-http"],
)
def client_is_connected_to_zeo(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """A client that hung is found by that alone: on one that has lost its server the Control Panel may hang as well."""
    hung, there = _hung(facts), facts.each(SeenThere)
    owing, known = (facts.maybe(ServerLists) or ServerLists()).not_asked, _still_known(facts)
    unknown: dict[NotGathered, list[str]] = {}
    for client in facts.each(HttpAnswer):
        panel, seen = facts.raw(ControlPanel, client), there.get(client)
        if client in hung:
            yield Skipped((client,), hung[client]) if hung[client] else _hanging(facts, client, seen)
        elif client in known or client in owing:
            yield _still_hanging(facts, client, known[client]) if client in known else Unknown((client,), owing[client])
        elif isinstance(panel, ControlPanel):
            yield from _by_its_own_word(client, panel, facts.each(ZeoAnswers).get(client), seen)
        elif cut := _cut_off(seen):
            yield _unreached(client, cut, facts.each(ZeoAnswers).get(client))
        elif isinstance(panel, LeftOut):
            yield Skipped((client,), panel.reason)
        else:
            unknown.setdefault(panel or NotGathered("it was not asked for"), []).append(client)
    yield from (_not_shown(missing, clients) for missing, clients in unknown.items())


def _not_shown(missing: NotGathered, clients: list[str]) -> Unknown:
    """One finding for all clients that refuse for the same reason, which is the user's as a rule."""
    message = f"the Control Panel of {', '.join(clients)} cannot be read: {missing.reason}"
    return Unknown(tuple(clients), message, (Place(missing.file, missing.line),) if missing.file else (), missing.hint)


def _storage(facts: Facts, client: str) -> str:
    """What it has to ask, as a person says it: nothing is said of a ZEO server where none is known."""
    found = all_backings(facts, client) - {"file", "unknown"}
    return CALLED[next(iter(found))] if len(found) == 1 else CALLED["unknown"]


def _says_connected(facts: Facts, client: str) -> bool:
    """Whether its Control Panel says of a database that it is connected to its ZEO server, and of none that it is not.

    A database that is on no ZEO server has no such word.
    """
    panel = facts.raw(ControlPanel, client)
    said = {page.connected for page in panel.databases} if isinstance(panel, ControlPanel) else set()
    return True in said and False not in said


def _hanging(facts: Facts, client: str, seen: SeenThere | None) -> Problem:
    connected = _says_connected(facts, client)
    says = "says it is connected to its ZEO server, and" if connected else "answers, and"
    message = (
        f"{client} {says} hangs as soon as it has to ask {'it' if connected else 'its ' + _storage(facts, client)}"
    )
    hint = f"restart {client}; then see what between it and the server swallows packets or idle connections"
    cut = _cut_off(seen)
    return Problem((client,), message + _from_there(client, cut), _places(cut), _WAY if cut else hint)


def _still_hanging(facts: Facts, client: str, since: str) -> Problem:
    connected = _says_connected(facts, client)
    says = "says it is connected to its ZEO server, and" if connected else "answers, and"
    message = (
        f"{client} {says} hung when it had to ask {'it' if connected else 'its ' + _storage(facts, client)} ({since});"
        " it is still the same process, and has shown no answer to that since"
    )
    hint = f"restart {client}; then see what between it and the server swallows packets or idle connections"
    return Problem((client,), message, hint=hint)


def _still_known(facts: Facts) -> dict[str, str]:
    """Since when each client is known to hang that showed, in this run, nothing that its server alone can give."""
    known = facts.maybe(KnownBroken) or KnownBroken()
    listed, tried = facts.maybe(ServerLists), facts.maybe(HttpHistories)
    histories = tried.histories if tried is not None else ()
    answered = {state.client for history in histories for state in history.clients if state.joined}
    answered |= {one.client for one in (listed.lists if listed is not None else ())}
    # One that says itself that it is disconnected is found by its own word.
    answered |= {client for client, panel in facts.each(ControlPanel).items() if any(_lost(panel))}
    return {client: since for client, since in known.half_open.items() if client not in answered}


def _lost(panel: ControlPanel) -> Iterator[str]:
    """The databases that the client says it has no server for."""
    return (page.name for page in panel.databases if page.connected is False)


_WAY = "see routes, firewalls and /etc/hosts between that machine and the server; then restart the client"


def _cut_off(seen: SeenThere | None, database: str | None = None) -> tuple[ServerFromThere, ...]:
    """The servers of this database, or of any, that cannot be reached from where the client is."""
    names = dict.fromkeys(server.database for server in seen.servers) if seen is not None else {}
    wanted = names if database is None else [database]
    return tuple(server for name in wanted for server in (seen.cut_off(name) if seen is not None else ()))


def _from_there(client: str, cut: tuple[ServerFromThere, ...]) -> str:
    return f"; from {client}'s machine {', '.join(map(str, cut))}" if cut else ""


def _places(cut: tuple[ServerFromThere, ...]) -> tuple[Place, ...]:
    return tuple(Place(server.file, server.line, f"server {server.server}") for server in cut)


def _unreached(client: str, cut: tuple[ServerFromThere, ...], answers: ZeoAnswers | None) -> Problem | Skipped:
    """That a client does not reach a server that answers nobody is no news."""
    if answers is not None and all(answers.all_dead(server.database) for server in cut):
        return Skipped((client,), "zeo-server-answers")
    message = f"{client} cannot reach its ZEO server{'s' * (len(cut) > 1)}{_from_there(client, cut)}"
    return Problem((client,), message, _places(cut), _WAY)


def _by_its_own_word(
    client: str, panel: ControlPanel, answers: ZeoAnswers | None, seen: SeenThere | None
) -> Iterator[Problem | Skipped | Note]:
    """That a client has lost a server that answers nobody is no news."""
    lost = [*_lost(panel)]
    cut = tuple(server for name in lost for server in _cut_off(seen, name))
    if lost and answers is not None and all(answers.all_dead(name) for name in lost):
        yield Skipped((client,), "zeo-server-answers")
    elif lost:
        what = f"database{'s' * (len(lost) > 1)} {', '.join(lost)} {'say' if len(lost) > 1 else 'says'}"
        message = f"{client} has lost its ZEO server: {what} (disconnected)"
        hint = _WAY if cut else "restart it once its ZEO server answers; see zeo-server-answers"
        yield Problem((client,), message + _from_there(client, cut), _places(cut), hint)
    elif cut := _cut_off(seen):
        # It has a connection; what it would do without it is worth knowing, and no harm yet.
        message = f"{client} is connected to its ZEO server, and could not connect again"
        yield Note((client,), message + _from_there(client, cut), _places(cut))
    elif all(page.connected is None for page in panel.databases):
        yield Skipped((client,), "none of its databases is on ZEO, by its Control Panel")


def _hung(facts: Facts) -> dict[str, str]:
    """The clients that hung, and the check that tells why, where that is another one."""
    tried = facts.maybe(HttpHistories)
    histories = tried.histories if tried is not None else ()
    listed = facts.maybe(ServerLists) or ServerLists()
    hung = {state.client: state.because for history in histories for state in history.clients if state.hung}
    return dict.fromkeys(listed.hung, "") | hung
