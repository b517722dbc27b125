"""What keeps zcheck from harming the cluster that it tests: rules that no other test proves.

``docs/safety.rst`` lists all rules, each with its tests.
"""

from __future__ import annotations

import json
import resource
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from cluster.test_misbehaving import full_disk
from cluster.wire import Fault, Message, wire
from cluster.zeo_servers import ZeoServer, zeo_server
from patience import patient

from zcheck.consistency.storage.common import Stop
from zcheck.consistency.storage.matrix import Pace
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.consistency.storage.workloads import WORKLOADS
from zcheck.facts import HostPort

LIMIT_S = 30.0
WRITES = ("tpc_begin", "storea", "deleteObject", "checkCurrentSerialInTransaction")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZeoServer]:
    with zeo_server(tmp_path / "one") as running:
        yield running


@pytest.fixture
def worker() -> Iterator[ZeoWorker]:
    with ZeoWorker("safe", timeout_s=3) as running:
        yield running


def connect(worker: ZeoWorker, *addresses: HostPort) -> None:
    ways = [Target(f"app{number}", "main", (address,)) for number, address in enumerate(addresses, 1)]
    assert () == worker.connect(ways, within_s=LIMIT_S)


class Recorder(Fault):
    """Everything that one connection asks of the server, and what is answered to that, on one list for all of them."""

    def __init__(self, told: list[tuple[str, str, object]], name: str) -> None:
        self.told = told
        self.name = name
        self.asked: dict[int, str] = {}

    def to_server(self, message: Message) -> list[Message]:
        self.asked[message[0]] = message[2]
        self.told.append((self.name, message[2], message[3]))
        return [message]

    def to_client(self, message: Message) -> list[Message]:
        if message[2] == ".reply" and message[0] in self.asked:
            self.told.append((self.name, f"answer to {self.asked[message[0]]}", message[3]))
        return [message]


@pytest.mark.parametrize("work", ["matrix", "isolation"])
def test_each_commit_follows_a_look_at_the_lock_and_stands_alone(
    work: str, server: ZeoServer, worker: ZeoWorker
) -> None:
    """Before each transaction its own connection was told that the lock is free, and there is one at a time.

    Between the vote and what ends it the connection asks nothing else of the server.
    """
    told: list[tuple[str, str, object]] = []
    with (
        wire(server.address, Recorder(told, "app1")) as one,
        wire(server.address, Recorder(told, "app2")) as two,
        wire(server.address, Recorder(told, "app3")) as three,
    ):
        connect(worker, one.address, two.address, three.address)
        if work == "matrix":
            worker.matrix("main", within_s=LIMIT_S)
        else:
            worker.isolate("main", duration_s=1, workloads=tuple(WORKLOADS), seed=1, within_s=LIMIT_S, max_rate=200)
    votes = 0
    under_way = ""
    for place, (name, what, _) in enumerate(told):
        own = [entry for entry in told[:place] if entry[0] == name]
        if what == "tpc_begin":
            _, said, answer = own[-1]
            assert "answer to server_status" == said
            assert isinstance(answer, dict) and answer["lock_time"] is None
        elif what == "vote":
            assert "" == under_way, f"{name} votes while {under_way} has not finished"
            under_way = name
            votes += 1
            assert own[-1][1] in WRITES
        elif what in ("tpc_finish", "tpc_abort"):
            assert (name, "answer to vote") == (under_way, own[-1][1])
            under_way = ""
    assert votes >= 13


def test_every_transaction_of_the_workloads_is_in_the_journal(server: ZeoServer, tmp_path: Path) -> None:
    from ZODB.FileStorage.FileStorage import FileIterator

    journal = tmp_path / "journal"
    with ZeoWorker("safe", timeout_s=3, journal=str(journal)) as worker:
        connect(worker, *[server.address] * 3)
        worker.isolate("main", duration_s=1, workloads=tuple(WORKLOADS), seed=2, within_s=LIMIT_S, max_rate=200)
    told = [json.loads(line) for line in journal.read_text().splitlines()]
    noted = {line["seq"]: set(line["oids"]) for line in told}
    sent = {}
    for transaction in FileIterator(str(server.data)):
        _, _, seq = transaction.description.decode().rpartition("seq=")
        sent[int(seq)] = {record.oid.hex() for record in transaction}
    assert len(sent) > 5
    assert all(oids <= noted[seq] for seq, oids in sent.items())
    assert len(told) == len(noted), "each transaction is noted once"


def test_where_a_pack_collects_no_garbage_nothing_is_left_either(tmp_path: Path, worker: ZeoWorker) -> None:
    from ZEO.ClientStorage import ClientStorage
    from ZODB.POSException import POSKeyError

    storage = f"<filestorage 1>\n  path {tmp_path / 'one' / 'Data.fs'}\n  pack-gc false\n</filestorage>"
    with zeo_server(tmp_path / "one", storage=storage) as server:
        connect(worker, server.address, server.address)
        history = worker.matrix("main", within_s=LIMIT_S)
        assert () == history.left
        other = ClientStorage(("127.0.0.1", server.port), wait_timeout=5)
        try:
            other.pack(time.time() + 60, wait=1)
            for number in range(1, 20):
                with pytest.raises(POSKeyError):
                    other.load(number.to_bytes(8, "big"))
        finally:
            other.close()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="another process is limited by prlimit")
def test_after_a_full_disk_nothing_more_is_tried(server: ZeoServer, worker: ZeoWorker) -> None:
    told: list[tuple[str, str, object]] = []
    assert server.process is not None
    with wire(server.address, Recorder(told, "app1")) as one, wire(server.address, Recorder(told, "app2")) as two:
        connect(worker, one.address, two.address)
        with full_disk(server.process.pid, server.data.stat().st_size):
            history = worker.matrix("main", within_s=LIMIT_S)
    assert history.stopped
    assert 1 == sum(what == "vote" for _, what, _ in told)
    assert 0 == history.transactions


def test_a_slow_commit_gives_the_server_a_pause() -> None:
    stop = Stop()
    stop.begin(60)
    pace = Pace(1000, stop)
    pace.took(0.02)
    begun = time.monotonic()
    pace.took(0.03)
    assert time.monotonic() - begun < patient(0.02), "that is within what is usual"
    pace.took(0.2)
    assert 0.15 < time.monotonic() - begun < patient(1)


def test_the_pace_is_kept_after_a_burst() -> None:
    stop = Stop()
    stop.begin(60)
    pace = Pace(20, stop)
    moments = []
    for _ in range(26):
        pace.wait()
        moments.append(time.monotonic())
    assert moments[19] - moments[0] < patient(0.1), "a burst of as many as a second has"
    assert all(0.03 < later - earlier < patient(0.3) for earlier, later in pairwise(moments[20:]))


def test_a_pause_file_holds_everything_up_and_its_end_lets_it_go_on(tmp_path: Path) -> None:
    stop = Stop()
    stop.begin(60)
    held = tmp_path / "pause"
    held.touch()
    threading.Timer(0.4, held.unlink).start()
    begun = time.monotonic()
    Pace(20, stop, str(held)).wait()
    assert 0.3 < time.monotonic() - begun < patient(5)
