"""The checks on running clients: where each fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.check import Check
from zcheck.checks.consistency.client_accepts_writes import client_accepts_writes
from zcheck.checks.consistency.edits_are_seen_everywhere import edits_are_seen_everywhere
from zcheck.checks.consistency.nothing_is_left_behind import nothing_is_left_behind
from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.checks.identity.database_locations_agree import database_locations_agree
from zcheck.checks.reach.client_port_answers import client_port_answers
from zcheck.checks.reach.client_serves_http import client_serves_http
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    Facts,
    HttpAnswer,
    LeftOut,
    Names,
    NotGathered,
    PortAnswer,
    Remains,
    ZopeConf,
)
from zcheck.facts.history import ClientState, History, HttpHistories
from zcheck.report.structs import Judgement
from zcheck.rules.http_histories import http_run
from zcheck.runner import run
from zcheck.testing import inventory, judge, zope_conf

Told = list[tuple[str, tuple[str, ...], str]]


def told(judgement: Judgement) -> Told:
    return [(finding.severity, finding.clients, finding.message) for finding in judgement.findings]


def outcome(judgement: Judgement) -> str:
    return judgement.results[0].outcome


# --- reach -----------------------------------------------------------------------------------------

OPEN = PortAnswer("10.0.0.1:8080", "open", connect_ms=0.2)

PORTS: dict[str, tuple[PortAnswer, Told]] = {
    "open": (OPEN, []),
    "refused": (
        PortAnswer("10.0.0.1:8080", "refused", "refuses connections"),
        [("CRITICAL", ("app1",), "app1 at 10.0.0.1:8080 refuses connections")],
    ),
    "timeout": (
        PortAnswer("10.0.0.1:8080", "timeout", "did not accept a connection within 5 s"),
        [("CRITICAL", ("app1",), "app1 at 10.0.0.1:8080 did not accept a connection within 5 s")],
    ),
    "no route": (
        PortAnswer("10.0.0.1:8080", "unreachable", "cannot be reached from here: no route to host"),
        [("CRITICAL", ("app1",), "app1 at 10.0.0.1:8080 cannot be reached from here: no route to host")],
    ),
    "a name that is known elsewhere perhaps": (
        PortAnswer("zope1:8080", "unknown-name", "has the name zope1, which nothing here resolves"),
        [("UNKNOWN", ("app1",), "app1 at zope1:8080 has the name zope1, which nothing here resolves")],
    ),
}


@pytest.mark.parametrize(("answer", "expected"), PORTS.values(), ids=PORTS)
def test_client_port_answers(answer: PortAnswer, expected: Told) -> None:
    assert expected == told(judge(client_port_answers, app1=answer))


def test_the_place_is_the_line_of_the_address_that_is_dialled() -> None:
    cluster = inventory(
        "[cluster]\nname = x\n[client:app1]\naddress = app1:8080\nconnect = 127.0.0.1:18081\n"
        "[client:app2]\naddress = app2:8080\n"
    )
    refused = PortAnswer("x", "refused", "refuses connections")
    # The same of many clients is one finding.
    (finding,) = judge(client_port_answers, cluster, app1=refused, app2=refused).findings
    places = [(place.line, place.text) for place in finding.places]
    assert [(5, "connect = 127.0.0.1:18081"), (7, "address = app2:8080")] == places
    assert ("app1", "app2") == finding.clients
    assert finding.hint


def test_different_troubles_are_findings_of_their_own() -> None:
    refused, silent = PortAnswer("x", "refused", "refuses connections"), PortAnswer("y", "timeout", "did not answer")
    findings = judge(client_port_answers, app1=refused, app2=silent, app3=refused).findings
    assert [("app1", "app3"), ("app2",)] == [finding.clients for finding in findings]


ANSWERS: dict[str, tuple[HttpAnswer, str | None]] = {
    "a page": (HttpAnswer("http", status=200), None),
    "a login": (HttpAnswer("http", status=401), None),
    "a redirect": (HttpAnswer("http", status=302), None),
    "nothing at /": (HttpAnswer("http", status=404), None),
    "an error": (HttpAnswer("http", status=500), "answers a request for / with status 500"),
    "busy": (HttpAnswer("http", status=503), "answers a request for / with status 503"),
    "silent": (HttpAnswer("silent", "accepted the connection and said nothing"), "said nothing"),
    "slow": (HttpAnswer("too-slow", "had not finished its answer after 5 s"), "had not finished"),
    "ZEO": (HttpAnswer("not-http", "answers as a ZEO server does, not with HTTP"), "answers as a ZEO server does"),
    "reset": (HttpAnswer("reset", "broke the connection off"), "broke the connection off"),
    "TLS": (HttpAnswer("tls-error", "does not speak TLS"), "does not speak TLS"),
}


@pytest.mark.parametrize(("answer", "words"), ANSWERS.values(), ids=ANSWERS)
def test_client_serves_http(answer: HttpAnswer, words: str | None) -> None:
    findings = judge(client_serves_http, app1=answer).findings
    assert ([] if words is None else ["CRITICAL"]) == [finding.severity for finding in findings]
    assert all(words in finding.message and finding.hint for finding in findings if words)


def test_a_closed_port_is_one_finding() -> None:
    facts = _facts(
        app1={PortAnswer: PortAnswer("x", "refused"), HttpAnswer: NotGathered("its port is closed")},
        app2={PortAnswer: OPEN, HttpAnswer: HttpAnswer("http", status=200)},
    )
    judgement = run([client_port_answers, client_serves_http], facts)
    assert [("CRITICAL", "client-port-answers")] == [(f.severity, f.check) for f in judgement.findings]
    assert [("app1", "client-port-answers")] == [(s.client, s.because) for s in judgement.results[1].skipped_for]


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


# --- identity --------------------------------------------------------------------------------------


def panel(*pages: tuple[str, str, bool | None]) -> ControlPanel:
    return ControlPanel(tuple(DatabasePage(*page) for page in pages))


def running(found: ControlPanel | NotGathered | LeftOut) -> list[Any]:
    return [HttpAnswer("http", status=200), (ControlPanel, found)]


def hung(*clients: str) -> HttpHistories:
    return HttpHistories((History("http", "main", "1", clients=tuple(ClientState(c, hung=True) for c in clients)),))


UP = panel(("main", "zeo", True))
DOWN = panel(("main", "zeo", False))

CONNECTED: dict[str, tuple[list[Any], Any, str, Told]] = {
    "connected": ([], running(UP), "pass", []),
    "disconnected": (
        [],
        running(DOWN),
        "problem",
        [("CRITICAL", ("app1",), "app1 has lost its ZEO server: database main says (disconnected)")],
    ),
    "one of two mounts": (
        [],
        running(panel(("main", "zeo", True), ("archive", "zeo", False))),
        "problem",
        [("CRITICAL", ("app1",), "app1 has lost its ZEO server: database archive says (disconnected)")],
    ),
    "both mounts": (
        [],
        running(panel(("main", "zeo", False), ("archive", "zeo", False))),
        "problem",
        [("CRITICAL", ("app1",), "app1 has lost its ZEO server: databases main, archive say (disconnected)")],
    ),
    "a temporary mount beside it": ([], running(panel(("main", "zeo", True), ("temp", "t", None))), "pass", []),
    "no ZEO at all": ([], running(panel(("main", "/Data.fs", None))), "skipped", []),
    "it hangs and says it is connected": (
        [hung("app1")],
        running(UP),
        "problem",
        [("CRITICAL", ("app1",), "app1 says it is connected to its ZEO server, and hangs as soon as it has to ask it")],
    ),
    "another one hangs": ([hung("app2")], running(UP), "pass", []),
    "it hangs, its Control Panel as well": (
        [hung("app1")],
        running(NotGathered("said nothing for 5 s")),
        "problem",
        [("CRITICAL", ("app1",), "app1 answers, and hangs as soon as it has to ask its ZEO server")],
    ),
    "it hangs, and its server answers nobody": (
        [
            HttpHistories(
                (History("http", "main", "1", clients=(ClientState("app1", hung=True, because="zeo-server-answers"),)),)
            )
        ],
        running(NotGathered("said nothing for 5 s")),
        "skipped",
        [],
    ),
    "the Control Panel was refused": (
        [],
        running(NotGathered("the user lacks the permission")),
        "unknown",
        [("UNKNOWN", ("app1",), "the Control Panel of app1 cannot be read: the user lacks the permission")],
    ),
    "no credentials": ([], running(LeftOut("clients.ini gives no user and password")), "skipped", []),
    "nothing was gathered": (
        [],
        [HttpAnswer("http")],
        "unknown",
        [("UNKNOWN", ("app1",), "the Control Panel of app1 cannot be read: it was not asked for")],
    ),
}


@pytest.mark.parametrize(("cluster", "client", "expected", "findings"), CONNECTED.values(), ids=CONNECTED)
def test_client_is_connected_to_zeo(cluster: list[Any], client: Any, expected: str, findings: Told) -> None:
    judgement = judge(client_is_connected_to_zeo, *cluster, app1=client)
    assert (expected, findings) == (outcome(judgement), told(judgement))


def at(label: str, connected: bool | None = True) -> ControlPanel:
    return panel(("main", label, connected))


def conf(**keys: str) -> ZopeConf:
    return zope_conf(**keys)


NINE = "[('10.0.0.9', 8100)]"
LOCAL = "[('127.0.0.1', 8100)]"
NAMED = Names({"zeo1": ("10.0.0.9",), "zeo2": ("10.0.0.8",)})

# By what the two clients show and have on disk: severity and clients of each finding.
LOCATIONS: dict[str, tuple[list[Any], Any, Any, list[tuple[str, tuple[str, ...]]]]] = {
    "the same": ([], [at(NINE), conf(server="10.0.0.9:8100")], [at(NINE), conf(server="10.0.0.9:8100")], []),
    "localhost, 127.0.0.1 and a bare port": (
        [],
        [at("[('localhost', 8100)]"), conf(server="localhost:8100")],
        [at(LOCAL), conf(server="8100")],
        [],
    ),
    "the file was edited to another spelling": (
        [NAMED],
        [at("[('zeo1', 8100)]"), conf(server="10.0.0.9:8100")],
        [at(NINE), conf(server="zeo1:8100")],
        [],
    ),
    "the file was edited to another server": (
        [],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [at("[('10.0.0.8', 8100)]"), conf(server="10.0.0.9:8100")],
        [("WARNING", ("app2",))],
    ),
    "to another port": ([], [at(NINE), conf(server="10.0.0.9:8101")], [at(NINE)], [("WARNING", ("app1",))]),
    "to a name that nothing resolves": ([], [at(NINE), conf(server="zeo7:8100")], [at(NINE)], [("UNKNOWN", ("app1",))]),
    "to a name of another server": (
        [NAMED],
        [at(NINE), conf(server="zeo2:8100")],
        [at(NINE), conf(server="zeo1:8100")],
        [("WARNING", ("app1",))],
    ),
    "several servers, in another order": (
        [],
        [at("[('10.0.0.9', 8100), ('10.0.0.8', 8100)]"), conf(server="10.0.0.8:8100 10.0.0.9:8100")],
        [at("[('10.0.0.9', 8100), ('10.0.0.8', 8100)]"), conf(server="10.0.0.9:8100 10.0.0.8:8100")],
        [],
    ),
    "one of several left out": (
        [],
        [at(NINE), conf(server="10.0.0.8:8100 10.0.0.9:8100")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [("WARNING", ("app1",))],
    ),
    "a name for the storage": (
        [],
        [at("zeostorage"), conf(server="10.0.0.9:8100", name="zeostorage")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [],
    ),
    "a name that was added since": (
        [],
        [at(NINE), conf(server="10.0.0.9:8100", name="zeostorage")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [],
    ),
    "a name that was changed since": (
        [],
        [at("old"), conf(server="10.0.0.9:8100", name="zeostorage")],
        [at("zeostorage"), conf(server="10.0.0.9:8100", name="zeostorage")],
        [("WARNING", ("app1",))],
    ),
    "a name that was removed since": (
        [],
        [at("zeostorage"), conf(server="10.0.0.9:8100")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [("UNKNOWN", ("app1",))],
    ),
    "different names": ([], at("zeostorage"), at("other"), [("WARNING", ("app1", "app2"))]),
    "equal names": ([], at("zeostorage"), at("zeostorage"), []),
    "a name and an address": ([], at("zeostorage"), at(NINE), []),
    "a file where the conf says ZEO": (
        [],
        [at("/srv/Data.fs", None), conf(server="10.0.0.9:8100")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [("WARNING", ("app1",))],
    ),
    "a file beside ZEO, no conf at hand": ([], at("/srv/Data.fs", None), at(NINE), [("WARNING", ("app1", "app2"))]),
    "two servers, no conf at hand": ([], at(NINE), at("[('10.0.0.8', 8100)]"), [("WARNING", ("app1", "app2"))]),
    "two names that nothing resolves": ([], at("[('a', 8100)]"), at("[('b', 8100)]"), []),
    "each its own localhost, no conf at hand": ([], at(LOCAL), at(LOCAL), [("WARNING", ("app1", "app2"))]),
    "confs that disagree, and clients that run with them": (
        [],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [at("[('10.0.0.8', 8100)]"), conf(server="10.0.0.8:8100")],
        [],
    ),
    "IPv6": ([], [at("[('::1', 8100)]"), conf(server="[::1]:8100")], at("[('10.0.0.1', 8100)]"), []),
    "a unix socket on each of two machines": (
        [],
        [at("['/run/zeo.sock']"), conf(server="/run/zeo.sock")],
        at("['/run/zeo.sock']"),
        [("WARNING", ("app1", "app2"))],
    ),
    "what looks like a list and is none": ([], at("[('10.0.0.9', 8100), __import__('os')]"), at(NINE), []),
    "a list of nonsense": ([], at("[" * 5000), at(NINE), []),
    "another database": ([], panel(("main", NINE, True)), panel(("archive", "/x", None)), []),
}


@pytest.mark.parametrize(("cluster", "app1", "app2", "expected"), LOCATIONS.values(), ids=LOCATIONS)
def test_database_locations_agree(
    cluster: list[Any], app1: Any, app2: Any, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    findings = judge(database_locations_agree, *cluster, app1=app1, app2=app2).findings
    assert expected == [(finding.severity, finding.clients) for finding in findings]
    assert all(finding.hint for finding in findings)


def test_a_wrapper_around_the_storage_is_not_guessed_at() -> None:
    storage = "<zlibstorage>\n<zeoclient>\nserver 10.0.0.9:8100\n</zeoclient>\n</zlibstorage>\n"
    wrapped = zope_conf(f"%import zc.zlibstorage\n<zodb_db main>\n{storage}mount-point /\n</zodb_db>")
    assert () == judge(database_locations_agree, app1=[at("whatever"), wrapped]).findings


def test_a_value_that_the_inventory_does_not_give_is_not_held_against_a_client() -> None:
    unresolved = conf(server="$(ZEO_ADDRESS)")
    assert () == judge(database_locations_agree, app1=[at(NINE), unresolved], app2=[at(NINE), unresolved]).findings


def test_both_lines_are_shown() -> None:
    found = judge(database_locations_agree, app1=[at("[('10.0.0.8', 8100)]"), conf(server="10.0.0.9:8100")])
    assert ["server 10.0.0.9:8100"] == [place.text for place in found.findings[0].places]


# --- consistency -----------------------------------------------------------------------------------


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


REMAINS: dict[str, tuple[Remains, list[str], list[str]]] = {
    "nothing": (Remains(checked=("app1",), connections={"zeo1:8100": (3, 3)}), [], []),
    "two things": (Remains(left=("a folder", "a marker")), ["WARNING", "WARNING"], []),
    "not known": (Remains(unknown=("app2 could not be asked",)), ["UNKNOWN"], []),
    "one connection more": (Remains(connections={"zeo1:8100": (3, 4)}), [], ["zeo1:8100 has 4 connections"]),
    "one connection fewer": (Remains(connections={"zeo1:8100": (3, 2)}), [], []),
}


@pytest.mark.parametrize(("remains", "severities", "remarks"), REMAINS.values(), ids=REMAINS)
def test_nothing_is_left_behind(remains: Remains, severities: list[str], remarks: list[str]) -> None:
    judgement = judge(nothing_is_left_behind, remains, app1=[], app2=[])
    assert severities == [finding.severity for finding in judgement.findings]
    assert len({finding.fingerprint for finding in judgement.findings}) == len(severities)
    assert remarks == [remark.message.partition(",")[0] for remark in judgement.remarks]
