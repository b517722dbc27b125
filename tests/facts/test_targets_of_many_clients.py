"""Of very many clients a few connections stand for all, and a report of a thousand is read by people."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from zcheck import cli
from zcheck.checks.consistency.zeo_passes_writes_on import zeo_passes_writes_on
from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.facts import Facts, Inventory, ZeoIdentity
from zcheck.facts.history import ZeoHistories
from zcheck.facts.storage_evidence import proven_one
from zcheck.facts.targets import MOST_CONNECTIONS, ZeoTarget, standing_for_all
from zcheck.report import assemble, levels
from zcheck.report.structs import Level
from zcheck.runner import run
from zcheck.testing import inventory, judge
from zcheck.testing.examples import identity, zeo_run

SAME = {"app3": "app1", "app4": "app2"}


def ways(count: int, **changes: object) -> list[ZeoTarget]:
    way = ZeoTarget("", "main", "1", ("zeo1:8100",), ("zeo1:8100",))
    return [msgspec.structs.replace(way, client=f"app{n}", **changes) for n in range(1, count + 1)]


def edits_of_clients(count: int, more: str = "") -> Inventory:
    text = "[cluster]\nname = test\n"
    text += "".join(
        f"[client:app{n}]\naddress = app{n}:8080\n{more if n == count else ''}" for n in range(1, count + 1)
    )
    return inventory(text)


def facts_of(history: ZeoHistories, count: int, more: str = "") -> Facts:
    (one,) = history.histories
    same = {client: stood for client, stood in SAME.items() if int(client[3:]) <= count}
    history = ZeoHistories((msgspec.structs.replace(one, same_way=same),))
    return Facts().with_fact("", edits_of_clients(count, more)).with_fact("", history)


# --- who stands for whom ------------------------------------------------------------------------------


def test_few_clients_have_a_connection_each() -> None:
    few = ways(MOST_CONNECTIONS)
    assert (few, {}) == standing_for_all(few)


def test_of_many_with_one_way_a_few_are_tried_and_each_stands_for_as_many() -> None:
    tried, same = standing_for_all(ways(1000))
    assert MOST_CONNECTIONS == len(tried)
    assert 1000 - MOST_CONNECTIONS == len(same["main"])
    stood = [*same["main"].values()]
    assert {124} == {stood.count(way.client) for way in tried}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"dialled": ("zeo2:8100",)}, id="another server"),
        pytest.param({"servers": ("other:8100",)}, id="another spelling"),
        pytest.param({"storage": "2"}, id="another storage"),
        pytest.param({"database": "archive"}, id="another database"),
        pytest.param({"not_written": "its role is read-only"}, id="read-only"),
        pytest.param({"blobs": "shared"}, id="blobs kept otherwise"),
    ],
)
def test_nobody_stands_for_a_client_whose_way_differs_in_anything(changes: dict[str, object]) -> None:
    odd = msgspec.structs.replace(ways(1)[0], client="odd", **changes)
    tried, same = standing_for_all([*ways(50), odd])
    assert odd in tried
    assert all("odd" not in others for others in same.values())


def test_the_plan_names_those_for_which_something_is_written(tmp_path: Path) -> None:
    text = "[cluster]\nname = test\nzeo = 192.0.2.1:8100\n"
    text += "".join(f"[client:app{n}]\naddress = 192.0.2.1:80{n}\nzope-conf = zope.conf\n" for n in range(10, 30))
    (tmp_path / "clients.ini").write_text(text)
    conf = "<zodb_db main>\n<zeoclient>\nserver 192.0.2.1:8100\n</zeoclient>\nmount-point /\n</zodb_db>\n"
    (tmp_path / "zope.conf").write_text(conf)
    done = subprocess.run(
        [sys.executable, "-m", "zcheck", "plan", str(tmp_path / "clients.ini")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"two small commits for each of app10, app11, app12, app13, app14, app15, app16, app17 ({2 * 8} in all)" in (
        done.stdout
    )
    assert "not for 12 more clients of database main, whose way there is the same" in done.stdout


# --- what is judged, and counted ----------------------------------------------------------------------


def test_what_one_connection_showed_is_proven_for_those_for_which_it_stood() -> None:
    facts = facts_of(zeo_run("app1 > app2", "app2 > app1"), 4)
    judgement = run([zeo_passes_writes_on], facts)
    assert ([], "pass") == (list(judgement.findings), judgement.results[0].outcome)
    assert () == judgement.results[0].skipped_for


def test_a_split_names_everybody_on_both_sides() -> None:
    judgement = run([zeo_passes_writes_on], facts_of(zeo_run("app1 > !app2", "app2 > !app1"), 4))
    (finding,) = judgement.findings
    assert ("CRITICAL", {"app1", "app2", "app3", "app4"}) == (finding.severity, set(finding.clients))


def proven_over_zeo(history: ZeoHistories, count: int, more: str = "") -> tuple[int, int]:
    facts = facts_of(history, count, more)
    coverage = assemble.coverage_of(facts, run([], facts), levels.consistency_levels(facts))
    return coverage.zeo_pairs_proven, coverage.pairs_total


@pytest.mark.parametrize(
    ("expected", "seen", "count", "more"),
    [
        pytest.param((2, 2), ("app1 > app2", "app2 > app1"), 2, "", id="nobody stands for anybody"),
        pytest.param((6, 6), ("app1 > app2", "app2 > app1"), 3, "", id="one stands for two"),
        pytest.param((12, 12), ("app1 > app2", "app2 > app1"), 4, "", id="two stand for four"),
        pytest.param((9, 9), ("app1 > app2", "app2 > app1"), 4, "role = read-only\n", id="one of them only reads"),
        pytest.param((0, 12), ("app1 > !app2", "app2 > !app1"), 4, "", id="neither arrived"),
        pytest.param((4, 12), ("app1 > app2", "app2 > !app1"), 4, "", id="one direction"),
    ],
)
def test_pairs_are_counted_for_all(expected: tuple[int, int], seen: tuple[str, ...], count: int, more: str) -> None:
    assert expected == proven_over_zeo(zeo_run(*seen), count, more)


def test_a_level_lists_the_pairs_that_were_tried_and_who_stood_for_whom() -> None:
    (level,) = levels.consistency_levels(facts_of(zeo_run("app1 > app2", "app2 > app1"), 4))
    assert [("app1", "app2"), ("app2", "app1")] == [(pair.writer, pair.reader) for pair in level.pairs]
    assert SAME == level.same_way


def of_four(found: ZeoIdentity) -> ZeoIdentity:
    return msgspec.structs.replace(found, same_way={"main": SAME})


def test_two_storages_name_all_their_clients() -> None:
    two = of_four(identity(app1="zeo1:8100 1 7", app2="zeo2:8100 1 4"))
    (finding,) = judge(every_database_is_one, two, app1=[], app2=[], app3=[], app4=[]).findings
    assert ("CRITICAL", {"app1", "app2", "app3", "app4"}) == (finding.severity, set(finding.clients))
    assert "app1, app3 reach /srv/Data.fs on zeo1:8100; app2, app4 reach /srv/Data.fs on zeo2:8100" in finding.message


def test_one_storage_is_one_for_all() -> None:
    one = of_four(identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", rose="app1 app1=7 app2=7"))
    judgement = judge(every_database_is_one, one, app1=[], app2=[], app3=[], app4=[])
    assert ("pass", ()) == (judgement.results[0].outcome, judgement.results[0].skipped_for)
    assert proven_one(one, "main", "app3", "app4")
    assert not proven_one(one, "main", "app3", "app5")


# --- what people read ---------------------------------------------------------------------------------


def test_the_text_tells_that_a_few_stood_for_many() -> None:
    from cases import made

    names = tuple(f"app{number}" for number in range(1, 1001))
    (level,) = levels.consistency_levels(facts_of(zeo_run("app1 > app2", "app2 > app1"), 4))
    shown = cli.rendered(made(levels=(Level("zeo", "main", level.pairs, SAME),), clients=names), "text")
    assert "database main, over ZEO: 2 of 2 pairs proven; 2 connections stood for 4 clients" in shown
