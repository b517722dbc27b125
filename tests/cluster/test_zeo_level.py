"""The writing child against real ZEO servers: what it proves, what it never touches, and how it ends."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from cluster.proxies import listener, proxy, saying
from cluster.zeo_servers import ZeoServer, commit_takes, free_port, stopped_in_commit, zeo_server
from patience import patient

from zcheck.consistency.storage import markers
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.facts import HostPort, NotGathered, ZeoIdentity
from zcheck.facts.history import History, Operation
from zcheck.facts.pairs import pairs
from zcheck.probes import zeo

RUN = "test-run"
LIMIT_S = 30.0

Record = tuple[bytes, bytes]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZeoServer]:
    """A server with a small application in its database."""
    fill(tmp_path / "one" / "Data.fs", objects=40)
    with zeo_server(tmp_path / "one") as running:
        yield running


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ZeoWorker]:
    with ZeoWorker(RUN, timeout_s=3, journal=str(tmp_path / "journal")) as running:
        yield running


class Hostile:
    """Its record runs a command when it is loaded with its own class."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


def fill(path: Path, *, objects: int, first: int = 0) -> None:
    """Store an application's objects straight into a FileStorage, the root among them; each is a hostile pickle."""
    from ZODB.Connection import TransactionMetaData
    from ZODB.FileStorage import FileStorage
    from ZODB.utils import z64

    path.parent.mkdir(parents=True, exist_ok=True)
    storage = FileStorage(str(path))
    for number in range(first, first + objects):
        transaction = TransactionMetaData("admin", f"object {number}")
        storage.tpc_begin(transaction)
        data = pickle.dumps(Hostile(path.parent / "hostile"), 2) + b" of object %d" % number
        storage.store(markers.eight_bytes(number), z64, data, "", transaction)
        storage.tpc_vote(transaction)
        storage.tpc_finish(transaction)
    if objects:
        storage.set_max_oid(markers.eight_bytes(first + objects - 1))
    storage.close()


def application_records(path: Path) -> dict[bytes, list[Record]]:
    """Every revision of every object that was not written by zcheck."""
    from ZODB.FileStorage.FileStorage import FileIterator

    found: dict[bytes, list[Record]] = {}
    iterator = FileIterator(str(path))
    for transaction in iterator:
        if transaction.user != b"zcheck":
            for record in transaction:
                found.setdefault(record.oid, []).append((record.tid, record.data))
    iterator.close()
    return found


def our_records(path: Path) -> dict[bytes, list[bytes | None]]:
    """Every record in a transaction of ours, by object, in order; None where it deletes."""
    from ZODB.FileStorage.FileStorage import FileIterator

    found: dict[bytes, list[bytes | None]] = {}
    iterator = FileIterator(str(path))
    for transaction in iterator:
        if transaction.user == b"zcheck":
            for record in transaction:
                found.setdefault(record.oid, []).append(record.data)
    iterator.close()
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def targets(*addresses: HostPort | str, **options: object) -> list[Target]:
    return [Target(f"app{n}", "main", (address,), **options) for n, address in enumerate(addresses, 1)]  # type: ignore[arg-type]


def proven(history: History) -> dict[tuple[str, str], bool | None]:
    names = [state.client for state in history.clients]
    return {(pair.writer, pair.reader): pair.seen for pair in pairs(history, names, names)}


def operations(history: History, action: str) -> list[Operation]:
    return [operation for operation in history.operations if operation.action == action]


def identity(worker: ZeoWorker) -> ZeoIdentity:
    found = worker.identity(within_s=LIMIT_S)
    assert isinstance(found, ZeoIdentity), found
    return found


def is_free(server: ZeoServer) -> bool:
    return not zeo.wait_until_free(server.address, "1", timeout_s=10).reason


# --- healthy -------------------------------------------------------------------------------------


def test_a_healthy_cluster_is_proven_and_left_clean(server: ZeoServer, worker: ZeoWorker, tmp_path: Path) -> None:
    application = application_records(server.data)
    connections = server.connections()
    assert () == worker.connect(targets(*[server.address] * 3), within_s=LIMIT_S)
    history = worker.matrix("main", within_s=LIMIT_S)
    assert ("", ()) == (history.stopped, history.left)
    assert [True] * 6 == list(proven(history).values())
    # Three markers, written twice, and one transaction that removes them all.
    assert 7 == history.transactions
    assert [None] == list({nonce for op in operations(history, "gone") for nonce in op.reads.values()})
    assert 3 == len(operations(history, "gone"))
    ours = our_records(server.data)
    assert [3, 3, 3] == [len(records) for records in ours.values()]
    assert history.bytes == sum(len(data or b"") for records in ours.values() for data in records)
    assert application == application_records(server.data)
    assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found
    worker.close()
    wait_for(lambda: server.connections() == connections)
    assert is_free(server)
    assert not (tmp_path / "one" / "hostile").exists()


def test_the_second_round_is_read_from_warm_caches(server: ZeoServer, worker: ZeoWorker) -> None:
    worker.connect(targets(*[server.address] * 3), within_s=LIMIT_S)
    history = worker.matrix("main", within_s=LIMIT_S)
    fenced = [operation for operation in operations(history, "read") if operation.fenced]
    assert [1, 1, 1, 2, 2, 2] == [operation.round for operation in fenced]
    for operation in fenced:
        assert {"app1", "app2", "app3"} == set(operation.reads)
        assert None not in operation.reads.values()
    unfenced = [operation for operation in operations(history, "read") if not operation.fenced]
    assert {(1, 2)} == {(len(operation.reads), operation.reads and 2) for operation in unfenced}
    assert 12 == len(unfenced)


def test_writes_are_journalled_before_they_are_sent(server: ZeoServer, worker: ZeoWorker, tmp_path: Path) -> None:
    worker.connect(targets(*[server.address] * 2), within_s=LIMIT_S)
    worker.matrix("main", within_s=LIMIT_S)
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert ["write"] * 4 + ["remove"] == [line["what"] for line in lines]
    assert [1, 2, 3, 4, 5] == [line["seq"] for line in lines]
    assert {RUN} == {line["run"] for line in lines}
    told = {oid for line in lines for oid in line["oids"]}
    assert told == {oid.hex() for oid in our_records(server.data)}
    assert 0o600 == (tmp_path / "journal").stat().st_mode & 0o777


def test_a_journal_that_cannot_be_written_is_no_error(server: ZeoServer) -> None:
    with ZeoWorker(RUN, journal="/nowhere/at/all") as worker:
        worker.connect(targets(*[server.address] * 2), within_s=LIMIT_S)
        assert "" == worker.matrix("main", within_s=LIMIT_S).stopped


def test_proofs_write_nothing(server: ZeoServer, worker: ZeoWorker) -> None:
    before = digest(server.data)
    worker.connect(targets(*[server.address] * 3), within_s=LIMIT_S)
    found = identity(worker)
    assert before == digest(server.data)
    proofs = found.databases["main"]
    assert [(str(server.address), str(server.data), False, "")] * 3 == [
        (proof.server, proof.location, proof.read_only, proof.error) for proof in proofs
    ]
    calls = sorted((oids.call, oids.first, oids.last) for proof in proofs for oids in proof.oids)
    assert list(range(9)) == [call for call, _, _ in calls]
    assert all(earlier[2] < later[1] for earlier, later in pairwise(calls))
    (count,) = found.loads["main"]
    assert {"app1": 7, "app2": 7, "app3": 7} == count.rose_by


def test_an_empty_database_stays_empty(tmp_path: Path, worker: ZeoWorker) -> None:
    with zeo_server(tmp_path / "empty") as server:
        before = digest(server.data)
        assert () == worker.connect(targets(*[server.address] * 2), within_s=LIMIT_S)
        assert ["0" * 16] * 2 == [proof.last_transaction for proof in identity(worker).databases["main"]]
        assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found
        assert before == digest(server.data)
        history = worker.matrix("main", within_s=LIMIT_S)
        assert [True, True] == list(proven(history).values())
        # No root was made, and no 'initial database creation'.
        assert {} == application_records(server.data)


def test_a_unix_socket_and_a_second_database(tmp_path: Path, server: ZeoServer, worker: ZeoWorker) -> None:
    path = str(tmp_path / "zeo.sock")
    with zeo_server(tmp_path / "archive", path=path):
        ways = [*targets(server.address, server.address), *(Target(f"app{n}", "archive", (path,)) for n in (1, 2))]
        assert () == worker.connect(ways, within_s=LIMIT_S)
        assert ["main", "archive"] == list(identity(worker).databases)
        for database in ("main", "archive"):
            assert [True, True] == list(proven(worker.matrix(database, within_s=LIMIT_S)).values())


def test_a_server_with_messages_in_msgpack(tmp_path: Path, worker: ZeoWorker) -> None:
    pytest.importorskip("msgpack")
    with zeo_server(tmp_path / "packed", options="  msgpack true") as server:
        assert () == worker.connect(targets(*[server.address] * 2), within_s=LIMIT_S)
        assert [True, True] == list(proven(worker.matrix("main", within_s=LIMIT_S)).values())
        assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found


def test_a_marker_is_an_object_that_any_zodb_can_load(server: ZeoServer, worker: ZeoWorker) -> None:
    from persistent.mapping import PersistentMapping
    from ZODB.serialize import ObjectReader

    worker.connect(targets(server.address), within_s=LIMIT_S)
    worker.matrix("main", within_s=LIMIT_S)
    (records,) = our_records(server.data).values()
    data = records[0]
    assert data is not None
    reader = ObjectReader(None, {}, lambda _connection, module, name: PersistentMapping)
    state = reader.getState(data)
    assert f"run={RUN}" in state["data"]["zcheck"]


def test_rate_and_burst_are_kept(server: ZeoServer, worker: ZeoWorker) -> None:
    worker.connect(targets(*[server.address] * 4), within_s=LIMIT_S)
    started = time.monotonic()
    history = worker.matrix("main", within_s=LIMIT_S, max_rate=5)
    # Five at once, then four more at five a second.
    assert 9 == history.transactions
    assert 0.7 <= time.monotonic() - started < patient(5)


# --- split and odd clusters ----------------------------------------------------------------------


def test_a_copy_is_found_and_nothing_in_it_is_touched(tmp_path: Path, server: ZeoServer, worker: ZeoWorker) -> None:
    server.stop()
    copy = server.copied_to(tmp_path / "copy")
    # In the copy the very oids that the first server hands out next belong to the application.
    fill(copy.data, objects=60, first=40)
    server.start()
    copy.start()
    try:
        before = application_records(server.data), application_records(copy.data)
        ways = targets(server.address, server.address, copy.address)
        assert () == worker.connect(ways, within_s=LIMIT_S)
        found = identity(worker)
        history = worker.matrix("main", within_s=LIMIT_S)
        after = application_records(server.data), application_records(copy.data)
    finally:
        copy.stop()
    assert before == after
    assert {
        ("app1", "app2"): True,
        ("app2", "app1"): True,
        ("app1", "app3"): False,
        ("app2", "app3"): False,
        ("app3", "app1"): False,
        ("app3", "app2"): False,
    } == proven(history)
    assert ((), "") == (history.left, history.stopped)
    assert [{"app1": 7, "app2": 7, "app3": 0}, {"app1": 0, "app2": 0, "app3": 7}] == [
        count.rose_by for count in found.loads["main"]
    ]
    assert [None, None] == [records[-1] for path in (server.data,) for records in our_records(path).values()]
    assert all(markers.number(oid) >= 100 for oid in our_records(copy.data))
    assert not list(tmp_path.rglob("hostile"))


def test_a_copy_hands_out_the_same_oids_again(tmp_path: Path, server: ZeoServer, worker: ZeoWorker) -> None:
    copy = server.copied_to(tmp_path / "copy")
    copy.start()
    try:
        worker.connect(targets(server.address, copy.address), within_s=LIMIT_S)
        first, second = identity(worker).databases["main"]
        history = worker.matrix("main", within_s=LIMIT_S)
    finally:
        copy.stop()
    assert [(oids.first, oids.last) for oids in first.oids] == [(oids.first, oids.last) for oids in second.oids]
    # Even though both markers have one oid, neither is taken for the other, and each is deleted where it is.
    assert [False, False] == list(proven(history).values())
    assert () == history.left
    assert [None] == [records[-1] for records in our_records(server.data).values()]
    assert [None] == [records[-1] for records in our_records(copy.data).values()]


def test_an_unknown_storage_is_told_as_such(server: ZeoServer, worker: ZeoWorker) -> None:
    started = time.monotonic()
    (failure,) = worker.connect(targets(server.address, storage="9"), within_s=LIMIT_S)
    assert time.monotonic() - started < patient(2)
    assert ("app1", "main") == (failure.client, failure.database)
    assert "unknown storage: 9" in failure.reason
    (proof,) = identity(worker).databases["main"]
    assert "unknown storage: 9" in proof.error
    history = worker.matrix("main", within_s=LIMIT_S)
    assert "no client through which" in history.stopped


def test_a_server_that_is_down_is_told_as_such(server: ZeoServer, worker: ZeoWorker) -> None:
    nobody = HostPort("127.0.0.1", free_port())
    (failure,) = worker.connect(targets(server.address, nobody, server.address), within_s=LIMIT_S)
    assert "app2" == failure.client
    assert "refused" in failure.reason.lower()
    seen = proven(worker.matrix("main", within_s=LIMIT_S))
    assert (True, True) == (seen["app1", "app3"], seen["app3", "app1"])
    assert {None} == {seen[pair] for pair in seen if "app2" in pair}


@pytest.mark.parametrize("said", [b"", b"\0\0\0\2Q9", b"SSH-2.0\r\n"], ids=["silence", "another hello", "a banner"])
def test_a_port_that_is_no_server_costs_one_time_out(said: bytes, worker: ZeoWorker, server: ZeoServer) -> None:
    with listener(saying(said)) as peer:
        started = time.monotonic()
        (failure,) = worker.connect(targets(server.address, peer.address), within_s=LIMIT_S)
        assert time.monotonic() - started < patient(5)
    assert "app2" == failure.client
    assert failure.reason


def test_of_two_servers_the_one_that_answers_is_used(server: ZeoServer, worker: ZeoWorker) -> None:
    nobody = HostPort("127.0.0.1", free_port())
    assert () == worker.connect([Target("app1", "main", (nobody, server.address))], within_s=LIMIT_S)
    (proof,) = identity(worker).databases["main"]
    assert str(server.address) == proof.server


@pytest.mark.parametrize(
    ("options", "storage"),
    [
        pytest.param("  read-only true", "", id="server"),
        pytest.param("", "<filestorage 1>\n  path {}\n  read-only true\n</filestorage>", id="storage"),
    ],
)
def test_a_read_only_server_is_only_read(tmp_path: Path, worker: ZeoWorker, options: str, storage: str) -> None:
    data = tmp_path / "replica" / "Data.fs"
    fill(data, objects=3)
    before = digest(data)
    with zeo_server(data.parent, options=options, storage=storage.format(data)) as server:
        assert () == worker.connect(targets(server.address, server.address), within_s=LIMIT_S)
        found = identity(worker)
        history = worker.matrix("main", within_s=LIMIT_S)
    assert [True, True] == [proof.read_only for proof in found.databases["main"]]
    assert [(), ()] == [proof.oids for proof in found.databases["main"]]
    assert {"app1": 7, "app2": 7} == found.loads["main"][0].rose_by
    assert ["read-only", "read-only"] == [state.refused for state in history.clients]
    assert (0, True) == (history.transactions, bool(history.stopped))
    assert before == digest(data)


def test_a_client_that_may_not_be_written_to_reads_all_the_same(server: ZeoServer, worker: ZeoWorker) -> None:
    ways = targets(server.address, server.address)
    ways.append(Target("app3", "main", (server.address,), may_write=False, why_not="app3 is a read-only client"))
    worker.connect(ways, within_s=LIMIT_S)
    history = worker.matrix("main", within_s=LIMIT_S)
    assert {"app1", "app2"} == {op.session for op in history.operations if op.action in ("add", "write", "remove")}
    seen = proven(history)
    assert (True, True, None) == (seen["app1", "app3"], seen["app2", "app3"], seen["app3", "app1"])


def test_nothing_is_written_where_nothing_may_be(server: ZeoServer, worker: ZeoWorker) -> None:
    before = digest(server.data)
    worker.connect(targets(server.address, server.address, may_write=False), within_s=LIMIT_S)
    assert "no client through which" in worker.matrix("main", within_s=LIMIT_S).stopped
    assert before == digest(server.data)


def test_a_storage_without_deletion_is_told_as_left(tmp_path: Path, worker: ZeoWorker) -> None:
    with zeo_server(tmp_path / "memory", storage="<mappingstorage 1>\n</mappingstorage>") as server:
        worker.connect(targets(server.address, server.address), within_s=LIMIT_S)
        history = worker.matrix("main", within_s=LIMIT_S)
    assert [True, True] == list(proven(history).values())
    assert ("2 unreachable marker objects in database main, until the next pack",) == history.left


# --- faults in the middle ------------------------------------------------------------------------


def test_no_write_is_sent_while_the_commit_lock_is_held(server: ZeoServer, worker: ZeoWorker) -> None:
    worker.connect(targets(server.address, server.address), within_s=LIMIT_S)
    with stopped_in_commit(server):
        before = digest(server.data)
        history = worker.matrix("main", within_s=LIMIT_S)
        assert before == digest(server.data)
        assert 0 == zeo.ask(server.address).storages["1"].readings[0].waiting
    assert "commit lock" in history.stopped
    assert (0, ()) == (history.transactions, history.left)
    assert "" == worker.matrix("main", within_s=LIMIT_S).stopped


def test_nothing_is_written_through_a_half_open_connection(server: ZeoServer, worker: ZeoWorker) -> None:
    with proxy(server.address) as lossy:
        worker.connect(targets(server.address, lossy.address, server.address), within_s=LIMIT_S)
        lossy.swallow_answers.set()
        history = worker.matrix("main", within_s=LIMIT_S)
    assert "" == history.stopped
    seen = proven(history)
    assert (True, True) == (seen["app1", "app3"], seen["app3", "app1"])
    assert {None} == {seen[pair] for pair in seen if "app2" in pair}
    state = history.state("app2")
    assert state is not None
    assert state.hung
    assert "did not answer" in state.detail
    assert "app2" not in {op.session for op in history.operations if op.outcome == "ok"}
    assert 5 == history.transactions
    assert is_free(server)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [pytest.param("fail", b"vote", id="vote"), pytest.param("info", b"tpc_finish", id="finish")],
)
def test_an_answer_lost_in_a_commit_leaves_no_lock(
    server: ZeoServer, worker: ZeoWorker, outcome: str, message: bytes
) -> None:
    with proxy(server.address, lose_answers_after=message) as lossy:
        worker.connect(targets(server.address, lossy.address, server.address), within_s=LIMIT_S)
        history = worker.matrix("main", within_s=LIMIT_S)
        assert commit_takes(server) < 1
    (lost,) = [op for op in history.operations if op.session == "app2" and op.action == "add"]
    assert outcome == lost.outcome
    assert "through app2 failed" in history.stopped
    # Its marker, if it was written, was deleted through another client.
    assert () == history.left
    assert {None} == {records[-1] for records in our_records(server.data).values()}
    assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found


def test_a_server_that_dies_in_the_middle(server: ZeoServer, worker: ZeoWorker) -> None:
    worker.connect(targets(server.address, server.address), within_s=LIMIT_S)
    histories: list[History] = []
    running = threading.Thread(
        target=lambda: histories.append(worker.matrix("main", rounds=50, within_s=LIMIT_S, max_rate=10))
    )
    running.start()
    wait_for(lambda: commits(server) >= 5)
    server.stop()
    running.join(LIMIT_S)
    (history,) = histories
    assert len([op for op in history.operations if op.action in ("add", "write") and op.outcome == "ok"]) >= 5
    assert history.stopped or any(op.outcome != "ok" for op in history.operations)
    assert "2 unreachable marker objects in database main, until the next pack" in history.left


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8])
def test_a_killed_worker_leaves_nothing_reachable(server: ZeoServer, tmp_path: Path, after: int) -> None:
    application = application_records(server.data)
    with ZeoWorker("killed") as worker:
        worker.connect(targets(*[server.address] * 3), within_s=LIMIT_S)
        histories: list[History] = []
        running = threading.Thread(
            target=lambda: histories.append(worker.matrix("main", rounds=20, within_s=LIMIT_S, max_rate=10))
        )
        running.start()
        wait_for(lambda: commits(server) >= after)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        running.join(LIMIT_S)
        (history,) = histories
        assert "ended by signal 9" in history.stopped
        assert isinstance(worker.identity(within_s=1), NotGathered)
    assert commit_takes(server) < 1
    with ZeoWorker("next") as following:
        following.connect(targets(server.address, server.address), within_s=LIMIT_S)
        left = following.orphans(since_s=600, within_s=LIMIT_S)
        assert min(after, 3) <= len(left.found) <= 3
        assert {"killed"} == {orphan.run_id for orphan in left.found}
        assert () == following.orphans(since_s=600, within_s=LIMIT_S, run_id="another").found
        assert "" == following.matrix("main", within_s=LIMIT_S).stopped
        removed = following.remove(left.found, within_s=LIMIT_S)
        assert ((), ()) == (removed.found, removed.unknown)
        assert () == following.orphans(since_s=600, within_s=LIMIT_S).found
    kept = {oid: records for oid, records in application_records(server.data).items() if oid in application}
    assert application == kept


def test_a_worker_killed_between_vote_and_finish_holds_up_nobody(server: ZeoServer) -> None:
    before = digest(server.data)
    with ZeoWorker("killed") as worker, proxy(server.address, lose_answers_after=b"vote") as lossy:
        worker.connect(targets(lossy.address), within_s=LIMIT_S)
        running = threading.Thread(target=lambda: worker.matrix("main", within_s=LIMIT_S))
        running.start()
        wait_for(lambda: zeo.lock_state(server.address, "1").lock_time is not None)  # type: ignore[union-attr]
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        running.join(LIMIT_S)
        assert before == digest(server.data)
        assert commit_takes(server) < 1


def test_only_what_is_still_ours_is_removed(server: ZeoServer, worker: ZeoWorker) -> None:
    from ZEO.ClientStorage import ClientStorage
    from ZODB.Connection import TransactionMetaData

    leave_markers(server, 2)
    worker.connect(targets(server.address), within_s=LIMIT_S)
    left = worker.orphans(since_s=600, within_s=LIMIT_S).found
    assert 2 == len(left)
    # Somebody stores something of his own at one of them.
    taken = left[0]
    storage = ClientStorage(("127.0.0.1", server.port), wait_timeout=5)
    transaction = TransactionMetaData("admin", "mine now")
    storage.tpc_begin(transaction)
    storage.store(bytes.fromhex(taken.oid), bytes.fromhex(taken.tid), b"of the application", "", transaction)
    storage.tpc_vote(transaction)
    storage.tpc_finish(transaction)
    assert [taken] == list(worker.remove(left, within_s=LIMIT_S).found)
    assert b"of the application" == storage.load(bytes.fromhex(taken.oid))[0]
    assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found
    storage.close()


def test_a_stopped_worker_is_killed_at_its_limit(server: ZeoServer, worker: ZeoWorker) -> None:
    worker.connect(targets(server.address), within_s=LIMIT_S)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    started = time.monotonic()
    found = worker.identity(within_s=1)
    assert isinstance(found, NotGathered)
    assert "was not done within 1.0 s" in found.reason
    assert time.monotonic() - started < patient(3)
    wait_for(lambda: server.connections() == 0)
    assert found.reason == worker.matrix("main", within_s=1).stopped
    assert found.reason in worker.remove((), within_s=1).unknown
    (failure,) = worker.connect(targets(server.address), within_s=1)
    assert found.reason == failure.reason


def test_a_worker_ends_when_its_parent_is_killed(server: ZeoServer) -> None:
    script = (
        "import sys, time\n"
        "from zcheck.consistency.storage.parent import Target, ZeoWorker\n"
        "from zcheck.facts import HostPort\n"
        "worker = ZeoWorker('orphaned')\n"
        "worker.start()\n"
        "worker.connect([Target('app1', 'main', (HostPort('127.0.0.1', int(sys.argv[1])),))], within_s=20)\n"
        "print(worker.pid, flush=True)\n"
        "worker.matrix('main', rounds=100, within_s=60, max_rate=5)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(server.port)], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for(lambda: commits(server) >= 3)
    finally:
        parent.kill()
        parent.wait(10)
    wait_for(lambda: not is_running(pid))
    wait_for(lambda: server.connections() == 0)
    assert is_free(server)


def test_a_worker_keeps_working_through_ctrl_c_and_ctrl_z_of_its_parents_terminal(
    server: ZeoServer, worker: ZeoWorker
) -> None:
    worker.connect(targets(server.address), within_s=LIMIT_S)
    assert worker.pid is not None
    # What a terminal sends goes to the process group; the worker is in one of its own.
    assert os.getpgid(worker.pid) != os.getpgid(0)
    os.kill(worker.pid, signal.SIGINT)
    assert "" == worker.matrix("main", within_s=LIMIT_S).stopped


@pytest.mark.parametrize("after", [1, 4, 7])
def test_an_interrupted_run_removes_what_it_wrote(server: ZeoServer, after: int) -> None:
    script = (
        "import sys\n"
        "from zcheck.consistency.storage.parent import Target, ZeoWorker\n"
        "from zcheck.facts import HostPort\n"
        "address = HostPort('127.0.0.1', int(sys.argv[1]))\n"
        "with ZeoWorker('interrupted') as worker:\n"
        "    worker.connect([Target(name, 'main', (address,)) for name in ('app1', 'app2')], within_s=20)\n"
        "    worker.matrix('main', rounds=100, within_s=60, max_rate=5)\n"
    )
    command = [sys.executable, "-c", script, str(server.port)]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: commits(server) >= after)
        os.killpg(run.pid, signal.SIGINT)
        run.wait(10)
    finally:
        run.kill()
        run.wait(10)
    assert run.returncode not in (0, -signal.SIGKILL)
    assert {None} == {records[-1] for records in our_records(server.data).values()}
    wait_for(lambda: server.connections() == 0)
    assert is_free(server)


def test_closing_ends_a_job_that_another_thread_waits_for(server: ZeoServer) -> None:
    with ZeoWorker(RUN) as worker:
        worker.connect(targets(server.address, server.address), within_s=LIMIT_S)
        histories: list[History] = []
        running = threading.Thread(
            target=lambda: histories.append(worker.matrix("main", rounds=100, within_s=LIMIT_S, max_rate=5))
        )
        running.start()
        wait_for(lambda: commits(server) >= 3)
        started = time.monotonic()
        worker.close()
        assert time.monotonic() - started < patient(3)
        running.join(5)
    (history,) = histories
    assert ("zcheck was interrupted", ()) == (history.stopped, history.left)
    assert {None} == {records[-1] for records in our_records(server.data).values()}


def test_a_tight_limit_yields_what_was_done_and_cleans_up(server: ZeoServer, worker: ZeoWorker) -> None:
    worker.connect(targets(*[server.address] * 3), within_s=LIMIT_S)
    started = time.monotonic()
    history = worker.matrix("main", rounds=100, within_s=4, max_rate=10)
    assert time.monotonic() - started < patient(4)
    assert "deadline" in history.stopped
    assert history.transactions > 5
    assert () == history.left
    assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found


def test_a_search_that_is_cut_short_says_so(
    server: ZeoServer, worker: ZeoWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_markers(server, 300)
    worker.connect(targets(server.address), within_s=LIMIT_S)
    assert 300 == len(worker.orphans(since_s=600, within_s=LIMIT_S).found)
    # The child's own limit alone: where we wait no longer than it, a busy machine has us end it first.
    monkeypatch.setattr(ZeoWorker, "_own_limit", staticmethod(lambda within_s: 0.01))
    cut = worker.orphans(since_s=600, within_s=LIMIT_S)
    assert any("were looked at" in reason for reason in cut.unknown)


def test_the_childs_defects_are_told_and_not_raised(server: ZeoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with ZeoWorker(RUN) as worker:
        (failure,) = worker.connect(targets(server.address), within_s=2)
        assert "could not be started" in failure.reason
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with ZeoWorker(RUN) as worker:
        found = worker.identity(within_s=5)
        assert isinstance(found, NotGathered)
        assert "ended with code 1" in found.reason


def test_a_worker_that_was_not_started_says_so() -> None:
    found = ZeoWorker(RUN).identity(within_s=1)
    assert isinstance(found, NotGathered)
    assert "not started" in found.reason


def test_the_users_folder_cannot_replace_a_module(
    server: ZeoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ZODB.py").write_text("raise SystemExit(7)")
    (tmp_path / "checks").mkdir()
    monkeypatch.chdir(tmp_path)
    with ZeoWorker(RUN) as worker:
        assert () == worker.connect(targets(server.address), within_s=LIMIT_S)


# --- helpers -------------------------------------------------------------------------------------


def wait_for(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def commits(server: ZeoServer) -> int:
    return zeo.ask(server.address).storages["1"].readings[0].commits


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def leave_markers(server: ZeoServer, count: int) -> None:
    """Markers as a killed run leaves them, each in a transaction of its own."""
    from ZEO.ClientStorage import ClientStorage
    from ZODB.Connection import TransactionMetaData
    from ZODB.utils import z64

    storage = ClientStorage(("127.0.0.1", server.port), wait_timeout=5)
    for number in range(1, count + 1):
        transaction = TransactionMetaData("zcheck", markers.description("killed", number))
        storage.tpc_begin(transaction)
        data = markers.record(markers.Marker("killed", number, f"{number:032x}", "app1"))
        storage.store(storage.new_oid(), z64, data, "", transaction)
        storage.tpc_vote(transaction)
        storage.tpc_finish(transaction)
    storage.close()
