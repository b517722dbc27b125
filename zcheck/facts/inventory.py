"""The facts of clients.ini and of the machine where zcheck runs."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Literal

import msgspec

Role = Literal["balanced", "candidate", "worker", "read-only"]


class ZeoTls(msgspec.Struct, frozen=True, order=True):
    """A client's ``<ssl>`` section: its files as zope.conf names them, never what is in them."""

    certificate: str
    key: str = ""
    authenticate: str = ""
    """A file or folder of authorities; empty: those of the system."""
    check_hostname: bool = True
    server_hostname: str = ""
    has_password: bool = False
    """Its key is opened by a function of the client's, which zcheck does not call."""


class HostPort(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """A TCP address as people write it; ``host`` is a name, an IPv4 or an IPv6 address without brackets."""

    host: str
    port: int
    tls: ZeoTls | None = None
    """How a ZEO server is dialled that is spoken to by TLS; None for everything else."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class IniSection(msgspec.Struct, frozen=True):
    """Where a section of clients.ini and each of its keys stand, for findings that point at them."""

    name: str
    line: int
    lines: dict[str, int] = {}

    def line_of(self, key: str) -> int:
        """The line of ``key``, or of the section where the key is left out."""
        return self.lines.get(key, self.line)


class Client(msgspec.Struct, frozen=True):
    """One ``[client:NAME]`` section.  Paths are joined to the folder of clients.ini."""

    name: str
    address: HostPort
    section: IniSection
    machine: str
    role: Role = "balanced"
    connect: HostPort | None = None
    zope_conf: str | None = None
    wsgi_ini: str | None = None
    env_file: str | None = None
    env: dict[str, str] = {}
    listens: int | None = None
    ini_vars: dict[str, str] = {}
    """The variables of the command that starts the client, for its ini (``runwsgi zope.ini http_port=8081``)."""
    tls: bool = False
    host_header: str | None = None
    balancer_server: str | None = None
    via: str | None = None
    """A command that runs Python on the client's machine, its script on stdin."""
    lie_there: tuple[str, ...] = ()
    """With ``via``: which of ``zope-conf``, ``wsgi-ini`` and ``env-file`` are paths of that machine, not of copies."""

    @property
    def dialled(self) -> HostPort:
        """Where zcheck itself connects: ``connect`` where it is given, else the address."""
        return self.connect or self.address


class Credentials(msgspec.Struct, frozen=True):
    """Who writes at the HTTP level and where the password comes from; never the password itself."""

    user: str
    source: Literal["password-file", "password-env", "password"]
    reference: str
    """The file's path, the variable's name, or the path of clients.ini for ``password``."""
    line: int


class Alias(msgspec.Struct, frozen=True):
    """Another address of a server: a tunnel's end, a published port, a pooler in front of it."""

    server: str
    """``HOST:PORT``, or the path of a unix socket."""
    machine: str | None = None
    """The one machine that means the server by it; None: it means the server to everybody."""

    def __str__(self) -> str:
        return self.server if self.machine is None else f"{self.server}@{self.machine}"


class ZeoSection(msgspec.Struct, frozen=True):
    """One ``[zeo:NAME]`` section: what is known of a ZEO server beside the clients' files."""

    name: str
    address: str
    section: IniSection
    connect: str | None = None
    conf: str | None = None
    machine: str | None = None
    aliases: tuple[Alias, ...] = ()
    replica_of: str | None = None
    """The NAME of the ``[zeo:NAME]`` section whose server this one follows."""
    env_file: str | None = None
    env: dict[str, str] = {}
    via: str | None = None
    """A command that runs Python on the server's own machine, its script on stdin."""


class SqlPin(msgspec.Struct, frozen=True):
    """The ``sql`` of a ``[database:NAME]`` section: where a relational database lives, never a password."""

    adapter: Literal["postgresql", "mysql", "oracle", "sqlite3"]
    host: str
    """Empty for SQLite."""
    port: int
    """0 for SQLite."""
    name: str
    """The database's name; a path for SQLite."""
    user: str = ""

    def __str__(self) -> str:
        if self.adapter == "sqlite3":
            return f"sqlite://{self.name}"
        return f"{self.adapter}://{self.user}{'@' if self.user else ''}{HostPort(self.host, self.port)}/{self.name}"


class DatabaseSection(msgspec.Struct, frozen=True):
    """One ``[database:NAME]`` section: where a database of the clients must be, or what follows such a one."""

    name: str
    section: IniSection
    zeo: tuple[str, ...] = ()
    storage: str | None = None
    sql: SqlPin | None = None
    connect: str | None = None
    """How to get to the server from here."""
    password_source: Literal["password-file", "password-env"] | None = None
    password_reference: str | None = None
    """The file's path or the variable's name; never the password itself."""
    aliases: tuple[Alias, ...] = ()
    replica_of: str | None = None
    """The NAME of the ``[database:NAME]`` section whose server this one follows."""


class BalancerSection(msgspec.Struct, frozen=True):
    """One ``[balancer:NAME]`` section, its values as written (paths joined)."""

    name: str
    section: IniSection
    values: dict[str, str] = {}


class Suppression(msgspec.Struct, frozen=True):
    """One ``[suppress:NAME]`` section: a finding that somebody has decided to live with."""

    name: str
    check: str
    reason: str
    section: IniSection
    clients: tuple[str, ...] = ()
    """Empty: all clients."""
    expires: str | None = None
    """An ISO date (UTC); the day itself is included."""


class Inventory(msgspec.Struct, frozen=True, dict=True):
    """clients.ini, read and found sound."""

    scope: ClassVar[str] = "cluster"
    file: str
    name: str
    clients: tuple[Client, ...]
    cluster: IniSection = IniSection("cluster", 1)
    credentials: Credentials | None = None
    site: str | None = None
    pinned_zeo: tuple[str, ...] = ()
    """The values of ``zeo``: the only servers that may be written to.  Empty: not pinned."""
    pinned_storage: str | None = None
    hosts: dict[str, tuple[str, ...]] = {}
    zeo_servers: tuple[ZeoSection, ...] = ()
    databases: tuple[DatabaseSection, ...] = ()
    balancers: tuple[BalancerSection, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    options: dict[str, str] = {}
    """The ``[zcheck]`` section: the same names as the command line's options."""

    @cached_property
    def client_names(self) -> tuple[str, ...]:
        return tuple(client.name for client in self.clients)

    @cached_property
    def _by_name(self) -> dict[str, Client]:
        return {client.name: client for client in reversed(self.clients)}

    def client(self, name: str) -> Client:
        """The client called ``name``; KeyError where there is none."""
        return self._by_name[name]

    @cached_property
    def writers(self) -> tuple[str, ...]:
        """The clients that are expected to accept edits: every role but ``read-only``."""
        return tuple(client.name for client in self.clients if client.role != "read-only")

    @property
    def ordered_pairs(self) -> tuple[tuple[str, str], ...]:
        """Every (writer, reader) of two different clients that a full proof covers."""
        return tuple((w, r) for w in self.writers for r in self.client_names if w != r)

    def database(self, name: str) -> DatabaseSection | None:
        """The ``[database:NAME]`` section of this name; None where there is none."""
        return next((section for section in self.databases if section.name == name), None)

    @cached_property
    def stated_machines(self) -> frozenset[str]:
        """The machines that clients.ini names by ``machine``: who shares one shares its folders as well."""
        named = [client.machine for client in self.clients if "machine" in client.section.lines]
        return frozenset([*named, *(server.machine for server in self.zeo_servers if server.machine is not None)])

    def located(self, names: Names | None) -> dict[str, frozenset[str]]:
        """What :func:`zcheck.facts.addresses.locate` found by this inventory and these names, for it to remember."""
        memo: tuple[Names | None, dict[str, frozenset[str]]] | None = self.__dict__.get("_located")
        if memo is None or memo[0] is not names:
            memo = self.__dict__["_located"] = (names, {})
        return memo[1]

    @property
    def pairs_total(self) -> int:
        """How many those are."""
        return len(self.writers) * (len(self.clients) - 1)


class SecretFile(msgspec.Struct, frozen=True):
    """A file that holds a password, and its permission bits (as ``stat`` gives them)."""

    file: str
    mode: int
    line: int
    """The line of clients.ini that makes it one."""


class SecretFiles(msgspec.Struct, frozen=True):
    """Every file from which this run takes a password."""

    scope: ClassVar[str] = "cluster"
    files: tuple[SecretFile, ...] = ()


class Names(msgspec.Struct, frozen=True):
    """What host names mean, by ``[hosts]`` first and by DNS after it.

    A name that is not in ``addresses`` was looked up and is unknown, or was not looked up at all.
    """

    scope: ClassVar[str] = "cluster"
    addresses: dict[str, tuple[str, ...]] = {}
    here: tuple[str, ...] = ()
    """The addresses of the machine where zcheck itself runs."""
    looked_up: bool = False
    """Whether DNS was asked: what is unknown then is unknown to it."""


class Today(msgspec.Struct, frozen=True):
    """The day of the run (UTC), for what expires: a check has no clock."""

    scope: ClassVar[str] = "cluster"
    date: str
    """An ISO date."""


class Thresholds(msgspec.Struct, frozen=True):
    """From where on a check finds something; each is an option of ``[zcheck]`` with the check's name.  Seconds."""

    scope: ClassVar[str] = "cluster"
    client_answers_quickly_s: float = 2.0
    client_restarted_since_edit_s: float = 2.0
    clocks_agree_s: float = 5.0
    propagation_is_quick_s: float = 1.0
