"""The judge on histories of 10^4, 10^5 and 10^6 transactions of four reads each: seconds and memory.

Each size runs in a process of its own, and only the judging is timed.  ``python benchmarks/judge.py [SIZE ...]``
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time

from zcheck.consistency.judge.isolation import judge
from zcheck.facts.history import History, Operation, Version

OBJECTS = 1000
CLIENTS = 8
READS = 4


def healthy(count: int, seed: int = 1) -> History:
    """A healthy history: every tenth transaction writes one object, each reads four, a few commits behind at most."""
    chance = random.Random(seed)
    versions: list[list[Version]] = [[] for _ in range(OBJECTS)]
    operations = []
    newest = 0
    for number in range(count):
        session = f"app{chance.randrange(CLIENTS)}"
        at = number * 1000
        if number < OBJECTS or number % 10 == 0:
            marker = number if number < OBJECTS else chance.randrange(OBJECTS)
            base = versions[marker][-1].tid if versions[marker] else "0" * 16
            newest += 1
            tid, nonce = f"{newest:016x}", f"{newest:032x}"
            versions[marker].append(Version(tid, nonce))
            writes, bases = {f"m{marker}": nonce}, {f"m{marker}": base}
            operations.append(
                Operation(session, "write", 1, at, at + 900, "ok", True, writes=writes, bases=bases, tid=tid)
            )
        else:
            chosen = chance.sample(range(OBJECTS), READS)
            reads: dict[str, str | None] = {f"m{marker}": versions[marker][-1].nonce for marker in chosen}
            snapshot = f"{newest:016x}"
            operations.append(Operation(session, "read", 1, at, at + 900, "ok", True, reads=reads, snapshot=snapshot))
    log = {f"m{number}": tuple(found) for number, found in enumerate(versions)}
    return History("zeo", "main", "bench", tuple(operations), log=log)


def measure(count: int) -> None:
    history = healthy(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, began = time.perf_counter(), time.process_time()
    verdict = judge(history)
    took, busy = time.perf_counter() - started, time.process_time() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if (verdict.result, verdict.held) != ("pass", "strong-si"):
        raise SystemExit(f"a healthy history was judged {verdict}")
    memory = f"{(after - before) / 1024:>9.0f} {after / 1024:>9.0f}"
    print(f"{count:>10,} {took:>9.2f} {busy:>11.2f} {busy / count * 1e6:>9.2f} {memory}")


def main(sizes: list[str]) -> None:
    if len(sizes) == 1:
        measure(int(sizes[0]))
        return
    # Processor time is what others on the machine change least.
    print(f"{'operations':>10} {'seconds':>9} {'processor s':>11} {'us each':>9} {'MB more':>9} {'MB in all':>9}")
    for size in sizes or ["10000", "100000", "1000000"]:
        print(
            subprocess.run([sys.executable, __file__, size], check=True, capture_output=True, text=True).stdout, end=""
        )


if __name__ == "__main__":
    main(sys.argv[1:])
