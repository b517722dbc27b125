"""names-resolve-alike: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck.checks.identity.names_resolve_alike import names_resolve_alike
from zcheck.facts import (
    Names,
    SeenThere,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge
from zcheck.testing.examples import seen_there, server_there


def told(judgement: Judgement) -> list[str]:
    """Findings and remarks, a line each; what came out where there are none."""
    lines = [f"{f.severity} {', '.join(f.clients)}: {f.message}" for f in judgement.findings]
    lines += [f"note {', '.join(r.clients)}: {r.message}" for r in judgement.remarks]
    (result,) = judgement.results
    return lines or [result.outcome if result.because is None else f"{result.outcome}: {result.because}"]


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
