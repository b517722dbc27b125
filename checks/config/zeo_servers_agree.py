"""Every client's databases live on the same ZEO servers.

What it examines
    The ``server`` lines of each ``<zeoclient>`` and ``<clientstorage>``, as the client's own machine reads them:
    ``localhost``, a bare port and a unix path are that machine's own. Several lines are a set; another spelling of the
    same server (a name and its address, ``localhost`` on the server's own machine) is a pass, and is told.
Why it matters
    Two clients on two servers are two sites: both accept edits, neither sees the other's, and no error is shown.
What it does not prove
    That the server can be reached, or that it serves the same data: see every-database-is-one. Where the files do not
    tell whether two names mean one server, the answer is UNKNOWN until the servers themselves have been asked.
How to repair it
    Give every client the same ``server`` lines. If two names do mean one server, write both into ``[hosts]``.

>>> show(zeo_servers_agree, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100"))
OK
>>> show(zeo_servers_agree, app1=zope_conf(server="10.0.0.5:8100"), app2=zope_conf(server="10.0.0.6:8100"))
CRITICAL app1, app2: database main is on 10.0.0.5:8100 for app1; on 10.0.0.6:8100 for app2
>>> show(zeo_servers_agree, app1=zope_conf(server="localhost:8100"), app2=zope_conf(server="localhost:8100"))
CRITICAL app1, app2: database main is on localhost:8100 on 10.0.0.1 for app1; on localhost:8100 on 10.0.0.2 for app2
>>> show(zeo_servers_agree, app1=zope_conf(server="10.0.0.2:8100"), app2=zope_conf(server="localhost:8100"))
note app1, app2: database main: 10.0.0.2:8100 (app1) and localhost:8100 on 10.0.0.2 (app2) are one server
OK
>>> show(zeo_servers_agree, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo2:8100"))
UNKNOWN app1, app2: database main is on zeo1:8100 for app1; on zeo2:8100 for app2; one server or two: cannot be told
>>> show(zeo_servers_agree, app1=zope_conf(server="zeo1:8100"), app2=NotGathered("ssh: timed out after 5 s"))
UNKNOWN app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Names, ZeoIdentity, ZopeConf
from zcheck.rules.databases import (
    Shared,
    nobody_to_compare,
    not_on_zeo,
    shared_databases,
    spelt_out,
    unresolved,
    zeo_members,
)
from zcheck.rules.server_lines import Comparison, Side, alike, comparison


@check(
    "zeo-servers-agree",
    stage="config",
    needs=[ZopeConf],
    uses=[Names, ZeoIdentity],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses", "zeo-addresses-are-valid"],
)
def zeo_servers_agree(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """Sides that provably differ are a problem; sides of which nobody can tell are UNKNOWN, unless a server told."""
    confs = facts.each(ZopeConf)
    if len(confs) == 1:
        yield from nobody_to_compare(confs)
        return
    examined: set[str] = set()
    for shared in shared_databases(facts):
        members = zeo_members(shared)
        if len(members) > 1:
            examined.update(members)
            for client, database in members.items():
                yield from unresolved(client, database.servers)
            yield from _judged(shared, alike(members, facts.inventory), comparison(facts, shared))
    yield from not_on_zeo(facts, examined)


def _judged(shared: Shared, sides: list[Side], compared: Comparison[Side]) -> Iterator[Problem | Unknown | Note]:
    groups = compared.joined(sides)
    if len(groups) == 1 and len(sides) > 1:
        spellings = " and ".join(f"{side.shown} ({', '.join(side.clients)})" for side in sides)
        yield Note(_clients(sides), f"{shared.label}: {spellings} are one server", _places(sides))
    if len(groups) < 2:
        return
    differing = compared.differing(groups)
    open_ones = [group for group in groups if group not in differing]
    if differing:
        hint = "give every client the same 'server' lines"
        apart = [side for group in differing for side in group]
        yield Problem(
            _clients(apart), f"{shared.label} is {_said(differing)}", _places(apart), hint, about=shared.label
        )
    if open_ones:
        which = "which of these" if differing else "one server or two"
        message = f"{shared.label} is {_said(open_ones)}; {which}: cannot be told"
        hint = "write the addresses of these names into [hosts] of clients.ini"
        clients = _clients([side for group in open_ones for side in group])
        yield Unknown(clients, message, _places(sides), hint, about=shared.label)


def _clients(sides: list[Side]) -> tuple[str, ...]:
    return tuple(client for side in sides for client in side.clients)


def _said(groups: list[list[Side]]) -> str:
    return spelt_out([f"on {group[0].shown} for {', '.join(_clients(group))}" for group in groups])


def _places(sides: list[Side]) -> tuple[Place, ...]:
    return tuple(Place.of(line) for side in sides for line in side.lines)
