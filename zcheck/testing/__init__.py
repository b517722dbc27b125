"""``show(check, facts...)``: what a check says of a few facts, for its page and its tests.

A keyword names a client and gives one fact, or a list of facts of different kinds; a fact in front of the keywords is
cluster-wide.  ``NotGathered`` and ``LeftOut`` stand for the check's first per-client kind; where another kind is meant,
give ``(Kind, NotGathered(...))``.  Clients are at 10.0.0.1, 10.0.0.2 and so on unless an inventory is given.
"""

from __future__ import annotations

from typing import Any

from zcheck.check import Check
from zcheck.consistency.judge.verdicts import with_verdicts
from zcheck.facts import Balancers, Facts, Inventory, LeftOut, NotGathered, WsgiConf, ZopeConf
from zcheck.parsers import clients_ini as _inventory
from zcheck.parsers import haproxy_cfg as _haproxy
from zcheck.parsers import wsgi_ini as _wsgi_ini
from zcheck.parsers import zope_conf as _zopeconf
from zcheck.report.structs import Judgement
from zcheck.runner import run

__all__ = ["LeftOut", "NotGathered", "facts_of", "haproxy_conf", "inventory", "judge", "show", "wsgi_ini", "zope_conf"]


def zope_conf(text: str = "", *, file: str = "zope.conf", env: dict[str, str] | None = None, **main: str) -> ZopeConf:
    """A zope.conf from its text; or, by keywords, one database ``main`` on ZEO with these keys.

    ``server`` (several with blanks between), ``mount`` (default ``/``) and ``storage`` are understood, other keywords
    become keys of the storage section, ``_`` in them standing for ``-``.
    """
    if not text:
        mount = main.pop("mount", "/")
        keys = [f"server {server}" for server in main.pop("server", "zeo1:8100").split()]
        keys += [f"{key.replace('_', '-')} {value}" for key, value in main.items()]
        lines = ["<zodb_db main>", "<zeoclient>", *keys, "</zeoclient>", f"mount-point {mount}", "</zodb_db>"]
        text = "\n".join(lines)
    return _zopeconf.parse(text, file, env or {}, _no_includes)


def wsgi_ini(text: str, *, file: str = "zope.ini") -> WsgiConf:
    """A zope.ini from its text."""
    return _wsgi_ini.parse(text, file)


def haproxy_conf(text: str, *, file: str = "haproxy.cfg", backend: str | None = None) -> Balancers:
    """The balancer ``front``, from the text of its haproxy.cfg; ``backend`` is the one that clients.ini names."""
    return Balancers({"front": _haproxy.parse([(file, text)], backend)})


def inventory(text: str, file: str = "clients.ini") -> Inventory:
    """An inventory from the text of a clients.ini."""
    return _inventory.parse(text, file)


def facts_of(*cluster: Any, kind: type[Any] = ZopeConf, **clients: Any) -> Facts:
    """The facts that these arguments describe; see the module's docstring."""
    facts = Facts()
    given = next((fact for fact in cluster if isinstance(fact, Inventory)), None)
    if given is None:
        lines = ["[cluster]", "name = test"]
        for number, name in enumerate(clients, 1):
            lines += [f"[client:{name}]", f"address = 10.0.0.{number}:8080"]
        given = inventory("\n".join(lines))
    facts = facts.with_fact("", given)
    for fact in cluster:
        facts = _with(facts, "", fact, kind)
    for name, fact in clients.items():
        for one in fact if isinstance(fact, list) else [fact]:
            facts = _with(facts, name, one, kind)
    return with_verdicts(facts)


def judge(check: Check, *cluster: Any, today: str = "2026-01-01", **clients: Any) -> Judgement:
    """The runner's judgement of these facts by this one check."""
    kind = next((kind for kind in check.needs if kind.scope == "client"), None) or next(iter(check.needs), ZopeConf)
    return run([check], facts_of(*cluster, kind=kind, **clients), today=today)


def show(check: Check, *cluster: Any, **clients: Any) -> None:
    """Print a line a finding (severity, clients, message), the remarks after them; ``OK`` or ``skipped`` for none."""
    judgement = judge(check, *cluster, **clients)
    for finding in judgement.findings:
        print(f"{finding.severity} {', '.join(finding.clients)}: {finding.message}")
    for remark in judgement.remarks:
        print(f"note {', '.join(remark.clients)}: {remark.message}")
    (result,) = judgement.results
    if result.outcome == "pass":
        print("OK")
    elif result.outcome == "skipped":
        print(f"skipped: {result.because}")


def _with(facts: Facts, subject: str, fact: Any, kind: type[Any]) -> Facts:
    if isinstance(fact, tuple):
        stated, value = fact
        return facts.with_fact(subject, value, stated)
    if isinstance(fact, NotGathered | LeftOut):
        return facts.with_fact(subject, fact, kind)
    return facts.with_fact(subject, fact)


def _no_includes(url: str) -> str:
    raise OSError(f"{url}: no file is read in a test of this form")
