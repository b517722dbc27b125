"""Blobs against real ZEO servers: stored through one connection, handed out with their files to every other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster.whole_runs import Contents, assert_only_ours, in_process, preflight
from cluster.zeo_servers import ZeoServer, zeo_server

from zcheck.commands.demo import Cluster, ZeoSpec, specs
from zcheck.consistency.storage import markers
from zcheck.consistency.storage.blobs import BlobMatrix
from zcheck.consistency.storage.common import Change, Stop
from zcheck.consistency.storage.connection import Connection
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.consistency.storage.protocol import Write
from zcheck.facts.history import History
from zcheck.facts.pairs import pairs

RUN = "test-run"
LIMIT_S = 30.0
CLIENTS = ("app1", "app2", "app3")


def with_blobs(folder: Path) -> str:
    return f"<filestorage 1>\n  path {folder}/Data.fs\n  blob-dir {folder}/blobs\n</filestorage>"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZeoServer]:
    with zeo_server(tmp_path / "one", storage=with_blobs(tmp_path / "one")) as running:
        yield running


def run(*servers: ZeoServer, without: tuple[str, ...] = ()) -> History:
    """One run through a client of each server; those in ``without`` keep no blobs."""
    targets = [
        Target(name, "main", (server.address,), blobs=name not in without)
        for name, server in zip(CLIENTS, servers, strict=False)
    ]
    with ZeoWorker(RUN, timeout_s=3) as worker:
        worker.connect(targets, within_s=LIMIT_S)
        return worker.matrix("main", within_s=LIMIT_S, rounds=1, blobs=True)


def seen(history: History) -> dict[tuple[str, str], bool | None]:
    names = [state.client for state in history.clients]
    return {(pair.writer, pair.reader): pair.seen for pair in pairs(history, names, names)}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name[0] != "."]


def pack(folder: Path) -> None:
    """As the server's own pack does it, once the server has ended."""
    code = (
        "import sys, time, ZODB.FileStorage, ZODB.serialize\n"
        "storage = ZODB.FileStorage.FileStorage(sys.argv[1] + '/Data.fs', blob_dir=sys.argv[1] + '/blobs')\n"
        "storage.pack(time.time() + 1, ZODB.serialize.referencesf)\n"
        "storage.close()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, timeout=LIMIT_S)


def test_every_pair_is_proven_and_the_objects_are_deleted(server: ZeoServer) -> None:
    history = run(server, server, server)
    assert {(one, other): True for one in CLIENTS for other in CLIENTS if one != other} == seen(history)
    assert ("", (), 4, True) == (history.stopped, history.left, history.transactions, history.blobs)
    gone = [op for op in history.operations if op.action == "gone"]
    assert (3, {None}) == (len(gone), {nonce for op in gone for nonce in op.reads.values()})


def test_the_files_go_with_the_next_pack(server: ZeoServer) -> None:
    run(server, server)
    kept = files(server.folder / "blobs")
    assert 2 == len(kept)
    assert all(path.read_bytes().startswith(f"zcheck run={RUN} ".encode()) for path in kept)
    server.stop()
    pack(server.folder)
    assert [] == files(server.folder / "blobs")


def test_a_blob_of_ours_is_a_blob_to_zodb() -> None:
    from ZODB.blob import is_blob_record

    marker = markers.Marker(RUN, 1, "0" * 32, "app1")
    record = markers.record(marker, blob=True)
    assert is_blob_record(record)
    assert marker == markers.read(record)
    assert not is_blob_record(markers.record(marker))


def test_two_servers_hand_out_their_own_blobs_alone(server: ZeoServer, tmp_path: Path) -> None:
    with zeo_server(tmp_path / "two", storage=with_blobs(tmp_path / "two")) as other:
        assert {False} == set(seen(run(server, other)).values())


def test_a_server_that_keeps_no_blobs_refuses_them(tmp_path: Path) -> None:
    with zeo_server(tmp_path / "none") as none:
        history = run(none, none)
    assert ["no-blobs", "no-blobs"] == [state.refused for state in history.clients]
    assert (0, ()) == (history.transactions, history.left)


def test_a_client_that_keeps_no_blobs_is_not_asked_for_any(server: ZeoServer) -> None:
    history = run(server, server, server, without=("app3",))
    assert ["app1", "app2"] == [state.client for state in history.clients]


def test_records_without_their_files_are_not_seen(server: ZeoServer) -> None:
    class Losing(BlobMatrix):
        def _read_all(self, number: int) -> None:
            for path in files(server.folder / "blobs"):
                path.unlink()
            super()._read_all(number)

    targets = [Target(name, "main", (server.address,), blobs=True) for name in CLIENTS[:2]]
    connections = [Connection(target, 3) for target in targets]
    try:
        for connection in connections:
            connection.open()
        stop = Stop()
        stop.begin(LIMIT_S)
        history = Losing(Write("main", RUN, LIMIT_S, rounds=1, blobs=True), connections, stop).run()
    finally:
        for connection in connections:
            connection.close(1)
    assert {("app1", "app2"): False, ("app2", "app1"): False} == seen(history)
    assert () == history.left


def test_a_blob_that_a_killed_run_left_is_found_and_removed(server: ZeoServer) -> None:
    marker = markers.Marker("dead", 1, "0" * 32, "app1")
    connection = Connection(Target("app1", "main", (server.address,), blobs=True), 3)
    connection.open()
    try:
        (oid,) = connection.allocate(1)
        data, content = markers.record(marker, blob=True), markers.text(marker)
        tid = connection.commit(markers.description("dead", 1), [Change(oid, 0, data, content)])
        assert content == connection.load_file(oid, tid)
    finally:
        connection.close(1)
    with ZeoWorker(RUN, timeout_s=3) as worker:
        worker.connect([Target("app1", "main", (server.address,))], within_s=LIMIT_S)
        found = worker.orphans(since_s=600, within_s=LIMIT_S).found
        assert ["dead"] == [orphan.run_id for orphan in found]
        assert () == worker.remove(found, within_s=LIMIT_S).found
        assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found


# --- whole runs -----------------------------------------------------------------------------------

CACHE = "blob-dir $INSTANCE/var/blobs"
EVERY_PAIR = {("app1", "app2"): True, ("app2", "app1"): True}


def test_the_blobs_of_a_healthy_cluster_are_proven(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(specs(2, every={"zeoclient": CACHE}), zeo=[ZeoSpec(blobs=True)])
    before = Contents.of(cluster.main_zeo.data_fs())
    outcome = preflight(cluster)
    assert (0, EVERY_PAIR, EVERY_PAIR) == (outcome.code, outcome.pairs("zeo"), outcome.pairs("zeo", "main (blobs)"))
    assert "pass" == outcome.outcome("nothing-is-left-behind")
    notes = [remark["message"] for remark in outcome.report["remarks"] if "blobs" in remark["message"]]
    assert ["what blobs hold in main is not proven through the running clients"] == [n.partition(":")[0] for n in notes]
    assert {None} == set(outcome.pairs("http", "main (blobs)").values())
    assert_only_ours(before, Contents.of(cluster.main_zeo.data_fs()), [outcome.report["run"]["id"]])
    assert 0 == in_process("leftovers", cluster.ini).code
    caches = [file for client in cluster.clients.values() for file in files(client.home / "var" / "blobs")]
    assert [] == [file for file in caches if b"zcheck" in file.read_bytes()]


def test_a_server_without_a_place_for_the_clients_blobs_is_found(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(specs(2, every={"zeoclient": CACHE}))
    outcome = preflight(cluster)
    finding = outcome.finding("zeo-passes-writes-on")
    assert ("CRITICAL", ["app1", "app2"]) == (finding["severity"], finding["clients"])
    assert "app1, app2 have a blob-dir, and the server's storage keeps no blobs" in finding["message"]
    assert EVERY_PAIR == outcome.pairs("zeo")


def test_plan_tells_of_the_blobs(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(specs(2, every={"zeoclient": CACHE}), start=False)
    cluster.write_ini()
    for client in cluster.clients.values():
        client.prepare()
        client.write_conf(cluster.main_zeo)
    assert "and one blob for each of app1, app2" in in_process("plan", cluster.ini).out
