"""client-answers-quickly: where it fires, and beside it where it must not."""

from __future__ import annotations

import pytest

from zcheck.checks.reach.client_answers_quickly import client_answers_quickly
from zcheck.facts import (
    HttpAnswer,
    Thresholds,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge


def severities(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings]


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
