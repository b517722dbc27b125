"""The servers of a balancer, and which of the clients they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from zcheck.commands.init.found import AdminSocket, Found, FoundBalancer, FoundServer, sanitised
from zcheck.facts import HostPort, addresses
from zcheck.parsers import clients_ini, redact


def haproxy_servers(text: str) -> Iterator[FoundServer]:
    """Each ``server`` line of an haproxy.cfg, with its ``backend`` or ``listen`` section."""
    section = ""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words and words[0] in ("backend", "listen", "frontend", "defaults", "global"):
            section = words[1] if len(words) > 1 and words[0] in ("backend", "listen") else ""
        elif len(words) > 2 and words[0] == "server":
            yield FoundServer(section, words[1], re.sub(r"^ipv[46]@", "", words[2]))


def haproxy_socket(text: str) -> AdminSocket | None:
    """The ``stats socket`` by which servers can be opened, else one that only shows them; None where there is none.

    Its level is ``operator`` where the line names none (HAProxy's configuration manual, section 3.1).
    """
    found = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:2] == ["stats", "socket"] and len(words) > 2:
            address = re.sub(r"^(unix|ipv[46])@", "", words[2])
            address = re.sub(r"^\*?(?=:[0-9]+$)", "localhost", address)
            level = words[words.index("level") + 1 :][:1] if "level" in words[3:] else []
            if "@" not in address and "$" not in address:
                found.append(AdminSocket(address, level == ["admin"]))
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
        if server.address in seen:
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
            merged[at] = _known_to(merged[at], server, address, balancer.file)
    return merged


def _server_address(server: FoundServer, balancer: FoundBalancer) -> tuple[HostPort | None, tuple[str, ...]]:
    try:
        return clients_ini.host_port(server.address), ()
    except ValueError as error:
        return None, (f"address: {redact.without_userinfo(server.address)} of {balancer.file} {error}",)


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


def _known_to(client: Found, server: FoundServer, address: HostPort | None, file: str) -> Found:
    """The client, with the address under which the balancer knows it."""
    notes = client.notes
    if address is not None:
        notes = (f"address: as {file} has it", *(note for note in notes if not note.startswith("address: ")))
    is_known = any(key == "balancer-server" for key, _ in client.keys)
    keys = client.keys if is_known else client.keys + _known_as(server)
    return msgspec.structs.replace(client, address=address or client.address, keys=keys, notes=notes)


def _known_as(server: FoundServer) -> tuple[tuple[str, str], ...]:
    """Its name in the balancer, told where it turns out not to be the client's."""
    return (("balancer-server", server.name),) if server.name else ()
