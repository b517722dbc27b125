"""What is drawn over time: true to the history, and bounded whatever the history's size."""

from __future__ import annotations

import json
import random

import jsonschema
import msgspec
import pytest
from cases import stale, stale_history

from zcheck.commands import recheck
from zcheck.consistency.judge.isolation import judge
from zcheck.consistency.judge.windows import MOST_LAGS, Windows
from zcheck.consistency.recording.format import Origin, Recorded
from zcheck.facts import Facts, Inventory
from zcheck.facts.history import ClientState, History, HttpHistories, Lag, Operation, Version
from zcheck.facts.verdicts import IsolationVerdict
from zcheck.report.formats import json as as_json
from zcheck.report.structs import Anomaly, Pair
from zcheck.report.timelines import (
    MOST_ANOMALIES,
    MOST_POINTS,
    MOST_STEPS,
    MOST_WORDS,
    anomalies_of,
    judged,
    lags_of,
    thinned,
)

MS = 1_000_000
UNJUDGED = IsolationVerdict("unknown", None)


def write(session: str, number: int, begin_ms: int, took_ms: int = 1) -> Operation:
    nonce = f"{session}-{number}"
    begin = begin_ms * MS
    return Operation(session, "write", number, begin, begin + took_ms * MS, "ok", writes={session: nonce})


def read(session: str, number: int, begin_ms: int, took_ms: int = 1, **reads: str | None) -> Operation:
    begin = begin_ms * MS
    return Operation(session, "read", number, begin, begin + took_ms * MS, "ok", reads=reads)


def history(*operations: Operation, **more: object) -> History:
    return History("http", "main", "run", operations, **more)  # type: ignore[arg-type]


def test_lag_is_told_over_the_time_of_the_run_with_its_quantiles() -> None:
    given = history(
        write("app1", 1, 0),
        read("app2", 1, 2, app1="app1-1"),
        write("app1", 2, 500),
        read("app2", 2, 510, 10, app1="app1-2"),
    )
    lags = lags_of(given, 1000.0)
    assert lags is not None
    assert [(0.0, 2.0), (0.5, 19.0)] == [(point.at_s, point.ms) for point in lags.points]
    assert (2, 2.0, 19.0, 19.0, 19.0) == (
        lags.whole.count,
        lags.whole.median_ms,
        lags.whole.p95_ms,
        lags.whole.p99_ms,
        lags.whole.max_ms,
    )
    assert (0.0, 0.5) == (lags.whole.begin_s, lags.whole.end_s)


def test_where_nobody_read_without_asking_there_is_no_lag() -> None:
    assert lags_of(history(write("app1", 1, 0)), 1000.0) is None


def test_every_write_is_in_one_window_and_in_one_alone() -> None:
    lags = lags_of(stale_history(), 1000.0)
    assert lags is not None
    assert 12 == len(lags.windows)
    assert lags.whole.count == sum(window.count for window in lags.windows)
    assert lags.whole.max_ms == max(window.max_ms for window in lags.windows)
    for sooner, later in zip(lags.windows, lags.windows[1:], strict=False):
        assert sooner.end_s == pytest.approx(later.begin_s, abs=0.001)


@pytest.mark.parametrize("count", [0, 1, MOST_POINTS - 1, MOST_POINTS, MOST_POINTS + 1, 20_000])
def test_of_many_points_the_slowest_and_a_sample_are_kept(count: int) -> None:
    chance = random.Random(count)
    found = [Lag("app1", "app2", "app1", chance.random(), number) for number in range(count)]
    kept = thinned(found)
    assert min(count, MOST_POINTS) == len(kept)
    assert sorted(kept, key=lambda lag: lag.at_ns) == kept
    assert sorted(found, key=lambda lag: -lag.ms)[:10] == sorted(kept, key=lambda lag: -lag.ms)[:10]
    assert not count or kept[-1].at_ns >= 0.9 * (count - 1)


def parts(count: int, of: int) -> list[History]:
    """A long history in parts, each write seen after one, two, three ... ms."""
    found = []
    for part in range(count):
        operations = []
        for number in range(of):
            at = (part * of + number) * 10_000
            operations.append(write("app1", number, at))
            operations.append(read("app2", number, at + 2, 1 + part * of + number, app1=f"app1-{number}"))
        found.append(history(*operations, log={}))
    return found


@pytest.mark.parametrize(("expected", "count"), [(None, 3), (MOST_LAGS, 2 * MOST_LAGS // 100), (MOST_LAGS, 150)])
def test_of_a_long_run_lag_is_told_of_its_whole_time(expected: int | None, count: int) -> None:
    windows = Windows()
    for part in parts(count, 100):
        windows.take(part)
    lags = lags_of(windows.history(history(), ()), 1000.0)
    assert lags is not None
    assert 100 * count == lags.whole.count
    assert lags.sampled is None if expected is None else expected <= (lags.sampled or 0) < 2 * MOST_LAGS + 2
    assert 2.0 + 100 * count - 1 == lags.whole.max_ms, "the slowest was the last"
    assert lags.whole.median_ms == pytest.approx(50 * count, rel=0.01)
    assert lags.whole.end_s == pytest.approx(1000 * count, rel=0.02)


def test_of_a_long_run_no_version_is_numbered_wrongly() -> None:
    given = stale_history()
    assert given.log is not None
    windows = Windows()
    windows.take(given)
    kept = windows.history(msgspec.structs.replace(given, operations=()), ())
    (anomaly,) = anomalies_of(kept, windows.verdict(), ())
    words = ", ".join(f"a version of {name}" for name in ("app1", "app2", "app3", "app4"))
    assert [(1, "app3", f"read {words}")] == told(anomaly)


def told(anomaly: Anomaly) -> list[tuple[int, str, str]]:
    """The witnesses, the first first."""
    return [(step.witness, step.session, step.what) for step in anomaly.steps if step.witness is not None]


def test_a_stale_read_is_shown_beside_the_write_that_it_missed() -> None:
    given = stale_history()
    (anomaly,) = anomalies_of(given, judge(given), ())
    assert ("fractured read", "G-single", "snapshot-isolation") == (anomaly.kind, anomaly.adya, anomaly.breaks)
    wrote, missed = told(anomaly)
    assert (1, "app1", "wrote version 30 of app1") == wrote
    assert (2, "app3") == missed[:2]
    assert missed[2].startswith("read version 29 of app1, version 30 of app2")
    begins = [step.begin_ms for step in anomaly.steps]
    assert sorted(begins) == begins
    assert len(anomaly.steps) == MOST_STEPS
    assert {"app1", "app3"} == {step.session for step in anomaly.steps}


def test_a_healthy_history_has_no_anomaly() -> None:
    given = history(write("app1", 1, 0), read("app2", 1, 2, app1="app1-1"))
    assert () == anomalies_of(given, UNJUDGED, [Pair("app1", "app2", True, 1.0)])


@pytest.mark.parametrize(
    ("expected", "seen"),
    [(("pass", "strong-si", 0), True), (("pass", "strong-si", 0), None), (("fail", None, 1), False)],
)
def test_nothing_holds_in_a_split_cluster(expected: tuple[str, str | None, int], seen: bool | None) -> None:
    given = history(write("app1", 1, 0), read("app2", 1, 2, app1="app1-1"))
    found = judged(given, IsolationVerdict("pass", "strong-si", operations=2), [Pair("app1", "app3", seen)])
    assert expected == (found.result, found.held, found.unseen)


def test_an_edit_that_does_not_show_is_told_with_the_last_look_at_it() -> None:
    given = history(
        write("app1", 1, 0),
        read("app2", 1, 5, app1=None),
        read("app2", 1, 9, app1=None),
        read("app3", 1, 9, app1="app1-1"),
    )
    pairs = [Pair("app1", "app2", False), Pair("app1", "app3", True, 1.0)]
    (anomaly,) = anomalies_of(given, UNJUDGED, pairs)
    assert ("edit not shown", None, ("app1", "app2")) == (anomaly.kind, anomaly.adya, anomaly.clients)
    assert [(1, "app1", "wrote version 1 of app1"), (2, "app2", "read app1: not there")] == told(anomaly)
    assert [9.0] == [step.begin_ms for step in anomaly.steps if step.witness == 2]


def test_a_client_that_never_showed_the_folder_is_told_once() -> None:
    added = Operation("app1", "add", 0, 0, MS, "ok")
    looked = Operation("app3", "prove", 0, 2 * MS, 900 * MS, "fail", error="it was not there")
    given = history(added, looked, write("app1", 1, 1000), write("app2", 1, 1001))
    pairs = [Pair("app1", "app3", False), Pair("app2", "app3", False)]
    (anomaly,) = anomalies_of(given, UNJUDGED, pairs)
    assert "app3 does not show what was saved through app1" == anomaly.words
    assert [1, 2] == [number for number, _, _ in told(anomaly)]
    assert "it was not there" in told(anomaly)[1][2]


def test_each_kind_is_told_before_a_second_of_any_and_all_is_bounded() -> None:
    operations = []
    for number in range(2000):
        operations.append(write("app1", number, 10 * number))
        operations.append(read(f"app{2 + number % 9}", number, 10 * number + 5, app1=None))
    pairs = [Pair("app1", f"app{number}", False) for number in range(2, 11)]
    found = anomalies_of(history(*operations), UNJUDGED, pairs)
    assert MOST_ANOMALIES == len(found)
    assert len({one.clients for one in found}) == len(found)
    assert max(len(one.steps) for one in found) <= MOST_STEPS


def test_words_of_any_length_are_cut() -> None:
    evil = "x" * 10_000
    looked = Operation("app3", "prove", 0, 2 * MS, 3 * MS, "fail", error=evil)
    given = history(Operation("app1", "add", 0, 0, MS, "ok"), looked)
    (anomaly,) = anomalies_of(given, UNJUDGED, [Pair("app1", "app3", False)])
    assert {True} == {len(step.what) <= MOST_WORDS for step in anomaly.steps}


def test_versions_are_counted_as_the_storage_s_log_has_them() -> None:
    log = {"app1": (Version("02", "app1-1"), Version("01", "before"))}
    given = history(write("app1", 1, 0), read("app2", 1, 5, app1="before"), log=log)
    (anomaly,) = anomalies_of(given, UNJUDGED, [Pair("app1", "app2", False)])
    assert ["wrote version 2 of app1", "read version 1 of app1"] == [what for _, _, what in told(anomaly)]


def test_the_report_with_pictures_is_valid_against_its_schema() -> None:
    document = json.loads(as_json.render(stale()))
    jsonschema.validate(document, json.loads(as_json.schema()))
    consistency = document["consistency"]
    assert ["fail"] == [one["result"] for one in consistency["judged"]]
    assert 479 == consistency["lags"][0]["whole"]["count"]
    assert "fractured read" == consistency["anomalies"][0]["kind"]


def test_a_run_without_a_history_has_no_pictures() -> None:
    from zcheck.report.assemble import assemble
    from zcheck.report.structs import Judgement, Run

    facts = Facts().with_fact("", Inventory(file="clients.ini", name="x", clients=()))
    facts = facts.with_fact("", HttpHistories((history(clients=(ClientState("app1"),)),)))
    run = Run(id="0", command="preflight", started="2026-11-20T12:00:00Z", duration_s=0.1)
    consistency = assemble(facts, Judgement((), ()), run, "warning").consistency
    assert ((), ()) == (consistency.lags, consistency.anomalies)
    assert ["unknown"] == [one.result for one in consistency.judged]


def test_of_a_history_that_proves_nothing_no_level_is_said_to_hold() -> None:
    recorded = Recorded((stale_history(),), Origin(cluster="x", run_id="0"), faults=("its end is missing",))
    consistency = recheck.of_file(recorded, "cut.jsonl").report.consistency
    assert (None, ()) == (consistency.held, consistency.judged)
