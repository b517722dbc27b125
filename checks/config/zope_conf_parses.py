"""Every client's zope.conf can be read as Zope reads it, and holds together.

What it examines
    Each client's zope.conf with all that it includes, by ZConfig's own parser: sections that are not closed, lines that
    are no ``key value``, undefined ``$names``, a name given to two databases, a database without a mount point or a
    storage, two databases on one mount point, a second ``<environment>``, a key that no version of Zope knows or that
    is given twice, a number that is none, a storage whose ``%import`` is missing, a byte order mark. Where zope.ini
    starts Zope 4 or later (``egg:Zope#main``), the keys and sections that only Zope 2 has. A file of another kind (a
    ZEO server's, Zope 3's, a template that was not rendered) is told as such.
Why it matters
    A client that Zope refuses to start is missing from the cluster after its next restart. And what cannot be read
    cannot be compared.
What it does not prove
    That Zope would start: whether every key and value is valid for this client's version of Zope and its add-ons only
    their own packages tell (see zope-conf-keys-are-known). An included file that cannot be had from here
    is UNKNOWN, and the rest of the configuration is judged without it.
How to repair it
    Repair the line that is shown. For an included file that is not at hand, put a copy of it where it is looked for.

>>> show(zope_conf_parses, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100"))
OK
>>> show(zope_conf_parses, app1=zope_conf(server="zeo1:8100"), app2=zope_conf("<zodb_db main>"))
CRITICAL app2: Zope does not start: <zodb_db> is never closed
>>> show(zope_conf_parses, app1=zope_conf("debug-mode off"), app2=zope_conf("debugmode off"))
CRITICAL app2: Zope does not start: 'debugmode' is no key that Zope knows; did you mean 'debug-mode'?
>>> show(zope_conf_parses, app1=zope_conf(server="zeo1:8100"), app2=NotGathered("app2/zope.conf: permission denied"))
UNKNOWN app2: app2/zope.conf: permission denied
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Unknown, check
from zcheck.facts import ConfFault, Facts, Section, Setting, WsgiConf, ZopeConf
from zcheck.facts.zope_schema import SURELY_ZOPE_2_KEYS, of_zope_2, refusals


@check("zope-conf-parses", stage="config", needs=[ZopeConf], uses=[WsgiConf], severity=Severity.CRITICAL)
def zope_conf_parses(facts: Facts) -> Iterator[Problem | Unknown]:
    """One finding a faulty line; clients that read the same file share it."""
    found: dict[ConfFault, list[str]] = {}
    inis = facts.each(WsgiConf)
    for client, conf in facts.each(ZopeConf).items():
        refused = any(fault.kind == "refused" for fault in conf.faults)
        for fault in (*conf.faults, *(() if refused else _refusals(conf, inis.get(client)))):
            found.setdefault(fault, []).append(client)
    for fault, clients in found.items():
        places = (Place.of(fault),)
        if fault.kind == "refused":
            yield Problem(tuple(clients), _refused(fault), places, fault.hint, about=fault.message)
        else:
            yield Unknown(tuple(clients), fault.message, places, fault.hint, about=fault.message)


def _refusals(conf: ZopeConf, ini: WsgiConf | None) -> Iterator[ConfFault]:
    yield from refusals(conf)
    for where in of_zope_2(conf) if ini is not None and ini.starts_zope_4 else ():
        if isinstance(where, Section) or where.key in SURELY_ZOPE_2_KEYS:
            yield _of_zope_2(where, ini.file if ini is not None else "")


def _of_zope_2(where: Setting | Section, ini: str) -> ConfFault:
    what = f"'{where.key}'" if isinstance(where, Setting) else f"<{where.type}>"
    message = f"{what} is Zope 2's, and {ini} starts Zope 4 or later, which refuses it"
    return ConfFault(
        "refused", message, where.file, where.line, f"remove {what}; zope.ini says where the client listens"
    )


def _refused(fault: ConfFault) -> str:
    return fault.message if fault.message.startswith("this is") else f"Zope does not start: {fault.message}"
