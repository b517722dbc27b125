"""Every ZEO address is one that a client can dial.

What it examines
    Each ``server`` line of a ``<zeoclient>`` or ``<clientstorage>``: a host and a port, a port alone, or the path of a
    unix socket. ZConfig lets more pass than can be dialled: a host without a port, two addresses on one line, a comment
    behind the value, a URL, an IPv4 address with a number above 255.
Why it matters
    The client starts, and waits for a server that it never reaches.
What it does not prove
    That a server is there: see zeo-server-answers.
How to repair it
    Write ``server HOST:PORT``, one line for each server.

>>> show(zeo_addresses_are_valid, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="/run/zeo.sock"))
OK
>>> show(zeo_addresses_are_valid, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1"))
CRITICAL app2: database main of app2 has a server that cannot be dialled: 'zeo1' has no port
>>> show(zeo_addresses_are_valid, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="$(ZEO_ADDRESS)"))
UNKNOWN app2: the inventory gives no value for $(ZEO_ADDRESS), which server of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Setting, ZopeConf
from zcheck.facts.addresses import InvalidAddress, parse_server
from zcheck.rules.databases import places, unresolved


@check(
    "zeo-addresses-are-valid", stage="config", needs=[ZopeConf], severity=Severity.CRITICAL, after=["zope-conf-parses"]
)
def zeo_addresses_are_valid(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a faulty address, with all clients that have it."""
    found: dict[tuple[str, str], dict[str, Setting]] = {}
    for client, conf in facts.each(ZopeConf).items():
        lines = [(database.name, line) for database in conf.databases for line in database.servers]
        if not lines:
            yield Skipped((client,), "nothing to examine: no database on ZEO")
        yield from unresolved(client, [line for _, line in lines])
        for name, line in lines:
            fault = "" if line.unresolved else _fault(line.value)
            if fault:
                found.setdefault((name, fault), {})[client] = line
    for (name, fault), owners in found.items():
        message = f"database {name} of {', '.join(owners)} has a server that cannot be dialled: {fault}"
        where = places(owners.values())
        yield Problem(tuple(owners), message, where, "write server HOST:PORT, one line for each server", about=name)


def _fault(text: str) -> str:
    try:
        parse_server(text, "")
    except InvalidAddress as error:
        return str(error)
    return ""
