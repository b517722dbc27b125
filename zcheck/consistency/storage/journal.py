"""What is about to be written, told to a file before it is sent, so that a killed run leaves a trace."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import msgspec


class Journal:
    """Lines of JSON, appended and synced; a file that cannot be written is never an error."""

    def __init__(self, path: str | None) -> None:
        self._lines: list[bytes] = []
        self._descriptor: int | None = None
        if path is not None:
            with contextlib.suppress(OSError):
                self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def note(self, **entry: Any) -> None:
        """One transaction that will be sent once :meth:`flush` has been called."""
        self._lines.append(msgspec.json.encode({"at": round(time.time(), 3), **entry}) + b"\n")

    def flush(self) -> None:
        """Write what was noted to the disk; several transactions that follow each other share one sync."""
        lines, self._lines = self._lines, []
        if self._descriptor is not None and lines:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, b"".join(lines))
                os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
