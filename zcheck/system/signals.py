"""What ends a run from outside ends it as Ctrl-C does: by an exception, so that it cleans up.  Once.

The first signal ends the work.  Those that follow shortly after it, and all that come while something is cleaned up,
are noted and do nothing: whoever presses Ctrl-C twice, or a supervisor that sends SIGTERM twice, must not leave behind
in a database what the run has made.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

PATIENCE_S = 20.0
"""So long after the first signal the run may take to end; a signal after that ends whatever it hangs in."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Tell = Callable[[str], None]


class Interrupt(KeyboardInterrupt):
    """The run was interrupted, and what it made could not all be removed: ``left`` says what, ``removal`` how."""

    def __init__(self, left: tuple[str, ...], removal: str = "") -> None:
        super().__init__(*left)
        self.left = left
        self.removal = removal


class _State:
    def __init__(self) -> None:
        self.first_at: float | None = None
        """When the signal came that ends the run; None: none has come."""
        self.cleaning: list[float] = []
        """Seconds that each clean-up that is under way may take."""
        self.noted = False
        self.tell: Tell = lambda words: None


_state = _State()


def _interrupt(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    if _state.cleaning:
        _state.noted = True
        _say(_state.cleaning[0])
    elif _state.first_at is None or now - _state.first_at > PATIENCE_S:
        _state.first_at = now
        raise KeyboardInterrupt
    else:
        _say(PATIENCE_S)


def _say(limit_s: float) -> None:
    with contextlib.suppress(Exception):
        _state.tell(f"zcheck: what this run made is being removed, within {limit_s:g} s; wait for it")


@contextlib.contextmanager
def interruptible(tell: Tell | None = None) -> Iterator[None]:
    """Within it, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, once.  Does nothing outside the main thread.

    ``tell``: who is told, on a further signal, that it is waited for the clean-up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    outermost = all(handler is not _interrupt for handler in before.values())
    if outermost:
        _state.first_at, _state.noted = None, False
    if tell is not None:
        _state.tell = tell
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def cleaning_up(within_s: float) -> Iterator[None]:
    """Within it no signal does anything; the first that was noted ends the run afterwards, by KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    _state.cleaning.append(within_s)
    try:
        yield
    finally:
        _state.cleaning.pop()
        for number, handler in before.items():
            signal.signal(number, handler)
    if not _state.cleaning and _state.noted:
        _state.noted = False
        if _state.first_at is None:
            _state.first_at = time.monotonic()
            raise KeyboardInterrupt
