"""Each ZEO server writes into the file that has its database's path.

What it examines
    A ``<filestorage>`` behind a ZEO server, read in two ways, for which nothing is written: the newest transaction that
    the server lists as one that could be undone comes from the file that it has open; the same transaction is then
    looked for in the file that has the path now. It is looked for a second time before anything is said, since a pack
    changes files as well, and again after the first write of zcheck's own.
Why it matters
    A database that is restored by ``mv`` or ``rsync`` while the server runs changes nothing for the server: it goes on
    with the old file, which has no name any more. All is well until its next start, and then everything that was saved
    since the restore is gone, with no way back.
What it does not prove
    That the file is whole, or that it is backed up. A file that was put in place a moment ago, and to which nobody has
    written since, looks like the server's own until the next commit. Storages other than FileStorage are skipped.
How to repair it
    Do not restart the server: its open file is the only one with the newest edits. Copy that one first, on the server's
    machine: ``cp /proc/PID/fd/N /safe/Data.fs``, where ``ls -l /proc/PID/fd`` shows which N is the file. Then stop all
    editing, stop the server, put the file in place that you want, and start it again.

>>> from zcheck.facts import StorageFile
>>> def files(outcome, **more): return ZeoIdentity(files=(StorageFile("main", "zeo1:8100", "1", "/srv/Data.fs", outcome,
...     **more),))
>>> show(zeo_server_writes_its_own_file, files("own"), app1=zope_conf(), app2=zope_conf())
OK
>>> show(zeo_server_writes_its_own_file, files("replaced"), app1=zope_conf(), app2=zope_conf())
CRITICAL app1, app2: the ZEO server zeo1:8100 does not write into /srv/Data.fs any more: that path is another file now,
and the server's next start loses what was saved since (database main)
>>> show(zeo_server_writes_its_own_file, files("replaced", no_file=True), app1=zope_conf(), app2=zope_conf())
CRITICAL app1, app2: the ZEO server zeo1:8100 does not write into /srv/Data.fs any more: there is no such file now, and
the server's next start loses what was saved since (database main)
>>> show(zeo_server_writes_its_own_file, files("unknown"), app1=zope_conf(), app2=zope_conf())
UNKNOWN app1, app2: whether the ZEO server zeo1:8100 writes into /srv/Data.fs (database main) was not learnt: it lists
no transaction by which that could be told, as after a pack of everything or during one
>>> show(zeo_server_writes_its_own_file, ZeoIdentity(), app1=zope_conf(), app2=zope_conf())
skipped: nothing to examine: no ZEO server with a FileStorage was reached
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, StorageFile, ZeoIdentity
from zcheck.facts.history import ZeoHistories

HINT = (
    "do not restart this server: on its machine, copy its open file first (cp /proc/PID/fd/N to a safe place; "
    "ls -l /proc/PID/fd shows which N it is)"
)


@check(
    "zeo-server-writes-its-own-file",
    stage="identity",
    needs=[ZeoIdentity],
    uses=[ZeoHistories],
    severity=Severity.CRITICAL,
    after=["zeo-server-answers", "zeo-storage-exists"],
)
def zeo_server_writes_its_own_file(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a storage, at all clients of its database: a later look outranks an earlier one."""
    files = [looked for looked in _files(facts) if _clients(facts, looked)]
    for looked in files:
        about = f"{looked.server} {looked.storage}"
        if looked.outcome == "replaced":
            yield Problem(_clients(facts, looked), _replaced(looked), (), HINT, about=about)
        elif looked.outcome == "unknown":
            yield Unknown(_clients(facts, looked), _not_learnt(looked), about=about)
    examined = {client for looked in files for client in _clients(facts, looked)}
    without = tuple(client for client in facts.clients if client not in examined)
    yield Skipped(without, "nothing to examine: no ZEO server with a FileStorage was reached")


def _replaced(looked: StorageFile) -> str:
    now = "there is no such file" if looked.no_file else "that path is another file"
    return (
        f"the ZEO server {looked.server} does not write into {looked.location} any more: {now} now, and the server's "
        f"next start loses what was saved since (database {looked.database})"
    )


def _not_learnt(looked: StorageFile) -> str:
    why = (
        "the server could not read that file to its end, as after a write that failed"
        if looked.unreadable
        else "it lists no transaction by which that could be told, as after a pack of everything or during one"
    )
    return (
        f"whether the ZEO server {looked.server} writes into {looked.location} (database {looked.database}) was not "
        f"learnt: {why}"
    )


def _files(facts: Facts) -> Iterable[StorageFile]:
    """The latest look at each storage, unless it told less than one before it."""
    found: dict[tuple[str, str], StorageFile] = {}
    histories = facts.maybe(ZeoHistories) or ZeoHistories()
    looks = [*facts.the(ZeoIdentity).files, *(one for history in histories.histories for one in history.files)]
    for looked in looks:
        key = (looked.server, looked.storage)
        before = found.get(key)
        if before is None or (before.outcome != "replaced" and looked.outcome != "unknown"):
            found[key] = looked
    return found.values()


def _clients(facts: Facts, looked: StorageFile) -> tuple[str, ...]:
    """The clients whose own connections reached this storage; all where the proofs tell of none."""
    identity = facts.the(ZeoIdentity)
    stood = identity.same_way.get(looked.database, {})
    reached = {proof.client for proof in identity.databases.get(looked.database, ()) if proof.server == looked.server}
    if not identity.databases.get(looked.database):
        return facts.clients
    return tuple(client for client in facts.clients if stood.get(client, client) in reached)
