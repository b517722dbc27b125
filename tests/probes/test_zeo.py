"""The ZEO probe against real servers and against everything that is not one."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import proxies
from cluster.zeo_servers import ZeoServer, free_port, stopped_in_commit, zeo_server
from patience import patient

from zcheck.facts import HostPort, LockReading, ZeoStorage
from zcheck.probes import zeo


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZeoServer]:
    with zeo_server(tmp_path_factory.mktemp("zeo")) as running:
        yield running


def test_a_healthy_server_answers(server: ZeoServer) -> None:
    asked = zeo.ask(server.address)
    assert ("answers", "Z5", ["1"]) == (asked.outcome, asked.protocol, list(asked.storages))
    storage = asked.storages["1"]
    assert (0, "0" * 16) == (storage.connections, storage.last_transaction)
    assert [None] == [reading.lock_time for reading in storage.readings]


def test_asking_is_no_registration(server: ZeoServer) -> None:
    for _ in range(20):
        assert 0 == server.connections()


def test_asking_is_quick(server: ZeoServer) -> None:
    started = time.monotonic()
    for _ in range(20):
        zeo.ask(server.address)
    assert time.monotonic() - started < patient(2)


def test_a_server_with_messages_in_msgpack_answers(tmp_path: Path) -> None:
    pytest.importorskip("msgpack")
    with zeo_server(tmp_path, options="  msgpack true") as running:
        asked = zeo.ask(running.address)
        assert ("answers", "M5") == (asked.outcome, asked.protocol)


def test_a_unix_socket_answers(tmp_path: Path) -> None:
    path = str(tmp_path / "zeo.sock")
    assert "refused" == zeo.ask(path).outcome
    with zeo_server(tmp_path / "server", path=path):
        assert "answers" == zeo.ask(path).outcome
    assert "refused" == zeo.ask(path).outcome


NOT_ZEO = [
    pytest.param("http", "HTTP/1.0 404", proxies.http, id="a web server"),
    pytest.param("http", "HTTP/1.1 400", proxies.saying(b"HTTP/1.1 400 Bad\r\n\r\n"), id="a web server in a hurry"),
    pytest.param("foreign", "SSH-2.0-OpenSSH", proxies.saying(b"SSH-2.0-OpenSSH_9.2\r\n"), id="a banner"),
    pytest.param("foreign", "220", proxies.saying(b"220\r\n"), id="a short banner"),
    pytest.param("foreign", "??", proxies.saying(b"\0\0\0\2??"), id="a frame that names no protocol"),
    pytest.param("foreign", "Zx", proxies.saying(b"\0\0\0\2Zx"), id="a frame that names no version"),
    pytest.param("foreign", "???", proxies.saying(b"\xff\xff\xff\xffZ5"), id="a frame of 4 GB"),
    pytest.param("silent", "says nothing", proxies.saying(b""), id="silence"),
    pytest.param("silent", "closes it", proxies.saying(b"", then_close=True), id="closed at once"),
    pytest.param("silent", "Z5", proxies.zeo_saying(b"Z5", None), id="a hello and no answer"),
    pytest.param("foreign", "ruok", proxies.zeo_saying(b"Z5", b"[1]"), id="an answer that is a list"),
    pytest.param("foreign", "ruok", proxies.zeo_saying(b"Z5", b'{"1": 7}'), id="a storage that is a number"),
    pytest.param("foreign", "ruok", proxies.zeo_saying(b"Z5", b"\xff\xfe"), id="an answer that is no text"),
    pytest.param("foreign", "ruok", proxies.zeo_saying(b"Z5", b"[" * 100_000), id="an answer that is deeply nested"),
    pytest.param("too-old", "Z4", proxies.zeo_saying(b"Z4", None), id="ZEO 4.0"),
    pytest.param("too-old", "Z3101", proxies.zeo_saying(b"Z3101", None), id="ZODB 3.10"),
    pytest.param("too-old", "Z309", proxies.zeo_saying(b"Z309", b"{}"), id="ZODB 3.9"),
]


@pytest.mark.parametrize(("outcome", "detail", "answer"), NOT_ZEO)
def test_what_is_no_server_is_told_apart(outcome: str, detail: str, answer: proxies.Answer) -> None:
    with proxies.listener(answer) as peer:
        started = time.monotonic()
        asked = zeo.ask(peer.address, timeout_s=3)
        assert time.monotonic() - started < patient(3.5)
    assert outcome == asked.outcome, asked
    assert detail in asked.detail


def test_bytes_that_drip_do_not_stretch_the_limit() -> None:
    answer = b"\0\0\0\x3cZ5" + b"5" * 58
    with proxies.listener(proxies.saying(answer, every_s=0.5)) as peer:
        started = time.monotonic()
        assert "foreign" == zeo.ask(peer.address, timeout_s=2).outcome
        assert time.monotonic() - started < patient(3)


def test_zeo_4_1_is_too_old_and_its_storages_are_told() -> None:
    status = {"1": {"connections": 2, "last-transaction": "03" * 8, "lock_time": None, "commits": 5}}
    with proxies.listener(proxies.zeo_saying(b"Z4", json.dumps(status).encode())) as peer:
        asked = zeo.ask(peer.address)
    assert ("too-old", 2) == (asked.outcome, asked.storages["1"].connections)


def test_nobody_listens() -> None:
    assert "refused" == zeo.ask(HostPort("127.0.0.1", free_port())).outcome


@pytest.mark.parametrize("host", ["zeo1.invalid", "a" * 70 + ".invalid"])
def test_a_name_that_nothing_knows(host: str) -> None:
    asked = zeo.ask(HostPort(host, 8100), timeout_s=3)
    assert "unknown-name" == asked.outcome
    assert host in asked.detail


def test_a_name_with_two_addresses_is_tried_on_both(server: ZeoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # 'localhost' often means ::1 first, where a server bound to 127.0.0.1 does not listen.
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", server.port, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: found)
    assert "answers" == zeo.ask(HostPort("both", server.port)).outcome


def test_a_full_backlog_is_a_timeout() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = HostPort("127.0.0.1", full.getsockname()[1])
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((address.host, address.port))
        time.sleep(0.1)
        started = time.monotonic()
        assert "timeout" == zeo.ask(address, timeout_s=0.5).outcome
        assert time.monotonic() - started < patient(1.5)
        for one in waiting:
            one.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return folder / "both.pem"


def test_a_server_that_speaks_tls(tmp_path: Path, certificate: Path) -> None:
    section = f"  <ssl>\n    certificate {certificate}\n    authenticate {certificate}\n  </ssl>"
    with zeo_server(tmp_path, options=section) as running:
        assert "tls" == zeo.ask(running.address, timeout_s=4).outcome


def test_a_web_server_that_speaks_tls(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as tls:
            tls.recv(1024)

    with proxies.listener(answer) as peer:
        assert "tls" == zeo.ask(peer.address, timeout_s=4).outcome


def test_a_slow_server_is_waited_for(server: ZeoServer) -> None:
    def answer(peer: socket.socket) -> None:
        time.sleep(1.6)
        with socket.create_connection((server.address.host, server.port)) as behind:
            peer.sendall(behind.recv(64))
            behind.sendall(peer.recv(64))
            while data := behind.recv(65536):
                peer.sendall(data)
        peer.close()

    with proxies.listener(answer) as slow:
        assert "answers" == zeo.ask(slow.address, timeout_s=5).outcome


def test_a_stopped_server_is_silent(tmp_path: Path) -> None:
    with zeo_server(tmp_path) as running:
        assert running.process is not None
        os.kill(running.process.pid, signal.SIGSTOP)
        assert "silent" == zeo.ask(running.address, timeout_s=2.5).outcome


# --- the commit lock -----------------------------------------------------------------------------


def reading(at_s: float, lock_time: str | None, commits: int = 7) -> LockReading:
    return LockReading(at_s, lock_time, commits, waiting=3)


@pytest.mark.parametrize(
    ("blocked", "readings"),
    [
        pytest.param(False, [reading(0, None)], id="no lock, a queue"),
        pytest.param(True, [reading(0, "5.1"), reading(1.1, "5.1")], id="the same lock, no commit"),
        pytest.param(False, [reading(0, "5.1"), reading(1.1, "6.2")], id="another lock"),
        pytest.param(False, [reading(0, "5.1"), reading(1.1, "5.1", 8)], id="a commit between"),
        pytest.param(False, [reading(0, "5.1"), reading(1.1, None)], id="free in the meantime"),
        pytest.param(None, [reading(0, "5.1"), reading(0.5, "5.1")], id="too close together"),
        pytest.param(None, [reading(0, "5.1")], id="one reading only"),
        pytest.param(None, [], id="no reading"),
    ],
)
def test_a_lock_is_stuck_or_is_not(blocked: bool | None, readings: list[LockReading]) -> None:
    assert blocked is ZeoStorage(0, "", readings=tuple(readings)).is_blocked


def test_a_held_lock_is_read_twice_and_waited_for(tmp_path: Path) -> None:
    with zeo_server(tmp_path) as running:
        assert not zeo.wait_until_free(running.address, "1", timeout_s=2)
        with stopped_in_commit(running):
            storage = zeo.ask(running.address).storages["1"]
            assert (2, True) == (len(storage.readings), storage.is_blocked)
            started = time.monotonic()
            held = zeo.wait_until_free(running.address, "1", timeout_s=0.5)
            assert held.is_held
            reason = held.reason
            assert "held for" in reason
            assert "storage 1" in reason
            assert time.monotonic() - started < patient(2)
        assert not zeo.wait_until_free(running.address, "1", timeout_s=2)
        assert "no storage 2" in zeo.wait_until_free(running.address, "2", timeout_s=2).reason
    assert "did not answer" in zeo.wait_until_free(running.address, "1", timeout_s=2).reason
