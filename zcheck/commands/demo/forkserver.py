"""Processes that are forked from one that has imported Zope: the side that asks for them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from zcheck.commands.demo import zygote
from zcheck.commands.demo.processes import START_LIMIT_S, STOP_LIMIT_S, DidNotStart, environment, last_lines

POLL_S = 0.05


class ForkServer:
    """One process that imports Zope when it is made, and forks on demand; as a context manager, or ``close`` by hand.

    It ends with the process that made it, also after a SIGKILL, and what it forked ends with it.  Several threads may
    ask.
    """

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it is open as long as the process runs
        self._process = subprocess.Popen(
            [sys.executable, zygote.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            cwd="/",
            env=environment({}),
            bufsize=0,
        )
        self._lock = threading.Lock()
        self._pending = b""
        self._started: list[int] = []
        self._ended: dict[int, int] = {}
        self._is_gone = False

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(
        self, run: Literal["serve", "seed"], *arguments: str, folder: Path, log: Path, env: Mapping[str, str]
    ) -> Forked:
        """Fork a process in ``folder`` with its output in ``log``; :class:`DidNotStart` where Zope cannot be imported.

        The first one waits until Zope is imported.
        """
        request: dict[str, Any] = {
            "run": run,
            "arguments": arguments,
            "folder": str(folder),
            "log": str(log),
            "environment": dict(env),
        }
        assert self._process.stdin is not None
        deadline = time.monotonic() + START_LIMIT_S
        with self._lock:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
            while not self._started:
                if self._is_gone or time.monotonic() > deadline:
                    raise DidNotStart(f"Zope could not be imported:\n{self._told()}")
                self._hear(POLL_S)
            return Forked(self, self._started.pop())

    def code(self, pid: int, wait_s: float = 0.0) -> int | None:
        """The exit code of a process that it forked; None where it still runs when the wait is over."""
        with self._lock:
            if pid not in self._ended:
                self._hear(wait_s)
            if self._is_gone:
                # It was killed: what it forked is nobody's to wait for, and is killed as well.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self._ended.setdefault(pid, -signal.SIGKILL)
            return self._ended.get(pid)

    def close(self) -> None:
        """End it, and what it forked."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()
        self._is_gone = True

    def _hear(self, wait_s: float) -> None:
        """Note what it tells, within this time."""
        if self._is_gone:
            return
        assert self._process.stdout is not None
        told = self._process.stdout.fileno()
        while select.select([told], [], [], wait_s)[0]:
            read = os.read(told, 65536)
            if not read:
                self._is_gone = True
                return
            *lines, self._pending = (self._pending + read).split(b"\n")
            for words in map(json.loads, lines):
                if "started" in words:
                    self._started.append(words["started"])
                else:
                    self._ended[words["ended"]] = words["code"]
            wait_s = 0.0

    def _told(self) -> str:
        self._errors.seek(0)
        return last_lines(self._errors.read().decode(errors="replace"))


class Forked:
    """A forked process, with as much of :class:`subprocess.Popen` as a server needs."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server = server
        self.pid = pid

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._server.code(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; :class:`subprocess.TimeoutExpired` as of a process that was executed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self._server.code(self.pid, POLL_S)) is None:
            if timeout is not None and deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(["forked", str(self.pid)], timeout)
        return code
