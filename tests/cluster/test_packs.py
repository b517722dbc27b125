"""A pack with garbage collection, again and again, while zcheck writes: no split, no lost write, nothing left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import ZODB
from cluster.zeo_servers import ZeoServer, zeo_server
from ZEO.ClientStorage import ClientStorage
from ZODB.serialize import referencesf

from zcheck.consistency.judge.isolation import judge
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.facts.pairs import pairs

LIMIT_S = 60.0
NAMES = ("app1", "app2", "app3")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZeoServer]:
    with zeo_server(tmp_path / "zeo") as running:
        # An empty database, without a root, cannot be packed.
        ZODB.DB(ClientStorage((running.address.host, running.address.port), wait_timeout=20)).close()
        yield running


@contextmanager
def packed_again_and_again(server: ZeoServer) -> Iterator[None]:
    done = threading.Event()

    def pack() -> None:
        storage = ClientStorage((server.address.host, server.address.port), wait_timeout=20)
        while not done.wait(0.05):
            storage.pack(time.time(), referencesf, wait=True)
        storage.close()

    packing = threading.Thread(target=pack)
    packing.start()
    try:
        yield
    finally:
        done.set()
        packing.join(30)


def test_a_pack_takes_nothing_for_lost_or_split(server: ZeoServer) -> None:
    with packed_again_and_again(server), ZeoWorker("f" * 12) as worker:
        for _ in range(5):
            assert () == worker.connect([Target(name, "main", (server.address,)) for name in NAMES], within_s=LIMIT_S)
            history = worker.matrix("main", within_s=LIMIT_S)
            assert ("", ()) == (history.stopped, history.left)
            assert False not in [pair.seen for pair in pairs(history, NAMES, NAMES)]
            assert "fail" != judge(history).result


def test_without_a_pack_none_is_told(server: ZeoServer) -> None:
    with ZeoWorker("f" * 12) as worker:
        assert () == worker.connect([Target(name, "main", (server.address,)) for name in NAMES], within_s=LIMIT_S)
        history = worker.matrix("main", within_s=LIMIT_S)
    assert not history.packed
    assert [True] * 6 == [pair.seen for pair in pairs(history, NAMES, NAMES)]
