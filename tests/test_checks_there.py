"""The checks by what the clients' own machines see: beside every row that fires, one that is like it and must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck import cli
from zcheck.check import Check
from zcheck.checks import CATALOGUE
from zcheck.checks.identity.blob_directories_are_one import blob_directories_are_one
from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.checks.identity.client_restarted_since_edit import client_restarted_since_edit
from zcheck.checks.identity.names_resolve_alike import names_resolve_alike
from zcheck.checks.identity.products_agree import products_agree
from zcheck.checks.reach.client_is_reached_directly import client_is_reached_directly
from zcheck.checks.reach.clocks_agree import clocks_agree
from zcheck.checks.reach.zeo_server_answers import zeo_server_answers
from zcheck.commands.diff import differences
from zcheck.facts import (
    BlobMarker,
    ControlPanel,
    DatabasePage,
    Facts,
    HttpAnswer,
    LeftOut,
    ListeningProcess,
    Names,
    NotGathered,
    SeenThere,
    SharedBlobs,
    ZeoAnswers,
)
from zcheck.report.assemble import assemble
from zcheck.report.structs import Judgement, Run
from zcheck.rules.machines import blob_folder, seen_there, server_there
from zcheck.rules.zeo_servers import zeo_answer
from zcheck.runner import run
from zcheck.testing import facts_of, inventory, judge, zope_conf

RUN = Run(id="1", command="preflight", started="2026-01-01T00:00:00Z", duration_s=1.0)
NO_WAY = LeftOut("clients.ini gives no via for it")


def told(judgement: Judgement) -> list[str]:
    """Findings and remarks, a line each; what came out where there are none."""
    lines = [f"{f.severity} {', '.join(f.clients)}: {f.message}" for f in judgement.findings]
    lines += [f"note {', '.join(r.clients)}: {r.message}" for r in judgement.remarks]
    (result,) = judgement.results
    return lines or [result.outcome if result.because is None else f"{result.outcome}: {result.because}"]


# --- products-agree -------------------------------------------------------------------------------

MANY = " ".join(f"p{number:02}=1" for number in range(13))
PANEL = ControlPanel((), zope_version="6.3", python_version="3.12.1")

PRODUCTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "the same": ({"app1": seen_there("a=1 b=2"), "app2": seen_there("b=2 a=1")}, ["pass"]),
    "another version": (
        {"app1": seen_there("a=1"), "app2": seen_there("a=2"), "app3": seen_there("a=1")},
        ["WARNING app1, app2, app3: a distribution differs: a is 1 on app1, app3, 2 on app2"],
    ),
    "one too few": (
        {"app1": seen_there("a=1 b=1"), "app2": seen_there("a=1")},
        ["WARNING app1, app2: a distribution differs: b is 1 on app1, absent on app2"],
    ),
    "only what installs others": (
        {"app1": seen_there("a=1 pip=23.1 setuptools=70"), "app2": seen_there("a=1 pip=24.0 wheel=0.4")},
        ["pass"],
    ),
    "Zope itself, of which the Control Panels tell": (
        {"app1": [seen_there("a=1 zope=6.3"), PANEL], "app2": [seen_there("a=1 zope=6.2"), PANEL]},
        ["pass"],
    ),
    "Zope itself, of which nothing else tells": (
        {"app1": [seen_there("zope=6.3"), PANEL], "app2": seen_there("zope=6.2")},
        ["WARNING app1, app2: a distribution differs: zope is 6.3 on app1, 6.2 on app2"],
    ),
    "Python, of which nothing else tells": (
        {"app1": seen_there("a=1", python_version="3.12.1"), "app2": seen_there("a=1", python_version="3.11.7")},
        ["WARNING app1, app2: a distribution differs: python is 3.12.1 on app1, 3.11.7 on app2"],
    ),
    "a Python that is not known": (
        {"app1": seen_there("a=1", python_version="3.12.1"), "app2": seen_there("a=1")},
        ["pass"],
    ),
    "more than ten": (
        {"app1": seen_there(f"a=1 {MANY}"), "app2": seen_there("a=1")},
        [
            "WARNING app1, app2: 13 distributions differ: "
            + "; ".join(f"p{number:02} is 1 on app1, absent on app2" for number in range(10))
            + "; and 3 more"
        ],
    ),
    "nobody else to compare with": (
        {"app1": seen_there("a=1"), "app2": (SeenThere, NO_WAY)},
        [
            "skipped: clients.ini gives no via for it; nothing to examine: no other client was looked at from its own"
            " machine"
        ],
    ),
    "no way in at all": ({"app1": (SeenThere, NO_WAY)}, ["skipped: clients.ini gives no via for it"]),
    "a way that leads nowhere": (
        {"app1": seen_there("a=1"), "app2": (SeenThere, NotGathered("via: ssh: refused")), "app3": seen_there("a=1")},
        ["UNKNOWN app2: via: ssh: refused"],
    ),
}


@pytest.mark.parametrize(("clients", "expected"), PRODUCTS.values(), ids=PRODUCTS)
def test_products_agree(clients: dict[str, Any], expected: list[str]) -> None:
    assert expected == told(judge(products_agree, **clients))


def test_a_worker_writes_too_and_is_called_one() -> None:
    ini = inventory("[client:app1]\naddress = 10.0.0.1:80\n[client:night]\naddress = 10.0.0.2:80\nrole = worker")
    found = told(judge(products_agree, ini, app1=seen_there("a=1"), night=seen_there("a=2")))
    assert ["WARNING app1, night: a distribution differs: a is 1 on app1, 2 on night (worker)"] == found


def test_a_way_that_leads_nowhere_is_left_to_the_check_that_tells_it() -> None:
    nowhere = NotGathered("via: ssh: refused", told_by="products-agree")
    facts = facts_of(SharedBlobs(), app1=(SeenThere, nowhere), app2=seen_there("a=1"), app3=seen_there("a=1"))
    judgement = run([blob_directories_are_one, products_agree, names_resolve_alike], facts)
    assert [("products-agree", ("app1",))] == [(f.check, f.clients) for f in judgement.findings]
    alone = run([names_resolve_alike], facts, left_out={"products-agree": "left out by --skip"})
    assert [("names-resolve-alike", ("app1",))] == [(f.check, f.clients) for f in alone.findings]


# --- names-resolve-alike --------------------------------------------------------------------------


def at(addresses: str, server: str = "zeo1:8100", own: str = "", **more: Any) -> SeenThere:
    given = {"servers": (server_there(server, addresses),), "addresses": tuple(own.split()), **more}
    return seen_there("zope=6.3", **given)


OUTSIDE = {"process": None, "distributions": None}

NAMES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "one address": ({"app1": at("10.0.0.5"), "app2": at("10.0.0.5")}, ["pass"]),
    "an address in common": ({"app1": at("10.0.0.5 10.0.0.6"), "app2": at("10.0.0.6 2001:db8::6")}, ["pass"]),
    "each shares one with another": (
        {"app1": at("10.0.0.5"), "app2": at("10.0.0.5 10.0.0.6"), "app3": at("10.0.0.6")},
        ["pass"],
    ),
    "two addresses": (
        {"app1": at("10.0.0.5"), "app2": at("10.0.0.6")},
        ["WARNING app1, app2: zeo1 is 10.0.0.5 on app1's machine; 10.0.0.6 on app2's machine"],
    ),
    "the server's own machine calls itself by a loopback address": (
        {"app1": at("127.0.1.1", own="10.0.0.1"), "app2": at("10.0.0.1")},
        ["pass"],
    ),
    "a machine that calls itself so, and is not the server": (
        {"app1": at("127.0.1.1", own="10.0.0.1"), "app2": at("10.0.0.5")},
        ["WARNING app1, app2: zeo1 is 127.0.1.1 on app1's machine; 10.0.0.5 on app2's machine"],
    ),
    "two machines that call themselves so": (
        {"app1": at("127.0.0.1", own="172.17.0.1"), "app2": at("127.0.0.1", own="172.17.0.1")},
        ["WARNING app1, app2: zeo1 is 127.0.0.1 on app1's machine; 127.0.0.1 on app2's machine"],
    ),
    "no name": (
        {"app1": at("10.0.0.5", "10.0.0.5:8100"), "app2": at("127.0.0.1", "localhost:8100")},
        ["skipped: nothing to examine: its server lines hold no name"],
    ),
    "a name that means nothing on one machine": (
        {
            "app1": at("10.0.0.5"),
            "app2": seen_there("a=1", servers=(server_there(outcome="no-such-name"),)),
            "app3": at("10.0.0.5"),
        },
        ["pass"],
    ),
    "whether one was inside of the client is not known": (
        {"app1": at("10.0.0.5"), "app2": msgspec.structs.replace(at("172.20.0.2"), **OUTSIDE)},
        [
            "UNKNOWN app1, app2: zeo1 is 10.0.0.5 on app1's machine; 172.20.0.2 on app2's machine; whether that is what"
            " the clients themselves see is not known: their processes were not seen"
        ],
    ),
}


@pytest.mark.parametrize(("clients", "expected"), NAMES.values(), ids=NAMES)
def test_names_resolve_alike(clients: dict[str, Any], expected: list[str]) -> None:
    assert expected == told(judge(names_resolve_alike, **clients))


def test_another_address_where_zcheck_runs_is_worth_a_note() -> None:
    names = Names({"zeo1": ("192.0.2.9",)})
    found = told(judge(names_resolve_alike, names, app1=at("10.0.0.5"), app2=at("10.0.0.5")))
    assert ["note app1, app2: zeo1 is 192.0.2.9 for zcheck, and 10.0.0.5 for app1, app2"] == found
    same = Names({"zeo1": ("10.0.0.5",)})
    assert ["pass"] == told(judge(names_resolve_alike, same, app1=at("10.0.0.5"), app2=at("10.0.0.5")))


# --- blob-directories-are-one ---------------------------------------------------------------------

ONE_MACHINE = inventory(
    "[client:app1]\naddress = 10.0.0.1:81\nvia = python\n[client:app2]\naddress = 10.0.0.1:82\nvia = python"
)


def marker(seen: dict[str, bool], **unknown: str) -> SharedBlobs:
    return SharedBlobs((BlobMarker("main", "app1", "/srv/blobs", seen, unknown),))


def not_seen(why: str) -> SeenThere:
    return blob_folder(None, why=why)


NOT_ONE = (
    "CRITICAL app1, {0}: database main: /srv/blobs of app1 is not the folder /srv/blobs of {0}: a file that was put"
    " into the first was not in the second"
)

BLOBS: dict[str, tuple[list[Any], dict[str, Any], list[str]]] = {
    "one folder of one machine": (
        [ONE_MACHINE, SharedBlobs()],
        {"app1": blob_folder(7), "app2": blob_folder(7)},
        ["pass"],
    ),
    "one share, mounted twice on one machine": (
        [ONE_MACHINE, marker({"app2": True})],
        {"app1": blob_folder(7), "app2": blob_folder(8)},
        ["pass"],
    ),
    "two folders of one machine": (
        [ONE_MACHINE, marker({"app2": False})],
        {"app1": blob_folder(7), "app2": blob_folder(8)},
        [NOT_ONE.format("app2")],
    ),
    "equal numbers on two machines prove nothing": (
        [marker({"app2": False})],
        {"app1": blob_folder(7), "app2": blob_folder(7)},
        [NOT_ONE.format("app2")],
    ),
    "one of three apart": (
        [marker({"app2": True, "app3": False})],
        {"app1": blob_folder(), "app2": blob_folder(), "app3": blob_folder()},
        [
            "CRITICAL app1, app2, app3: database main: /srv/blobs of app1, app2 is not the folder /srv/blobs of app3: a"
            " file that was put into the first was not in the second"
        ],
    ),
    "read-only": (
        [SharedBlobs((), {"main": "no marker is written with --read-only"})],
        {"app1": blob_folder(), "app2": blob_folder()},
        ["skipped: no marker is written with --read-only"],
    ),
    "nobody may write": (
        [SharedBlobs((), {"main": "/srv/blobs of app1: Permission denied"})],
        {"app1": blob_folder(), "app2": blob_folder()},
        [
            "UNKNOWN app1, app2: database main: whether their blobs are in one folder is not known: /srv/blobs of app1:"
            " Permission denied"
        ],
    ),
    "a share that is not mounted": (
        [SharedBlobs()],
        {"app1": blob_folder(), "app2": not_seen("No such file or directory")},
        ["CRITICAL app2: database main: /srv/blobs of app2: No such file or directory"],
    ),
    "a folder that may not be looked at": (
        [SharedBlobs()],
        {"app1": blob_folder(), "app2": not_seen("Permission denied")},
        ["UNKNOWN app2: database main: /srv/blobs of app2: Permission denied"],
    ),
    "a path that is missing around the container": (
        [SharedBlobs()],
        {"app1": blob_folder(), "app2": msgspec.structs.replace(not_seen("No such file or directory"), **OUTSIDE)},
        ["UNKNOWN app2: database main: /srv/blobs of app2: No such file or directory"],
    ),
    "a cache in place of the blobs": (
        [marker({"app2": True})],
        {"app1": blob_folder(), "app2": blob_folder(layout="zeocache")},
        ["CRITICAL app2: database main: /srv/blobs, shared by app2, is the cache of a client"],
    ),
    "nobody shares": (
        [SharedBlobs()],
        {"app1": seen_there("a=1"), "app2": seen_there("a=1")},
        ["skipped: nothing to examine: it shares no folder of blobs with others"],
    ),
    "one alone shares": (
        [SharedBlobs()],
        {"app1": blob_folder(), "app2": seen_there("a=1")},
        ["skipped: nothing to examine: it shares no folder of blobs with others"],
    ),
}


@pytest.mark.parametrize(("cluster", "clients", "expected"), BLOBS.values(), ids=BLOBS)
def test_blob_directories_are_one(cluster: list[Any], clients: dict[str, Any], expected: list[str]) -> None:
    assert expected == told(judge(blob_directories_are_one, *cluster, **clients))


# --- what the older checks make of it -------------------------------------------------------------

SILENT = server_there(outcome="silent", detail="does not answer the connect within 3 s")
CUT = seen_there("zope=6.3", servers=(SILENT,))
WORKS = seen_there("zope=6.3", servers=(server_there(),))
AROUND = msgspec.structs.replace(CUT, **OUTSIDE)


def panel(connected: bool | None) -> ControlPanel:
    return ControlPanel((DatabasePage("main", "zeo", connected),))


HTTP = HttpAnswer("http")
FROM_THERE = "from app1's machine zeo1:8100 is silent (does not answer the connect within 3 s)"
NO_PANEL = (ControlPanel, LeftOut("clients.ini gives no user and password-file"))

CONNECTED: dict[str, tuple[list[Any], list[str]]] = {
    "lost, and cut off": (
        [HTTP, panel(False), CUT],
        [f"CRITICAL app1: app1 has lost its ZEO server: database main says (disconnected); {FROM_THERE}"],
    ),
    "lost, and it would answer": (
        [HTTP, panel(False), WORKS],
        ["CRITICAL app1: app1 has lost its ZEO server: database main says (disconnected)"],
    ),
    "lost, and seen from around its container alone": (
        [HTTP, panel(False), AROUND],
        ["CRITICAL app1: app1 has lost its ZEO server: database main says (disconnected)"],
    ),
    "lost, and the server answers nobody": (
        [HTTP, panel(False), CUT, zeo_answer("silent")],
        ["skipped: zeo-server-answers"],
    ),
    "connected, and could not connect again": (
        [HTTP, panel(True), CUT],
        [f"note app1: app1 is connected to its ZEO server, and could not connect again; {FROM_THERE}"],
    ),
    "connected, with two servers of which one works": (
        [HTTP, panel(True), seen_there("a=1", servers=(SILENT, server_there("zeo2:8100")))],
        ["pass"],
    ),
    "nobody asks it, and it is cut off": (
        [HTTP, NO_PANEL, CUT],
        [f"CRITICAL app1: app1 cannot reach its ZEO server; {FROM_THERE}"],
    ),
    "nobody asks it, and the server answers nobody": (
        [HTTP, NO_PANEL, CUT, zeo_answer("silent")],
        ["skipped: zeo-server-answers"],
    ),
    "nobody asks it, and all is well": (
        [HTTP, NO_PANEL, WORKS],
        ["skipped: clients.ini gives no user and password-file"],
    ),
    "nobody asks it, and it is seen from around its container": (
        [HTTP, NO_PANEL, AROUND],
        ["skipped: clients.ini gives no user and password-file"],
    ),
}


@pytest.mark.parametrize(("facts", "expected"), CONNECTED.values(), ids=CONNECTED)
def test_client_is_connected_to_zeo(facts: list[Any], expected: list[str]) -> None:
    assert expected == told(judge(client_is_connected_to_zeo, app1=facts))


UNREACHED = "skipped: the ZEO server zeo1:8100 cannot be reached from here, and "

ANSWERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "from their machines it answers": (
        {"app1": [zeo_answer("timeout"), WORKS], "app2": [zeo_answer("timeout"), WORKS]},
        [f"{UNREACHED}from the machine of app1, app2 it answers"],
    ),
    "one says so, from the other's machine it answers": (
        {"app1": [zeo_answer("timeout"), panel(True)], "app2": [zeo_answer("timeout"), WORKS]},
        [f"{UNREACHED}app1 says it is connected to it; from the machine of app2 it answers"],
    ),
    "from one machine it does not": (
        {"app1": [zeo_answer("timeout"), CUT], "app2": [zeo_answer("timeout"), WORKS]},
        ["CRITICAL app1, app2: the ZEO server zeo1:8100 of app1, app2 does not answer the connect"],
    ),
    "it answers here": ({"app1": [zeo_answer(), CUT]}, ["pass"]),
    "it is dead, wherever one asks from": (
        {"app1": [zeo_answer("http", detail="answers HTTP"), WORKS]},
        ["CRITICAL app1: the ZEO server zeo1:8100 of app1 is none: it answers HTTP"],
    ),
}


@pytest.mark.parametrize(("clients", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_zeo_server_answers(clients: dict[str, Any], expected: list[str]) -> None:
    assert expected == told(judge(zeo_server_answers, **clients))


def process(started: float | None, written: float | None) -> SeenThere:
    return seen_there("a=1", process=ListeningProcess(7, started_at=started), conf_mtime=written)


RESTARTED: dict[str, tuple[SeenThere, list[str]]] = {
    "written before": (process(1000.0, 900.0), ["pass"]),
    "written while it started": (process(1000.0, 1001.5), ["pass"]),
    "written after": (
        process(1000.0, 1060.0),
        ["WARNING app1: zope.conf was written about 1 min after app1 was started"],
    ),
    "a copy": (
        process(1000.0, None),
        ["skipped: its zope.conf is that of another machine: the time of a copy says nothing"],
    ),
}


@pytest.mark.parametrize(("seen", "expected"), RESTARTED.values(), ids=RESTARTED)
def test_client_restarted_since_edit(seen: SeenThere, expected: list[str]) -> None:
    facts = [ControlPanel((), running_for="1 min 1 sec", read_at=5000.0), zope_conf(), seen]
    assert expected == told(judge(client_restarted_since_edit, app1=facts))


def answering(pid: int, running_for: str = "1 hour 1 sec") -> ControlPanel:
    return ControlPanel((), process_id=pid, running_for=running_for, read_at=5000.0)


def listens(pid: int, **more: Any) -> SeenThere:
    return seen_there("a=1", process=ListeningProcess(pid), **{"asked_at": 4990.0, **more})


ANOTHER = [
    "WARNING app1: process 977 answers at 10.0.0.1:8080, and on app1's own machine it is process 412 that listens there"
]
AROUND_IT = msgspec.structs.replace(listens(412), distributions=None)
REACHED: dict[str, tuple[list[Any], list[str]]] = {
    "the same process": ([answering(412), listens(412)], ["pass"]),
    "another process": ([answering(977), listens(412)], ANOTHER),
    "restarted in between": ([answering(977, "2 sec"), listens(412)], ["pass"]),
    "gathered by itself, some time ago": ([answering(977), listens(412, asked_at=None)], ["pass"]),
    "seen from around its container": ([answering(977), AROUND_IT], ["pass"]),
    "no process id": ([ControlPanel(()), listens(412)], ["pass"]),
}


@pytest.mark.parametrize(("facts", "expected"), REACHED.values(), ids=REACHED)
def test_client_is_reached_directly(facts: list[Any], expected: list[str]) -> None:
    assert expected == told(judge(client_is_reached_directly, app1=[HTTP, *facts]))


CLOCKS: dict[str, tuple[SeenThere, list[str]]] = {
    "right": (seen_there("a=1", clock=1000.1, asked_at=1000.0, answered_at=1000.3), ["pass"]),
    "wrong": (
        seen_there("a=1", clock=1100.0, asked_at=1000.0, answered_at=1000.3),
        ["WARNING app1: the clocks differ: app1 is 100 s ahead of zcheck's machine"],
    ),
    "held against itself": (seen_there("a=1", clock=1100.0), ["skipped: its answer has no date of its own"]),
}


@pytest.mark.parametrize(("seen", "expected"), CLOCKS.values(), ids=CLOCKS)
def test_clocks_agree_where_a_proxy_hides_the_date(seen: SeenThere, expected: list[str]) -> None:
    hidden = HttpAnswer("http", headers={"via": "1.1 varnish", "date": "Tue, 14 Nov 2023 22:13:20 GMT"})
    assert expected == told(judge(clocks_agree, app1=[hidden, seen]))


# --- what is told elsewhere -----------------------------------------------------------------------


def test_changed_products_and_processes_are_told() -> None:
    before = facts_of(app1=seen_there("a=1 b=1", python_version="3.11.7"))
    after = facts_of(app1=seen_there("a=2 c=1", python_version="3.11.7", process=ListeningProcess(413, "python x")))
    empty: Any = type("Report", (), {"findings": ()})
    changes = [str(change) for change in differences(before, after, empty, empty)]
    assert [
        "process: app1: what listens on its port was process 412: python -m Zope2.Startup.serve zope.ini, is process"
        " 413: python x",
        "product: app1: a was 1, is 2",
        "product: app1: b was 1, is not given",
        "product: app1: c was not given, is 1",
    ] == changes


HOSTILE = "\x1b[2J\r\n::error::x<script>alert(1)</script>\u202e|;&"


@pytest.mark.parametrize("form", cli.FORMATS)
def test_nothing_of_what_a_hostile_machine_says_is_shown_raw(form: str) -> None:
    """Names of distributions, reasons, addresses and paths are texts of that machine's choice."""
    server = server_there("zeo1:8100", f"10.0.0.9{HOSTILE}", "silent", HOSTILE)
    hostile = msgspec.structs.replace(seen_there("a=1", servers=(server,)), distributions={HOSTILE: HOSTILE})
    other = seen_there("a=1", servers=(server_there("zeo1:8100", "10.0.0.5"),))
    given = facts_of(app1=[HTTP, panel(False), hostile], app2=[HTTP, panel(True), other])
    given = given.with_fact("", SharedBlobs((), {"main": HOSTILE}))
    checks: list[Check] = [check for check in CATALOGUE if SeenThere in (*check.needs, *check.uses)]
    judgement = run(checks, given, today="2026-01-01")
    report = assemble(given, judgement, RUN, "warning")
    assert {"products-agree", "client-is-connected-to-zeo"} <= {finding.check for finding in report.findings}
    shown = cli.rendered(report, form, pages=())
    # In JSON a text is data, with its control characters escaped; in the others it is for people.
    raw = {"\x1b", "\r", "\u202e"} if form != "json" else {"\x1b", "\r"}
    assert not raw & set(shown)
    assert "<script>alert" not in shown or form not in ("html", "junit")
    if form in ("text", "nagios", "github"):
        assert not any(line.startswith("::error::x") for line in shown.splitlines())


def test_facts_from_there_are_saved_and_read_again() -> None:
    from zcheck.gather import saved

    given = facts_of(marker({"app2": True}), app1=[blob_folder(), CUT], app2=WORKS)
    again = saved.load(saved.dump(saved.Saved(RUN, {}, given), "0")).facts
    for kind in (SeenThere, SharedBlobs):
        for subject in ("", "app1", "app2"):
            assert given.raw(kind, subject) == again.raw(kind, subject)


def test_there_is_something_to_judge() -> None:
    """The examples above are of the kinds that they are meant to be."""
    assert isinstance(zeo_answer(), ZeoAnswers) and isinstance(facts_of(app1=CUT), Facts)
    assert CUT.cut_off("main") == (SILENT,) and not AROUND.cut_off("main") and not CUT.cut_off("other")
