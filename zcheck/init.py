"""Draft a clients.ini from what a site has: zope.conf files, a buildout's ``parts``, a balancer, a compose file.

A draft states what the files say, and says in a comment what they do not.  Where a client's host is not known it is a
name below ``.invalid``, which nothing can resolve (RFC 6761): a draft that nobody completed contacts nobody.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from zcheck import addresses, inventory, redact, wsgiconf, zeoconf, zopeconf
from zcheck.addresses import HERE
from zcheck.facts import Database, HostPort, Section, Setting, WsgiConf, ZeoConf, ZopeConf
from zcheck.probes import compose, files

MAX_FILES = 500
MAX_ENTRIES = 20_000
MAX_DEPTH = 6
"""How far a folder is searched, and for how much."""

# Folders of a buildout or a checkout that hold other people's sample files.
_NOT_SEARCHED = frozenset({"bin", "develop-eggs", "eggs", "lib", "node_modules", "site-packages", "src", "var", "venv"})
_FILE_NAMES = re.compile(
    r"(zope|zeo|haproxy|pound)[\w.-]*\.(conf|cfg)$|(docker-)?compose[\w.-]*\.ya?ml$", re.IGNORECASE
)

_KINDS = (
    ("wsgi-ini", re.compile(r"^\[(app|server|pipeline|composite):", re.MULTILINE)),
    ("buildout", re.compile(r"^\[buildout\]", re.MULTILINE)),
    ("zeo", re.compile(r"^\s*<zeo>", re.MULTILINE)),
    ("zope", re.compile(r"^\s*(<zodb_db\b|instancehome\b|%define\s+INSTANCE|<http-server>)", re.MULTILINE)),
    ("haproxy", re.compile(r"^[ \t]*(backend|listen|frontend)[ \t]+\S", re.MULTILINE)),
    ("pound", re.compile(r"^[ \t]*(BackEnd|ListenHTTPS?|UrlGroup)\b", re.MULTILINE | re.IGNORECASE)),
)

_ZOPE_IMAGE = re.compile(r"(?:^|/)(plone-backend|plone|zope|zms)(?=[:@]|$)|plone-backend")
_ZEO_IMAGE = re.compile(r"(?:^|/)[\w.-]*zeo[\w.-]*(?=[:@]|$)")
_ZOPE_VARIABLES = ("ZEO_ADDRESS", "RELSTORAGE_DSN", "ZEO_STORAGE", "ZOPE_CONF")
_UNWRITABLE = re.compile(r"^[;#]|\s[;#]|^\s|\s$")


class InitError(ValueError):
    """There is nothing that a draft could be made of; the message names the file and says why."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A client as far as the files tell it."""

    name: str
    origin: str
    address: HostPort | None = None
    keys: tuple[tuple[str, str], ...] = ()
    """Keys of its section, with their values, below ``address``."""
    notes: tuple[str, ...] = ()
    conf: ZopeConf | None = None
    ini: str = ""
    """The file that tells where it listens."""
    is_here: bool = False
    """Whether its instance home is a folder of this machine."""


class FoundServer(msgspec.Struct, frozen=True):
    """A server of a balancer: its section, its name there, its address as written."""

    section: str
    name: str
    address: str


class FoundBalancer(msgspec.Struct, frozen=True):
    """A balancer's own file."""

    type: str
    file: str
    servers: tuple[FoundServer, ...]


class FoundZeo(msgspec.Struct, frozen=True):
    """A ZEO server: its own file, or a service of a compose file with the address that clients dial."""

    name: str
    conf: ZeoConf | None = None
    address: str = ""


class _Everything(msgspec.Struct):
    """What was found so far."""

    clients: list[Found] = []
    balancers: list[FoundBalancer] = []
    zeo_servers: list[FoundZeo] = []
    notes: list[str] = []


def draft(paths: Sequence[str]) -> str:
    """The text of a clients.ini for what these files and folders tell; without any, for the current folder.

    Paths in it are relative to where ``paths`` are: the draft belongs into the current folder.  Raises
    :exc:`InitError`.
    """
    found = _Everything()
    try:
        for path in _expanded(paths or ["."]):
            _read(path, found)
    except files.CannotRead as error:
        raise InitError(str(error)) from None
    for balancer in found.balancers:
        found.clients = _balanced(found.clients, balancer)
    if not found.clients:
        raise InitError(f"{', '.join(paths) or 'this folder'}: no client; give zope.conf files, or a balancer's")
    found.clients = _named_apart(found.clients)
    text = "\n".join(_rendered(found)) + "\n"
    inventory.parse(text, "clients.ini")
    return text


# --- files and folders -----------------------------------------------------------------------------


def _expanded(paths: Sequence[str]) -> list[str]:
    """The files meant: those named, and within folders those that look like configuration."""
    expanded: list[str] = []
    for path in paths:
        expanded += sorted(_within(path)) if Path(path).is_dir() else [path]
    if len(expanded) > MAX_FILES:
        raise InitError(f"{len(expanded)} configuration files: name those of one cluster")
    return list(dict.fromkeys(expanded))


def _within(folder: str) -> Iterator[str]:
    seen = 0
    for here, folders, names in os.walk(folder):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = sorted(
            name for name in folders if depth < MAX_DEPTH and name not in _NOT_SEARCHED and not name.startswith(".")
        )
        seen += len(names)
        if seen > MAX_ENTRIES:
            raise InitError(f"{folder}: more than {MAX_ENTRIES} files; name the configuration files themselves")
        yield from (os.path.normpath(Path(here, name)) for name in names if _FILE_NAMES.match(name))


def _read(path: str, found: _Everything) -> None:
    text = files.read_text(path)
    kind = "compose" if path.endswith((".yml", ".yaml")) else _kind(text)
    if kind == "zope":
        _add_conf(found, path, text)
    elif kind == "zeo":
        found.zeo_servers.append(FoundZeo(_name_of(path), zeoconf.parse(text, path, {}, _reader(path))))
    elif kind == "haproxy":
        found.balancers.append(FoundBalancer("haproxy", path, tuple(haproxy_servers(text))))
    elif kind == "pound":
        found.balancers.append(FoundBalancer("pound", path, tuple(pound_servers(text))))
    elif kind == "compose":
        _of_compose(path, text, found)
    elif kind == "wsgi-ini":
        _of_wsgi_ini(path, text, found)
    elif kind == "buildout":
        _of_buildout(path, found)
    else:
        raise InitError(f"{path}: neither a zope.conf nor a balancer's, a buildout's or a compose file")


def _kind(text: str) -> str | None:
    return next((kind for kind, sign in _KINDS if sign.search(text)), None)


def _reader(path: str) -> zopeconf.Read:
    return files.conf_reader(files.folders_of(path, path))


def _of_buildout(path: str, found: _Everything) -> None:
    """What the buildout has written into ``parts`` beside it; its recipes are not run here."""
    parts = Path(path).parent / "parts"
    if not parts.is_dir():
        raise InitError(f"{path}: there is no folder {parts}; run bin/buildout first, or name the zope.conf files")
    for one in _expanded([str(parts)]):
        _read(one, found)


def _of_wsgi_ini(path: str, text: str, found: _Everything) -> None:
    """The zope.conf that an ini file starts, which is the client's."""
    conf = wsgiconf.parse(text, path)
    if conf.zope_conf is None or not Path(conf.zope_conf).is_file():
        raise InitError(f"{path}: the zope.conf that it starts is not there; name it instead")
    zope_conf = os.path.normpath(conf.zope_conf)
    _add_conf(found, zope_conf, files.read_text(zope_conf), path)


def _add_conf(found: _Everything, path: str, text: str, wsgi_ini: str | None = None) -> None:
    """The client of a zope.conf, unless it is there already: an ini file names a conf that may be given as well."""
    known = {os.path.realpath(client.conf.file) for client in found.clients if client.conf is not None}
    if os.path.realpath(path) not in known:
        found.clients.append(_of_zope_conf(path, text, wsgi_ini))


# --- zope.conf -------------------------------------------------------------------------------------


def _of_zope_conf(path: str, text: str, wsgi_ini: str | None = None) -> Found:
    conf = zopeconf.parse(text, path, {}, _reader(path))
    wsgi_ini = wsgi_ini or _ini_of_the_same_name(path)
    listens = wsgiconf.of_client(path, wsgi_ini, conf, files.read_if_there)
    ini = listens.file if isinstance(listens, WsgiConf) and listens.file != path else ""
    name = _name_of(path)
    is_here = _is_here(conf)
    address, notes = _address(listens, name, is_here)
    keys = [("zope-conf", path), *([("wsgi-ini", wsgi_ini)] if wsgi_ini else [])]
    role, why = _role(conf)
    if role:
        keys.append(("role", role))
    return Found(
        name=name,
        origin=f"from {path}" + (f" and {ini}" if ini else ""),
        address=address,
        keys=tuple(keys),
        notes=(*notes, *why, *_doubts(conf)),
        conf=conf,
        ini=ini,
        is_here=is_here,
    )


def _name_of(path: str) -> str:
    """``app1`` of ``app1/etc/zope.conf`` and of ``parts/app1/etc/zope.conf``, ``zope_8081`` of ``zope_8081.conf``."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - no link is followed
    if whole.stem.lower() not in ("zope", "zeo", "zope2"):
        return _sanitised(whole.stem)
    folder = whole.parent.parent if whole.parent.name == "etc" else whole.parent
    return _sanitised(folder.name)


def _sanitised(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:40] or "app"


def _ini_of_the_same_name(path: str) -> str | None:
    """``zope_8081.ini`` beside ``zope_8081.conf``; the usual names are found without being told."""
    ini = Path(path).with_suffix(".ini")
    return str(ini) if ini.name not in wsgiconf.CANDIDATES and ini.is_file() else None


def _is_here(conf: ZopeConf) -> bool:
    home = conf.top.first("instancehome")
    return home is not None and not home.unresolved and Path(home.value).is_dir()


def _address(listens: object, name: str, is_here: bool) -> tuple[HostPort | None, tuple[str, ...]]:
    """Where a balancer would reach the client; without a host where the files tell the port alone."""
    if not isinstance(listens, WsgiConf) or not listens.listen:
        sockets = listens.unix_sockets if isinstance(listens, WsgiConf) else ()
        why = f"it listens on the unix socket {sockets[0]}" if sockets else "no file here tells where it listens"
        return None, (f"address: {why}",)
    first, *others = listens.listen
    more = (f"it listens on {', '.join(map(str, others))} as well",) if others else ()
    if not 0 < first.port < 65536:
        return None, (f"address: {first.port} is no port",)
    everywhere, loopback = first.host == "*", addresses.is_loopback(first.host)
    if not everywhere and not loopback:
        return first, more
    if is_here:
        elsewhere = "address: write this machine's name in place of localhost where the balancer is on another"
        return HostPort("localhost", first.port), ((elsewhere, *more) if everywhere else more)
    if loopback:
        bound = f"address: it listens on {first.host} alone, where no balancer on another machine reaches it"
        return HostPort("", first.port), (bound, *more)
    return HostPort("", first.port), ("address: the files tell the port, not the machine", *more)


def _role(conf: ZopeConf) -> tuple[str, tuple[str, ...]]:
    root = conf.root
    read_only = root.leaf.first("read-only") if root is not None and root.is_zeo and root.leaf is not None else None
    if read_only is not None and read_only.value.lower() in ("on", "true", "yes"):
        return "read-only", (f"role: read-only is on in line {read_only.line} of its zope.conf",)
    debug = conf.top.first("debug-mode")
    if debug is not None and debug.value.lower() in ("on", "true", "yes"):
        return "", (
            f"debug-mode is on in line {debug.line} of its zope.conf: role = worker, if no user is sent to it?",
        )
    return "", ()


def _doubts(conf: ZopeConf) -> Iterator[str]:
    """What the draft cannot know of this client's conf."""
    for fault in conf.faults[:3]:
        yield f"{fault.file}{':' + str(fault.line) if fault.line else ''}: {fault.message}"
    if not conf.faults and (conf.root is None or not conf.root.is_zeo):
        yield "its root database is not on ZEO: is it a client of this cluster?"
    told = set()
    for setting in _settings(conf.top):
        for variable in setting.unresolved:
            if variable not in told:
                told.add(variable)
                yield f"env.{variable} = ...   needed by line {setting.line} of {setting.file}; or give an env-file"


def _settings(section: Section) -> Iterator[Setting]:
    yield from section.settings
    for inner in section.sections:
        yield from _settings(inner)


# --- balancers -------------------------------------------------------------------------------------


def haproxy_servers(text: str) -> Iterator[FoundServer]:
    """Each ``server`` line of an haproxy.cfg, with its ``backend`` or ``listen`` section."""
    section = ""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words and words[0] in ("backend", "listen", "frontend", "defaults", "global"):
            section = words[1] if len(words) > 1 and words[0] in ("backend", "listen") else ""
        elif len(words) > 2 and words[0] == "server":
            yield FoundServer(section, words[1], re.sub(r"^ipv[46]@", "", words[2]))


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


def _balanced(clients: Sequence[Found], balancer: FoundBalancer) -> list[Found]:
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
                Found(name=_sanitised(server.name), origin=origin, address=address, keys=_known_as(server), notes=notes)
            )
        else:
            taken.add(at)
            merged[at] = _known_to(merged[at], server, address, balancer.file)
    return merged


def _server_address(server: FoundServer, balancer: FoundBalancer) -> tuple[HostPort | None, tuple[str, ...]]:
    try:
        return inventory.host_port(server.address), ()
    except ValueError as error:
        return None, (f"address: {redact.without_userinfo(server.address)} of {balancer.file} {error}",)


def _match(server: FoundServer, address: HostPort | None, clients: Sequence[Found], taken: set[int]) -> int | None:
    """The one client that a server can be: by its port, where the host does not speak against it, else by its name."""
    free = [(at, client) for at, client in enumerate(clients) if at not in taken]
    if address is not None:
        by_port = [at for at, client in free if client.address is not None and _may_be(client.address, address)]
        if len(by_port) == 1:
            return by_port[0]
    by_name = [at for at, client in free if client.name == _sanitised(server.name)]
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


# --- compose ---------------------------------------------------------------------------------------


def _of_compose(path: str, text: str, found: _Everything) -> None:
    try:
        services = compose.parse(text).get("services")
    except compose.ComposeError as error:
        advice = "give what 'docker compose config' prints"
        raise InitError(f"{path}:{error.line}: {error}; {advice}") from None
    if not isinstance(services, dict):
        raise InitError(f"{path}: it has no services")
    others = []
    for name, service in services.items():
        if not isinstance(service, dict):
            continue
        variables = _variables(service)
        if _is_zope(service, variables):
            found.clients.append(_of_service(path, name, service, variables))
        elif _ZEO_IMAGE.search(str(service.get("image") or "")):
            found.zeo_servers.append(FoundZeo(_sanitised(name), None, f"{name}:{variables.get('ZEO_PORT') or 8100}"))
        else:
            others.append(name)
    if others:
        found.notes.append(f"{path}: taken for no Zope client: {', '.join(others)}")


def _is_zope(service: Mapping[str, compose.Node], variables: Mapping[str, str | None]) -> bool:
    image = str(service.get("image") or "")
    return any(name in variables for name in _ZOPE_VARIABLES) or (
        _ZOPE_IMAGE.search(image) is not None and _ZEO_IMAGE.search(image) is None
    )


def _variables(service: Mapping[str, compose.Node]) -> dict[str, str | None]:
    """The ``environment`` of a service; None for what compose takes from its own environment."""
    environment = service.get("environment")
    if isinstance(environment, dict):
        return {name: value if isinstance(value, str) else None for name, value in environment.items()}
    pairs = [one.partition("=") for one in environment if isinstance(one, str)] if isinstance(environment, list) else []
    return {name: value if equals else None for name, equals, value in pairs}


def _of_service(
    path: str, name: str, service: Mapping[str, compose.Node], variables: Mapping[str, str | None]
) -> Found:
    inside = variables.get("LISTEN_PORT") or "8080"
    port = int(inside) if re.fullmatch(r"[1-9][0-9]{0,4}", inside) and int(inside) < 65536 else 8080
    notes = ["zope-conf: it lies within the image; copy it here, such as by 'docker compose cp'"]
    keys: list[tuple[str, str]] = []
    published = _published(service.get("ports"), port)
    if published is not None:
        keys.append(("connect", str(published)))
    else:
        notes.append("connect: its port is not published; zcheck must run where the name of the service is known")
    keys += [("env-file", env_file) for env_file in _env_files(path, service.get("env_file"))]
    for variable, value in sorted(variables.items()):
        if value is None or "${" in value or _is_secret(variable, value):
            why = (
                "it may hold a secret: give it in an env-file" if value and "${" not in value else "compose fills it in"
            )
            notes.append(f"env.{variable} = ...   {why}")
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
            keys.append((f"env.{variable}", value))
    if _copies(service) != "1":
        notes.append(
            f"{_copies(service)} containers answer by this name: each needs an address and a section of its own"
        )
    return Found(
        name=_sanitised(name),
        origin=f"from {path}, service {name}",
        address=HostPort(re.sub(r"[^A-Za-z0-9_.-]", "-", name), port),
        keys=tuple(keys),
        notes=tuple(notes),
    )


def _is_secret(variable: str, value: str) -> bool:
    return (
        redact.speaks_of_a_secret(variable)
        or variable.lower().endswith("dsn")
        or redact.without_userinfo(value) != value
        or "password" in value.lower()
    )


def _copies(service: Mapping[str, compose.Node]) -> str:
    deploy = service.get("deploy")
    replicas = deploy.get("replicas") if isinstance(deploy, dict) else None
    return str(service.get("scale") or replicas or "1")


def _published(ports: compose.Node, inside: int) -> HostPort | None:
    """Where this machine publishes the port ``inside`` the container."""
    for one in ports if isinstance(ports, list) else ():
        if isinstance(one, dict):
            host, outer, inner = str(one.get("host_ip") or ""), str(one.get("published") or ""), str(one.get("target"))
        elif isinstance(one, str):
            *front, inner = one.partition("/")[0].rsplit(":", 1)
            host, _, outer = (front[0] if front else "").rpartition(":")
        else:
            continue
        if inner == str(inside) and re.fullmatch(r"[1-9][0-9]{0,4}", outer) and int(outer) < 65536:
            host = host.strip("[]")
            return HostPort(host if addresses.is_literal(host) and host not in ("0.0.0.0", "::") else HERE, int(outer))
    return None


def _env_files(path: str, given: compose.Node) -> list[str]:
    """The last of the ``env_file`` entries: it wins, and clients.ini takes one."""
    entries = given if isinstance(given, list) else [given]
    names = [one.get("path") if isinstance(one, dict) else one for one in entries]
    found = [os.path.join(os.path.dirname(path), one) for one in names if isinstance(one, str)]  # noqa: PTH118, PTH120
    return found[-1:]


# --- the draft -------------------------------------------------------------------------------------


def _named_apart(clients: Sequence[Found]) -> list[Found]:
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


def _rendered(found: _Everything) -> Iterator[str]:
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


def _cluster(found: _Everything) -> Iterator[str]:
    yield "[cluster]"
    yield _key("name", _sanitised(Path.cwd().name))
    yield "; Who may add and edit: without it nothing is proven through the running clients."
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
    if len(ranked) > 1:
        yield _comment(f"servers are in {', '.join(ranked[1:])} as well: remove clients above that are no Zope clients")


def _key(key: str, value: str) -> str:
    """A line of the draft, or a comment in its place where the value cannot stand on one."""
    if not value.isprintable() or _UNWRITABLE.search(value) or len(value) > 1000 or (not value and key[:4] != "env."):
        return _comment(f"{key} = ...   the value cannot be written on a line of this file")
    return f"{key} = {value}"


def _comment(text: str) -> str:
    return "; " + "".join(character if character.isprintable() else "?" for character in text)[:500]
