"""What tests of configuration files share: a clients.ini on disk, judged offline without the command line."""

from __future__ import annotations

from pathlib import Path

from zcheck.check import Check
from zcheck.checks import CATALOGUE
from zcheck.facts import Facts, Inventory, LeftOut, NotGathered, ZopeConf
from zcheck.parsers import clients_ini, zope_conf
from zcheck.report.structs import Judgement
from zcheck.runner import run

TODAY = "2026-11-20"
# The checks that need nothing but zope.conf files and clients.ini.
CONFIG_CHECKS = tuple(
    check
    for check in CATALOGUE
    if check.stage == "config" and {*check.needs} <= {ZopeConf} and check.name != "listen-address-matches"
)


def read(path: str) -> str:
    """The text of a file, as the probe that reads files gives it."""
    return Path(path).read_bytes().decode("utf-8", "surrogateescape")


def facts_of(ini: Path) -> Facts:
    """The facts that files alone give, for the checks of the config stage."""
    return facts_of_inventory(clients_ini.parse(ini.read_text(encoding="utf-8"), str(ini)))


def facts_of_inventory(cluster: Inventory) -> Facts:
    """The same for an inventory whose paths are already joined."""
    facts = Facts().with_fact("", cluster)
    for client in cluster.clients:
        if client.zope_conf is None:
            facts = facts.with_fact(client.name, LeftOut("no zope-conf in clients.ini"), ZopeConf)
            continue
        try:
            conf = zope_conf.parse(read(client.zope_conf), client.zope_conf, client.env, read)
        except OSError as error:
            facts = facts.with_fact(client.name, NotGathered(str(error)), ZopeConf)
        else:
            facts = facts.with_fact(client.name, conf)
    return facts


def judged(facts: Facts, checks: tuple[Check, ...] = CONFIG_CHECKS) -> Judgement:
    """What these checks say."""
    return run(checks, facts, today=TODAY)


def found(judgement: Judgement) -> dict[str, list[tuple[str, str]]]:
    """By the check's name: the severity and the clients of each finding, the clients sorted and with blanks between."""
    table: dict[str, list[tuple[str, str]]] = {}
    for finding in judgement.findings:
        table.setdefault(finding.check, []).append((finding.severity, " ".join(sorted(finding.clients))))
    return {name: sorted(findings) for name, findings in table.items()}
