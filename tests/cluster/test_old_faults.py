"""Faults of ZODB and ZEO that are on record, re-created on the wire, and what zcheck says of them.

``docs/old-faults.rst`` lists them, with those that could not be re-created; each row of its first table is a test here
or in the file that the row names.  A fault of a client's own code is re-created by what the client gets to see, or does
not: its effect on the client is the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.test_soak import doors
from cluster.wire import Cut, Fault, Message, wire
from cluster.zeo_servers import ZeoServer, zeo_server
from patience import patient

from zcheck.checks.consistency.conflicts_are_detected import conflicts_are_detected
from zcheck.checks.consistency.edits_are_seen_everywhere import edits_are_seen_everywhere
from zcheck.checks.consistency.no_torn_or_stale_reads import no_torn_or_stale_reads
from zcheck.checks.consistency.zeo_passes_writes_on import zeo_passes_writes_on
from zcheck.commands.demo import HOST, ClientSpec, Cluster
from zcheck.consistency.http import folder
from zcheck.consistency.http.names import folder_id
from zcheck.consistency.judge.isolation import judge
from zcheck.consistency.judge.verdicts import with_verdicts
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.facts import Client, Facts, HostPort, IniSection, Inventory
from zcheck.facts.history import History, HttpHistories, ZeoHistories
from zcheck.facts.pairs import pairs
from zcheck.probes import zeo
from zcheck.runner import run as judge_by

LIMIT_S = 90.0
NAMES = ("app1", "app2", "app3")
NEWEST = b"\x7f" + b"\xff" * 7


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZeoServer]:
    with zeo_server(tmp_path / "one") as running:
        yield running


@pytest.fixture
def worker() -> Iterator[ZeoWorker]:
    with ZeoWorker("old", timeout_s=3) as running:
        yield running


def connect(worker: ZeoWorker, *addresses: HostPort) -> None:
    ways = [Target(f"app{number}", "main", (address,)) for number, address in enumerate(addresses, 1)]
    assert () == worker.connect(ways, within_s=LIMIT_S)


def isolate(worker: ZeoWorker, *workloads: str) -> History:
    # A busy machine needs longer for the same number of transactions, and a fault befalls one of them.
    return worker.isolate(
        "main", duration_s=min(patient(2), LIMIT_S / 3), workloads=workloads, seed=1, within_s=LIMIT_S, max_rate=200
    )


def worst(history: History, check: Any) -> str:
    """What a check says of this history, among three clients of which nothing else is known."""
    clients = tuple(Client(name, HostPort(name, 1), IniSection(f"client:{name}", 1), name) for name in NAMES)
    kind = HttpHistories if history.level == "http" else ZeoHistories
    facts = Facts().with_fact("", Inventory("clients.ini", "test", clients)).with_fact("", kind((history,)))
    found = [finding.severity for finding in judge_by([check], with_verdicts(facts)).findings]
    return next((severity for severity in ("CRITICAL", "UNKNOWN", "WARNING") if severity in found), "OK")


def kinds(history: History) -> set[str]:
    return {anomaly.kind for anomaly in judge(history).anomalies}


# --- invalidations -------------------------------------------------------------------------------


class NthInvalidation(Fault):
    """Something befalls the ``number``-th invalidation of at least ``least`` objects."""

    def __init__(self, number: int, least: int = 1) -> None:
        self.number = number
        self.least = least

    def to_client(self, message: Message) -> list[Message]:
        _, _, method, arguments = message
        if method == "invalidateTransaction" and len(arguments[1]) >= self.least:
            self.number -= 1
            if self.number == 0:
                self.done = True
                return self.befall(message)
        return [message]

    def befall(self, message: Message) -> list[Message]:
        return []


class Incomplete(NthInvalidation):
    """One of its objects is missing."""

    def befall(self, message: Message) -> list[Message]:
        number, flag, method, (tid, oids) = message
        return [(number, flag, method, (tid, oids[:-1]))]


class TidFirst(NthInvalidation):
    """The transaction is made known at once, and its objects only later."""

    def befall(self, message: Message) -> list[Message]:
        number, flag, method, (tid, _) = message
        threading.Timer(1.0, self.send, [message]).start()
        return [(number, flag, method, (tid, []))]


INVALIDATIONS: dict[str, tuple[set[str], Callable[[], Fault]]] = {
    "ZEO 160, ZODB 313: an object is missing in an invalidation": ({"stale read"}, lambda: Incomplete(9, least=2)),
    "ZEO 166, ZODB 307: the last transaction moves on before its objects are invalidated": (
        {"stale read"},
        lambda: TidFirst(9, least=2),
    ),
    "nothing": (set(), Fault),
}


@pytest.mark.parametrize(("expected", "fault"), INVALIDATIONS.values(), ids=INVALIDATIONS)
def test_invalidations(expected: set[str], fault: Callable[[], Fault], server: ZeoServer, worker: ZeoWorker) -> None:
    made = fault()
    with wire(server.address, made) as between:
        connect(worker, server.address, between.address, server.address)
        history = isolate(worker, "twins", "bank")
    verdict = judge(history)
    assert made.done is bool(expected)
    assert ("fail" if expected else "pass") == verdict.result
    assert expected <= kinds(history) <= expected | {"broken sum", "acknowledged commit not seen"}
    assert {"app2"} >= {anomaly.sessions[0] for anomaly in verdict.anomalies}
    assert () == history.left
    assert ("CRITICAL" if expected else "OK") == worst(history, no_torn_or_stale_reads)


# --- loads ---------------------------------------------------------------------------------------


class NewestOnly(Fault):
    """A load gets the newest revision, whichever was asked for."""

    def to_server(self, message: Message) -> list[Message]:
        number, flag, method, arguments = message
        if method == "loadBefore":
            self.done = True
            return [(number, flag, method, (arguments[0], NEWEST))]
        return [message]


def test_a_load_that_is_newer_than_its_transaction(server: ZeoServer, worker: ZeoWorker) -> None:
    """ZEO 209, its first part: a client of ZEO 5 on a server of ZEO 4 was given newer revisions than it asked for."""
    fault = NewestOnly()
    with wire(server.address, fault) as between:
        # So many that not each of them has the newest in its cache already.
        connect(worker, server.address, between.address, *[server.address] * 5)
        history = isolate(worker, "bank")
    assert fault.done
    assert "read from the future" in kinds(history)
    assert "CRITICAL" == worst(history, no_torn_or_stale_reads)
    assert {"app2"} == {one.sessions[0] for one in judge(history).anomalies if one.kind == "read from the future"}


# --- commits -------------------------------------------------------------------------------------


class EndsWithFinish(Fault):
    """The connection ends when the server has been told to finish, so nobody knows whether it did."""

    def __init__(self, number: int) -> None:
        self.number = number

    def after(self, message: Message) -> None:
        if message[2] == "tpc_finish":
            self.number -= 1
            if self.number == 0:
                self.done = True
                raise Cut


@pytest.mark.parametrize("number", [1, 2], ids=["first", "second"])
def test_a_connection_that_ends_while_the_server_finishes(number: int, server: ZeoServer, worker: ZeoWorker) -> None:
    """ZEO 209, its second part: a disconnect during ``tpc_finish`` left clients and the server of two minds."""
    fault = EndsWithFinish(number)
    with wire(server.address, fault) as between:
        connect(worker, server.address, between.address, server.address)
        history = worker.matrix("main", within_s=LIMIT_S)
    assert fault.done
    verdict = judge(history)
    assert ("unknown", (), ()) == (verdict.result, verdict.anomalies, history.left)
    assert "UNKNOWN" == worst(history, zeo_passes_writes_on)
    (unknown,) = [op for op in history.operations if op.outcome == "info"]
    assert "app2" == unknown.session
    assert not zeo.wait_until_free(server.address, "1", timeout_s=3)
    assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found


class Forgets(Fault):
    """A commit is acknowledged that the storage never gets."""

    def __init__(self) -> None:
        self.newest = 0

    def to_client(self, message: Message) -> list[Message]:
        if message[2] == "invalidateTransaction":
            self.newest = int.from_bytes(message[3][0], "big")
        return [message]

    def to_server(self, message: Message) -> list[Message]:
        number, flag, method, _ = message
        if method != "tpc_finish" or not self.newest or self.done:
            return [message]
        self.done = True
        raise Cut((number, flag, ".reply", (self.newest + 1).to_bytes(8, "big")))


def test_a_commit_that_was_acknowledged_and_is_not_there(server: ZeoServer, worker: ZeoWorker) -> None:
    fault = Forgets()
    with wire(server.address, fault) as between:
        connect(worker, between.address, between.address, between.address)
        history = worker.matrix("main", within_s=LIMIT_S)
    assert fault.done
    assert {"lost write"} <= kinds(history)
    assert "CRITICAL" == worst(history, no_torn_or_stale_reads)


class ForgetsReadCurrent(Fault):
    """What was to be newest still is not looked at."""

    def to_server(self, message: Message) -> list[Message]:
        if message[2] == "checkCurrentSerialInTransaction":
            self.done = True
            return []
        return [message]


def test_read_current_that_is_not_looked_at(server: ZeoServer, worker: ZeoWorker) -> None:
    fault = ForgetsReadCurrent()
    with wire(server.address, fault) as between:
        connect(worker, between.address, between.address, between.address)
        history = isolate(worker, "write-skew-current")
    assert fault.done
    assert (False, {"write skew"}) == (judge(history).serializable, kinds(history))
    assert "CRITICAL" == worst(history, conflicts_are_detected)


class TakesAnything(Fault):
    """A write upon an old revision is told to be upon the newest, so that no conflict is found."""

    def __init__(self) -> None:
        self.newest: dict[bytes, bytes] = {}

    def to_client(self, message: Message) -> list[Message]:
        if message[2] == "invalidateTransaction":
            self.newest |= dict.fromkeys(message[3][1], message[3][0])
        return [message]

    def to_server(self, message: Message) -> list[Message]:
        number, flag, method, arguments = message
        if method == "storea" and arguments[0] in self.newest and arguments[1] < self.newest[arguments[0]]:
            self.done = True
            oid, _, *rest = arguments
            return [(number, flag, method, (oid, self.newest[oid], *rest))]
        return [message]


def test_a_conflict_that_nobody_notices(server: ZeoServer, worker: ZeoWorker) -> None:
    fault = TakesAnything()
    with wire(server.address, fault) as between:
        connect(worker, server.address, between.address, server.address)
        history = isolate(worker, "counter")
    assert fault.done
    assert "lost update" in kinds(history)
    assert "CRITICAL" == worst(history, conflicts_are_detected)
    assert {"app2"} == {one.sessions[0] for one in judge(history).anomalies if one.kind == "lost update"}


# --- two servers on one file ---------------------------------------------------------------------


def test_two_servers_on_one_file(server: ZeoServer, tmp_path: Path, worker: ZeoWorker) -> None:
    """ZODB 38: the lock file was removed, and a second server serves the same Data.fs."""
    server.data.with_suffix(".fs.lock").unlink()
    with zeo_server(tmp_path / "two", storage=f"<filestorage 1>\n  path {server.data}\n</filestorage>") as second:
        connect(worker, server.address, second.address, server.address)
        history = worker.matrix("main", within_s=LIMIT_S)
    seen = {(pair.writer, pair.reader): pair.seen for pair in pairs(history, NAMES, NAMES)}
    # Each overwrites what the other has just written, so who reads what is a matter of luck; but it is not right.
    assert False in {seen[pair] for pair in seen if "app2" in pair}
    assert "pass" != judge(history).result
    assert "CRITICAL" == worst(history, zeo_passes_writes_on)


# --- a running client ----------------------------------------------------------------------------


class Stale(NthInvalidation):
    """An invalidation is lost."""


class StuckInThePast(Fault):
    """A connection that ends takes an invalidation with it, and the server's list of what was missed is not heeded."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.cut = False
        self.asked: set[int] = set()

    def to_client(self, message: Message) -> list[Message]:
        if message[2] == "invalidateTransaction" and not self.cut:
            self.number -= 1
            if self.number == 0:
                self.cut = True
                raise Cut
        if message[2] == ".reply" and message[0] in self.asked and message[3] is not None:
            self.done = True
            return [(message[0], message[1], message[2], (message[3][0], []))]
        return [message]

    def to_server(self, message: Message) -> list[Message]:
        if message[2] == "getInvalidations" and self.cut:
            self.asked.add(message[0])
        return [message]


def through_clients(cluster: Cluster, worker: ZeoWorker, **more: Any) -> History:
    host, _, port = cluster.zeo_address.rpartition(":")
    assert () == worker.connect([Target("app1", "main", (HostPort(host, int(port)),))], within_s=LIMIT_S)
    end = time.monotonic() + LIMIT_S
    return folder.run(
        doors(cluster),
        user=cluster.user,
        password=cluster.password,
        run_id="old",
        before_write=lambda client: None,
        expect_transaction={},
        timeout_s=4,
        deadline=lambda: end - time.monotonic(),
        log=lambda after, containers: worker.versions(
            "main", folder_id("old"), within_s=10, after=after, containers=containers
        ),
        **more,
    )


# The client behind the wire, app3, hears of the folder, of the page in it, of app1's and app2's documents, and of their
# second edits; each
# document is told with the folder, or alone.
RUNNING: dict[str, tuple[bool, Callable[[], Fault]]] = {
    "ZODB 290: an object in a client's cache is not invalidated": (False, lambda: Stale(5)),
    "ZODB 307, ZODB3 3.9: what was missed while disconnected is not heeded": (False, lambda: StuckInThePast(5)),
    "nothing": (True, Fault),
}


@pytest.mark.parametrize(("all_seen", "fault"), RUNNING.values(), ids=RUNNING)
def test_a_running_client(
    all_seen: bool, fault: Callable[[], Fault], make_cluster: Callable[..., Cluster], worker: ZeoWorker
) -> None:
    made = fault()
    running = make_cluster(3, start=False)
    with wire(HostPort(HOST, running.main_zeo.port), made) as between:
        running.clients["app3"].spec = ClientSpec(name="app3", server=str(between.address))
        running.start()
        history = through_clients(running, worker)
        assert made.done is not all_seen
        running.stop()
    seen = {(pair.writer, pair.reader): pair.seen for pair in pairs(history, NAMES, NAMES)}
    assert all_seen is all(seen.values())
    assert all(found for (_, reader), found in seen.items() if reader != "app3")
    assert ("OK" if all_seen else "CRITICAL") == worst(history, edits_are_seen_everywhere)
    if not all_seen:
        state = history.state("app3")
        assert state is not None and "a stale cache" in state.behind
        assert "fail" == judge(history).result
