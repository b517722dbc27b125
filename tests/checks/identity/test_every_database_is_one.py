"""every-database-is-one: where it fires, and beside it where it must not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.facts import (
    LoadsCount,
    OidRange,
    StorageProof,
    ZeoIdentity,
)
from zcheck.facts.storage_evidence import StorageGroups, storage_groups
from zcheck.report.structs import Judgement
from zcheck.testing import judge
from zcheck.testing.examples import identity


def told(judgement: Judgement) -> list[tuple[str, str]]:
    """Severity and clients of every finding."""
    return [(finding.severity, " ".join(finding.clients)) for finding in judgement.findings]


def skipped(judgement: Judgement) -> dict[str, str]:
    """By client, why it was skipped."""
    return {skip.client: skip.because for result in judgement.results for skip in result.skipped_for}


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
