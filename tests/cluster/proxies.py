"""Peers that misbehave in one chosen way: listeners that answer wrongly, and a proxy that can lose one direction."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal

from zcheck.facts import HostPort

HOST = "127.0.0.1"
POLL_S = 0.05

Answer = Callable[[socket.socket], None]


class Listener:
    """Accepts connections on a free port and hands each to ``answer``, in a thread of its own."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._open: list[socket.socket] = []
        self._closing = threading.Event()
        self._socket = socket.create_server((HOST, 0))
        self._socket.settimeout(POLL_S)
        self.address = HostPort(HOST, self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                peer, _ = self._socket.accept()
            except OSError:
                continue
            self._open.append(peer)
            threading.Thread(target=self._serve, args=[peer], daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._answer(peer)

    def wait_for_end(self) -> None:
        """For an answer that keeps its connection open: returns when the listener is closed."""
        self._closing.wait(60)

    def close(self) -> None:
        self._closing.set()
        self._thread.join(5)
        self._socket.close()
        for peer in self._open:
            peer.close()


@contextlib.contextmanager
def listener(answer: Answer) -> Iterator[Listener]:
    """A :class:`Listener`, closed with all its connections when the block is left."""
    made = Listener(answer)
    try:
        yield made
    finally:
        made.close()


def saying(said: bytes, *, then_close: bool = False, every_s: float = 0.0) -> Answer:
    """Say this at once (or byte by byte), then close or keep the connection open without a word."""

    def answer(peer: socket.socket) -> None:
        for part in [said[n : n + 1] for n in range(len(said))] if every_s else [said]:
            peer.sendall(part)
            time.sleep(every_s)
        if then_close:
            peer.close()
        else:
            while peer.recv(1024):
                pass

    return answer


def http(peer: socket.socket) -> None:
    """A web server: silent until it is asked."""
    if peer.recv(1024).startswith(b"GET"):
        peer.sendall(b"HTTP/1.0 404 Not Found\r\nServer: waitress\r\n\r\n")
    peer.close()


def zeo_saying(hello: bytes, answer_to_ruok: bytes | None) -> Answer:
    """Something that says a ZEO server's hello and answers ``ruok`` with this frame's content, or never."""

    def frame(message: bytes) -> bytes:
        return len(message).to_bytes(4, "big") + message

    def answer(peer: socket.socket) -> None:
        peer.sendall(frame(hello))
        asked = peer.recv(1024)
        if answer_to_ruok is not None and asked.endswith(b"ruok"):
            peer.sendall(frame(answer_to_ruok))
            peer.close()
        else:
            while peer.recv(1024):
                pass

    return answer


class Proxy:
    """A TCP proxy to ``target``.  ``swallow_answers`` and ``swallow_requests`` lose one direction from then on.

    With ``lose_answers_after`` the answers are lost from the first request on that holds these bytes.
    """

    def __init__(self, target: HostPort, lose_answers_after: bytes = b"") -> None:
        self._target = target
        self._trigger = lose_answers_after
        self.swallow_answers = threading.Event()
        self.swallow_requests = threading.Event()
        self.requested = 0
        """Bytes that came from the client's side, lost ones included."""
        self._servers: list[socket.socket] = []
        self._listener = Listener(self._serve)
        self.address = self._listener.address

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection((self._target.host, self._target.port), timeout=5)
        server.settimeout(None)
        self._servers.append(server)
        threading.Thread(target=self._back, args=[server, client], daemon=True).start()
        self._carry(client, server, self.swallow_requests, count=True)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        self._carry(server, client, self.swallow_answers, count=False)

    def _carry(self, source: socket.socket, sink: socket.socket, lose: threading.Event, *, count: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if count:
                    self.requested += len(data)
                    if self._trigger and self._trigger in data:
                        self.swallow_answers.set()
                if not lose.is_set():
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            # The one who closed is told to the other side; a lost direction stays lost.
            if not lose.is_set():
                sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()
        for server in self._servers:
            server.close()


@contextlib.contextmanager
def proxy(target: HostPort, lose_answers_after: bytes = b"") -> Iterator[Proxy]:
    """A :class:`Proxy`, closed when the block is left."""
    made = Proxy(target, lose_answers_after)
    try:
        yield made
    finally:
        made.close()


Fault = Literal["", "drop", "delay", "duplicate", "reorder", "cut"]


class ZeoProxy:
    """A proxy that knows ZEO's frames and does one thing to one of them.

    ``fault`` befalls the ``number``-th invalidation (from 1) on its way to the client; ``reorder`` lets the next one
    pass first, ``delay`` all that come within ``delay_s``.  With ``cut`` the connection ends when the ``number``-th
    vote has reached the server, so its answer never arrives.
    """

    def __init__(self, target: HostPort, fault: Fault, number: int, delay_s: float = 1.5) -> None:
        self._target = target
        self._fault = fault
        self._number = number
        self._delay_s = delay_s
        self.invalidations = 0
        self.votes = 0
        self.done = False
        self._held: list[bytes] = []
        self._servers: list[socket.socket] = []
        self._listener = Listener(self._serve)
        self.address = self._listener.address

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection((self._target.host, self._target.port), timeout=5)
        server.settimeout(None)
        for one in (server, client):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._servers.append(server)
        threading.Thread(target=self._to_client, args=[server, client], daemon=True).start()
        with contextlib.suppress(OSError):
            for frame in _frames(client):
                server.sendall(frame)
                self.votes += _calls(frame, b"vote")
                if self._fault == "cut" and self.votes == self._number and not self.done:
                    self.done = True
                    break
        for one in (server, client):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _to_client(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for frame in _frames(server):
                for passed in self._passed(frame, client):
                    client.sendall(passed)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)

    def _passed(self, frame: bytes, client: socket.socket) -> list[bytes]:
        if not _calls(frame, b"invalidateTransaction"):
            return [frame]
        self.invalidations += 1
        if self.invalidations != self._number or self._fault in ("", "cut"):
            held, self._held = self._held, []
            return [frame, *held]
        self.done = True
        if self._fault == "delay":
            threading.Timer(self._delay_s, _send, [client, frame]).start()
        if self._fault == "reorder":
            self._held.append(frame)
        return [frame, frame] if self._fault == "duplicate" else []

    def close(self) -> None:
        self._listener.close()
        for server in self._servers:
            server.close()


def _send(peer: socket.socket, frame: bytes) -> None:
    with contextlib.suppress(OSError):
        peer.sendall(frame)


def _calls(frame: bytes, method: bytes) -> bool:
    """Whether this frame calls a method of this name: the name stands in it with its length before."""
    return bytes([len(method)]) + method in frame or len(method).to_bytes(4, "little") + method in frame


def _frames(source: socket.socket) -> Iterator[bytes]:
    """The frames of one direction, each with its length in front."""
    buffer = b""
    while data := source.recv(65536):
        buffer += data
        while len(buffer) >= 4 and len(buffer) >= (size := 4 + int.from_bytes(buffer[:4], "big")):
            yield buffer[:size]
            buffer = buffer[size:]


@contextlib.contextmanager
def zeo_proxy(target: HostPort, fault: Fault, number: int, delay_s: float = 1.5) -> Iterator[ZeoProxy]:
    """A :class:`ZeoProxy`, closed when the block is left."""
    made = ZeoProxy(target, fault, number, delay_s)
    try:
        yield made
    finally:
        made.close()
