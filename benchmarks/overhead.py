"""What zcheck's workloads cost beside a bare loop over ZEO that does the same commits and the same reads.

One run of ``zcheck isolation`` over ZEO as fast as it goes; then its transactions are done again, one after the other
and in the same order, by nothing but ZEO's own client storages: a ping for each fenced begin, a load for each object,
and begin, store, vote and finish for each commit.  The goal is a ratio of at most 1.5.

Compared are not the two whole times but, for each kind of transaction, the median of what one took, times how many
there were: on a machine that does other things as well, zcheck gives the server a pause whenever a commit takes long,
and that is a rule and no cost.  The journal is a cost, and is on the disk before anything is sent: told is the ratio
with it and without.

``python benchmarks/overhead.py [SECONDS]``
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from itertools import pairwise
from typing import Any

from servers import bare_zeo
from ZEO.ClientStorage import ClientStorage
from ZODB.Connection import TransactionMetaData
from ZODB.POSException import ConflictError
from ZODB.utils import p64, u64, z64

from zcheck.consistency.storage import markers
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.consistency.storage.workloads import WORKLOADS
from zcheck.facts.history import Operation

CLIENTS = ("app1", "app2", "app3")
TURNS = 5
GOAL = 1.5


Timed = list[tuple[Operation, float]]
"""Transactions, and the seconds from the end of the one before to the end of each."""


def recorded(seconds: float, *, with_journal: bool) -> Timed:
    """The transactions of the workloads."""
    with (
        bare_zeo() as server,
        ZeoWorker("bench", journal=str(server.folder / "journal") if with_journal else None) as worker,
    ):
        worker.connect([Target(name, "main", (server.address,)) for name in CLIENTS], within_s=30)
        history = worker.isolate(
            "main", duration_s=seconds, workloads=tuple(WORKLOADS), seed=1, within_s=60 + seconds, max_rate=1e6
        )
    done = [op for op in history.operations if op.workload]
    return [(op, (op.return_ns - before.return_ns) / 1e9) for before, op in pairwise(done)]


def cost(timed: Timed) -> float:
    """Seconds, undisturbed."""
    kinds: dict[tuple[object, ...], list[float]] = {}
    for op, took in timed:
        kinds.setdefault((op.outcome, op.fenced, len(op.reads), len(op.writes), len(op.current)), []).append(took)
    return sum(statistics.median(took) * len(took) for took in kinds.values())


class Bare:
    """The least that does the same."""

    def __init__(self, address: Any, operations: list[Operation]) -> None:
        where = (address.host, address.port)
        self.storages = {name: ClientStorage(where, wait_timeout=10, cache_size=1 << 20) for name in CLIENTS}
        names = dict.fromkeys(name for op in operations for name in (*op.reads, *op.writes))
        first = self.storages[CLIENTS[0]]
        self.oids = {name: first.new_oid() for name in names}
        self.serials = dict.fromkeys(names, z64)
        self.data = markers.record(markers.Marker("0123456789ab", 1, "0" * 32, "write-skew-current:x"))

    def do(self, op: Operation) -> None:
        storage = self.storages[op.session]
        if op.reads:
            self._read(storage, op)
        if op.writes:
            self._write(storage, op)

    def _read(self, storage: Any, op: Operation) -> None:
        if op.fenced:
            storage.ping()
        before = p64(u64(storage.lastTransaction()) + 1)
        for name in op.reads:
            if self.serials[name] != z64:
                storage.loadBefore(self.oids[name], before)

    def _write(self, storage: Any, op: Operation) -> None:
        transaction = TransactionMetaData("bench", "bare")
        storage.tpc_begin(transaction)
        for name in op.writes:
            serial = self.serials[name] if op.outcome == "ok" else p64(1)
            storage.store(self.oids[name], serial, self.data, "", transaction)
        for name in op.current:
            storage.checkCurrentSerialInTransaction(self.oids[name], self.serials[name], transaction)
        try:
            storage.tpc_vote(transaction)
        except ConflictError:
            storage.tpc_abort(transaction)
            return
        tid = storage.tpc_finish(transaction)
        self.serials |= dict.fromkeys(op.writes, tid)

    def close(self) -> None:
        for storage in self.storages.values():
            storage.close()


def bare(operations: list[Operation]) -> Timed:
    with bare_zeo() as server, contextlib.closing(Bare(server.address, operations)) as loop:
        timed = []
        for op in operations:
            begun = time.perf_counter()
            loop.do(op)
            timed.append((op, time.perf_counter() - begun))
        return timed


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    ratios: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * TURNS):
        with_journal = turn % 2 == 0
        ours = recorded(seconds, with_journal=with_journal)
        least = bare([op for op, _ in ours])
        commits = sum(bool(op.writes) and op.outcome == "ok" for op, _ in ours)
        fenced = sum(op.fenced for op, _ in ours)
        ratios[with_journal].append(cost(ours) / cost(least))
        print(
            f"{'with' if with_journal else 'without'} the journal, {commits} commits, {fenced} fenced and "
            f"{len(ours) - fenced} other transactions: ours {cost(ours) / len(ours) * 1000:.2f} ms each, "
            f"bare {cost(least) / len(ours) * 1000:.2f} ms each, ratio {ratios[with_journal][-1]:.2f}",
            flush=True,
        )
    medians = {with_journal: statistics.median(found) for with_journal, found in ratios.items()}
    print(f"ratio, median: {medians[True]:.2f} with the journal, {medians[False]:.2f} without; the goal is {GOAL}")
    return medians[True] > GOAL


if __name__ == "__main__":
    sys.exit(main())
