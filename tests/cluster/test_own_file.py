"""A ZEO server whose file was replaced under it: found before anything is written; a pack is no such thing."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster.zeo_servers import ZeoServer, zeo_server
from ZEO.ClientStorage import ClientStorage
from ZODB.serialize import referencesf

from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.facts import StorageFile, ZeoIdentity

LIMIT_S = 40.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZeoServer]:
    with zeo_server(tmp_path / "zeo") as running:
        yield running


@pytest.fixture
def worker(server: ZeoServer) -> Iterator[ZeoWorker]:
    with ZeoWorker("f" * 12) as running:
        running.connect([Target(f"app{n}", "main", (server.address,)) for n in (1, 2)], within_s=LIMIT_S)
        yield running


def commit(server: ZeoServer, count: int = 1) -> None:
    import transaction
    import ZODB

    database = ZODB.DB(ClientStorage((server.address.host, server.address.port), wait_timeout=20))
    connection = database.open()
    for _ in range(count):
        connection.root()["count"] = connection.root().get("count", 0) + 1
        transaction.commit()
    connection.close()
    database.close()


def pack(server: ZeoServer, until: threading.Event) -> None:
    storage = ClientStorage((server.address.host, server.address.port), wait_timeout=20)
    while not until.is_set():
        storage.pack(time.time(), referencesf, wait=True)
    storage.close()


def looked(worker: ZeoWorker) -> list[StorageFile]:
    found = worker.identity(within_s=LIMIT_S)
    assert isinstance(found, ZeoIdentity)
    return list(found.files)


def restore(server: ZeoServer, backup: Path) -> None:
    server.data.rename(server.data.with_suffix(".before"))
    shutil.copyfile(backup, server.data)


def test_a_server_that_writes_its_own_file(server: ZeoServer, worker: ZeoWorker) -> None:
    commit(server, 3)
    assert ["own"] == [one.outcome for one in looked(worker)]
    history = worker.matrix("main", within_s=LIMIT_S)
    assert "" == history.stopped
    assert {"own"} == {one.outcome for one in history.files}


def test_an_empty_database_is_its_servers_own(worker: ZeoWorker) -> None:
    assert ["own"] == [one.outcome for one in looked(worker)]


def test_a_backup_that_was_moved_into_place(server: ZeoServer, worker: ZeoWorker, tmp_path: Path) -> None:
    commit(server)
    backup = tmp_path / "backup"
    shutil.copyfile(server.data, backup)
    commit(server, 2)
    restore(server, backup)
    before = (server.data.with_suffix(".before")).stat().st_size
    (found,) = looked(worker)
    assert ("replaced", False, str(server.data)) == (found.outcome, found.no_file, found.location)
    history = worker.matrix("main", within_s=LIMIT_S)
    assert "is not the file into which" in history.stopped
    assert (0, ()) == (history.transactions, history.left)
    assert before == (server.data.with_suffix(".before")).stat().st_size


def test_a_file_that_is_gone(server: ZeoServer, worker: ZeoWorker) -> None:
    commit(server)
    server.data.rename(server.data.with_suffix(".before"))
    (found,) = looked(worker)
    assert ("replaced", True) == (found.outcome, found.no_file)


def test_a_copy_of_this_moment_is_found_after_the_first_write(server: ZeoServer, worker: ZeoWorker) -> None:
    commit(server)
    restore_copy(server)
    assert ["own"] == [one.outcome for one in looked(worker)]
    history = worker.matrix("main", within_s=LIMIT_S)
    assert "is not the file into which" in history.stopped
    assert ["own", "replaced"] == [one.outcome for one in history.files]
    # What was written is removed again, and nothing is said to be lost.
    assert () == history.left


def restore_copy(server: ZeoServer) -> None:
    copy = server.data.with_suffix(".copy")
    shutil.copyfile(server.data, copy)
    copy.rename(server.data)


def test_a_pack_gives_the_path_to_another_file_as_well(server: ZeoServer, worker: ZeoWorker) -> None:
    commit(server, 3)
    done = threading.Event()
    packing = threading.Thread(target=pack, args=[server, done])
    packing.start()
    try:
        for _ in range(6):
            assert "replaced" not in [one.outcome for one in looked(worker)]
            commit(server)
    finally:
        done.set()
        packing.join(30)


def test_other_storages_are_not_looked_at(tmp_path: Path) -> None:
    memory = zeo_server(tmp_path / "memory", storage="<mappingstorage 1>\n</mappingstorage>")
    with memory as server, ZeoWorker("f" * 12) as worker:
        worker.connect([Target("app1", "main", (server.address,))], within_s=LIMIT_S)
        assert [] == looked(worker)
