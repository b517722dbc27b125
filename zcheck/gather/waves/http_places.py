"""The same inside the site and in every mounted database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zcheck.facts import Client, ControlPanel, ZopeConf, targets
from zcheck.facts.history import ClientState, History
from zcheck.gather import routes
from zcheck.gather.run import Run
from zcheck.gather.waves import http_options

if TYPE_CHECKING:
    from zcheck.consistency.http.client import HttpTarget


def write_in_the_site(run: Run, root: History, doors: list[HttpTarget], user: str, secret: str) -> list[History]:
    """A page inside the site, through the clients that have shown the root's test folder in this run."""
    from zcheck.consistency.http import site

    path = run.inventory.site
    fared = {state.client: state for state in root.clients}
    able = [door for door in doors if fared[door.name].joined and not fared[door.name].hung]
    if path is None or not able:
        return []
    not_written = dict.fromkeys(targets.site_not_written(run.facts, door.client) for door in able)
    reason = "; ".join(filter(None, not_written))
    if reason:
        states = tuple(ClientState(door.name, detail=reason) for door in able)
        return [History("http", path, run.settings.run_id, clients=states, stopped=reason)]
    return [site.run(able, path, **http_options.through_clients(run, user, secret))]


def upload_to_the_site(
    run: Run, pages: Sequence[History], doors: list[HttpTarget], user: str, secret: str
) -> tuple[History, ...]:
    """A file inside the site where blobs are kept, through the clients that have shown the page there."""
    from zcheck.consistency.http import site

    path = run.inventory.site
    if not targets.site_keeps_blobs(run.facts):
        return ()
    if path is None:
        database = next((door.database for door in doors), routes.ROOT.database)
        why = "Zope itself keeps no file as a blob; inside a site ('site' in clients.ini) they are proven"
        return (_not_tried(run, database, why, blobs=True),)
    shown = {state.client for history in pages if not history.stopped for state in history.clients if state.joined}
    able = [door for door in doors if door.name in shown]
    return (site.run(able, path, files=True, **http_options.through_clients(run, user, secret)),) if able else ()


def write_where_mounted(run: Run, root: History, user: str, secret: str) -> list[History]:
    """A folder in every other database that is in the tree, through the clients that have shown the root's."""
    fared = {state.client: state for state in root.clients}
    able = [c for c in run.inventory.clients if (one := fared.get(c.name)) and one.joined and not one.hung]
    places = targets.mounted_places(run.facts) if able else ()
    return [
        *(_write_at(run, place, root, able, user, secret) for place in places),
        *(_not_tried(run, name, "no zope.conf tells where it is mounted") for name in _mounted_somewhere(run)),
    ]


def _mounted_somewhere(run: Run) -> list[str]:
    """Databases on ZEO that the running clients list and no zope.conf that was read mounts."""
    facts = run.facts
    every = [client.name for client in run.inventory.clients]
    confs = [conf for name in every if isinstance(conf := facts.raw(ZopeConf, name), ZopeConf)]
    panels = [panel for name in every if isinstance(panel := facts.raw(ControlPanel, name), ControlPanel)]
    known = {database.name for conf in confs for database in conf.databases} or {routes.ROOT.database}
    listed = dict.fromkeys(page.name for panel in panels for page in panel.databases if page.connected is not None)
    # A client that lists one alone has it at the root, whatever it is called.
    return [name for name in listed if name not in known and len(listed) > 1]


def _not_tried(run: Run, database: str, why: str, *, blobs: bool = False) -> History:
    return History("http", database, run.settings.run_id, nothing=why, blobs=blobs)


def _write_at(
    run: Run,
    place: targets.Place,
    root: History,
    clients: Sequence[Client],
    user: str,
    secret: str,
) -> History:
    from zcheck.consistency.http import folder as http

    shown = routes.own_transactions(run, place)
    found = [routes.http_target(run.facts, client, run.may_wait, place) for client in clients]
    doors = [routes.with_start(run, door, shown) for door in found if door is not None]
    barred = dict.fromkeys(filter(None, (targets.may_start_http(run.facts, c, place.path) for c in clients)))
    lost = routes.writes_to_a_lost_file(run, place.database)
    stopped = root.stopped or "; ".join(root.left) or lost
    if stopped or not any(door.may_start and door.may_write and door.may_ask for door in doors):
        return History(
            "http",
            place.database,
            run.settings.run_id,
            clients=tuple(ClientState(client.name) for client in clients),
            stopped=stopped or "no client may be written through",
            place=place.path,
            nothing="" if stopped else "; ".join(barred),
        )
    options = http_options.recorded(run, place.database, place.path) | http_options.through_clients(run, user, secret)
    return http.run(doors, expect_transaction=shown, must_show=routes.is_pinned(run), **options)
