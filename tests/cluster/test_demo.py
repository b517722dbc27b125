"""The demo's cluster is what it says, healthy and broken, and nothing of it is left, however it ends."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import requests
from cluster.whole_runs import children_of
from test_readme import STALE, sessions, without_measures  # type: ignore[import-not-found]

from zcheck.commands.demo import (
    FAULTS,
    ClientSpec,
    Cluster,
    DidNotStart,
    ForkServer,
    Port,
    Seed,
    ZeoSpec,
    run_demo,
    specs,
)
from zcheck.commands.demo.faults import broken_by

LIMIT_S = 60


class ClusterOnDisk:
    """A cluster as a user knows it: by its clients.ini."""

    def __init__(self, ini: Path) -> None:
        text = ini.read_text()
        self.user = "admin"
        self.password = (ini.parent / "password").read_text().strip()
        named = re.findall(r"\[client:(\w+)\]\naddress = (\S+)", text)
        self.clients = {name: Address(f"http://{address}") for name, address in named}
        self.zeo_port = re.findall(r"^zeo = 127.0.0.1:(\d+)$", text, re.M)[0]


class Address:
    def __init__(self, url: str) -> None:
        self.url = url


def wait_until(happened: Callable[[], bool], limit_s: float = LIMIT_S) -> bool:
    """Poll; whether it happened before the limit."""
    deadline = time.monotonic() + limit_s
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    """Whether a process is there; one that has ended and that nobody has waited for is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def has_ended(pid: int) -> bool:
    return not runs(pid)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=LIMIT_S).ok
    except requests.ConnectionError:
        return False


def add_folder(cluster: Cluster | ClusterOnDisk, client: str, name: str) -> None:
    form = f"{cluster.clients[client].url}/manage_addProduct/OFSP/manage_addFolder"
    answer = requests.post(
        form, {"id": name}, auth=(cluster.user, cluster.password), timeout=LIMIT_S, allow_redirects=False
    )
    assert (302, "/manage_main") == (answer.status_code, answer.headers["Location"][-12:])


def remove_folder(cluster: Cluster | ClusterOnDisk, client: str, name: str) -> None:
    address = f"{cluster.clients[client].url}/manage_delObjects"
    answer = requests.post(address, {"ids:list": name}, auth=(cluster.user, cluster.password), timeout=LIMIT_S)
    assert answer.status_code == 200


def has_folder(cluster: Cluster | ClusterOnDisk, client: str, name: str) -> bool:
    address = f"{cluster.clients[client].url}/{name}/manage_main"
    answer = requests.get(address, auth=(cluster.user, cluster.password), timeout=LIMIT_S)
    assert answer.status_code in (200, 404)
    return answer.status_code == 200


def seen_by(cluster: Cluster | ClusterOnDisk, writer: str, name: str, readers: list[str]) -> list[str]:
    """Which of the readers see a folder that is added through the writer, given time to."""
    add_folder(cluster, writer, name)
    # Once one neighbour has it, a second is a thousand times what the others still need.
    return [reader for reader in readers if wait_until(partial(has_folder, cluster, reader, name), 1.0)]


# --- a healthy cluster ----------------------------------------------------------------------------


def test_every_client_sees_what_any_other_adds(cluster: Cluster) -> None:
    for writer in cluster.clients:
        others = [name for name in cluster.clients if name != writer]
        assert others == seen_by(cluster, writer, f"by-{writer}", others)
        remove_folder(cluster, writer, f"by-{writer}")


def test_the_clients_spell_the_server_in_different_ways(cluster: Cluster) -> None:
    port = cluster.main_zeo.port
    spelled = [re.findall(r"^\s*server (.*)$", c.zope_conf.read_text(), re.M) for c in cluster.clients.values()]
    assert [[f"localhost:{port}"], [f"127.0.0.1:{port}"], [str(port)]] == spelled


def test_the_password_is_for_its_owner_only_and_stands_in_one_file(cluster: Cluster) -> None:
    assert 0o600 == stat.S_IMODE(cluster.password_file.stat().st_mode)
    text = [path for path in cluster.folder.rglob("*") if path.is_file() and path.suffix not in (".fs", ".tmp")]
    assert [cluster.password_file] == [path for path in text if cluster.password.encode() in path.read_bytes()]


def test_every_server_is_a_process_and_a_session_of_its_own(cluster: Cluster) -> None:
    pids = cluster.pids
    assert 4 == len(set(pids))
    assert list(pids) == [os.getsid(pid) for pid in pids]


def test_a_client_stops_and_starts_again(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(2)
    before = cluster.clients["app2"].pid
    assert before is not None
    cluster.stop_client("app2")
    assert not runs(before)
    assert not cluster.clients["app2"].answers()
    assert cluster.clients["app1"].answers()
    cluster.start_client("app2", threads=2)
    assert "threads = 2" in cluster.clients["app2"].zope_ini.read_text()
    assert ["app2"] == seen_by(cluster, "app1", "again", ["app2"])


def test_a_read_only_client_comes_up_and_reads(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(specs(2, last={"read_only": True, "role": "read-only"}))
    assert "role = read-only" in cluster.ini.read_text()
    assert ["app2"] == seen_by(cluster, "app1", "news", ["app2"])
    address = f"{cluster.clients['app2'].url}/manage_addProduct/OFSP/manage_addFolder"
    refused = requests.post(address, {"id": "mine"}, auth=(cluster.user, cluster.password), timeout=LIMIT_S)
    assert refused.status_code == 500


def test_a_stopped_process_is_ended_too(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(1)
    pid = cluster.clients["app1"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    cluster.stop()
    assert not runs(pid)
    assert not cluster.folder.exists()


def test_a_client_that_does_not_come_up_is_told_with_its_log_and_all_is_ended(
    seed: Seed, forkserver: ForkServer
) -> None:
    broken = ClientSpec(name="app2", edit=lambda text: text.replace("instancehome", "instance-house"))
    cluster = Cluster([ClientSpec(name="app1"), broken], seed=seed, forkserver=forkserver)
    pids: list[int] = []
    watched = cluster.clients["app2"].wait_until_up

    def note_the_others(limit_s: float = LIMIT_S) -> None:
        pids.extend(cluster.pids)
        watched(limit_s)

    cluster.clients["app2"].wait_until_up = note_the_others  # type: ignore[method-assign]
    with pytest.raises(DidNotStart, match=r"(?s)app2 ended while starting.*instance-house"):
        cluster.start()
    assert pids and [] == [pid for pid in pids if runs(pid)]
    assert not cluster.folder.exists()


def test_two_clusters_never_pick_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zcheck.commands.demo.processes.PORTS", range(19990, 19994))
    held = [Port() for _ in range(4)]
    try:
        assert 4 == len({port.number for port in held})
        with pytest.raises(DidNotStart, match="no free port"):
            Port()
        held[0].release()
        again = Port()
        held.append(again)
        assert held[0].number == again.number
    finally:
        for port in held:
            port.release()


def test_a_conf_that_was_mended_since_keeps_its_date_however_late_it_is(seed: Seed, forkserver: ForkServer) -> None:
    hidden = ClientSpec(name="app1", zeo="copy", told_zeo="main")
    cluster = Cluster([hidden], zeo=[ZeoSpec(), ZeoSpec(name="copy")], seed=seed, forkserver=forkserver)
    client, written = cluster.clients["app1"], []
    came_up = client.wait_until_up

    def late(limit_s: float = LIMIT_S) -> None:
        came_up(limit_s)
        written.append(client.zope_conf.stat().st_mtime_ns)
        time.sleep(0.1)

    client.wait_until_up = late  # type: ignore[method-assign]
    with cluster:
        assert f":{cluster.main_zeo.port}" in client.zope_conf.read_text()
        assert written == [client.zope_conf.stat().st_mtime_ns]


# --- the faults -----------------------------------------------------------------------------------

SEEN_IN_APP3 = {
    # fault: does app3 see what is added through app1; does its zope.conf on disk name app1's server and storage 1
    None: (True, True),
    "copy": (False, False),
    "copy-hidden": (False, True),
    "mount": (True, True),
    "storage": (False, False),
}


@pytest.mark.parametrize(("fault", "expected"), SEEN_IN_APP3.items(), ids=map(str, SEEN_IN_APP3))
def test_a_fault_is_in_the_running_cluster(
    fault: str | None, expected: tuple[bool, bool], make_cluster: Callable[..., Cluster]
) -> None:
    planned = broken_by(fault, 3)
    cluster = make_cluster(planned.clients, zeo=planned.zeo)
    readers = seen_by(cluster, "app1", "new", ["app2", "app3"])
    assert "app2" in readers
    conf = cluster.clients["app3"].zope_conf.read_text()
    names_it = f"server {cluster.main_zeo.port}\n" in conf and "storage 1\n" in conf
    assert expected == ("app3" in readers, names_it)
    assert fault is None or "Broken on purpose: app3" in planned.sentence


def test_the_mount_fault_is_a_mount_point_that_the_last_client_lacks() -> None:
    mounts: list[list[str]] = []

    def look(ini: str) -> int:
        confs = sorted(Path(ini).parent.glob("app*/etc/zope.conf"))
        mounts.extend(re.findall(r"mount-point (\S+)", conf.read_text()) for conf in confs)
        return 2

    said: list[str] = []
    assert 2 == run_demo(keep=False, clients=2, fault="mount", preflight=look, say=said.append)
    assert [["/", "/archive"], ["/"]] == mounts
    assert [line for line in said if "Broken on purpose: app2" in line]


def test_the_client_that_is_down_has_its_files_and_no_process(make_cluster: Callable[..., Cluster]) -> None:
    planned = broken_by("down", 2)
    cluster = make_cluster(planned.clients, zeo=planned.zeo)
    assert cluster.clients["app2"].zope_conf.exists()
    assert None is cluster.clients["app2"].pid
    assert (True, False) == (cluster.clients["app1"].answers(), cluster.clients["app2"].answers())


def test_every_fault_is_tested() -> None:
    assert {*FAULTS} == {*SEEN_IN_APP3, "down"} - {None}


@pytest.mark.parametrize(("clients", "fault"), [(0, None), (1, "copy"), (3, "fire")], ids=["none", "one", "unknown"])
def test_what_cannot_be_is_refused(clients: int, fault: str | None) -> None:
    with pytest.raises(ValueError, match=r"a cluster has one|there is no fault"):
        run_demo(keep=False, clients=clients, fault=fault, preflight=lambda ini: 0, say=lambda line: None)


# --- the command ----------------------------------------------------------------------------------

FIRST_FINDINGS = {
    # fault: the first finding, which names the clients on each side and the cause
    "copy": r"critical: zeo-servers-agree: database main is on localhost:\d+ for app1, app2; on \d+ for app3$",
    "copy-hidden": r"critical: edits-are-seen-everywhere: app3 does not show what is saved through app1, app2\b.*",
    "mount": r"critical: mount-points-agree: app1, app2 mount / and /archive; app3 mounts /$",
    "storage": r"critical: storage-names-agree: database main is in storage 1 for app1, app2; .* staging for app3$",
    "down": r"critical: client-port-answers: app3 at 127\.0\.0\.1:\d+ refuses connections$",
}


@functools.cache
def demo_command(*options: str) -> tuple[int, str]:
    """``zcheck demo`` in a process of its own: exit code and standard output; run once, whichever tests look at it."""
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run(
            [sys.executable, "-m", "zcheck", "demo", *options],
            env={**os.environ, "XDG_STATE_HOME": state},
            capture_output=True,
            text=True,
            timeout=10 * LIMIT_S,
            check=False,
        )
    return done.returncode, done.stdout


def findings(text: str) -> list[str]:
    """The first line of each finding, from the severity on."""
    return re.findall(r"^(?:\S+:\d+: )?((?:critical|unknown|warning|advice): .*)$", text, re.M)


def test_the_command_verifies_a_healthy_cluster() -> None:
    code, text = demo_command()
    assert 0 == code, text
    assert ["clients-on-several-machines"] == [line.split(": ")[1] for line in findings(text)]
    assert re.match(r"OK: .* 6 of 6 pairs proven through the running clients, 6 of 6 over ZEO;", text.splitlines()[-1])
    assert not Path(re.findall(r"in (/\S+zcheck-demo-\w+)", text)[0]).exists()


@pytest.mark.parametrize(("fault", "expected"), FIRST_FINDINGS.items(), ids=FIRST_FINDINGS)
def test_the_command_tells_a_fault_in_its_first_finding(fault: str, expected: str) -> None:
    code, text = demo_command("--fault", fault)
    assert 2 == code, text
    assert re.fullmatch(expected, findings(text)[0]), text


def test_the_command_writes_the_forms_that_preflight_writes(tmp_path: Path) -> None:
    code, text = demo_command("--clients", "2", "-o", "json", "-o", f"html:{tmp_path / 'page.html'}")
    assert (0, "OK") == (code, json.loads(text)["verdict"]["status"])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('<svg class="matrix-drawing"') == page.count('<svg class="chart"') == 2


def test_every_fault_has_a_first_finding() -> None:
    assert set(FAULTS) == set(FIRST_FINDINGS)


# --- the end --------------------------------------------------------------------------------------

DEMO = """
import sys, time
from pathlib import Path
from zcheck.commands.demo import run_demo

def preflight(ini):
    print(ini, flush=True)
    if sys.argv[1] == "raise":
        raise RuntimeError("preflight failed")
    time.sleep({limit})
    return 0

try:
    run_demo(keep=False, clients=2, fault=None, preflight=preflight, say=lambda line: None)
except KeyboardInterrupt:
    sys.exit(3)
"""


@pytest.fixture
def start_demo() -> Iterator[Callable[[str], tuple[subprocess.Popen[str], Path, list[int]]]]:
    """Start a demo in a process of its own and wait until its cluster is up: the process, the folder, the pids."""
    started: list[subprocess.Popen[str]] = []

    def start(how: str) -> tuple[subprocess.Popen[str], Path, list[int]]:
        demo = subprocess.Popen(
            [sys.executable, "-c", DEMO.format(limit=4 * LIMIT_S), how], stdout=subprocess.PIPE, text=True
        )
        started.append(demo)
        assert demo.stdout is not None
        folder = Path(demo.stdout.readline().strip()).parent
        pids = children_of(demo.pid)
        return demo, folder, pids

    yield start
    for demo in started:
        demo.kill()
        demo.wait()
        assert demo.stdout is not None
        demo.stdout.close()


ENDS = {
    "Ctrl-C": (signal.SIGINT, 3),
    "SIGTERM": (signal.SIGTERM, 3),
    "the terminal is closed": (signal.SIGHUP, 3),
    "SIGKILL": (signal.SIGKILL, -signal.SIGKILL),
    "an error": (None, 1),
}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the processes are looked up in /proc")
@pytest.mark.parametrize(("number", "expected"), ENDS.values(), ids=ENDS)
def test_nothing_is_left_however_it_ends(
    number: signal.Signals | None,
    expected: int,
    start_demo: Callable[[str], tuple[subprocess.Popen[str], Path, list[int]]],
) -> None:
    demo, folder, pids = start_demo("raise" if number is None else "wait")
    assert folder.name.startswith("zcheck-demo-")
    if number is not None:
        assert 5 == len(pids), "two clients, what they were forked from, a ZEO server and the keeper"
        demo.send_signal(number)
    assert expected == demo.wait(LIMIT_S)
    assert wait_until(lambda: not any(runs(pid) for pid in pids))
    assert wait_until(lambda: not folder.exists())


def test_a_kept_cluster_runs_on_and_ends_as_it_says(tmp_path: Path) -> None:
    said: list[str] = []
    code = run_demo(keep=True, clients=2, fault=None, preflight=lambda ini: 0, say=said.append)
    text = "\n".join(said)
    ini = Path(re.findall(r"zcheck preflight (\S+)", text)[0])
    (end,) = re.findall(r"kill [\d ]+; rm -r \S+", text)
    pids = [int(pid) for pid in re.findall(r"\d+", end.partition(";")[0])]
    try:
        assert 0 == code
        assert 3 == len(pids)
        cluster = ClusterOnDisk(ini)
        assert ["app2"] == seen_by(cluster, "app1", "later", ["app2"])
        assert cluster.password not in text
        (again,) = re.findall(r"^  (\S+ -m Zope2\.Startup\.serve .*) &$", text, re.M)
        os.kill(pids[1], signal.SIGTERM)
        assert wait_until(partial(has_ended, pids[1]))
        client = subprocess.Popen(shlex.split(again.replace("NAME", "app2")), stderr=subprocess.DEVNULL)
        try:
            assert wait_until(partial(answers, cluster.clients["app2"].url))
        finally:
            client.kill()
            client.wait()
    finally:
        subprocess.run(["sh", "-c", end], stderr=subprocess.DEVNULL, check=True, timeout=LIMIT_S)
    for pid in pids:
        assert wait_until(partial(has_ended, pid))
    # A log that is written while it ends may be left behind by the shell's rm.
    shutil.rmtree(ini.parent, ignore_errors=True)
    assert not ini.exists()


def test_a_second_storage_of_the_server_can_be_mounted(make_cluster: Callable[..., Cluster]) -> None:
    more = (
        "<zodb_db extra>\n<zeoclient>\nserver ZEO_ADDRESS\nstorage extra\n</zeoclient>\nmount-point /extra\n</zodb_db>"
    )
    cluster = make_cluster(specs(2, every={"more": more}), zeo=[ZeoSpec(empty=("extra",))])
    for client in cluster.clients.values():
        page = f"{client.url}/Control_Panel/Database/extra/manage_main"
        answer = requests.get(page, auth=(cluster.user, cluster.password), timeout=LIMIT_S)
        assert (200, True) == (answer.status_code, "(connected)" in answer.text)


# --- the README -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", ["make demo", "zcheck demo --fault copy-hidden"])
def test_what_the_readme_shows_of_the_demo_is_what_it_prints(shown: str) -> None:
    _, text = demo_command(*shlex.split(shown)[2:])
    assert without_measures(sessions()[shown]) == without_measures(text), STALE
