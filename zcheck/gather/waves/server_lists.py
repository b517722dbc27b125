"""The newest transactions that each running client's own server lists: no write."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from zcheck.facts import Client, ControlPanel, LeftOut, NotGathered, ServerList, ServerLists
from zcheck.gather import permission, routes
from zcheck.gather.run import Run, side_by_side

if TYPE_CHECKING:
    from zcheck.consistency.http.client import HttpTarget
    from zcheck.system import state


def ask(run: Run) -> None:
    """The newest transactions through every running client; what a run that writes learns by writing."""
    from zcheck.consistency.http import transactions
    from zcheck.system import state

    credentials, secret = run.inventory.credentials, run.secret
    if not run.settings.read_only:
        run.keep("", LeftOut("a run that writes learns it by writing"), ServerLists)
    elif isinstance(secret, NotGathered) or credentials is None or not run.settings.may_ask_servers:
        run.keep("", LeftOut("the clients are not asked to ask their servers"), ServerLists)
    else:
        owing = state.unanswered(run.settings.state_folder)
        doors = [_target_to_ask(run, client, owing) for client in run.inventory.clients]
        asked = [door for door in doors if door is not None]
        user, timeout_s, hosts = credentials.user, run.settings.timeout_s, run.inventory.hosts
        jobs = {
            door.name: partial(transactions.look, door, user, secret, timeout_s, hosts)
            for door in asked
            if door.may_ask
        }
        found = side_by_side(jobs, run.deadline.left)
        listed = tuple(one for one in found.values() if isinstance(one, ServerList))
        hung = tuple(name for name, one in found.items() if isinstance(one, transactions.Hung))
        owes = {door.name: permission.why_not_asked(door) for door in asked if not door.may_ask}
        run.keep("", ServerLists(listed, hung, owes))
        permission.remember_who_hung(run, owing, hung, [one.client for one in listed])


def _target_to_ask(run: Run, client: Client, owing: Mapping[str, state.Unanswered]) -> HttpTarget | None:
    """A client whose connection to its server is worth a question: it says itself that there is one."""
    door = routes.http_target(run.facts, client, owing)
    panel = run.facts.raw(ControlPanel, client.name)
    if door is None or not isinstance(panel, ControlPanel) or routes.server_is_dead(run, door):
        return None
    page = panel.database(door.database)
    return None if page is not None and page.connected is False else door
