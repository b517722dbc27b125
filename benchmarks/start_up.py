"""How long it takes to start: each command against ``python -c pass``, in turns, in one run.

Only the ratios mean something: what a machine does besides falls on all commands alike, since they take turns.  Exits
with 1 when a ratio is above its limit.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEALTHY = ROOT / "sample-confs" / "healthy" / "clients.ini"
TURNS = 15

# The command, and the largest ratio to ``python -c pass`` that is acceptable (None: only shown).
COMMANDS: dict[str, tuple[list[str], float | None]] = {
    "python -c pass": (["-c", "pass"], None),
    "python -c 'import click'": (["-c", "import click"], None),
    "zcheck --version": (["-m", "zcheck", "--version"], 6.0),
    "zcheck --help": (["-m", "zcheck", "--help"], 6.0),
    "zcheck explain": (["-m", "zcheck", "explain"], None),
    "zcheck preflight --offline": (["-m", "zcheck", "preflight", "--offline", str(HEALTHY)], None),
    "python -c 'import ZEO, ZODB'": (["-c", "import ZEO, ZODB"], None),
}


def seconds(arguments: list[str]) -> float:
    """One run, from the start of the process to its end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, timeout=60, check=True)
    return time.perf_counter() - started


def main() -> int:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(TURNS + 1):
        for name, (arguments, _) in COMMANDS.items():
            spent = seconds(arguments)
            if turn:  # the first turn fills the file system's cache
                taken[name].append(spent)
    base = statistics.median(taken["python -c pass"])
    too_slow = []
    for name, (_, limit) in COMMANDS.items():
        median = statistics.median(taken[name])
        within = "" if limit is None else f"   at most {limit:.0f}"
        print(f"{name:32} {median * 1000:8.1f} ms   {median / base:5.1f} times{within}")
        if limit is not None and median / base > limit:
            too_slow.append(name)
    for name in too_slow:
        print(f"too slow: {name}")
    return bool(too_slow)


if __name__ == "__main__":
    sys.exit(main())
