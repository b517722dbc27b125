"""Servers as processes of their own, on ports that nobody else picks, that end whatever happens to their parent."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from zcheck.commands.demo.specs import HOST, Machine

START_LIMIT_S = 60.0
"""How long a server may take to come up; it takes one to three seconds on an idle machine."""
STOP_LIMIT_S = 5.0
"""How long a server may take to end when asked; after that it is killed."""
POLL_S = 0.02
LOG_TAIL_LINES = 25

# Below the range from which Linux takes the ports of outgoing connections, so that none of those is in the way when
# the server binds the port, a second after it was found free.
PORTS = range(20000, 32000)


class DidNotStart(Exception):
    """A server of the cluster did not come up; the message ends with the tail of its log."""


_KEEPER_SCRIPT = """
import os, shutil, signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
watched, folder = set(), None
for line in sys.stdin:
    word, _, rest = line.rstrip("\\n").partition(" ")
    if word == "folder":
        folder = rest
    elif word == "watch":
        watched.add(int(rest))
    elif word == "forget":
        watched.discard(int(rest))
    elif word == "leave":
        sys.exit()
for pid in watched:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
if folder:
    shutil.rmtree(folder, ignore_errors=True)
"""


class Keeper:
    """Ends the watched processes and removes the folder when the process that made the keeper is gone.

    It reads a pipe whose other end only its parent holds, so it learns of a SIGKILL too.  It is in a session of its
    own: Ctrl-C does not reach it.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _KEEPER_SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            text=True,
            bufsize=1,
        )
        self._tell(f"folder {folder}")

    def watch(self, pid: int) -> None:
        self._tell(f"watch {pid}")

    def forget(self, pid: int) -> None:
        self._tell(f"forget {pid}")

    def leave(self) -> None:
        """Let everything run on and stay."""
        self._tell("leave")
        self.close()

    def close(self) -> None:
        """End the keeper; what it still watches ends with it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(STOP_LIMIT_S)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")


class Process(Protocol):
    """What a server asks of its process, however it was started."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


class Server:
    """One server process, in a session of its own, with its output in a log file."""

    def __init__(
        self,
        name: str,
        home: Path,
        keeper: Callable[[], Keeper],
        machine: Machine = Machine(),  # noqa: B008 - it is frozen
        port: int | None = None,
    ) -> None:
        self.name = name
        self.home = home
        self.machine = machine
        self._port = Port(port)
        self.log = home / "log" / "console.log"
        self._keeper = keeper
        self._process: Process | None = None

    @property
    def port(self) -> int:
        return self._port.number

    @property
    def address(self) -> str:
        return f"{self.machine.name}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process's id; None while it does not run."""
        return self._process.pid if self._process is not None else None

    @property
    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        """One try at what a neighbour would ask of it."""
        raise NotImplementedError

    def launch(self, env: Mapping[str, str]) -> None:
        """Start the process and return at once."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} is running already")
        keeper = self._keeper()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._process = self.started(env)
        keeper.watch(self._process.pid)

    def started(self, env: Mapping[str, str]) -> Process:
        """A new process that runs its command."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self.machine.enter, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.home,
                env=environment(env),
            )

    def wait_until_up(self, limit_s: float = START_LIMIT_S) -> None:
        """Poll until it answers; :class:`DidNotStart` with the log's tail when it ends or the limit passes."""
        deadline = time.monotonic() + limit_s
        while not self.answers():
            if self._process is None or self._process.poll() is not None:
                raise DidNotStart(f"{self.name} ended while starting:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise DidNotStart(f"{self.name} did not answer within {limit_s:.0f} s:\n{self.tail()}")
            time.sleep(POLL_S)

    def ask_to_end(self) -> None:
        """Send SIGTERM to a running process, also to a stopped one."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """End it and wait for its end; killed when it takes longer than the limit."""
        process = self._process
        if process is None:
            return
        self.ask_to_end()
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            process.wait()
        self._keeper().forget(process.pid)
        self._process = None

    def release_port(self) -> None:
        """Allow other clusters to pick its port."""
        self._port.release()

    def kill(self) -> None:
        """End it by SIGKILL, as a power failure would."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self.stop()

    def tail(self) -> str:
        """The last lines of its log."""
        try:
            return last_lines(self.log.read_text(errors="replace"))
        except FileNotFoundError:
            return f"(no log at {self.log})"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class Port:
    """A TCP port on loopback that nothing is bound to, and that no other cluster of this machine picks as well.

    It takes a second until the server that it is for binds it.  Meanwhile a name in Linux's abstract namespace says
    that it is taken; such a name goes with the process that holds it, however that ends.  A ``number`` that is given is
    taken as it is.
    """

    def __init__(self, number: int | None = None) -> None:
        self._claim = socket.socket(socket.AF_UNIX)
        if number is not None:
            self.number = number
            return
        for _ in range(1000):
            self.number = random.SystemRandom().choice(PORTS)
            if self._is_free() and self._claimed():
                return
        self.release()
        raise DidNotStart(f"no free port between {PORTS.start} and {PORTS.stop}")

    def release(self) -> None:
        self._claim.close()

    def _is_free(self) -> bool:
        with socket.socket() as probe:
            try:
                probe.bind((HOST, self.number))
            except OSError:
                return False
            return True

    def _claimed(self) -> bool:
        if sys.platform != "linux":
            return True
        try:
            self._claim.bind(f"\0zcheck-demo-port-{self.number}")
        except OSError:
            return False
        return True


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what would change a server's behaviour."""
    unwanted = ("ZCHECK_", "ZEO_", "INSTANCE_", "CLIENT_HOME", "ZOPE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    return {**kept, **more}


def last_lines(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()[-LOG_TAIL_LINES:])
