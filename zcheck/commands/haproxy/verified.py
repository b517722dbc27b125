"""Who may be opened to users: clients that nothing speaks against, all of whose pairs with the others were seen.

That no finding names a client is no proof: perhaps no request was ever made to it.  So :func:`unproven` asks the matrix
of every database.  And what was verified is a process: :func:`process_of` and :func:`why_another` tell whether the one
that answers now is the one that was looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from zcheck.check import Severity
from zcheck.commands import receipt
from zcheck.commands.preflight import Examination
from zcheck.commands.receipt import VerifiedClient
from zcheck.facts import Client, Inventory, NotGathered
from zcheck.probes import http
from zcheck.report.structs import Finding, Report
from zcheck.report.verdict import FailOn

# What is judged once for the whole cluster; a part of it would look wrong by being a part.
OF_THE_WHOLE = ("balancer", "inventory")


def failing(examination: Examination, fail_on: FailOn) -> list[Finding]:
    """The findings for which a run does not end with 0."""
    least = {"advice": Severity.ADVICE, "warning": Severity.WARNING, "critical": Severity.UNKNOWN}[fail_on]
    found = examination.report.findings
    return [one for one in found if one.suppressed_by is None and Severity[one.severity] >= least]


def about(findings: Sequence[Finding], clients: Collection[str]) -> list[Finding]:
    """Those that name one of these clients, or none at all."""
    return [finding for finding in findings if not finding.clients or set(finding.clients) & set(clients)]


def told(findings: Sequence[Finding]) -> str:
    first = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{first.severity.lower()}: {first.check}: {first.message}{more}"


# --- pairs ---------------------------------------------------------------------------------------


def unproven(report: Report, writers: Collection[str], client: str, others: Iterable[str]) -> str:
    """Why the run is no proof that a client and these others are one system; nothing where it is.

    Every pair must have been seen through the running clients, in both directions and in every database that was
    tried; a pair that was not seen at any level is against it as well.  With nobody to be proven against, the client
    must have been proven with anybody.
    """
    others = [other for other in others if other != client]
    if not others:
        met = any(
            pair.seen and client in (pair.writer, pair.reader)
            for level in report.consistency.levels
            if level.level == "http"
            for pair in level.pairs
        )
        return "" if met else "nothing was proven of it: no edit was seen between it and another running client"
    wanted = {(one, other) for name in others for one, other in ((client, name), (name, client)) if one in writers}
    tried = False
    for level in report.consistency.levels:
        seen = {(pair.writer, pair.reader): pair.seen for pair in level.pairs}
        through_clients = level.level == "http"
        tried = tried or through_clients
        for writer, reader in sorted(wanted):
            shown = seen.get((writer, reader))
            if shown is False or (through_clients and shown is None):
                how = "was not seen" if shown is False else "was not proven to be seen"
                return f"what is saved through {writer} {how} on {reader} (database {level.database})"
    return "" if tried and wanted else "no pair of it was tried through the running clients"


def mutually_proven(report: Report, inventory: Inventory, clients: Sequence[str]) -> dict[str, str]:
    """Why each of these is not proven with all the others, by client; empty where they are one system."""
    found = {name: unproven(report, inventory.writers, name, clients) for name in clients}
    return {name: why for name, why in found.items() if why}


# --- processes -----------------------------------------------------------------------------------


def process_of(examination: Examination, client: str) -> VerifiedClient:
    """The process of a client that a run has looked at."""
    return receipt.client_of(examination.facts, client)


def why_another(
    verified: VerifiedClient, client: Client, inventory: Inventory, secret: str | NotGathered, timeout_s: float
) -> str:
    """Why what answers at the client's address now is not known to be the process that was verified, or nothing."""
    credentials = inventory.credentials
    if credentials is None or isinstance(secret, NotGathered):
        return f"{client.name}: which process answers cannot be learnt; give user and password-file in clients.ini"
    panel = http.probe_control_panel(client, credentials.user, secret, timeout_s, inventory.hosts)
    problem, doubt = receipt.compare_process(client.name, verified, panel)
    return f"{problem} since it was verified" if problem else doubt
