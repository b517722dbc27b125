"""Every key of zope.conf is one that today's Zope knows.

What it examines
    The keys and sections at the top that Zope 2 had and today's Zope refuses, in a file that shows no sign of Zope 2:
    it has no ``<http-server>`` or other server of Zope 2, or a zope.ini starts it. A key that no version knows, and
    those that surely stop the client, are zope-conf-parses' findings.
Why it matters
    Zope 4 and later do not start with a key that they do not know (``not a known key name``). The next restart is when
    everybody learns of it.
What it does not prove
    Which version of Zope this client runs: see versions-agree.
How to repair it
    Remove the line. Where the client listens, and with how many threads, zope.ini says.

>>> show(zope_conf_keys_are_known, app1=zope_conf("debug-mode off"), app2=zope_conf("debug-mode off"))
OK
>>> show(zope_conf_keys_are_known, app1=zope_conf("debug-mode off"), app2=zope_conf("zserver-threads 4"))
WARNING app2: 'zserver-threads' is Zope 2's: Zope 4 and later do not start with it
>>> show(zope_conf_keys_are_known, app1=zope_conf("debug-mode off"), app2=NotGathered("app2: permission denied"))
UNKNOWN app2: app2: permission denied
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, check
from zcheck.facts import Facts, Section, Setting, WsgiConf, ZopeConf
from zcheck.facts.zope_schema import SURELY_ZOPE_2_KEYS, of_zope_2
from zcheck.rules.databases import is_partial, places

_SERVERS = frozenset(
    {"http-server", "webdav-source-server", "ftp-server", "monitor-server", "icp-server", "fast-cgi", "clock-server"}
)
"""Sections of Zope 2 that make it listen, or run: who has one is Zope 2."""


@check(
    "zope-conf-keys-are-known",
    stage="config",
    needs=[ZopeConf],
    uses=[WsgiConf],
    severity=Severity.WARNING,
    after=["zope-conf-parses"],
)
def zope_conf_keys_are_known(facts: Facts) -> Iterator[Problem]:
    """One finding a key or section, with all clients that have it."""
    found: dict[str, dict[str, Setting | Section]] = {}
    inis = facts.each(WsgiConf)
    for client, conf in facts.each(ZopeConf).items():
        ini = inis.get(client)
        is_wsgi = ini is not None and ini.file != conf.file
        is_zope_2 = any(section.type in _SERVERS for section in conf.sections) or is_partial(conf)
        if is_zope_2 and not is_wsgi:
            continue
        for where in of_zope_2(conf):
            sure = isinstance(where, Section) or where.key in SURELY_ZOPE_2_KEYS
            if not (sure and ini is not None and ini.starts_zope_4):
                what = f"'{where.key}'" if isinstance(where, Setting) else f"<{where.type}>"
                found.setdefault(what, {}).setdefault(client, where)
    for what, owners in found.items():
        message = f"{what} is Zope 2's: Zope 4 and later do not start with it"
        yield Problem(tuple(owners), message, places(owners.values()), f"remove {what}", about=what)
