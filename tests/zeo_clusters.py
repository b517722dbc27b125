"""Small clusters on ZEO, from the texts of their files, for the checks that compare servers and storages."""

from __future__ import annotations

from typing import Any

from zcheck.checks import CATALOGUE
from zcheck.facts import Facts, Names, ZeoConfs
from zcheck.parsers import clients_ini, zeo_conf, zope_conf
from zcheck.runner import run

CHECKS = {check.name: check for check in CATALOGUE}
HOSTS = "[hosts]\nzeo1 = 10.0.1.1\nzeo2 = 10.0.1.2\n"
BOTH = "[zeo:main]\naddress = zeo1:8100\nmachine = zeo1\n[zeo:second]\naddress = zeo2:8100\nmachine = zeo2\n"
FILE = "<zeo>\naddress 8100\n</zeo>\n<filestorage {0}>\npath /srv/Data.fs\n</filestorage>\n"
FAN_OUT = "<zeo>\naddress 8100\n</zeo>\n<zeoclient 1>\nserver zeo1:8100\nstorage {0}\n</zeoclient>\n"
SECONDARY = (
    "%import zc.zrs\n<zeo>\naddress 8100\n</zeo>\n<zrs 1>\nreplicate-from {0}\n<filestorage>\npath /srv/Data.fs\n"
    "</filestorage>\n</zrs>\n"
)
PRIMARY = SECONDARY.replace("replicate-from {0}", "replicate-to 5000")


def nothing(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def client(server: str, storage: str = "1", *keys: str) -> str:
    lines = ["<zodb_db main>", "<zeoclient>", f"server {server}", f"storage {storage}", *keys, "</zeoclient>"]
    return "\n".join([*lines, "mount-point /", "</zodb_db>", ""])


def said(check: str, ini: str, *confs: str, zeo: dict[str, str] | None = None, **clients: str) -> list[str]:
    """The findings and remarks of one check: clients app1, app2 on machines of their own; ``app2`` adds lines."""
    text = "[cluster]\nname = test\n" + ("" if ini.startswith("[") else ini.partition("[")[0])
    for number in range(1, len(confs) + 1):
        text += f"[client:app{number}]\naddress = 10.0.0.{number}:8080\n{clients.get(f'app{number}', '')}\n"
    inventory = clients_ini.parse(text + ini[len(ini.partition("[")[0]) if not ini.startswith("[") else 0 :], "c.ini")
    facts = Facts().with_fact("", inventory).with_fact("", Names())
    for one, conf in zip(inventory.clients, confs, strict=True):
        facts = facts.with_fact(one.name, zope_conf.parse(conf, f"{one.name}.conf", one.env, nothing))
    if zeo:
        parsed: dict[str, Any] = {name: zeo_conf.parse(conf, f"{name}.conf", {}, nothing) for name, conf in zeo.items()}
        facts = facts.with_fact("", ZeoConfs(parsed))
    judgement = run([CHECKS[check]], facts)
    told = [f"{finding.severity} {' '.join(finding.clients)}: {finding.message}" for finding in judgement.findings]
    return told + [f"note {' '.join(remark.clients)}: {remark.message}" for remark in judgement.remarks]
