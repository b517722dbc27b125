"""Draft a clients.ini from what a site has: zope.conf files, a buildout's ``parts``, a balancer, a compose file, an
Ansible inventory.

A draft states what the files say, and says in a comment what they do not.  Where a client's host is not known it is a
name below ``.invalid``, which nothing can resolve (RFC 6761): a draft that nobody completed contacts nobody.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from zcheck.commands.init import ansible, services
from zcheck.commands.init.balancers import balanced, haproxy, pound_servers
from zcheck.commands.init.found import Everything, FoundBalancer, FoundZeo, InitError
from zcheck.commands.init.kinds import Kind, Unread, kind_of
from zcheck.commands.init.rendering import named_apart, rendered
from zcheck.commands.init.zopes import name_of, of_wsgi_ini, of_zope_conf, reader
from zcheck.parsers import clients_ini, compose, zeo_conf
from zcheck.parsers import wsgi_ini as wsgiconf
from zcheck.probes import files

__all__ = ["InitError", "draft"]

MAX_FILES = 500
MAX_ENTRIES = 20_000
MAX_DEPTH = 6
"""How far a folder is searched, and for how much."""
MAX_REMARKS = 20

# Folders of a buildout or a checkout that hold other people's sample files.
_NOT_SEARCHED = frozenset({"bin", "develop-eggs", "eggs", "lib", "node_modules", "site-packages", "src", "var", "venv"})
_FILE_NAMES = re.compile(
    r"(zope|zeo|haproxy|pound)[\w.-]*\.(conf|cfg)$|(docker-)?compose[\w.-]*\.ya?ml$|[\w.-]+\.ini$", re.IGNORECASE
)


def draft(paths: Sequence[str], ansible_inventory: str | None = None, group: str | None = None) -> str:
    """The text of a clients.ini for what these files and folders tell; without any, for the current folder.

    ``ansible_inventory`` is a file of that kind, of whose hosts those of ``group`` are meant.  Paths in the draft are
    relative to where ``paths`` are: it belongs into the current folder.  Raises :exc:`InitError`.
    """
    found = Everything()
    try:
        _read_all(paths or (["."] if ansible_inventory is None else []), found)
        if ansible_inventory is not None:
            clients, notes = ansible.hosts(ansible_inventory, group)
            found.clients += clients
            found.notes += notes
    except files.CannotRead as error:
        raise InitError(str(error)) from None
    for balancer in found.balancers:
        found.clients = balanced(found.clients, balancer)
    if not found.clients:
        where = ", ".join([*paths, *([ansible_inventory] if ansible_inventory else [])]) or "this folder"
        raise InitError(f"{where}: no client; give zope.conf files, or a balancer's")
    found.clients = named_apart(found.clients)
    text = "\n".join(rendered(found)) + "\n"
    clients_ini.parse(text, "clients.ini")
    return text


# --- files and folders -----------------------------------------------------------------------------


def _read_all(paths: Sequence[str], found: Everything) -> None:
    """What is named, and what folders hold.

    What cannot be used is an error where it is named; what a folder holds is a remark, and an error where that is all.
    """
    named = [path for path in paths if not Path(path).is_dir()]
    within = [path for path in _expanded(paths) if path not in named]
    refused: list[str] = []
    inis: list[str] = []
    compose_files: list[str] = []
    for path in [*named, *within]:
        text = ""
        try:
            text = files.read_text(path)
            kind = kind_of(path, text)
            if kind is Kind.WSGI_INI and path in within:
                inis.append(path)
            elif kind is Kind.COMPOSE:
                compose_files.append(path)
            elif path in named or kind is not None or not path.endswith(".ini"):
                _read(path, text, kind, found)
        except (InitError, compose.ComposeError, files.CannotRead) as error:
            is_compose = isinstance(error, compose.ComposeError) and re.search(r"^services\s*:", text, re.MULTILINE)
            said = f"{error}; {services.INSTEAD}" if is_compose else str(error)
            if path in named:
                raise InitError(said) from None
            refused.append(said)
    for path in inis:
        # After every zope.conf: most inis are of one that is there already.
        _of_wsgi_ini(path, files.read_text(path), found, is_named=False)
    _of_compose_files(compose_files, named, found, refused)
    if refused and not (found.clients or found.balancers or found.zeo_servers):
        raise InitError(refused[0])
    found.notes += [f"not used: {one}" for one in refused[:MAX_REMARKS]]


def _of_compose_files(paths: Sequence[str], named: Sequence[str], found: Everything, refused: list[str]) -> None:
    for project in services.projects(paths):
        found_there = [path for path in project if path not in named]
        used = [path for path in project if path in named]
        if not used:
            # Of several in a folder the usual one counts: the others may be for other machines or for tests.
            usual = [path for path in found_there if Path(path).name in compose.DEFAULT_NAMES]
            used = usual[:1] or found_there[:1]
        for path in found_there:
            if path not in used and not services.OVERRIDES.search(path):
                found.notes.append(f"not used: {path}; name it after {used[0]} if compose is given both")
        before = len(found.clients)
        try:
            services.of_compose(used, found)
        except (InitError, files.CannotRead) as error:
            if any(path in named for path in used):
                raise InitError(str(error)) from None
            refused.append(str(error))
        own = services.mounted_confs(found.clients[before:])
        found.clients = [
            one
            for at, one in enumerate(found.clients)
            if at >= before or one.conf is None or os.path.realpath(one.conf.file) not in own
        ]


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


def _read(path: str, text: str, kind: Kind | Unread | None, found: Everything) -> None:
    if isinstance(kind, Unread):
        where = path if kind.line is None else f"{path}:{kind.line}"
        what = f"{kind.what} configuration" if kind.what.endswith("'s") else kind.what
        raise InitError(f"{where}: this is {what}, which is not read here; {kind.instead}")
    if kind is Kind.ZOPE:
        _add_conf(found, path, text)
    elif kind is Kind.ZEO:
        found.zeo_servers.append(FoundZeo(name_of(path), zeo_conf.parse(text, path, {}, reader(path))))
    elif kind is Kind.HAPROXY:
        found.balancers.append(haproxy(path, text))
    elif kind is Kind.POUND:
        found.balancers.append(FoundBalancer("pound", path, tuple(pound_servers(text))))
    elif kind is Kind.WSGI_INI:
        _of_wsgi_ini(path, text, found, is_named=True)
    elif kind is Kind.BUILDOUT:
        _of_buildout(path, found)
    else:
        raise InitError(f"{path}: neither a zope.conf nor a balancer's, a buildout's or a compose file")


def _of_buildout(path: str, found: Everything) -> None:
    """What the buildout has written into ``parts`` beside it; its recipes are not run here."""
    parts = Path(path).parent / "parts"
    if not parts.is_dir():
        raise InitError(f"{path}: there is no folder {parts}; run bin/buildout first, or name the zope.conf files")
    _read_all([str(parts)], found)


def _of_wsgi_ini(path: str, text: str, found: Everything, *, is_named: bool) -> None:
    """The client that an ini file starts: that of its zope.conf, where it is here."""
    conf = wsgiconf.parse(text, path)
    zope_conf = os.path.normpath(conf.zope_conf) if conf.zope_conf is not None else None
    if zope_conf is not None and Path(zope_conf).is_file():
        _add_conf(found, zope_conf, files.read_text(zope_conf), path)
    elif is_named or (conf.zope_conf is not None and not _is_used(path, found)):
        found.clients.append(of_wsgi_ini(path, conf))


def _is_used(ini: str, found: Everything) -> bool:
    return any(os.path.realpath(client.ini) == os.path.realpath(ini) for client in found.clients if client.ini)


def _add_conf(found: Everything, path: str, text: str, wsgi_ini: str | None = None) -> None:
    """The client of a zope.conf, unless it is there already: an ini file names a conf that may be given as well."""
    real = os.path.realpath(path)
    for at, client in enumerate(found.clients):
        if client.conf is not None and os.path.realpath(client.conf.file) == real:
            if wsgi_ini is not None and not _is_used(wsgi_ini, found):
                said = f"{wsgi_ini} starts this zope.conf as well: write a section of its own if both run"
                found.clients[at] = msgspec.structs.replace(client, notes=(*client.notes, said))
            return
    found.clients.append(of_zope_conf(path, text, wsgi_ini))
