"""What was known to be broken stays broken until something proves otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cases import made

from zcheck.check import Check
from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.commands import known
from zcheck.commands.preflight import Examination
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    Facts,
    HttpAnswer,
    KnownApart,
    KnownBroken,
    ServerList,
    ServerLists,
    ZeoIdentity,
)
from zcheck.facts.history import ClientState, History, HttpHistories
from zcheck.parsers import clients_ini
from zcheck.report.structs import Finding, Level, Pair
from zcheck.system import state
from zcheck.testing import judge
from zcheck.testing.examples import http_run

SINCE = "2026-12-01 12:00:00 UTC"
UP = [HttpAnswer("http", status=200), ControlPanel((DatabasePage("main", "zeostorage", True),), process_id=7)]


def told(check: Check, *cluster: Any) -> list[tuple[str, tuple[str, ...]]]:
    found = judge(check, *cluster, app1=UP, app2=UP, app3=UP).findings
    return [(one.severity, one.clients) for one in found]


def joined(client: str, state_: bool | None) -> HttpHistories:
    return HttpHistories((History("http", "main", "run", clients=(ClientState(client, joined=state_),)),))


@pytest.mark.parametrize(
    ("expected", "more"),
    [
        pytest.param([("CRITICAL", ("app2",))], [], id="nothing was learnt since"),
        pytest.param([("CRITICAL", ("app2",))], [joined("app2", None)], id="it was not tried"),
        pytest.param([("CRITICAL", ("app2",))], [joined("app1", True)], id="another one is well"),
        pytest.param([("CRITICAL", ("app2",))], [ServerLists(hung=("app2",))], id="it hung again"),
        pytest.param([], [ServerLists((ServerList("app2", "main", ("0" * 16,), 1, 2),))], id="its server's list came"),
        pytest.param([], [joined("app2", True)], id="it showed what was saved through another one"),
    ],
)
def test_a_half_open_client_stays_critical_until_its_server_answers(expected: Any, more: list[Any]) -> None:
    assert expected == told(client_is_connected_to_zeo, KnownBroken({"app2": SINCE}), *more)


APART = KnownBroken(apart=(KnownApart("main", ("app1", "app3"), SINCE),))
NO_ZEO = ZeoIdentity(why_not="no zope.conf was read")


@pytest.mark.parametrize(
    ("expected", "run"),
    [
        pytest.param([("CRITICAL", ("app1", "app3"))], None, id="a run that wrote nothing"),
        pytest.param([("CRITICAL", ("app1", "app3"))], http_run("app1 > app2", "app2 > app1"), id="others are one"),
        pytest.param([("CRITICAL", ("app1", "app3"))], http_run("app1 > app3", "app2 > app1"), id="one way only"),
        pytest.param([], http_run("app1 > app2 app3", "app2 > app1 app3", "app3 > app1 app2"), id="both ways"),
    ],
)
def test_clients_that_were_seen_apart_stay_critical_until_they_are_seen_together(expected: Any, run: Any) -> None:
    assert expected == told(every_database_is_one, APART, NO_ZEO, *([run] if run is not None else []))


# --- what is remembered --------------------------------------------------------------------------

INI = "[cluster]\nname = x\n" + "".join(f"[client:app{n}]\naddress = 10.0.0.{n}:8080\n" for n in (1, 2))


def run(seen: bool | None, *, process_id: int = 7, severity: str = "CRITICAL") -> Examination:
    facts = Facts().with_fact("", clients_ini.parse(INI, "/srv/clients.ini"))
    for name, process in (("app1", 6), ("app2", process_id)):
        facts = facts.with_fact(name, msgspec.structs.replace(UP[1], process_id=process))
    both = (Pair("app1", "app2", seen, None), Pair("app2", "app1", seen, None))
    finding = Finding(
        check="edits-are-seen-everywhere",
        stage="consistency",
        severity=severity,  # type: ignore[arg-type]
        clients=("app1", "app2"),
        message="apart",
    )
    findings = (finding,) if seen is False else ()
    return Examination(made(*findings, levels=(Level("http", "main", both),), clients=("app1", "app2")), facts)


def kept(folder: Path) -> list[dict[str, int]]:
    return [one.processes for one in state.apart(str(folder), "/srv/clients.ini")]


def test_a_split_is_remembered_until_it_is_seen_to_be_over(tmp_path: Path) -> None:
    both = {"app1": 6, "app2": 7}
    for nothing in (run(True), run(None), run(False, severity="WARNING")):
        known.remember(nothing, str(tmp_path))
        assert [] == kept(tmp_path)
    known.remember(run(False), str(tmp_path))
    assert [both] == kept(tmp_path)
    known.remember(run(None), str(tmp_path))
    assert [both] == kept(tmp_path), "a run that has tried nothing knows no better"
    known.remember(run(True), str(tmp_path))
    assert [] == kept(tmp_path)


def test_another_process_is_another_matter(tmp_path: Path) -> None:
    known.remember(run(False), str(tmp_path))
    known.remember(run(None, process_id=8), str(tmp_path))
    assert [] == kept(tmp_path)


def test_nothing_is_kept_where_no_state_is_wanted_or_possible(tmp_path: Path) -> None:
    known.remember(run(False), None)
    (tmp_path / "full").write_text("")
    known.remember(run(False), str(tmp_path / "full"))
    assert [] == kept(tmp_path / "full")
