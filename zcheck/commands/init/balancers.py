"""The servers of a balancer, and which of the clients they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from zcheck.commands.init.found import AdminSocket, Found, FoundBalancer, FoundServer, InitError, sanitised
from zcheck.facts import ConfFault, HaproxyConf, HaproxyServer, HostPort, addresses
from zcheck.parsers import clients_ini, haproxy_cfg, redact

MAX_OF_A_TEMPLATE = 10
"""So many servers of one ``server-template`` line are drafted: its number is often a limit and no count."""

_PLAIN = re.compile(r"[A-Za-z0-9_.:-]+")
_EVERY_ADDRESS = ("0.0.0.0", "::")


def haproxy(path: str, text: str) -> FoundBalancer:
    """An haproxy.cfg: the servers of its ``backend`` and ``listen`` sections, and its administration socket.

    Raises :exc:`InitError` for one of which no server can be read.
    """
    conf = haproxy_cfg.parse([(path, text)])
    servers = tuple(haproxy_servers(conf))
    unread = next((_told(fault) for fault in conf.faults if fault.kind == "unread"), "")
    if unread:
        servers = tuple(server for server in servers if _PLAIN.fullmatch(server.name))
    if unread and not servers:
        raise InitError(f"{unread}; give the file that comes out of it")
    names = (line.address for section in conf.of("backend", "listen") for line in section.servers if line.count > 1)
    hosts = tuple(dict.fromkeys(host for host, _ in map(haproxy_cfg.read_address, names) if host))
    return FoundBalancer("haproxy", path, servers, haproxy_socket(conf), unread, hosts)


def _told(fault: ConfFault) -> str:
    return f"{fault.file}{':' + str(fault.line) if fault.line else ''}: {fault.message}"


def haproxy_servers(conf: HaproxyConf) -> Iterator[FoundServer]:
    """Each server of a ``backend`` or ``listen`` section, those that a ``server-template`` makes one by one."""
    for section in conf.of("backend", "listen"):
        for server in section.servers:
            address = re.sub(r"^(ipv[46]|ip|tcp[46]?)@", "", server.address)
            notes = tuple(_remarks(server, address))
            if server.line.keyword != "server-template":
                yield FoundServer(section.name, server.name, address, notes)
                continue
            for name in _made_by(server):
                yield FoundServer(section.name, name, address, notes, is_template=True)


def _made_by(server: HaproxyServer) -> Iterator[str]:
    """The names of the servers that a ``server-template`` line makes."""
    first, dash, _ = server.line.arguments[1].partition("-")
    start = int(first) if dash and first.isdecimal() else 1
    return (f"{server.name}{number}" for number in range(start, start + min(server.count, MAX_OF_A_TEMPLATE)))


def _remarks(server: HaproxyServer, address: str) -> Iterator[str]:
    where = f"{server.line.file}:{server.line.line}"
    if server.line.keyword == "server-template":
        yield (
            f"{where} makes {server.count} server{'s' if server.count > 1 else ''} of {address}; "
            "address: write that of this one, since the name leads to any of them"
        )
        if server.count > MAX_OF_A_TEMPLATE:
            yield f"{where}: {MAX_OF_A_TEMPLATE} of them are below; write a section for every client that runs"
    elif server.line.unresolved:
        names = ", ".join(server.line.unresolved)
        yield f"address: {where} takes it from HAProxy's environment ({names}): write what it is there"
    elif server.host in _EVERY_ADDRESS:
        yield (
            f"address: {server.host} in {where} is no machine's address, HAProxy dials its own machine by it: "
            "write 127.0.0.1 there, or the client's machine, and here the same"
        )
    elif server.host and server.port is None and re.fullmatch(r"[^:/@]+|\[[^]]*\]", address):
        yield (
            f"address: {where} has no port, so HAProxy dials the port that the user came to: "
            "write the client's port there and here"
        )
    if "backup" in server.options:
        yield f"{where}: a backup server; remove this section if a page for bad times is behind it, and no Zope client"


def haproxy_socket(conf: HaproxyConf) -> AdminSocket | None:
    """The ``stats socket`` by which servers can be opened, else one that only shows them; None where there is none.

    Its level is ``operator`` where the line names none (HAProxy's configuration manual, section 3.1).
    """
    found = []
    for line in (line for section in conf.of("global") for line in section.all("stats", "socket")):
        words = line.words
        if len(words) > 2:
            address = re.sub(r"^(unix|ipv[46])@", "", words[2])
            address = re.sub(r"^\*?(?=:[0-9]+$)", "localhost", address)
            level = words[words.index("level") + 1 :][:1] if "level" in words[3:] else ()
            if "@" not in address and "$" not in address:
                found.append(AdminSocket(address, level == ("admin",)))
    return next((one for one in found if one.opens), found[0] if found else None)


def pound_servers(text: str) -> Iterator[FoundServer]:
    """Each back end of a pound.cfg: an ``Address`` and ``Port``, or ``BackEnd HOST,PORT,PRIORITY`` as in Pound 1."""
    address = port = None
    inside = False
    for line in text.splitlines():
        words = [word.strip("\"'") for word in line.partition("#")[0].split()]
        key = words[0].lower() if words else ""
        if key == "backend" and len(words) > 1 and "," in words[1]:
            host, number = words[1].split(",")[:2]
            yield FoundServer("", "", f"{host}:{number}")
        elif key in ("backend", "emergency"):
            inside, address, port = key == "backend", None, None
        elif inside and key == "address" and len(words) > 1:
            address = f"[{words[1]}]" if ":" in words[1] else words[1]
        elif inside and key == "port" and len(words) > 1:
            port = words[1]
        elif inside and key == "end":
            inside = False
            if address is not None:
                yield FoundServer("", "", address if port is None else f"{address}:{port}")


def balanced(clients: Sequence[Found], balancer: FoundBalancer) -> list[Found]:
    """The clients with the addresses that the balancer has for them; its other servers become clients of their own."""
    merged = list(clients)
    taken: set[int] = set()
    seen: set[str] = set()
    for server in balancer.servers:
        if server.address in seen and not server.is_template:
            continue
        seen.add(server.address)
        address, note = _server_address(server, balancer)
        at = _match(server, address, merged[: len(clients)], taken)
        if at is None:
            origin = f"from {balancer.file}" + (f", {server.section}" if server.section else "")
            notes = (*note, *(("no zope.conf was given for it",) if clients else ()))
            merged.append(
                Found(name=sanitised(server.name), origin=origin, address=address, keys=_known_as(server), notes=notes)
            )
        else:
            taken.add(at)
            merged[at] = _known_to(merged[at], server, address, note, balancer.file)
    return merged


def _server_address(server: FoundServer, balancer: FoundBalancer) -> tuple[HostPort | None, tuple[str, ...]]:
    """The address as a draft may have it, and what is to be said of it."""
    try:
        address = clients_ini.host_port(server.address)
    except ValueError as error:
        said = f"address: {redact.without_userinfo(server.address)} of {balancer.file} {error}"
        if balancer.unread:
            said = f"address: the template has {redact.without_userinfo(server.address)}: write what comes out of it"
        return None, server.notes or (said,)
    # The one name of several servers is the address of none of them.
    return HostPort("", address.port) if server.is_template else address, server.notes


def _match(server: FoundServer, address: HostPort | None, clients: Sequence[Found], taken: set[int]) -> int | None:
    """The one client that a server can be: by its port, where the host does not speak against it, else by its name."""
    free = [(at, client) for at, client in enumerate(clients) if at not in taken]
    if address is not None:
        by_port = [at for at, client in free if client.address is not None and _may_be(client.address, address)]
        if len(by_port) == 1:
            return by_port[0]
    by_name = [at for at, client in free if client.name == sanitised(server.name)]
    return by_name[0] if server.name and len(by_name) == 1 else None


def _may_be(one: HostPort, other: HostPort) -> bool:
    hosts = {one.host.lower(), other.host.lower()}
    local = all(addresses.is_loopback(host) for host in hosts if host)
    return one.port == other.port and ("" in hosts or len(hosts) == 1 or local)


def _known_to(client: Found, server: FoundServer, address: HostPort | None, said: tuple[str, ...], file: str) -> Found:
    """The client, with the address under which the balancer knows it."""
    notes = client.notes
    if address is not None and address.host:
        notes = (f"address: as {file} has it", *said, *(note for note in notes if not note.startswith("address: ")))
    else:
        address, notes = None, (*notes, *said)
    is_known = any(key == "balancer-server" for key, _ in client.keys)
    keys = client.keys if is_known else client.keys + _known_as(server)
    return msgspec.structs.replace(client, address=address or client.address, keys=keys, notes=notes)


def _known_as(server: FoundServer) -> tuple[tuple[str, str], ...]:
    """Its name in the balancer, told where it turns out not to be the client's."""
    return (("balancer-server", server.name),) if server.name else ()
