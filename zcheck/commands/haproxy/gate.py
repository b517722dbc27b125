"""The gate: open the balancer's servers that were verified, restart clients one after the other, close nothing else.

Three rules stand above all:

* a server goes into rotation only from maintenance, after a run that has proven its client, and after as many passed
  health checks as HAProxy can count; whatever goes wrong on the way leaves it closed;
* a server that is in rotation is left untouched, but by what somebody has asked for by name;
* what cannot be learnt changes nothing.

What is open is the reference: where it and a client to be opened disagree, the client is refused.  Where nothing is
open there is no reference, and no vote is taken.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shlex
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from zcheck.check import Severity
from zcheck.commands.haproxy import render
from zcheck.commands.preflight import Examination
from zcheck.facts import BalancerSection, Client, ControlPanel, HaproxyConf, Inventory, NotGathered
from zcheck.facts.addresses import is_literal, is_loopback
from zcheck.probes import http
from zcheck.probes.haproxy_socket import RUNNING, STOPPED, Runtime, ServerState, Trouble
from zcheck.probes.http_connection import HttpTrouble, Line, resolve
from zcheck.report.structs import Finding
from zcheck.report.verdict import FailOn
from zcheck.system import atomic_write

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3

POLL_S = 0.1
OPENED_BY_ANOTHER = "somebody else has opened it meanwhile"
SHOWN = 200
"""Characters of a text that somebody else wrote."""

Say = Callable[[str], None]
Examine = Callable[[Inventory, Collection[str]], Examination]
"""A whole preflight of an inventory, without the checks or stages of these names."""


class CannotGate(Exception):
    """The gate cannot work as it is set up; nothing was changed.  The message says what to do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    timeout_s: float = 5.0
    admit_s: float = 60.0
    """How long a server may take to pass its health checks."""
    drain_s: float = 30.0
    """How long users may take to leave a server by themselves."""
    finish_s: float = 300.0
    """How long the requests that run may take to end."""
    start_s: float = 120.0
    """How long a client may take to come back."""
    command_s: float = 300.0
    """How long the command that restarts a client may take."""
    warm_s: float = 120.0
    """How long a server may stay in slowstart before the next client is restarted."""
    min_up: int = 1
    """Servers that stay in rotation."""
    fail_on: FailOn = "warning"


class Door(msgspec.Struct, frozen=True):
    """A client and its server in the running HAProxy."""

    client: Client
    server: str


class Gate:
    """One balancer: its socket, and which of its servers is which client."""

    def __init__(
        self,
        inventory: Inventory,
        section: BalancerSection,
        settings: Settings,
        say: Say,
        state_folder: str | None = None,
    ) -> None:
        address = section.values.get("admin-socket")
        if address is None:
            raise CannotGate(
                f"[{section.section.name}] names no admin-socket; write admin-socket = /run/haproxy/admin.sock"
            )
        self.inventory = inventory
        self.section = section
        self.settings = settings
        self.say = say
        self.backend = render.backend_of(section)
        self.runtime = Runtime(address, settings.timeout_s)
        self._notes = Path(state_folder) / "opened.json" if state_folder is not None else None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep another zcheck of this user from changing the same balancer meanwhile; :exc:`CannotGate` where one does.

        Two that count what stays in rotation could take out one server each.  The lock goes with the process.
        """
        if self._notes is None:
            yield
            return
        name = hashlib.sha256(f"{self.runtime.address} {self.backend}".encode()).hexdigest()[:16]
        try:
            self._notes.parent.mkdir(parents=True, exist_ok=True)
            file = (self._notes.parent / f"gate-{name}.lock").open("w")
        except OSError:
            yield  # That the state folder cannot be written is never an error.
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise CannotGate(f"another zcheck is changing {self.backend} at {self.runtime.address}") from None
            yield

    def states(self) -> dict[str, ServerState]:
        """Every server of the backend as it is now."""
        return self.runtime.servers(self.backend)

    def state(self, server: str) -> ServerState:
        return self.runtime.server(self.backend, server)

    def must_be_admin(self) -> None:
        """Raise :exc:`CannotGate` where the socket only allows to look."""
        level = self.runtime.level()
        if level != "admin":
            reason = f"{self.runtime.address} is for looking only (level {level or 'unknown'})"
            raise CannotGate(f"{reason}; write 'level admin' on the stats socket line of haproxy.cfg")

    def doors(self, states: Mapping[str, ServerState]) -> tuple[dict[str, Door], dict[str, str]]:
        """By client: its server, or in words why none is known to be it."""
        found: dict[str, Door] = {}
        missing: dict[str, str] = {}
        for client in self.inventory.clients:
            name = client.balancer_server or client.name
            server = states.get(name)
            if server is None:
                missing[client.name] = f"the running HAProxy has no server {self.backend}/{name}"
                continue
            same = is_at(server, client, self.inventory)
            if same:
                found[client.name] = Door(client, name)
            elif same is None:
                missing[client.name] = f"what address {client.address.host} is cannot be told; write it into [hosts]"
            else:
                where = f"{server.address}:{server.port}"
                missing[client.name] = f"server {self.backend}/{name} is at {where}, and the client at {client.address}"
        return found, missing

    # --- one server ------------------------------------------------------------------------------

    def close(self, server: str) -> None:
        """Maintenance; told where it could not be done."""
        try:
            self.runtime.maintain(self.backend, server)
        except Trouble as trouble:
            self.say(f"{server}: could not be closed: {trouble}")

    def admit(self, server: str) -> str:
        """Put a server into rotation by maint, drain, fresh health and ready; why it was not, or nothing.

        Whoever calls this has verified the client.  A server that is not admitted is left in maintenance.
        """
        try:
            self.runtime.maintain(self.backend, server)
            self.runtime.drain(self.backend, server)
            why = self._proven(server)
            if why:
                if why != OPENED_BY_ANOTHER:
                    self.close(server)
                return why
            state = self.runtime.ready(self.backend, server)
        except Trouble as trouble:
            self.close(server)
            return str(trouble)
        except BaseException:
            self.close(server)
            raise
        if not state.in_rotation:
            self.close(server)
            return f"HAProxy has it {state.words} after it was opened"
        self.keep_state()
        self._note(server)
        return ""

    def opened_at(self) -> dict[str, float]:
        """By server: when it was verified and opened, in seconds since the epoch; only what this user has opened."""
        start = f"{self.runtime.address} {self.backend}/"
        return {key.removeprefix(start): at for key, at in self._noted().items() if key.startswith(start)}

    def _noted(self) -> dict[str, float]:
        if self._notes is None:
            return {}
        try:
            return msgspec.json.decode(self._notes.read_bytes(), type=dict[str, float])
        except (OSError, msgspec.DecodeError):
            return {}

    def _note(self, server: str) -> None:
        """Remember when it was opened; that it cannot be noted changes nothing."""
        if self._notes is None:
            return
        noted = {**self._noted(), f"{self.runtime.address} {self.backend}/{server}": time.time()}
        with contextlib.suppress(OSError):
            self._notes.parent.mkdir(parents=True, exist_ok=True)
            atomic_write.write(str(self._notes), msgspec.json.encode(noted))

    def _proven(self, server: str) -> str:
        """Wait until a server in drain has passed all its health checks; why it has not, or nothing."""
        deadline = time.monotonic() + self.settings.admit_s
        failed_since: float | None = None
        while True:
            state = self.state(server)
            if state.is_open or not state.administration:
                return OPENED_BY_ANOTHER
            if not state.is_checked:
                return "HAProxy does not check its health; add check to its server line"
            if (state.fall or 0) < 2:
                return "its fall is 1, with which a first answer cannot be told from health; write fall 3"
            if state.is_proven:
                return ""
            now = time.monotonic()
            failing = state.operation == STOPPED and not state.check_status.startswith(("* ", "INI"))
            failed_since = (failed_since or now) if failing else None
            # Down for longer than it takes to come up again, should it be well: there is no need to wait for more.
            if now > deadline or (failed_since is not None and now - failed_since > self.settings.admit_s / 4):
                return f"its health check fails: {_check(state)}" if failing else f"not yet healthy: {_check(state)}"
            time.sleep(POLL_S)

    def empty(self, server: str) -> str:
        """Take a server out: no new users, then nobody, and wait until what runs there has ended.

        Says what is still running where that takes too long; the server is in maintenance then.
        """
        self.runtime.drain(self.backend, server)
        self._wait_idle(server, self.settings.drain_s)
        # Users who belong there are let in while it drains: maintenance sends them elsewhere.
        self.runtime.maintain(self.backend, server)
        state = self._wait_idle(server, self.settings.finish_s)
        self.keep_state()
        return "" if not state.sessions else f"{state.sessions} requests still run after {self.settings.finish_s:g} s"

    def _wait_idle(self, server: str, limit_s: float) -> ServerState:
        deadline = time.monotonic() + limit_s
        while True:
            state = self.state(server)
            if (not state.sessions and not state.queued) or time.monotonic() > deadline:
                return state
            time.sleep(POLL_S)

    def keep_state(self) -> None:
        """Write what is open into the state file, so that a reload keeps it; that it cannot be is told."""
        path = self.section.values.get("state-file")
        if path is None:
            return
        try:
            atomic_write.write(path, self.runtime.dump().encode())
        except (OSError, Trouble) as error:
            self.say(f"{path}: what is open could not be noted for the next reload: {error}")


def is_at(server: ServerState, client: Client, inventory: Inventory) -> bool | None:
    """Whether a running server has the client's address; None where the client's name means nothing here."""
    host, port = client.address.host, client.address.port
    if server.port != port:
        return False
    if is_loopback(host) and not is_literal(host):
        return is_loopback(server.address)
    try:
        known = resolve(host, inventory.hosts, 5.0)
    except HttpTrouble:
        return None
    return server.address in known


def _check(state: ServerState) -> str:
    return (
        " ".join(part for part in (state.check_status.removeprefix("* "), state.last_check[:SHOWN]) if part) or "none"
    )


# --- which balancer, which clients ---------------------------------------------------------------


def choose(inventory: Inventory, name: str | None) -> BalancerSection:
    """The balancer of this name, or the only one.  Raises :exc:`CannotGate`."""
    known = {section.name: section for section in inventory.balancers}
    if name is not None and name not in known:
        raise CannotGate(f"there is no [balancer:{name}] in {inventory.file}; there is {', '.join(known) or 'none'}")
    if name is not None:
        return known[name]
    if not known:
        raise CannotGate(f"{inventory.file} has no balancer; write [balancer:front] with type = haproxy")
    if len(known) > 1:
        raise CannotGate(f"there are several balancers; say which by --balancer: {', '.join(known)}")
    return next(iter(known.values()))


def for_haproxy(section: BalancerSection) -> BalancerSection:
    """The same section with whole paths: HAProxy stands in another folder, and takes a relative one for an address."""
    paths = {
        key: str(Path(value).absolute())
        for key in ("admin-socket", "state-file")
        if (value := section.values.get(key)) is not None and "/" in value
    }
    return msgspec.structs.replace(section, values={**section.values, **paths})


def named_clients(inventory: Inventory, names: Sequence[str]) -> list[Client]:
    """The clients of these names; without any, those whose role is ``balanced``.  Raises :exc:`CannotGate`."""
    if not names:
        return [client for client in inventory.clients if client.role == "balanced"]
    for name in names:
        if name not in inventory.client_names:
            raise CannotGate(f"there is no client {name!r} in {inventory.file}")
    chosen = [inventory.client(name) for name in dict.fromkeys(names)]
    for client in chosen:
        if client.role == "worker":
            raise CannotGate(f"{client.name} is a worker, which no balancer may use")
    return chosen


def only(inventory: Inventory, names: Collection[str]) -> Inventory:
    """The same cluster with these clients alone."""
    clients = tuple(client for client in inventory.clients if client.name in names)
    return msgspec.structs.replace(inventory, clients=clients)


# What is judged once for the whole cluster; a part of it would look wrong by being a part.
OF_THE_WHOLE = ("balancer", "inventory")


def failing(examination: Examination, fail_on: FailOn) -> list[Finding]:
    """The findings for which a run does not end with 0."""
    least = {"advice": Severity.ADVICE, "warning": Severity.WARNING, "critical": Severity.UNKNOWN}[fail_on]
    found = examination.report.findings
    return [one for one in found if one.suppressed_by is None and Severity[one.severity] >= least]


def about(findings: Sequence[Finding], clients: Collection[str]) -> list[Finding]:
    """Those that name one of these clients, or none at all."""
    return [finding for finding in findings if not finding.clients or set(finding.clients) & set(clients)]


# --- enable --------------------------------------------------------------------------------------


class Outcome(msgspec.Struct, frozen=True):
    """What came of it: the exit code, and what is open at the end."""

    code: int
    opened: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    closed: tuple[str, ...] = ()
    examination: Examination | None = None


def enable(
    gate: Gate,
    names: Sequence[str],
    examine: Examine,
    *,
    verified: Collection[str] | None = None,
    close_failed: bool = False,
) -> Outcome:
    """Open those clients' servers that are verified.

    ``verified``: the clients of a good receipt, which stands in for a run.  Raises :exc:`CannotGate` and
    :exc:`~zcheck.probes.haproxy_socket.Trouble` where nothing could be done.
    """
    gate.must_be_admin()
    states = gate.states()
    doors, missing = gate.doors(states)
    wanted = named_clients(gate.inventory, names)
    refused = {client.name: missing[client.name] for client in wanted if client.name in missing}
    open_now = [name for name, door in doors.items() if states[door.server].is_open]
    to_open = [client.name for client in wanted if client.name not in refused and client.name not in open_now]
    for name in open_now:
        gate.say(f"{name}: is open, and is left as it is")
    examination = None
    if verified is None:
        examination = examine(gate.inventory, ())
        admitted, why = _verified(gate, examination, examine, open_now, to_open)
        refused |= why
    else:
        admitted = [name for name in to_open if name in verified]
        refused |= {name: "the receipt does not cover it" for name in to_open if name not in verified}
    code = _code(examination, refused, [client.name for client in wanted], gate.settings.fail_on)
    opened, not_in = _open(gate, [doors[name] for name in admitted])
    refused |= not_in
    closed: tuple[str, ...] = ()
    if close_failed and examination is not None:
        closed = _close_failed(gate, examination, [doors[name] for name in open_now])
    elif examination is not None:
        _tell_failed(gate, examination, open_now)
    for name, reason in refused.items():
        gate.say(f"{name}: stays closed: {reason}" if name not in open_now else f"{name}: {reason}")
    return Outcome(CRITICAL if not_in else code, opened, refused, closed, examination)


def _code(examination: Examination | None, refused: Mapping[str, str], wanted: Collection[str], fail_on: FailOn) -> int:
    """What the run ended with, unless its findings are about nobody who was asked for; 2 for another refusal."""
    if examination is None:
        return CRITICAL if refused else OK
    code = examination.report.verdict.exit_code if about(failing(examination, fail_on), wanted) else OK
    return code or (CRITICAL if refused else OK)


def _verified(
    gate: Gate, examination: Examination, examine: Examine, open_now: Sequence[str], to_open: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Who may be opened by what a run of the whole cluster found, and why each other one may not."""
    found = failing(examination, gate.settings.fail_on)
    everywhere = [finding for finding in found if finding.stage in OF_THE_WHOLE and about([finding], to_open)]
    if everywhere:
        return [], dict.fromkeys(to_open, _told(everywhere))
    suspects = [name for name in to_open if about(found, [name])]
    sound = [name for name in to_open if name not in suspects]
    if not suspects:
        return sound, {}
    if not open_now:
        # Nothing is open that could be held against: one finding about one of them opens none.
        return [], {name: _told(about(found, to_open)) for name in to_open}
    refused = {}
    for name in suspects:
        gate.say(f"{name}: held against what is open ({', '.join(open_now)})")
        part = examine(only(gate.inventory, [*open_now, name]), OF_THE_WHOLE)
        against = about(failing(part, gate.settings.fail_on), [name])
        if against:
            refused[name] = _told(against)
        else:
            sound.append(name)
    return sound, refused


def _told(findings: Sequence[Finding]) -> str:
    first = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{first.severity.lower()}: {first.check}: {first.message}{more}"


def _open(gate: Gate, doors: Sequence[Door]) -> tuple[tuple[str, ...], dict[str, str]]:
    opened, refused = [], {}
    for door in doors:
        gate.say(f"{door.client.name}: verified; waiting for its health checks")
        why = gate.admit(door.server)
        if why:
            refused[door.client.name] = why
        else:
            opened.append(door.client.name)
            gate.say(f"{door.client.name}: open")
    return tuple(opened), refused


def _close_failed(gate: Gate, examination: Examination, doors: Sequence[Door]) -> tuple[str, ...]:
    """Close the open servers of clients that failed, as long as enough others are beyond any doubt.

    A finding that names all that is open has a cause that is none of theirs (the ZEO server, the network, our own
    deadline), or is a disagreement in which no side can be told right: nothing is closed then.
    """
    found = failing(examination, "critical")
    names = [door.client.name for door in doors]
    states = gate.states()
    sound = [d.client.name for d in doors if states[d.server].in_rotation and not about(found, [d.client.name])]
    failed = [finding for finding in found if finding.severity == "CRITICAL" and about([finding], names)]
    if failed and len(sound) < gate.settings.min_up:
        gate.say(f"nothing is closed: fewer than {gate.settings.min_up} of the open ones are beyond doubt")
        return ()
    closed = []
    for door in doors:
        if about(failed, [door.client.name]):
            gate.say(f"{door.client.name}: is closed: {_told(about(failed, [door.client.name]))}")
            gate.empty(door.server)
            closed.append(door.client.name)
    return tuple(closed)


def _tell_failed(gate: Gate, examination: Examination, names: Sequence[str]) -> None:
    """Users are sent to a client that must not have them: say so, and how that ends."""
    critical = [one for one in failing(examination, "critical") if one.severity == "CRITICAL"]
    for name in names:
        found = about(critical, [name])
        if found:
            gate.say(
                f"{name}: is open and failed: {_told(found)}; --close-failed would close it, as does haproxy drain"
            )


# --- drain ---------------------------------------------------------------------------------------


def drain(gate: Gate, name: str) -> Outcome:
    """Take one client's server out of rotation, as long as enough others stay in it."""
    gate.must_be_admin()
    states = gate.states()
    doors, missing = gate.doors(states)
    client = gate.inventory.client(name) if name in gate.inventory.client_names else None
    if client is None:
        raise CannotGate(f"there is no client {name!r} in {gate.inventory.file}")
    door = doors.get(name)
    if door is None:
        raise CannotGate(f"{name}: {missing[name]}")
    others = _others_up(states, door.server)
    if len(others) < gate.settings.min_up:
        reason = f"only {len(others)} others are in rotation, and --min-up is {gate.settings.min_up}"
        gate.say(f"{name}: stays open: {reason}")
        return Outcome(CRITICAL, refused={name: reason})
    running = gate.empty(door.server)
    gate.say(f"{name}: closed{', and ' + running if running else ''}")
    return Outcome(WARNING if running else OK, closed=(name,))


def _others_up(states: Mapping[str, ServerState], server: str) -> list[str]:
    return [state.name for state in states.values() if state.name != server and state.in_rotation]


# --- rolling restart -----------------------------------------------------------------------------


class Restart(msgspec.Struct, frozen=True):
    """How clients are restarted and woken."""

    command: str
    """With ``{client}``, ``{machine}``, ``{server}`` and ``{address}`` in it; it is run without a shell."""
    warm_up: tuple[str, ...] = ()
    """Paths that are asked of a client before it is opened."""
    changing: tuple[str, ...] = ()
    """Checks that may fail until the last client has been restarted."""


def rolling_restart(
    gate: Gate, names: Sequence[str], examine: Examine, restart: Restart, secret: str | NotGathered
) -> Outcome:
    """Restart one client after the other: out of rotation, restarted, verified, warm, and in again.

    It ends at the first client that does not come back verified, and leaves that one closed.
    """
    arguments = {client.name: command_for(restart.command, client) for client in named_clients(gate.inventory, names)}
    gate.must_be_admin()
    states = gate.states()
    doors, missing = gate.doors(states)
    chosen = named_clients(gate.inventory, names)
    for client in chosen:
        if client.name not in doors:
            raise CannotGate(f"{client.name}: {missing[client.name]}")
    closed = [client.name for client in chosen if not states[doors[client.name].server].is_open]
    if closed and names:
        raise CannotGate(f"{', '.join(closed)}: not open; what is closed is restarted by hand, then opened by enable")
    chosen = [client for client in chosen if client.name not in closed]
    if not chosen:
        raise CannotGate("nothing is open; open what is verified first: zcheck haproxy enable")
    before = examine(gate.inventory, restart.changing)
    if before.report.verdict.exit_code:
        gate.say("nothing is restarted: the cluster is not verified as it is")
        return Outcome(before.report.verdict.exit_code, examination=before)
    done: list[str] = []
    for client in chosen:
        why, code = _restart_one(gate, doors[client.name], examine, restart, arguments[client.name], secret)
        if why:
            gate.say(f"{client.name}: {why}")
            rest = [one.name for one in chosen if one.name not in done and one.name != client.name]
            gate.say(f"ended here; not restarted: {', '.join(rest) or 'none'}")
            return Outcome(code, tuple(done), {client.name: why})
        done.append(client.name)
    if restart.changing:
        after = examine(gate.inventory, ())
        return Outcome(after.report.verdict.exit_code, tuple(done), examination=after)
    return Outcome(OK, tuple(done))


def _restart_one(
    gate: Gate, door: Door, examine: Examine, restart: Restart, command: Sequence[str], secret: str | NotGathered
) -> tuple[str, int]:
    """Why one client did not come back, and the exit code; nothing and 0 where it did."""
    client, server, settings = door.client, door.server, gate.settings
    states = gate.states()
    others = _others_up(states, server)
    if len(others) < max(settings.min_up, 1):
        return (
            f"left as it is: only {len(others)} others are in rotation, and {max(settings.min_up, 1)} must be",
            CRITICAL,
        )
    was = _panel(gate, client, secret)
    gate.say(f"{client.name}: no new users")
    running = gate.empty(server)
    if running:
        back = gate.admit(server)
        return f"not restarted: {running}; {'it is open again' if not back else f'it stays closed: {back}'}", CRITICAL
    gate.say(f"{client.name}: restarting")
    why = _run(command, settings.command_s) or _came_back(gate, client, was, secret)
    if why:
        return f"stays closed: {why}", CRITICAL
    gate.say(f"{client.name}: is back; verifying")
    reference = [name for name, other in gate.doors(states)[0].items() if other.server in others]
    part = examine(only(gate.inventory, [*reference, client.name]), (*OF_THE_WHOLE, *restart.changing))
    against = failing(part, settings.fail_on)
    if against:
        return f"stays closed: {_told(against)}", part.report.verdict.exit_code or CRITICAL
    why = _warm_up(gate, client, restart.warm_up) or gate.admit(server)
    if why:
        return f"stays closed: {why}", CRITICAL
    _wait_warm(gate, server)
    gate.say(f"{client.name}: open")
    return "", OK


def command_for(command: str, client: Client) -> list[str]:
    """The words of the command for one client.  Raises :exc:`CannotGate` for a command that cannot be split."""
    values = {
        "client": client.name,
        "machine": client.machine,
        "server": client.balancer_server or client.name,
        "address": str(client.address),
    }
    try:
        return [word.format(**values) for word in shlex.split(command)]
    except (ValueError, KeyError, IndexError, AttributeError):
        raise CannotGate(
            "--command cannot be read; it may hold {client}, {machine}, {server} and {address}, and other braces twice"
        ) from None


def _run(command: Sequence[str], limit_s: float) -> str:
    """Why the command failed, or nothing."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, check=False, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        return f"the command did not end within {limit_s:g} s"
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if not done.returncode:
        return ""
    said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    return f"the command ended with {done.returncode}" + (f": {said[-1][:SHOWN]}" if said else "")


def _panel(gate: Gate, client: Client, secret: str | NotGathered) -> ControlPanel | None:
    """What a client's Control Panel says; None where it cannot be read."""
    credentials = gate.inventory.credentials
    if credentials is None or isinstance(secret, NotGathered):
        return None
    found = http.probe_control_panel(client, credentials.user, secret, gate.settings.timeout_s, gate.inventory.hosts)
    return found if isinstance(found, ControlPanel) else None


def _came_back(gate: Gate, client: Client, was: ControlPanel | None, secret: str | NotGathered) -> str:
    """Wait until the client answers, as another process than before; why it does not, or nothing."""
    deadline = time.monotonic() + gate.settings.start_s
    why = "it does not answer"
    while time.monotonic() < deadline:
        if http.probe_port(client, gate.settings.timeout_s, gate.inventory.hosts).outcome == "open":
            if was is None or was.process_id is None:
                if http.probe_http(client, gate.settings.timeout_s, gate.inventory.hosts).outcome == "http":
                    return ""
            else:
                now = _panel(gate, client, secret)
                if now is not None and not now.may_be(was):
                    return ""
                why = "it is the process that it was before" if now is not None else "its Control Panel cannot be read"
        else:
            why = "it does not answer"
        time.sleep(POLL_S)
    return f"{why}, {gate.settings.start_s:g} s after the command"


def _warm_up(gate: Gate, client: Client, paths: Sequence[str]) -> str:
    """Ask for each path; why one was not answered, or nothing."""
    line = None
    try:
        line = Line(client, resolve(client.dialled.host, gate.inventory.hosts, gate.settings.timeout_s))
        for path in paths:
            gate.say(f"{client.name}: warming up {path}")
            reply = line.ask("GET", path, timeout_s=gate.settings.warm_s, may_cut=True)
            if reply.status >= 400:
                return f"{path} is answered with {reply.status}"
    except HttpTrouble as trouble:
        return f"warming it up failed: it {trouble.words}"
    finally:
        if line is not None:
            line.close()
    return ""


def _wait_warm(gate: Gate, server: str) -> None:
    """Wait for the end of slowstart, so that the next client is not missed at once."""
    deadline = time.monotonic() + gate.settings.warm_s
    while gate.state(server).operation != RUNNING and time.monotonic() < deadline:
        time.sleep(POLL_S)


# --- status and verify ---------------------------------------------------------------------------


class Row(msgspec.Struct, frozen=True):
    """One server for people to read."""

    server: str
    client: str
    state: str
    health: str
    since_s: int
    sessions: int
    queued: int
    total: int
    errors: int
    opened_at: float | None = None
    note: str = ""


def rows(gate: Gate) -> list[Row]:
    """Every server of the backend, and every client that is none."""
    states = gate.states()
    doors, missing = gate.doors(states)
    by_server = {door.server: name for name, door in doors.items()}
    opened = gate.opened_at()
    found = []
    for state in states.values():
        client = by_server.get(state.name, "")
        note = (
            ""
            if client
            else next(
                (why for name, why in missing.items() if f"/{state.name} " in f"{why} "), "no client of clients.ini"
            )
        )
        found.append(
            Row(
                state.name,
                client,
                state.words,
                _health(state),
                state.changed_s,
                state.sessions,
                state.queued,
                state.total,
                state.errors,
                opened.get(state.name) if state.is_open else None,
                note,
            )
        )
    wanted = [client.name for client in gate.inventory.clients if client.role == "balanced"]
    named = {state.name for state in states.values()}
    for name in wanted:
        server = gate.inventory.client(name).balancer_server or name
        if name not in doors and server not in named:
            found.append(Row("-", name, "missing", "", 0, 0, 0, 0, 0, note=missing[name]))
    return found


def _health(state: ServerState) -> str:
    if state.check_health is None or not state.rise or not state.fall:
        return "not checked" if state.is_open else "-"
    return f"{state.check_status.removeprefix('* ')} {state.check_health}/{state.rise + state.fall - 1}"


def wrongs(gate: Gate, conf: HaproxyConf | None = None) -> Iterator[str]:
    """What would keep the gate from working, or shows that the running HAProxy is not what the files say."""
    level = gate.runtime.level()
    if level != "admin":
        yield f"{gate.runtime.address} is for looking only (level {level}): enable could change nothing"
    states = gate.states()
    doors, missing = gate.doors(states)
    for client in gate.inventory.clients:
        if client.name in missing and client.role == "balanced":
            yield f"{client.name}: {missing[client.name]}"
    known = {door.server: door.client for door in doors.values()}
    for state in states.values():
        owner = known.get(state.name)
        if owner is None and state.is_open:
            yield f"server {state.name} ({state.address}:{state.port}) is open, and is no client of clients.ini"
        if owner is not None and owner.role == "worker" and state.is_open:
            yield f"server {state.name} is open, and {owner.name} is a worker"
        if owner is not None and state.is_open and not state.is_checked:
            yield f"server {state.name} is not checked; add check to its line"
        if owner is not None and state.fall == 1:
            yield _FALL.format(state.name)
    written = {server.name: server for one in (conf.balancing if conf else ()) for server in one.servers}
    for name, server in written.items():
        if name not in states and one_of(conf, name) == gate.backend:
            yield f"server {name} stands in {server.line.file}, and the running HAProxy does not have it: reload it"
        if name in known and server.options.get("fall") == "1" and states[name].fall is None:
            yield _FALL.format(name)


_FALL = "server {} has fall 1: enable cannot tell its first answer from health; write fall 3"


def one_of(conf: HaproxyConf | None, server: str) -> str:
    """The backend that a server stands in."""
    sections = conf.balancing if conf is not None else ()
    return next((one.name for one in sections if any(each.name == server for each in one.servers)), "")
