"""Keep secrets out of facts, so that no message, place, saved file or traceback can show one.

Hidden is the value of a key whose name speaks of a secret, whoever stands before the ``@`` of a URL, and of a
database's connection string all but host, port, database and user.  What is hidden can still be compared: :func:`seal`
gives equal values equal seals, within one run of zcheck.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from functools import lru_cache

from zcheck.facts.secrets import speaks_of_a_secret as speaks_of_a_secret

HIDDEN = "***"

_SPOKEN = re.compile(r"(?:pass(?:wd|word|wort|phrase)?|pwd|secret|token|api_?key)\w*[\"']?\s*[=:]", re.IGNORECASE)
# Whoever stands before the "@"; a password may hold a "/" or "?" that nobody escaped, a port is digits alone.
_USERINFO = re.compile(
    r"(?<=://)(?:[^/\s@]{0,500}(?:@[^/\s@]{0,500}){0,20}@|[^/\s@:]{0,200}:(?![0-9]+(?:[/?#\s]|$))[^\s]{0,500}@)"
)
# "password=..." within a longer value, and the same in JSON.
_WITHIN = re.compile(
    r"(\b\w{0,40}(?:pass(?:wd|word|wort|phrase)?|pwd|secret|token|api_?key)\w{0,40})"
    r"(\s*=\s*|[\"']\s*:\s*)('(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?|(?:[^\s'\"\\;&,}]|\\.)+)",
    re.IGNORECASE,
)

# A connection string of libpq: key=value or key='quoted value', in any order.
_DSN_PART = re.compile(r"(?<!\w)([a-zA-Z_]\w*)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)")
# A variable without a value that may add any part.
_VARIABLE_ALONE = re.compile(r"(?:^|(?<=\s))\$\(\w+\)(?=\s|$)")
_DSN_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)$", re.IGNORECASE | re.DOTALL)
_DSN_PLACE = re.compile(r"([^/?\s]*)(/[^?\s]*)?(\?.*)?$", re.DOTALL)
# Hosts with their ports, and a path without "@": nothing in front of them is a password.
_DSN_HOST = r"(?:\[[^\]\s@]*\]|[^:/?#@,\s]*)(?::[0-9]*)?"
_DSN_NO_USER = re.compile(rf"{_DSN_HOST}(?:,{_DSN_HOST})*(?:$|[/?#][^@]*$|(?:/[^@?]*)?\?\w+=)", re.DOTALL)
# What says which database is meant, and which of several hosts.
_DSN_SHOWN = frozenset(
    {"host", "hostaddr", "port", "dbname", "database", "db", "user", "service", "servicefile"}
    | {"target_session_attrs", "load_balance_hosts"}
)

# Equal values get equal seals for as long as this process lives; nobody can go back from a seal to a value.
_SEAL_KEY = secrets.token_bytes(32)
_SEAL_NAME = secrets.token_hex(4)


def may_hold_a_secret(name: str, value: str) -> bool:
    """Whether a variable does not belong into a file that many people read: by its name, or by what it holds."""
    return (
        speaks_of_a_secret(name)
        or name.lower().endswith("dsn")
        or without_userinfo(value) != value
        or _SPOKEN.search(value) is not None
    )


def redacted(key: str, value: str, section: str = "") -> str:
    """What may be shown of the value of ``key`` in a section of this type."""
    holds = _holds(key, section)
    if (holds == "secret" and value) or holds_a_seal(value):
        return HIDDEN
    if holds == "dsn" and value:
        return redacted_dsn(value)
    return without_secrets(value)


def without_secrets(text: str) -> str:
    """The text, with the userinfo of URLs in it hidden and what stands behind ``password=`` and its like."""
    text = without_userinfo(text)
    if "=" in text or '":' in text or "':" in text:
        return _WITHIN.sub(rf"\1\2{HIDDEN}", text)
    return text


@lru_cache(maxsize=4096)
def _holds(key: str, section: str) -> str:
    """What a key's value is, by its name: ``dsn``, ``secret``, or nothing special."""
    if section == "ssl" and key in ("key", "password-function"):
        return ""  # a path and the name of a function
    if key.lower().endswith("dsn"):
        return "dsn"
    return "secret" if speaks_of_a_secret(key) else ""


def without_userinfo(text: str) -> str:
    """The text, with what stands before the ``@`` of each URL in it hidden."""
    return _USERINFO.sub(f"{HIDDEN}@", text) if "://" in text and "@" in text else text


def redacted_dsn(value: str) -> str:
    """A database's connection string with host, port, database and user alone.

    What cannot be taken apart (an Oracle descriptor, a name of tnsnames.ora) is shown as it is, unless an ``@`` or a
    ``/`` in it may part off a password.
    """
    url = _DSN_URL.match(value)
    if url is not None:
        return f"{url[1]}://{_redacted_url(url[2])}"
    parts = _DSN_PART.findall(value)
    if parts:
        shown = [f"{name}={given if name.lower() in _DSN_SHOWN else HIDDEN}" for name, given in parts]
        return " ".join([*shown, *_VARIABLE_ALONE.findall(value)])
    before, at, after = value.rpartition("@")
    if at:
        user = before.partition("/")[0]
        return f"{user}/{HIDDEN}@{after}"
    return value if re.fullmatch(r"[\w.:()$-]+", value) else HIDDEN


def _redacted_url(rest: str) -> str:
    """What follows the ``://``; a password that nobody escaped may hold any of ``/?#@``, and ends at the last ``@``."""
    before, at, after = ("", "", rest) if _DSN_NO_USER.match(rest) else _last_at(rest)
    where = _DSN_PLACE.match(after.strip())
    if where is None:
        return HIDDEN
    host, path, query = where.groups()
    user = re.split(r"[:/?#@\s]", before, maxsplit=1)[0]
    return f"{user + at if user else ''}{host}{path or ''}{_redacted_query(query or '')}"


def _last_at(rest: str) -> tuple[str, str, str]:
    """Divided at the ``@`` that ends the userinfo: one of a query that follows a place is none."""
    query = re.search(r"@[^@/?#]*(?:/[^@?#]*)?(\?\w+=)", rest)
    end = query.start(1) if query is not None else len(rest)
    before, at, after = rest[:end].rpartition("@")
    return before, at, after + rest[end:]


def _redacted_query(query: str) -> str:
    """The query of a connection URL: what says where the database is, and the names of the rest."""
    if not query:
        return ""
    pairs = [part.partition("=") for part in query[1:].split("&") if part]
    return "?" + "&".join(
        f"{name}={value if name.lower() in _DSN_SHOWN else HIDDEN}" if name.isidentifier() else HIDDEN
        for name, _, value in pairs
    )


_ELSEWHERE = "\ue000"
"""Stands around what was sealed on another machine: a character that no file has."""


def seal_key() -> bytes:
    """What another machine needs to seal a value as this process does: for this run, and of no use after it."""
    return _SEAL_KEY


def sealed_elsewhere(digest: str) -> str:
    """What stands for a value that another machine has sealed: it is shown as hidden, and compared by its seal."""
    return f"{_ELSEWHERE}{digest}{_ELSEWHERE}"


def holds_a_seal(value: str) -> bool:
    """Whether what another machine has sealed is in this value."""
    return _ELSEWHERE in value


def seal(value: str) -> str:
    """A name for a hidden value: equal for equal values of one run, and telling nothing else."""
    if value[:1] == value[-1:] == _ELSEWHERE and value.count(_ELSEWHERE) == 2:
        return f"{_SEAL_NAME}:{value[1:-1]}"
    digest = hmac.new(_SEAL_KEY, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    return f"{_SEAL_NAME}:{digest[:16]}"


def comparable(one: str, other: str) -> bool:
    """Whether two seals were made by one process, so that they differ only where the values do."""
    return one.partition(":")[0] == other.partition(":")[0]


_ADAPTER = re.compile(r"\b(\w{1,40}Adapter)\b")
_AT_MEMORY = re.compile(r"\s+at\s+(?:0x)?[0-9a-fA-F]{6,16}(?=[\s>,)]|$)")
_URL_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]{0,30}://.*", re.IGNORECASE | re.DOTALL)
# As above; and as Python shows a value that has a quote in it.
_LOCATION_PART = re.compile(
    r"(?<![\w-])([a-zA-Z_][\w-]*)\s*=\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|(?:[^\s'\"\\,]|\\.)*)"
)
_LOCATION_SHOWN = _DSN_SHOWN | {"data_dir", "data-dir", "path"}


def shown_location(text: str) -> str:
    """What may be shown of where a running client says that its database is.

    A ZEO client says its servers or its name, a file storage its path.  RelStorage shows its adapter, with a connection
    string that may hold anything: of that host, port, database and user are kept, or nothing at all.
    """
    text = _AT_MEMORY.sub("", text)
    adapter = _ADAPTER.search(text)
    if adapter is None and not ("=" in text or "@" in text or "://" in text) and "RelStorage" not in text:
        return text
    if adapter is None and text.startswith(("/", "[(")) and "://" not in text:
        return without_secrets(text)
    kind = f"RelStorage: {adapter[1]}" if adapter is not None else "RelStorage" if "RelStorage" in text else ""
    return f"{kind} {_place_in(text)}".strip()


def _place_in(text: str) -> str:
    """Host, port, database and user of a connection string within a text, as ``key=value``; else :data:`HIDDEN`."""
    url = _URL_IN_TEXT.search(text)
    if url is not None:
        place = redacted_dsn(url[0].rstrip("'\">) "))
        return re.sub(r"[?&]\w+=\*\*\*", "", place) if HIDDEN not in place.partition("?")[0] else HIDDEN
    # A quote that belongs to the text around the connection string is none of its own; one within it may be escaped.
    inner = re.search(r"dsn\s*=\s*(['\"])(.*)\1", text, re.IGNORECASE | re.DOTALL)
    parts = _LOCATION_PART.findall(inner[2].replace("\\'", "'") if inner is not None else text)
    kept: dict[str, str] = {}
    for name, value in parts:
        bare = value.strip("'\",<>)")
        if name.lower() in _LOCATION_SHOWN and re.fullmatch(r"[\w.,:/\[\]$()-]{1,200}", bare):
            kept.setdefault(name, bare)
    return " ".join(f"{name}={value}" for name, value in kept.items()) or HIDDEN
