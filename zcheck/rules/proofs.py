"""By what the clients' databases were proven to be one: by writes through the clients, by their lists, by identity."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from zcheck.check import Unknown
from zcheck.facts import ControlPanel, Facts, ZeoIdentity
from zcheck.facts.history import History, HttpHistories, ZeoHistories
from zcheck.facts.pairs import pairs
from zcheck.facts.storage_evidence import proven_groups
from zcheck.rules.databases import shared_databases, zeo_members
from zcheck.rules.locations import agrees_with_file, located
from zcheck.rules.process_ages import is_younger_than_its_file


def seen(facts: Facts, databases: Collection[str], clients: Collection[str], *, over_zeo: bool = True) -> bool:
    """Whether what was written into this database was seen by all of these clients, from each other or in turn.

    ``over_zeo``: what went over zcheck's own connections counts as well, and not what went through the clients alone.
    """
    found = [*(facts.maybe(HttpHistories) or HttpHistories()).histories]
    if over_zeo:
        found += (facts.maybe(ZeoHistories) or ZeoHistories()).histories
    return any(_joined(facts, history, clients) for history in found if history.database in databases)


def proven_by_clients(facts: Facts, database: str, clients: Collection[str]) -> bool:
    """Whether what these clients' files name is one database, by what was written through the running clients.

    Every edit was seen by all of them, and each surely runs with what its file says: its Control Panel shows the
    addresses that the file names (a storage's name would be the same on another server), and it is younger than the
    file.
    """
    histories = [one for one in (facts.maybe(HttpHistories) or HttpHistories()).histories if one.database == database]
    found = [
        pair for one in histories for pair in pairs(one, facts.inventory.writers, clients) if pair.writer in clients
    ]
    if not found or not all(pair.seen for pair in found) or {pair.reader for pair in found} != set(clients):
        return False
    shown = {place.client: place for place in located(facts) if place.database == database}
    return all(
        client in shown
        and bool(shown[client].running)
        and agrees_with_file(shown[client], facts) is True
        and is_younger_than_its_file(facts, client)
        for client in clients
    )


def seen_by_another(facts: Facts, databases: Collection[str], client: str) -> bool:
    """Whether an edit through this client was seen by another one, or another one's by it."""
    found = (facts.maybe(HttpHistories) or HttpHistories()).histories
    return any(
        pair.seen and client in (pair.writer, pair.reader)
        for history in found
        if history.database in databases
        for pair in pairs(history, facts.inventory.writers, facts.inventory.client_names)
    )


def _joined(facts: Facts, history: History, clients: Collection[str]) -> bool:
    groups: list[set[str]] = []
    for pair in pairs(history, facts.inventory.writers, facts.inventory.client_names):
        if pair.seen:
            groups = _with(groups, {pair.writer, pair.reader})
    for name, other in history.same_way.items():
        groups = _with(groups, {name, other})
    return any(set(clients) <= group for group in groups)


def _with(groups: list[set[str]], more: set[str]) -> list[set[str]]:
    met = [group for group in groups if group & more]
    return [group for group in groups if not group & more] + [more.union(*met)]


def unproven(facts: Facts, told: Collection[str]) -> Iterator[Unknown]:
    """The databases of several clients that nothing in this run proved to be one; ``told``: those told of already."""
    known: set[str] = set()
    for shared in shared_databases(facts):
        members = zeo_members(shared)
        names = {database.name for database in members.values()}
        known |= {database.name for database in shared.members.values()}
        if len(members) > 1 and not names & set(told) and not _is_proven(facts, names, members):
            yield _unknown(shared.label, tuple(members), min(names))
    for name, clients in _of_the_running(facts, known).items():
        if len(clients) > 1 and name not in told and not _is_proven(facts, {name}, clients):
            yield _unknown(f"database {name}", clients, name)


def _unknown(label: str, clients: tuple[str, ...], name: str) -> Unknown:
    message = f"{label} was not proven to be one for {', '.join(clients)}: neither by what was written nor by identity"
    hint = f"pin it in [database:{name}] of clients.ini where the root's is pinned, and give zope-conf for each client"
    return Unknown(clients, message, (), hint, about=name)


def _is_proven(facts: Facts, names: Collection[str], clients: Collection[str]) -> bool:
    if seen(facts, names, clients, over_zeo=False):
        return True
    identity = facts.maybe(ZeoIdentity) or ZeoIdentity()
    by_files = seen(facts, names, clients) or any(
        set(clients) <= set(group) for name in names for group in proven_groups(identity, name)
    )
    away = {client for found in run_elsewhere(facts).values() for client in found}
    return by_files and not set(clients) & away


def run_elsewhere(facts: Facts) -> dict[str, tuple[str, ...]]:
    """By database: the clients that were seen to run on another storage than their files name.

    What was saved through them is not in its log.  What is proven over the ways of the files is not proven of them.
    """
    found: dict[str, tuple[str, ...]] = {}
    for history in (facts.maybe(HttpHistories) or HttpHistories()).histories:
        away = tuple(client for client in facts.clients if history.stored.get(client) is False)
        if away:
            found[history.database] = tuple(dict.fromkeys((*found.get(history.database, ()), *away)))
    return found


def _of_the_running(facts: Facts, known: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The databases on ZEO that running clients show and that no zope.conf names, by name."""
    found: dict[str, tuple[str, ...]] = {}
    for client, panel in facts.each(ControlPanel).items():
        connected = [page.name for page in panel.databases if page.connected is not None]
        # A client that lists one alone has it at the root, whatever it is called.
        for name in connected if len(connected) > 1 else ():
            if name not in known:
                found[name] = (*found.get(name, ()), client)
    return found
