"""What a terminal can show: whether to colour, and a live line for each client while a run lasts."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

_RELUCTANT_S = 0.3
"""Seconds before the live lines appear: a run that is quicker than that only flickers."""


def colours(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to colour what goes to ``stream``: NO_COLOR, FORCE_COLOR, CI and TERM=dumb are honoured."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return lives(stream, environ)


def lives(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether ``stream`` is a terminal that a person looks at while we run."""
    try:
        return stream.isatty() and not environ.get("CI") and environ.get("TERM") != "dumb"
    except (OSError, ValueError, AttributeError):  # it is closed, or there is none
        return False


class LiveLines:
    """A context manager: one line a client on stderr, what is being done and for how long; gone at the end.

    It never touches stdout, and shows nothing where stderr is no terminal.
    """

    def __init__(self, clients: tuple[str, ...], stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._doing: dict[str, tuple[str, float]] = dict.fromkeys(clients, ("waiting", time.monotonic()))
        self._live: Any = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> LiveLines:
        if lives(self._stream):
            self._timer = threading.Timer(_RELUCTANT_S, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            live, self._live = self._live, None
            self._timer = None
        if live is not None:
            # A terminal that is gone takes no line away: what was found is worth more than its picture.
            with contextlib.suppress(OSError, ValueError):
                live.stop()

    def __call__(self, client: str, what: str) -> None:
        """Note that ``client`` is now at ``what``; from any thread.  Without a client it is a line that stays."""
        if client:
            self._doing[client] = (what, time.monotonic())
        else:
            self._tell(what)

    def _tell(self, line: str) -> None:
        from zcheck.report.formats.text import clean

        line = "" if self._quiet else clean(line)
        if not line:
            return
        with self._lock, contextlib.suppress(OSError):
            if self._live is not None:
                self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                self._stream.write(f"{line}\n")
                self._stream.flush()

    def _show(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream)
        live = Live(
            get_renderable=lambda: self._lines(*console.size),
            console=console,
            transient=True,
            refresh_per_second=8,
        )
        with self._lock:
            if self._timer is None:
                return
            self._live = live
            with contextlib.suppress(OSError, ValueError):
                live.start()

    def _lines(self, width: int, height: int) -> Any:
        """As many lines as the terminal has room for; of what is left out, how many and what they do."""
        from rich.text import Text

        doing = dict(self._doing)
        shown = _most_telling(doing, height - 1)
        names = max(map(len, shown), default=0)
        now = time.monotonic()
        lines = []
        for client in (name for name in doing if name in shown):
            what, since = doing[client]
            took = f"{now - since:.1f} s"
            room = max(width - names - len(took) - 5, 0)
            lines.append(f"{client:{names}}  {_cropped(what, room)}  {took}")
        rest = [what for client, (what, _) in doing.items() if client not in shown]
        if rest:
            lines.append(_cropped(_and_more(rest), width - 1))
        return Text("\n".join(lines), no_wrap=True, overflow="crop")


def _cropped(text: str, width: int) -> str:
    """What there is room for."""
    from rich.cells import set_cell_size

    return set_cell_size(text, width).rstrip() if len(text) > width else text


def _most_telling(doing: Mapping[str, tuple[str, float]], rows: int) -> set[str]:
    """Who is shown where not all can be: those that do something before those that wait."""
    if len(doing) <= rows:
        return set(doing)
    busy_first = sorted(doing, key=lambda client: doing[client][0].startswith("waiting"))
    return set(busy_first[: max(rows - 1, 1)])


def _and_more(rest: list[str]) -> str:
    """``and 38 more: 36 waiting for the others, 2 connecting``."""
    counts = {what: rest.count(what) for what in rest}
    told = sorted(counts.items(), key=lambda item: -item[1])
    return f"and {len(rest)} more: {', '.join(f'{count} {what}' for what, count in told)}"
