"""Every client can reach the blobs of the others.

What it examines
    The ``blob-dir`` and ``shared-blob-dir`` lines of each database that is on ZEO or in RelStorage: whether every
    client has a ``blob-dir`` where another one has, and whether two clients of one machine use one folder in different
    modes. For RelStorage also whether all clients use the same mode. ZEO's modes may differ from machine to machine.
Why it matters
    Images and files are blobs. A client without a ``blob-dir`` can neither show nor save them; a folder that one client
    takes for its cache and another for the place where blobs live makes one of the two fail at its start, or lets a
    cache be cleaned that was none. RelStorage keeps shared blobs out of the database, where a client with a cache
    looks for them.
What it does not prove
    That a shared folder is one and the same on all machines (see blob-directories-are-one), or that it is the server's
    (see zeo-conf-serves-the-storages). What RelStorage does without a ``shared-blob-dir`` line depends on its version.
How to repair it
    Give every client a ``blob-dir`` of its own with ``shared-blob-dir off``; or, on every client of a machine, the
    server's own folder with ``shared-blob-dir on``.

>>> one = inventory('''[cluster]
... name = one machine
... [client:app1]
... address = 10.0.0.1:8081
... [client:app2]
... address = 10.0.0.1:8082''')
>>> cache = zope_conf(blob_dir="/srv/blobs", shared_blob_dir="off")
>>> shared = zope_conf(blob_dir="/srv/blobs", shared_blob_dir="on")
>>> show(blob_storage_agrees, one, app1=shared, app2=shared)
OK
>>> show(blob_storage_agrees, app1=shared, app2=cache)
OK
>>> show(blob_storage_agrees, one, app1=shared, app2=cache)
CRITICAL app1, app2: database main: /srv/blobs is shared for app1, a cache for app2, on one machine
>>> show(blob_storage_agrees, app1=shared, app2=zope_conf())
CRITICAL app1, app2: database main: app1 has a blob-dir; app2 has none
>>> show(blob_storage_agrees, one, app1=shared, app2=zope_conf(blob_dir="$(BLOBS)"))
UNKNOWN app2: the inventory gives no value for $(BLOBS), which blob-dir of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Database, Facts, Names, ZopeConf
from zcheck.facts.blobs import BLOB_CLIENTS, Machines, blob_dir, is_shared, open_variables, path_of, shared_line
from zcheck.facts.config import is_on
from zcheck.rules.databases import Shared, is_partial, nobody_to_compare, place_of_end, shared_databases, unresolved

Members = dict[str, Database]


@check(
    "blob-storage-agrees",
    stage="config",
    needs=[ZopeConf],
    uses=[Names],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses"],
)
def blob_storage_agrees(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """One finding a database and kind of disagreement."""
    confs = facts.each(ZopeConf)
    if len(confs) == 1:
        yield from nobody_to_compare(confs)
        return
    machines = Machines(facts)
    examined: set[str] = set()
    for shared in shared_databases(facts):
        members = {c: d for c, d in shared.members.items() if d.leaf is not None and d.leaf.type in BLOB_CLIENTS}
        with_blobs = {client: database for client, database in members.items() if blob_dir(database) is not None}
        if with_blobs and len(members) > 1:
            examined.update(members)
            yield from _lacking(shared, members, with_blobs, confs)
            yield from _folders(shared, with_blobs, machines)
            yield from _relational(shared, with_blobs)
            yield from _shares(shared, with_blobs, machines)
    without = tuple(client for client in confs if client not in examined)
    if without:
        yield Skipped(without, "nothing to examine: no blob-dir for a database that another client has as well")


def _lacking(
    shared: Shared, members: Members, with_blobs: Members, confs: dict[str, ZopeConf]
) -> Iterator[Problem | Unknown]:
    without = {client: database for client, database in members.items() if client not in with_blobs}
    surely = [client for client in without if not is_partial(confs[client])]
    perhaps = tuple(client for client in without if client not in surely)
    if perhaps:
        message = f"{shared.label}: no blob-dir is seen for {', '.join(perhaps)}, whose zope.conf was read in part only"
        yield Unknown(perhaps, message, about=shared.label)
    if surely:
        first = next(iter(with_blobs))
        line, leaf = blob_dir(with_blobs[first]), without[surely[0]].leaf
        places = [Place.of(line)] if line is not None else []
        places += [place_of_end(leaf, f"{surely[0]} has no blob-dir")] if leaf is not None else []
        have = "has" if len(with_blobs) == 1 else "have"
        lack = "has" if len(surely) == 1 else "have"
        message = f"{shared.label}: {', '.join(with_blobs)} {have} a blob-dir; {', '.join(surely)} {lack} none"
        hint = f"write 'blob-dir', with a folder of its own, into the storage of {', '.join(surely)}"
        yield Problem((*with_blobs, *surely), message, tuple(reversed(places)), hint, about=shared.label)


def _folders(shared: Shared, members: Members, machines: Machines) -> Iterator[Problem | Unknown]:
    """One folder of one machine in two modes; RelStorage's modes agree on all machines or not at all."""
    known: dict[str, dict[bool, list[str]]] = {}
    on_zeo = {client: database for client, database in members.items() if database.is_zeo}
    for client, database in on_zeo.items():
        line, mode = blob_dir(database), shared_line(database)
        open_lines = open_variables([line, mode])
        if open_lines and machines.has_company(client, members):
            yield from unresolved(client, open_lines)
        elif line is not None and not open_lines:
            known.setdefault(path_of(line), {}).setdefault(is_on(mode), []).append(client)
    for path, modes in known.items():
        if len(modes) == 2:
            yield from _one_folder(shared, members, path, modes, machines)


def _one_folder(
    shared: Shared, members: Members, path: str, modes: dict[bool, list[str]], machines: Machines
) -> Iterator[Problem | Unknown]:
    told = set()
    for parts in machines.split(modes):
        clients = tuple(client for mode in (True, False) for client in parts[mode])
        if clients not in told:
            told.add(clients)
            hint = (
                f"write 'shared-blob-dir off' and a blob-dir of its own for {', '.join(parts[True])}; or, if this is "
                f"the folder of the ZEO server's own blobs, a blob-dir of its own for {', '.join(parts[False])}"
            )
            places = _places(members, (parts[True][0], parts[False][0]))
            message = f"{_said(shared, path, parts)}, on one machine"
            yield Problem(clients, message, places, hint, about=f"{shared.label} {path}")
    clients = (*modes[True], *modes[False])
    if not told and not all(map(machines.is_known, clients)):
        hint = "write the addresses of these machines into [hosts] of clients.ini"
        message = f"{_said(shared, path, modes)}; whether on one machine cannot be told"
        yield Unknown(clients, message, hint=hint, about=f"{shared.label} {path}")


def _shares(shared: Shared, members: Members, machines: Machines) -> Iterator[Note]:
    """Shared folders of several machines that are called differently: no file tells whether they are one."""
    found: dict[str, list[str]] = {}
    for client, database in members.items():
        line = blob_dir(database)
        if database.is_zeo and is_shared(database) and line is not None and not line.unresolved:
            found.setdefault(path_of(line), []).append(client)
    apart = [clients[0] for clients in found.values()]
    if len(found) > 1 and not any(machines.has_company(client, apart) for client in apart):
        said = ", ".join(f"{path} for {', '.join(clients)}" for path, clients in found.items())
        message = f"{shared.label}: shared-blob-dir is on, and the folder is {said}"
        lines = [line for client in apart if (line := blob_dir(members[client])) is not None]
        how = "whether these are one share no file tells; blob-directories-are-one proves it, with 'via'"
        yield Note(tuple(members), f"{message}; {how}", tuple(map(Place.of, lines)))


def _said(shared: Shared, path: str, modes: dict[bool, list[str]]) -> str:
    return f"{shared.label}: {path} is shared for {', '.join(modes[True])}, a cache for {', '.join(modes[False])}"


def _relational(shared: Shared, members: Members) -> Iterator[Problem | Unknown]:
    """RelStorage: blobs are in the database or beside it, for all clients alike."""
    modes: dict[bool | None, list[str]] = {}
    for client, database in members.items():
        line = None if database.is_zeo else shared_line(database)
        if not database.is_zeo and not open_variables([line]):
            modes.setdefault(None if line is None else is_shared(database), []).append(client)
    if True not in modes or len(modes) == 1:
        return
    others = modes.get(False) or modes[None]
    clients = (*modes[True], *others)
    places = _places(members, (modes[True][0], others[0]))
    shares = f"{shared.label}: blobs are beside the database for {', '.join(modes[True])}"
    hint = "give every client the same shared-blob-dir line"
    if False in modes:
        yield Problem(clients, f"{shares}; in it for {', '.join(others)}", places, hint, about=shared.label)
    else:
        message = f"{shares}; for {', '.join(others)} it depends on the version of RelStorage"
        yield Unknown(clients, message, places, hint, about=shared.label)


def _places(members: Members, clients: tuple[str, ...]) -> tuple[Place, ...]:
    lines = [shared_line(members[client]) or blob_dir(members[client]) for client in clients]
    return tuple(Place.of(line) for line in lines if line is not None)
