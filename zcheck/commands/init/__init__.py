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

from zcheck.commands.init import ansible
from zcheck.commands.init.balancers import balanced, haproxy_servers, haproxy_socket, pound_servers
from zcheck.commands.init.found import Everything, FoundBalancer, FoundServer, FoundZeo, InitError
from zcheck.commands.init.rendering import named_apart, rendered
from zcheck.commands.init.services import of_compose
from zcheck.commands.init.zopes import name_of, of_zope_conf, reader
from zcheck.parsers import clients_ini, zeo_conf
from zcheck.parsers import wsgi_ini as wsgiconf
from zcheck.probes import files

__all__ = ["FoundServer", "InitError", "draft", "haproxy_servers", "pound_servers"]

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


def draft(paths: Sequence[str], ansible_inventory: str | None = None, group: str | None = None) -> str:
    """The text of a clients.ini for what these files and folders tell; without any, for the current folder.

    ``ansible_inventory`` is a file of that kind, of whose hosts those of ``group`` are meant.  Paths in the draft are
    relative to where ``paths`` are: it belongs into the current folder.  Raises :exc:`InitError`.
    """
    found = Everything()
    try:
        for path in _expanded(paths or (["."] if ansible_inventory is None else [])):
            _read(path, found)
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


def _read(path: str, found: Everything) -> None:
    text = files.read_text(path)
    kind = "compose" if path.endswith((".yml", ".yaml")) else _kind(text)
    if kind == "zope":
        _add_conf(found, path, text)
    elif kind == "zeo":
        found.zeo_servers.append(FoundZeo(name_of(path), zeo_conf.parse(text, path, {}, reader(path))))
    elif kind == "haproxy":
        found.balancers.append(FoundBalancer("haproxy", path, tuple(haproxy_servers(text)), haproxy_socket(text)))
    elif kind == "pound":
        found.balancers.append(FoundBalancer("pound", path, tuple(pound_servers(text))))
    elif kind == "compose":
        of_compose(path, text, found)
    elif kind == "wsgi-ini":
        _of_wsgi_ini(path, text, found)
    elif kind == "buildout":
        _of_buildout(path, found)
    else:
        raise InitError(f"{path}: neither a zope.conf nor a balancer's, a buildout's or a compose file")


def _kind(text: str) -> str | None:
    return next((kind for kind, sign in _KINDS if sign.search(text)), None)


def _of_buildout(path: str, found: Everything) -> None:
    """What the buildout has written into ``parts`` beside it; its recipes are not run here."""
    parts = Path(path).parent / "parts"
    if not parts.is_dir():
        raise InitError(f"{path}: there is no folder {parts}; run bin/buildout first, or name the zope.conf files")
    for one in _expanded([str(parts)]):
        _read(one, found)


def _of_wsgi_ini(path: str, text: str, found: Everything) -> None:
    """The zope.conf that an ini file starts, which is the client's."""
    conf = wsgiconf.parse(text, path)
    if conf.zope_conf is None or not Path(conf.zope_conf).is_file():
        raise InitError(f"{path}: the zope.conf that it starts is not there; name it instead")
    zope_conf = os.path.normpath(conf.zope_conf)
    _add_conf(found, zope_conf, files.read_text(zope_conf), path)


def _add_conf(found: Everything, path: str, text: str, wsgi_ini: str | None = None) -> None:
    """The client of a zope.conf, unless it is there already: an ini file names a conf that may be given as well."""
    known = {os.path.realpath(client.conf.file) for client in found.clients if client.conf is not None}
    if os.path.realpath(path) not in known:
        found.clients.append(of_zope_conf(path, text, wsgi_ini))
