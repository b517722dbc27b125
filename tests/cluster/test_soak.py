"""The long test of isolation: judged while it goes on, bounded in what it keeps, true however it ends."""

from __future__ import annotations

import itertools
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.proxies import zeo_proxy
from cluster.whole_runs import children_of, command, in_process
from cluster.zeo_servers import ZeoServer, zeo_server

from zcheck.commands.demo import HOST, Cluster
from zcheck.consistency.http import folder
from zcheck.consistency.http.client import Door, HttpTarget
from zcheck.consistency.http.names import folder_id
from zcheck.consistency.judge.isolation import judge
from zcheck.consistency.recording import writer
from zcheck.consistency.recording.format import header, loads
from zcheck.consistency.recording.writer import Tape
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.consistency.storage.workloads import WORKLOADS
from zcheck.facts import Client, HostPort, IniSection
from zcheck.facts.history import History
from zcheck.facts.lags import singly
from zcheck.facts.pairs import pairs

RUN = "soak"
LIMIT_S = 60.0
ORIGIN = writer.origin("test", RUN, 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZeoServer]:
    with zeo_server(tmp_path / "one") as running:
        yield running


@pytest.fixture
def worker() -> Iterator[ZeoWorker]:
    with ZeoWorker(RUN, timeout_s=5) as running:
        yield running


def soak(worker: ZeoWorker, path: Path, told: list[str], *workloads: str, duration_s: float = 4) -> History:
    writer.begin(str(path))
    history = worker.isolate(
        "main",
        duration_s=duration_s,
        workloads=workloads or tuple(WORKLOADS),
        seed=3,
        within_s=LIMIT_S,
        max_rate=500,
        tape=(str(path), header(ORIGIN, "zeo", "main")),
        window_s=0.5,
        tell=told.append,
    )
    writer.end(str(path), [history], ORIGIN)
    return history


def test_it_tells_the_verdict_so_far_and_keeps_little(server: ZeoServer, worker: ZeoWorker, tmp_path: Path) -> None:
    worker.connect([Target(name, "main", (server.address,)) for name in ("app1", "app2", "app3")], within_s=LIMIT_S)
    told: list[str] = []
    history = soak(worker, tmp_path / "history", told)
    verdict = judge(history)
    assert ("", "pass", "strong-si", True, ()) == (
        history.stopped,
        verdict.result,
        verdict.held,
        verdict.serializable,
        history.left,
    )
    assert len(told) >= 3
    assert all("no anomaly; held so far: strong-si" in line for line in told)
    assert len(history.operations) < 100 < verdict.operations
    # The file has all of it, and whoever judges that as a whole comes to the same.
    recorded = loads((tmp_path / "history").read_text())
    (whole,) = recorded.histories
    assert () == recorded.faults
    again = judge(whole)
    assert (verdict.operations, verdict.transactions, verdict.fenced_reads) == (
        again.operations,
        again.transactions,
        again.fenced_reads,
    )
    assert ("pass", "strong-si", True) == (again.result, again.held, again.serializable)
    assert sum(len(versions) for versions in (history.log or {}).values()) < sum(
        len(versions) for versions in (whole.log or {}).values()
    )
    assert () == worker.orphans(since_s=600, within_s=LIMIT_S).found


def test_a_fault_is_told_at_once_and_its_witnesses_are_kept(
    server: ZeoServer, worker: ZeoWorker, tmp_path: Path
) -> None:
    told: list[str] = []
    with zeo_proxy(server.address, "drop", 24) as between:
        addresses = {"app1": server.address, "app2": between.address, "app3": server.address}
        worker.connect([Target(name, "main", (one,)) for name, one in addresses.items()], within_s=LIMIT_S)
        history = soak(worker, tmp_path / "history", told, "twins", "ring")
        assert between.done
    verdict = judge(history)
    assert "fail" == verdict.result
    assert any("anomalies, the first: app2 read" in line for line in told)
    operations = singly(history).operations
    for anomaly in verdict.anomalies:
        assert anomaly.kind in ("stale read", "acknowledged commit not seen")
        assert "app2" == anomaly.sessions[0] == operations[anomaly.operations[0]].session
        assert set(anomaly.sessions) == {operations[place].session for place in anomaly.operations}
    assert "fail" == judge(loads((tmp_path / "history").read_text()).histories[0]).result


def doors(cluster: Cluster) -> list[HttpTarget]:
    return [
        HttpTarget(Client(name, HostPort(HOST, one.port), IniSection(f"client:{name}", 1), HOST))
        for name, one in cluster.clients.items()
    ]


def test_through_running_clients(cluster: Cluster, tmp_path: Path, worker: ZeoWorker) -> None:
    path = str(tmp_path / "history")
    host, _, port = cluster.zeo_address.rpartition(":")
    assert () == worker.connect([Target("app1", "main", (HostPort(host, int(port)),))], within_s=LIMIT_S)
    told: list[str] = []
    end = time.monotonic() + LIMIT_S
    writer.begin(path)
    history = folder.run(
        doors(cluster),
        user=cluster.user,
        password=cluster.password,
        run_id=RUN,
        before_write=lambda client: None,
        expect_transaction={},
        timeout_s=5,
        deadline=lambda: end - time.monotonic(),
        go_on_s=6,
        log=lambda after, containers: worker.versions(
            "main", folder_id(RUN), within_s=10, after=after, containers=containers
        ),
        tape=Tape(path, header(ORIGIN, "http", "main")),
        window_s=1,
        tell=told.append,
    )
    writer.end(path, [history], ORIGIN)
    verdict = judge(history)
    assert ("", "pass", "strong-session-si", ()) == (history.stopped, verdict.result, verdict.held, history.left)
    assert len(told) >= 3
    assert len(singly(history).operations) < verdict.operations
    names = list(cluster.clients)
    assert all(pair.seen for pair in pairs(history, names, names))
    recorded = loads(Path(path).read_text())
    assert () == recorded.faults
    again = judge(recorded.histories[0])
    assert (verdict.operations, verdict.transactions) == (again.operations, again.transactions)
    assert ("pass", "strong-session-si") == (again.result, again.held)


def test_a_write_that_is_interrupted_is_held_against_nobody(
    cluster: Cluster, worker: ZeoWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the client has saved, and before zcheck has written that down."""
    submit, count = Door.submit, itertools.count(1)

    def interrupted(self: Door, *arguments: Any, **options: Any) -> None:
        submit(self, *arguments, **options)
        if next(count) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(Door, "submit", interrupted)
    host, _, port = cluster.zeo_address.rpartition(":")
    worker.connect([Target("app1", "main", (HostPort(host, int(port)),))], within_s=LIMIT_S)
    history = folder.run(
        doors(cluster),
        user=cluster.user,
        password=cluster.password,
        run_id=RUN,
        before_write=lambda client: None,
        expect_transaction={},
        timeout_s=5,
        deadline=lambda: 30,
        go_on_s=30,
        log=lambda after, containers: worker.versions(
            "main", folder_id(RUN), within_s=10, after=after, containers=containers
        ),
    )
    verdict = judge(history)
    assert (("zcheck was interrupted",), ()) == (verdict.unknown, verdict.anomalies)
    assert ["info"] == [op.outcome for op in history.operations if op.writes and op.outcome != "ok"]
    assert () == history.left


# --- the command, ended by others ----------------------------------------------------------------


@pytest.fixture
def begun(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``zcheck isolation`` for an hour, running by now, with its history in ``tmp_path / "history"``."""
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> subprocess.Popen[str]:
        path = tmp_path / "history"
        wanted = ["isolation", cluster.ini, "--duration", "1h", "--history", path, "--no-state", *options]
        running = subprocess.Popen(
            command(*wanted), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/", start_new_session=True
        )
        started.append(running)
        until = time.monotonic() + LIMIT_S
        while not (path.exists() and path.stat().st_size > 20_000):
            assert time.monotonic() < until and running.poll() is None
            time.sleep(0.05)
        return running

    yield begin
    for running in started:
        running.kill()
        running.communicate(timeout=10)


@pytest.mark.parametrize(("level", "held"), [("zeo", "strong-si"), ("http", "strong-session-si")])
def test_ctrl_c_ends_it_with_a_true_report(
    begun: Callable[..., subprocess.Popen[str]], cluster: Cluster, tmp_path: Path, level: str, held: str
) -> None:
    running = begun("--level", level)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=LIMIT_S)
    assert 3 == running.returncode, out + err
    assert f"not known, for zcheck was interrupted; until then: {held}" in out
    assert "Traceback" not in out + err
    again = in_process("recheck", tmp_path / "history")
    assert (3, True) == (again.code, "zcheck was interrupted" in again.out)
    left = in_process("leftovers", cluster.ini)
    assert (0, "nothing was left behind\n") == (left.code, left.out)


def test_the_verdict_so_far_is_told_on_stderr(begun: Callable[..., subprocess.Popen[str]], cluster: Cluster) -> None:
    running = begun("--level", "zeo")
    assert running.stderr is not None
    first = running.stderr.readline()
    assert first.startswith("over ZEO, database main, ") and first.endswith("held so far: strong-si\n"), first
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=LIMIT_S)
    assert 3 == running.returncode


@pytest.mark.parametrize("level", ["zeo", "http"])
def test_a_killed_run_leaves_a_file_that_tells_so(
    begun: Callable[..., subprocess.Popen[str]], cluster: Cluster, tmp_path: Path, level: str
) -> None:
    running = begun("--level", level)
    children = children_of(running.pid)
    running.kill()
    running.communicate(timeout=LIMIT_S)
    until = time.monotonic() + LIMIT_S
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < until
        time.sleep(0.05)
    again = in_process("recheck", tmp_path / "history")
    assert 3 == again.code
    assert "the run that wrote it was killed" in again.out and "\nOK" not in again.out
    # It kept no state: for all that is known here it may be under way.
    assert 0 == in_process("leftovers", cluster.ini, "--remove", "--force").code
