"""Where a database in a relational database lives, as far as the files tell it.

What a driver is told elsewhere is unknown, and not this machine: the host of a libpq *service*, of ``PGHOST`` in an
environment that is not at hand, of a ``replica-conf`` or of MySQL's ``read_default_file``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

import msgspec

from zcheck.facts import Client, Database, DatabaseSection, Inventory, Names, Section, Setting, SqlPin, ZopeConf
from zcheck.facts.addresses import Endpoint, InvalidAddress, is_loopback, of_section, parse_server, same_server
from zcheck.facts.paths import normal_path

ADAPTERS = {"postgresql": 5432, "mysql": 3306, "oracle": 1521, "sqlite3": 0}
"""RelStorage's adapters and the ports that their drivers take by default."""

_PART = re.compile(r"(?<!\w)([a-zA-Z_]\w*)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)")
_URL = re.compile(r"[a-z0-9+]+://(?:([^@/\s]*)@)?([^/?\s]*)(?:/([^?\s]*))?(\?\S*)?$", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\(?\w+\)?")
_ALONE = re.compile(r"(?:^|\s)\$\(?\w+\)?(?=\s|$)")
# What libpq takes from the environment where the connection string has it not (libpq, 34.15).
_OF_LIBPQ = {
    "hostaddr": "PGHOSTADDR",
    "host": "PGHOST",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "service": "PGSERVICE",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
_ON_THE_PRIMARY = frozenset({"read-write", "primary"})


class Place(msgspec.Struct, frozen=True):
    """One database of a relational server, relative to the machine of the client whose file names it.

    None stands for what is not known.
    """

    adapter: str
    servers: tuple[Endpoint, ...] | None
    name: str | None
    """The database's name; a folder for SQLite, the connect string for Oracle."""
    user: str | None
    history: bool
    lock: str
    seal: str
    """Of the connection string, where options in it are hidden that may change its meaning; else empty."""
    elsewhere: str = ""
    """Where the rest stands that is not known, as a person would say it; empty where all is known."""
    any_order: bool = False
    """Of several servers the same one is used whatever their order: the one that takes writes."""

    def __str__(self) -> str:
        shown = f"{self.adapter} database"
        shown += f" {self.name or '(by the user)'}" if self.name is not None else ""
        if self.servers:
            shown += " on " + ", ".join(map(str, self.servers))
        shown += f" as {self.user}" if self.user else ""
        shown += f" {self.elsewhere}" if self.elsewhere else ""
        return shown + ("" if self.history else ", without history")


def adapter_of(database: Database) -> Section | None:
    """The section that says how the relational database is reached; None where the database is in none."""
    leaf = database.leaf
    if leaf is None or database.is_zeo:
        return None
    nested = leaf.nested(*ADAPTERS)
    if leaf.type == "relstorage":
        return nested[0] if nested else None
    return leaf if leaf.first("dsn") is not None else None


def lines_of(database: Database) -> list[Setting]:
    """The lines that say where the database lives."""
    adapter = adapter_of(database)
    if adapter is None or database.leaf is None:
        return []
    keys = ("dsn", "host", "port", "db", "user", "unix_socket", "read_default_file", "read_default_group", "data-dir")
    lines = [line for key in keys for line in adapter.all(key)]
    return lines + [line for key in ("keep-history", "commit-lock-id") for line in database.leaf.all(key)]


def open_lines(database: Database) -> list[Setting]:
    """Those of the lines in which a name without a value stands where it matters: in no password."""
    found = []
    for line in lines_of(database):
        shown = tuple(name for name in line.unresolved if name.lstrip("$") in line.value)
        if shown:
            found.append(msgspec.structs.replace(line, unresolved=shown))
    return found


def place_of(database: Database, client: Client, conf: ZopeConf) -> Place | None:
    """Where the database lives; None where it is in no relational database, or where nothing of it is known."""
    adapter, leaf = adapter_of(database), database.leaf
    if adapter is None or leaf is None:
        return None
    kind = adapter.type if adapter.type in ADAPTERS else "postgresql"
    dsn = adapter.first("dsn")
    if (
        dsn is not None
        and kind != "oracle"
        and dsn.unresolved
        and not _PART.search(dsn.value)
        and "://" not in dsn.value
    ):
        return None
    values: dict[str, str | None] = {setting.key: setting.value for setting in adapter.settings}
    options, elsewhere = "", ""
    if kind == "oracle":
        values = {"db": (values.get("dsn") or "").upper(), "user": (values.get("user") or "").upper()}
    elif kind == "postgresql" and dsn is not None:
        values = dict(_dsn(dsn.value))
        options = dsn.seal if "options" in values else ""
        elsewhere = _complete_by_libpq(values, client, conf)
        if _ALONE.search(dsn.value):
            for key in ("host", "port", "dbname", "user"):
                values.setdefault(key, None)
            elsewhere = elsewhere or "and what a variable adds"
    elif kind == "mysql" and values.keys() & {"read_default_file", "read_default_group"}:
        elsewhere = f"with what {values.get('read_default_file') or 'my.cnf'} of its machine says"
        for key in ("host", "port", "db", "user"):
            values.setdefault(key, None)
    values = {key: None if value is not None and _VARIABLE.search(value) else value for key, value in values.items()}
    if leaf.first("replica-conf") is not None:
        elsewhere = elsewhere or f"or one of {leaf.value('replica-conf', '')}"
    if None in values.values() and not elsewhere:
        elsewhere = "as far as it is known"
    servers: tuple[Endpoint, ...] | None = ()
    if kind in ("postgresql", "mysql"):
        servers = _servers(values, ADAPTERS[kind], client)
    if kind == "sqlite3" and values.get("data-dir"):
        values["data-dir"] = normal_path(values["data-dir"] or "")
    names = [values[key] for key in ("dbname", "db", "data-dir", "user") if key in values]
    return Place(
        adapter=kind if adapter is not leaf else leaf.type,
        servers=servers,
        name=next(iter(names), ""),
        user=values.get("user", ""),
        history=leaf.value("keep-history", "true").lower() not in ("off", "false", "no"),
        lock=leaf.value("commit-lock-id", ""),
        seal=options,
        elsewhere=elsewhere,
        any_order=values.get("target_session_attrs") in _ON_THE_PRIMARY or values.get("load_balance_hosts") == "random",
    )


def same_place(
    one: Place, other: Place, machines_alike: bool | None, inventory: Inventory, names: Names | None
) -> bool | None:
    """Whether both are one database; None where that cannot be told.  ``machines_alike``: those of the two clients."""
    if (one.adapter, one.history, one.lock) != (other.adapter, other.history, other.lock):
        return False
    if one.adapter == "sqlite3":
        return machines_alike if one.name == other.name else False
    if one.adapter == "oracle" and one.user != other.user:
        return False  # An Oracle user is a schema of its own.
    if machines_alike and one == other:
        return True  # What stands elsewhere on their machine stands there for both.
    names_alike: bool | None = None
    if one.name is not None and other.name is not None:
        # Oracle's connect strings are names of tnsnames.ora or descriptors: two of them may mean one database.
        names_alike = one.name == other.name or (None if one.adapter == "oracle" else False)
    verdict = all_of([names_alike, same_hosts(one, other, inventory, names)])
    if verdict is True and (one.user != other.user or one.seal != other.seal):
        return None  # Another user, or other options, may see other tables.
    return verdict


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Whether all hold: no, where one does not; else not known, where one is not."""
    known = list(answers)
    return False if False in known else None if None in known else True


def same_hosts(one: Place, other: Place, inventory: Inventory, names: Names | None) -> bool | None:
    """Whether both reach one server.  Of several the driver takes the first that answers."""
    if one.servers is None or other.servers is None:
        return None
    if not one.servers or not other.servers:
        return True if one.servers == other.servers else None

    def same(a: Endpoint, b: Endpoint) -> bool | None:
        verdict = same_server(a, b, inventory, names)
        if verdict is False and a.is_local and b.is_local and a.port == b.port != ADAPTERS.get(one.adapter, 5432):
            return None  # A pooler or a tunnel beside each client, which leads to one server as a rule.
        if verdict is False and a.port != b.port:
            # Another port of one machine may be that of a pooler.
            on_one = same_server(a, msgspec.structs.replace(b, port=a.port), inventory, names)
            return False if on_one is False else None
        return verdict

    if one.any_order and other.any_order:
        missing = [a for a in one.servers if not any(same(a, b) for b in other.servers)]
        missing += [b for b in other.servers if not any(same(a, b) for a in one.servers)]
        if not missing:
            return True
        apart = all(same(a, b) is False for a in one.servers for b in other.servers)
        return False if apart else None
    first = same(one.servers[0], other.servers[0])
    if first is not True:
        return first
    rest = [same(a, b) for a, b in zip(one.servers[1:], other.servers[1:], strict=False)]
    return True if len(one.servers) == len(other.servers) and all(rest) else None


def pin_place(pin: SqlPin, section: DatabaseSection) -> Place:
    """What clients.ini says of a database, in the form of what a client's file says."""
    server = of_section(section)
    return Place(pin.adapter, () if server is None else (server,), pin.name, pin.user or None, True, "", "")


def at_pin(place: Place, section: DatabaseSection, inventory: Inventory, names: Names | None) -> bool | None:
    """Whether the database is where this section says."""
    if section.sql is None:
        return None
    pin = pin_place(section.sql, section)
    if place.adapter in ADAPTERS and place.adapter != pin.adapter:
        return False
    name = None if place.name is None else place.name == pin.name
    user = True if pin.user is None or place.user == pin.user else None if place.user is None else False
    server = True if pin.adapter == "sqlite3" else same_hosts(place, pin, inventory, names)
    return all_of([name, server, user])


def _complete_by_libpq(values: dict[str, str | None], client: Client, conf: ZopeConf) -> str:
    """Add what libpq takes from the environment; give where the rest stands, as a person would say it."""
    given = _environment(client, conf)
    for key, variable in _OF_LIBPQ.items():
        if key not in values and variable in given and not (key == "host" and "hostaddr" in values):
            values[key] = given[variable]
    service = values.get("service")
    if "service" in values:
        for key in ("host", "dbname", "user", "port"):
            if key not in values and not (key == "host" and "hostaddr" in values):
                values[key] = None
        return f"of service {service or '(unknown)'}, which pg_service.conf of its machine describes"
    if not values.keys() & {"host", "hostaddr"}:
        values["host"] = None
        return "on this machine, or where PGHOST of its environment says"
    return ""


def _environment(client: Client, conf: ZopeConf) -> Mapping[str, str | None]:
    """The variables of libpq that the client surely has; None for a value that is not known."""
    found: dict[str, str | None] = {}
    for setting in conf.variables:
        if setting.key.startswith("PG"):
            found[setting.key] = None
    found |= {name: None if value == _HIDDEN else value for name, value in client.env.items() if name.startswith("PG")}
    for section in conf.top.nested("environment"):
        found |= {
            one.key: None if one.unresolved else one.value for one in section.settings if one.key.startswith("PG")
        }
    return found


_HIDDEN = "***"
"""What stands for a value in saved facts."""


def _servers(values: Mapping[str, str | None], port: int, client: Client) -> tuple[Endpoint, ...] | None:
    """The servers in their order; None where a host or port is not known."""
    given = values.get("hostaddr", values.get("host", ""))
    if given is None or (given == "" and values.get("unix_socket", "") is None):
        return None
    stated_port = values.get("port", str(port))
    if stated_port is None:
        return None
    hosts = given.split(",")
    ports = (stated_port or str(port)).split(",")
    found = []
    for number, host in enumerate(hosts):
        text = ports[number] if number < len(ports) else ports[0]
        reached = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else port
        local = not host or host.startswith(("/", "@")) or is_loopback(host)
        shown = f"{host or 'localhost'}:{reached}"
        if local:
            found.append(Endpoint(shown, client.machine, "127.0.0.1", reached))
            continue
        try:
            found.append(parse_server(f"[{host}]:{reached}" if ":" in host else f"{host}:{reached}", client.machine))
        except InvalidAddress:
            found.append(Endpoint(shown, client.machine, host.rstrip(".").lower(), reached))
    return tuple(found)


def _dsn(text: str) -> dict[str, str]:
    """The parts of a connection string of libpq, in either of its forms; what zcheck hides is left out."""
    url = _URL.match(text)
    if url is not None:
        user, where, name, query = (part or "" for part in url.groups())
        pairs = [
            one.rpartition(":") if re.search(r":(?:\d+|\$\(\w+\))$", one) else (one, "", "") for one in where.split(",")
        ]
        values = {
            "user": unquote(user),
            "host": ",".join(host.strip("[]") for host, _, _ in pairs),
            "port": ",".join(port for _, _, port in pairs).strip(","),
            "dbname": unquote(name),
        }
        values = {key: value for key, value in values.items() if value.strip(",")}
        for pair in query[1:].split("&"):
            key, _, value = pair.partition("=")
            if key:
                values[key.lower()] = unquote(value)
        return values
    found = {}
    for key, value in _PART.findall(text):
        bare = re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith("'") else value)
        found[key.lower()] = bare
    return found
