"""Real ZEO servers on loopback for tests: each ``python -m ZEO.runzeo`` in a folder of its own, ended by its pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patience import patient

from zcheck.facts import HostPort
from zcheck.probes import zeo

HOST = "127.0.0.1"
START_LIMIT_S = 30.0


class ZeoServer:
    """One server process; ``options`` go into its ``<zeo>`` section, ``storage`` replaces its storage sections.

    With ``path`` it listens on that unix socket, and ``port`` means nothing.
    """

    def __init__(self, folder: Path, *, options: str = "", storage: str = "", path: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.path = path
        self.options = options
        self.storage = storage or f"<filestorage 1>\n  path {self.data}\n</filestorage>"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "Data.fs"

    @property
    def address(self) -> HostPort:
        return HostPort(HOST, self.port)

    def start(self) -> ZeoServer:
        self.folder.mkdir(parents=True, exist_ok=True)
        conf = self.folder / "zeo.conf"
        conf.write_text(f"<zeo>\n  address {self.path or self.address}\n{self.options}\n</zeo>\n{self.storage}\n")
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "ZEO.runzeo", "-C", str(conf)]
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + START_LIMIT_S
        while not self._is_up():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"the ZEO server did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)
        return self

    def _is_up(self) -> bool:
        with socket.socket(socket.AF_UNIX if self.path else socket.AF_INET) as sock:
            return sock.connect_ex(self.path or (HOST, self.port)) == 0

    def stop(self) -> None:
        """End the process, at once: a FileStorage that is killed is whole all the same."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def copied_to(self, folder: Path) -> ZeoServer:
        """A second server, not started, on a copy of this one's database."""
        folder.mkdir(parents=True)
        shutil.copyfile(self.data, folder / "Data.fs")
        return ZeoServer(folder, options=self.options)

    def connections(self, storage: str = "1") -> int:
        return zeo.ask(self.address).storages[storage].connections


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def zeo_server(folder: Path, *, options: str = "", storage: str = "", path: str = "") -> Iterator[ZeoServer]:
    """A running server, ended when the block is left."""
    server = ZeoServer(folder, options=options, storage=storage, path=path).start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def stopped_in_commit(server: ZeoServer) -> Iterator[subprocess.Popen[bytes]]:
    """A client process that voted and was stopped before it finished, so that it holds the server's commit lock."""
    command = [sys.executable, "-c", _VOTE_AND_WAIT, str(server.port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"voted\n"
        os.kill(process.pid, signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.wait(10)


_VOTE_AND_WAIT = """
import sys, time
from ZEO.ClientStorage import ClientStorage
from ZODB.Connection import TransactionMetaData
from ZODB.utils import z64
storage = ClientStorage(("127.0.0.1", int(sys.argv[1])), wait_timeout=10)
transaction = TransactionMetaData("another", "stopped between vote and finish")
storage.tpc_begin(transaction)
storage.store(storage.new_oid(), z64, b"never committed", "", transaction)
storage.tpc_vote(transaction)
print("voted", flush=True)
time.sleep(600)
"""


def commit_takes(server: ZeoServer, limit_s: float = 10.0) -> float:
    """Seconds that a commit by another client takes, from connecting to being acknowledged."""
    started = time.monotonic()
    command = [sys.executable, "-c", _COMMIT, str(server.port)]
    done = subprocess.run(command, capture_output=True, timeout=limit_s + 20, cwd="/", check=True)
    assert time.monotonic() - started < patient(limit_s + 20)
    return float(done.stdout)


_COMMIT = """
import sys, time
from ZEO.ClientStorage import ClientStorage
from ZODB.Connection import TransactionMetaData
from ZODB.utils import z64
started = time.monotonic()
storage = ClientStorage(("127.0.0.1", int(sys.argv[1])), wait_timeout=10)
transaction = TransactionMetaData("another", "an ordinary edit")
storage.tpc_begin(transaction)
storage.store(storage.new_oid(), z64, b"an ordinary record", "", transaction)
storage.tpc_vote(transaction)
storage.tpc_finish(transaction)
print(time.monotonic() - started)
storage.close()
"""
