"""When are two spellings of a server one server?  Pure, and three-valued: yes, no, cannot be told.

``localhost``, a loopback address, a bare port and a unix path mean the *client's* machine: the same text on two
machines is two servers, and different texts can be one.  How a value is read is ZConfig's own datatype
``socket-connection-address``, which is what ZEO's schema uses; what that datatype lets through and no server can be
dialled by (no port, two servers on one line) is refused here.
"""

from __future__ import annotations

import ast
import ipaddress
import posixpath
import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from zcheck.facts import Client, DatabaseSection, HostPort, Inventory, Names, ZeoSection

HERE = "127.0.0.1"
"""Stands for the machine where zcheck itself runs."""

_LOCAL_NAMES = frozenset(
    {"", "localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"}
    # What a container calls the machine that it runs on: another one for each client.
    | {"host.docker.internal", "gateway.docker.internal", "docker.for.mac.localhost", "docker.for.win.localhost"}
    | {"host.containers.internal", "host.lima.internal", "host.minikube.internal", "host.rancher-desktop.internal"}
)


OF_THE_CONTAINERS_HOST = frozenset(
    {
        "host.docker.internal",
        "gateway.docker.internal",
        "host.containers.internal",
        "docker.for.mac.host.internal",
        "host.lima.internal",
        "host.minikube.internal",
        "host.rancher-desktop.internal",
    }
)
"""Names by which a container calls the machine that it runs on: each machine means itself."""


# Letters of any script (internationalised names), and what IPv6 addresses and their zones need.
_HOST = re.compile(r"[\w.:%-]*")
_LOOKS_LIKE_TCP = re.compile(r"[\w.-]*:?\d*/")


class InvalidAddress(ValueError):
    """The text is no address that a ZEO client could dial; the message says why, in a person's words."""


class Endpoint(msgspec.Struct, frozen=True):
    """One server as one client's file names it: a TCP port or a unix socket, relative to a machine."""

    text: str
    machine: str
    """The machine whose loopback and paths are meant."""
    host: str = ""
    port: int = 0
    path: str | None = None

    @property
    def is_local(self) -> bool:
        """Names the machine of the file itself, not some other by name."""
        return self.path is not None or is_loopback(self.host)

    @property
    def where(self) -> str:
        """The name or address of the machine that serves it."""
        return self.machine if self.is_local else self.host

    @property
    def as_alias(self) -> str:
        """How clients.ini says of an endpoint on a machine of its own that it means a server: HOST:PORT@MACHINE."""
        kept = is_alias(self.host) or self.host in OF_THE_CONTAINERS_HOST
        return f"{self.path or HostPort(self.host if kept else HERE, self.port)}@{self.machine}"

    def __str__(self) -> str:
        """As a person would say it: with the machine, where the text alone does not tell it."""
        return f"{self.text} on {self.machine}" if self.is_local and not is_loopback(self.machine) else self.text


def parse_server(text: str, machine: str) -> Endpoint:
    """Read a ``server`` value of a zope.conf on ``machine``.

    Raises :exc:`InvalidAddress` for what ZEO's schema refuses and for what it accepts and nothing can dial.
    """
    host, port, path = _parsed(text)
    return Endpoint(text, machine, host, port, path)


# Of a thousand clients most write the same.
@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[str, int, str | None]:
    """The host, the port and the path of a unix socket."""
    from ZConfig.datatypes import SocketConnectionAddress

    shown = text if text.isprintable() else ascii(text)[1:-1]
    if len(text.split()) > 1 and "/" not in text:
        raise InvalidAddress(f"'{shown}' is not one address; write one 'server' line for each")
    if "://" in text:
        raise InvalidAddress(f"'{shown}' is a URL; write HOST:PORT")
    if _LOOKS_LIKE_TCP.fullmatch(text) and text != "/":
        raise InvalidAddress(f"'{shown}' is taken for a unix socket because of its '/'; write HOST:PORT")
    try:
        address = SocketConnectionAddress(text).address
    except ValueError as error:
        raise InvalidAddress(f"'{shown}' is no address: {ascii(str(error))[1:-1]}") from None
    if isinstance(address, str):
        if "\0" in address:
            raise InvalidAddress(f"'{shown}' is no path: it holds a NUL byte")
        return "", 0, _canonical_path(address)
    host, port = address
    if port is None:
        raise InvalidAddress(f"'{shown}' has no port")
    if port == 0:
        raise InvalidAddress(f"'{shown}' has port 0, which cannot be dialled")
    host = host.strip()
    if _HOST.fullmatch(host) is None or (re.fullmatch(r"\d+(\.\d+){3}", host) and _ip(host) is None):
        raise InvalidAddress(f"'{shown}': there can be no host called that")
    return _canonical_host(host), port, None


@lru_cache(maxsize=65536)
def is_loopback(host: str) -> bool:
    """Whether ``host`` means the machine that reads it: a local name, a loopback or the any-address."""
    host = host.rstrip(".").lower()
    if host in _LOCAL_NAMES or host in OF_THE_CONTAINERS_HOST or host.endswith(".localhost"):
        return True
    address = _ip(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def same_server(one: Endpoint, other: Endpoint, inventory: Inventory, names: Names | None = None) -> bool | None:
    """Whether both spellings reach one server; None where a name that nothing resolves stands in the way.

    What clients.ini declares to be an alias of a server is that server.
    """
    return _same(known_as(one, inventory, names), known_as(other, inventory, names), inventory, names)


def known_as(endpoint: Endpoint, inventory: Inventory, names: Names | None = None) -> Endpoint:
    """The server's own address, where clients.ini declares this one to be an alias of it; else the same."""
    for alias, machine, server in _declared(inventory):
        if machine is None and alias.is_local:
            alias = msgspec.structs.replace(alias, machine=endpoint.machine)
        meant = machine is None or same_machine(machine, endpoint.machine, inventory, names) is True
        if meant and _same(alias, endpoint, inventory, names) is True:
            return server
    return endpoint


def is_declared(endpoint: Endpoint, inventory: Inventory, names: Names | None = None) -> bool:
    """Whether something declared stands between the client and its server: a tunnel, a pooler, a published port."""
    return known_as(endpoint, inventory, names) is not endpoint


def _declared(inventory: Inventory) -> tuple[tuple[Endpoint, str | None, Endpoint], ...]:
    """Every declared alias, the machine that alone means it so, and the server's own address."""
    found: tuple[tuple[Endpoint, str | None, Endpoint], ...] | None = inventory.__dict__.get("_declared")
    if found is None:
        listed = []
        sections: list[ZeoSection | DatabaseSection] = [*inventory.zeo_servers, *inventory.databases]
        for section in sections:
            server = of_section(section) if section.aliases else None
            for alias in section.aliases if server is not None else ():
                if server is not None:
                    listed.append((parse_server(alias.server, alias.machine or ""), alias.machine, server))
        found = inventory.__dict__["_declared"] = tuple(listed)
    return found


def of_section(section: ZeoSection | DatabaseSection) -> Endpoint | None:
    """The address of a server that clients.ini describes; None where the section names none.

    ``localhost`` of a section without ``machine`` is a machine of its own: nobody said whose.
    """
    if isinstance(section, ZeoSection):
        return parse_server(section.address, section.machine or f"[{section.section.name}]")
    if section.sql is not None and section.sql.host:
        text = str(HostPort(section.sql.host, section.sql.port))
        return Endpoint(text, f"[{section.section.name}]", _canonical_host(section.sql.host), section.sql.port)
    return parse_server(section.zeo[0], f"[{section.section.name}]") if section.zeo else None


def _same(one: Endpoint, other: Endpoint, inventory: Inventory, names: Names | None) -> bool | None:
    ones, others = _places(one, inventory, names), _places(other, inventory, names)
    machine = _compared(ones, others)
    if one.path is not None and other.path is not None:
        relative = not (one.path.startswith("/") and other.path.startswith("/"))
        if relative and not (one.path == other.path and {one.machine, other.machine} <= inventory.stated_machines):
            return False if machine is False else None  # relative to a working directory that no file tells
        return machine if one.path == other.path else False
    if one.path is not None or other.path is not None:
        # A unix socket and a port of one machine may belong to one server: only that machine could tell.
        return False if machine is False else None
    if one.port != other.port:
        return False
    # A name that is not local means the same to everybody, whatever it resolves to.
    if not one.is_local and not other.is_local and one.host == other.host:
        return True
    return None if machine and _by_aliases(one.host, other.host, inventory, names) else machine


def _by_aliases(one: str, other: str, inventory: Inventory, names: Names | None) -> bool:
    """Whether two hosts of one machine are addresses of which one is a further loopback address.

    127.0.0.2 and 127.0.0.1 of one machine may be two servers, or one that listens on every address.
    """
    ones, others = reached(one, inventory, names), reached(other, inventory, names)
    around = {_UNRESOLVED + name for name in OF_THE_CONTAINERS_HOST}
    if any(not ends.isdisjoint(around) for ends in (ones, others)):
        # The same name, or two names of the machine around, are one; localhost within a container may be another.
        return not all(ends <= around for ends in (ones, others)) and all(map(is_loopback, (one, other)))
    return ones.isdisjoint(others) and any(map(is_alias, ones | others))


def meeting_points(endpoint: Endpoint, inventory: Inventory, names: Names | None = None) -> frozenset[tuple[str, ...]]:
    """Two endpoints are one server where these meet, and only there: what need not be compared is seen at a glance."""
    endpoint = known_as(endpoint, inventory, names)
    if endpoint.path is not None and not endpoint.path.startswith("/"):
        return frozenset()
    at = endpoint.path if endpoint.path is not None else str(endpoint.port)
    return frozenset((at, place) for place in _places(endpoint, inventory, names))


def is_open(endpoint: Endpoint, inventory: Inventory, names: Names | None = None) -> bool:
    """Whether a name that nothing resolves, or that may mean several machines, stands in an endpoint's way."""
    endpoint = known_as(endpoint, inventory, names)
    return any(place.startswith(_UNRESOLVED) for place in _places(endpoint, inventory, names))


def same_servers(
    ones: Iterable[Endpoint], others: Iterable[Endpoint], inventory: Inventory, names: Names | None = None
) -> bool | None:
    """The same for two sets of ``server`` lines: order and repetition do not matter."""
    ones, others = list(ones), list(others)
    verdict: bool | None = True
    for some, rest in ((ones, others), (others, ones)):
        for one in some:
            answers = [same_server(one, other, inventory, names) for other in rest]
            if True in answers:
                continue
            if None not in answers:
                return False
            verdict = None
    return verdict


def same_machine(one: str, other: str, inventory: Inventory, names: Names | None = None) -> bool | None:
    """Whether two machine names or addresses are one machine.

    A name that neither ``[hosts]`` nor DNS knows is a machine of its own by that name; whether two such names are one
    machine cannot be told.
    """
    if _canonical_host(one) == _canonical_host(other):
        return True
    return _compared(_machine_places(one, inventory, names), _machine_places(other, inventory, names))


def same_address(one: str, other: str, inventory: Inventory, names: Names | None = None) -> bool | None:
    """Whether two hosts lead to one address, not merely to one machine.

    127.0.0.2 and 127.0.0.3 are addresses of their own: processes of one machine may listen on each with one port.
    """
    if _canonical_host(one) == _canonical_host(other):
        return True
    ones, others = (reached(host, inventory, names) or frozenset({_UNRESOLVED + host}) for host in (one, other))
    return _compared(ones, others)


def reached(host: str, inventory: Inventory, names: Names | None = None) -> frozenset[str]:
    """The addresses that a host leads to, each further loopback address as itself; empty: unknown."""
    literal = _canonical_host(host)
    if is_alias(literal):
        return frozenset({literal})
    if literal in OF_THE_CONTAINERS_HOST:
        # The machine around the container, of which localhost within it may or may not be an address.
        return frozenset({_UNRESOLVED + literal})
    aliases = {_canonical_host(one) for one in inventory.hosts.get(literal, ()) if is_alias(_canonical_host(one))}
    if not aliases:
        return locate(host, inventory, names)
    others = [one for one in inventory.hosts[literal] if not is_alias(_canonical_host(one))]
    return frozenset(aliases).union(*(locate(one, inventory, names) for one in others))


def is_alias(host: str) -> bool:
    """Whether ``host`` is a loopback address beside the usual one, as 127.0.0.2 is."""
    address = _ip(host)
    return address is not None and address.version == 4 and address.is_loopback and str(address) != HERE


def locate(host: str, inventory: Inventory, names: Names | None = None) -> frozenset[str]:
    """The addresses of a machine, its own loopback and own addresses told as :data:`HERE`; empty: unknown."""
    known = inventory.located(names)
    if host not in known:
        known[host] = _located(_canonical_host(host), inventory, names)
    return known[host]


def _located(host: str, inventory: Inventory, names: Names | None) -> frozenset[str]:
    if is_loopback(host):
        return frozenset({HERE})
    if _ip(host) is not None:
        found: Iterable[str] = (host,)
    else:
        found = inventory.hosts.get(host) or (names.addresses.get(host, ()) if names else ())
    own = {_canonical_host(address) for address in names.here} if names else set()
    return frozenset(HERE if is_loopback(a) or _canonical_host(a) in own else _canonical_host(a) for a in found)


def _places(endpoint: Endpoint, inventory: Inventory, names: Names | None) -> frozenset[str]:
    """The addresses of the machine that serves an endpoint, or :data:`_UNRESOLVED` and the name that nothing knows.

    Where ``[hosts]`` gives a loopback address it may mean the machine where zcheck runs, or each client's own: the name
    is then taken for both known and unknown, so that nothing is proven different by it.
    """
    if endpoint.is_local:
        return _machine_places(endpoint.machine, inventory, names)
    places = _machine_places(endpoint.host, inventory, names)
    if any(is_loopback(address) for address in inventory.hosts.get(endpoint.host, ())):
        return places | {_UNRESOLVED + endpoint.host}
    return places


_UNRESOLVED = "?"


def _machine_places(machine: str, inventory: Inventory, names: Names | None) -> frozenset[str]:
    return locate(machine, inventory, names) or frozenset({_UNRESOLVED + _canonical_host(machine)})


def _compared(ones: frozenset[str], others: frozenset[str]) -> bool | None:
    if ones & others:
        return True
    unresolved = any(place.startswith(_UNRESOLVED) for place in ones | others)
    return None if unresolved else False


def endpoints(servers: Iterable[str], client: Client) -> tuple[Endpoint, ...]:
    """The readable ones among a client's ``server`` values; unreadable ones are another check's finding."""
    found = []
    for text in servers:
        try:
            found.append(parse_server(text, client.machine))
        except InvalidAddress:
            continue
    return tuple(found)


def labelled(label: str, client: Client) -> tuple[Endpoint, ...]:
    """The servers in a ZEO client's own label, as ``[('127.0.0.1', 8100), '/run/zeo.sock']``.

    Empty where the label is something else: a name, or a file's path.
    """
    try:
        listed = ast.literal_eval(label) if label.startswith("[") and len(label) < LONGEST_LABEL else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return endpoints((_as_text(address) for address in listed), client) if isinstance(listed, list) else ()


LONGEST_LABEL = 10_000


def _as_text(address: object) -> str:
    if isinstance(address, tuple) and len(address) >= 2 and isinstance(address[1], int):
        return str(HostPort(str(address[0]), address[1]))
    return str(address)


def pinned(inventory: Inventory) -> tuple[Endpoint, ...]:
    """The servers that clients.ini pins by ``zeo``; a local spelling means zcheck's own machine."""
    return tuple(parse_server(text, HERE) for text in inventory.pinned_zeo)


def dialled(endpoint: Endpoint, client: Client, inventory: Inventory, names: Names | None = None) -> HostPort | str:
    """What to dial *from here* to reach the server: a host and port, or the path of a unix socket of this machine.

    ``connect`` of a ``[zeo:NAME]`` section wins.  A client's own loopback is dialled at the client's machine.
    Raises :exc:`InvalidAddress` for a unix socket of another machine.
    """
    for known in inventory.zeo_servers:
        if known.connect is None:
            continue
        stated = parse_server(known.address, known.machine or client.machine)
        if stated.is_local and known.machine is None and not _on_one_machine(inventory, names):
            continue  # Whose localhost it is was not said, and there are several.
        if same_server(stated, endpoint, inventory, names):
            reached = parse_server(known.connect, HERE)
            return reached.path if reached.path is not None else HostPort(reached.host, reached.port)
    where = locate(endpoint.where, inventory, names)
    if endpoint.path is not None:
        if where != {HERE}:
            raise InvalidAddress(f"{endpoint.path} is a unix socket on {endpoint.machine}")
        return endpoint.path
    if not endpoint.is_local or where == {HERE}:
        host = endpoint.host if endpoint.is_local else _listed(endpoint.host, inventory)
        # A name that is known within containers alone.
        return HostPort(HERE if host in OF_THE_CONTAINERS_HOST else host, endpoint.port)
    host = client.machine if where else client.address.host
    return HostPort(_listed(host, inventory), endpoint.port)


def other_addresses(
    endpoint: Endpoint, dialled: HostPort | str, inventory: Inventory, names: Names | None
) -> tuple[HostPort, ...]:
    """Every address of a server's name, where it has several and zcheck dials that name or its first address."""
    if endpoint.is_local or is_literal(endpoint.host) or isinstance(dialled, str):
        return ()
    known = inventory.hosts.get(endpoint.host.lower()) or (names.addresses.get(endpoint.host) if names else None) or ()
    own = tuple(address for address in known if not is_loopback(address) or len(known) > 1)
    if len(own) < 2 or dialled.host not in (endpoint.host, own[0]):
        return ()
    return tuple(msgspec.structs.replace(dialled, host=address) for address in own)


def _on_one_machine(inventory: Inventory, names: Names | None) -> bool:
    machines = list(dict.fromkeys(client.machine for client in inventory.clients))
    return all(same_machine(machines[0], machine, inventory, names) for machine in machines[1:])


def is_here(host: str, inventory: Inventory, names: Names | None = None) -> bool:
    """Whether ``host`` is the machine where zcheck runs."""
    return locate(host, inventory, names) == {HERE}


def _listed(host: str, inventory: Inventory) -> str:
    """The first address that ``[hosts]`` gives, else the host itself."""
    return next(iter(inventory.hosts.get(host.lower(), ())), host)


def _canonical_path(path: str) -> str:
    """One spelling for one path; ``/var/run`` has been ``/run`` on every Linux since 2011."""
    path = posixpath.normpath(path)
    return path[4:] if path.startswith("/var/run/") else path


@lru_cache(maxsize=65536)
def _canonical_host(host: str) -> str:
    host = host.rstrip(".").lower()
    address = _ip(host)
    if address is None:
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


@lru_cache(maxsize=65536)
def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def is_literal(host: str) -> bool:
    """Whether ``host`` is an IPv4 or IPv6 address, which needs no look-up."""
    return _ip(host) is not None
