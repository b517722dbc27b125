"""The text of a draft: what was found as keys, what was not as comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from zcheck.commands.init.found import Everything, Found, FoundBalancer, FoundZeo, sanitised
from zcheck.facts import Database, HostPort, addresses
from zcheck.facts.addresses import HERE
from zcheck.parsers import redact

_UNWRITABLE = re.compile(r"^[;#]|\s[;#]|^\s|\s$")


def named_apart(clients: Sequence[Found]) -> list[Found]:
    """The clients with names of their own, and a remark where two have one address."""
    count: dict[str, int] = {}
    named: list[Found] = []
    by_address: dict[HostPort, str] = {}
    inis = [client.ini for client in clients]
    for client in clients:
        count[client.name] = number = count.get(client.name, 0) + 1
        name = client.name if number == 1 else f"{client.name}-{number}"
        notes = client.notes
        if client.address is not None and client.address.host:
            other = by_address.setdefault(client.address, name)
            if other != name:
                notes = (*notes, f"address: {other} has the same; one of the two is wrong")
        if client.ini and inis.count(client.ini) > 1:
            notes = (*notes, f"address: several clients share {client.ini}; its port can be right for one of them")
        named.append(msgspec.structs.replace(client, name=name, notes=notes))
    return named


def rendered(found: Everything) -> Iterator[str]:
    yield "; A draft by 'zcheck init'. What is said in comments could not be known from the files: please complete it,"
    yield "; then run: zcheck plan clients.ini"
    for note in found.notes:
        yield _comment(note)
    yield ""
    yield from _cluster(found)
    for client in found.clients:
        yield ""
        yield from _client(client)
    for number, server in enumerate(found.zeo_servers):
        taken = [other.name for other in found.zeo_servers[:number]]
        name = server.name if server.name not in taken else f"{server.name}-{number + 1}"
        yield ""
        yield from _zeo_server(msgspec.structs.replace(server, name=name), found.clients)
    for number, balancer in enumerate(found.balancers, 1):
        yield ""
        yield from _balancer(balancer, number)


def _cluster(found: Everything) -> Iterator[str]:
    yield "[cluster]"
    yield _key("name", sanitised(Path.cwd().name))
    yield "; A user of the root's acl_users with the role Manager; without one the running clients are not proven."
    yield "; user = admin"
    yield "; password-file = zope-password"
    servers, storages = _root_servers(found.clients)
    yield from _pin("zeo", "HOST:PORT", servers, found.clients)
    yield from _pin("storage", "NAME", storages, found.clients)


def _root_servers(clients: Iterable[Found]) -> tuple[dict[str, str], dict[str, str]]:
    """By client: the ZEO servers of its root database, and the storage's name there."""
    servers, storages = {}, {}
    for client in clients:
        root = client.conf.root if client.conf is not None else None
        variables = {key: value for key, value in client.keys if key in ("env.ZEO_ADDRESS", "env.ZEO_STORAGE")}
        if root is not None and root.servers:
            servers[client.name] = _servers(root)
            storages[client.name] = root.storage_name
        elif client.conf is None and "env.ZEO_ADDRESS" in variables:
            # plone-backend's zope.conf takes both from its environment.
            servers[client.name] = variables["env.ZEO_ADDRESS"]
            storages[client.name] = variables.get("env.ZEO_STORAGE", "1")
    return servers, storages


def _servers(root: Database) -> str:
    return " ".join(sorted({setting.value for setting in root.servers}))


def _pin(key: str, form: str, seen: Mapping[str, str], clients: Sequence[Found]) -> Iterator[str]:
    """The one server, or storage, of all root databases; or why it cannot be told."""
    values = list(dict.fromkeys(seen.values()))
    if not values:
        yield f"; {key} = {form}   not known: no file here names it"
    elif len(values) > 1:
        spelt = ", ".join(f"{value} ({name})" for name, value in seen.items())
        yield _comment(f"{key} = {form}   the root databases are spelled differently: {spelt}")
    elif (key == "zeo" and not _is_dialled(values[0])) or (key == "storage" and len(values[0].split()) != 1):
        yield _comment(f"{key} = {form}   the clients have {redact.without_userinfo(values[0])}, which is none yet")
    elif key == "zeo" and _is_local(values[0]) and not all(client.is_here for client in clients):
        yield _comment(f"{key} = {form}   the clients have {values[0]}, as their own machine sees it")
    else:
        yield _key(key, values[0])


def _is_dialled(servers: str) -> bool:
    if "," in servers or "@" in servers:
        return False
    try:
        return all(addresses.parse_server(server, HERE) for server in servers.split())
    except addresses.InvalidAddress:
        return False


def _is_local(servers: str) -> bool:
    return any(addresses.parse_server(server, HERE).is_local for server in servers.split())


def _client(client: Found) -> Iterator[str]:
    yield f"[client:{client.name}]"
    yield _comment(client.origin)
    yield from (_comment(note) for note in client.notes)
    host = client.address.host if client.address is not None else ""
    port = client.address.port if client.address is not None else 8080
    yield _key("address", str(HostPort(host or f"{client.name}.invalid".lower(), port)))
    yield from (_key(key, value) for key, value in client.keys if (key, value) != ("balancer-server", client.name))


def _zeo_server(server: FoundZeo, clients: Sequence[Found]) -> Iterator[str]:
    address = server.address or _dialled_as(server, clients)
    if not address or not _is_dialled(address):
        yield _comment(f"[zeo:{server.name}]")
        yield "; address = HOST:PORT   as zope.conf names it: no client here names this server"
        yield _comment(f"conf = {server.conf.file if server.conf else ''}")
        return
    yield f"[zeo:{server.name}]"
    yield _key("address", address)
    if server.conf is not None:
        yield _key("conf", server.conf.file)


def _dialled_as(server: FoundZeo, clients: Sequence[Found]) -> str:
    """The first ``server`` line of a client that has the path or the port which the ZEO server binds."""
    bound = server.conf.address.value if server.conf is not None and server.conf.address is not None else ""
    for client in clients:
        for database in client.conf.databases if client.conf is not None else ():
            for setting in database.servers:
                same_path = "/" in bound and bound == setting.value
                if same_path or ("/" not in bound and bound.rpartition(":")[2] == setting.value.rpartition(":")[2]):
                    return setting.value
    return ""


def _balancer(balancer: FoundBalancer, number: int) -> Iterator[str]:
    if balancer.type != "haproxy":
        yield _comment(
            f"{balancer.file} is {balancer.type}'s: its servers are the clients above; zcheck judges HAProxy's"
        )
        return
    sections = [server.section for server in balancer.servers if server.section]
    ranked = sorted(dict.fromkeys(sections), key=lambda section: -sections.count(section))
    yield f"[balancer:{'front' if number == 1 else f'front-{number}'}]"
    yield "type = haproxy"
    yield _key("config", balancer.file)
    if ranked:
        yield _key("backend", ranked[0])
    if balancer.socket is not None:
        yield _key("admin-socket", balancer.socket.address)
        if not balancer.socket.opens:
            yield _comment("admin-socket: it shows servers; zcheck haproxy enable needs 'level admin' on its line")
    if len(ranked) > 1:
        yield _comment(f"servers are in {', '.join(ranked[1:])} as well: remove clients above that are no Zope clients")


def _key(key: str, value: str) -> str:
    """A line of the draft, or a comment in its place where the value cannot stand on one."""
    if not value.isprintable() or _UNWRITABLE.search(value) or len(value) > 1000 or (not value and key[:4] != "env."):
        return _comment(f"{key} = ...   the value cannot be written on a line of this file")
    return f"{key} = {value}"


def _comment(text: str) -> str:
    return "; " + "".join(character if character.isprintable() else "?" for character in text)[:500]
