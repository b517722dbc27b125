"""Every history of a run, judged once."""

from __future__ import annotations

from zcheck.consistency.judge.isolation import judge
from zcheck.facts import Facts
from zcheck.facts.history import History, HttpHistories, ZeoHistories
from zcheck.facts.verdicts import JudgedHistory, Verdicts


def with_verdicts(facts: Facts) -> Facts:
    """The same facts, with the verdict on every history among them; those of blobs are judged by their files alone."""
    histories: list[History] = []
    for kind in (HttpHistories, ZeoHistories):
        fact = facts.raw(kind)
        histories += fact.histories if isinstance(fact, kind) else ()
    judged = tuple(JudgedHistory(one.level, one.database, one.place, judge(one)) for one in histories)
    return facts.with_fact("", Verdicts(judged)) if histories else facts
