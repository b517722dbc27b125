"""Every running client uses the database that its zope.conf names, and all use the same.

What it examines
    "Database Location" on each client's Control Panel, as the running process tells it: the ``name`` of its storage, or
    else the addresses of its ZEO servers, or the path of a file. It is held against the client's zope.conf as it is on
    disk now, and against the other clients. Another spelling of the same server is fine.
Why it matters
    A running client does not read its zope.conf again. One that was started before the last change, or from another
    file, works on another database than everybody who reads the files believes.
What it does not prove
    That the location is the same database: it shows what was configured, not what answered. Where zope.conf gives the
    storage a ``name``, that name is all that is shown, whatever server the process uses: a client of which only names
    are shown is skipped. See edits-are-seen-everywhere.
How to repair it
    Restart the client, and see that it is started with the zope.conf that clients.ini names.

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
>>> show(database_locations_agree, app1=panel("zeostorage"), app2=NotGathered("the user lacks the permission"))
UNKNOWN app2: the user lacks the permission
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import ControlPanel, Facts, Names, ZopeConf
from zcheck.rules.locations import Location, agrees_with_file, differing_sides, located


@check(
    "database-locations-agree",
    stage="identity",
    needs=[ControlPanel],
    uses=[ZopeConf, Names],
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
            yield _against_its_file(place, agrees)
    for database in dict.fromkeys(place.database for place in places):
        members = [p for p in places if p.database == database and (p.client, database) not in told]
        yield from differing_sides(database, members, facts)
    nameless = {place.client for place in places if place.named and not place.hides_the_server}
    hidden = dict.fromkeys(place.client for place in places if place.hides_the_server and place.client not in nameless)
    yield Skipped(tuple(hidden), "its Control Panel shows the name of the storage, not its server")


def _against_its_file(place: Location, agrees: bool | None) -> Problem | Unknown:
    where = tuple(Place.of(line) for line in place.lines)
    message = f"{place.client} runs with database {place.database} at {place.shown}; its zope.conf names {place.named}"
    if agrees is False:
        hint = f"restart {place.client}, from the zope.conf that clients.ini names"
        return Problem((place.client,), message, where, hint, about=place.database)
    hint = "write the addresses of these names into [hosts] of clients.ini"
    return Unknown((place.client,), f"{message}; one server or two: cannot be told", where, hint, about=place.database)
