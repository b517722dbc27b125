"""Every ZEO server's own file is one that ZEO starts with.

What it examines
    The file of each ``[zeo:NAME]`` section that names one with ``conf``, with all that it includes: its syntax, and
    what ZEO's own schema says of it (ZEO/schema.xml, ZEO/server.xml). A key that is of no version, stands outside of
    every section or is given twice; one that is missing; a value that is none; a storage whose ``%import`` is missing;
    two storages of one name; a byte order mark. Keys that ZEO 4 knew and ZEO 5 refuses are a WARNING.
Why it matters
    A server that does not start again takes every client with it: they serve what is in their caches, and nobody can
    save.
What it does not prove
    That the running server was started with this file (see zeo-server-answers), or that its folders are there.
How to repair it
    Repair the line that is shown, and try it: ``runzeo -C zeo.conf`` ends at once where the file is refused.

>>> from zcheck.parsers.zeo_conf import parse
>>> one = inventory('''[cluster]
... name = intranet
... [client:app1]
... address = 10.0.0.1:8080
... [zeo:main]
... address = 10.0.0.5:8100
... conf = zeo.conf''')
>>> def served(*lines):
...     text = "\\n".join(("<zeo>", *lines, "</zeo>", "<filestorage 1>", "path /srv/Data.fs", "</filestorage>"))
...     return ZeoConfs({"main": parse(text, "zeo.conf", {}, str)})
>>> show(zeo_conf_is_valid, one, served("address 8100"), app1=[])
OK
>>> show(zeo_conf_is_valid, one, served("address 8100", "address 8200"), app1=[])
CRITICAL app1: ZEO does not start: 'address' is given twice; the first is at line 2
>>> show(zeo_conf_is_valid, one, served("address 8100", "monitor-address 8101"), app1=[])
WARNING app1: ZEO 5 and later do not start with 'monitor-address', which ZEO 4 knew
>>> show(zeo_conf_is_valid, one, ZeoConfs({"main": NotGathered("zeo.conf: Permission denied")}), app1=[])
UNKNOWN app1: zeo.conf: Permission denied
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Unknown, check
from zcheck.facts import Facts, NotGathered, ZeoConf, ZeoConfs
from zcheck.facts.zope_schema import ONLY_ZEO_4, zeo_refusals


@check("zeo-conf-is-valid", stage="config", needs=[ZeoConfs], severity=Severity.CRITICAL)
def zeo_conf_is_valid(facts: Facts) -> Iterator[Problem | Unknown]:
    """One finding a faulty line; it is about every client of the cluster."""
    told = set()
    for name, conf in facts.the(ZeoConfs).confs.items():
        if isinstance(conf, NotGathered):
            yield Unknown(facts.clients, conf.reason, hint=conf.hint, about=name)
        elif conf.file not in told:
            told.add(conf.file)
            yield from _of_file(facts.clients, conf)


def _of_file(clients: tuple[str, ...], conf: ZeoConf) -> Iterator[Problem | Unknown]:
    refused = any(fault.kind == "refused" for fault in conf.faults)
    for fault in (*conf.faults, *(() if refused else zeo_refusals(conf))):
        places = (Place.of(fault),)
        if fault.kind == "refused":
            is_kind = fault.message.startswith("this is")
            message = fault.message if is_kind else f"ZEO does not start: {fault.message}"
            yield Problem(clients, message, places, fault.hint, about=fault.message)
        else:
            yield Unknown(clients, fault.message, places, fault.hint, about=fault.message)
    for line in conf.zeo.settings if conf.zeo is not None else ():
        if line.key in ONLY_ZEO_4:
            message = f"ZEO 5 and later do not start with '{line.key}', which ZEO 4 knew"
            hint = "remove the line; TLS takes the place of logins, and 'ruok' that of the monitor"
            yield Problem(clients, message, (Place.of(line),), hint, about=line.key, severity=Severity.WARNING)
