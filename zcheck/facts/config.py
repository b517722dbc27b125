"""The facts of configuration files: a client's zope.conf and ini, a ZEO server's own file."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Literal

import msgspec

from zcheck.facts.base import NotGathered
from zcheck.facts.inventory import HostPort


def spelt(unresolved: str) -> str:
    """How the file writes a name without a value: ``$(NAME)`` of the environment, ``$name`` of a ``%define``."""
    return unresolved if unresolved.startswith("$") else f"$({unresolved})"


class Setting(msgspec.Struct, frozen=True, gc=False):
    """One ``key value`` line of a ZConfig file, substituted; the key in lower case.

    ``unresolved`` names each ``$(NAME)`` that the inventory does not give, and as ``$name`` each definition that an
    included file has which could not be read; ``value`` then still shows it.
    """

    key: str
    value: str
    file: str
    line: int
    unresolved: tuple[str, ...] = ()
    seal: str = ""
    """Where ``value`` is hidden or shown in part: what it can be compared by (see :mod:`zcheck.parsers.redact`)."""


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
    ``unmeant``: it is accepted, and read as something else than whoever wrote it can have meant.
    """

    kind: Literal["refused", "unread", "unmeant"]
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
    named: tuple[str, ...] = ()
    """The variables of the environment that the file uses, as ``$(NAME)``."""
    variables: tuple[Setting, ...] = ()
    """The variables that clients.ini gives the client, whatever uses them."""

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
    application: str | None = None
    """The ``use`` of the application that is served, such as ``egg:Zope#main``; None where it is not known."""
    url_settings: tuple[Setting, ...] = ()
    """The lines of the server that change what an application takes for its public URL and its visitor's address."""
    is_plain: bool = False
    """Whether its server is known to speak HTTP/1 alone: neither TLS, nor HTTP/2, nor the PROXY protocol."""
    lacks_httpexceptions: Setting | None = None
    """The ``pipeline`` line without Zope's filter that makes answers of exceptions; None: it has it, or who knows."""
    listens_elsewhere: bool = False
    """Whether the client may listen on other addresses than those above; a fault says why that is not known."""

    def first(self, *keys: str) -> Setting | None:
        """The first line with one of these keys, or None."""
        return next((setting for setting in self.settings if setting.key in keys), None)

    @property
    def starts_zope_4(self) -> bool:
        """Whether what it starts is surely Zope 4 or later, whose distribution is called Zope (Zope 2's is Zope2)."""
        return (self.application or "").lower().partition("#")[0].strip() == "egg:zope"


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


TRUE = ("on", "true", "yes")
"""How ZConfig spells a boolean that holds (ZConfig.datatypes.asBoolean); the case does not matter."""


def is_on(setting: Setting | None) -> bool:
    """Whether a boolean key holds; an absent one does not."""
    return setting is not None and setting.value.lower() in TRUE
