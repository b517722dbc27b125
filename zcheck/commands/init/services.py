"""The Zope clients and ZEO servers among the services of compose files."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from zcheck.commands.init.found import Everything, Found, FoundZeo, InitError, Root, sanitised
from zcheck.commands.init.kinds import Kind, kind_of
from zcheck.commands.init.zopes import doubts, reader, root_of
from zcheck.facts import HostPort, ZopeConf, addresses
from zcheck.facts.addresses import HERE
from zcheck.parsers import compose, redact, zope_conf
from zcheck.parsers.compose import Service, Value
from zcheck.probes import files

_PLONE_BACKEND = re.compile(r"(?:^|/)plone-backend(?=[:@]|$)")
_ZOPE_IMAGE = re.compile(r"(?:^|/)(plone-backend|plone|zope|zms)(?=[:@]|$)|plone-backend")
_ZEO_IMAGE = re.compile(r"(?:^|/)[\w.-]*zeo[\w.-]*(?=[:@]|$)")
_ZOPE_VARIABLES = ("ZEO_ADDRESS", "RELSTORAGE_DSN", "ZOPE_CONF")
_ZEO_PROGRAMS = frozenset({"zeo", "runzeo", "zeoserver", "zeoctl"})
# What images of Zope are run with beside serving users.
_JOBS = frozenset(
    {
        *("addsite", "create-classic", "create-site", "create-volto", "debug", "export", "import", "pack", "run"),
        *("zconsole", "zeopack", "zodbpack", "zodbconvert"),
    }
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
INSTEAD = "give what 'docker compose config' prints"
"""What to do where a compose file cannot be read here."""
OVERRIDES = re.compile(r"\.override\.ya?ml$", re.IGNORECASE)


class _Told(msgspec.Struct, frozen=True):
    """A service and what its environment holds, env files included; None for what no file gives."""

    service: Service
    variables: dict[str, Value | None]
    of_files: dict[str, str]
    """The variables of env files other than the last, which clients.ini takes as it is."""
    env_file: str | None = None
    notes: tuple[str, ...] = ()

    def first(self, name: str) -> str:
        """The value of a variable as far as it is known; empty where it is not there."""
        value = self.variables.get(name)
        return value.text if value is not None else ""


def projects(paths: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Compose files by project: those of one folder belong together, in the order in which they are given.

    One of another folder that cannot stand alone belongs to the first project.
    An override comes after what it overrides, whatever the order: a shell's ``compose*.yaml`` sorts it first.
    """
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder = posixpath.dirname(path)
        if folder not in folders and folders and _needs_another(path):
            folder = next(iter(folders))
        folders.setdefault(folder, []).append(path)
    for given in folders.values():
        yield tuple(sorted(given, key=lambda path: OVERRIDES.search(path) is not None))


def _needs_another(path: str) -> bool:
    """Whether the file says of a service neither its image nor how it is built."""
    try:
        return bool(compose.needs_another(compose.parse(files.read_text(path), path)))
    except (compose.ComposeError, files.CannotRead):
        return False


def of_compose(paths: Sequence[str], found: Everything) -> None:
    """What the compose files of one project tell.  Raises :exc:`InitError`."""
    paths = [*paths, *_override_beside(paths)]
    try:
        given = [(path, compose.parse(files.read_text(path), path)) for path in paths]
        project = compose.load(given, files.read_text)
    except compose.ComposeError as error:
        raise InitError(f"{error}; {INSTEAD}") from None
    if not project.services:
        raise InitError(f"{', '.join(paths)}: it has no services")
    if len(paths) > 1:
        found.notes.append(f"{', '.join(paths)}: taken together in this order, as 'docker compose config' would")
    found.notes += project.notes
    told = [_told(service) for service in project.services]
    servers = _zeo_servers(told)
    others = []
    for one in told:
        service = one.service
        if service.name in servers:
            found.zeo_servers.append(_of_zeo(one, servers[service.name]))
        elif not _is_zope(one):
            others.append(service.name)
        elif job := _job(service):
            found.notes.append(f"{service.file}: {service.name} runs '{job}': taken for a job, and no Zope client")
        else:
            found.clients.append(_of_service(one, told))
    if others:
        found.notes.append(f"{paths[0]}: taken for no Zope client: {', '.join(others)}")


def _override_beside(paths: Sequence[str]) -> list[str]:
    """The override file that compose reads by itself where it is given no file."""
    if len(paths) != 1 or posixpath.basename(paths[0]) not in compose.DEFAULT_NAMES:
        return []
    stem = paths[0].rpartition(".")[0]
    return [path for end in ("yaml", "yml") if os.path.isfile(path := f"{stem}.override.{end}")][:1]  # noqa: PTH113


# --- what is what ----------------------------------------------------------------------------------


def _zeo_servers(told: Sequence[_Told]) -> dict[str, str]:
    """The services that are ZEO servers, each with the address by which clients dial it."""
    dialled: dict[str, str] = {}
    for one in told:
        for server in one.first("ZEO_ADDRESS").split():
            dialled.setdefault(server.rpartition(":")[0] or server, server)
    links = [(alias, name) for one in told for alias, name in one.service.links.items()]
    servers = {}
    for one in told:
        service = one.service
        names = (service.name, *service.other_names, *(alias for alias, name in links if name == service.name))
        address = next((dialled[name] for name in names if name in dialled), None)
        runs_zeo = any(posixpath.basename(word) in _ZEO_PROGRAMS for word in _words(service)[:4])
        is_image = _ZEO_IMAGE.search(service.image) is not None and "ZEO_ADDRESS" not in one.variables
        if runs_zeo or is_image or (address is not None and "ZEO_ADDRESS" not in one.variables):
            servers[service.name] = address or f"{service.name}:{one.first('ZEO_PORT') or 8100}"
    return servers


def _is_zope(one: _Told) -> bool:
    image = one.service.image
    return any(name in one.variables for name in _ZOPE_VARIABLES) or (
        _ZOPE_IMAGE.search(image) is not None and _ZEO_IMAGE.search(image) is None
    )


def _job(service: Service) -> str:
    return next((word for word in _words(service)[:3] if posixpath.basename(word) in _JOBS), "")


def _words(service: Service) -> list[str]:
    """The words of its command line, those within ``sh -c "..."`` too."""
    return [word for one in service.command for word in one.split()]


# --- the environment -------------------------------------------------------------------------------


def _told(service: Service) -> _Told:
    """A service with its environment: that of its ``env_file`` entries in their order, then its own."""
    notes: list[str] = []
    there: dict[str, dict[str, str]] = {}
    for entry in service.env_files:
        try:
            there[entry.path] = files.read_env_file(entry.path)
        except files.CannotRead as error:
            if entry.is_required:
                there[entry.path] = {}
                notes.append(f"env-file: {error}; copy it here")
    last = list(there)[-1] if there else None
    of_files = {name: value for path, given in there.items() if path != last for name, value in given.items()}
    of_last = there.get(last, {}) if last is not None else {}
    if len(there) > 1:
        notes.append(f"env-file: compose reads {', '.join(there)}; the last is named here, the others' variables below")
    variables: dict[str, Value | None] = {
        name: Value(value, value, ("another variable",) if "$" in value else ())
        for name, value in {**of_files, **of_last}.items()
    }
    of_files = {name: value for name, value in of_files.items() if name not in of_last}
    return _Told(service, {**variables, **service.environment}, of_files, last, tuple(notes))


def _environment(one: _Told) -> Iterator[tuple[str, str] | str]:
    """What a section says of the variables: a key with its value, or a remark."""
    service = one.service
    given: dict[str, Value | None] = {name: one.variables[name] for name in one.of_files}
    for name, value in sorted({**given, **service.environment}.items()):
        if not _VARIABLE.fullmatch(name):
            continue
        if value is None:
            yield f"env.{name} = ...   compose fills it in from its own environment"
        elif redact.may_hold_a_secret(name, value.text):
            yield f"env.{name} = ...   it may hold a secret: give it in an env-file"
        elif value.unknown:
            yield f"env.{name} = ...   compose fills it in: {redact.without_userinfo(value.written)}"
        elif value.by_default:
            where = f"{service.file}:{service.lines.get(name, service.line)}"
            yield f"env.{name} = {value.text}   by the default in {where}, unless {', '.join(value.by_default)} is set"
        else:
            yield f"env.{name}", value.text


def _root(one: _Told, conf: ZopeConf | None) -> Root | None:
    """Where the root database is, as a mounted zope.conf tells, else by what plone-backend's entrypoint goes by."""
    if conf is not None:
        return root_of(conf)
    if "RELSTORAGE_DSN" in one.variables:
        return Root("relstorage")
    if "ZEO_ADDRESS" in one.variables:
        address, name = one.variables["ZEO_ADDRESS"], one.variables.get("ZEO_STORAGE", Value("1", "1"))
        return Root(
            "zeoclient",
            address.text if address is not None and address.is_certain else _written("ZEO_ADDRESS", address),
            name.text if name is not None and name.is_certain else _written("ZEO_STORAGE", name),
            () if address is not None and address.is_certain else ("ZEO_ADDRESS",),
            () if name is not None and name.is_certain else ("ZEO_STORAGE",),
        )
    return Root("filestorage") if _PLONE_BACKEND.search(one.service.image) else None


def _written(name: str, value: Value | None) -> str:
    return value.written if value is not None else f"${{{name}}}"


# --- one service -----------------------------------------------------------------------------------


def _of_service(one: _Told, everybody: Sequence[_Told]) -> Found:
    service = one.service
    inside = one.first("LISTEN_PORT") or "8080"
    port = int(inside) if re.fullmatch(r"[1-9][0-9]{0,4}", inside) and int(inside) < 65536 else 8080
    notes: list[str] = list(one.notes)
    keys: list[tuple[str, str]] = []
    path, conf = _mounted_conf(one)
    if path:
        keys.append(("zope-conf", path))
    else:
        notes.append("zope-conf: it lies within the image; copy it here, such as by 'docker compose cp'")
    published, why = _published(service, port)
    if published is not None:
        keys.append(("connect", str(published)))
    else:
        notes.append(why)
    if one.env_file is not None:
        keys.append(("env-file", one.env_file))
    for said in _environment(one):
        if isinstance(said, str):
            notes.append(said)
        else:
            keys.append(said)
    notes += _doubts(one, conf, everybody)
    return Found(
        name=sanitised(service.name),
        origin=f"from {service.file}:{service.line}, service {service.name}",
        address=HostPort("" if service.on_the_host else re.sub(r"[^A-Za-z0-9_.-]", "-", service.name), port),
        keys=tuple(keys),
        notes=tuple(notes),
        conf=conf,
        root=_root(one, conf),
    )


def _doubts(one: _Told, conf: ZopeConf | None, everybody: Sequence[_Told]) -> Iterator[str]:
    service, variables = one.service, one.variables
    if conf is not None:
        yield from doubts(conf)
    elif "RELSTORAGE_DSN" in variables and "ZEO_ADDRESS" in variables:
        yield "it has RELSTORAGE_DSN beside ZEO_ADDRESS: plone-backend's image goes by the first, and not to ZEO"
    elif not {"RELSTORAGE_DSN", "ZEO_ADDRESS"} & set(variables):
        others = {name for other in everybody for name in ("ZEO_ADDRESS", "RELSTORAGE_DSN") if name in other.variables}
        missing = " and ".join(sorted(others)) if others else "ZEO_ADDRESS and RELSTORAGE_DSN"
        nearest = _misspelt(variables, ("ZEO_ADDRESS", "RELSTORAGE_DSN"))
        meant = f"; is {nearest} in {service.file}:{service.lines.get(nearest, service.line)} meant?" if nearest else ""
        yield f"it has no {missing}: plone-backend's image starts it on a Data.fs of its own, a database apart{meant}"
    if service.copies != "1":
        yield f"{service.copies} containers answer by this name: each needs an address and a section of its own"
    if service.profiles:
        yield f"a plain 'docker compose up' leaves it out: it is of the profile {', '.join(service.profiles)}"
    if service.on_the_host:
        yield "address: it uses the network of its machine (network_mode: host): write that machine's name"
    if not service.image and not service.is_built:
        yield f"{service.file} gives neither image nor build for it: give the file that this one overrides as well"


def _misspelt(names: Iterable[str], meant: Sequence[str]) -> str:
    import difflib

    return next((one for one in names if difflib.get_close_matches(one.upper(), meant, n=1, cutoff=0.85)), "")


def _mounted_conf(one: _Told) -> tuple[str, ZopeConf | None]:
    """The zope.conf of this machine that is mounted into the container, with what it says."""
    known = {name: value.text for name, value in one.variables.items() if value is not None and value.is_certain}
    wanted = known.get("ZOPE_CONF", "")
    for inside, source in one.service.mounted.items():
        path = posixpath.normpath(source)
        if posixpath.isabs(path) and not posixpath.isabs(one.service.file):
            continue  # It may be another machine's: a relative path is beside the file that is here.
        if wanted.startswith(f"{inside}/"):
            path = posixpath.join(path, wanted.removeprefix(f"{inside}/"))
        elif not inside.endswith(".conf"):
            continue
        try:
            text = files.read_text(path)
        except files.CannotRead:
            continue
        if kind_of(path, text) is Kind.ZOPE:
            return path, zope_conf.parse(text, path, known, reader(path))
    return "", None


def _published(service: Service, inside: int) -> tuple[HostPort | None, str]:
    """Where this machine publishes the port ``inside`` the container; else why that is not known."""
    for port in service.ports:
        if port.inner != str(inside):
            continue
        if re.fullmatch(r"[1-9][0-9]{0,4}", port.outer) and int(port.outer) < 65536:
            is_one = addresses.is_literal(port.host) and port.host not in ("0.0.0.0", "::")
            return HostPort(port.host if is_one else HERE, int(port.outer)), ""
        if port.outer:
            return None, f"connect = {HERE}:PORT   it is published on {redact.without_userinfo(port.outer)}"
    return None, "connect: its port is not published; zcheck must run where the name of the service is known"


def _of_zeo(one: _Told, address: str) -> FoundZeo:
    service = one.service
    _, _, port = address.rpartition(":")
    published, _ = _published(service, int(port)) if port.isdecimal() else (None, "")
    return FoundZeo(sanitised(service.name), None, address, connect=str(published or ""))


def mounted_confs(clients: Iterable[Found]) -> Mapping[str, str]:
    """By the file that they really are: the confs that services have mounted, which are no clients by themselves."""
    return {os.path.realpath(one.conf.file): one.name for one in clients if one.conf is not None}
