"""every-database-is-one: a database of several clients that nothing proved to be one is UNKNOWN by its name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.facts import ControlPanel, DatabasePage, ZeoIdentity
from zcheck.facts.history import HttpHistories, ZeoHistories
from zcheck.testing import judge, zope_conf
from zcheck.testing.examples import http_run, identity, mounting, zeo_run

ONE = identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", rose="app1 app1=7 app2=7")
BOTH = ZeoIdentity(
    {"main": ONE.databases["main"], "archive": ONE.databases["main"]},
    {"main": ONE.loads["main"], "archive": ONE.loads["main"]},
)


def archive(run: HttpHistories) -> HttpHistories:
    return HttpHistories(tuple(msgspec.structs.replace(one, database="archive") for one in run.histories))


def archive_over_zeo(run: ZeoHistories) -> ZeoHistories:
    return ZeoHistories(tuple(msgspec.structs.replace(one, database="archive") for one in run.histories))


SEEN = ("app1 > app2", "app2 > app1")
CASES: dict[str, tuple[list[Any], bool]] = {
    "nothing at all": ([ONE], True),
    "identity": ([BOTH], False),
    "edits through the clients": ([ONE, archive(http_run(*SEEN))], False),
    "edits of one alone, the other reading": ([ONE, archive(http_run("app1 > app2"))], False),
    "edits in the root": ([ONE, http_run(*SEEN)], True),
    "writes over ZEO": ([ONE, archive_over_zeo(zeo_run(*SEEN))], False),
    "no connection of ours": ([ZeoIdentity(why_not="no zope.conf was read")], True),
}


@pytest.mark.parametrize("path", ["/archive", ""], ids=["mounted", "opened by name"])
@pytest.mark.parametrize(("evidence", "unproven"), CASES.values(), ids=CASES)
def test_a_database_that_nothing_proved(evidence: list[Any], unproven: bool, path: str) -> None:
    conf = zope_conf(mounting(main="/", archive=path))
    judgement = judge(every_database_is_one, *evidence, app1=conf, app2=conf)
    told = [(finding.severity, finding.clients) for finding in judgement.findings if "archive" in finding.message]
    assert ([("UNKNOWN", ("app1", "app2"))] if unproven else []) == told


def test_one_client_alone_has_nobody_to_be_one_with() -> None:
    both, one = zope_conf(mounting(main="/", archive="/archive")), zope_conf(mounting(main="/"))
    assert not judge(every_database_is_one, ONE, app1=both, app2=one).findings


def test_a_database_that_only_the_running_clients_know() -> None:
    shown = ControlPanel((DatabasePage("main", "x", True), DatabasePage("archive", "y", True)))
    conf = zope_conf(mounting(main="/"))
    (finding,) = judge(every_database_is_one, ONE, app1=[conf, shown], app2=[conf, shown]).findings
    assert ("UNKNOWN", ("app1", "app2")) == (finding.severity, finding.clients)
    assert "database archive" in finding.message
    alone = ControlPanel((DatabasePage("main", "x", True),))
    assert not judge(every_database_is_one, ONE, app1=[conf, alone], app2=[conf, alone]).findings


def test_what_writes_have_proven_is_not_unclear() -> None:
    """A server that passes on another one's storage counts for itself: identity alone tells nothing."""
    unclear = identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", rose="app1 app1=7 app2=0")
    assert ["UNKNOWN"] == [one.severity for one in judge(every_database_is_one, unclear, app1=[], app2=[]).findings]
    assert not judge(every_database_is_one, unclear, http_run(*SEEN), app1=[], app2=[]).findings
