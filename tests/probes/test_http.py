"""Asking over HTTP: every odd peer is told apart, in bounded time and memory, and no secret is told."""

from __future__ import annotations

import contextlib
import gzip
import resource
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.proxies import Answer, listener, saying
from patience import patient

from zcheck.consistency.http import client as zmi
from zcheck.consistency.http import forms
from zcheck.consistency.http import names as our_names
from zcheck.facts import Client, HostPort, HttpAnswer, IniSection, NotGathered, PortAnswer
from zcheck.probes import http, http_connection, names
from zcheck.probes.http_connection import HttpTrouble, Line
from zcheck.probes.http_session import BoundedSession

HOST = "127.0.0.1"
TIMEOUT_S = 0.6
# A limit is met when it ends within this, also on a machine that is busy with other tests.
SLACK_S = 1.5
HELLO = b"\0\0\0\2Z5"


def client(address: HostPort, **changes: Any) -> Client:
    return Client("app1", address, IniSection("client:app1", 1), address.host, **changes)


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def page(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    return head(f"Content-Length: {len(body)}", *lines, status=status) + body


def asked_then(*parts: bytes, every_s: float = 0.0, close: bool = True) -> Answer:
    """Wait for a request, then send these parts with a pause after each."""

    def answer(peer: socket.socket) -> None:
        peer.recv(65536)
        for part in parts:
            peer.sendall(part)
            time.sleep(every_s)
        if close:
            peer.close()
        else:
            while peer.recv(65536):
                pass

    return answer


def for_ever(part: bytes, every_s: float = 0.0, before: bytes = b"") -> Answer:
    def answer(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(before)
        while True:
            peer.sendall(part)
            time.sleep(every_s)

    return answer


def reset(peer: socket.socket) -> None:
    peer.recv(65536)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


class Stopwatch:
    def __enter__(self) -> Stopwatch:
        self._started = time.monotonic()
        return self

    def __exit__(self, *raised: object) -> None:
        self.took = time.monotonic() - self._started


# --- the port --------------------------------------------------------------------------------------


def closed_port() -> HostPort:
    with socket.create_server((HOST, 0)) as server:
        return HostPort(HOST, server.getsockname()[1])


@contextlib.contextmanager
def full_port() -> Iterator[HostPort]:
    """A port whose queue of connections is full: a further connect is not answered at all."""
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(socket.create_server((HOST, 0), backlog=0))
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield HostPort(HOST, server.getsockname()[1])


def test_an_open_port() -> None:
    with listener(saying(b"")) as peer:
        answer = http.probe_port(client(peer.address), TIMEOUT_S)
    assert ("open", str(peer.address)) == (answer.outcome, answer.dialled)
    assert answer.connect_ms is not None and 0 < answer.connect_ms < 1000 * SLACK_S


def test_a_closed_port() -> None:
    address = closed_port()
    assert PortAnswer(str(address), "refused", "refuses connections") == http.probe_port(client(address), TIMEOUT_S)


def test_a_port_that_does_not_accept() -> None:
    with full_port() as address, Stopwatch() as watch:
        answer = http.probe_port(client(address), TIMEOUT_S)
    assert ("timeout", "did not accept a connection within 0.6 s") == (answer.outcome, answer.detail)
    assert watch.took < patient(TIMEOUT_S + SLACK_S)


def test_a_name_that_nothing_knows() -> None:
    answer = http.probe_port(client(HostPort("nowhere.invalid", 8080)), TIMEOUT_S)
    assert "unknown-name" == answer.outcome and "nowhere.invalid" in answer.detail


def test_a_resolver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(names, "resolve", lambda name: released.wait(30))
    try:
        with Stopwatch() as watch:
            answer = http.probe_port(client(HostPort("zope1", 8080)), TIMEOUT_S)
    finally:
        released.set()
    assert "unknown-name" == answer.outcome and "took more than 0.6 s to look up" in answer.detail
    assert watch.took < patient(TIMEOUT_S + SLACK_S)


def test_the_inventory_knows_names_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "resolve", lambda name: pytest.fail("the resolver was asked"))
    with listener(saying(b"")) as peer:
        answer = http.probe_port(client(HostPort("Zope1", peer.address.port)), TIMEOUT_S, {"zope1": (HOST,)})
    assert "open" == answer.outcome


def test_the_second_address_of_a_name_is_tried() -> None:
    with listener(saying(b"")) as peer:
        answer = http.probe_port(client(HostPort("zope1", peer.address.port)), TIMEOUT_S, {"zope1": ("::1", HOST)})
    assert "open" == answer.outcome


def test_connect_is_where_it_is_dialled() -> None:
    with listener(saying(b"")) as peer:
        answer = http.probe_port(client(HostPort("10.255.255.1", 8080), connect=peer.address), TIMEOUT_S)
    assert ("open", str(peer.address)) == (answer.outcome, answer.dialled)


# --- one request for / -----------------------------------------------------------------------------

# By the peer: how it is told, words of the detail, and the status.
PEERS: dict[str, tuple[Answer, str, str, int | None]] = {
    "a page": (asked_then(page(b"hello")), "http", "", 200),
    "a page without a length": (asked_then(head(), b"hello"), "http", "", 200),
    "chunks": (asked_then(head("Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"), "http", "", 200),
    "packed": (asked_then(page(gzip.compress(b"hello"), "Content-Encoding: gzip")), "http", "", 200),
    "a login": (asked_then(page(b"", 'WWW-Authenticate: basic realm="Zope"', status="401 No")), "http", "", 401),
    "a redirect to itself": (asked_then(page(b"", "Location: /", status="302 Found")), "http", "", 302),
    "a server error": (asked_then(page(b"", status="503 Busy")), "http", "", 503),
    "an endless body": (for_ever(b"x" * 65536, before=head()), "http", "cut after 4096 KiB", 200),
    "a bomb": (
        asked_then(page(gzip.compress(b"\0" * 400_000_000, 1), "Content-Encoding: gzip")),
        "http",
        "cut after 4096 KiB",
        200,
    ),
    "a bomb in a bomb": (
        asked_then(page(gzip.compress(gzip.compress(b"\0" * 10_000)), "Content-Encoding: gzip, gzip")),
        "not-http",
        "packs its answer as 'gzip, gzip'",
        None,
    ),
    "a false packing": (asked_then(page(b"hello", "Content-Encoding: gzip")), "not-http", "and it is not", None),
    "silence": (saying(b""), "silent", "said nothing for 0.6 s", None),
    "a dripping body": (for_ever(b"x", 0.05, before=head("Content-Length: 1000000")), "too-slow", "0.6 s", None),
    "dripping headers": (for_ever(b"X-Drip: 1\r\n", 0.05, before=b"HTTP/1.1 200 OK\r\n"), "too-slow", "0.6 s", None),
    "a dripping first line": (asked_then(*[b"H", b"T", b"T", b"P", b"/"] * 9, every_s=0.3), "too-slow", "0.6 s", None),
    "continue without end": (for_ever(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), "too-slow", "0.6 s", None),
    "dripping chunks": (
        for_ever(b"1\r\nx\r\n", 0.05, before=head("Transfer-Encoding: chunked")),
        "too-slow",
        "0.6 s",
        None,
    ),
    "a ZEO server": (saying(HELLO), "not-http", "as a ZEO server does", None),
    "an SSH server": (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "not-http", "as an SSH server does", None),
    "garbage": (asked_then(b"\x1b[31mred\x07\r\n"), "not-http", r"begins with '\\x1b[31mred", None),
    "an answer of HTTP's shape": (asked_then(b"HTTP/9.9 what\r\n\r\n"), "not-http", "proper HTTP", None),
    "an endless header": (for_ever(b"x" * 65536, before=b"HTTP/1.1 200 OK\r\nX: "), "not-http", "LineTooLong", None),
    "headers without end": (for_ever(b"X: 1\r\n" * 500, before=b"HTTP/1.1 200 OK\r\n"), "not-http", "proper", None),
    "a hang-up": (asked_then(), "reset", "without an answer", None),
    "a hang-up at once": (saying(b"", then_close=True), "reset", "", None),
    "a reset": (reset, "reset", "broke the connection off", None),
    "half a page": (asked_then(head("Content-Length: 100"), b"hello"), "reset", "in the middle", None),
}


@pytest.mark.parametrize(("answer", "outcome", "words", "status"), PEERS.values(), ids=PEERS)
def test_what_a_peer_does_is_told_apart(answer: Answer, outcome: str, words: str, status: int | None) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with listener(answer) as peer, Stopwatch() as watch:
        found = http.probe_http(client(peer.address), TIMEOUT_S)
    assert (outcome, status) == (found.outcome, found.status)
    assert words in found.detail
    assert watch.took < patient(TIMEOUT_S + SLACK_S)
    assert "\x1b" not in found.detail
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 100


def test_a_port_that_was_just_closed_is_told_too() -> None:
    assert HttpAnswer("reset", "refuses connections") == http.probe_http(client(closed_port()), TIMEOUT_S)


def test_no_cookie_is_kept_in_the_report() -> None:
    with listener(asked_then(page(b"", "Set-Cookie: __ac=secret", "X-Powered-By: Zope"))) as peer:
        found = http.probe_http(client(peer.address), TIMEOUT_S)
    assert {"content-length": "0", "x-powered-by": "Zope"} == found.headers


# --- TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for zope1, signed by itself, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    path = folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=zope1"]
    command += ["-addext", "subjectAltName=DNS:zope1", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    path.write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return path


def over_tls(certificate: Path, inner: Answer) -> Answer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as wrapped:
            inner(wrapped)

    return answer


def at_zope1(address: HostPort) -> Client:
    return client(HostPort("zope1", address.port), connect=address, tls=True)


def test_a_page_over_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with listener(over_tls(certificate, asked_then(page(b"hello")))) as peer:
        assert 200 == http.probe_http(at_zope1(peer.address), TIMEOUT_S + 1).status


def test_a_dripping_page_over_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    drip = for_ever(b"x", 0.05, before=head("Content-Length: 1000000"))
    with listener(over_tls(certificate, drip)) as peer, Stopwatch() as watch:
        assert "too-slow" == http.probe_http(at_zope1(peer.address), TIMEOUT_S).outcome
    assert watch.took < patient(TIMEOUT_S + SLACK_S)


def test_a_certificate_that_nobody_signed_is_refused_unless_asked_otherwise(certificate: Path) -> None:
    with listener(over_tls(certificate, asked_then(page(b"hello")))) as peer:
        found = http.probe_http(at_zope1(peer.address), TIMEOUT_S + 1)
        assert "tls-error" == found.outcome and "does not verify: self-signed certificate" in found.detail
        assert 200 == http.probe_http(at_zope1(peer.address), TIMEOUT_S + 1, verify=False).status


def test_a_certificate_of_another_name_is_refused(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with listener(over_tls(certificate, asked_then(page(b"hello")))) as peer:
        found = http.probe_http(client(HostPort("zope2", 1), tls=True, connect=peer.address), TIMEOUT_S + 1)
    assert "tls-error" == found.outcome and "zope2" in found.detail


TLS_PEERS: dict[str, tuple[Answer, str]] = {
    "plain HTTP": (asked_then(page(b"hello")), "does not speak TLS"),
    "silence": (saying(b""), "did not finish the TLS handshake within 0.6 s"),
    "garbage": (saying(b"\0" * 100), "does not speak TLS"),
}


@pytest.mark.parametrize(("answer", "words"), TLS_PEERS.values(), ids=TLS_PEERS)
def test_a_peer_without_tls(answer: Answer, words: str) -> None:
    with listener(answer) as peer, Stopwatch() as watch:
        found = http.probe_http(at_zope1(peer.address), TIMEOUT_S)
    assert "tls-error" == found.outcome and words in found.detail
    assert watch.took < patient(TIMEOUT_S + SLACK_S)


def test_a_tls_port_that_is_asked_without(certificate: Path) -> None:
    with listener(over_tls(certificate, asked_then())) as peer:
        found = http.probe_http(client(peer.address), TIMEOUT_S + 1)
    assert found.outcome in ("not-http", "reset")
    assert "tls = yes" in found.detail or found.outcome == "reset"


# --- what is sent ----------------------------------------------------------------------------------


class Heard:
    """Keeps every request and answers each with a page, on one connection."""

    def __init__(self, *answers: bytes) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answers = list(answers) or [page(b"hello")]

    def __call__(self, peer: socket.socket) -> None:
        self.connections += 1
        while data := peer.recv(65536):
            if b" HTTP/1.1\r\n" not in data:
                self.requests[-1] += data
                continue
            self.requests.append(data)
            peer.sendall(self._answers[min(len(self.requests), len(self._answers)) - 1])


def test_a_request_says_what_a_balancer_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    heard = Heard()
    with listener(heard) as peer:
        http.probe_http(client(HostPort("app1.example.com", 8080), connect=peer.address), TIMEOUT_S)
    (request,) = heard.requests
    assert request.startswith(b"GET / HTTP/1.1\r\n")
    assert b"\r\nHost: app1.example.com:8080\r\n" in request
    assert b"\r\nCache-Control: no-cache\r\n" in request
    assert b"Authorization" not in request and b"Cookie" not in request


HOSTS = {
    "a port": (HostPort("app1", 8080), {}, b"app1:8080"),
    "the scheme's own port": (HostPort("app1", 80), {}, b"app1"),
    "IPv6": (HostPort("::1", 8080), {}, b"[::1]:8080"),
    "another host": (HostPort("app1", 8080), {"host_header": "www.example.com"}, b"www.example.com"),
}


@pytest.mark.parametrize(("address", "changes", "expected"), HOSTS.values(), ids=HOSTS)
def test_the_host_header(address: HostPort, changes: dict[str, Any], expected: bytes) -> None:
    heard = Heard()
    with listener(heard) as peer:
        http.probe_http(client(address, connect=peer.address, **changes), TIMEOUT_S)
    assert b"\r\nHost: " + expected + b"\r\n" in heard.requests[0]


def test_one_connection_is_kept_for_reading_and_each_write_has_its_own() -> None:
    heard = Heard()
    with listener(heard) as peer:
        line = Line(client(peer.address), [HOST])
        for method in ("GET", "GET", "GET", "POST", "POST"):
            line.ask(method, "/", timeout_s=TIMEOUT_S, body=b"x" if method == "POST" else None)
        line.close()
    assert (5, 3) == (len(heard.requests), heard.connections)


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    connections = []

    def once(peer: socket.socket) -> None:
        connections.append(peer)
        peer.recv(65536)
        peer.sendall(page(b"hello"))
        peer.close()

    with listener(once) as peer:
        line = Line(client(peer.address), [HOST])
        assert [200, 200, 200] == [line.ask("GET", "/", timeout_s=TIMEOUT_S).status for _ in range(3)]
    assert 3 == len(connections)


def test_a_write_is_never_sent_twice() -> None:
    heard: list[bytes] = []

    def lost(peer: socket.socket) -> None:
        heard.append(peer.recv(65536))
        peer.close()

    with listener(lost) as peer, pytest.raises(HttpTrouble) as raised:
        Line(client(peer.address), [HOST]).ask("POST", "/", timeout_s=TIMEOUT_S, body=b"x")
    assert (1, "reset", False) == (len(heard), raised.value.kind, raised.value.surely_not_sent)


def test_a_write_to_a_closed_port_was_surely_not_sent() -> None:
    with pytest.raises(HttpTrouble) as raised:
        Line(client(closed_port()), [HOST]).ask("POST", "/", timeout_s=TIMEOUT_S, body=b"x")
    assert raised.value.surely_not_sent


# --- no secret is told -----------------------------------------------------------------------------

SECRET = "Geheim-Wörtchen-42"


def echo(peer: socket.socket) -> None:
    peer.sendall(peer.recv(65536))
    peer.close()


SECRET_PEERS = {name: PEERS[name][0] for name in ("silence", "a hang-up", "garbage", "a ZEO server", "a reset")}


@pytest.mark.parametrize("answer", [*SECRET_PEERS.values(), echo], ids=[*SECRET_PEERS, "an echo"])
def test_no_trouble_tells_the_password(answer: Answer) -> None:
    with listener(answer) as peer:
        found = http.probe_control_panel(client(peer.address), "admin", SECRET, TIMEOUT_S)
        session = BoundedSession(client(peer.address), [HOST], timeout_s=TIMEOUT_S, user="admin", password=SECRET)
        with pytest.raises(HttpTrouble) as raised:
            session.get("/")
    told = f"{found!r} {raised.value!r} {raised.getrepr(showlocals=False)}"
    encoded = "YWRtaW46"  # what base 64 makes of "admin:"
    assert SECRET not in told and encoded not in told
    assert isinstance(found, NotGathered)


def test_a_password_beyond_ascii_is_sent_as_zope_reads_it() -> None:
    import base64

    heard = Heard()
    with listener(heard) as peer:
        Line(client(peer.address), [HOST], user="admin", password=SECRET).ask("GET", "/", timeout_s=TIMEOUT_S)
    sent = heard.requests[0].split(b"Authorization: Basic ")[1].split(b"\r\n")[0]
    assert f"admin:{SECRET}" == base64.b64decode(sent).decode()


# --- the session for forms -------------------------------------------------------------------------


def test_a_session_stays_with_its_client_and_follows_no_redirect() -> None:
    heard = Heard(page(b"", "Location: http://www.example.com/elsewhere", status="302 Found"))
    with listener(heard) as peer:
        session = BoundedSession(client(peer.address), [HOST], timeout_s=TIMEOUT_S)
        response = session.post("http://www.example.com/add?x=1", data={"id": "a b"}, headers={"X-More": "1"})
    assert (302, "http://www.example.com/elsewhere") == (response.status_code, response.headers["location"])
    assert 1 == len(heard.requests)
    assert heard.requests[0].startswith(b"POST /add?x=1 HTTP/1.1\r\n")
    assert b"\r\nX-More: 1\r\n" in heard.requests[0]
    assert heard.requests[0].endswith(b"\r\n\r\nid=a+b")


def test_a_session_keeps_no_cookie() -> None:
    heard = Heard(page(b"", "Set-Cookie: a=b"))
    with listener(heard) as peer:
        session = BoundedSession(client(peer.address), [HOST], timeout_s=TIMEOUT_S)
        session.get("/")
        session.get("/")
    assert [False, False] == [b"Cookie:" in request for request in heard.requests]


def test_a_session_is_bounded_too() -> None:
    with listener(for_ever(b"x" * 65536, before=head())) as peer, pytest.raises(HttpTrouble) as raised:
        BoundedSession(client(peer.address), [HOST], timeout_s=5).get("/")
    assert ("too-large", "sent a page of more than 4096 KiB") == (raised.value.kind, raised.value.words)


def test_a_bomb_is_unpacked_no_further_than_the_limit() -> None:
    unpack = http_connection._unpacker("gzip")
    data = gzip.compress(b"\0" * 50_000_000)
    assert 1000 == len(unpack(data, 1000))
    assert b"hello" == http_connection._unpacker("deflate")(zlib.compress(b"hello"), 100)


# --- pages -----------------------------------------------------------------------------------------

DATABASE_PAGES = {
    "Zope 6, a ZEO client": (
        "<tr><td>Database Location</td><td class='code'>[('127.0.0.1', 28100)] (connected)</td></tr>",
        ("[('127.0.0.1', 28100)]", True),
    ),
    "a name": ("<tr><td>Database Location</td><td>zeostorage (disconnected)</td></tr>", ("zeostorage", False)),
    "a file": ("<tr><td>Database Location</td><td>/srv/Data (1).fs</td></tr>", ("/srv/Data (1).fs", None)),
    "Zope 2, with markup in the cells": (
        '<tr>\n<td align="left"><div class="form-label">\n Database Location\n</div></td>\n'
        '<td><div class="form-text">\n /srv/Data.fs\n</div></td></tr>',
        ("/srv/Data.fs", None),
    ),
    "markup in the value": (
        "<tr><th>Database Location:</th><td>&lt;b&gt; &amp; (connected)</td></tr>",
        ("<b> &", True),
    ),
    "other rows first": (
        "<tr><th colspan='2'>Database</th></tr><tr><td>Database Size</td><td>4K</td></tr>"
        "<tr><td>Database Location</td><td>x (connected)</td></tr>",
        ("x", True),
    ),
    "cells that are never closed": ("<tr><td>Database Location<td>x (connected)<tr><td>Size<td>4", ("x", True)),
}


@pytest.mark.parametrize(("html", "expected"), DATABASE_PAGES.values(), ids=DATABASE_PAGES)
def test_the_location_is_found_by_its_label(html: str, expected: tuple[str, bool | None]) -> None:
    found = http.database_page("main", f"<html><table>{html}</table></html>")
    assert found is not None and expected == (found.location, found.connected)


def test_a_page_without_the_label_tells_nothing() -> None:
    assert None is http.database_page("main", "<table><tr><td>Location</td><td>x (connected)</td></tr></table>")


def test_the_databases_are_those_with_a_page() -> None:
    html = """<a href="http://x/Control_Panel/Database/manage_workspace">Database</a>
    <a class="b" href="http://x/Control_Panel/Database/main/manage_main">main</a>
    <a href='http://x/Control_Panel/Database/my%20archive/manage_main'>my archive</a>
    <a href="http://x/Control_Panel/Database/main/manage_main">main</a>"""
    assert ("main", "my archive") == http.database_names(html)


def test_the_control_panel_by_its_labels() -> None:
    html = """<tr><th>Zope Version</th><td>6.3.0</td></tr><tr><th>CLIENT_HOME</th><td>/x</th></tr>
    <tr><th>Process Id</th><td>5417 (139874)</td></tr><tr><th>Running For</th><td> 2 days  15 sec</td></tr>"""
    found = http.control_panel(html, ())
    expected = ("6.3.0", None, 5417, "2 days 15 sec")
    assert expected == (found.zope_version, found.python_version, found.process_id, found.running_for)


UNDO_FORM = """<input type="checkbox" name="transaction_info:list" value="QkEwbnRkdEh2NGc9
 2026/11/21 01:57:51 UTC /manage_addFolder " /></div></td>
<td>/manage_addFolder by <strong> admin</strong></td></tr>
<tr><td><input type="checkbox" name="transaction_info:list" value="QkEwbnRkcDY4V1k9
 2026/11/21 01:57:50 UTC zcheck run=4f2a" /></td><td>zcheck run=4f2a seq=1 by <strong>zcheck</strong></td>"""


def test_an_undo_form_lists_transactions_with_their_ids() -> None:
    newest, older = zmi.undoable(UNDO_FORM)
    assert newest.tid > older.tid and {8} == {len(newest.tid), len(older.tid)}
    assert "/manage_addFolder by admin" in newest.text and "zcheck run=4f2a seq=1 by zcheck" in older.text


def test_an_id_of_another_kind_of_storage_is_no_transaction_id() -> None:
    (only,) = zmi.undoable('name="transaction_info:list" value="!!! x y"')
    assert b"" == only.tid


LISTINGS = {
    "Zope 6": ("<a>document-1 <span>&nbsp;(zcheck 1 {nonce} run 4f2a)</span></a>", {1: "a" * 32}),
    "another run's": ("zcheck 1 {nonce} run 4f2b", {}),
    "a run whose id begins alike": ("zcheck 1 {nonce} run 4f2a7", {}),
    "two": ("zcheck 1 {nonce} run 4f2a, zcheck 12 {nonce} run 4f2a", {1: "a" * 32, 12: "a" * 32}),
    "a nonce cut short": ("zcheck 1 aaaa... run 4f2a", {}),
}


@pytest.mark.parametrize(("text", "expected"), LISTINGS.values(), ids=LISTINGS)
def test_nonces_are_read_from_a_listing(text: str, expected: dict[int, str]) -> None:
    assert expected == our_names.nonces(text.replace("{nonce}", "a" * 32), "4f2a")


def test_what_is_written_is_no_dtml() -> None:
    title = our_names.document_title("4f2a", 1, "0" * 32)
    assert "<dtml" not in title + our_names.folder_title("4f2a") and "&dtml-" not in title + our_names.folder_title(
        "4f2a"
    )


PLONES_FORM = """<form action="/search"><input name="SearchableText"></form>
<form action="http://www.example.com/manage_addFolder" method="post">
<input type="hidden" name="_authenticator" value="token-1">
<input type="text" name="id" value=""><input type="text" name="title">
<input type="submit" name="submit" value="Add"><input type="submit" name="submit" value="Add and Edit"></form>"""


def test_a_form_is_filled_in_as_a_browser_does() -> None:
    form = forms.Form.find(
        PLONES_FORM, "http://app1:8080/manage_addProduct/OFSP/folderAdd", "folderAdd", ("id", "title")
    )
    form.fill({"id": "zcheck-1", "title": "T"})
    request = form.request()
    expected = [("_authenticator", "token-1"), ("id", "zcheck-1"), ("title", "T"), ("submit", "Add")]
    assert expected == request["data"]


def test_a_page_without_the_form_is_told() -> None:
    with pytest.raises(forms.NotAccepted) as raised:
        forms.Form.find("<form><input name='q'></form>", "http://x/", "/folderAdd", ("id", "title"))
    assert ("no-form", "its page /folderAdd has no form with the fields id, title") == (
        raised.value.kind,
        raised.value.words,
    )


REDIRECTS = {
    "a login": ("http://www.example.com/login?came_from=x", "login page instead of /a: http://www.example.com/login"),
    "a confirmation": ("/@@confirm-action?x=secret", "asks for a confirmation"),
    "elsewhere": ("https://admin:geheim@www.example.com/x?token=geheim", "redirects /a to https://www.example.com/x"),
}


@pytest.mark.parametrize(("location", "words"), REDIRECTS.values(), ids=REDIRECTS)
def test_a_redirect_is_told_without_what_it_carries(location: str, words: str) -> None:
    with listener(asked_then(page(b"", f"Location: {location}", status="302 Found"))) as peer:
        found = http.probe_control_panel(client(peer.address), "admin", SECRET, TIMEOUT_S)
    assert isinstance(found, NotGathered)
    assert words in found.reason.replace(http.DATABASES, "/a")
    assert "geheim" not in found.reason and "secret" not in found.reason
