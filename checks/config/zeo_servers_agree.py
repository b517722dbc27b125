"""Every client's databases live on the same ZEO servers.

What it examines
    The ``server`` lines of each ``<zeoclient>`` and ``<clientstorage>``, as the client's own machine reads them:
    ``localhost``, a bare port and a unix path are that machine's own. Several lines are a set; another spelling of the
    same server (a name and its address, ``localhost`` on the server's own machine) is a pass, and is told. So is what
    clients.ini declares: an alias of a server (``aliases`` of ``[zeo:NAME]``: a tunnel, a published port), and a server
    whose own file passes another one's storage on. A server that follows another one (``replica-of``, or
    ``replicate-from`` in its own file) may be that of a client with ``role = read-only``.
Why it matters
    Two clients on two servers are two sites: both accept edits, neither sees the other's, and no error is shown.
What it does not prove
    That the server can be reached, or that it serves the same data: see every-database-is-one. Where the files do not
    tell whether two names mean one server, the answer is UNKNOWN until the servers themselves have been asked. Where
    the same run proves that two addresses lead to one storage, that is told as a note, whatever the text says.
How to repair it
    Give every client the ``server`` lines of the server that has the data. If two names do mean one server, write both
    into ``[hosts]``; if something stands in between, such as a tunnel on each machine, write ``aliases``.

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
>>> tunnels = inventory('''[cluster]
... name = intranet
... [client:app1]
... address = 10.0.0.1:8080
... [client:app2]
... address = 10.0.0.2:8080
... [zeo:main]
... address = zeo1:8100
... aliases = localhost:8100@10.0.0.1 localhost:8100@10.0.0.2''')
>>> show(zeo_servers_agree, tunnels, app1=zope_conf(server="localhost:8100"), app2=zope_conf(server="localhost:8100"))
note app1, app2: database main: localhost:8100 on 10.0.0.1 (app1) and localhost:8100 on 10.0.0.2 (app2) are one server
OK
>>> show(zeo_servers_agree, app1=zope_conf(server="zeo1:8100"), app2=NotGathered("ssh: timed out after 5 s"))
UNKNOWN app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import ControlPanel, Facts, Names, SeenThere, ZeoConfs, ZeoIdentity, ZopeConf
from zcheck.facts.history import HttpHistories
from zcheck.rules.databases import (
    Shared,
    nobody_to_compare,
    not_on_zeo,
    shared_databases,
    spelt_out,
    unresolved,
    zeo_members,
)
from zcheck.rules.proofs import seen_by_another
from zcheck.rules.server_lines import Comparison, Side, alike, comparison


@check(
    "zeo-servers-agree",
    stage="config",
    needs=[ZopeConf],
    uses=[Names, ZeoConfs, ZeoIdentity, HttpHistories, ControlPanel, SeenThere],
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
            yield from _judged(facts, shared, alike(members, facts), comparison(facts, shared))
    yield from not_on_zeo(facts, examined)


def _judged(
    facts: Facts, shared: Shared, sides: list[Side], compared: Comparison[Side]
) -> Iterator[Problem | Unknown | Note]:
    for side in sides:
        if side.origin.leader:
            yield from _following(facts, shared, side)
    groups = compared.joined(sides)
    if len(groups) == 1 and len(sides) > 1 and not any(side.origin.leader for side in sides):
        spellings = " and ".join(f"{side.shown} ({', '.join(side.clients)})" for side in sides)
        same = "one database, by the servers' own files" if any(s.origin.through for s in sides) else "one server"
        yield Note(_clients(sides), f"{shared.label}: {spellings} are {same}", _places(sides))
    if len(groups) < 2:
        return
    # Who only reads may be on a replica of which nobody said that it is one.
    perhaps = [group for group in groups if _only_reads(facts, group)] if len(groups) > 1 else []
    followers = [group for group in perhaps if len(groups) > len(perhaps) and _was_seen_to_follow(facts, shared, group)]
    yield from (_follows(shared, group) for group in followers)
    groups = [group for group in groups if group not in followers]
    if len(groups) < 2:
        return
    perhaps = [group for group in perhaps if group not in followers]
    certain = [group for group in groups if group not in perhaps]
    differing = compared.differing(certain)
    open_ones = [group for group in groups if group not in differing]
    if differing:
        apart = [side for group in differing for side in group]
        message = f"{shared.label} is {_said(differing)}"
        yield Problem(_clients(apart), message, _places(apart), _hint(apart), about=shared.label)
    if open_ones:
        yield _open(shared, differing, open_ones, perhaps, sides)


def _was_seen_to_follow(facts: Facts, shared: Shared, group: list[Side]) -> bool:
    """Whether these clients, who only read, were seen to show what was saved through the others."""
    names = {database.name for database in shared.members.values()}
    return all(seen_by_another(facts, names, client) for client in _clients(group))


def _follows(shared: Shared, group: list[Side]) -> Note:
    clients = _clients(group)
    read = "reads" if len(clients) == 1 else "read"
    message = (
        f"{shared.label}: {', '.join(clients)} {read} from {group[0].shown}, a replica: what is saved arrives there"
    )
    return Note(clients, message, _places(group))


def _open(
    shared: Shared, differing: list[list[Side]], groups: list[list[Side]], perhaps: list[list[Side]], sides: list[Side]
) -> Unknown:
    which = "which of these" if differing else "one server or two"
    message = f"{shared.label} is {_said(groups)}; {which}: cannot be told"
    hint = "write the addresses of these names into [hosts] of clients.ini"
    clients = _clients([side for group in groups for side in group])
    ends = [end for side in sides for end in side.endpoints]
    relative = any(end.path is not None and not end.path.startswith("/") for end in ends)
    if perhaps:
        names = ", ".join(_clients([side for group in perhaps for side in group]))
        message = f"{shared.label} is {_said(groups)}; whether that of {names} is a replica cannot be told"
        hint = "write a section [zeo:NAME] with its address and replica-of = NAME, the section of the server it follows"
    elif relative:
        hint = "write the whole path of the socket; or 'machine' for each of these clients, if they share one folder"
    return Unknown(clients, message, _places(sides), hint, about=shared.label)


def _only_reads(facts: Facts, group: list[Side]) -> bool:
    return all(facts.inventory.client(client).role == "read-only" for client in _clients(group))


def _following(facts: Facts, shared: Shared, side: Side) -> Iterator[Problem | Note]:
    """Clients of a server that follows another one: such a server takes no edits."""
    readers = tuple(client for client in side.clients if facts.inventory.client(client).role == "read-only")
    writers = tuple(client for client in side.clients if client not in readers)
    places = tuple(Place.of(line) for line in (*side.lines, *side.origin.lines))
    leader = side.origin.leader
    if readers:
        read = "reads" if len(readers) == 1 else "read"
        behind = f"{', '.join(readers)} {read} from {side.shown}, which follows {leader}: edits are seen a little later"
        yield Note(readers, f"{shared.label}: {behind}", places)
    if writers:
        be = "is" if len(writers) == 1 else "are"
        message = (
            f"{shared.label}: {', '.join(writers)} {be} on {side.shown}, which follows {leader} and takes no edits"
        )
        hint = f"write 'server {leader}'; or, for a client that only reads, role = read-only into its section"
        yield Problem(writers, message, places, hint, about=f"{shared.label} {side.shown}")


def _hint(sides: list[Side]) -> str:
    """What to write: where the same text means another server on each machine, the same text is no help."""
    local = [end for side in sides for end in side.endpoints if end.is_local]
    if not local:
        return "give every client the 'server' lines of the one server that has the data"
    words = " ".join(dict.fromkeys(end.as_alias for end in local))
    name = local[0].text
    return (
        f"write the ZEO server's own address in place of {name}; or, if a tunnel or proxy on each machine leads to one "
        f"server, say so in clients.ini: [zeo:NAME] with its address and aliases = {words}"
    )


def _clients(sides: list[Side]) -> tuple[str, ...]:
    return tuple(client for side in sides for client in side.clients)


def _said(groups: list[list[Side]]) -> str:
    return spelt_out([f"on {group[0].shown} for {', '.join(_clients(group))}" for group in groups])


def _places(sides: list[Side]) -> tuple[Place, ...]:
    return tuple(Place.of(line) for side in sides for line in side.lines)
