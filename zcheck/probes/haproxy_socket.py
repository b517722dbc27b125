"""HAProxy's Runtime API: one command a connection, every wait and size bounded, every change read back.

From the management guide, section 9.3, and from trying it on HAProxy 2.4 to 3.4:

* a change that was made is answered by an empty line, and everything else is an error, without any code;
* ``srv_admin_state`` is a set of bits, and the one of ``disabled`` in the configuration stays when the server is ready;
* ``state ready`` puts a server into rotation at once, before any health check; so does ``drain`` for users who have
  been there before.  After ``maint`` the health begins anew, while the texts of the last check stay: a fresh proof is
  the health at its highest.
"""

from __future__ import annotations

import csv
import io
import re
import socket
import time
from collections.abc import Callable, Mapping

import msgspec

from zcheck.facts import LeftOut, NotGathered, RunningBalancer, RunningServer
from zcheck.parsers.redact import without_secrets

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes; the statistics of a thousand servers have one MiB."""

FORCED_MAINT, RESOLUTION_MAINT = 1, 32
MAINT, DRAIN = 0x03, 0x18
"""Maintenance and drain, each by somebody's word or taken over from another server."""

NOT_IN_ROTATION = MAINT | DRAIN | RESOLUTION_MAINT
"""What keeps a server out.  Not 4: that the configuration says ``disabled`` is history once somebody enabled it."""

STOPPED, STARTING, RUNNING, STOPPING = 0, 1, 2, 3

_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_HOST_PORT = re.compile(r"(?:\[([^\[\]]*)\]|([^/:\[\]]*)):([0-9]{1,5})")
_DENIED = re.compile(r"permission denied", re.IGNORECASE)


class Trouble(Exception):
    """The balancer cannot be spoken to, or did not do what it was asked; the message is for a person."""


class Unreachable(Trouble):
    """The socket is not there, or may not be opened by this user."""


class Refused(Trouble):
    """HAProxy answered a change with a text."""


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """One server as the running HAProxy has it."""

    name: str
    backend: str
    address: str
    port: int
    operation: int
    administration: int
    status: str = ""
    check_status: str = ""
    """Such as ``L7OK``; with ``* `` in front while a check runs.  Stale after maintenance."""
    last_check: str = ""
    check_health: int | None = None
    rise: int | None = None
    fall: int | None = None
    sessions: int = 0
    queued: int = 0
    total: int = 0
    errors: int = 0
    """Connections and answers that failed."""
    checks_failed: int = 0
    weight: int = 1
    """As somebody has set it; 0: no new users are sent there, in whatever state it is."""
    initial_weight: int = 1
    """As the configuration has it."""
    is_backup: bool = False
    """Users are sent there only when no other server is up."""
    changed_s: int = 0
    """Seconds since it last went up or down."""

    @property
    def is_ready(self) -> bool:
        """Whether it is neither in maintenance nor in drain."""
        return self.administration & NOT_IN_ROTATION == 0

    @property
    def is_open(self) -> bool:
        """Whether nobody keeps it out: it gets requests as long as it is well, a backup where no other does."""
        return self.is_ready and self.weight > 0

    @property
    def is_up(self) -> bool:
        """Whether it is open, and well by its health checks."""
        return self.is_open and self.operation in (STARTING, RUNNING)

    @property
    def in_rotation(self) -> bool:
        """Whether it gets requests now."""
        return self.is_up and not self.is_backup

    @property
    def is_checked(self) -> bool:
        return bool(self.rise and self.fall)

    @property
    def is_proven(self) -> bool:
        """Whether its health is at its highest: as many checks were passed since maintenance as there can be."""
        if not self.rise or not self.fall or self.check_health is None or self.check_status.startswith("* "):
            return False
        return self.operation != STOPPED and self.check_health >= self.rise + self.fall - 1

    @property
    def words(self) -> str:
        """In a word: what somebody has decided, and before that what the checks say."""
        if self.administration & RESOLUTION_MAINT:
            return "its name is not known"
        if self.administration & MAINT:
            return "closed"
        if self.administration & DRAIN:
            return "draining"
        if not self.weight:
            return "weight 0"
        opened = "backup" if self.is_backup else "open"
        return {STOPPED: "down", STARTING: "starting", RUNNING: opened, STOPPING: "stopping"}.get(self.operation, "?")


class Runtime:
    """The socket of one HAProxy: the path of a unix socket, or HOST:PORT."""

    def __init__(self, address: str, timeout_s: float = 5.0) -> None:
        self.address = address
        self.timeout_s = timeout_s

    def ask(self, command: str) -> str:
        """The answer to one command, within ``timeout_s`` in all.  Raises :exc:`Trouble`."""
        if "\n" in command or ";" in command:
            raise Trouble("a command is one line")
        deadline = time.monotonic() + self.timeout_s
        try:
            with self._connect() as connection:
                connection.sendall(f"{command}\n".encode())
                return self._read(connection, deadline)
        except TimeoutError:
            raise Trouble(f"{self.address} did not answer within {self.timeout_s:g} s") from None
        except OSError as error:
            raise Unreachable(f"{self.address}: {_why(error)}") from None

    def change(self, command: str) -> None:
        """A command that changes something; :exc:`Refused` when it is answered with anything."""
        answer = self.ask(command).strip()
        if _DENIED.search(answer):
            raise Refused(f"{self.address} is for looking only: give it 'level admin' on the stats socket line")
        if answer:
            raise Refused(f"{self.address}: {without_secrets(answer)[:200]}")

    def level(self) -> str:
        """What this socket may do: ``user``, ``operator`` or ``admin``."""
        return self.ask("show cli level").strip()

    def info(self) -> dict[str, str]:
        """What ``show info`` tells: version, process, uptime."""
        lines = (line.partition(":") for line in self.ask("show info").splitlines())
        return {name.strip(): value.strip() for name, _, value in lines if value}

    def servers(self, backend: str) -> dict[str, ServerState]:
        """Every server of a backend, in its order.  Raises :exc:`Trouble`, also where there is no such backend."""
        state = parse_state(self.ask(f"show servers state {_safe(backend)}"), backend)
        if not state:
            raise Trouble(f"{self.address}: the running HAProxy has no backend {backend} with servers")
        figures = parse_figures(self.ask(f"show stat {_safe(backend)} 4 -1"), backend)
        return {name: _server(row, figures.get(name, {})) for name, row in state.items()}

    def server(self, backend: str, name: str) -> ServerState:
        """One server, read anew."""
        found = self.servers(backend).get(name)
        if found is None:
            raise Trouble(f"{self.address}: the running HAProxy has no server {backend}/{name}")
        return found

    def maintain(self, backend: str, name: str) -> ServerState:
        """Take a server out: nobody is sent there any more, and what runs there ends by itself."""
        return self._set(backend, name, "maint", lambda state: bool(state.administration & FORCED_MAINT))

    def drain(self, backend: str, name: str) -> ServerState:
        """Send no new users there; health checks go on."""
        return self._set(backend, name, "drain", lambda state: bool(state.administration & DRAIN))

    def ready(self, backend: str, name: str) -> ServerState:
        """Put a server into rotation, at once."""
        return self._set(backend, name, "ready", lambda state: state.is_ready)

    def give_weight(self, backend: str, name: str) -> None:
        """Give a server the weight back that the configuration gives it."""
        self.change(f"set server {_safe(backend)}/{_safe(name)} weight 100%")

    def dump(self) -> str:
        """The state of all servers, as a state file holds it."""
        return self.ask("show servers state")

    def _set(self, backend: str, name: str, word: str, holds: Callable[[ServerState], bool]) -> ServerState:
        self.change(f"set server {_safe(backend)}/{_safe(name)} state {word}")
        state = self.server(backend, name)
        if not holds(state):
            raise Refused(f"{self.address}: {backend}/{name} did not go to {word}: it is {state.words}")
        return state

    def _connect(self) -> socket.socket:
        tcp = _HOST_PORT.fullmatch(self.address)
        if tcp is not None:
            return socket.create_connection((tcp[1] or tcp[2], int(tcp[3])), timeout=self.timeout_s)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout_s)
            connection.connect(self.address)
        except BaseException:
            connection.close()
            raise
        return connection

    def _read(self, connection: socket.socket, deadline: float) -> str:
        answer = bytearray()
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
            data = connection.recv(65536)
            if not data:
                return answer.decode("utf-8", "replace")
            answer += data
            if len(answer) > MAX_ANSWER:
                raise Trouble(f"{self.address}: the answer is larger than {MAX_ANSWER // 1024 // 1024} MiB")


def running(address: str, backend: str, timeout_s: float) -> RunningBalancer | NotGathered | LeftOut:
    """What one HAProxy does now; changes nothing."""
    try:
        states = Runtime(address, timeout_s).servers(backend)
    except Unreachable as trouble:
        return LeftOut(str(trouble))
    except Trouble as trouble:
        return NotGathered(str(trouble))
    return as_fact(address, backend, states)


def as_fact(address: str, backend: str, states: Mapping[str, ServerState]) -> RunningBalancer:
    """The states as a fact that checks read."""
    servers = [RunningServer(one.name, one.address, one.port, one.in_rotation, one.words) for one in states.values()]
    return RunningBalancer(backend, address, tuple(servers))


def parse_state(text: str, backend: str) -> dict[str, dict[str, str]]:
    """``show servers state``, by server; its columns by their names, since they grow from version to version."""
    lines = text.splitlines()
    header = next((line for line in lines if line.startswith("# ")), None)
    if header is None:
        return {}
    names = header[2:].split()
    rows = (dict(zip(names, line.split(), strict=False)) for line in lines if line[:1].isdigit() and " " in line)
    return {row["srv_name"]: row for row in rows if row.get("be_name") == backend and "srv_name" in row}


def parse_figures(text: str, backend: str) -> dict[str, dict[str, str]]:
    """``show stat`` of servers, by server."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
    return {row["svname"]: row for row in rows if row.get("pxname") == backend and row.get("svname")}


def _server(state: Mapping[str, str], figures: Mapping[str, str]) -> ServerState:
    def number(key: str, source: Mapping[str, str] = figures) -> int:
        value = source.get(key) or ""
        return int(value) if value.isdecimal() else 0

    def perhaps(key: str) -> int | None:
        value = figures.get(key) or ""
        return int(value) if value.isdecimal() else None

    try:
        operation, administration = int(state["srv_op_state"]), int(state["srv_admin_state"])
    except (KeyError, ValueError):
        raise Trouble("show servers state: the answer has no states in it") from None
    return ServerState(
        name=state["srv_name"],
        backend=state["be_name"],
        address=state.get("srv_addr", "-"),
        port=number("srv_port", state),
        operation=operation,
        administration=administration,
        status=figures.get("status") or "",
        check_status=figures.get("check_status") or "",
        last_check=without_secrets(figures.get("last_chk") or ""),
        check_health=perhaps("check_health"),
        rise=perhaps("check_rise"),
        fall=perhaps("check_fall"),
        sessions=number("scur"),
        queued=number("qcur"),
        total=number("stot"),
        errors=number("econ") + number("eresp"),
        checks_failed=number("chkfail"),
        weight=_weight(state.get("srv_uweight") or figures.get("weight")),
        initial_weight=_weight(state.get("srv_iweight")),
        is_backup=figures.get("bck") == "1",
        changed_s=number("lastchg"),
    )


def _weight(text: str | None) -> int:
    """1 where HAProxy does not say: what is not told counts as the default."""
    return int(text) if text and text.isdecimal() else 1


def _safe(name: str) -> str:
    """A name that is one word of a command."""
    if not _NAME.fullmatch(name):
        raise Trouble(f"{name!r} is no name that HAProxy allows")
    return name


def _why(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "may not be opened by this user: run zcheck as the socket's owner or group"
    if isinstance(error, FileNotFoundError):
        return "there is no such socket; is HAProxy running, and is this its stats socket?"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there; is HAProxy running?"
    return (error.strerror or type(error).__name__).lower()
