"""Open the servers of clients that were verified; close those that failed, where that was asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from zcheck.commands.haproxy.gate import CRITICAL, OK, Door, Examine, Gate, Outcome, named_clients, only
from zcheck.commands.haproxy.verified import OF_THE_WHOLE, about, failing, process_of, told, unproven
from zcheck.commands.preflight import Examination
from zcheck.commands.receipt import VerifiedClient
from zcheck.facts import NotGathered
from zcheck.report.verdict import FailOn


class Evidence(msgspec.Struct, frozen=True):
    """What stands behind an opening: the processes that were verified, and by which name each is refused."""

    processes: dict[str, VerifiedClient] = {}
    refused: dict[str, str] = {}


def enable(
    gate: Gate,
    names: Sequence[str],
    examine: Examine,
    secret: str | NotGathered,
    *,
    verified: Mapping[str, VerifiedClient] | None = None,
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
        as_what = " as a backup, where no other server is up," if states[doors[name].server].is_backup else ""
        gate.say(f"{name}: is open{as_what} and is left as it is")
    examination = None
    # What is open and down gets no users: it cannot be proven, and what returns there was not opened by this run.
    reference = [name for name in open_now if states[doors[name].server].is_up]
    if verified is None:
        examination = examine(gate.inventory, ())
        evidence = _verified(gate, examination, examine, open_now, reference, to_open)
    else:
        evidence = by_receipt(verified, reference, to_open)
    refused |= evidence.refused
    code = _code(examination, refused, [client.name for client in wanted], gate.settings.fail_on)
    opened, not_in = _open(gate, [doors[name] for name in to_open if name in evidence.processes], evidence, secret)
    refused |= not_in
    closed: tuple[str, ...] = ()
    if close_failed and examination is not None:
        closed = _close_failed(gate, examination, [doors[name] for name in open_now])
    elif examination is not None:
        _tell_failed(gate, examination, open_now)
    for name, reason in refused.items():
        gate.say(f"{name}: stays closed: {reason}" if name not in open_now else f"{name}: {reason}")
    return Outcome(CRITICAL if not_in else code, opened, refused, closed, examination)


def by_receipt(verified: Mapping[str, VerifiedClient], reference: Sequence[str], to_open: Sequence[str]) -> Evidence:
    """A good receipt has every pair of its clients: of what is open and not in it, it proves nothing."""
    strangers = [name for name in reference if name not in verified]
    if strangers:
        is_open = (
            f"{', '.join(strangers)} {'is' if len(strangers) == 1 else 'are'} open, and the receipt does not cover"
        )
        return Evidence(refused=dict.fromkeys(to_open, f"{is_open} what is open"))
    covered = {name: verified[name] for name in to_open if name in verified}
    return Evidence(covered, {name: "the receipt does not cover it" for name in to_open if name not in covered})


def _code(examination: Examination | None, refused: Mapping[str, str], wanted: Collection[str], fail_on: FailOn) -> int:
    """What the run ended with, unless its findings are about nobody who was asked for; 2 for another refusal."""
    if examination is None:
        return CRITICAL if refused else OK
    code = examination.report.verdict.exit_code if about(failing(examination, fail_on), wanted) else OK
    return code or (CRITICAL if refused else OK)


def _verified(
    gate: Gate,
    examination: Examination,
    examine: Examine,
    open_now: Sequence[str],
    reference: Sequence[str],
    to_open: Sequence[str],
) -> Evidence:
    """Who may be opened by what a run of the whole cluster found, and why each other one may not."""
    fail_on = gate.settings.fail_on
    found = failing(examination, fail_on)
    everywhere = [finding for finding in found if finding.stage in OF_THE_WHOLE]
    refused = {name: told(against) for name in to_open if (against := about(everywhere, [name]))}
    left = [name for name in to_open if name not in refused]
    suspects = [name for name in left if about(found, [name])]
    if (suspects or refused) and not open_now:
        # Nothing is open that could be held against: one finding about one of them opens none.
        return Evidence(refused={name: told(about(found, to_open)) for name in to_open})
    proofs = {name: examination for name in left if name not in suspects}
    for name in suspects:
        gate.say(f"{name}: held against what is open ({', '.join(open_now)})")
        part = examine(only(gate.inventory, [*open_now, name]), OF_THE_WHOLE)
        against = about(failing(part, fail_on), [name])
        if against:
            refused[name] = told(against)
        else:
            proofs[name] = part
    refused |= without_proof(gate.inventory.writers, proofs, reference)
    return Evidence({name: process_of(proof, name) for name, proof in proofs.items() if name not in refused}, refused)


def without_proof(
    writers: Collection[str], proofs: Mapping[str, Examination], reference: Sequence[str]
) -> dict[str, str]:
    """Why some of those that nothing speaks against are not proven to be one system with what will be open."""
    if not reference:
        # No vote: where two are not proven to be one, neither of them is opened.
        return {name: why for name, run in proofs.items() if (why := unproven(run.report, writers, name, proofs))}
    refused: dict[str, str] = {}
    accepted: list[str] = []
    for name, run in proofs.items():
        # A part of the cluster was tried for a suspect: what is opened beside it is proven by way of what is open.
        beside = [other for other in accepted if proofs[other] is run]
        why = unproven(run.report, writers, name, [*reference, *beside])
        if why:
            refused[name] = why
        else:
            accepted.append(name)
    return refused


def _open(
    gate: Gate, doors: Sequence[Door], evidence: Evidence, secret: str | NotGathered
) -> tuple[tuple[str, ...], dict[str, str]]:
    opened, refused = [], {}
    for door in doors:
        name = door.client.name
        gate.say(f"{name}: verified; waiting for its health checks")
        why = gate.admit(door, gate.is_still(evidence.processes[name], door.client, secret))
        if why:
            refused[name] = why
        else:
            opened.append(name)
            gate.say(f"{name}: open")
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
