"""The checks of ZEO servers, storages and writes: where each fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcheck.checks.consistency.zeo_passes_writes_on import zeo_passes_writes_on
from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.checks.reach.zeo_commit_lock_is_free import zeo_commit_lock_is_free
from zcheck.checks.reach.zeo_server_answers import zeo_server_answers
from zcheck.checks.reach.zeo_storage_exists import zeo_storage_exists
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    LoadsCount,
    NotGathered,
    OidRange,
    StorageProof,
    ZeoAnswers,
    ZeoIdentity,
)
from zcheck.facts.history import ClientState, History, Operation, ZeoHistories
from zcheck.facts.storage_evidence import StorageGroups, storage_groups
from zcheck.report.structs import Judgement
from zcheck.rules.storage_histories import zeo_run
from zcheck.rules.storages import identity
from zcheck.rules.zeo_servers import zeo_answer
from zcheck.runner import run
from zcheck.testing import facts_of, inventory, judge, zope_conf

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


# --- zeo-server-answers --------------------------------------------------------------------------

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


# --- zeo-storage-exists and zeo-commit-lock-is-free ----------------------------------------------


@pytest.mark.parametrize(
    ("findings", "facts"),
    [
        pytest.param([], {"app1": zeo_answer(serves="1 2"), "app2": zeo_answer(storage="2", serves="1 2")}, id="two"),
        pytest.param(
            [("CRITICAL", "app2 app3")],
            {"app1": zeo_answer(), "app2": zeo_answer(storage="2"), "app3": zeo_answer(storage="2")},
            id="one finding for all that ask for it",
        ),
        pytest.param(
            [("CRITICAL", "app1"), ("CRITICAL", "app2")],
            {"app1": zeo_answer(storage="main"), "app2": zeo_answer(storage="Main")},
            id="two names that are not there",
        ),
        pytest.param([("CRITICAL", "app1")], {"app1": zeo_answer(serves="")}, id="a server without storages"),
        pytest.param([("UNKNOWN", "app1")], {"app1": NotGathered("late"), "app2": zeo_answer()}, id="not gathered"),
    ],
)
def test_zeo_storage_exists(findings: list[tuple[str, str]], facts: dict[str, Any]) -> None:
    assert findings == told(judge(zeo_storage_exists, **facts))


@pytest.mark.parametrize(
    ("findings", "locked"),
    [
        pytest.param([], "0::7", id="free"),
        pytest.param([], "0:5.5:7 1.1::7", id="free a second later"),
        pytest.param([], "0:5.5:7 1.1:6.5:8", id="another commit's lock"),
        pytest.param([], "0:5.5:7 1.1:5.5:8", id="the clock stood still, commits did not"),
        pytest.param([("CRITICAL", "app1 app2")], "0:5.5:7 1.1:5.5:7", id="stuck"),
        pytest.param([("UNKNOWN", "app1 app2")], "0:5.5:7", id="held, and not asked again"),
        pytest.param([("UNKNOWN", "app1 app2")], "0:5.5:7 0.4:5.5:7", id="asked again too soon"),
    ],
)
def test_zeo_commit_lock_is_free(findings: list[tuple[str, str]], locked: str) -> None:
    answer = zeo_answer(locked=locked)
    assert findings == told(judge(zeo_commit_lock_is_free, app1=answer, app2=answer))


# --- every-database-is-one -----------------------------------------------------------------------

ONE = "zeo1:8100"
TWO = "zeo2:8100"

DATABASES = [
    pytest.param([], identity(app1=f"{ONE} 1 7", app2=f"{ONE} 4 10"), id="one sequence"),
    pytest.param([], identity(app1=f"{ONE} 1 700", app2=f"{ONE} 400 1000"), id="others take ids in between"),
    pytest.param(
        [], identity(app1=f"{ONE} 1 7", app2="[::1]:8100 4 10", rose="app1 app1=9 app2=9"), id="two ways to one server"
    ),
    pytest.param(
        [("CRITICAL", "app1 app2")], identity(app1=f"{ONE} 1 4", app2=f"{TWO} 1 4"), id="a copy hands out the same ids"
    ),
    pytest.param(
        [("CRITICAL", "app1 app2")],
        identity(app1=f"{ONE} 1 4", app2=f"{TWO} 1 4", rose="app1 app1=7 app2=90"),
        id="a busy copy",
    ),
    pytest.param(
        [("CRITICAL", "app1 app2")],
        identity(app1=f"{ONE} 1 4", app2=f"{ONE} 1 4"),
        id="a copy behind the same address",
    ),
    pytest.param(
        [("CRITICAL", "app1 app2")],
        identity(app1=f"{ONE} 1 4", app2=f"{TWO} 900 903", rose="app1 app1=7 app2=0"),
        id="a copy that has grown apart",
    ),
    pytest.param(
        [("UNKNOWN", "app2")],
        identity(app1=f"{ONE} 1 4", app2=f"{TWO} 900 903"),
        id="no one sequence, and no count to confirm it",
    ),
    pytest.param(
        [("CRITICAL", "app1 app2 app3 app4")],
        identity(app1=f"{ONE} 1 7", app2=f"{ONE} 4 10", app3=f"{TWO} 1 7", app4=f"{TWO} 4 10"),
        id="two and two in step, and no count to tell who is where",
    ),
    pytest.param(
        [("CRITICAL", "app1 app2 app3 app4")],
        identity(
            app1=f"{ONE} 1 7",
            app2=f"{ONE} 4 10",
            app3=f"{TWO} 1 7",
            app4=f"{TWO} 4 10",
            rose="app1 app1=7 app2=7 app3=0 app4=0;app3 app1=0 app2=0 app3=7 app4=7",
        ),
        id="two and two: no majority to trust",
    ),
    pytest.param(
        [("UNKNOWN", "app2")],
        identity(app1=f"{ONE} 1 7", app2=f"{ONE} 4 10", rose="app1 app1=7 app2=0"),
        id="the two proofs contradict each other",
    ),
    pytest.param(
        [], identity(app1=ONE, app2=ONE, rose="app1 app1=7 app2=7"), id="one read-only server, by address and count"
    ),
    pytest.param(
        [("UNKNOWN", "app2")],
        identity(app1=f"{ONE} 1 4", app2=TWO, rose="app1 app1=7 app2=0;app2 app1=0 app2=7"),
        id="a replica that cannot be written to",
    ),
    pytest.param([("UNKNOWN", "app2")], identity(app1=ONE, app2=TWO), id="no evidence at all"),
    pytest.param(
        [("UNKNOWN", "app2")],
        identity(app1=f"{ONE} 1 7", app2="error: the connection was lost", app3=f"{ONE} 4 10"),
        id="one that failed, and two proven",
    ),
]


@pytest.mark.parametrize(("findings", "proofs"), DATABASES)
def test_every_database_is_one(findings: list[tuple[str, str]], proofs: ZeoIdentity) -> None:
    clients = {proof.client: [] for proof in proofs.databases["main"]}
    assert findings == told(judge(every_database_is_one, proofs, **clients))


def test_servers_that_pass_on_one_storage_are_not_blamed() -> None:
    proofs = identity(app1=f"{ONE} 1 4", app2=f"{TWO} 101 104", rose="app1 app1=7 app2=0;app2 app1=0 app2=7")
    location = "[('10.0.0.5', 8100)] (connected)"
    fanned = tuple(msgspec.structs.replace(proof, location=location) for proof in proofs.databases["main"])
    judgement = judge(every_database_is_one, ZeoIdentity({"main": fanned}, proofs.loads), app1=[], app2=[])
    assert [("UNKNOWN", "app2")] == told(judgement)
    assert [("CRITICAL", "app1 app2")] == told(judge(every_database_is_one, proofs, app1=[], app2=[]))


def test_both_sides_of_two_and_two_are_named() -> None:
    rose = "app1 app1=7 app2=7 app3=0 app4=0;app3 app1=0 app2=0 app3=7 app4=7"
    proofs = identity(app1=f"{ONE} 1 7", app2=f"{ONE} 4 10", app3=f"{TWO} 1 7", app4=f"{TWO} 4 10", rose=rose)
    (finding,) = judge(every_database_is_one, proofs, app1=[], app2=[], app3=[], app4=[]).findings
    assert f"app1, app2 reach /srv/Data.fs on {ONE}; app3, app4 reach /srv/Data.fs on {TWO}" in finding.message


def test_a_client_that_is_alone_is_no_pass() -> None:
    judgement = judge(every_database_is_one, identity(app1=f"{ONE} 1 4"), app1=[], app2=[])
    assert ([], {"app1", "app2"}) == (told(judgement), set(skipped(judgement)))
    failing = identity(app1="error: refused", app2="error: refused")
    assert [("UNKNOWN", "app1 app2")] == told(judge(every_database_is_one, failing, app1=[], app2=[]))


def test_databases_are_judged_one_by_one() -> None:
    main = identity(app1=f"{ONE} 1 7", app2=f"{ONE} 4 10").databases["main"]
    archive = identity(app1=f"{ONE} 1 4", app2=f"{TWO} 1 4").databases["main"]
    (finding,) = judge(
        every_database_is_one, ZeoIdentity({"main": main, "archive": archive}), app1=[], app2=[]
    ).findings
    assert "database archive is two storages" in finding.message


# A model of storages that hand out ids and count loads, against the judge.


@st.composite
def clusters(draw: st.DrawFn, *, busy_ids: bool, busy_loads: bool) -> tuple[list[int], StorageGroups]:
    """Which storage each client reaches, and what is judged of the evidence."""
    where = draw(st.lists(st.integers(0, 2), min_size=2, max_size=6))
    highest = [draw(st.integers(0, 40)) for _ in range(3)]
    ranges: list[list[OidRange]] = [[] for _ in where]
    for call in range(3 * len(where)):
        client = call % len(where)
        storage = where[client]
        highest[storage] += draw(st.integers(0, 30)) if busy_ids else 0
        ranges[client].append(OidRange(call, highest[storage] + 1, highest[storage] + 3))
        highest[storage] += 3
    counts = []
    for reader in sorted({where.index(storage) for storage in where}):
        noise = [draw(st.integers(0, 20)) if busy_loads else 0 for _ in range(3)]
        rose = {f"c{n}": noise[s] + (7 if s == where[reader] else 0) for n, s in enumerate(where)}
        counts.append(LoadsCount(f"c{reader}", 7, rose))
    proofs = [StorageProof(f"c{n}", f"s{where[n]}", oids=tuple(found)) for n, found in enumerate(ranges)]
    return where, storage_groups(proofs, counts)


def check_truth(where: list[int], found: StorageGroups) -> None:
    """No group holds clients of two storages, and the clients of one are never in two groups."""
    assert not any(unclear.split for unclear in found.unclear) or len(set(where)) > 1
    reached = [{where[int(client[1:])] for client in group} for group in found.groups]
    assert [1] * len(reached) == [len(storages) for storages in reached]
    assert len(reached) == len(set().union(*reached))


@settings(max_examples=300, deadline=None)
@given(clusters(busy_ids=False, busy_loads=False))
def test_a_quiet_cluster_is_told_completely(case: tuple[list[int], StorageGroups]) -> None:
    where, found = case
    check_truth(where, found)
    assert () == found.unclear
    assert len(set(where)) == len(found.groups)


@settings(max_examples=300, deadline=None)
@given(clusters(busy_ids=True, busy_loads=False))
def test_ids_that_others_take_mislead_nobody(case: tuple[list[int], StorageGroups]) -> None:
    check_truth(*case)


@settings(max_examples=300, deadline=None)
@given(clusters(busy_ids=False, busy_loads=True))
def test_loads_of_others_mislead_nobody(case: tuple[list[int], StorageGroups]) -> None:
    check_truth(*case)


@settings(max_examples=300, deadline=None)
@given(clusters(busy_ids=True, busy_loads=True))
def test_a_healthy_cluster_is_never_blamed(case: tuple[list[int], StorageGroups]) -> None:
    where, found = case
    if len(set(where)) == 1:
        assert (1, ()) == (len(found.groups), found.unclear)


# --- zeo-passes-writes-on ------------------------------------------------------------------------

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
