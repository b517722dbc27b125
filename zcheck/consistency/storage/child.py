"""The child process that holds every ZEO connection of a run: ``python -m zcheck.consistency.storage.child``.

It is a process of its own because a writer that stops between vote and finish holds the server's commit lock, and with
it every client of the cluster.  Its parent kills it when it is late, which frees the lock at once; so does the kernel,
by an alarm set for every job, should the parent itself be gone or stopped.  When the parent's pipe closes it ends
between two operations.

A job is a line of JSON on stdin, its answer a line on stdout (:mod:`zcheck.consistency.storage.protocol`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from zcheck.consistency.storage import protocol
from zcheck.consistency.storage.blobs import BlobMatrix
from zcheck.consistency.storage.common import ParentGone, Stop, side_by_side
from zcheck.consistency.storage.connection import REASONS, Connection, words
from zcheck.consistency.storage.current import look_up
from zcheck.consistency.storage.matrix import Matrix
from zcheck.consistency.storage.orphans import find_orphans, remove_orphans
from zcheck.consistency.storage.proofs import prove
from zcheck.consistency.storage.versions import read_versions
from zcheck.consistency.storage.workloads import Isolation

ALARM_GRACE_S = 2.0
"""After a job's limit: then the kernel ends the process."""

CLOSE = msgspec.json.encode(protocol.Close())


class Worker:
    """The jobs of one run, in the order in which the parent gives them."""

    def __init__(self, stop: Stop, tell: Callable[[str], None] = lambda so_far: None) -> None:
        self.stop = stop
        self.tell = tell
        self.connections: list[Connection] = []

    def do(self, job: protocol.Job) -> Any:
        """The result of one job, ready to be told as JSON."""
        if isinstance(job, protocol.Connect):
            return self._connect(job)
        if isinstance(job, protocol.Prove):
            return prove(self.connections, self.stop)
        if isinstance(job, protocol.Write):
            kind = BlobMatrix if job.blobs else Matrix
            return kind(job, self._of(job.database), self.stop).run()
        if isinstance(job, protocol.Isolate):
            return Isolation(job, self._of(job.database), self.stop, self.tell).run()
        if isinstance(job, protocol.ReadVersions):
            return read_versions(self._of(job.database), job, self.stop)
        if isinstance(job, protocol.LookUp):
            return look_up(self.connections, job, self.stop)
        if isinstance(job, protocol.Find):
            return find_orphans(self.connections, job, self.stop)
        if isinstance(job, protocol.Remove):
            return remove_orphans(self.connections, job, self.stop)
        return self._close(job)

    def _of(self, database: str) -> list[Connection]:
        return [connection for connection in self.connections if connection.target.database == database]

    def _connect(self, job: protocol.Connect) -> list[protocol.Failure]:
        if self.connections:
            self._close(protocol.Close())
        self.connections = [Connection(target, job.timeout_s) for target in job.targets]
        # Twice the time-out: a read-only server is dialled a second time.
        limit = min(2 * job.timeout_s + 1, job.within_s)
        found = side_by_side({number: one.open for number, one in enumerate(self.connections)}, limit)
        for number, connection in enumerate(self.connections):
            if isinstance(found[number], BaseException):
                connection.error = connection.error or "no connection in time"
        return [
            protocol.Failure(connection.target.client, connection.target.database, connection.error)
            for connection in self.connections
            if connection.error
        ]

    def _close(self, job: protocol.Close) -> None:
        side_by_side({n: partial(one.close, job.within_s) for n, one in enumerate(self.connections)}, job.within_s)


def _listen_to_zeo() -> None:
    """Hear ZEO's own log, for the reasons of failures, and print none of it."""
    for name in ("ZEO", "ZODB", "asyncio", "concurrent"):
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)
        logger.addHandler(logging.NullHandler())
    client = logging.getLogger("ZEO.asyncio.client")
    client.setLevel(logging.INFO)
    client.addHandler(REASONS)
    client.propagate = False


def _read_jobs(jobs_to_do: queue.SimpleQueue[bytes | None], stop: Stop) -> None:
    """Hand over line after line; when the parent's end of the pipe is closed, nothing new is begun."""
    for line in sys.stdin.buffer:
        # Nobody asks for the end while a job is being done, unless that job is not waited for any more.
        if line.strip() in (CLOSE, protocol.WIND_UP):
            stop.wind_up()
        if line.strip() != protocol.WIND_UP:
            jobs_to_do.put(line)
    stop.parent_is_gone()
    jobs_to_do.put(None)


def main() -> None:
    """Do jobs until told to close, or until the parent is gone."""
    # A terminal's Ctrl-C is for the parent, which then asks for an orderly end; the alarm's default ends us for sure.
    # A signal to the whole group is the parent's to heed: it ends this process by closing the pipe.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not be taken for an answer
    _listen_to_zeo()
    stop = Stop()
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=[lines, stop], daemon=True).start()

    def answer_with(answer: protocol.Answer) -> None:
        with contextlib.suppress(BrokenPipeError):
            answers.write(msgspec.json.encode(answer) + b"\n")
            answers.flush()

    worker = Worker(stop, lambda so_far: answer_with(protocol.Answer(so_far=so_far)))
    decoder = msgspec.json.Decoder(protocol.Job)
    while (line := lines.get()) is not None:
        job = decoder.decode(line)
        signal.setitimer(signal.ITIMER_REAL, job.within_s + ALARM_GRACE_S)
        stop.begin(job.within_s)
        try:
            answer = protocol.Answer(result=msgspec.Raw(msgspec.json.encode(worker.do(job))))
        except ParentGone:
            break
        except Exception as error:  # a defect of ours, or of ZEO's: told, not lost
            where = traceback.extract_tb(error.__traceback__)[-1]
            answer = protocol.Answer(error=f"{words(error)} ({os.path.basename(where.filename)}:{where.lineno})")  # noqa: PTH119
        answer_with(answer)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if isinstance(job, protocol.Close):
            break
    # ZEO's threads are not waited for: the kernel closes what is still open.
    os._exit(0)


if __name__ == "__main__":
    main()
