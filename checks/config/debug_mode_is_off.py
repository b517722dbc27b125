"""No client that users reach runs in debug mode.

What it examines
    ``debug-mode`` and ``debug-exceptions`` of each client but those with the role ``worker``.
Why it matters
    In debug mode Zope looks at the files of templates and skins with every request: slow, and a half-copied release is
    served at once. ``debug-exceptions`` shows users what developers should see.
What it does not prove
    That the running client was started with this file; and a command line can switch debugging on as well.
How to repair it
    Write ``debug-mode off``, or give the client ``role = worker`` in clients.ini if no balancer sends users to it.

>>> show(debug_mode_is_off, app1=zope_conf("debug-mode off"), app2=zope_conf("instancehome /srv/app2"))
OK
>>> show(debug_mode_is_off, app1=zope_conf("debug-mode off"), app2=zope_conf("debug-mode on"))
WARNING app2: debug-mode is on for app2
>>> show(debug_mode_is_off, app1=zope_conf("debug-mode off"), app2=zope_conf("debug-mode $(DEBUG_MODE)"))
UNKNOWN app2: the inventory gives no value for $(DEBUG_MODE), which debug-mode of app2 needs
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Setting, ZopeConf
from zcheck.facts.config import is_on
from zcheck.rules.databases import places, unresolved

KEYS = ("debug-mode", "debug-exceptions")


@check("debug-mode-is-off", stage="config", needs=[ZopeConf], severity=Severity.WARNING, after=["zope-conf-parses"])
def debug_mode_is_off(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a switch, with all clients that have it on."""
    found: dict[str, dict[str, Setting]] = {}
    for client, conf in facts.each(ZopeConf).items():
        if facts.inventory.client(client).role == "worker":
            yield Skipped((client,), "its role is worker")
            continue
        lines = [line for key in KEYS for line in conf.top.all(key)]
        yield from unresolved(client, lines)
        for line in filter(is_on, lines):
            found.setdefault(line.key, {})[client] = line
    for key, owners in found.items():
        message = f"{key} is on for {', '.join(owners)}"
        hint = f"write '{key} off', or role = worker into [client:{next(iter(owners))}]"
        yield Problem(tuple(owners), message, places(owners.values()), hint, about=key)
