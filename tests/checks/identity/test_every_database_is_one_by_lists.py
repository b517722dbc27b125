"""What the clients' own servers list tells copies apart, and is not told twice."""

from __future__ import annotations

from typing import Any

from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.checks.reach.zeo_sees_every_client import zeo_sees_every_client
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    HttpAnswer,
    ServerLists,
    ZeoIdentity,
    ZopeConf,
)
from zcheck.report.structs import Judgement
from zcheck.runner import run
from zcheck.testing import facts_of, judge, zope_conf
from zcheck.testing.examples import identity, server_lists, zeo_answer


def severities(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings]


SERVES = HttpAnswer("http", status=200)
CONNECTED = ControlPanel((DatabasePage("main", "zeostorage", True),))


def registered(count: int, *more: Any, conf: ZopeConf | None = None) -> list[Any]:
    return [zeo_answer(connections=count), *(more or (SERVES,)), conf or zope_conf(server="zeo1:8100")]


def test_a_client_that_hung_for_its_list_is_named_and_one_that_was_not_asked_is_unknown() -> None:
    lists = ServerLists(hung=("app2",), not_asked={"app3": "app3 did not answer an earlier run"})
    judgement = judge(client_is_connected_to_zeo, lists, **{f"app{n}": [SERVES, CONNECTED] for n in (1, 2, 3)})
    assert [("CRITICAL", ("app2",)), ("UNKNOWN", ("app3",))] == [(f.severity, f.clients) for f in judgement.findings]


def test_a_split_that_is_told_over_zeo_is_not_told_twice() -> None:
    apart = server_lists(app1="1 2 9", app2="1 2 3 5")
    proofs = identity(app1="zeo1:8100 1 7", app2="zeo2:8100 1 7")
    alike = identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", rose="app1 app1=7 app2=7")
    for evidence in (proofs, alike, ZeoIdentity(why_not="no zope.conf was read")):
        assert ["CRITICAL"] == severities(judge(every_database_is_one, evidence, apart, app1=[], app2=[]))
    nothing = judge(every_database_is_one, ZeoIdentity(why_not="no zope.conf was read"), app1=[], app2=[])
    assert ("skipped", "no zope.conf was read") == (nothing.results[0].outcome, nothing.results[0].because)


def test_leaving_the_telling_to_another_for_nobody_is_nothing() -> None:
    facts = facts_of(app1=registered(1))
    judgement = run([zeo_sees_every_client], facts, left_out={"zeo-server-answers": "not asked for by --only"})
    assert ([], "pass") == (list(judgement.findings), judgement.results[0].outcome)
