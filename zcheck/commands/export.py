"""The verified clients for balancers that are not HAProxy: as JSON, or one HOST:PORT a line."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

from zcheck.commands.haproxy.verified import mutually_proven
from zcheck.facts import Facts, Inventory, WsgiConf
from zcheck.facts.balancer_servers import server_name
from zcheck.report.structs import Finding, Report

SCHEMA = "zcheck-export/1"


class ExportedClient(msgspec.Struct, frozen=True):
    """One client that was verified."""

    name: str
    host: str
    port: int
    address: str
    server: str
    """Its name in the balancer."""
    tls: bool
    threads: int | None = None
    """None where no file tells."""


class Export(msgspec.Struct, frozen=True, kw_only=True):
    schema: str = SCHEMA
    cluster: str
    clients: tuple[ExportedClient, ...]
    left_out: dict[str, str]
    """By client: why it is not among them."""


def export(
    inventory: Inventory,
    findings: Collection[Finding],
    threads: dict[str, int],
    verified: Collection[str] | None = None,
    report: Report | None = None,
) -> Export:
    """The clients with the role ``balanced`` that no failing finding names, proven by ``report`` to be one system.

    ``verified``: those that a receipt covers, where it stands in for a run.
    """
    named = {name for finding in findings for name in finding.clients or inventory.client_names}
    candidates = [one.name for one in inventory.clients if one.role == "balanced" and one.name not in named]
    lacking = mutually_proven(report, inventory, candidates) if report is not None else {}
    clients, left_out = [], {}
    for client in inventory.clients:
        about = [finding for finding in findings if not finding.clients or client.name in finding.clients]
        if client.role != "balanced":
            left_out[client.name] = f"its role is {client.role}"
        elif verified is not None and client.name not in verified:
            left_out[client.name] = "the receipt does not cover it"
        elif about:
            left_out[client.name] = f"{about[0].check}: {about[0].message}"
        elif client.name in lacking:
            left_out[client.name] = lacking[client.name]
        else:
            address = client.address
            server = server_name(client)
            known = threads.get(client.name)
            clients.append(
                ExportedClient(client.name, address.host, address.port, str(address), server, client.tls, known)
            )
    return Export(cluster=inventory.name, clients=tuple(clients), left_out=left_out)


def text(found: Export, form: Literal["json", "hosts"]) -> str:
    """As a program reads it."""
    if form == "hosts":
        return "".join(f"{client.address}\n" for client in found.clients)
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode("utf-8") + "\n"


def threads_of(facts: Facts) -> dict[str, int]:
    """By client: the threads that its files tell."""
    found = ((name, facts.raw(WsgiConf, name)) for name in facts.inventory.client_names)
    return {name: conf.threads for name, conf in found if isinstance(conf, WsgiConf) and conf.threads is not None}
