"""Take one server out of rotation, as long as enough others stay in it."""

from __future__ import annotations

from collections.abc import Mapping

from zcheck.commands.haproxy.gate import CRITICAL, OK, WARNING, CannotGate, Gate, Outcome
from zcheck.probes.haproxy_socket import ServerState


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
    others = others_up(states, door.server)
    if len(others) < gate.settings.min_up:
        reason = f"only {len(others)} others are in rotation, and --min-up is {gate.settings.min_up}"
        gate.say(f"{name}: stays open: {reason}")
        return Outcome(CRITICAL, refused={name: reason})
    running = gate.empty(door.server)
    gate.say(f"{name}: closed{', and ' + running if running else ''}")
    return Outcome(WARNING if running else OK, closed=(name,))


def others_up(states: Mapping[str, ServerState], server: str) -> list[str]:
    return [state.name for state in states.values() if state.name != server and state.in_rotation]
