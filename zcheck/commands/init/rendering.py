"""The text of a draft: what was found as keys, what was not as comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from zcheck.commands.init.found import Everything, Found, FoundBalancer, FoundZeo, sanitised
from zcheck.facts import HostPort, addresses
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
        yield from _client(client, found.clients)
    dialled = _dialled(found.zeo_servers, found.clients)
    for number, server in enumerate(found.zeo_servers):
        taken = [other.name for other in found.zeo_servers[:number]]
        name = server.name if server.name not in taken else f"{server.name}-{number + 1}"
        yield ""
        yield from _zeo_server(msgspec.structs.replace(server, name=name), dialled[number])
    for number, balancer in enumerate(found.balancers, 1):
        yield ""
        yield from _balancer(balancer, number)
    yield from _hosts(found)


def _cluster(found: Everything) -> Iterator[str]:
    yield "[cluster]"
    yield _key("name", sanitised(Path.cwd().name))
    yield "; A user of the root's acl_users with the role Manager; without one the running clients are not proven."
    yield "; user = admin"
    yield "; password-file = zope-password"
    roots = [client.root for client in found.clients if client.root is not None and client.root.type]
    if roots and all(root.type == "relstorage" for root in roots):
        yield "; The root databases are in RelStorage: there is no ZEO server to pin."
        return
    on_zeo = {client.name: client.root for client in found.clients if client.root is not None and client.root.is_zeo}
    servers = {name: (root.servers, root.servers_need) for name, root in on_zeo.items()}
    storages = {name: (root.storage, root.storage_needs) for name, root in on_zeo.items()}
    yield from _pin("zeo", "HOST:PORT", servers, found.clients)
    yield from _pin("storage", "NAME", storages, found.clients)


_Seen = Mapping[str, tuple[str, tuple[str, ...]]]
"""By client: a value, and the variables in it that no file gives."""


def _pin(key: str, form: str, seen: _Seen, clients: Sequence[Found]) -> Iterator[str]:
    """The one server, or storage, of all root databases; or why it cannot be told."""
    values = list(dict.fromkeys(value for value, _ in seen.values()))
    needed = list(dict.fromkeys(name for _, needs in seen.values() for name in needs))
    if not values:
        yield f"; {key} = {form}   not known: no file here names it"
    elif len(values) > 1:
        spelt = ", ".join(f"{redact.without_userinfo(value)} ({name})" for name, (value, _) in seen.items())
        yield _comment(f"{key} = {form}   the root databases are spelled differently: {spelt}")
    elif needed or "$" in values[0]:
        shown = redact.without_userinfo(values[0])
        yield _comment(f"{key} = {form}   the clients have {shown}: write what it is for them, once it is certain")
    elif (key == "zeo" and not _is_dialled(values[0])) or (key == "storage" and len(values[0].split()) != 1):
        yield _comment(f"{key} = {form}   the clients have {redact.without_userinfo(values[0])}, which is none yet")
    elif key == "zeo" and _is_local(values[0]) and not all(client.is_here for client in clients):
        yield _comment(f"{key} = {form}   the clients have {values[0]}, as their own machine sees it")
    else:
        yield _key(key, values[0])


def _root_question(client: Found, clients: Sequence[Found]) -> str:
    """What is to be asked of a client whose root database is not where the others' are."""
    root = client.root
    if root is None or client.conf is None or client.conf.faults or root.is_zeo:
        return ""
    if not root.type:
        return "no database of its zope.conf is mounted at /: is it a client of this cluster?"
    if root.type == "relstorage":
        others = [one.name for one in clients if one.root is not None and one.root.is_zeo]
        if not others:
            return ""
        return f"its root database is in RelStorage, and that of {others[0]} on ZEO: is it a client of this cluster?"
    return f"its root database is in <{root.type}>, and not on a ZEO server: is it a client of this cluster?"


def _is_dialled(servers: str) -> bool:
    if "," in servers or "@" in servers:
        return False
    try:
        return all(addresses.parse_server(server, HERE) for server in servers.split())
    except addresses.InvalidAddress:
        return False


def _is_local(servers: str) -> bool:
    return any(addresses.parse_server(server, HERE).is_local for server in servers.split())


def _client(client: Found, clients: Sequence[Found]) -> Iterator[str]:
    yield f"[client:{client.name}]"
    yield _comment(client.origin)
    question = _root_question(client, clients)
    yield from (_comment(note) for note in (*client.notes, *([question] if question else [])))
    host = client.address.host if client.address is not None else ""
    port = client.address.port if client.address is not None else 8080
    yield _key("address", str(HostPort(host or f"{client.name}.invalid".lower(), port)))
    yield from (_key(key, value) for key, value in client.keys if (key, value) != ("balancer-server", client.name))


def _zeo_server(server: FoundZeo, dialled: str) -> Iterator[str]:
    address = server.address or dialled
    if not address or not _is_dialled(address):
        said = "as zope.conf names it: no client here names this server"
        if address:
            said = f"as zope.conf names it: the clients have {redact.without_userinfo(address)}"
        yield _comment(f"[zeo:{server.name}]")
        yield _comment(f"address = HOST:PORT   {said}")
        if server.conf is not None:
            yield _comment(f"conf = {server.conf.file}")
        return
    yield f"[zeo:{server.name}]"
    yield _key("address", address)
    if server.connect:
        yield _key("connect", server.connect)
    if server.conf is not None:
        yield _key("conf", server.conf.file)


def _dialled(servers: Sequence[FoundZeo], clients: Sequence[Found]) -> list[str]:
    """For each ZEO server the ``server`` value by which clients dial it; empty where several could be meant.

    It has the path or the port that the server's file binds.  Of several values that have, the one whose host the file
    binds, or has the server's own name, is meant.
    """
    values = list(
        dict.fromkeys(
            setting.value
            for client in clients
            for database in (client.conf.databases if client.conf is not None else ())
            for setting in database.servers
        )
    )
    ports = [_bound(server).rpartition(":")[2] for server in servers]
    return [_one_dialled(server, values, ports) for server in servers]


def _bound(server: FoundZeo) -> str:
    return server.conf.address.value if server.conf is not None and server.conf.address is not None else ""


def _one_dialled(server: FoundZeo, values: Sequence[str], ports: Sequence[str]) -> str:
    bound = _bound(server)
    if "/" in bound:
        return bound if bound in values else ""
    host, _, port = bound.rpartition(":")
    fitting = [value for value in values if port and "/" not in value and value.rpartition(":")[2] == port]
    for value in fitting:
        dialled = value.rpartition(":")[0]
        if dialled and (dialled == host or dialled.partition(".")[0].lower() == server.name.lower()):
            return value
    return fitting[0] if fitting and ports.count(port) == 1 else ""


def _balancer(balancer: FoundBalancer, number: int) -> Iterator[str]:
    if balancer.type != "haproxy":
        yield _comment(
            f"{balancer.file} is {balancer.type}'s: its servers are the clients above; zcheck judges HAProxy's"
        )
        return
    head = f"[balancer:{'front' if number == 1 else f'front-{number}'}]"
    if balancer.unread:
        yield _comment(balancer.unread)
        yield _comment(head)
        yield "; type = haproxy"
        yield "; config = ...   the file that comes out of it"
        return
    sections = [server.section for server in balancer.servers]
    ranked = sorted(dict.fromkeys(sections), key=lambda section: -sections.count(section))
    yield head
    yield "type = haproxy"
    yield _key("config", balancer.file)
    if len(ranked) == 1:
        yield _key("backend", ranked[0])
    elif ranked:
        counted = ", ".join(f"{section} ({sections.count(section)})" for section in ranked)
        yield _comment(f"backend = NAME   servers are in {counted}: which has the Zope clients? Else all are judged")
        yield "; Remove the clients above that are of another backend and no Zope clients."
    if balancer.socket is not None:
        yield _key("admin-socket", balancer.socket.address)
        if not balancer.socket.opens:
            yield _comment("admin-socket: it shows servers; zcheck haproxy enable needs 'level admin' on its line")


def _hosts(found: Everything) -> Iterator[str]:
    """Names that stand for several servers: which of the clients they are is known by their addresses."""
    of_templates = list(
        dict.fromkeys(host for balancer in found.balancers for host in balancer.hosts if _is_name(host))
    )
    of_servers = [host for host in _spellings(found.clients) if host not in of_templates]
    if of_templates or of_servers:
        yield ""
        yield "; [hosts]"
    for host in of_templates:
        yield _comment(f"{host} = ADDRESS ADDRESS   what it resolves to where HAProxy runs: each is one of the clients")
    for host in of_servers:
        yield _comment(f"{host} = ADDRESS   as the clients resolve it, if it cannot be resolved where zcheck runs")


def _spellings(clients: Sequence[Found]) -> list[str]:
    """The names of the root databases' servers, where not all clients have the same: are they one machine?"""
    servers = dict.fromkeys(client.root.servers for client in clients if client.root is not None and client.root.is_zeo)
    if len(servers) < 2:
        return []
    hosts = (one.rpartition(":")[0] for several in servers for one in several.split() if _is_dialled(one))
    return list(dict.fromkeys(host for host in hosts if _is_name(host)))


def _is_name(host: str) -> bool:
    """Whether a host has to be looked up."""
    host = host.strip("[]")
    # A name that begins with "_" is one of SRV records, which have no address themselves.
    return re.fullmatch(r"[A-Za-z0-9-][A-Za-z0-9_.-]*", host) is not None and not (
        addresses.is_literal(host) or addresses.is_loopback(host)
    )


def _key(key: str, value: str) -> str:
    """A line of the draft, or a comment in its place where the value cannot stand on one."""
    if not value.isprintable() or _UNWRITABLE.search(value) or len(value) > 1000 or (not value and key[:4] != "env."):
        return _comment(f"{key} = ...   the value cannot be written on a line of this file")
    return f"{key} = {value}"


def _comment(text: str) -> str:
    return "; " + "".join(character if character.isprintable() else "?" for character in text)[:500]
