"""Every client's zope.conf can be read as Zope reads it, and holds together.

What it examines
    Each client's zope.conf with all that it includes, by ZConfig's own parser: sections that are not closed, lines that
    are no ``key value``, undefined ``$names``, a name given to two databases, a database without a mount point or a
    storage, two databases on one mount point, a second ``<environment>``, a key that is given twice, a number that is
    none. A file of another kind (a ZEO server's, Zope 3's, a template that was not rendered) is told as such.
Why it matters
    A client that Zope refuses to start is missing from the cluster after its next restart. And what cannot be read
    cannot be compared.
What it does not prove
    That Zope would start: zope-conf-keys-are-known looks at the keys, and whether every key and value is valid for this
    client's version of Zope and its add-ons only their own packages tell. An included file that cannot be had from here
    is UNKNOWN, and the rest of the configuration is judged without it.
How to repair it
    Mend the line that is shown. For an included file that is not at hand, put a copy of it where it is looked for.

>>> show(zope_conf_parses, app1=zope_conf(server="zeo1:8100"), app2=zope_conf(server="zeo1:8100"))
OK
>>> show(zope_conf_parses, app1=zope_conf(server="zeo1:8100"), app2=zope_conf("<zodb_db main>"))
CRITICAL app2: Zope does not start: <zodb_db> is never closed
>>> show(zope_conf_parses, app1=zope_conf(server="zeo1:8100"), app2=NotGathered("app2/zope.conf: permission denied"))
UNKNOWN app2: app2/zope.conf: permission denied
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Unknown, check
from zcheck.facts import ConfFault, Facts, ZopeConf
from zcheck.facts.zope_schema import refusals


@check("zope-conf-parses", stage="config", needs=[ZopeConf], severity=Severity.CRITICAL)
def zope_conf_parses(facts: Facts) -> Iterator[Problem | Unknown]:
    """One finding a faulty line; clients that read the same file share it."""
    found: dict[ConfFault, list[str]] = {}
    for client, conf in facts.each(ZopeConf).items():
        refused = any(fault.kind == "refused" for fault in conf.faults)
        for fault in (*conf.faults, *(() if refused else refusals(conf))):
            found.setdefault(fault, []).append(client)
    for fault, clients in found.items():
        places = (Place.of(fault),)
        if fault.kind == "refused":
            yield Problem(tuple(clients), _refused(fault), places, fault.hint, about=fault.message)
        else:
            yield Unknown(tuple(clients), fault.message, places, fault.hint, about=fault.message)


def _refused(fault: ConfFault) -> str:
    return fault.message if fault.message.startswith("this is") else f"Zope does not start: {fault.message}"
