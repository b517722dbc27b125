"""What zcheck itself lacks is named, and no peer is blamed for it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from zcheck.system import shortages, threads

ASKING = """
import json, os, resource, sys
from zcheck.parsers import clients_ini
from zcheck.probes import http, zeo
from zcheck.facts import HostPort
from zcheck.system import shortages, threads
port = int(sys.argv[1])
client = clients_ini.parse(f"[cluster]\\nname = x\\n[client:app1]\\naddress = 127.0.0.1:{port}\\n", "x").clients[0]
import ipaddress, socket  # what is imported later needs a descriptor as well
shortages.why_no_temporary_folder(), http.probe_port(client, 5.0), zeo.ask(HostPort("127.0.0.1", port), timeout_s=0.5)
taken = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True: taken.append(os.dup(0))
except OSError: pass
jobs = {"port": lambda: http.probe_port(client, 5.0), "page": lambda: http.probe_http(client, 5.0)}
found = threads.side_by_side(jobs, lambda: 20.0)
asked = zeo.ask(HostPort("127.0.0.1", port), timeout_s=5.0)
why = shortages.why_no_temporary_folder()
for one in taken: os.close(one)
print(json.dumps([repr(found["port"]), repr(found["page"]), asked.outcome, asked.detail, why]))
"""


def test_too_few_file_descriptors_are_no_fault_of_a_peer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        argv = [sys.executable, "-c", ASKING, str(server.getsockname()[1])]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert 0 == done.returncode, done.stderr
    port, page, outcome, detail, why = json.loads(done.stdout)
    for told in (port, page):
        assert "NotDone" in told, "not gathered, and so UNKNOWN"
        assert "it could not be asked: zcheck may open no more files" in told
    assert "own-shortage" == outcome
    assert "ulimit -n 4096" in detail
    assert "ulimit -n 4096" in why


def test_no_temporary_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "" == shortages.why_no_temporary_folder()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert "TMPDIR names one" in shortages.why_no_temporary_folder()


def test_what_another_error_says_is_not_our_own() -> None:
    assert "" == shortages.of_ours(ConnectionRefusedError(111, "Connection refused"))
    assert "" == shortages.of_ours(ValueError("x"))


def test_a_shortage_is_a_reason_and_no_defect() -> None:
    def short() -> None:
        raise shortages.ShortageError("it could not be asked")

    assert {"a": threads.NotDone("it could not be asked")} == threads.side_by_side({"a": short}, lambda: 5.0)
