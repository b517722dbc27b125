"""TLS, to ZEO servers by the clients' own certificates and to clients behind it: what works, and what is told."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from cluster import certificates
from cluster.certificates import Pair
from cluster.proxies import HOST, Listener, http, listener, saying
from cluster.whole_runs import preflight, write_ini
from cluster.zeo_servers import zeo_server
from patience import patient

from zcheck.commands.demo import Cluster, ZeoSpec, specs
from zcheck.facts import HostPort, ZeoTls
from zcheck.probes import zeo

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")
TIMEOUT_S = 5.0


class Files(msgspec.Struct, frozen=True):
    """The certificates of one session."""

    authority: Pair
    server: Pair
    client: Pair
    stranger: Pair
    """An authority that nobody here trusts."""
    foreign: Pair
    """Signed by it."""
    expired: Pair


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("certificates")
    known, stranger = certificates.authority(folder, "authority"), certificates.authority(folder, "stranger")
    expired = certificates.signed(folder, "expired", known, expired=True)
    time.sleep(1.1)
    return Files(
        authority=known,
        server=certificates.signed(folder, "server", known),
        client=certificates.signed(folder, "client", known),
        stranger=stranger,
        foreign=certificates.signed(folder, "foreign", stranger),
        expired=expired,
    )


def server_section(files: Files, pair: Pair) -> str:
    return (
        f"<ssl>\ncertificate {pair.certificate}\nkey {pair.key}\nauthenticate {files.authority.certificate}\n</ssl>\n"
    )


def client_tls(files: Files, pair: Pair | None = None, authority: Pair | None = None) -> ZeoTls:
    pair, authority = pair or files.client, authority or files.authority
    return ZeoTls(str(pair.certificate), str(pair.key), str(authority.certificate))


def ask(address: HostPort, tls: ZeoTls) -> zeo.Asked:
    return zeo.ask(msgspec.structs.replace(address, tls=tls), timeout_s=TIMEOUT_S)


# --- one ZEO server --------------------------------------------------------------------------------


def test_a_server_answers_by_the_clients_own_certificate(files: Files, tmp_path: Path) -> None:
    with zeo_server(tmp_path, options=server_section(files, files.server)) as server:
        asked = ask(server.address, client_tls(files))
        assert ("answers", ["1"]) == (asked.outcome, [*asked.storages])
        assert "tls" == zeo.ask(server.address, timeout_s=TIMEOUT_S).outcome


REFUSED: dict[str, tuple[Callable[[Files], Pair], Callable[[Files], ZeoTls], str, str]] = {
    "the client's is signed by a stranger": (
        lambda files: files.server,
        lambda files: client_tls(files, files.foreign),
        "tls-failed",
        "refuses the client's certificate",
    ),
    "the server's is signed by a stranger": (
        lambda files: files.server,
        lambda files: client_tls(files, authority=files.stranger),
        "tls-failed",
        "does not verify",
    ),
    "the client's has expired": (
        lambda files: files.server,
        lambda files: client_tls(files, files.expired),
        "tls-failed",
        "refuses the client's certificate",
    ),
    "the server's has expired": (lambda files: files.expired, client_tls, "tls-failed", "expired"),
    "it is for another name": (
        lambda files: files.server,
        lambda files: msgspec.structs.replace(client_tls(files), server_hostname="zeo.example.com"),
        "tls-failed",
        "hostname mismatch",
    ),
    "a file is missing": (
        lambda files: files.server,
        lambda files: msgspec.structs.replace(client_tls(files), key="/nowhere/client.key"),
        "tls",
        "/nowhere/client.key: no such file",
    ),
    "a file is no certificate": (
        lambda files: files.server,
        lambda files: msgspec.structs.replace(client_tls(files), certificate=str(files.client.key)),
        "tls",
        "cannot be used here",
    ),
}


@pytest.mark.parametrize(("servers", "clients", "outcome", "words"), REFUSED.values(), ids=REFUSED)
def test_who_does_not_accept_whom(
    servers: Callable[[Files], Pair],
    clients: Callable[[Files], ZeoTls],
    outcome: str,
    words: str,
    files: Files,
    tmp_path: Path,
) -> None:
    with zeo_server(tmp_path, options=server_section(files, servers(files))) as server:
        asked = ask(server.address, clients(files))
    assert outcome == asked.outcome, asked.detail
    assert words in asked.detail


def test_a_server_without_tls_is_told_where_tls_is_expected(files: Files, tmp_path: Path) -> None:
    with zeo_server(tmp_path) as server:
        assert "not-tls" == ask(server.address, client_tls(files)).outcome
        missing = msgspec.structs.replace(client_tls(files), certificate="/nowhere/client.pem")
        assert "not-tls" == ask(server.address, missing).outcome


def test_other_ports_are_told_as_without_tls(files: Files) -> None:
    with listener(http) as web, listener(saying(b"")) as silent:
        assert "http" == ask(web.address, client_tls(files)).outcome
        begun = time.monotonic()
        assert "silent" == ask(silent.address, client_tls(files)).outcome
        assert time.monotonic() - begun < patient(2 * TIMEOUT_S + 2)
    assert "refused" == ask(web.address, client_tls(files)).outcome


# --- a whole cluster -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls_cluster(
    files: Files, share_cluster: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Cluster, Pair]:
    """Two clients on a ZEO server by TLS, and the files that they use, which a test may take away."""
    folder = tmp_path_factory.mktemp("own")
    own = Pair(folder / "client.pem", folder / "client.key")
    shutil.copyfile(files.client.certificate, own.certificate)
    shutil.copyfile(files.client.key, own.key)
    ssl_section = (
        f"<ssl>\ncertificate {own.certificate}\nkey {own.key}\nauthenticate {files.authority.certificate}\n</ssl>"
    )

    def with_tls(text: str) -> str:
        text = re.sub(r"^\s*var .*$", "", text, flags=re.M)
        text = text.replace("<zeoclient>", "<clientstorage>").replace(
            "</zeoclient>", f"{ssl_section}\n</clientstorage>"
        )
        return "%import ZEO\n" + text

    zeo_spec = ZeoSpec(options=server_section(files, files.server))
    return share_cluster(specs(2, every={"edit": with_tls}), zeo=[zeo_spec]), own


def test_a_cluster_on_zeo_by_tls_is_proven(tls_cluster: tuple[Cluster, Pair]) -> None:
    cluster, _ = tls_cluster
    outcome = preflight(cluster)
    assert (0, [], (2, 2, 2)) == (outcome.code, outcome.told, outcome.counts)


def test_without_its_files_the_clients_carry_the_proof(tls_cluster: tuple[Cluster, Pair]) -> None:
    cluster, own = tls_cluster
    key = own.key.read_bytes()
    own.key.unlink()
    try:
        outcome = preflight(write_ini(cluster, "unpinned", pinned=False))
    finally:
        own.key.write_bytes(key)
    assert ["zeo-server-answers"] == outcome.of("UNKNOWN")
    assert "client.key: no such file" in outcome.finding("zeo-server-answers")["message"]
    assert [] == outcome.of("CRITICAL")
    assert {("app1", "app2"): True, ("app2", "app1"): True} == outcome.pairs("http")


# --- clients behind TLS ----------------------------------------------------------------------------


@contextlib.contextmanager
def terminator(target: HostPort, pair: Pair) -> Iterator[Listener]:
    """What stands in front of a client and speaks TLS for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def serve(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as peer, socket.create_connection((HOST, target.port)) as to:
            back = threading.Thread(target=carry, args=[to, peer], daemon=True)
            back.start()
            carry(peer, to)
            back.join(10)

    with listener(serve) as made:
        yield made


@pytest.mark.parametrize("trusted", [True, False], ids=["its authority is known", "its authority is not known"])
def test_a_client_behind_tls_is_verified(
    trusted: bool, cluster: Cluster, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(files.authority.certificate))
    with terminator(HostPort(HOST, cluster.clients["app2"].port), files.server) as front:
        keys = {
            "address": f"localhost:{front.address.port}",
            "tls": "yes",
            "listens": str(cluster.clients["app2"].port),
        }
        ini = write_ini(cluster, f"tls-{trusted}", ["app1", "app2"], instead={"app2": keys})
        outcome = preflight(ini, "--skip", "settings-agree")
    if trusted:
        assert (0, (2, 2, 2)) == (outcome.code, outcome.counts), outcome.out
    else:
        assert [("CRITICAL", "client-serves-http", ("app2",))] == outcome.told
        assert "does not verify" in outcome.finding("client-serves-http")["message"]
