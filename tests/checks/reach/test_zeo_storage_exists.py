"""zeo-storage-exists: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.reach.zeo_storage_exists import zeo_storage_exists
from zcheck.facts import (
    NotGathered,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge
from zcheck.testing.examples import zeo_answer


def told(judgement: Judgement) -> list[tuple[str, str]]:
    """Severity and clients of every finding."""
    return [(finding.severity, " ".join(finding.clients)) for finding in judgement.findings]


@pytest.mark.parametrize(
    ("findings", "facts"),
    [
        pytest.param([], {"app1": zeo_answer(serves="1 2"), "app2": zeo_answer(storage="2", serves="1 2")}, id="two"),
        pytest.param(
            [("CRITICAL", "app2 app3")],
            {"app1": zeo_answer(), "app2": zeo_answer(storage="2"), "app3": zeo_answer(storage="2")},
            id="one finding for all that ask for it",
        ),
        pytest.param(
            [("CRITICAL", "app1"), ("CRITICAL", "app2")],
            {"app1": zeo_answer(storage="main"), "app2": zeo_answer(storage="Main")},
            id="two names that are not there",
        ),
        pytest.param([("CRITICAL", "app1")], {"app1": zeo_answer(serves="")}, id="a server without storages"),
        pytest.param([("UNKNOWN", "app1")], {"app1": NotGathered("late"), "app2": zeo_answer()}, id="not gathered"),
    ],
)
def test_zeo_storage_exists(findings: list[tuple[str, str]], facts: dict[str, Any]) -> None:
    assert findings == told(judge(zeo_storage_exists, **facts))
