"""What a source told of clients, servers and balancers: what a draft is made of."""

from __future__ import annotations

import re

import msgspec

from zcheck.facts import HostPort, ZeoConf, ZopeConf


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


class FoundZeo(msgspec.Struct, frozen=True):
    """A ZEO server: its own file, or a service of a compose file with the address that clients dial."""

    name: str
    conf: ZeoConf | None = None
    address: str = ""


class Everything(msgspec.Struct):
    """What was found so far."""

    clients: list[Found] = []
    balancers: list[FoundBalancer] = []
    zeo_servers: list[FoundZeo] = []
    notes: list[str] = []


def sanitised(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:40] or "app"
