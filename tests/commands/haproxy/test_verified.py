"""Who may be opened: clients all of whose pairs with the others were seen, and the process that was seen."""

from __future__ import annotations

import msgspec
import pytest
from cases import made

from zcheck.commands import export, receipt
from zcheck.commands.haproxy.enable import Evidence, by_receipt, without_proof
from zcheck.commands.haproxy.verified import mutually_proven, unproven
from zcheck.commands.preflight import Examination
from zcheck.facts import ControlPanel, Facts, NotGathered
from zcheck.parsers import clients_ini
from zcheck.report.structs import Level, Pair, Report

ALL = ("app1", "app2", "app3")
INI = "[cluster]\nname = x\n" + "".join(f"[client:{name}]\naddress = 10.0.0.{name[3:]}:8080\n" for name in ALL)


def level(database: str = "main", kind: str = "http", **seen: bool | None) -> Level:
    """Every pair is seen but for those that are given, as ``app1_app2=False``."""
    pairs = (
        Pair(writer, reader, seen.get(f"{writer}_{reader}", True), None)
        for writer in ALL
        for reader in ALL
        if writer != reader
    )
    return Level(kind, database, tuple(pairs))  # type: ignore[arg-type]


def report(*levels: Level) -> Report:
    return made(levels=levels)


@pytest.mark.parametrize(
    ("part", "levels"),
    [
        pytest.param("", [level()], id="all were seen"),
        pytest.param("", [level(), level("archive")], id="in every database"),
        pytest.param("app3 was not proven to be seen on app2", [level(app3_app2=None)], id="one was not tried"),
        pytest.param("app2 was not proven to be seen on app3", [level(app2_app3=None)], id="in the other direction"),
        pytest.param("app3 was not seen on app1", [level(app3_app1=False)], id="one was not seen"),
        pytest.param("(database archive)", [level(), level("archive", app1_app3=None)], id="in one database of two"),
        pytest.param("was not seen on app3", [level(), level(kind="zeo", app1_app3=False)], id="not seen over ZEO"),
        pytest.param("", [level(), level(kind="zeo", app1_app3=None)], id="over ZEO it was not tried"),
        pytest.param("", [level(app1_app2=None)], id="a pair of others"),
        pytest.param("no pair of it was tried", [level(kind="zeo")], id="only over ZEO"),
        pytest.param("no pair of it was tried", [], id="nothing was tried"),
    ],
)
def test_a_client_is_proven_with_all_that_are_open(part: str, levels: list[Level]) -> None:
    found = unproven(report(*levels), ALL, "app3", ["app1", "app2"])
    assert (part in found) if part else not found, found


def test_who_only_reads_is_proven_as_a_reader() -> None:
    one_way = level(app3_app1=None, app3_app2=None)
    assert "" == unproven(report(one_way), ("app1", "app2"), "app3", ["app1", "app2"])
    assert unproven(report(one_way), ALL, "app3", ["app1", "app2"])


def test_a_client_to_which_no_request_was_made_is_not_opened_alone() -> None:
    nothing = level(app1_app3=None, app3_app1=None, app2_app3=None, app3_app2=None)
    assert "nothing was proven of it" in unproven(report(nothing), ALL, "app3", [])
    assert "" == unproven(report(nothing), ALL, "app1", [])


def test_no_vote_is_taken_where_nothing_is_open() -> None:
    found = clients_ini.parse(INI, "clients.ini")
    assert {} == mutually_proven(report(level()), found, ALL)
    assert {"app1", "app3"} == set(mutually_proven(report(level(app1_app3=None)), found, ALL))


def test_what_is_open_decides_between_two_that_are_not_proven_to_be_one() -> None:
    run = Examination(report(level(app2_app3=None)), Facts())
    apart = without_proof(ALL, {"app2": run, "app3": run}, [])
    assert {"app2", "app3"} == set(apart)
    later = without_proof(ALL, {"app2": run, "app3": run}, ["app1"])
    assert {"app3"} == set(later), "app2 is proven with app1, and app3 would stand beside it"


def test_a_receipt_proves_nothing_of_what_is_open_and_not_in_it() -> None:
    paper = {name: receipt.VerifiedClient("10.0.0.1:8080") for name in ("app1", "app2")}
    assert Evidence({"app2": paper["app2"]}) == by_receipt(paper, ["app1"], ["app2"])
    refused = by_receipt(paper, ["app1", "app3"], ["app2"]).refused
    assert "app3 is open, and the receipt does not cover what is open" == refused["app2"]
    assert "the receipt does not cover it" == by_receipt(paper, [], ["app3"]).refused["app3"]


def test_only_clients_that_are_proven_to_be_one_are_exported() -> None:
    found = clients_ini.parse(INI, "clients.ini")
    every = export.export(found, (), {}, report=report(level()))
    assert (list(ALL), {}) == ([one.name for one in every.clients], every.left_out)
    some = export.export(found, (), {}, report=report(level(app1_app3=None)))
    assert ["app2"] == [one.name for one in some.clients]
    assert "was not proven to be seen on" in some.left_out["app3"]


PANEL = ControlPanel((), process_id=7, running_for="10 sec", read_at=1000.0)


@pytest.mark.parametrize(
    ("part", "now"),
    [
        pytest.param("", PANEL, id="the same"),
        pytest.param("", msgspec.structs.replace(PANEL, running_for="20 sec", read_at=1010.0), id="the same, later"),
        pytest.param("another process: 8, not 7", msgspec.structs.replace(PANEL, process_id=8), id="another"),
        pytest.param("was restarted", msgspec.structs.replace(PANEL, read_at=2000.0), id="its id was used again"),
        pytest.param("cannot be learnt", NotGathered("refused"), id="it does not say"),
    ],
)
def test_what_was_verified_is_a_process(part: str, now: object) -> None:
    facts = Facts().with_fact("", clients_ini.parse(INI, "clients.ini")).with_fact("app1", PANEL)
    told = receipt.compare_process("app1", receipt.client_of(facts, "app1"), now)
    assert (part in "".join(told)) if part else told == ("", "")
