"""servers-are-open: how many servers of the running balancer users are sent to."""

from __future__ import annotations

import pytest

from zcheck.checks.balancer.servers_are_open import servers_are_open
from zcheck.facts import LeftOut, NotGathered, RunningBalancer, RunningBalancers, RunningServer
from zcheck.probes import haproxy_socket
from zcheck.report.structs import Judgement
from zcheck.testing import inventory, judge

INI = inventory(
    "[cluster]\nname = x\n"
    + "".join(f"[client:app{n}]\naddress = 10.0.0.{n}:8080\n" for n in (1, 2, 3))
    + "[balancer:front]\ntype = haproxy\nadmin-socket = /run/h.sock\n"
)


def judged(*states: str, is_judged: bool = True, sorry: bool = False) -> Judgement:
    servers = [
        RunningServer(f"app{at}", f"10.0.0.{at}", 8080, state in ("open", "starting"), state)
        for at, state in enumerate(states, 1)
    ]
    if sorry:
        servers.append(RunningServer("sorry", "127.0.0.1", 8099, False, "backup"))
    found = RunningBalancers({"front": RunningBalancer("zope", "/run/h.sock", tuple(servers))}, is_judged)
    return judge(servers_are_open, INI, found)


@pytest.mark.parametrize(
    ("expected", "states"),
    [
        pytest.param([], ("open", "open", "open"), id="all"),
        pytest.param([], ("open", "starting", "closed"), id="two of three"),
        pytest.param(["ADVICE"], ("open", "draining", "closed"), id="one"),
        pytest.param(["WARNING"], ("down", "draining", "weight 0"), id="none"),
        pytest.param(["WARNING"], ("backup", "backup", "closed"), id="backups alone"),
        pytest.param([], ("open",), id="there is but one"),
    ],
)
def test_how_many_are_in_rotation(expected: list[str], states: tuple[str, ...]) -> None:
    assert expected == [finding.severity for finding in judged(*states).findings]
    assert not judged(*states, is_judged=False).findings


def test_in_a_preflight_it_is_a_note() -> None:
    (remark,) = judged("closed", "closed", "closed", is_judged=False).remarks
    assert "no server of backend zope is in rotation" in remark.message


def test_a_page_that_says_sorry_does_not_count() -> None:
    assert not judged("open", "open", "open", sorry=True).remarks
    assert ["WARNING"] == [one.severity for one in judged("closed", "closed", "closed", sorry=True).findings]


@pytest.mark.parametrize(
    ("outcome", "found", "is_judged"),
    [
        pytest.param("skipped", LeftOut("may not be opened by this user"), True, id="a socket of another user"),
        pytest.param("unknown", NotGathered("did not answer within 5 s"), True, id="a socket that is silent"),
        pytest.param("skipped", NotGathered("did not answer within 5 s"), False, id="the same in a preflight"),
    ],
)
def test_a_socket_that_tells_nothing(outcome: str, found: LeftOut | NotGathered, is_judged: bool) -> None:
    (result,) = judge(servers_are_open, INI, RunningBalancers({"front": found}, is_judged)).results
    assert outcome == result.outcome


def test_a_socket_that_is_not_there_is_left_out(tmp_path: object) -> None:
    assert isinstance(haproxy_socket.running(f"{tmp_path}/none.sock", "zope", 5.0), LeftOut)
