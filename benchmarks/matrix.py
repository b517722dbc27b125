"""The matrix over ZEO: how long two commits and two fenced reads a client take, and all that makes them safe and sure.

``python benchmarks/matrix.py [CLIENTS ...]``; 3, 8, 20 and 50 by default.  *work*: as fast as it goes.  *kept*: with
the commit lock held a tenth of the time at most, which is a rule and no cost.  Shown is
the best of several runs, since whatever else the machine does only makes it longer.
"""

from __future__ import annotations

import sys
import time

from servers import bare_zeo

from zcheck.consistency.judge.isolation import judge
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.consistency.storage.protocol import UNPACED, WRITE_RATE

RUNS = 5
GOALS = {8: 0.1, 50: 1.0}
"""Seconds of work."""


def measure(clients: int, max_rate: float) -> tuple[float, float]:
    """Seconds for connecting, and for the matrix."""
    with bare_zeo() as server, ZeoWorker("bench", timeout_s=5) as worker:
        worker.connect([], within_s=30)  # the process has started
        targets = [Target(f"app{number}", "main", (server.address,)) for number in range(clients)]
        begun = time.perf_counter()
        worker.connect(targets, within_s=30)
        connected = time.perf_counter()
        history = worker.matrix("main", within_s=60, max_rate=max_rate)
        done = time.perf_counter()
    if (judge(history).result, history.left) != ("pass", ()):
        raise SystemExit(f"a healthy server was judged {judge(history)}")
    return connected - begun, done - connected


def main(sizes: list[int]) -> None:
    print(f"{'clients':>7} {'connect':>9} {'work':>9} {'a client':>10} {'kept':>9} {'goal':>7}")
    for clients in sizes:
        measured = [measure(clients, UNPACED) for _ in range(RUNS)]
        connect, work = (min(one) for one in zip(*measured, strict=True))
        _, kept = measure(clients, WRITE_RATE)
        goal = f"{GOALS[clients]:>5.1f} s" if clients in GOALS else ""
        print(
            f"{clients:>7} {connect:>7.3f} s {work:>7.3f} s {work / clients * 1000:>7.1f} ms {kept:>7.3f} s {goal:>7}",
            flush=True,
        )


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [3, 8, 20, 50])
