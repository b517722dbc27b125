"""The isolation test against real ZEO servers, healthy ones and ones behind a proxy that misbehaves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from cluster.proxies import Fault, zeo_proxy
from cluster.zeo_servers import ZeoServer, zeo_server

from zcheck import cli
from zcheck.commands.demo import Cluster
from zcheck.consistency.judge.isolation import judge
from zcheck.consistency.recording.format import loads
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.consistency.storage.workloads import WORKLOADS, schedule
from zcheck.facts import HostPort
from zcheck.facts.history import History
from zcheck.facts.lags import lags
from zcheck.facts.pairs import pairs
from zcheck.probes import zeo

RUN = "test-run"
LIMIT_S = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZeoServer]:
    with zeo_server(tmp_path / "one") as running:
        yield running


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ZeoWorker]:
    with ZeoWorker(RUN, timeout_s=5, journal=str(tmp_path / "journal")) as running:
        yield running


def targets(*addresses: HostPort) -> list[Target]:
    return [Target(f"app{number}", "main", (address,)) for number, address in enumerate(addresses, 1)]


def isolate(worker: ZeoWorker, *workloads: str, seed: int = 1, duration_s: float = 2, rate: float = 200) -> History:
    return worker.isolate(
        "main",
        duration_s=duration_s,
        workloads=workloads or tuple(WORKLOADS),
        seed=seed,
        within_s=LIMIT_S,
        max_rate=rate,
    )


def test_the_matrix_is_judged_by_the_storages_log(server: ZeoServer, worker: ZeoWorker) -> None:
    assert () == worker.connect(targets(*[server.address] * 3), within_s=LIMIT_S)
    history = worker.matrix("main", within_s=LIMIT_S)
    assert history.log is not None
    assert {"app1": 3, "app2": 3, "app3": 3} == {marker: len(found) for marker, found in history.log.items()}
    verdict = judge(history)
    assert ("pass", "strong-si", ()) == (verdict.result, verdict.held, verdict.anomalies)
    assert 12 == len(lags(history))
    probes = Counter((op.action, op.accepted) for op in history.operations if op.accepted is not None)
    assert {("dry", True): 3, ("conflict", False): 3} == probes


def test_a_dry_commit_leaves_the_file_as_it_was(server: ZeoServer, worker: ZeoWorker) -> None:
    worker.connect(targets(server.address, server.address), within_s=LIMIT_S)
    history = worker.matrix("main", within_s=LIMIT_S)
    given_up = [nonce for op in history.operations if op.accepted is not None for nonce in op.writes.values()]
    assert 4 == len(given_up)
    data = server.data.read_bytes()
    assert not [nonce for nonce in given_up if nonce.encode() in data]
    assert [
        nonce
        for op in history.operations
        if op.action == "write"
        for nonce in op.writes.values()
        if nonce.encode() in data
    ]


def test_all_workloads_on_a_healthy_server(server: ZeoServer, worker: ZeoWorker) -> None:
    worker.connect(targets(*[server.address] * 3), within_s=LIMIT_S)
    history = isolate(worker)
    verdict = judge(history)
    assert ("", ()) == (history.stopped, verdict.anomalies)
    assert ("pass", "strong-si", True, ()) == (verdict.result, verdict.held, verdict.serializable, history.left)
    assert {"", *WORKLOADS} == {op.workload for op in history.operations}
    assert history.log is not None
    assert all(not found[-1].nonce for found in history.log.values()), "every marker is deleted at the end"
    assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found
    refused = Counter(op.workload for op in history.operations if op.outcome == "fail" and not op.accepted)
    assert refused["counter"] and refused["write-skew-current"] and not refused["write-skew"]


def test_write_skew_happens_where_nobody_asks_for_more(server: ZeoServer, worker: ZeoWorker) -> None:
    """The workload would show a write skew: told as one of the other, the judge finds it."""
    import msgspec

    worker.connect(targets(server.address, server.address), within_s=LIMIT_S)
    history = isolate(worker, "write-skew", duration_s=0.5)
    assert ("pass", None) == (judge(history).result, judge(history).serializable)
    renamed = tuple(
        msgspec.structs.replace(op, workload=op.workload and "write-skew-current") for op in history.operations
    )
    assert "write skew" in {one.kind for one in judge(msgspec.structs.replace(history, operations=renamed)).anomalies}


def steps(history: History) -> list[tuple[str, str, int, str]]:
    return [
        (op.session, op.workload, op.round, op.outcome)
        for op in history.operations
        if op.workload and op.action == "write"
    ]


def test_a_seed_replays_the_same_schedule(server: ZeoServer, worker: ZeoWorker) -> None:
    worker.connect(targets(*[server.address] * 3), within_s=LIMIT_S)
    first, again, other = (steps(isolate(worker, seed=seed, duration_s=1)) for seed in (7, 7, 8))
    count = min(len(first), len(again), len(other))
    assert count > 10
    assert first[:count] == again[:count] != other[:count]


def test_the_schedule_follows_from_the_seed_alone() -> None:
    clients = ["app1", "app2", "app3"]
    one, same, other = (list(islice(schedule(seed, list(WORKLOADS), clients), 60)) for seed in (1, 1, 2))
    assert one == same != other
    assert dict.fromkeys(WORKLOADS, 10) == Counter(step.workload for step in one)


def test_a_split_cluster_is_not_worked_on(tmp_path: Path, server: ZeoServer, worker: ZeoWorker) -> None:
    with zeo_server(tmp_path / "two") as second:
        worker.connect(targets(server.address, second.address), within_s=LIMIT_S)
        history = isolate(worker)
    assert "not every client reads" in history.stopped
    assert {""} == {op.workload for op in history.operations}
    assert "pass" != judge(history).result


def test_nothing_is_begun_while_the_pause_file_is_there(server: ZeoServer, worker: ZeoWorker, tmp_path: Path) -> None:
    pause = tmp_path / "pause"
    pause.touch()
    worker.connect(targets(server.address, server.address), within_s=LIMIT_S)
    history = worker.matrix("main", within_s=3, pause_file=str(pause))
    assert "deadline" in history.stopped
    assert (0, ()) == (history.transactions, history.left)
    pause.unlink()
    assert "" == worker.matrix("main", within_s=LIMIT_S, pause_file=str(pause)).stopped


# --- what happens on the wire --------------------------------------------------------------------
#
# app2 is behind a proxy.  It hears of app1's and app3's first writes (1, 2), of their second ones (3, 4), and of the
# removal; its votes are its two writes, the one that is given up, and the conflict.

WIRE: dict[str, tuple[Fault, int, str, list[str]]] = {
    "nothing": ("", 0, "pass", []),
    "an object that it had read stays in its cache": ("drop", 3, "fail", ["stale read"]),
    "the newest commit is not known": ("drop", 4, "fail", ["acknowledged commit not seen"]),
    "one that comes late, after newer ones": ("delay", 3, "fail", ["stale read"]),
    "of an object that it never read: no harm": ("drop", 1, "pass", []),
    "twice: no harm": ("duplicate", 3, "pass", []),
    "two the wrong way round, before the fence: no harm": ("reorder", 3, "pass", []),
    "the answer to its first vote": ("cut", 1, "unknown", []),
    "the answer to its second vote": ("cut", 2, "unknown", []),
}


@pytest.mark.parametrize(("fault", "number", "result", "kinds"), WIRE.values(), ids=WIRE)
def test_a_fault_on_the_wire_is_named(
    fault: Fault, number: int, result: str, kinds: list[str], server: ZeoServer, worker: ZeoWorker
) -> None:
    with zeo_proxy(server.address, fault, number, delay_s=3) as between:
        worker.connect(targets(server.address, between.address, server.address), within_s=LIMIT_S)
        history = worker.matrix("main", within_s=LIMIT_S)
        assert between.done is bool(fault)
    verdict = judge(history)
    assert (result, kinds) == (verdict.result, [anomaly.kind for anomaly in verdict.anomalies])
    names = ["app1", "app2", "app3"]
    unseen = {pair.reader for pair in pairs(history, names, names) if pair.seen is False}
    assert unseen == ({"app2"} if kinds else set())
    if kinds:
        assert {"app2"} == {anomaly.sessions[0] for anomaly in verdict.anomalies}
    assert () == history.left
    assert not zeo.wait_until_free(server.address, "1", timeout_s=3)
    assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found


def test_one_storage_by_two_addresses_is_one(server: ZeoServer, worker: ZeoWorker) -> None:
    with zeo_proxy(server.address, "", 0) as between:
        worker.connect(targets(server.address, between.address), within_s=LIMIT_S)
        history = isolate(worker, duration_s=1)
    assert ("pass", "strong-si", ()) == (judge(history).result, judge(history).held, history.left)


def test_a_lost_invalidation_is_found_while_the_workloads_run(server: ZeoServer, worker: ZeoWorker) -> None:
    with zeo_proxy(server.address, "drop", 12) as between:
        worker.connect(targets(server.address, between.address, server.address), within_s=LIMIT_S)
        history = isolate(worker, "twins", "ring", duration_s=3)
        assert between.done
    verdict = judge(history)
    assert "fail" == verdict.result
    assert {"app2"} == {anomaly.sessions[0] for anomaly in verdict.anomalies}
    assert {"stale read", "acknowledged commit not seen"} >= {anomaly.kind for anomaly in verdict.anomalies}


# --- the commands --------------------------------------------------------------------------------


def test_isolation_and_recheck_of_running_clients(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "history"
    command = ["isolation", str(cluster.ini), "--duration", "2s", "--seed", "5", "--history", str(kept), "--no-state"]
    assert 0 == cli.main([*command, "-o", f"json:{tmp_path / 'report'}"])
    out = capsys.readouterr().out
    assert "seed 5" in out and "with readCurrent: serializable" in out
    report = json.loads((tmp_path / "report").read_text())
    assert ("isolation", "strong-si") == (report["run"]["command"], report["consistency"]["held"])
    assert 0 == report["consistency"]["receipt"]["left_behind"]
    recorded = loads(kept.read_text())
    assert ((), 5) == (recorded.faults, recorded.origin.seed)
    verdicts = {history.level: judge(history) for history in recorded.histories}
    assert ("pass", "strong-si") == (verdicts["zeo"].result, verdicts["zeo"].held)
    assert ("pass", "strong-session-si") == (verdicts["http"].result, verdicts["http"].held)
    assert 0 == cli.main(["recheck", str(kept)])
    assert "held: strong-session-si" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("told", "options"),
    [("did you mean 'bank'", ["--workloads", "bnk"]), ("no duration", ["--duration", "soon"])],
)
def test_wrong_usage(told: str, options: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ini = tmp_path / "clients.ini"
    ini.write_text("[cluster]\nname = x\n[client:a]\naddress = 127.0.0.1:1\n")
    assert 3 == cli.main(["isolation", str(ini), *options])
    assert told in capsys.readouterr().err
