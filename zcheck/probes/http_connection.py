"""One HTTP connection to one client, on which nothing is without a limit.

The standard library's timeouts are those of a single ``recv``: a peer that sends one byte a second keeps a request
open for ever.  Here a request has one deadline, from the connect to the last byte of the body, and the body has a size
limit, also where it is compressed.  No proxy, no environment and no redirect is followed.
"""

from __future__ import annotations

import base64
import errno
import http.client
import io
import re
import select
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from email.message import Message
from typing import Any, Literal

import msgspec

from zcheck.facts import Client, HostPort
from zcheck.probes import names
from zcheck.system import shortages

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a page, unpacked; the Zope Management Interface's own pages have ten to twenty thousand."""

CHUNK = 64 * 1024

TroubleKind = Literal[
    "unknown-name",
    "refused",
    "timeout",
    "unreachable",
    "tls-error",
    "silent",
    "not-http",
    "reset",
    "too-slow",
    "too-large",
    "own-shortage",
]

# With these no request was sent, so it surely had no effect.
_NOT_SENT: frozenset[TroubleKind] = frozenset(
    {"unknown-name", "refused", "timeout", "unreachable", "tls-error", "own-shortage"}
)


class HttpTrouble(Exception):
    """No usable answer, and why, in words that follow "the client".  Never holds a header that was sent."""

    def __init__(self, kind: TroubleKind, words: str) -> None:
        super().__init__(words)
        self.kind: TroubleKind = kind
        self.words = words

    @property
    def surely_not_sent(self) -> bool:
        """No request reached the peer, so nothing was done because of it."""
        return self.kind in _NOT_SENT


def seconds(value: float) -> str:
    """A wait as a person says it: ``5 s``, ``0.5 s``."""
    return f"{round(value, 1):g} s"


class Reply(msgspec.Struct, frozen=True):
    """One HTTP response, read to its end; the names of its headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    elapsed_s: float
    cut: bool = False
    """The body was longer than the limit and the rest was not read."""

    @property
    def text(self) -> str:
        """The body by its declared character set, by UTF-8 where there is none; never an error."""
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        try:
            return self.body.decode(message.get_content_charset("utf-8"), "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    @property
    def location(self) -> str:
        """Where a redirect points; empty for every other answer."""
        return self.headers.get("location", "") if self.status in (301, 302, 303, 307, 308) else ""


class _Deadline:
    """When a request must be over, on the monotonic clock, and what has arrived of its answer."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s
        self.begun = b""

    def left(self) -> float:
        """Seconds; never 0, which a socket would read as "do not wait at all"."""
        return max(self._end - time.monotonic(), 0.0001)

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def trouble(self) -> HttpTrouble:
        if self.begun:
            return HttpTrouble("too-slow", f"had not finished its answer after {seconds(self.timeout_s)}")
        return HttpTrouble("silent", f"accepted the connection and said nothing for {seconds(self.timeout_s)}")


# --- connecting ------------------------------------------------------------------------------------


def resolve(host: str, hosts: Mapping[str, Sequence[str]], timeout_s: float) -> tuple[str, ...]:
    """The addresses of ``host``, by ``hosts`` first and the resolver after it; :exc:`HttpTrouble` where there is none.

    The resolver cannot be given a time limit, so it is asked in a thread that is left behind when it takes longer.
    """
    listed = tuple(hosts.get(host.lower(), ()))
    if listed or _is_literal(host):
        return listed or (host,)
    found: list[tuple[str, ...]] = []
    thread = threading.Thread(target=lambda: found.append(names.resolve(host)), daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not found:
        raise HttpTrouble("unknown-name", f"has the name {host}, which took more than {seconds(timeout_s)} to look up")
    if not found[0]:
        raise HttpTrouble("unknown-name", f"has the name {host}, which nothing here resolves")
    return found[0]


def connect(addresses: Sequence[str], port: int, timeout_s: float) -> socket.socket:
    """A TCP connection to the first of the addresses that accepts one, within ``timeout_s`` in all."""
    end = time.monotonic() + timeout_s
    trouble = HttpTrouble("unreachable", "has no address")
    for number, address in enumerate(addresses):
        share = max(end - time.monotonic(), 0.001) / (len(addresses) - number)
        try:
            connection = socket.create_connection((address, port), timeout=share)
        except OSError as error:
            trouble = _cannot_connect(error, timeout_s)
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    raise trouble


def _cannot_connect(error: OSError, timeout_s: float) -> HttpTrouble:
    if isinstance(error, TimeoutError):
        return HttpTrouble("timeout", f"did not accept a connection within {seconds(timeout_s)}")
    if error.errno == errno.ECONNREFUSED:
        return HttpTrouble("refused", "refuses connections")
    if shortage := shortages.of_ours(error):
        return HttpTrouble("own-shortage", f"could not be asked: {shortage}")
    reason = (error.strerror or type(error).__name__).lower()
    return HttpTrouble("unreachable", f"cannot be reached from here: {reason}")


def _is_literal(host: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _with_tls(plain: socket.socket, host: str, verify: bool, deadline: _Deadline) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    plain.settimeout(deadline.left())
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise HttpTrouble("tls-error", f"shows a certificate that does not verify: {error.verify_message}") from None
    except TimeoutError:
        plain.close()
        raise HttpTrouble(
            "tls-error", f"did not finish the TLS handshake within {seconds(deadline.timeout_s)}"
        ) from None
    except OSError as error:
        plain.close()
        reason = (getattr(error, "reason", None) or error.strerror or type(error).__name__).replace("_", " ").lower()
        raise HttpTrouble("tls-error", f"does not speak TLS ({reason})") from None


# --- one request -----------------------------------------------------------------------------------


class _Wire:
    """What :mod:`http.client` takes for a socket: every read and write ends at the request's deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.deadline = _Deadline(0)

    def sendall(self, data: Any) -> None:
        self.connection.settimeout(self.deadline.left())
        try:
            self.connection.sendall(data)
        except TimeoutError:
            raise self.deadline.trouble() from None
        except OSError:
            # It may have answered and closed without reading everything: its answer is the better witness.
            if not select.select([self.connection], [], [], 0)[0]:
                raise HttpTrouble("reset", "closed the connection while it was being asked") from None

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self), CHUNK)

    def close(self) -> None:
        self.connection.close()

    @property
    def is_idle(self) -> bool:
        """Nothing arrived, an end of file included: a further request may be sent on it."""
        try:
            return not select.select([self.connection], [], [], 0)[0]
        except (OSError, ValueError):
            return False


class _Incoming(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self.wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        deadline = self.wire.deadline
        if deadline.passed:
            raise deadline.trouble()
        self.wire.connection.settimeout(deadline.left())
        try:
            count = self.wire.connection.recv_into(buffer)
        except TimeoutError:
            raise deadline.trouble() from None
        except OSError:
            raise HttpTrouble("reset", "broke the connection off before it had answered") from None
        if len(deadline.begun) < 64:
            deadline.begun += bytes(memoryview(buffer)[: min(count, 64)])
            _must_look_like_http(deadline.begun)
        return count


def _must_look_like_http(begun: bytes) -> None:
    """Do not wait for the rest of what cannot become a response."""
    if not begun or b"HTTP/".startswith(begun[:5]):
        return
    if re.fullmatch(rb"\0\0\0[\2-\5][ZM]\d+", begun[:9]):
        raise HttpTrouble("not-http", "answers as a ZEO server does, not with HTTP")
    if begun.startswith(b"SSH-"):
        raise HttpTrouble("not-http", "answers as an SSH server does, not with HTTP")
    if begun[:2] in (b"\x15\x03", b"\x16\x03"):
        raise HttpTrouble("not-http", "speaks TLS; give the client 'tls = yes' in clients.ini")
    shown = begun[:20].decode("ascii", "backslashreplace").encode("unicode_escape").decode("ascii")
    raise HttpTrouble("not-http", f"does not answer with HTTP; its answer begins with {shown!r}")


class Line:
    """A keep-alive connection to one client, for one thread.

    ``addresses`` are those of ``client.dialled``, see :func:`resolve`.  The ``Host`` header and the name on a
    certificate are those of the client's address, as a balancer would have it; ``host_header`` wins for the first.
    ``token``: a bearer token that is sent instead of user and password; ``cookie``: one by which the user is known.
    """

    def __init__(
        self,
        client: Client,
        addresses: Sequence[str],
        *,
        user: str | None = None,
        password: str | None = None,
        verify: bool = True,
        accept: str = "*/*",
        token: str | None = None,
        cookie: str | None = None,
    ) -> None:
        self.client = client
        self.addresses = tuple(addresses)
        self.verify = verify
        self.keep = False
        """Whether a request that writes goes over the connection that is there: to the process that was asked on it."""
        self.opened = 0
        """Connections that were opened so far: two answers on one connection are of one process, where no proxy is."""
        self._wire: _Wire | None = None
        self._headers = {
            "Host": client.host_header or host_of(client.address, client.tls),
            "User-Agent": "zcheck",
            "Accept": accept,
            "Accept-Encoding": "identity",
            "Cache-Control": "no-cache",
        }
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        elif cookie is not None:
            self._headers["Cookie"] = cookie
        elif user is not None and password is not None:
            pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
            self._headers["Authorization"] = f"Basic {pair}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_body: int = MAX_BODY,
        may_cut: bool = False,
    ) -> Reply:
        """One request and its whole answer within ``timeout_s``; :exc:`HttpTrouble` for everything else.

        ``headers`` are sent besides the line's own, which win.  ``may_cut``: a body beyond ``max_body`` is cut instead
        of being an error.  A request that writes always goes over a connection of its own, so that none is lost, or
        sent twice, on one that the client had just closed.
        """
        started = time.monotonic()
        deadline = _Deadline(timeout_s)
        headers = {**(headers or {}), **self._headers}
        reads = method in ("GET", "HEAD")
        kept = (reads or self.keep) and self._wire is not None and self._wire.is_idle
        if not kept:
            self.close()
        while True:
            wire = self._open(deadline)
            try:
                return self._exchange(wire, method, path, headers, body, max_body, may_cut, started)
            except HttpTrouble as trouble:
                self.close()
                if not (kept and reads and trouble.kind == "reset" and not deadline.begun):
                    raise
                kept = False
            except BaseException:
                self.close()
                raise

    def open(self, timeout_s: float) -> None:
        """Connect now, so that the next request need not; :exc:`HttpTrouble`."""
        self._open(_Deadline(timeout_s))

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _open(self, deadline: _Deadline) -> _Wire:
        if self._wire is None:
            connection = connect(self.addresses, self.client.dialled.port, deadline.left())
            if self.client.tls:
                connection = _with_tls(connection, self.client.address.host, self.verify, deadline)
            self._wire = _Wire(connection)
            self.opened += 1
        self._wire.deadline = deadline
        return self._wire

    def _exchange(
        self,
        wire: _Wire,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        max_body: int,
        may_cut: bool,
        started: float,
    ) -> Reply:
        sender = http.client.HTTPConnection(self.client.address.host)
        sender.sock = wire
        response = http.client.HTTPResponse(wire, method=method)  # type: ignore[arg-type]
        try:
            sender.request(method, path, body=body, headers=headers)
            response.begin()
            content, cut = _read(response, max_body)
        except http.client.RemoteDisconnected:
            raise HttpTrouble("reset", "closed the connection without an answer") from None
        except http.client.IncompleteRead:
            raise HttpTrouble("reset", "closed the connection in the middle of its answer") from None
        except (http.client.HTTPException, ValueError) as error:
            raise HttpTrouble("not-http", f"does not answer with proper HTTP ({type(error).__name__})") from None
        if cut or response.will_close:
            self.close()
        response.close()
        if cut and not may_cut:
            raise HttpTrouble("too-large", f"sent a page of more than {max_body // 1024} KiB")
        named: dict[str, str] = {}
        for name, value in response.getheaders():
            # A header that is there twice is one list: a proxy adds its own line below that of the client.
            before = named.get(name.lower())
            named[name.lower()] = value if before is None else f"{before}, {value}"
        return Reply(response.status, named, content, time.monotonic() - started, cut)


def host_of(address: HostPort, tls: bool) -> str:
    """The ``Host`` header for an address: without the port where that is the scheme's own."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return host if address.port == (443 if tls else 80) else f"{host}:{address.port}"


def _read(response: http.client.HTTPResponse, max_body: int) -> tuple[bytes, bool]:
    """The body, unpacked, and whether it was cut at ``max_body`` bytes."""
    unpack = _unpacker(response.getheader("content-encoding") or "")
    content = bytearray()
    while chunk := response.read(CHUNK):
        content += unpack(chunk, max_body + 1 - len(content))
        if len(content) > max_body:
            return bytes(content[:max_body]), True
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(content), False


def _unpacker(encoding: str) -> Any:
    """A function of (packed bytes, most bytes wanted); a bomb is never unpacked beyond what is wanted."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return lambda data, wanted: data[:wanted]
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise HttpTrouble("not-http", f"packs its answer as {encoding[:20]!r} though it was asked not to pack it")
    packed = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def unpack(data: bytes, wanted: int) -> bytes:
        try:
            return packed.decompress(data, wanted)
        except zlib.error:
            raise HttpTrouble("not-http", f"says its answer is packed as {encoding}, and it is not") from None

    return unpack
