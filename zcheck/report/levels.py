"""Who showed what was written through whom, in every database, at both levels: the matrices of a report."""

from __future__ import annotations

from collections import Counter

import msgspec

from zcheck.facts import Facts, Inventory
from zcheck.facts import pairs as judge
from zcheck.facts.history import History, HttpHistories, ZeoHistories
from zcheck.report.structs import (
    Judgement,
    Level,
    Pair,
)


def consistency_levels(facts: Facts) -> tuple[Level, ...]:
    """The matrix of every history: each ordered pair of different clients, tried or not; those of blobs come last."""
    inventory = facts.inventory
    levels = []
    for history in (*histories(facts), *histories(facts, blobs=True)):
        tried = tuple(name for name in inventory.client_names if name not in history.same_way)
        pairs = judge.pairs(history, [name for name in inventory.writers if name not in history.same_way], tried)
        shown = tuple(Pair(p.writer, p.reader, p.seen, _rounded(p.lag_ms)) for p in pairs)
        database = f"{history.database} (blobs)" if history.blobs else history.database
        levels.append(Level(history.level, database, shown, history.same_way))
    return tuple(levels)


def without_twins(levels: tuple[Level, ...], judgement: Judgement) -> tuple[Level, ...]:
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


def who_met(levels: tuple[Level, ...]) -> dict[str, bool]:
    """For every running client that was tried: whether it is at one end at least of a pair that was proven."""
    tried = [pair for level in levels if level.level == "http" for pair in level.pairs if pair.seen is not None]
    met = {name for pair in tried if pair.seen for name in (pair.writer, pair.reader)}
    return {name: name in met for pair in tried for name in (pair.writer, pair.reader)}


def who_saves(levels: tuple[Level, ...]) -> frozenset[str]:
    """The running clients through which something was saved that another one showed, and nothing that none showed."""
    pairs = [pair for level in levels if level.level == "http" for pair in level.pairs]
    lost = {pair.writer for pair in pairs if pair.seen is False}
    return frozenset(pair.writer for pair in pairs if pair.seen) - lost


def _rounded(lag_ms: float | None) -> float | None:
    return None if lag_ms is None else round(lag_ms, 3)


def histories(facts: Facts, *, blobs: bool = False) -> list[History]:
    """What is judged by what the storage's log has; with ``blobs`` those that are judged by their files alone."""
    found: list[History] = []
    for kind in (HttpHistories, ZeoHistories):
        fact = facts.raw(kind)
        if isinstance(fact, kind):
            found += fact.blobs if blobs else fact.histories
    return found


def proven(levels: tuple[Level, ...], name: str) -> int:
    """Pairs that were seen in every database of this level in which they were to be tried."""
    by_pair: dict[tuple[str, str], list[bool | None]] = {}
    for level in levels:
        if level.level == name:
            for pair in level.pairs:
                by_pair.setdefault((pair.writer, pair.reader), []).append(pair.seen)
    return sum(True in seen and False not in seen for seen in by_pair.values())


def proven_by_others(levels: tuple[Level, ...], inventory: Inventory) -> int:
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
