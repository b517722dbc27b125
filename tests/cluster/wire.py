"""The wire between a ZEO client and its server, on which a fault reads the messages and may change them."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from cluster.proxies import Listener
from ZEO.asyncio.marshal import encode, pickle_decode

from zcheck.facts import HostPort

Message = tuple[int, Any, str, Any]
"""Its number (of a request, and of the reply to it), whether no reply is wanted, the method, and the arguments."""


class Cut(Exception):
    """The connection ends here, after an answer to the client where there is one."""

    def __init__(self, answer: Message | None = None) -> None:
        super().__init__()
        self.answer = answer


class Fault:
    """What happens to the messages of every connection; here nothing.  ``done`` tells that it has happened."""

    done = False

    def to_server(self, message: Message) -> list[Message]:
        """What the server gets instead; raises :exc:`Cut` to end the connection."""
        return [message]

    def to_client(self, message: Message) -> list[Message]:
        """What the client gets instead."""
        return [message]

    def after(self, message: Message) -> None:
        """Called once a message has been passed to the server; raises :exc:`Cut` to end the connection."""

    send: Callable[[Message], None]
    """Sends the client of the newest connection a message, at any time."""


class Wire:
    """A proxy in front of ``target`` that speaks ZEO's own format (pickles: the server's default)."""

    def __init__(self, target: HostPort, fault: Fault) -> None:
        self._target = target
        self.fault = fault
        self._ends: list[socket.socket] = []
        self._listener = Listener(self._serve)
        self.address = self._listener.address

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection((self._target.host, self._target.port), timeout=5)
        server.settimeout(None)
        self._ends += [server, client]
        for one in (server, client):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lock = threading.Lock()

        def send(message: Message) -> None:
            with lock, contextlib.suppress(OSError):
                client.sendall(_frame(encode(*message)))

        self.fault.send = send
        threading.Thread(target=self._carry, args=[server, client, self.fault.to_client, None], daemon=True).start()
        self._carry(client, server, self.fault.to_server, self.fault.after)

    def _carry(
        self,
        source: socket.socket,
        sink: socket.socket,
        change: Callable[[Message], list[Message]],
        after: Callable[[Message], None] | None,
    ) -> None:
        with contextlib.suppress(OSError), self._answering(source):
            frames = _frames(source)
            hello = next(frames, b"")
            assert hello in (b"", b"Z5", b"Z4"), hello
            sink.sendall(_frame(hello))
            for frame in frames:
                message = pickle_decode(frame)
                passed = change(message)
                for one in passed:
                    # What was not changed goes on as it came.
                    sink.sendall(_frame(frame if one is message else encode(*one)))
                if after is not None:
                    after(message)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _answering(self, client: socket.socket) -> Iterator[None]:
        try:
            yield
        except Cut as cut:
            if cut.answer is not None:
                client.sendall(_frame(encode(*cut.answer)))
                # It has to be read before the connection ends.
                time.sleep(0.3)

    def close(self) -> None:
        self._listener.close()
        for end in self._ends:
            end.close()


def _frame(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _frames(source: socket.socket) -> Iterator[bytes]:
    """The contents of the frames of one direction."""
    buffer = b""
    while data := source.recv(65536):
        buffer += data
        while len(buffer) >= 4 and len(buffer) >= (size := 4 + int.from_bytes(buffer[:4], "big")):
            yield buffer[4:size]
            buffer = buffer[size:]


@contextlib.contextmanager
def wire(target: HostPort, fault: Fault) -> Iterator[Wire]:
    """A :class:`Wire`, closed when the block is left."""
    made = Wire(target, fault)
    try:
        yield made
    finally:
        made.close()
