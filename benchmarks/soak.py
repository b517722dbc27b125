"""What the long test of isolation keeps in memory: over ZEO, as fast as it can, and what an hour makes of it.

``python benchmarks/soak.py [SECONDS]``; 180 by default.  Prints the verdict so far, the resident memory of the process
that does the work, and the size of its history's file, every ten seconds.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

from servers import bare_zeo

from zcheck.consistency.judge.isolation import judge
from zcheck.consistency.recording import writer
from zcheck.consistency.recording.format import header, loads
from zcheck.consistency.storage.parent import Target, ZeoWorker
from zcheck.consistency.storage.workloads import WORKLOADS

CLIENTS = 3
EVERY_S = 10.0


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 180.0
    with tempfile.TemporaryDirectory() as folder, bare_zeo() as server, ZeoWorker("soak") as worker:
        path = str(Path(folder) / "history")
        writer.begin(path)
        address = server.address
        worker.connect([Target(f"app{n}", "main", (address,)) for n in range(1, CLIENTS + 1)], within_s=30)
        measured: list[tuple[float, float, float]] = []
        over = threading.Event()

        def watch() -> None:
            started = time.monotonic()
            while not over.wait(EVERY_S) and worker.pid is not None:
                now = time.monotonic() - started
                measured.append((now, resident_mb(worker.pid), Path(path).stat().st_size / 1e6))
                print(f"{now:6.0f} s: {measured[-1][1]:6.1f} MB in memory, {measured[-1][2]:7.1f} MB in the file")

        threading.Thread(target=watch, daemon=True).start()
        history = worker.isolate(
            "main",
            duration_s=seconds,
            workloads=tuple(WORKLOADS),
            seed=1,
            within_s=3 * seconds,
            max_rate=1e6,
            tape=(path, header(writer.origin("bench", "soak", 1), "zeo", "main")),
            window_s=EVERY_S,
            tell=print,
        )
        over.set()
        verdict = judge(history)
        print(f"{verdict.result}, held: {verdict.held}; {len(history.operations)} of {verdict.operations} kept")
        writer.end(path, [history], writer.origin("bench", "soak", 1))
        again = judge(loads(Path(path).read_text()).histories[0])
        print(f"the file: {again.result}, held: {again.held}; {again.operations} operations")
        half = measured[len(measured) // 2 :]
        growth = (half[-1][1] - half[0][1]) / (half[-1][0] - half[0][0]) * 3600
        rate = verdict.operations / seconds
        print(f"{rate:.0f} operations a second; in the second half memory grew by {growth:.0f} MB an hour")
        print(f"the file grows by {measured[-1][2] / measured[-1][0] * 3600:.0f} MB an hour")
        return verdict.result != "pass" or again.result != "pass"


if __name__ == "__main__":
    sys.exit(main())
