"""The recipes for balancers that are not HAProxy, as the documentation has them, with the real programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from cluster.balancers import get, wait_until

from zcheck.commands.demo import HOST, Cluster, Port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "other-balancers.rst"
LIMIT_S = 60.0


def block(name: str) -> str:
    """The literal block of this name."""
    after = PAGE.read_text().partition(f":name: {name}\n")[2]
    lines = []
    for line in after.splitlines()[1:]:
        if line and not line.startswith("   "):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines))


def run(script: str, folder: Path, **env: object) -> subprocess.CompletedProcess[str]:
    """The script, with ``zcheck`` being ours."""
    own = folder / "bin"
    own.mkdir(exist_ok=True)
    (own / "zcheck").write_text(f'#!/bin/sh\nexec {sys.executable} -m zcheck "$@"\n')
    (own / "zcheck").chmod(0o755)
    words = {name: str(value) for name, value in env.items()}
    path = f"{own}:{os.environ['PATH']}:/usr/sbin"
    return subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, **words, "PATH": path, "FOLDER": str(folder)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def found(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def test_nginx(cluster: Cluster, tmp_path: Path) -> None:
    nginx, port = found("nginx"), Port()
    http = block("nginx.conf").replace("listen 127.0.0.1:8080", f"listen {HOST}:{port.number}")
    temporary = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy"))
    temporary += "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("fastcgi", "uwsgi", "scgi"))
    head = f"daemon off;\npid {tmp_path}/pid;\nerror_log {tmp_path}/error.log;\nevents {{}}\n"
    if os.geteuid() == 0:
        tmp_path.chmod(0o755)
    (tmp_path / "nginx.conf").write_text(f"{head}http {{\naccess_log off;\n{temporary}\n{http}}}\n")
    (tmp_path / "zope-servers.conf").write_text("server 127.0.0.1:1;\n")
    process = subprocess.Popen([nginx, "-c", tmp_path / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: (tmp_path / "pid").exists() and get(port.number).status == 502)
        done = run(block("nginx.sh"), tmp_path, CLIENTS_INI=cluster.ini)
        assert 0 == done.returncode, done.stderr
        wait_until(lambda: get(port.number).status == 200)
        written = (tmp_path / "zope-servers.conf").read_text()
        assert all(client.address in written for client in cluster.clients.values())
    finally:
        process.terminate()
        process.wait(LIMIT_S)
        port.release()


def test_varnish(cluster: Cluster, tmp_path: Path) -> None:
    varnish, port = found("varnishd"), Port()
    done = run(block("varnish.sh"), tmp_path, CLIENTS_INI=cluster.ini)
    assert 0 == done.returncode, done.stderr
    # Its own user could not read the folder of a test.
    words = [
        varnish,
        "-j",
        "none",
        "-F",
        "-a",
        f"{HOST}:{port.number}",
        "-f",
        tmp_path / "zope.vcl",
        "-n",
        tmp_path / "run",
    ]
    process = subprocess.Popen([*words, "-s", "default,10m"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: get(port.number).status == 200, 30)
    finally:
        process.terminate()
        process.wait(LIMIT_S)
        port.release()


def test_readiness(cluster: Cluster, tmp_path: Path) -> None:
    done = run('zcheck export "$CLIENTS_INI" --format hosts > "$FOLDER/hosts"', tmp_path, CLIENTS_INI=cluster.ini)
    assert 0 == done.returncode, done.stderr
    for client in cluster.clients.values():
        probe = {"POD_IP": HOST, "PORT": client.port, "VERIFIED": tmp_path / "hosts"}
        assert 0 == run(block("readiness.sh"), tmp_path, **probe).returncode
    probe = {"POD_IP": HOST, "PORT": 1, "VERIFIED": tmp_path / "hosts"}
    assert 1 == run(block("readiness.sh"), tmp_path, **probe).returncode
