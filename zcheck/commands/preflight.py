"""From clients.ini to a report: choose the checks, gather their facts, judge them, count what was proven."""

from __future__ import annotations

import datetime
import difflib
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from zcheck import __version__, runner
from zcheck.check import STAGES, Check
from zcheck.consistency.judge import isolation
from zcheck.consistency.judge.verdicts import with_verdicts
from zcheck.facts import Facts, HttpAnswer, Inventory, NotGathered, Remains, Thresholds, ZopeConf
from zcheck.facts import pairs as judge
from zcheck.facts.history import History, HttpHistories, ZeoHistories
from zcheck.facts.verdicts import IsolationLevel, IsolationVerdict, Verdicts
from zcheck.gather.collect import collect
from zcheck.gather.kinds import WRITES, wanted_kinds
from zcheck.gather.run import Progress
from zcheck.gather.saved import Saved
from zcheck.gather.settings import Settings
from zcheck.report import timelines, topology, verdict
from zcheck.report.structs import (
    Cluster,
    Consistency,
    Coverage,
    Judgement,
    Level,
    Pair,
    Receipt,
    Report,
    Run,
    Timing,
    Tool,
    Verdict,
)

# Judged from files alone; the balancer stage leaves out by itself what needs a peer.
OFFLINE_STAGES = frozenset({"inventory", "config", "balancer"})


class UnknownCheck(ValueError):
    """``--only`` or ``--skip`` names neither a check nor a stage; the message suggests the nearest."""


def left_out(
    catalogue: Sequence[Check],
    only: Collection[str],
    skip: Collection[str],
    *,
    offline: bool,
    read_only: bool,
    credentials: bool = True,
    without: Collection[str] = (),
    command: str = "",
) -> dict[str, str]:
    """Why each check that is not wanted is left out, by name.  Raises :exc:`UnknownCheck`.

    ``without``: the checks and stages that ``command`` leaves out, whatever the user wants.

    Who gives no ``credentials`` and skips the proof through the running clients by name wants no edit tried either.
    """
    known = {*STAGES, *(check.name for check in catalogue)}
    for name in (*only, *skip, *without):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise UnknownCheck(
                f"there is no check or stage {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    reasons = {}
    for check in catalogue:
        if only and not {check.name, check.stage} & set(only):
            reasons[check.name] = "not asked for by --only"
        elif {check.name, check.stage} & set(skip):
            reasons[check.name] = "left out by --skip"
        elif {check.name, check.stage} & set(without):
            reasons[check.name] = f"not part of zcheck {command}"
        elif offline and check.stage not in OFFLINE_STAGES:
            reasons[check.name] = "left out by --offline"
        elif read_only and set(check.needs) & set(WRITES):
            reasons[check.name] = "left out by --read-only"
        elif (
            not credentials
            and check.name == "client-accepts-writes"
            and "edits-are-seen-everywhere" in {*skip, *without}
        ):
            reasons[check.name] = "clients.ini gives no user and password-file"
    return reasons


class Examination(msgspec.Struct, frozen=True):
    """A run's report, and the facts that it was made of."""

    report: Report
    facts: Facts


def run(inventory: Inventory, catalogue: Sequence[Check], settings: Settings, **how: Any) -> Report:
    """The report of :func:`examine`."""
    return examine(inventory, catalogue, settings, **how).report


def examine(
    inventory: Inventory,
    catalogue: Sequence[Check],
    settings: Settings,
    *,
    command: str,
    reasons: Mapping[str, str],
    secret: str | NotGathered,
    fail_on: verdict.FailOn = "warning",
    progress: Progress = lambda client, what: None,
    timings: bool = False,
    startup_s: float = 0.0,
) -> Examination:
    """One whole run.  ``startup_s``: seconds that had passed before this was called, for the timings."""
    started = datetime.datetime.now(datetime.timezone.utc)
    begun = time.perf_counter()
    settings = msgspec.structs.replace(settings, today=started.date().isoformat())
    wanted = wanted_kinds(check for check in catalogue if check.name not in reasons)
    gathered = collect(inventory, settings, wanted, secret, progress)
    facts = gathered.facts
    judged_from = time.perf_counter()
    judgement = runner.run(catalogue, facts, left_out=reasons, today=settings.today, clock=time.perf_counter)
    ended = time.perf_counter()
    spent = [("start-up", startup_s), *gathered.timings, ("judge", ended - judged_from)]
    report = assemble(
        facts,
        judgement,
        Run(
            id=settings.run_id,
            command=command,
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            duration_s=round(ended - begun + startup_s, 3),
            offline=settings.offline,
            read_only=settings.read_only,
            deadline_s=settings.deadline_s,
        ),
        fail_on,
        [Timing(what, round(seconds, 4)) for what, seconds in spent] if timings else [],
        left_out=reasons,
    )
    return Examination(report, facts)


def judge_again(
    saved: Saved,
    catalogue: Sequence[Check],
    reasons: Mapping[str, str],
    *,
    command: str = "",
    fail_on: verdict.FailOn = "warning",
) -> Report:
    """The report of saved facts, as of the day on which they were gathered.  No I/O.

    ``reasons``: the checks that are left out now, beside those that were left out then.
    """
    reasons = {**saved.left_out, **reasons}
    facts = with_verdicts(saved.facts)
    judgement = runner.run(catalogue, facts, left_out=reasons, today=saved.run.started[:10])
    run = msgspec.structs.replace(saved.run, command=command or saved.run.command)
    return assemble(facts, judgement, run, fail_on, left_out=reasons)


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
    levels = _without_twins(consistency_levels(facts), judgement)
    coverage = _coverage(facts, judgement, levels)
    told = Verdict(
        verdict.status(judgement.findings),
        verdict.exit_code(judgement.findings, fail_on),
        verdict.impact(judgement.findings, inventory.client_names, _who_saves(levels)),
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
        topology=topology.of(facts, _who_met(levels)),
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


def consistency_levels(facts: Facts) -> tuple[Level, ...]:
    """The matrix of every history: each ordered pair of different clients, tried or not; those of blobs come last."""
    inventory = facts.inventory
    levels = []
    for history in (*_histories(facts), *_histories(facts, blobs=True)):
        tried = tuple(name for name in inventory.client_names if name not in history.same_way)
        pairs = judge.pairs(history, [name for name in inventory.writers if name not in history.same_way], tried)
        shown = tuple(Pair(p.writer, p.reader, p.seen, _rounded(p.lag_ms)) for p in pairs)
        database = f"{history.database} (blobs)" if history.blobs else history.database
        levels.append(Level(history.level, database, shown, history.same_way))
    return tuple(levels)


def _without_twins(levels: tuple[Level, ...], judgement: Judgement) -> tuple[Level, ...]:
    """The levels, without a proof between entries that are one process: it would show its own writes to itself."""
    one = [set(finding.clients) for finding in judgement.findings if finding.check in _ONE_PROCESS]

    def shown(pair: Pair) -> Pair:
        same = pair.seen and any({pair.writer, pair.reader} <= clients for clients in one)
        return msgspec.structs.replace(pair, seen=None, lag_ms=None) if same else pair

    return tuple(
        msgspec.structs.replace(level, pairs=tuple(map(shown, level.pairs))) if level.level == "http" and one else level
        for level in levels
    )


_ONE_PROCESS = ("client-addresses-are-distinct", "clients-are-distinct-processes")


def _who_met(levels: tuple[Level, ...]) -> dict[str, bool]:
    """For every running client that was tried: whether it is at one end at least of a pair that was proven."""
    tried = [pair for level in levels if level.level == "http" for pair in level.pairs if pair.seen is not None]
    met = {name for pair in tried if pair.seen for name in (pair.writer, pair.reader)}
    return {name: name in met for pair in tried for name in (pair.writer, pair.reader)}


def _who_saves(levels: tuple[Level, ...]) -> frozenset[str]:
    """The running clients through which something was saved that another one showed, and nothing that none showed."""
    pairs = [pair for level in levels if level.level == "http" for pair in level.pairs]
    lost = {pair.writer for pair in pairs if pair.seen is False}
    return frozenset(pair.writer for pair in pairs if pair.seen) - lost


def _consistency(facts: Facts, levels: tuple[Level, ...]) -> Consistency:
    """What the histories show, with what is to be drawn of them."""
    histories = _histories(facts)
    found = facts.raw(Verdicts)
    known = found if isinstance(found, Verdicts) else Verdicts()
    verdicts = [known.of(history) for history in histories]
    given = facts.raw(Thresholds)
    limit_ms = (given if isinstance(given, Thresholds) else Thresholds()).propagation_is_quick_s * 1000
    lags = [timelines.lags_of(history, limit_ms) for history in histories]
    return Consistency(
        levels,
        _held(histories, verdicts, levels),
        _receipt(facts, [*histories, *_histories(facts, blobs=True)]),
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
    return isolation.held(told)


def _rounded(lag_ms: float | None) -> float | None:
    return None if lag_ms is None else round(lag_ms, 3)


def _histories(facts: Facts, *, blobs: bool = False) -> list[History]:
    """What is judged by what the storage's log has; with ``blobs`` those that are judged by their files alone."""
    found: list[History] = []
    for kind in (HttpHistories, ZeoHistories):
        fact = facts.raw(kind)
        if isinstance(fact, kind):
            found += fact.blobs if blobs else fact.histories
    return found


def _coverage(facts: Facts, judgement: Judgement, levels: tuple[Level, ...]) -> Coverage:
    inventory = facts.inventory
    return Coverage(
        checks_run=sum(result.outcome in ("pass", "problem", "suppressed") for result in judgement.results),
        checks_total=len(judgement.results),
        clients_seen=sum(_seen(facts, name) for name in inventory.client_names),
        clients_total=len(inventory.clients),
        pairs_proven=_proven(levels, "http"),
        zeo_pairs_proven=_proven(levels, "zeo") + _proven_by_others(levels, inventory),
        pairs_total=inventory.pairs_total,
    )


def _proven(levels: tuple[Level, ...], name: str) -> int:
    """Pairs that were seen in every database of this level in which they were to be tried."""
    by_pair: dict[tuple[str, str], list[bool | None]] = {}
    for level in levels:
        if level.level == name:
            for pair in level.pairs:
                by_pair.setdefault((pair.writer, pair.reader), []).append(pair.seen)
    return sum(True in seen and False not in seen for seen in by_pair.values())


def _proven_by_others(levels: tuple[Level, ...], inventory: Inventory) -> int:
    """Pairs over ZEO of clients for which another one's connection stood; each counts as that one's do."""
    standing = [level for level in levels if level.level == "zeo"]
    who = {client: stood for level in standing for client, stood in level.same_way.items()}
    if not who:
        return 0
    writers, everybody = inventory.writers, inventory.client_names
    as_writer = Counter(who.get(client, client) for client in writers)
    as_reader = Counter(who.get(client, client) for client in everybody)
    seen: dict[tuple[str, str], list[bool | None]] = {}
    for pair in (pair for level in standing for pair in level.pairs):
        seen.setdefault((pair.writer, pair.reader), []).append(pair.seen)
    proven = {pair for pair, told in seen.items() if True in told and False not in told}
    between = sum(as_writer[writer] * as_reader[reader] - 1 for writer, reader in proven)
    both = {writer for writer, _ in proven} & {reader for _, reader in proven}
    # Two clients for which one connection stood: it saw what others wrote, and others saw what it wrote.
    within = sum(as_writer[name] * (as_reader[name] - 1) for name in both)
    return between + within


def _seen(facts: Facts, client: str) -> bool:
    """A client counts as seen when it answered; where no socket was opened, when its files were read."""
    answer = facts.raw(HttpAnswer, client)
    if answer is None:
        return isinstance(facts.raw(ZopeConf, client), ZopeConf)
    return isinstance(answer, HttpAnswer) and answer.outcome == "http"


def _receipt(facts: Facts, histories: Sequence[History]) -> Receipt:
    remains: Any = facts.raw(Remains)
    left = len(remains.left) if isinstance(remains, Remains) else sum(len(history.left) for history in histories)
    return Receipt(
        sum(history.transactions for history in histories), sum(history.bytes for history in histories), left
    )


def with_code(report: Report, exit_code: int) -> Report:
    """The same report with another exit code."""
    return msgspec.structs.replace(report, verdict=msgspec.structs.replace(report.verdict, exit_code=exit_code))
