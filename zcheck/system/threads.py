"""Work with a limit: a deadline for a whole run, jobs side by side, and work that knows no limit of its own."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, TypeVar

from zcheck.system.shortages import ShortageError

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")

IN_FLIGHT = 32
"""Jobs that run at one time."""


class NotDone(NamedTuple):
    """In place of what a job would have returned: why there is nothing."""

    reason: str


class Deadline:
    """One limit for the whole run, a share of which is kept for cleaning up."""

    def __init__(self, total_s: float) -> None:
        self._end = time.monotonic() + total_s
        self.reserved_s = min(10.0, total_s / 4)

    def left(self) -> float:
        """Seconds that work may still take; 0 when only clean-up's share is left."""
        return max(0.0, self._end - self.reserved_s - time.monotonic())

    def end(self) -> None:
        """Nothing more is begun, and clean-up has its share all the same."""
        self._end = min(self._end, time.monotonic() + self.reserved_s)

    def left_to_clean_up(self) -> float:
        """Seconds until the very end."""
        return max(0.0, self._end - time.monotonic())


def within(limit_s: float, work: Callable[[], Found]) -> Found:
    """What the work returns, or raises; TimeoutError when it takes longer than this many seconds.

    It runs in a thread of its own, which is left behind when it is late: nothing can end a thread.
    """
    done: list[Found] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # handed on to the caller below
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]


def side_by_side(
    jobs: Mapping[Key, Callable[[], Found]], left: Callable[[], float], limit: int = IN_FLIGHT
) -> dict[Key, Found | NotDone]:
    """Run the jobs in daemon threads, at most ``limit`` at a time; what is not back in time is not waited for.

    A thread that hangs in a name look-up cannot be ended, so it is left behind: it holds nothing of the cluster.
    """
    waiting: queue.SimpleQueue[Key] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Key, Found | NotDone]] = queue.SimpleQueue()
    for key in jobs:
        waiting.put(key)

    def work() -> None:
        while True:
            try:
                key = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((key, jobs[key]()))
            except ShortageError as shortage:
                done.put((key, NotDone(str(shortage))))
            except Exception as error:  # a defect of ours becomes UNKNOWN, never a lost client
                done.put((key, NotDone(f"zcheck failed: {type(error).__name__}: {error}")))

    for _ in range(min(limit, len(jobs))):
        threading.Thread(target=work, daemon=True).start()
    found: dict[Key, Found | NotDone] = {}
    while len(found) < len(jobs):
        try:
            key, value = done.get(timeout=max(left(), 0.001))
        except queue.Empty:
            break
        found[key] = value
    late = NotDone("not done before zcheck's own deadline")
    return {key: found.get(key, late) for key in jobs}
