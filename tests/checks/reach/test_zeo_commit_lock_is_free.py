"""zeo-commit-lock-is-free: where it fires, and beside it where it must not."""

from __future__ import annotations

import pytest

from zcheck.checks.reach.zeo_commit_lock_is_free import zeo_commit_lock_is_free
from zcheck.report.structs import Judgement
from zcheck.testing import judge
from zcheck.testing.examples import zeo_answer


def told(judgement: Judgement) -> list[tuple[str, str]]:
    """Severity and clients of every finding."""
    return [(finding.severity, " ".join(finding.clients)) for finding in judgement.findings]


@pytest.mark.parametrize(
    ("findings", "locked"),
    [
        pytest.param([], "0::7", id="free"),
        pytest.param([], "0:5.5:7 1.1::7", id="free a second later"),
        pytest.param([], "0:5.5:7 1.1:6.5:8", id="another commit's lock"),
        pytest.param([], "0:5.5:7 1.1:5.5:8", id="the clock stood still, commits did not"),
        pytest.param([("CRITICAL", "app1 app2")], "0:5.5:7 1.1:5.5:7", id="stuck"),
        pytest.param([("UNKNOWN", "app1 app2")], "0:5.5:7", id="held, and not asked again"),
        pytest.param([("UNKNOWN", "app1 app2")], "0:5.5:7 0.4:5.5:7", id="asked again too soon"),
    ],
)
def test_zeo_commit_lock_is_free(findings: list[tuple[str, str]], locked: str) -> None:
    answer = zeo_answer(locked=locked)
    assert findings == told(judge(zeo_commit_lock_is_free, app1=answer, app2=answer))
