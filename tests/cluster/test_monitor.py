"""``zcheck monitor`` on real clusters: nothing is written, what only seems well is named, and it answers in time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cluster.proxies import HOST, Proxy, proxy
from cluster.whole_runs import Outcome, by_command, commit_takes, in_process, unchanged
from patience import patient

from zcheck.commands.demo import Cluster, Server, ZeoSpec, specs
from zcheck.facts import HostPort

IN_TIME_S = 10.0
"""The time limit of a Nagios plug-in."""
LABELS = ["time", "clients", "pairs", "zeo_pairs", "lag_max", "critical", "warnings", "unknown"]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "zcheck"


def monitor(cluster: Cluster, *options: str, alone: bool = False) -> Outcome:
    kept = cluster.folder / "monitor.json"
    run = by_command if alone else in_process
    outcome = run("monitor", cluster.ini, "-o", f"json:{kept}", *options)
    line = outcome.out.splitlines()[0]
    assert LABELS == [part.partition("=")[0] for part in line.partition(" | ")[2].split()]
    assert outcome.seconds < patient(IN_TIME_S)
    if not kept.exists():
        return outcome
    told = json.loads(kept.read_text())
    kept.unlink()
    assert line.startswith(f"ZCHECK {told['verdict']['status']} - ")
    return msgspec.structs.replace(outcome, report=told)


@contextlib.contextmanager
def stopped(server: Server) -> Iterator[None]:
    """The process is there and does nothing."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def times_asked(cluster: Cluster, name: str) -> int:
    """How often the client was asked for what makes it ask its server."""
    return cluster.clients[name].access_log.read_text().count("manage_UndoForm")


def test_a_healthy_cluster_is_ok_and_not_a_byte_is_written(cluster: Cluster) -> None:
    asked = times_asked(cluster, "app1")
    with unchanged(cluster.main_zeo.data_fs()):
        outcome = monitor(cluster, alone=True)
    assert (0, []) == (outcome.code, outcome.told)
    assert 1 == times_asked(cluster, "app1") - asked


def test_preflight_that_is_read_only_writes_not_a_byte(cluster: Cluster) -> None:
    with unchanged(cluster.main_zeo.data_fs()):
        outcome = in_process("preflight", cluster.ini, "--read-only")
    assert 0 == outcome.code


def test_without_a_state_folder_no_client_is_made_to_ask(cluster: Cluster) -> None:
    asked = times_asked(cluster, "app1")
    assert 0 == monitor(cluster, "--no-state").code
    assert asked == times_asked(cluster, "app1")


def test_its_own_defaults_win_over_what_preflight_is_told(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZCHECK_DEADLINE", "600")
    monkeypatch.setenv("ZCHECK_READ_ONLY", "no")
    monkeypatch.setenv("ZCHECK_OUTPUT", "json")
    with unchanged(cluster.main_zeo.data_fs()):
        assert 0 == monitor(cluster).code


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["monitor"], "credentials-are-private"),
        (["preflight", "--read-only"], "credentials-are-private"),
        (["preflight"], "edits-are-seen-everywhere"),
    ],
    ids=" ".join,
)
def test_a_password_that_cannot_be_had_is_told_once(cluster: Cluster, options: list[str], told: str) -> None:
    ini = cluster.folder / "no-password.ini"
    ini.write_text(re.sub(r"(?m)^password-file = .*$", "password-env = NOT_SET_ANYWHERE", cluster.ini.read_text()))
    kept = cluster.folder / "no-password.json"
    run = in_process(*options, ini, "-o", f"json:{kept}")
    findings = json.loads(kept.read_text())["findings"]
    assert (3, [told]) == (run.code, [one["check"] for one in findings if one["severity"] == "UNKNOWN"])
    (finding,) = [one for one in findings if one["check"] == told]
    assert "set NOT_SET_ANYWHERE where zcheck runs" in finding["hint"]


def test_a_password_that_cannot_be_had_is_no_pass_for_who_needs_it(cluster: Cluster) -> None:
    ini = cluster.folder / "no-password.ini"
    ini.write_text(re.sub(r"(?m)^password-file = .*$", "password-env = NOT_SET_ANYWHERE", cluster.ini.read_text()))
    assert 3 == in_process("preflight", ini, "--read-only", "--only", "identity").code
    # The files are judged without it: a repository holds none.
    assert 0 == in_process("preflight", ini, "--offline").code


def test_what_cannot_be_read_is_told_on_stdout_as_well(tmp_path: Path) -> None:
    outcome = in_process("monitor", tmp_path / "missing.ini")
    assert 3 == outcome.code
    assert outcome.out.startswith("ZCHECK UNKNOWN - ")
    assert "No such file" in outcome.out and "No such file" in outcome.err


@pytest.fixture
def behind_a_proxy(make_cluster: Callable[..., Cluster]) -> Iterator[tuple[Cluster, Proxy]]:
    """app2 reaches its ZEO server through a proxy; its zope.conf on disk names the server itself."""
    cluster = make_cluster(2, start=False)
    with proxy(HostPort(HOST, cluster.main_zeo.port)) as between:
        client = cluster.clients["app2"]
        client.spec = msgspec.structs.replace(client.spec, server=str(between.address), told_zeo="main")
        cluster.start()
        client.spec = msgspec.structs.replace(client.spec, server=None)
        client.write_conf(cluster.main_zeo)
        # Not what is examined here: the file is as old as the process.
        os.utime(client.zope_conf, (time.time() - 3600,) * 2)
        yield cluster, between


def test_a_half_open_client_is_named_and_asked_once(behind_a_proxy: tuple[Cluster, Proxy]) -> None:
    cluster, between = behind_a_proxy
    assert [] == [one for one in monitor(cluster).told if one[1] != "database-locations-agree"]
    between.swallow_answers.set()
    asked = times_asked(cluster, "app1"), times_asked(cluster, "app2")
    first, again = monitor(cluster), monitor(cluster)
    assert ("CRITICAL", "client-is-connected-to-zeo", ("app2",)) in first.told
    assert ["client-is-connected-to-zeo"] == first.of("CRITICAL")
    assert ("CRITICAL", "client-is-connected-to-zeo", ("app2",)) in again.told, "nothing has proven it well since"
    # It is logged when it is answered, which for app2 is never.
    assert (2, 0) == (times_asked(cluster, "app1") - asked[0], times_asked(cluster, "app2") - asked[1])
    between.swallow_answers.clear()


def test_a_client_on_a_copy_is_named_once_somebody_has_saved(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(specs(3, last={"zeo": "copy", "told_zeo": "main"}), zeo=[ZeoSpec(), ZeoSpec(name="copy")])
    commit_takes(cluster)
    with unchanged(cluster.main_zeo.data_fs()), unchanged(cluster.zeo["copy"].data_fs()):
        outcome = monitor(cluster)
    assert ["every-database-is-one"] == outcome.of("CRITICAL")
    assert "app3" in outcome.finding("every-database-is-one")["clients"]
    assert "zeo-sees-every-client" in outcome.of("WARNING")


FAULTS: dict[str, tuple[Callable[[Cluster], Any], str]] = {
    "a client is stopped": (lambda cluster: stopped(cluster.clients["app2"]), "client-serves-http"),
    "the ZEO server is stopped": (lambda cluster: stopped(cluster.main_zeo), "zeo-server-answers"),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS)
def test_whatever_hangs_it_answers_in_time(
    fault: Callable[[Cluster], Any], expected: str, make_cluster: Callable[..., Cluster]
) -> None:
    cluster = make_cluster(2)
    with fault(cluster):
        outcome = monitor(cluster, alone=True)
    assert [expected] == outcome.of("CRITICAL")
    assert 2 == outcome.code
