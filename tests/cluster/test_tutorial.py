"""The tutorial, command by command, on a real cluster and with a real HAProxy."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from zcheck.commands.demo import Cluster

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.rst").read_text(encoding="utf-8")
LIMIT_S = 120


def blocks() -> list[str]:
    return [textwrap.dedent(one).strip() for one in re.findall(r"::\n\n((?:(?: {4}.*)?\n)+)", TUTORIAL)]


COMMANDS = [block.removeprefix("$ ") for block in blocks() if block.startswith("$ ")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def own_inventory(cluster: Cluster, folder: Path, public: int) -> str:
    """The tutorial's clients.ini, with this cluster's ports in place of those that it shows."""
    (text,) = [block for block in blocks() if block.startswith("[cluster]")]
    ports = {
        "8100": cluster.zeo["main"].port,
        "8081": cluster.clients["app1"].port,
        "8082": cluster.clients["app2"].port,
    }
    for shown, real in ports.items():
        assert f"localhost:{shown}" in text
        text = text.replace(f"localhost:{shown}", f"127.0.0.1:{real}")
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{public}").replace("127.0.0.1:8404", f"127.0.0.1:{free_port()}")
    return text.replace("/run/haproxy/admin.sock", str(folder / "admin.sock")) + "\n"


def test_every_command_of_the_tutorial_does_what_it_says(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not installed")
    cluster = make_cluster(2)
    for name in ("app1", "app2"):
        shutil.copytree(cluster.folder / name / "etc", tmp_path / name / "etc", copy_function=shutil.copy2)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "zcheck"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m zcheck "$@"\n')
    program.chmod(0o755)
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    public, said = free_port(), {}
    try:
        for command in COMMANDS:
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
            said[command] = done.stdout
            assert 0 == done.returncode, f"{command}\n{done.stdout}{done.stderr}"
            if command.startswith("zcheck init"):
                draft = (tmp_path / "clients.ini").read_text()
                assert "[client:app1]" in draft
                (tmp_path / "clients.ini").write_text(own_inventory(cluster, tmp_path, public))
                shutil.copy(cluster.folder / "password", tmp_path / "zope-password")
        with urllib.request.urlopen(f"http://127.0.0.1:{public}/", timeout=10) as answer:
            assert 200 == answer.status
    finally:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((tmp_path / "haproxy.pid").read_text()), signal.SIGTERM)
    proof = said["zcheck preflight --skip balancer clients.ini"]
    assert "2 of 2 pairs proven through the running clients" in proof
    assert said["zcheck monitor clients.ini"].startswith("ZCHECK OK - intranet: ")
    assert "WILL write" in said["zcheck plan clients.ini"]
    assert 0o600 == stat.S_IMODE((tmp_path / "zope-password").stat().st_mode)
    assert (tmp_path / "zcheck.html").read_text().startswith("<!DOCTYPE html>")


def test_the_tutorial_has_its_commands() -> None:
    assert 13 <= len(COMMANDS)
    assert any(command.startswith("zcheck haproxy enable") for command in COMMANDS)
