"""The kinds of fact: everything zcheck can know about a cluster, as frozen structs.

A *kind* is one of the classes below that carries a ``scope``: ``"client"`` (one value for each
client) or ``"cluster"`` (one value in all).  Probes make facts, checks read them, and nothing else
passes between the two.  What could not be learnt is a :class:`NotGathered`, what there was no reason
to learn is a :class:`LeftOut`; neither is ever an empty fact.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar

import msgspec

Role = Literal["balanced", "candidate", "worker", "read-only"]


class NotGathered(msgspec.Struct, frozen=True, tag=True):
    """A fact that was wanted and could not be had; a check that needs it is UNKNOWN."""

    reason: str
    hint: str = ""
    """What to do so that it can be had."""
    told_by: str = ""
    """Of the checks that need it, the one that is UNKNOWN for this reason; the others are skipped because of it.

    Several names, with blanks between: the first that is part of the run.
    """
    file: str = ""
    line: int | None = None
    """The line that is to be mended, where one is known."""


class LeftOut(msgspec.Struct, frozen=True, tag=True):
    """A fact that nobody wanted or that cannot exist; a check that needs it is skipped.

    ``because`` names the check whose finding is the cause, where there is one.
    """

    reason: str
    because: str | None = None


# --- clients.ini ---------------------------------------------------------------------------------


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


class ZeoSection(msgspec.Struct, frozen=True):
    """One ``[zeo:NAME]`` section: what is known of a ZEO server beside the clients' files."""

    name: str
    address: str
    section: IniSection
    connect: str | None = None
    conf: str | None = None
    machine: str | None = None


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

    def located(self, names: Names | None) -> dict[str, frozenset[str]]:
        """What :func:`zcheck.addresses.locate` found by this inventory and these names, for it to remember."""
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


# --- zope.conf -----------------------------------------------------------------------------------


class Setting(msgspec.Struct, frozen=True, gc=False):
    """One ``key value`` line of a ZConfig file, substituted; the key in lower case.

    ``unresolved`` names each ``$(NAME)`` that the inventory does not give; ``value`` then still shows it.
    """

    key: str
    value: str
    file: str
    line: int
    unresolved: tuple[str, ...] = ()
    seal: str = ""
    """Where ``value`` is hidden or shown in part: what it can be compared by (see :mod:`zcheck.redact`)."""


class Section(msgspec.Struct, frozen=True, gc=False):
    """One ``<type name>`` section with all that is in it, in the file's order."""

    type: str
    name: str | None
    file: str
    line: int
    end_line: int
    settings: tuple[Setting, ...] = ()
    sections: tuple[Section, ...] = ()

    def all(self, key: str) -> tuple[Setting, ...]:
        """Every line with this key."""
        return tuple([setting for setting in self.settings if setting.key == key])

    def first(self, key: str) -> Setting | None:
        """The line with this key, or None."""
        for setting in self.settings:
            if setting.key == key:
                return setting
        return None

    def value(self, key: str, default: str) -> str:
        """The value of this key, or ``default`` (which should be the schema's own)."""
        setting = self.first(key)
        return default if setting is None else setting.value

    def nested(self, *types: str) -> tuple[Section, ...]:
        """The sections directly inside, of these types."""
        return tuple(section for section in self.sections if section.type in types)


ZEO_CLIENT_TYPES = ("zeoclient", "clientstorage")


class Database(msgspec.Struct, frozen=True, dict=True):
    """One ``<zodb_db NAME>``: where it is mounted and the chain of storages below it."""

    name: str
    section: Section

    @cached_property
    def mount_points(self) -> tuple[Setting, ...]:
        return self.section.all("mount-point")

    @cached_property
    def mounts_root(self) -> bool:
        return any(setting.value.split(":", 1)[0] == "/" for setting in self.mount_points)

    @cached_property
    def chain(self) -> tuple[Section, ...]:
        """The storage sections from the outermost wrapper to the leaf.

        A wrapper is a storage section that holds another storage section; of a ``<demostorage>`` with
        ``base`` and ``changes`` the base is followed.
        """
        chain: list[Section] = []
        inner = _storage_in(self.section)
        while inner is not None:
            chain.append(inner)
            inner = _storage_in(inner)
        return tuple(chain)

    @cached_property
    def leaf(self) -> Section | None:
        """The storage that holds or fetches the data; None where the section has no storage."""
        chain = self.chain
        return chain[-1] if chain else None

    @cached_property
    def is_zeo(self) -> bool:
        return self.leaf is not None and self.leaf.type in ZEO_CLIENT_TYPES

    @cached_property
    def servers(self) -> tuple[Setting, ...]:
        """The ``server`` lines; empty for a database that is not on ZEO."""
        return self.leaf.all("server") if self.leaf is not None and self.is_zeo else ()

    @cached_property
    def storage_name(self) -> str:
        """The server's name for the storage: ``storage``, by default ``1`` (ZODB/component.xml)."""
        return self.leaf.value("storage", "1") if self.leaf is not None else "1"


# Sections inside a storage that are no storage themselves.
_NOT_STORAGES = frozenset({"ssl", "postgresql", "mysql", "oracle", "sqlite3", "pragmas", "pragma", "driver", "options"})


def _storage_in(section: Section) -> Section | None:
    storages = [inner for inner in section.sections if inner.type not in _NOT_STORAGES]
    if section.type == "demostorage" and len(storages) > 1:
        bases = [inner for inner in storages if inner.name == "base"]
        return (bases or storages)[0]
    return storages[0] if storages else None


class ConfFault(msgspec.Struct, frozen=True):
    """Something in a configuration file that could not be read as Zope would read it.

    ``refused``: Zope itself does not start with it.  ``unread``: a part that zcheck could not have (an include).
    """

    kind: Literal["refused", "unread"]
    message: str
    file: str
    line: int | None = None
    hint: str = ""


class ZopeConf(msgspec.Struct, frozen=True, dict=True):
    """One client's zope.conf: its whole tree, each key with the file and line that it came from."""

    scope: ClassVar[str] = "client"
    file: str
    settings: tuple[Setting, ...] = ()
    sections: tuple[Section, ...] = ()
    imports: tuple[str, ...] = ()
    faults: tuple[ConfFault, ...] = ()
    lines: int = 0
    """Number of lines of the outermost file: where a missing section would go."""
    mtime: float | None = None
    """Seconds since the epoch; None where it is not known."""

    @cached_property
    def top(self) -> Section:
        """The file as one section, for reading top level keys."""
        return Section("", None, self.file, 1, self.lines, self.settings, self.sections)

    @cached_property
    def databases(self) -> tuple[Database, ...]:
        return tuple(Database(s.name or "", s) for s in self.sections if s.type == "zodb_db")

    def database(self, name: str) -> Database | None:
        return next((database for database in self.databases if database.name == name), None)

    @cached_property
    def root(self) -> Database | None:
        """The database mounted on ``/``; None where there is none."""
        return next((database for database in self.databases if database.mounts_root), None)


class WsgiConf(msgspec.Struct, frozen=True):
    """Where one client listens and with how many threads: what its zope.ini or wsgi.ini says, or Zope 2's zope.conf."""

    scope: ClassVar[str] = "client"
    file: str
    listen: tuple[HostPort, ...] = ()
    """Host ``*`` means every interface."""
    unix_sockets: tuple[str, ...] = ()
    threads: int | None = None
    zope_conf: str | None = None
    """The zope.conf that it starts the client with; None where that is not known."""
    faults: tuple[ConfFault, ...] = ()
    settings: tuple[Setting, ...] = ()
    """The lines that all this was read from: the server's, and ``zope_conf``."""
    listens_elsewhere: bool = False
    """Whether the client may listen on other addresses than those above; a fault says why that is not known."""

    def first(self, *keys: str) -> Setting | None:
        """The first line with one of these keys, or None."""
        return next((setting for setting in self.settings if setting.key in keys), None)


# --- a ZEO server's own file ---------------------------------------------------------------------


class ServedStorage(msgspec.Struct, frozen=True):
    """One storage that a ZEO server serves: a section of its file, with the name that clients ask for."""

    name: str
    section: Section

    @property
    def chain(self) -> tuple[Section, ...]:
        """The storage sections from the outermost wrapper to the leaf."""
        chain = [self.section]
        while (inner := _storage_in(chain[-1])) is not None:
            chain.append(inner)
        return tuple(chain)

    @property
    def leaf(self) -> Section:
        """The storage that holds the data."""
        return self.chain[-1]

    def setting(self, key: str) -> Setting | None:
        """The line with this key, of the outermost section that has one."""
        return next((found for section in self.chain if (found := section.first(key)) is not None), None)


# Sections at the top of a ZEO server's file that are no storages (ZEO/schema.xml, zdaemon, ZConfig's loggers).
_NOT_SERVED = frozenset({"zeo", "runner", "eventlog", "logger", "accesslog", "warnfilter"})


class ZeoConf(msgspec.Struct, frozen=True, tag=True):
    """One ZEO server's own configuration file: what it binds, and the storages that it serves."""

    file: str
    settings: tuple[Setting, ...] = ()
    sections: tuple[Section, ...] = ()
    imports: tuple[str, ...] = ()
    faults: tuple[ConfFault, ...] = ()
    lines: int = 0

    @property
    def zeo(self) -> Section | None:
        """The ``<zeo>`` section; None where there is none."""
        return next((section for section in self.sections if section.type == "zeo"), None)

    @property
    def address(self) -> Setting | None:
        """What the server binds; a bare port means every interface."""
        return self.zeo.first("address") if self.zeo is not None else None

    @property
    def storages(self) -> tuple[ServedStorage, ...]:
        """What it serves; one storage may have no name and is then called ``1`` (ZEO/runzeo.py)."""
        return tuple(ServedStorage(s.name or "1", s) for s in self.sections if s.type not in _NOT_SERVED)

    def storage(self, name: str) -> ServedStorage | None:
        return next((storage for storage in self.storages if storage.name == name), None)


class ZeoConfs(msgspec.Struct, frozen=True):
    """The ZEO servers' own files, by the NAME of the ``[zeo:NAME]`` section that gives one."""

    scope: ClassVar[str] = "cluster"
    confs: dict[str, ZeoConf | NotGathered] = {}


# --- the balancer --------------------------------------------------------------------------------


class HaproxyLine(msgspec.Struct, frozen=True):
    """One line of a haproxy.cfg as HAProxy splits it into words; secrets in it are hidden."""

    words: tuple[str, ...]
    file: str
    line: int
    unresolved: tuple[str, ...] = ()
    """The environment's variables that it names and that no file gives; ``words`` then still show them."""

    @property
    def keyword(self) -> str:
        """Its first word, a ``no`` in front left out."""
        return self.words[1] if self.words[0] == "no" and len(self.words) > 1 else self.words[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows the keyword."""
        return self.words[2:] if self.words[0] == "no" else self.words[1:]

    @property
    def negated(self) -> bool:
        return self.words[0] == "no"

    @property
    def text(self) -> str:
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(self.words))


class HaproxyServer(msgspec.Struct, frozen=True):
    """One ``server`` or ``server-template`` line, with what ``default-server`` lines before it say."""

    name: str
    address: str
    """As written."""
    host: str
    """Empty where no host is told: a unix socket, a descriptor, ``*``."""
    port: int | None
    """None where the line gives none that is known."""
    line: HaproxyLine
    options: dict[str, str] = {}
    """By keyword; a keyword without a value has an empty one."""
    count: int = 1
    """How many servers a ``server-template`` makes."""

    @property
    def disabled(self) -> bool:
        """Whether it starts in maintenance, so that nobody is sent to it until somebody enables it."""
        return "disabled" in self.options

    @property
    def cookie(self) -> str | None:
        return self.options.get("cookie")

    def number(self, key: str) -> int | None:
        """The whole number that this keyword has; None where it has none."""
        value = self.options.get(key, "")
        return int(value) if value.isdecimal() else None


class HealthRequest(msgspec.Struct, frozen=True):
    """The request by which a balancer finds out whether a server is up (``option httpchk`` and ``http-check``)."""

    method: str
    path: str
    line: HaproxyLine
    headers: tuple[tuple[str, str], ...] = ()
    expect: str = ""
    """What ``http-check expect`` says, as written; empty: any status of 2xx or 3xx."""


class HaproxySection(msgspec.Struct, frozen=True):
    """A section of a haproxy.cfg, and for a proxy what it takes from its ``defaults``."""

    kind: str
    name: str
    head: HaproxyLine
    lines: tuple[HaproxyLine, ...] = ()
    inherited: tuple[HaproxyLine, ...] = ()
    """The lines of the ``defaults`` that apply, the farthest first."""
    servers: tuple[HaproxyServer, ...] = ()
    health: HealthRequest | None = None
    """None where its health checks make no HTTP request."""

    def all(self, *keyword: str) -> tuple[HaproxyLine, ...]:
        """Every line that begins with these words, inherited ones first."""
        return tuple(
            line
            for line in (*self.inherited, *self.lines)
            if (line.keyword, *line.arguments)[: len(keyword)] == keyword
        )

    def last(self, *keyword: str) -> HaproxyLine | None:
        """The line with these words that counts: the last one; None where there is none or ``no`` takes it back."""
        found = self.all(*keyword)
        return found[-1] if found and not found[-1].negated else None


class HaproxyConf(msgspec.Struct, frozen=True, tag=True):
    """One HAProxy's configuration, all its files together."""

    files: tuple[str, ...]
    sections: tuple[HaproxySection, ...] = ()
    faults: tuple[ConfFault, ...] = ()
    backend: str | None = None
    """The backend that clients.ini names."""

    def of(self, *kinds: str) -> tuple[HaproxySection, ...]:
        """The sections of these kinds, in the files' order."""
        return tuple(section for section in self.sections if section.kind in kinds)

    def proxy(self, name: str, *kinds: str) -> HaproxySection | None:
        return next((section for section in self.of(*kinds) if section.name == name), None)

    @property
    def balancing(self) -> tuple[HaproxySection, ...]:
        """The backend that clients.ini names, else every section with servers."""
        with_servers = self.of("backend", "listen")
        if self.backend is not None:
            return tuple(section for section in with_servers if section.name == self.backend)
        return tuple(section for section in with_servers if section.servers)

    @property
    def unresolved(self) -> tuple[HaproxyLine, ...]:
        """Every line that names a variable of the environment that no file gives."""
        heads = tuple(section.head for section in self.sections)
        lines = (*heads, *(line for section in self.sections for line in section.lines))
        return tuple(line for line in lines if line.unresolved)


class Balancers(msgspec.Struct, frozen=True):
    """The balancers' configurations that could be read, by the NAME of the ``[balancer:NAME]`` section."""

    scope: ClassVar[str] = "cluster"
    confs: dict[str, HaproxyConf] = {}
    unread: tuple[str, ...] = ()
    """The balancers of which it could not; haproxy-config-is-valid tells why."""


class HaproxyAlert(msgspec.Struct, frozen=True):
    """One line that HAProxy printed about a configuration."""

    text: str
    file: str = ""
    line: int | None = None
    only_here: bool = False
    """It may be due to the machine on which zcheck runs: a name, a user or a file that is not known here."""
    fatal: bool = True
    """False for a warning."""


class HaproxyRun(msgspec.Struct, frozen=True, tag=True):
    """How ``haproxy -c -dW`` on a configuration ended."""

    version: str
    exit_code: int
    starts: bool
    """Whether it is accepted when warnings are let pass (``haproxy -c``)."""
    alerts: tuple[HaproxyAlert, ...] = ()


class BalancerVerdict(msgspec.Struct, frozen=True):
    """Whether one balancer's configuration could be read, and what HAProxy itself says of it."""

    files: tuple[str, ...]
    faults: tuple[ConfFault, ...] = ()
    run: HaproxyRun | NotGathered | LeftOut = LeftOut("not tried")


class BalancerVerdicts(msgspec.Struct, frozen=True):
    """The verdict on every balancer's configuration, by the NAME of its section."""

    scope: ClassVar[str] = "cluster"
    verdicts: dict[str, BalancerVerdict] = {}


class HealthAnswer(msgspec.Struct, frozen=True):
    """What one client answered to a balancer's health check, and to the same request for a path that cannot exist."""

    balancer: str
    request: HealthRequest
    status: int | None = None
    """None where it did not answer; ``detail`` says why."""
    detail: str = ""
    elapsed_s: float | None = None
    location: str = ""
    """Where a redirect points."""
    status_of_nothing: int | None = None
    """The answer to the path that cannot exist; None where it was not asked or gave none."""


class HealthAnswers(msgspec.Struct, frozen=True):
    """One client's answers to every balancer's health check."""

    scope: ClassVar[str] = "client"
    answers: tuple[HealthAnswer, ...] = ()


# --- what a client's own machine sees -------------------------------------------------------------


class ListeningProcess(msgspec.Struct, frozen=True):
    """The process that listens on a client's port, as its own machine shows it."""

    pid: int
    command: str = ""
    """Its program and its first arguments; what may be a secret is hidden."""
    started_at: float | None = None
    """Seconds since the epoch, by that machine's clock."""
    user: str = ""


ThereOutcome = Literal["answers", "accepts", "refused", "silent", "unreachable", "no-such-name", "something-else"]
"""``accepts``: the connection was made, and no more was tried, as the client speaks TLS there."""


class ServerFromThere(msgspec.Struct, frozen=True):
    """What one ZEO server that a client's zope.conf names does when the client's own machine dials it."""

    database: str
    server: str
    """As zope.conf writes it."""
    file: str
    line: int
    outcome: ThereOutcome
    detail: str = ""
    addresses: tuple[str, ...] = ()
    """What the name means there; empty for a unix path, and where the name means nothing."""
    protocol: str | None = None
    """The hello, such as ``Z5`` or ``M5``."""

    @property
    def works(self) -> bool:
        """Whether nothing speaks against the client's reaching it."""
        return self.outcome in ("answers", "accepts")

    def __str__(self) -> str:
        """What it does, as the end of a sentence."""
        said = {
            "refused": "refuses connections",
            "silent": "is silent",
            "unreachable": "cannot be reached",
            "no-such-name": "has a name that means nothing there",
            "something-else": "is no ZEO server",
        }
        return f"{self.server} {said.get(self.outcome, self.outcome)}" + (f" ({self.detail})" if self.detail else "")


class FolderThere(msgspec.Struct, frozen=True):
    """A folder that a database of a client's zope.conf names, as the client's own machine sees it."""

    database: str
    path: str
    use: Literal["blobs", "blob-cache", "cache"]
    """``blobs``: where the blobs themselves live (``shared-blob-dir on``)."""
    file: str
    line: int
    device: int | None = None
    """The number of its file system, which means something on that machine alone; None: the folder was not seen."""
    inode: int | None = None
    layout: str = ""
    """What its marker ``.layout`` says: ``bushy``, ``lawn`` or, for a cache, ``zeocache``; empty where it has none."""
    free_bytes: int | None = None
    why: str = ""
    """Why it was not seen."""


class SeenThere(msgspec.Struct, frozen=True):
    """What a client's own machine sees of it: gathered by its ``via``, or there by ``zcheck gather``."""

    scope: ClassVar[str] = "client"
    host: str
    """That machine's own name for itself."""
    addresses: tuple[str, ...] = ()
    """The addresses by which it knows itself, loopback left out."""
    process: ListeningProcess | None = None
    why_no_process: str = ""
    python_version: str = ""
    """Of the process; empty where it is not known."""
    distributions: dict[str, str] | None = None
    """What the process can import: name in lower case with ``-``, and version.  None where it is not known."""
    why_no_distributions: str = ""
    zope_conf: str = ""
    """The path of the zope.conf that the process was started with; empty where it is not known."""
    conf_mtime: float | None = None
    """When the file that clients.ini means was last changed, by that machine's clock; None for a copy."""
    clock: float | None = None
    """That machine's clock: seconds since the epoch, read between the two that follow."""
    asked_at: float | None = None
    """By the clock of zcheck's own machine, as is the next; None where ``zcheck gather`` ran there."""
    answered_at: float | None = None
    servers: tuple[ServerFromThere, ...] = ()
    folders: tuple[FolderThere, ...] = ()
    why_no_peers: str = ""
    """Why servers and folders were not looked at, where they were to be."""

    @property
    def is_inside(self) -> bool:
        """Whether this was surely seen from where the client's process itself is, not from around its container.

        That process then listens in the network that was looked at, has the files that were, and is a Python.
        """
        return self.process is not None and self.distributions is not None

    def cut_off(self, database: str) -> tuple[ServerFromThere, ...]:
        """The servers of a database, where none of them can be reached from where the client itself is; else none."""
        own = tuple(server for server in self.servers if server.database == database)
        return own if self.is_inside and not any(server.works for server in own) else ()

    @property
    def zope_version(self) -> str:
        """The version of Zope; empty where it is not known."""
        found = self.distributions or {}
        return found.get("zope") or found.get("zope2") or ""


class BlobMarker(msgspec.Struct, frozen=True):
    """A small file that one client's machine put into its folder of shared blobs, and who found it in theirs."""

    database: str
    writer: str
    path: str
    seen_by: dict[str, bool] = {}
    """By client: whether its own folder held the file."""
    unknown: dict[str, str] = {}
    """By client: why that could not be learnt."""


class SharedBlobs(msgspec.Struct, frozen=True):
    """What the marker files proved about folders of shared blobs."""

    scope: ClassVar[str] = "cluster"
    markers: tuple[BlobMarker, ...] = ()
    why_not: dict[str, str] = {}
    """By database: why no marker was written, where one would have been needed."""


# --- what a network peer answers -----------------------------------------------------------------


class PortAnswer(msgspec.Struct, frozen=True):
    """What a TCP connect to a client's address did."""

    scope: ClassVar[str] = "client"
    dialled: str
    outcome: Literal["open", "refused", "timeout", "unreachable", "unknown-name"]
    detail: str = ""
    connect_ms: float | None = None


class HttpAnswer(msgspec.Struct, frozen=True):
    """What a client answered to one cheap request (``GET /`` of its root, anonymous).

    ``outcome`` is ``http`` for any well-formed HTTP response; ``status`` and ``headers`` belong to it.
    """

    scope: ClassVar[str] = "client"
    outcome: Literal["http", "silent", "not-http", "reset", "too-slow", "tls-error"]
    detail: str = ""
    status: int | None = None
    headers: dict[str, str] = {}
    elapsed_ms: float | None = None
    asked_at: float | None = None
    """When the request was sent, by the clock of zcheck's own machine: seconds since the epoch."""
    answered_at: float | None = None
    """When the answer was complete, by the same clock."""


class DatabasePage(msgspec.Struct, frozen=True):
    """One database on a client's Control Panel: ``/Control_Panel/Database/NAME/manage_main``."""

    name: str
    location: str
    """The text of the row labelled "Database Location", without the connection state."""
    connected: bool | None = None
    """What the label says: (connected) or (disconnected); None where it says neither (no ZEO)."""


_UNITS = {"day": 86400, "hour": 3600, "min": 60, "sec": 1}


class ControlPanel(msgspec.Struct, frozen=True):
    """What a running client's Control Panel tells a manager."""

    scope: ClassVar[str] = "client"
    databases: tuple[DatabasePage, ...]
    zope_version: str | None = None
    python_version: str | None = None
    plone_version: str | None = None
    """Where clients.ini names a site and its REST API tells."""
    process_id: int | None = None
    running_for: str | None = None
    instance_home: str | None = None
    client_home: str | None = None
    read_at: float | None = None
    """When the page was complete, by the clock of zcheck's own machine: seconds since the epoch."""
    references_at: str | None = None
    """When the process first counted its references, by its own clock; asked only where two processes look alike."""

    def database(self, name: str) -> DatabasePage | None:
        return next((page for page in self.databases if page.name == name), None)

    @property
    def started_at(self) -> tuple[float, float] | None:
        """The earliest and the latest moment at which the process can have started, by zcheck's own clock; else None.

        "Running For", such as ``1 day 3 min 4 sec``, is good to one of the smallest unit that it shows.
        """
        found = re.findall(r"(\d+)\s*(day|hour|min|sec)", self.running_for or "")
        if not found or self.read_at is None:
            return None
        seconds = sum(int(count) * _UNITS[unit] for count, unit in found)
        unit_s = min(_UNITS[unit] for _, unit in found)
        return self.read_at - seconds - unit_s, self.read_at - seconds + unit_s

    def may_be(self, other: ControlPanel) -> bool:
        """Whether both may be one process, by its id, its homes and its start: in containers all are often alike."""
        mine, its = ((one.process_id, one.instance_home, one.client_home) for one in (self, other))
        if self.process_id is None or mine != its:
            return False
        since, other_since = self.started_at, other.started_at
        if since is None or other_since is None:
            # Where one does not tell since when it runs, nothing speaks against its being the other.
            return True
        return max(since[0], other_since[0]) - 1 <= min(since[1], other_since[1])


class LockReading(msgspec.Struct, frozen=True):
    """One look at a storage's commit lock by ``ruok``; ``at_s`` is on zcheck's own monotonic clock."""

    at_s: float
    lock_time: str | None
    commits: int
    waiting: int


class ZeoStorage(msgspec.Struct, frozen=True):
    """One storage as a ZEO server's ``ruok`` describes it."""

    connections: int
    last_transaction: str
    """16 hexadecimal digits; all zero: empty."""
    start: str = ""
    readings: tuple[LockReading, ...] = ()
    """One where no lock was held, else two at least 1 s apart."""

    @property
    def is_blocked(self) -> bool | None:
        """Whether the commit lock is stuck; None where it was held and no second reading could be had.

        Stuck is: the same ``lock_time`` in two readings at least a second apart while ``commits`` stands still.  No two
        clocks are compared, and a queue of waiting commits alone is normal under load.
        """
        if not self.readings:
            return None
        if any(reading.lock_time is None for reading in self.readings):
            return False
        first, last = self.readings[0], self.readings[-1]
        if first.lock_time != last.lock_time or first.commits != last.commits:
            return False
        return True if last.at_s - first.at_s >= 1.0 else None


ZeoOutcome = Literal[
    "answers",
    "refused",
    "unreachable",
    "unknown-name",
    "timeout",
    "silent",
    "http",
    "foreign",
    "too-old",
    # It speaks TLS and the client does not, or the client's files cannot be used here.
    "tls",
    # The client speaks TLS and it does not.
    "not-tls",
    # Both do, and one of them does not accept the other.
    "tls-failed",
]


class ZeoAnswer(msgspec.Struct, frozen=True):
    """What one ZEO server said when it was dialled for one ``server`` line of one database."""

    database: str
    server: str
    """As zope.conf writes it."""
    file: str
    line: int
    dialled: str
    here: bool
    """The dialled address is on the machine where zcheck runs."""
    outcome: ZeoOutcome
    detail: str = ""
    protocol: str | None = None
    """The hello, such as ``Z5`` or ``M5``."""
    storage: str = "1"
    """The storage that this client names."""
    storages: dict[str, ZeoStorage] = {}

    @property
    def is_dead(self) -> bool:
        """Whether there is surely no working ZEO server, wherever one asks from."""
        return self.outcome in ("silent", "http", "foreign") or (self.outcome == "refused" and self.here)


class ZeoAnswers(msgspec.Struct, frozen=True):
    """The answers of every ZEO server that one client's zope.conf names."""

    scope: ClassVar[str] = "client"
    answers: tuple[ZeoAnswer, ...] = ()

    def all_dead(self, database: str) -> bool:
        """Whether no server that is named for this database is a working one: zeo-server-answers tells of them all."""
        own = [answer for answer in self.answers if answer.database == database]
        return bool(own) and all(answer.is_dead for answer in own)


def tid_seconds(tid: str) -> float | None:
    """The time in a transaction's id of 16 hexadecimal digits, in seconds since the epoch; None where it has none.

    The first half counts minutes in a calendar whose months have 31 days, the second one is the fraction of a minute
    (persistent/timestamp.py).
    """
    try:
        number = int(tid, 16)
    except ValueError:
        return None
    minutes, fraction = number >> 32, number & 0xFFFFFFFF
    if not minutes:
        return None
    rest, minute = divmod(minutes, 60)
    rest, hour = divmod(rest, 24)
    rest, day = divmod(rest, 31)
    year, month = divmod(rest, 12)
    start = calendar.timegm((year + 1900, month + 1, day + 1, hour, minute, 0))
    return start + fraction * 60 / 2**32


class TidReading(msgspec.Struct, frozen=True):
    """A transaction's id, which is the time of its commit by the ZEO server's clock (seconds since the epoch).

    ``asked_at`` and ``answered_at`` are by the clock of zcheck's own machine.  ``bracketed``: it was committed between
    them; otherwise it was the newest one at ``answered_at``, and may be old.
    """

    server: str
    clients: tuple[str, ...]
    tid_s: float
    asked_at: float
    answered_at: float
    bracketed: bool = False


class ZeoClocks(msgspec.Struct, frozen=True):
    """What is known of the ZEO servers' clocks."""

    scope: ClassVar[str] = "cluster"
    readings: tuple[TidReading, ...] = ()


class ServerList(msgspec.Struct, frozen=True):
    """The newest transactions of one database, as the ZEO server of one running client lists them."""

    client: str
    database: str
    tids: tuple[str, ...]
    """16 hexadecimal digits each, the newest first; empty: there are none that could be undone."""
    asked_ns: int
    answered_ns: int
    """On zcheck's own monotonic clock."""


class ServerLists(msgspec.Struct, frozen=True):
    """What the running clients' own servers list: their truth, without a write."""

    scope: ClassVar[str] = "cluster"
    lists: tuple[ServerList, ...] = ()
    hung: tuple[str, ...] = ()
    """The clients that did not answer this request, which makes them ask their server."""
    not_asked: dict[str, str] = {}
    """By client: why it was not asked, where something is wrong with it."""


class OidRange(msgspec.Struct, frozen=True):
    """One answer to ``new_oids()``: the ``call``-th of the run, and the lowest and highest oid it gave."""

    call: int
    first: int
    last: int


class LoadsCount(msgspec.Struct, frozen=True):
    """How far one server's ``loads`` counter rose while ``reader`` loaded one record ``asked`` times."""

    reader: str
    asked: int
    rose_by: dict[str, int]
    """By client: as seen in the ``server_status`` of that client's connection."""


class StorageProof(msgspec.Struct, frozen=True):
    """Read-only evidence, taken through one client's connection, about which storage it reached."""

    client: str
    server: str
    """The address that answered the registration."""
    location: str = ""
    """The server's own name for the storage: the path of its Data.fs."""
    read_only: bool = False
    oids: tuple[OidRange, ...] = ()
    last_transaction: str = ""
    error: str = ""
    """Why there is no evidence; the other fields are then empty."""


class ZeoIdentity(msgspec.Struct, frozen=True):
    """For each database on ZEO, the proofs taken through every client's own ``server`` lines."""

    scope: ClassVar[str] = "cluster"
    databases: dict[str, tuple[StorageProof, ...]] = {}
    loads: dict[str, tuple[LoadsCount, ...]] = {}
    same_way: dict[str, dict[str, str]] = {}
    """By database, of very many clients: by client, the one whose connection stood for it."""
    why_not: str = ""
    """Why no connection was made at all; the others are then empty."""


class Remains(msgspec.Struct, frozen=True):
    """What this run found in the cluster after its own clean-up."""

    scope: ClassVar[str] = "cluster"
    left: tuple[str, ...] = ()
    """Each thing that is still there, in words, with the client or server that has it."""
    removal: str = ""
    """The command that removes it."""
    checked: tuple[str, ...] = ()
    """The clients and servers that were looked at."""
    connections: dict[str, tuple[int, int]] = {}
    """By server and storage: registered clients before and after this run."""
    unknown: tuple[str, ...] = ()
    """Where it could not be learnt whether anything is left."""
    ended_runs: tuple[str, ...] = ()
    """Earlier runs, by their ids, that ended before they had seen that nothing of theirs was left."""


Kind = TypeVar("Kind")
Made = TypeVar("Made")
Value = Any


class UndeclaredKind(Exception):
    """A check read a kind of fact that its ``needs`` and ``uses`` do not name."""


class Facts:
    """Facts by kind and subject; the subject of a cluster-wide fact is ``""``.

    A check is handed a *view*: it holds the kinds that the check declared, for the clients that it may judge.
    """

    def __init__(self, values: Mapping[type[Any], Mapping[str, Value]] | None = None) -> None:
        self._values: dict[type[Any], dict[str, Value]] = {k: dict(v) for k, v in (values or {}).items()}
        self._kinds: frozenset[type[Any]] | None = None
        self._clients: tuple[str, ...] | None = None
        self._each: dict[type[Any], dict[str, Any]] = {}
        self._once: dict[Callable[[Facts], Any], Any] = {}
        self._views: dict[tuple[str, ...], Facts] = {}

    def with_fact(self, subject: str, fact: Value, kind: type[Any] | None = None) -> Facts:
        """A copy with one more fact; ``kind`` must be told for NotGathered and LeftOut."""
        copy = Facts()
        kind = kind or type(fact)
        # The other kinds are shared: nothing that is in a Facts is ever changed.
        copy._values = {**self._values, kind: {**self._values.get(kind, {}), subject: fact}}
        return copy

    def with_facts(self, kind: type[Any], facts: Mapping[str, Value]) -> Facts:
        """A copy with one kind's facts of many clients."""
        copy = Facts()
        copy._values = {**self._values, kind: {**self._values.get(kind, {}), **facts}}
        return copy

    def has_all(self, kind: type[Any], clients: Iterable[str]) -> bool:
        """Whether this per-client kind was gathered for every one of these clients."""
        found = self._values.get(kind, {})
        return all(isinstance(found.get(client), kind) for client in clients)

    def view(self, kinds: Iterable[type[Any]], clients: Iterable[str]) -> Facts:
        """What one check may see."""
        view = Facts()
        view._values = self._values
        view._kinds = frozenset(kinds)
        view._clients = tuple(clients)
        # Views of the same clients see the same, and need to work it out once.
        like = self._views.setdefault(view._clients, view)
        view._each, view._once = like._each, like._once
        return view

    @property
    def clients(self) -> tuple[str, ...]:
        """The clients to be judged, in the inventory's order."""
        return self._clients if self._clients is not None else self.inventory.client_names

    @property
    def inventory(self) -> Inventory:
        """The inventory; every check may read it without declaring so."""
        found = self._values.get(Inventory, {}).get("")
        if not isinstance(found, Inventory):
            raise UndeclaredKind("there is no inventory among the facts")
        return found

    def raw(self, kind: type[Any], subject: str = "") -> Value | NotGathered | LeftOut | None:
        """What is stored, gathered or not; None where nothing was."""
        return self._values.get(kind, {}).get(subject)

    def each(self, kind: type[Kind]) -> dict[str, Kind]:
        """The gathered facts of one per-client kind, by client, for the clients to be judged; not to be changed."""
        self._allow(kind)
        if kind not in self._each:
            found = self._values.get(kind, {})
            self._each[kind] = {name: found[name] for name in self.clients if isinstance(found.get(name), kind)}
        return self._each[kind]

    def once(self, work: Callable[[Facts], Made]) -> Made:
        """What ``work`` makes of these facts, made once for all checks of the same clients; not to be changed."""
        if work not in self._once:
            self._once[work] = work(self)
        made: Made = self._once[work]
        return made

    def the(self, kind: type[Kind]) -> Kind:
        """The one fact of a cluster-wide kind; the runner has seen to it that a needed one is there."""
        self._allow(kind)
        found = self._values.get(kind, {}).get("")
        if not isinstance(found, kind):
            raise KeyError(kind.__name__)
        return found

    def maybe(self, kind: type[Kind]) -> Kind | None:
        """The one fact of a cluster-wide kind that the check merely ``uses``; None where it is absent."""
        self._allow(kind)
        found = self._values.get(kind, {}).get("")
        return found if isinstance(found, kind) else None

    def items(self) -> Iterator[tuple[type[Any], str, Value]]:
        """Everything that is stored: kind, subject, value."""
        for kind, subjects in self._values.items():
            for subject, value in subjects.items():
                yield kind, subject, value

    def _allow(self, kind: type[Any]) -> None:
        if self._kinds is not None and kind not in self._kinds and kind is not Inventory:
            raise UndeclaredKind(f"the check reads {kind.__name__}, which its needs and uses do not name")
