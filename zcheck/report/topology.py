"""Who is connected to what: the cluster as facts show it, for those who draw it.  Pure.

What a running client's Control Panel shows goes before what its zope.conf says: a client that was not restarted since
its file was corrected is drawn where it is, not where it should be.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from zcheck.facts import (
    Balancers,
    Client,
    ControlPanel,
    Database,
    DatabasePage,
    Facts,
    HostPort,
    HttpAnswer,
    Names,
    PortAnswer,
    ZeoAnswer,
    ZeoAnswers,
    ZopeConf,
    addresses,
)
from zcheck.facts.addresses import Endpoint
from zcheck.facts.balancer_servers import Matcher
from zcheck.report.structs import BalancerNode, ClientNode, Connection, NodeState, StorageNode, Topology

_LONGEST_LABEL = 10_000


def of(facts: Facts, met: Mapping[str, bool]) -> Topology:
    """The drawing's nodes and lines.

    ``met``: whether what was saved through each running client met another one, for those of which it was tried.
    """
    storages = _Storages(facts)
    connections = [
        connection
        for client in facts.inventory.clients
        for connection in _connections(facts, client, storages, met.get(client.name))
    ]
    return Topology(
        clients=tuple(_client(facts, client) for client in facts.inventory.clients),
        storages=storages.nodes(),
        connections=tuple(connections),
        balancers=_balancers(facts),
    )


class _Storages:
    """The distinct servers; two spellings are one node where they are known to be one server."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        names = facts.raw(Names)
        self.names = names if isinstance(names, Names) else None
        self._known: dict[tuple[str, str], str] = {}
        self._met: dict[tuple[str, ...], str] = {}
        self._nodes: dict[str, StorageNode] = {}
        self._states = _states(facts)

    def zeo(self, end: Endpoint, written: str) -> str:
        """The node of a server."""
        key = (end.text, end.machine if end.is_local else "")
        if key not in self._known:
            points = addresses.meeting_points(end, self.facts.inventory, self.names)
            met = [self._met[point] for point in points if point in self._met]
            if not met:
                met = [self._new("zeo", str(end))]
                self._met.update(dict.fromkeys(points, met[0]))
            self._known[key] = min(met, key=list(self._nodes).index) if len(met) > 1 else met[0]
        node = self._known[key]
        state = self._states.get((end.machine, written))
        if state is not None and self._nodes[node].state != "good":
            self._nodes[node] = StorageNode(node, "zeo", self._nodes[node].label, state)
        return node

    def other(self, client: Client, database: Database) -> str:
        """The node of a database that is not on ZEO: a relational database, or a place of the client's own."""
        leaf = database.leaf
        if leaf is not None and leaf.type == "relstorage" and leaf.sections:
            adapter = leaf.sections[0]
            parts = [setting for setting in adapter.settings if setting.key in ("host", "db", "port")]
            told = adapter.value("dsn", "") or " ".join(f"{part.key}={part.value}" for part in parts)
            label = f"{adapter.type} {told}".strip()
            return self._one(("", label), "relational", label)
        told = leaf.value("path", "") if leaf is not None else ""
        label = f"{leaf.type if leaf is not None else 'storage'} {told}".strip()
        return self._one((client.name, label), "private", f"{label} of {client.name}")

    def shown(self, client: Client, label: str) -> str:
        """The node of a place that only a running client's own label tells."""
        return self._one((client.name, label), "private", f"{label} of {client.name}")

    def nodes(self) -> tuple[StorageNode, ...]:
        return tuple(self._nodes.values())

    def _one(self, key: tuple[str, str], kind: str, label: str) -> str:
        if key not in self._known:
            self._known[key] = self._new(kind, label)
        return self._known[key]

    def _new(self, kind: str, label: str) -> str:
        node = f"s{len(self._nodes) + 1}"
        self._nodes[node] = StorageNode(node, kind, label)  # type: ignore[arg-type]
        return node


def _states(facts: Facts) -> dict[tuple[str, str], NodeState]:
    """Whether each server answered, by the machine and the text that named it."""
    found: dict[tuple[str, str], NodeState] = {}
    for client in facts.inventory.clients:
        fact = facts.raw(ZeoAnswers, client.name)
        for answer in fact.answers if isinstance(fact, ZeoAnswers) else ():
            found[client.machine, answer.server] = _answered(answer)
    return found


def _answered(answer: ZeoAnswer) -> NodeState:
    if answer.outcome == "answers":
        return "good"
    # A server that only the clients can reach is no broken server.
    out_of_reach = answer.outcome in ("refused", "unreachable", "unknown-name", "timeout") and not answer.here
    return "unknown" if out_of_reach or answer.outcome in ("too-old", "tls") else "bad"


def _client(facts: Facts, client: Client) -> ClientNode:
    port, page = facts.raw(PortAnswer, client.name), facts.raw(HttpAnswer, client.name)
    state: NodeState = "unknown"
    if isinstance(page, HttpAnswer):
        state = "good" if page.outcome == "http" and (page.status or 0) < 500 else "bad"
    elif isinstance(port, PortAnswer) and port.outcome != "open":
        state = "bad"
    return ClientNode(client.name, str(client.address), client.machine, client.role, state)


def _connections(facts: Facts, client: Client, storages: _Storages, met: bool | None) -> list[Connection]:
    conf, panel = facts.raw(ZopeConf, client.name), facts.raw(ControlPanel, client.name)
    pages = {page.name: page for page in panel.databases} if isinstance(panel, ControlPanel) else {}
    databases = {database.name: database for database in conf.databases} if isinstance(conf, ZopeConf) else {}
    return [
        _connection(client, name, databases.get(name), pages.get(name), storages, met)
        for name in dict.fromkeys((*databases, *pages))
        if name != "temporary"
    ]


def _connection(
    client: Client,
    name: str,
    database: Database | None,
    page: DatabasePage | None,
    storages: _Storages,
    met: bool | None,
) -> Connection:
    configured = [] if database is None else list(database.servers)
    ends = [end for setting in configured for end in addresses.endpoints([setting.value], client)]
    targets = [storages.zeo(end, end.text) for end in ends]
    if database is not None and not database.is_zeo:
        targets = [storages.other(client, database)]
    running = _running(page, client)
    tells = bool(running) or not targets or page is None or page.connected is None
    is_root = database.mounts_root if database is not None else name == "main"
    state, detail = _state_of(page, tells=tells, met=met if is_root else None)
    if running:
        shown = [storages.zeo(end, end.text) for end in running]
        if targets and set(shown) != set(targets):
            state, detail = "bad", "not as its file says"
        targets = shown
    elif page is not None and not targets:
        targets = [storages.shown(client, page.location)]
    return Connection(
        client=client.name,
        database=name,
        storage=database.storage_name if database is not None and database.is_zeo else "",
        mounts=tuple(setting.value for setting in database.mount_points) if database is not None else (),
        targets=tuple(dict.fromkeys(targets)),
        state=state,
        detail=detail,
    )


def _state_of(page: DatabasePage | None, *, tells: bool, met: bool | None) -> tuple[NodeState, str]:
    """``tells``: whether the page shows where the process is connected to, rather than a name for it."""
    if page is not None and page.connected is False:
        return "bad", "disconnected"
    if met is False:
        return "bad", "its edits and those of the others do not meet"
    if page is None:
        return "unknown", ""
    return ("good", "") if tells or met else ("unknown", "connected, but to which server is not shown")


def _running(page: DatabasePage | None, client: Client) -> list[Endpoint]:
    """The servers in a label such as ``[('127.0.0.1', 8100)]``: see ``zope.conf``'s ``name`` in ZEO's schema."""
    label = page.location if page is not None else ""
    try:
        listed = ast.literal_eval(label) if label.startswith("[") and len(label) < _LONGEST_LABEL else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    texts = [
        str(HostPort(str(one[0]), one[1]))
        if isinstance(one, tuple) and len(one) >= 2 and isinstance(one[1], int)
        else str(one)
        for one in (listed if isinstance(listed, list) else [])
    ]
    return list(addresses.endpoints(texts, client))


def _balancers(facts: Facts) -> tuple[BalancerNode, ...]:
    read, names = facts.raw(Balancers), facts.raw(Names)
    matcher = Matcher(facts.inventory, names if isinstance(names, Names) else None)
    nodes = []
    for section in facts.inventory.balancers:
        conf = read.confs.get(section.name) if isinstance(read, Balancers) else None
        servers = [server for proxy in (conf.balancing if conf else ()) for server in proxy.servers]
        met = {matcher.client_at(server.host, server.port).client for server in servers}
        nodes.append(BalancerNode(section.name, tuple(name for name in facts.inventory.client_names if name in met)))
    return tuple(nodes)
