"""Open the servers of clients that were verified; close those that failed, where that was asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from zcheck.commands.haproxy.gate import CRITICAL, OK, Door, Examine, Gate, Outcome, named_clients, only
from zcheck.commands.haproxy.verified import OF_THE_WHOLE, about, failing, told
from zcheck.commands.preflight import Examination
from zcheck.report.verdict import FailOn


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
        return [], dict.fromkeys(to_open, told(everywhere))
    suspects = [name for name in to_open if about(found, [name])]
    sound = [name for name in to_open if name not in suspects]
    if not suspects:
        return sound, {}
    if not open_now:
        # Nothing is open that could be held against: one finding about one of them opens none.
        return [], {name: told(about(found, to_open)) for name in to_open}
    refused = {}
    for name in suspects:
        gate.say(f"{name}: held against what is open ({', '.join(open_now)})")
        part = examine(only(gate.inventory, [*open_now, name]), OF_THE_WHOLE)
        against = about(failing(part, gate.settings.fail_on), [name])
        if against:
            refused[name] = told(against)
        else:
            sound.append(name)
    return sound, refused


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
            gate.say(f"{door.client.name}: is closed: {told(about(failed, [door.client.name]))}")
            gate.empty(door.server)
            closed.append(door.client.name)
    return tuple(closed)


def _tell_failed(gate: Gate, examination: Examination, names: Sequence[str]) -> None:
    """Users are sent to a client that must not have them: say so, and how that ends."""
    critical = [one for one in failing(examination, "critical") if one.severity == "CRITICAL"]
    for name in names:
        found = about(critical, [name])
        if found:
            gate.say(f"{name}: is open and failed: {told(found)}; --close-failed would close it, as does haproxy drain")
