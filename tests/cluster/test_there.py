"""What the clients' own machines see, on real clusters: ``via`` is a Python of this machine."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from zcheck import cli
from zcheck.checks import CATALOGUE
from zcheck.commands import preflight
from zcheck.commands.demo import ClientSpec, Cluster
from zcheck.facts import Inventory, NotGathered, SeenThere
from zcheck.gather.collect import collect
from zcheck.gather.kinds import with_what_they_need
from zcheck.gather.settings import Settings
from zcheck.parsers.clients_ini import parse
from zcheck.report.structs import Report

THERE = ("products-agree", "names-resolve-alike", "blob-directories-are-one")


@pytest.fixture(scope="module")
def forked_from() -> None:
    """The clients of this module are executed: a machine looks at the command line that a client was started with."""


@pytest.fixture(scope="module")
def executed(share_cluster: Callable[..., Cluster]) -> Cluster:
    return share_cluster(3)


def with_via(cluster: Cluster, *, there: bool = False, machines: bool = True) -> Inventory:
    """Each client looked at from its own machine; ``there``: by the path that its zope.conf has on it."""
    lines = []
    for line in cluster.ini.read_text().splitlines():
        key, _, value = line.partition(" = ")
        if key == "zope-conf":
            lines += [f"via = {sys.executable}", f"zope-conf = {cluster.folder / value if there else value}"]
        elif key == "machine" and lines[-1].startswith("zope-conf") and machines:
            lines.append(f"machine = 127.0.1.{len(lines)}")
        else:
            lines.append(line)
    return parse("\n".join(lines), str(cluster.ini))


def run(inventory: Inventory, *, only: tuple[str, ...] = (), password: str = "", read_only: bool = False) -> Report:
    settings = Settings(run_id=secrets.token_hex(6), read_only=read_only)
    reasons = preflight.left_out(CATALOGUE, only, [], offline=False, read_only=read_only)
    secret = password or NotGathered("none")
    return preflight.run(inventory, CATALOGUE, settings, command="preflight", reasons=reasons, secret=secret)


def outcomes(report: Report) -> dict[str, str]:
    return {result.check: result.outcome for result in report.checks}


def messages(report: Report) -> dict[str, str]:
    return {finding.check: finding.message for finding in report.findings if finding.severity != "ADVICE"}


def sharing(folder: Path, *names: str) -> list[ClientSpec]:
    """Clients whose storages share these folders, each under ``folder``; the server is called by a name."""
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / ".layout").write_text("bushy")
    return [
        ClientSpec(name=f"app{number}", zeoclient=f"shared-blob-dir on\nblob-dir {folder / name}")
        for number, name in enumerate(names, 1)
    ]


def renamed(inventory: Inventory, cluster: Cluster, name: str) -> Inventory:
    """The same cluster, whose clients' files call their server by a name that this machine knows."""
    for client in cluster.clients.values():
        text = client.zope_conf.read_text()
        for local in ("localhost:", "127.0.0.1:"):
            text = text.replace(f"server {local}", f"server {name}:")
        client.zope_conf.write_text(text)
        os.utime(client.zope_conf, (1, 1))
    return inventory


@pytest.mark.parametrize("there", [False, True], ids=["copies of the files", "the files where they lie"])
def test_a_healthy_cluster_passes_with_all_three_checks_judged(
    make_cluster: Callable[..., Cluster], tmp_path: Path, there: bool
) -> None:
    cluster = make_cluster(sharing(tmp_path, "blobs", "blobs"))
    inventory = renamed(with_via(cluster, there=there), cluster, os.uname().nodename)
    report = run(inventory, only=("identity", "zope-conf-parses"), password=cluster.password)
    judged = outcomes(report)
    assert dict.fromkeys(THERE, "pass") == {name: judged[name] for name in THERE}, messages(report)
    assert {} == messages(report)
    assert "pass" == judged["zope-conf-parses"] == judged["client-restarted-since-edit"]
    assert [] == list(tmp_path.rglob("*.marker"))


def test_two_folders_of_shared_blobs_are_found(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    cluster = make_cluster(sharing(tmp_path, "blobs", "others"))
    report = run(with_via(cluster), only=("blob-directories-are-one",))
    assert {
        "blob-directories-are-one": f"database main: {tmp_path}/blobs of app1 is not the folder {tmp_path}/others of "
        "app2: a file that was put into the first was not in the second"
    } == messages(report)
    assert [] == list(tmp_path.rglob("*.marker"))
    kept = run(with_via(cluster), only=("blob-directories-are-one",), read_only=True)
    assert "skipped" == outcomes(kept)["blob-directories-are-one"]
    one = run(with_via(cluster, machines=False), only=("blob-directories-are-one",))
    assert "problem" == outcomes(one)["blob-directories-are-one"]


def test_a_client_with_another_product_is_found(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    (tmp_path / "Products.Extra-1.0.dist-info").mkdir()
    path = {"PYTHONPATH": str(tmp_path)}
    cluster = make_cluster([ClientSpec(name="app1"), ClientSpec(name="app2", env=path), ClientSpec(name="app3")])
    report = run(with_via(cluster), only=("products-agree",))
    assert {
        "products-agree": "a distribution differs: products-extra is absent on app1, app3, 1.0 on app2"
    } == messages(report)


def test_a_conf_that_was_written_after_the_start_is_found(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(2)
    inventory = with_via(cluster, there=True)
    conf = cluster.clients["app2"].zope_conf
    os.utime(conf, (time.time() + 3600, time.time() + 3600))
    report = run(inventory, only=("client-restarted-since-edit",), password=cluster.password)
    told = messages(report)["client-restarted-since-edit"]
    assert f":{conf} was written about 1 h" in told and told.endswith("after app2 was started")


def test_what_each_machine_gathered_is_judged_together(executed: Cluster, tmp_path: Path) -> None:
    for name in executed.clients:
        gathered = CliRunner().invoke(cli.zcheck, ["gather", str(executed.ini), "--client", name], obj=0.0)
        assert 0 == gathered.exit_code, gathered.output
        assert executed.password not in gathered.stdout
        (tmp_path / f"{name}.json").write_text(gathered.stdout)
        facts = {one["kind"]: one["value"] for one in json.loads(gathered.stdout)["facts"]}
        assert executed.clients[name].pid == facts["SeenThere"]["process"]["pid"]
        assert ["answers"] == [server["outcome"] for server in facts["SeenThere"]["servers"]]
    arguments = ["preflight", str(executed.ini), "--gathered", str(tmp_path), "--only", "products-agree,config", "-v"]
    judged = CliRunner().invoke(cli.zcheck, [*arguments, "--no-state"], obj=0.0)
    assert "pass  identity: products-agree" in judged.stdout


def test_the_pid_and_the_start_are_those_of_the_running_client(executed: Cluster) -> None:
    inventory = with_via(executed)
    settings = Settings(run_id=secrets.token_hex(6))
    wanted = with_what_they_need({SeenThere})
    facts = collect(inventory, settings, wanted, NotGathered("none")).facts
    for name, client in executed.clients.items():
        seen = facts.raw(SeenThere, name)
        assert isinstance(seen, SeenThere) and seen.process is not None and seen.asked_at is not None
        assert client.pid == seen.process.pid and seen.is_inside and "6" <= seen.zope_version
        assert seen.asked_at <= seen.clock <= seen.answered_at  # type: ignore[operator]
        assert str(client.zope_conf) == seen.zope_conf


def test_a_server_that_stopped_is_told_from_the_clients_machines_too(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(2)
    inventory = with_via(cluster)
    cluster.stop_zeo()
    report = run(inventory, only=("reach", "identity"), password=cluster.password)
    told = [finding for finding in report.findings if finding.severity == "CRITICAL"]
    assert {"zeo-server-answers"} == {finding.check for finding in told}, told


def test_a_killed_run_leaves_no_marker(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    cluster = make_cluster(sharing(tmp_path, "blobs", "blobs"))
    text = cluster.ini.read_text()
    slow = tmp_path / "slow.py"
    # The second machine is slow, so that the run can be killed while the first one holds its marker.
    slow.write_text(
        "import sys, time\ntext = sys.stdin.read()\nif 'seek' in text.rsplit('main(', 1)[1]: time.sleep(30)\n"
        "exec(compile(text, 'there', 'exec'), {'__name__': '__main__'})"
    )
    one, two = text.split("[client:app2]")
    ini = cluster.folder / "via.ini"
    one = one.replace("machine = 127.0.0.1", f"machine = 127.0.1.1\nvia = {sys.executable}", 1)
    two = two.replace("machine = 127.0.0.1", f"machine = 127.0.1.2\nvia = {sys.executable} {slow}", 1)
    ini.write_text(f"{one}[client:app2]{two}")
    command = [sys.executable, "-m", "zcheck", "preflight", str(ini), "--only", "blob-directories-are-one"]
    process = subprocess.Popen([*command, "--no-state"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: bool(list(tmp_path.rglob("*.marker"))), 20)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        wait_for(lambda: not list(tmp_path.rglob("*.marker")), 5)
    finally:
        process.kill()
        process.wait(10)


def wait_for(condition: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
