"""A limit for work that knows none of its own, such as a name look-up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


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
