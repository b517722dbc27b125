"""The three checks that the judge of isolation feeds: each fires, and stays silent beside it."""

from __future__ import annotations

import msgspec
import pytest

from zcheck.check import Check
from zcheck.checks.consistency.conflicts_are_detected import conflicts_are_detected
from zcheck.checks.consistency.no_torn_or_stale_reads import no_torn_or_stale_reads
from zcheck.checks.consistency.propagation_is_quick import propagation_is_quick
from zcheck.facts import LeftOut, Thresholds
from zcheck.facts.history import ClientState, History, HttpHistories, Operation, Version, ZeoHistories
from zcheck.testing import judge
from zcheck.testing.examples import recorded, zeo_run

BOTH = zeo_run("app1 > app2", "app2 > app1")
MS = 1_000_000


def with_operations(run: ZeoHistories, *more: Operation, **changes: object) -> ZeoHistories:
    (history,) = run.histories
    operations = (*history.operations, *more)
    return ZeoHistories((msgspec.structs.replace(history, operations=operations, **changes),))


def read(session: str, at: int, **reads: str | None) -> Operation:
    return Operation(session, "read", 1, at, at + 1, "ok", reads=reads)


def found(check: Check, *facts: object) -> list[tuple[str, str]]:
    judgement = judge(check, *facts, app1=[], app2=[])
    return [(finding.severity, " ".join(finding.clients)) for finding in judgement.findings]


def http(*operations: Operation, log: dict[str, tuple[Version, ...]] | None = None) -> HttpHistories:
    states = (ClientState("app1", joined=True), ClientState("app2", joined=True))
    return HttpHistories((History("http", "main", "x", operations, states, log=log),))


SAVED = Operation("app1", "write", 1, 0, MS, "ok", writes={"app1": "n1"})
LOG = {"app1": (Version("0" * 15 + "1", "n1"),)}


@pytest.mark.parametrize(
    ("expected", "facts"),
    [
        pytest.param([], [recorded(BOTH)], id="healthy"),
        pytest.param(
            [("CRITICAL", "app1")], [with_operations(recorded(BOTH), read("app1", 90, app1=None))], id="goes back"
        ),
        pytest.param([], [with_operations(recorded(BOTH), read("app1", 90, app1="nonce-0"))], id="does not go back"),
        pytest.param(
            [("CRITICAL", "app1 app2")],
            [with_operations(recorded(BOTH), log={"app1": (Version("0" * 15 + "1", "nonce-0"),)})],
            id="a lost write",
        ),
        pytest.param([("UNKNOWN", "app1 app2")], [BOTH], id="no log"),
        pytest.param(
            [("UNKNOWN", "app1 app2")],
            [with_operations(recorded(BOTH), stopped="the removal was refused")],
            id="stopped when all pairs were proven",
        ),
        pytest.param([], [zeo_run("app1 >", stopped="no space")], id="not proven, and told by the check of the pairs"),
        pytest.param(
            [], [recorded(BOTH), http(SAVED, read("app2", 2 * MS, app1="n1"), log=LOG)], id="healthy over HTTP"
        ),
        pytest.param(
            [("CRITICAL", "app2")],
            [
                recorded(BOTH),
                http(SAVED, *(read("app2", at * MS, app1=n) for at, n in ((2, "n1"), (3, None), (4, "n1"))), log=LOG),
            ],
            id="goes back over HTTP, for a moment",
        ),
        pytest.param(
            [],
            [recorded(BOTH), http(SAVED, read("app2", 2 * MS, app1="n1"), read("app2", 3 * MS, app1=None), log=LOG)],
            id="goes back over HTTP for good: edits-are-seen-everywhere",
        ),
        pytest.param(
            [],
            [recorded(BOTH), http(SAVED, read("app2", 2 * MS, app1="n1"), read("app2", 3 * MS, app1=None))],
            id="over HTTP without a log: not judged here",
        ),
    ],
)
def test_no_torn_or_stale_reads(expected: list[tuple[str, str]], facts: list[object]) -> None:
    assert expected == found(no_torn_or_stale_reads, *facts)


@pytest.mark.parametrize(
    ("expected", "run"),
    [
        pytest.param([], recorded(BOTH), id="refused"),
        pytest.param([("CRITICAL", "app1 app2")], recorded(BOTH, accepted=True), id="accepted"),
        pytest.param([("UNKNOWN", "app1 app2")], recorded(BOTH, probes=False), id="not tried"),
        pytest.param([], zeo_run("app1 >", stopped="no space"), id="not proven, and told by the check of the pairs"),
    ],
)
def test_conflicts_are_detected(expected: list[tuple[str, str]], run: ZeoHistories) -> None:
    assert expected == found(conflicts_are_detected, run)


def test_that_all_is_refused_says_nothing_of_conflicts() -> None:
    (history,) = recorded(BOTH).histories
    operations = tuple(
        msgspec.structs.replace(op, accepted=False, error="no space") if op.action == "dry" else op
        for op in history.operations
    )
    run = ZeoHistories((msgspec.structs.replace(history, operations=operations),))
    assert [("UNKNOWN", "app1 app2")] == found(conflicts_are_detected, run)


@pytest.mark.parametrize(
    ("expected", "facts"),
    [
        pytest.param([], [recorded(BOTH, lag_ms=999)], id="just quick enough"),
        pytest.param([("WARNING", "app1 app2")], [recorded(BOTH, lag_ms=1001)], id="too slow"),
        pytest.param(
            [], [recorded(BOTH, lag_ms=1001), Thresholds(propagation_is_quick_s=2)], id="the option allows it"
        ),
        pytest.param(
            [("WARNING", "app1 app2")],
            [recorded(BOTH), http(SAVED, read("app2", 1200 * MS, app1=None))],
            id="a running client was demonstrably behind",
        ),
        pytest.param(
            [],
            [recorded(BOTH), http(SAVED, Operation("app2", "read", 1, 2 * MS, 3000 * MS, "ok", reads={"app1": "n1"}))],
            id="a running client that answered slowly",
        ),
        pytest.param([("UNKNOWN", "app1 app2")], [BOTH], id="nobody learnt of anything"),
    ],
)
def test_propagation_is_quick(expected: list[tuple[str, str]], facts: list[object]) -> None:
    assert expected == found(propagation_is_quick, *facts)


@pytest.mark.parametrize("check", [no_torn_or_stale_reads, conflicts_are_detected, propagation_is_quick])
def test_a_level_that_was_left_out_is_skipped(check: Check) -> None:
    judgement = judge(check, (ZeoHistories, LeftOut("no zope.conf names a ZEO server")), app1=[], app2=[])
    (result,) = judgement.results
    assert ("skipped", "no zope.conf names a ZEO server") == (result.outcome, result.because)


@pytest.mark.parametrize("check", [no_torn_or_stale_reads, propagation_is_quick])
def test_a_single_connection_has_nothing_to_be_proven_against(check: Check) -> None:
    (history,) = recorded(zeo_run("app1 >")).histories
    alone = msgspec.structs.replace(history, clients=history.clients[:1])
    (result,) = judge(check, ZeoHistories((alone,)), app1=[]).results
    assert "skipped" == result.outcome
