"""Peers that misbehave, one real fault each: the right finding and no other, in bounded time, with nothing left."""

from __future__ import annotations

import contextlib
import errno
import http.client
import http.server
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cluster.proxies import HOST, Proxy, listener, proxy
from cluster.whole_runs import Outcome, by_command, command, commit_takes, preflight, write_ini
from patience import patient

from zcheck.commands.demo import Cluster, specs
from zcheck.consistency.http import answering_page
from zcheck.facts import HostPort

BOUND_S = 40.0
"""What a run with one silent peer may take, with time-outs of 3 s on a busy machine; its deadline is 60 s."""
QUICK = ("--timeout", "3")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


# --- between a client and its ZEO server -----------------------------------------------------------


class Slow(Proxy):
    """Carries everything, each piece so much later."""

    def __init__(self, target: HostPort, delay_s: float) -> None:
        self.delay_s = delay_s
        super().__init__(target)

    def _carry(self, source: socket.socket, sink: socket.socket, lose: threading.Event, *, count: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                time.sleep(self.delay_s)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def through(make_cluster: Callable[..., Cluster], between: Callable[[HostPort], Proxy]) -> tuple[Cluster, Proxy]:
    """Two clients; app2 reaches its ZEO server through the proxy, and its zope.conf names the server itself."""
    cluster = make_cluster(specs(2, every={"zeoclient": "name zeostorage"}), start=False)
    made = between(HostPort(HOST, cluster.main_zeo.port))
    client = cluster.clients["app2"]
    client.spec = msgspec.structs.replace(client.spec, server=str(made.address))
    try:
        cluster.start()
    except BaseException:
        made.close()
        raise
    client.spec = msgspec.structs.replace(client.spec, server=None)
    client.write_conf(cluster.main_zeo)
    # That the file was written since is not what is examined here.
    os.utime(client.zope_conf, (time.time() - 3600,) * 2)
    return cluster, made


def test_a_client_that_hears_150_ms_late_is_late_and_not_wrong(make_cluster: Callable[..., Cluster]) -> None:
    cluster, between = through(make_cluster, lambda target: Slow(target, 0.15))
    try:
        outcome = preflight(cluster)
    finally:
        between.close()
    late = [finding for finding in outcome.told if finding[1] != "propagation-is-quick"]
    assert ([], (2, 2, 2)) == (late, outcome.counts)
    lags = {
        (pair["writer"], pair["reader"]): pair["lag_ms"]
        for level in outcome.report["consistency"]["levels"]
        if level["level"] == "http"
        for pair in level["pairs"]
    }
    assert lags["app1", "app2"] > 100


def test_a_client_with_all_threads_hanging_is_one_finding(make_cluster: Callable[..., Cluster]) -> None:
    cluster, between = through(make_cluster, Proxy)
    held = []
    try:
        between.swallow_answers.set()
        for _ in range(cluster.clients["app2"].spec.threads):
            held.append(_ask_its_server(cluster, "app2"))
        time.sleep(0.5)
        outcome = preflight(cluster, *QUICK)
    finally:
        for one in held:
            one.close()
        between.close()
    assert [("CRITICAL", "client-serves-http", ("app2",))] == outcome.told
    assert outcome.seconds < patient(BOUND_S)
    assert "pass" == outcome.outcome("nothing-is-left-behind")


def _ask_its_server(cluster: Cluster, name: str) -> socket.socket:
    """Make one thread of a client ask its ZEO server, and do not wait for the answer."""
    import base64

    pair = base64.b64encode(f"{cluster.user}:{cluster.password}".encode()).decode()
    connection = socket.create_connection((HOST, cluster.clients[name].port), timeout=10)
    path = "/Control_Panel/Database/main/manage_UndoForm"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {pair}\r\n\r\n".encode())
    return connection


# --- the ZEO server --------------------------------------------------------------------------------


def test_a_zeo_server_that_was_restored_from_an_older_copy(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(2)
    data = cluster.main_zeo.data_fs()
    older = data.with_suffix(".older")
    shutil.copyfile(data, older)
    assert 0 == preflight(cluster).code
    cluster.stop_zeo()
    shutil.copyfile(older, data)
    for stale in (data.with_suffix(".fs.index"), data.with_suffix(".fs.tmp")):
        stale.unlink(missing_ok=True)
    cluster.start_zeo()
    time.sleep(2)
    outcome = preflight(cluster, *QUICK)
    assert [("CRITICAL", "client-is-connected-to-zeo")] * 2 == [
        (severity, check) for severity, check, _ in outcome.told
    ]
    assert {"app1", "app2"} == {client for _, _, clients in outcome.told for client in clients}
    assert outcome.seconds < patient(BOUND_S)


@contextlib.contextmanager
def full_disk(pid: int, size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="another process is limited by prlimit")
def test_a_full_disk_under_the_zeo_server(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(2)
    assert 0 == preflight(cluster).code
    pid = cluster.main_zeo.pid
    assert pid is not None
    with full_disk(pid, cluster.main_zeo.data_fs().stat().st_size):
        outcome = preflight(cluster, *QUICK)
    told = [finding for finding in outcome.told if finding[0] in ("CRITICAL", "UNKNOWN")]
    accepts = ("CRITICAL", "client-accepts-writes", ("app1", "app2"))
    assert [accepts, ("UNKNOWN", "zeo-passes-writes-on", ("app1",))] == told
    # The server's own words; of a full disk it would say that no space is left.
    assert os.strerror(errno.EFBIG) in outcome.finding("zeo-passes-writes-on")["message"]
    assert "app1, app2 did not accept an edit" in outcome.finding("client-accepts-writes")["message"]
    assert (2, 0) == (outcome.code, outcome.counts[0])
    assert outcome.seconds < patient(BOUND_S)
    assert commit_takes(cluster) < 5
    again = preflight(cluster)
    assert (0, [], (2, 2, 2)) == (again.code, again.told, again.counts), again.out


# --- what stands at a client's address -------------------------------------------------------------


def answering(status: str) -> Callable[[socket.socket], None]:
    def answer(peer: socket.socket) -> None:
        while peer.recv(65536):
            peer.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    return answer


def resetting(peer: socket.socket) -> None:
    """Begin to answer, then break the connection off."""
    peer.recv(65536)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly so much")
    time.sleep(0.05)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


STRANGE: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "500 to everything": (answering("500 Internal Server Error"), "answers a request for / with status 500"),
    "503 to everything": (answering("503 Service Unavailable"), "answers a request for / with status 503"),
    "RST in the middle of the answer": (resetting, "closed the connection in the middle|broke the connection off"),
}


@pytest.mark.parametrize(("answer", "words"), STRANGE.values(), ids=STRANGE)
def test_a_client_that_answers_strangely_is_one_finding(
    answer: Callable[[socket.socket], None], words: str, cluster: Cluster
) -> None:
    with listener(answer) as strange:
        keys = {"connect": str(strange.address)}
        outcome = preflight(write_ini(cluster, "strange", instead={"app2": keys}), *QUICK)
    assert [("CRITICAL", "client-serves-http", ("app2",))] == outcome.told
    message = outcome.finding("client-serves-http")["message"]
    assert any(word in message for word in words.split("|"))
    assert outcome.pairs("http")["app1", "app3"] is True
    assert outcome.seconds < patient(BOUND_S)


def test_two_entries_that_lead_to_one_process(cluster: Cluster) -> None:
    with proxy(HostPort(HOST, cluster.clients["app1"].port)) as forward:
        ini = write_ini(cluster, "twice", instead={"app2": {"connect": str(forward.address)}})
        outcome = preflight(ini)
    assert ("CRITICAL", "clients-are-distinct-processes", ("app1", "app2")) in outcome.told
    assert ["clients-are-distinct-processes"] == outcome.of("CRITICAL")
    # One process shows its own writes to itself.
    unproven = {pair for pair, seen in outcome.pairs("http").items() if not seen}
    assert {("app1", "app2"), ("app2", "app1")} == unproven
    assert 4 == outcome.report["coverage"]["pairs_proven"]


class Rewriting(Proxy):
    """Changes what the client answers."""

    def __init__(self, target: HostPort, old: bytes, new: bytes) -> None:
        self.change = old, new
        super().__init__(target)

    def _carry(self, source: socket.socket, sink: socket.socket, lose: threading.Event, *, count: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data if count else data.replace(*self.change))
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


REWRITTEN: dict[str, tuple[bytes, bytes, str]] = {
    "a cache in front": (
        b"\r\nServer: waitress",
        b"\r\nServer: waitress\r\nVia: 1.1 varnish",
        "client-is-reached-directly",
    ),
    "a clock that is wrong": (b"\r\nDate: ", b"\r\nDate: Thu, 01 Jan 2015 00:00:00 GMT\r\nX-Date: ", "clocks-agree"),
}


@pytest.mark.parametrize(("old", "new", "expected"), REWRITTEN.values(), ids=REWRITTEN)
def test_what_a_clients_headers_give_away(old: bytes, new: bytes, expected: str, cluster: Cluster) -> None:
    between = Rewriting(HostPort(HOST, cluster.clients["app2"].port), old, new)
    try:
        outcome = preflight(write_ini(cluster, "rewritten", instead={"app2": {"connect": str(between.address)}}))
    finally:
        between.close()
    assert [expected] == [check for _, check, _ in outcome.told]
    assert ["WARNING"] == [severity for severity, _, _ in outcome.told]
    assert (6, 6, 6) == outcome.counts


# --- names -----------------------------------------------------------------------------------------


def _may_have_a_resolver_of_its_own() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not _may_have_a_resolver_of_its_own(), reason="needs root and mount namespaces")
def test_names_that_the_resolver_never_answers(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.77\noptions timeout:30 attempts:3\n")
    port = cluster.clients["app2"].port
    keys = {"address": f"app2.stalls.example:{port}", "listens": str(port)}
    ini = write_ini(cluster, "stalls", instead={"app2": keys})
    kept = tmp_path / "report.json"
    run = command("preflight", ini, "--timeout", "2", "-o", f"json:{kept}")
    inside = f'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(("127.0.0.77", 53))
        except OSError:
            pytest.skip("there is a name server already")
        begun = time.monotonic()
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", inside, "sh", *run], capture_output=True, text=True, timeout=90, check=False
        )
    outcome = _reported(done, kept, time.monotonic() - begun)
    assert [("UNKNOWN", "client-port-answers", ("app2",))] == outcome.told
    assert outcome.pairs("http")["app1", "app3"] is True
    assert outcome.seconds < patient(BOUND_S)


def _reported(done: subprocess.CompletedProcess[str], kept: Path, seconds: float) -> Outcome:
    report: dict[str, Any] = msgspec.json.decode(kept.read_bytes())
    return Outcome(done.returncode, done.stdout, done.stderr, seconds, report)


def test_a_run_by_command_ends_though_a_thread_of_it_hangs(cluster: Cluster) -> None:
    with listener(lambda peer: time.sleep(30)) as silent:
        ini = write_ini(cluster, "hangs", instead={"app2": {"connect": str(silent.address)}})
        outcome = by_command("preflight", ini, "--timeout", "2", "--deadline", "15")
    assert 2 == outcome.code
    assert outcome.seconds < patient(20)


# --- old pages: whose fault ------------------------------------------------------------------------


class Keeping(http.server.BaseHTTPRequestHandler):
    """A cache in front of a client: it keeps the first answer of a page that shows documents for ever."""

    protocol_version = "HTTP/1.1"
    target: HostPort
    kept: dict[str, tuple[int, bytes, str]]

    def do_GET(self) -> None:
        page = self.path.partition("?")[0]
        # What the writer itself looks at, to see that it was saved, passes.
        keep = page.endswith((answering_page.NAME, "document-1/title_or_id", "document-3/title_or_id"))
        status, body, kind = self.kept.get(page) or self._fetch("GET", b"")
        if keep and status == 200 and b"document" in body + page.encode():
            self.kept[page] = status, body, kind
        self._answer(status, body, kind)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._answer(*self._fetch("POST", content))

    def _fetch(self, method: str, content: bytes) -> tuple[int, bytes, str]:
        connection = http.client.HTTPConnection(self.target.host, self.target.port, timeout=10)
        names = ("Authorization", "Content-Type")
        headers = {name: self.headers[name] for name in names if name in self.headers}
        connection.request(method, self.path, content, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.getheader("Content-Type") or "text/plain"
        connection.close()
        return found

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def keeping(target: HostPort) -> Iterator[HostPort]:
    handler = type("Kept", (Keeping,), {"target": target, "kept": {}})
    server = http.server.ThreadingHTTPServer((HOST, 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield HostPort(HOST, server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_a_stale_cache_is_told_from_another_database(cluster: Cluster) -> None:
    with keeping(HostPort(HOST, cluster.clients["app2"].port)) as front:
        ini = write_ini(cluster, "stale", instead={"app2": {"connect": str(front)}})
        outcome = preflight(ini, *QUICK)
    assert "edits-are-seen-everywhere" in outcome.of("CRITICAL")
    message = outcome.finding("edits-are-seen-everywhere")["message"]
    assert "app2: its storage has the revision that it does not show: a stale cache" in message
    assert "pass" == outcome.outcome("nothing-is-left-behind")
