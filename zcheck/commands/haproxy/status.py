"""What the running HAProxy does, for people to read, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from zcheck import runner
from zcheck.checks.balancer.servers_are_open import servers_are_open
from zcheck.commands.haproxy.gate import Gate
from zcheck.facts import Facts, HaproxyConf, RunningBalancers
from zcheck.probes import haproxy_socket
from zcheck.probes.haproxy_socket import ServerState
from zcheck.report.structs import Finding


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


def judged(gate: Gate, states: Mapping[str, ServerState]) -> list[Finding]:
    """What servers-are-open says of this backend."""
    running = haproxy_socket.as_fact(gate.runtime.address, gate.backend, states)
    facts = Facts().with_fact("", gate.inventory)
    facts = facts.with_fact("", RunningBalancers({gate.section.name: running}, is_judged=True))
    return list(runner.run([servers_are_open], facts).findings)


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
        if owner is not None and owner.role == "balanced" and state.is_ready and not state.weight:
            yield f"{owner.name} gets no new users: server {state.name} has weight 0"
        if owner is not None and owner.role == "balanced" and state.administration & haproxy_socket.DRAIN:
            yield f"{owner.name} gets no new users: server {state.name} is draining"
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
