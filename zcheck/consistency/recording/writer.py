"""A history's file, written while the work goes on: a run that is killed leaves what had happened by then."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from zcheck import __version__
from zcheck.consistency.recording.format import Header, Origin, Section, header_in, header_of, last_line, lines_of
from zcheck.facts.history import History, Operation, Version

AT_ONCE = 65536
"""Characters that are kept back before they are written."""


class Tape:
    """One section of the file.  A file that cannot be written any more is told by its missing end, and is no error."""

    def __init__(self, path: str, header: Header) -> None:
        self._section = Section(header)
        self._told = 0
        """How many operations of the list that it is shown were told."""
        self._logged: dict[str, int] = {}
        self._waiting: list[str] = []
        self._size = 0
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._put(self._section.begin())
        self.flush()

    def catch_up(self, operations: Sequence[Operation]) -> None:
        """Tell the operations of this list that were not told yet."""
        for op in operations[self._told :]:
            self._put(self._section.operation(op))
        self._told = len(operations)

    def forget(self, operations: int) -> None:
        """So many operations, all told, were taken out of the list."""
        self._told -= operations

    def log(self, log: Mapping[str, Iterable[Version]]) -> None:
        """Tell versions that are newer than all that were told before."""
        for marker, versions in log.items():
            self._put(self._section.log(marker, tuple(versions)))

    def values(self, values: Mapping[str, int]) -> None:
        if values:
            self._put(self._section.values(values))

    def end(self, history: History) -> None:
        """The section is whole."""
        self._put(self._section.end(history))
        self.flush()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def flush(self) -> None:
        text, self._waiting, self._size = "".join(self._waiting).encode(), [], 0
        while self._descriptor is not None and text:
            try:
                text = text[os.write(self._descriptor, text) :]
            except OSError:
                # The disk is full, say.  What was written has no end, and is never taken for a whole.
                os.close(self._descriptor)
                self._descriptor = None

    def _put(self, line: str) -> None:
        self._waiting.append(line)
        self._size += len(line)
        if self._size > AT_ONCE:
            self.flush()


def origin(cluster: str, run_id: str, seed: int | None) -> Origin:
    """Where the histories of a run come from."""
    versions = {"zcheck": __version__, "ZODB": metadata.version("ZODB"), "ZEO": metadata.version("ZEO")}
    return Origin(cluster=cluster, run_id=run_id, seed=seed, versions=versions)


def begin(path: str) -> None:
    """Make the file, or empty it.  Raises :exc:`OSError`."""
    Path(path).write_bytes(b"")


def end(path: str, histories: Iterable[History], origin: Origin) -> None:
    """Add the histories that were not taped, and the last line.  Raises :exc:`OSError`."""
    with Path(path).open("a+", encoding="utf-8") as file:
        file.seek(0)
        begun = [header_in(line) for line in file if line.startswith('{"header"')]
        missing = [history for history in histories if header_of(history, origin) not in begun]
        for history in missing:
            file.writelines(lines_of(history, origin))
        file.write(last_line(len(begun) + len(missing)))
