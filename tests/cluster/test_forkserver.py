"""A client that is forked is a Zope like one that is executed, and nothing of it outlives who asked for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from cluster.whole_runs import children_of, preflight

from zcheck.commands.demo import ClientSpec, Cluster, DidNotStart, ForkServer, Seed
from zcheck.commands.demo.processes import environment

LIMIT_S = 60.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the processes are looked at in /proc")


def wait_until(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LIMIT_S
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture(scope="module")
def both(share_cluster: Callable[..., Cluster]) -> Cluster:
    """``app1`` and ``app2`` are forked; ``app3`` is executed, since it has an environment of its own."""
    return share_cluster([ClientSpec(name="app1"), ClientSpec(name="app2"), ClientSpec(name="app3", env={"ODD": "1"})])


def told_of(cluster: Cluster, name: str) -> dict[str, object]:
    """What the kernel tells of a client's process, as far as its neighbours are the same."""
    pid = cluster.clients[name].pid
    assert pid is not None
    folder = Path(f"/proc/{pid}")
    status = dict(re.findall(r"^(Sig\w+|Shd\w+|Umask):\s*(\S+)$", (folder / "status").read_text(), re.M))
    signals = {key: value for key, value in status.items() if key != "SigQ"}
    open_files = {
        number: (folder / "fd" / number).readlink().name.replace(name, "NAME").partition(":")[0] for number in "012"
    }
    return {
        **signals,
        "files": open_files,
        "cwd": str((folder / "cwd").readlink()).replace(name, "NAME"),
        "leads its session": os.getsid(pid) == pid,
        "program": (folder / "exe").readlink(),
    }


def test_the_kernel_tells_the_same_of_a_forked_and_of_an_executed_client(both: Cluster) -> None:
    assert told_of(both, "app3") == told_of(both, "app1")


def test_only_one_is_executed(both: Cluster) -> None:
    lines = [Path(f"/proc/{client.pid}/cmdline").read_bytes() for client in both.clients.values()]
    assert [False, False, True] == [b"Zope2.Startup.serve" in line for line in lines]


def test_each_logs_to_files_of_its_own(both: Cluster) -> None:
    for name, client in both.clients.items():
        requests.get(f"{client.url}/?from={name}", timeout=LIMIT_S)
    asked = {
        name: [other for other in both.clients if f"from={other}" in client.access_log.read_text()]
        for name, client in both.clients.items()
    }
    assert {name: [name] for name in both.clients} == asked
    for client in both.clients.values():
        assert f":{client.port}" in client.log.read_text()


def test_it_runs_since_it_was_forked(forkserver: ForkServer, seed: Seed) -> None:
    with Cluster(1, seed=seed, forkserver=forkserver):
        time.sleep(3)
        with Cluster(1, seed=seed, forkserver=forkserver) as late:
            page = f"{late.clients['app1'].url}/Control_Panel/manage_main"
            begun = time.monotonic()
            text = requests.get(page, auth=(late.user, late.password), timeout=LIMIT_S).text
            (seconds,) = re.findall(r"(?s)Running For.*?(\d+) sec", text)
            assert int(seconds) <= 2 + time.monotonic() - begun + (time.time() - late.ini.stat().st_mtime)


def test_zcheck_finds_nothing_in_a_cluster_of_both_kinds(both: Cluster) -> None:
    run = preflight(both)
    assert ("OK", []) == (run.status, run.told), run.out
    assert (6, 6, 6) == run.counts


def test_a_process_that_is_killed_has_ended(forkserver: ForkServer, seed: Seed) -> None:
    with Cluster(1, seed=seed, forkserver=forkserver) as cluster:
        client = cluster.clients["app1"]
        pid = client.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: has_ended(pid))
        client.stop()
        assert client.pid is None
        cluster.start_client("app1")
        assert client.answers() and client.pid != pid


ASKS = """
import sys, time
from pathlib import Path
from zcheck.commands.demo import ForkServer
from zcheck.commands.demo.processes import environment

folder = Path(sys.argv[1])
forks = ForkServer()
# No database: it ends by itself, but not before it was killed, since nobody serves what it waits for.
(folder / "zope.conf").write_text(
    f"instancehome {folder}\\n<zodb_db main>\\n<zeoclient>\\nserver 127.0.0.1:1\\nwait-timeout 600\\n</zeoclient>\\n"
    "mount-point /\\n</zodb_db>\\n"
)
(folder / "zope.ini").write_text(
    "[app:main]\\nuse = egg:Zope#main\\nzope_conf = %(here)s/zope.conf\\n"
    "[server:main]\\nuse = egg:waitress#main\\nhost = 127.0.0.1\\nport = 1\\n"
)
one = forks.start("serve", str(folder / "zope.ini"), folder=folder, log=folder / "log", env=environment({}))
print(forks.pid, one.pid, flush=True)
time.sleep(600)
"""


def test_it_and_what_it_forked_die_with_a_parent_that_is_killed(tmp_path: Path, seed: Seed) -> None:
    """Without a keeper, which would see to it as well."""
    with subprocess.Popen(
        [sys.executable, "-c", ASKS, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd="/"
    ) as asker:
        assert asker.stdout is not None
        pids = [int(pid) for pid in asker.stdout.readline().split()]
        assert 2 == len(pids) and set(pids) == set(children_of(asker.pid))
        asker.kill()
    assert wait_until(lambda: all(map(has_ended, pids)))


def test_what_was_forked_by_one_that_is_killed_is_told_as_ended(tmp_path: Path, seed: Seed) -> None:
    with ForkServer() as forks:
        with Cluster(1, seed=seed, forkserver=forks) as cluster:
            pid = cluster.clients["app1"].pid
            assert pid is not None
            os.kill(forks.pid, signal.SIGKILL)
            cluster.stop()
            assert wait_until(lambda: has_ended(pid))
        with pytest.raises(DidNotStart, match="Zope could not be imported"):
            forks.start("serve", "none.ini", folder=tmp_path, log=tmp_path / "log", env=environment({}))
