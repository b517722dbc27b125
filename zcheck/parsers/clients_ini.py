"""clients.ini, read and found sound, or refused with the line and with what to write instead.

Pure: text in, :class:`zcheck.facts.Inventory` out.  iniconfig splits the text and keeps the lines; what it lets pass
and a person cannot have meant (an indented line, a header with something behind it) is refused before it sees the text.
No message shows what may be a secret: the value of a key whose name speaks of one, or the user in front of an ``@``.
"""

from __future__ import annotations

import datetime
import difflib
import ipaddress
import posixpath
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, get_args

import iniconfig
import msgspec

from zcheck.facts import (
    Alias,
    BalancerSection,
    Client,
    Credentials,
    DatabaseSection,
    HostPort,
    IniSection,
    Inventory,
    Role,
    SqlPin,
    Suppression,
    Thresholds,
    ZeoSection,
)
from zcheck.facts.addresses import HERE, InvalidAddress, is_loopback, parse_server
from zcheck.parsers.redact import speaks_of_a_secret

MAX_CHARACTERS = 4 * 1024 * 1024
"""A clients.ini of ten thousand clients is about 1 MiB; more than this is some other file."""

MAX_LINE = 65536
"""Characters of one line; an environment variable may hold a long value, and nothing else does."""

OPTIONS = frozenset(
    {
        "deadline",
        "facts",
        "fail-on",
        "gathered",
        "max-rate",
        "no-state",
        "offline",
        "only",
        "output",
        "pause-file",
        "quiet",
        "read-only",
        "receipt",
        "save-facts",
        "skip",
        "timeout",
        "timings",
        "verbose",
        # Thresholds, by the name of the check that has one.
        "client-answers-quickly",
        "client-restarted-since-edit",
        "clocks-agree",
        "connections-fit-threads",
        "propagation-is-quick",
    }
)
"""What ``[zcheck]`` may hold: the long options of ``preflight``, and thresholds.  Who uses a value validates it."""

SECTIONS = ("cluster", "client", "hosts", "zeo", "database", "balancer", "suppress", "zcheck")
NAMED_SECTIONS = frozenset({"client", "zeo", "database", "balancer", "suppress"})

PASSWORD_SOURCES = ("password-file", "password-env", "password")
CLUSTER_KEYS = frozenset({"name", "user", "site", "zeo", "storage", *PASSWORD_SOURCES})
CLIENT_KEYS = frozenset(
    {
        "address",
        "balancer-server",
        "connect",
        "env-file",
        "host-header",
        "ini-vars",
        "listens",
        "machine",
        "role",
        "tls",
        "via",
        "wsgi-ini",
        "zope-conf",
    }
)
ZEO_KEYS = frozenset({"address", "aliases", "conf", "connect", "env-file", "machine", "replica-of", "via"})
DATABASE_KEYS = frozenset(
    {"aliases", "connect", "password-env", "password-file", "replica-of", "sql", "storage", "zeo"}
)
SQL_ADAPTERS: dict[str, tuple[Literal["postgresql", "mysql", "oracle", "sqlite3"], int]] = {
    "postgresql": ("postgresql", 5432),
    "postgres": ("postgresql", 5432),
    "mysql": ("mysql", 3306),
    "mariadb": ("mysql", 3306),
    "oracle": ("oracle", 1521),
    "sqlite": ("sqlite3", 0),
    "sqlite3": ("sqlite3", 0),
}
"""The schemes of ``sql``: RelStorage's name for the adapter, and the port that its drivers take by default."""
SUPPRESSION_KEYS = frozenset({"check", "clients", "expires", "reason"})
BALANCER_TYPES = ("haproxy",)
BALANCER_PATHS = ("config", "state-file", "admin-socket")
BALANCER_KEYS = frozenset(
    {"type", "backend", "balance", "group", "health-path", "log", "maxconn", "other-backends"}
    | {"public-bind", "status-bind", "user"}
    | set(BALANCER_PATHS)
    | {
        f"timeout-{what}"
        for what in (
            "check",
            "client",
            "client-fin",
            "connect",
            "http-keep-alive",
            "http-request",
            "queue",
            "server",
            "server-fin",
            "tarpit",
            "tunnel",
        )
    }
)

_ROLES: tuple[Role, ...] = get_args(Role)
_YES_NO = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}

# What no line of a clients.ini holds: control characters, and those that turn the direction of what is displayed.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Not compiled at start, which takes as long as reading a hundred clients: most files are ASCII.
_REORDERING = "[\u2028\u2029\u202a-\u202e\u2066-\u2069]"
_COMMENT = re.compile(r"(?:^|\s)[;#].*$")
_OF_ZOPE_CONF = re.compile(r"\s*(<zodb_db\b|%define\b|%import\b|%include\b|instancehome\s)", re.IGNORECASE)
_HEADER = re.compile(r"\[([^\[\];#]*)\](?:\s+[;#].*)?$")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_HOST_PORT = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*)):([0-9]{1,5})")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USERINFO = re.compile(r"[^\s/@]+@")


class InventoryError(ValueError):
    """clients.ini cannot be used as it is.

    ``str()`` is ``clients.ini:LINE: what is wrong; what to write``, without the line where none applies.
    """

    def __init__(self, file: str, line: int | None, message: str, advice: str = "") -> None:
        self.file = file
        self.line = line
        self.message = message
        self.advice = advice
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {message}" + (f"; {advice}" if advice else ""))


def parse(text: str, file: str, known_checks: Collection[str] = ()) -> Inventory:
    """Read the text of a clients.ini; relative paths in it are joined to the folder of ``file``.

    ``known_checks``, where given, are the names that a suppression may have.  Bytes that are not UTF-8 should have been
    decoded with ``surrogateescape``: they are allowed in comments.  Raises :exc:`InventoryError`.
    """
    parts = _split(text, file)
    clients = tuple(_client(part) for part in parts if part.kind == "client")
    if not clients:
        raise InventoryError(file, None, "no client", "write a section [client:NAME] with address = HOST:PORT")
    cluster = next((part for part in parts if part.kind == "cluster"), _Part(file, IniSection("cluster", 1), {}))
    cluster.allow(CLUSTER_KEYS)
    databases = _databases([part for part in parts if part.kind == "database"])
    main = _main_database(cluster, [part for part in parts if part.kind == "database"])
    options = next((part for part in parts if part.kind == "zcheck"), cluster)
    return Inventory(
        file=file,
        name=cluster.get("name") or "cluster",
        clients=clients,
        cluster=cluster.section,
        credentials=_credentials(cluster),
        site=_site(cluster),
        pinned_zeo=tuple(main.server("zeo", one) for one in _several(main.get("zeo"))),
        pinned_storage=main.word("storage"),
        hosts=next((_hosts(part) for part in parts if part.kind == "hosts"), {}),
        zeo_servers=_zeo_servers([part for part in parts if part.kind == "zeo"]),
        databases=databases,
        balancers=tuple(_balancer(part) for part in parts if part.kind == "balancer"),
        suppressions=tuple(_suppression(part, known_checks) for part in parts if part.kind == "suppress"),
        options=_options(options) if options is not cluster else {},
    )


def inline_password(text: str) -> str | None:
    """The value of ``password`` in ``[cluster]``, for whoever logs in; None where there is none.

    It is never part of an :class:`~zcheck.facts.Inventory`.  The text is one that :func:`parse` accepted.
    """
    cluster = next((part for part in _split(text, "clients.ini") if part.kind == "cluster"), None)
    return cluster.get("password") if cluster else None


def host_port(text: str) -> HostPort:
    """Read ``HOST:PORT`` as a balancer would be given it; ValueError with the reason otherwise."""
    if "://" in text:
        raise ValueError("has a scheme in front")
    if "@" in text:
        raise ValueError("has a user in front")
    if "/" in text:
        raise ValueError("has a path behind")
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise ValueError(_what_is_missing(text))
    host = match[2] if match[1] is None else match[1]
    if match[1] is not None and not _is_ip(host, ipaddress.IPv6Address):
        raise ValueError("has brackets around what is no IPv6 address")
    if match[1] is None and not _HOST.fullmatch(host):
        raise ValueError("has no host that a machine could have")
    return HostPort(host, _port(match[3]))


# --- the text --------------------------------------------------------------------------------------


class _Part(msgspec.Struct, frozen=True):
    """One section: its values without comments, its lines, and how to read a value or refuse it."""

    file: str
    section: IniSection
    values: dict[str, str]

    @property
    def kind(self) -> str:
        return self.section.name.partition(":")[0]

    @property
    def name(self) -> str:
        return self.section.name.partition(":")[2]

    def error(self, key: str, message: str, advice: str = "") -> InventoryError:
        return InventoryError(self.file, self.section.line_of(key), message, advice)

    def bad(self, key: str, what: str, advice: str, value: str | None = None) -> InventoryError:
        """The value of ``key`` is wrong; it is shown where it cannot be a secret."""
        return self.error(key, f"{key} {_shown(key, value or self.values[key])} {what}", advice)

    def allow(self, known: Collection[str], prefix: str = "") -> None:
        """Refuse a key that this section does not have."""
        for key, value in self.values.items():
            is_variable = bool(prefix) and key.startswith(prefix)
            if key not in known and not is_variable:
                wrong = f"unknown key {_quoted(key)} in [{self.section.name}]"
                raise self.error(key, wrong, _instead(key, known))
            if not value and not is_variable:
                raise self.error(key, f"{key} has no value", "write one, or remove the line")

    def get(self, key: str) -> str | None:
        return self.values.get(key)

    def required(self, key: str, example: str) -> str:
        if key not in self.values:
            raise self.error(key, f"[{self.section.name}] has no {key}", f"write {key} = {example}")
        return self.values[key]

    def word(self, key: str) -> str | None:
        """A value without white space."""
        value = self.get(key)
        if value is not None and len(value.split()) > 1:
            raise self.bad(key, "has white space in it", "write one word")
        return value

    def path(self, key: str) -> str | None:
        """A path, relative to the folder of clients.ini."""
        value = self.get(key)
        return None if value is None else _joined(self.file, value)

    def host_port(self, key: str) -> HostPort | None:
        value = self.get(key)
        if value is None:
            return None
        try:
            return host_port(value)
        except ValueError as error:
            raise self.bad(key, str(error), "write HOST:PORT, such as app1.example.com:8080 or [::1]:8080") from None

    def server(self, key: str, value: str) -> str:
        """A ZEO server as zope.conf would name it, read on zcheck's own machine."""
        try:
            if "://" in value or "@" in value:
                raise InvalidAddress("")
            parse_server(value, HERE)
        except InvalidAddress:
            advice = "write HOST:PORT, or the path of a unix socket, as in zope.conf"
            raise self.bad(key, "is no address of a ZEO server", advice, value) from None
        return value


def _split(text: str, file: str) -> tuple[_Part, ...]:
    """The sections of the text in its order, each known by its kind and soundly named."""
    if len(text) > MAX_CHARACTERS:
        raise InventoryError(file, None, f"larger than {MAX_CHARACTERS} characters", "this is no clients.ini")
    text = text.removeprefix("\N{BYTE ORDER MARK}")
    barred = _CONTROL.search(text) or (None if text.isascii() else re.search(_REORDERING, text))
    if barred is not None:
        number = text.count("\n", 0, barred.start()) + 1
        raise InventoryError(file, number, f"character U+{ord(barred[0]):04X} in the text", "remove it")
    lines = text.splitlines()
    _refuse_a_zope_conf(file, lines)
    for number, line in enumerate(lines, 1):
        _refuse_line(file, number, line)
    try:
        ini = iniconfig.IniConfig(file, data=text)
    except iniconfig.ParseError as error:
        raise _split_error(file, lines, error.lineno) from None
    return tuple(_part(file, section) for section in ini)


def _refuse_a_zope_conf(file: str, lines: Sequence[str]) -> None:
    """Who gives the file that is to be judged is told what is wanted, not what is wrong with its first line."""
    if any(line.startswith("[") for line in lines):
        return
    for number, line in enumerate(lines, 1):
        if _OF_ZOPE_CONF.match(line):
            advice = f"write 'zcheck init {file} > clients.ini', which makes one from it"
            raise InventoryError(file, number, "this is a zope.conf, not a clients.ini", advice)


def _refuse_line(file: str, number: int, line: str) -> None:
    """Refuse what iniconfig would take for the rest of the line before."""
    if not line.strip() or line.lstrip()[0] in ";#":
        return
    if len(line) > MAX_LINE:
        raise InventoryError(file, number, f"the line is longer than {MAX_LINE} characters", "this is no clients.ini")
    if line[0].isspace():
        advice = "remove the white space in front; a value is one line"
        raise InventoryError(file, number, "the line is indented", advice)
    if line[0] == "[" and not _HEADER.match(line):
        raise InventoryError(file, number, "not a section's header", "write [SECTION] or [SECTION:NAME] alone")


def _split_error(file: str, lines: Sequence[str], index: int) -> InventoryError:
    """Why iniconfig refused the line, in our words: its own message would show the whole line."""
    line = lines[index]
    header = _HEADER.match(line)
    headers = [number for number, one in enumerate(lines[:index]) if one.startswith("[")]
    if header is not None and not header[1]:
        return InventoryError(file, index + 1, "a section without a name", "write [client:NAME]")
    if header is not None:
        message = f"[{_clipped(header[1])}] is given twice"
        return InventoryError(file, index + 1, message, "put its keys into one section, or give each its own name")
    if "=" not in line and ":" not in line:
        return InventoryError(file, index + 1, "neither a section nor KEY = VALUE", "write KEY = VALUE")
    if not headers:
        advice = "write a section's header such as [cluster] above it"
        return InventoryError(file, index + 1, "a key before the first section", advice)
    key = re.split("[=:]", line, maxsplit=1)[0].strip()
    section = lines[headers[-1]].split("]")[0] + "]"
    message = f"{_quoted(key)} is given twice in {_clipped(section)}"
    return InventoryError(file, index + 1, message, "keep one of the two lines")


def _part(file: str, section: iniconfig.SectionWrapper) -> _Part:
    line = section.config.lineof(section.name) or 1
    kind, _colon, name = section.name.partition(":")
    _refuse_section(file, line, section.name, kind, name)
    values, lines = {}, {}
    for key, value in section.items():
        lines[key] = section.lineof(key) or line
        values[key] = value if key == "password" else _COMMENT.sub("", value).strip()
        if not _is_text(key) or not _is_text(values[key]):
            raise InventoryError(file, lines[key], "not UTF-8", "save the file as UTF-8")
    return _Part(file, IniSection(section.name, line, lines), values)


def _refuse_section(file: str, line: int, header: str, kind: str, name: str) -> None:
    if kind not in SECTIONS:
        known = [f"[{one}:NAME]" if one in NAMED_SECTIONS else f"[{one}]" for one in SECTIONS]
        nearest = _nearest(kind, SECTIONS) or _nearest(header.split()[0] if header.split() else "", SECTIONS)
        advice = f"write {known[SECTIONS.index(nearest)]}" if nearest else f"write one of {', '.join(known)}"
        raise InventoryError(file, line, f"unknown section [{_clipped(header)}]", advice)
    if kind not in NAMED_SECTIONS and header != kind:
        raise InventoryError(file, line, f"[{kind}] takes no name", f"write [{kind}]")
    if kind in NAMED_SECTIONS and not name:
        raise InventoryError(file, line, f"[{_clipped(header)}] has no name", f"write [{kind}:NAME]")
    if kind in NAMED_SECTIONS and not _NAME.fullmatch(name):
        advice = "write up to 64 letters (a-z), digits, '.', '_' and '-', a letter or digit first"
        raise InventoryError(file, line, f"the name in [{_clipped(header)}] cannot be used", advice)


# --- the sections ----------------------------------------------------------------------------------


def _client(part: _Part) -> Client:
    part.allow(CLIENT_KEYS, prefix="env.")
    part.required("address", "HOST:PORT, such as app1.example.com:8080")
    address = part.host_port("address")
    assert address is not None
    there = _there(part)
    return Client(
        name=part.name,
        address=address,
        section=part.section,
        machine=_machine(part) or address.host,
        role=_role(part),
        connect=part.host_port("connect"),
        zope_conf=_path(part, "zope-conf", there),
        wsgi_ini=_path(part, "wsgi-ini", there),
        env_file=_path(part, "env-file", there),
        env=_environment(part),
        listens=_listens(part),
        ini_vars=_ini_variables(part),
        tls=_yes_no(part, "tls"),
        host_header=_host_header(part),
        balancer_server=part.word("balancer-server"),
        via=_command(part, "via"),
        lie_there=there,
    )


def _there(part: _Part) -> tuple[str, ...]:
    """The keys whose paths are those of the client's own machine: with ``via``, where a path is no relative one."""
    if "via" not in part.values:
        return ()
    return tuple(key for key in ("zope-conf", "wsgi-ini", "env-file") if (part.get(key) or "")[:1] in ("/", "~"))


def _path(part: _Part, key: str, there: tuple[str, ...]) -> str | None:
    """A path of another machine stays as it is written."""
    return part.get(key) if key in there else part.path(key)


def _machine(part: _Part) -> str | None:
    value = part.get("machine")
    if value is not None and not _HOST.fullmatch(value) and not _is_ip(value):
        raise part.bad("machine", "is no machine", "write a host's name or address, without a port")
    return value


def _role(part: _Part) -> Role:
    value = part.get("role") or "balanced"
    for role in _ROLES:
        if value == role:
            return role
    raise part.bad("role", "is not known", _instead(value, _ROLES))


def _yes_no(part: _Part, key: str) -> bool:
    value = part.get(key)
    if value is not None and value.lower() not in _YES_NO:
        raise part.bad(key, "is neither yes nor no", f"write {key} = yes or {key} = no")
    return value is not None and _YES_NO[value.lower()]


def _listens(part: _Part) -> int | None:
    value = part.get("listens")
    try:
        return None if value is None else _port(value)
    except ValueError as error:
        raise part.bad("listens", str(error), "write a port, 1 to 65535") from None


def _host_header(part: _Part) -> str | None:
    value = part.word("host-header")
    if value is None or _HOST.fullmatch(value):
        return value
    try:
        host_port(value)
    except ValueError:
        raise part.bad("host-header", "is no host", "write a host's name, such as www.example.com") from None
    return value


def _environment(part: _Part) -> dict[str, str]:
    found = {}
    for key, value in part.values.items():
        if key.startswith("env."):
            name = key.removeprefix("env.")
            if not _VARIABLE.fullmatch(name):
                advice = "write env.NAME = VALUE, the name of letters, digits and '_'"
                raise part.error(key, f"{_quoted(key)} names no variable", advice)
            found[name] = value
    return found


def _ini_variables(part: _Part) -> dict[str, str]:
    """``NAME=VALUE``, blanks between, as on the command line; quotes keep a blank."""
    value = part.get("ini-vars")
    advice = "write ini-vars = NAME=VALUE NAME=VALUE, as on the command line that starts the client"
    try:
        words = shlex.split(value or "")
    except ValueError:
        raise part.bad("ini-vars", "has a quote that is not closed", advice) from None
    pairs = [word.partition("=") for word in words]
    if any(not (name and equals) for name, equals, _ in pairs):
        raise part.bad("ini-vars", "is no list of NAME=VALUE", advice)
    return {name: text for name, _, text in pairs}


def _command(part: _Part, key: str) -> str | None:
    """A command line; it is never shown, since passwords are given in such."""
    value = part.get(key)
    try:
        if value is not None:
            shlex.split(value)
    except ValueError:
        advice = "close each quote; ' ;' and ' #' begin a comment, also within quotes"
        raise part.error(key, f"{key} is no command that a shell could split", advice) from None
    return value


def _credentials(part: _Part) -> Credentials | None:
    """Who writes at the HTTP level.  A user alone is no credentials: that level then says so itself."""
    user = part.get("user")
    sources = [key for key in PASSWORD_SOURCES if key in part.values]
    if len(sources) > 1:
        raise part.error(sources[1], f"{' and '.join(sources)} are given", "keep one of them")
    if sources and user is None:
        raise part.error(sources[0], f"{sources[0]} is given, but no user", "write user = NAME as well")
    if user is not None and ":" in user:
        raise part.error("user", "user has a ':' in it, which no login can send", "write the name alone")
    if not sources or user is None:
        return None
    (source,) = sources
    reference = {
        "password-file": part.path("password-file"),
        "password-env": part.get("password-env"),
        "password": part.file,
    }[source]
    assert reference is not None
    if source == "password-env" and not _VARIABLE.fullmatch(reference):
        raise part.error(source, "password-env names no variable", "write the variable's name, without '$'")
    return Credentials(user, source, reference, part.section.line_of(source))  # type: ignore[arg-type]


def _site(part: _Part) -> str | None:
    value = part.word("site")
    if value is None:
        return None
    path = value.rstrip("/")
    if "://" in value or not path.startswith("/"):
        raise part.bad("site", "is no path of a site", "write its path, such as /Plone")
    return path


def _hosts(part: _Part) -> dict[str, tuple[str, ...]]:
    hosts: dict[str, tuple[str, ...]] = {}
    for key, value in part.values.items():
        name = key.rstrip(".").lower()
        addresses = tuple(_several(value))
        if not _HOST.fullmatch(key) or _is_ip(key):
            raise part.error(key, f"{_quoted(key)} is no host name", "write NAME = ADDRESS")
        if name in hosts:
            raise part.error(key, f"{_quoted(key)} is given twice in [hosts]", "write all its addresses on one line")
        if not addresses or not all(_is_ip(one) for one in addresses):
            raise part.error(key, f"{_shown('', value)} is no IP address", f"write {name} = 192.0.2.1, say")
        if is_loopback(name) and not all(is_loopback(one) for one in addresses):
            raise part.error(key, f"{name} is each client's own machine", "give the machine another name")
        hosts[name] = addresses
    return hosts


def _zeo_servers(parts: Sequence[_Part]) -> tuple[ZeoSection, ...]:
    return tuple(_zeo_server(part, _leader(part, parts)) for part in parts)


def _zeo_server(part: _Part, leader: str | None) -> ZeoSection:
    part.allow(ZEO_KEYS, prefix="env.")
    address = part.required("address", "HOST:PORT, as zope.conf names the server")
    connect = part.get("connect")
    return ZeoSection(
        name=part.name,
        address=part.server("address", address),
        section=part.section,
        connect=None if connect is None else part.server("connect", connect),
        conf=part.path("conf"),
        machine=_machine(part),
        aliases=_aliases(part),
        replica_of=leader,
        env_file=part.path("env-file"),
        env=_environment(part),
        via=_command(part, "via"),
    )


def _aliases(part: _Part) -> tuple[Alias, ...]:
    """Other addresses of a server, each ``HOST:PORT`` or ``HOST:PORT@MACHINE``."""
    found = []
    for word in _several(part.get("aliases")):
        server, at, machine = word.partition("@")
        if at and not _HOST.fullmatch(machine) and not _is_ip(machine):
            advice = "write HOST:PORT@MACHINE, the machine by the name that 'machine' of a client has"
            raise part.bad("aliases", "names no machine behind the '@'", advice, word)
        found.append(Alias(part.server("aliases", server), machine if at else None))
    return tuple(found)


def _leader(part: _Part, parts: Sequence[_Part]) -> str | None:
    """The section that ``replica-of`` names: another one of the same kind, which follows none itself."""
    leader = part.word("replica-of")
    if leader is None:
        return None
    others = {other.name: other for other in parts if other.name != part.name}
    if leader not in others:
        known = ", ".join(f"[{part.kind}:{name}]" for name in others)
        advice = f"write the NAME of {known}" if known else f"add the section [{part.kind}:{leader}]"
        raise part.bad("replica-of", f"names no other [{part.kind}:NAME]", advice)
    if "replica-of" in others[leader].values:
        raise part.bad("replica-of", "is a replica itself", f"write {others[leader].values['replica-of']}")
    return leader


def _main_database(cluster: _Part, parts: Sequence[_Part]) -> _Part:
    """Where ``zeo`` and ``storage`` of the root database stand: in ``[cluster]``, or in ``[database:main]``."""
    main = next((part for part in parts if part.name == "main"), None)
    if main is None or not main.values.keys() & {"zeo", "storage"}:
        return cluster
    for key in ("zeo", "storage"):
        if key in cluster.values:
            advice = "keep one of the two: [cluster] means database main as well"
            raise main.error(
                next(k for k in ("zeo", "storage") if k in main.values), f"{key} is in [cluster] too", advice
            )
    return main


def _databases(parts: Sequence[_Part]) -> tuple[DatabaseSection, ...]:
    return tuple(_database(part, _leader(part, parts)) for part in parts)


def _database(part: _Part, leader: str | None) -> DatabaseSection:
    part.allow(DATABASE_KEYS)
    zeo = tuple(part.server("zeo", one) for one in _several(part.get("zeo")))
    sql = _sql(part)
    if sql is not None and (zeo or "storage" in part.values):
        raise part.error("sql", f"[{part.section.name}] is on ZEO and in SQL", "keep zeo and storage, or sql")
    if not zeo and sql is None and "storage" not in part.values:
        advice = "write zeo = HOST:PORT and storage = NAME, or sql = postgresql://HOST:PORT/NAME"
        raise part.error("", f"[{part.section.name}] pins nothing", advice)
    sources = [source for source in ("password-file", "password-env") if source in part.values]
    if len(sources) > 1:
        raise part.error(sources[1], f"{' and '.join(sources)} are given", "keep one of them")
    source: Literal["password-file", "password-env"] | None = None
    if sources:
        source = "password-file" if sources[0] == "password-file" else "password-env"
    connect = part.get("connect")
    return DatabaseSection(
        name=part.name.lower(),
        section=part.section,
        zeo=zeo,
        storage=part.word("storage"),
        sql=sql,
        connect=None if connect is None else part.server("connect", connect),
        password_source=source,
        password_reference=part.path("password-file") if source == "password-file" else part.word("password-env"),
        aliases=_aliases(part),
        replica_of=leader,
    )


def _sql(part: _Part) -> SqlPin | None:
    """``postgresql://[USER@]HOST[:PORT]/NAME``, or ``sqlite:///PATH``; never a password."""
    value = part.word("sql")
    if value is None:
        return None
    scheme, _, rest = value.partition("://")
    adapter, port = SQL_ADAPTERS.get(scheme.lower().partition("+")[0], (None, 0))
    example = "write sql = postgresql://HOST:PORT/NAME"
    if adapter is None or not rest:
        raise part.error("sql", "sql is no URL of a relational database", example)
    user, at, where = rest.rpartition("@")
    if ":" in user:
        raise part.error("sql", "sql has a password in it", "leave it out; password-file or password-env gives it")
    if adapter == "sqlite3":
        return SqlPin(adapter, "", 0, rest)
    host, slash, name = where.partition("/")
    name = name.partition("?")[0]
    if not slash or not name or not host:
        raise part.error("sql", "sql names no server and database", example)
    try:
        reached = host_port(host if re.search(r":[0-9]+$", host) else f"{host}:{port}")
    except ValueError as error:
        raise part.error("sql", f"the server in sql {error}", example) from None
    return SqlPin(adapter, reached.host, reached.port, name, user if at else "")


def _balancer(part: _Part) -> BalancerSection:
    part.allow(BALANCER_KEYS)
    if part.required("type", "haproxy") not in BALANCER_TYPES:
        raise part.bad("type", "is not known", _instead(part.values["type"], BALANCER_TYPES))
    values = dict(part.values)
    for key in BALANCER_PATHS:
        if key in values and not (key == "admin-socket" and _HOST_PORT.fullmatch(values[key])):
            values[key] = _joined(part.file, values[key])
    return BalancerSection(part.name, part.section, values)


def _suppression(part: _Part, known_checks: Collection[str]) -> Suppression:
    """A client that is not there (any more) is suppressions-are-current's finding, no reason to refuse the file."""
    part.allow(SUPPRESSION_KEYS)
    check = part.required("check", "NAME, the check whose finding you live with")
    if known_checks and check not in known_checks:
        raise part.bad("check", "is no check", _instead(check, known_checks))
    return Suppression(
        name=part.name,
        check=check,
        reason=part.required("reason", "why you live with it, for whoever reads this next"),
        section=part.section,
        clients=tuple(_several(part.get("clients"))),
        expires=_date(part, "expires"),
    )


def _date(part: _Part, key: str) -> str | None:
    value = part.get(key)
    if value is None:
        return None
    try:
        # date.fromisoformat takes more forms than one since Python 3.11.
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise ValueError
        return datetime.date.fromisoformat(value).isoformat()
    except ValueError:
        raise part.bad(key, "is no date", f"write {key} = YYYY-MM-DD") from None


def _options(part: _Part) -> dict[str, str]:
    part.allow(OPTIONS)
    for key in part.values:
        try:
            thresholds({key: part.values[key]})
        except ValueError:
            raise part.bad(key, "is no duration", "write seconds, or a number with s, m or h") from None
    return dict(part.values)


def thresholds(options: Mapping[str, str]) -> Thresholds:
    """The thresholds among the options of ``[zcheck]``, defaults for the rest; ValueError for what is no duration."""
    stated = {name: options[name.removesuffix("_s").replace("_", "-")] for name in _thresholds_in(options)}
    return Thresholds(**{name: duration(value) for name, value in stated.items()})


def _thresholds_in(options: Mapping[str, str]) -> Iterable[str]:
    return (name for name in Thresholds.__struct_fields__ if name.removesuffix("_s").replace("_", "-") in options)


def duration(text: str) -> float:
    """Seconds, from a number or one with ``s``, ``m`` or ``h``; ValueError for anything else, and for none at all."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smh]?)", text.strip())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if seconds <= 0:
        raise ValueError(f"{text!r} is no duration")
    return seconds


# --- words -----------------------------------------------------------------------------------------


def _joined(file: str, path: str) -> str:
    return posixpath.join(posixpath.dirname(file), path)


def _several(value: str | None) -> list[str]:
    """Blanks or commas between."""
    return (value or "").replace(",", " ").split()


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("has no port between 1 and 65535")
    return int(text)


def _what_is_missing(text: str) -> str:
    if text.count(":") > 1 and "[" not in text:
        return "has an IPv6 address without brackets" if _is_ip(text.rpartition(":")[0]) else "has more than one ':'"
    if ":" not in text or text.endswith("]"):
        return "has no port"
    return "is not HOST:PORT" if re.search(r":[0-9]{1,5}$", text) else "has no port between 1 and 65535"


def _is_ip(text: str, kind: type[object] = object) -> bool:
    try:
        return isinstance(ipaddress.ip_address(text), kind)
    except ValueError:
        return False


def _is_text(text: str) -> bool:
    """Whether it can be encoded: a byte that was not UTF-8 stands in the text as a lone surrogate."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _quoted(text: str) -> str:
    """A word of the file's own, short, and with nothing that a terminal would act upon."""
    return f"'{_clipped(text)}'"


def _shown(key: str, value: str) -> str:
    """A value for a message: never a secret, and never cut where the ``@`` behind a password would be lost."""
    if speaks_of_a_secret(key):
        return "***"
    return _quoted(_USERINFO.sub("***@", value)) if len(value) <= 300 else f"({len(value)} characters)"


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant.  Long names are not compared: that takes time in their square."""
    if len(name) > 64:
        return None
    by_lower = {one.lower(): one for one in known}
    matches = difflib.get_close_matches(name.lower().replace("_", "-"), by_lower, n=1)
    return by_lower[matches[0]] if matches else None


def _instead(name: str, known: Collection[str]) -> str:
    nearest = _nearest(name, known)
    if nearest is not None:
        return f"write '{nearest}'"
    listed = sorted(known)
    return f"write one of {', '.join(listed[:12])}" + (" ..." if len(listed) > 12 else "")
