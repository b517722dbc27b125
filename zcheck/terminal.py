"""What a terminal can show: whether to colour, and a live line for each client while a run lasts."""

from __future__ import annotations

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
    return stream.isatty() and not environ.get("CI") and environ.get("TERM") != "dumb"


class LiveLines:
    """A context manager: one line a client on stderr, what is being done and for how long; gone at the end.

    It never touches stdout, and shows nothing where stderr is no terminal.
    """

    def __init__(self, clients: tuple[str, ...], stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
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
            live.stop()

    def __call__(self, client: str, what: str) -> None:
        """Note that ``client`` is now at ``what``; from any thread."""
        self._doing[client] = (what, time.monotonic())

    def _show(self) -> None:
        from rich.console import Console
        from rich.live import Live

        live = Live(
            get_renderable=self._lines, console=Console(file=self._stream), transient=True, refresh_per_second=8
        )
        with self._lock:
            if self._timer is None:
                return
            self._live = live
            live.start()

    def _lines(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        table = Table.grid(padding=(0, 2))
        for client, (what, since) in list(self._doing.items()):
            table.add_row(Text(client), Text(what), Text(f"{now - since:.1f} s"))
        return table
