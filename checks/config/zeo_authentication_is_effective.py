"""No client trusts a ZEO login that nobody asks for.

What it examines
    ``username``, ``password`` and ``realm`` of each ``<zeoclient>``. Left out are clients of Zope 2 (those with a
    ``<http-server>`` and the like), whose ZEO did ask.
Why it matters
    Since ZEO 5 these keys are accepted and ignored: whoever reaches the server's port reads and writes the database,
    while the file looks as if a password were needed.
What it does not prove
    That the server's port is protected by other means: a firewall, TLS with client certificates.
How to repair it
    Remove the lines; use ``<clientstorage>`` with ``<ssl>``, or let nobody but the clients reach the port.

>>> show(zeo_authentication_is_effective, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100"))
OK
>>> show(zeo_authentication_is_effective, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(username="zope"))
WARNING app2: database main of app2 has username, which ZEO 5 and later ignore
>>> show(zeo_authentication_is_effective, app1=zope_conf(server="zeo1:8100"), app2=NotGathered("permission denied"))
UNKNOWN app2: permission denied
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import Facts, Setting, ZopeConf
from zcheck.rules.databases import listed, places

KEYS = ("username", "password", "realm")
ZOPE_2 = ("http-server", "webdav-source-server", "ftp-server", "fast-cgi", "persistent-cgi", "clock-server")


@check(
    "zeo-authentication-is-effective",
    stage="config",
    needs=[ZopeConf],
    severity=Severity.WARNING,
    after=["zope-conf-parses"],
)
def zeo_authentication_is_effective(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a database, with all clients that have the same lines."""
    found: dict[tuple[str, str], dict[str, tuple[Setting, ...]]] = {}
    for client, conf in facts.each(ZopeConf).items():
        if conf.top.nested(*ZOPE_2):
            yield Skipped((client,), "it runs Zope 2, whose ZEO asks for the login")
            continue
        for database in conf.databases:
            lines = tuple(database.leaf.first(key) for key in KEYS) if database.leaf and database.is_zeo else ()
            given = tuple(line for line in lines if line is not None and (line.value or line.unresolved))
            if given:
                found.setdefault((database.name, listed(line.key for line in given)), {})[client] = given
    for (name, keys), owners in found.items():
        message = f"database {name} of {', '.join(owners)} has {keys}, which ZEO 5 and later ignore"
        where = places(line for lines in owners.values() for line in lines)
        yield Problem(
            tuple(owners), message, where, "remove 'username' and 'password', and protect the server's port", about=name
        )
