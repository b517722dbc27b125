"""What zcheck's workloads cost beside a bare loop over ZEO that does the same commits and the same reads.

One run of ``zcheck isolation`` over ZEO as fast as it goes; then its transactions are done again, one after the other
and
in the same order, by nothing but ZEO's own client storages: a ping for each fenced begin, a load for each object, and
begin, store, vote and finish for each commit.  The two take turns, and told is the ratio of the best of each: whatever
else the machine does only makes a turn longer.  The goal is 1.5.

``python benchmarks/overhead.py [SECONDS]``
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

from servers import bare_zeo
from ZEO.ClientStorage import ClientStorage
from ZODB.Connection import TransactionMetaData
from ZODB.POSException import ConflictError
from ZODB.utils import p64, u64, z64

from zcheck.consistency import markers
from zcheck.consistency.history import History, Operation
from zcheck.consistency.workloads import WORKLOADS
from zcheck.consistency.zeo import Target, ZeoWorker

CLIENTS = ("app1", "app2", "app3")
TURNS = 8
GOAL = 1.5


def recorded(seconds: float) -> tuple[History, list[Operation], float]:
    """The transactions of the workloads, and the seconds that they took."""
    # With its journal, which is on the disk before anything is sent.
    with bare_zeo() as server, ZeoWorker("bench", journal=str(server.folder / "journal")) as worker:
        worker.connect([Target(name, "main", (server.address,)) for name in CLIENTS], within_s=30)
        history = worker.isolate(
            "main", duration_s=seconds, workloads=tuple(WORKLOADS), seed=1, within_s=60 + seconds, max_rate=1e6
        )
    done = [op for op in history.operations if op.workload]
    return history, done, (max(op.return_ns for op in done) - min(op.invoke_ns for op in done)) / 1e9


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


def bare(operations: list[Operation]) -> float:
    with bare_zeo() as server, contextlib.closing(Bare(server.address, operations)) as loop:
        begun = time.perf_counter()
        for op in operations:
            loop.do(op)
        return time.perf_counter() - begun


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    found = []
    for _ in range(TURNS):
        _, operations, ours = recorded(seconds)
        least = bare(operations)
        found.append((ours / len(operations) * 1000, least / len(operations) * 1000))
        commits = sum(bool(op.writes) and op.outcome == "ok" for op in operations)
        fenced = sum(op.fenced for op in operations)
        print(
            f"{commits} commits, {fenced} fenced and {len(operations) - fenced} other transactions: ours "
            f"{found[-1][0]:.2f} ms each, bare {found[-1][1]:.2f} ms each, ratio {found[-1][0] / found[-1][1]:.2f}",
            flush=True,
        )
    best = [min(one) for one in zip(*found, strict=True)]
    ratio = best[0] / best[1]
    print(f"best of {TURNS}: ours {best[0]:.2f} ms, bare {best[1]:.2f} ms, ratio {ratio:.2f} (goal: at most {GOAL})")
    return ratio > GOAL


if __name__ == "__main__":
    sys.exit(main())
