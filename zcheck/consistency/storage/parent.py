"""The parent's side of the writing child: start it, give it jobs, and end it when it is late.

No method raises because of what a peer or the child does, and none waits without limit: a child that is late is killed,
which frees whatever lock it held, and what it was doing comes out as a reason in words.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

import msgspec

from zcheck.consistency.recording.format import Header
from zcheck.consistency.storage import protocol
from zcheck.consistency.storage.protocol import WIND_UP, Failure, Orphan, Orphans, Target
from zcheck.facts import NotGathered, ZeoIdentity
from zcheck.facts.history import History

__all__ = ["Failure", "Orphan", "Orphans", "Target", "ZeoWorker"]

Result = TypeVar("Result")

KILL_GRACE_S = 1.0
"""A job that is not answered this long after its limit is not going to be."""
CLOSE_S = 3.0
WIND_UP_S = 8.0
"""How long a job that is not waited for any more may take to clean up."""
SLACK_S = 0.5
"""How much earlier than the parent's limit the child's own is, so that it can answer with what it has."""


class ZeoWorker:
    """The child process and every ZEO connection of one run; a context manager.

    ``timeout_s`` limits each single wait for a server.  Each method's ``within_s`` limits the method: the child stops
    by itself before that, with what it has, and is killed when it does not.
    """

    def __init__(self, run_id: str, *, timeout_s: float = 5.0, journal: str | None = None) -> None:
        self.run_id = run_id
        self.timeout_s = timeout_s
        self.journal = None if journal is None else str(Path(journal).absolute())
        self.gone = ""
        """Why there is no child any more; empty while there is one."""
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._busy = False
        """A job was sent and not answered."""
        self.interrupted = False
        """Ctrl-C ended a long job early; its history is as true as any other."""

    def __enter__(self) -> ZeoWorker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id; None before :meth:`start`."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the child, which begins to import ZODB and ZEO; does not wait for it."""
        if self._process is not None or self.gone:
            return
        # A session of its own: Ctrl-Z on a terminal must not stop it between vote and finish.
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "zcheck.consistency.storage.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            self.gone = f"zcheck's process for ZEO could not be started: {error.strerror or error}"
            return
        threading.Thread(target=self._listen, args=[self._process.stdout], daemon=True).start()

    def connect(self, targets: Iterable[Target], *, within_s: float) -> tuple[Failure, ...]:
        """Connect to all targets side by side; those that failed, each with the real reason."""
        targets = tuple(targets)
        job = protocol.Connect(targets, self.timeout_s, self._own_limit(within_s))
        found = self._do(job, tuple[Failure, ...], within_s)
        if isinstance(found, NotGathered):
            return tuple(Failure(target.client, target.database, found.reason) for target in targets)
        return found

    def identity(self, *, within_s: float) -> ZeoIdentity | NotGathered:
        """The proofs of which connection reaches which storage; nothing is written."""
        return self._do(protocol.Prove(self._own_limit(within_s)), ZeoIdentity, within_s)

    def matrix(
        self,
        database: str,
        *,
        rounds: int = 2,
        within_s: float,
        max_rate: float = protocol.WRITE_RATE,
        pause_file: str | None = None,
        blobs: bool = False,
    ) -> History:
        """Write through every client of a database that may be written to, read through all, and remove it again.

        ``blobs``: blobs, through the clients that keep any.
        """
        limit = self._own_limit(within_s)
        job = protocol.Write(database, self.run_id, limit, rounds, max_rate, self.journal, pause_file, blobs)
        return self._history(job, database, rounds, within_s)

    def isolate(
        self,
        database: str,
        *,
        duration_s: float,
        workloads: Iterable[str],
        seed: int,
        within_s: float,
        max_rate: float = protocol.WRITE_RATE,
        pause_file: str | None = None,
        tape: tuple[str, Header] | None = None,
        window_s: float | None = None,
        tell: Callable[[str], None] = lambda so_far: None,
    ) -> History:
        """The matrix, then the workloads for so long; one seed gives one schedule.  All is removed at the end.

        ``tape``: the file to which the history is written while it is made, and how it begins there.  With ``window_s``
        what was done is judged and dropped after each so many seconds, and ``tell`` is called with the verdict so far.
        Ctrl-C ends the work and not the method.
        """
        job = protocol.Isolate(
            database,
            self.run_id,
            self._own_limit(within_s),
            duration_s,
            tuple(workloads),
            seed,
            max_rate,
            self.journal,
            pause_file,
            tape=tape[0] if tape is not None else None,
            header=tape[1] if tape is not None else None,
            window_s=window_s,
        )
        return self._history(job, database, job.rounds, within_s, tell)

    def versions(
        self, database: str, folder: str, *, within_s: float, after: str = "", containers: tuple[str, ...] = ()
    ) -> protocol.Versions:
        """What the storage's log has of the documents in this run's folder, since a transaction or from the start."""
        job = protocol.ReadVersions(database, self.run_id, folder, self._own_limit(within_s), after, containers)
        found = self._do(job, protocol.Versions, within_s)
        return protocol.Versions(error=found.reason) if isinstance(found, NotGathered) else found

    def current(self, wanted: Iterable[protocol.Wanted], *, within_s: float) -> tuple[protocol.Current, ...]:
        """The current transactions of objects, as the servers have them; nothing is loaded, nothing is written."""
        wanted = tuple(wanted)
        job = protocol.LookUp(wanted, self._own_limit(within_s))
        found = self._do(job, tuple[protocol.Current, ...], within_s)
        if isinstance(found, NotGathered):
            return tuple(protocol.Current(one.client, one.database, error=found.reason) for one in wanted)
        return found

    def _history(
        self, job: protocol.Job, database: str, rounds: int, within_s: float, tell: Callable[[str], None] | None = None
    ) -> History:
        started = not self.gone and self._process is not None
        found = self._do(job, History, within_s, tell)
        if isinstance(found, History):
            return found
        left = (f"perhaps unreachable marker objects in database {database}, until the next pack",) if started else ()
        return History("zeo", database, self.run_id, rounds=rounds, stopped=found.reason, left=left)

    def orphans(self, *, since_s: float, within_s: float, run_id: str = "") -> Orphans:
        """What runs left in the storages within the last ``since_s`` seconds; with ``run_id``, what that one left."""
        found = self._do(protocol.Find(since_s, self._own_limit(within_s), run_id), Orphans, within_s)
        return Orphans(unknown=(found.reason,)) if isinstance(found, NotGathered) else found

    def remove(self, orphans: Iterable[Orphan], *, within_s: float) -> Orphans:
        """Delete what :meth:`orphans` found; what is returned as found is still there."""
        orphans = tuple(orphans)
        found = self._do(protocol.Remove(orphans, self.run_id, self._own_limit(within_s)), Orphans, within_s)
        return Orphans(orphans, (found.reason,)) if isinstance(found, NotGathered) else found

    def close(self) -> None:
        """End the child in good order; at most a few seconds, whatever state it is in.

        A job that was interrupted is wound up first: what it wrote is removed.
        """
        if self._process is None:
            return
        if not self.gone:
            watchdog = threading.Timer(WIND_UP_S if self._busy else CLOSE_S, self._kill)
            watchdog.daemon = True
            watchdog.start()
            with contextlib.suppress(OSError):
                self._send(msgspec.json.encode(protocol.Close()) + b"\n")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(WIND_UP_S + KILL_GRACE_S)
            watchdog.cancel()
        self.gone = self.gone or "zcheck's process for ZEO was closed"
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if self._process.poll() is None:
            self._kill()

    # --- the pipe

    @staticmethod
    def _own_limit(within_s: float) -> float:
        return max(within_s - SLACK_S, within_s / 2)

    def _do(
        self, job: protocol.Job, result: type[Result], within_s: float, tell: Callable[[str], None] | None = None
    ) -> Result | NotGathered:
        """One job's result, or in words why there is none; then the child is gone.

        With ``tell`` it is a long one: it tells how far it is, and Ctrl-C winds it up.
        """
        with self._lock:
            if self.gone or self._process is None:
                return NotGathered(self.gone or "zcheck's process for ZEO was not started")
            # Writing can block as well, when the child is stopped: so the watchdog is set before it.
            watchdog = threading.Timer(within_s, self._kill)
            watchdog.daemon = True
            watchdog.start()
            started = time.monotonic()
            try:
                self._busy = True
                self._send(msgspec.json.encode(job) + b"\n")
                line = self._answer(started + within_s + KILL_GRACE_S, tell)
                self._busy = False
            except (OSError, queue.Empty):
                line = None
            finally:
                watchdog.cancel()
            if line is None:
                self.gone = self._epitaph(time.monotonic() - started, within_s)
                self._kill()
                return NotGathered(self.gone)
        return _result(line, result)

    def _answer(self, until_s: float, tell: Callable[[str], None] | None) -> bytes | None:
        """The line that answers a job; raises :exc:`queue.Empty` where it does not come in time."""
        while True:
            try:
                line = self._answers.get(timeout=max(until_s - time.monotonic(), 0.0))
            except KeyboardInterrupt:
                if tell is None or self.interrupted:
                    raise
                self.interrupted = True
                until_s = min(until_s, time.monotonic() + WIND_UP_S)
                self._send(WIND_UP + b"\n")
                continue
            so_far = _so_far(line) if tell is not None else ""
            if tell is None or not so_far:
                return line
            tell(so_far)

    def _send(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _listen(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in pipe:
                self._answers.put(line)
        self._answers.put(None)

    def _kill(self) -> None:
        """SIGKILL works on a stopped process as well, and the kernel closes its connections at once."""
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(KILL_GRACE_S)

    def _epitaph(self, took_s: float, within_s: float) -> str:
        if took_s >= within_s:
            return f"zcheck's process for ZEO was not done within {within_s:.1f} s and was ended"
        code = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(KILL_GRACE_S)
        how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
        return f"zcheck's process for ZEO ended {how}"


def _so_far(line: bytes | None) -> str:
    """How far the job is; empty where this line is no such thing."""
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(line or b"", type=protocol.Answer).so_far
    return ""


def _result(line: bytes, result: type[Result]) -> Result | NotGathered:
    try:
        answer: Any = msgspec.json.decode(line, type=protocol.Answer)
        if answer.error:
            return NotGathered(f"zcheck failed: {answer.error}")
        return msgspec.json.decode(answer.result, type=result)
    except msgspec.DecodeError as error:
        return NotGathered(f"zcheck failed: its process for ZEO answered what cannot be read: {error}")


def _environment() -> dict[str, str]:
    """The child imports what we import, and nothing from the folder in which the user happens to stand."""
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
