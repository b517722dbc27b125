"""Every running client uses the database that its zope.conf names, and all use the same.

What it examines
    "Database Location" on each client's Control Panel, as the running process tells it: the ``name`` of its storage, or
    else the addresses of its ZEO servers, or the path of a file. It is held against the client's zope.conf as it is on
    disk now, and against the other clients. Another spelling of the same server is fine. A run that writes also looks
    for what it has saved through a client in the log of the storage that the client's zope.conf names.
Why it matters
    A running client does not read its zope.conf again. One that was started before the last change, or from another
    file, works on another database than everybody who reads the files believes.
What it does not prove
    That the location is the same database: it shows what was configured, not what answered. Where zope.conf gives the
    storage a ``name``, that name is all that is shown, whatever server the process uses: a client of which only names
    are shown is skipped. See edits-are-seen-everywhere.
How to repair it
    Stop the client, remove its ZEO cache file where zope.conf names one (``client`` and ``var``), and start it with the
    zope.conf that clients.ini names. A cache that was filled from another database shows it for ever.

>>> def panel(location): return ControlPanel((DatabasePage("main", location, True),))
>>> zeo = zope_conf(server="10.0.0.9:8100")
>>> show(database_locations_agree, app1=[panel("[('10.0.0.9', 8100)]"), zeo], app2=[panel("[('10.0.0.9', 8100)]"), zeo])
OK
>>> show(database_locations_agree, app1=[panel("[('10.0.0.9', 8100)]"), zeo], app2=[panel("[('10.0.0.8', 8100)]"), zeo])
WARNING app2: app2 runs with database main at [('10.0.0.8', 8100)]; its zope.conf names 10.0.0.9:8100
>>> show(database_locations_agree, app1=panel("[('10.0.0.9', 8100)]"), app2=ControlPanel((DatabasePage("main", "/x"),)))
WARNING app1, app2: database main is on ZEO for app1; in /x for app2
>>> named = zope_conf(server="10.0.0.9:8100", name="zeostorage")
>>> show(database_locations_agree, app1=[panel("zeostorage"), named], app2=[panel("zeostorage"), named])
skipped: its Control Panel shows the name of the storage, not its server
>>> from zcheck.testing.examples import http_run, stored
>>> away = stored(http_run("app1 > app2", "app2 > app1"), app1=False, app2=False)
>>> show(database_locations_agree, away, app1=[panel("zeostorage"), named], app2=[panel("zeostorage"), named])
WARNING app1, app2: app1, app2 run on another storage of database main than their zope.conf files name: what is saved
through them is not in that one's log, so what was proven over ZEO says nothing of the running clients
>>> show(database_locations_agree, app1=panel("zeostorage"), app2=NotGathered("the user lacks the permission"))
UNKNOWN app2: the user lacks the permission
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import ControlPanel, Facts, Names, ZopeConf
from zcheck.facts.history import HttpHistories
from zcheck.rules.cache_files import restarted, without_caches
from zcheck.rules.locations import Location, agrees_with_file, differing_sides, located
from zcheck.rules.proofs import run_elsewhere, seen_by_another

AWAY = (
    "restart none of them before it is known which storage holds the newest edits: a client that is restarted goes to "
    "the one that its zope.conf names, away from the others"
)


@check(
    "database-locations-agree",
    stage="identity",
    needs=[ControlPanel],
    uses=[ZopeConf, Names, HttpHistories],
    severity=Severity.WARNING,
    after=["client-serves-http"],
)
def database_locations_agree(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """A client against its own file first; those that differ from it are not held against the others as well."""
    told: set[tuple[str, str]] = set()
    places = located(facts)
    for place in places:
        agrees = agrees_with_file(place, facts)
        if agrees is not True:
            told.add((place.client, place.database))
            yield _against_its_file(facts, place, agrees)
    for database in dict.fromkeys(place.database for place in places):
        members = [p for p in places if p.database == database and (p.client, database) not in told]
        yield from differing_sides(database, members, facts)
    nameless = {place.client for place in places if place.named and not place.hides_the_server}
    hidden = dict.fromkeys(place.client for place in places if place.hides_the_server and place.client not in nameless)
    yield from _not_in_the_log(facts)
    yield Skipped(tuple(hidden), "its Control Panel shows the name of the storage, not its server")


def _not_in_the_log(facts: Facts) -> Iterator[Problem]:
    """Clients whose edits are seen, and not where their files say; those that see nobody's are told of elsewhere."""
    for database, away in run_elsewhere(facts).items():
        met = tuple(client for client in away if seen_by_another(facts, {database}, client))
        if met:
            names = ", ".join(met)
            file = "its zope.conf names" if len(met) == 1 else "their zope.conf files name"
            runs, it = ("runs", "it") if len(met) == 1 else ("run", "them")
            message = (
                f"{names} {runs} on another storage of database {database} than {file}: what is saved through {it} is "
                "not in that one's log, so what was proven over ZEO says nothing of the running clients"
            )
            hint = AWAY + without_caches(facts, met, database)
            yield Problem(met, message, _lines(facts, database, met), hint, about=f"{database} log")


def _lines(facts: Facts, database: str, clients: Iterable[str]) -> tuple[Place, ...]:
    confs = facts.each(ZopeConf)
    found = [confs[client].database(database) for client in clients if client in confs]
    return tuple(dict.fromkeys(Place.of(line) for one in found if one is not None for line in one.servers))


def _against_its_file(facts: Facts, place: Location, agrees: bool | None) -> Problem | Unknown:
    where = tuple(Place.of(line) for line in place.lines)
    message = f"{place.client} runs with database {place.database} at {place.shown}; its zope.conf names {place.named}"
    if agrees is False:
        hint = f"{restarted(facts, place.client, place.database)}, from the zope.conf that clients.ini names"
        return Problem((place.client,), message, where, hint, about=place.database)
    hint = "write the addresses of these names into [hosts] of clients.ini"
    return Unknown((place.client,), f"{message}; one server or two: cannot be told", where, hint, about=place.database)
