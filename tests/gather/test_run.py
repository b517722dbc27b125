"""The engine of the waves: bounded, never raising, nothing lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from patience import patient

from zcheck.checks import CATALOGUE
from zcheck.commands.preflight import left_out
from zcheck.facts import ControlPanel, Names, NotGathered, PortAnswer, Remains, WsgiConf, ZeoAnswers, ZopeConf
from zcheck.facts.history import HttpHistories, ZeoHistories
from zcheck.gather.collect import collect
from zcheck.gather.kinds import WRITES, wanted_kinds
from zcheck.gather.run import Run, side_by_side
from zcheck.gather.settings import Settings
from zcheck.gather.waves.names import look_up
from zcheck.system.threads import Deadline
from zcheck.testing import inventory


def test_jobs_run_side_by_side() -> None:
    barrier = threading.Barrier(4, timeout=10)
    found = side_by_side({n: lambda: barrier.wait() >= 0 for n in range(4)}, lambda: 10.0)
    assert found == dict.fromkeys(range(4), True)


def test_what_is_late_is_not_waited_for() -> None:
    over = threading.Event()
    started = time.monotonic()
    end = started + 0.2
    try:
        found = side_by_side({"slow": lambda: over.wait(30), "quick": lambda: True}, lambda: end - time.monotonic())
    finally:
        over.set()
    assert time.monotonic() - started < patient(5)
    assert found["quick"] is True
    assert isinstance(found["slow"], NotGathered)
    assert "deadline" in found["slow"].reason


def test_a_job_that_raises_is_not_gathered_and_hides_nobody() -> None:
    def broken() -> bool:
        raise ZeroDivisionError("oops")

    found = side_by_side({"broken": broken, "fine": lambda: True}, lambda: 10.0)
    assert found["fine"] is True
    assert isinstance(found["broken"], NotGathered)
    assert "ZeroDivisionError" in found["broken"].reason


def test_no_jobs_is_no_wait() -> None:
    assert side_by_side({}, lambda: 0.0) == {}


def test_more_jobs_than_threads() -> None:
    assert side_by_side({n: lambda n=n: n * n for n in range(100)}, lambda: 10.0, limit=3) == {
        n: n * n for n in range(100)
    }


def test_the_deadline_keeps_a_share_for_cleaning_up() -> None:
    deadline = Deadline(1.0)
    assert 0 < deadline.left() <= 0.75
    assert deadline.left() < deadline.left_to_clean_up() <= 1.0


def test_only_what_the_chosen_checks_need_is_gathered() -> None:
    by_name = {check.name: check for check in CATALOGUE}
    files_only = wanted_kinds([by_name["mount-points-agree"]])
    assert files_only & {PortAnswer, ZeoAnswers, ControlPanel, ZeoHistories, HttpHistories, Remains} == set()
    assert ZopeConf in files_only
    port_only = wanted_kinds([by_name["client-port-answers"]])
    assert PortAnswer in port_only
    assert port_only & {ZeoHistories, HttpHistories, Remains} == set()


@pytest.mark.parametrize(
    ("only", "skip", "read_only"),
    [
        pytest.param([], [], True, id="read-only"),
        pytest.param([], ["consistency"], False, id="the checks that write are skipped"),
        pytest.param(["inventory", "config", "reach", "identity"], [], False, id="they are not asked for"),
    ],
)
def test_nothing_is_written_for_what_is_merely_used(only: list[str], skip: list[str], read_only: bool) -> None:
    reasons = left_out(CATALOGUE, only, skip, offline=False, read_only=read_only)
    chosen = [check for check in CATALOGUE if check.name not in reasons]
    assert chosen
    assert wanted_kinds(chosen) & set(WRITES) == set()


@pytest.mark.parametrize(
    ("expected", "named", "present"),
    [
        pytest.param([], "zope.conf", True, id="the one that is compared"),
        pytest.param(["unread"], "other.conf", True, id="another one"),
        pytest.param([], "other.conf", False, id="a copy under another name: the original is elsewhere"),
    ],
)
def test_an_ini_that_starts_another_zope_conf_is_told(
    expected: list[str], named: str, present: bool, tmp_path: Path
) -> None:
    conf = "<zodb_db main>\n<zeoclient>\nserver zeo1:8100\n</zeoclient>\nmount-point /\n</zodb_db>\n"
    (tmp_path / "zope.conf").write_text(conf)
    if present:
        (tmp_path / named).write_text(conf)
    (tmp_path / "my.ini").write_text(
        f"[app:zope]\nuse = egg:Zope#main\nzope_conf = %(here)s/{named}\n[server:main]\nuse = egg:waitress#main\n"
    )
    text = "[client:app1]\naddress = 10.0.0.1:8080\nzope-conf = zope.conf\nwsgi-ini = my.ini\n"
    given = inventory(text, str(tmp_path / "clients.ini"))
    wanted = frozenset({ZopeConf, WsgiConf})
    facts = collect(given, Settings("run", offline=True), wanted, NotGathered("")).facts
    assert [fault.kind for fault in facts.raw(ZopeConf, "app1").faults] == expected


def test_a_thousand_names_that_nothing_resolves_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each comes back within its own limit; all of them together are bounded as well."""
    from zcheck.probes import names

    def resolve(host: str) -> tuple[str, ...]:
        time.sleep(0.15)
        return ()

    monkeypatch.setattr(names, "resolve", resolve)
    text = "[cluster]\nname = test\n" + "".join(f"[client:a{n}]\naddress = app{n}.example.com:80\n" for n in range(400))
    nothing = NotGathered("")
    run = Run(inventory(text), Settings("run", timeout_s=0.2), frozenset({Names}), nothing, lambda client, what: None)
    started = time.monotonic()
    look_up(run)
    assert time.monotonic() - started < patient(1.2)
    assert run.names is not None
    assert ({}, names.own_addresses()) == (run.names.addresses, run.names.here)
