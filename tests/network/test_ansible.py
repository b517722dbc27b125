"""The Ansible role on the five machines: real ansible-core, its own ssh, and the verdict that fails the play."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from network.machines import Network
from network.sites import CLIENTS, LIMIT_S, Site

MakeSite = Callable[..., Site]
CONTRIB = Path(__file__).resolve().parents[2] / "contrib" / "ansible"


@pytest.fixture(scope="session")
def ansible() -> Path:
    """The folder of Ansible's programs: ZCHECK_ANSIBLE, else where the PATH has them."""
    found = shutil.which("ansible-playbook", path=os.environ.get("ZCHECK_ANSIBLE") or os.environ["PATH"])
    if found is None:
        pytest.skip("ansible-playbook is not installed (ZCHECK_ANSIBLE is its folder)")
    return Path(found).parent


def inventory(site: Site) -> Path:
    """An Ansible inventory of the three machines of clients; nothing is left in anybody's home."""
    network = site.network
    hosts = {name: {"http_port": 8080} for name in CLIENTS}
    variables = {
        "ansible_user": "root",
        "ansible_python_interpreter": sys.executable,
        "ansible_ssh_common_args": f"-F {network.ssh_config}",
        "ansible_remote_tmp": "/run/ansible",
        "zcheck_python": sys.executable,
        "zcheck_command": [sys.executable, "-m", "zcheck"],
    }
    path = site.folder / "inventory.json"
    path.write_text(json.dumps({"all": {"children": {"zope": {"hosts": hosts, "vars": variables}}}}))
    return path


def play(site: Site, ansible: Path, ini: Path, **variables: Any) -> subprocess.CompletedProcess[str]:
    """``ansible-playbook`` on the fifth machine."""
    extra = json.dumps({"zcheck_clients_ini": str(ini), "zcheck_directory": str(site.folder / "gathered"), **variables})
    return site.network["front"].tried(
        *(ansible / "ansible-playbook", "-i", inventory(site), CONTRIB / "preflight.yml", "-e", extra),
        limit_s=LIMIT_S,
        env={
            "ANSIBLE_HOME": str(site.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": "/run",
        },
    )


def test_a_healthy_group_passes(make_site: MakeSite, ansible: Path) -> None:
    site = make_site(via=False)
    done = play(site, ansible, site.cluster.ini)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "6 of 6 pairs proven through the running clients, 6 of 6 over ZEO" in done.stdout
    assert sorted(f"{name}.json" for name in CLIENTS) == sorted(p.name for p in (site.folder / "gathered").iterdir())


def test_a_draft_from_the_inventory_is_nearly_a_clients_ini(make_site: MakeSite, ansible: Path) -> None:
    """What the draft leaves out is who may edit and what is pinned; by its ways in every machine is looked from."""
    site = make_site(via=False)
    # An inventory, not what is printed of one: Ansible's own program is asked.
    path = f"{ansible}:{os.environ['PATH']}"
    command = (
        sys.executable,
        "-m",
        "zcheck",
        "init",
        "--ansible-inventory",
        inventory(site),
        "--ansible-group",
        "zope",
    )
    drafted = site.network["front"].tried("env", f"PATH={path}", *command)
    assert 0 == drafted.returncode, drafted.stderr
    assert "machine" not in drafted.stdout
    completed = {
        "; user = admin": f"user = {site.cluster.user}",
        "; password-file = zope-password": "password-file = password",
        "; zeo = HOST:PORT": "zeo = zeo:8100\n;",
        "; storage = NAME": "storage = 1\n;",
    }
    text = drafted.stdout
    for what, instead in completed.items():
        assert what in text
        text = text.replace(what, instead)
    site.cluster.ini.write_text(text)
    told = site.preflight()
    assert (0, [], (6, 6, 6)) == (told.code, told.told, told.proven), told.out
    assert ("pass", []) == (
        told.result("names-resolve-alike")["outcome"],
        told.result("names-resolve-alike")["skipped_for"],
    )


def test_what_one_machine_sees_fails_the_play(make_site: MakeSite, network: Network, ansible: Path) -> None:
    site = make_site(via=False)
    network["app2"].says(zeo=network["app3"].address)
    done = play(site, ansible, site.cluster.ini)
    assert 2 == done.returncode, done.stdout + done.stderr
    assert "zeo is 10.213.77.13 on app2's machine" in done.stdout


def test_a_machine_that_is_gone_fails_the_play_and_the_others_are_judged(
    make_site: MakeSite, network: Network, ansible: Path
) -> None:
    site = make_site(via=False)
    gathered = site.folder / "gathered"
    gathered.mkdir()
    (gathered / "app3.json").write_text("what an earlier play left")
    network.switch_off("app3")
    done = play(site, ansible, site.cluster.ini)
    assert done.returncode, done.stdout + done.stderr
    assert "client-port-answers: app3" in done.stdout
    assert "2 of 6 pairs proven through the running clients" in done.stdout
    assert not (gathered / "app3.json").exists()
