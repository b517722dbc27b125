"""The gate, with a real HAProxy and real Zope clients: what is open was verified, and no request is lost."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.balancers import Balancer, Users, get, requests_to, wait_until
from cluster.whole_runs import LIMIT_S, Outcome, command, in_process, preflight
from patience import patient

from zcheck.commands.demo import HOST, ClientSpec, Cluster, ZeoSpec
from zcheck.commands.haproxy import gate, status
from zcheck.parsers import clients_ini
from zcheck.probes import haproxy

pytestmark = pytest.mark.skipif(haproxy.program() is None, reason="haproxy is not installed")

SLOW = os.environ.get("ZCHECK_SLOW", "0") not in ("", "0")
"""Whether to take minutes: five rolling restarts under load, and forty moments to be killed at."""


@contextlib.contextmanager
def fronted(
    make: Callable[..., Cluster], *arguments: Any, edit: Callable[[str], str] = str, **options: Any
) -> Iterator[tuple[Cluster, Balancer]]:
    """A cluster with a HAProxy in front, as rendered and started: with every server closed."""
    with Balancer() as balancer:
        cluster = make(*arguments, ini=balancer.ini + options.pop("ini", ""), **options)
        balancer.folder = cluster.folder
        rendered = in_process("haproxy", "render", cluster.ini)
        assert rendered.code == 0, rendered.err
        balancer.write(edit(rendered.out))
        yield cluster, balancer.start(cluster)


@pytest.fixture(scope="module")
def healthy(share_cluster: Callable[..., Cluster]) -> Iterator[tuple[Cluster, Balancer]]:
    """Three healthy clients; shared by the tests that end with every server closed, as they found it."""
    with fronted(share_cluster, 3) as pair:
        yield pair


@pytest.fixture
def front(healthy: tuple[Cluster, Balancer]) -> Iterator[tuple[Cluster, Balancer]]:
    """The shared pair; every server is closed before and after a test."""
    yield healthy
    for name in healthy[1].states():
        healthy[1].runtime.maintain("zope", name)


def enable(cluster: Cluster, *arguments: object) -> Outcome:
    return in_process("haproxy", "enable", cluster.ini, *arguments)


def opened(balancer: Balancer) -> set[str]:
    return {name for name, state in balancer.states().items() if state.is_open}


# --- what render writes --------------------------------------------------------------------------


def test_what_is_rendered_passes_haproxy_and_every_check(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert subprocess.run([haproxy.program() or "", "-c", "-dW", "-f", balancer.cfg], timeout=20).returncode == 0
    run = in_process("haproxy", "verify", cluster.ini, "-o", "json")
    found = [(one["check"], one["severity"]) for one in json.loads(run.out)["findings"]]
    assert [("servers-are-open", "WARNING")] == found, "as before the first enable"
    assert 1 == run.code, run.err


def test_what_keeps_users_away_is_told(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert 1 == in_process("haproxy", "status", cluster.ini).code
    assert 0 == enable(cluster).code
    assert 0 == in_process("haproxy", "verify", cluster.ini).code
    balancer.runtime.change("set server zope/app2 weight 0")
    try:
        run = in_process("haproxy", "verify", cluster.ini)
        assert 2 == run.code
        assert "app2 gets no new users: server app2 has weight 0" in run.err
        balancer.runtime.drain("zope", "app3")
        shown = in_process("haproxy", "status", cluster.ini)
        assert 0 == shown.code
        assert "advice: servers-are-open: only app1 of backend zope is in rotation: app2 weight 0, app3 draining" in (
            shown.err
        )
        watched = json.loads(in_process("monitor", cluster.ini, "-o", "json", "--only", "servers-are-open").out)
        assert [("servers-are-open", "ADVICE")] == [(one["check"], one["severity"]) for one in watched["findings"]]
        noted = json.loads(in_process("preflight", cluster.ini, "-o", "json", "--only", "servers-are-open").out)
        assert [] == noted["findings"]
        assert ["servers-are-open"] == [one["check"] for one in noted["remarks"]]
        balancer.runtime.maintain("zope", "app1")
        watched = json.loads(in_process("monitor", cluster.ini, "-o", "json", "--only", "servers-are-open").out)
        assert [("servers-are-open", "WARNING")] == [(one["check"], one["severity"]) for one in watched["findings"]]
    finally:
        balancer.runtime.change("set server zope/app2 weight 100%")


def test_it_starts_closed_and_enable_opens_three_verified_clients(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert {"app1": "closed", "app2": "closed", "app3": "closed"} == balancer.words()
    assert (503, 503) == (get(balancer.port).status, get(balancer.port, "/haproxy-ping").status)
    run = enable(cluster)
    assert run.code == 0, run.out + run.err
    assert "opened: app1, app2, app3\n" == run.out
    assert {"app1", "app2", "app3"} == opened(balancer)
    assert (200, 200) == (get(balancer.port).status, get(balancer.port, "/haproxy-ping").status)


def test_a_server_in_rotation_is_left_untouched(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert 0 == enable(cluster, "app1").code
    assert {"app1"} == opened(balancer)
    wait_until(lambda: balancer.words()["app1"] == "open")
    log = cluster.folder / "haproxy.log"
    before = len(log.read_text())
    assert 0 == enable(cluster).code
    assert {"app1", "app2", "app3"} == opened(balancer)
    told = [line for line in log.read_text()[before:].splitlines() if "Server zope/" in line]
    assert [] == [line for line in told if "zope/app1 " in line and not line.split("app1 ")[1].startswith("is UP.")]
    assert any("zope/app2 " in line for line in told)


def test_the_status_and_metrics_are_on_their_own_address(front: tuple[Cluster, Balancer]) -> None:
    _, balancer = front
    assert 200 == get(balancer.status_port, "/haproxy-status").status
    assert b"haproxy_" in get(balancer.status_port, "/metrics").body
    assert 503 == get(balancer.port, "/haproxy-status").status


def test_status_tells_what_a_person_wants_to_know(front: tuple[Cluster, Balancer]) -> None:
    cluster, _ = front
    enable(cluster, "app1")
    run = in_process("haproxy", "status", cluster.ini)
    rows = {line.split()[0]: line.split() for line in run.out.splitlines()[1:]}
    assert 0 == run.code
    assert ["app1", "app1"] == rows["app1"][:2]
    assert rows["app1"][2] in ("starting", "open")
    assert "L7OK" in rows["app1"]
    assert "ago" in rows["app1"]
    assert "closed" == rows["app2"][2]


HEALTH = {
    "the root": ("GET", "/", ""),
    "a page that is there": ("HEAD", "/index_html", ""),
    "any path": ("OPTIONS", "/nothing", "is answered with 200 whatever the path"),
    "no such page": ("GET", "/nothing", "is answered with 404, which HAProxy takes for down"),
    "a page for managers": ("GET", "/Control_Panel/Database/manage_main", "is a login or a management page"),
}


@pytest.mark.parametrize(("method", "path", "part"), HEALTH.values(), ids=HEALTH)
def test_the_health_check_is_asked_of_each_client(
    method: str, path: str, part: str, front: tuple[Cluster, Balancer]
) -> None:
    cluster, balancer = front
    text = balancer.cfg.read_text()
    try:
        balancer.cfg.write_text(text.replace("meth GET uri / ", f"meth {method} uri {path} "))
        run = preflight(cluster, "--read-only", "--only", "health-check-is-cheap")
    finally:
        balancer.cfg.write_text(text)
    assert (1 if part else 0) == run.code, run.out
    assert ([] if not part else [("WARNING", "health-check-is-cheap", ("app1", "app2", "app3"))]) == run.told
    assert part in run.out


# --- users ---------------------------------------------------------------------------------------


def who_served(cluster: Cluster, balancer: Balancer, headers: dict[str, str], times: int = 6) -> set[str]:
    """The clients that answered these requests, by their own logs."""
    mark = secrets.token_hex(8)
    for _ in range(times):
        assert 200 == get(balancer.port, f"/?{mark}", headers).status
    wait_until(lambda: sum(requests_to(cluster, name, mark) for name in cluster.clients) >= times)
    return {name for name in cluster.clients if requests_to(cluster, name, mark)}


def test_anonymous_pages_get_no_cookie_and_go_everywhere(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    enable(cluster)
    wait_until(lambda: all(words == "open" for words in balancer.words().values()))
    assert {} == get(balancer.port).cookies
    assert {"app1", "app2", "app3"} == who_served(cluster, balancer, {}, times=12)


def test_users_stay_on_their_client_after_the_login_and_move_when_it_goes(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    enable(cluster)
    wait_until(lambda: all(words == "open" for words in balancer.words().values()))
    login = get(balancer.port, "/", {"Cookie": "__ac=secret", "Content-Length": "0"}, method="POST")
    (server,) = login.cookies.values()
    assert "serverid" in login.cookies
    with_both = {"Cookie": f"__ac=secret; serverid={server}"}
    assert {server} == who_served(cluster, balancer, with_both)
    assert {server} == who_served(cluster, balancer, {"Cookie": "__ac=secret"})
    run = in_process("haproxy", "drain", cluster.ini, server)
    assert 0 == run.code, run.err
    moved = who_served(cluster, balancer, with_both)
    assert len(moved) == 1
    assert server not in moved
    assert b"secret" not in balancer.runtime.ask("show table zope").encode()


# --- who is refused ------------------------------------------------------------------------------


def test_a_client_on_a_copy_is_refused_and_what_is_open_stays_open(make_cluster: Callable[..., Cluster]) -> None:
    specs = [ClientSpec(name=f"app{number}") for number in (1, 2, 3)]
    specs.append(ClientSpec(name="app4", zeo="copy"))
    with fronted(make_cluster, specs, zeo=(ZeoSpec(), ZeoSpec(name="copy")), pinned=False) as (cluster, balancer):
        # Nothing is open: no vote, nobody is opened.
        run = enable(cluster)
        assert 2 == run.code
        assert set() == opened(balancer)
        assert 503 == get(balancer.port).status
        # What somebody has opened is the reference.
        for name in ("app1", "app2", "app3"):
            balancer.runtime.ready("zope", name)
        mark = f"/?{secrets.token_hex(8)}"
        with Users(balancer.port, 3, mark) as users:
            run = enable(cluster)
        assert 2 == run.code
        assert "app4: stays closed: critical: " in run.err
        assert {"app1", "app2", "app3"} == opened(balancer)
        assert [] == users.failed
        assert 0 == requests_to(cluster, "app4", mark[2:])
        # A good one is opened though a bad one is asked for as well.
        balancer.runtime.maintain("zope", "app3")
        assert 2 == enable(cluster).code
        assert {"app1", "app2", "app3"} == opened(balancer)


def test_a_client_that_is_down_keeps_the_others_from_being_opened_unless_it_is_not_asked_for(
    make_cluster: Callable[..., Cluster],
) -> None:
    with fronted(make_cluster, 3) as (cluster, balancer):
        cluster.stop_client("app3")
        assert 2 == enable(cluster).code
        assert set() == opened(balancer)
        assert 0 == enable(cluster, "app1", "app2").code
        assert {"app1", "app2"} == opened(balancer)
        # With a reference the dead one alone is refused.
        balancer.runtime.maintain("zope", "app2")
        assert 2 == enable(cluster).code
        assert {"app1", "app2"} == opened(balancer)


def test_nothing_is_closed_but_by_request_and_never_the_last(make_cluster: Callable[..., Cluster]) -> None:
    with fronted(make_cluster, 3) as (cluster, balancer):
        assert 0 == enable(cluster).code
        cluster.stop_client("app3")
        run = enable(cluster)
        assert 2 == run.code
        assert {"app1", "app2", "app3"} == opened(balancer)
        assert "app3: is open and failed: critical: client-port-answers: " in run.err
        assert "; --close-failed would close it" in run.err
        assert "app1: is open and failed" not in run.err
        run = enable(cluster, "--close-failed", "--min-up", "3")
        assert 2 == run.code
        assert "would close it" not in run.err
        assert {"app1", "app2", "app3"} == opened(balancer)
        assert 2 == enable(cluster, "--close-failed").code
        assert {"app1", "app2"} == opened(balancer)
        # The database is down: that is no client's fault.
        cluster.stop_zeo()
        run = enable(cluster, "--close-failed", "--timeout", "2", "--deadline", "20")
        assert run.code in (2, 3)
        assert {"app1", "app2"} == opened(balancer)
        assert 2 == in_process("haproxy", "drain", cluster.ini, "app1", "--min-up", "2").code
        assert {"app1", "app2"} == opened(balancer)


def test_our_own_deadline_changes_nothing(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert 3 == enable(cluster, "--deadline", "0.05").code
    assert set() == opened(balancer)


@pytest.mark.parametrize(
    "option", ["--offline", "--read-only", "--only=inventory", "--skip=consistency", "--skip=every-database-is-one"]
)
def test_half_a_proof_opens_nothing(option: str, front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert 3 == enable(cluster, option).code
    assert set() == opened(balancer)


# --- the order of things, with servers that misbehave --------------------------------------------


class Misbehaving:
    """Three small HTTP servers on free ports: one that is well, one that answers 503, one that is not there."""

    def __init__(self) -> None:
        self.hits = {"well": 0, "ill": 0}
        self.servers = {name: self._serve(name) for name in self.hits}
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.dead = probe.getsockname()[1]

    def _serve(self, name: str) -> http.server.ThreadingHTTPServer:
        hits = self.hits

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/users"):
                    hits[name] += 1
                self.send_response(200 if name == "well" else 503)
                self.send_header("Content-Length", "0")
                # HAProxy ends a health check as soon as it has the status.
                with contextlib.suppress(OSError):
                    self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def ports(self) -> dict[str, int]:
        return {"dead": self.dead, **{name: server.server_address[1] for name, server in self.servers.items()}}

    def close(self) -> None:
        for server in self.servers.values():
            server.shutdown()
            server.server_close()


CONF = """global
  stats socket {folder}/admin.sock mode 600 level admin
  stats socket {folder}/looking.sock mode 600 level operator
defaults
  mode http
  retries 3
  option redispatch 1
  timeout connect 1s
  timeout client 5s
  timeout server 5s
  timeout http-request 5s
frontend www
  bind 127.0.0.1:{public}
  default_backend zope
backend zope
  cookie serverid insert indirect
  option httpchk
  http-check send meth GET uri /ok
  default-server check inter 100ms fastinter 50ms downinter 50ms rise 2 fall {fall} disabled
{servers}
"""


@pytest.fixture
def misbehaving(tmp_path: Path) -> Iterator[tuple[Misbehaving, Callable[..., gate.Gate], int]]:
    """The servers behind a HAProxy, and a gate of their own."""
    servers, running = Misbehaving(), []
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        public = probe.getsockname()[1]
    ports = servers.ports()

    def make(fall: int = 3, socket_name: str = "admin.sock", check: str = "") -> gate.Gate:
        lines = "\n".join(f"  server {name} {HOST}:{port} cookie {name} {check}" for name, port in ports.items())
        cfg = tmp_path / "haproxy.cfg"
        cfg.write_text(CONF.format(folder=tmp_path, public=public, servers=lines, fall=fall))
        process = subprocess.Popen([haproxy.program() or "", "-db", "-f", cfg], stderr=subprocess.DEVNULL)
        running.append(process)
        ini = "".join(f"[client:{name}]\naddress = {HOST}:{port}\n" for name, port in ports.items())
        ini += f"[balancer:front]\ntype = haproxy\nconfig = haproxy.cfg\nadmin-socket = {socket_name}\n"
        found = clients_ini.parse(ini, str(tmp_path / "clients.ini"))
        made = gate.Gate(found, found.balancers[0], gate.Settings(admit_s=4.0, drain_s=1.0), lambda text: None)
        wait_until(lambda: (tmp_path / "admin.sock").exists() and made.runtime.level() != "")
        return made

    yield servers, make, public
    for process in running:
        process.terminate()
        process.wait(10)
    servers.close()


def admit(opening: gate.Gate, name: str, why_not: gate.WhyNot = str) -> str:
    doors, _ = opening.doors(opening.states())
    return opening.admit(doors[name], why_not)


@pytest.mark.parametrize(
    ("name", "part"), [("dead", "health check fails: L4CON"), ("ill", "health check fails: L7STS")]
)
def test_a_dead_and_an_ill_server_are_never_in_rotation(
    name: str, part: str, misbehaving: tuple[Misbehaving, Callable[..., gate.Gate], int]
) -> None:
    servers, make, public = misbehaving
    opening = make()
    assert "" == admit(opening, "well")
    assert "open" == opening.state("well").words
    seen = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.add(opening.state(name).in_rotation)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with Users(public, 4, "/users") as users:
        assert part in admit(opening, name)
    over.set()
    watcher.join(10)
    assert {False} == seen
    assert "closed" == opening.state(name).words
    assert [] == users.failed
    assert 0 == servers.hits["ill"]
    assert servers.hits["well"] > 10


def test_a_fall_of_one_and_no_check_are_refused(misbehaving: tuple[Misbehaving, Callable[..., gate.Gate], int]) -> None:
    _, make, _ = misbehaving
    opening = make(fall=1)
    assert "fall is 1" in admit(opening, "well")
    assert "closed" == opening.state("well").words


def test_a_server_that_is_not_checked_is_refused(
    misbehaving: tuple[Misbehaving, Callable[..., gate.Gate], int],
) -> None:
    _, make, _ = misbehaving
    opening = make(check="no-check")
    assert "does not check" in admit(opening, "well")
    assert "closed" == opening.state("well").words


def test_a_socket_for_looking_is_told_plainly(misbehaving: tuple[Misbehaving, Callable[..., gate.Gate], int]) -> None:
    _, make, _ = misbehaving
    looking = make(socket_name="looking.sock")
    with pytest.raises(gate.CannotGate, match="level admin"):
        looking.must_be_admin()
    assert any("for looking only" in line for line in status.wrongs(looking))
    assert "for looking only" in admit(looking, "well")
    assert "closed" == looking.state("well").words


def test_a_server_at_another_address_is_not_the_client(
    misbehaving: tuple[Misbehaving, Callable[..., gate.Gate], int], tmp_path: Path
) -> None:
    _, make, _ = misbehaving
    opening = make()
    text = (tmp_path / "haproxy.cfg").read_text()
    port = next(line.split()[2] for line in text.splitlines() if " server well " in line)
    ini = f"[client:well]\naddress = {HOST}:1\n[client:ill]\naddress = {port}\n"
    other = clients_ini.parse(ini, "clients.ini")
    elsewhere = gate.Gate(other, opening.section, opening.settings, lambda text: None)
    doors, missing = elsewhere.doors(elsewhere.states())
    # The address decides, as in every check: the right name at another address is another process.
    assert {"ill": "well"} == {name: door.server for name, door in doors.items()}
    assert f"and the client at {HOST}:1" in missing["well"]


# --- what is verified and what is opened is one process ------------------------------------------


def test_another_process_is_not_opened_and_one_that_turns_up_is_closed(
    misbehaving: tuple[Misbehaving, Callable[..., gate.Gate], int],
) -> None:
    _, make, _ = misbehaving
    opening = make()
    assert "restarted" == admit(opening, "well", lambda: "restarted")
    assert "closed" == opening.state("well").words
    answers = iter(["", "restarted"])
    assert "restarted" == admit(opening, "well", lambda: next(answers)), "it was, right after it had been opened"
    assert "closed" == opening.state("well").words


def test_what_gets_no_users_is_not_called_open(
    misbehaving: tuple[Misbehaving, Callable[..., gate.Gate], int], tmp_path: Path
) -> None:
    _, make, _ = misbehaving
    opening = make()
    assert "" == admit(opening, "well")
    opening.runtime.ask("set server zope/well weight 0")
    state = opening.state("well")
    assert ("weight 0", False, False) == (state.words, state.is_open, state.in_rotation)
    assert "" == admit(opening, "well"), "it gets the weight back that haproxy.cfg gives it"
    assert ("open", 1) == (opening.state("well").words, opening.state("well").weight)
    opening.runtime.drain("zope", "well")
    assert ("draining", False) == (opening.state("well").words, opening.state("well").is_open)


@pytest.mark.parametrize(
    ("option", "told", "words"),
    [
        pytest.param("backup", "", "backup", id="a backup is opened, and in rotation only where no other is"),
        pytest.param("weight 0", "haproxy.cfg gives it weight 0", "closed", id="no weight at all"),
    ],
)
def test_what_the_configuration_keeps_out(
    option: str, told: str, words: str, misbehaving: tuple[Misbehaving, Callable[..., gate.Gate], int]
) -> None:
    _, make, _ = misbehaving
    opening = make(check=option)
    found = admit(opening, "well")
    assert found.startswith(told) if told else not found, found
    state = opening.state("well")
    assert (words, False) == (state.words, state.in_rotation)


def _swap(cluster: Cluster, balancer: Balancer) -> None:
    """As soon as the first server is open, restart the last client on a copy of the database."""
    wait_until(lambda: balancer.states()["app1"].is_open, 120)
    cluster.restart_client("app3", zeo="copy")


def test_a_client_that_is_restarted_on_a_copy_while_others_are_opened_is_not_opened(
    make_cluster: Callable[..., Cluster],
) -> None:
    zeo = (ZeoSpec(), ZeoSpec(name="copy"))
    with fronted(make_cluster, 3, zeo=zeo, pinned=False) as (cluster, balancer):
        paper = cluster.folder / "receipt.json"
        for how in ((), ("--receipt", paper)):
            if how:
                assert 0 == in_process("preflight", cluster.ini, "--skip", "balancer", "--receipt", paper).code
            swapper = threading.Thread(target=_swap, args=[cluster, balancer])
            swapper.start()
            run = enable(cluster, *how)
            swapper.join(120)
            assert "app3" not in opened(balancer), run.err
            assert 2 == run.code, run.out + run.err
            assert "app3: stays closed: " in run.err
            for name in balancer.states():
                balancer.runtime.maintain("zope", name)
            cluster.restart_client("app3", zeo="main")


# --- rolling restart -----------------------------------------------------------------------------

_ASK = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 60); "
_ASK += "s.sendall(sys.argv[2].encode()); s.shutdown(socket.SHUT_WR); sys.exit(s.recv(9) != b'done')"


@contextlib.contextmanager
def restarts(cluster: Cluster, do: Callable[[str], None] | None = None) -> Iterator[str]:
    """The --command that restarts a client of this cluster, as supervisorctl would."""
    with socket.create_server((HOST, 0)) as door:

        def serve() -> None:
            while True:
                try:
                    connection, _ = door.accept()
                except OSError:
                    return
                with connection:
                    (do or cluster.restart_client)(connection.recv(99).decode())
                    connection.sendall(b"done")

        threading.Thread(target=serve, daemon=True).start()
        yield f'{sys.executable} -c "{_ASK}" {door.getsockname()[1]} {{client}}'
        with contextlib.suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("time_round", range(5 if SLOW else 1))
def test_a_rolling_restart_under_load_loses_no_request(time_round: int, front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert 0 == enable(cluster).code
    before = {name: client.pid for name, client in cluster.clients.items()}
    with restarts(cluster) as restart, Users(balancer.port, 9) as users:
        options = ("--drain-timeout", "1", "--warm-up", "/", "--timeout", "20")
        run = in_process("rolling-restart", cluster.ini, "--command", restart, *options)
        wait_until(lambda: users.answered >= (2000 if SLOW else 300), 120)
    assert run.code == 0, run.out + run.err
    assert [] == users.failed, f"{len(users.failed)} of {users.answered}"
    assert {"app1", "app2", "app3"} == opened(balancer)
    assert all(client.pid != before[name] for name, client in cluster.clients.items())


def test_it_ends_at_a_client_that_does_not_come_back(make_cluster: Callable[..., Cluster]) -> None:
    with fronted(make_cluster, 3) as (cluster, balancer):
        assert 0 == enable(cluster).code

        def break_the_second(name: str) -> None:
            if name == "app2":
                cluster.stop_client(name)
            else:
                cluster.restart_client(name)

        with restarts(cluster, break_the_second) as restart, Users(balancer.port, 3) as users:
            run = in_process(
                "rolling-restart", cluster.ini, "--command", restart, "--drain-timeout", "1", "--start-timeout", "2"
            )
        assert 2 == run.code, run.out + run.err
        assert "app2: stays closed: it does not answer" in run.err
        assert "not restarted: app3" in run.err
        assert {"app1", "app3"} == opened(balancer)
        assert [] == users.failed


def test_it_ends_at_a_client_that_comes_back_on_a_copy(make_cluster: Callable[..., Cluster]) -> None:
    zeo = (ZeoSpec(), ZeoSpec(name="copy"))
    with fronted(make_cluster, 3, zeo=zeo, pinned=False) as (cluster, balancer):
        assert 0 == enable(cluster).code
        with restarts(cluster, lambda name: cluster.restart_client(name, zeo="copy")) as restart:
            run = in_process("rolling-restart", cluster.ini, "app3", "--command", restart, "--drain-timeout", "1")
        assert 2 == run.code, run.out + run.err
        assert {"app1", "app2"} == opened(balancer)


def test_it_refuses_to_take_the_last_one_out_and_a_command_that_does_nothing(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert 0 == enable(cluster, "app1").code
    run = in_process("rolling-restart", cluster.ini, "app1", "--command", "true")
    assert (2, {"app1"}) == (run.code, opened(balancer))
    assert 0 == enable(cluster, "app2").code
    run = in_process("rolling-restart", cluster.ini, "app1", "--command", "true", "--start-timeout", "1")
    assert 2 == run.code
    assert "it is the process that it was before" in run.err
    assert {"app2"} == opened(balancer)
    assert 3 == in_process("rolling-restart", cluster.ini, "app3", "--command", "true").code
    assert 3 == in_process("rolling-restart", cluster.ini, "--command", "restart {nothing}").code
    assert {"app2"} == opened(balancer)


def test_two_gates_do_not_work_at_once(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert 0 == enable(cluster).code

    def meanwhile(name: str) -> None:
        told.append(in_process("haproxy", "drain", cluster.ini, "app2"))
        cluster.restart_client(name)

    told: list[Outcome] = []
    with restarts(cluster, meanwhile) as restart:
        run = in_process("rolling-restart", cluster.ini, "app1", "--command", restart, "--drain-timeout", "0.5")
    assert 0 == run.code, run.out + run.err
    assert [3] == [one.code for one in told]
    assert {"app1", "app2", "app3"} == opened(balancer)
    assert 0 == in_process("haproxy", "drain", cluster.ini, "app2").code


# --- killed --------------------------------------------------------------------------------------


def test_a_kill_at_any_moment_of_enable_opens_nothing_unverified(make_cluster: Callable[..., Cluster]) -> None:
    specs = [ClientSpec(name="app1"), ClientSpec(name="app2"), ClientSpec(name="app3", zeo="copy")]
    with fronted(make_cluster, specs, zeo=(ZeoSpec(), ZeoSpec(name="copy")), pinned=False) as (cluster, balancer):
        balancer.runtime.ready("zope", "app1")
        seen = set()
        moments = 40 if SLOW else 6
        for moment in range(moments):
            process = subprocess.Popen(
                command("haproxy", "enable", cluster.ini), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
            )
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.3 + moment * (4.0 / moments))
            process.send_signal(signal.SIGKILL)
            process.wait(LIMIT_S)
            words = balancer.words()
            seen.add(words["app2"])
            assert words["app1"] in ("open", "starting")
            assert words["app3"] in ("closed", "draining")
            assert not balancer.states()["app3"].is_open
            if words["app2"] not in ("closed",):
                balancer.runtime.maintain("zope", "app2")
        assert "closed" in seen
        assert 200 == get(balancer.port).status
        in_process("leftovers", cluster.ini, "--remove")


def test_a_kill_at_any_moment_of_a_rolling_restart_leaves_nothing_unverified_open(
    front: tuple[Cluster, Balancer],
) -> None:
    """At most the one that was being restarted is closed, the others serve, and no user notices."""
    cluster, balancer = front
    moments = 20 if SLOW else 2
    for moment in range(moments):
        assert 0 == enable(cluster).code
        with restarts(cluster) as restart, Users(balancer.port, 3) as users:
            words = ("rolling-restart", cluster.ini, "app1", "--command", restart, "--drain-timeout", "0.5")
            process = subprocess.Popen(command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0 + moment * (7.0 / moments))
            process.send_signal(signal.SIGKILL)
            process.wait(LIMIT_S)
            state = balancer.states()["app1"]
            if state.is_open:
                assert 200 == get(cluster.clients["app1"].port).status
            assert {"app2", "app3"} <= opened(balancer)
            wait_until(lambda: get(cluster.clients["app1"].port).status == 200, 60)
        assert [] == users.failed
        in_process("leftovers", cluster.ini, "--remove")


# --- recipes of the documentation ----------------------------------------------------------------


def reload(cluster: Cluster, balancer: Balancer, paper: Path) -> None:
    """Verify, write down, render and reload, as the documentation has it."""
    assert 0 == in_process("preflight", cluster.ini, "--skip", "balancer", "--receipt", paper).code
    balancer.write(in_process("haproxy", "render", cluster.ini, "--receipt", paper).out)
    balancer.stop()
    (cluster.folder / "admin.sock").unlink(missing_ok=True)
    balancer.start(cluster)


def test_a_fourth_client_is_added_to_three_open_ones_and_one_is_removed(make_cluster: Callable[..., Cluster]) -> None:
    specs = [ClientSpec(name=f"app{number}") for number in (1, 2, 3)]
    specs.append(ClientSpec(name="app4", running=False, role="candidate"))
    with fronted(make_cluster, specs) as (cluster, balancer):
        # It is a candidate, and not there yet: the others can be opened all the same.
        assert 0 == enable(cluster, "app1", "app2", "app3").code
        cluster.start_clients("app4")
        paper = cluster.folder / "receipt.json"
        reload(cluster, balancer, paper)
        assert {"app1", "app2", "app3"} == opened(balancer)
        assert 0 == enable(cluster, "app4").code
        assert {"app1", "app2", "app3", "app4"} == opened(balancer)
        # app1 leaves: out of rotation, then out of clients.ini.
        assert 0 == in_process("haproxy", "drain", cluster.ini, "app1").code
        text = cluster.ini.read_text().replace("role = candidate", "role = balanced")
        first, last = text.index("[client:app1]"), text.index("[client:app2]")
        cluster.ini.write_text(text[:first] + text[last:])
        reload(cluster, balancer, paper)
        assert {"app2", "app3", "app4"} == opened(balancer)
        run = in_process("haproxy", "verify", cluster.ini)
        assert 0 == run.code, run.out + run.err
        assert 200 == get(balancer.port).status


def test_what_may_change_while_code_is_deployed_must_agree_at_the_end(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    assert 0 == enable(cluster).code
    with restarts(cluster) as restart:
        words = ("--command", restart, "--drain-timeout", "0.5", "--changing", "versions-agree")
        run = in_process("rolling-restart", cluster.ini, "app1", *words)
        assert 0 == run.code, run.out + run.err
        assert 3 == in_process("rolling-restart", cluster.ini, "--command", restart, "--changing", "versions-agre").code
    assert {"app1", "app2", "app3"} == opened(balancer)


def test_verify_tells_what_would_keep_the_gate_from_working(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    text = balancer.cfg.read_text()
    try:
        port = cluster.clients["app1"].port
        balancer.cfg.write_text(text.replace("fall 3", "fall 1") + f"  server app9 {HOST}:{port} maxconn 5 disabled\n")
        run = in_process("haproxy", "verify", cluster.ini)
    finally:
        balancer.cfg.write_text(text)
    assert 2 == run.code
    assert "server app9 stands in" in run.err
    assert "server app2 has fall 1" in run.err


def test_status_can_be_watched(front: tuple[Cluster, Balancer]) -> None:
    cluster, _ = front
    words = command("haproxy", "status", cluster.ini, "--watch", "--interval", "0.1")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(12)]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    assert 3 == process.returncode
    assert 3 == sum(line.startswith("server ") for line in lines)


# --- receipts and export -------------------------------------------------------------------------


def test_a_receipt_holds_while_nothing_changes(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    paper = cluster.folder / "receipt.json"
    assert 0 == in_process("preflight", cluster.ini, "--receipt", paper).code
    told = json.loads(paper.read_text())
    assert {"app1", "app2", "app3"} == set(told["clients"])
    assert str(cluster.ini) in told["files"]
    assert str(balancer.cfg) in told["files"]
    assert {client.pid for client in cluster.clients.values()} == {
        one["process_id"] for one in told["clients"].values()
    }
    assert cluster.password not in paper.read_text()
    assert 0 == in_process("receipt", paper).code
    assert 0 == enable(cluster, "--receipt", paper).code
    assert {"app1", "app2", "app3"} == opened(balancer)
    # An age, a file and a process.
    assert 2 == in_process("receipt", paper, "--max-age", "0.01").code
    rendered = in_process("haproxy", "render", cluster.ini, "--receipt", paper)
    assert 0 == rendered.code
    assert "disabled\n" not in rendered.out
    conf = cluster.clients["app2"].zope_conf
    text = conf.read_text()
    conf.write_text(text + "# changed\n")
    run = in_process("receipt", paper)
    assert (2, True) == (run.code, f"{conf} has changed" in run.out)
    assert 3 == enable(cluster, "--receipt", paper).code
    assert 3 == in_process("haproxy", "render", cluster.ini, "--receipt", paper).code
    conf.write_text(text)
    assert 0 == in_process("receipt", paper).code
    cluster.restart_client("app2")
    run = in_process("receipt", paper)
    assert 2 == run.code
    assert "app2 is another process" in run.out


def test_no_receipt_is_written_for_what_failed(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(2)
    cluster.stop_client("app2")
    paper = cluster.folder / "receipt.json"
    assert 2 == in_process("preflight", cluster.ini, "--receipt", paper).code
    assert not paper.exists()
    assert 3 == in_process("receipt", paper).code


@pytest.mark.parametrize("options", [["--skip", "consistency"], ["--only", "identity"]])
def test_no_receipt_is_written_for_what_proved_nothing(
    front: tuple[Cluster, Balancer], options: list[str], tmp_path: Path
) -> None:
    cluster, _ = front
    paper = tmp_path / "receipt.json"
    run = in_process("preflight", cluster.ini, *options, "--receipt", paper)
    assert (3, True) == (run.code, "0 of 6 pairs were proven" in run.err)
    assert not paper.exists()


@pytest.mark.parametrize("option", ["--read-only", "--offline"])
def test_a_receipt_is_refused_at_once_to_a_run_that_proves_nothing(
    front: tuple[Cluster, Balancer], option: str
) -> None:
    cluster, _ = front
    run = in_process("preflight", cluster.ini, option, "--receipt", cluster.folder / "receipt.json")
    assert (3, "", True) == (run.code, run.out, "too little for a receipt" in run.err)


def test_a_receipt_without_the_proof_opens_nothing(front: tuple[Cluster, Balancer]) -> None:
    cluster, balancer = front
    paper = cluster.folder / "receipt.json"
    assert 0 == in_process("preflight", cluster.ini, "--receipt", paper).code
    told = json.loads(paper.read_text())
    told["coverage"]["pairs_proven"] = 0
    paper.write_text(json.dumps(told))
    run = in_process("receipt", paper)
    assert (2, True) == (run.code, "0 of 6 pairs were proven" in run.out)
    assert 3 == enable(cluster, "--receipt", paper).code
    assert set() == opened(balancer)


@pytest.mark.parametrize("name", ["consistency", "edits-are-seen-everywhere"])
def test_a_restart_is_refused_that_would_leave_out_the_proof(front: tuple[Cluster, Balancer], name: str) -> None:
    cluster, _ = front
    run = in_process("rolling-restart", cluster.ini, "--command", "true", "--changing", name)
    assert (3, True) == (run.code, "too little is proven to open a server by" in run.err)


def test_export_names_the_verified_clients(make_cluster: Callable[..., Cluster]) -> None:
    specs = [ClientSpec(name="app1", threads=7), ClientSpec(name="app2"), ClientSpec(name="debug", role="worker")]
    cluster = make_cluster(specs)
    run = in_process("export", cluster.ini)
    found = json.loads(run.out)
    assert 0 == run.code, run.err
    assert [("app1", 7), ("app2", 4)] == [(one["name"], one["threads"]) for one in found["clients"]]
    assert {"debug": "its role is worker"} == found["left_out"]
    cluster.stop_client("app2")
    run = in_process("export", cluster.ini, "--format", "hosts")
    assert (0, f"{cluster.clients['app1'].address}\n") == (run.code, run.out)
    cluster.stop_client("app1")
    run = in_process("export", cluster.ini, "--format", "hosts")
    assert (3, "") == (run.code, run.out)


# --- a state file --------------------------------------------------------------------------------


def test_what_is_open_is_noted_for_the_next_start(make_cluster: Callable[..., Cluster]) -> None:
    with Balancer() as balancer:
        cluster = make_cluster(3, ini=balancer.ini + "state-file = state\n")
        balancer.folder = cluster.folder
        (cluster.folder / "state").write_text("1\n")
        rendered = in_process("haproxy", "render", cluster.ini)
        balancer.write(rendered.out)
        balancer.start(cluster)
        assert 0 == enable(cluster, "app1", "app2").code
        balancer.stop()
        (cluster.folder / "admin.sock").unlink(missing_ok=True)
        balancer.start(cluster)
        assert {"app1", "app2"} == opened(balancer)
        assert "closed" == balancer.words()["app3"]
        begun = time.monotonic()
        assert 200 == get(balancer.port).status
        assert time.monotonic() - begun < patient(5)
