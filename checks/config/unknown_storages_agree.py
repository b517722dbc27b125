"""A storage of a kind that zcheck does not know is written alike for every client.

What it examines
    Each storage section of an add-on that zcheck does not know, with all that is in it: which keys it has, and their
    values. Words in another order are the same. Left out are secrets, keys that speak of caches, logs, labels and
    temporary files, and each client's own name and instance home within a value.
Why it matters
    In such a section stands which database is meant: a cluster's name, a host, a bucket, a folder. zcheck cannot tell
    which key says so, and so it can tell of no difference that it is harmless.
What it does not prove
    That the same lines mean the same database: zcheck does not dial such a storage. What is written through the running
    clients proves it: see edits-are-seen-everywhere.
How to repair it
    Write the section alike for every client. Where the difference is meant, prove the clients with ``user`` and
    ``password-file``, and suppress this check by name, with the reason.

>>> def neo(name, master="10.0.0.7:2051"):
...     return zope_conf(f'''%import neo.client
... <zodb_db main>
... <NEOStorage>
... master_nodes {master}
... name {name}
... </NEOStorage>
... mount-point /
... </zodb_db>''')
>>> show(unknown_storages_agree, app1=neo("site"), app2=neo("site"))
OK
>>> show(unknown_storages_agree, app1=neo("site"), app2=neo("copy"))
UNKNOWN app1, app2: name of database main's <neostorage> is site for app1; copy for app2; whether both mean one storage
    cannot be told
>>> show(unknown_storages_agree, app1=neo("site", "localhost:1"), app2=neo("site", "localhost:1"))
UNKNOWN app1, app2: master_nodes of database main's <neostorage> is localhost:1, which is another one on each of the
    machines of app1, app2
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zcheck.check import Place, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Names, Section, Setting, ZopeConf
from zcheck.facts.addresses import is_loopback
from zcheck.facts.neighbours import machines
from zcheck.facts.secrets import speaks_of_a_secret
from zcheck.facts.sql import adapter_of
from zcheck.facts.zope_schema import is_known
from zcheck.rules.databases import (
    Shared,
    is_partial,
    nobody_to_compare,
    place_of_end,
    shared_databases,
    sides,
    told,
    unresolved,
)
from zcheck.rules.settings import NOT_SET, is_path, neutral

_OWN = re.compile(r"cache|log|label|tmp|temp|pid|thread|timeout|poll|retr|blob-dir|read-only", re.IGNORECASE)
_LOCAL = re.compile(r"(?:[a-z0-9+]+://)?(?:[^@/\s]*@)?(\[[^\]]*\]|[^:/,\s]+)(?::\d+)?(?:/\S*)?", re.IGNORECASE)


@check(
    "unknown-storages-agree",
    stage="config",
    needs=[ZopeConf],
    uses=[Names],
    severity=Severity.UNKNOWN,
    after=["zope-conf-parses", "storage-wrappers-agree"],
)
def unknown_storages_agree(facts: Facts) -> Iterator[Unknown | Skipped]:
    """One finding a key; what is local is compared by the machines of the clients."""
    confs = facts.each(ZopeConf)
    yield from nobody_to_compare(confs)
    examined: set[str] = set()
    for shared in shared_databases(facts):
        chains = {client: database.chain for client, database in shared.members.items()}
        if len({tuple(one.type for one in chain) for chain in chains.values()}) != 1:
            continue  # storage-wrappers-agree tells it
        for level, storage in enumerate(next(iter(chains.values()))):
            if not is_known(storage.type):
                examined.update(chains)
                sections = {client: chain[level] for client, chain in chains.items()}
                yield from _judged(facts, shared, storage.type, sections)
    without = tuple(client for client in confs if client not in examined)
    if without and len(confs) > 1:
        yield Skipped(without, "nothing to examine: no storage of a kind that zcheck does not know")


def _judged(facts: Facts, shared: Shared, kind: str, sections: dict[str, Section]) -> Iterator[Unknown]:
    by_client = {client: _lines(section) for client, section in sections.items()}
    is_dsn = any(adapter_of(database) is not None for database in shared.members.values())
    for key in dict.fromkeys(key for lines in by_client.values() for key in lines):
        if _OWN.search(key) or speaks_of_a_secret(key) or (is_dsn and key == "dsn"):
            continue
        what = f"{key} of {shared.label}'s <{kind}>"
        values: dict[str, tuple[str, ...]] = {}
        for client, lines in by_client.items():
            questions = list(unresolved(client, lines.get(key, [])))
            yield from questions
            partial = is_partial(facts.each(ZopeConf)[client]) and key not in lines
            if not questions and not partial:
                values[client] = _value(facts, client, lines.get(key, []))
        parts = sides(values)
        places = tuple(_place(client, by_client, sections, key) for client in (names[0] for names in parts.values()))
        if len(parts) > 1:
            shown = told(parts, lambda value: " ".join(value) or NOT_SET)
            message = f"{what} is {shown}; whether both mean one storage cannot be told"
            hint = f"write '{key}' alike for every client; zcheck does not know this kind of storage"
            yield Unknown(tuple(values), message, places, hint, about=f"{shared.label} {key}")
        elif parts:
            yield from _on_each_machine(facts, what, key, values, places)


def _on_each_machine(
    facts: Facts, what: str, key: str, values: dict[str, tuple[str, ...]], places: tuple[Place, ...]
) -> Iterator[Unknown]:
    """The same words of several machines, where they mean each machine's own."""
    words = next(iter(values.values()))
    where = {machines(facts)[client] for client in values}
    local = [word for word in words if is_path(word) or _is_local(word)]
    if local and len(where) > 1:
        names = ", ".join(values)
        message = f"{what} is {' '.join(words)}, which is another one on each of the machines of {names}"
        hint = "name the machine that has the data; if they share one folder, prove it with 'user' and 'password-file'"
        yield Unknown(tuple(values), message, places, hint, about=f"{what} local")


def _is_local(word: str) -> bool:
    match = _LOCAL.fullmatch(word)
    return match is not None and match[1] != "" and not match[1].isdigit() and is_loopback(match[1].strip("[]"))


def _lines(section: Section, prefix: str = "") -> dict[str, list[Setting]]:
    """Every line of a section and of what is in it, but for another storage; by key, with the inner section's type."""
    found: dict[str, list[Setting]] = {}
    for setting in section.settings:
        found.setdefault(f"{prefix}{setting.key}", []).append(setting)
    for inner in section.sections:
        if not is_known(inner.type) and inner.type != section.type and not inner.sections:
            for key, lines in _lines(inner, f"{prefix}<{inner.type}> ").items():
                found.setdefault(key, []).extend(lines)
    return found


def _value(facts: Facts, client: str, lines: list[Setting]) -> tuple[str, ...]:
    """The words of a value in one order, the client's own name and home taken out."""
    conf = facts.each(ZopeConf)[client]
    words = [word for line in lines for word in re.split(r"[\s,]+", f"{line.value} {line.seal}".strip())]
    return tuple(sorted(neutral(word, client, conf) for word in words if word))


def _place(
    client: str, by_client: dict[str, dict[str, list[Setting]]], sections: dict[str, Section], key: str
) -> Place:
    lines = by_client[client].get(key, [])
    return Place.of(lines[0]) if lines else place_of_end(sections[client], f"{client} does not set {key}")
