"""nothing-is-left-behind: where it fires, and beside it where it must not."""

from __future__ import annotations

import pytest

from zcheck.checks.consistency.nothing_is_left_behind import nothing_is_left_behind
from zcheck.facts import (
    Remains,
)
from zcheck.testing import judge

REMAINS: dict[str, tuple[Remains, list[str], list[str]]] = {
    "nothing": (Remains(checked=("app1",), connections={"zeo1:8100": (3, 3)}), [], []),
    "two things": (Remains(left=("a folder", "a marker")), ["WARNING", "WARNING"], []),
    "not known": (Remains(unknown=("app2 could not be asked",)), ["UNKNOWN"], []),
    "one connection more": (Remains(connections={"zeo1:8100": (3, 4)}), [], ["zeo1:8100 has 4 connections"]),
    "one connection fewer": (Remains(connections={"zeo1:8100": (3, 2)}), [], []),
}


@pytest.mark.parametrize(("remains", "severities", "remarks"), REMAINS.values(), ids=REMAINS)
def test_nothing_is_left_behind(remains: Remains, severities: list[str], remarks: list[str]) -> None:
    judgement = judge(nothing_is_left_behind, remains, app1=[], app2=[])
    assert severities == [finding.severity for finding in judgement.findings]
    assert len({finding.fingerprint for finding in judgement.findings}) == len(severities)
    assert remarks == [remark.message.partition(",")[0] for remark in judgement.remarks]
