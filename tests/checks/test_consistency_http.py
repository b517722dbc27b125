"""What is written and read through the running clients: where its checks fire, and beside it where they must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.check import Check
from zcheck.checks.consistency.client_accepts_writes import client_accepts_writes
from zcheck.checks.consistency.edits_are_seen_everywhere import edits_are_seen_everywhere
from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    Facts,
    HttpAnswer,
    LeftOut,
    NotGathered,
)
from zcheck.facts.history import ClientState, HttpHistories
from zcheck.report.structs import Judgement
from zcheck.runner import run
from zcheck.testing import inventory, judge
from zcheck.testing.examples import http_run

Told = list[tuple[str, tuple[str, ...], str]]


def told(judgement: Judgement) -> Told:
    return [(finding.severity, finding.clients, finding.message) for finding in judgement.findings]


def outcome(judgement: Judgement) -> str:
    return judgement.results[0].outcome


def _facts(cluster: Any = None, **clients: dict[Any, Any]) -> Facts:
    lines = ["[cluster]", "name = x"]
    for number, name in enumerate(clients, 1):
        lines += [f"[client:{name}]", f"address = 10.0.0.{number}:8080"]
    facts = Facts().with_fact("", inventory("\n".join(lines)))
    if cluster is not None:
        facts = facts.with_fact("", cluster)
    for name, kinds in clients.items():
        for kind, fact in kinds.items():
            facts = facts.with_fact(name, fact, kind)
    return facts


def panel(*pages: tuple[str, str, bool | None]) -> ControlPanel:
    return ControlPanel(tuple(DatabasePage(*page) for page in pages))


UP = panel(("main", "zeo", True))
DOWN = panel(("main", "zeo", False))


def at(label: str, connected: bool | None = True) -> ControlPanel:
    return panel(("main", label, connected))


NINE = "[('10.0.0.9', 8100)]"
LOCAL = "[('127.0.0.1', 8100)]"


def state(client: str, refused: Any = "", detail: str = "because", joined: bool | None = True) -> ClientState:
    return ClientState(client, joined=joined, refused=refused, detail=detail)


BOTH = ("app1 > app2", "app2 > app1")
THREE = ("app1 > app2 app3", "app2 > app1 app3", "app3 > app1 app2")
# By the history: outcome, and severity and clients of each finding, of client-accepts-writes and of
# edits-are-seen-everywhere.
Verdicts = tuple[str, list[tuple[str, tuple[str, ...]]]]
RUNS: dict[str, tuple[HttpHistories, int, Verdicts, Verdicts]] = {
    "all see all": (http_run(*THREE), 3, ("pass", []), ("pass", [])),
    "one is apart, both ways": (
        http_run("app1 > app2 !app3", "app2 > app1 !app3", "app3 > !app1 !app2"),
        3,
        ("pass", []),
        ("problem", [("CRITICAL", ("app1", "app2", "app3"))]),
    ),
    "one against one": (
        http_run("app1 > !app2", "app2 > !app1"),
        2,
        ("pass", []),
        ("problem", [("CRITICAL", ("app1", "app2"))]),
    ),
    "one reads stale pages only": (
        http_run("app1 > app2 !app3", "app2 > app1 !app3", "app3 > app1 app2"),
        3,
        ("pass", []),
        ("problem", [("CRITICAL", ("app1", "app2", "app3"))]),
    ),
    "one never showed the folder": (
        http_run(*BOTH, app3=state("app3", joined=False)),
        3,
        ("pass", []),
        ("problem", [("CRITICAL", ("app1", "app2", "app3"))]),
    ),
    "one gave no answer": (
        http_run(*BOTH, app3=ClientState("app3")),
        3,
        ("unknown", [("UNKNOWN", ("app3",))]),
        ("unknown", [("UNKNOWN", ("app3",))]),
    ),
    "one is read-only by mistake": (
        http_run("app1 > app2 app3", "app2 > app1 app3", app3=state("app3", "read-only")),
        3,
        ("problem", [("CRITICAL", ("app3",))]),
        ("pass", []),
    ),
    "one says yes and saves nothing": (
        http_run("app1 > app2 app3", "app2 > app1 app3", app3=state("app3", "not-saved")),
        3,
        ("problem", [("CRITICAL", ("app3",))]),
        ("pass", []),
    ),
    "one does not know the user that the others know": (
        http_run("app1 > app2 app3", "app2 > app1 app3", app3=state("app3", "wrong-password")),
        3,
        ("problem", [("CRITICAL", ("app3",))]),
        ("pass", []),
    ),
    "nobody knows the user": (
        http_run(app1=state("app1", "wrong-password", joined=None), app2=state("app2", "wrong-password", joined=None)),
        2,
        ("unknown", [("UNKNOWN", ("app1", "app2"))]),
        ("skipped", []),
    ),
    "nobody may write": (
        http_run(app1=state("app1", "no-permission", joined=None), app2=state("app2", "no-permission", joined=None)),
        2,
        ("unknown", [("UNKNOWN", ("app1", "app2"))]),
        ("skipped", []),
    ),
    "every write is lost": (
        http_run(app1=state("app1", "not-saved", joined=None), app2=state("app2", "not-saved", joined=None)),
        2,
        ("problem", [("CRITICAL", ("app1", "app2"))]),
        ("skipped", []),
    ),
    "it was stopped before the first write": (
        http_run(stopped="the commit lock is held", app1=ClientState("app1"), app2=ClientState("app2")),
        2,
        ("unknown", [("UNKNOWN", ("app1", "app2"))]),
        ("unknown", [("UNKNOWN", ("app1", "app2"))]),
    ),
    "a client was not tried": (
        http_run(*BOTH),
        3,
        ("unknown", [("UNKNOWN", ("app3",))]),
        ("unknown", [("UNKNOWN", ("app3",))]),
    ),
    "nothing was tried": (
        HttpHistories(()),
        2,
        ("unknown", [("UNKNOWN", ("app1", "app2"))]),
        ("unknown", [("UNKNOWN", ("app1", "app2"))]),
    ),
    "there is one client": (http_run("app1 > "), 1, ("pass", []), ("skipped", [])),
}


@pytest.mark.parametrize(("history", "count", "accepts", "seen"), RUNS.values(), ids=RUNS)
def test_the_checks_of_the_http_level(history: HttpHistories, count: int, accepts: Verdicts, seen: Verdicts) -> None:
    clients: dict[str, Any] = {f"app{number}": [] for number in range(1, count + 1)}
    for check, (expected, findings) in ((client_accepts_writes, accepts), (edits_are_seen_everywhere, seen)):
        judgement = judge(check, history, **clients)
        assert expected == outcome(judgement), check.name
        assert findings == [(finding.severity, finding.clients) for finding in judgement.findings], check.name
        assert all(finding.hint for finding in judgement.findings if finding.severity == "CRITICAL")


@pytest.mark.parametrize("check", [client_accepts_writes, edits_are_seen_everywhere], ids=lambda check: check.name)
def test_what_was_not_gathered_is_unknown_and_what_was_left_out_is_skipped(check: Check) -> None:
    missing = NotGathered("clients.ini gives no user and password", "add user and password-file to [cluster]")
    (finding,) = judge(check, (HttpHistories, missing), app1=[], app2=[]).findings
    assert ("UNKNOWN", missing.reason, missing.hint) == (finding.severity, finding.message, finding.hint)
    assert "skipped" == outcome(judge(check, (HttpHistories, LeftOut("--read-only")), app1=[], app2=[]))


def _app3_lost_its_server(app3: ClientState) -> Facts:
    return _facts(
        http_run(*BOTH, app3=app3),
        app1={HttpAnswer: HttpAnswer("http"), ControlPanel: UP},
        app2={HttpAnswer: HttpAnswer("http"), ControlPanel: UP},
        app3={HttpAnswer: HttpAnswer("http"), ControlPanel: DOWN},
    )


def test_no_verdict_on_a_client_that_is_explained_already() -> None:
    """app3 lost its ZEO server and showed nothing: the other two are proven against each other."""
    facts = _app3_lost_its_server(state("app3"))
    judgement = run([client_is_connected_to_zeo, client_accepts_writes, edits_are_seen_everywhere], facts)
    assert [("client-is-connected-to-zeo", ("app3",))] == [(f.check, f.clients) for f in judgement.findings]
    assert ["problem", "pass", "pass"] == [result.outcome for result in judgement.results]


def test_what_a_client_was_seen_not_to_show_is_not_explained_away() -> None:
    facts = _app3_lost_its_server(state("app3", joined=False))
    judgement = run([client_is_connected_to_zeo, client_accepts_writes, edits_are_seen_everywhere], facts)
    assert ["client-is-connected-to-zeo", "edits-are-seen-everywhere"] == [f.check for f in judgement.findings]


def test_a_client_that_showed_nothing_is_not_blamed_twice() -> None:
    facts = _facts(http_run(*BOTH, app3=state("app3", joined=False)), app1={}, app2={}, app3={})
    accepts = run([client_accepts_writes], facts).results[0]
    assert [("app3", "edits-are-seen-everywhere")] == [(s.client, s.because) for s in accepts.skipped_for]


def test_a_read_only_role_is_a_reader() -> None:
    cluster = inventory(
        "[cluster]\nname = x\n[client:app1]\naddress = a:1\n[client:app2]\naddress = b:1\nrole = read-only\n"
    )
    for check in (client_accepts_writes, edits_are_seen_everywhere):
        history = http_run("app1 > app2", app2=ClientState("app2", joined=True))
        assert ("pass", []) == (outcome(judge(check, cluster, history)), told(judge(check, cluster, history)))
    unseen = judge(edits_are_seen_everywhere, cluster, http_run("app1 > !app2"))
    assert ["app2 does not show what is saved through app1"] == [finding.message for finding in unseen.findings]


MESSAGES: dict[str, tuple[HttpHistories, str]] = {
    "both ways": (
        http_run("app1 > app2 !app3", "app2 > app1 !app3", "app3 > !app1 !app2"),
        "app1, app2 do not show what is saved through app3; app3 does not show what is saved through app1, app2",
    ),
    "three sites": (
        http_run("app1 > !app2 !app3", "app2 > !app1 !app3", "app3 > !app1 !app2"),
        "app1 does not show what is saved through app2, app3; app2 does not show what is saved through app1, app3; "
        "app3 does not show what is saved through app1, app2",
    ),
    "one pair": (
        http_run("app1 > app2 !app3", "app2 > app1 app3", "app3 > app1 app2"),
        "app3 does not show what is saved through app1",
    ),
    "the folder was not there": (
        http_run("app1 > ", app2=state("app2", joined=False), app3=state("app3", joined=False)),
        "app2, app3 do not show what is saved through app1 (app2: because; app3: because);"
        " nothing was written through app2, app3, so what they see of each other is not known",
    ),
}


@pytest.mark.parametrize(("history", "message"), MESSAGES.values(), ids=MESSAGES)
def test_one_finding_names_every_side(history: HttpHistories, message: str) -> None:
    judgement = judge(edits_are_seen_everywhere, history, app1=[], app2=[], app3=[])
    assert [message] == [finding.message for finding in judgement.findings]
    assert ("app1", "app2", "app3") == judgement.findings[0].clients


def test_the_hint_shows_what_the_clients_themselves_name() -> None:
    history = http_run("app1 > !app2", "app2 > !app1")
    (finding,) = judge(edits_are_seen_everywhere, history, app1=at(NINE), app2=at(LOCAL)).findings
    assert f"{NINE} on app1, {LOCAL} on app2" in finding.hint
    (finding,) = judge(edits_are_seen_everywhere, history, app1=at("same"), app2=at("same")).findings
    assert "Control Panels" not in finding.hint


def test_spellings_of_one_server_are_no_difference() -> None:
    history = http_run("app1 > !app2", "app2 > !app1")
    one_machine = inventory(
        "[cluster]\nname = x\n[client:app1]\naddress = 127.0.0.1:8081\n[client:app2]\naddress = 127.0.0.1:8082\n"
    )
    spelt = {"app1": at("[('localhost', 8100)]"), "app2": at(LOCAL)}
    (finding,) = judge(edits_are_seen_everywhere, one_machine, history, **spelt).findings
    assert "Control Panels" not in finding.hint


def test_no_side_of_a_split_is_called_the_wrong_one() -> None:
    (finding,) = judge(edits_are_seen_everywhere, http_run("app1 > !app2", "app2 > !app1"), app1=[], app2=[]).findings
    assert "smaller" not in finding.hint
    assert "the one whose edits you need" in finding.hint


def test_the_users_line_is_shown_where_the_user_is_refused() -> None:
    cluster = inventory(
        "[cluster]\nname = x\nuser = admin\npassword-file = secret\n[client:app1]\naddress = a:1\n"
        "[client:app2]\naddress = b:1\n"
    )
    history = http_run(app1=state("app1", "wrong-password"), app2=state("app2", "wrong-password"))
    (finding,) = judge(client_accepts_writes, cluster, history).findings
    assert [(4, "password-file of user admin")] == [(place.line, place.text) for place in finding.places]
