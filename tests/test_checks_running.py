"""The checks of who the running clients are and how they are reached: where each fires, and where it must not."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.checks.identity.client_restarted_since_edit import client_restarted_since_edit
from zcheck.checks.identity.clients_are_distinct_processes import clients_are_distinct_processes
from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.checks.identity.versions_agree import versions_agree
from zcheck.checks.reach.client_answers_quickly import client_answers_quickly
from zcheck.checks.reach.client_is_reached_directly import client_is_reached_directly
from zcheck.checks.reach.clocks_agree import clocks_agree
from zcheck.checks.reach.zeo_sees_every_client import zeo_sees_every_client
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    HttpAnswer,
    NotGathered,
    ServerLists,
    Thresholds,
    TidReading,
    ZeoAnswers,
    ZeoClocks,
    ZeoIdentity,
    ZopeConf,
    tid_seconds,
)
from zcheck.facts.versions import versions
from zcheck.parsers.clients_ini import InventoryError, thresholds
from zcheck.probes import processes
from zcheck.probes.http import FirstCount, first_count
from zcheck.report.structs import Judgement
from zcheck.rules.server_lists import server_lists
from zcheck.rules.storages import identity
from zcheck.rules.zeo_servers import zeo_answer
from zcheck.runner import run
from zcheck.testing import facts_of, inventory, judge, zope_conf

NOW = 1_700_000_000.0
"""Tue, 14 Nov 2023 22:13:20 GMT."""


def severities(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings]


def named(judgement: Judgement) -> list[tuple[str, ...]]:
    return [finding.clients for finding in judgement.findings]


# --- thresholds ------------------------------------------------------------------------------------


def test_thresholds_have_defaults_and_follow_the_options() -> None:
    assert Thresholds() == thresholds({})
    assert Thresholds() == thresholds({"timeout": "3", "connections-fit-threads": "7"})
    stated = {"client-answers-quickly": "500m", "clocks-agree": "1.5", "client-restarted-since-edit": "10 s"}
    assert Thresholds(30000.0, 10.0, 1.5, 1.0) == thresholds(stated)


@pytest.mark.parametrize("value", ["", "soon", "-1", "0", "5 d", "1e3", "nan", "inf"])
def test_a_threshold_that_is_no_duration_is_refused_with_its_line(value: str) -> None:
    text = f"[client:app1]\naddress = a:1\n[zcheck]\nclocks-agree = {value}\n"
    with pytest.raises(InventoryError, match=r"^clients\.ini:4: clocks-agree .*(duration|no value)"):
        inventory(text)


# --- zeo-sees-every-client -------------------------------------------------------------------------

SERVES = HttpAnswer("http", status=200)
CONNECTED = ControlPanel((DatabasePage("main", "zeostorage", True),))
LOST = ControlPanel((DatabasePage("main", "zeostorage", False),))


def registered(count: int, *more: Any, conf: ZopeConf | None = None) -> list[Any]:
    return [zeo_answer(connections=count), *(more or (SERVES,)), conf or zope_conf(server="zeo1:8100")]


def two_servers(count: int) -> list[Any]:
    first, second = zeo_answer(connections=count), zeo_answer(server="zeo2:8100", connections=count)
    both = ZeoAnswers((*first.answers, *second.answers))
    return [both, SERVES, zope_conf(server="zeo1:8100 zeo2:8100")]


ARCHIVE = "<zodb_db archive>\n<zeoclient>\nserver zeo1:8100\n</zeoclient>\nmount-point /archive\n</zodb_db>\n"
AS_ARCHIVE = ZeoAnswers(
    tuple(msgspec.structs.replace(answer, database="archive") for answer in zeo_answer(connections=0).answers)
)

REGISTERED: dict[str, tuple[dict[str, Any], list[tuple[str, ...]]]] = {
    "as many as there are": ({"app1": registered(2), "app2": registered(2)}, []),
    "a script is connected as well": ({"app1": registered(3), "app2": registered(3)}, []),
    "one is missing": ({"app1": registered(1), "app2": registered(1)}, [("app1", "app2")]),
    "none is there": ({"app1": registered(0)}, [("app1",)]),
    "the missing one does not run": (
        {"app1": registered(1), "app2": registered(1, HttpAnswer("silent", "said nothing"))},
        [],
    ),
    "the missing one says itself that it is": (
        {"app1": registered(1, SERVES, CONNECTED), "app2": registered(1, SERVES, LOST)},
        [],
    ),
    "they may be on another of their servers": ({"app1": two_servers(0), "app2": two_servers(0)}, []),
    "a database that nobody has looked into": ({"app1": [AS_ARCHIVE, SERVES, zope_conf(ARCHIVE)]}, []),
    "a server that does not answer": ({"app1": [zeo_answer("refused"), SERVES, zope_conf()]}, []),
}


@pytest.mark.parametrize(("clients", "expected"), REGISTERED.values(), ids=REGISTERED)
def test_zeo_sees_every_client(clients: dict[str, Any], expected: list[tuple[str, ...]]) -> None:
    judgement = judge(zeo_sees_every_client, **clients)
    assert expected == named(judgement)
    assert ["WARNING"] * len(expected) == severities(judgement)


# --- client-answers-quickly ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elapsed_ms", "limit_s", "slow"),
    [(3.0, 2.0, False), (2000.0, 2.0, False), (2001.0, 2.0, True), (600.0, 0.5, True), (9000.0, 10.0, False)],
)
def test_client_answers_quickly(elapsed_ms: float, limit_s: float, slow: bool) -> None:
    answer = HttpAnswer("http", status=200, elapsed_ms=elapsed_ms)
    judgement = judge(client_answers_quickly, Thresholds(client_answers_quickly_s=limit_s), app1=answer)
    assert (["WARNING"] if slow else []) == severities(judgement)


def test_a_client_that_gave_no_page_is_not_slow() -> None:
    assert [] == severities(judge(client_answers_quickly, app1=HttpAnswer("silent", "said nothing for 5 s")))


# --- client-is-reached-directly --------------------------------------------------------------------

HEADERS: dict[str, tuple[dict[str, str], bool]] = {
    "Zope's own": ({"server": "waitress", "date": "x"}, False),
    "Zope's own, where the application names a server": ({"server": "Zope/(4.8)", "via": "waitress"}, False),
    "Zope 2": ({"server": "Zope/(2.13.30, python 2.7.18, linux2) ZServer/1.1"}, False),
    "what applications set": ({"x-powered-by": "Zope", "vary": "Accept", "cache-control": "max-age=0"}, False),
    "Varnish": ({"via": "1.1 varnish-6.6", "x-varnish": "3 4", "age": "17"}, True),
    "a cache that has it fresh": ({"age": "0"}, True),
    "Varnish behind Zope's own": ({"via": "waitress, 1.1 varnish-6.6"}, True),
    "Squid": ({"x-cache": "MISS from proxy", "via": "1.1 proxy (squid/5.7)"}, True),
    "a delivery network": ({"cf-ray": "8f-FRA", "server": "cloudflare"}, True),
}


@pytest.mark.parametrize(("headers", "proxied"), HEADERS.values(), ids=HEADERS)
def test_client_is_reached_directly(headers: dict[str, str], proxied: bool) -> None:
    judgement = judge(client_is_reached_directly, app1=HttpAnswer("http", status=200, headers=headers))
    assert (["WARNING"] if proxied else []) == severities(judgement)


# --- clocks-agree ----------------------------------------------------------------------------------


def dated(ahead_s: float = 0.0, *, took_s: float = 0.1, **headers: str) -> HttpAnswer:
    """An answer of a client whose clock is ``ahead_s`` ahead of ours; a date has whole seconds, cut off."""
    from email.utils import formatdate

    date = formatdate(int(NOW + took_s / 2 + ahead_s), usegmt=True)
    return HttpAnswer("http", headers={"date": date, **headers}, asked_at=NOW, answered_at=NOW + took_s)


def server(ahead_s: float, *, bracketed: bool = True, clients: tuple[str, ...] = ("app1",)) -> TidReading:
    return TidReading("zeo1:8100", clients, NOW + ahead_s, NOW, NOW + 0.1, bracketed)


CLOCKS: dict[str, tuple[list[TidReading], dict[str, Any], list[str]]] = {
    "all right": ([server(0.05)], {"app1": dated(), "app2": dated(0.9)}, []),
    "a second or four are nothing": ([], {"app1": dated(-2), "app2": dated(2)}, []),
    "one is ahead": ([], {"app1": dated(), "app2": dated(7)}, ["WARNING"]),
    "one is behind": ([], {"app1": dated(), "app2": dated(-7)}, ["WARNING"]),
    "a slow answer proves nothing": ([], {"app1": dated(), "app2": dated(7, took_s=20)}, []),
    "one client alone": ([], {"app1": dated(60)}, ["WARNING"]),
    "only zcheck's machine is wrong": ([server(60)], {"app1": dated(60), "app2": dated(61)}, []),
    "the server is ahead": ([server(30)], {"app1": dated(), "app2": dated()}, ["WARNING"]),
    "the server is behind": ([server(-30)], {"app1": dated()}, ["WARNING"]),
    "nobody has written for a day": ([server(-86400, bracketed=False)], {"app1": dated()}, []),
    "the newest transaction is of tomorrow": ([server(86400, bracketed=False)], {"app1": dated()}, ["WARNING"]),
    "a cache keeps dates": ([], {"app1": dated(), "app2": dated(-900, age="900")}, []),
    "a date that is none": ([], {"app1": dated(), "app2": dated(date="yesterday")}, []),
}


@pytest.mark.parametrize(("readings", "clients", "expected"), CLOCKS.values(), ids=CLOCKS)
def test_clocks_agree(readings: list[TidReading], clients: dict[str, Any], expected: list[str]) -> None:
    assert expected == severities(judge(clocks_agree, ZeoClocks(tuple(readings)), **clients))


def test_the_threshold_of_clocks_is_an_option() -> None:
    clients = {"app1": dated(), "app2": dated(60)}
    assert [] == severities(judge(clocks_agree, Thresholds(clocks_agree_s=90.0), **clients))
    assert ["WARNING"] == severities(judge(clocks_agree, Thresholds(clocks_agree_s=30.0), **clients))


def test_that_only_our_own_clock_is_wrong_is_told() -> None:
    judgement = judge(clocks_agree, app1=dated(60), app2=dated(60))
    assert ["this machine's own clock differs: app1, app2 are 60 s ahead of zcheck's machine"] == [
        remark.message for remark in judgement.remarks
    ]


def test_a_transaction_id_is_a_time() -> None:
    # By persistent.timestamp.TimeStamp(2023, 11, 14, 22, 13, 20.0).
    assert tid_seconds("03f47f9555555555") == pytest.approx(NOW, abs=1e-6)


@pytest.mark.parametrize("tid", ["", "0" * 16, "zope", "00000000ffffffff"])
def test_what_has_no_time_is_none(tid: str) -> None:
    assert tid_seconds(tid) is None


# --- versions-agree --------------------------------------------------------------------------------


def panel(zope: str | None = "6.3", python: str | None = "3.11.7 (main, Nov 11 2023) [GCC 12]", **more: Any) -> Any:
    return ControlPanel((), zope_version=zope, python_version=python, **more)


VERSIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "equal": ({"app1": panel(), "app2": panel()}, []),
    "another build": ({"app1": panel(), "app2": panel(python="3.11.7 (main, Jan 1 2024) [Clang 15]")}, []),
    "another Zope": ({"app1": panel(), "app2": panel("5.13")}, ["Zope is 6.3 on app1; 5.13 on app2"]),
    "another Python": (
        {"app1": panel(), "app2": panel(python="3.12.1 (x)")},
        ["Python is 3.11.7 on app1; 3.12.1 on app2"],
    ),
    "both": ({"app1": panel(), "app2": panel("5.13", "3.10.1")}, ["Zope is", "Python is"]),
    "an alpha": ({"app1": panel("6.0a1"), "app2": panel("6.0")}, ["Zope is 6.0a1 on app1; 6.0 on app2"]),
    "Plone": ({"app1": panel(plone_version="6.1.1"), "app2": panel(plone_version="6.2.2")}, ["Plone is"]),
    "one of them tells nothing": ({"app1": panel(), "app2": panel(None, None)}, []),
    "one is not told on one": ({"app1": panel(plone_version="6.1.1"), "app2": panel()}, []),
}


@pytest.mark.parametrize(("clients", "expected"), VERSIONS.values(), ids=VERSIONS)
def test_versions_agree(clients: dict[str, Any], expected: list[str]) -> None:
    findings = judge(versions_agree, **clients).findings
    assert len(expected) == len(findings)
    assert all(finding.message.startswith(words) for finding, words in zip(findings, expected, strict=True))


def test_versions_in_a_header() -> None:
    header = "Zope/(2.13.30, python 2.7.18, linux2) ZServer/1.1 Plone/5.1.7"
    answer = HttpAnswer("http", headers={"server": header})
    assert {"Zope": "2.13.30", "Python": "2.7.18", "Plone": "5.1.7"} == versions(None, answer)
    assert {} == versions(None, HttpAnswer("http", headers={"server": "waitress"}))
    assert {"Zope": "4.8.9"} == versions(panel("(4.8.9, Python 3)", None), None)


# --- clients-are-distinct-processes ----------------------------------------------------------------

FIRST, SECOND = "2026/01/01 - 12:00:00", "2026/01/01 - 12:00:01"


def process(pid: int | None = 7, since: str | None = "2 min 5 sec", count: str | None = None, **more: Any) -> Any:
    return ControlPanel((), process_id=pid, running_for=since, read_at=NOW, references_at=count, **more)


PROCESSES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "two process ids": ({"app1": process(7), "app2": process(8)}, []),
    "containers of two deployments": ({"app1": process(1, "2 min 5 sec"), "app2": process(1, "9 min 5 sec")}, []),
    "containers of one deployment": ({"app1": process(1, count=FIRST), "app2": process(1, count=SECOND)}, []),
    "two instance homes": ({"app1": process(instance_home="/a"), "app2": process(instance_home="/b")}, []),
    "two client homes": ({"app1": process(client_home="/data/a"), "app2": process(client_home="/data/b")}, []),
    "one process": ({"app1": process(count=FIRST), "app2": process(count=FIRST)}, ["CRITICAL"]),
    "one process, read a second later": (
        {"app1": process(1, "5 sec", FIRST), "app2": process(1, "6 sec", FIRST)},
        ["CRITICAL"],
    ),
    "cannot be told": ({"app1": process(1), "app2": process(1)}, ["UNKNOWN"]),
    "one of them does not tell": ({"app1": process(1, count=FIRST), "app2": process(1)}, ["UNKNOWN"]),
    "two of three": (
        {"app1": process(1, count=FIRST), "app2": process(1, count=SECOND), "app3": process(1, count=SECOND)},
        ["CRITICAL"],
    ),
    "no process id": ({"app1": process(None), "app2": process(None)}, []),
}


@pytest.mark.parametrize(("clients", "expected"), PROCESSES.values(), ids=PROCESSES)
def test_clients_are_distinct_processes(clients: dict[str, Any], expected: list[str]) -> None:
    judgement = judge(clients_are_distinct_processes, **clients)
    assert expected == severities(judgement)
    if len(clients) == 3:
        assert [("app2", "app3")] == named(judgement)


def test_only_those_that_look_alike_are_asked_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    slept: list[float] = []
    monkeypatch.setattr(processes.time, "sleep", slept.append)
    panels = {"app1": process(1), "app2": process(2), "app3": process(1), "app4": process(None), "app5": process(1)}
    counts = {"app1": FirstCount(FIRST, True), "app3": FirstCount(SECOND, False), "app5": None}

    def look(name: str) -> FirstCount | None:
        asked.append(name)
        return counts[name]

    found = processes.told_apart(panels, look, lambda: 10.0)
    assert ["app1", "app3", "app5"] == asked
    assert {"app1": FIRST, "app3": SECOND, "app5": None} == {n: one.references_at for n, one in found.items()}
    # Only what the look itself made new has to be kept apart from the next.
    assert [processes.BETWEEN_S] == slept
    assert {} == processes.told_apart(panels, look, lambda: 0.5)


@pytest.mark.parametrize(
    ("now", "fresh"),
    [("2026/01/01 - 12:00:00", True), ("2026/01/01 - 12:00:02", True), ("2026/01/01 - 12:00:03", False)],
)
def test_the_first_count_is_the_first_of_both_moments(now: str, fresh: bool) -> None:
    page = f'<th class="x">{FIRST}</th>\n<th class="x">{now}</th>'
    assert FirstCount(FIRST, fresh) == first_count(page)
    assert first_count("<th>Class</th>") is None


# --- client-restarted-since-edit -------------------------------------------------------------------

HERE = "[client:app1]\naddress = 127.0.0.1:8081\n"
ELSEWHERE = "[client:app1]\naddress = 192.0.2.1:8081\n"


def edited(before_now_s: float | None, since: str | None, *, home: str = "", shown: str | None = None) -> list[Any]:
    conf = zope_conf(f"instancehome {home}\n" if home else "<zodb_db main>\n</zodb_db>\n", file="etc/zope.conf")
    written = None if before_now_s is None else NOW - before_now_s
    running = ControlPanel((), running_for=since, read_at=NOW, instance_home=shown)
    return [running, msgspec.structs.replace(conf, mtime=written)]


EDITED: dict[str, tuple[str, list[Any], bool]] = {
    "started after it": (HERE, edited(3600, "10 min 0 sec"), False),
    "written and started at once": (HERE, edited(62, "1 min 0 sec"), False),
    "within what the page can show": (HERE, edited(58, "1 min 0 sec"), False),
    "written since": (HERE, edited(30, "1 min 0 sec"), True),
    "written since, by a page that shows minutes": (HERE, edited(3600 + 30, "1 hour 1 min"), False),
    "written since, days ago": (HERE, edited(3600, "3 days 1 hour 5 min 2 sec"), True),
    "a copy of another machine's": (ELSEWHERE, edited(30, "1 min 0 sec"), False),
    "not the file that it runs with": (HERE, edited(30, "1 min 0 sec", home="/srv/a", shown="/srv/b"), False),
    "the file that it runs with": (HERE, edited(30, "1 min 0 sec", home="/srv/a/", shown="/srv/a"), True),
    "no time": (HERE, edited(None, "1 min 0 sec"), False),
    "no age": (HERE, edited(30, None), False),
}


@pytest.mark.parametrize(("ini", "client", "fires"), EDITED.values(), ids=EDITED)
def test_client_restarted_since_edit(ini: str, client: list[Any], fires: bool) -> None:
    judgement = judge(client_restarted_since_edit, inventory(ini), app1=client)
    assert (["WARNING"] if fires else []) == severities(judgement)


def test_a_missing_control_panel_is_unknown_for_the_identity_checks() -> None:
    missing = (ControlPanel, NotGathered("the user lacks the permission"))
    for check in (versions_agree, clients_are_distinct_processes, client_restarted_since_edit):
        judgement = judge(check, app1=[missing, zope_conf()])
        assert ["UNKNOWN"] == severities(judgement)
        assert re.search("permission", judgement.findings[0].message)


# --- what the clients' own servers list ------------------------------------------------------------


def test_a_client_that_hung_for_its_list_is_named_and_one_that_was_not_asked_is_unknown() -> None:
    lists = ServerLists(hung=("app2",), not_asked={"app3": "app3 did not answer an earlier run"})
    judgement = judge(client_is_connected_to_zeo, lists, **{f"app{n}": [SERVES, CONNECTED] for n in (1, 2, 3)})
    assert [("CRITICAL", ("app2",)), ("UNKNOWN", ("app3",))] == [(f.severity, f.clients) for f in judgement.findings]


def test_a_split_that_is_told_over_zeo_is_not_told_twice() -> None:
    apart = server_lists(app1="1 2 9", app2="1 2 3 5")
    proofs = identity(app1="zeo1:8100 1 7", app2="zeo2:8100 1 7")
    alike = identity(app1="zeo1:8100 1 7", app2="zeo1:8100 4 10", rose="app1 app1=7 app2=7")
    for evidence in (proofs, alike, ZeoIdentity(why_not="no zope.conf was read")):
        assert ["CRITICAL"] == severities(judge(every_database_is_one, evidence, apart, app1=[], app2=[]))
    nothing = judge(every_database_is_one, ZeoIdentity(why_not="no zope.conf was read"), app1=[], app2=[])
    assert ("skipped", "no zope.conf was read") == (nothing.results[0].outcome, nothing.results[0].because)


def test_leaving_the_telling_to_another_for_nobody_is_nothing() -> None:
    facts = facts_of(app1=registered(1))
    judgement = run([zeo_sees_every_client], facts, left_out={"zeo-server-answers": "not asked for by --only"})
    assert ([], "pass") == (list(judgement.findings), judgement.results[0].outcome)
