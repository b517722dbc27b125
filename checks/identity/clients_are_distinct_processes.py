"""No two clients are one process.

What it examines
    The process id, the instance home and the time since the start on each client's Control Panel. Where two clients
    look alike in all of them, as containers do, the moment is compared at which each process first counted its
    references: that is in the memory of the process alone. Where an address leads to several processes, all that
    answered there are compared: see address-leads-to-one-process.
Why it matters
    Two addresses that lead to one process, by a port forward or a balancer in between, are one client: what was to be
    the second one is idle or missing, and nothing that was proven between the two is a proof.
What it does not prove
    That two processes are two machines: see clients-on-several-machines.
How to repair it
    Correct ``address`` and ``connect`` of these clients in clients.ini, and what forwards their ports.

>>> def panel(pid, since="1 min 5 sec", first=None, at=1700000000.0):
...     return ControlPanel((), process_id=pid, running_for=since, read_at=at, references_at=first)
>>> show(clients_are_distinct_processes, app1=panel(412), app2=panel(977))
OK
>>> first, second = "2026/01/01 - 12:00:00", "2026/01/01 - 12:00:01"
>>> show(clients_are_distinct_processes, app1=panel(1, first=first), app2=panel(1, first=second))
OK
>>> show(clients_are_distinct_processes, app1=panel(7, first=first), app2=panel(7, first=first))
CRITICAL app1, app2: app1 and app2 are one process: both say that they are process 7, and first counted at
2026/01/01 - 12:00:00
>>> show(clients_are_distinct_processes, app1=panel(7), app2=panel(7))
UNKNOWN app1, app2: whether app1 and app2 are two processes cannot be told: both say that they are process 7
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import AnsweringProcesses, ControlPanel, Facts
from zcheck.facts.history import HttpHistories
from zcheck.rules import processes


@check(
    "clients-are-distinct-processes",
    stage="identity",
    needs=[ControlPanel],
    uses=[AnsweringProcesses, HttpHistories],
    severity=Severity.CRITICAL,
    after=["client-port-answers", "client-serves-http", "client-is-connected-to-zeo"],
)
def clients_are_distinct_processes(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """Alike is not the same: only what is in one process' memory proves that there is one."""
    panels = {client: p for client, p in facts.each(ControlPanel).items() if p.process_id is not None}
    yield Skipped(tuple(facts.each(ControlPanel).keys() - panels.keys()), "its Control Panel shows no process id")
    several = {client for client in facts.clients if len(processes.behind(facts, client)) > 1}
    yield from _that_share(facts, several)
    left = [client for client in panels if client not in several]
    while left:
        first = left.pop(0)
        others = [client for client in left if panels[first].may_be(panels[client])]
        one = [o for o in others if panels[o].references_at and panels[o].references_at == panels[first].references_at]
        unclear = [o for o in others if not (panels[o].references_at and panels[first].references_at)]
        left = [client for client in left if client not in one]
        if one:
            yield Problem((first, *one), _words(first, one, panels), _places(facts, [first, *one]), HINT)
        if unclear:
            message = f"whether {_and(first, unclear)} are two processes cannot be told: {_same(first, panels)}"
            yield Unknown((first, *unclear), message)


def _that_share(facts: Facts, several: set[str]) -> Iterator[Problem | Unknown]:
    """Addresses that lead to several processes each, and to the same ones: what was met there is by chance."""
    for number, first in enumerate(facts.clients):
        for other in facts.clients[number + 1 :]:
            if not {first, other} & several:
                continue
            if processes.exactly(facts, first) & processes.exactly(facts, other):
                message = f"{first} and {other} are not two clients: their addresses lead to the same processes"
                yield Problem((first, other), message, _places(facts, [first, other]), HINT)
            elif _may_share(facts, first, other):
                message = f"whether {first} and {other} lead to the same processes cannot be told: some look alike"
                yield Unknown((first, other), message)


def _may_share(facts: Facts, first: str, other: str) -> bool:
    behind_other = processes.behind(facts, other)
    return any(one.may_be(its) for one in processes.behind(facts, first) for its in behind_other)


HINT = "give each client its own address in clients.ini; see what forwards these ports"


def _words(first: str, others: list[str], panels: dict[str, ControlPanel]) -> str:
    counted = panels[first].references_at
    return f"{_and(first, others)} are one process: {_same(first, panels)}, and first counted at {counted}"


def _same(first: str, panels: dict[str, ControlPanel]) -> str:
    return f"both say that they are process {panels[first].process_id}"


def _and(first: str, others: list[str]) -> str:
    return f"{', '.join([first, *others[:-1]])} and {others[-1]}"


def _places(facts: Facts, clients: list[str]) -> tuple[Place, ...]:
    inventory = facts.inventory
    known = [inventory.client(client) for client in clients]
    return tuple(
        Place.in_ini(inventory.file, one.section, "connect" if one.connect else "address", one.name) for one in known
    )
