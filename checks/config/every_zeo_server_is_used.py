"""Every ZEO server that clients.ini describes is dialled by a client.

What it examines
    Each ``[zeo:NAME]`` section, against the ``server`` lines of all clients. A server counts as used as well when
    another one that is used passes its storage on or follows it, and when it follows another one (``replica-of``, or
    ``replicate-from`` in its own file). Skipped where a client's zope.conf is not at hand, or where a name stands in
    the way.
Why it matters
    Whoever wrote the section meant the cluster's server. When all clients dial another one, they are on a forgotten
    server, or on another site's: they agree with each other, and are wrong together.
What it does not prove
    Which of the two is right.
How to repair it
    Correct the ``server`` lines of the clients, or ``address`` in the section; declare tunnels as ``aliases``; or
    remove the section.

>>> one = inventory('''[cluster]
... name = intranet
... [client:app1]
... address = 10.0.0.1:8080
... [zeo:main]
... address = 10.0.0.5:8200''')
>>> show(every_zeo_server_is_used, one, app1=zope_conf(server="10.0.0.5:8200"))
OK
>>> show(every_zeo_server_is_used, one, app1=zope_conf(server="10.0.0.5:8100"))
WARNING app1: no client dials 10.0.0.5:8200, the server of [zeo:main]: they dial 10.0.0.5:8100
>>> show(every_zeo_server_is_used, one, app1=NotGathered("ssh: timed out after 5 s"))
UNKNOWN app1: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, check
from zcheck.facts import Facts, Names, ZeoConfs, ZeoSection, ZopeConf
from zcheck.facts.addresses import Endpoint, InvalidAddress, of_section, parse_server, same_server
from zcheck.facts.origins import followed, origin_of
from zcheck.rules.databases import is_partial, listed

_TELL_MORE = ("zeo-server-is-the-pinned-one", "zeo-conf-serves-the-storages")


@check(
    "every-zeo-server-is-used",
    stage="config",
    needs=[ZopeConf],
    uses=[Names, ZeoConfs],
    severity=Severity.WARNING,
    after=["zope-conf-parses", "zeo-addresses-are-valid", "zeo-servers-agree", *_TELL_MORE],
)
def every_zeo_server_is_used(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a server, about all clients."""
    inventory = facts.inventory
    confs = facts.each(ZopeConf)
    if not inventory.zeo_servers:
        yield Skipped(facts.clients, "nothing to examine: clients.ini has no [zeo:NAME] section")
        return
    ends, through, sure = _dialled(facts)
    if not sure or set(confs) != set(inventory.client_names):
        yield Skipped(facts.clients, "it is not known which servers all clients dial")
        return
    for section in inventory.zeo_servers:
        if not _is_used(facts, section, ends, through):
            shown = listed(dict.fromkeys(map(str, ends))) if ends else "none"
            message = f"no client dials {section.address}, the server of [zeo:{section.name}]: they dial {shown}"
            place = Place.in_ini(inventory.file, section.section, "address")
            lines = [line for conf in confs.values() for database in conf.databases for line in database.servers]
            hint = f"correct the clients' 'server' lines or this address; or remove [zeo:{section.name}]"
            yield Problem(facts.clients, message, (place, *dict.fromkeys(map(Place.of, lines))), hint, section.name)


def _dialled(facts: Facts) -> tuple[list[Endpoint], set[str], bool]:
    """The servers that the clients name and those behind them, the sections on the way, and whether that is all."""
    ends: dict[tuple[str, str], Endpoint] = {}
    through: set[str] = set()
    sure = True
    for name, conf in facts.each(ZopeConf).items():
        client = facts.inventory.client(name)
        sure = sure and not is_partial(conf)
        for database in conf.databases:
            for line in database.servers:
                sure = sure and not line.unresolved
                if (line.value, "") in ends:
                    continue
                try:
                    end = parse_server(line.value, client.machine)
                except InvalidAddress:
                    sure = False
                    continue
                ends[end.text, end.machine if end.is_local else ""] = end
            origin = origin_of(facts, client, database) if database.is_zeo else None
            for end in origin.endpoints if origin is not None and origin.through else ():
                ends[end.text, end.machine if end.is_local else ""] = end
            through.update(origin.through if origin is not None else ())
    return list(ends.values()), through, sure


def _is_used(facts: Facts, section: ZeoSection, ends: list[Endpoint], through: set[str]) -> bool:
    """Whether it is used, or may be."""
    inventory, names = facts.inventory, facts.maybe(Names)
    if section.name in through or followed(facts, section) is not None:
        return True
    stated = of_section(section)
    if stated is None:
        return True
    if stated.is_local and section.machine is None:
        # Whose localhost it is was not said: any client's of that port.
        return any(end.is_local and (end.port, end.path) == (stated.port, stated.path) for end in ends)
    return any(same_server(stated, end, inventory, names) is not False for end in ends)
