"""The running balancer sends users to the clients.

What it examines
    The backend's servers as the running HAProxy has them, where clients.ini names an ``admin-socket`` and this user may
    open it: in rotation is a server that is neither closed nor draining nor down, whose weight is not 0, and that is no
    backup. It is judged by ``zcheck haproxy verify``, ``zcheck haproxy status`` and ``zcheck monitor``; in a preflight
    it is a note, since that is a run before anybody is let in.
Why it matters
    A server that was closed, drained or given weight 0 by hand for a repair is easily forgotten: its client is well,
    every other check passes, and the users are all on the others. With one server in rotation nothing is left when it
    fails.
What it does not prove
    That the clients behind the servers are one system, nor that users reach the balancer.
How to repair it
    ``zcheck haproxy status`` shows every server; ``zcheck haproxy enable`` verifies and opens them.

>>> def runs(*states):
...     each = [(f"app{at}", f"10.0.0.{at}", 8080, state == "open", state) for at, state in enumerate(states, 1)]
...     servers = tuple(RunningServer(*one) for one in each)
...     return RunningBalancers({"front": RunningBalancer("zope", "/run/haproxy.sock", servers)}, is_judged=True)
>>> ini = inventory('''[cluster]
... name = test
... [client:app1]
... address = 10.0.0.1:8080
... [client:app2]
... address = 10.0.0.2:8080
... [client:app3]
... address = 10.0.0.3:8080
... [balancer:front]
... type = haproxy
... ''')
>>> show(servers_are_open, ini, runs("open", "open", "closed"))
note app3: app3 of backend zope is not in rotation: closed
OK
>>> show(servers_are_open, ini, runs("weight 0", "draining", "closed"))
WARNING app1, app2, app3: no server of backend zope is in rotation: app1 weight 0, app2 draining, app3 closed
>>> show(servers_are_open, ini, runs("open", "draining", "closed"))
ADVICE app1, app2, app3: only app1 of backend zope is in rotation: app2 draining, app3 closed
>>> silent = RunningBalancers({"front": NotGathered("/run/haproxy.sock did not answer within 5 s")}, is_judged=True)
>>> show(servers_are_open, ini, silent)
UNKNOWN app1, app2, app3: /run/haproxy.sock did not answer within 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Note, Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, LeftOut, Names, NotGathered, RunningBalancer, RunningBalancers, RunningServer
from zcheck.facts.balancer_servers import Matcher

HINT = "zcheck haproxy status shows every server; zcheck haproxy enable verifies and opens them"


@check("servers-are-open", stage="balancer", needs=[RunningBalancers], uses=[Names], severity=Severity.WARNING)
def servers_are_open(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """One finding a balancer with fewer than two servers in rotation."""
    running = facts.the(RunningBalancers)
    examined = False
    for name, found in running.found.items():
        if isinstance(found, RunningBalancer):
            examined = True
            yield from _judged(facts, name, found, is_judged=running.is_judged)
        elif isinstance(found, NotGathered) and running.is_judged:
            yield Unknown(facts.clients, found.reason, _lines(facts, name), HINT, about=name)
    reasons = [found.reason for found in running.found.values() if isinstance(found, LeftOut | NotGathered)]
    if not examined and reasons:
        yield Skipped(facts.clients, reasons[0])


def _judged(facts: Facts, name: str, found: RunningBalancer, *, is_judged: bool) -> Iterator[Problem | Note]:
    matcher = Matcher(facts.inventory, facts.maybe(Names))
    owners = {server.name: matcher.client_at(server.host, server.port).client for server in found.servers}
    # What is no client's, such as a page that says sorry, is no help to users.
    servers = [one for one in found.servers if owners[one.name] is not None] or list(found.servers)
    opened = [one.name for one in servers if one.in_rotation]
    shut = [one for one in servers if not one.in_rotation]
    clients = tuple(client for client in facts.clients if client in owners.values()) or facts.clients
    told = ", ".join(f"{one.name} {one.state}" for one in shut)
    if len(opened) > 1 or not shut:
        for one in shut:
            message = f"{one.name} of backend {found.backend} is not in rotation: {one.state}"
            yield Note(_owner(owners, one, clients), message, _lines(facts, name))
        return
    message = f"only {opened[0]}" if opened else "no server"
    message += f" of backend {found.backend} is in rotation: {told}"
    if not is_judged:
        yield Note(clients, message, _lines(facts, name))
        return
    severity = Severity.ADVICE if opened else None
    yield Problem(clients, message, _lines(facts, name), HINT, name, severity)


def _owner(owners: dict[str, str | None], server: RunningServer, clients: tuple[str, ...]) -> tuple[str, ...]:
    client = owners[server.name]
    return (client,) if client is not None else clients


def _lines(facts: Facts, name: str) -> tuple[Place, ...]:
    sections = [one.section for one in facts.inventory.balancers if one.name == name]
    return tuple(Place.in_ini(facts.inventory.file, section, "admin-socket") for section in sections)
