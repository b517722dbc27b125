"""zeo-passes-writes-on: where it fires, and beside it where it must not."""

from __future__ import annotations

import pytest

from zcheck.checks.consistency.zeo_passes_writes_on import zeo_passes_writes_on
from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.facts.history import ClientState, History, Operation, ZeoHistories
from zcheck.report.structs import Judgement
from zcheck.runner import run
from zcheck.testing import facts_of, inventory, judge
from zcheck.testing.examples import identity, zeo_run


def told(judgement: Judgement) -> list[tuple[str, str]]:
    """Severity and clients of every finding."""
    return [(finding.severity, " ".join(finding.clients)) for finding in judgement.findings]


def skipped(judgement: Judgement) -> dict[str, str]:
    """By client, why it was skipped."""
    return {skip.client: skip.because for result in judgement.results for skip in result.skipped_for}


ONE = "zeo1:8100"
TWO = "zeo2:8100"
PASSES = [
    pytest.param([], zeo_run("app1 > app2 app3", "app2 > app1 app3", "app3 > app1 app2"), id="healthy"),
    pytest.param(
        [("CRITICAL", "app1 app2 app3")],
        zeo_run("app1 > app2 !app3", "app2 > app1 !app3", "app3 > !app1 !app2"),
        id="one apart",
    ),
    pytest.param(
        [("CRITICAL", "app1 app2 app3")],
        zeo_run("app1 > app2 !app3", "app2 > app1 app3", "app3 > app1 app2"),
        id="one pair, one direction",
    ),
    pytest.param(
        [("UNKNOWN", "app3")],
        zeo_run("app1 > app2", "app2 > app1", app3=ClientState("app3", hung=True, detail="did not answer")),
        id="one that hangs, and two proven",
    ),
    pytest.param(
        [("UNKNOWN", "app1 app2")],
        ZeoHistories(
            (
                History(
                    "zeo",
                    "main",
                    "run",
                    clients=(ClientState("app1", True), ClientState("app2", True)),
                    stopped="the commit lock of its storage is held",
                ),
            )
        ),
        id="nothing was written",
    ),
    pytest.param(
        [("UNKNOWN", "app1 app2")],
        zeo_run(
            app1=ClientState("app1"), app2=ClientState("app2"), stopped="zcheck's process for ZEO ended by signal 9"
        ),
        id="the writing child was killed",
    ),
    pytest.param(
        [("UNKNOWN", "app1")],
        zeo_run(
            "app2 >",
            app1=ClientState("app1", True, refused="error", detail="no space left on device"),
            stopped="a write through app1 failed: no space left on device",
        ),
        id="a full disk",
    ),
]


@pytest.mark.parametrize(("findings", "histories"), PASSES)
def test_zeo_passes_writes_on(findings: list[tuple[str, str]], histories: ZeoHistories) -> None:
    clients = {state.client: [] for state in histories.histories[0].clients}
    judgement = judge(zeo_passes_writes_on, histories, **dict(sorted(clients.items())))
    assert findings == told(judgement)


def test_a_client_that_may_not_be_written_to_is_proven_as_a_reader() -> None:
    barred = ClientState("app3", joined=True, detail="clients.ini pins storage 1, and this is storage 2")
    histories = zeo_run("app1 > app2 app3", "app2 > app1 app3", app3=barred)
    judgement = judge(zeo_passes_writes_on, histories, app1=[], app2=[], app3=[])
    assert ([], {}) == (told(judgement), skipped(judgement))


def test_nobody_may_be_written_to() -> None:
    states = {n: ClientState(n, joined=True, detail=f"{n}'s zope.conf says read-only") for n in ("app1", "app2")}
    histories = zeo_run(stopped="there is no client through which zcheck may write", **states)
    judgement = judge(zeo_passes_writes_on, histories, app1=[], app2=[])
    assert [] == told(judgement)
    assert {n: f"{n}'s zope.conf says read-only" for n in states} == skipped(judgement)


def test_a_read_only_client_is_a_reader_alone() -> None:
    cluster = inventory(
        "[cluster]\nname = c\n[client:app1]\naddress = a:1\n[client:app2]\naddress = b:1\n"
        "[client:app3]\naddress = c:1\nrole = read-only"
    )
    good = zeo_run("app1 > app2 app3", "app2 > app1 app3")
    assert [] == told(judge(zeo_passes_writes_on, good, cluster))
    stale = zeo_run("app1 > app2 !app3", "app2 > app1 !app3")
    assert [("CRITICAL", "app1 app2 app3")] == told(judge(zeo_passes_writes_on, stale, cluster))


def test_one_client_alone_is_no_pass() -> None:
    state = (ClientState("app1", joined=True),)
    write = Operation("app1", "add", 1, 0, 1, "ok", True, writes={"app1": "n"})
    histories = ZeoHistories((History("zeo", "main", "run", (write,), state),))
    judgement = judge(zeo_passes_writes_on, histories, app1=[], app2=[])
    assert ([], {"app1", "app2"}) == (told(judgement), set(skipped(judgement)))


def test_a_copy_that_was_found_is_not_told_twice() -> None:
    proofs = identity(app1=f"{ONE} 1 4", app2=f"{TWO} 1 4")
    histories = zeo_run("app1 > !app2", "app2 > !app1")
    judgement = run([every_database_is_one, zeo_passes_writes_on], facts_of(proofs, histories, app1=[], app2=[]))
    assert ["every-database-is-one"] == [finding.check for finding in judgement.findings]
