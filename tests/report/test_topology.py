"""What is drawn: a line is good only where it was seen to be."""

from __future__ import annotations

import pytest

from zcheck.facts import ControlPanel, DatabasePage, Facts
from zcheck.report import topology
from zcheck.testing import facts_of, zope_conf

ZEO = zope_conf(server="10.0.0.9:8100")
NAMED = zope_conf(server="10.0.0.9:8100", name="zeostorage")


def panel(location: str, connected: bool | None = True) -> ControlPanel:
    return ControlPanel((DatabasePage("main", location, connected),))


CASES = {
    "its page shows the server": (("good", ""), facts_of(app1=[ZEO, panel("[('10.0.0.9', 8100)]")]), None),
    "its page shows another server": (
        ("bad", "not as its file says"),
        facts_of(app1=[ZEO, panel("[('10.0.0.8', 8100)]")]),
        None,
    ),
    "its page shows a name, and nothing was tried": (
        ("unknown", "connected, but to which server is not shown"),
        facts_of(app1=[NAMED, panel("zeostorage")]),
        None,
    ),
    "its page shows a name, and its edits are seen": (("good", ""), facts_of(app1=[NAMED, panel("zeostorage")]), True),
    "its page shows a name, and its edits are not seen": (
        ("bad", "its edits and those of the others do not meet"),
        facts_of(app1=[NAMED, panel("zeostorage")]),
        False,
    ),
    "disconnected": (("bad", "disconnected"), facts_of(app1=[ZEO, panel("[('10.0.0.9', 8100)]", False)]), None),
    "only its file was read": (("unknown", ""), facts_of(app1=ZEO), None),
}


@pytest.mark.parametrize(("expected", "facts", "met"), CASES.values(), ids=CASES)
def test_the_state_of_a_line(expected: tuple[str, str], facts: Facts, met: bool | None) -> None:
    (line,) = topology.of(facts, {} if met is None else {"app1": met}).connections
    assert expected == (line.state, line.detail)
