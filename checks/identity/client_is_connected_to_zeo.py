"""Every running client is connected to its ZEO server, and the server's answers reach it.

What it examines
    "Database Location" of every database on the client's Control Panel, which ends in "(connected)" or
    "(disconnected)"; and whether the client answered the one request, for the list of its server's transactions, that
    makes it ask its server. A client that has not answered this in an earlier run is not asked again.
Why it matters
    A client that has lost its ZEO server goes on serving what is in its caches, as fast as before and with status 200:
    old pages, for hours. The first visitor who wants something else waits, and whoever saves gets an error.
    A half-open connection, on which the server's answers no longer arrive, even says "(connected)".
What it does not prove
    That "(connected)" is true where that request was not sent: without a user and a password, or by ``zcheck monitor``
    with ``--no-state``. Nor that it is the right server: see database-locations-agree and
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
>>> refused = [HttpAnswer("http"), (ControlPanel, NotGathered("the user lacks the permission"))]
>>> show(client_is_connected_to_zeo, app1=panel(True), app2=refused)
UNKNOWN app2: the user lacks the permission
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.consistency.history import HttpHistories
from zcheck.facts import ControlPanel, Facts, HttpAnswer, LeftOut, NotGathered, ServerLists, ZeoAnswers


@check(
    "client-is-connected-to-zeo",
    stage="identity",
    needs=[HttpAnswer],
    uses=[ControlPanel, HttpHistories, ServerLists, ZeoAnswers],
    severity=Severity.CRITICAL,
    after=["client-port-answers", "client-serves-http"],
)
def client_is_connected_to_zeo(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """A client that hung is found by that alone: on one that has lost its server the Control Panel may hang as well."""
    hung = _hung(facts)
    owing = (facts.maybe(ServerLists) or ServerLists()).not_asked
    unknown: dict[tuple[str, str], list[str]] = {}
    for client in facts.each(HttpAnswer):
        panel = facts.raw(ControlPanel, client)
        if client in hung:
            yield Skipped((client,), hung[client]) if hung[client] else _hanging(client, panel)
        elif client in owing:
            yield Unknown((client,), owing[client])
        elif isinstance(panel, ControlPanel):
            yield from _by_its_own_word(client, panel, facts.each(ZeoAnswers).get(client))
        elif isinstance(panel, LeftOut):
            yield Skipped((client,), panel.reason)
        else:
            told = panel or NotGathered("its Control Panel was not read")
            unknown.setdefault((told.reason, told.hint), []).append(client)
    for (reason, hint), clients in unknown.items():
        yield Unknown(tuple(clients), reason, hint=hint)


def _hanging(client: str, panel: object) -> Problem:
    connected = isinstance(panel, ControlPanel) and all(page.connected is not False for page in panel.databases)
    says = "says it is connected to its ZEO server, and" if connected else "answers, and"
    message = f"{client} {says} hangs as soon as it has to ask {'it' if connected else 'its ZEO server'}"
    hint = f"restart {client}; then see what between it and the server swallows packets or idle connections"
    return Problem((client,), message, hint=hint)


def _by_its_own_word(client: str, panel: ControlPanel, answers: ZeoAnswers | None) -> Iterator[Problem | Skipped]:
    """That a client has lost a server that answers nobody is no news."""
    lost = [page.name for page in panel.databases if page.connected is False]
    if lost and answers is not None and all(answers.all_dead(name) for name in lost):
        yield Skipped((client,), "zeo-server-answers")
    elif lost:
        what = f"database{'s' * (len(lost) > 1)} {', '.join(lost)} {'say' if len(lost) > 1 else 'says'}"
        message = f"{client} has lost its ZEO server: {what} (disconnected)"
        yield Problem((client,), message, hint="restart it once its ZEO server answers; see zeo-server-answers")
    elif all(page.connected is None for page in panel.databases):
        yield Skipped((client,), "none of its databases is on ZEO, by its Control Panel")


def _hung(facts: Facts) -> dict[str, str]:
    """The clients that hung, and the check that tells why, where that is another one."""
    tried = facts.maybe(HttpHistories)
    histories = tried.histories if tried is not None else ()
    listed = facts.maybe(ServerLists) or ServerLists()
    hung = {state.client: state.because for history in histories for state in history.clients if state.hung}
    return dict.fromkeys(listed.hung, "") | hung
