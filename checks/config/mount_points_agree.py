"""All clients mount databases on the same paths.

What it examines
    The ``mount-point`` lines of every ``<zodb_db>``: the path in Zope, and the path and root inside the database
    (``/archive`` is the same as ``/archive:/archive``). Of a client with the role ``worker`` the mounts that are
    private to each process (sessions) are left out: no browser reaches it.
Why it matters
    What is mounted is an object of the main database that holds a path and nothing else. A client that lacks the
    database shows an empty "ZODB Mount Point" in place of the content, with no error; a database mounted from another
    path inside shows other content, or a folder that Zope creates on the spot.
What it does not prove
    That the mounted databases are the same: see zeo-servers-agree and storage-names-agree.
How to repair it
    Give every client the same ``<zodb_db>`` sections with the same ``mount-point`` lines.

>>> main = '''<zodb_db main>
... <zeoclient>
... server zeo1:8100
... </zeoclient>
... mount-point /
... %s
... </zodb_db>'''
>>> show(mount_points_agree, app1=zope_conf(main % ""), app2=zope_conf(main % ""))
OK
>>> show(mount_points_agree, app1=zope_conf(main % ""), app2=zope_conf(main % "mount-point /archive"))
CRITICAL app2, app1: app2 mounts / and /archive; app1 mounts /
>>> show(mount_points_agree, app1=zope_conf(main % ""), app2=zope_conf(main % "mount-point $(ARCHIVE)"))
UNKNOWN app2: the inventory gives no value for $(ARCHIVE), which mount-point of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Database, Facts, Setting, ZopeConf
from zcheck.rules.databases import (
    everybody,
    is_partial,
    is_per_process,
    listed,
    nobody_to_compare,
    sides,
    spelt_out,
    unresolved,
    where_databases_end,
)


class Mount(NamedTuple):
    """A path in Zope, and what it shows: a path below a root object of the database."""

    virtual: str
    root: str
    real: str

    def __str__(self) -> str:
        if self.root != "Application":
            return f"{self.virtual}:~{self.root}{self.real}"
        return self.virtual if self.real == self.virtual else f"{self.virtual}:{self.real}"


Lines = dict[Mount, tuple[Setting, Database]]


@check(
    "mount-points-agree",
    stage="config",
    needs=[ZopeConf],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses", "root-mount-exists"],
)
def mount_points_agree(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding with all sides; a client whose file could not be read as a whole is not blamed for what it lacks."""
    confs = facts.each(ZopeConf)
    yield from nobody_to_compare(confs)
    lines: dict[str, Lines] = {}
    for client, conf in confs.items():
        questions = list(unresolved(client, [mount for database in conf.databases for mount in database.mount_points]))
        yield from questions
        if not questions:
            lines[client] = _lines(conf)
    seen = _compared(facts, lines)
    common = frozenset[Mount]().union(*seen.values())
    for client in [client for client in seen if is_partial(confs[client]) and seen[client] != common]:
        missing = listed(map(str, sorted(common - seen.pop(client))))
        message = f"{client} is not seen to mount {missing}, and its zope.conf could be read in part only"
        yield Unknown((client,), message, tuple(Place.of(f) for f in confs[client].faults if f.kind == "unread"))
    parts = sides(seen)
    if len(parts) > 1:
        yield _disagreement(dict(sorted(parts.items(), key=lambda side: -len(side[0]))), lines, confs)


def _lines(conf: ZopeConf) -> Lines:
    return {_mount(s.value): (s, database) for database in conf.databases for s in database.mount_points}


def _mount(text: str) -> Mount:
    """What Zope2.Startup.datatypes.ZopeDatabase.computeMountPaths makes of it."""
    virtual, colon, real = text.partition(":")
    root = "Application"
    if not colon:
        real = virtual
    elif real.startswith("~"):
        root, _, real = real[1:].partition("/")
    return Mount(virtual, root, "/" + real.lstrip("/"))


def _compared(facts: Facts, lines: Mapping[str, Lines]) -> dict[str, frozenset[Mount]]:
    """The mounts of each client; a worker is taken to have what is private to each process as the others have it."""
    private = {m for own in lines.values() for m, (_, database) in own.items() if is_per_process(database)}
    seen = {client: frozenset(own) for client, own in lines.items()}
    balanced = [client for client in seen if facts.inventory.client(client).role != "worker"]
    for client in seen.keys() - set(balanced):
        alike = next((seen[other] for other in balanced if seen[other] - private == seen[client] - private), None)
        seen[client] = alike if alike is not None else seen[client]
    return seen


def _disagreement(
    parts: dict[frozenset[Mount], tuple[str, ...]], lines: Mapping[str, Lines], confs: Mapping[str, ZopeConf]
) -> Problem:
    in_all = frozenset.intersection(*parts)
    said, places = [], []
    for mounts, clients in parts.items():
        verb = "mounts" if len(clients) == 1 else "mount"
        said.append(f"{', '.join(clients)} {verb} {listed(map(str, sorted(mounts))) if mounts else 'nothing'}")
        extra = [mount for mount in sorted(mounts - in_all) if mount in lines[clients[0]]]
        if extra:
            places += [Place.of(lines[clients[0]][mount][0]) for mount in extra]
        else:
            file, line = where_databases_end(confs[clients[0]])
            text = "</zodb_db>" if confs[clients[0]].databases else ""
            places.append(Place(file, line, text, f"{clients[0]}'s mounts end here"))
    return Problem(everybody(parts), spelt_out(said), tuple(places), _hint(parts, lines))


def _hint(parts: dict[frozenset[Mount], tuple[str, ...]], lines: Mapping[str, Lines]) -> str:
    (more, having), *others = parts.items()
    if len(others) == 1:
        ((fewer, lacking),) = others
        extra = sorted(more - fewer)
        if not fewer - more and extra[0] in lines[having[0]]:
            names = listed(dict.fromkeys(f"<zodb_db {lines[having[0]][mount][1].name}>" for mount in extra))
            return f"add the same {names} to {', '.join(lacking)}, or remove it from {', '.join(having)}"
    return "give every client the same <zodb_db> sections with the same mount-point lines"
