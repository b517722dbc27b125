"""What the pieces of the writing child share: its small structs, its exceptions, its limits.  No ZODB in here."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec

Key = TypeVar("Key")
Result = TypeVar("Result")

SHARE_FOR_WORK = 0.7
"""Of a job's time; the rest is kept for cleaning up."""
SHARE_FOR_ALL = 0.95


class NoAnswer(Exception):
    """A connection cannot be used: lost, hung, never made; the message says why."""


class Late(Exception):
    """A piece of work was not done in time."""

    def __str__(self) -> str:
        return "not done in time"


class OutOfTime(Exception):
    """The time that a job has left is kept for cleaning up."""


class ParentGone(BaseException):
    """Nobody waits for the answer any more."""


class CommitFailed(Exception):
    """A commit was not acknowledged; ``surely``: it did not happen, else that is not known."""

    def __init__(self, refusal: str, reason: str, *, surely: bool, conflict: bool = False) -> None:
        super().__init__(reason)
        self.conflict = conflict
        self.refusal = refusal
        self.reason = reason
        self.surely = surely


class Record(msgspec.Struct, frozen=True):
    """One record as the storage holds it."""

    data: bytes
    tid: int


class Change(msgspec.Struct, frozen=True):
    """One record of a transaction; ``data`` None deletes the object.  ``serial`` is the transaction it replaces.

    ``blob``: the content of its file, where it is the record of a blob.
    """

    oid: int
    serial: int
    data: bytes | None
    blob: bytes | None = None


class Stop:
    """When to begin nothing new: the parent is gone, or the job's time is used up."""

    def __init__(self) -> None:
        self._gone = threading.Event()
        self._winding_up = threading.Event()
        self._started = 0.0
        self._within_s = 0.0

    def begin(self, within_s: float) -> None:
        """A new job starts."""
        self._started = time.monotonic()
        self._within_s = within_s

    def parent_is_gone(self) -> None:
        self._gone.set()

    def wind_up(self) -> None:
        """The parent was interrupted: what was begun is cleaned up, and no more."""
        self._winding_up.set()

    def left(self, share: float = SHARE_FOR_WORK) -> float:
        """Seconds until this share of the job's time is used up; not below zero."""
        if self._winding_up.is_set() and share < SHARE_FOR_ALL:
            return 0.0
        return max(0.0, self._started + share * self._within_s - time.monotonic())

    def between(self, share: float = SHARE_FOR_WORK) -> None:
        """To be called between two operations; raises where none may follow."""
        if self._gone.is_set():
            raise ParentGone
        if self._winding_up.is_set() and share < SHARE_FOR_ALL:
            raise OutOfTime("zcheck was interrupted")
        if not self.left(share):
            raise OutOfTime("not done before zcheck's own deadline")

    def sleep(self, seconds: float) -> None:
        """Sleep, or less where the time is used up sooner."""
        self._winding_up.wait(min(seconds, self.left()))


def side_by_side(work: Mapping[Key, Callable[[], Result]], timeout_s: float) -> dict[Key, Result | BaseException]:
    """Run every piece of work in a thread of its own; what raised or is late is answered by the exception."""
    done: queue.SimpleQueue[tuple[Key, Any]] = queue.SimpleQueue()

    def run(key: Key, one: Callable[[], Result]) -> None:
        try:
            done.put((key, one()))
        except BaseException as error:  # handed on to the caller
            done.put((key, error))

    for key, one in work.items():
        threading.Thread(target=run, args=[key, one], daemon=True).start()
    end = time.monotonic() + timeout_s
    found: dict[Key, Any] = {}
    while len(found) < len(work):
        try:
            key, value = done.get(timeout=max(end - time.monotonic(), 0.0))
        except queue.Empty:
            break
        found[key] = value
    return {key: found.get(key, Late()) for key in work}


class Dialled(Protocol):
    """As much of a connection as is needed to see whether it is silent."""

    error: str
    timeout_s: float

    def call(self, method: str, *arguments: Any, timeout_s: float | None = None) -> Any:
        """Ask the server."""


def sort_out_the_silent(connections: Iterable[Dialled]) -> None:
    """One round trip through every connection at once, so that many hung ones cost one time-out and not many."""
    usable = {number: one for number, one in enumerate(connections) if not one.error}
    if usable:
        longest = max(one.timeout_s for one in usable.values())
        side_by_side({number: partial(one.call, "ping") for number, one in usable.items()}, longest + 1)
