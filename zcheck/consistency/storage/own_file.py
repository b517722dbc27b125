"""Whether a FileStorage's server still writes into the file that has its path.

A restore by ``mv`` or ``rsync`` while the server runs gives the path to another file: the server goes on with the one
that it has open, which has no name any more, and its next start loses everything since.  What can be undone is listed
from the open file; an iterator opens the path anew.  So a transaction that is listed and not met there tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from zcheck.consistency.storage import markers
from zcheck.consistency.storage.common import NoAnswer, Stop
from zcheck.consistency.storage.packs import listed_as_undoable
from zcheck.facts import StorageFile

if TYPE_CHECKING:
    from zcheck.consistency.storage.connection import Connection

AGAIN_AFTER_S = 1.0
"""A pack gives the path to a new file as well, and opens it a moment later."""


class _UnreadableError(Exception):
    """The file at the storage's path could not be read to its end."""


def look_at_files(connections: Iterable[Connection], stop: Stop) -> tuple[StorageFile, ...]:
    """One look a storage, each through the first connection that answers."""
    found: dict[tuple[str, str], StorageFile] = {}
    for connection in connections:
        if not connection.error and connection.storage_reached not in found:
            stop.between()
            looked = look_at_file(connection, stop)
            if looked is not None:
                found[connection.storage_reached] = looked
    return tuple(found.values())


def look_at_file(connection: Connection, stop: Stop) -> StorageFile | None:
    """What the two ways to read a storage tell; None where it is no file, or the connection ends meanwhile."""
    if not _is_a_file(connection):
        return None
    told = partial(StorageFile, connection.target.database, *connection.storage_reached, connection.location)
    try:
        looked = _look(connection, told)
        if looked.outcome == "replaced":
            stop.sleep(AGAIN_AFTER_S)
            looked = _look(connection, told)
    except NoAnswer:
        return None
    except _UnreadableError:
        return told(outcome="unknown", unreadable=True)
    return looked


def _is_a_file(connection: Connection) -> bool:
    """Whether the server's storage is a FileStorage: it is called by its path; a demostorage or a client is not."""
    named = connection.location
    is_path = named.startswith("/") or named[1:3] in (":\\", ":/")
    return is_path and connection.can("IStorageUndoable") and connection.can("IStorageIteration")


def _look(connection: Connection, told: Callable[..., StorageFile]) -> StorageFile:
    """One look: what is listed before *and* after the path was read was in the open file all the while."""
    listed = _newest_listed(connection)
    if listed is None:
        # Undo is off while a pack is under way, and lists nothing of what was packed.
        last = markers.number(connection.call("lastTransaction"))
        if not last:
            return told(outcome="own")  # an empty database: there is nothing to lose
        met = _is_at_the_path(connection, last)
        return told(outcome="own" if met is True else "unknown", newest=f"{last:016x}")
    met = _is_at_the_path(connection, listed)
    newest = f"{listed:016x}"
    if met is True:
        return told(outcome="own", newest=newest)
    if not _still_lists(connection, listed):
        return told(outcome="unknown", newest=newest)
    return told(outcome="replaced", newest=newest, no_file=met is None)


def _newest_listed(connection: Connection) -> int | None:
    return max(listed_as_undoable(connection, 1) or (), default=None)


def _still_lists(connection: Connection, tid: int) -> bool:
    # Others may commit meanwhile.
    return tid in (listed_as_undoable(connection, 100) or ())


def _is_at_the_path(connection: Connection, tid: int) -> bool | None:
    """Whether the file at the storage's path has this transaction; None where there is no such file."""
    try:
        return any(found[0] == tid for found in connection.transactions(tid, tid))
    except NoAnswer:
        raise
    except Exception as error:  # as the server words it, or as itself
        if "FileNotFoundError" in repr(error):
            return None
        # ZODB's iterator fails at some files of its own, such as one at whose end a write failed: that shows nothing.
        raise _UnreadableError from None
