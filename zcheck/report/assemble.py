"""The report of one run: problems, coverage and proofs, put together from facts and a judgement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from zcheck import __version__
from zcheck.facts import Facts, HttpAnswer, Remains, Thresholds, ZopeConf
from zcheck.facts.history import History
from zcheck.facts.verdicts import IsolationLevel, IsolationVerdict, Verdicts, held
from zcheck.report import levels as levels_of
from zcheck.report import timelines, topology, verdict
from zcheck.report.structs import (
    Cluster,
    Consistency,
    Coverage,
    Judgement,
    Level,
    Receipt,
    Report,
    Run,
    Timing,
    Tool,
    Verdict,
)


def assemble(
    facts: Facts,
    judgement: Judgement,
    run: Run,
    fail_on: verdict.FailOn,
    timings: Iterable[Timing] = (),
    *,
    left_out: Collection[str] = (),
) -> Report:
    """The report of a judgement.  ``left_out``: the checks that the user does not want, by name."""
    inventory = facts.inventory
    levels = levels_of.without_twins(levels_of.consistency_levels(facts), judgement)
    coverage = coverage_of(facts, judgement, levels)
    told = Verdict(
        verdict.status(judgement.findings),
        verdict.exit_code(judgement.findings, fail_on),
        verdict.impact(judgement.findings, inventory.client_names, levels_of.who_saves(levels)),
    )
    nothing = _nothing_was_seen(judgement, coverage, left_out) if told.status == "OK" else ""
    if nothing:
        told = Verdict("UNKNOWN", verdict.EXIT_CODES["UNKNOWN"], nothing)
    return Report(
        tool=Tool("zcheck", __version__),
        run=run,
        cluster=Cluster(inventory.name, inventory.client_names, inventory.file),
        verdict=told,
        coverage=coverage,
        checks=judgement.results,
        findings=verdict.worst_first(judgement.findings),
        remarks=judgement.remarks,
        topology=topology.of(facts, levels_of.who_met(levels)),
        consistency=_consistency(facts, levels),
        timings=tuple(timings),
    )


def _nothing_was_seen(judgement: Judgement, coverage: Coverage, left_out: Collection[str]) -> str:
    """Why a run without a finding has proven nothing; empty where it has.

    A gate that was to look at clients and saw none of them, neither a file nor an answer, must not open.  Who leaves
    out every check that would look at one has asked for nothing else.
    """
    if not coverage.checks_run:
        return "nothing was judged: every check was skipped"
    of_clients = [result for result in judgement.results if result.stage not in _BESIDE_THE_CLIENTS]
    wanted = [result for result in of_clients if result.check not in left_out]
    if coverage.clients_seen or not wanted or any(result.outcome != "skipped" for result in wanted):
        return ""
    return "nothing of any client was looked at: no zope.conf was read, and no client was asked"


_BESIDE_THE_CLIENTS = frozenset({"inventory", "balancer"})
"""The stages that judge what is said of the clients, not the clients."""


def _consistency(facts: Facts, levels: tuple[Level, ...]) -> Consistency:
    """What the histories show, with what is to be drawn of them."""
    histories = levels_of.histories(facts)
    found = facts.raw(Verdicts)
    known = found if isinstance(found, Verdicts) else Verdicts()
    verdicts = [known.of(history) for history in histories]
    given = facts.raw(Thresholds)
    limit_ms = (given if isinstance(given, Thresholds) else Thresholds()).propagation_is_quick_s * 1000
    lags = [timelines.lags_of(history, limit_ms) for history in histories]
    return Consistency(
        levels,
        _held(histories, verdicts, levels),
        _receipt(facts, [*histories, *levels_of.histories(facts, blobs=True)]),
        judged=tuple(map(timelines.judged, histories, verdicts, (level.pairs for level in levels))),
        lags=tuple(one for one in lags if one is not None),
        anomalies=tuple(
            anomaly
            for history, found, level in zip(histories, verdicts, levels, strict=False)
            for anomaly in timelines.anomalies_of(history, found, level.pairs)
        ),
    )


def _held(
    histories: Sequence[History], verdicts: Sequence[IsolationVerdict], levels: tuple[Level, ...]
) -> IsolationLevel | None:
    """The strongest level that every history supports whose versions the storage told; null in a split cluster."""
    if any(pair.seen is False for level in levels for pair in level.pairs):
        return None
    told = (
        one
        for history, one in zip(histories, verdicts, strict=True)
        if history.log is not None or history.level == "zeo"
    )
    return held(told)


def coverage_of(facts: Facts, judgement: Judgement, levels: tuple[Level, ...]) -> Coverage:
    inventory = facts.inventory
    return Coverage(
        checks_run=sum(result.outcome in ("pass", "problem", "suppressed") for result in judgement.results),
        checks_total=len(judgement.results),
        clients_seen=sum(_seen(facts, name) for name in inventory.client_names),
        clients_total=len(inventory.clients),
        pairs_proven=levels_of.proven(levels, "http"),
        zeo_pairs_proven=levels_of.proven(levels, "zeo") + levels_of.proven_by_others(levels, inventory),
        pairs_total=inventory.pairs_total,
    )


def _seen(facts: Facts, client: str) -> bool:
    """A client counts as seen when it answered; where no socket was opened, when its files were read."""
    answer = facts.raw(HttpAnswer, client)
    if answer is None:
        return isinstance(facts.raw(ZopeConf, client), ZopeConf)
    return isinstance(answer, HttpAnswer) and answer.outcome == "http"


def _receipt(facts: Facts, histories: Sequence[History]) -> Receipt:
    remains: Any = facts.raw(Remains)
    left = len(remains.left) if isinstance(remains, Remains) else sum(len(history.left) for history in histories)
    uncounted = sum(_uncounted(history) for history in histories)
    return Receipt(
        sum(history.transactions for history in histories),
        sum(history.bytes for history in histories),
        left,
        uncounted or msgspec.UNSET,
    )


def _uncounted(history: History) -> int:
    """Commits of which it is not known how much they wrote; one without a record there is none."""
    return history.uncounted or (0 if history.bytes else history.transactions)


def with_code(report: Report, exit_code: int) -> Report:
    """The same report with another exit code."""
    return msgspec.structs.replace(report, verdict=msgspec.structs.replace(report.verdict, exit_code=exit_code))
