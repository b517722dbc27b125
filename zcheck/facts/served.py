"""Which client uses which of the ZEO servers whose own file is at hand, and whether it can dial what that binds."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from zcheck.facts import (
    Client,
    Database,
    Facts,
    HostPort,
    Inventory,
    Names,
    NotGathered,
    ServedStorage,
    Setting,
    ZeoConf,
    ZeoConfs,
    ZeoSection,
    ZopeConf,
)
from zcheck.facts.addresses import Endpoint, InvalidAddress, is_loopback, parse_server, same_machine, same_server
from zcheck.facts.blobs import path_of


class Use(msgspec.Struct, frozen=True):
    """One ``server`` line of one client's database."""

    client: Client
    database: Database
    line: Setting
    endpoint: Endpoint


class Server(msgspec.Struct, frozen=True):
    """One ZEO server whose own file clients.ini names, and those who use it."""

    section: ZeoSection
    conf: ZeoConf | NotGathered
    machine: str
    """Where it runs: ``machine``, else the host of its address."""
    uses: tuple[Use, ...] = ()
    perhaps: tuple[Use, ...] = ()
    """Those of which it cannot be told whether they mean this server."""


class Cluster:
    """What names and machines mean, for the questions below."""

    def __init__(self, facts: Facts) -> None:
        self.inventory: Inventory = facts.inventory
        self.names = facts.maybe(Names)
        self._together: dict[tuple[str, str], bool | None] = {}

    def on_one_machine(self, one: str, other: str) -> bool | None:
        """Whether two names of machines mean one; None where that cannot be told."""
        if (one, other) not in self._together:
            self._together[one, other] = same_machine(one, other, self.inventory, self.names)
        return self._together[one, other]

    def resolved(self, host: str) -> tuple[str, ...]:
        """The addresses of a host as the clients see them; empty where they are not known.

        A loopback address that only our own look-up gave says nothing about another machine.
        """
        if _literal(host) is not None:
            return (host,)
        listed = self.inventory.hosts.get(host)
        if listed:
            return listed
        found = self.names.addresses.get(host, ()) if self.names is not None else ()
        return () if any(map(is_loopback, found)) else found


def servers_of(facts: Facts, cluster: Cluster) -> tuple[Server, ...]:
    """Every server whose own file is named in clients.ini, with its uses."""
    confs = facts.the(ZeoConfs).confs
    uses = tuple(_uses(facts))
    return tuple(
        _server(section, confs[section.name], uses, cluster)
        for section in facts.inventory.zeo_servers
        if section.name in confs
    )


def _uses(facts: Facts) -> Iterator[Use]:
    confs = facts.each(ZopeConf)
    for client in facts.inventory.clients:
        for database in confs[client.name].databases if client.name in confs else ():
            for line in database.servers:
                try:
                    yield Use(client, database, line, parse_server(line.value, client.machine))
                except InvalidAddress:
                    continue  # zeo-addresses-are-valid tells it


def _server(section: ZeoSection, conf: ZeoConf | NotGathered, uses: Iterable[Use], cluster: Cluster) -> Server:
    meant: dict[tuple[object, ...], bool | None] = {}
    sure, perhaps = [], []
    stated = parse_server(section.address, section.machine or "")
    # Where the section does not say whose localhost it means, it is the clients' own, if they have one machine alone.
    relative = stated.is_local and section.machine is None
    several = relative and _several_machines(cluster)
    machine = "" if relative else stated.where
    for use in uses:
        end = use.endpoint
        place = use.client.machine if relative else stated.machine
        machine = machine or place
        key = (end.host, end.port, end.path, end.machine if end.is_local else "", place)
        if key not in meant:
            here = Endpoint(stated.text, place, stated.host, stated.port, stated.path)
            same = same_server(here, end, cluster.inventory, cluster.names)
            meant[key] = None if same and several else same
        if meant[key]:
            sure.append(use)
        elif meant[key] is None:
            perhaps.append(use)
    return Server(section, conf, section.machine or machine, tuple(sure), tuple(perhaps))


def _several_machines(cluster: Cluster) -> bool:
    machines = dict.fromkeys(client.machine for client in cluster.inventory.clients)
    first = next(iter(machines), "")
    return any(not cluster.on_one_machine(first, other) for other in machines)


def clients_of(uses: Iterable[Use]) -> tuple[str, ...]:
    """The names of the clients, each once."""
    return tuple(dict.fromkeys(use.client.name for use in uses))


def file_of(storage: ServedStorage) -> Setting | None:
    """The line that says in which file a storage keeps its data; None where it is in none."""
    return storage.leaf.first("path")


def bound(text: str) -> HostPort | str | None:
    """ZConfig's ``socket-binding-address``: host and port, the path of a unix socket, or None where there is no port.

    Host ``*`` stands for every interface.
    """
    if "/" in text or "\\" in text:
        return text
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5) or (":" in host and not host.startswith("[")):
        return None
    host = host.removeprefix("[").removesuffix("]").lower()
    return HostPort("*" if host in ("", "0.0.0.0", "::") else host, int(port))


Dialable = Literal["yes", "no", "unknown"]


def dialable(end: Endpoint, address: HostPort | str, use: Use, machine: str, cluster: Cluster) -> Dialable:
    """Whether a client that dials ``end`` reaches a server on ``machine`` that binds ``address``."""
    if end.path is not None or isinstance(address, str):
        return _sockets(end, address, machine, cluster)
    if end.port != address.port:
        return "no"
    if address.host == "*" or address.host == end.host:
        return "yes"
    if is_loopback(address.host):
        return _loopback(end, use, machine, cluster)
    return _interface(end, address.host, cluster)


def _sockets(end: Endpoint, address: HostPort | str, machine: str, cluster: Cluster) -> Dialable:
    if end.path is None or not isinstance(address, str):
        return "no"
    path = path_of(Setting("", address, "", 0))
    path = path[4:] if path.startswith("/var/run/") else path
    if not (end.path.startswith("/") and path.startswith("/")):
        # Who shares a machine by 'machine' of clients.ini shares its folders as well.
        together = {end.machine, machine} <= cluster.inventory.stated_machines
        return "yes" if path == end.path and together else "unknown"
    return "yes" if path == end.path else "no"


def _loopback(end: Endpoint, use: Use, machine: str, cluster: Cluster) -> Dialable:
    """The server can be dialled from its own machine alone, by a loopback address."""
    if end.is_local:
        return "yes"
    addresses = cluster.resolved(end.host)
    if addresses:
        return "yes" if any(map(is_loopback, addresses)) else "no"
    return "no" if cluster.on_one_machine(use.client.machine, machine) is False else "unknown"


def _interface(end: Endpoint, host: str, cluster: Cluster) -> Dialable:
    """The server can be dialled by the addresses of one interface alone."""
    ones = set(cluster.resolved(host))
    others = {"127.0.0.1"} if end.is_local else set(cluster.resolved(end.host))
    if not (ones and others):
        return "unknown"
    if ones & others:
        return "yes"
    # Between a private and a public address there may be a translation that no file tells.
    return "no" if end.is_local or _is_private(ones) == _is_private(others) else "unknown"


def _is_private(addresses: set[str]) -> bool:
    return all((found := _literal(address)) is not None and found.is_private for address in addresses)


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
