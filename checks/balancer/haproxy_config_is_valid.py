"""HAProxy accepts the balancer's configuration.

What it examines
    That the files that clients.ini names can be read and are no templates; and, where the program ``haproxy`` is
    installed, the exit code of ``haproxy -c -dW``, by which warnings count as errors. It is not run with ``--offline``,
    since HAProxy looks names up itself. What it says of a name, a user, or a file that may be known on the balancer's
    machine alone is UNKNOWN: for every client, or where it starts without it (``init-addr none``) for the server's own.
    What it only warns about is a WARNING, as is a ``$NAME`` outside of double quotes, which it takes as it is written.
Why it matters
    A configuration with an error keeps the balancer from starting, most often at night, when its machine is restarted.
What it does not prove
    That the running HAProxy was started with these files, nor that another version accepts them.
How to repair it
    Run ``haproxy -c -dW -f haproxy.cfg`` on the balancer's machine and mend the first line that it names.

>>> accepted = BalancerVerdict(("haproxy.cfg",), run=HaproxyRun("2.6.12", 0, True))
>>> show(haproxy_config_is_valid, BalancerVerdicts({"front": accepted}), app1=[])
OK
>>> alert = HaproxyAlert("unknown keyword 'sever' in 'backend' section", "haproxy.cfg", 7)
>>> refused = BalancerVerdict(("haproxy.cfg",), run=HaproxyRun("2.6.12", 1, False, (alert,)))
>>> show(haproxy_config_is_valid, BalancerVerdicts({"front": refused}), app1=[])
CRITICAL app1: HAProxy 2.6.12 does not start with haproxy.cfg: unknown keyword 'sever' in 'backend' section
>>> alert = HaproxyAlert("could not resolve address 'www2'", "haproxy.cfg", 7, only_here=True)
>>> local = BalancerVerdict(("haproxy.cfg",), run=HaproxyRun("2.6.12", 1, False, (alert,)))
>>> show(haproxy_config_is_valid, BalancerVerdicts({"front": local}), app1=[])
UNKNOWN app1: HAProxy 2.6.12 cannot judge haproxy.cfg on this machine: could not resolve address 'www2'
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import (
    Balancers,
    BalancerVerdict,
    BalancerVerdicts,
    ConfFault,
    Facts,
    HaproxyAlert,
    HaproxyRun,
    LeftOut,
    Names,
)
from zcheck.rules.haproxy import client_of

MOST_PLACES = 20


@check(
    "haproxy-config-is-valid",
    stage="balancer",
    needs=[BalancerVerdicts],
    uses=[Balancers, Names],
    severity=Severity.CRITICAL,
)
def haproxy_config_is_valid(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a balancer: what HAProxy says, or what our own reading says where HAProxy was not asked."""
    for name, verdict in facts.the(BalancerVerdicts).verdicts.items():
        unread = [fault for fault in verdict.faults if fault.kind == "unread"]
        refused = [fault for fault in verdict.faults if fault.kind == "refused"]
        unmeant = [fault for fault in verdict.faults if fault.kind == "unmeant"]
        if unread:
            first = unread[0]
            yield Unknown(facts.clients, f"{first.file}: {first.message}", (Place.of(first),), first.hint, about=name)
            continue
        if unmeant:
            yield _unmeant(facts, name, unmeant)
        if isinstance(verdict.run, HaproxyRun):
            yield from _judged(facts, name, verdict, verdict.run)
        elif refused:
            yield _refused(facts, name, refused)
        elif isinstance(verdict.run, LeftOut):
            yield Skipped(facts.clients, verdict.run.reason)
        else:
            yield Unknown(facts.clients, verdict.run.reason, hint=verdict.run.hint, about=name)


def _judged(facts: Facts, name: str, verdict: BalancerVerdict, run: HaproxyRun) -> Iterator[Problem | Unknown]:
    """What the exit code says; the text tells apart what may be due to this machine, and no more."""
    if run.exit_code == 0:
        return
    files = ", ".join(verdict.files)
    command = f"haproxy -c -dW {' '.join(f'-f {file}' for file in verdict.files)}"
    elsewhere = [alert for alert in run.alerts if not alert.only_here]
    if run.alerts and not elsewhere:
        message = f"HAProxy {run.version} cannot judge {files} on this machine: {_first(run.alerts)}"
        hint = f"run it on the balancer's machine: {command}"
        yield Unknown(_concerned(facts, name, run), message, _places(run.alerts), hint, about=name)
        return
    elsewhere.sort(key=lambda alert: not alert.fatal)
    starts = run.starts or bool(elsewhere and not elsewhere[0].fatal)
    what = "warns about" if starts else "does not start with"
    message = f"HAProxy {run.version} {what} {files}: {_first(elsewhere) or f'exit code {run.exit_code}'}"
    severity = Severity.WARNING if starts else None
    yield Problem(facts.clients, message, _places(elsewhere), f"mend it, then: {command}", name, severity)


def _concerned(facts: Facts, name: str, run: HaproxyRun) -> tuple[str, ...]:
    """The clients of the servers that the alerts are about; every client where one may keep HAProxy from starting."""
    balancers = facts.maybe(Balancers)
    conf = balancers.confs.get(name) if balancers is not None else None
    servers = {(s.line.file, s.line.line): s for one in (conf.balancing if conf else ()) for s in one.servers}
    found = [servers.get((alert.file, alert.line or 0)) for alert in run.alerts]
    clients = {client_of(server, facts)[0] for server in found if server is not None}
    if not run.starts or None in found or None in clients:
        return facts.clients
    return tuple(client for client in facts.clients if client in clients)


def _first(alerts: list[HaproxyAlert] | tuple[HaproxyAlert, ...]) -> str:
    if not alerts:
        return ""
    more = len(alerts) - 1
    return alerts[0].text.rstrip(".") + (f" (and {more} more)" if more else "")


def _places(alerts: list[HaproxyAlert] | tuple[HaproxyAlert, ...]) -> tuple[Place, ...]:
    return tuple(Place(alert.file, alert.line, alert.text) for alert in alerts[:MOST_PLACES] if alert.file)


def _unmeant(facts: Facts, name: str, faults: list[ConfFault]) -> Problem:
    first, more = faults[0], len(faults) - 1
    message = f"{first.message}" + (f" (and {more} more)" if more else "")
    places = tuple(map(Place.of, faults[:MOST_PLACES]))
    return Problem(facts.clients, message, places, first.hint, f"{name}: unmeant", Severity.WARNING)


def _refused(facts: Facts, name: str, faults: list[ConfFault]) -> Problem:
    first, more = faults[0], len(faults) - 1
    message = f"{first.file}: {first.message}" + (f" (and {more} more)" if more else "")
    return Problem(facts.clients, message, tuple(map(Place.of, faults[:MOST_PLACES])), first.hint, about=name)
