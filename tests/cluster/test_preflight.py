"""The whole tool on real clusters: healthy ones pass, broken ones are found and named, and nothing is harmed.

What is expected here is what the documents promise, not what the code does.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cluster.proxies import Proxy, listener, proxy, saying
from cluster.whole_runs import (
    Contents,
    Outcome,
    assert_only_ours,
    by_command,
    children_of,
    command,
    commit_takes,
    in_process,
    lock_and_connections,
    preflight,
    unchanged,
    write_ini,
)
from patience import patient

from zcheck.commands.demo import HOST, ClientSpec, Cluster, ZeoSpec, specs
from zcheck.facts import HostPort

ALL = ("app1", "app2", "app3")
ALL_PROVEN = (6, 6, 6)
LEVELS = ("http", "zeo")


def healthy(outcome: Outcome, pairs: tuple[int, int, int] = ALL_PROVEN) -> None:
    """Judged OK, with nothing told but ADVICE, and with everything proven."""
    assert outcome.told == []
    assert (0, "OK", pairs) == (outcome.code, outcome.status, outcome.counts)
    assert outcome.err == ""


# --- a healthy cluster ----------------------------------------------------------------------------


def test_a_healthy_cluster_is_ok_and_untouched(cluster: Cluster) -> None:
    data = cluster.main_zeo.data_fs()
    before, state = Contents.of(data), lock_and_connections(cluster)
    outcome = preflight(cluster, alone=True)
    healthy(outcome)
    assert {"ADVICE"} == {finding["severity"] for finding in outcome.report["findings"]}
    assert {True} == {seen for level in LEVELS for seen in outcome.pairs(level).values()}
    assert (6, 6) == (len(outcome.pairs("http")), len(outcome.pairs("zeo")))
    assert "6 of 6 pairs proven through the running clients, 6 of 6 over ZEO" in outcome.out.splitlines()[-1]
    assert outcome.seconds < patient(15)
    after = Contents.of(data)
    assert_only_ours(before, after, [outcome.report["run"]["id"]])
    written = len(after.transactions) - len(before.transactions)
    assert written > 0
    assert (written, 0) == (
        outcome.report["consistency"]["receipt"]["transactions"],
        outcome.report["consistency"]["receipt"]["left_behind"],
    )
    assert [] == [data for oid, data in after.current.items() if data and b"zcheck run=" in data]
    assert state == lock_and_connections(cluster)


@pytest.mark.parametrize("options", [[], ["--no-state"]], ids=["", "no-state"])
def test_a_run_leaves_no_process_and_no_file(cluster: Cluster, tmp_path: Path, options: list[str]) -> None:
    """But what the state folder is for: the last good facts, which hold no secret."""
    here = sorted(str(path.relative_to(cluster.folder)) for path in cluster.folder.glob("*"))
    mine = set(children_of(os.getpid()))
    homes = {"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = by_command("preflight", cluster.ini, *options, env=homes)
    assert 0 == done.code, done.out
    assert set() == set(children_of(os.getpid())) - mine
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"good"} >= {path.parent.name for path in left}
    assert [] == (left if options else [path for path in left if cluster.password in path.read_text()])
    assert here == sorted(str(path.relative_to(cluster.folder)) for path in cluster.folder.glob("*"))


def test_ten_runs_in_a_row_are_ok(cluster: Cluster) -> None:
    for number in range(10):
        outcome = preflight(cluster)
        assert [] == outcome.told, f"run {number}"
        assert (0, ALL_PROVEN) == (outcome.code, outcome.counts), f"run {number}"
        assert outcome.report["run"]["duration_s"] <= outcome.seconds + 0.5


def test_three_spellings_of_one_server_are_no_finding(cluster: Cluster) -> None:
    """The fixture's clients write the server as ``localhost:P``, ``127.0.0.1:P`` and ``P``."""
    port = cluster.main_zeo.port
    spellings = [f"server {way}\n" for way in (f"localhost:{port}", f"127.0.0.1:{port}", port)]
    assert all(
        way in client.zope_conf.read_text() for way, client in zip(spellings, cluster.clients.values(), strict=True)
    )
    outcome = preflight(cluster)
    healthy(outcome)
    assert "are one server" in outcome.out


def test_names_of_the_hosts_section_are_known(make_cluster: Callable[..., Cluster]) -> None:
    named = make_cluster(3)
    port = named.main_zeo.port
    for name, server in zip(ALL, ("db.example", "127.0.0.1", "zeo.example"), strict=True):
        # The running client needs no such name: clients.ini alone knows it.
        conf = named.clients[name].zope_conf
        lines = [line for line in conf.read_text().splitlines() if not line.strip().startswith("server ")]
        at = lines.index("  <zeoclient>") + 1
        conf.write_text("\n".join([*lines[:at], f"    server {server}:{port}", *lines[at:], ""]))
        # That it was written after the start is another test's business.
        os.utime(conf, (time.time() - 3600,) * 2)
    ini = write_ini(
        named,
        "names",
        instead={"app2": {"address": f"two.example:{named.clients['app2'].port}"}},
        more="[hosts]\ndb.example = 127.0.0.1\nzeo.example = 127.0.0.1\ntwo.example = 127.0.0.1\n",
    )
    healthy(preflight(ini))


def test_an_ipv6_loopback_is_an_address_like_any(cluster: Cluster) -> None:
    """A client that is reached by its IPv6 address, through a listener that passes it on."""
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("there is no IPv6 loopback here")
    with _six_to_four(cluster.clients["app2"].port) as port:
        ini = write_ini(cluster, "six", instead={"app2": {"connect": f"[::1]:{port}"}})
        healthy(preflight(ini))


@contextlib.contextmanager
def _six_to_four(target: int) -> Iterator[int]:
    server = socket.create_server(("::1", 0), family=socket.AF_INET6)

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = server.accept()
                other = socket.create_connection((HOST, target), 5)
                for ends in ((peer, other), (other, peer)):
                    threading.Thread(target=carry, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        # Closing alone would leave the accepting thread where it is.
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()


def test_a_client_without_a_zope_conf_at_hand_is_proven_all_the_same(cluster: Cluster) -> None:
    outcome = preflight(write_ini(cluster, "one-without", instead={"app2": {"zope-conf": ""}}))
    healthy(outcome, (6, 2, 6))
    assert "clients.ini names no zope-conf for it" == outcome.skipped_for("app2")["zope-conf-parses"]


def test_without_any_zope_conf_the_running_clients_carry_the_proof(cluster: Cluster) -> None:
    healthy(preflight(write_ini(cluster, "none", without=["zope-conf"], pinned=False)), (6, 0, 6))


def test_without_any_zope_conf_a_pinned_cluster_is_proven_too(cluster: Cluster) -> None:
    """By what zcheck itself writes on the pinned server: the clients' own servers have to list it."""
    before = Contents.of(cluster.main_zeo.data_fs())
    healthy(preflight(write_ini(cluster, "none-pinned", without=["zope-conf"])), (6, 0, 6))
    assert_only_ours(before, Contents.of(cluster.main_zeo.data_fs()))


@pytest.mark.parametrize("value", ["no", "No", "false"])
def test_plain_http_may_be_said(cluster: Cluster, value: str) -> None:
    healthy(preflight(write_ini(cluster, "plain", instead={"app1": {"tls": value}}), "--read-only"), (0, 0, 6))


def test_tls_where_there_is_none_is_told(cluster: Cluster) -> None:
    outcome = preflight(write_ini(cluster, "tls", instead={"app3": {"tls": "yes"}}))
    assert [("CRITICAL", "client-serves-http", ("app3",))] == outcome.told
    assert (2, 6, 6) == outcome.counts


def test_two_runs_at_the_same_time_are_both_ok(cluster: Cluster) -> None:
    before = Contents.of(cluster.main_zeo.data_fs())
    runs = [_start(cluster.ini, "-o", "nagios") for _ in range(3)]
    told = [run.communicate(timeout=60) for run in runs]
    assert [0, 0, 0] == [run.returncode for run in runs], told
    assert_only_ours(before, Contents.of(cluster.main_zeo.data_fs()))


def _start(ini: Path, *options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("preflight", ini, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
    )


_WRITE_ALL_THE_TIME = """
import sys, time
from ZEO.ClientStorage import ClientStorage
from ZODB.Connection import TransactionMetaData
from ZODB.utils import z64
storage = ClientStorage(("127.0.0.1", int(sys.argv[1])), wait_timeout=10)
oid, serial = storage.new_oid(), z64
print("writing", flush=True)
while True:
    transaction = TransactionMetaData("another", "an ordinary edit")
    storage.tpc_begin(transaction)
    storage.store(oid, serial, b"x" * 2000, "", transaction)
    storage.tpc_vote(transaction)
    serial = storage.tpc_finish(transaction)
"""


@contextlib.contextmanager
def others_write(cluster: Cluster, count: int = 3) -> Iterator[None]:
    """So many other clients of the ZEO server commit one after the other, as fast as they can."""
    arguments = [sys.executable, "-c", _WRITE_ALL_THE_TIME, str(cluster.main_zeo.port)]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd="/") for _ in range(count)]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == b"writing\n"
        yield
    finally:
        for process in running:
            process.kill()
            process.wait(10)


def test_a_cluster_under_load_is_ok(make_cluster: Callable[..., Cluster]) -> None:
    busy = make_cluster(3)
    with others_write(busy):
        for _ in range(3):
            healthy(preflight(busy))


# --- what was asked for is what is done ------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--read-only"], id="read-only"),
        pytest.param(["--read-only", "--skip", "config"], id="read-only without config"),
        pytest.param(["--offline"], id="offline"),
        pytest.param(["--only", "inventory,config"], id="only files"),
        pytest.param(["--only", "reach", "--only", "identity"], id="only reach and identity"),
        pytest.param(["--skip", "consistency"], id="skip consistency"),
    ],
)
def test_a_run_that_is_not_to_write_writes_nothing(cluster: Cluster, options: list[str]) -> None:
    with unchanged(cluster.main_zeo.data_fs()):
        outcome = preflight(cluster, *options)
    healthy(outcome, (0, 0, 6))
    plan = in_process("plan", cluster.ini, *options)
    assert "WILL write" not in plan.out
    assert 0 == plan.code


def test_the_plan_names_what_is_written(cluster: Cluster) -> None:
    with unchanged(cluster.main_zeo.data_fs()):
        plan = in_process("plan", cluster.ini)
    assert f"this WILL write to 127.0.0.1:{cluster.main_zeo.port}, storage 1" in plan.out
    assert "this WILL write through the running clients, as user admin" in plan.out


def test_offline_opens_no_socket(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: object, **more: object) -> Any:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    healthy(preflight(cluster, "--offline"), (0, 0, 6))


def test_only_and_skip_choose_the_checks(cluster: Cluster) -> None:
    only = preflight(cluster, "--only", "client-port-answers")
    assert (["client-port-answers"], 1) == (
        [one["check"] for one in only.report["checks"] if one["outcome"] == "pass"],
        only.report["coverage"]["checks_run"],
    )
    skipped = preflight(cluster, "--skip", "client-port-answers", "--read-only")
    assert ("skipped", "left out by --skip") == (
        skipped.outcome("client-port-answers"),
        skipped.because("client-port-answers"),
    )
    healthy(skipped, (0, 0, 6))


@pytest.mark.parametrize(("expected", "level"), [(1, "advice"), (0, "warning"), (0, "critical")])
def test_fail_on_moves_the_exit_code_alone(cluster: Cluster, expected: int, level: str) -> None:
    outcome = preflight(cluster, "--fail-on", level, "--read-only")
    assert (expected, "OK") == (outcome.code, outcome.status)


def test_one_format_to_stdout_and_any_number_to_files(cluster: Cluster, tmp_path: Path) -> None:
    nagios, text = tmp_path / "n.txt", tmp_path / "t.txt"
    done = in_process("preflight", cluster.ini, "-o", "json", "-o", f"nagios:{nagios}", "-o", f"text:{text}")
    assert 0 == done.code
    assert done.out.startswith("{")
    (line, *_) = nagios.read_text().splitlines()
    assert line.startswith("ZCHECK OK - demo: 3 clients, 6 of 6 pairs proven | time=")
    labels = [one.partition("=")[0] for one in line.partition(" | ")[2].split()]
    assert ["time", "clients", "pairs", "zeo_pairs", "lag_max", "critical", "warnings", "unknown"] == labels
    assert text.read_text().splitlines()[-1].startswith("OK: ")
    assert 3 == in_process("preflight", cluster.ini, "-o", "json", "-o", "text").code


def test_quiet_tells_the_verdict_alone_and_the_verdict_is_the_last_line(cluster: Cluster) -> None:
    quiet = in_process("preflight", cluster.ini, "-q", "--read-only")
    assert 1 == len(quiet.out.splitlines())
    loud = in_process("preflight", cluster.ini, "-v", "--timings", "--read-only")
    assert loud.out.splitlines()[-1].startswith("OK: ")
    assert "ask every client and server" in loud.out


def test_a_deadline_that_is_too_short_is_unknown_and_kept(cluster: Cluster) -> None:
    state = lock_and_connections(cluster)
    before = Contents.of(cluster.main_zeo.data_fs())
    for deadline in (0.05, 0.3, 0.6):
        outcome = preflight(cluster, "--deadline", deadline)
        assert outcome.seconds < patient(deadline + 2)
        assert [] == outcome.of("CRITICAL") + outcome.of("WARNING"), deadline
        assert (3 if outcome.told else 0) == outcome.code
    assert state == lock_and_connections(cluster)
    after = Contents.of(cluster.main_zeo.data_fs())
    assert before.reachable.keys() == after.reachable.keys()
    assert 0 == in_process("leftovers", cluster.ini, "--remove").code


class Delayed(Proxy):
    """A proxy whose server's bytes arrive ``delay_s`` late, in order."""

    delay_s = 0.0

    def _carry(self, source: socket.socket, sink: socket.socket, lose: threading.Event, *, count: bool) -> None:
        if count:
            super()._carry(source, sink, lose, count=count)
            return
        waiting: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

        def send() -> None:
            with contextlib.suppress(OSError):
                while True:
                    at, data = waiting.get()
                    time.sleep(max(0.0, at - time.monotonic()))
                    if not data:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    sink.sendall(data)

        threading.Thread(target=send, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                waiting.put((time.monotonic() + self.delay_s, data))
        waiting.put((time.monotonic(), b""))


def test_a_client_that_hears_late_is_no_fault_and_our_own_deadline_is_held_against_nobody(
    make_cluster: Callable[..., Cluster],
) -> None:
    planned = make_cluster(3, start=False)
    between = Delayed(HostPort(HOST, planned.main_zeo.port))
    try:
        planned.clients["app3"].spec = ClientSpec(name="app3", server=str(between.address))
        planned.start()
        planned.clients["app3"].spec = ClientSpec(name="app3")
        planned.clients["app3"].write_conf(planned.main_zeo)
        between.delay_s = 0.2
        left_out = ["--skip", "database-locations-agree,propagation-is-quick,client-restarted-since-edit"]
        healthy(preflight(planned, *left_out))
        between.delay_s = 0.8
        for deadline in (1.2, 2.4, 3.6):
            for order in (ALL, ORDERS["first"]):
                ini = write_ini(planned, "late", order)
                outcome = preflight(ini, *left_out, "--deadline", deadline, "--no-state")
                assert [] == outcome.of("CRITICAL"), (deadline, order, outcome.findings)
                assert 3 == outcome.code
                # A write that was sent is waited for: to let go of it would help nobody.
                assert outcome.seconds < deadline + 6
    finally:
        planned.stop()
        between.close()


def test_a_zope_conf_that_is_not_there_is_one_finding(cluster: Cluster) -> None:
    ini = write_ini(cluster, "path", instead={"app2": {"zope-conf": "app2/zope.conf"}})
    outcome = preflight(ini)
    assert (3, [("UNKNOWN", "zope-conf-parses", ("app2",))]) == (outcome.code, outcome.told)
    because = outcome.skipped_for("app2")
    assert {"zope-conf-parses"} == {because[check] for check in ("zeo-server-answers", "client-restarted-since-edit")}
    assert "correct zope-conf of [client:app2]" in outcome.finding("zope-conf-parses")["hint"]


# --- credentials ---------------------------------------------------------------------------------------

OF_THE_PANEL = ("client-is-connected-to-zeo", "database-locations-agree")


def test_no_credentials_is_one_unknown_with_its_remedy(cluster: Cluster) -> None:
    ini = write_ini(cluster, "nobody", without=["user", "password-file"])
    outcome = preflight(ini)
    assert [("UNKNOWN", "edits-are-seen-everywhere", ALL)] == outcome.told
    assert (3, (0, 6, 6)) == (outcome.code, outcome.counts)
    assert "user and password-file" in outcome.finding("edits-are-seen-everywhere")["hint"]
    assert ["skipped"] * 3 == [outcome.outcome(check) for check in ("client-accepts-writes", *OF_THE_PANEL)]
    healthy(preflight(ini, "--skip", "edits-are-seen-everywhere"), (0, 6, 6))
    healthy(preflight(ini, "--read-only"), (0, 0, 6))


@pytest.mark.parametrize("options", [[], ["--read-only"]], ids=["", "read-only"])
def test_a_wrong_password_is_unknown_and_nobodys_fault(cluster: Cluster, options: list[str]) -> None:
    wrong = cluster.folder / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("open-sesame-4711\n")
    ini = write_ini(cluster, "wrong", without=["password-file"], cluster_lines=["password-file = wrong"])
    outcome = preflight(ini, *options)
    assert (3, "UNKNOWN") == (outcome.code, outcome.status)
    assert [("UNKNOWN", "client-is-connected-to-zeo", ALL)] == outcome.told
    (finding,) = outcome.findings
    assert (
        "of app1, app2, app3 cannot be read: the user is not known there, or the password is wrong"
        in finding["message"]
    )
    assert "role Manager" in finding["hint"]
    assert [(str(ini), "password-file = wrong")] == [
        (place["file"], ini.read_text().splitlines()[place["line"] - 1]) for place in finding["places"]
    ]
    assert "open-sesame" not in outcome.out + outcome.err + str(outcome.report)


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ("", ["--skip", "client-is-connected-to-zeo"]),
        ("[suppress:it]\ncheck = client-is-connected-to-zeo\nreason = a trial", []),
    ],
    ids=["left out", "suppressed"],
)
def test_a_wrong_password_is_told_whoever_may_not_tell_it(cluster: Cluster, more: str, options: list[str]) -> None:
    lines = ["password-env = ZCHECK_TEST_NO_PASSWORD"]
    ini = write_ini(cluster, "wrong-told", without=["password-file"], cluster_lines=lines, more=more)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ZCHECK_TEST_NO_PASSWORD", "open-sesame-4711")
        outcome = preflight(ini, *options)
    assert (3, "UNKNOWN") == (outcome.code, outcome.status)
    assert "client-accepts-writes" in outcome.of("UNKNOWN")


def test_a_password_file_that_is_missing_is_unknown(cluster: Cluster) -> None:
    ini = write_ini(cluster, "missing", without=["password-file"], cluster_lines=["password-file = nowhere"])
    outcome = preflight(ini)
    assert (3, "UNKNOWN", (0, 6, 6)) == (outcome.code, outcome.status, outcome.counts)
    assert {"UNKNOWN"} == {severity for severity, _, _ in outcome.told}
    assert all("No such file" in finding["message"] for finding in outcome.findings)


def test_a_user_without_rights_is_told_from_a_wrong_password(make_cluster: Callable[..., Cluster]) -> None:
    two = make_cluster(2)
    _add_user(two, "guest", "guest-pass-31337", ["Authenticated"])
    (two.folder / "guest").touch(mode=0o600)
    (two.folder / "guest").write_text("guest-pass-31337\n")
    lines = ["user = guest", "password-file = guest"]
    outcome = preflight(write_ini(two, "guest", without=["user", "password-file"], cluster_lines=lines))
    assert (3, {"UNKNOWN"}) == (outcome.code, {severity for severity, _, _ in outcome.told})
    assert any("lacks the permission" in finding["message"] for finding in outcome.findings)
    assert "guest-pass" not in outcome.out + outcome.err + str(outcome.report)


def _add_user(cluster: Cluster, name: str, password: str, roles: Sequence[str]) -> None:
    import requests

    client = next(iter(cluster.clients.values()))
    form = {"name": name, "password": password, "confirm": password, "roles:list": list(roles), "submit": "Add"}
    answer = requests.post(
        f"{client.url}/acl_users/manage_users", data=form, auth=(cluster.user, cluster.password), timeout=10
    )
    assert answer.ok


# --- secrets -----------------------------------------------------------------------------------------


def test_the_password_is_in_no_output_and_in_no_command_line(cluster: Cluster, tmp_path: Path) -> None:
    state = tmp_path / "state"
    outputs = [tmp_path / name for name in ("text", "nagios", "json")]
    options = [f"-o{path.name}:{path}" for path in outputs]
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    running = subprocess.Popen(
        command("preflight", cluster.ini, "--timings", "-v", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=environment,
    )
    seen: set[str] = set()
    journals: set[str] = set()
    while running.poll() is None:
        for pid in (running.pid, *children_of(running.pid)):
            for what in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    seen.add(Path(f"/proc/{pid}/{what}").read_bytes().decode("utf-8", "replace"))
        for kept in state.rglob("*.json*"):
            with contextlib.suppress(OSError):
                journals.add(kept.read_text())
        time.sleep(0.01)
    out, err = running.communicate(timeout=10)
    told = "".join([out, err, *(path.read_text() for path in outputs), *seen, *journals])
    assert 0 == running.returncode, out
    assert "client-port-answers" in told
    assert any("zcheck" in line for line in seen)
    assert cluster.password not in told


def test_the_password_is_in_no_message_of_a_broken_run(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash of zcheck itself tells where, and never what was in its hands."""
    from zcheck.consistency.http import folder as level

    def crash(*arguments: object, password: str, **more: object) -> Any:
        raise ValueError(f"cannot work with {password}")

    monkeypatch.setattr(level, "run", crash)
    outcome = in_process("preflight", cluster.ini)
    assert 3 == outcome.code
    assert "ValueError" in outcome.err
    assert cluster.password not in outcome.out + outcome.err


def test_a_password_within_clients_ini_is_never_told(cluster: Cluster) -> None:
    ini = write_ini(
        cluster, "inline", without=["password-file"], cluster_lines=[f"password = {cluster.password}"], more="[bogus]\n"
    )
    refused = in_process("preflight", ini)
    assert 3 == refused.code
    assert cluster.password not in refused.out + refused.err
    ini = write_ini(cluster, "inline", without=["password-file"], cluster_lines=[f"password = {cluster.password}"])
    ini.chmod(0o644)
    outcome = preflight(ini)
    assert [("WARNING", "credentials-are-private", ALL)] == outcome.told
    assert cluster.password not in outcome.out + outcome.err + str(outcome.report)


# --- one client is down ------------------------------------------------------------------------------


def test_one_client_down_is_one_finding_and_the_others_are_proven(make_cluster: Callable[..., Cluster]) -> None:
    three = make_cluster(specs(3, last={"running": False}))
    for order in (ALL, ("app3", "app1", "app2"), ("app1", "app3", "app2")):
        outcome = preflight(write_ini(three, "order", order))
        assert [("CRITICAL", "client-port-answers", ("app3",))] == outcome.told
        assert (2, (2, 6, 6)) == (outcome.code, outcome.counts)
        assert outcome.pairs("http")["app1", "app2"] is outcome.pairs("http")["app2", "app1"] is True
        explained = outcome.skipped_for("app3")
        live = (
            "client-serves-http",
            "client-accepts-writes",
            "edits-are-seen-everywhere",
            "client-is-connected-to-zeo",
        )
        assert {"client-port-answers"} == {explained[check] for check in live}
        assert "2 of 3 clients serve" in outcome.report["verdict"]["impact"]
        assert str(three.clients["app3"].port) in outcome.finding("client-port-answers")["message"]
    alone = preflight(write_ini(three, "two", ("app3", "app1")))
    assert [("CRITICAL", "client-port-answers", ("app3",))] == alone.told
    assert (2, (0, 2, 2)) == (alone.code, alone.counts)


def test_a_port_that_says_nothing_or_no_http(cluster: Cluster) -> None:
    with listener(saying(b"")) as silent, listener(saying(b"220 mail ESMTP\r\n")) as mail:
        for strange in (silent, mail):
            ini = write_ini(cluster, "strange", instead={"app2": {"connect": str(strange.address)}})
            outcome = preflight(ini, "--timeout", "1")
            assert [("CRITICAL", "client-serves-http", ("app2",))] == outcome.told
            assert (2, 6, 6) == outcome.counts
            assert outcome.seconds < patient(15)


def test_all_clients_down(make_cluster: Callable[..., Cluster]) -> None:
    two = make_cluster(specs(2, every={"running": False}))
    outcome = preflight(two)
    assert (2, {"client-port-answers"}) == (outcome.code, set(outcome.of("CRITICAL")))
    assert outcome.of("UNKNOWN") == []
    assert "0 of 2 clients serve" in outcome.report["verdict"]["impact"]
    assert outcome.seconds < patient(10)


# --- the ZEO server ----------------------------------------------------------------------------------


def _web_server(port: int) -> http.server.ThreadingHTTPServer:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

    server = http.server.ThreadingHTTPServer((HOST, port), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_a_zeo_server_that_is_stopped_down_or_none_is_one_finding(make_cluster: Callable[..., Cluster]) -> None:
    three = make_cluster(3)
    port = three.main_zeo.port
    healthy(preflight(three))

    def told_once(words: str, limit_s: float) -> None:
        outcome = preflight(three, "--timeout", "2")
        assert [("CRITICAL", "zeo-server-answers", ALL)] == outcome.told
        assert (2, (0, 0, 6)) == (outcome.code, outcome.counts)
        assert words in outcome.findings[0]["message"]
        assert str(port) in outcome.findings[0]["message"]
        assert "nobody can save through app1, app2, app3" in outcome.report["verdict"]["impact"]
        assert outcome.seconds < patient(limit_s)

    pid = three.main_zeo.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        told_once("silent", 15)
        short = preflight(three, "--deadline", "2")
        assert short.code in (2, 3)
        assert short.seconds < patient(4)
    finally:
        os.kill(pid, signal.SIGCONT)
    # What was in the way is gone: the next run finds nothing, and remembers nothing.
    _until(lambda: preflight(three).code == 0, 20)
    three.stop_zeo()
    told_once("refuses connections", 10)
    web = _web_server(port)
    try:
        told_once("HTTP", 10)
    finally:
        web.shutdown()
        web.server_close()
    three.start_zeo()
    for name in ALL:
        # A client that lost its server tries again later and later.
        three.restart_client(name)
    healthy(preflight(three))


def _until(happens: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


@pytest.mark.parametrize("after_s", [0.3, 0.6, 0.9])
def test_a_zeo_server_that_dies_during_the_run(make_cluster: Callable[..., Cluster], after_s: float) -> None:
    two = make_cluster(2)
    killer = threading.Timer(after_s, two.main_zeo.kill)
    killer.start()
    outcome = preflight(two, "--timeout", "2", "--deadline", "20", alone=True)
    killer.join()
    assert outcome.code in (0, 2, 3), outcome.out
    assert outcome.seconds < patient(25)
    if outcome.code == 0:
        pytest.skip("the run was over before the server died")
    assert outcome.counts != (2, 2, 2)
    assert "WARNING" != outcome.status
    assert "internal error" not in outcome.err
    assert "Traceback" not in outcome.out + outcome.err


# --- a lock that is held -------------------------------------------------------------------------------

_VOTE_AND_WAIT = """
import sys, time
from ZEO.ClientStorage import ClientStorage
from ZODB.Connection import TransactionMetaData
from ZODB.utils import z64
storage = ClientStorage(("127.0.0.1", int(sys.argv[1])), wait_timeout=10)
transaction = TransactionMetaData("another", "stopped between vote and finish")
storage.tpc_begin(transaction)
storage.store(storage.new_oid(), z64, b"never committed", "", transaction)
storage.tpc_vote(transaction)
print("voted", flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def lock_is_held(cluster: Cluster) -> Iterator[None]:
    """Another client voted and was stopped before it finished."""
    arguments = [sys.executable, "-c", _VOTE_AND_WAIT, str(cluster.main_zeo.port)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd="/")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"voted\n"
        os.kill(process.pid, signal.SIGSTOP)
        yield
    finally:
        process.kill()
        process.wait(10)


def test_a_commit_lock_that_is_held_is_told_and_nothing_is_written(make_cluster: Callable[..., Cluster]) -> None:
    three = make_cluster(3)
    with lock_is_held(three):
        with unchanged(three.main_zeo.data_fs()):
            for options in ([], ["--read-only"]):
                outcome = preflight(three, "--timeout", "2", *options)
                assert ["zeo-commit-lock-is-free"] == outcome.of("CRITICAL")
                assert (2, (0, 0, 6)) == (outcome.code, outcome.counts)
                assert set(ALL) == set(outcome.finding("zeo-commit-lock-is-free")["clients"])
                assert outcome.seconds < patient(20)
        waiting = [c for c in three.clients.values() if "POST" in c.access_log.read_text()]
        assert [] == waiting, "no client was asked to write"
    assert commit_takes(three) < 1
    healthy(preflight(three))


# --- the cluster is split -----------------------------------------------------------------------------

ORDERS = {
    "last": ("app1", "app2", "app3"),
    "first": ("app3", "app1", "app2"),
    "middle": ("app1", "app3", "app2"),
    "second of two": ("app1", "app3"),
    "first of two": ("app3", "app1"),
}
TWO = (ZeoSpec(), ZeoSpec(name="copy"))


def blames_nobody_wrongly(outcome: Outcome, order: Sequence[str], first: str, *, about: Sequence[str]) -> None:
    """The first finding names the cause and the clients of all sides; no finding names healthy clients alone."""
    assert 2 == outcome.code
    assert first in outcome.of("CRITICAL")
    assert "CRITICAL" == outcome.told[0][0]
    assert set(about) == set(outcome.told[0][2]), outcome.told
    for severity, check, clients in outcome.told:
        assert severity in ("CRITICAL", "WARNING"), (check, outcome.findings)
        assert "app3" in clients, f"{check} blames {clients}, and the fault is app3's"
    proven = [pair for level in LEVELS for pair, seen in outcome.pairs(level).items() if seen]
    if first != "mount-points-agree":
        assert not any("app3" in pair for pair in proven if pair in outcome.pairs("http") and _http(outcome, pair))
    assert set(order) == set(outcome.report["cluster"]["clients"])


def _http(outcome: Outcome, pair: tuple[str, str]) -> bool:
    return outcome.pairs("http").get(pair) is True


def run_in_every_order(cluster: Cluster, first: str, told_by: dict[bool, tuple[str, ...]] | None = None) -> None:
    for pinned, places in ((True, ("last", "first", "second of two")), (False, ("first", "middle", "first of two"))):
        for where in places:
            order = ORDERS[where]
            before = Contents.of(cluster.main_zeo.data_fs())
            outcome = preflight(write_ini(cluster, "order", order, pinned=pinned))
            blames_nobody_wrongly(outcome, order, first, about=order)
            assert "nothing-is-left-behind" not in [check for _, check, _ in outcome.told], (where, pinned)
            assert_only_ours(before, Contents.of(cluster.main_zeo.data_fs()), [outcome.report["run"]["id"]])
            if told_by:
                for check in told_by[pinned]:
                    assert check in outcome.of("CRITICAL")
            assert outcome.seconds < patient(20)


def test_a_client_on_a_copy_is_found_wherever_it_stands(make_cluster: Callable[..., Cluster]) -> None:
    split = make_cluster(specs(3, last={"zeo": "copy"}), zeo=TWO)
    both = ("zeo-servers-agree", "edits-are-seen-everywhere")
    run_in_every_order(split, "zeo-servers-agree", {True: (*both, "zeo-server-is-the-pinned-one"), False: both})
    with unchanged(split.zeo["copy"].data_fs()):
        for order in ORDERS.values():
            preflight(write_ini(split, "order", order, pinned=True))


@pytest.fixture
def hidden_copy(make_cluster: Callable[..., Cluster]) -> Cluster:
    """app3 runs on a copy of the database; its zope.conf names the right server."""
    return make_cluster(specs(3, last={"zeo": "copy", "told_zeo": "main"}), zeo=TWO)


def test_a_hidden_copy_is_found_by_the_running_clients_alone(hidden_copy: Cluster) -> None:
    run_in_every_order(hidden_copy, "edits-are-seen-everywhere")
    nobody = write_ini(hidden_copy, "order", pinned=False, without=["zope-conf"])
    seen = preflight(nobody)
    blames_nobody_wrongly(seen, ALL, "edits-are-seen-everywhere", about=ALL)
    # What its file reaches is one storage with the others; of the process nothing is said to pass.
    told = preflight(hidden_copy)
    assert "edits-are-seen-everywhere" == told.skipped_for("app3").get("every-database-is-one")
    assert "every-database-is-one" not in told.skipped_for("app1")
    for options in (["--skip", "config"], ["--only", "edits-are-seen-everywhere"], ["--skip", "identity"]):
        for order in (ORDERS["first"], ORDERS["second of two"]):
            outcome = preflight(write_ini(hidden_copy, "order", order), *options)
            assert ["edits-are-seen-everywhere"] == outcome.of("CRITICAL")
            assert set(order) == set(outcome.finding("edits-are-seen-everywhere")["clients"])


@pytest.mark.parametrize(
    ("where", "pin"),
    [
        pytest.param("first", "zeo = {}\nstorage = 1", id="server and storage, first"),
        pytest.param("last", "zeo = {}\nstorage = 1", id="server and storage, last"),
        pytest.param("first of two", "zeo = {}", id="server, first of two"),
        pytest.param("first", "storage = 1", id="storage, first"),
    ],
)
def test_where_clients_ini_pins_the_server_nothing_is_written_to_a_hidden_copy(
    hidden_copy: Cluster, where: str, pin: str
) -> None:
    lines = pin.format(hidden_copy.zeo_address).splitlines()
    ini = write_ini(hidden_copy, "pinned", ORDERS[where], pinned=False, cluster_lines=lines)
    bare = write_ini(hidden_copy, "bare", ORDERS[where], pinned=False, cluster_lines=lines, without=["zope-conf"])
    with unchanged(hidden_copy.zeo["copy"].data_fs()):
        outcome = preflight(ini)
        assert (2, ["edits-are-seen-everywhere"]) == (outcome.code, outcome.of("CRITICAL"))
        assert preflight(ini, "--only", "edits-are-seen-everywhere").code == 2
        assert preflight(ini, "--skip", "config,reach,identity").code == 2
        assert preflight(bare).code == 2
        assert in_process("leftovers", ini, "--remove").code == 0


def test_another_storage_of_the_server_is_found_and_left_clean(make_cluster: Callable[..., Cluster]) -> None:
    split = make_cluster(specs(3, last={"storage": "staging"}), zeo=[ZeoSpec(storages=("1", "staging"))])
    staging = split.main_zeo.data_fs("staging")
    for _ in range(3):
        # The two storages hand out different object ids from now on.
        preflight(write_ini(split, "two", ("app1", "app2")))
    before = Contents.of(staging)
    both = ("storage-names-agree", "edits-are-seen-everywhere")
    run_in_every_order(split, "storage-names-agree", {True: both, False: both})
    assert_only_ours(before, Contents.of(staging))
    assert [] == [data for data in Contents.of(staging).current.values() if data and b"zcheck run=" in data]
    with unchanged(staging):
        preflight(write_ini(split, "pinned", pinned=False, cluster_lines=["storage = 1"]))


def test_a_missing_mount_is_found_wherever_it_stands(make_cluster: Callable[..., Cluster]) -> None:
    archive = """
<zodb_db archive>
  <zeoclient>
    server ZEO_ADDRESS
    storage archive
    var $INSTANCE/var
  </zeoclient>
  mount-point /archive
</zodb_db>
"""
    clients = specs(3, every={"more": archive}, last={"more": ""})
    split = make_cluster(clients, zeo=[ZeoSpec(empty=("archive",))])
    run_in_every_order(split, "mount-points-agree")


def test_a_client_that_takes_no_edits_is_named_and_its_pairs_are_never_ok(make_cluster: Callable[..., Cluster]) -> None:
    three = make_cluster(specs(3, last={"read_only": True}))
    # Its zope.conf was mended since, and it was not restarted.
    three.clients["app3"].spec = ClientSpec(name="app3")
    three.clients["app3"].write_conf(three.main_zeo)
    for order in (ALL, ORDERS["first"]):
        outcome = preflight(write_ini(three, "order", order))
        # On a busy machine the mended conf is seconds younger than its client, which is told as well.
        assert [("CRITICAL", "client-accepts-writes", ("app3",))] == [
            one for one in outcome.told if one[1] != "client-restarted-since-edit"
        ]
        assert (2, (4, 6, 6)) == (outcome.code, outcome.counts)
        assert outcome.pairs("http")["app3", "app1"] is None
        assert outcome.pairs("http")["app1", "app3"] is True
    for options in (["--only", "edits-are-seen-everywhere"], ["--skip", "client-accepts-writes"]):
        outcome = preflight(three, *options)
        assert (3, "UNKNOWN") == (outcome.code, outcome.status), "who skips the telling is not told OK"


def test_a_client_that_says_it_is_read_only_reads_and_is_no_finding(make_cluster: Callable[..., Cluster]) -> None:
    three = make_cluster(specs(3, last={"read_only": True, "role": "read-only"}))
    outcome = preflight(three)
    healthy(outcome, (4, 4, 4))
    assert ("app3", "app1") not in outcome.pairs("http")


# --- half-open --------------------------------------------------------------------------------------


@contextlib.contextmanager
def half_open(cluster: Cluster) -> Iterator[Proxy]:
    """app3's answers from its ZEO server no longer arrive; its zope.conf names the server itself."""
    with proxy(HostPort(HOST, cluster.main_zeo.port)) as between:
        cluster.clients["app3"].spec = ClientSpec(name="app3", server=str(between.address))
        cluster.start()
        cluster.clients["app3"].spec = ClientSpec(name="app3")
        cluster.clients["app3"].write_conf(cluster.main_zeo)
        between.swallow_answers.set()
        try:
            yield between
        finally:
            cluster.stop()


@pytest.mark.parametrize(
    ("where", "at_hand"),
    [
        pytest.param("first", True, id="first"),
        pytest.param("last", True, id="last"),
        pytest.param("first", False, id="first, no conf"),
        pytest.param("first of two", False, id="first of two, no conf"),
    ],
)
def test_nothing_is_written_through_a_half_open_client(
    make_cluster: Callable[..., Cluster], where: str, at_hand: bool
) -> None:
    planned = make_cluster(3, start=False)
    order = ORDERS[where]
    with half_open(planned) as between:
        log = planned.clients["app3"].access_log
        ini = write_ini(planned, "order", order, pinned=False, without=[] if at_hand else ["zope-conf"])
        for _ in range(2):
            # The second run knows that the client owes an answer, and does not take another of its threads.
            requested = between.requested
            outcome = preflight(ini, "--timeout", "2")
            assert (2, ["app3"]) == (outcome.code, sorted(_blamed_alone(outcome)) or ["app3"]), outcome.told
            assert set(outcome.of("CRITICAL")) & {"client-is-connected-to-zeo", "edits-are-seen-everywhere"}
            assert all("app3" in clients for _, _, clients in outcome.told)
            assert [] == [line for line in log.read_text().splitlines() if '"POST' in line]
            assert between.requested - requested < 20_000
            if len(order) == 3:
                assert outcome.pairs("http")["app1", "app2"] is outcome.pairs("http")["app2", "app1"] is True
            assert not any("app3" in pair and seen for pair, seen in outcome.pairs("http").items())
            assert outcome.seconds < patient(25)
            assert commit_takes(planned) < 1
            assert not lock_and_connections(planned)[0]


def _blamed_alone(outcome: Outcome) -> set[str]:
    return {clients[0] for severity, _, clients in outcome.told if len(clients) == 1 and severity == "CRITICAL"}
