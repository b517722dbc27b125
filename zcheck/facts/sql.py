"""Where a database in a relational database lives, as far as zope.conf tells it."""

from __future__ import annotations

import re

import msgspec

from zcheck.facts import Client, Database, Inventory, Names, Section, Setting
from zcheck.facts.addresses import Endpoint, is_loopback, same_servers

ADAPTERS = {"postgresql": 5432, "mysql": 3306, "oracle": 1521, "sqlite3": 0}
"""RelStorage's adapters and the ports that their drivers take by default."""

_PART = re.compile(r"([a-zA-Z_]\w*)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)")
_URL = re.compile(r"[a-z0-9+]+://(?:([^@/\s]*)@)?([^/?\s]*)(?:/([^?\s]*))?(\?\S*)?$", re.IGNORECASE)


class Place(msgspec.Struct, frozen=True):
    """One database of a relational server, relative to the machine of the client whose file names it."""

    adapter: str
    servers: tuple[Endpoint, ...]
    name: str
    """The database's name; a folder for SQLite, the connect string for Oracle."""
    user: str
    history: bool
    lock: str
    seal: str
    """Of the connection string, where options in it are hidden that may change its meaning; else empty."""

    def __str__(self) -> str:
        shown = f"{self.adapter} database {self.name or '(by the user)'}"
        if self.servers:
            shown += " on " + ", ".join(map(str, self.servers))
        return shown + (f" as {self.user}" if self.user else "") + ("" if self.history else ", without history")


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
    keys = ("dsn", "host", "port", "db", "user", "unix_socket", "data-dir")
    lines = [line for key in keys for line in adapter.all(key)]
    return lines + [line for key in ("keep-history", "commit-lock-id") for line in database.leaf.all(key)]


def place_of(database: Database, client: Client) -> Place | None:
    """Where the database lives; None where it is in no relational database, or where a line is unresolved."""
    adapter, leaf = adapter_of(database), database.leaf
    if adapter is None or leaf is None or any(line.unresolved for line in lines_of(database)):
        return None
    kind = adapter.type if adapter.type in ADAPTERS else "postgresql"
    dsn = adapter.first("dsn")
    values = {setting.key: setting.value for setting in adapter.settings}
    options = ""
    if kind == "oracle":
        values = {"db": values.get("dsn", "").upper(), "user": values.get("user", "").upper()}
    elif dsn is not None:
        values = _dsn(dsn.value)
        options = dsn.seal if "options" in values else ""
    servers: tuple[Endpoint, ...] = ()
    if kind in ("postgresql", "mysql"):
        servers = _servers(values, ADAPTERS[kind], client)
    return Place(
        adapter=kind if adapter is not leaf else leaf.type,
        servers=servers,
        name=values.get("dbname") or values.get("db") or values.get("data-dir") or values.get("user", ""),
        user=values.get("user", ""),
        history=leaf.value("keep-history", "true").lower() not in ("off", "false", "no"),
        lock=leaf.value("commit-lock-id", ""),
        seal=options,
    )


def same_place(
    one: Place, other: Place, machines_alike: bool | None, inventory: Inventory, names: Names | None
) -> bool | None:
    """Whether both are one database; None where that cannot be told.  ``machines_alike`` is asked for SQLite alone."""
    if (one.adapter, one.history, one.lock) != (other.adapter, other.history, other.lock):
        return False
    if one.adapter == "sqlite3":
        return machines_alike if one.name == other.name else False
    if one.adapter == "oracle" and one.user != other.user:
        return False  # An Oracle user is a schema of its own.
    verdict: bool | None
    if one.name == other.name:
        verdict = same_servers(one.servers, other.servers, inventory, names)
    else:
        # Oracle's connect strings are names of tnsnames.ora or descriptors: two of them may mean one database.
        verdict = None if one.adapter == "oracle" else False
    if verdict is True and (one.user != other.user or one.seal != other.seal):
        return None  # Another user, or other options, may see other tables.
    return verdict


def _servers(values: dict[str, str], port: int, client: Client) -> tuple[Endpoint, ...]:
    hosts = (values.get("hostaddr") or values.get("host") or "").split(",")
    ports = (values.get("port") or str(port)).split(",")
    found = []
    for number, host in enumerate(hosts):
        text = ports[number] if number < len(ports) else ports[0]
        reached = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else port
        local = not host or host.startswith("/") or is_loopback(host)
        shown = f"{host or 'localhost'}:{reached}"
        name = "127.0.0.1" if local else host.rstrip(".").lower()
        found.append(Endpoint(shown, client.machine, name, reached))
    return tuple(found)


def _dsn(text: str) -> dict[str, str]:
    """The parts of a connection string of libpq, in either of its forms; what zcheck hides is left out."""
    url = _URL.match(text)
    if url is not None:
        user, where, name, query = (part or "" for part in url.groups())
        pairs = [one.rpartition(":") if re.search(r":\d+$", one) else (one, "", "") for one in where.split(",")]
        values = {
            "user": user,
            "host": ",".join(host.strip("[]") for host, _, _ in pairs),
            "port": ",".join(port for _, _, port in pairs).strip(","),
            "dbname": name,
        }
        return {key: value for key, value in values.items() if value} | ({"options": ""} if query else {})
    found = {}
    for key, value in _PART.findall(text):
        bare = re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith("'") else value)
        found[key.lower()] = bare
    return found
