"""All clients have the same options.

What it examines
    The keys at the top of zope.conf, of ``<dos_protection>`` and ``<product-config>``, of each ``<zodb_db>`` and of its
    storages. A key that is left out has its schema's default; ``128MB`` and ``131072KB`` are equal, as are ``on`` and
    ``yes``, and as are two spellings of an encoding. A ``<product-config>`` that a client lacks is told as well, but
    for a worker's. Left out is what differs by right: paths, ports, names, labels, logs; what other checks judge; and
    of a client with the role ``worker`` or ``read-only`` its debugging, threads and caches.
Why it matters
    Behind a balancer a page comes from any client. Where one has a smaller cache it is slower, where one has another
    encoding, another number of retries or another trusted proxy it answers differently, on every third click.
What it does not prove
    Which of the values is right; nor that the running clients were started with these files.
How to repair it
    Give every client the same line.

>>> show(settings_agree, app1=zope_conf(cache_size="128MB"), app2=zope_conf(cache_size="131072KB"))
OK
>>> show(settings_agree, app1=zope_conf(cache_size="128MB"), app2=zope_conf())
WARNING app1, app2: cache-size of database main's <zeoclient> is 128MB for app1; 20MB (the default) for app2
>>> show(settings_agree, app1=zope_conf(cache_size="128MB"), app2=zope_conf(cache_size="$(CACHE)"))
UNKNOWN app2: the inventory gives no value for $(CACHE), which cache-size of app2 needs
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import ZEO_CLIENT_TYPES, Facts, Section, ZopeConf
from zcheck.facts.zope_schema import KEYS, Key, canonical, is_known, meant
from zcheck.rules.databases import is_partial, is_per_process, nobody_to_compare, shared_databases, unresolved
from zcheck.rules.settings import BY_ROLE, NOT_SET, Seen, differences, is_path, neutral

# Each client's own, or another check's matter.
OWN = frozenset(
    [
        "debug-mode",
        "debug-exceptions",
        "ip-address",
        "port-base",
        "webdav-source-port",
        "zeo-client-name",
        "effective-user",
        "dns-server",
        "mount-point",
        "database-name",
        "server",
        "storage",
        "name",
        "client",
        "client-label",
        "read-only",
        "read-only-fallback",
        "shared-blob-dir",
        "username",
        "password",
        "realm",
        "dsn",
        "host",
        "port",
        "db",
        "user",
        "passwd",
        "unix_socket",
        "keep-history",
        "commit-lock-id",
        "address",
    ]
)
IN_LOWER_CASE = frozenset({"security-policy-implementation", "datetime-format", "locale"})
ENCODINGS = frozenset({"default-zpublisher-encoding", "rest-input-encoding", "rest-output-encoding"})
SECTIONS = ("dos_protection", "product-config")


@check("settings-agree", stage="config", needs=[ZopeConf], severity=Severity.WARNING, after=["zope-conf-parses"])
def settings_agree(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a key, with all sides."""
    confs = facts.each(ZopeConf)
    yield from nobody_to_compare(confs)
    yield from _missing_sections(facts)
    for where, sections in _groups(facts):
        kind = next(iter(sections.values())).type
        keys = dict.fromkeys(line.key for section in sections.values() for line in section.settings)
        for key in filter(lambda key: _is_compared(kind, key), keys):
            if _is_written_alike(key, sections.values()):
                continue
            values: dict[str, Seen] = {}
            for client, section in sections.items():
                if _is_excused(facts.inventory.client(client).role, section, key):
                    continue
                questions = list(unresolved(client, section.all(key)))
                yield from questions
                if not questions:
                    values[client] = _seen(confs[client], client, section, key)
            if not any(is_path(seen.same) for seen in values.values()):
                yield from differences(facts, where, key, values, sections)


def _missing_sections(facts: Facts) -> Iterator[Problem]:
    """A <product-config> that some clients lack; a worker's own is its own matter."""
    confs = {c: conf for c, conf in facts.each(ZopeConf).items() if facts.inventory.client(c).role != "worker"}
    owned: dict[str, dict[str, Section]] = {}
    for client, conf in confs.items():
        for section in conf.top.nested("product-config"):
            owned.setdefault(section.name or "", {})[client] = section
    for name, owners in owned.items():
        lacking = [client for client in confs if client not in owners and not is_partial(confs[client])]
        if lacking:
            first = next(iter(owners))
            have, lack = ("has" if len(names) == 1 else "have" for names in (owners, lacking))
            what = f"<product-config {name}>".replace(" >", ">")
            message = f"{', '.join(owners)} {have} {what}; {', '.join(lacking)} {lack} none"
            ends = [Place(confs[c].file, max(confs[c].lines, 1), note=f"{c} has no {what}") for c in lacking]
            hint = f"write the {what} of {first} into the zope.conf of {', '.join(lacking)} as well"
            clients = (*owners, *lacking)
            yield Problem(clients, message, (*ends, Place.of(owners[first])), hint, about=what)


def _is_compared(kind: str, key: str) -> bool:
    """Paths are each client's own, and a key that a known kind of section does not know is another finding."""
    known = KEYS.get(kind)
    return key not in OWN and (known is None or (key in known and known[key].kind != "path"))


def _is_written_alike(key: str, sections: Iterable[Section]) -> bool:
    """Whether all have one line with this key, and the same: as in most clusters, told without a look at each value."""
    lines = [[line for line in section.settings if line.key == key] for section in sections]
    written = {(line.value, line.seal, line.unresolved) for found in lines for line in found}
    return len(written) == 1 and not any(unresolved for *_, unresolved in written) and all(len(f) == 1 for f in lines)


def _is_excused(role: str, section: Section, key: str) -> bool:
    """The role explains this client's own value, or the key is there and misspelt, which is another finding."""
    if role in ("worker", "read-only") and BY_ROLE.search(key):
        return True
    known = KEYS.get(section.type, {})
    unknown = {line.key for line in section.settings if known and line.key not in known}
    return section.first(key) is None and any(meant(section.type, other) == key for other in unknown)


def _groups(facts: Facts) -> Iterator[tuple[str, dict[str, Section]]]:
    """What is compared with what: how messages call it, and the section of each client."""
    confs = facts.each(ZopeConf)
    yield "", {client: conf.top for client, conf in confs.items()}
    names = {(s.type, s.name): None for conf in confs.values() for s in conf.sections if s.type in SECTIONS}
    for kind, name in names:
        found = {c: s for c, conf in confs.items() for s in conf.sections if (s.type, s.name) == (kind, name)}
        if kind == "product-config":
            found = {c: s for c, s in found.items() if facts.inventory.client(c).role != "worker"}
        elif found:
            ends = {c: Section(kind, name, conf.file, conf.lines, conf.lines) for c, conf in confs.items()}
            found = {**{c: s for c, s in ends.items() if not is_partial(confs[c])}, **found}
        if len(found) > 1:
            yield f" of <{' '.join(filter(None, (kind, name)))}>", found
    for shared in shared_databases(facts):
        yield f" of {shared.label}", {client: database.section for client, database in shared.members.items()}
        chains = {c: d.chain for c, d in shared.members.items() if not is_per_process(d)}
        kinds = {tuple("zeo" if s.type in ZEO_CLIENT_TYPES else s.type for s in chain) for chain in chains.values()}
        if len(kinds) == 1:
            for level, storage in enumerate(next(iter(chains.values()))):
                if not is_known(storage.type):
                    continue  # unknown-storages-agree examines all of it
                yield f" of {shared.label}'s <{storage.type}>", {c: chain[level] for c, chain in chains.items()}


def _seen(conf: ZopeConf, client: str, section: Section, key: str) -> Seen:
    known = KEYS.get(section.type, {}).get(key)
    lines = section.all(key)
    if not lines:
        default = known.default if known is not None else ""
        return Seen(_same(default, key, known) if default else "", f"{default} (the default)" if default else NOT_SET)
    if known is not None and known.many:
        shown = ", ".join(sorted({line.value for line in lines}))
        return Seen(neutral(shown, client, conf), shown, lines[0])
    line = lines[0]
    value = f"{line.value} {line.seal}" if line.seal else neutral(line.value, client, conf)
    return Seen(_same(value, key, known), line.value, line)


def _encoding(value: str) -> str:
    """The one name that Python has for an encoding, whatever its spelling."""
    try:
        return codecs.lookup(value).name
    except (LookupError, ValueError):
        return value.lower()


def _same(value: str, key: str, known: Key | None) -> str:
    if key in ENCODINGS:
        return _encoding(value)
    if key in IN_LOWER_CASE:
        return value.lower()
    found = canonical(known.kind, value) if known is not None else None
    return value if found is None else found
