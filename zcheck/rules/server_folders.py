"""Where ZEO servers keep data and blobs, by their own files: each storage for itself, and fit for its clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zcheck.check import Note, Place, Problem, Skipped, Unknown
from zcheck.facts import Facts, ServedStorage, Setting, ZeoConf
from zcheck.facts.blobs import blob_dir, is_shared, open_variables, path_of, shared_line
from zcheck.facts.paths import is_absolute
from zcheck.facts.served import Cluster, Server, Use, clients_of, file_of
from zcheck.rules.databases import place_of_end, shared_databases, told, unresolved_in

Found = Iterator[Problem | Unknown | Skipped | Note]

FALSE = ("off", "false", "no")
"""How ZConfig spells a boolean that does not hold."""


def blobs(server: Server, conf: ZeoConf, storage: ServedStorage, uses: list[Use], cluster: Cluster) -> Found:
    kept = storage.setting("blob-dir")
    with_blobs: list[Use] = []
    without_blobs: list[Use] = []
    for use in uses:
        (without_blobs if blob_dir(use.database) is None else with_blobs).append(use)
    if kept is None:
        if with_blobs and storage.leaf.type == "filestorage" and not any(f.kind == "unread" for f in conf.faults):
            clients = clients_of(with_blobs)
            line = blob_dir(with_blobs[0].database)
            have = "has" if len(clients) == 1 else "have"
            message = (
                f"storage {storage.name} of {conf.file} keeps no blobs, and {', '.join(clients)} {have} a blob-dir"
            )
            places = (place_of_end(storage.section, "no blob-dir"), *([Place.of(line)] if line is not None else []))
            hint = f"write a blob-dir into <{storage.section.type} {storage.name}>"
            yield Problem(clients, message, places, hint, about=f"blobs {storage.name}")
        return
    without = clients_of(without_blobs)
    if without and not with_blobs:
        have = "has" if len(without) == 1 else "have"
        message = f"storage {storage.name} keeps blobs, and {', '.join(without)} {have} no blob-dir to read them with"
        yield Note(without, message, (Place.of(kept),))
    there = [use for use in with_blobs if cluster.on_one_machine(use.client.machine, server.machine)]
    yield from _on_its_machine(server, conf, kept, there)


def _on_its_machine(server: Server, conf: ZeoConf, kept: Setting, uses: list[Use]) -> Found:
    """On the server's own machine a shared directory is the server's, and a cache is another one."""
    ours = path_of(kept)
    sharing = clients_of(use for use in uses if is_shared(use.database))
    if kept.unresolved and sharing:
        yield unresolved_there(sharing, kept, f"[zeo:{server.section.name}]")
    wrong: dict[tuple[str, bool], list[Use]] = {}
    for use in uses:
        line = blob_dir(use.database)
        if line is None or open_variables([line, shared_line(use.database)]):
            continue  # The client's own lines are told by other checks.
        theirs, is_one = path_of(line), is_shared(use.database)
        if is_absolute(ours) and is_absolute(theirs) and is_one == (ours != theirs):
            wrong.setdefault((theirs, is_one), []).append(use)
    for (theirs, is_one), those in wrong.items():
        clients = clients_of(those)
        message = f"{conf.file} keeps its blobs in {ours}, where {', '.join(clients)} would keep a cache of them"
        hint = "write shared-blob-dir on, or give the client a directory of its own"
        if is_one:
            message = (
                f"{conf.file} keeps its blobs in {ours}; shared on the same machine is {theirs} ({', '.join(clients)})"
            )
            hint = f"write blob-dir {kept.value}, or shared-blob-dir off"
        line = blob_dir(those[0].database)
        places = (*([Place.of(line)] if line is not None else []), Place.of(kept))
        yield Problem(clients, message, places, hint, about=f"{those[0].database.name} {theirs}")


def remarks(server: Server, conf: ZeoConf) -> Found:
    """What matters when something went wrong, and is no fault."""
    for storage in conf.storages:
        clients = clients_of(use for use in server.uses if use.database.storage_name == storage.name)
        line = storage.setting("pack-gc")
        if clients and line is not None and line.value.lower() in FALSE:
            message = (
                f"packing storage {storage.name} removes no garbage: what a killed run leaves is for zcheck leftovers"
            )
            yield Note(clients, message, (Place.of(line),))
    timeout = conf.zeo.first("transaction-timeout") if conf.zeo is not None else None
    if timeout is not None and server.uses:
        message = (
            f"after {timeout.value} s the server drops a client that does not end its commit, and may keep the lock"
        )
        hint = "start it again when nobody can write"
        yield Note(clients_of(server.uses), f"{message}: {hint}", (Place.of(timeout),))


Kept = tuple[Server, ServedStorage, Setting]


def apart(servers: Iterable[Server], cluster: Cluster, everybody: tuple[str, ...]) -> Found:
    """No two storages share a file or a blob directory, on one server or on two of one machine."""
    seen: dict[tuple[str, str], list[Kept]] = {}
    for server in servers:
        for storage in server.conf.storages if isinstance(server.conf, ZeoConf) else ():
            for line in (file_of(storage), storage.setting("blob-dir")):
                if line is not None and not line.unresolved:
                    seen.setdefault((line.key, path_of(line)), []).append((server, storage, line))
    for (key, path), kept in seen.items():
        for number, one in enumerate(kept):
            for other in kept[:number]:
                yield from _in_one_place(key, path, other, one, cluster, everybody)


def _in_one_place(key: str, path: str, one: Kept, other: Kept, cluster: Cluster, everybody: tuple[str, ...]) -> Found:
    (first, a, line), (second, b, other_line) = one, other
    together = True if first is second else cluster.on_one_machine(first.machine, second.machine)
    if first is not second and (line == other_line or together is False):
        return  # One file that two sections name; or two machines.
    clients = clients_of((*first.uses, *second.uses)) or everybody
    places = (Place.of(other_line), Place.of(line))
    both = f"storage {a.name} and storage {b.name} of {line.file}"
    if line.file != other_line.file:
        both = f"storage {a.name} of {line.file} and storage {b.name} of {other_line.file}"
    what = "data" if key == "path" else "blobs"
    message = f"{both} keep their {what} in {path}"
    if first is not second and not is_absolute(path):
        # Both are relative to the folder in which the server was started, and a supervisor starts both in one.
        message = f"{message}, each relative to the folder in which it is started; whether that is one cannot be told"
        hint = f"write the whole path of {key} in both files"
        yield Unknown(clients, message, places, hint, about=f"{key} {path}")
    elif together:
        yield Problem(clients, message, places, f"give each storage a {key} of its own", about=f"{key} {path}")
    else:
        hint = "write the addresses of both machines into [hosts] of clients.ini"
        message = f"{message}; whether {first.machine} and {second.machine} are one machine cannot be told"
        yield Unknown(clients, message, places, hint, about=f"{key} {path}")


def locations(facts: Facts, servers: Iterable[Server]) -> Found:
    """One database is one file, whichever of several servers a client reaches."""
    servers = [server for server in servers if isinstance(server.conf, ZeoConf)]
    if len(servers) < 2:
        return
    labels = {(c, d.name): shared.label for shared in shared_databases(facts) for c, d in shared.members.items()}
    found: dict[str, dict[tuple[str, str], list[Use]]] = {}
    lines: dict[str, Setting] = {}
    for server in servers:
        for use in server.uses if isinstance(server.conf, ZeoConf) else ():
            storage = server.conf.storage(use.database.storage_name) if isinstance(server.conf, ZeoConf) else None
            line = file_of(storage) if storage is not None else None
            if storage is None or line is None or line.unresolved or any(s.type == "zrs" for s in storage.chain):
                continue
            label = labels.get((use.client.name, use.database.name), f"database {use.database.name}")
            path = path_of(line)
            lines.setdefault(path, line)
            found.setdefault(label, {}).setdefault((path, line.file), []).append(use)
    for label, sides in found.items():
        files = {file: path for path, file in sides}
        if len(files) > 1 and len(set(files.values())) > 1 and all(map(is_absolute, files.values())):
            parts = {side: clients_of(uses) for side, uses in sides.items()}
            clients = tuple(dict.fromkeys(client for names in parts.values() for client in names))
            message = f"{label} is {told(parts, lambda side: f'in {side[0]} ({side[1]})')}"
            hint = "let all clients use the one server that has the data"
            places = tuple(Place.of(lines[path]) for path, _ in sides)
            yield Problem(clients, message, places, hint, about=label)


def unresolved_there(clients: tuple[str, ...], line: Setting, section: str) -> Unknown:
    """The Unknown of a line of a ZEO server's own file; ``section`` is that server's in clients.ini."""
    return unresolved_in(clients, line, f"{line.key} in {line.file}", section)
