"""zeo-server-answers: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck.checks.reach.zeo_commit_lock_is_free import zeo_commit_lock_is_free
from zcheck.checks.reach.zeo_server_answers import zeo_server_answers
from zcheck.checks.reach.zeo_storage_exists import zeo_storage_exists
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    NotGathered,
    ZeoAnswers,
)
from zcheck.report.structs import Judgement
from zcheck.runner import run
from zcheck.testing import facts_of, judge, zope_conf
from zcheck.testing.examples import zeo_answer

REACH = [zeo_server_answers, zeo_storage_exists, zeo_commit_lock_is_free]


def told(judgement: Judgement) -> list[tuple[str, str]]:
    """Severity and clients of every finding."""
    return [(finding.severity, " ".join(finding.clients)) for finding in judgement.findings]


def skipped(judgement: Judgement) -> dict[str, str]:
    """By client, why it was skipped."""
    return {skip.client: skip.because for result in judgement.results for skip in result.skipped_for}


def panel(connected: bool | None) -> ControlPanel:
    return ControlPanel((DatabasePage("main", "zeostorage", connected),))


def both(*answers: ZeoAnswers) -> ZeoAnswers:
    """The answers of several ``server`` lines of one client."""
    return ZeoAnswers(tuple(answer for found in answers for answer in found.answers))


SSL = (
    "%import ZEO\n<zodb_db main>\n<clientstorage>\nserver zeo1:8100\n<ssl>\ncertificate /c.pem\n</ssl>\n"
    "</clientstorage>\nmount-point /\n</zodb_db>"
)
SERVER_ANSWERS: list[Any] = [
    pytest.param([], {}, {"app1": zeo_answer(), "app2": zeo_answer()}, id="healthy"),
    pytest.param(
        [("CRITICAL", "app1 app2 app3")],
        {},
        {name: zeo_answer("refused") for name in ("app1", "app2", "app3")},
        id="one dead server is one finding that names all",
    ),
    pytest.param(
        [("CRITICAL", "app1"), ("CRITICAL", "app2")],
        {},
        {"app1": zeo_answer("refused"), "app2": zeo_answer("silent", "zeo2:8100")},
        id="two dead servers are two",
    ),
    pytest.param(
        [("CRITICAL", "app1")],
        {},
        {"app1": both(zeo_answer(), zeo_answer("refused", "zeo2:8100")), "app2": zeo_answer()},
        id="a fallback that is dead",
    ),
    pytest.param(
        [],
        {"app1": "app1, app2 say", "app2": "app1, app2 say"},
        {n: [zeo_answer("refused"), panel(True)] for n in ("app1", "app2")},
        id="refused from here, and all say connected",
    ),
    pytest.param(
        [],
        {"app1": "cannot be reached from here", "app2": "cannot be reached from here"},
        {"app1": [zeo_answer("unknown-name"), panel(True)], "app2": zeo_answer("unknown-name")},
        id="a name that is unknown here, and the one that runs says connected",
    ),
    pytest.param(
        [],
        {"app1": "cannot be reached from here"},
        {"app1": [zeo_answer("timeout"), panel(True)]},
        id="a firewall in between, and it says connected",
    ),
    pytest.param(
        [("CRITICAL", "app1 app2")],
        {},
        {
            "app1": [zeo_answer("refused", here=True), panel(True)],
            "app2": [zeo_answer("refused", here=True), panel(True)],
        },
        id="refused on this very machine",
    ),
    pytest.param(
        [("CRITICAL", "app1 app2")],
        {},
        {"app1": [zeo_answer("unreachable"), panel(True)], "app2": [zeo_answer("unreachable"), panel(False)]},
        id="one says disconnected",
    ),
    pytest.param(
        [("CRITICAL", "app1")],
        {},
        {"app1": [zeo_answer("unreachable"), panel(None)]},
        id="it does not say either",
    ),
    pytest.param(
        [("CRITICAL", "app1")],
        {},
        {"app1": [zeo_answer("silent", detail="accepts the connection and says nothing"), panel(True)]},
        id="silent, whatever anybody says",
    ),
    pytest.param(
        [("CRITICAL", "app1")], {}, {"app1": [zeo_answer("http"), panel(True)]}, id="HTTP, whatever anybody says"
    ),
    pytest.param(
        [("CRITICAL", "app1")],
        {},
        {"app1": [both(zeo_answer(), zeo_answer("unreachable", "zeo2:8100")), panel(True)]},
        id="connected perhaps to the other one",
    ),
    pytest.param(
        [],
        {"app1": "the ZEO server zeo1:8100 speaks Z4"},
        {"app1": zeo_answer("too-old", detail="speaks Z4"), "app2": zeo_answer(server="zeo2:8100")},
        id="too old to be spoken to",
    ),
    pytest.param(
        [("UNKNOWN", "app1")], {}, {"app1": [zeo_answer("tls"), zope_conf(SSL)]}, id="TLS, and an <ssl> section"
    ),
    pytest.param(
        [("CRITICAL", "app1")], {}, {"app1": [zeo_answer("tls"), zope_conf()]}, id="TLS, and no <ssl> section"
    ),
    pytest.param(
        [("UNKNOWN", "app1"), ("CRITICAL", "app2")],
        {},
        {"app1": [zeo_answer("tls"), zope_conf(SSL)], "app2": [zeo_answer("tls"), zope_conf()]},
        id="TLS, and an <ssl> section on one client",
    ),
    pytest.param([("UNKNOWN", "app1")], {}, {"app1": NotGathered("not done"), "app2": zeo_answer()}, id="not gathered"),
]


@pytest.mark.parametrize(("findings", "skips", "facts"), SERVER_ANSWERS)
def test_zeo_server_answers(findings: list[tuple[str, str]], skips: dict[str, str], facts: dict[str, Any]) -> None:
    judgement = judge(zeo_server_answers, **facts)
    assert findings == told(judgement)
    assert skips.keys() == skipped(judgement).keys()
    assert all(reason in skipped(judgement)[client] for client, reason in skips.items())


def test_a_dead_servers_message_names_it_and_every_line() -> None:
    second = zeo_answer("refused", "10.0.0.5:8100", line=41)
    dialled = msgspec.structs.replace(second.answers[0], dialled="zeo1:8100")
    (finding,) = judge(zeo_server_answers, app1=zeo_answer("refused"), app2=ZeoAnswers((dialled,))).findings
    assert "the ZEO server zeo1:8100 or 10.0.0.5:8100 of app1, app2 refuses connections" == finding.message
    assert [(3, "server zeo1:8100"), (41, "server 10.0.0.5:8100")] == [(p.line, p.text) for p in finding.places]
    (finding,) = judge(zeo_server_answers, app2=ZeoAnswers((dialled,))).findings
    assert "10.0.0.5:8100 (dialled zeo1:8100)" in finding.message


@pytest.mark.parametrize("outcome", ["refused", "too-old", "tls"])
def test_of_a_server_that_does_not_answer_nothing_else_is_said(outcome: Any) -> None:
    facts = facts_of(kind=ZeoAnswers, app1=zeo_answer(outcome), app2=zeo_answer(server="zeo2:8100"))
    judgement = run(REACH, facts)
    assert {"zeo-server-answers"} >= {finding.check for finding in judgement.findings}
    for result in judgement.results[1:]:
        assert [("app1", "zeo-server-answers")] == [(skip.client, skip.because) for skip in result.skipped_for]
        assert "pass" == result.outcome
