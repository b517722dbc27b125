"""How long ``zcheck preflight`` takes on the demo's three clients, from the start of the process to its end.

In the same run: one request to each client, ``python -c pass``, and an offline run, so that what the machine does
besides can be told from what zcheck does.  Prints the last run's own account of where the time went.  Exits with 1 when
the median is above the limit.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable

from zcheck.commands.demo import Cluster

RUNS = 10
LIMIT_S = 2.0


def process(*arguments: str) -> Callable[[], str]:
    def run() -> str:
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise SystemExit(f"exit code {done.returncode} of {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done.stdout

    return run


def one_request_each(cluster: Cluster) -> Callable[[], str]:
    def run() -> str:
        for client in cluster.clients.values():
            urllib.request.urlopen(client.url, timeout=10).close()
        return ""

    return run


def main() -> int:
    with Cluster(3) as cluster:
        preflight = process("-m", "zcheck", "preflight", str(cluster.ini), "--timings")
        work = {
            "python -c pass": process("-c", "pass"),
            "one request to each client": one_request_each(cluster),
            "zcheck preflight --offline": process("-m", "zcheck", "preflight", "--offline", str(cluster.ini)),
            "zcheck preflight": preflight,
        }
        taken: dict[str, list[float]] = {name: [] for name in work}
        said = ""
        for turn in range(RUNS + 1):
            for name, run in work.items():
                started = time.perf_counter()
                said = run()
                if turn:  # the first turn fills caches
                    taken[name].append(time.perf_counter() - started)
    print(said)
    for name, spent in taken.items():
        print(f"{name:28} median {statistics.median(spent) * 1000:7.1f} ms, worst {max(spent) * 1000:7.1f} ms")
    median = statistics.median(taken["zcheck preflight"])
    if median > LIMIT_S:
        print(f"too slow: zcheck preflight takes {median:.1f} s, at most {LIMIT_S:.0f} s are acceptable")
    return median > LIMIT_S


if __name__ == "__main__":
    sys.exit(main())
