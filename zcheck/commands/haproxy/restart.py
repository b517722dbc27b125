"""Restart one client after the other behind the balancer; no request is lost."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Sequence

import msgspec

from zcheck.commands.haproxy.drain import others_up
from zcheck.commands.haproxy.gate import (
    CRITICAL,
    OK,
    POLL_S,
    SHOWN,
    CannotGate,
    Door,
    Examine,
    Gate,
    Outcome,
    named_clients,
    only,
)
from zcheck.commands.haproxy.verified import OF_THE_WHOLE, failing, process_of, told, unproven
from zcheck.commands.receipt import VerifiedClient
from zcheck.facts import Client, ControlPanel, NotGathered
from zcheck.parsers.redact import without_secrets
from zcheck.probes import http
from zcheck.probes.haproxy_socket import RUNNING
from zcheck.probes.http_connection import HttpTrouble, Line, resolve


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
        was = process_of(before, client.name)
        why, code = _restart_one(gate, doors[client.name], examine, restart, arguments[client.name], secret, was)
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
    gate: Gate,
    door: Door,
    examine: Examine,
    restart: Restart,
    command: Sequence[str],
    secret: str | NotGathered,
    verified: VerifiedClient,
) -> tuple[str, int]:
    """Why one client did not come back, and the exit code; nothing and 0 where it did.

    ``verified``: its process as it was verified before the restart.
    """
    client, server, settings = door.client, door.server, gate.settings
    states = gate.states()
    others = others_up(states, server)
    if len(others) < max(settings.min_up, 1):
        return (
            f"left as it is: only {len(others)} others are in rotation, and {max(settings.min_up, 1)} must be",
            CRITICAL,
        )
    was = _panel(gate, client, secret)
    gate.say(f"{client.name}: no new users")
    running = gate.empty(server)
    if running:
        back = gate.admit(door, gate.is_still(verified, client, secret))
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
        return f"stays closed: {told(against)}", part.report.verdict.exit_code or CRITICAL
    why = unproven(part.report, gate.inventory.writers, client.name, reference)
    why = why or _warm_up(gate, client, restart.warm_up)
    why = why or gate.admit(door, gate.is_still(process_of(part, client.name), client, secret))
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
    return f"the command ended with {done.returncode}" + (f": {without_secrets(said[-1])[:SHOWN]}" if said else "")


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
