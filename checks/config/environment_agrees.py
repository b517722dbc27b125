"""All clients set the same environment variables.

What it examines
    The ``<environment>`` section of each zope.conf: which variables it sets, and to what. Left out is what differs by
    right: values that are paths, the client's own name in a value, and variables that only clients with the role
    ``worker`` set or lack. A value that may be a secret is compared and never shown. Of the variables that clients.ini
    gives (``env-file``, ``env.NAME``) those that no zope.conf uses: which clients have them, and whether they are
    equal; but for ports, paths and names of the client itself.
Why it matters
    Time zones, languages, limits and the addresses of search engines and mail servers are set here. Behind a balancer
    the same page then shows other times, other languages or other results, on every third click. An image's own start
    script may even take another zope.conf because of one: plone-backend runs on RelStorage where RELSTORAGE_DSN is set.
What it does not prove
    What the processes inherited from the shell, from systemd or from the container beside this section.
How to repair it
    Give every client the same line.

>>> show(environment_agrees, app1=zope_conf("<environment>\\nTZ UTC\\n</environment>"),
...      app2=zope_conf("<environment>\\nTZ UTC\\n</environment>"))
OK
>>> show(environment_agrees, app1=zope_conf("<environment>\\nTZ UTC\\n</environment>"),
...      app2=zope_conf("<environment>\\nTZ Europe/Rome\\n</environment>"))
WARNING app1, app2: TZ in <environment> is UTC for app1; Europe/Rome for app2
>>> show(environment_agrees, app1=zope_conf("<environment>\\nTZ UTC\\n</environment>"),
...      app2=zope_conf("<environment>\\nTZ $(TIMEZONE)\\n</environment>"))
UNKNOWN app2: the inventory gives no value for $(TIMEZONE), which TZ of app2 needs
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Section, Setting, ZopeConf
from zcheck.rules.databases import everybody, nobody_to_compare, sides, unresolved
from zcheck.rules.settings import NOT_SET, Seen, differences, is_path, neutral


@check("environment-agrees", stage="config", needs=[ZopeConf], severity=Severity.WARNING, after=["zope-conf-parses"])
def environment_agrees(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a variable, with all sides."""
    confs = facts.each(ZopeConf)
    yield from nobody_to_compare(confs)
    sections = {client: _environment(conf) for client, conf in confs.items()}
    for name in dict.fromkeys(line.key for section in sections.values() for line in section.settings):
        values: dict[str, Seen] = {}
        for client, section in sections.items():
            line = section.first(name)
            questions = list(unresolved(client, [line] if line is not None else []))
            yield from questions
            if not questions and (line is not None or facts.inventory.client(client).role != "worker"):
                values[client] = _seen(client, confs[client], line)
        set_by = [client for client, seen in values.items() if seen.line is not None]
        if any(facts.inventory.client(client).role != "worker" for client in set_by):
            yield from differences(facts, " in <environment>", name, values, sections)
    yield from _given(facts)


_OF_ITS_OWN = re.compile(
    r"(^|_)((LISTEN_|HTTP_)?PORT|HOSTNAME|(INSTANCE|CLIENT|NODE|POD|CONTAINER|SERVER)_(NAME|ID|IP)|INSTANCE|LABEL|HOME"
    r"|PATH|DIR|PIDFILE|PWD|USER|UID|GID)$"
)


def _given(facts: Facts) -> Iterator[Problem]:
    """The variables that clients.ini gives and no zope.conf uses, of the clients for which it gives some."""
    confs = {c: conf for c, conf in facts.each(ZopeConf).items() if facts.inventory.client(c).role != "worker"}
    given = {client: {one.key: one for one in conf.variables} for client, conf in confs.items() if conf.variables}
    used = {name for conf in confs.values() for name in conf.named}
    for name in dict.fromkeys(key for variables in given.values() for key in variables):
        if name in used or _OF_ITS_OWN.search(name) or len(given) < 2:
            continue
        lines = {client: variables.get(name) for client, variables in given.items()}
        parts = sides({client: (line.value, line.seal) if line is not None else None for client, line in lines.items()})
        if len(parts) > 1:
            having = [", ".join(clients) for value, clients in parts.items() if value is not None]
            said = f"set for {having[0]}" if len(having) == 1 else f"one for {', another for '.join(having)}"
            said += f"; not set for {', '.join(parts[None])}" if None in parts else ""
            places = tuple(dict.fromkeys(Place.of(line) for line in lines.values() if line is not None))
            hint = f"give every client the same {name}, or none"
            yield Problem(everybody(parts), f"{name}, which clients.ini gives, is {said}", places, hint, about=name)


def _environment(conf: ZopeConf) -> Section:
    return next(iter(conf.top.nested("environment")), Section("", None, conf.file, 1, conf.lines))


def _seen(client: str, conf: ZopeConf, line: Setting | None) -> Seen:
    if line is None:
        return Seen("", NOT_SET)
    if line.seal:
        return Seen(f"{line.value} {line.seal}", line.value, line)
    return Seen("a path" if is_path(line.value) else neutral(line.value, client, conf), line.value, line)
