"""Every ordered pair of running clients, by zcheck and by the script that everybody writes first.

The script: for each ordered pair of clients add a document through the one, ask the other for it until it is there, and
remove it again.  Its requests grow with the square of the clients, zcheck's with their number: the ratio has to grow.

zcheck is measured from the start of its process to the end, with all that it does beside: it edits each document as
well, reads by every thread of a client, asks about the commit lock before each write, holds it a tenth of
the time at most, and verifies the removal.  *of it*: its wave of writes and reads through the clients alone.

``python benchmarks/all_pairs.py [CLIENTS ...]``; 3, 10 and 30 by default (30 need 3 GB).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from itertools import permutations
from pathlib import Path

import requests

from zcheck.commands.demo import Cluster

RUNS = 3


def by_script(cluster: Cluster) -> float:
    begun = time.perf_counter()
    session = requests.Session()
    session.auth = (cluster.user, cluster.password)
    urls = {name: client.url.rstrip("/") for name, client in cluster.clients.items()}
    for number, (writer, reader) in enumerate(permutations(urls, 2)):
        name = f"script-{number}"
        add = {"id": name, "title": f"written through {writer}"}
        session.post(f"{urls[writer]}/manage_addProduct/OFSP/manage_addDTMLDocument", data=add).raise_for_status()
        while session.get(f"{urls[reader]}/{name}/title_or_id").status_code != 200:
            pass
        session.post(f"{urls[writer]}/manage_delObjects", data={"ids": name}).raise_for_status()
    return time.perf_counter() - begun


def by_zcheck(cluster: Cluster, *options: str) -> tuple[float, float]:
    """Seconds in all, and of the writes and reads through the clients."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        command = [sys.executable, "-m", "zcheck", "preflight", str(cluster.ini), "--no-state", "--timings", *options]
        begun = time.perf_counter()
        done = subprocess.run([*command, "-o", f"json:{report}"], capture_output=True, text=True)
        took = time.perf_counter() - begun
        found = json.loads(report.read_text())
    pairs = len(cluster.clients) * (len(cluster.clients) - 1)
    if done.returncode or found["coverage"]["pairs_proven"] != pairs:
        raise SystemExit(done.stdout + done.stderr)
    (line,) = [line for line in done.stdout.splitlines() if "write and read through the clients" in line]
    return took, float(line.split()[0])


def main(sizes: list[int]) -> int:
    ratios = []
    print(f"{'clients':>7} {'pairs':>6} {'script':>9} {'zcheck':>9} {'of it':>9} {'ratio':>7}")
    for clients in sizes:
        with Cluster(clients) as cluster:
            # The first pages that a Zope renders take it long, and here all of them share two cores or so.
            by_zcheck(cluster, "--timeout", "60", "--deadline", "10m")
            script = min(by_script(cluster) for _ in range(RUNS if clients < 20 else 1))
            ours, of_it = (min(one) for one in zip(*(by_zcheck(cluster) for _ in range(RUNS)), strict=True))
        ratios.append(script / ours)
        pairs = clients * (clients - 1)
        print(f"{clients:>7} {pairs:>6} {script:>7.2f} s {ours:>7.2f} s {of_it:>7.2f} s {ratios[-1]:>7.2f}", flush=True)
    return ratios != sorted(ratios)


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or [3, 10, 30]))
