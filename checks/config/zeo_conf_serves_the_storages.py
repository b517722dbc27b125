"""Each ZEO server's own file serves what the clients ask it for, where they ask for it.

What it examines
    The file of each ``[zeo:NAME]`` section that names one with ``conf``: every storage that a
    client names is in it; what it binds can be dialled as the clients dial it; it is not read-only while a client opens
    it to write; blob directories fit (a shared one is the server's own, a cache is not, and a client with one has a
    server that keeps blobs). No two storages keep their data in one file or their blobs in one directory, and one
    database is not in two files on two servers. Told beside a pass: ``pack-gc false``, ``transaction-timeout`` and a
    server with blobs whose clients have no ``blob-dir``.
Why it matters
    A client that asks for a storage that is not there, or dials what is not bound, waits for ever. Two servers on one
    Data.fs destroy it. A storage that is packed removes the blobs of another one in its directory. With ``pack-gc
    false`` no packing removes what a killed run of zcheck left in the database; and a server that has dropped a client
    because of ``transaction-timeout`` may keep its commit lock, so that nobody can write until it is started again.
What it does not prove
    That the server runs with this file (see zeo-server-answers and zeo-storage-exists), that a shared blob directory of
    another machine is the server's (see blob-directories-are-one), or that no address is translated on the way.
How to repair it
    Bring the ``<zeo>`` section and the storages of the server's file, or the ``server`` and ``storage`` lines of the
    clients, in line. If clients.ini gives the file of another server, correct ``conf`` or ``address`` there.

>>> from zcheck.parsers.zeo_conf import parse
>>> one = inventory('''[cluster]
... name = intranet
... [client:app1]
... address = 10.0.0.1:8080
... [zeo:main]
... address = 10.0.0.5:8100
... conf = zeo.conf''')
>>> def served(address, storage):
...     text = f"<zeo>\\n address {address}\\n</zeo>\\n<filestorage {storage}>\\n path /srv/Data.fs\\n</filestorage>"
...     return ZeoConfs({"main": parse(text, "zeo.conf", {}, str)})
>>> app1 = zope_conf(server="10.0.0.5:8100", storage="main")
>>> show(zeo_conf_serves_the_storages, one, served("8100", "main"), app1=app1)
OK
>>> show(zeo_conf_serves_the_storages, one, served("8100", "1"), app1=app1)
CRITICAL app1: zeo.conf serves storage 1, and not storage main, which app1 asks for
>>> show(zeo_conf_serves_the_storages, one, served("localhost:8100", "main"), app1=app1)
CRITICAL app1: zeo.conf binds localhost:8100, which cannot be dialled as 10.0.0.5:8100 (app1)
>>> unknown = zope_conf(server="10.0.0.5:8100", storage="$(STORAGE)")
>>> show(zeo_conf_serves_the_storages, one, served("8100", "main"), app1=unknown)
UNKNOWN app1: the inventory gives no value for $(STORAGE), which storage of app1 needs
"""

from __future__ import annotations

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Names, NotGathered, ServedStorage, Setting, ZeoAnswers, ZeoConf, ZeoConfs, ZopeConf
from zcheck.facts.config import is_on
from zcheck.facts.served import Cluster, Dialable, Server, Use, bound, clients_of, dialable, servers_of
from zcheck.rules.databases import listed, place_of_end, unresolved
from zcheck.rules.server_folders import Found, apart, blobs, locations, remarks, unresolved_there


@check(
    "zeo-conf-serves-the-storages",
    stage="config",
    needs=[ZopeConf, ZeoConfs],
    uses=[Names, ZeoAnswers],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses", "zeo-addresses-are-valid"],
)
def zeo_conf_serves_the_storages(facts: Facts) -> Found:
    """Each server by itself, then what two may not have in common, then what one database may not have twice."""
    cluster = Cluster(facts)
    servers = servers_of(facts, cluster)
    yield from _not_examined(facts, servers)
    for server in servers:
        if isinstance(server.conf, NotGathered):
            yield Skipped(clients_of(server.uses), "zeo-conf-is-valid")
        else:
            yield from _address(server, server.conf, cluster, _answering(facts))
            yield from _storages(server, server.conf, cluster)
            yield from remarks(server, server.conf)
    yield from apart(servers, cluster, facts.clients)
    yield from locations(facts, servers)


def _not_examined(facts: Facts, servers: tuple[Server, ...]) -> Found:
    """The clients of which no server's own file is at hand, or of which that cannot be told."""
    examined = set(clients_of(use for server in servers for use in server.uses))
    perhaps = [use for server in servers for use in server.perhaps if use.client.name not in examined]
    if perhaps:
        names = listed(f"[zeo:{server.section.name}]" for server in servers if server.perhaps)
        message = f"whether {perhaps[0].endpoint} is the server of {names} cannot be told"
        hint = "write the addresses of these names into [hosts] of clients.ini"
        path = perhaps[0].endpoint.path
        if path is not None and not path.startswith("/"):
            hint = "write the whole path of the socket; or 'machine' for these clients and for the server"
        yield Unknown(clients_of(perhaps), message, (Place.of(perhaps[0].line),), hint, about="server")
    examined.update(clients_of(perhaps))
    without = tuple(client for client in facts.clients if client not in examined)
    if without:
        yield Skipped(without, "nothing to examine: clients.ini names no file of a ZEO server that this client uses")


def _answering(facts: Facts) -> frozenset[tuple[str, str]]:
    """Each client and server line, as written, at which a ZEO server answers with the storage that is asked for."""
    return frozenset(
        (client, answer.server)
        for client, asked in facts.each(ZeoAnswers).items()
        for answer in asked.answers
        if answer.outcome == "answers" and answer.storage in answer.storages
    )


def _address(server: Server, conf: ZeoConf, cluster: Cluster, answering: frozenset[tuple[str, str]]) -> Found:
    line = conf.address
    clients = clients_of(server.uses)
    if line is None or not clients:
        return
    if line.unresolved:
        yield unresolved_there(clients, line, f"[zeo:{server.section.name}]")
        return
    address = bound(line.value)
    if address is None:
        message = f"{conf.file} binds {line.value}, which names no port"
        yield Problem(clients, message, (Place.of(line),), "write address HOST:PORT", about="address")
        return
    answers: dict[Dialable, dict[str, list[Use]]] = {}
    for use in server.uses:
        answer = dialable(use.endpoint, address, use, server.machine, cluster)
        if answer == "no" and (use.client.name, use.line.value) in answering:
            # A container's published port, say: what answers there outweighs what the file lets expect.
            message = f"{conf.file} binds {line.value}, and a ZEO server answers at {use.endpoint} all the same"
            yield Note((use.client.name,), message, (Place.of(line), Place.of(use.line)))
        elif answer != "yes":
            answers.setdefault(answer, {}).setdefault(str(use.endpoint), []).append(use)
    for answer, by_spelling in answers.items():
        names = clients_of(use for uses in by_spelling.values() for use in uses)
        places = (Place.of(line), *(Place.of(uses[0].line) for uses in by_spelling.values()))
        dialled = listed(f"{spelling} ({', '.join(clients_of(uses))})" for spelling, uses in by_spelling.items())
        if answer == "no":
            hint = f"bind what the clients dial, as in 'address 0.0.0.0:{server.uses[0].endpoint.port or 8100}'"
            message = f"{conf.file} binds {line.value}, which cannot be dialled as {dialled}"
            yield Problem(names, message, places, hint, about="address")
        else:
            message = f"{conf.file} binds {line.value}; whether that can be dialled as {dialled} cannot be told"
            relative = any(use.endpoint.path is not None for uses in by_spelling.values() for use in uses)
            hint = "write the addresses of these names into [hosts]"
            if relative:
                hint = "write the whole path of the socket in both files"
            yield Unknown(names, message, places, hint, about="address")


def _storages(server: Server, conf: ZeoConf, cluster: Cluster) -> Found:
    asked: dict[tuple[str, str], list[Use]] = {}
    for use in server.uses:
        line = use.database.leaf.first("storage") if use.database.leaf is not None else None
        if line is not None and line.unresolved:
            yield from unresolved(use.client.name, [line])
        else:
            asked.setdefault((use.database.name, use.database.storage_name), []).append(use)
    served: list[tuple[ServedStorage, list[Use]]] = []
    for (database, name), uses in asked.items():
        storage = conf.storage(name)
        if storage is None:
            yield from _missing(server, conf, database, name, uses)
        else:
            served.append((storage, uses))
            yield from blobs(server, conf, storage, uses, cluster)
    yield from _read_only(conf, served)


def _missing(server: Server, conf: ZeoConf, database: str, name: str, uses: list[Use]) -> Found:
    clients = clients_of(uses)
    if any(fault.kind == "unread" for fault in conf.faults):
        message = f"storage {name} is not seen in {conf.file}, which could be read in part only"
        yield Unknown(clients, message, about=name)
        return
    if not conf.storages or conf.zeo is None:
        return  # No file of a ZEO server, which is told already.
    leaf = uses[0].database.leaf
    line = leaf.first("storage") if leaf is not None else None
    places = [Place.of(line)] if line is not None else []
    places += [place_of_end(leaf, "without a storage line it is 1")] if leaf is not None and line is None else []
    places += [Place.of(storage.section) for storage in conf.storages]
    served = listed(f"storage {storage.name}" for storage in conf.storages)
    asks = "asks" if len(clients) == 1 else "ask"
    message = f"{conf.file} serves {served}, and not storage {name}, which {', '.join(clients)} {asks} for"
    # A storage that another database of the same client has is no help: two databases in one storage hang.
    names = {use.client.name for use in uses}
    taken = {use.database.storage_name for use in server.uses if use.client.name in names and use not in uses}
    free = [one.name for one in conf.storages if one.name not in taken]
    hint = f"write <filestorage {name}> with a path of its own into {conf.file}"
    if free:
        hint = f"write storage {free[0]} into the client's file, or <filestorage {name}> into the server's"
    if name != name.lower() and conf.storage(name.lower()) is not None:
        hint = f"write storage {name.lower()}: ZEO reads the names of its storages in lower case"
    yield Problem(clients, message, tuple(places), hint, about=f"{database} {name}")


def _read_only(conf: ZeoConf, served: list[tuple[ServedStorage, list[Use]]]) -> Found:
    """A server refuses a client that opens to write what is read-only (ZEO/StorageServer.py, register)."""
    everything = conf.zeo.first("read-only") if conf.zeo is not None else None
    found: dict[Setting, dict[str, list[Use]]] = {}
    for storage, uses in served:
        lines = (everything, storage.setting("read-only"))
        line = next((line for line in lines if line is not None and is_on(line)), None)
        writing = [use for use in uses if not _may_be_read_only(use)] if line is not None else []
        if line is not None and writing:
            found.setdefault(line, {}).setdefault(storage.name, []).extend(writing)
    for line, by_name in found.items():
        writing = [use for uses in by_name.values() for use in uses]
        clients = clients_of(writing)
        leaf = writing[0].database.leaf
        places = [Place.of(line)]
        places += [place_of_end(leaf, f"{clients[0]} opens it to write")] if leaf is not None else []
        storages = listed(f"storage {name}" for name in by_name)
        message = f"{conf.file} serves {storages} read-only; opened to write by {', '.join(clients)}"
        hint = "write read-only false there, or read-only true for the clients that only read"
        yield Problem(clients, message, tuple(places), hint, about=f"read-only {storages}")


def _may_be_read_only(use: Use) -> bool:
    leaf = use.database.leaf
    lines = [leaf.first("read-only"), leaf.first("read-only-fallback")] if leaf is not None else []
    return any(line is not None and (is_on(line) or bool(line.unresolved)) for line in lines)
