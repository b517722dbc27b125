"""All clients set the same environment variables.

What it examines
    The ``<environment>`` section of each zope.conf: which variables it sets, and to what. Left out is what differs by
    right: values that are paths, the client's own name in a value, and variables that only clients with the role
    ``worker`` set or lack. A value that may be a secret is compared and never shown.
Why it matters
    Time zones, languages, limits and the addresses of search engines and mail servers are set here. Behind a balancer
    the same page then shows other times, other languages or other results, on every third click.
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

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Section, Setting, ZopeConf
from zcheck.rules.databases import nobody_to_compare, unresolved
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


def _environment(conf: ZopeConf) -> Section:
    return next(iter(conf.top.nested("environment")), Section("", None, conf.file, 1, conf.lines))


def _seen(client: str, conf: ZopeConf, line: Setting | None) -> Seen:
    if line is None:
        return Seen("", NOT_SET)
    if line.seal:
        return Seen(f"{line.value} {line.seal}", line.value, line)
    return Seen("a path" if is_path(line.value) else neutral(line.value, client, conf), line.value, line)
