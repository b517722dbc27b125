"""products-agree: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.identity.blob_directories_are_one import blob_directories_are_one
from zcheck.checks.identity.names_resolve_alike import names_resolve_alike
from zcheck.checks.identity.products_agree import products_agree
from zcheck.facts import (
    ControlPanel,
    LeftOut,
    NotGathered,
    SeenThere,
    SharedBlobs,
)
from zcheck.report.structs import Judgement
from zcheck.runner import run
from zcheck.testing import facts_of, inventory, judge
from zcheck.testing.examples import seen_there

NO_WAY = LeftOut("clients.ini gives no via for it")


def told(judgement: Judgement) -> list[str]:
    """Findings and remarks, a line each; what came out where there are none."""
    lines = [f"{f.severity} {', '.join(f.clients)}: {f.message}" for f in judgement.findings]
    lines += [f"note {', '.join(r.clients)}: {r.message}" for r in judgement.remarks]
    (result,) = judgement.results
    return lines or [result.outcome if result.because is None else f"{result.outcome}: {result.because}"]


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
