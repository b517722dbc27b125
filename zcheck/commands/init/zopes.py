"""A client as its zope.conf, and the ini file that starts it, tell it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from zcheck.commands.init.found import Found, Root, sanitised
from zcheck.facts import HostPort, Section, Setting, WsgiConf, ZopeConf, addresses
from zcheck.parsers import clients_ini, redact, zope_conf
from zcheck.parsers import wsgi_ini as wsgiconf
from zcheck.probes import files


def reader(path: str) -> zope_conf.Read:
    return files.conf_reader(files.folders_of(path, path))


def of_zope_conf(path: str, text: str, wsgi_ini: str | None = None) -> Found:
    conf = zope_conf.parse(text, path, {}, reader(path))
    wsgi_ini = wsgi_ini or _ini_of_the_same_name(path)
    listens = wsgiconf.of_client(path, wsgi_ini, conf, files.read_if_there)
    ini = listens.file if isinstance(listens, WsgiConf) and listens.file != path else ""
    name = name_of(path)
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
        notes=(*notes, *why, *doubts(conf)),
        conf=conf,
        root=root_of(conf),
        ini=ini,
        is_here=is_here,
    )


def name_of(path: str) -> str:
    """``app1`` of ``app1/etc/zope.conf`` and of ``parts/app1/etc/zope.conf``, ``zope_8081`` of ``zope_8081.conf``."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - no link is followed
    if whole.stem.lower() not in ("zope", "zeo", "zope2", "wsgi"):
        return sanitised(whole.stem)
    folder = whole.parent.parent if whole.parent.name == "etc" else whole.parent
    return sanitised(folder.name)


def _ini_of_the_same_name(path: str) -> str | None:
    """``zope_8081.ini`` beside ``zope_8081.conf``; the usual names are found without being told."""
    ini = Path(path).with_suffix(".ini")
    return str(ini) if ini.name not in wsgiconf.CANDIDATES and ini.is_file() else None


def _is_here(conf: ZopeConf) -> bool:
    home = conf.top.first("instancehome")
    return home is not None and not home.unresolved and Path(home.value).is_dir()


def of_wsgi_ini(path: str, conf: WsgiConf) -> Found:
    """A client of which the ini file alone is here."""
    address, notes = _address(conf, sanitised(Path(path).stem), False)
    named = conf.zope_conf or "its zope.conf"
    return Found(
        name=name_of(path),
        origin=f"from {path}",
        address=address,
        keys=(("wsgi-ini", path),),
        notes=(*notes, f"zope-conf = ...   {named} is not here: copy it here, and write where it is"),
        ini=path,
    )


def _address(listens: object, name: str, is_here: bool) -> tuple[HostPort | None, tuple[str, ...]]:
    """Where a balancer would reach the client; without a host where the files tell the port alone."""
    if not isinstance(listens, WsgiConf) or not listens.listen:
        sockets = listens.unix_sockets if isinstance(listens, WsgiConf) else ()
        faults = listens.faults[:1] if isinstance(listens, WsgiConf) else ()
        why = "no file here tells where it listens"
        if sockets:
            why = f"it listens on the unix socket {sockets[0]}"
        elif faults:
            why = f"{faults[0].file}{':' + str(faults[0].line) if faults[0].line else ''}: {faults[0].message}"
        return None, (f"address: {why}",)
    first, *others = listens.listen
    more = (f"it listens on {', '.join(map(str, others))} as well",) if others else ()
    if not 0 < first.port < 65536:
        return None, (f"address: {first.port} is no port",)
    everywhere, loopback = first.host == "*", addresses.is_loopback(first.host)
    if not everywhere and not loopback:
        try:
            return clients_ini.host_port(str(first)), more
        except ValueError as error:
            return None, (f"address: {first} {error}",)
    bound = f"address: it listens on {first.host} alone, where no balancer on another machine reaches it"
    if is_here:
        elsewhere = "address: write this machine's name in place of localhost where the balancer is on another"
        return HostPort("localhost", first.port), (elsewhere if everywhere else bound, *more)
    nowhere = "address: the files tell the port, not the machine"
    return HostPort("", first.port), (bound if loopback else nowhere, *more)


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


def root_of(conf: ZopeConf) -> Root:
    """Where the root database is."""
    root = conf.root
    if root is None or root.leaf is None:
        return Root("")
    name = root.leaf.first("storage")
    return Root(
        "relstorage" if _holds(root.section, "relstorage") else root.leaf.type,
        " ".join(sorted({setting.value for setting in root.servers})),
        root.storage_name if root.is_zeo else "",
        tuple(dict.fromkeys(variable for setting in root.servers for variable in setting.unresolved)),
        name.unresolved if name is not None else (),
    )


def _holds(section: Section, type: str) -> bool:
    return any(inner.type == type or _holds(inner, type) for inner in section.sections)


def doubts(conf: ZopeConf) -> Iterator[str]:
    """What the draft cannot know of this client's conf."""
    for fault in conf.faults[:3]:
        yield f"{fault.file}{':' + str(fault.line) if fault.line else ''}: {fault.message}"
    told = set()
    for setting in _settings(conf.top):
        for variable in setting.unresolved:
            if variable not in told:
                told.add(variable)
                where = f"line {setting.line} of {setting.file}"
                if redact.speaks_of_a_secret(variable) or variable.lower().endswith("dsn"):
                    yield f"env-file = ...   a file with {variable}, which {where} needs: a secret has no place here"
                else:
                    yield f"env.{variable} = ...   {where} needs it; or give an env-file"


def _settings(section: Section) -> Iterator[Setting]:
    yield from section.settings
    for inner in section.sections:
        yield from _settings(inner)
