"""The folders of shared blobs are one folder, on whatever machine a client runs.

What it examines
    For each database the ``blob-dir`` of every client with ``shared-blob-dir on``, as the client's own machine sees it
    (``via`` in clients.ini): its device and inode on one machine; between machines a marker, one small file that zcheck
    puts into the folder from one of them for a second or two (into ``tmp`` where there is one) and looks for from the
    others. Not with ``--read-only``. And what the marker ``.layout`` says: a cache is no place where blobs live.
Why it matters
    With a shared folder ZEO sends no blobs: a client looks for the file. Where one machine has not mounted the share,
    the images and files that others upload are missing there ("No blob file"), and what is uploaded there is in a
    folder of that machine's own disk, which nobody else sees and no backup holds.
What it does not prove
    That the folder is the one of the ZEO server: see zeo-conf-serves-the-storages. Nor that a client may write in it
    where the command of ``via`` runs as another user.
How to repair it
    Mount the share on the machine that lacks it (see ``findmnt``), move what was put beside it into the server's
    folder, and restart the client. Or give the client ``shared-blob-dir off`` and a folder of its own.

>>> from zcheck.testing.examples import blob_folder
>>> def marker(seen): return SharedBlobs((BlobMarker("main", "app1", "/srv/blobs", seen),))
>>> show(blob_directories_are_one, marker({"app2": True}), app1=blob_folder(), app2=blob_folder(9))
OK
>>> show(blob_directories_are_one, marker({"app2": False}), app1=blob_folder(), app2=blob_folder(9))
CRITICAL app1, app2: database main: /srv/blobs of app1 is not the folder /srv/blobs of app2: a file that was put into
the first was not in the second
>>> barred = BlobMarker("main", "app1", "/srv/blobs", unknown={"app2": "Permission denied"})
>>> show(blob_directories_are_one, SharedBlobs((barred,)), app1=blob_folder(), app2=blob_folder(9))
UNKNOWN app2: database main: whether /srv/blobs of app2 is the folder of app1 is not known: Permission denied
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import BlobMarker, Facts, FolderThere, SeenThere, SharedBlobs

Members = dict[str, FolderThere]


@check(
    "blob-directories-are-one",
    stage="identity",
    needs=[SeenThere, SharedBlobs],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses"],
)
def blob_directories_are_one(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a database."""
    unasked = tuple(client for client, seen in facts.each(SeenThere).items() if seen.why_no_peers)
    yield Skipped(unasked, "names-resolve-alike")
    examined = set(unasked)
    for database, members in _shared(facts).items():
        examined |= members.keys()
        told = list(_not_there(facts, database, members))
        yield from told
        elsewhere = {client for one in told for client in one.clients}
        there = {client: folder for client, folder in members.items() if client not in elsewhere}
        yield from _apart(facts, database, there)
    without = tuple(client for client in facts.each(SeenThere) if client not in examined)
    yield Skipped(without, "nothing to examine: it shares no folder of blobs with others")


def _shared(facts: Facts) -> dict[str, Members]:
    """By database, the clients with a folder of shared blobs; with one alone there is nothing to compare."""
    found: dict[str, Members] = {}
    for client, seen in facts.each(SeenThere).items():
        for folder in seen.folders:
            if folder.use == "blobs":
                found.setdefault(folder.database, {})[client] = folder
    return {database: members for database, members in found.items() if len(members) > 1}


def _not_there(facts: Facts, database: str, members: Members) -> Iterator[Problem | Unknown]:
    """Folders that were not seen, and those that are caches."""
    for client, folder in members.items():
        if folder.layout == "zeocache":
            message = f"database {database}: {folder.path}, shared by {client}, is the cache of a client"
            yield Problem((client,), message, (_place(folder, client),), "give the folder of the server's", database)
        elif folder.device is None:
            # A path that the process itself must have, and that its machine lacks, is a share that is not mounted.
            lacks = folder.why == "No such file or directory" and facts.each(SeenThere)[client].is_inside
            message = f"database {database}: {folder.path} of {client}: {folder.why}"
            hint = "mount the share there, and restart the client" if lacks else "let the command of 'via' see it"
            kind = Problem if lacks else Unknown
            yield kind((client,), message, (_place(folder, client),), hint, database)


def _apart(facts: Facts, database: str, members: Members) -> Iterator[Problem | Unknown | Skipped]:
    blobs = facts.the(SharedBlobs)
    marker = next((one for one in blobs.markers if one.database == database), None)
    kinds = {client: _identity(facts, client, folder) for client, folder in members.items()}
    if len(set(kinds.values())) < 2:
        return
    if marker is None or marker.writer not in kinds:
        reason = blobs.why_not.get(database, "no marker could be tried between these machines")
        kind = Skipped if "--read-only" in reason else Unknown
        prefix = "" if kind is Skipped else f"database {database}: whether their blobs are in one folder is not known: "
        yield kind(tuple(members), f"{prefix}{reason}")
        return
    seen = {kinds[client]: was for client, was in marker.seen_by.items() if client in kinds}
    why = {kinds[client]: reason for client, reason in marker.unknown.items() if client in kinds}
    lacking = [c for c in members if seen.get(kinds[c]) is False]
    if lacking:
        yield _problem(database, members, marker, lacking, kinds)
    for client, folder in members.items():
        if kinds[client] != kinds[marker.writer] and kinds[client] not in seen:
            reason = why.get(kinds[client], "no marker was looked for there")
            what = f"whether {folder.path} of {client} is the folder of {marker.writer} is not known"
            yield Unknown((client,), f"database {database}: {what}: {reason}", (_place(folder, client),))


def _identity(facts: Facts, client: str, folder: FolderThere) -> tuple[str, str | None, int | None, int | None]:
    """Equal for one folder seen by one way; the numbers of two machines have nothing to do with each other."""
    own = facts.inventory.client(client)
    return own.machine, own.via, folder.device, folder.inode


def _problem(
    database: str, members: Members, marker: BlobMarker, lacking: list[str], kinds: Mapping[str, object]
) -> Problem:
    has = {kind for c, kind in kinds.items() if marker.seen_by.get(c)} | {kinds[marker.writer]}
    with_it = [client for client in members if kinds[client] in has]
    paths = ", ".join(dict.fromkeys(members[client].path for client in lacking))
    message = (
        f"database {database}: {marker.path} of {', '.join(with_it)} is not the folder {paths} of "
        f"{', '.join(lacking)}: a file that was put into the first was not in the second"
    )
    places = tuple(_place(members[client], client) for client in (with_it[0], lacking[0]))
    hint = f"see 'findmnt -T {members[lacking[0]].path}' on the machine of {lacking[0]}"
    return Problem((*with_it, *lacking), message, places, hint, database)


def _place(folder: FolderThere, client: str) -> Place:
    return Place(folder.file, folder.line, f"blob-dir {folder.path}", client)
