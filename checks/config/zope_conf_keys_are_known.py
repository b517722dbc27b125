"""Every key of zope.conf is one that some version of Zope knows.

What it examines
    The keys at the top and in the sections of Zope, ZServer, ZODB, ZEO, RelStorage and zc.zlibstorage, against the
    schemas from Zope 2.7 to Zope 6. A section type that is not among them is an add-on's, and nothing is said of it.
Why it matters
    Zope does not start with a key that it does not know (``not a known key name``). The next restart is when everybody
    learns of it.
What it does not prove
    That the key is one of the version that this client runs: Zope 4 and later refuse much that Zope 2 knew.
How to repair it
    Correct the spelling, or remove the line.

>>> show(zope_conf_keys_are_known, app1=zope_conf("debug-mode off"), app2=zope_conf("debug-mode off"))
OK
>>> show(zope_conf_keys_are_known, app1=zope_conf("debug-mode off"), app2=zope_conf("debugmode off"))
WARNING app2: 'debugmode' is no key that Zope knows: it would not start with it; did you mean 'debug-mode'?
>>> show(zope_conf_keys_are_known, app1=zope_conf("debug-mode off"), app2=NotGathered("app2: permission denied"))
UNKNOWN app2: app2: permission denied
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, check
from zcheck.facts import Facts, Setting, ZopeConf
from zcheck.facts.zope_schema import KEYS, every_section, meant
from zcheck.rules.databases import places


@check(
    "zope-conf-keys-are-known", stage="config", needs=[ZopeConf], severity=Severity.WARNING, after=["zope-conf-parses"]
)
def zope_conf_keys_are_known(facts: Facts) -> Iterator[Problem]:
    """One finding a key and kind of section, with all clients that have it."""
    found: dict[tuple[str, str], dict[str, Setting]] = {}
    for client, conf in facts.each(ZopeConf).items():
        for section in every_section(conf):
            known = KEYS.get(section.type)
            for setting in section.settings if known is not None else ():
                if known is not None and setting.key not in known:
                    found.setdefault((section.type, setting.key), {}).setdefault(client, setting)
    for (kind, key), owners in found.items():
        nearest = meant(kind, key)
        owner = f"<{kind}>" if kind else "Zope"
        knows = f"'{key}' is no key that {owner} knows: {'it' if not kind else 'Zope'} would not start with it"
        message = f"{knows}; did you mean '{nearest}'?" if nearest else knows
        hint = f"write '{nearest}', or remove the line" if nearest else "remove the line"
        yield Problem(tuple(owners), message, places(owners.values()), hint, about=f"{kind} {key}")
