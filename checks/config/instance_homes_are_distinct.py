"""No two clients of one machine share an instance home, a process id file, a lock or a log.

What it examines
    ``instancehome``, ``clienthome`` (by default ``var`` in the instance home), ``pid-filename``, ``lock-filename`` and
    the ``path`` of each ``<logfile>``, for clients of one machine. What is no file (``/dev/stdout``) is left out. Who
    runs in a container has files of its own: say so with ``machine`` or ``listens``.
Why it matters
    The clients run, and edits are seen both ways. But a client writes its process id into the file that another one
    wrote: stopping the one stops the other, and a script that restarts them one by one takes both down. Two clients
    that rotate one log lose lines of it.
What it does not prove
    That the folders exist and can be written.
How to repair it
    Give each client an instance home of its own.

>>> machine = inventory('''[cluster]
... name = intranet
... [client:app1]
... address = 10.0.0.1:8081
... [client:app2]
... address = 10.0.0.1:8082
... ''')
>>> one, two, three = (zope_conf(f"instancehome {home}") for home in ("/srv/1", "/srv/2", "$(HOME)"))
>>> show(instance_homes_are_distinct, machine, app1=one, app2=two)
OK
>>> show(instance_homes_are_distinct, machine, app1=one, app2=one)
WARNING app1, app2: app1, app2 share the instance home /srv/1 on 10.0.0.1
>>> show(instance_homes_are_distinct, machine, app1=one, app2=three)
UNKNOWN app2: the inventory gives no value for $(HOME), which instancehome of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from zcheck.check import Place, Problem, Severity, Unknown, check
from zcheck.facts import Facts, Names, Setting, ZopeConf
from zcheck.facts.neighbours import machines, neighbours
from zcheck.facts.paths import is_absolute, is_below, normal_path
from zcheck.facts.zope_schema import every_section
from zcheck.rules.databases import listed, unresolved

HINT = (
    "write an instancehome of its own for each client, where '%define INSTANCE' says it there; "
    "containers are told apart by 'machine' in clients.ini"
)
KEYS = {"instancehome": "instance home", "clienthome": "client home", "pid-filename": "process id file"}


class Own(NamedTuple):
    """A file or folder that should be one client's own, and the line that says where it is."""

    what: str
    line: Setting


@check(
    "instance-homes-are-distinct",
    stage="config",
    needs=[ZopeConf],
    uses=[Names],
    severity=Severity.WARNING,
    after=["zope-conf-parses"],
)
def instance_homes_are_distinct(facts: Facts) -> Iterator[Problem | Unknown]:
    """One finding for the clients that have the same things in common."""
    where, together = machines(facts), neighbours(facts)
    users: dict[tuple[str, str], dict[str, Own]] = {}
    for client, conf in facts.each(ZopeConf).items():
        if where[client] in together:
            yield from unresolved(client, _lines(conf))
            for path, own in _files(conf).items():
                users.setdefault((where[client], path), {})[client] = own
    shared: dict[tuple[str, ...], list[tuple[str, str, dict[str, Own]]]] = {}
    for (machine, path), owners in users.items():
        if len(owners) > 1:
            shared.setdefault(tuple(owners), []).append((machine, path, owners))
    for clients, things in shared.items():
        outer = _outermost(things)
        said = listed(f"the {next(iter(owners.values())).what} {path}" for _, path, owners in outer)
        places = tuple(Place.of(own.line) for _, _, owners in outer for own in owners.values())
        yield Problem(clients, f"{', '.join(clients)} share {said} on {things[0][0]}", places, HINT)


def _outermost(things: list[tuple[str, str, dict[str, Own]]]) -> list[tuple[str, str, dict[str, Own]]]:
    """Of what is shared, what does not lie in a folder that is shared as well."""
    folders = [path for _, path, owners in things if next(iter(owners.values())).line.key.endswith("home")]
    return [thing for thing in things if not any(is_below(thing[1], folder) for folder in folders)]


def _lines(conf: ZopeConf) -> list[Setting]:
    logs = [line for section in every_section(conf) if section.type == "logfile" for line in section.all("path")]
    return [line for key in (*KEYS, "lock-filename") for line in conf.top.all(key)] + logs


def _files(conf: ZopeConf) -> dict[str, Own]:
    """By path: what should be this client's own."""
    found: dict[str, Own] = {}
    home = conf.top.first("instancehome")
    base = home.value if home is not None and not home.unresolved else ""
    for line in _lines(conf):
        if line.unresolved or line.value.startswith("/dev/"):
            continue
        path = normal_path(line.value, base)
        if is_absolute(path):
            what = KEYS.get(line.key) or ("lock file" if line.key == "lock-filename" else "log")
            found.setdefault(path, Own(what, line))
    return found
