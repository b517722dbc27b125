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
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from zcheck.commands.haproxy import render
from zcheck.commands.haproxy.verified import why_another
from zcheck.commands.preflight import Examination
from zcheck.commands.receipt import VerifiedClient
from zcheck.facts import BalancerSection, Client, Inventory, Names, NotGathered
from zcheck.facts.addresses import is_literal, is_loopback
from zcheck.facts.balancer_servers import Match, Matcher, server_name
from zcheck.probes.haproxy_socket import RESOLUTION_MAINT, STOPPED, Runtime, ServerState, Trouble
from zcheck.probes.http_connection import HttpTrouble, resolve
from zcheck.report.verdict import FailOn
from zcheck.system import atomic_write
from zcheck.system.threads import NotDone, side_by_side

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3

POLL_S = 0.1
OPENED_BY_ANOTHER = "somebody else has opened it meanwhile"
SHOWN = 200
"""Characters of a text that somebody else wrote."""

Say = Callable[[str], None]
WhyNot = Callable[[], str]
"""Why a client may not be opened after all, or nothing."""
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
        matcher = Matcher(self.inventory, self._names())
        matches = {server.name: matcher.client_at(server.address, server.port) for server in states.values()}
        servers = matcher.servers_of(states, matches.__getitem__, str)
        found = {name: Door(self.inventory.client(name), own[0]) for name, own in servers.items()}
        missing = {
            client.name: self._why_no_door(client, states, matches)
            for client in self.inventory.clients
            if client.name not in found
        }
        return found, missing

    def _why_no_door(self, client: Client, states: Mapping[str, ServerState], matches: Mapping[str, Match]) -> str:
        named = states.get(server_name(client))
        if named is None:
            return (
                f"the running HAProxy has no server {self.backend}/{server_name(client)}, and none at {client.address}"
            )
        server = f"server {self.backend}/{named.name}"
        if named.administration & RESOLUTION_MAINT:
            return f"{server} has no address: HAProxy cannot resolve the name on its server line"
        where = f"{server} is at {named.address}:{named.port}"
        if client.name in matches[named.name].possible:
            unknown = f"whether that is {client.address} cannot be determined"
            return f"{where}; {unknown}: write {client.address.host} into [hosts]"
        return f"{where}, and the client at {client.address}"

    def _names(self) -> Names:
        """What the host names in the clients' addresses mean, asked anew: all of them within one wait."""
        hosts = {client.address.host for client in self.inventory.clients}
        asked = [host for host in hosts if not is_literal(host) and not is_loopback(host)]
        end = time.monotonic() + self.settings.timeout_s
        jobs = {host: partial(resolve, host, self.inventory.hosts, self.settings.timeout_s) for host in asked}
        found = side_by_side(jobs, lambda: end - time.monotonic())
        return Names({host: known for host, known in found.items() if not isinstance(known, NotDone)}, looked_up=True)

    # --- one server ------------------------------------------------------------------------------

    def close(self, server: str) -> None:
        """Maintenance; told where it could not be done."""
        try:
            self.runtime.maintain(self.backend, server)
        except Trouble as trouble:
            self.say(f"{server}: could not be closed: {trouble}")

    def admit(self, door: Door, why_not: WhyNot) -> str:
        """Put a server into rotation by maint, drain, fresh health and ready; why it was not, or nothing.

        Whoever calls this has verified the client; ``why_not`` looks whether what answers there is still the process
        that was verified, right before users are sent to it and right after.  A server that is not admitted is left in
        maintenance.
        """
        server = door.server
        try:
            state = self.state(server)
            if not state.weight and not state.initial_weight:
                return (
                    "haproxy.cfg gives it weight 0, so that no new users are sent there; remove weight 0 from its line"
                )
            self.runtime.maintain(self.backend, server)
            self.runtime.drain(self.backend, server)
            if not state.weight:
                self.runtime.give_weight(self.backend, server)
            why = self._proven(server) or self._why_elsewhere(door) or why_not()
            if why:
                if why != OPENED_BY_ANOTHER:
                    self.close(server)
                return why
            state = self.runtime.ready(self.backend, server)
            why = why_not()
        except (Trouble, HttpTrouble) as trouble:
            self.close(server)
            return str(trouble)
        except BaseException:
            self.close(server)
            raise
        if why or not state.is_up:
            self.close(server)
            return why or f"HAProxy has it {state.words} after it was opened"
        self.keep_state()
        self._note(server)
        return ""

    def is_still(self, verified: VerifiedClient, client: Client, secret: str | NotGathered) -> WhyNot:
        """A question for :meth:`admit`: whether the process that was verified is the one that answers."""
        return partial(why_another, verified, client, self.inventory, secret, self.settings.timeout_s)

    def _why_elsewhere(self, door: Door) -> str:
        """Why the server is not the client any more: names and addresses change while HAProxy runs."""
        doors, missing = self.doors(self.states())
        name = door.client.name
        if name in missing:
            return missing[name]
        return "" if doors[name].server == door.server else f"it is server {doors[name].server} by now"

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
            if state.is_ready:
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


class Outcome(msgspec.Struct, frozen=True):
    """What came of it: the exit code, and what is open at the end."""

    code: int
    opened: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    closed: tuple[str, ...] = ()
    examination: Examination | None = None
