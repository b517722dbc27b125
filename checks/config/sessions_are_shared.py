"""No client keeps its users' sessions in its own memory.

What it examines
    Databases beside the root that live in one process: a ``<temporarystorage>`` or ``<mappingstorage>``, and a
    ``<zodb_db temporary>`` that is on no server. Clients with the role ``worker`` are left out; with fewer than two
    others there is nothing to share. Where clients.ini names the balancer's files, and each balancer keeps users on
    one client, it is a note.
Why it matters
    A session begun on one client does not exist on another: the cart is empty, the form's next step is lost, on every
    other click. That is how Zope has always done it, and it is fine as long as the balancer sends each user to the same
    client; the sessions are lost with each restart all the same.
What it does not prove
    That the site uses sessions at all; nor that the balancer is not sticky: see sessions-stick.
How to repair it
    Make the balancer sticky (a cookie), or keep sessions where all clients see them: in a cookie, in memcached, or in a
    database on the ZEO server.

>>> text = '''<zodb_db main>
... <zeoclient>
... server zeo1:8100
... </zeoclient>
... mount-point /
... </zodb_db>
... <zodb_db temporary>
... <temporarystorage/>
... mount-point /temp_folder
... </zodb_db>'''
>>> show(sessions_are_shared, app1=zope_conf(text), app2=zope_conf(text))
WARNING app1, app2: database temporary on /temp_folder is in the memory of each of app1, app2
>>> on_zeo = text.replace("<temporarystorage/>", "<zeoclient>\\nserver zeo1:8100\\nstorage temp\\n</zeoclient>")
>>> show(sessions_are_shared, app1=zope_conf(on_zeo), app2=zope_conf(on_zeo))
OK
>>> show(sessions_are_shared, app1=zope_conf(on_zeo), app2=NotGathered("ssh: timed out after 5 s"))
UNKNOWN app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zcheck.check import Note, Problem, Severity, Skipped, check
from zcheck.facts import Balancers, Database, Facts, Names, ZopeConf
from zcheck.rules.databases import is_per_process, listed, places, virtual_paths
from zcheck.rules.haproxy import is_kept_by_balancers


@check(
    "sessions-are-shared",
    stage="config",
    needs=[ZopeConf],
    uses=[Balancers, Names],
    severity=Severity.WARNING,
    after=["zope-conf-parses"],
)
def sessions_are_shared(facts: Facts) -> Iterator[Problem | Skipped | Note]:
    """One finding a database, with all clients that have it in their memory."""
    confs = facts.each(ZopeConf)
    workers = tuple(client for client in confs if facts.inventory.client(client).role == "worker")
    if workers:
        yield Skipped(workers, "its role is worker")
    found: dict[str, dict[str, Database]] = {}
    for client, conf in confs.items():
        besides = [database for database in conf.databases if not database.mounts_root]
        if not any(map(is_temporary, besides)) and client not in workers:
            yield Skipped((client,), "nothing to examine: no database for sessions")
        for database in besides if client not in workers else ():
            if is_per_process(database):
                found.setdefault(database.name, {})[client] = database
    for name, owners in found.items():
        if len(facts.inventory.clients) - len(workers) > 1:
            yield _in_memory(facts, name, owners)


def _in_memory(facts: Facts, name: str, owners: Mapping[str, Database]) -> Problem | Note:
    """A note where the balancers keep each user on one client."""
    paths = listed(virtual_paths(next(iter(owners.values()))))
    message = f"database {name} on {paths} is in the memory of each of {', '.join(owners)}"
    if is_kept_by_balancers(facts, owners):
        return Note(tuple(owners), f"{message}; the balancer keeps each user on one of them", places(owners.values()))
    hint = "keep sessions where all clients see them"
    if facts.inventory.balancers:
        hint = f"let the balancer keep each user on one server ('cookie' in haproxy.cfg), or {hint}"
    else:
        hint = f"write [balancer:NAME] with type, config and backend, if a sticky HAProxy sends the users; else {hint}"
    return Problem(tuple(owners), message, places(owners.values()), hint, about=name)


def is_temporary(database: Database) -> bool:
    """Whether a database is for sessions, wherever it lives."""
    return is_per_process(database) or database.name == "temporary" or "/temp_folder" in virtual_paths(database)
