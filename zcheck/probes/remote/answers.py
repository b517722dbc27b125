"""What the answers of a client's own machine mean: its files, parsed here by zcheck's own parsers, and facts.

Pure but for the calls themselves.  A file of another machine is shown as ``MACHINE:PATH``.
"""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar

import msgspec

from zcheck.facts import (
    BlobMarker,
    Client,
    ConfFault,
    Database,
    FolderThere,
    Inventory,
    LeftOut,
    ListeningProcess,
    NotGathered,
    Section,
    SeenThere,
    ServerFromThere,
    Setting,
    WsgiConf,
    ZeoSection,
    ZopeConf,
    addresses,
    targets,
)
from zcheck.parsers import wsgi_ini
from zcheck.parsers import zope_conf as zope_conf_parser
from zcheck.parsers.redact import HIDDEN, seal, sealed_elsewhere
from zcheck.probes import files
from zcheck.probes.remote import call as via
from zcheck.system import clock

Conf = TypeVar("Conf", ZopeConf, WsgiConf)
Ask = Callable[[Mapping[str, Any], type[Any]], Any]
"""Sends one request to a machine: the request, and the struct that its answer is."""

OFFLINE = "it is on the client's own machine, and --offline runs no via"


class Looked(msgspec.Struct, frozen=True):
    """What one client's own machine answered to the first question."""

    machine: str
    look: via.Look
    client: via.LookedAt
    asked_at: float
    answered_at: float


def look(door: via.Door, within_s: float, variables: Iterable[str] = ()) -> dict[str, Looked | NotGathered]:
    """Ask one machine about all its clients; ``variables``: those that copies of their files name."""

    def ask(request: Mapping[str, Any], kind: type[via.Look]) -> via.Look | NotGathered:
        return via.ask(door.command, request, kind, within_s)

    return looked(door.machine, door.clients, ask, within_s, variables)


def looked(
    machine: str, clients: tuple[Client, ...], ask: Ask, within_s: float, variables: Iterable[str] = ()
) -> dict[str, Looked | NotGathered]:
    """The same by any means of asking."""
    asked_at = clock.now_s()
    answer = ask(via.look_request(clients, within_s, variables), via.Look)
    answered_at = clock.now_s()
    if isinstance(answer, NotGathered):
        return dict.fromkeys((client.name for client in clients), answer)
    found: dict[str, Looked | NotGathered] = {}
    for client in clients:
        own = answer.clients.get(client.name)
        late = NotGathered("via: the script was not done in time with this client")
        found[client.name] = late if own is None else Looked(machine, answer, own, asked_at, answered_at)
    return found


def conf_is_there(client: Client) -> bool:
    """Whether the zope.conf is to be read on the client's machine: by its path there, or by what its process says."""
    return "zope-conf" in client.lie_there or client.zope_conf is None


def ini_is_there(client: Client) -> bool:
    """The same for its ini file; one that is not named stands beside the zope.conf."""
    return "wsgi-ini" in client.lie_there or (client.wsgi_ini is None and conf_is_there(client))


# --- files ------------------------------------------------------------------------------------------------


def zope_conf(client: Client, found: Looked | NotGathered) -> ZopeConf | NotGathered:
    """The zope.conf on the client's machine: the one that clients.ini names, else what its process was started with."""
    if isinstance(found, NotGathered):
        return found
    path = found.client.zope_conf
    if path is None:
        why = found.client.why_no_process or "the process that listens there names none on its command line"
        hint = f"write zope-conf = PATH in [client:{client.name}]: its path on {found.machine}"
        return NotGathered(f"via: which zope.conf {client.name} runs with is not known: {why}", hint)
    try:
        text = _text(found, path)
        conf = zope_conf_parser.parse(text, path, environment(client, found), lambda include: _text(found, include))
    except files.CannotRead as error:
        return NotGathered(f"{found.machine}:{error}")
    faults = conf.faults
    started = found.client.started_with.zope_conf
    if not found.client.same_conf and started:
        message = f"{client.name} was started with {started}, and what was compared is {path}"
        hint = f"name the zope.conf that the client runs with: zope-conf = {started}"
        faults = (*faults, ConfFault("unread", message, path, None, hint))
    conf = msgspec.structs.replace(conf, faults=faults, mtime=_mtime(found, path))
    return _of_machine(conf, found.machine)


def wsgi_conf(conf: ZopeConf | None, found: Looked | NotGathered) -> WsgiConf | NotGathered | LeftOut:
    """The same for its zope.ini or wsgi.ini."""
    if isinstance(found, NotGathered):
        return found
    path, ini = found.client.zope_conf, found.client.wsgi_ini
    try:
        read = wsgi_ini.of_client(path, ini, None, lambda one: _text_if_there(found, one), _given(found))
    except files.CannotRead as error:  # pragma: no cover - of_client tells it itself
        return NotGathered(str(error))
    if isinstance(read, WsgiConf):
        return _of_machine(read, found.machine)
    if isinstance(read, LeftOut) and conf is not None:
        return wsgi_ini.from_zope2(conf) or read
    return NotGathered(f"{found.machine}:{read.reason}") if isinstance(read, NotGathered) else read


def _given(found: Looked) -> dict[str, str]:
    return dict(found.client.started_with.given)


def environment(client: Client, found: Looked | NotGathered | None) -> dict[str, str]:
    """What ``$(NAME)`` means: what the process was really started with, else what clients.ini gives.

    Raises :exc:`files.CannotRead` for an ``env-file`` that cannot be read where it lies.
    """
    stated = {**_env_file(client, found), **client.env}
    if not isinstance(found, Looked):
        return stated
    sealed = {name: sealed_elsewhere(digest) for name, digest in found.client.hashed.items()}
    return {**stated, **found.client.variables, **sealed}


def environment_of_server(server: ZeoSection) -> dict[str, str]:
    """What ``$(NAME)`` means in a ZEO server's own file.  Raises :exc:`files.CannotRead`."""
    stated = files.read_env_file(server.env_file) if server.env_file is not None else {}
    return {**stated, **server.env}


def variables_of(inventory: Inventory, client: Client, found: Looked | NotGathered | None) -> tuple[Setting, ...]:
    """The variables that clients.ini gives a client, each at the line that gives it; no value is kept, but its seal.

    The client's own name in a value is taken out of it first.  Raises :exc:`files.CannotRead`.
    """
    given = {name: (client.env_file or "", 1, value) for name, value in _env_file(client, found).items()}
    given |= {
        name: (inventory.file, client.section.line_of(f"env.{name}"), value) for name, value in client.env.items()
    }
    if not given:
        # Most clients are given none, and making a pattern takes as long as reading a zope.conf.
        return ()
    own = re.compile(rf"(?<![^\W_]){re.escape(client.name)}(?![^\W_])")
    return tuple(
        _hidden(name, value if _PATH.match(value) else own.sub("<client>", value), file, line)
        for name, (file, line, value) in given.items()
    )


_PATH = re.compile(r"/|[a-zA-Z]:[\\/]|\\\\|file://")


def _hidden(name: str, value: str, file: str, line: int) -> Setting:
    """A variable that is compared and never shown; a path is each client's own."""
    if _PATH.match(value):
        return Setting(name, "a path", file, line)
    return Setting(name, HIDDEN, file, line, (), seal(value))


def _env_file(client: Client, found: Looked | NotGathered | None) -> dict[str, str]:
    if client.env_file is not None and "env-file" not in client.lie_there:
        return files.read_env_file(client.env_file)
    if client.env_file is not None and isinstance(found, Looked) and found.client.env_file is not None:
        return files.parse_env(_text(found, found.client.env_file))
    return {}


def variables_in(text: str) -> set[str]:
    """The variables of the environment that a zope.conf names."""
    return set(_VARIABLE.findall(text))


_VARIABLE = re.compile(r"\$\((\w+)\)")


def _text(found: Looked, path: str) -> str:
    """The text of a file that was brought.  Raises :exc:`files.CannotRead`."""
    brought = found.look.files.get(path)
    if brought is None:
        raise files.CannotRead(path, "it was not brought from that machine")
    if brought.why:
        raise files.CannotRead(path, brought.why, brought.missing)
    return brought.data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _text_if_there(found: Looked, path: str) -> str | None:
    try:
        return _text(found, path)
    except files.CannotRead as error:
        if error.is_missing or path not in found.look.files:
            return None
        raise


def _mtime(found: Looked, path: str | None) -> float | None:
    brought = found.look.files.get(path) if path is not None else None
    return brought.mtime if brought is not None else None


def _of_machine(conf: Conf, machine: str) -> Conf:
    """The same, each of its files named with the machine that it is on."""
    changes: dict[str, Any] = {
        "file": f"{machine}:{conf.file}",
        "settings": tuple(_moved(setting, machine) for setting in conf.settings),
        "faults": tuple(msgspec.structs.replace(one, file=f"{machine}:{one.file}") for one in conf.faults),
    }
    if isinstance(conf, ZopeConf):
        changes["sections"] = tuple(_section(section, machine) for section in conf.sections)
    return msgspec.structs.replace(conf, **changes)


def _moved(setting: Setting, machine: str) -> Setting:
    return msgspec.structs.replace(setting, file=f"{machine}:{setting.file}")


def _section(section: Section, machine: str) -> Section:
    return msgspec.structs.replace(
        section,
        file=f"{machine}:{section.file}",
        settings=tuple(_moved(setting, machine) for setting in section.settings),
        sections=tuple(_section(inner, machine) for inner in section.sections),
    )


class Folder(msgspec.Struct, frozen=True):
    """A folder of the client's own machine that a database of its zope.conf names."""

    database: str
    path: str
    use: Literal["blobs", "blob-cache", "cache"]
    setting: Setting


def folders(conf: ZopeConf) -> tuple[Folder, ...]:
    """Where a client keeps blobs and caches; only paths that say by themselves where they are."""
    found = []
    for database in conf.databases:
        shared = targets.blobs_of(database) == "shared"
        lines: list[tuple[Literal["blobs", "blob-cache", "cache"], Setting | None]] = [
            ("blobs" if shared else "blob-cache", _first(database, "blob-dir")),
            ("cache", _first(database, "var")),
        ]
        for use, line in lines:
            if line is not None and not line.unresolved and line.value.startswith("/"):
                found.append(Folder(database.name, posixpath.normpath(line.value), use, line))
    return tuple(found)


def _first(database: Database, key: str) -> Setting | None:
    """The line with this key of the outermost storage that has one."""
    return next((line for section in database.chain if (line := section.first(key)) is not None), None)


# --- what is around ---------------------------------------------------------------------------------------


def peers(
    confs: Mapping[str, ZopeConf], clients: Iterable[Client], ask: Ask, *, wait_s: float, within_s: float
) -> via.Peers | NotGathered:
    """Ask one machine to dial what its clients' files name, and to look at their folders."""
    named = [(client, confs[client.name]) for client in clients if client.name in confs]
    servers = {key: server for client, conf in named for key, server in _servers(client, conf).items()}
    paths = sorted({folder.path for _, conf in named for folder in folders(conf)})
    if not servers and not paths:
        return via.Peers()
    found: via.Peers | NotGathered = ask(
        via.request("peers", within_s, servers=servers, folders=paths, wait=wait_s), via.Peers
    )
    return found


def _servers(client: Client, conf: ZopeConf) -> dict[str, dict[str, Any]]:
    """What to dial, by a name for each way to dial it."""
    found: dict[str, dict[str, Any]] = {}
    for database in conf.databases:
        tls = database.leaf is not None and bool(database.leaf.nested("ssl"))
        for line in database.servers:
            for end in addresses.endpoints([] if line.unresolved else [line.value], client):
                if end.path is not None:
                    found[_key(line.value, tls)] = {"path": end.path}
                else:
                    found[_key(line.value, tls)] = {"host": end.host, "port": end.port, "tls": tls}
    return found


def _key(server: str, tls: bool) -> str:
    return f"{server} by TLS" if tls else server


def seen(conf: ZopeConf | None, found: Looked, around: via.Peers | NotGathered | None) -> SeenThere:
    """Everything that a client's own machine told, as one fact."""
    own, process = found.client, found.client.process
    return SeenThere(
        host=found.look.host,
        addresses=tuple(found.look.addresses),
        process=ListeningProcess(process.pid, process.command, process.started_at, process.user) if process else None,
        why_no_process=own.why_no_process,
        python_version=own.python_version,
        distributions=own.distributions,
        why_no_distributions=own.why_no_distributions or own.why_no_process,
        zope_conf=own.started_with.zope_conf,
        conf_mtime=_mtime(found, own.zope_conf),
        clock=found.look.clock,
        asked_at=found.asked_at,
        answered_at=found.answered_at,
        servers=_answers(conf, around) if isinstance(around, via.Peers) and conf is not None else (),
        folders=_folders(conf, around) if isinstance(around, via.Peers) and conf is not None else (),
        why_no_peers=around.reason if isinstance(around, NotGathered) else "",
    )


def _answers(conf: ZopeConf, around: via.Peers) -> tuple[ServerFromThere, ...]:
    found = []
    for database in conf.databases:
        tls = database.leaf is not None and bool(database.leaf.nested("ssl"))
        for line in database.servers:
            answer = around.servers.get(_key(line.value, tls))
            if answer is not None:
                found.append(
                    ServerFromThere(
                        database=database.name,
                        server=line.value,
                        file=line.file,
                        line=line.line,
                        outcome=answer.outcome,
                        detail=answer.detail,
                        addresses=tuple(answer.addresses),
                        protocol=answer.protocol,
                    )
                )
    return tuple(found)


def _folders(conf: ZopeConf, around: via.Peers) -> tuple[FolderThere, ...]:
    found = []
    for folder in folders(conf):
        answer = around.folders.get(folder.path, via.SeenFolder(why="it was not looked at"))
        found.append(
            FolderThere(
                database=folder.database,
                path=folder.path,
                use=folder.use,
                file=folder.setting.file,
                line=folder.setting.line,
                device=answer.device,
                inode=answer.inode,
                layout=answer.layout,
                free_bytes=answer.free_bytes,
                why=answer.why,
            )
        )
    return tuple(found)


# --- is a folder of shared blobs one folder? ---------------------------------------------------------------


class Member(msgspec.Struct, frozen=True):
    """One client's folder of shared blobs, and the way to look at it."""

    client: str
    command: str
    path: str


def members(database: str, doors: Iterable[via.Door], found: Mapping[str, SeenThere]) -> tuple[Member, ...]:
    """Of each folder that was seen, one client: those that are surely one folder of one machine need no other proof."""
    known: set[tuple[int, int | None, int | None]] = set()
    chosen = []
    for number, door in enumerate(doors):
        for client in door.clients:
            for folder in found[client.name].folders if client.name in found else ():
                place = (number, folder.device, folder.inode)
                if folder.database == database and folder.use == "blobs" and folder.device is not None:
                    if place not in known:
                        chosen.append(Member(client.name, door.command, folder.path))
                    known.add(place)
    return tuple(chosen)


def blob_marker(
    database: str,
    ones: tuple[Member, ...],
    run_id: str,
    within_s: float,
    side_by_side: Callable[[Mapping[str, Callable[[], Any]]], Mapping[str, Any]],
) -> BlobMarker | str:
    """Let the first machine that can put a small file into its folder, and the others look for it; else why not.

    The file is there for as long as the first machine's call runs, and that is ended here, whatever happens.
    """
    name, text = f"zcheck-{run_id}{secrets.token_hex(4)}.marker", secrets.token_hex(16)
    refused = []
    for writer in ones:
        folders = {"folders": [writer.path], "name": name, "text": text}
        wanted = via.request("hold", within_s, **folders, hold=within_s + 1)
        with via.Call(writer.command, via.script(wanted), wanted["mark"]) as call:
            answer = call.answer(within_s)
            held = answer if isinstance(answer, NotGathered) else via.decoded(answer, via.Folders)
            folder = held.folders.get(writer.path) if isinstance(held, via.Folders) else None
            if folder is None or not folder.held:
                reason = held.reason if isinstance(held, NotGathered) else folder.why if folder is not None else ""
                refused.append(f"{writer.path} of {writer.client}: {reason or 'no answer'}")
                continue
            jobs = {
                one.client: partial(_seek, one, {**folders, "folders": [one.path]}, within_s)
                for one in ones
                if one is not writer
            }
            looked = side_by_side(jobs)
        seen = {client: one.seen for client, one in looked.items() if isinstance(one, via.SeenFolder) and not one.why}
        unknown = {client: one.reason for client, one in looked.items() if isinstance(one, NotGathered)}
        unknown |= {client: one.why for client, one in looked.items() if isinstance(one, via.SeenFolder) and one.why}
        return BlobMarker(database, writer.client, writer.path, seen, unknown)
    return "; ".join(refused)


def _seek(one: Member, what: Mapping[str, Any], within_s: float) -> via.SeenFolder | NotGathered:
    found = via.ask(one.command, via.request("seek", within_s, **what), via.Folders, within_s)
    if isinstance(found, NotGathered):
        return found
    return found.folders.get(one.path, via.SeenFolder(why="it was not looked at"))
