"""Each client's address leads to one process.

What it examines
    The Control Panel, asked over several connections to every address of the client's name, and the test page, which
    says which process served it. A name with several addresses, a service address in front of several containers, a
    port that several workers share, and an old process beside a new one are seen by this. A client that is restarted
    meanwhile is one process after another, and no finding. Where every process that was met showed what was saved
    through all clients, the finding is a warning.
Why it matters
    A proof is of a process. Where one address leads to several, each request may reach another one: a process that was
    not met may be on a copy of the database, and a balancer that counts on one client sends users to all of them.
What it does not prove
    That there are no more: a process that gets one connection of many is met by chance. Nor anything of processes
    behind an address that sends every connection from this machine to the same one.
How to repair it
    Give each process an address of its own, and each address a section in clients.ini; a name that means several
    machines is replaced by their addresses. Stop a process that was left over, and correct a stale entry in the DNS.

>>> def met(*ids): return AnsweringProcesses(tuple(map(Process, ids)), ("10.0.0.2",))
>>> show(address_leads_to_one_process, app1=met(412), app2=met(977))
OK
>>> show(address_leads_to_one_process, app1=met(412), app2=met(977, 978))
CRITICAL app2: app2's address 10.0.0.2:8080 leads to 2 processes (977, 978), and not each of them was proven to be
part of one system with the others
>>> show(address_leads_to_one_process, app1=met(412), app2=NotGathered("not done before the deadline"))
UNKNOWN app2: not done before the deadline
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zcheck.check import Note, Problem, Severity, check
from zcheck.facts import AnsweringProcesses, Facts, Process
from zcheck.facts.history import HttpHistories
from zcheck.rules import processes
from zcheck.rules.client_ports import address_of


@check(
    "address-leads-to-one-process",
    stage="identity",
    needs=[AnsweringProcesses],
    uses=[HttpHistories],
    severity=Severity.CRITICAL,
    after=["client-port-answers", "client-serves-http"],
)
def address_leads_to_one_process(facts: Facts) -> Iterator[Problem | Note]:
    """Who answered, over all connections of the run."""
    for client, asked in facts.each(AnsweringProcesses).items():
        known = processes.behind(facts, client)
        place = (address_of(facts.inventory, client),)
        if len(known) > 1:
            one_system = processes.are_one_system(facts, client)
            severity = Severity.WARNING if one_system else None
            message = _words(facts, client, known, one_system)
            yield Problem((client,), message, place, HINT, severity=severity)
        for address, why in asked.silent.items():
            if len(asked.addresses) > 1:
                yield Note((client,), f"nothing is known of {address}, an address of {client}'s name: {why}", place)


HINT = "give each of these processes an address of its own, and each address a [client:] section in clients.ini"


def _words(facts: Facts, client: str, known: Sequence[Process], one_system: bool) -> str:
    ids = ", ".join(str(process.process_id) for process in known)
    at = sorted({process.address for process in known if process.address})
    where = f" at {len(at)} addresses ({', '.join(at)})" if len(at) > 1 else ""
    address = facts.inventory.client(client).dialled
    leads = f"{client}'s address {address} leads to {len(known)} processes ({ids}){where}"
    if one_system:
        return f"{leads}; each of them showed what was saved through every client"
    return f"{leads}, and not each of them was proven to be part of one system with the others"
