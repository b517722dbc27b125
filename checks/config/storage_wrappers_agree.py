"""All clients open a database through the same chain of storages.

What it examines
    The types of the storage sections of each database, from the outermost wrapper to the storage that holds the data:
    ``<zlibstorage>``, ``<encryptingstorage>``, ``<before>``, ``<blobstorage>`` and whatever an add-on brings.
    ``<zeoclient>`` and ``<clientstorage>`` are the same storage. Left out are the databases that no-private-storage
    tells of, and those that are private to each process by design.
Why it matters
    A client without ``<zlibstorage>`` takes compressed records for broken ones; one with ``<before>`` shows the site as
    it was at one moment and never sees a later edit; one on RelStorage beside others on ZEO is another site.
What it does not prove
    That the wrappers have the same options, such as an encryption key: see settings-agree.
How to repair it
    Give every client the same storage sections, nested in the same order.

>>> plain = '''<zodb_db main>
... <zeoclient>
... server zeo1:8100
... </zeoclient>
... mount-point /
... </zodb_db>'''
>>> zlib = plain.replace("<zeo", "<zlibstorage>\\n<zeo").replace("</zeoclient>", "</zeoclient>\\n</zlibstorage>")
>>> show(storage_wrappers_agree, app1=zope_conf(zlib), app2=zope_conf(zlib))
OK
>>> show(storage_wrappers_agree, app1=zope_conf(zlib), app2=zope_conf(plain))
CRITICAL app1, app2: database main is in <zlibstorage> around <zeoclient> for app1; in <zeoclient> for app2
>>> show(storage_wrappers_agree, app1=zope_conf(zlib), app2=NotGathered("ssh: timed out after 5 s"))
UNKNOWN app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, check
from zcheck.facts import ZEO_CLIENT_TYPES, Database, Facts, ZopeConf
from zcheck.rules.databases import (
    everybody,
    is_per_process,
    nobody_to_compare,
    private_storage,
    shared_databases,
    sides,
    told,
)

Chain = tuple[str, ...]


@check(
    "storage-wrappers-agree", stage="config", needs=[ZopeConf], severity=Severity.CRITICAL, after=["zope-conf-parses"]
)
def storage_wrappers_agree(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a database, with all sides."""
    yield from nobody_to_compare(facts.each(ZopeConf))
    for shared in shared_databases(facts):
        members = {c: d for c, d in shared.members.items() if not is_per_process(d) and private_storage(d) is None}
        parts = sides({client: _chain(database) for client, database in members.items()})
        if len(parts) > 1:
            shown = [members[clients[0]].chain for clients in parts.values()]
            places = tuple(Place.of(chain[0]) for chain in shown if chain)
            message = f"{shared.label} is {told(parts, _said)}"
            ways = " or ".join(_said(chain).removeprefix("in ") for chain in parts)
            hint = f"write {ways} for all, as the data was written; with the '%import' line that a wrapper needs"
            yield Problem(everybody(parts), message, places, hint, about=shared.label)


def _chain(database: Database) -> Chain:
    return tuple("zeoclient" if storage.type in ZEO_CLIENT_TYPES else storage.type for storage in database.chain)


def _said(chain: Chain) -> str:
    return "in " + " around ".join(f"<{kind}>" for kind in chain)
