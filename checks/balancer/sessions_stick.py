"""Where sessions live in one process, the balancer sends each user to the same client.

What it examines
    Whether a client's zope.conf has a database for sessions that lives in that process (a ``<temporarystorage>`` or
    ``<mappingstorage>`` beside the root), and whether each backend with several servers then keeps users where they
    are: by a ``cookie`` line with ``insert`` and a cookie value for each server, a ``stick`` table, or by ``balance``
    on something that is the same in all requests of a user (``source``, ``hdr(X-Forwarded-For)``). Neither a ``cookie``
    line that says nothing of who sets it does that, nor ``balance hdr(Cookie)``: the whole header changes whenever any
    cookie does.
Why it matters
    A session begun on one client does not exist on another: the cart is empty, the form's next step is lost, on every
    other click.
What it does not prove
    That the users' browsers keep the cookie; nor that no session is lost: a restart of the client loses them.
How to repair it
    ``cookie serverid insert indirect postonly httponly`` and ``cookie NAME`` on each server line, or keep sessions
    where all clients see them: see sessions-are-shared.

>>> zope = '''<zodb_db main>
... <zeoclient>
... server zeo1:8100
... </zeoclient>
... mount-point /
... </zodb_db>
... <zodb_db temporary>
... <temporarystorage/>
... mount-point /temp_folder
... </zodb_db>'''
>>> text = '''backend zope
...  mode http
...  cookie serverid insert indirect
...  server app1 10.0.0.1:8080 cookie app1
...  server app2 10.0.0.2:8080 cookie app2
... '''
>>> show(sessions_stick, haproxy_conf(text), app1=zope_conf(zope), app2=zope_conf(zope))
OK
>>> text = text.replace("cookie serverid", "# cookie serverid")
>>> show(sessions_stick, haproxy_conf(text), app1=zope_conf(zope), app2=zope_conf(zope))
CRITICAL app1, app2: sessions are in the memory of each of app1, app2, and backend zope keeps no user on one server
>>> show(sessions_stick, haproxy_conf(text), app1=zope_conf(zope), app2=NotGathered("ssh: timed out after 5 s"))
UNKNOWN app2: ssh: timed out after 5 s
CRITICAL app1: sessions are in the memory of each of app1, and backend zope keeps no user on one server
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, check
from zcheck.facts import Balancers, Database, Facts, HaproxySection, Names, ZopeConf
from zcheck.rules.haproxy import balancing, is_sticky, leads_to, place, titled, unread

IN_ONE_PROCESS = ("temporarystorage", "mappingstorage")


@check(
    "sessions-stick",
    stage="balancer",
    needs=[Balancers, ZopeConf],
    uses=[Names],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses"],
)
def sessions_stick(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a backend that moves users about."""
    yield from unread(facts)
    private = {client: found for client, conf in facts.each(ZopeConf).items() if (found := _private(conf))}
    without = tuple(client for client in facts.clients if client not in private)
    if without:
        yield Skipped(without, "nothing to examine: no database for sessions in its own process")
    for _, section in balancing(facts):
        served = [client for client in private if client in _served(facts, section)]
        if not _chooses(facts, section) or not served or is_sticky(section):
            continue
        message = f"sessions are in the memory of each of {', '.join(served)}, and {titled(section)} keeps no user on "
        hint = (
            f"write 'cookie serverid insert indirect postonly httponly' into {titled(section)}, "
            "and on each server line 'cookie' with the server's name"
        )
        lines = [line for line in (section.last("cookie"), section.last("balance")) if line is not None]
        places = (*map(place, lines or [section.head]), *(Place.of(private[client]) for client in served))
        yield Problem(tuple(served), message + "one server", places, hint, about=section.name)


def _private(conf: ZopeConf) -> Database | None:
    """The database beside the root that is in this process's memory."""
    beside = (database for database in conf.databases if not database.mounts_root)
    return next((one for one in beside if one.leaf is not None and one.leaf.type in IN_ONE_PROCESS), None)


def _served(facts: Facts, section: HaproxySection) -> set[str]:
    """The clients that this section may send users to."""
    found = set()
    for server in section.servers:
        leads = leads_to(server, facts)
        found |= set(leads.clients or leads.possible)
    return found


def _chooses(facts: Facts, section: HaproxySection) -> bool:
    """Whether users may be sent to more than one process while all is well."""
    used = [server for server in section.servers if not (server.is_backup or server.is_weightless)]
    leads = [leads_to(server, facts) for server in used]
    sure = all(one.clients and not one.possible and not one.strange for one in leads)
    if sure:
        return len({name for one in leads for name in one.clients}) > 1
    return sum(server.count for server in used) > 1
