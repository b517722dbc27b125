"""The newest transactions that each running client's own server lists: no write."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from zcheck.facts import (
    Client,
    ControlPanel,
    LeftOut,
    NewestTransaction,
    NotGathered,
    ServerList,
    ServerLists,
    targets,
)
from zcheck.facts.history import HttpHistories
from zcheck.facts.pairs import pairs
from zcheck.gather import permission, routes
from zcheck.gather.run import Run, side_by_side

if TYPE_CHECKING:
    from zcheck.consistency.http.client import HttpTarget


def ask(run: Run) -> None:
    """Through every running client, of every database that nothing written through the clients has proven."""
    from zcheck.consistency.http import transactions

    credentials, secret = run.inventory.credentials, run.secret
    if isinstance(secret, NotGathered) or credentials is None or not run.settings.may_ask_servers:
        run.keep("", LeftOut("the clients are not asked to ask their servers"), ServerLists)
        return
    proven = _proven(run)
    doors = [door for client in run.inventory.clients for door in _targets_to_ask(run, client, proven)]
    if not doors and not run.settings.read_only:
        run.keep("", LeftOut("a run that writes learns it by writing"), ServerLists)
        return
    look = partial(
        transactions.look,
        user=credentials.user,
        password=secret,
        timeout_s=run.settings.timeout_s,
        hosts=run.inventory.hosts,
        run_id=run.settings.run_id,
    )
    lists, hung = transactions.compared(
        [door for door in doors if door.may_ask],
        look,
        partial(side_by_side, left=run.deadline.left),
        {client.name for client in run.inventory.clients if client.role == "read-only"},
    )
    owes = {door.name: permission.why_not_asked(door) for door in doors if not door.may_ask}
    run.keep("", ServerLists(lists, hung, owes, _newest(run, lists)))
    permission.remember_who_hung(run, hung, [one.client for one in lists if one.client not in hung])


def _targets_to_ask(run: Run, client: Client, proven: set[str]) -> list[HttpTarget]:
    """A client whose connection to its server is worth a question, once a database: it says that there is one."""
    door = routes.http_target(run.facts, client, run.may_wait)
    panel = run.facts.raw(ControlPanel, client.name)
    if door is None or not isinstance(panel, ControlPanel) or _has_failed(run, client.name):
        return []
    connected = [page.name for page in panel.databases if page.connected]
    page = panel.database(door.database)
    # A client that lists one database alone has it at the root, whatever it is called; on SQL it says no more.
    names = dict.fromkeys([door.database, *connected] if page is None or page.connected is not False else connected)
    found = [msgspec.structs.replace(door, database=name) for name in names if name not in proven]
    return [one for one in found if not routes.server_is_dead(run, one)]


def _has_failed(run: Run, client: str) -> bool:
    """Whether it did not answer, or not well, when it was written to: it is not made to ask its server once more."""
    fact = run.facts.raw(HttpHistories)
    states = fact.histories[0].clients if isinstance(fact, HttpHistories) and fact.histories else ()
    return any(state.client == client and (state.hung or not state.joined) for state in states)


def _proven(run: Run) -> set[str]:
    """The databases of which nothing is to be asked: what was written into them through the clients tells more."""
    fact = run.facts.raw(HttpHistories)
    names = run.inventory.client_names
    return {
        history.database
        for history in (fact.histories if isinstance(fact, HttpHistories) else ())
        if any(pair.seen is not None for pair in pairs(history, run.inventory.writers, names))
    }


def _newest(run: Run, lists: tuple[ServerList, ...]) -> tuple[NewestTransaction, ...]:
    """What the servers of the files say now, where a client's list goes beyond what they had before."""
    latest: dict[str, str] = {}
    for one in lists:
        latest[one.database] = max([latest.get(one.database, ""), *one.tids[:1]])
    found: list[NewestTransaction] = []
    for way in targets.zeo_targets(run.facts):
        for dialled in way.dialled:
            asked = run.asked.get(dialled)
            if asked is None or isinstance(asked, NotGathered) or way.storage not in asked.storages:
                continue
            key = (str(dialled), way.storage)
            known = any((one.dialled, one.storage) == key for one in found)
            if known or latest.get(way.database, "") <= asked.storages[way.storage].last_transaction:
                continue
            asked_ns = time.monotonic_ns()
            again = routes.ask_server(run, dialled, min(run.settings.timeout_s, run.within_s()))
            if way.storage in again.storages:
                found.append(NewestTransaction(*key, again.storages[way.storage].last_transaction, asked_ns))
    return tuple(found)
