"""What a source told of clients, servers and balancers: what a draft is made of."""

from __future__ import annotations

import re

import msgspec

from zcheck.facts import HostPort, ZeoConf, ZopeConf


class InitError(ValueError):
    """There is nothing that a draft could be made of; the message names the file and says why."""


class Root(msgspec.Struct, frozen=True):
    """Where a client's root database is, as its files have it."""

    type: str
    """Of the storage: ``zeoclient``, ``relstorage``, ``filestorage``; empty where no database is mounted at ``/``."""
    servers: str = ""
    """Of a ZEO client: its ``server`` values, blanks between."""
    storage: str = ""
    servers_need: tuple[str, ...] = ()
    """The variables in ``servers`` that no file gives."""
    storage_needs: tuple[str, ...] = ()

    @property
    def is_zeo(self) -> bool:
        return bool(self.servers)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A client as far as the files tell it."""

    name: str
    origin: str
    address: HostPort | None = None
    keys: tuple[tuple[str, str], ...] = ()
    """Keys of its section, with their values, below ``address``."""
    notes: tuple[str, ...] = ()
    conf: ZopeConf | None = None
    root: Root | None = None
    """None where no file tells."""
    ini: str = ""
    """The file that tells where it listens."""
    is_here: bool = False
    """Whether its instance home is a folder of this machine."""


class FoundServer(msgspec.Struct, frozen=True):
    """A server of a balancer: its section, its name there, its address as written, what is to be said of it."""

    section: str
    name: str
    address: str
    notes: tuple[str, ...] = ()
    is_template: bool = False
    """One of those that a ``server-template`` line makes: its address is a name for all of them."""


class AdminSocket(msgspec.Struct, frozen=True):
    """Where HAProxy takes commands: a path or HOST:PORT; ``opens``: whether it opens and closes servers there."""

    address: str
    opens: bool


class FoundBalancer(msgspec.Struct, frozen=True):
    """A balancer's own file."""

    type: str
    file: str
    servers: tuple[FoundServer, ...]
    socket: AdminSocket | None = None
    unread: str = ""
    """Why its file cannot be judged as it is: it is a template."""
    hosts: tuple[str, ...] = ()
    """Names that stand for several servers."""


class FoundZeo(msgspec.Struct, frozen=True):
    """A ZEO server: its own file, or a service of a compose file with the address that clients dial."""

    name: str
    conf: ZeoConf | None = None
    address: str = ""
    connect: str = ""
    notes: tuple[str, ...] = ()


class Everything(msgspec.Struct):
    """What was found so far."""

    clients: list[Found] = []
    balancers: list[FoundBalancer] = []
    zeo_servers: list[FoundZeo] = []
    notes: list[str] = []


def sanitised(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:40] or "app"
