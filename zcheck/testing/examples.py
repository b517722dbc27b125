"""Facts for the examples of pages and for tests: histories, proofs and answers in one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from zcheck.facts import (
    FolderThere,
    ListeningProcess,
    LoadsCount,
    LockReading,
    OidRange,
    SeenThere,
    ServerFromThere,
    ServerList,
    ServerLists,
    StorageProof,
    ZeoAnswer,
    ZeoAnswers,
    ZeoIdentity,
    ZeoOutcome,
    ZeoStorage,
)
from zcheck.facts.history import ClientState, History, HttpHistories, Operation, Version, ZeoHistories
from zcheck.facts.verdicts import ZERO


def http_run(*seen: str, stopped: str = "", **states: ClientState) -> HttpHistories:
    """A history for an example: ``"app1 > app2 !app3"`` says that app2 showed what was written through app1.

    And that app3 did not.  ``states`` gives what else is known of a client.
    """
    operations = []
    clients: dict[str, ClientState] = {}
    for number, line in enumerate(seen):
        writer, _, readers = line.partition(" > ")
        at = number * 10
        clients.setdefault(writer, ClientState(writer, joined=True))
        operations.append(Operation(writer, "write", 1, at, at + 1, "ok", writes={writer: f"nonce-{number}"}))
        for reader in readers.split():
            name = reader.removeprefix("!")
            clients.setdefault(name, ClientState(name, joined=True))
            nonce = None if reader.startswith("!") else f"nonce-{number}"
            operations.append(Operation(name, "read", 1, at + 2, at + 3, "ok", reads={writer: nonce}))
    clients |= states
    history = History("http", "main", "example", tuple(operations), tuple(clients.values()), 1, stopped=stopped)
    return HttpHistories((history,))


def stored(run: HttpHistories, **clients: bool) -> HttpHistories:
    """The same run, and by client whether what was saved is in the log of the storage that its file names."""
    return HttpHistories(tuple(msgspec.structs.replace(one, stored=clients) for one in run.histories))


def zeo_run(*seen: str, stopped: str = "", **states: ClientState) -> ZeoHistories:
    """A history for an example: ``"app1 > app2 !app3"`` says that app2 read what was written through app1.

    And that app3 did not.  ``states`` gives what else is known of a client.
    """
    operations = []
    clients: dict[str, ClientState] = {}
    for number, line in enumerate(seen):
        writer, _, readers = line.partition(" >")
        at = number * 10
        clients.setdefault(writer, ClientState(writer, joined=True))
        operations.append(Operation(writer, "add", 1, at, at + 1, "ok", True, writes={writer: f"nonce-{number}"}))
        for reader in readers.split():
            name = reader.removeprefix("!")
            clients.setdefault(name, ClientState(name, joined=True))
            nonce = None if reader.startswith("!") else f"nonce-{number}"
            operations.append(Operation(name, "read", 1, at + 2, at + 3, "ok", True, reads={writer: nonce}))
    clients |= states
    if len(clients) == 1:
        clients["app2"] = ClientState("app2", joined=True)
    history = History("zeo", "main", "example", tuple(operations), tuple(clients.values()), 1, stopped=stopped)
    return ZeoHistories((history,))


def with_blobs(run: ZeoHistories, **refused: str) -> ZeoHistories:
    """The same run, and the same again with blobs, which some clients' server does not take."""
    (history,) = run.histories
    states = tuple(
        msgspec.structs.replace(state, refused="no-blobs", detail=refused[state.client])
        if state.client in refused
        else state
        for state in history.clients
    )
    operations = tuple(op for op in history.operations if op.session not in refused and not refused.keys() & op.reads)
    blobs = msgspec.structs.replace(history, blobs=True, clients=states, operations=operations)
    return ZeoHistories((history,), (blobs,))


def recorded(run: ZeoHistories, *, probes: bool = True, accepted: bool = False, lag_ms: float = 1) -> ZeoHistories:
    """An example's history as the storage's own log has it, with what each writer tried that had to be refused.

    ``accepted``: the server would have taken it all the same.  ``lag_ms``: how long each write took to arrive.
    """
    (history,) = run.histories
    log: dict[str, tuple[Version, ...]] = {}
    operations: list[Operation] = []
    for number, op in enumerate(history.operations, 1):
        tid = f"{number:016x}"
        if op.writes:
            log |= {marker: (Version(tid, nonce),) for marker, nonce in op.writes.items()}
            operations.append(msgspec.structs.replace(op, tid=tid, bases=dict.fromkeys(op.writes, ZERO)))
            if probes:
                operations += _probes(op, accepted)
        else:
            late = op.invoke_ns + int(lag_ms * 1e6)
            operations += [op, msgspec.structs.replace(op, fenced=False, return_ns=late)]
    return ZeoHistories((msgspec.structs.replace(history, operations=tuple(operations), log=log),))


def _probes(op: Operation, accepted: bool) -> list[Operation]:
    at = op.return_ns
    return [
        Operation(op.session, "dry", 1, at, at, "fail", True, writes={op.session: "given-up"}, accepted=True),
        Operation(op.session, "conflict", 1, at, at, "fail", True, writes={op.session: "late"}, accepted=accepted),
    ]


def edits_of_clients(*, goes_back: bool = False) -> HttpHistories:
    """An example's history through running clients: app2 shows app1's second edit, and then perhaps the first one."""
    ms = 1_000_000
    writes = [
        Operation("app1", "write", number, at, at + ms, "ok", writes={"app1": f"edit-{number}"}, tid=f"{number:016x}")
        for number, at in ((1, 0), (2, 10 * ms))
    ]
    shown = ["edit-2", "edit-1", "edit-2"] if goes_back else ["edit-2"] * 3
    reads = [
        Operation("app2", "read", 2, at * ms, (at + 1) * ms, "ok", reads={"app1": nonce})
        for at, nonce in zip((20, 30, 40), shown, strict=True)
    ]
    log = {"app1": tuple(Version(f"{number:016x}", f"edit-{number}") for number in (1, 2))}
    states = tuple(ClientState(name, joined=True) for name in ("app1", "app2"))
    return HttpHistories((History("http", "main", "example", (*writes, *reads), states, log=log),))


def identity(*, rose: str = "", **clients: str) -> ZeoIdentity:
    """Evidence for an example.

    Each client's is "server first first", the lowest of the three object ids that each of its two calls was given; or
    "error: reason". ``rose`` is "reader app1=7 app2=0", separated by semicolons.
    """
    proofs = []
    for number, (client, text) in enumerate(clients.items()):
        if text.startswith("error: "):
            proofs.append(StorageProof(client, "", error=text.removeprefix("error: ")))
            continue
        server, *firsts = text.split()
        oids = tuple(OidRange(n * len(clients) + number, int(f), int(f) + 2) for n, f in enumerate(firsts))
        proofs.append(StorageProof(client, server, "/srv/Data.fs", not oids, oids, "03" * 8))
    counts = []
    for line in filter(None, rose.split(";")):
        reader, *risen = line.split()
        by = {name: int(loads) for name, _, loads in (part.partition("=") for part in risen)}
        counts.append(LoadsCount(reader, 7, by))
    return ZeoIdentity({"main": tuple(proofs)}, {"main": tuple(counts)})


def server_lists(**clients: str) -> ServerLists:
    """Lists for an example: the transactions of each client's server, as minutes of 2026, asked for three times."""
    year = (2026 - 1900) * 12 * 31 * 24 * 60
    lists = []
    for asked_ns in (0, 10, 20):
        for client, text in clients.items():
            tids = sorted((f"{year + int(minute):08x}00000000" for minute in text.split()), reverse=True)
            lists.append(ServerList(client, "main", tuple(tids), asked_ns, asked_ns + 1))
    return ServerLists(tuple(lists))


def seen_there(distributions: str = "", **more: Any) -> SeenThere:
    """An example: distributions are "zope=6.3 products-foo=1.0"; a running process is given."""
    found = dict(pair.split("=") for pair in distributions.split())
    given: Mapping[str, Any] = {"process": ListeningProcess(412, "python -m Zope2.Startup.serve zope.ini"), **more}
    return SeenThere(host="host", distributions=found or None, **given)


def server_there(server: str = "zeo1:8100", addresses: str = "", outcome: Any = "answers", detail: str = "") -> Any:
    """An example of a server as a client's own machine sees it."""
    return ServerFromThere("main", server, "zope.conf", 3, outcome, detail, tuple(addresses.split()))


def blob_folder(inode: int | None = 7, layout: str = "bushy", path: str = "/srv/blobs", why: str = "") -> SeenThere:
    """An example of a client with a folder of shared blobs."""
    device = None if inode is None else 64769
    folder = FolderThere("main", path, "blobs", "zope.conf", 4, device, inode, layout, why=why)
    return seen_there("zope=6.3", folders=(folder,))


def zeo_answer(
    outcome: ZeoOutcome = "answers",
    server: str = "zeo1:8100",
    *,
    storage: str = "1",
    serves: str = "1",
    detail: str = "",
    here: bool = False,
    locked: str = "",
    line: int = 3,
    connections: int = 2,
) -> ZeoAnswers:
    """An answer for an example.

    ``serves`` names the server's storages; ``locked`` gives each reading of the lock as "seconds:lock:commits".
    """
    readings = []
    for reading in locked.split() or ["0::7"]:
        at, lock, commits = reading.split(":")
        readings.append(LockReading(float(at), lock or None, int(commits), 2))
    storages = {name: ZeoStorage(connections, "03" * 8, readings=tuple(readings)) for name in serves.split()}
    answer = ZeoAnswer(
        database="main",
        server=server,
        file="zope.conf",
        line=line,
        dialled=server,
        here=here,
        outcome=outcome,
        detail=detail,
        protocol="Z5" if outcome == "answers" else None,
        storage=storage,
        storages=storages if outcome == "answers" else {},
    )
    return ZeoAnswers((answer,))


def mounting(server: str = "zeo1:8100", **databases: str) -> str:
    """A zope.conf for an example: each database at its mount point, on one server; an empty one is mounted nowhere."""
    lines = []
    for name, path in databases.items():
        mount = [f"mount-point {path}"] if path else []
        lines += [f"<zodb_db {name}>", "<zeoclient>", f"server {server}", "</zeoclient>", *mount, "</zodb_db>"]
    return "\n".join(lines)


def candidates(found: ZeoIdentity) -> ZeoIdentity:
    """The same evidence, taken at each address at which a client may find its server: its clients are addresses."""
    return ZeoIdentity(candidates=found.databases, candidate_loads=found.loads)
