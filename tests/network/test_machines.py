"""The machines themselves: apart from each other and from this one, and gone with whoever made them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from network.machines import LIMIT_S, Network


def test_each_has_its_own_name_hosts_processes_and_address(network: Network) -> None:
    network["app2"].says(zeo="192.0.2.1")
    assert ["app1", "app2"] == [network[name].run("hostname").strip() for name in ("app1", "app2")]
    assert "192.0.2.1 zeo" in network["app2"].run("cat", "/etc/hosts")
    assert "192.0.2.1" not in network["app1"].run("cat", "/etc/hosts")
    assert "router" not in network["app1"].run("ps", "ax")
    assert network["app1"].run("ssh", "-F", network.ssh_config, "app2", "hostname") == "app2\n"


def test_a_host_key_that_is_not_known_is_refused(network: Network) -> None:
    done = network["front"].tried("ssh", "-F", network.ssh_config, "-oHostKeyAlias=nobody", "app1", "true")
    assert (255, True) == (done.returncode, "Host key verification failed" in done.stderr)


def test_a_loss_is_one_way_and_mended(network: Network, tmp_path: Path) -> None:
    def connects(sender: str, receiver: str) -> bool:
        command = f"exec 3<>/dev/tcp/{network[receiver].address}/22 && head -c 4 <&3"
        return network[sender].tried("timeout", "2", "bash", "-c", command).stdout == "SSH-"

    network.lose("app1", "zeo")
    assert not connects("app1", "zeo")
    assert connects("app1", "app2")
    # Packets of the other direction arrive: it is the answers to them that do not.
    log = tmp_path / "heard"
    hear = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 5000)); print(s.recv(9), flush=True)"
    with network["app1"].background(sys.executable, "-c", hear, log=log):
        deadline = time.monotonic() + LIMIT_S
        while "hello" not in log.read_text():
            assert time.monotonic() < deadline
            network["zeo"].run("bash", "-c", f"echo hello >/dev/udp/{network['app1'].address}/5000", check=False)
    network.mend()
    assert connects("app1", "zeo")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_nothing_stays_when_who_made_them_is_killed(how: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from network.machines import Network\n"
        "network = Network(Path(sys.argv[2]), ['a', 'b'])\n"
        "print(*[one.pid for one in (network.router, *network.machines.values())], flush=True); time.sleep(60)"
    )
    tests = Path(__file__).resolve().parents[1]
    made = subprocess.Popen(
        [sys.executable, "-c", script, str(tests), str(tmp_path / "network")], stdout=subprocess.PIPE, text=True
    )
    assert made.stdout is not None
    pids = [int(word) for word in made.stdout.readline().split()]
    assert 3 == len(pids)
    made.send_signal(how)
    made.wait(LIMIT_S)
    deadline = time.monotonic() + LIMIT_S
    while any(running(pid) for pid in pids) or processes_with(str(tmp_path)):
        assert time.monotonic() < deadline, processes_with(str(tmp_path))
        time.sleep(0.05)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def processes_with(text: str) -> list[str]:
    """Command lines, but this one's, that name this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and int(path.parent.name) != os.getpid():
            found.append(line)
    return found
