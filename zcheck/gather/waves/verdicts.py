"""Every history that was recorded, judged once: what comes out is a fact."""

from __future__ import annotations

from zcheck.consistency.judge.verdicts import with_verdicts
from zcheck.gather.run import Run


def judge(run: Run) -> None:
    """Put the verdict on each history beside it."""
    run.facts = with_verdicts(run.facts)
