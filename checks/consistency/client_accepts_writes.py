"""Every client accepts edits, and shows what was saved through it.

What it examines
    A document that is added and then edited through each client, by filling in the forms of its own management
    interface, and read back through the same client. "302 Found" is not enough: it has to be there afterwards.
Why it matters
    A client that serves pages and refuses or loses what is saved turns every editor away whom the balancer sends to it.
What it does not prove
    That content types, workflows or add-ons of a site can be edited: what is written is a plain document in the root.
    Nor that a client whose role is read-only refuses edits.
How to repair it
    The finding says what the client answered. A read-only storage is a line in zope.conf. An answer that looks like
    success with nothing saved comes from a layer that wants a token, such as plone.protect in an unusual setting. Where
    zcheck's own user was refused, see ``user`` and ``password-file`` in clients.ini: it needs the role Manager.

>>> from zcheck.testing.examples import http_run
>>> show(client_accepts_writes, http_run("app1 > app2", "app2 > app1"), app1=[], app2=[])
OK
>>> read_only = ClientState("app2", joined=True, refused="read-only", detail="its storage is read-only (500)")
>>> show(client_accepts_writes, http_run("app1 > app2", app2=read_only), app1=[], app2=[])
CRITICAL app2: app2 did not accept an edit: its storage is read-only (500)
>>> late = ClientState("app2", joined=True, late_s=7.2)
>>> show(client_accepts_writes, http_run("app1 > app2", "app2 > app1", app2=late), app1=[], app2=[])
WARNING app2: app2 accepts edits late: it took 7.2 s to answer
>>> unknown = ClientState("app1", refused="wrong-password", detail="the user is not known there")
>>> show(client_accepts_writes, http_run(app1=unknown), app1=[])
UNKNOWN app1: no edit was tried through app1: the user is not known there
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import ControlPanel, Facts, Inventory, NotGathered, PortAnswer
from zcheck.facts.history import ClientState, History, HttpHistories, Refusal
from zcheck.rules.http_histories import OURS, histories, inside, unnamed, wrote

HINTS: dict[Refusal, str] = {
    "wrong-password": "see 'user' and 'password-file' in clients.ini; the user must stand in the root's acl_users",
    "no-permission": "the user needs the role Manager in the root's acl_users; inside a site Contributor is enough",
    "redirected": "give the user of the root's acl_users, or the 'host-header' that the client expects",
    "not-saved": "see the client's event log at this time",
    "read-only": "remove 'read-only' from its zope.conf, or give it 'role = read-only' in clients.ini",
    "no-blobs": "give the database in its zope.conf a blob-dir",
    "mapped": "give 'host-header' a name that the virtual host monster of the root does not map",
    "changed": "see which subscriber of the application renames or retitles what is added",
    "conflict": "try again when less is saved; see which objects the conflicts in the client's event log name",
    "no-form": "see whether the page is what a manager sees in a browser",
    "error": "see the client's event log at this time",
}


NO_FAULT: frozenset[Refusal] = frozenset({"conflict", "changed", "mapped"})
"""What keeps zcheck from proving anything through a client that may well accept every other edit."""


@check(
    "client-accepts-writes",
    stage="consistency",
    needs=[HttpHistories],
    uses=[ControlPanel, PortAnswer],
    severity=Severity.CRITICAL,
    after=[
        "client-port-answers",
        "client-serves-http",
        "client-is-connected-to-zeo",
        "zeo-server-writes-its-own-file",
    ],
)
def client_accepts_writes(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """A client that is in no history was not to be tried, and is told so."""
    tried = {state.client for history in histories(facts) for state in history.clients}
    for client in facts.clients:
        if client not in facts.inventory.writers:
            yield Skipped((client,), "its role is read-only")
    told = unnamed(facts, facts.inventory.writers)
    yield Skipped(told, "client-port-answers")
    untried = tuple(c for c in facts.clients if c in facts.inventory.writers and c not in tried and c not in told)
    if untried:
        yield Unknown(untried, f"no edit was tried through {', '.join(untried)}")
    for history in histories(facts):
        yield from _refused(history, facts)


def _refused(history: History, facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    unknown: dict[str, list[ClientState]] = {}
    refused: dict[tuple[Refusal, str], list[str]] = {}
    accepted = any(wrote(history, state.client) for state in history.clients)
    for state in history.clients:
        if state.client not in facts.clients or state.client not in facts.inventory.writers:
            continue
        if state.refused and state.refused not in NO_FAULT and (accepted or state.refused not in OURS):
            refused.setdefault((state.refused, state.detail), []).append(state.client)
        elif state.refused in OURS and _is_told(state.client, facts):
            yield Skipped((state.client,), TELLS_OF_THE_USER)
        elif state.joined is False:
            yield Skipped((state.client,), "edits-are-seen-everywhere")
        elif state.because:
            yield Skipped((state.client,), state.because)
        elif not wrote(history, state.client):
            unknown.setdefault(state.detail or history.stopped or "it gave no usable answer", []).append(state)
    yield from _late(history, facts)
    for (kind, why), clients in refused.items():
        message = f"{inside(history)}{', '.join(clients)} did not accept an edit: {why}"
        yield Problem(tuple(clients), message, (), HINTS[kind])
    for why, states in unknown.items():
        names = tuple(state.client for state in states)
        message = f"{inside(history)}no edit was tried through {', '.join(names)}: {why}"
        yield Unknown(names, message, _credentials(facts.inventory, states), HINTS.get(states[0].refused, ""))


def _late(history: History, facts: Facts) -> Iterator[Problem]:
    """Late is not silent: the edit was accepted, and whoever made it waited."""
    for state in history.clients:
        if state.client in facts.clients and state.late_s and not state.refused:
            message = f"{inside(history)}{state.client} accepts edits late: it took {state.late_s:g} s to answer"
            yield Problem((state.client,), message, (), LATE, about="late", severity=Severity.WARNING)


LATE = "see what keeps its threads busy; a larger --timeout accepts more"

TELLS_OF_THE_USER = "client-is-connected-to-zeo"


def _is_told(client: str, facts: Facts) -> bool:
    """Whether another check tells that the user was refused: not where it may be suppressed, which this cannot be."""
    panel = facts.raw(ControlPanel, client)
    suppressed = any(one.check == TELLS_OF_THE_USER for one in facts.inventory.suppressions)
    return isinstance(panel, NotGathered) and panel.told_by == TELLS_OF_THE_USER and not suppressed


def _credentials(inventory: Inventory, states: list[ClientState]) -> tuple[Place, ...]:
    """The line of clients.ini that says where the password comes from, where that is what was refused."""
    credentials = inventory.credentials
    if credentials is None or states[0].refused not in ("wrong-password", "no-permission"):
        return ()
    return (Place(inventory.file, credentials.line, f"{credentials.source} of user {credentials.user}"),)
