"""Ask a ZEO server how it is, without registering as a client.

Every ZEO server speaks first: a frame (four bytes of length, then the message) that names its protocol, such as ``Z5``
or ``M5``.  It answers the frame ``ruok`` (ZEO 4.1 and later) with one frame of JSON, one entry a storage, and closes.
What speaks another protocol, or none, is told apart here, because each has another remedy.

Fetch and parse are apart: what is read is bounded in size, and every wait in time even where bytes drip.  Source of the
protocol: ``ZEO/asyncio/server.py`` (ServerProtocol), ``ZEO/nagios.py``; older hellos: ``ZEO/zrpc/connection.py``.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from zcheck.facts import HostPort, LockReading, ZeoOutcome, ZeoStorage
from zcheck.system.shortages import of_ours
from zcheck.system.threads import within

MAX_HELLO = 64
"""Bytes of a hello; the real ones have two to five."""
MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of the answer to ``ruok``; about 350 a storage."""
SILENCE_S = 1.0
"""How long a port may be silent before it is tried with HTTP and TLS, on connections of their own."""
TRY_S = 1.0
"""How long each of those two may take."""
BETWEEN_READINGS_S = 1.05
"""Between two readings of a lock that is held: a commit of a healthy writer is over by then."""
POLL_S = 0.02
"""Between two looks while a lock is waited for."""

_MODERN = 5
_HELLO = re.compile(rb"[A-Z](\d{1,4})")

Dialled = HostPort | str
"""A TCP address, or the path of a unix socket of this machine."""


class Asked(msgspec.Struct, frozen=True):
    """What one ZEO server answered: the part of a ``ZeoAnswer`` that does not depend on who names the server."""

    outcome: ZeoOutcome
    detail: str = ""
    protocol: str | None = None
    storages: dict[str, ZeoStorage] = {}


class NotZeo(Exception):
    """The peer did not behave as a ZEO server; carries what it did instead."""

    def __init__(self, outcome: ZeoOutcome, detail: str = "") -> None:
        super().__init__(detail or outcome)
        self.outcome = outcome
        self.detail = detail


class _Silence(Exception):
    """Nothing, or not all of it, came in time; ``some`` is what did come."""

    def __init__(self, some: bytes, closed: bool) -> None:
        super().__init__()
        self.some = some
        self.closed = closed


def ask(dialled: Dialled, *, timeout_s: float = 5.0) -> Asked:
    """What the server at ``dialled`` says of itself.  Never raises; takes ``timeout_s`` at most.

    Where a storage's commit lock is held, a second reading at least a second later is taken, which may take
    ``timeout_s`` once more.
    """
    asked = _ask_once(dialled, timeout_s)
    if not _locked(asked.storages):
        return asked
    time.sleep(BETWEEN_READINGS_S)
    return msgspec.structs.replace(asked, storages=_joined(asked.storages, _ask_once(dialled, timeout_s).storages))


def lock_state(dialled: Dialled, storage: str, *, timeout_s: float = 5.0) -> LockReading | str:
    """One look at a storage's commit lock; in words why there is none."""
    asked = _ask_once(dialled, timeout_s)
    found = asked.storages.get(storage)
    if found is not None and found.readings:
        return found.readings[0]
    if asked.outcome == "answers":
        return f"the ZEO server at {dialled} has no storage {storage}"
    return f"the ZEO server at {dialled} did not answer: {asked.detail or asked.outcome}"


class NotFree(msgspec.Struct, frozen=True):
    """Why nothing may be written to a storage now; false where it may."""

    reason: str = ""
    is_held: bool = False
    """The commit lock was seen held; else the server could not be asked, or has no such storage."""

    def __bool__(self) -> bool:
        return bool(self.reason)


def wait_until_free(dialled: Dialled, storage: str, *, timeout_s: float = 5.0) -> NotFree:
    """Wait for a reading that shows no commit lock held; false when there was one, else why nothing may be written.

    ``waiting`` above zero and a lock that is held now and then are normal under load: they are no reason.
    """
    end = time.monotonic() + timeout_s
    readings: list[LockReading] = []
    while True:
        reading = lock_state(dialled, storage, timeout_s=max(end - time.monotonic(), 0.1))
        if isinstance(reading, str):
            return NotFree(reading)
        if reading.lock_time is None:
            return NotFree()
        readings.append(reading)
        if time.monotonic() + POLL_S > end:
            return NotFree(_why_not_free(readings, storage), is_held=True)
        time.sleep(POLL_S)


def _why_not_free(readings: list[LockReading], storage: str) -> str:
    first, last = readings[0], readings[-1]
    seconds = last.at_s - first.at_s
    if first.lock_time == last.lock_time and first.commits == last.commits:
        return f"the commit lock of storage {storage} has been held for {seconds:.1f} s or more, with no commit since"
    return f"the commit lock of storage {storage} was held in each of {len(readings)} looks within {seconds:.1f} s"


# --- fetch ---------------------------------------------------------------------------------------


def _ask_once(dialled: Dialled, timeout_s: float) -> Asked:
    if not isinstance(dialled, HostPort) or dialled.tls is None:
        return _ask_with(dialled, None, timeout_s)
    from zcheck.probes import zeo_tls

    plainly = msgspec.structs.replace(dialled, tls=None)
    try:
        return _ask_with(dialled, zeo_tls.context_of(dialled.tls), timeout_s)
    except zeo_tls.CannotUse as error:
        asked = _ask_with(plainly, None, timeout_s)
        if asked.outcome == "tls":
            return Asked("tls", f"the files of the <ssl> section cannot be used here ({error})")
    except ssl.SSLError as error:
        if "WRONG_VERSION" not in (error.reason or "") and "UNEXPECTED" not in (error.reason or ""):
            return Asked("tls-failed", zeo_tls.words(error))
        asked = _ask_with(plainly, None, timeout_s)
    return Asked("not-tls", "speaks ZEO without TLS") if asked.outcome == "answers" else asked


def _ask_with(dialled: Dialled, context: ssl.SSLContext | None, timeout_s: float) -> Asked:
    """Raises :exc:`ssl.SSLError` where there is a context and it does not come to a connection."""
    end = time.monotonic() + timeout_s
    protocol: str | None = None
    try:
        with _connect(dialled, end) as plain, _wrapped(plain, dialled, context, end) as peer:
            protocol = parse_hello(_read_hello(peer, dialled, end))
            try:
                return _ruok(peer, protocol, end)
            except _Silence as silence:
                what = "closed the connection" if silence.closed else f"said nothing more within {timeout_s:g} s"
                raise NotZeo("silent", f"said hello {protocol}, then {what}") from None
    except NotZeo as error:
        if is_too_old(protocol):
            return Asked("too-old", f"speaks {protocol}, the protocol of ZEO 4 and older", protocol)
        if context is not None and error.outcome == "tls":
            # By TLS 1.3 a client learns only after the handshake that its certificate was not accepted.
            return Asked("tls-failed", "refuses the client's certificate: it closes the connection after the handshake")
        return Asked(error.outcome, error.detail, protocol)
    except TimeoutError:
        return Asked("silent", "accepts the connection and does not answer the TLS handshake", protocol)
    except OSError as error:
        if isinstance(error, ssl.SSLError):
            raise
        return Asked("silent", f"broke the connection: {_words(error)}", protocol)


def _ruok(peer: socket.socket, protocol: str, end: float) -> Asked:
    peer.settimeout(max(end - time.monotonic(), 0.01))
    peer.sendall(struct.pack(">I", 4) + b"ruok")
    answer = _read_frame(peer, end, MAX_ANSWER)
    storages = parse_ruok(answer, time.monotonic())
    if is_too_old(protocol):
        return Asked("too-old", f"speaks {protocol}, the protocol of ZEO 4 and older", protocol, storages)
    return Asked("answers", "", protocol, storages)


def _connect(dialled: Dialled, end: float) -> socket.socket:
    """A connected socket; raises :exc:`NotZeo` with the reason where there is none."""
    try:
        if isinstance(dialled, str):
            return _connect_to(socket.AF_UNIX, dialled, end)
        last: OSError | None = None
        for family, address in _addresses(dialled, end):
            try:
                return _connect_to(family, address, end)
            except OSError as error:
                # A refusal by one of several addresses says more than a time-out by another.
                last = error if last is None or isinstance(error, ConnectionRefusedError) else last
        raise last or OSError("no address")
    except TimeoutError:
        raise NotZeo("timeout", "no answer to the connect in time") from None
    except (ConnectionRefusedError, FileNotFoundError) as error:
        raise NotZeo("refused", _words(error)) from None
    except OSError as error:
        raise NotZeo("own-shortage" if of_ours(error) else "unreachable", of_ours(error) or _words(error)) from None


def _wrapped(plain: socket.socket, dialled: Dialled, context: ssl.SSLContext | None, end: float) -> socket.socket:
    """The same connection, with TLS on it where there is a context."""
    if context is None or not isinstance(dialled, HostPort) or dialled.tls is None:
        return plain
    plain.settimeout(max(end - time.monotonic(), 0.01))
    return context.wrap_socket(plain, server_hostname=dialled.tls.server_hostname or dialled.host or "127.0.0.1")


def _connect_to(family: int, address: Any, end: float) -> socket.socket:
    peer = socket.socket(family, socket.SOCK_STREAM)
    try:
        peer.settimeout(max(end - time.monotonic(), 0.01))
        peer.connect(address)
    except BaseException:
        peer.close()
        raise
    return peer


def _addresses(dialled: HostPort, end: float) -> list[tuple[int, Any]]:
    """The addresses of a host, in the resolver's order, which is the one in which a ZEO client tries them."""

    def look_up() -> list[tuple[int, Any]]:
        found = socket.getaddrinfo(dialled.host or "127.0.0.1", dialled.port, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in found]

    try:
        return within(max(end - time.monotonic(), 0.01), look_up)
    except TimeoutError:
        raise NotZeo("unknown-name", f"the name {dialled.host} was not resolved in time") from None
    except (socket.gaierror, UnicodeError) as error:
        raise NotZeo("unknown-name", f"the name {dialled.host} cannot be resolved: {_words(error)}") from None


def _read_hello(peer: socket.socket, dialled: Dialled, end: float) -> bytes:
    """The hello's message.  A silent port is tried with HTTP and TLS meanwhile: to a ZEO server that does no harm."""
    try:
        try:
            return _read_frame(peer, min(end, time.monotonic() + SILENCE_S), MAX_HELLO)
        except _Silence as silence:
            other = _what_else(dialled, end)
            if other is not None:
                raise other from None
            if silence.closed or silence.some:
                raise
            return _read_frame(peer, end, MAX_HELLO)
    except _Silence as silence:
        if silence.some:
            raise NotZeo("foreign", f"says {_shown(silence.some)}") from None
        what = "accepts the connection and closes it" if silence.closed else "accepts the connection and says nothing"
        raise NotZeo("silent", what) from None


def _what_else(dialled: Dialled, end: float) -> NotZeo | None:
    """What the port speaks when it is spoken to, each on a connection of its own; None where it stays silent."""
    try:
        with _connect(dialled, min(end, time.monotonic() + TRY_S)) as peer:
            peer.settimeout(min(TRY_S, max(end - time.monotonic(), 0.01)))
            peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
            said = _read_some(peer, 64, min(end, time.monotonic() + TRY_S))
            if said.startswith(b"HTTP/"):
                return NotZeo("http", f"answers HTTP: {_shown(said.splitlines()[0])}")
            if _speaks_tls(said) or (not said and _answers_tls(dialled, end)):
                return NotZeo("tls", "speaks TLS")
            if said and not said.startswith(b"\0\0\0"):
                return NotZeo("foreign", f"answers {_shown(said)}")
    except (OSError, NotZeo):
        # It refused the second connection or broke it: that is no answer in another protocol.
        return None
    return None


def _speaks_tls(said: bytes) -> bool:
    """A TLS alert (record type 21, version 3.x): what a TLS server says to plain text."""
    return said[:2] == b"\x15\x03"


def _answers_tls(dialled: Dialled, end: float) -> bool:
    # What is asked is whether it is TLS at all, not whose: nothing is sent over this connection.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with _connect(dialled, min(end, time.monotonic() + TRY_S)) as plain:
        plain.settimeout(min(TRY_S, max(end - time.monotonic(), 0.01)))
        try:
            context.wrap_socket(plain, server_hostname=None).close()
        except ssl.SSLError as error:
            return "ALERT" in (error.reason or "")
    return True


def _read_frame(peer: socket.socket, end: float, most: int) -> bytes:
    """One message; :exc:`NotZeo` for a length beyond ``most``, :exc:`_Silence` for what does not come in time."""
    head = _read_exactly(peer, 4, end)
    (length,) = struct.unpack(">I", head)
    if length > most:
        try:
            more = _read_some(peer, 60, min(end, time.monotonic() + 0.2))
        except OSError:
            more = b""
        outcome: ZeoOutcome = "http" if head == b"HTTP" else "foreign"
        raise NotZeo(outcome, f"says {_shown((head + more).splitlines()[0] if head.strip() else head)}")
    try:
        return _read_exactly(peer, length, end)
    except _Silence as silence:
        raise _Silence(head + silence.some, silence.closed) from None


def _read_exactly(peer: socket.socket, count: int, end: float) -> bytes:
    """``count`` bytes; the limit is on the whole, so a peer that drips one byte a second is late all the same."""
    parts = bytearray()
    while len(parts) < count:
        left = end - time.monotonic()
        if left <= 0:
            raise _Silence(bytes(parts), closed=False)
        peer.settimeout(left)
        try:
            part = peer.recv(min(count - len(parts), 65536))
        except TimeoutError:
            continue
        except ConnectionResetError:
            part = b""
        if not part:
            raise _Silence(bytes(parts), closed=True)
        parts += part
    return bytes(parts)


def _read_some(peer: socket.socket, most: int, end: float) -> bytes:
    try:
        return _read_exactly(peer, most, end)
    except _Silence as silence:
        return silence.some


def _words(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _shown(said: bytes) -> str:
    """Bytes of a peer, fit for a message: short, printable, quoted."""
    text = said[:60].decode("latin-1")
    return "'" + "".join(letter if 32 <= ord(letter) < 127 else "?" for letter in text) + "'"


# --- parse: pure ---------------------------------------------------------------------------------


def parse_hello(message: bytes) -> str:
    """The protocol that a hello names; :exc:`NotZeo` where it is no hello of a ZEO server."""
    if _HELLO.fullmatch(message) is None:
        raise NotZeo("foreign", f"says {_shown(message)}")
    return message.decode("ascii")


def is_too_old(protocol: str | None) -> bool:
    """Whether the protocol is one that no ZEO 5 or 6 client speaks: Z4, Z3101, Z310, Z309."""
    if protocol is None:
        return False
    number = int(protocol[1:])
    # Before version 4 the numbers are those of ZODB 3.x: 309 is ZODB 3.9.
    return number < _MODERN or 200 <= number < 10000


def parse_ruok(answer: bytes, at_s: float) -> dict[str, ZeoStorage]:
    """The storages in an answer to ``ruok``; ``at_s`` is when it was read, on the caller's monotonic clock.

    Raises :exc:`NotZeo` where the answer is not what a ZEO server gives.
    """
    try:
        found = json.loads(answer)
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return {str(name): _storage(status, at_s) for name, status in found.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise NotZeo("foreign", f"answers ruok with {_shown(answer)}") from None


def _storage(status: Mapping[str, Any], at_s: float) -> ZeoStorage:
    lock_time = status.get("lock_time")
    reading = LockReading(
        at_s=at_s,
        lock_time=None if lock_time is None else str(lock_time),
        commits=int(status.get("commits") or 0),
        waiting=int(status.get("waiting") or 0),
    )
    return ZeoStorage(
        connections=int(status.get("connections") or 0),
        last_transaction=str(status.get("last-transaction") or ""),
        start=str(status.get("start") or ""),
        readings=(reading,),
    )


def _locked(storages: Mapping[str, ZeoStorage]) -> list[str]:
    return [name for name, storage in storages.items() if any(r.lock_time is not None for r in storage.readings)]


def _joined(first: Mapping[str, ZeoStorage], second: Mapping[str, ZeoStorage]) -> dict[str, ZeoStorage]:
    """The first answer, with the second one's reading beside the first's where a lock was held."""
    locked = _locked(first)
    return {
        name: msgspec.structs.replace(storage, readings=storage.readings + second[name].readings)
        if name in locked and name in second
        else storage
        for name, storage in first.items()
    }
